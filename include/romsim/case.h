/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * case.h: an instance with all that it takes to have the same happen again, as one file
 * (docs/cases.md has the format), and whether it did.
 *
 * A case that is read is hostile input: nothing of it is a path of this machine, its parts are
 * ranges of the archive's bytes, and each has the digest that it says.
 *
 * Not thread-safe.
 */
#ifndef ROMSIM_CASE_H
#define ROMSIM_CASE_H

#include <romsim/blob.h>
#include <romsim/buffer.h>
#include <romsim/fault.h>
#include <romsim/image.h>
#include <romsim/layout.h>
#include <romsim/parts.h>
#include <romsim/strings.h>
#include <romsim/verify.h>

#include <stdbool.h>

struct json_t; /* jansson's */

/* ---- what was read of ROMs ---------------------------------------------------------------- */

struct romsim_reads;

/*
 * Takes from a trace (trace.h), or from what romsim_reads_write() made of one, what does not depend
 * on the time: which ranges of which files of each ROM were read, in the order of the first read of
 * each, and what failed.  `instance`: only its lines, or NULL for all.  Lines that are none of a
 * trace, and a last one that is not complete, are passed over; one of more than `line_max` bytes is
 * EFBIG, as are too many files.  NULL on failure.
 */
struct romsim_reads *romsim_reads_parse(const char *text, size_t size, size_t line_max,
                                        const char *instance, struct romsim_error *err);
void romsim_reads_free(struct romsim_reads *reads); /* accepts NULL */
DEFINE_CLEANUP(struct romsim_reads, romsim_reads_free)
#define CLEANUP_READS CLEANUP(cleanup_romsim_reads_free)

/* Appends it as lines of a trace without times, the same for the same reads.  A want of memory is
 * seen in the buffer. */
void romsim_reads_write(const struct romsim_reads *reads, struct romsim_buffer *ret);

/*
 * The first difference, "ROM 'code': /a was read there, and is not here", malloc'ed; NULL: none (or
 * no memory).  `ranges`: which bytes of a file were read counts, too.  The order does not: that of
 * processes that read at the same time is another one each time.
 */
char *romsim_reads_difference(const struct romsim_reads *there, const struct romsim_reads *here,
                              bool ranges);

/* ---- what happened ------------------------------------------------------------------------ */

enum romsim_outcome_end {
    ROMSIM_OUTCOME_EXIT,   /* the app ended by itself */
    ROMSIM_OUTCOME_FAILED, /* it was never started, or the VM broke */
    ROMSIM_OUTCOME_CUT     /* it still ran when it was captured */
};

/* "exit", "failed", "cut". */
const char *romsim_outcome_end_name(enum romsim_outcome_end end);

struct romsim_outcome {
    enum romsim_outcome_end end;
    int status;                   /* of the app, as `romsim run` has it */
    char *reason;                 /* why it failed; owned; or NULL */
    struct romsim_buffer console; /* all that the guest wrote, as far as it was kept */
    bool is_tail;                 /* the console's beginning was not */
    struct romsim_reads *reads;   /* owned; NULL: nobody looked */
};

enum { ROMSIM_CASE_CONSOLE_MAX = 16 << 20 }; /* bytes of a console that are kept */

void romsim_outcome_clear(struct romsim_outcome *outcome);

/* Texts that stand for others in what is compared and kept: values of variables for their names,
 * and a name that was made up for "{name}". */
struct romsim_mask {
    char *text;  /* owned */
    char *shown; /* in its place; owned */
};

struct romsim_masks {
    struct romsim_mask *items;
    size_t count;
};

/* Values that are shorter stand everywhere, and would make everything unreadable. */
enum { ROMSIM_MASK_MIN = 4 };

/* Adds one, unless the text is shorter than ROMSIM_MASK_MIN.  Returns 0, or -1 without memory. */
int romsim_masks_add(struct romsim_masks *masks, const char *text, const char *shown);
/* The same of a variable's value, for which "[redacted NAME]" stands. */
int romsim_masks_add_variable(struct romsim_masks *masks, const char *name, const char *value);
void romsim_masks_clear(struct romsim_masks *masks);
#define CLEANUP_MASKS CLEANUP(romsim_masks_clear)

/* Appends `size` bytes with the longest of the texts that stand anywhere in them replaced. */
int romsim_masks_apply(const struct romsim_masks *masks, const char *bytes, size_t size,
                       struct romsim_buffer *ret);

/* What has been compared, and the first difference. */
struct romsim_comparison {
    char *difference;    /* NULL: none; owned */
    const char *subject; /* of the difference: "exit", "console" or "reads" */
    char *untold;        /* what could not be compared, for people; owned; or NULL */
};

void romsim_comparison_clear(struct romsim_comparison *comparison);
#define CLEANUP_COMPARISON CLEANUP(romsim_comparison_clear)

/* Compares what happened there with what happened here; both are masked.  Returns 0 or -1. */
int romsim_outcome_compare(const struct romsim_outcome *there, const struct romsim_outcome *here,
                           bool ranges, struct romsim_comparison *ret, struct romsim_error *err);

/* ---- making a case ------------------------------------------------------------------------ */

struct romsim_case_rom {
    const char *device; /* "ukp_rom1" */
    const char *name;   /* or NULL */
    const char *at;     /* or NULL */
    const char *source; /* for people: its image, or "inline" */
    bool is_inline;
    struct romsim_blob *blob;
};

/* All of it is the caller's. */
struct romsim_case_draft {
    struct json_t *request; /* the body that creates the instance, with its env in the clear */
    const char *image;      /* of the root, as the instance names it */
    const char *manifest;   /* the digest that the name leads to, or NULL */
    struct romsim_blob *root;
    const struct romsim_strings *args, *env; /* what is run in it, by the image and the instance */
    const char *working_dir;
    const struct romsim_case_rom *roms;
    size_t rom_count;
    const struct romsim_limits *limits;
    const struct romsim_strings *faults;
    struct json_t *versions; /* names and texts, for who compares */
    const char *random_name; /* made up for this run, so of no meaning; or NULL */
    const struct romsim_outcome *outcome;
    struct romsim_blob *record; /* QEMU's log of the run (vm.h), or NULL */
    bool with_root, with_env, without_inline;
};

/* Writes a case into `fd`, an empty file: the same bytes for the same draft.  What the user should
 * know goes to `diagnostics`, as warnings.  Returns 0 or -1. */
int romsim_case_write(const struct romsim_case_draft *draft, int fd,
                      struct romsim_diagnostics *diagnostics, struct romsim_error *err);

/* ---- reading one -------------------------------------------------------------------------- */

struct romsim_case_image {
    char *device, *name, *source; /* owned; `name` may be NULL */
    char digest[ROMSIM_DIGEST_SIZE];
    uint64_t size;
    bool is_inline;
    struct romsim_blob *blob; /* NULL: the case has only its digest; owned: a reference */
};

struct romsim_case {
    struct json_t *head;         /* all of case.json; owned */
    struct romsim_blob *request; /* the text of the request; owned: a reference */
    struct romsim_limits limits;
    struct romsim_strings faults, redacted;
    struct romsim_case_image root; /* device "ukp_rom0", `source` its image */
    char manifest[ROMSIM_DIGEST_SIZE];
    struct romsim_strings args, env;
    char *working_dir; /* owned */
    struct romsim_case_image *roms;
    size_t rom_count;
    struct romsim_outcome outcome;
    struct romsim_blob *record; /* QEMU's log of the run, or NULL; owned: a reference */
    /* Of romsim_case_restore(): */
    struct romsim_supply supply;
    struct romsim_blob **supplied; /* owned; what it points to is the ROMs' */
};

/* Reads one; `name` is for messages.  EUCLEAN, EINVAL or EFBIG for what is none, is damaged or is
 * too large; ENOTSUP for one of a later version.  NULL on failure. */
struct romsim_case *romsim_case_read(struct romsim_blob *archive, const char *name,
                                     struct romsim_error *err);
void romsim_case_free(struct romsim_case *opened); /* accepts NULL */
DEFINE_CLEANUP(struct romsim_case, romsim_case_free)
#define CLEANUP_CASE CLEANUP(cleanup_romsim_case_free)

/* Does the file begin as a case does?  (It may be none all the same.) */
bool romsim_case_is_one(const char *path);

/* ---- having it again ---------------------------------------------------------------------- */

/* Adds faults (fault.h) that were written down: one that takes its bytes from elsewhere than from
 * these ROMs would read a file of this machine, and is refused (ENOTSUP).  Returns 0 or -1. */
int romsim_case_faults(const struct romsim_strings *texts, const struct romsim_case_rom *roms,
                       size_t rom_count, struct romsim_faults *ret, struct romsim_error *err);

struct romsim_case_choice {
    const char *root;                  /* --root IMAGE, or NULL */
    const struct romsim_strings *roms; /* --rom specs, for what the case does not have */
    const struct romsim_strings *env;  /* "NAME=VALUE", for what was redacted, and more */
    bool keeps_name;                   /* the instance's name is free here */
};

/*
 * The instance and its layout, with the bytes of the case: *ret_instance belongs to the caller, who
 * keeps the case as long as it is used.  What is missing (the root, an inline ROM's contents, a
 * volume) is an error with how to get it; what is another one than there, a warning.  NULL after an
 * error among the diagnostics.
 */
struct romsim_layout *romsim_case_restore(struct romsim_case *opened,
                                          const struct romsim_case_choice *choice,
                                          struct romsim_instance **ret_instance,
                                          struct romsim_diagnostics *diagnostics);

/* As romsim_verify_answer(), with the sizes and digests of ROMs and root, and what the files of
 * ROMs have.  Variables whose values the case does not have are not told. */
int romsim_verify_case(const struct romsim_layout *layout, const struct romsim_instance *instance,
                       const struct romsim_case *opened, struct romsim_points *ret,
                       struct romsim_error *err);

#endif
