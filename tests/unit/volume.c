/* SPDX-License-Identifier: BSD-3-Clause */
/* volume.c: the store of volumes: who has one, what a killed process leaves, what is an image. */
#include "harness.h"

#include <romsim/file.h>
#include <romsim/paths.h>
#include <romsim/volume.h>

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE_MB = 8 };

static char data[] = "/tmp/romsim-unit-volume.XXXXXX";
static struct romsim_error err;

static void set_up(void)
{
    ck_assert_ptr_nonnull(mkdtemp(data));
    ck_assert_int_eq(setenv("XDG_DATA_HOME", data, 1), 0);
}

static void tear_down(void)
{
    ck_assert_int_eq(romsim_path_remove_tree(data, NULL), 0);
}

static void make(const char *name)
{
    ck_assert_msg(romsim_volume_create(name, SIZE_MB, NULL, &err) == 0, "%s", err.message);
}

static bool is_there(const char *name)
{
    CLEANUP_VOLUME struct romsim_volume_info info = {0};
    int found = romsim_volume_find(name, NULL, &info, &err);

    ck_assert_int_ge(found, 0);
    return found == 1;
}

static struct romsim_volume_hold attach(const char *name, bool is_written, const char *instance)
{
    struct romsim_volume_hold hold = ROMSIM_VOLUME_HOLD_NONE;

    ck_assert_msg(romsim_volume_attach(name, 0, is_written, instance, &hold, &err) == 0, "%s",
                  err.message);
    return hold;
}

static void refuse(const char *name, bool is_written)
{
    struct romsim_volume_hold hold = ROMSIM_VOLUME_HOLD_NONE;

    err = (struct romsim_error){0};
    ck_assert_int_eq(romsim_volume_attach(name, 0, is_written, "late", &hold, &err), -1);
    ck_assert_int_eq(hold.fd, -1);
}

START_TEST(a_new_volume_is_sparse_and_found_by_both_of_its_names)
{
    CLEANUP_VOLUME struct romsim_volume_info info = {0}, same = {0};

    ck_assert_int_eq(romsim_volume_create("large", 1024, NULL, &err), 0);
    ck_assert_int_eq(romsim_volume_find("large", NULL, &info, &err), 1);
    ck_assert_uint_eq(info.size, UINT64_C(1) << 30);
    ck_assert_uint_lt(info.used, 8 << 20);
    ck_assert(info.is_persistent && !info.holder && info.created_at > 0);
    ck_assert(romsim_uuid_is_valid(info.uuid));
    ck_assert_int_eq(romsim_volume_find(NULL, info.uuid, &same, &err), 1);
    ck_assert_str_eq(same.name, "large");
    ck_assert(!is_there("small"));
    ck_assert_int_eq(romsim_volume_find(NULL, "77d0316a-fbbe-488d-8618-5bf7a612477a", &same, &err),
                     0);
}
END_TEST

START_TEST(a_name_is_given_once_and_is_no_path)
{
    static const char *const bad[] = {"", ".", "..", "a/b", "/a", "a b", "a\n"};

    make("a");
    ck_assert_int_eq(romsim_volume_create("a", SIZE_MB, NULL, &err), -1);
    ck_assert_int_eq(err.errnum, EEXIST);
    ck_assert_int_eq(err.cloud, ROMSIM_CLOUD_ALREADY_EXISTS);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_int_eq(romsim_volume_create(bad[i], SIZE_MB, NULL, &err), -1);
        ck_assert_int_eq(err.errnum, EINVAL);
        ck_assert_int_eq(romsim_volume_remove(bad[i], &err), -1);
    }
    ck_assert_int_eq(romsim_volume_create("b", ROMSIM_VOLUME_MIN_MB - 1, NULL, &err), -1);
    ck_assert_int_eq(romsim_volume_create("b", ROMSIM_VOLUME_MAX_MB + 1, NULL, &err), -1);
    ck_assert(!is_there("b"));
}
END_TEST

START_TEST(who_writes_has_it_alone)
{
    struct romsim_volume_hold hold;
    CLEANUP_VOLUME struct romsim_volume_info info = {0};

    make("v");
    hold = attach("v", true, "first");
    ck_assert(hold.is_writable && !hold.is_made);
    refuse("v", true);
    ck_assert_int_eq(err.errnum, EBUSY);
    ck_assert_int_eq(err.cloud, ROMSIM_CLOUD_ATTACHED);
    ck_assert_str_eq(err.message, "the volume 'v' is attached to the instance 'first'");
    refuse("v", false);
    ck_assert_int_eq(err.cloud, ROMSIM_CLOUD_ATTACHED);
    ck_assert_int_eq(romsim_volume_remove("v", &err), -1);
    ck_assert_int_eq(err.errnum, EBUSY);
    ck_assert_int_eq(romsim_volume_find("v", NULL, &info, &err), 1);
    ck_assert_str_eq(info.holder, "first");
    ck_assert(info.is_written);
    romsim_volume_detach(&hold);
    hold = attach("v", true, "second");
    romsim_volume_detach(&hold);
    ck_assert_int_eq(romsim_volume_remove("v", &err), 0);
    ck_assert(!is_there("v"));
    refuse("v", true);
    ck_assert_int_eq(err.cloud, ROMSIM_CLOUD_NOT_FOUND);
}
END_TEST

START_TEST(several_may_read)
{
    struct romsim_volume_hold one, other;

    make("v");
    one = attach("v", false, "one");
    other = attach("v", false, "other");
    ck_assert(!one.is_writable && !other.is_writable);
    ck_assert_int_eq(fcntl(one.fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    refuse("v", true);
    ck_assert_int_eq(err.cloud, ROMSIM_CLOUD_ATTACHED);
    romsim_volume_detach(&one);
    refuse("v", true);
    romsim_volume_detach(&other);
    one = attach("v", true, "one");
    romsim_volume_detach(&one);
}
END_TEST

START_TEST(one_that_is_made_for_an_instance_goes_with_it)
{
    struct romsim_volume_hold hold = ROMSIM_VOLUME_HOLD_NONE;

    ck_assert_int_eq(romsim_volume_attach("made", SIZE_MB, true, "i", &hold, &err), 0);
    ck_assert(hold.is_made);
    ck_assert(is_there("made"));
    romsim_volume_detach(&hold);
    ck_assert(!is_there("made"));
    make("there");
    ck_assert_int_eq(romsim_volume_attach("there", SIZE_MB, true, "i", &hold, &err), -1);
    ck_assert_int_eq(err.cloud, ROMSIM_CLOUD_ALREADY_EXISTS);
}
END_TEST

/* Whoever is killed drops its locks, and nothing else. */
START_TEST(what_a_killed_owner_had_is_free_and_what_was_made_for_it_is_gone)
{
    struct romsim_volume_hold hold;
    int ready[2];
    char byte;
    pid_t pid;

    make("v");
    ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        struct romsim_volume_hold made = ROMSIM_VOLUME_HOLD_NONE;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        hold = attach("v", true, "child");
        if (romsim_volume_attach("made", SIZE_MB, true, "child", &made, NULL) < 0 ||
            write(ready[1], "r", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    refuse("v", true);
    ck_assert(is_there("made"));
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert(!is_there("made"));
    hold = attach("v", true, "next");
    romsim_volume_detach(&hold);
    close(ready[0]);
}
END_TEST

START_TEST(a_draft_that_nobody_finishes_is_swept)
{
    char draft[256], image[300];
    struct stat ignored;
    int fd;

    make("v");
    snprintf(draft, sizeof(draft), "%s/romsim/volumes/new/left", data);
    snprintf(image, sizeof(image), "%s/image", draft);
    ck_assert_int_eq(mkdir(draft, 0700), 0);
    fd = open(image, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert(is_there("v"));
    ck_assert_int_lt(stat(draft, &ignored), 0);
}
END_TEST

/* ---- images ------------------------------------------------------------------------------- */

/* Changes bytes of a volume's image. */
static void patch(const char *name, off_t offset, const void *bytes, size_t size)
{
    char image[256];
    int fd;

    snprintf(image, sizeof(image), "%s/romsim/volumes/ready/%s/image", data, name);
    fd = open(image, O_RDWR | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pwrite(fd, bytes, size, offset), (int)size);
    close(fd);
}

START_TEST(a_journal_to_be_replayed_takes_a_writable_device)
{
    static const char incompat_with_recover[] = "\xc6\x02\x00\x00";
    struct romsim_volume_hold hold;

    make("v");
    patch("v", 1024 + 96, incompat_with_recover, 4);
    hold = attach("v", false, "reader");
    ck_assert(hold.is_writable);
    refuse("v", false); /* nobody else may read what the guest's kernel changes */
    romsim_volume_detach(&hold);
}
END_TEST

static int import_bytes(const void *head, size_t size, off_t length)
{
    char path[256];
    int fd, status;

    snprintf(path, sizeof(path), "%s/file", data);
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, length), 0);
    ck_assert_int_eq(pwrite(fd, head, size, 1024), (int)size);
    close(fd);
    status = romsim_volume_import(path, "imported", 0, &err);
    if (status < 0)
        ck_assert(!is_there("imported"));
    else
        ck_assert_int_eq(romsim_volume_remove("imported", &err), 0);
    return status;
}

/* A superblock of so many blocks of 1024 << bits bytes. */
static const uint8_t *super(uint32_t blocks, uint32_t bits, uint32_t incompat, uint32_t high)
{
    static uint8_t bytes[1024];
    const uint32_t fields[][2] = {{4, blocks}, {24, bits}, {96, incompat}, {336, high}};

    memset(bytes, 0, sizeof(bytes));
    bytes[56] = 0x53;
    bytes[57] = 0xef;
    for (size_t i = 0; i < 4; i++)
        for (unsigned byte = 0; byte < 4; byte++)
            bytes[fields[i][0] + byte] = (uint8_t)(fields[i][1] >> 8 * byte);
    return bytes;
}

START_TEST(an_image_is_known_by_its_superblock)
{
    const off_t mebibyte = 1 << 20;

    ck_assert_int_eq(import_bytes(super(1024, 0, 0, 0), 1024, mebibyte), 0);
    ck_assert_int_eq(import_bytes(super(256, 2, 0x80, 0), 1024, mebibyte), 0);
    ck_assert_int_eq(import_bytes(super(257, 2, 0, 0), 1024, mebibyte), -1);
    ck_assert_ptr_nonnull(strstr(err.message, "is cut short: 1048576 bytes of 1052672"));
    ck_assert_int_eq(import_bytes(super(256, 2, 0x80, 1), 1024, mebibyte), -1);
    ck_assert_int_eq(import_bytes(super(256, 2, 0x80, UINT32_MAX), 1024, mebibyte), -1);
    ck_assert_int_eq(import_bytes(super(256, 7, 0, 0), 1024, mebibyte), -1);
    ck_assert_int_eq(import_bytes(super(256, UINT32_MAX, 0, 0), 1024, mebibyte), -1);
    ck_assert_int_eq(import_bytes(super(0, 2, 0, 0), 1024, mebibyte), -1);
    ck_assert_int_eq(import_bytes(super(256, 2, 0x8, 0), 1024, mebibyte), -1);
    ck_assert_int_eq(import_bytes("", 0, mebibyte), -1);
    ck_assert_ptr_nonnull(strstr(err.message, "is no ext4 image"));
    ck_assert_int_eq(import_bytes(super(1, 0, 0, 0), 1000, 1000), -1);
    ck_assert_int_eq(import_bytes("", 0, 0), -1);
}
END_TEST

static int set_traits(void *context, struct romsim_volume_traits *traits,
                      struct romsim_error *error)
{
    const char *tag = context;

    if (!*tag)
        return romsim_error_set(error, EINVAL, "no");
    traits->has_delete_lock = strcmp(tag, "locked") == 0;
    return romsim_strings_append(&traits->tags, tag);
}

static int change(const char *name, const char *tag)
{
    return romsim_volume_change(name, set_traits, (void *)tag, &err);
}

START_TEST(what_users_say_of_a_volume_is_kept_and_changed)
{
    char text[] = "one", *tag = text;
    const struct romsim_volume_traits traits = {.tags = {&tag, 1}, .is_dynamic = true};
    CLEANUP_VOLUME struct romsim_volume_info info = {0}, locked = {0};

    ck_assert_int_eq(romsim_volume_create("v", SIZE_MB, &traits, &err), 0);
    ck_assert_int_eq(change("v", ""), -1);
    ck_assert_int_eq(change("v", "two"), 0);
    ck_assert_int_eq(romsim_volume_find("v", NULL, &info, &err), 1);
    ck_assert_uint_eq(info.traits.tags.count, 2);
    ck_assert_str_eq(info.traits.tags.items[1], "two");
    ck_assert(info.traits.is_dynamic && !info.traits.is_for_reading);
    ck_assert(!info.traits.has_delete_lock && info.is_persistent);
    ck_assert_int_eq(change("v", "locked"), 0);
    ck_assert_int_eq(romsim_volume_remove("v", &err), -1);
    ck_assert_int_eq(err.cloud, ROMSIM_CLOUD_NOT_ALLOWED);
    ck_assert_ptr_nonnull(strstr(err.message, "Deletion protection enabled"));
    ck_assert_int_eq(change("v", "unlocked"), 0);
    ck_assert_int_eq(romsim_volume_find("v", NULL, &locked, &err), 1);
    ck_assert_str_eq(locked.uuid, info.uuid);
    ck_assert_int_eq(romsim_volume_remove("v", &err), 0);
    ck_assert_int_eq(change("v", "x"), -1);
    ck_assert_int_eq(err.cloud, ROMSIM_CLOUD_NOT_FOUND);
}
END_TEST

START_TEST(a_volume_for_reading_is_not_written_to)
{
    const struct romsim_volume_traits traits = {.is_for_reading = true};
    struct romsim_volume_hold hold;

    ck_assert_int_eq(romsim_volume_create("v", SIZE_MB, &traits, &err), 0);
    refuse("v", true);
    ck_assert_int_eq(err.cloud, ROMSIM_CLOUD_NOT_ALLOWED);
    hold = attach("v", false, "one");
    ck_assert_int_eq(romsim_volume_reattach(&hold, true, "one", &err), -1);
    ck_assert_int_eq(err.cloud, ROMSIM_CLOUD_NOT_ALLOWED);
    romsim_volume_detach(&hold);
}
END_TEST

START_TEST(a_clone_is_another_volume_with_the_same_bytes)
{
    CLEANUP_VOLUME struct romsim_volume_info one = {0}, other = {0};
    struct romsim_volume_hold hold, copy;
    char bytes[2][4096];

    make("v");
    hold = attach("v", true, "writer");
    memset(bytes[0], 'x', sizeof(bytes[0]));
    ck_assert_int_eq(romsim_write_fully(hold.fd, bytes[0], sizeof(bytes[0]), 1 << 20), 0);
    ck_assert_int_eq(romsim_volume_clone("v", "w", NULL, &err), -1);
    ck_assert_int_eq(err.cloud, ROMSIM_CLOUD_ATTACHED);
    romsim_volume_detach(&hold);
    ck_assert_msg(romsim_volume_clone("v", "w", NULL, &err) == 0, "%s", err.message);
    ck_assert_int_eq(romsim_volume_find("v", NULL, &one, &err), 1);
    ck_assert_int_eq(romsim_volume_find("w", NULL, &other, &err), 1);
    ck_assert_str_ne(one.uuid, other.uuid);
    ck_assert_uint_eq(one.size, other.size);
    ck_assert(!one.holder && !other.holder);
    copy = attach("w", false, "reader");
    ck_assert_int_eq(romsim_read_fully(copy.fd, bytes[1], sizeof(bytes[1]), 1 << 20), 0);
    ck_assert_mem_eq(bytes[0], bytes[1], sizeof(bytes[0]));
    ck_assert_msg(romsim_volume_clone("w", "x", NULL, &err) == 0, "%s", err.message);
    romsim_volume_detach(&copy);
    ck_assert_int_eq(romsim_volume_clone("v", "w", NULL, &err), -1);
    ck_assert_int_eq(err.cloud, ROMSIM_CLOUD_ALREADY_EXISTS);
    ck_assert_int_eq(romsim_volume_clone("z", "y", NULL, &err), -1);
    ck_assert_int_eq(err.cloud, ROMSIM_CLOUD_NOT_FOUND);
}
END_TEST

START_TEST(a_volume_grows_and_does_not_shrink)
{
    CLEANUP_VOLUME struct romsim_volume_info info = {0};
    struct romsim_volume_hold hold;

    make("v");
    ck_assert_int_eq(romsim_volume_grow("v", SIZE_MB, &err), 0);
    ck_assert_int_eq(romsim_volume_grow("v", 1024, &err), 0);
    ck_assert_int_eq(romsim_volume_grow("v", SIZE_MB, &err), -1);
    ck_assert_int_eq(err.cloud, ROMSIM_CLOUD_INVALID);
    ck_assert_int_eq(romsim_volume_grow("v", UINT64_MAX, &err), -1);
    ck_assert_int_eq(romsim_volume_find("v", NULL, &info, &err), 1);
    ck_assert_uint_eq(info.size, UINT64_C(1) << 30);
    ck_assert_uint_lt(info.used, 8 << 20);
    hold = attach("v", false, "i");
    ck_assert_int_eq(romsim_volume_grow("v", 2048, &err), -1);
    ck_assert_int_eq(err.cloud, ROMSIM_CLOUD_ATTACHED);
    romsim_volume_detach(&hold);
}
END_TEST

START_TEST(who_has_a_volume_may_have_it_otherwise_if_nobody_else_reads_it)
{
    struct romsim_volume_hold one, other;

    make("v");
    one = attach("v", false, "one");
    other = attach("v", false, "other");
    ck_assert_int_eq(romsim_volume_reattach(&one, true, "one", &err), -1);
    ck_assert_int_eq(err.cloud, ROMSIM_CLOUD_ATTACHED);
    ck_assert(!one.is_writable);
    romsim_volume_detach(&other);
    ck_assert_int_eq(romsim_volume_reattach(&one, true, "one", &err), 0);
    ck_assert(one.is_writable);
    ck_assert_int_eq(fcntl(one.fd, F_GETFL) & O_ACCMODE, O_RDWR);
    refuse("v", false);
    ck_assert_int_eq(romsim_volume_reattach(&one, false, "one", &err), 0);
    other = attach("v", false, "other");
    romsim_volume_detach(&other);
    romsim_volume_detach(&one);
}
END_TEST

START_TEST(one_that_is_left_stays)
{
    CLEANUP_VOLUME struct romsim_volume_info info = {0};
    struct romsim_volume_hold hold = ROMSIM_VOLUME_HOLD_NONE;

    ck_assert_int_eq(romsim_volume_attach("made", SIZE_MB, true, "i", &hold, &err), 0);
    romsim_volume_leave(&hold);
    ck_assert_int_eq(hold.fd, -1);
    ck_assert_int_eq(romsim_volume_find("made", NULL, &info, &err), 1);
    ck_assert(info.is_persistent && !info.holder);
}
END_TEST

START_TEST(an_item_says_who_has_it_and_who_mounts_it)
{
    CLEANUP_VOLUME struct romsim_volume_info info = {0};
    struct romsim_volume_hold hold;
    json_t *instances, *item;

    make("v");
    hold = attach("v", false, "a");
    ck_assert_int_eq(romsim_volume_find("v", NULL, &info, &err), 1);
    item = romsim_volume_json(&info, NULL);
    ck_assert_str_eq(json_string_value(json_object_get(item, "state")), "idle");
    json_decref(item);
    instances = json_pack("[{s:s, s:s, s:s, s:[{s:s, s:b}]}, {s:s, s:s, s:s, s:[{s:s}]}, {s:s}]",
                          "name", "a", "uuid", "1", "state", "running", "volumes", "uuid",
                          info.uuid, "readonly", 1, "name", "b", "uuid", "2", "state", "stopped",
                          "volumes", "uuid", info.uuid, "name", "c");
    item = romsim_volume_json(&info, instances);
    ck_assert_str_eq(json_string_value(json_object_get(item, "state")), "mounted");
    ck_assert_uint_eq(json_array_size(json_object_get(item, "attached_to")), 2);
    ck_assert_uint_eq(json_array_size(json_object_get(item, "mounted_by")), 1);
    ck_assert_str_eq(json_string_value(json_object_get(item, "access_mode")), "rwo");
    json_decref(item);
    json_decref(instances);
    romsim_volume_detach(&hold);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_new_volume_is_sparse_and_found_by_both_of_its_names,
        a_name_is_given_once_and_is_no_path,
        who_writes_has_it_alone,
        several_may_read,
        one_that_is_made_for_an_instance_goes_with_it,
        what_a_killed_owner_had_is_free_and_what_was_made_for_it_is_gone,
        a_draft_that_nobody_finishes_is_swept,
        a_journal_to_be_replayed_takes_a_writable_device,
        an_image_is_known_by_its_superblock,
        what_users_say_of_a_volume_is_kept_and_changed,
        a_volume_for_reading_is_not_written_to,
        a_clone_is_another_volume_with_the_same_bytes,
        a_volume_grows_and_does_not_shrink,
        who_has_a_volume_may_have_it_otherwise_if_nobody_else_reads_it,
        one_that_is_left_stays,
        an_item_says_who_has_it_and_who_mounts_it,
    };
    TCase *tcase = tcase_create("volume");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
        tcase_add_test(tcase, tests[i]);
    return unit_run_case("volume", tcase);
}
