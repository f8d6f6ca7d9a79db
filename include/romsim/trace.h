/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * trace.h: writing down what is read of an instance's ROMs.
 *
 * As JSON, each line is an object with "kind":
 *
 *     trace    version (1), instance, started: seconds since 1970
 *     device   instance, device ("ukp_rom1"), name ("ukp_rom_config", or ""), at (or null), size,
 *              image_size (what the image says of itself, if the device is shorter),
 *              files: [{path, size}], the regular ones of its image,
 *              map: [[offset, size, place among the files, or -1 for what describes them]]
 *     phase    instance, time_us, phase: what the start came to ("qemu", "mounts", "app", "output")
 *     fault    instance, device, text: what is made to go wrong (fault.h)
 *     read     of a device's bytes: time_us, took_us, instance, device, offset, size, error (an
 *              errno's name; else it is not there),
 *              what: [{is: superblock|inode|directory|link|file, path, count (of inodes in a row),
 *              start, length (of a file's bytes)}]
 *     file     a file's bytes, where the host reads the mounted tree: time_us, took_us, instance,
 *              device, path (in the image), offset, size, error
 *     lookup   a name, the same way: time_us, took_us, instance, device, path, found, error
 *
 *     open     what a process of the guest opened, told by its init: time_us (when it was told),
 *              instance, device, path (in the image), process, pid, error (ENOENT: also of a path
 *              that was looked up otherwise)
 *     note     time_us, instance, text: why no more of these come
 *
 * Of the drive only what its kernel asks of the drive comes here: what is in its page cache it
 * does not ask for again, and it reads ahead.
 */
#ifndef ROMSIM_TRACE_H
#define ROMSIM_TRACE_H

/* Where it goes: files that stay open as long as it is used; -1: nowhere. */
struct romsim_trace {
    int json; /* lines of JSON, */
    int text; /* and the same for people to read at once */
};

struct romsim_trace_open {
    const char *device;  /* "ukp_rom1"; NULL: there are no more, and `path` says why */
    const char *path;    /* in its image */
    const char *process; /* its name, */
    long pid;            /* and its number in the guest */
    int errnum;          /* 0: it was opened */
};

#endif
