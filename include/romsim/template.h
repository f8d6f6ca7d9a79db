/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * template.h: templates and checkpoints: VMs that were saved where clones of them are to go on
 * (cloud-rules §4, cloud-api §4).
 *
 *     $XDG_DATA_HOME/romsim/templates/, and checkpoints/ with the same in it
 *         new/<uuid>/        one that is being made, or removed; `lock`
 *         ready/<name>/      template.json
 *                            memory      a template's: the guest's, a sparse file
 *                            state       the devices', as QEMU saves it; a checkpoint's has the
 *                                        memory, too; one of an instance that was stopped has none
 *                            drive0 ...  the root's image, and those of the ROMs that it had
 *
 * Theory of operation: whoever makes a template holds a lock (flock) on the `lock` of its folder in
 * new/, which goes with the process, however it dies; a folder there whose lock is free is what was
 * left behind, and is swept.  A whole one is renamed into ready/, and nothing of it changes but the
 * properties in its record, which takes the place of the one before as a whole.  Who uses a
 * template opens all of its files first, so that one that is removed lives on in its clones.
 *
 * Not thread-safe, but for reading an open template.
 */
#ifndef ROMSIM_TEMPLATE_H
#define ROMSIM_TEMPLATE_H

#include <romsim/blob.h>
#include <romsim/cleanup.h>
#include <romsim/error.h>
#include <romsim/uuid.h>

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ROMSIM_TEMPLATE_DRIVES_MAX = 32 };

/* A checkpoint is a template that was made of an instance, which has gone on. */
enum romsim_saved { ROMSIM_SAVED_TEMPLATE, ROMSIM_SAVED_CHECKPOINT };

/* "template", "checkpoint". */
const char *romsim_saved_name(enum romsim_saved kind);

struct romsim_template {
    enum romsim_saved kind;
    bool is_ready; /* else it is being made */
    char *name;
    char uuid[ROMSIM_UUID_SIZE];
    int64_t created_at; /* seconds since 1970 */
    uint64_t size;      /* what it takes on the disk, in bytes */
    json_t *record;     /* what its maker wrote of it */
    int memory, state;  /* descriptors; -1 in a list, and where it has none */
    struct romsim_blob *drives[ROMSIM_TEMPLATE_DRIVES_MAX];
    size_t drive_count;
    unsigned references;
};

/* Opens the one of that name or, with `name` NULL, that UUID: a reference.  NULL: ENOENT with
 * ROMSIM_CLOUD_NOT_FOUND, EBUSY for a checkpoint that is being made, EUCLEAN for one that is
 * damaged. */
struct romsim_template *romsim_template_open(enum romsim_saved kind, const char *name,
                                             const char *uuid, struct romsim_error *err);

/* The same for a draft, whose files are all there: it is in no store. */
struct romsim_template *romsim_template_open_draft(enum romsim_saved kind, const char *uuid,
                                                   struct romsim_error *err);
struct romsim_template *romsim_template_ref(struct romsim_template *template);
void romsim_template_unref(struct romsim_template *template); /* accepts NULL */

DEFINE_CLEANUP(struct romsim_template, romsim_template_unref)
#define CLEANUP_TEMPLATE CLEANUP(cleanup_romsim_template_unref)

/* All of a kind, by name, without their files; those that are being made, too, if they were
 * announced.  One that cannot be read is passed over and its error
 * goes to `complain`.  Returns 0 or -1. */
struct romsim_templates {
    struct romsim_template **items;
    size_t count;
};
int romsim_template_list(enum romsim_saved kind, struct romsim_templates *ret,
                         void (*complain)(void *context, const struct romsim_error *error),
                         void *context, struct romsim_error *err);
void romsim_templates_clear(struct romsim_templates *templates);
#define CLEANUP_TEMPLATES CLEANUP(romsim_templates_clear)

/* Removes it; its clones go on.  ENOENT.  Returns 0 or -1. */
int romsim_template_remove(enum romsim_saved kind, const char *name, struct romsim_error *err);

/* What can be changed of one, since nothing of the VM depends on it: the member "properties" of its
 * record, an object, whose reference is taken.  ENOENT.  Returns 0 or -1. */
int romsim_template_set_properties(enum romsim_saved kind, const char *name, json_t *properties,
                                   struct romsim_error *err);

/* One that is being made. */
struct romsim_template_draft;

/* EEXIST if there is one of that name, EINVAL for a name that can be none's.  It gets this UUID, or
 * with NULL one of its own. */
struct romsim_template_draft *romsim_template_draft(enum romsim_saved kind, const char *name,
                                                    const char *uuid, struct romsim_error *err);
const char *romsim_template_draft_uuid(const struct romsim_template_draft *draft);

/* Its record, as far as it is known (whose reference is taken): from now on it is listed, and
 * romsim_template_open_draft() can open it.  Returns 0 or -1. */
int romsim_template_draft_announce(struct romsim_template_draft *draft, json_t *record,
                                   struct romsim_error *err);

/* Makes one of its files, for writing: "memory", "state".  A descriptor of the caller's, or -1. */
int romsim_template_draft_file(const struct romsim_template_draft *draft, const char *file,
                               struct romsim_error *err);

/* Adds a copy of the next drive's image.  Returns 0 or -1. */
int romsim_template_draft_drive(struct romsim_template_draft *draft, const struct romsim_blob *blob,
                                struct romsim_error *err);

/* It is whole: `record` (whose reference is taken) says what is in it.  EEXIST if somebody else has
 * made one of that name meanwhile.  Returns 0 or -1; the draft is still to be freed. */
int romsim_template_draft_finish(struct romsim_template_draft *draft, json_t *record,
                                 struct romsim_error *err);

/* Removes what is not finished.  Accepts NULL. */
void romsim_template_draft_free(struct romsim_template_draft *draft);

#endif
