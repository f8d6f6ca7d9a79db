/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lookup.c: from a path that a user wrote to an inode, through the image's symlinks.
 *
 * Theory of operation: the image is a root of its own, as after a chroot.  What is still to be
 * walked is a text; a symlink's target is put before it.  The directories from the root to where
 * the walk is are kept, for "..": an image's own ".." is not asked.
 */
#include <romsim/rom.h>
#include <romsim/text.h>

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum { LINKS_MAX = 40 }; /* the kernel's */

DEFINE_VECTOR(inodes, struct romsim_erofs_inode);

struct walk {
    struct romsim_erofs *erofs;
    struct inodes above; /* the directories that lead to `at`, the root first */
    struct romsim_erofs_inode at;
    char *rest;       /* what is to be walked; owned */
    const char *next; /* in it */
    unsigned links;
    bool follow_last;
};

static int back_to_root(struct walk *walk, struct romsim_error *err)
{
    walk->above.count = 0;
    return romsim_erofs_inode(walk->erofs, romsim_erofs_root(walk->erofs), &walk->at, err);
}

/* Puts a link's target in place of the link's name; the walk is still in the link's directory. */
static int follow(struct walk *walk, const struct romsim_erofs_inode *link,
                  struct romsim_error *err)
{
    CLEANUP_FREE char *target = NULL;
    char *rest;

    if (++walk->links > LINKS_MAX)
        return romsim_error_set(err, ELOOP, "it leads through more than %d symlinks", LINKS_MAX);
    target = romsim_erofs_readlink(walk->erofs, link, err);
    if (!target)
        return -1;
    if (!target[0])
        return romsim_error_set(err, ENOENT, "it leads through an empty symlink");
    if (asprintf(&rest, "%s%s", target, walk->next) < 0)
        return romsim_error_nomem(err);
    free(walk->rest);
    walk->rest = rest;
    walk->next = rest;
    return target[0] == '/' ? back_to_root(walk, err) : 0;
}

/* Goes to what a name of the current directory means.  1, 0 if there is none, or -1. */
static int step_down(struct walk *walk, const char *name, size_t size, struct romsim_error *err)
{
    struct romsim_erofs_inode inode;
    uint64_t nid;
    int found = romsim_erofs_lookup(walk->erofs, &walk->at, name, size, &nid, err);

    if (found <= 0)
        return found;
    if (romsim_erofs_inode(walk->erofs, nid, &inode, err) < 0)
        return -1;
    if (S_ISLNK(inode.mode) && (*walk->next || walk->follow_last))
        return follow(walk, &inode, err) < 0 ? -1 : 1;
    if (inodes_append(&walk->above, walk->at) < 0)
        return romsim_error_nomem(err);
    walk->at = inode;
    return 1;
}

static int step(struct walk *walk, struct romsim_error *err)
{
    const char *name = walk->next;
    size_t size = strcspn(name, "/");

    walk->next += size;
    if (!S_ISDIR(walk->at.mode))
        return romsim_error_set(err, ENOTDIR, "it leads through a file");
    if (size == 1 && name[0] == '.')
        return 1;
    if (size == 2 && memcmp(name, "..", 2) == 0) {
        if (walk->above.count)
            walk->at = walk->above.items[--walk->above.count];
        return 1;
    }
    return step_down(walk, name, size, err);
}

static int walk_all(struct walk *walk, struct romsim_error *err)
{
    bool wants_directory = false;
    int result = back_to_root(walk, err);

    if (result < 0)
        return -1;
    for (;;) {
        size_t slashes = strspn(walk->next, "/");

        wants_directory = slashes > 0;
        walk->next += slashes;
        if (!*walk->next)
            break;
        result = step(walk, err);
        if (result <= 0)
            return result;
    }
    if (wants_directory && !S_ISDIR(walk->at.mode))
        return romsim_error_set(err, ENOTDIR, "it is a %s, not a directory",
                                romsim_rom_type_name(walk->at.mode));
    return 1;
}

int romsim_rom_lookup(struct romsim_erofs *erofs, const char *path, enum romsim_rom_last_link last,
                      struct romsim_erofs_inode *ret, struct romsim_error *err)
{
    struct walk walk = {
        .erofs = erofs, .rest = strdup(path ? path : ""), .follow_last = last == ROMSIM_ROM_FOLLOW};
    struct romsim_error error = {0};
    int found;

    if (!walk.rest)
        return romsim_error_nomem(err);
    walk.next = walk.rest;
    found = walk_all(&walk, &error);
    if (found > 0)
        *ret = walk.at;
    else if (!found)
        romsim_error_set(&error, ENOENT, "there is no '%s' in it", QUOTE(path));
    else if (error.errnum == ENOTDIR || error.errnum == ELOOP || error.errnum == ENOENT)
        romsim_error_context(&error, "there is no '%s' in it", QUOTE(path));
    inodes_reset(&walk.above);
    free(walk.rest);
    if (found <= 0 && err)
        *err = error;
    return found > 0 ? 0 : -1;
}
