/* SPDX-License-Identifier: BSD-3-Clause */
/* volume.c: the volumes of this machine over HTTP (cloud-api §1.3). */
#include "listing.h"
#include "roll.h"
#include "said.h"
#include "shapes.h"

#include <romsim/cleanup.h>
#include <romsim/link.h>
#include <romsim/name.h>
#include <romsim/text.h>
#include <romsim/volume.h>

#include <errno.h>
#include <string.h>

/* As long as a client waits.  A keeper that takes longer may do it all the same. */
enum { ATTACH_MS = 30000 };

/* ---- what is taken and given -------------------------------------------------------------------
 */

static const struct romsim_shape access_mode = {.kind = ROMSIM_SHAPE_WORD,
                                                .words = ROMSIM_WORDS("rwo", "rox", "rwx")};
static const struct romsim_shape quota_policy = {.kind = ROMSIM_SHAPE_WORD,
                                                 .words = ROMSIM_WORDS("static", "dynamic")};
static const struct romsim_shape tag = {.kind = ROMSIM_SHAPE_STRING};
static const struct romsim_shape tags = {.kind = ROMSIM_SHAPE_LIST, .item = &tag};
static const struct romsim_shape shown_state = {
    .kind = ROMSIM_SHAPE_WORD, .words = ROMSIM_WORDS("available", "idle", "mounted", "busy")};

OBJECT(create, MAY("name", &string_shape), MAY("size_mb", &count_shape),
       MAY("host_path", &string_shape), MAY("template", &reference_shape),
       IDLE("quota_policy", &quota_policy, "static"), MAY("filesystem", &string_shape),
       MAY("tags", &tags), IDLE("uid", &count_shape, NULL), IDLE("gid", &count_shape, NULL),
       MAY("access_mode", &access_mode), IDLE("args", &any_shape, NULL));
OBJECT(created, HAS("uuid", &string_shape), HAS("name", &string_shape), HAS("state", &shown_state));

BODY(attach, HAS("attach_to", &reference_shape), HAS("at", &string_shape),
     MAY("readonly", &boolean_shape));
BODY(detach, MAY("from", &reference_shape));
BODY(clone, MAY("vol_name", &string_shape), IDLE("quota_policy", &quota_policy, "static"),
     MAY("tags", &tags), MAY("access_mode", &access_mode));

OBJECT(holder, MAY("uuid", &string_shape), MAY("name", &string_shape));
OBJECT(mounter, MAY("uuid", &string_shape), MAY("name", &string_shape),
       HAS("readonly", &boolean_shape));
OBJECT(volume, HAS("uuid", &string_shape), HAS("name", &string_shape),
       HAS("created_at", &string_shape), HAS("state", &shown_state), HAS("size_mb", &count_shape),
       HAS("used_bytes", &size_shape), HAS("persistent", &boolean_shape),
       HAS("filesystem", &string_shape), HAS("access_mode", &access_mode),
       HAS("quota_policy", &quota_policy), HAS("delete_lock", &boolean_shape),
       HAS("tags", &strings_shape), HAS("attached_to", &holder_list_shape),
       HAS("mounted_by", &mounter_list_shape));

/* ---- helpers -----------------------------------------------------------------------------------
 */

static int refuse(struct romsim_error *err, enum romsim_cloud_code code, const char *message)
{
    romsim_error_set(err, EINVAL, "%s", message);
    err->cloud = code;
    return -1;
}

/* The volume that is meant.  Returns 0 or -1. */
static int find(const json_t *said, struct romsim_volume_info *ret, struct romsim_error *err)
{
    const char *name = said_text(said, "name"), *uuid = said_text(said, "uuid");
    int found = romsim_volume_find(uuid ? NULL : name, uuid, ret, err);

    if (found == 0) {
        romsim_error_set(err, ENOENT, "No volume with %s '%s'", uuid ? "uuid" : "name",
                         QUOTE(uuid ? uuid : name));
        err->cloud = ROMSIM_CLOUD_NOT_FOUND;
    }
    return found > 0 ? 0 : -1;
}

static json_t *changed(const struct romsim_volume_info *info)
{
    return api_item_success(json_pack("{s:s, s:s}", "uuid", info->uuid, "name", info->name));
}

/* "uuid", "name" and "state" of a volume that is there now. */
static json_t *made(const char *name, struct romsim_error *err)
{
    CLEANUP_VOLUME struct romsim_volume_info info = {0};
    int found = romsim_volume_find(name, NULL, &info, err);
    json_t *item;

    if (found == 0)
        refuse(err, ROMSIM_CLOUD_FAILED_OPERATION, "The volume was removed again");
    if (found <= 0)
        return NULL;
    item = changed(&info);
    json_object_set_new(item, "state", json_string("available"));
    return item;
}

/* ---- traits ------------------------------------------------------------------------------------
 */

static int add_tag(struct romsim_strings *list, const json_t *value, struct romsim_error *err)
{
    const char *text = json_string_value(value);

    if (list->count == ROMSIM_VOLUME_TAGS_MAX) {
        romsim_error_set(err, EINVAL, "Too many tags: at most %d", ROMSIM_VOLUME_TAGS_MAX);
        err->cloud = ROMSIM_CLOUD_TOO_MANY;
        return -1;
    }
    if (strlen(text) > ROMSIM_VOLUME_TAG_SIZE_MAX) {
        romsim_error_set(err, EINVAL, "Invalid tag '%s'", QUOTE(text));
        err->cloud = ROMSIM_CLOUD_TOO_LONG;
        return romsim_error_hint(err, "at most %d characters", ROMSIM_VOLUME_TAG_SIZE_MAX);
    }
    return romsim_strings_append(list, text) < 0 ? romsim_error_nomem(err) : 0;
}

static int add_tags(struct romsim_strings *list, const json_t *values, struct romsim_error *err)
{
    for (size_t i = 0; i < json_array_size(values); i++)
        if (add_tag(list, json_array_get(values, i), err) < 0)
            return -1;
    return 0;
}

static bool is_word(const json_t *said, const char *member, const char *word)
{
    const char *text = said_text(said, member);

    return text && strcmp(text, word) == 0;
}

/* Those that a request names; of `absent` (or NULL) what it does not. */
static int read_traits(const json_t *said, const struct romsim_volume_traits *absent,
                       struct romsim_volume_traits *ret, struct romsim_error *err)
{
    if (is_word(said, "access_mode", "rwx"))
        return refuse(err, ROMSIM_CLOUD_NOT_SUPPORTED,
                      "access_mode 'rwx' needs the filesystem 'virtiofs', which is not simulated");
    ret->is_for_reading = said_text(said, "access_mode") ? is_word(said, "access_mode", "rox")
                                                         : absent && absent->is_for_reading;
    ret->is_dynamic = said_text(said, "quota_policy") ? is_word(said, "quota_policy", "dynamic")
                                                      : absent && absent->is_dynamic;
    return add_tags(&ret->tags, json_object_get(said, "tags"), err);
}

/* ---- POST --------------------------------------------------------------------------------------
 */

static int check_create(const json_t *said, struct romsim_error *err)
{
    const char *filesystem = said_text(said, "filesystem");

    if (json_object_get(said, "host_path"))
        return refuse(err, ROMSIM_CLOUD_NOT_ALLOWED,
                      "Invalid host_path: a request cannot name files of the host");
    if (json_object_get(said, "template"))
        return refuse(err, ROMSIM_CLOUD_NOT_SUPPORTED, "Templates of volumes are not simulated");
    if (filesystem && strcmp(filesystem, "ext4") != 0) {
        romsim_error_set(err, EINVAL, "filesystem '%s' is not simulated", QUOTE(filesystem));
        err->cloud = ROMSIM_CLOUD_NOT_SUPPORTED;
        return romsim_error_hint(err, "ext4 is");
    }
    if (!json_object_get(said, "size_mb"))
        return refuse(err, ROMSIM_CLOUD_MALFORMED_REQUEST, "Missing member size_mb");
    return 0;
}

static json_t *create_one(struct api_request *request, const json_t *said, struct romsim_error *err)
{
    uint64_t size_mb = (uint64_t)json_integer_value(json_object_get(said, "size_mb"));
    const char *name = said_text(said, "name");
    char random[ROMSIM_NAME_VOLUME_SIZE];
    struct romsim_volume_traits traits = {0};
    int status = check_create(said, err);

    (void)request;
    if (status == 0 && !name && !romsim_name_volume(random))
        status = romsim_error_system(err, errno, "the kernel has no random bytes");
    if (status == 0)
        status = read_traits(said, NULL, &traits, err);
    if (status == 0)
        status = romsim_volume_create(name ?: random, size_mb, &traits, err);
    romsim_strings_clear(&traits.tags);
    return status == 0 ? made(name ?: random, err) : NULL;
}

static void volumes_create(struct api_request *request)
{
    said_make(request, create_one);
}

/* The copy is there when the answer is. */
static json_t *clone_one(struct api_request *request, const json_t *said, struct romsim_error *err)
{
    const char *name = said_text(said, "vol_name");
    CLEANUP_VOLUME struct romsim_volume_info info = {0};
    struct romsim_volume_traits traits = {0};
    char random[ROMSIM_NAME_VOLUME_SIZE];
    int status = find(said, &info, err);

    (void)request;
    if (status == 0 && !name && !romsim_name_volume(random))
        status = romsim_error_system(err, errno, "the kernel has no random bytes");
    if (status == 0)
        status = read_traits(said, &info.traits, &traits, err);
    if (status == 0)
        status = romsim_volume_clone(info.name, name ?: random, &traits, err);
    romsim_strings_clear(&traits.tags);
    return status == 0 ? made(name ?: random, err) : NULL;
}

static void volumes_clone(struct api_request *request)
{
    said_each(request, clone_one);
}

/* ---- GET ---------------------------------------------------------------------------------------
 */

static json_t *show(const struct romsim_volume_info *info, const json_t *instances,
                    bool has_details)
{
    return has_details ? api_item_success(romsim_volume_json(info, instances)) : changed(info);
}

static int by_creation(const void *left, const void *right)
{
    const struct romsim_volume_info *a = left, *b = right;

    if (a->created_at != b->created_at)
        return a->created_at < b->created_at ? -1 : 1;
    return strcmp(a->uuid, b->uuid);
}

static json_t *tags_json(const struct romsim_volume_info *info)
{
    json_t *list = json_array();

    for (size_t i = 0; i < info->traits.tags.count; i++)
        json_array_append_new(list, json_string(info->traits.tags.items[i]));
    return json_pack("{s:o}", "tags", list);
}

static json_t *list_all(struct listing *listing, const json_t *instances, struct romsim_error *err)
{
    CLEANUP_VOLUMES struct romsim_volume_infos infos = {0};
    json_t *items;

    if (romsim_volume_list(&infos, NULL, NULL, err) < 0)
        return NULL;
    qsort(infos.items, infos.count, sizeof(*infos.items), by_creation);
    items = json_array();
    for (size_t i = 0; i < infos.count; i++) {
        const struct romsim_volume_info *info =
            &infos.items[listing_index(listing, i, infos.count)];
        json_t *tagged = tags_json(info);

        if (listing_takes(listing, info->uuid, info->created_at, tagged))
            json_array_append_new(items, show(info, instances, listing->has_details));
        json_decref(tagged);
    }
    return items;
}

static void reply_list(struct api_request *request)
{
    json_t *instances = roll_items(api_roll(request->api)), *items = NULL;
    struct romsim_error err = {0};
    struct listing listing;

    if (listing_read(request, &listing) == 0) {
        items = list_all(&listing, instances, &err);
        if (items)
            api_reply_items(request, items);
        else
            api_reply_error(request, api_http_status(&err), &err);
    }
    json_decref(instances);
}

static json_t *get_one(struct api_request *request, const json_t *said, struct romsim_error *err)
{
    CLEANUP_VOLUME struct romsim_volume_info info = {0};
    json_t *instances, *item;

    if (find(said, &info, err) < 0)
        return NULL;
    instances = roll_items(api_roll(request->api));
    item = show(&info, instances, listing_has_details(request));
    json_decref(instances);
    return item;
}

static void volumes_get(struct api_request *request)
{
    json_t *said = said_read(request, true);

    if (!said)
        return;
    if (json_array_size(said))
        said_reply(request, said, get_one);
    else
        reply_list(request);
    json_decref(said);
}

/* ---- PATCH -------------------------------------------------------------------------------------
 */

struct edit {
    const json_t *said, *value;
};

static bool takes_out(const json_t *values, const char *text)
{
    for (size_t i = 0; i < json_array_size(values); i++)
        if (strcmp(json_string_value(json_array_get(values, i)), text) == 0)
            return true;
    return false;
}

static int edit_tags(const struct edit *edit, struct romsim_volume_traits *traits,
                     struct romsim_error *err)
{
    struct romsim_strings kept = {0};
    int status = 0;

    for (size_t i = 0; status == 0 && !is_word(edit->said, "op", "set") && i < traits->tags.count;
         i++)
        if (!is_word(edit->said, "op", "del") || !takes_out(edit->value, traits->tags.items[i]))
            status = romsim_strings_append(&kept, traits->tags.items[i]);
    if (status < 0)
        romsim_error_nomem(err);
    if (status == 0 && !is_word(edit->said, "op", "del"))
        status = add_tags(&kept, edit->value, err);
    if (status < 0) {
        romsim_strings_clear(&kept);
        return -1;
    }
    romsim_strings_clear(&traits->tags);
    traits->tags = kept;
    return 0;
}

/* A romsim_volume_changer. */
static int edit_traits(void *context, struct romsim_volume_traits *traits, struct romsim_error *err)
{
    const struct edit *edit = context;

    if (is_word(edit->said, "prop", "tags"))
        return edit_tags(edit, traits, err);
    traits->has_delete_lock = json_is_true(edit->value);
    return 0;
}

static int cannot(const json_t *said, struct romsim_error *err)
{
    romsim_error_set(err, EINVAL, "'%s' cannot be changed by '%s'", QUOTE(said_text(said, "prop")),
                     said_text(said, "op"));
    err->cloud = ROMSIM_CLOUD_INVALID;
    return -1;
}

/* One value of a list may stand alone. */
static json_t *as_list(json_t *value)
{
    return !value || json_is_array(value) ? json_incref(value) : json_pack("[O]", value);
}

static int edit_volume(const struct romsim_volume_info *info, const json_t *said,
                       struct romsim_error *err)
{
    json_t *value = json_object_get(said, "value");
    bool sets = is_word(said, "op", "set"), is_tags = is_word(said, "prop", "tags");
    struct edit edit = {.said = said};
    int status;

    if (is_word(said, "prop", "quota_policy"))
        return refuse(err, ROMSIM_CLOUD_NOT_SUPPORTED,
                      "'quota_policy' cannot be changed: it is not simulated");
    if (is_word(said, "prop", "size_mb") && sets)
        return said_check(value, "size_mb", &count_shape, err) < 0
                   ? -1
                   : romsim_volume_grow(info->name, (uint64_t)json_integer_value(value), err);
    if (is_word(said, "prop", "delete_lock") && sets) {
        edit.value = value;
        return said_check(value, "delete_lock", &boolean_shape, err) < 0
                   ? -1
                   : romsim_volume_change(info->name, edit_traits, &edit, err);
    }
    if (!is_tags)
        return cannot(said, err);
    value = as_list(value);
    edit.value = value;
    status = said_check(value, "tags", &tags, err);
    if (status == 0)
        status = romsim_volume_change(info->name, edit_traits, &edit, err);
    json_decref(value);
    return status;
}

static json_t *edit_one(struct api_request *request, const json_t *said, struct romsim_error *err)
{
    CLEANUP_VOLUME struct romsim_volume_info info = {0};
    json_t *item;

    (void)request;
    if (find(said, &info, err) < 0 || edit_volume(&info, said, err) < 0)
        return NULL;
    item = changed(&info);
    if (json_object_get(said, "id"))
        json_object_set(item, "id", json_object_get(said, "id"));
    return item;
}

static void volumes_edit(struct api_request *request)
{
    said_each(request, edit_one);
}

/* ---- attach, detach, DELETE --------------------------------------------------------------------
 */

/* The instance that `member` names: a reference, or NULL. */
static struct roll_entry *find_instance(struct api_request *request, const json_t *said,
                                        const char *member, struct romsim_error *err)
{
    const json_t *reference = json_object_get(said, member);
    const char *name = said_text(reference, "name"), *uuid = said_text(reference, "uuid");
    struct roll_entry *entry;

    if (!name == !uuid) {
        refuse(err, name ? ROMSIM_CLOUD_NOT_BOTH : ROMSIM_CLOUD_MISSING_ID,
               name ? "Cannot specify 'name' when 'uuid' is set" : "Missing member uuid or name");
        romsim_error_context(err, "%s", member);
        return NULL;
    }
    entry = roll_find(api_roll(request->api), name, uuid);
    if (!entry) {
        romsim_error_set(err, ENOENT, "No instance with %s '%s'", uuid ? "uuid" : "name",
                         QUOTE(uuid ? uuid : name));
        err->cloud = ROMSIM_CLOUD_NOT_FOUND;
    }
    return entry;
}

/* With a word about when it is done. */
static json_t *attached(const struct romsim_volume_info *info, bool is_queued)
{
    json_t *item = changed(info);

    if (is_queued)
        json_object_set_new(item, "message", json_string("The instance runs: when it stops"));
    return item;
}

static json_t *attach_one(struct api_request *request, const json_t *said, struct romsim_error *err)
{
    CLEANUP_VOLUME struct romsim_volume_info info = {0};
    CLEANUP_LINK struct romsim_link *link = NULL;
    struct roll_entry *entry = NULL;
    bool is_queued = false;
    int status = -1;

    if (find(said, &info, err) < 0 || !(entry = find_instance(request, said, "attach_to", err)))
        return NULL;
    link = romsim_link_open_name(entry->name, err);
    if (link)
        status = romsim_link_attach_volume(link, &info, said_text(said, "at"),
                                           json_is_true(json_object_get(said, "readonly")),
                                           ATTACH_MS, &is_queued, err);
    roll_refresh(api_roll(request->api), entry->name);
    roll_entry_free(entry);
    return status < 0 ? NULL : attached(&info, is_queued);
}

static void volumes_attach(struct api_request *request)
{
    said_each(request, attach_one);
}

static int detach_from(struct api_request *request, const struct romsim_volume_info *info,
                       const char *instance, bool *ret_is_queued, struct romsim_error *err)
{
    CLEANUP_LINK struct romsim_link *link = romsim_link_open_name(instance, err);
    bool is_queued = false;
    int status = link ? romsim_link_detach_volume(link, info, ATTACH_MS, &is_queued, err) : -1;

    *ret_is_queued |= is_queued;
    roll_refresh(api_roll(request->api), instance);
    return status;
}

/* From all that have it; the first error is the answer. */
static int detach_from_all(struct api_request *request, const struct romsim_volume_info *info,
                           bool *ret_is_queued, struct romsim_error *err)
{
    json_t *instances = roll_items(api_roll(request->api)),
           *item = romsim_volume_json(info, instances);
    const json_t *holders = json_object_get(item, "attached_to");
    int status = 0;

    if (json_array_size(holders) == 0) {
        romsim_error_set(err, EINVAL, "the volume '%s' is not attached", QUOTE(info->name));
        err->cloud = ROMSIM_CLOUD_NOT_ATTACHED;
        status = -1;
    }
    for (size_t i = 0; i < json_array_size(holders); i++) {
        const char *name = said_text(json_array_get(holders, i), "name");

        if (detach_from(request, info, name, ret_is_queued, status < 0 ? NULL : err) < 0)
            status = -1;
    }
    json_decref(item);
    json_decref(instances);
    return status;
}

static json_t *detach_one(struct api_request *request, const json_t *said, struct romsim_error *err)
{
    CLEANUP_VOLUME struct romsim_volume_info info = {0};
    struct roll_entry *entry;
    bool is_queued = false;
    int status;

    if (find(said, &info, err) < 0)
        return NULL;
    if (!json_object_get(said, "from"))
        return detach_from_all(request, &info, &is_queued, err) < 0 ? NULL
                                                                    : attached(&info, is_queued);
    entry = find_instance(request, said, "from", err);
    if (!entry)
        return NULL;
    status = detach_from(request, &info, entry->name, &is_queued, err);
    roll_entry_free(entry);
    return status < 0 ? NULL : attached(&info, is_queued);
}

static void volumes_detach(struct api_request *request)
{
    said_each(request, detach_one);
}

static json_t *delete_one(struct api_request *request, const json_t *said, struct romsim_error *err)
{
    CLEANUP_VOLUME struct romsim_volume_info info = {0};

    (void)request;
    return find(said, &info, err) < 0 || romsim_volume_remove(info.name, err) < 0 ? NULL
                                                                                  : changed(&info);
}

static void volumes_delete(struct api_request *request)
{
    said_each(request, delete_one);
}

static void refuse_templates(struct api_request *request)
{
    api_reply_fail(request, 501, ROMSIM_CLOUD_NOT_SUPPORTED,
                   "Templates of volumes are not simulated");
}

/* ---- routes ------------------------------------------------------------------------------------
 */

#define ROUTE(route_method, route_path, handler, name, text, ...)                                  \
    {                                                                                              \
        .method = (route_method), .path = "/v1/volumes" route_path, .handle = (handler),           \
        .id = (name), .summary = (text), .list = "volumes", __VA_ARGS__                            \
    }
/* By a list, and by the path. */
#define CHANGE(route_method, word, handler, name, text, taken, given)                              \
    ROUTE(route_method, word, handler, name "Volumes", text " volumes",                            \
          .body_kind = API_OBJECT_OR_LIST, .body = &taken##_shape, .item = &given##_shape),        \
        ROUTE(route_method, "/{uuid}" word, handler, name "Volume", text " a volume",              \
              .body_kind = API_OBJECT, .body = &taken##_one_shape, .item = &given##_shape)
#define REFUSED(route_method, route_path, name)                                                    \
    ROUTE(route_method, route_path, refuse_templates, name, "Templates of volumes: not simulated")

const struct api_route api_volume_routes[] = {
    ROUTE(API_POST, "", volumes_create, "createVolume", "Make volumes",
          .body_kind = API_OBJECT_OR_LIST, .body = &create_shape, .item = &created_shape),
    ROUTE(API_GET, "", volumes_get, "getVolumes", "Show volumes", .query = list_query,
          .body_kind = API_OBJECT_OR_LIST, .body = &reference_shape, .item = &volume_shape),
    ROUTE(API_GET, "/{uuid}", volumes_get, "getVolume", "Show a volume", .query = one_query,
          .item = &volume_shape),
    CHANGE(API_PATCH, "", volumes_edit, "update", "Change properties of", patch, patched),
    ROUTE(API_DELETE, "", volumes_delete, "deleteVolumes", "Remove volumes",
          .body_kind = API_OBJECT_OR_LIST, .body = &reference_shape, .item = &changed_shape),
    ROUTE(API_DELETE, "/{uuid}", volumes_delete, "deleteVolume", "Remove a volume",
          .item = &changed_shape),
    CHANGE(API_PUT, "/attach", volumes_attach, "attach", "Give instances", attach, changed),
    CHANGE(API_PUT, "/detach", volumes_detach, "detach", "Take from instances", detach, changed),
    CHANGE(API_POST, "/clone", volumes_clone, "clone", "Copy", clone, created),
    CHANGE(API_PUT, "/clone", volumes_clone, "cloneByPut", "Copy", clone, created),
    REFUSED(API_POST, "/templates", "createTemplateVolumes"),
    REFUSED(API_GET, "/templates", "getTemplateVolumes"),
    REFUSED(API_PATCH, "/templates", "updateTemplateVolumes"),
    REFUSED(API_DELETE, "/templates", "deleteTemplateVolumes"),
    REFUSED(API_GET, "/templates/{uuid}", "getTemplateVolume"),
    REFUSED(API_PATCH, "/templates/{uuid}", "updateTemplateVolume"),
    REFUSED(API_DELETE, "/templates/{uuid}", "deleteTemplateVolume"),
    {0},
};
