/* SPDX-License-Identifier: BSD-3-Clause */
/* bounds.c: the table of bounds, and what changes them. */
#include <romsim/bounds.h>
#include <romsim/buffer.h>
#include <romsim/checked.h>
#include <romsim/text.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct bound {
    const char *name;
    uint64_t value;
    const char *description;
};

static const struct bound table[ROMSIM_BOUND_COUNT] = {
    [ROMSIM_BOUND_FILE_BYTES] = {"file-bytes", UINT64_C(64) << 30,
                                 "bytes of a file that is packed or run, its holes, too"},
    [ROMSIM_BOUND_HOLE_BYTES] = {"hole-bytes", UINT64_C(512) << 20,
                                 "bytes of holes in an archive's sparse files"},
    [ROMSIM_BOUND_KERNEL_BYTES] = {"kernel-bytes", UINT64_C(1) << 30, "bytes of a kernel's file"},
    [ROMSIM_BOUND_UNPACK_BYTES] = {"unpack-bytes", UINT64_C(256) << 20,
                                   "bytes that a compressed file becomes"},
    [ROMSIM_BOUND_FILES] = {"files", 4000000, "files and directories that become one image"},
    [ROMSIM_BOUND_DATA_BYTES] = {"data-bytes", UINT64_C(1) << 40,
                                 "bytes of the files that become one image"},
    [ROMSIM_BOUND_NODE_BYTES] = {"node-bytes", UINT64_C(40) << 20,
                                 "bytes of memory for the names in an archive"},
    [ROMSIM_BOUND_IMAGE_BYTES] = {"image-bytes", UINT64_C(32) << 20,
                                  "bytes of an image beside its files' own"},
    [ROMSIM_BOUND_UNPACK_MEMORY] = {"unpack-memory", UINT64_C(68) << 20,
                                    "bytes of memory that a compressed file's window takes"},
    [ROMSIM_BOUND_WALK_BYTES] = {"walk-bytes", UINT64_C(32) << 20,
                                 "bytes of names, paths and xattrs of an EROFS image"},
    [ROMSIM_BOUND_JSON_FILE] = {"json-file", UINT64_C(8) << 20,
                                "bytes of a file that 'rom cat --json' shows"},
    [ROMSIM_BOUND_LAYERS] = {"layers", 512, "layers of an image"},
    [ROMSIM_BOUND_MANIFESTS] = {"manifests", 1000, "images in an index"},
    [ROMSIM_BOUND_INDEX_DEPTH] = {"index-depth", 8, "image indexes in each other"},
    [ROMSIM_BOUND_IMAGE_JSON] = {"image-json", UINT64_C(4) << 20,
                                 "bytes of an image's index, manifest or config"},
    [ROMSIM_BOUND_IMAGE_VALUES] = {"image-values", 100000,
                                   "values in an image's index, manifest or config"},
    [ROMSIM_BOUND_IMAGE_STRINGS] = {"image-strings", 10000,
                                    "words of an image's command or environment"},
    [ROMSIM_BOUND_IMAGE_NAMES] = {"image-names", 128, "names that an archive of images has"},
    [ROMSIM_BOUND_XATTRS] = {"xattrs", 4096, "extended attributes of a file"},
    [ROMSIM_BOUND_ACL_STEPS] = {"acl-steps", UINT64_C(64) << 20,
                                "steps that the access control lists of an archive take"},
    [ROMSIM_BOUND_LINK_BYTES] = {"link-bytes", 4096,
                                 "bytes of symbolic links on the way to a file"},
    [ROMSIM_BOUND_DIR_ENTRIES] = {"dir-entries", 100000, "files in a ROM's `dir`"},
    [ROMSIM_BOUND_VALUES] = {"values", 100000, "values of an instance file, aliases expanded"},
    [ROMSIM_BOUND_INSTANCES] = {"instances", 1000, "instances of a file"},
    [ROMSIM_BOUND_TAG_LINES] = {"tag-lines", 100, "%TAG lines of a file"},
    [ROMSIM_BOUND_KRAFTFILE_BYTES] = {"kraftfile-bytes", UINT64_C(1) << 20, "bytes of a Kraftfile"},
    [ROMSIM_BOUND_KRAFTFILE_PAIRS] = {"kraftfile-pairs", 4096,
                                      "variables or labels of a Kraftfile"},
    [ROMSIM_BOUND_TARGETS] = {"targets", 64, "targets of a Kraftfile"},
    [ROMSIM_BOUND_KERNEL_UNPACKED] = {"kernel-unpacked", UINT64_C(512) << 20,
                                      "bytes that a compressed kernel becomes"},
    [ROMSIM_BOUND_STORE_INDEX] = {"store-index", UINT64_C(16) << 20,
                                  "bytes of the image store's index.json"},
    [ROMSIM_BOUND_STORE_BLOBS] = {"store-blobs", 1000000, "blobs of the image store"},
    [ROMSIM_BOUND_OVERCOMMIT] = {"overcommit", 0,
                                 "bytes of memory that instances may want beyond what is free"},
};

/* What was set instead, and whether it was. */
static struct {
    uint64_t value;
    bool is_set;
} chosen[ROMSIM_BOUND_COUNT];

uint64_t romsim_bound(enum romsim_bound bound)
{
    return chosen[bound].is_set ? chosen[bound].value : table[bound].value;
}

uint64_t romsim_bound_for(enum romsim_bound bound, uint64_t input)
{
    uint64_t limit;

    if (!checked_multiply(input, ROMSIM_BOUND_RATIO, &limit))
        limit = UINT64_MAX;
    return max_u64(romsim_bound(bound), limit);
}

const char *romsim_bound_name(enum romsim_bound bound)
{
    return table[bound].name;
}

uint64_t romsim_bound_default(enum romsim_bound bound)
{
    return table[bound].value;
}

const char *romsim_bound_description(enum romsim_bound bound)
{
    return table[bound].description;
}

static int unknown_bound(const char *name, struct romsim_error *err)
{
    CLEANUP_BUFFER struct romsim_buffer names = ROMSIM_BUFFER_INIT(sizeof(err->hint));

    for (size_t i = 0; i < ROMSIM_BOUND_COUNT; i++)
        romsim_buffer_printf(&names, "%s%s", i ? ", " : "", table[i].name);
    romsim_error_set(err, EINVAL, "no bound in '%s'", QUOTE(name));
    return romsim_error_hint(err, "NAME=VALUE with one of: %s", names.data);
}

/* "NAME=VALUE" of `size` bytes. */
static int parse_assignment(const char *text, size_t size, size_t *ret_bound, uint64_t *ret_value,
                            struct romsim_error *err)
{
    char assignment[128];
    char *equals;

    snprintf(assignment, sizeof(assignment), "%.*s", (int)size, text);
    equals = size < sizeof(assignment) ? strchr(assignment, '=') : NULL;
    if (!equals)
        return unknown_bound(assignment, err);
    *equals = '\0';
    for (size_t i = 0; i < ROMSIM_BOUND_COUNT; i++)
        if (strcmp(table[i].name, assignment) == 0) {
            *ret_bound = i;
            if (romsim_parse_size(equals + 1, ret_value) == 0)
                return 0;
            romsim_error_set(err, EINVAL, "no value for the bound '%s' in '%s'", table[i].name,
                             QUOTE(equals + 1));
            return romsim_error_hint(err, "a number, with K, M, G or T for powers of 1024");
        }
    return unknown_bound(assignment, err);
}

int romsim_bounds_set(const char *assignments, struct romsim_error *err)
{
    typeof(chosen) changed;

    memcpy(changed, chosen, sizeof(changed));
    for (const char *text = assignments; *text;) {
        size_t size = strcspn(text, ","), bound = 0;
        uint64_t value = 0;

        if (parse_assignment(text, size, &bound, &value, err) < 0)
            return -1;
        changed[bound].value = value;
        changed[bound].is_set = true;
        text += size + (text[size] == ',');
    }
    memcpy(chosen, changed, sizeof(chosen));
    return 0;
}

int romsim_bound_refuse(struct romsim_error *err, enum romsim_bound bound, const char *format, ...)
{
    char message[sizeof(err->message)];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    romsim_error_set(err, EFBIG, "%s", message);
    return romsim_error_hint(err, "--bound %s=VALUE allows more than %llu", table[bound].name,
                             (unsigned long long)romsim_bound(bound));
}
