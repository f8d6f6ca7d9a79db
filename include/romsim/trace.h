/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * trace.h: writing down what is read of an instance's ROMs.
 *
 * As JSON, each line is an object with "kind":
 *
 *     trace    version (1), instance, started: seconds since 1970
 *     device   instance, device ("ukp_rom1"), name ("ukp_rom_config", or ""), at (or null), size,
 *              files: [{path, size}], the regular ones of its image
 *     fault    instance, text: what is made to go wrong (fault.h)
 *     read     of a device's bytes: time_us, took_us, instance, device, offset, size, error (an
 *              errno's name; else it is not there),
 *              what: [{is: superblock|inode|directory|link|file, path, count (of inodes in a row),
 *              start, length (of a file's bytes)}]
 *     file     a file's bytes, where the host reads the mounted tree: time_us, took_us, instance,
 *              device, path (in the image), offset, size, error
 *     lookup   a name, the same way: time_us, took_us, instance, device, path, found, error
 *
 * From the guest only what its kernel asks of the drive comes here: what is in its page cache it
 * does not ask for again, and it reads ahead.
 */
#ifndef ROMSIM_TRACE_H
#define ROMSIM_TRACE_H

/* Where it goes: files that stay open as long as it is used; -1: nowhere. */
struct romsim_trace {
    int json; /* lines of JSON, */
    int text; /* and the same for people to read at once */
};

#endif
