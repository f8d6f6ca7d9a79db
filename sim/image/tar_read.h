/* SPDX-License-Identifier: BSD-3-Clause */
/* tar_read.h: the entries of tar archives: of 1979, ustar, PAX, GNU and star. */
#ifndef ROMSIM_IMAGE_TAR_READ_H
#define ROMSIM_IMAGE_TAR_READ_H

#include "sim/image/entry.h"

/* Shows all entries of a blob to `visit`. */
int tar_read(struct romsim_blob *blob, const char *name, entry_visitor *visit, void *context,
             struct romsim_error *err);

#endif
