/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fs.h: a layout as a file system of the host, through FUSE.
 *
 * The mount shows the instance's whole file system as the guest will have it: the root image's
 * tree, dev/ukp_rom<N> and dev/ukp_rom_<name> (regular files with the images' bytes: unprivileged
 * FUSE has no block devices), and at every `at` the ROM's tree over what was there.
 */
#ifndef ROMSIM_FS_H
#define ROMSIM_FS_H

#include <romsim/error.h>
#include <romsim/layout.h>
#include <romsim/seam.h>

#include <stdbool.h>

struct romsim_fs;

struct romsim_fs_options {
    bool drives_only; /* dev/ alone: what QEMU needs; never fails for what an `at` says */
    bool allow_other; /* other users may look, and the modes and owners count for them */

    /* Called, by several threads, when a program gets an error because an image is damaged or has
     * something that is not supported: the program sees no more than an errno.  May be NULL. */
    void (*report)(void *context, const char *message);
    void *context;

    struct romsim_seam_options seam; /* what stands in the way of reads (seam.h) */
};

/*
 * Mounts a layout at an existing, empty directory (ENOTEMPTY).  When this returns, the mount is
 * there and answers as soon as romsim_fs_serve() runs; until then whoever touches it waits, so
 * a process must not touch its own mount before it serves.  Keeps references to what it needs of
 * the layout.  `options` NULL: none.  romsim_state_set_mount() comes first, so that a mount is
 * never left behind.
 * ENODEV or EACCES when FUSE is not usable here, with the remedy as hint.
 */
struct romsim_fs *romsim_fs_mount(const struct romsim_layout *layout, const char *directory,
                                  const struct romsim_fs_options *options,
                                  struct romsim_error *err);

/*
 * Answers requests, with several threads, until the file system is unmounted and its last user
 * gone, or romsim_fs_stop() is called.  The threads block all signals.  The caller may be a thread
 * of its own in a process that uses the mount itself.  Returns 0 or -1; then who uses the mount
 * gets ENOTCONN.
 */
int romsim_fs_serve(struct romsim_fs *fs, struct romsim_error *err);

/* Makes romsim_fs_serve() return soon, also when it has not begun yet.  Safe from another thread
 * and from a signal handler. */
void romsim_fs_stop(struct romsim_fs *fs);

/* Lets no read wait any more that something in the seam delays; all is answered as before. */
void romsim_fs_hurry(struct romsim_fs *fs);

/* Writes down, where the seam has a trace, that a start has come to this: "qemu", "app". */
void romsim_fs_phase(struct romsim_fs *fs, const char *name);

/* The same of what was opened in the guest. */
void romsim_fs_open(struct romsim_fs *fs, const struct romsim_trace_open *opened);

/* Unmounts (lazily if it is in use) and frees; romsim_fs_serve() must have returned.  Who still
 * has a file open gets ENOTCONN.  Accepts NULL. */
void romsim_fs_free(struct romsim_fs *fs);

/* Can this process mount FUSE file systems?  0, or -1 with the reason and the remedy as hint. */
int romsim_fs_probe(struct romsim_error *err);

#endif
