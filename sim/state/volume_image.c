/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * volume_image.c: ext4 images: made by mke2fs (e2fsprogs), or copied from the user's.
 *
 * Of a foreign image no more is read than a few fields of the superblock (the kernel's
 * Documentation/filesystems/ext4, "Super Block"); all are little-endian.
 */
#include "volume.h"

#include <romsim/buffer.h>
#include <romsim/checked.h>
#include <romsim/cleanup.h>
#include <romsim/file.h>
#include <romsim/program.h>
#include <romsim/text.h>
#include <romsim/volume.h>

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    MEBIBYTE = 1 << 20,
    BLOCK = 4096,
    ERRORS_MAX = 64 << 10,
    SUPER_OFFSET = 1024,
    SUPER_SIZE = 1024,
    SUPER_BLOCKS = 4,
    SUPER_BLOCK_BITS = 24, /* beyond those of 1024 bytes */
    SUPER_MAGIC = 56,
    SUPER_INCOMPAT = 96,
    SUPER_BLOCKS_HIGH = 336,
    MAGIC = 0xef53,
    INCOMPAT_RECOVER = 0x4,
    INCOMPAT_JOURNAL_DEVICE = 0x8,
    INCOMPAT_64BIT = 0x80,
    BLOCK_BITS_LEAST = 10,
    BLOCK_BITS_MORE_MAX = 6
};

int volume_image_set_size(int fd, uint64_t size, struct romsim_error *err)
{
    return ftruncate(fd, (off_t)size) < 0
               ? romsim_error_write(err, errno, fd, "make the volume's file")
               : 0;
}

/* ---- superblocks ------------------------------------------------------------------------ */

static uint32_t get(const uint8_t *super, unsigned offset, unsigned size)
{
    uint32_t value = 0;

    while (size-- > 0)
        value = value << 8 | super[offset + size];
    return value;
}

/* Returns 0, or -1 if there is no ext4 superblock. */
static int read_super(int fd, uint8_t ret[SUPER_SIZE])
{
    return romsim_read_fully(fd, ret, SUPER_SIZE, SUPER_OFFSET) == 0 &&
                   get(ret, SUPER_MAGIC, 2) == MAGIC
               ? 0
               : -1;
}

bool volume_image_needs_replay(int fd)
{
    uint8_t super[SUPER_SIZE];

    return read_super(fd, super) == 0 && (get(super, SUPER_INCOMPAT, 4) & INCOMPAT_RECOVER);
}

/* Is it an ext4 file system that is whole? */
static int check_image(int fd, const char *path, uint64_t size, struct romsim_error *err)
{
    uint8_t super[SUPER_SIZE];
    uint32_t incompat, bits;
    uint64_t blocks, bytes;

    if (read_super(fd, super) < 0) {
        romsim_error_set(err, EINVAL, "'%s' is no ext4 image", QUOTE(path));
        return romsim_error_hint(err, "mke2fs -t ext4 makes one; a directory becomes one");
    }
    incompat = get(super, SUPER_INCOMPAT, 4);
    bits = get(super, SUPER_BLOCK_BITS, 4);
    blocks = get(super, SUPER_BLOCKS, 4);
    if (incompat & INCOMPAT_64BIT)
        blocks |= (uint64_t)get(super, SUPER_BLOCKS_HIGH, 4) << 32;
    if (incompat & INCOMPAT_JOURNAL_DEVICE)
        return romsim_error_set(
            err, EINVAL, "'%s' is the journal of another file system, no volume", QUOTE(path));
    if (bits > BLOCK_BITS_MORE_MAX || blocks == 0 ||
        !checked_shift_left(blocks, BLOCK_BITS_LEAST + bits, &bytes))
        return romsim_error_set(err, EUCLEAN, "'%s' is a damaged ext4 image", QUOTE(path));
    if (bytes > size)
        return romsim_error_set(err, EUCLEAN, "'%s' is cut short: %llu bytes of %llu", QUOTE(path),
                                (unsigned long long)size, (unsigned long long)bytes);
    return 0;
}

int volume_image_copy(int source, const char *path, int target, struct romsim_error *err)
{
    struct stat st;
    uint64_t size;
    int errnum;

    if (fstat(source, &st) < 0 || !S_ISREG(st.st_mode))
        return romsim_error_set(err, EINVAL, "'%s' is neither a file nor a directory", QUOTE(path));
    if (check_image(source, path, (uint64_t)st.st_size, err) < 0)
        return -1;
    if (!checked_align_up((uint64_t)st.st_size, MEBIBYTE, &size) ||
        size > (uint64_t)ROMSIM_VOLUME_MAX_MB << 20)
        return romsim_error_set(err, EFBIG, "'%s' is larger than a volume can be", QUOTE(path));
    if (volume_image_set_size(target, size, err) < 0)
        return -1;
    errnum = romsim_copy_data(source, 0, target, 0, (uint64_t)st.st_size);
    if (errnum == ENODATA)
        return romsim_error_set(err, EBUSY, "'%s' became shorter while it was copied", QUOTE(path));
    if (errnum != 0)
        return romsim_error_write(err, errnum, target, "copy the image");
    return 0;
}

/* ---- mke2fs ----------------------------------------------------------------------------- */

int volume_image_measure(const char *directory, uint64_t *ret_size_mb, uint64_t *ret_inodes,
                         struct romsim_error *err)
{
    char *paths[] = {(char *)directory, NULL};
    /* The operand may be a link, as for every command; what is in it is not followed. */
    FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL);
    uint64_t bytes = 0, entries = 0, block;
    const FTSENT *entry;
    bool fits = true;
    int status = 0;

    if (!walk)
        return romsim_error_system(err, errno, "cannot read '%s'", QUOTE(directory));
    while (status == 0 && (entry = fts_read(walk))) {
        if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR || entry->fts_info == FTS_NS)
            status = romsim_error_system(err, entry->fts_errno, "cannot read '%s'",
                                         QUOTE(entry->fts_path));
        if (status < 0 || entry->fts_info == FTS_DP)
            continue;
        entries++;
        fits &= checked_align_up((uint64_t)entry->fts_statp->st_size, BLOCK, &block) &&
                checked_add(bytes, block, &bytes);
    }
    fts_close(walk);
    if (status < 0)
        return -1;
    /* An eighth and 32 MiB for the file system's own and for what is written to it later. */
    *ret_inodes = entries + entries / 4 + 1024;
    if (!fits || bytes > (uint64_t)ROMSIM_VOLUME_MAX_MB << 20)
        return romsim_error_set(err, EFBIG, "what is in '%s' is more than a volume can hold",
                                QUOTE(directory));
    bytes += bytes / 8 + *ret_inodes * 512 + ((uint64_t)32 << 20);
    *ret_size_mb = (bytes + MEBIBYTE - 1) / MEBIBYTE;
    return 0;
}

/* With what mke2fs said, as one line. */
static int complain(struct romsim_buffer *errors, const char *directory, struct romsim_error *err)
{
    size_t size = errors->size;

    while (size > 0 && strchr("\r\n ", errors->data[size - 1]))
        size--;
    for (size_t i = 0; i < size; i++)
        if (errors->data[i] == '\n' || errors->data[i] == '\r')
            errors->data[i] = ' ';
    romsim_error_set(err, EIO, "mke2fs cannot make the volume%s%s", size ? ": " : "",
                     romsim_text_quote(size ? errors->data : "", size, (char[768]){0}, 768));
    return directory ? romsim_error_hint(err, "if it is full, a larger --size helps") : -1;
}

int volume_image_make(const char *image, const char *uuid, const char *directory, uint64_t inodes,
                      struct romsim_error *err)
{
    CLEANUP_BUFFER struct romsim_buffer errors = ROMSIM_BUFFER_INIT(ERRORS_MAX);
    char number[24];
    const char *argv[20] = {"mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", "-U", uuid, "-E",
                            /* The file is new: what was not written is zeros already. */
                            "root_owner=0:0,lazy_journal_init=1"};
    const struct romsim_program program = {.argv = argv, .complaints = &errors};
    size_t count = 11;
    int status;

    if (directory) {
        argv[count++] = "-d";
        argv[count++] = directory;
    }
    if (inodes > 0) {
        snprintf(number, sizeof(number), "%llu", (unsigned long long)inodes);
        argv[count++] = "-N";
        argv[count++] = number;
    }
    argv[count] = image;
    if (romsim_program_run(&program, &status, err) < 0)
        return err && err->errnum == ENOENT ? romsim_error_hint(err, "install e2fsprogs") : -1;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : complain(&errors, directory, err);
}
