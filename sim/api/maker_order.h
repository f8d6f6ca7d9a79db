/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * maker_order.h: what a server hands to a maker (maker.h), on its standard input: this, the path of
 * the kernel, and the request's body.  Both are one program, so it is a struct as it stands.
 */
#ifndef ROMSIM_API_MAKER_ORDER_H
#define ROMSIM_API_MAKER_ORDER_H

#include <romsim/bounds.h>
#include <romsim/vm.h>

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define MAKER_ORDER_MAGIC "romsim order 1"

/* A maker that takes longer than this hangs. */
enum { MAKER_MOST_S = 900 };

struct maker_order {
    char magic[sizeof(MAKER_ORDER_MAGIC)];
    pid_t server; /* with which it ends */
    bool allow_paths;
    struct romsim_limits limits;
    struct romsim_processor processor;
    bool use_image_kernel, allow_host, isolated, no_fuse;
    unsigned boot_timeout_s;
    char ports_at[INET_ADDRSTRLEN]; /* "": 127.0.0.1 */
    char metro[64];
    uint64_t bounds[ROMSIM_BOUND_COUNT];
    uint32_t kernel_size; /* of its path with the NUL; 0: the bundle's */
    uint32_t body_size;
};

#endif
