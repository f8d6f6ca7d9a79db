/* SPDX-License-Identifier: BSD-3-Clause */
/* branch.c: an instance that goes off another (cloud-api §4): that one is asked to be saved. */
#include <romsim/link.h>
#include <romsim/vm.h>

#include <romsim/cleanup.h>
#include <romsim/text.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SAVE_MS = 120000 };

static void absent(const char *name, struct romsim_error *err)
{
    romsim_error_set(err, ENOENT, "No instance with name '%s'", QUOTE(name));
    err->cloud = ROMSIM_CLOUD_NOT_FOUND;
}

int romsim_vm_branch(struct romsim_instance *instance, struct romsim_link **ret,
                     struct romsim_error *err)
{
    CLEANUP_LINK struct romsim_link *link = NULL;
    const char *name = instance->template_name, *draft;
    json_t *answer;

    if (!romsim_instance_is_clone(instance) || instance->clone_of != ROMSIM_CLONE_OF_INSTANCE)
        return 0;
    link = name ? romsim_link_open_name(name, err) : romsim_link_open(instance->template_uuid, err);
    if (!link && name && err->cloud == ROMSIM_CLOUD_NOT_FOUND)
        absent(name, err);
    if (!link)
        return -1;
    answer = romsim_link_call(link, json_pack("{s:s}", "do", "branch"), SAVE_MS, NULL, NULL, err);
    if (!answer)
        return -1;
    draft = json_string_value(json_object_get(answer, "draft"));
    free(instance->snapshot);
    instance->snapshot = strdup(draft ?: "");
    json_decref(answer);
    if (!instance->snapshot)
        return romsim_error_nomem(err);
    *ret = STEAL_POINTER(&link);
    return 0;
}
