/* SPDX-License-Identifier: BSD-3-Clause */
/* model.h: what the files of this room share about struct romsim_instance. */
#ifndef ROMSIM_INSTANCE_MODEL_H
#define ROMSIM_INSTANCE_MODEL_H

#include <romsim/instance.h>

#include <jansson.h>
#include <romsim/schema.h>

/* What GET tells of one (answer.c). */
extern const struct romsim_shape answer_shape;

/* What other tools call its members. */
extern const struct romsim_synonym instance_synonyms[];

/*
 * An instance from a node, with all that is wrong with it among the diagnostics.  What does not
 * fit its shape is left out, so that the rest can still be checked.  NULL without memory.
 */
struct romsim_instance *instance_build(const struct romsim_document *document,
                                       const struct romsim_node *node,
                                       const struct romsim_input *source,
                                       const struct romsim_limits *limits,
                                       struct romsim_diagnostics *diagnostics);

/* The instances in the answer to a GET: its envelope's, or the node itself if it has none. */
const struct romsim_node *answer_instances(const struct romsim_node *root);

/* Turns an instance that was built from one of them into what a request would have made: what only
 * an answer tells is dropped, what no answer tells is marked or warned of.  Returns 0, or -1
 * without memory. */
int answer_settle(const struct romsim_document *document, const struct romsim_node *node,
                  struct romsim_instance *instance, struct romsim_diagnostics *diagnostics);

/* How long romsim_instances_request() would be, in bytes, without making it.  Returns 0, or -1
 * without memory. */
int request_size(const struct romsim_instances *instances, uint64_t *ret_size);

/* Adds an error with a place and one of the cloud's codes. */
void complain_at(struct romsim_diagnostics *diagnostics, const struct romsim_place *place,
                 enum romsim_cloud_code code, struct romsim_error *error);

/* "ROM 'config'", or "ROM 2" for an unnamed one (its number, from 1).  Returns ret. */
enum { ROM_LABEL_SIZE = 300 };
const char *rom_label(const struct romsim_instance *instance, const struct romsim_rom *rom,
                      char ret[ROM_LABEL_SIZE]);

/* Appends an empty ROM, volume or service.  NULL without memory. */
struct romsim_rom *instance_append_rom(struct romsim_instance *instance);
struct romsim_volume *instance_append_volume(struct romsim_instance *instance);
struct romsim_service *instance_append_service(struct romsim_instance *instance);

/* Is it a service that can be beside others whose ports are not 0 in `seen`, which has 65536
 * places?  Its own port is set then.  Returns 0 or -1. */
int service_check(const struct romsim_service *service, uint8_t *seen, struct romsim_error *err);

/* Puts an instance in the service group of another.  Returns 0, or -1 without memory or another
 * descriptor. */
int instance_keep_group(const struct romsim_instance *from, struct romsim_instance *to);

/* A mount point without doubled and trailing '/' ("/" stays), malloc'ed; NULL without memory. */
char *normalise_at(const char *at);

/* Sets a string that the model owns to a copy.  Returns 0, or -1 without memory. */
int string_set(char **string, const char *value);

/* All rules and limits, but that on the request's size. */
void check_rules(const struct romsim_instance *instance, const struct romsim_limits *limits,
                 struct romsim_diagnostics *diagnostics);

/* Complain about more volumes, or more ROMs, than the limit. */
void check_volume_count(size_t count, const struct romsim_limits *limits,
                        const struct romsim_place *place, struct romsim_diagnostics *diagnostics);
void check_rom_count(size_t count, const struct romsim_limits *limits,
                     const struct romsim_place *place, struct romsim_diagnostics *diagnostics);

/* Complains about a request whose body is too large.  Returns 0 or -1. */
int check_body(const struct romsim_instances *instances, const struct romsim_limits *limits,
               struct romsim_diagnostics *diagnostics);

/* Complains about inline files whose images would be out of all proportion (bound image-bytes). */
void check_growth(const struct romsim_instances *instances, struct romsim_diagnostics *diagnostics);

/* An instance as the body of POST /v1/instances, a new reference; NULL without memory. */
json_t *instance_json(const struct romsim_instance *instance);

#endif
