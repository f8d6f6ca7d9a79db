/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vectors.c: what a program that was built for x86-64-v3 does to a processor, as one static
 * program: AVX2, FMA and BMI in two processes of two threads each, so that the kernel saves and
 * restores their registers in the midst of it; what they make has to be what plain C makes.
 *
 *     vectors [ROUNDS]     computes, says "4 workers agree"
 *     vectors level        says the highest level of x86-64 that the processor has, "v3"
 *     vectors avx512       one instruction of x86-64-v4
 */
#include <immintrin.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LANES = 8, HALF = LANES / 2, STEPS = 20000, PRODUCTS = 20, THREADS = 2, PROCESSES = 2 };

#define FACTOR 2654435761u

static unsigned rounds = 40;

/* What a round makes. */
struct result {
    uint32_t words[LANES];
    double products[HALF];
    uint64_t bits;
};

/* A round leaves nothing in memory until its end: all of it is in registers that have to outlive
 * what runs in between. */
__attribute__((target("avx2,fma,bmi,bmi2,lzcnt,popcnt"), noinline)) static void
compute(uint32_t seed, struct result *ret)
{
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    __m256i words = _mm256_add_epi32(_mm256_set1_epi32((int)seed), lanes);
    __m256d products = _mm256_setr_pd(seed % 97, seed % 89, seed % 83, seed % 79);
    uint64_t bits = seed;

    for (unsigned i = 0; i < STEPS; i++) {
        words = _mm256_add_epi32(_mm256_mullo_epi32(words, _mm256_set1_epi32((int)FACTOR)),
                                 _mm256_srlv_epi32(words, lanes));
        words = _mm256_permutevar8x32_epi32(words, _mm256_setr_epi32(1, 2, 3, 4, 5, 6, 7, 0));
        if (i < PRODUCTS)
            products = _mm256_fmadd_pd(products, _mm256_set1_pd(3), _mm256_set1_pd(i));
        bits = _pdep_u64(_pext_u64(bits, 0xff00ff00ff00ff00), 0x0123456789abcdef) ^
               _andn_u64(bits, FACTOR * (uint64_t)i) ^ (bits << 7 | bits >> 57);
        bits += _lzcnt_u64(bits) + _tzcnt_u64(bits);
    }
    _mm256_storeu_si256((__m256i *)ret->words, words);
    _mm256_storeu_pd(ret->products, products);
    ret->bits = bits;
}

/* ---- the same in plain C ----------------------------------------------------------------------
 */

static uint64_t extract(uint64_t value, uint64_t mask)
{
    uint64_t out = 0;
    unsigned at = 0;

    for (unsigned i = 0; i < 64; i++)
        if (mask >> i & 1)
            out |= (value >> i & 1) << at++;
    return out;
}

static uint64_t deposit(uint64_t value, uint64_t mask)
{
    uint64_t out = 0;

    for (unsigned i = 0; i < 64; i++)
        if (mask >> i & 1) {
            out |= (value & 1) << i;
            value >>= 1;
        }
    return out;
}

static unsigned zeros_above(uint64_t value)
{
    unsigned count = 0;

    while (count < 64 && !(value >> (63 - count) & 1))
        count++;
    return count;
}

static unsigned zeros_below(uint64_t value)
{
    unsigned count = 0;

    while (count < 64 && !(value >> count & 1))
        count++;
    return count;
}

static void compute_plainly(uint32_t seed, struct result *ret)
{
    static const unsigned primes[HALF] = {97, 89, 83, 79};
    uint64_t products[HALF];

    for (unsigned i = 0; i < LANES; i++)
        ret->words[i] = seed + i;
    for (unsigned i = 0; i < HALF; i++)
        products[i] = seed % primes[i];
    ret->bits = seed;
    for (unsigned i = 0; i < STEPS; i++) {
        uint32_t before[LANES];

        for (unsigned k = 0; k < LANES; k++)
            before[k] = ret->words[k] * FACTOR + (ret->words[k] >> k);
        for (unsigned k = 0; k < LANES; k++)
            ret->words[k] = before[(k + 1) % LANES];
        for (unsigned k = 0; i < PRODUCTS && k < HALF; k++)
            products[k] = products[k] * 3 + i;
        ret->bits = deposit(extract(ret->bits, 0xff00ff00ff00ff00), 0x0123456789abcdef) ^
                    (~ret->bits & FACTOR * (uint64_t)i) ^ (ret->bits << 7 | ret->bits >> 57);
        ret->bits += zeros_above(ret->bits) + zeros_below(ret->bits);
    }
    for (unsigned i = 0; i < HALF; i++)
        ret->products[i] = (double)products[i]; /* exact: below 2^53 */
}

/* ---- many at once -----------------------------------------------------------------------------
 */

static void *work(void *argument)
{
    const uint32_t seed = *(const uint32_t *)argument;
    struct result wanted = {0}, got = {0};

    compute_plainly(seed, &wanted);
    for (unsigned i = 0; i < rounds; i++) {
        memset(&got, 0, sizeof(got));
        compute(seed, &got);
        if (memcmp(&got, &wanted, sizeof(got)) != 0)
            return argument;
        sched_yield();
    }
    return NULL;
}

/* The threads of one process: 0 if they all agree. */
static int work_in_threads(unsigned process)
{
    pthread_t threads[THREADS];
    uint32_t seeds[THREADS];
    int status = 0;

    for (unsigned i = 0; i < THREADS; i++) {
        seeds[i] = 12345 + 1000 * process + i;
        if (pthread_create(&threads[i], NULL, work, &seeds[i]) != 0)
            return 1;
    }
    for (unsigned i = 0; i < THREADS; i++) {
        void *wrong = NULL;

        pthread_join(threads[i], &wrong);
        if (wrong) {
            printf("worker %u of process %u went wrong\n", i, process);
            status = 1;
        }
    }
    fflush(stdout);
    return status;
}

static int work_in_processes(void)
{
    int status = 0;

    for (unsigned i = 0; i < PROCESSES; i++) {
        pid_t pid = fork();

        if (pid == 0)
            _exit(work_in_threads(i));
        if (pid < 0)
            return 1;
    }
    for (unsigned i = 0; i < PROCESSES; i++) {
        int ended = 0;

        if (wait(&ended) < 0 || ended != 0)
            status = 1;
        if (WIFSIGNALED(ended)) /* this one's end, too */
            raise(WTERMSIG(ended));
    }
    if (status == 0)
        printf("%d workers agree\n", PROCESSES * THREADS);
    return status;
}

static const char *level(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("x86-64-v4")   ? "v4"
           : __builtin_cpu_supports("x86-64-v3") ? "v3"
           : __builtin_cpu_supports("x86-64-v2") ? "v2"
                                                 : "v1";
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "level") == 0) {
        puts(level());
        return 0;
    }
    if (argc > 1 && strcmp(argv[1], "avx512") == 0) {
        __asm__ volatile(".byte 0x62, 0xf1, 0x7d, 0x48, 0xfe, 0xc0"); /* vpaddd zmm0, zmm0, zmm0 */
        puts("no signal");
        return 0;
    }
    if (argc > 1)
        rounds = (unsigned)strtoul(argv[1], NULL, 10);
    return work_in_processes();
}
