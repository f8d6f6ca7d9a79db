/* SPDX-License-Identifier: BSD-3-Clause */
/* kraftfile_load.c: finding and reading a project's Kraftfile; the model's memory. */
#include "sim/image/kraftfile.h"

#include <romsim/bounds.h>
#include <romsim/buffer.h>
#include <romsim/paths.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* In the order in which they are looked for. */
static const char *const file_names[] = {"Kraftfile", "kraft.yaml", "kraft.yml", "Kraftfile.yaml",
                                         "Kraftfile.yml"};

/* ---- the model's memory ------------------------------------------------------------------ */

static void env_clear(struct romsim_env *env, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(env[i].name);
        free(env[i].value);
    }
    free(env);
}

void pairs_clear(struct pairs *pairs)
{
    env_clear(pairs->items, pairs->count);
    *pairs = (struct pairs){0};
}

static void source_clear(struct romsim_source *source)
{
    free(source->path);
    free(source->dockerfile);
}

void romsim_kraftfile_clear(struct romsim_kraftfile *kraftfile)
{
    for (size_t i = 0; i < kraftfile->rom_count; i++)
        source_clear(&kraftfile->roms[i]);
    for (size_t i = 0; i < kraftfile->target_count; i++) {
        free(kraftfile->targets[i].platform);
        free(kraftfile->targets[i].architecture);
        romsim_strings_clear(&kraftfile->targets[i].features);
    }
    source_clear(&kraftfile->rootfs);
    romsim_strings_clear(&kraftfile->cmd);
    env_clear(kraftfile->env, kraftfile->env_count);
    env_clear(kraftfile->labels, kraftfile->label_count);
    free(kraftfile->roms);
    free(kraftfile->targets);
    free(kraftfile->path);
    free(kraftfile->directory);
    free(kraftfile->name);
    *kraftfile = (struct romsim_kraftfile){0};
}

/* ---- a text ------------------------------------------------------------------------------ */

static int complain_nomem(struct romsim_diagnostics *diagnostics)
{
    struct romsim_error error;

    romsim_error_nomem(&error);
    romsim_diagnostics_add(diagnostics, &error, 0);
    return -1;
}

/* The one root of the document, an object; or NULL, and the diagnostics say why. */
static const struct romsim_node *only_root(const struct romsim_document *document,
                                           struct romsim_diagnostics *diagnostics)
{
    size_t count = romsim_document_root_count(document);
    const struct romsim_node *root = count > 0 ? romsim_document_root(document, 0) : NULL;
    struct romsim_error error;

    if (count == 1 && root->kind == ROMSIM_NODE_OBJECT)
        return root;
    if (count > 1)
        romsim_error_set(&error, EINVAL, "a Kraftfile is one document, and here are %zu", count);
    else if (!root || root->kind == ROMSIM_NODE_NULL)
        romsim_error_set(&error, EINVAL, "the Kraftfile is empty");
    else
        romsim_error_set(&error, EINVAL, "a Kraftfile must be an object, not %s",
                         romsim_node_kind_name(root));
    romsim_error_hint(&error, "it begins with spec: v0.7");
    error.cloud = ROMSIM_CLOUD_MALFORMED_REQUEST;
    romsim_document_complain(document, count > 1 ? romsim_document_root(document, 1)->offset : 0,
                             &error, diagnostics);
    return NULL;
}

static int build(struct romsim_document *document, struct romsim_kraftfile *model,
                 struct romsim_diagnostics *diagnostics)
{
    struct kraft_build build = {
        .document = document, .diagnostics = diagnostics, .kraftfile = model};
    size_t errors = diagnostics->errors;
    const struct romsim_node *root;

    romsim_document_let_last_win(document);
    romsim_document_read(document, diagnostics);
    if (diagnostics->errors > errors && romsim_document_root_count(document) == 0)
        return -1;
    root = only_root(document, diagnostics);
    if (root)
        kraft_build_members(&build, root);
    if (build.no_memory)
        return complain_nomem(diagnostics);
    return diagnostics->errors == errors ? 0 : -1;
}

int romsim_kraftfile_parse(const char *text, size_t size, const char *name, const char *directory,
                           struct romsim_kraftfile *ret, struct romsim_diagnostics *diagnostics)
{
    CLEANUP_DOCUMENT struct romsim_document *document = romsim_document_new(name, text, size);
    CLEANUP_KRAFTFILE struct romsim_kraftfile model = {
        .path = strdup(name), .directory = strdup(directory ? directory : "")};
    size_t first = diagnostics->count;
    int status;

    *ret = (struct romsim_kraftfile){0};
    if (!document || !model.path || !model.directory)
        return complain_nomem(diagnostics);
    status = build(document, &model, diagnostics);
    romsim_diagnostics_sort(diagnostics, first);
    if (status < 0)
        return -1;
    *ret = model;
    model = (struct romsim_kraftfile){0};
    return 0;
}

/* ---- a file ------------------------------------------------------------------------------ */

static int complain_file(struct romsim_diagnostics *diagnostics, const char *path, int errnum)
{
    struct romsim_error error;

    if (errnum == EFBIG)
        romsim_bound_refuse(&error, ROMSIM_BOUND_KRAFTFILE_BYTES, "'%s' is larger than %llu bytes",
                            QUOTE(path),
                            (unsigned long long)romsim_bound(ROMSIM_BOUND_KRAFTFILE_BYTES));
    else
        romsim_error_system(&error, errnum, "'%s' cannot be read", QUOTE(path));
    romsim_diagnostics_add(diagnostics, &error, 0);
    return -1;
}

static int load_file(const char *path, const char *directory, struct romsim_kraftfile *ret,
                     struct romsim_diagnostics *diagnostics)
{
    CLEANUP_BUFFER struct romsim_buffer text =
        ROMSIM_BUFFER_INIT(romsim_bound(ROMSIM_BOUND_KRAFTFILE_BYTES));
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0)
        return complain_file(diagnostics, path, errno);
    /* Opened so that nobody waits for a fifo's writer; one that is there is waited for. */
    fcntl(fd, F_SETFL, 0);
    if (romsim_buffer_read_fd(&text, fd) < 0)
        return complain_file(diagnostics, path, text.failed);
    return romsim_kraftfile_parse(text.data ? text.data : "", text.size, path, directory, ret,
                                  diagnostics);
}

/* The path of a project folder's Kraftfile, malloc'ed; NULL if there is none. */
static char *find_in(const char *directory)
{
    for (size_t i = 0; i < sizeof(file_names) / sizeof(file_names[0]); i++) {
        char *path = romsim_path_join(directory, file_names[i]);
        struct stat st;

        if (path && stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
            return path;
        free(path);
    }
    return NULL;
}

static int complain_none(const char *directory, struct romsim_diagnostics *diagnostics)
{
    struct romsim_error error;

    romsim_error_set(&error, ENOENT, "no Kraftfile in '%s'", QUOTE(directory));
    romsim_error_hint(&error,
                      "it is named Kraftfile, kraft.yaml or kraft.yml; the smallest for a "
                      "ROM: spec: v0.7, targets: [kraftcloud/x86_64], roms: [./DIR]; for a base "
                      "image, in place of roms: rootfs: {source: ./DIR, format: erofs}");
    romsim_diagnostics_add(diagnostics, &error, 0);
    return -1;
}

int romsim_kraftfile_load(const char *path, struct romsim_kraftfile *ret,
                          struct romsim_diagnostics *diagnostics)
{
    const char *slash = strrchr(path, '/');
    CLEANUP_FREE char *file = NULL;
    CLEANUP_FREE char *directory = NULL;
    struct stat st;

    *ret = (struct romsim_kraftfile){0};
    if (stat(path, &st) < 0)
        return complain_file(diagnostics, path, errno);
    if (S_ISDIR(st.st_mode)) {
        file = find_in(path);
        return file ? load_file(file, path, ret, diagnostics) : complain_none(path, diagnostics);
    }
    directory = slash && romsim_path_descriptor(path) < 0
                    ? strndup(path, (size_t)(slash - path) + 1)
                    : strdup("");
    if (!directory)
        return complain_nomem(diagnostics);
    return load_file(path, directory, ret, diagnostics);
}
