/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * image.h: from what an instance names to blobs: directories, archives, EROFS images, OCI layouts
 * and names in the local store, all told by magic, never by file name.
 *
 * Functions are thread-safe as long as each thread has its own image source.
 */
#ifndef ROMSIM_IMAGE_H
#define ROMSIM_IMAGE_H

#include <romsim/blob.h>
#include <romsim/erofs.h>
#include <romsim/error.h>
#include <romsim/instance.h>
#include <romsim/tree.h>

#include <stdbool.h>

/* What a ROM's or root's bytes are. */
enum romsim_image_kind { ROMSIM_IMAGE_EROFS, ROMSIM_IMAGE_CPIO, ROMSIM_IMAGE_RAW };
const char *romsim_image_kind_name(enum romsim_image_kind kind); /* "erofs", "cpio", "raw" */

/* By magic: EROFS's superblock, cpio's newc/crc/odc/binary headers, else raw. */
enum romsim_image_kind romsim_image_probe(const struct romsim_blob *blob);

/* A ROM, ready to be attached. */
struct romsim_rom_image {
    struct romsim_blob *blob; /* owned: a reference */
    enum romsim_image_kind kind;
    uint64_t files; /* regular files inside, 0 for cpio and raw */
    char *warning;  /* what the user should know about it, or NULL; owned */
};
void romsim_rom_image_release(struct romsim_rom_image *rom);

/* A base image: a root and what to run in it (the OCI config's words). */
struct romsim_base_image {
    struct romsim_blob *root;   /* an EROFS image; owned: a reference */
    struct romsim_blob *kernel; /* of a Unikraft image, or NULL; owned: a reference */
    struct romsim_strings entrypoint, cmd, env; /* env: "K=V" */
    char *working_dir;                          /* or NULL */
    bool from_cache;                            /* the root was not built anew */
    char *warning; /* what the user should know about it, or NULL; owned */
};
void romsim_base_image_release(struct romsim_base_image *base);

/*
 * Images that are given, whatever an instance names (romsim_instance.supply): then neither a file
 * nor the store is looked at for them.  All is borrowed.
 */
struct romsim_supply {
    struct romsim_blob *root;         /* or NULL: as the instance names it */
    const struct romsim_strings *env; /* of a root that is given: "K=V" */
    const char *working_dir;          /* the same */
    struct romsim_blob *const *roms;  /* by their order; NULL: as the instance has it */
    size_t rom_count;
};

/*
 * Makes the ROM of an instance: an inline one is built (files root:root 0644, directories 0755,
 * time 0: cloud-rules §4 [U]); an image is resolved: a directory (built; root:root, modes and
 * times kept), an EROFS image, a cpio archive or any other file (a multiple of 4096 bytes, else
 * the cloud's refusal), or a reference.  Built images are verified; a damaged one that was given is
 * attached as it is, with a warning.  Errors carry the ROM's place in the instance file.
 * Returns 0 or -1.
 */
int romsim_image_rom(const struct romsim_instance *instance, const struct romsim_rom *rom,
                     struct romsim_rom_image *ret, struct romsim_error *err);

/*
 * The verdict on a ROM's image by all of its bytes, for who asks whether it is good: damage is an
 * error, what the cloud or its packer minds a warning, all at `place`.  What is no EROFS image has
 * nothing in it to judge.
 */
void romsim_image_check(struct romsim_blob *blob, const char *name,
                        const struct romsim_place *place, struct romsim_diagnostics *diagnostics);

/* Why the guest cannot mount a ROM's image of this kind, a clause without a subject ("is raw data,
 * no EROFS image"); NULL if nothing speaks against it.  Damage is not looked for. */
const char *romsim_image_mount_problem(struct romsim_blob *blob, enum romsim_image_kind kind);

/*
 * Makes the base image of an instance: a directory, a tar or cpio archive (plain, gzip, xz, zstd,
 * lz4), an EROFS image, or a reference.  What was built is kept in the cache folder by content and
 * used again.  Returns 0 or -1.
 */
int romsim_image_base(const struct romsim_instance *instance, struct romsim_base_image *ret,
                      struct romsim_error *err);

/* Removes the cached roots that were not used for `seconds` (negative: 30 days); *ret_bytes is what
 * that frees. */
int romsim_image_cache_sweep(int64_t seconds, uint64_t *ret_bytes, struct romsim_error *err);

/* ---- sources of trees ------------------------------------------------------------------- */

enum romsim_owners { ROMSIM_OWNERS_KEEP, ROMSIM_OWNERS_ROOT };

/* A tree from a directory of the host: everything, hard links joined, modes and times kept; the
 * walk never leaves it (links are not followed).  Data stays in the files. */
struct romsim_tree *romsim_tree_from_directory(const char *path, enum romsim_owners owners,
                                               struct romsim_error *err);

/* A tree from an inline ROM's files. */
struct romsim_tree *romsim_tree_from_files(const struct romsim_file *files, size_t count,
                                           struct romsim_error *err);

/*
 * Adds an archive (tar, PAX, cpio; plain, gzip, xz, zstd, lz4) to a tree.  With `layer`, the
 * entries are a container layer's: whiteouts and opaque directories apply to what the tree had
 * before.  Data stays in the archive's blob, or in a scratch file if it was compressed.
 * `name` is for messages.  Returns 0 or -1.
 */
int romsim_tree_add_archive(struct romsim_tree *tree, struct romsim_blob *archive, bool layer,
                            const char *name, struct romsim_error *err);

/* ---- packing ROMs ----------------------------------------------------------------------- */

/*
 * Writes a tree as a cpio archive (newc) into `fd` from offset 0, padded to a multiple of 4096
 * bytes as the cloud's packer does: names sorted byte-wise and relative, "." first, the data of a
 * hard link with its last name; a file TRAILER!!! as "./TRAILER!!!", since readers take that name
 * for the end, and paths of 4096 bytes or more are ENAMETOOLONG, since Linux passes over them. cpio
 * has no place for xattrs and sub-second times: *ret_lost is the number of inodes that lost xattrs.
 * A file of 4 GiB or more is EFBIG.  Uses the inodes' cookies.  Returns 0 or -1.
 */
int romsim_cpio_write(struct romsim_tree *tree, int fd, uint64_t *ret_lost,
                      struct romsim_error *err);

enum romsim_pack_format {
    ROMSIM_PACK_AUTO, /* a directory or tar archive: EROFS; else what the file is already */
    ROMSIM_PACK_EROFS,
    ROMSIM_PACK_CPIO,
    ROMSIM_PACK_RAW
};

struct romsim_pack_options {
    enum romsim_pack_format format;
    bool as_files; /* `source` is a plain path, and what looks like images is files */
    struct romsim_erofs_options erofs;
};

struct romsim_pack_result {
    enum romsim_image_kind kind;
    uint64_t files;        /* regular ones, when a tree was packed */
    uint64_t data_bytes;   /* of the source's files, or the source's size */
    uint64_t stored_bytes; /* what they take in the ROM */
    uint64_t lost_xattrs;  /* inodes whose xattrs cpio could not keep */
    char warning[512];     /* what else there is to be said about the files, or "" */
};

/*
 * Makes a ROM from a directory, an archive, an EROFS image or any other file, all told by magic; of
 * a layout's folder or an archive of images (PATH[:TAG]) from the image, but of files:PATH from the
 * files, as the cloud's packer does: root:root, modes and times kept, a multiple of 4096 bytes;
 * EROFS images are verified.  Any other file becomes, as EROFS or cpio, the only file of the ROM.
 * The ROM is written into the empty file `fd`, which the returned blob takes (on failure too); -1:
 * a scratch file.
 */
struct romsim_blob *romsim_image_pack(const char *source, const struct romsim_pack_options *options,
                                      int fd, struct romsim_pack_result *ret,
                                      struct romsim_error *err);

#endif
