/* SPDX-License-Identifier: BSD-3-Clause */
/* judge.h: what is said of a layout's images (judge.c). */
#ifndef ROMSIM_LAYOUT_JUDGE_H
#define ROMSIM_LAYOUT_JUDGE_H

#include <romsim/layout.h>

/*
 * Says what is to be said of the images that are there, each at its place in the instance: what was
 * noted when they were made or opened, and that a mount cannot be.  The cloud finds both out when
 * the instance boots, so they are warnings; `is_check`, for who does not start it: then all bytes
 * of the ROMs' images are looked at, too, and what would fail is an error.
 */
void judge_images(const struct romsim_layout *layout, const struct romsim_instance *instance,
                  bool is_check, struct romsim_diagnostics *diagnostics);

#endif
