/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rom_diff.h: what differs between the trees of two EROFS images, and between two texts in them.
 *
 * Both are read when they are asked for: nothing is collected, so memory does not go with the
 * number of differences.  A comparison is one thread's.
 */
#ifndef ROMSIM_ROM_DIFF_H
#define ROMSIM_ROM_DIFF_H

#include <romsim/rom.h>

/* ---- trees -------------------------------------------------------------------------------- */

/* What may differ between two files of one path, as bits. */
enum romsim_rom_change {
    ROMSIM_ROM_TYPE = 1,
    ROMSIM_ROM_MODE = 2, /* the 12 bits of it */
    ROMSIM_ROM_OWNER = 4,
    ROMSIM_ROM_TIME = 8,
    ROMSIM_ROM_LINKS = 16, /* how many names; not of directories */
    ROMSIM_ROM_XATTRS = 32,
    ROMSIM_ROM_TARGET = 64,  /* of symlinks */
    ROMSIM_ROM_DEVICE = 128, /* its numbers */
    ROMSIM_ROM_CONTENT = 256 /* of regular files */
};

enum romsim_rom_difference_kind {
    ROMSIM_ROM_REMOVED, /* only the old image, 0, has it */
    ROMSIM_ROM_ADDED,   /* only the new one, 1 */
    ROMSIM_ROM_UNKNOWN, /* only one has it, and the other is damaged at this place */
    ROMSIM_ROM_CHANGED
};

struct romsim_rom_xattrs {
    struct romsim_xattr *items;
    size_t count;
};

struct romsim_rom_difference {
    enum romsim_rom_difference_kind kind;
    const char *path;
    int side;        /* which image has it, if only one */
    bool is_damaged; /* and its inode cannot be read */
    struct romsim_erofs_inode inodes[2];
    unsigned changes;                   /* of enum romsim_rom_change, if CHANGED */
    const char *targets[2];             /* if the targets differ */
    struct romsim_rom_xattrs xattrs[2]; /* if the xattrs differ: all of them, in their order */
};

struct romsim_rom_diff_options {
    bool keep_going; /* past what is damaged, which is told to the looks; else it is an error */
    bool no_limit;   /* compare however much there is: else what goes over romsim_rom_limit() of
                        both images together is EDQUOT */
};

struct romsim_rom_diff;

/*
 * Compares `new_look` with `old_look`, both of which must stay where they are and from now on share
 * one budget.  Images of the same bytes are not looked into.  NULL without memory.
 */
struct romsim_rom_diff *romsim_rom_diff_new(struct romsim_rom_look *old_look,
                                            struct romsim_rom_look *new_look,
                                            const struct romsim_rom_diff_options *options,
                                            struct romsim_error *err);
void romsim_rom_diff_free(struct romsim_rom_diff *diff);

DEFINE_CLEANUP(struct romsim_rom_diff, romsim_rom_diff_free)
#define CLEANUP_ROM_DIFF CLEANUP(cleanup_romsim_rom_diff_free)

/*
 * The next difference, by the order of the walks: 1, and what *ret points to is valid until the
 * next call; 0 at the end; -1, after which there is no going on.  A name that is damaged in one
 * image is passed over where the other one has it too, and what the other one has below a directory
 * that is damaged here is UNKNOWN.
 */
int romsim_rom_diff_next(struct romsim_rom_diff *diff, struct romsim_rom_difference *ret,
                         struct romsim_error *err);

/* After an error: which image it is about, 0 or 1; -1 if it is about both. */
int romsim_rom_diff_culprit(const struct romsim_rom_diff *diff);

/* ---- texts -------------------------------------------------------------------------------- */

struct romsim_rom_text_diff;

/* A range of lines, from 0. */
struct romsim_rom_hunk {
    size_t old_start, old_count;
    size_t new_start, new_count;
};

/* Can two files be compared by lines?  If not, why. */
enum romsim_rom_text_verdict {
    ROMSIM_ROM_TEXT,
    ROMSIM_ROM_NO_TEXT,        /* one has controls in it, or is no UTF-8 */
    ROMSIM_ROM_TEXT_TOO_LARGE, /* one is over ROMSIM_ROM_TEXT_MAX bytes, */
    ROMSIM_ROM_TEXT_TOO_LONG,  /* or over ROMSIM_ROM_LINES_MAX lines */
    ROMSIM_ROM_TEXT_BUDGET     /* the budget is spent */
};
enum { ROMSIM_ROM_TEXT_MAX = 4 << 20, ROMSIM_ROM_LINES_MAX = 500000 };

/*
 * Compares two regular files line by line.  Takes what it reads, and what it has to do with that,
 * from *budget (bytes).  Returns 0 and, if the verdict is ROMSIM_ROM_TEXT, a diff, else NULL; or -1
 * and in *ret_culprit which of the files cannot be read.
 */
int romsim_rom_text_diff_new(struct romsim_erofs *const images[2],
                             const struct romsim_erofs_inode inodes[2], uint64_t *budget,
                             struct romsim_rom_text_diff **ret,
                             enum romsim_rom_text_verdict *ret_verdict, int *ret_culprit,
                             struct romsim_error *err);
void romsim_rom_text_diff_free(struct romsim_rom_text_diff *diff);

DEFINE_CLEANUP(struct romsim_rom_text_diff, romsim_rom_text_diff_free)
#define CLEANUP_ROM_TEXT_DIFF CLEANUP(cleanup_romsim_rom_text_diff_free)

/* The next range in which they differ, with three equal lines around it where there are as many;
 * false at the end. */
bool romsim_rom_text_diff_hunk(struct romsim_rom_text_diff *diff, struct romsim_rom_hunk *ret);

/* The next line of this hunk: ' ' for one that both have, '-' for one that the old text has and '+'
 * for one of the new; '\0' at the hunk's end.  *ret_text has *ret_size bytes of UTF-8 with its
 * newline, if there is one, and is as long as the diff. */
char romsim_rom_text_diff_line(struct romsim_rom_text_diff *diff, const char **ret_text,
                               size_t *ret_size);

#endif
