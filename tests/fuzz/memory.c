/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memory.c: romsim's promise of memory, 64 MiB + 4 * the input, asked at each allocation.
 *
 * The linker turns what romsim's own objects call into the __wrap_ functions here (--wrap); the
 * calls of shared libraries stay as they are.  So libarchive, which asks for up to 4 GiB for a
 * forged length before it looks whether the archive has it, can be refused by ASan (fuzz.h), and
 * the same from romsim is still a finding.
 */
#include "fuzz.h"

#if __has_feature(address_sanitizer)
#include <sanitizer/allocator_interface.h>
#else /* a build that measures coverage: each allocation by itself */
#define __sanitizer_get_current_allocated_bytes() ((size_t)0)
#endif

enum { PROMISE_FIXED = 64 << 20, PROMISE_FACTOR = 4 };

int __real_LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);

int __wrap_LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

/* What romsim frees is little, and what costs ASan most is to map and unmap: its quarantine is 16
 * MiB, and the shadow of large pieces is cleared by writing. */
__attribute__((weak)) const char fuzz_asan_options[] = FUZZ_ASAN_OPTIONS;

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return fuzz_asan_options;
}

/* What the process had at the input's begin, and what it may have. */
static size_t least, most = SIZE_MAX;

static void ask(size_t size)
{
    size_t now = __sanitizer_get_current_allocated_bytes();

    FUZZ_CHECK(now <= most && size <= most - now, "%zu bytes more than %zu, %zu are promised", size,
               now - least, most - least);
}

void *__wrap_malloc(size_t size)
{
    ask(size);
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    size_t all;

    ask(__builtin_mul_overflow(count, size, &all) ? SIZE_MAX : all);
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    ask(size);
    return __real_realloc(old, size);
}

int __wrap_LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int result;

    least = __sanitizer_get_current_allocated_bytes();
    most = least + PROMISE_FIXED + PROMISE_FACTOR * size;
    result = __real_LLVMFuzzerTestOneInput(data, size);
    most = SIZE_MAX;
    return result;
}
