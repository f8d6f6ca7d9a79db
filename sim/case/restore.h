/* SPDX-License-Identifier: BSD-3-Clause */
/* restore.h: the instance of a case, for who has it again and who compares with it. */
#ifndef ROMSIM_CASE_RESTORE_H
#define ROMSIM_CASE_RESTORE_H

#include <romsim/case.h>

/* The instance that the case's request makes; without a choice it is only compared with, and no
 * image of it may be looked for.  NULL after an error among the diagnostics. */
struct romsim_instance *case_request(const struct romsim_case *opened,
                                     const struct romsim_case_choice *choice,
                                     struct romsim_diagnostics *diagnostics);

#endif
