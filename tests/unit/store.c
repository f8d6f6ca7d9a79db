/* SPDX-License-Identifier: BSD-3-Clause */
/* store.c: images that come to the store blob by blob. */
#include <romsim/buffer.h>
#include <romsim/file.h>
#include <romsim/paths.h>
#include <romsim/store.h>

#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define LAYER    "application/vnd.oci.image.layer.v1.tar"
#define MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define INDEX    "application/vnd.oci.image.index.v1+json"
#define DOCKER   "application/vnd.docker.distribution.manifest.v2+json"

static char folder[] = "/tmp/romsim-store.XXXXXX";
static struct romsim_store *store;
static struct romsim_stores stores;

/* A store of its own for each test; nothing in it. */
static void set_up(void)
{
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    setenv("XDG_DATA_HOME", folder, 1);
    unsetenv("ROMSIM_IMAGE_STORES");
    setenv("ROMSIM_SHARED_STORE", "", 1);
    store = romsim_store_open(false, NULL);
    ck_assert_ptr_nonnull(store);
    ck_assert_int_eq(romsim_stores_open(&stores, NULL), 0);
}

static void tear_down(void)
{
    romsim_stores_close(&stores);
    romsim_store_close(store);
    ck_assert_int_eq(romsim_path_remove_tree(folder, NULL), 0);
}

/* {mediaType, digest, size} of bytes that may be there or not. */
static char *describe(const char *media_type, const char *bytes)
{
    uint8_t hash[ROMSIM_SHA256_SIZE];
    char hex[ROMSIM_SHA256_HEX_SIZE], *text = NULL;

    ck_assert_int_eq(romsim_sha256(bytes, strlen(bytes), hash), 0);
    for (int i = 0; i < ROMSIM_SHA256_SIZE; i++)
        snprintf(hex + 2 * i, 3, "%02x", hash[i]);
    ck_assert_int_gt(asprintf(&text, "{\"mediaType\":\"%s\",\"digest\":\"sha256:%s\",\"size\":%zu}",
                              media_type, hex, strlen(bytes)),
                     0);
    return text;
}

static void put(const char *bytes)
{
    struct romsim_blob *blob = romsim_blob_from_bytes(bytes, strlen(bytes), NULL);

    ck_assert_int_eq(romsim_store_add(store, blob, NULL), 0);
    romsim_blob_unref(blob);
}

/* A manifest of a config "{}" and one layer of these bytes. */
static char *manifest_of(const char *media_type, const char *layer)
{
    char *config = describe("application/vnd.oci.image.config.v1+json", "{}");
    char *entry = describe(media_type, layer), *text = NULL;

    ck_assert_int_gt(
        asprintf(&text, "{\"schemaVersion\":2,\"config\":%s,\"layers\":[%s]}", config, entry), 0);
    free(config);
    free(entry);
    return text;
}

/* 0, or the errno of what was refused, whose message is in `refused`. */
static struct romsim_error refused;
static char subject[ROMSIM_DIGEST_SIZE];
static int add(const char *media_type, const char *text, struct romsim_store_name *ret)
{
    struct romsim_store_name name = {0};

    refused = (struct romsim_error){0};
    if (romsim_store_add_manifest(store, &stores, media_type, text, strlen(text), NULL, &name,
                                  subject, &refused) < 0)
        return refused.errnum;
    if (ret)
        *ret = name;
    else
        romsim_store_name_release(&name);
    return 0;
}

static bool has(const char *digest)
{
    uint64_t size;
    int fd, found = romsim_stores_open_blob(&stores, digest, &fd, &size, NULL);

    if (found > 0)
        close(fd);
    return found > 0;
}

static uint64_t collect(void)
{
    uint64_t blobs = 0, bytes;

    romsim_stores_close(&stores);
    romsim_store_close(store);
    store = romsim_store_open(true, NULL);
    ck_assert_ptr_nonnull(store);
    ck_assert_int_eq(romsim_store_gc(store, &blobs, &bytes, NULL), 0);
    romsim_store_close(store);
    store = romsim_store_open(false, NULL);
    ck_assert_int_eq(romsim_stores_open(&stores, NULL), 0);
    return blobs;
}

START_TEST(a_scratch_file_becomes_the_blob_that_it_is)
{
    static const char digest[] =
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    static const char long_digest[] =
        "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";
    int fd = romsim_store_scratch(NULL);
    struct romsim_error error;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(romsim_write_fully(fd, "abc", 3, 0), 0);
    ck_assert_int_lt(
        romsim_store_add_scratch(store, fd,
                                 "sha256:" /* of nothing */
                                 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                                 &error),
        0);
    ck_assert_int_eq(error.errnum, EUCLEAN);
    ck_assert(!has(digest));
    ck_assert_int_eq(romsim_store_add_scratch(store, fd, digest, NULL), 0);
    ck_assert(has(digest));
    ck_assert_int_eq(romsim_store_add_scratch(store, fd, long_digest, NULL), 0);
    ck_assert(has(long_digest));
    close(fd);
    ck_assert_uint_eq(collect(), 2);
}
END_TEST

START_TEST(a_scratch_file_from_elsewhere_is_copied)
{
    int fd = romsim_blob_scratch_memfd(NULL);

    ck_assert_int_eq(romsim_write_fully(fd, "abc", 3, 0), 0);
    ck_assert_int_eq(romsim_store_add_scratch(
                         store, fd,
                         "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                         NULL),
                     0);
    close(fd);
    ck_assert_uint_eq(collect(), 1);
}
END_TEST

START_TEST(a_scratch_file_that_is_closed_leaves_nothing)
{
    int fd = romsim_store_scratch(NULL);

    ck_assert_int_eq(romsim_write_fully(fd, "abc", 3, 0), 0);
    close(fd);
    ck_assert_uint_eq(collect(), 0);
}
END_TEST

START_TEST(a_manifest_needs_what_it_leads_to)
{
    char *text = manifest_of(LAYER, "layer");

    ck_assert_int_eq(add("", text, NULL), ENOENT);
    put("{}");
    ck_assert_int_eq(add("", text, NULL), ENOENT);
    ck_assert_ptr_nonnull(strstr(refused.message, "the blob 'sha256:"));
    put("layer");
    ck_assert_int_eq(add("", text, NULL), 0);
    ck_assert_int_eq(add(DOCKER, text, NULL), 0);
    free(text);
}
END_TEST

START_TEST(a_foreign_layer_need_not_be_there)
{
    char *text =
        manifest_of("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "elsewhere");

    put("{}");
    ck_assert_int_eq(add("", text, NULL), 0);
    free(text);
}
END_TEST

START_TEST(what_is_no_manifest_is_refused)
{
    static const struct {
        const char *type, *text;
        int errnum;
        const char *message;
    } rows[] = {
        {"", "", EUCLEAN, "no valid JSON"},
        {"", "{", EUCLEAN, "no valid JSON"},
        {"", "[]", EUCLEAN, "schema version"},
        {"", "{\"schemaVersion\":1}", EUCLEAN, "schema version"},
        {"", "{\"schemaVersion\":2,\"schemaVersion\":2}", EUCLEAN, "no valid JSON"},
        {"", "{\"schemaVersion\":2}", EUCLEAN, "no config"},
        {"", "{\"schemaVersion\":2,\"config\":1}", EUCLEAN, "no list 'layers'"},
        {"", "{\"schemaVersion\":2,\"config\":1,\"layers\":[]}", EUCLEAN, "the config is no"},
        {"", "{\"schemaVersion\":2,\"config\":1,\"layers\":[{}]}", EUCLEAN,
         "layer 1 has no digest"},
        {INDEX, "{\"schemaVersion\":2}", EUCLEAN, "no list 'manifests'"},
        {INDEX, "{\"schemaVersion\":2,\"manifests\":[],\"layers\":[]}", EUCLEAN, "in disguise"},
        {MANIFEST, "{\"schemaVersion\":2,\"manifests\":[],\"layers\":[]}", EUCLEAN, "in disguise"},
        {MANIFEST, "{\"schemaVersion\":2,\"mediaType\":\"" INDEX "\"}", EUCLEAN, "says that it is"},
        {"text/plain", "{\"schemaVersion\":2}", EOPNOTSUPP, "'text/plain'"},
        {"", "{\"schemaVersion\":2,\"mediaType\":\"a/b\"}", EOPNOTSUPP, "'a/b'"},
        {INDEX,
         "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"sha256:../../../../etc/passwd\","
         "\"size\":1}]}",
         EUCLEAN, "no digest"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ck_assert_msg(add(rows[i].type, rows[i].text, NULL) == rows[i].errnum, "row %zu: %s", i,
                      refused.message);
        ck_assert_msg(strstr(refused.message, rows[i].message), "row %zu: %s", i, refused.message);
    }
    ck_assert_uint_eq(collect(), 0);
}
END_TEST

START_TEST(a_size_that_a_blob_has_not_is_refused)
{
    char *text = manifest_of(LAYER, "layer"), *at;

    put("{}");
    put("layer");
    at = strstr(text, "\"size\":5");
    ck_assert_ptr_nonnull(at);
    at[7] = '6';
    ck_assert_int_eq(add("", text, NULL), EUCLEAN);
    ck_assert_ptr_nonnull(strstr(refused.message, "5 bytes, not 6"));
    free(text);
}
END_TEST

START_TEST(a_manifest_is_found_by_its_name_and_by_an_index)
{
    char *text = manifest_of(LAYER, "layer"), *entry, *index = NULL;
    struct romsim_store_name child = {0}, parent = {0}, found = {0};

    put("{}");
    put("layer");
    entry = describe(MANIFEST, text);
    ck_assert_int_gt(asprintf(&index, "{\"schemaVersion\":2,\"manifests\":[%s]}", entry), 0);
    ck_assert_int_eq(add(INDEX, index, NULL), ENOENT);
    ck_assert_ptr_nonnull(strstr(refused.message, "the manifest 'sha256:"));
    ck_assert_int_eq(add(MANIFEST, text, &child), 0);
    ck_assert_int_eq(romsim_stores_find_manifest(&stores, "org/app", child.digest, &found, NULL),
                     0);
    ck_assert_int_eq(add("", index, &parent), 0);
    ck_assert_str_eq(parent.media_type, INDEX);
    ck_assert_int_eq(romsim_store_tag(store, "localhost:80/org/app", parent.media_type,
                                      parent.digest, parent.size, NULL),
                     0);
    ck_assert_int_eq(romsim_stores_find_manifest(&stores, "org/ap", child.digest, &found, NULL), 0);
    ck_assert_int_eq(romsim_stores_find_manifest(&stores, "org/app", child.digest, &found, NULL),
                     1);
    ck_assert_str_eq(found.media_type, MANIFEST);
    ck_assert_uint_eq(found.size, strlen(text));
    ck_assert_str_eq(romsim_store_name_tag(&found), "latest");
    romsim_store_name_release(&found);
    ck_assert_uint_eq(collect(), 0);
    romsim_store_name_release(&child);
    romsim_store_name_release(&parent);
    free(text);
    free(entry);
    free(index);
}
END_TEST

START_TEST(a_layer_that_is_a_manifest_elsewhere_keeps_what_that_leads_to)
{
    char *inner = manifest_of(LAYER, "layer"), *outer = manifest_of(LAYER, inner);
    char *entries[2], *index = NULL;
    struct romsim_store_name name = {0};

    put("{}");
    put("layer");
    ck_assert_int_eq(add(MANIFEST, inner, NULL), 0);
    ck_assert_int_eq(add(MANIFEST, outer, NULL), 0);
    entries[0] = describe(MANIFEST, inner);
    ck_assert_int_gt(asprintf(&index, "{\"schemaVersion\":2,\"manifests\":[%s]}", entries[0]), 0);
    put(index);
    entries[1] = describe(INDEX, index);
    free(entries[0]);
    free(index);
    entries[0] = describe(MANIFEST, outer);
    ck_assert_int_gt(
        asprintf(&index, "{\"schemaVersion\":2,\"manifests\":[%s,%s]}", entries[1], entries[0]), 0);
    ck_assert_int_eq(add("", index, &name), 0);
    ck_assert_int_eq(romsim_store_tag(store, "a/b", name.media_type, name.digest, name.size, NULL),
                     0);
    ck_assert_uint_eq(collect(), 0);
    romsim_store_name_release(&name);
    free(entries[0]);
    free(entries[1]);
    free(inner);
    free(outer);
    free(index);
}
END_TEST

START_TEST(what_another_store_has_is_copied)
{
    char *text = manifest_of(LAYER, "layer"), *other = NULL, *path = NULL;

    put("{}");
    put("layer");
    ck_assert_int_gt(asprintf(&path, "%s/romsim/oci", folder), 0);
    ck_assert_int_gt(asprintf(&other, "%s/other", folder), 0);
    romsim_stores_close(&stores);
    romsim_store_close(store);
    ck_assert_int_eq(rename(path, other), 0);
    setenv("ROMSIM_IMAGE_STORES", other, 1);
    store = romsim_store_open(false, NULL);
    ck_assert_int_eq(romsim_stores_open(&stores, NULL), 0);
    ck_assert_uint_eq(stores.count, 2);
    ck_assert_int_eq(add("", text, NULL), 0);
    ck_assert_uint_eq(collect(), 3);
    free(text);
    free(other);
    free(path);
}
END_TEST

START_TEST(an_index_of_names_that_could_not_be_read_is_not_written)
{
    char *text = manifest_of(LAYER, "layer");
    struct romsim_store_name name = {0}, found = {0};
    struct romsim_error error;

    put("{}");
    put("layer");
    ck_assert_int_eq(add("", text, &name), 0);
    ck_assert_int_eq(romsim_store_tag(store, "a/b", name.media_type, name.digest, name.size, NULL),
                     0);
    ck_assert_int_eq(romsim_bounds_set("store-index=500", NULL), 0);
    ck_assert_int_eq(
        romsim_store_tag(store, "a/c", name.media_type, name.digest, name.size, &error), -1);
    ck_assert_int_eq(error.errnum, EFBIG);
    ck_assert_int_eq(romsim_store_find(store, "a/b", &found, NULL), 1);
    ck_assert_int_eq(romsim_bounds_set("store-index=16M", NULL), 0);
    romsim_store_name_release(&found);
    romsim_store_name_release(&name);
    free(text);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_scratch_file_becomes_the_blob_that_it_is,
        a_scratch_file_from_elsewhere_is_copied,
        a_scratch_file_that_is_closed_leaves_nothing,
        a_manifest_needs_what_it_leads_to,
        a_foreign_layer_need_not_be_there,
        what_is_no_manifest_is_refused,
        a_size_that_a_blob_has_not_is_refused,
        a_manifest_is_found_by_its_name_and_by_an_index,
        a_layer_that_is_a_manifest_elsewhere_keeps_what_that_leads_to,
        what_another_store_has_is_copied,
        an_index_of_names_that_could_not_be_read_is_not_written,
        NULL,
    };
    TCase *tcase = tcase_create("store");

    tcase_set_timeout(tcase, 300);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    for (size_t i = 0; tests[i]; i++)
        tcase_add_test(tcase, tests[i]);
    return unit_run_case("store", tcase);
}
