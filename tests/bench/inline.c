/* SPDX-License-Identifier: BSD-3-Clause */
/* inline.c: a ROM of 16 inline files, from the texts to the image that was read back, in this
 * process: what each change of such a ROM costs.  The median of many. */
#include <romsim/clock.h>
#include <romsim/erofs.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILES = 16, ROUNDS = 501 };

static struct romsim_blob *build(const char *text)
{
    CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);
    char name[16];

    for (int i = 0; i < FILES; i++) {
        struct romsim_dentry *dentry;

        snprintf(name, sizeof(name), "file-%d", i);
        dentry =
            romsim_tree_add(tree, romsim_tree_root(tree), name, strlen(name), S_IFREG | 0644, NULL);
        if (!dentry ||
            romsim_inode_set_bytes(dentry->inode, text, (uint64_t)(i + 1) * 200, NULL) < 0)
            return NULL;
    }
    return romsim_erofs_build(tree, NULL, NULL, NULL);
}

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

int main(void)
{
    static uint64_t took[ROUNDS];
    static char text[FILES * 200];

    memset(text, 'x', sizeof(text));
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t start = romsim_clock_us();
        struct romsim_blob *blob = build(text);

        if (!blob)
            return EXIT_FAILURE;
        romsim_blob_sha256_hex(blob);
        took[i] = romsim_clock_us() - start;
        romsim_blob_unref(blob);
    }
    qsort(took, ROUNDS, sizeof(took[0]), compare);
    printf("row: a ROM of 16 inline files, in process, read back and with its digest | %.3f ms | - "
           "| at most 1 ms\n",
           (double)took[ROUNDS / 2] / 1000);
    return EXIT_SUCCESS;
}
