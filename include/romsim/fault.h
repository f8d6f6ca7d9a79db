/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fault.h: what is made to go wrong with ROMs, on purpose.
 *
 * A fault is a text, "rom=NAME,WHAT=VALUE,...", as it is written for --fault.  NAME is the ROM's,
 * or its device's ("ukp_rom1"); the rest says what happens, and of it several may be together:
 *
 *     read=eio                reads fail with EIO; of them only those
 *       offset=N                which have this byte of the device, or, with a path, of the file
 *       path=PATH               which have a part of this file of the image
 *       after=N                 behind the first N of these
 *       count=N                 and N at most
 *     latency=TIME            each read takes so much longer ("50ms", "2s")
 *       jitter=TIME             and by chance up to so much more
 *     bandwidth=SIZE          so many bytes a second, all reads together
 *     slow-attach=TIME        nothing can be read before so long after the first try
 *     corrupt=OFFSET[:MASK]   this byte is another one: its bits in MASK (255) are changed
 *     truncate=SIZE           the device ends there
 *     missing                 the device is not there
 *     unaligned               the device ends within a sector
 *     mount=fail              it has no superblock
 *     swap=OTHER              it has the bytes of another ROM of the instance, or of an image file
 *     seed=N                  what else chance depends on (1)
 *
 * The same faults with the same reads do the same.
 */
#ifndef ROMSIM_FAULT_H
#define ROMSIM_FAULT_H

#include <romsim/cleanup.h>
#include <romsim/error.h>

#include <stdbool.h>
#include <stddef.h>

struct romsim_faults;
struct romsim_device;

/* None yet; NULL without memory. */
struct romsim_faults *romsim_faults_new(void);

/* Accepts NULL. */
void romsim_faults_free(struct romsim_faults *faults);

/* Adds one.  EINVAL for a text that is none. */
int romsim_faults_add(struct romsim_faults *faults, const char *text, struct romsim_error *err);

/* How many there are (0 for NULL), and the text of one. */
size_t romsim_faults_count(const struct romsim_faults *faults);
const char *romsim_faults_text(const struct romsim_faults *faults, size_t index);

/* Is the device one that is not to be there?  False for no faults (NULL). */
bool romsim_faults_miss(const struct romsim_faults *faults, const struct romsim_device *device);

/* Where one takes other bytes from (swap=OTHER), or NULL: it does not. */
const char *romsim_faults_swap(const struct romsim_faults *faults, size_t index);

#endif
