/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cleanup.h: ownership that shows at the declaration (gcc's and clang's cleanup attribute).
 *
 *     CLEANUP_FREE char *path = NULL;       freed when the scope ends
 *     CLEANUP_FD int fd = -1;               closed when the scope ends, if >= 0
 *     return STEAL_POINTER(&path);          hands the ownership on to the caller
 */
#ifndef ROMSIM_CLEANUP_H
#define ROMSIM_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free_pointer(void *pointer_to_pointer)
{
    free(*(void **)pointer_to_pointer);
}

/* What is closed is -1 from then on: the number may soon be somebody else's. */
static inline void cleanup_close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static inline void cleanup_close_file(FILE **file)
{
    if (*file)
        fclose(*file);
}

static inline int steal_fd(int *fd)
{
    int stolen = *fd;

    *fd = -1;
    return stolen;
}

#define CLEANUP(function) __attribute__((cleanup(function)))
#define CLEANUP_FREE      CLEANUP(cleanup_free_pointer)
#define CLEANUP_FD        CLEANUP(cleanup_close_fd)
#define CLEANUP_FILE      CLEANUP(cleanup_close_file)

/* Defines cleanup_NAME(), for CLEANUP(cleanup_NAME), from a destructor that takes a TYPE *. */
#define DEFINE_CLEANUP(type, destructor)                                                           \
    static inline __attribute__((unused)) void cleanup_##destructor(type **pointer)                \
    {                                                                                              \
        destructor(*pointer);                                                                      \
    }

#define STEAL_POINTER(pointer)                                                                     \
    __extension__({                                                                                \
        __typeof__(*(pointer)) stolen_ = *(pointer);                                               \
        *(pointer) = NULL;                                                                         \
        stolen_;                                                                                   \
    })

#endif
