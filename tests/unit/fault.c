/* SPDX-License-Identifier: BSD-3-Clause */
/* fault.c: faults as texts, and what they do to a seam. */
#include "seamed.h"

#include <romsim/clock.h>
#include <romsim/fault.h>

#include <errno.h>
#include <unistd.h>

static struct romsim_faults *make_faults(const char *text)
{
    struct romsim_faults *faults = romsim_faults_new();
    struct romsim_error err = {0};

    ck_assert_msg(romsim_faults_add(faults, text, &err) == 0, "%s", err.message);
    return faults;
}

/* A layout's seam with one fault. */
struct faulty {
    struct seamed seamed;
    struct romsim_faults *faults;
    struct romsim_seam *seam;
};

static void set_up(struct faulty *faulty, const char *text)
{
    struct romsim_error err;

    seamed_make(&faulty->seamed);
    faulty->faults = make_faults(text);
    faulty->seam =
        romsim_seam_new(&faulty->seamed.layout, false,
                        &(struct romsim_seam_options){.faults = faulty->faults, .stop = -1}, &err);
    ck_assert_msg(faulty->seam != NULL, "%s", faulty->seam ? "" : err.message);
}

static void tear_down(struct faulty *faulty)
{
    romsim_seam_free(faulty->seam);
    romsim_faults_free(faulty->faults);
    seamed_clear(&faulty->seamed);
}

static uint8_t byte_at(struct romsim_seam *seam, const char *path, uint64_t offset)
{
    struct romsim_view_data data;
    uint8_t byte;

    ck_assert_int_eq(romsim_seam_read(seam, seamed_find(seam, path), offset, 1, &data, NULL), 0);
    ck_assert_uint_eq(data.size, 1);
    byte = *(uint8_t *)data.pieces[0].iov_base;
    romsim_view_data_release(&data);
    return byte;
}

/* ---- texts -------------------------------------------------------------------------------- */

START_TEST(a_text_that_is_no_fault_is_refused)
{
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"", "there is no ''"},
        {"read=eio", "does not say of which ROM"},
        {"rom=a", "does not say what goes wrong"},
        {"rom=,read=eio", "'' cannot be the value of 'rom'"},
        {"rom=a,read=enoent", "'enoent' cannot be the value of 'read'"},
        {"rom=a,offset=1", "are of read=eio"},
        {"rom=a,latency=50", "'50' cannot be the value of 'latency'"},
        {"rom=a,latency=11s", "'11s' cannot be the value of 'latency'"},
        {"rom=a,corrupt=1:0", "cannot be the value of 'corrupt'"},
        {"rom=a,corrupt=1:256", "cannot be the value of 'corrupt'"},
        {"rom=a,truncate=-1", "'-1' cannot be the value of 'truncate'"},
        {"rom=a,truncate=99999999999999999999", "cannot be the value of 'truncate'"},
        {"rom=a,unaligned=1", "'1' cannot be the value of 'unaligned'"},
        {"rom=a,missing=1", "'1' cannot be the value of 'missing'"},
        {"rom=a,missing,latency=1s", "of a ROM that is missing nothing can be read"},
        {"rom=a,reed=eio", "there is no 'reed'"},
    };
    struct romsim_faults *faults = romsim_faults_new();

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct romsim_error err = {0};

        ck_assert_int_lt(romsim_faults_add(faults, bad[i].text, &err), 0);
        ck_assert_int_eq(err.errnum, EINVAL);
        ck_assert_msg(strstr(err.message, bad[i].message) != NULL, "%s", err.message);
    }
    ck_assert_uint_eq(romsim_faults_count(faults), 0);
    romsim_faults_free(faults);
}
END_TEST

START_TEST(a_fault_is_of_a_rom_of_the_instance)
{
    struct romsim_faults *faults = make_faults("rom=other,read=eio");
    const struct romsim_seam_options options = {.faults = faults, .stop = -1};
    struct romsim_error err = {0};
    struct seamed seamed;

    seamed_make(&seamed);
    ck_assert_ptr_null(romsim_seam_new(&seamed.layout, false, &options, &err));
    ck_assert_int_eq(err.errnum, ENOENT);
    romsim_faults_free(faults);
    seamed_clear(&seamed);
}
END_TEST

START_TEST(a_missing_rom_has_no_device_and_no_mount)
{
    uint64_t node;
    struct faulty faulty;

    set_up(&faulty, "rom=config,missing");
    ck_assert(romsim_faults_miss(faulty.faults, &faulty.seamed.devices[1]));
    ck_assert(!romsim_faults_miss(faulty.faults, &faulty.seamed.devices[0]));
    ck_assert_int_eq(
        romsim_seam_lookup(faulty.seam, seamed_find(faulty.seam, "/dev"), "ukp_rom1", &node, NULL),
        0);
    ck_assert_int_eq(
        romsim_seam_lookup(faulty.seam, seamed_find(faulty.seam, "/rom"), "config", &node, NULL),
        0);
    ck_assert_ptr_nonnull(faulty.seamed.devices[1].blob); /* of others it is not taken away */
    tear_down(&faulty);
}
END_TEST

/* ---- reads -------------------------------------------------------------------------------- */

START_TEST(every_read_of_the_rom_fails)
{
    struct faulty faulty;

    set_up(&faulty, "rom=config,read=eio");
    ck_assert_int_eq(seamed_read(faulty.seam, "/dev/ukp_rom1", 0, 10), -EIO);
    ck_assert_int_eq(seamed_read(faulty.seam, "/rom/config", 0, 10), -EIO);
    ck_assert_int_eq(seamed_read(faulty.seam, "/folder/big", 0, 10), 10); /* the root's */
    tear_down(&faulty);
}
END_TEST

START_TEST(reads_fail_where_and_as_often_as_they_are_to)
{
    struct faulty faulty;

    set_up(&faulty, "rom=ukp_rom1,read=eio,offset=4096,after=1,count=2");
    ck_assert_int_eq(seamed_read(faulty.seam, "/dev/ukp_rom1", 0, 4096), 4096);
    ck_assert_int_eq(seamed_read(faulty.seam, "/dev/ukp_rom1", 4000, 97), 97); /* the first */
    ck_assert_int_eq(seamed_read(faulty.seam, "/dev/ukp_rom1", 4096, 1), -EIO);
    ck_assert_int_eq(seamed_read(faulty.seam, "/dev/ukp_rom1", 0, 8192), -EIO);
    ck_assert_int_eq(seamed_read(faulty.seam, "/dev/ukp_rom1", 4096, 1), 1);
    tear_down(&faulty);
}
END_TEST

START_TEST(reads_of_one_file_fail_by_either_way)
{
    struct faulty faulty;
    uint64_t size;
    unsigned failed = 0;

    set_up(&faulty, "rom=config,read=eio,path=/folder/big,offset=5000");
    ck_assert_int_eq(seamed_read(faulty.seam, "/rom/config", 0, 10), 5);
    ck_assert_int_eq(seamed_read(faulty.seam, "/rom/folder/big", 0, 5000), 5000);
    ck_assert_int_eq(seamed_read(faulty.seam, "/rom/folder/big", 4096, 4096), -EIO);
    /* Of the device one block has that byte. */
    size = romsim_blob_size(faulty.seamed.devices[1].blob);
    for (uint64_t offset = 0; offset < size; offset += 4096)
        failed += seamed_read(faulty.seam, "/dev/ukp_rom1", offset, 4096) == -EIO;
    ck_assert_uint_eq(failed, 1);
    tear_down(&faulty);
}
END_TEST

/* That it takes longer is known; how much longer, only the clock of a machine at rest could say. */
START_TEST(reads_wait_for_what_they_are_to)
{
    static const char *const texts[] = {"rom=config,latency=30ms,jitter=1ms",
                                        "rom=config,bandwidth=300", "rom=config,slow-attach=30ms"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct faulty faulty;
        uint64_t start;

        set_up(&faulty, texts[i]);
        start = romsim_clock_us();
        ck_assert_int_eq(seamed_read(faulty.seam, "/rom/folder/big", 0, 10), 10);
        ck_assert_uint_ge(romsim_clock_us() - start, 30000);
        tear_down(&faulty);
    }
}
END_TEST

/* ---- bytes -------------------------------------------------------------------------------- */

START_TEST(a_byte_is_another_one)
{
    struct faulty faulty;
    uint8_t was;

    set_up(&faulty, "rom=config,corrupt=100:0x81");
    was = romsim_blob_bytes(faulty.seamed.devices[1].blob)[100];
    ck_assert_uint_eq(byte_at(faulty.seam, "/dev/ukp_rom1", 100), was ^ 0x81);
    ck_assert_uint_eq(byte_at(faulty.seam, "/dev/ukp_rom1", 1024), 0xe2);
    tear_down(&faulty);
}
END_TEST

START_TEST(a_device_is_shorter)
{
    struct faulty faulty;

    set_up(&faulty, "rom=config,truncate=4K");
    ck_assert_int_eq(seamed_read(faulty.seam, "/dev/ukp_rom1", 4000, 4096), 96);
    tear_down(&faulty);
    set_up(&faulty, "rom=config,unaligned");
    ck_assert_int_eq(seamed_read(faulty.seam, "/dev/ukp_rom1",
                                 romsim_blob_size(faulty.seamed.devices[1].blob) - 10, 100),
                     9);
    tear_down(&faulty);
}
END_TEST

START_TEST(a_rom_has_the_bytes_of_another_image)
{
    struct faulty faulty;
    char path[] = "/tmp/romsim-unit-fault.XXXXXX", text[64];
    CLEANUP_FD int fd = mkstemp(path);

    ck_assert_int_eq(write(fd, "other", 5), 5);
    snprintf(text, sizeof(text), "rom=config,swap=%s", path);
    seamed_make(&faulty.seamed);
    faulty.seamed.layout.mount_count = 0;
    faulty.faults = make_faults(text);
    faulty.seam =
        romsim_seam_new(&faulty.seamed.layout, false,
                        &(struct romsim_seam_options){.faults = faulty.faults, .stop = -1}, NULL);
    ck_assert_ptr_nonnull(faulty.seam);
    ck_assert_int_eq(seamed_read(faulty.seam, "/dev/ukp_rom1", 0, 100), 5);
    ck_assert_uint_eq(byte_at(faulty.seam, "/dev/ukp_rom1", 0), 'o');
    tear_down(&faulty);
    unlink(path);
}
END_TEST

UNIT_MAIN("fault", a_text_that_is_no_fault_is_refused, a_fault_is_of_a_rom_of_the_instance,
          a_missing_rom_has_no_device_and_no_mount, every_read_of_the_rom_fails,
          reads_fail_where_and_as_often_as_they_are_to, reads_of_one_file_fail_by_either_way,
          reads_wait_for_what_they_are_to, a_byte_is_another_one, a_device_is_shorter,
          a_rom_has_the_bytes_of_another_image)
