/* SPDX-License-Identifier: BSD-3-Clause */
/* reference.c: what an image reference leads to. */
#include "sim/image/reference.h"

#include <romsim/cleanup.h>
#include <romsim/paths.h>
#include <romsim/text.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

/* PATH:TAG is cut at the first colon that has an existing file before it (a path may have colons,
 * and so may a tag), else at the last one that does not stand in a folder's name. */
static char *find_tag(char *path)
{
    char *colon;
    struct stat st;
    bool exists;

    if (stat(path, &st) == 0)
        return NULL;
    for (colon = strchr(path, ':'); colon; colon = strchr(colon + 1, ':')) {
        *colon = '\0';
        exists = stat(path, &st) == 0;
        *colon = ':';
        if (exists)
            return colon;
    }
    colon = strrchr(path, ':');
    return colon && !strchr(colon, '/') ? colon : NULL;
}

int reference_split_tag(struct reference *reference, struct romsim_error *err)
{
    char *colon = find_tag(reference->path);

    if (!colon)
        return 0;
    reference->tag = strdup(colon + 1);
    *colon = '\0';
    return reference->tag ? 0 : romsim_error_nomem(err);
}

int reference_cut_tag(struct reference *reference, struct romsim_error *err)
{
    char *colon = reference->kind == ROMSIM_REFERENCE_FILES ? NULL : find_tag(reference->path);
    struct stat st;
    bool is_file;

    if (!colon)
        return 0;
    *colon = '\0';
    is_file = stat(reference->path, &st) == 0 && S_ISREG(st.st_mode);
    *colon = ':';
    return is_file ? reference_split_tag(reference, err) : 0;
}

static bool is_layout(const char *path)
{
    CLEANUP_FREE char *mark = romsim_path_join(path, "oci-layout");
    CLEANUP_FREE char *index = romsim_path_join(path, "index.json");

    return mark && index && access(mark, F_OK) == 0 && access(index, F_OK) == 0;
}

bool reference_becomes_layout(struct reference *reference)
{
    char *colon = reference->kind == ROMSIM_REFERENCE_FILES ? NULL : find_tag(reference->path);
    bool is_one;

    if (reference->kind == ROMSIM_REFERENCE_FILES)
        return false;
    if (colon)
        *colon = '\0';
    is_one = is_layout(reference->path);
    if (colon)
        *colon = ':';
    if (is_one)
        reference->kind = ROMSIM_REFERENCE_OCI;
    return is_one && reference_split_tag(reference, NULL) == 0;
}

int reference_parse(const char *text, const char *directory, struct reference *ret,
                    struct romsim_error *err)
{
    CLEANUP_REFERENCE struct reference reference = {0};
    const char *rest;

    reference.kind = romsim_reference_form(text, &rest);
    if (*rest == '\0')
        return romsim_error_set(err, EINVAL, "the image reference '%s' names nothing", QUOTE(text));
    reference.text = strdup(text);
    reference.path = romsim_path_join(directory, rest);
    if (!reference.text || !reference.path)
        return romsim_error_nomem(err);
    if (reference.kind != ROMSIM_REFERENCE_PATH && reference.kind != ROMSIM_REFERENCE_NAME &&
        reference.kind != ROMSIM_REFERENCE_FILES && reference_split_tag(&reference, err) < 0)
        return -1;
    *ret = reference;
    reference = (struct reference){0};
    return 0;
}

void reference_release(struct reference *reference)
{
    free(reference->text);
    free(reference->path);
    free(reference->tag);
    *reference = (struct reference){0};
}
