/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * erofs_mutation.c: every fixture image is damaged many times, mostly in its metadata, and each
 * time the reader and the checker are asked for everything.  No crash, no hang, no more memory
 * than promised (hostile-input, promise 1).
 *
 * MUTATIONS=N damages each image N times (default 2000); MUTATION_SEED=N other ways.
 */
#include "exercise.h"
#include "fixtures.h"

#include <romsim/digest.h>
#include <sys/resource.h>

enum { SPOTS_MAX = 1024, DAMAGES_MAX = 8 };

static struct fixtures fixtures;

/* xorshift64*: the same damages everywhere. */
static uint64_t state;

static uint64_t next_random(void)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * UINT64_C(0x2545F4914F6CDD1D);
}

static uint64_t random_below(uint64_t limit)
{
    return limit ? next_random() % limit : 0;
}

static unsigned long setting(const char *name, unsigned long absent)
{
    const char *value = getenv(name);

    return value ? strtoul(value, NULL, 10) : absent;
}

/* ---- where to hit ----------------------------------------------------------------------- */

struct spots {
    uint64_t offsets[SPOTS_MAX];
    size_t count;
};

static int add_spots(void *context, const char *path, const struct romsim_erofs_inode *inode)
{
    struct spots *spots = context;

    (void)path;
    if (spots->count + 3 > SPOTS_MAX)
        return 0;
    spots->offsets[spots->count++] = inode->offset;
    spots->offsets[spots->count++] = inode->data_start;
    if (S_ISDIR(inode->mode) && inode->layout == ROMSIM_EROFS_FLAT_PLAIN)
        spots->offsets[spots->count++] = inode->start << 12;
    return 0;
}

static void find_spots(const struct fixture *fixture, struct spots *spots)
{
    struct romsim_error err = {0};
    struct romsim_erofs *erofs = fixture_open(fixture->bytes, fixture->size, &err);

    ck_assert_ptr_nonnull(erofs);
    spots->count = 0;
    ck_assert_int_eq(romsim_erofs_walk(erofs, add_spots, spots, &err), 0);
    romsim_erofs_close(erofs);
}

/* ---- how to hit ------------------------------------------------------------------------- */

static void put(uint8_t *bytes, size_t size, uint64_t at, uint64_t value, size_t width)
{
    for (size_t i = 0; i < width && at + i < size; i++)
        bytes[at + i] = value >> 8 * i;
}

static uint64_t interesting(void)
{
    static const uint64_t values[] = {
        0,    1,      2,      0x7f,       0x80,       0xff,       0x7fff,         0xffff,
        4095, 0x1000, 0x8000, 0x7fffffff, 0x80000000, 0xffffffff, UINT64_MAX / 2, UINT64_MAX,
    };

    return values[random_below(sizeof(values) / sizeof(values[0]))];
}

static void damage(uint8_t *bytes, size_t size, const struct spots *spots)
{
    uint64_t at = random_below(size), from;
    size_t width = (size_t)1 << random_below(4);

    if (random_below(16) == 0)
        at = 1024 + random_below(160);
    else if (random_below(4))
        at = spots->offsets[random_below(spots->count)] + random_below(80);
    if (at >= size)
        return;
    switch (random_below(6)) {
    case 0:
        bytes[at] ^= 1 << random_below(8);
        break;
    case 1:
        put(bytes, size, at, next_random(), 1);
        break;
    case 2:
        put(bytes, size, at & ~UINT64_C(1), next_random(), width);
        break;
    case 3:
        put(bytes, size, at & ~(uint64_t)(width - 1), interesting(), width);
        break;
    case 4: /* something of the same kind from elsewhere */
        from = spots->offsets[random_below(spots->count)];
        for (size_t i = 0; i < 32 && at + i < size && from + i < size; i++)
            bytes[at + i] = bytes[from + i];
        break;
    default:
        put(bytes, size, at, bytes[at] + (random_below(2) ? 1 : -1), 1);
    }
}

/* Without a right checksum nothing behind the superblock would ever be looked at. */
static void fix_checksum(uint8_t *bytes, size_t size)
{
    size_t length = (size_t)1 << (bytes[1024 + 12] & 31);

    if (length > 1024)
        length -= 1024;
    if (length < 128 || 1024 + length > size)
        return;
    put(bytes, size, 1024 + 4, 0, 4);
    put(bytes, size, 1024 + 4, romsim_crc32c(~0u, bytes + 1024, length), 4);
}

static void mutate(const struct fixture *fixture, const struct spots *spots, uint8_t *bytes)
{
    size_t size = fixture->size;
    uint64_t damages = 1 + random_below(DAMAGES_MAX);

    memcpy(bytes, fixture->bytes, size);
    for (uint64_t i = 0; i < damages; i++)
        damage(bytes, size, spots);
    if (random_below(32) == 0)
        size = 1024 + random_below(size - 1024);
    if (random_below(16))
        fix_checksum(bytes, size);
    exercise_image(bytes, size);
}

static long peak_kilobytes(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static void check_memory(const struct fixture *fixture, long before)
{
#ifndef __SANITIZE_ADDRESS__
    long promised = 64 * 1024 + 4 * (long)(fixture->size / 1024);

    ck_assert_msg(peak_kilobytes() - before <= promised, "%s: %ld KiB of memory, %ld are promised",
                  fixture->name, peak_kilobytes() - before, promised);
#else
    (void)fixture;
    (void)before;
#endif
}

START_TEST(damaged_images_harm_nobody)
{
    unsigned long count = setting("MUTATIONS", 2000);
    const struct fixture *fixture = &fixtures.items[_i];
    uint8_t *bytes = malloc(fixture->size);
    long before = peak_kilobytes();
    struct spots spots;

    ck_assert_ptr_nonnull(bytes);
    state = (setting("MUTATION_SEED", 1) + 1) * UINT64_C(0x9E3779B97F4A7C15) + _i;
    find_spots(fixture, &spots);
    for (unsigned long i = 0; i < count; i++)
        mutate(fixture, &spots, bytes);
    check_memory(fixture, before);
    free(bytes);
}
END_TEST

START_TEST(every_truncation_harms_nobody)
{
    static const char *const names[] = {"inline", "lz4-everything", "metabox"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct fixture *fixture = fixture_find(&fixtures, names[i]);

        for (size_t size = 0; size < fixture->size; size += size < 4096 ? 64 : 1024)
            exercise_image(fixture->bytes, size);
    }
}
END_TEST

static void load(void)
{
    fixtures_load(&fixtures);
}

int main(void)
{
    TCase *tcase = tcase_create("erofs_mutation");
    int status;

    tcase_add_unchecked_fixture(tcase, load, NULL);
    tcase_set_timeout(tcase, 3600);
    tcase_add_loop_test(tcase, damaged_images_harm_nobody, 0, FIXTURE_COUNT);
    tcase_add_test(tcase, every_truncation_harms_nobody);
    status = unit_run_case("erofs_mutation", tcase);
    fixtures_free(&fixtures);
    return status;
}
