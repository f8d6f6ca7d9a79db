/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * verify.h: is an instance here what it is elsewhere?  Compared point by point: with a folder of
 * image files, or with what GET told of an instance.
 *
 * Not thread-safe; what is compared is only read.
 */
#ifndef ROMSIM_VERIFY_H
#define ROMSIM_VERIFY_H

#include <romsim/layout.h>

enum romsim_point_result {
    ROMSIM_POINT_SAME,
    ROMSIM_POINT_DIFFERS,
    ROMSIM_POINT_ONLY_HERE,
    ROMSIM_POINT_ONLY_THERE,
    ROMSIM_POINT_UNTOLD /* there is no telling: one side does not say */
};

/* "same", "differs", "only here", ... */
const char *romsim_point_result_name(enum romsim_point_result result);

struct romsim_point {
    enum romsim_point_result result;
    char *subject;      /* "args", "ROM 'code': digest"; owned */
    char *here, *there; /* what each has, for people; owned; NULL: nothing */
    const struct romsim_device
        *device;              /* of digests that differ: the ROM of the layout here, and */
    char *file;               /* what it is called there; owned; with */
    struct romsim_blob *blob; /* its bytes; owned: a reference */
};

/* Zero-initialised it is empty and ready. */
struct romsim_points {
    struct romsim_point *items;
    size_t count;
};
void romsim_points_clear(struct romsim_points *points);

/* Appends a point with copies of the texts, of which `here` and `there` may be NULL.  It is valid
 * until the next one is added; NULL without memory. */
struct romsim_point *romsim_points_add(struct romsim_points *points,
                                       enum romsim_point_result result, const char *subject,
                                       const char *here, const char *there);
#define CLEANUP_POINTS CLEANUP(romsim_points_clear)

/* Does every point that can be told agree? */
bool romsim_points_agree(const struct romsim_points *points);

/*
 * Compares the ROMs with the files of a folder: copies of the guest's /dev/ukp_rom_NAME or
 * /dev/ukp_romN, or what `romsim build` writes (NAME.erofs, .cpio, .rom).  If it has numbers and
 * names, the order is compared, too.  Files with such names that no ROM here has are points as
 * well; all others are passed over.  Appends to *ret.  Returns 0, or -1: the folder or a file
 * cannot be read.
 */
int romsim_verify_folder(const struct romsim_layout *layout, const char *folder,
                         struct romsim_points *ret, struct romsim_error *err);

/*
 * Compares an instance and its layout with an instance that was made of a GET's answer
 * (instance.h, `is_answer`): image, args, env, memory, processors, restart policy, ports as far as
 * they are told, ROMs and volumes in their order.  Images are the same if their digests are (which
 * the local store knows of names), else if their names are.  Appends to *ret.  Returns 0 or -1.
 */
int romsim_verify_answer(const struct romsim_layout *layout, const struct romsim_instance *instance,
                         const struct romsim_instance *answer, struct romsim_points *ret,
                         struct romsim_error *err);

#endif
