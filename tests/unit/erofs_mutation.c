/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * erofs_mutation.c: every fixture image is damaged many times, mostly in its metadata, and each
 * time the reader and the checker are asked for everything.  No crash, no hang, no more memory
 * than promised (hostile-input, promise 1).
 *
 * MUTATIONS=N damages each image N times (default 2000); MUTATION_SEED=N other ways.
 */
#include "damage.h"
#include "exercise.h"
#include "fixtures.h"

#include <romsim/sandbox.h>

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DAMAGES_MAX = 8, BATCH = 100 };

static struct fixtures fixtures;

static uint64_t state; /* of the random numbers */

static unsigned long setting(const char *name, unsigned long absent)
{
    const char *value = getenv(name);

    return value ? strtoul(value, NULL, 10) : absent;
}

/* Damages a copy of the image; returns its size. */
static size_t mutate(const struct fixture *fixture, const struct spots *spots, uint8_t *bytes)
{
    size_t size = fixture->size;
    uint64_t damages = 1 + damage_below(&state, DAMAGES_MAX);

    memcpy(bytes, fixture->bytes, size);
    for (uint64_t i = 0; i < damages; i++)
        damage(bytes, size, spots, &state);
    if (damage_below(&state, 32) == 0)
        size = 1024 + damage_below(&state, size - 1024);
    if (damage_below(&state, 16))
        damage_fix_checksum(bytes, size);
    return size;
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
    ck_assert_int_eq(spots_find(fixture->bytes, fixture->size, &spots), 0);
    for (unsigned long i = 0; i < count; i++)
        exercise_image(bytes, mutate(fixture, &spots, bytes));
    check_memory(fixture, before);
    free(bytes);
}
END_TEST

/* What reading an image came to. */
struct outcome {
    uint64_t read;
    int result;
};

static void exercise_batch(struct romsim_blob **blobs, size_t count, struct outcome *ret)
{
    for (size_t i = 0; i < count; i++)
        ret[i].result = exercise_blob(blobs[i], &ret[i].read);
}

/* As the server of a mount reads them: what the sandbox refuses would make a difference. */
static void compare_in_sandbox(const struct fixture *fixture, struct romsim_blob **blobs,
                               size_t count)
{
    struct outcome outside[BATCH];
    struct outcome *inside =
        mmap(NULL, sizeof(outside), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status;
    pid_t pid;

    ck_assert(inside != MAP_FAILED);
    pid = fork();
    if (pid == 0) {
        romsim_sandbox_enter(NULL, 0);
        romsim_sandbox_seal();
        exercise_batch(blobs, count, inside);
        _exit(0);
    }
    exercise_batch(blobs, count, outside);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(status == 0, "%s: status %x", fixture->name, (unsigned)status);
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(inside[i].read == outside[i].read && inside[i].result == outside[i].result,
                      "%s, image %zu: %d inside, %d outside", fixture->name, i, inside[i].result,
                      outside[i].result);
    munmap(inside, sizeof(outside));
}

START_TEST(damaged_images_are_the_same_in_the_sandbox)
{
    const struct fixture *fixture = &fixtures.items[_i];
    struct romsim_blob *blobs[BATCH];
    uint8_t *bytes = malloc(fixture->size);
    struct spots spots;

    ck_assert_ptr_nonnull(bytes);
    state = (setting("MUTATION_SEED", 1) + 7) * UINT64_C(0x9E3779B97F4A7C15) + _i;
    ck_assert_int_eq(spots_find(fixture->bytes, fixture->size, &spots), 0);
    for (size_t i = 0; i < BATCH; i++) {
        /* The first one is whole. */
        size_t size = i ? mutate(fixture, &spots, bytes) : fixture->size;

        blobs[i] = romsim_blob_from_bytes(i ? bytes : fixture->bytes, size, NULL);
        ck_assert_ptr_nonnull(blobs[i]);
    }
    compare_in_sandbox(fixture, blobs, BATCH);
    for (size_t i = 0; i < BATCH; i++)
        romsim_blob_unref(blobs[i]);
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
    tcase_add_loop_test(tcase, damaged_images_are_the_same_in_the_sandbox, 0, FIXTURE_COUNT);
    tcase_add_test(tcase, every_truncation_harms_nobody);
    status = unit_run_case("erofs_mutation", tcase);
    fixtures_free(&fixtures);
    return status;
}
