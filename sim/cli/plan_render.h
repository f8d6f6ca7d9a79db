/* SPDX-License-Identifier: BSD-3-Clause */
/* plan_render.h: a layout for people and for programs: what `romsim plan` prints. */
#ifndef ROMSIM_CLI_PLAN_RENDER_H
#define ROMSIM_CLI_PLAN_RENDER_H

#include <romsim/layout.h>

/* The layout as JSON (an object, indented, ending in a newline) or for people; malloc'ed. */
char *plan_json(const struct romsim_layout *layout, struct romsim_error *err);
char *plan_text(const struct romsim_layout *layout, struct romsim_error *err);

#endif
