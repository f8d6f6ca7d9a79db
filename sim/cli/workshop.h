/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * workshop.h: the exercises of docs/workshop.md: the files to begin with, and what is looked at.
 *
 * The page is in the program, which prints an exercise's section as its task: there is no other
 * text of it.  `check` goes through an exercise's steps in order and stops at the first that is not
 * done.  A step looks at what is so now: a file by the cloud's rules, instances by what their
 * keepers say, apps by what they answer over HTTP.
 */
#ifndef ROMSIM_CLI_WORKSHOP_H
#define ROMSIM_CLI_WORKSHOP_H

#include "sim/cli/cli.h"

#include <stdbool.h>
#include <stddef.h>

/* What the steps of one check share. */
struct workshop_look {
    const char *folder;
    struct romsim_instances instances; /* of the exercise's file, once a step has loaded it */
    char subject[256];                 /* what the step is about, for people, "the file ..." */
    char reason[512];                  /* why it is not done */
};

struct workshop_step {
    /* Is it done?  Sets look->subject in any case, and look->reason if it is not. */
    bool (*look)(struct workshop_look *look, const struct workshop_step *step);
    const char *name; /* of the instance, or the file */
    const char *path; /* of what is asked for, or the mount point */
    const char *text; /* that is to be there, or not */
    const char *hint;
};

struct workshop_file {
    const char *path; /* within the exercise's folder */
    const char *text, *end;
    bool is_program;
};

struct workshop_exercise {
    const struct workshop_file *files; /* ended by a path of NULL */
    const struct workshop_step *steps; /* ended by a look of NULL */
};

enum { WORKSHOP_EXERCISES = 8 };
extern const struct workshop_exercise workshop_exercises[WORKSHOP_EXERCISES];

/* ---- what a step may look at (workshop_look.c) -------------------------------------------- */

/* The file `name` is taken by the cloud's rules, and its images are here. */
bool workshop_file_is_right(struct workshop_look *look, const struct workshop_step *step);
/* The file's instance `name` has a ROM at `path`. */
bool workshop_file_has_rom(struct workshop_look *look, const struct workshop_step *step);
/* The same, and that ROM is an image, not inline. */
bool workshop_file_has_image(struct workshop_look *look, const struct workshop_step *step);
/* The instance `name` runs. */
bool workshop_runs(struct workshop_look *look, const struct workshop_step *step);
/* It has been started more than once. */
bool workshop_was_restarted(struct workshop_look *look, const struct workshop_step *step);
/* It has a ROM at `path`, and as many as the file gives it. */
bool workshop_has_rom(struct workshop_look *look, const struct workshop_step *step);
/* There is none of that name. */
bool workshop_is_gone(struct workshop_look *look, const struct workshop_step *step);
/* It is a clone of the template `text`. */
bool workshop_is_clone(struct workshop_look *look, const struct workshop_step *step);
/* There is a template of that name. */
bool workshop_has_template(struct workshop_look *look, const struct workshop_step *step);
/* What its port answers for `path` has `text` in it, and has it not. */
bool workshop_says(struct workshop_look *look, const struct workshop_step *step);
bool workshop_says_no(struct workshop_look *look, const struct workshop_step *step);
/* It and the instance `text` both answer for `path`, not the same. */
bool workshop_differs(struct workshop_look *look, const struct workshop_step *step);
/* The file `name` is a case of an instance whose app failed. */
bool workshop_is_case(struct workshop_look *look, const struct workshop_step *step);

#endif
