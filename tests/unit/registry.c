/* SPDX-License-Identifier: BSD-3-Clause */
/* registry.c: what stands in the registry's requests, and what it knows of what is under way. */
#include "sim/api/registry.h"

#include <romsim/bounds.h>
#include <romsim/clock.h>
#include <romsim/paths.h>

#include "harness.h"

#include <errno.h>

#define DIGEST "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

/* ---- requests ---------------------------------------------------------------------------------
 */

START_TEST(paths_are_told_by_their_end)
{
    static const struct {
        const char *text;
        enum registry_kind kind;
        const char *name, *reference;
    } rows[] = {
        {"", REGISTRY_BASE, "", ""},
        {"_catalog", REGISTRY_CATALOG, "", ""},
        {"a/tags/list", REGISTRY_TAGS, "a", ""},
        {"org/app/tags/list", REGISTRY_TAGS, "org/app", ""},
        {"org/app/manifests/v1", REGISTRY_MANIFEST, "org/app", "v1"},
        {"org/app/manifests/" DIGEST, REGISTRY_MANIFEST, "org/app", DIGEST},
        {"org/app/manifests/", REGISTRY_MANIFEST, "org/app", ""},
        {"a/b/c/blobs/" DIGEST, REGISTRY_BLOB, "a/b/c", DIGEST},
        {"a/blobs/uploads/", REGISTRY_UPLOADS, "a", ""},
        {"a/blobs/uploads", REGISTRY_UPLOADS, "a", ""},
        {"a/blobs/uploads/x-y", REGISTRY_UPLOAD, "a", "x-y"},
        {"a/referrers/" DIGEST, REGISTRY_REFERRERS, "a", DIGEST},
        /* A name may have the words of a path. */
        {"a/manifests/b/manifests/c", REGISTRY_MANIFEST, "a/manifests/b", "c"},
        {"a/blobs/uploads/tags/list", REGISTRY_TAGS, "a/blobs/uploads", ""},
        {"tags/list/tags/list", REGISTRY_TAGS, "tags/list", ""},
        {"manifests/manifests/manifests", REGISTRY_MANIFEST, "manifests", "manifests"},
        {"tags/list", REGISTRY_NOTHING, "", ""},
        {"/tags/list", REGISTRY_NOTHING, "", ""},
        {"manifests/x", REGISTRY_NOTHING, "", ""},
        {"/manifests/x", REGISTRY_NOTHING, "", ""},
        {"blobs/uploads/", REGISTRY_NOTHING, "", ""},
        {"x", REGISTRY_NOTHING, "", ""},
        {"/", REGISTRY_NOTHING, "", ""},
        {"a/b", REGISTRY_NOTHING, "", ""},
        {"_catalog/", REGISTRY_NOTHING, "", ""},
        {"a/manifests/b/c", REGISTRY_NOTHING, "", ""},
    };
    struct registry_path path;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        registry_path_parse(rows[i].text, &path);
        ck_assert_msg(path.kind == rows[i].kind, "'%s' is of the kind %d", rows[i].text, path.kind);
        ck_assert_str_eq(path.name, rows[i].name);
        ck_assert_str_eq(path.reference, rows[i].reference);
        ck_assert_int_eq(path.is_name_valid, *rows[i].name != '\0');
    }
}
END_TEST

START_TEST(what_is_too_long_is_no_name_and_no_reference)
{
    char *name = unit_repeat("", "a", REGISTRY_NAME_SIZE - 1, "/manifests/x");
    char *longer = unit_repeat("", "a", REGISTRY_NAME_SIZE, "/manifests/x");
    char *reference = unit_repeat("a/manifests/", "a", REGISTRY_REFERENCE_SIZE, "");
    struct registry_path path;

    registry_path_parse(name, &path);
    ck_assert(path.is_name_valid);
    registry_path_parse(longer, &path);
    ck_assert_int_eq(path.kind, REGISTRY_MANIFEST);
    ck_assert(!path.is_name_valid);
    ck_assert_str_eq(path.name, "");
    registry_path_parse(reference, &path);
    ck_assert_int_eq(path.kind, REGISTRY_MANIFEST);
    ck_assert_str_eq(path.reference, "");
    free(name);
    free(longer);
    free(reference);
}
END_TEST

START_TEST(names_are_words_with_separators)
{
    static const char *const good[] = {"a",   "0",     "a/b",   "a.b",   "a_b",    "a__b",
                                       "a-b", "a---b", "a1/2b", "a.b-c", "x/y/z/w"};
    static const char *const bad[] = {"",     "A",    "a/",   "/a",    "a//b", "a..b",     ".a",
                                      "a.",   "-a",   "a-",   "_a",    "a_",   "a___b",    "a._b",
                                      "a-/b", "a b",  "a:b",  "a@b",   "a\n",  "\xc3\xa4", "a%2fb",
                                      "..",   "a/..", "../a", "a/./b", "a\\b"};

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        ck_assert_msg(registry_name_is_valid(good[i]), "'%s'", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(!registry_name_is_valid(bad[i]), "'%s'", bad[i]);
}
END_TEST

START_TEST(tags_are_of_a_few_characters)
{
    static const char *const good[] = {"a", "A", "_", "1.2-3_4", "latest", "sha256-abc.sig"};
    static const char *const bad[] = {"", ".a", "-a", "a/b", "a:b", "a b", "\xc3\xa4", "a\n"};
    char *most = unit_repeat("", "a", 128, ""), *more = unit_repeat("", "a", 129, "");

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        ck_assert_msg(registry_tag_is_valid(good[i]), "'%s'", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(!registry_tag_is_valid(bad[i]), "'%s'", bad[i]);
    ck_assert(registry_tag_is_valid(most));
    ck_assert(!registry_tag_is_valid(more));
    free(most);
    free(more);
}
END_TEST

START_TEST(chunks_say_their_first_and_last_byte)
{
    static const struct {
        const char *text;
        uint64_t first, last;
    } good[] = {
        {"0-0", 0, 0},
        {"5-9", 5, 9},
        {"bytes 5-9/10", 5, 9},
        {"BYTES 5-9/*", 5, 9},
        {"0-18446744073709551614", 0, UINT64_MAX - 1},
    };
    static const char *const bad[] = {"",
                                      "-",
                                      "1",
                                      "1-",
                                      "-1",
                                      "2-1",
                                      "a-b",
                                      "1-2x",
                                      "1-2/3",
                                      "bytes 1-2",
                                      " 1-2",
                                      "1- 2",
                                      "+1-2",
                                      "0x1-2",
                                      "bytes=1-2/3",
                                      "1--2",
                                      "1-2-3",
                                      "0-18446744073709551615",
                                      "0-18446744073709551616",
                                      "99999999999999999999999-1"};
    uint64_t first, last;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ck_assert_msg(registry_parse_chunk(good[i].text, &first, &last), "'%s'", good[i].text);
        ck_assert_uint_eq(first, good[i].first);
        ck_assert_uint_eq(last, good[i].last);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(!registry_parse_chunk(bad[i], &first, &last), "'%s'", bad[i]);
}
END_TEST

START_TEST(ranges_are_cut_to_what_there_is)
{
    static const struct {
        const char *text;
        uint64_t size;
        int kind;
        uint64_t offset, length;
    } rows[] = {
        {"bytes=0-0", 10, 1, 0, 1},
        {"bytes=2-5", 10, 1, 2, 4},
        {"bytes=2-", 10, 1, 2, 8},
        {"bytes=9-99", 10, 1, 9, 1},
        {"bytes=-3", 10, 1, 7, 3},
        {"bytes=-99", 10, 1, 0, 10},
        {"Bytes=0-", 1, 1, 0, 1},
        {"bytes=0-18446744073709551615", 10, 1, 0, 10},
        {"bytes=10-", 10, -1, 0, 0},
        {"bytes=10-20", 10, -1, 0, 0},
        {"bytes=-0", 10, -1, 0, 0},
        {"bytes=0-", 0, -1, 0, 0},
        {"bytes=-1", 0, -1, 0, 0},
        {"bytes=5-2", 10, 0, 0, 0},
        {"bytes=1-2,3-4", 10, 0, 0, 0},
        {"lines=1-2", 10, 0, 0, 0},
        {"bytes=", 10, 0, 0, 0},
        {"bytes=-", 10, 0, 0, 0},
        {"bytes=a-", 10, 0, 0, 0},
        {"bytes=1", 10, 0, 0, 0},
        {"bytes=--1", 10, 0, 0, 0},
        {"bytes=99999999999999999999-", 10, 0, 0, 0},
        {"", 10, 0, 0, 0},
        {"bytes 1-2", 10, 0, 0, 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t offset = 0, length = 0;

        ck_assert_msg(registry_parse_range(rows[i].text, rows[i].size, &offset, &length) ==
                          rows[i].kind,
                      "'%s'", rows[i].text);
        ck_assert_uint_eq(offset, rows[i].offset);
        ck_assert_uint_eq(length, rows[i].length);
    }
}
END_TEST

START_TEST(media_types_come_without_their_parameters)
{
    static const struct {
        const char *text, *type;
    } rows[] = {
        {"a/b", "a/b"},
        {" a/B ; x=y", "a/b"},
        {"a/b;", "a/b"},
        {"", ""},
        {";", ""},
        {"application/vnd.oci.image.manifest.v1+json;charset=utf-8",
         "application/vnd.oci.image.manifest.v1+json"},
    };
    char type[64], small[4];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        registry_parse_type(rows[i].text, type, sizeof(type));
        ck_assert_str_eq(type, rows[i].type);
    }
    registry_parse_type("a/bc", small, sizeof(small));
    ck_assert_str_eq(small, "");
}
END_TEST

/* ---- what is under way ------------------------------------------------------------------------
 */

static char folder[] = "/tmp/romsim-registry.XXXXXX";
static struct registry *registry;

static void set_up(void)
{
    memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    setenv("XDG_DATA_HOME", folder, 1);
    registry = registry_new(NULL);
    ck_assert_ptr_nonnull(registry);
}

static void tear_down(void)
{
    registry_free(registry);
    ck_assert_int_eq(romsim_path_remove_tree(folder, NULL), 0);
}

static size_t uploads, held;
static bool is_locked;
static void count(void)
{
    registry_count(registry, &uploads, &held, &is_locked);
}

static struct registry_upload *begin(const char *name)
{
    struct romsim_store *store = romsim_store_open(false, NULL);
    struct registry_upload *upload = registry_begin(registry, name, &store, NULL);

    romsim_store_close(store);
    return upload;
}

static void hold(const char *name, const char *digest, const char *type)
{
    struct romsim_store *store = romsim_store_open(false, NULL);

    ck_assert_int_eq(registry_hold(registry, name, digest, type, &store, NULL), 0);
    romsim_store_close(store);
}

/* Nobody else has the store: a gc could run. */
static bool gc_can_run(void)
{
    struct romsim_store *store = romsim_store_open(true, NULL);

    romsim_store_close(store);
    return store;
}

static uint64_t later(unsigned seconds)
{
    return romsim_clock_us() + seconds * UINT64_C(1000000);
}

START_TEST(an_upload_locks_the_store_until_it_ends)
{
    struct registry_upload *upload = begin("a");

    count();
    ck_assert(uploads == 1 && is_locked);
    ck_assert(!gc_can_run());
    registry_end(registry, upload);
    count();
    ck_assert(uploads == 0 && !is_locked);
    ck_assert(gc_can_run());
}
END_TEST

START_TEST(an_upload_is_had_by_one_at_a_time)
{
    struct registry_upload *upload = begin("a");
    struct romsim_error error;
    char id[ROMSIM_UUID_SIZE];

    memcpy(id, upload->id, sizeof(id));
    ck_assert_ptr_null(registry_get(registry, "a", id, &error));
    ck_assert_int_eq(error.errnum, EBUSY);
    registry_give_back(registry, upload);
    ck_assert_ptr_null(registry_get(registry, "b", id, &error));
    ck_assert_int_eq(error.errnum, ENOENT);
    ck_assert_ptr_null(registry_get(registry, "a", "x", &error));
    ck_assert_int_eq(error.errnum, ENOENT);
    ck_assert_ptr_eq(registry_get(registry, "a", id, &error), upload);
    registry_end(registry, upload);
    ck_assert_ptr_null(registry_get(registry, "a", id, &error));
}
END_TEST

START_TEST(what_nobody_goes_on_with_is_forgotten)
{
    struct registry_upload *upload = begin("a");

    hold("b", DIGEST, "");
    registry_tick(registry, later(2 * REGISTRY_IDLE_S)); /* somebody has it */
    count();
    ck_assert(uploads == 1 && held == 0 && is_locked);
    registry_give_back(registry, upload);
    registry_tick(registry, later(REGISTRY_IDLE_S / 2));
    count();
    ck_assert(uploads == 1);
    registry_tick(registry, later(2 * REGISTRY_IDLE_S));
    count();
    ck_assert(uploads == 0 && !is_locked);
}
END_TEST

START_TEST(a_body_on_its_way_keeps_what_is_in_its_repository)
{
    struct registry_upload *upload = begin("a");
    struct registry_body *body = registry_body_begin(registry, "a", NULL);

    registry_give_back(registry, upload);
    hold("a", DIGEST, "");
    hold("b", DIGEST, "");
    registry_tick(registry, later(2 * REGISTRY_IDLE_S));
    count();
    ck_assert(uploads == 1 && held == 1 && is_locked);
    registry_body_end(body);
    registry_body_end(NULL);
    registry_tick(registry, later(4 * REGISTRY_IDLE_S));
    count();
    ck_assert(uploads == 0 && held == 0 && !is_locked);
}
END_TEST

START_TEST(a_blob_is_held_until_a_name_leads_to_it)
{
    char type[32] = "";

    hold("a", DIGEST, "");
    hold("a", DIGEST, "");
    hold("b", DIGEST, "");
    count();
    ck_assert(held == 2 && is_locked);
    ck_assert(!gc_can_run());
    ck_assert(registry_holds(registry, "a", DIGEST, type, sizeof(type)));
    ck_assert(!registry_holds(registry, "c", DIGEST, type, sizeof(type)));
    registry_let_go(registry, "c", DIGEST);
    count();
    ck_assert(held == 0 && !is_locked);
    ck_assert(gc_can_run());
}
END_TEST

START_TEST(a_manifest_is_held_for_its_repository)
{
    char type[32] = "";

    hold("a", DIGEST, "a/b");
    registry_let_go(registry, "b", DIGEST);
    ck_assert(registry_holds(registry, "a", DIGEST, type, sizeof(type)));
    ck_assert_str_eq(type, "a/b");
    registry_let_go(registry, "a", DIGEST);
    ck_assert(!registry_holds(registry, "a", DIGEST, type, sizeof(type)));
    count();
    ck_assert(!is_locked);
}
END_TEST

START_TEST(uploads_and_bodies_are_bounded)
{
    struct registry_body *bodies[1000];
    struct romsim_error error;
    struct registry_upload *upload;
    struct romsim_store *store = NULL;
    size_t begun = 0;

    while ((upload = registry_begin(registry, "a", &store, &error))) {
        registry_give_back(registry, upload);
        ck_assert_uint_lt(++begun, 1000);
    }
    ck_assert_int_eq(error.errnum, EBUSY);
    ck_assert_uint_ge(begun, 64);
    begun = 0;
    while ((bodies[begun] = registry_body_begin(registry, "a", &error)))
        ck_assert_uint_lt(++begun, 1000);
    ck_assert_int_eq(error.errnum, EBUSY);
    while (begun > 0)
        registry_body_end(bodies[--begun]);
    bodies[0] = registry_body_begin(registry, "a", &error);
    ck_assert_ptr_nonnull(bodies[0]);
    registry_body_end(bodies[0]);
}
END_TEST

START_TEST(the_bytes_of_all_uploads_are_bounded)
{
    struct registry_upload *one = begin("a"), *other = begin("b");
    struct romsim_error error;

    ck_assert_int_eq(romsim_bounds_set("file-bytes=1000", NULL), 0);
    ck_assert_int_eq(registry_resize(registry, one, 600, &error), 0);
    ck_assert_int_eq(registry_resize(registry, other, 401, &error), -1);
    ck_assert_int_eq(error.errnum, EFBIG);
    ck_assert_int_eq(registry_resize(registry, other, UINT64_MAX, &error), -1);
    ck_assert_int_eq(registry_resize(registry, other, 400, &error), 0);
    ck_assert_uint_eq(other->size, 400);
    ck_assert_int_eq(registry_resize(registry, one, 500, &error), 0);
    ck_assert_int_eq(registry_resize(registry, other, 500, &error), 0);
    ck_assert_int_eq(registry_resize(registry, other, 501, &error), -1);
    registry_end(registry, one);
    ck_assert_int_eq(registry_resize(registry, other, 1000, &error), 0);
    registry_end(registry, other);
    ck_assert_int_eq(romsim_bounds_set("file-bytes=64G", NULL), 0);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        paths_are_told_by_their_end,
        what_is_too_long_is_no_name_and_no_reference,
        names_are_words_with_separators,
        tags_are_of_a_few_characters,
        chunks_say_their_first_and_last_byte,
        ranges_are_cut_to_what_there_is,
        media_types_come_without_their_parameters,
        an_upload_locks_the_store_until_it_ends,
        an_upload_is_had_by_one_at_a_time,
        what_nobody_goes_on_with_is_forgotten,
        a_body_on_its_way_keeps_what_is_in_its_repository,
        a_blob_is_held_until_a_name_leads_to_it,
        a_manifest_is_held_for_its_repository,
        uploads_and_bodies_are_bounded,
        the_bytes_of_all_uploads_are_bounded,
    };
    TCase *tcase = tcase_create("registry");

    tcase_set_timeout(tcase, 300);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
        tcase_add_test(tcase, tests[i]);
    return unit_run_case("registry", tcase);
}
