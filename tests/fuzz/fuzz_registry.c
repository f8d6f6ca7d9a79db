/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_registry.c: what a client of the registry sends: paths, ranges and types, and manifests over
 * a store that has the blobs "{}" and "layer".
 *
 * The input is a line for each of the first, and behind an empty line a manifest.  What is taken
 * has to be what the store can go on with: its gc finds all of it, and takes nothing.
 */
#include "fuzz.h"

#include "sim/api/registry.h"

#include <romsim/cleanup.h>
#include <romsim/paths.h>

enum { LINE_MAX_SIZE = 4096, SIZES = 4 };

/* ---- requests ----------------------------------------------------------------------------------
 */

/* Put together again it is the same path. */
static void check_path(const char *text)
{
    static const char *const middles[] = {
        [REGISTRY_TAGS] = "/tags/list",        [REGISTRY_MANIFEST] = "/manifests/",
        [REGISTRY_BLOB] = "/blobs/",           [REGISTRY_UPLOADS] = "/blobs/uploads",
        [REGISTRY_UPLOAD] = "/blobs/uploads/", [REGISTRY_REFERRERS] = "/referrers/",
    };
    CLEANUP_FREE char *again = NULL;
    struct registry_path path;

    registry_path_parse(text, &path);
    FUZZ_CHECK(path.is_name_valid == registry_name_is_valid(path.name), "'%s'", path.name);
    FUZZ_CHECK(!strstr(path.name, "..") && !strstr(path.name, "//"), "'%s'", path.name);
    if (!path.is_name_valid ||
        asprintf(&again, "%s%s%s", path.name, middles[path.kind], path.reference) < 0)
        return;
    FUZZ_CHECK(strncmp(text, again, strlen(again)) == 0, "'%s' is not '%s'", again, text);
    FUZZ_CHECK(text[strlen(again)] == '\0' || strcmp(text + strlen(again), "/") == 0 ||
                   !*path.reference,
               "'%s' is not '%s'", again, text);
}

static void check_line(const char *text)
{
    static const uint64_t sizes[SIZES] = {0, 1, 1000, UINT64_MAX};
    uint64_t first, second;
    char type[128];

    check_path(text);
    if (registry_parse_chunk(text, &first, &second))
        FUZZ_CHECK(first <= second && second < UINT64_MAX, "'%s'", text);
    for (size_t i = 0; i < SIZES; i++)
        if (registry_parse_range(text, sizes[i], &first, &second) > 0)
            FUZZ_CHECK(first < sizes[i] && second > 0 && second <= sizes[i] - first, "'%s'", text);
    registry_parse_type(text, type, sizeof(type));
    FUZZ_CHECK(!strpbrk(type, "; \t"), "'%s'", type);
    if (registry_tag_is_valid(text))
        FUZZ_CHECK(!strpbrk(text, "/:@ ") && strlen(text) < REGISTRY_TAG_SIZE, "'%s'", text);
    registry_parse_number(text, &first);
}

/* ---- manifests ---------------------------------------------------------------------------------
 */

#define NAME "fuzz/taken:1"

static char folder[] = "/tmp/romsim-fuzz.XXXXXX";

static void remove_folder(void)
{
    romsim_path_remove_tree(folder, NULL);
}

static void put(struct romsim_store *store, const char *text)
{
    struct romsim_blob *blob = romsim_blob_from_bytes(text, strlen(text), NULL);

    FUZZ_CHECK(blob && romsim_store_add(store, blob, NULL) == 0, "no store in %s", folder);
    romsim_blob_unref(blob);
}

/* A store with two blobs. */
static void make_store(void)
{
    CLEANUP_STORE struct romsim_store *store = NULL;

    FUZZ_CHECK(mkdtemp(folder), "no folder for a store");
    atexit(remove_folder);
    setenv("XDG_DATA_HOME", folder, 1);
    unsetenv("ROMSIM_IMAGE_STORES");
    setenv("ROMSIM_SHARED_STORE", "", 1);
    store = romsim_store_open(false, NULL);
    FUZZ_CHECK(store, "no store in %s", folder);
    put(store, "{}");
    put(store, "layer");
}

static void count(void *context, const char *digest)
{
    FUZZ_CHECK(romsim_digest_is_valid(digest), "'%s'", digest);
    ++*(size_t *)context;
}

/* How many blobs the name that was given leads to, all of which are there. */
static size_t count_blobs(const struct romsim_stores *stores)
{
    struct romsim_store_name name;
    struct romsim_image_info info;
    struct romsim_error err = {0};
    size_t blobs = 0;

    FUZZ_CHECK(romsim_stores_find(stores, NAME, &name, &err) > 0, "%s", err.message);
    FUZZ_CHECK(romsim_store_walk(&name, count, &blobs, &err) == 0, "%s", err.message);
    if (romsim_store_info(&name, &info, &err) == 0)
        romsim_image_info_release(&info);
    else
        FUZZ_CHECK(err.message[0], "refused without a reason");
    romsim_store_name_release(&name);
    return blobs;
}

/* A gc keeps what the name leads to; without it the store is as it was. */
static void collect(void)
{
    CLEANUP_STORE struct romsim_store *store = romsim_store_open(true, NULL);
    const struct romsim_stores stores = {&store, 1};
    struct romsim_error err = {0};
    uint64_t blobs, bytes;
    size_t before;

    FUZZ_CHECK(store, "no store in %s", folder);
    before = count_blobs(&stores);
    FUZZ_CHECK(romsim_store_gc(store, &blobs, &bytes, &err) == 0, "%s", err.message);
    FUZZ_CHECK(count_blobs(&stores) == before, "a gc took what a name leads to");
    FUZZ_CHECK(romsim_store_untag(store, NAME, &err) == 0, "%s", err.message);
    FUZZ_CHECK(romsim_store_gc(store, &blobs, &bytes, &err) == 0, "%s", err.message);
    put(store, "{}");
    put(store, "layer");
}

/* Is it taken?  It has the name then. */
static bool push(const char *text, size_t size)
{
    CLEANUP_STORE struct romsim_store *store = romsim_store_open(false, NULL);
    CLEANUP_STORES struct romsim_stores stores = {0};
    struct romsim_store_name name = {0};
    struct romsim_error err = {0};
    char subject[ROMSIM_DIGEST_SIZE];

    FUZZ_CHECK(store && romsim_stores_open(&stores, NULL) == 0, "no store in %s", folder);
    if (romsim_store_add_manifest(store, &stores, "", text, size, NULL, &name, subject, &err) < 0) {
        FUZZ_CHECK(err.message[0], "refused without a reason");
        return false;
    }
    FUZZ_CHECK(romsim_store_is_manifest_type(name.media_type), "'%s'", name.media_type);
    FUZZ_CHECK(romsim_store_tag(store, NAME, name.media_type, name.digest, name.size, &err) == 0,
               "%s", err.message);
    romsim_store_name_release(&name);
    return true;
}

/* ---- both --------------------------------------------------------------------------------------
 */

static void check_lines(const char *text, size_t size)
{
    char line[LINE_MAX_SIZE];

    while (size > 0) {
        const char *end = memchr(text, '\n', size);
        size_t length = end ? (size_t)(end - text) : size;

        snprintf(line, sizeof(line), "%.*s", (int)length, text);
        check_line(line);
        text += length + (end != NULL);
        size -= length + (end != NULL);
    }
}

FUZZ_REFUSE_LARGE

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool is_ready;
    const char *text = (const char *)data;
    const char *middle = memmem(text, size, "\n\n", 2);
    size_t first = middle ? (size_t)(middle - text) : size;

    if (!is_ready)
        make_store();
    is_ready = true;
    check_lines(text, first);
    if (middle && push(middle + 2, size - first - 2))
        collect();
    return 0;
}
