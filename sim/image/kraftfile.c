/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kraftfile.c: from a document to struct romsim_kraftfile.
 *
 * The shape (kraftfile_shapes.c) is compared by schema.c, as an instance's is; what may have
 * several shapes (a command as a text or a list, variables as a list or a map) is looked at here,
 * where it is read.
 *
 * Kraftfiles live long: those of every spec up to v0.7 are read by their own rules, later ones by
 * those of v0.7.  What the vendor's packers pass over in silence (members that they do not know,
 * the first of two of one name) is passed over here with a warning.
 */
#include "sim/image/kraftfile.h"

#include <romsim/bounds.h>
#include <romsim/text.h>

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* See struct kraft_build. */
enum { SPEC_V0_7 = 7, SPEC_MAX = 999 };

/* ---- small things ------------------------------------------------------------------------ */

static void complain(struct kraft_build *build, const struct romsim_node *node,
                     enum romsim_cloud_code code, struct romsim_error *error)
{
    error->cloud = code;
    romsim_document_complain(build->document, node->offset, error, build->diagnostics);
}

static void complain_shape(struct kraft_build *build, const struct romsim_node *node,
                           const char *name, const char *wanted, const char *hint)
{
    struct romsim_error error;

    if (romsim_node_text(node) || node->kind == ROMSIM_NODE_LIST ||
        node->kind == ROMSIM_NODE_OBJECT || node->kind == ROMSIM_NODE_NULL)
        romsim_error_set(&error, EINVAL, "Member '%s' must be %s, not %s", name, wanted,
                         romsim_node_kind_name(node));
    else
        romsim_error_set(&error, EINVAL, "Invalid %s: it has a NUL character in it", name);
    romsim_error_hint(&error, "%s", hint);
    complain(build, node, ROMSIM_CLOUD_MALFORMED_REQUEST, &error);
}

static char *copy_text(struct kraft_build *build, const char *text)
{
    char *copy = strdup(text);

    build->no_memory |= !copy;
    return copy;
}

/* The text of a member, malloc'ed; NULL if it is absent or no text. */
static char *take_text(struct kraft_build *build, const struct romsim_node *object,
                       const char *name)
{
    const struct romsim_node *value = romsim_node_present(object, name);

    return romsim_node_text(value) ? copy_text(build, value->text) : NULL;
}

/* The number of a word in a list, from 1; 0 if it is absent or none of them. */
static unsigned take_word(const struct romsim_node *object, const char *name,
                          const char *const *words)
{
    const struct romsim_node *value = romsim_node_present(object, name);

    for (unsigned i = 0; romsim_node_text(value) && words[i]; i++)
        if (strcmp(words[i], value->text) == 0)
            return i + 1;
    return 0;
}

/* ---- cmd --------------------------------------------------------------------------------- */

/* A text is cut as a shell would.  The cloud's packer expands variables, all of them to nothing:
 * nobody can want that. */
static void build_cmd_text(struct kraft_build *build, const struct romsim_node *node)
{
    struct romsim_error error;

    if (strpbrk(node->text, "$`")) {
        romsim_error_set(&error, EINVAL, "Invalid cmd: a '$' or '`' in it would be expanded");
        romsim_error_hint(&error, "write it as a list: cmd: [\"/bin/sh\", \"-c\", \"...\"]");
        complain(build, node, ROMSIM_CLOUD_INVALID, &error);
        return;
    }
    if (romsim_strings_append_words(&build->kraftfile->cmd, node->text, &error) < 0)
        complain(build, node, ROMSIM_CLOUD_INVALID, &error);
    build->kraftfile->has_cmd = build->kraftfile->cmd.count > 0;
}

static void build_cmd(struct kraft_build *build, const struct romsim_node *node)
{
    static const char hint[] = "[\"/usr/bin/app\", \"--port\", \"8080\"]";
    struct romsim_kraftfile *model = build->kraftfile;

    model->has_cmd = true;
    romsim_document_place(build->document, node->offset, &model->cmd_place);
    if (romsim_node_text(node)) {
        build_cmd_text(build, node);
        return;
    }
    if (node->kind != ROMSIM_NODE_LIST) {
        complain_shape(build, node, "cmd", "a list of strings", hint);
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        const struct romsim_node *item = node->items[i].value;

        if (!romsim_node_text(item) || item->kind != ROMSIM_NODE_STRING)
            complain_shape(build, item, "cmd", "a list of strings",
                           romsim_node_text(item) ? "put it in double quotes" : hint);
        else
            build->no_memory |= romsim_strings_append(&model->cmd, item->text) < 0;
    }
}

/* ---- env, labels, kconfig ---------------------------------------------------------------- */

static int compare_pairs(const void *left, const void *right)
{
    return strcmp(((const struct romsim_env *)left)->name,
                  ((const struct romsim_env *)right)->name);
}

/* Sets one pair; the last of several with the same name counts. */
static void set_pair(struct kraft_build *build, struct pairs *pairs, const char *name,
                     size_t name_size, const char *value)
{
    struct romsim_env pair = {.name = strndup(name, name_size), .value = strdup(value)};

    for (size_t i = 0; pair.name && pair.value && i < pairs->count; i++) {
        if (strcmp(pairs->items[i].name, pair.name) != 0)
            continue;
        free(pairs->items[i].value);
        pairs->items[i].value = pair.value;
        free(pair.name);
        return;
    }
    if (!pair.name || !pair.value || pairs_append(pairs, pair) < 0) {
        build->no_memory = true;
        free(pair.name);
        free(pair.value);
    }
}

static void pairs_from_list(struct kraft_build *build, const struct romsim_node *node,
                            const char *name, struct pairs *ret)
{
    for (size_t i = 0; i < node->count; i++) {
        const struct romsim_node *item = node->items[i].value;
        size_t size = romsim_node_text(item) ? strcspn(item->text, "=") : 0;

        if (size == 0)
            complain_shape(build, item, name, "a list of NAME=VALUE", "- NAME=VALUE");
        else
            set_pair(build, ret, item->text, size, item->text + size + (item->text[size] == '='));
    }
}

static void pairs_from_map(struct kraft_build *build, const struct romsim_node *node,
                           const char *name, struct pairs *ret)
{
    for (size_t i = 0; i < node->count; i++) {
        const struct romsim_node *key = node->items[i].key, *value = node->items[i].value;
        bool is_null = value->kind == ROMSIM_NODE_NULL;

        if (!romsim_node_text(key) || !*key->text || strchr(key->text, '='))
            complain_shape(build, key, name, "a map of names to values", "NAME: VALUE");
        else if (!is_null && !romsim_node_text(value))
            complain_shape(build, value, name, "a map of names to values", "NAME: VALUE");
        else
            set_pair(build, ret, key->text, key->size, is_null ? "" : value->text);
    }
    if (ret->count > 1)
        qsort(ret->items, ret->count, sizeof(*ret->items), compare_pairs);
}

/* Both forms: a list of NAME=VALUE, or a map.  A map's names are sorted, as the packer does. */
static void read_pairs(struct kraft_build *build, const struct romsim_node *node, const char *name,
                       struct pairs *ret)
{
    struct romsim_error error;

    if (node->count > romsim_bound(ROMSIM_BOUND_KRAFTFILE_PAIRS)) {
        romsim_bound_refuse(&error, ROMSIM_BOUND_KRAFTFILE_PAIRS,
                            "Too many values in %s: %zu, at most %llu", name, (size_t)node->count,
                            (unsigned long long)romsim_bound(ROMSIM_BOUND_KRAFTFILE_PAIRS));
        complain(build, node, ROMSIM_CLOUD_TOO_MANY, &error);
    } else if (node->kind == ROMSIM_NODE_LIST) {
        pairs_from_list(build, node, name, ret);
    } else if (node->kind == ROMSIM_NODE_OBJECT) {
        pairs_from_map(build, node, name, ret);
    } else {
        complain_shape(build, node, name, "a map or a list", "NAME: VALUE, or - NAME=VALUE");
    }
}

static void build_pairs(struct kraft_build *build, const struct romsim_node *node, const char *name,
                        struct romsim_env **ret, size_t *ret_count)
{
    struct pairs pairs = {0};

    read_pairs(build, node, name, &pairs);
    *ret = pairs.items;
    *ret_count = pairs.count;
}

/* Labels are names of a registry's own alphabet (the schema's pattern). */
static void check_labels(struct kraft_build *build, const struct romsim_node *node)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-";
    struct romsim_error error;

    for (size_t i = 0; i < build->kraftfile->label_count; i++) {
        const char *name = build->kraftfile->labels[i].name;

        if (!name[strspn(name, allowed)])
            continue;
        romsim_error_set(&error, EINVAL, "Invalid label '%s'", QUOTE(name));
        romsim_error_hint(&error, "letters, digits, '.', '_', '/' and '-'");
        complain(build, node, ROMSIM_CLOUD_INVALID, &error);
    }
}

/* ---- rootfs and roms --------------------------------------------------------------------- */

/* Until v0.6 there was no `format`: `type` was it. */
static bool type_is_format(const struct kraft_build *build, const struct romsim_node *node)
{
    return build->spec < SPEC_V0_7 && !romsim_node_present(node, "format") &&
           take_word(node, "type", kraft_format_words) != 0;
}

static void complain_both_types(struct kraft_build *build, const struct romsim_node *node)
{
    struct romsim_error error;

    romsim_error_set(&error, EINVAL, "Cannot specify 'type' when the source has a 'type'");
    complain(build, node, ROMSIM_CLOUD_NOT_BOTH, &error);
}

/* `source: {path, type, dockerfile}`. */
static void build_path(struct kraft_build *build, const struct romsim_node *node,
                       struct romsim_source *ret)
{
    const struct romsim_node *dockerfile = romsim_node_present(node, "dockerfile");
    struct romsim_error error;

    ret->path = take_text(build, node, "path");
    ret->dockerfile = take_text(build, node, "dockerfile");
    ret->type = (enum romsim_source_type)take_word(node, "type", kraft_type_words);
    if (!dockerfile)
        return;
    if (ret->type != ROMSIM_SOURCE_ANY && ret->type != ROMSIM_SOURCE_DOCKERFILE) {
        romsim_error_set(&error, EINVAL, "Cannot specify 'dockerfile' when 'type' is '%s'",
                         romsim_source_type_name(ret->type));
        complain(build, dockerfile, ROMSIM_CLOUD_NOT_BOTH, &error);
    }
    ret->type = ROMSIM_SOURCE_DOCKERFILE;
}

static void check_path(struct kraft_build *build, const struct romsim_node *node,
                       const struct romsim_source *read)
{
    struct romsim_error error;

    if (!read->path || *read->path)
        return;
    romsim_error_set(&error, EINVAL, "Invalid source: the path is empty");
    complain(build, node, ROMSIM_CLOUD_INVALID, &error);
}

/* A path, or {source: path | {path, type, dockerfile}, format, type}. */
static void build_fs(struct kraft_build *build, const struct romsim_node *node,
                     struct romsim_source *ret)
{
    const struct romsim_node *from =
        node->kind == ROMSIM_NODE_OBJECT ? romsim_node_present(node, "source") : node;
    const char *format_name = type_is_format(build, node) ? "type" : "format";
    const struct romsim_node *its_format = romsim_node_present(node, format_name),
                             *its_type = romsim_node_present(node, "type");

    romsim_document_place(build->document, (from ? from : node)->offset, &ret->place);
    romsim_document_place(build->document, (its_format ? its_format : node)->offset,
                          &ret->format_place);
    ret->format = (enum romsim_source_format)take_word(node, format_name, kraft_format_words);
    if (!from)
        return;
    if (from->kind == ROMSIM_NODE_OBJECT)
        build_path(build, from, ret);
    else if (romsim_node_text(from))
        ret->path = copy_text(build, from->text);
    check_path(build, from, ret);
    if (!its_type || its_type == its_format)
        return;
    if (ret->type != ROMSIM_SOURCE_ANY)
        complain_both_types(build, its_type);
    ret->type = (enum romsim_source_type)take_word(node, "type", kraft_type_words);
}

static void build_roms(struct kraft_build *build, const struct romsim_node *node)
{
    struct romsim_kraftfile *model = build->kraftfile;

    if (node->kind != ROMSIM_NODE_LIST || node->count == 0)
        return;
    model->roms = calloc(node->count, sizeof(*model->roms));
    build->no_memory |= !model->roms;
    for (size_t i = 0; model->roms && i < node->count; i++)
        build_fs(build, node->items[i].value, &model->roms[model->rom_count++]);
}

/* ---- targets ----------------------------------------------------------------------------- */

static void complain_target(struct kraft_build *build, const struct romsim_node *node)
{
    struct romsim_error error;

    if (romsim_node_text(node))
        romsim_error_set(&error, EINVAL, "Invalid target '%s'", QUOTE(node->text));
    else
        romsim_error_set(&error, EINVAL, "Invalid target: it needs 'plat' and 'arch'");
    romsim_error_hint(&error, "PLATFORM/ARCHITECTURE, e.g. kraftcloud/x86_64");
    complain(build, node, ROMSIM_CLOUD_INVALID, &error);
}

static void build_features(struct kraft_build *build, const struct romsim_node *node,
                           struct romsim_strings *ret)
{
    struct pairs pairs = {0};

    read_pairs(build, node, "kconfig", &pairs);
    for (size_t i = 0; i < pairs.count; i++) {
        CLEANUP_FREE char *line = NULL;

        if (asprintf(&line, "%s=%s", pairs.items[i].name, pairs.items[i].value) < 0)
            line = NULL;
        build->no_memory |= !line || romsim_strings_append(ret, line) < 0;
    }
    pairs_clear(&pairs);
}

/* Reads "plat/arch", or {plat|platform, arch|architecture, kconfig}. */
static void read_target(struct kraft_build *build, const struct romsim_node *node,
                        struct romsim_target *ret, char **ret_architecture)
{
    const struct romsim_node *kconfig = romsim_node_present(node, "kconfig");
    const char *slash = romsim_node_text(node) ? strchr(node->text, '/') : NULL;

    if (slash) {
        ret->platform = strndup(node->text, (size_t)(slash - node->text));
        *ret_architecture = copy_text(build, slash + 1);
        build->no_memory |= !ret->platform;
    }
    if (node->kind != ROMSIM_NODE_OBJECT)
        return;
    ret->platform = take_text(build, node, romsim_node_present(node, "plat") ? "plat" : "platform");
    *ret_architecture =
        take_text(build, node, romsim_node_present(node, "arch") ? "arch" : "architecture");
    if (kconfig)
        build_features(build, kconfig, &ret->features);
}

static void build_target(struct kraft_build *build, const struct romsim_node *node,
                         struct romsim_target *ret)
{
    CLEANUP_FREE char *architecture = NULL;
    struct romsim_error error;

    romsim_document_place(build->document, node->offset, &ret->place);
    read_target(build, node, ret, &architecture);
    if (!ret->platform || !*ret->platform || !architecture) {
        complain_target(build, node);
        return;
    }
    if (!romsim_architecture(architecture)) {
        romsim_error_set(&error, EINVAL, "Unsupported architecture '%s'", QUOTE(architecture));
        romsim_error_hint(&error, "it is one of x86_64 or arm64");
        complain(build, node, ROMSIM_CLOUD_NOT_SUPPORTED, &error);
        return;
    }
    ret->architecture = copy_text(build, romsim_architecture(architecture));
}

static void build_targets(struct kraft_build *build, const struct romsim_node *node)
{
    struct romsim_kraftfile *model = build->kraftfile;

    if (node->kind != ROMSIM_NODE_LIST || node->count == 0)
        return;
    model->targets = calloc(node->count, sizeof(*model->targets));
    build->no_memory |= !model->targets;
    for (size_t i = 0; model->targets && i < node->count; i++)
        build_target(build, node->items[i].value, &model->targets[model->target_count++]);
}

/* ---- all of it --------------------------------------------------------------------------- */

/* A number of a version; larger ones than SPEC_MAX are all the same. */
static unsigned read_number(const char **text)
{
    unsigned number = 0;

    for (; isdigit((unsigned char)**text); ++*text)
        number = number > SPEC_MAX ? number : number * 10 + (unsigned)(**text - '0');
    return number > SPEC_MAX ? SPEC_MAX : number;
}

/* A semantic version, with or without a v, the minor number and what comes after it. */
static bool read_version(const char *text, unsigned *ret)
{
    unsigned version;

    text += *text == 'v';
    if (!isdigit((unsigned char)*text))
        return false;
    version = read_number(&text) * (SPEC_MAX + 1);
    if (*text == '.') {
        text++;
        if (!isdigit((unsigned char)*text))
            return false;
        version += read_number(&text);
    }
    if (*text == '.') {
        text++;
        if (!isdigit((unsigned char)*text))
            return false;
        read_number(&text);
    }
    if (*text && *text != '-' && *text != '+')
        return false;
    *ret = version;
    return true;
}

static void build_spec(struct kraft_build *build, const struct romsim_node *root)
{
    const struct romsim_node *spec = romsim_node_present(root, "spec");
    const struct romsim_node *other = romsim_node_present(root, "specification");
    struct romsim_error error;

    build->spec = SPEC_V0_7;
    if (spec && other) {
        romsim_error_set(&error, EINVAL, "Cannot specify 'specification' when 'spec' is set");
        complain(build, other, ROMSIM_CLOUD_NOT_BOTH, &error);
    }
    spec = spec ? spec : other;
    if (!spec) {
        romsim_error_set(&error, EINVAL, "Missing member spec");
        romsim_error_hint(&error, "spec: v0.7");
        complain(build, root, ROMSIM_CLOUD_MALFORMED_REQUEST, &error);
        return;
    }
    if (!romsim_node_text(spec))
        return; /* romsim_schema_check() said so */
    if (!read_version(spec->text, &build->spec)) {
        romsim_error_set(&error, EINVAL, "Invalid spec version '%s'", QUOTE(spec->text));
        romsim_error_hint(&error, "spec: v0.7");
        complain(build, spec, ROMSIM_CLOUD_INVALID, &error);
    } else if (build->spec > SPEC_V0_7) {
        romsim_error_set(&error, EINVAL,
                         "spec '%s' is newer than what romsim knows, and is read as v0.7",
                         QUOTE(spec->text));
        romsim_document_warn(build->document, spec->offset, &error, build->diagnostics);
    }
}

static void check_runtime(struct kraft_build *build, const struct romsim_node *node)
{
    struct romsim_error error;

    build->kraftfile->has_runtime = true;
    if (node->kind != ROMSIM_NODE_OBJECT || build->spec != SPEC_V0_7)
        return;
    romsim_error_set(&error, EINVAL,
                     "Member 'runtime' must be a string, not an object, since v0.7");
    romsim_error_hint(&error, "runtime: NAME:VERSION");
    complain(build, node, ROMSIM_CLOUD_MALFORMED_REQUEST, &error);
}

/* What a kernel is built from, or a unikernel is run with. */
static bool has_old_parts(const struct romsim_node *root)
{
    return romsim_node_present(root, "unikraft") || romsim_node_present(root, "libraries") ||
           romsim_node_present(root, "template") || romsim_node_present(root, "volumes");
}

static void warn_idle(struct kraft_build *build, const struct romsim_node *root,
                      struct romsim_schema *schema)
{
    struct romsim_error warning;

    if (schema->idle.size == 0)
        return;
    romsim_error_set(&warning, EINVAL, "accepted, but not used: %s%s", schema->idle.data,
                     schema->idle.failed ? ", and more" : "");
    if (has_old_parts(root))
        romsim_error_hint(&warning, "no kernel is built here; of the vendor's tools, kraft takes "
                                    "unikraft, libraries, template and volumes, 'unikraft build' "
                                    "refuses them");
    romsim_document_place(build->document, schema->idle_offset, &warning.place);
    romsim_diagnostics_add(build->diagnostics, &warning, 1);
}

void kraft_build_members(struct kraft_build *build, const struct romsim_node *root)
{
    struct romsim_schema schema = {.document = build->document,
                                   .diagnostics = build->diagnostics,
                                   .subject = "A Kraftfile",
                                   .synonyms = kraft_synonyms,
                                   .is_forgiving = true};
    struct romsim_kraftfile *model = build->kraftfile;
    const struct romsim_node *node;

    romsim_schema_check(&schema, root, &romsim_kraftfile_shape);
    build_spec(build, root);
    romsim_document_place(build->document, root->offset, &model->place);
    model->name = take_text(build, root, "name");
    if ((node = romsim_node_present(root, "cmd")))
        build_cmd(build, node);
    if ((node = romsim_node_present(root, "env")))
        build_pairs(build, node, "env", &model->env, &model->env_count);
    if ((node = romsim_node_present(root, "labels"))) {
        build_pairs(build, node, "labels", &model->labels, &model->label_count);
        check_labels(build, node);
    }
    if ((node = romsim_node_present(root, "rootfs")))
        build_fs(build, node, &model->rootfs);
    if ((node = romsim_node_present(root, "roms")))
        build_roms(build, node);
    if ((node = romsim_node_present(root, "targets")))
        build_targets(build, node);
    if ((node = romsim_node_present(root, "runtime")))
        check_runtime(build, node);
    warn_idle(build, root, &schema);
    romsim_buffer_reset(&schema.idle);
}
