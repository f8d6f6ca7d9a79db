/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * api.h: the cloud's REST API on this machine (cloud-api §1), over the instances, images and
 * volumes that the commands have, too.  It speaks HTTP and has no rule of its own.
 */
#ifndef ROMSIM_API_H
#define ROMSIM_API_H

#include <romsim/error.h>
#include <romsim/vm.h>

#include <stdbool.h>
#include <stdint.h>

struct romsim_api_options {
    const char *listen;       /* ADDRESS:PORT; port 0: any */
    const char *token;        /* NULL: none is asked for */
    const char *organization; /* the images' and the registry's user */
    const char *metro;        /* of the FQDNs */
    bool allow_paths;         /* images and directories of this machine may be named by a request */
    struct romsim_vm_options vm; /* of the instances that are made */
};

struct romsim_api;

/*
 * Listens.  The strings of the options are needed until romsim_api_free().  EADDRINUSE if the port
 * is taken, EINVAL for an address that is none, EPERM for one that is not the loopback's without a
 * token.
 */
struct romsim_api *romsim_api_new(const struct romsim_api_options *options,
                                  struct romsim_error *err);

/* Where it listens: "http://127.0.0.1:8080". */
const char *romsim_api_url(const struct romsim_api *api);

/* Ends what still goes on, and no instance.  Accepts NULL. */
void romsim_api_free(struct romsim_api *api);

/* What makes instances of a request, a process of its own: this program with one argument, whose
 * main() returns this. */
#define ROMSIM_API_MAKER "--make-for-server"
int romsim_api_maker(void);

/* The OpenAPI document of what is served, malloc'ed. */
char *romsim_api_description(struct romsim_error *err);

#endif
