/* SPDX-License-Identifier: BSD-3-Clause */
/* tar_acl.h: access control lists in tar archives. */
#ifndef ROMSIM_IMAGE_TAR_ACL_H
#define ROMSIM_IMAGE_TAR_ACL_H

#include "sim/image/entry.h"

#include <romsim/buffer.h>

#include <archive_entry.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A list of a file as the value of an xattr; more entries than an xattr has room for are none. */
enum { TAR_ACL_ENTRIES_MAX = 8191, TAR_ACL_SIZE_MAX = 4 + 8 * TAR_ACL_ENTRIES_MAX };

/*
 * What libarchive's reading of the lists of an entry will cost, whose headers begin at `offset` of
 * the archive: the square of the number of their entries.  To be asked before it reads them.
 */
uint64_t tar_acl_steps(const uint8_t *bytes, uint64_t size, uint64_t offset);

/*
 * Makes an entry's list of the type ARCHIVE_ENTRY_ACL_TYPE_ACCESS or _DEFAULT an xattr, whose value
 * is in `buffer`; an access list gives *mode its mask, as the kernel has it.  Returns 1, 0 if there
 * is none to be had, or -1 without memory.  *ret_is_lost: there is one, but it names somebody
 * without a number, or the kernel would not take it; then *mode gives nobody more than it does.
 */
int tar_acl_read(struct archive_entry *from, int type, struct romsim_buffer *buffer, uint32_t *mode,
                 struct entry_xattr *ret, bool *ret_is_lost, struct romsim_error *err);

#endif
