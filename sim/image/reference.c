/* SPDX-License-Identifier: BSD-3-Clause */
/* reference.c: the forms of an image reference. */
#include "sim/image/reference.h"

#include <romsim/cleanup.h>
#include <romsim/image.h>
#include <romsim/paths.h>
#include <romsim/text.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

static const struct transport {
    const char *prefix;
    enum reference_kind kind;
} transports[] = {
    {"oci:", REFERENCE_OCI},
    {"oci-archive:", REFERENCE_OCI_ARCHIVE},
    {"docker-archive:", REFERENCE_DOCKER_ARCHIVE},
    {"files:", REFERENCE_FILES},
};

static bool looks_like_a_path(const char *text)
{
    return text[0] == '/' || strcmp(text, ".") == 0 || strcmp(text, "..") == 0 ||
           strncmp(text, "./", 2) == 0 || strncmp(text, "../", 3) == 0;
}

/* Of registries.  The cloud's API says oci:// itself; as a path that would be nothing. */
static const char *const schemes[] = {"docker://", "oci://", "docker-image://", "https://",
                                      "http://"};

const char *reference_without_scheme(const char *text)
{
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
        if (strncmp(text, schemes[i], strlen(schemes[i])) == 0)
            return text + strlen(schemes[i]);
    return text;
}

static enum reference_kind kind_of(const char *text, const char **ret_rest)
{
    *ret_rest = text;
    if (reference_without_scheme(text) != text)
        return REFERENCE_NAME;
    for (size_t i = 0; i < sizeof(transports) / sizeof(transports[0]); i++) {
        if (strncmp(text, transports[i].prefix, strlen(transports[i].prefix)) == 0) {
            *ret_rest = text + strlen(transports[i].prefix);
            return transports[i].kind;
        }
    }
    return looks_like_a_path(text) ? REFERENCE_PATH : REFERENCE_NAME;
}

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
    char *colon = reference->kind == REFERENCE_FILES ? NULL : find_tag(reference->path);
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
    char *colon = reference->kind == REFERENCE_FILES ? NULL : find_tag(reference->path);
    bool is_one;

    if (reference->kind == REFERENCE_FILES)
        return false;
    if (colon)
        *colon = '\0';
    is_one = is_layout(reference->path);
    if (colon)
        *colon = ':';
    if (is_one)
        reference->kind = REFERENCE_OCI;
    return is_one && reference_split_tag(reference, NULL) == 0;
}

bool romsim_image_is_local(const char *reference)
{
    const char *rest;

    return kind_of(reference, &rest) != REFERENCE_NAME;
}

int reference_parse(const char *text, const char *directory, struct reference *ret,
                    struct romsim_error *err)
{
    CLEANUP_REFERENCE struct reference reference = {0};
    const char *rest;

    reference.kind = kind_of(text, &rest);
    if (*rest == '\0')
        return romsim_error_set(err, EINVAL, "the image reference '%s' names nothing", QUOTE(text));
    reference.text = strdup(text);
    reference.path = romsim_path_join(directory, rest);
    if (!reference.text || !reference.path)
        return romsim_error_nomem(err);
    if (reference.kind != REFERENCE_PATH && reference.kind != REFERENCE_NAME &&
        reference.kind != REFERENCE_FILES && reference_split_tag(&reference, err) < 0)
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
