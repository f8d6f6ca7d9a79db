/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * instance.h: an instance as the cloud's POST /v1/instances takes it (cloud-rules §1 and §2), read
 * from YAML or JSON, checked by the cloud's rules and limits.
 *
 * The model is not tied to YAML or to a terminal: it can be read from a file, made from flags, or
 * (later) from a REST request, and it is checked by the same rules each time.  Every part that a
 * later stage may complain about carries its place in the input.
 *
 * Strings are owned by the instance, NUL-terminated UTF-8 without NUL inside.  A NULL string means
 * that the member was absent.  Not thread-safe.
 */
#ifndef ROMSIM_INSTANCE_H
#define ROMSIM_INSTANCE_H

#include <romsim/cleanup.h>
#include <romsim/error.h>
#include <romsim/schema.h>
#include <romsim/strings.h>

#include <jansson.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct romsim_shape; /* romsim/schema.h */

/* The limits of cloud-rules §1; each can be changed with --limit NAME=VALUE. */
struct json_t; /* jansson's */

struct romsim_limits {
    uint64_t roms;       /* ROMs an instance, inline and image together: 8 */
    uint64_t files;      /* files an inline ROM: 16 */
    uint64_t rom_bytes;  /* decoded bytes of an inline ROM over all files: 1 MiB */
    uint64_t body_bytes; /* a request body with the inline data base64-encoded: 8 MiB */
    uint64_t plugins;    /* 8 */
    uint64_t volumes;    /* 4 */
    uint64_t memory_min_mb, memory_max_mb; /* 16, 8192 */
};

extern const struct romsim_limits romsim_limits_default;

/* Applies "NAME=VALUE": roms, files, rom-bytes, body-bytes, plugins, volumes, memory-min,
 * memory-max; a value takes the suffixes K, M, G (powers of 1024).  Returns 0 or -1 (EINVAL, with
 * the names). */
int romsim_limits_set(struct romsim_limits *limits, const char *assignment,
                      struct romsim_error *err);

/* The limits as a JSON object, with the names of romsim_limits_set().  A new reference; NULL
 * without memory. */
struct json_t *romsim_limits_json(const struct romsim_limits *limits);

struct romsim_env {
    char *name;
    char *value;
};

/* Who said it: what may be followed on this machine depends on that. */
enum romsim_origin {
    ROMSIM_ORIGIN_FILE,   /* a file, whose relative paths are of its folder */
    ROMSIM_ORIGIN_FLAGS,  /* the command line: of the working directory */
    ROMSIM_ORIGIN_NETWORK /* somebody who may have no business with this machine's files */
};

enum romsim_encoding { ROMSIM_ENCODING_TEXT, ROMSIM_ENCODING_BASE64 };

struct romsim_file {
    char *path; /* as given; normalised: without the one leading '/' */
    enum romsim_encoding encoding;
    uint8_t *data; /* decoded; owned */
    size_t size;
    struct romsim_place place;
};

struct romsim_rom {
    char *name;                /* NULL: unnamed */
    char *image;               /* a reference, from the string or the object's `url` */
    char *image_json;          /* the object that the reference came in, for the request; or NULL */
    char *dir;                 /* romsim's own: an inline ROM from a directory (cloud-rules §2) */
    char *at;                  /* mount point, normalised: no trailing or doubled '/' */
    struct romsim_file *files; /* of an inline ROM; also filled from `dir` by the loader */
    size_t file_count;
    bool is_inline;   /* has `files` or `dir` */
    bool from_answer; /* told of by a GET, which has no files: inline without any, a flag brings
                         them */
    enum romsim_origin origin;
    struct romsim_place place, name_place, image_place, at_place;
};

/* A volume that is there, or, with a size, one that is made with the instance. */
struct romsim_volume {
    char *name; /* NULL: by its uuid, or a random one */
    char *uuid;
    uint64_t size_mb; /* 0: it is there */
    char *at;         /* mount point, normalised */
    bool readonly;
    enum romsim_origin origin;
    char *json; /* the object that it came in, for the request; NULL: of a flag */
    struct romsim_place place, name_place, at_place;
};

enum romsim_handlers {
    ROMSIM_HANDLER_TLS = 1,
    ROMSIM_HANDLER_HTTP = 2,
    ROMSIM_HANDLER_REDIRECT = 4
};

/* "tls", "http" or "redirect": what the bit 1 << `bit` of it is called. */
enum { ROMSIM_HANDLER_COUNT = 3 };
const char *romsim_handler_name(unsigned bit);

struct romsim_service {
    uint16_t port;             /* the public one */
    uint16_t destination_port; /* in the guest; = port when absent */
    bool destination_given;
    unsigned handlers;  /* of enum romsim_handlers */
    uint16_t host_port; /* romsim's own, from -p HOST:GUEST; 0: choose */
    struct romsim_place place;
};

enum romsim_restart { ROMSIM_RESTART_NEVER, ROMSIM_RESTART_ALWAYS, ROMSIM_RESTART_ON_FAILURE };

/* "never", ...; and back, where "on_failure" is known, too: false for another word. */
const char *romsim_restart_name(enum romsim_restart restart);
bool romsim_restart_find(const char *word, enum romsim_restart *ret);

/* Members that have a default and that the input named all the same. */
enum romsim_given {
    ROMSIM_GIVEN_MEMORY = 1,
    ROMSIM_GIVEN_VCPUS = 2,
    ROMSIM_GIVEN_AUTOSTART = 4,
    ROMSIM_GIVEN_ROMS = 16,
    ROMSIM_GIVEN_TIMEOUT = 8 /* as `timeout_s`, or as `wait_timeout_ms`, which it replaces */
};

struct romsim_supply; /* image.h */

/* What the name or UUID in an instance is of, if it is to go on from where another was saved. */
enum romsim_clone_of {
    ROMSIM_CLONE_OF_TEMPLATE,
    ROMSIM_CLONE_OF_CHECKPOINT,
    ROMSIM_CLONE_OF_INSTANCE /* it is a branch */
};

struct romsim_instance {
    char *name;       /* NULL: romsim makes a random one, as the cloud does */
    char *hostname;   /* NULL: the name */
    char *image;      /* NULL only if `image_optional` */
    char *image_json; /* the object that the reference came in, for the request; or NULL */
    enum romsim_origin image_origin;
    bool allow_local; /* paths of this machine are followed, even if they came over the network */
    bool image_optional; /* it has a `template` or `branch_from` */
    enum romsim_clone_of clone_of;
    char *template_name; /* what it is a clone of: by this, */
    char *template_uuid; /* or by this; both NULL: of nothing */
    char *snapshot;      /* of a branch: the draft in which its source was saved, once it was */
    unsigned given;      /* of enum romsim_given */
    struct romsim_strings args;
    bool has_args; /* an empty list replaces the image's Cmd too */
    struct romsim_env *env;
    size_t env_count;
    uint64_t memory_mb; /* 128 */
    uint32_t vcpus;     /* 1 */
    struct romsim_service *services;
    size_t service_count;
    struct romsim_rom *roms;
    size_t rom_count;
    struct romsim_volume *volumes;
    size_t volume_count;
    enum romsim_restart restart;
    bool autostart;
    int64_t timeout_s; /* how long who creates it waits until it runs: 0 not at all, -1 for ever */
    uint32_t replicas;
    char *other_json; /* the members that romsim checks for shape and does not simulate, as a JSON
                         object; NULL without.  They pass through to romsim_instance_request(). */
    char *service_group_json; /* the whole service_group as it came, for the request; or NULL */
    /* Of an instance that was put in a service group of this machine (romsim_instance_set_group):
     */
    char *group_json;        /* what GET shows of it; or NULL */
    bool has_group_services; /* `services` are the group's, and in no request */
    int group_use;           /* open as long as the instance is in it (ledger.h); -1 */
    char *directory;         /* relative paths in the instance are relative to this; "" = cwd */
    bool no_verify; /* set by the program, not by the file: built images are not read back */
    const struct romsim_supply *supply; /* the same: images in place of those that it names
                                           (image.h); borrowed; or NULL */
    struct romsim_place place, name_place, hostname_place, image_place, memory_place, args_place,
        timeout_place, template_place;
};

struct romsim_instances {
    struct romsim_instance **items;
    size_t count;
};

/* What an instance looks like in a request; a file may have `dir`s, too. */
extern const struct romsim_shape romsim_instance_shape, romsim_instance_file_shape;

/* Where instances come from, and what is changed before they are looked at. */
struct romsim_input {
    enum romsim_origin origin;
    const char *name;      /* stands for the file in messages */
    const char *directory; /* what relative paths are relative to; NULL: the working directory */
    bool is_request;       /* the body of a request to the API: JSON, and no YAML */
    bool is_answer;        /* what GET /v1/instances tells of instances, in place of a request */
    bool
        is_only_compared; /* nothing is to be made of it: the rules on what it lacks do not count */
    bool allow_local;     /* from the network: `dir` and paths of this machine are followed */
    /* Changes the instances, of which there is one at least, or says among the diagnostics why
     * not; or NULL.  Returns 0 or -1. */
    int (*amend)(struct romsim_instances *instances, void *context,
                 struct romsim_diagnostics *diagnostics);
    void *context; /* for `amend` */
};

/*
 * Reads `size` bytes of text with one instance, an array of them or several YAML documents; YAML or
 * JSON.  A NULL text is one empty instance, for `amend` to fill.
 *
 * The text is compared with its shape and the instances are made of it, `amend` changes them, the
 * `dir`s of their ROMs are read (directories walked, files loaded), and what has come of it is
 * checked by all rules and limits that need no look at images.  All errors and warnings go to
 * `diagnostics` in one pass, each once, with their places, in the cloud's tone.
 * Returns 0 if there was no error (warnings do not count); -1 otherwise, and *ret is then empty.
 */
int romsim_instances_parse(const char *text, size_t size, const struct romsim_input *source,
                           const struct romsim_limits *limits, struct romsim_instances *ret,
                           struct romsim_diagnostics *diagnostics);

/* The same for a file ("-": standard input), which gives the source its name and directory; of
 * `source`, which may be NULL, the rest counts. */
int romsim_instances_load(const char *path, const struct romsim_input *source,
                          const struct romsim_limits *limits, struct romsim_instances *ret,
                          struct romsim_diagnostics *diagnostics);

/* Is it to be a clone of a template or a checkpoint, or a branch? */
bool romsim_instance_is_clone(const struct romsim_instance *instance);

/* Are paths of this machine out of bounds for what has this origin? */
bool romsim_instance_is_foreign(const struct romsim_instance *instance, enum romsim_origin origin);

void romsim_instances_clear(struct romsim_instances *instances);

/* An empty instance with the cloud's defaults, to be filled by hand (flags); NULL without
 * memory.  Free with romsim_instance_free(), which takes NULL. */
struct romsim_instance *romsim_instance_new(void);
void romsim_instance_free(struct romsim_instance *instance);

DEFINE_CLEANUP(struct romsim_instance, romsim_instance_free)
#define CLEANUP_INSTANCE CLEANUP(cleanup_romsim_instance_free)

/* A volume that was to be made has been: from now on it is there, and has this name.  Returns 0 or
 * -1. */
int romsim_volume_settle(struct romsim_volume *volume, const char *name, struct romsim_error *err);

/* The cloud's rules on the `services` of a service group, whose shape (below) is right: there is
 * one, each port once, handlers that fit their port.  Returns 0 or -1. */
int romsim_services_check(const json_t *services, struct romsim_error *err);

/* What `services` look like, for who takes them in another request. */
extern const struct romsim_shape romsim_services_shape;

/* The `service_group` as a request would have it, with all services: a new reference, or NULL if
 * there is none (or no memory). */
json_t *romsim_instance_service_group(const struct romsim_instance *instance);

/* Puts the instance in a service group (group.h), which is shown as `group`, as long as `use` is
 * open, which is taken.  An instance without services of its own has those of the group.  Returns
 * 0, or -1 and `use` is still the caller's. */
int romsim_instance_set_group(struct romsim_instance *instance, const json_t *group, int use,
                              struct romsim_error *err);

/* Loads the `dir` of every ROM that has one and whose files are not loaded yet, as
 * romsim_instances_parse() does.  A directory beyond the limits is an error and is not loaded.
 * Returns 0 or -1. */
int romsim_instance_load_dirs(struct romsim_instance *instance, const struct romsim_limits *limits,
                              struct romsim_diagnostics *diagnostics);

/* The flags of the cloud's CLI (cloud-rules §2).  Each adds to or overrides the instance.
 * `spec` is the flag's argument; paths in it are relative to the working directory, whatever the
 * instance's own are relative to.  Return 0 or -1 (EINVAL with what is wrong in it).  They are for
 * a source's `amend`: the rules have to see the result. */
int romsim_instance_set_image(struct romsim_instance *instance, const char *spec,
                              struct romsim_error *err);
int romsim_instance_add_rom(struct romsim_instance *instance, const char *spec,
                            struct romsim_error *err); /* name=N,image=REF|dir=PATH,at=PATH */
int romsim_instance_add_volume(struct romsim_instance *instance, const char *spec,
                               struct romsim_error *err); /* NAME:PATH[:ro] */
int romsim_instance_add_port(struct romsim_instance *instance, const char *spec,
                             struct romsim_error *err); /* HOST:GUEST[/handler[+handler]] */
int romsim_instance_add_env(struct romsim_instance *instance, const char *spec,
                            struct romsim_error *err); /* K=V; K with the value it has here */
int romsim_instance_set_name(struct romsim_instance *instance, const char *spec,
                             struct romsim_error *err);
int romsim_instance_set_template(struct romsim_instance *instance, const char *spec,
                                 struct romsim_error *err); /* a name */
int romsim_instance_set_checkpoint(struct romsim_instance *instance, const char *spec,
                                   struct romsim_error *err); /* a name or a UUID */
int romsim_instance_set_branch(struct romsim_instance *instance, const char *spec,
                               struct romsim_error *err); /* the same */
int romsim_instance_set_memory(struct romsim_instance *instance, const char *spec,
                               struct romsim_error *err); /* megabytes, or with a suffix: 1G */
int romsim_instance_set_vcpus(struct romsim_instance *instance, const char *spec,
                              struct romsim_error *err);
int romsim_instance_set_restart(struct romsim_instance *instance, const char *spec,
                                struct romsim_error *err); /* never, always, on-failure */
int romsim_instance_set_scale_to_zero(struct romsim_instance *instance, const char *spec,
                                      struct romsim_error *err); /* on, off, idle */
int romsim_instance_set_args(struct romsim_instance *instance, const char *spec,
                             struct romsim_error *err); /* split as a shell would, no expansion */

/*
 * Sets the variables of a file as docker's --env-file has them: lines NAME=VALUE, whose value is
 * all that follows, quotes and spaces too; NAME alone takes the variable of this process, if there
 * is one; empty lines and those that begin with # do not count.  All errors of the file are told,
 * with their lines.  Returns 0 or -1.
 */
int romsim_instance_add_env_file(struct romsim_instance *instance, const char *path,
                                 struct romsim_diagnostics *diagnostics);

/* The JSON body for POST /v1/instances that creates this instance: `dir` ROMs become base64
 * files, absent members stay absent.  malloc'ed text, indented, ending in a newline. */
char *romsim_instance_request(const struct romsim_instance *instance, struct romsim_error *err);

/* The same for a list: one object, or an array of them if there are several. */
char *romsim_instances_request(const struct romsim_instances *instances, struct romsim_error *err);

/*
 * An instance with some properties changed, as by PATCH /v1/instances (cloud-rules §1): `edits` is
 * an array of objects {prop, op, value}.  `op` is "set", "add" or "del": add and del are for env
 * (an object; del: names), roms (an array of ROMs; del: names) and tags (an array).  Relative paths
 * are relative to what the instance's are, and `origin` is who gave the edits: what the instance
 * named before keeps its own.  The result is checked by all rules and limits, and has the host
 * ports of the old one.  Returns 0 and sets *ret, or -1.
 */
int romsim_instance_edit(const struct romsim_instance *instance, const json_t *edits,
                         enum romsim_origin origin, const struct romsim_limits *limits,
                         struct romsim_instance **ret, struct romsim_diagnostics *diagnostics);

/* The properties that a user can edit, by an index from 0 (`volumes`, which romsim_instance_edit()
 * knows, too, are attached and detached); false behind the last.  *ret_absent is
 * what one that is absent is set to, as JSON, or NULL: it is taken away by "del". */
bool romsim_instance_property(size_t index, const char **ret_name, const char **ret_absent);

/* The name that the cloud's CLI gives to a ROM from its `at` (cloud-rules §2), malloc'ed; "" if
 * nothing is left; NULL without memory. */
char *romsim_rom_name_from_at(const char *at);

#endif
