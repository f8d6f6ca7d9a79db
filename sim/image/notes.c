/* SPDX-License-Identifier: BSD-3-Clause */
/* notes.c: what is to be said about a set of files, in one warning. */
#include "sim/image/image.h"

#include <romsim/buffer.h>
#include <romsim/text.h>

enum { WARNING_MAX = 1000 };

static void begin(struct romsim_buffer *text, const char *name)
{
    if (text->size > 0)
        romsim_buffer_puts(text, "; ");
    else if (name)
        romsim_buffer_printf(text, "'%s': ", QUOTE(name));
}

char *image_tree_warning(struct romsim_tree *tree, const char *name)
{
    const struct romsim_tree_notes *notes = romsim_tree_notes(tree);
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(WARNING_MAX);

    if (notes->dropped_xattrs > 0) {
        begin(&text, name);
        romsim_buffer_printf(
            &text, "%s that EROFS has no place for ('%s'%s) %s dropped",
            COUNT_TEXT(notes->dropped_xattrs, "extended attribute", "extended attributes"),
            QUOTE(notes->dropped_xattr), notes->dropped_xattrs > 1 ? ", ..." : "",
            notes->dropped_xattrs > 1 ? "are" : "is");
    }
    if (notes->dropped_acls > 0) {
        begin(&text, name);
        romsim_buffer_printf(&text,
                             "the access control lists of %s ('%s'%s) are dropped: they name users "
                             "or groups without their numbers, or are damaged",
                             COUNT_TEXT(notes->dropped_acls, "file", "files"),
                             QUOTE(notes->dropped_acl), notes->dropped_acls > 1 ? ", ..." : "");
    }
    if (notes->apple_doubles > 0) {
        begin(&text, name);
        romsim_buffer_printf(&text,
                             "%s of macOS's AppleDouble data ('%s'%s) %s kept; tar on macOS leaves "
                             "them out with COPYFILE_DISABLE=1",
                             COUNT_TEXT(notes->apple_doubles, "file", "files"),
                             QUOTE(notes->apple_double), notes->apple_doubles > 1 ? ", ..." : "",
                             notes->apple_doubles > 1 ? "are" : "is");
    }
    return text.failed || text.size == 0 ? NULL : romsim_buffer_steal(&text);
}
