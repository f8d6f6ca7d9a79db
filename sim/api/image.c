/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * image.c: the images of the stores, as the cloud lists them (cloud-api §1.3, "Images").
 *
 * An item is a manifest of a repository with the tags that lead to it.  The newer endpoints differ
 * in how they write tags; the older one, /images/list, has members of its own.
 */
#include "api.h"

#include <romsim/buffer.h>
#include <romsim/cleanup.h>
#include <romsim/reference.h>
#include <romsim/store.h>
#include <romsim/text.h>
#include <romsim/vector.h>

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* Who is meant where a name says no registry: as the cloud's own answers have it. */
#define CLOUD_REGISTRY "unikraft.io"

/* ---- what is taken and given -------------------------------------------------------------------
 */

static const struct romsim_shape string = {.kind = ROMSIM_SHAPE_STRING};
static const struct romsim_shape strings = {.kind = ROMSIM_SHAPE_LIST, .item = &string};
static const struct romsim_shape string_map = {.kind = ROMSIM_SHAPE_MAP, .item = &string};
static const struct romsim_shape boolean = {.kind = ROMSIM_SHAPE_BOOLEAN};
static const struct romsim_shape size = {.kind = ROMSIM_SHAPE_INTEGER, .maximum = INT64_MAX};

static const struct romsim_member image_members[] = {
    {"url", &string, ROMSIM_MEMBER_REQUIRED, NULL},
    {"created_at", &string, ROMSIM_MEMBER_REQUIRED, NULL},
    {"initrd_or_rom", &boolean, ROMSIM_MEMBER_REQUIRED, NULL},
    {"size_in_bytes", &size, ROMSIM_MEMBER_REQUIRED, NULL},
    {"args", &strings, 0, NULL},
    {"env", &string_map, 0, NULL},
    {"tags", &strings, 0, NULL},
    ROMSIM_END,
};
static const struct romsim_shape image_shape = {.kind = ROMSIM_SHAPE_OBJECT,
                                                .members = image_members};

static const struct romsim_member old_members[] = {
    {"digest", &string, ROMSIM_MEMBER_REQUIRED, NULL},
    {"tag", &string, 0, NULL}, /* of one that is not there, as it was asked for */
    {"tags", &strings, ROMSIM_MEMBER_REQUIRED, NULL},
    {"initrd", &boolean, ROMSIM_MEMBER_REQUIRED, NULL},
    {"size_in_bytes", &size, ROMSIM_MEMBER_REQUIRED, NULL},
    {"args", &string, 0, NULL},
    {"kernel_args", &string, 0, NULL},
    {"labels", &string_map, 0, NULL},
    ROMSIM_END,
};
static const struct romsim_shape old_shape = {.kind = ROMSIM_SHAPE_OBJECT, .members = old_members};

static const struct romsim_member wanted_members[] = {
    {"tag", &string, 0, NULL},
    {"digest", &string, 0, NULL},
    ROMSIM_END,
};
static const struct romsim_shape wanted_shape = {.kind = ROMSIM_SHAPE_OBJECT,
                                                 .members = wanted_members};

static const struct api_query image_query[] = {
    {"digest", &string, "only the image with this digest", false},
    {"tag", &string, "only images with this tag: latest, or org/name:latest", false},
    {0},
};
static const struct api_query old_query[] = {
    {"namespace", &string, "only images of this organization", false},
    {0},
};

/* ---- which ones --------------------------------------------------------------------------------
 */

/* Is the name one of the repository's, written in `size` bytes, with this tag? */
static bool is_tagged(const struct romsim_store_name *name, const char *repository, size_t length,
                      const char *tag)
{
    CLEANUP_FREE char *bare = strndup(repository, length);

    return bare && romsim_store_name_is_of(name, bare) &&
           strcmp(romsim_store_name_tag(name), tag) == 0;
}

/* A tag is asked for alone, with its image's name, or by the name alone. */
static bool has_tag(const struct romsim_store_name *name, const char *wanted)
{
    const char *bare = romsim_reference_name(wanted), *slash = strrchr(bare, '/');
    const char *colon = strchr(slash ? slash : bare, ':');

    if (colon)
        return is_tagged(name, bare, (size_t)(colon - bare), colon + 1);
    return strcmp(romsim_store_name_tag(name), wanted) == 0 ||
           is_tagged(name, bare, strlen(bare), "latest");
}

/* A digest is asked for alone, or behind its image's name. */
static bool has_digest(const struct romsim_store_name *name, const char *wanted)
{
    const char *bare = romsim_reference_name(wanted), *at = strchr(bare, '@');
    CLEANUP_FREE char *repository = at ? strndup(bare, (size_t)(at - bare)) : NULL;
    char *slash = repository ? strrchr(repository, '/') : NULL;
    char *colon = repository ? strchr(slash ? slash : repository, ':') : NULL;

    if (strcmp(name->digest, at ? at + 1 : bare) != 0)
        return false;
    if (colon)
        *colon = '\0'; /* the digest says more */
    return !repository || romsim_store_name_is_of(name, repository);
}

static bool is_in_namespace(const struct romsim_store_name *name, const char *namespace)
{
    const char *bare = romsim_store_without_registry(name->name);
    size_t length = strlen(namespace);

    return strncmp(bare, namespace, length) == 0 && bare[length] == '/';
}

/* ---- items -------------------------------------------------------------------------------------
 */

/* "unikraft.io/org/app@sha256:..."; malloc'ed. */
static char *url_of(const struct romsim_store_name *name, const char *registry)
{
    const char *tag = romsim_store_name_tag(name);
    size_t length = *tag ? (size_t)(tag - 1 - name->name) : strlen(name->name);
    bool has_registry = romsim_store_without_registry(name->name) != name->name;
    char *url = NULL;

    if (asprintf(&url, "%s%s%.*s@%s", has_registry ? "" : registry,
                 has_registry || !*registry ? "" : "/", (int)length, name->name, name->digest) < 0)
        return NULL;
    return url;
}

/* When the manifest came to the store. */
static json_t *created_at(const struct romsim_stores *stores, const struct romsim_store_name *name)
{
    char text[ROMSIM_TIME_SIZE];
    struct stat st = {0};
    CLEANUP_FD int fd = -1;
    uint64_t bytes;

    if (romsim_stores_open_blob(stores, name->digest, &fd, &bytes, NULL) > 0)
        fstat(fd, &st);
    return json_string(romsim_text_time(st.st_mtime, text));
}

static json_t *list_of(const struct romsim_strings *one, const struct romsim_strings *other)
{
    json_t *list = json_array();

    for (size_t i = 0; i < one->count; i++)
        json_array_append_new(list, json_string(one->items[i]));
    for (size_t i = 0; i < other->count; i++)
        json_array_append_new(list, json_string(other->items[i]));
    return list;
}

static json_t *map_of(const struct romsim_strings *variables)
{
    json_t *map = json_object();

    for (size_t i = 0; i < variables->count; i++) {
        const char *equals = strchr(variables->items[i], '=');
        CLEANUP_FREE char *key =
            equals ? strndup(variables->items[i], (size_t)(equals - variables->items[i])) : NULL;

        if (key)
            json_object_set_new(map, key, json_string(equals + 1));
    }
    return map;
}

static json_t *joined(const json_t *list)
{
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(1 << 20);

    for (size_t i = 0; i < json_array_size(list); i++)
        romsim_buffer_printf(&text, "%s%s", i ? " " : "",
                             json_string_value(json_array_get(list, i)));
    return json_string(text.data && !text.failed ? text.data : "");
}

/* Has it a root, or is it a ROM, that is one file? */
static bool is_initrd_or_rom(const struct romsim_image_info *info)
{
    bool has_root = false;

    for (size_t i = 0; i < info->layer_count; i++)
        has_root = has_root || strcmp(info->layers[i].role, "root") == 0;
    return info->is_rom || has_root;
}

/* What the image says of itself.  One that cannot be read here (it may be for other machines) is
 * listed all the same: else one would hide all from who looks at the status. */
static void describe(struct api_request *request, const struct romsim_store_name *name,
                     json_t *item)
{
    CLEANUP(romsim_image_info_release) struct romsim_image_info info = {0};
    struct romsim_error err;

    if (romsim_store_info(name, &info, &err) < 0) {
        api_warn(request, "unreadable_image", "%s", err.message);
        info.size = name->size;
    } else {
        json_object_set_new(item, "args", list_of(&info.entrypoint, &info.cmd));
        json_object_set_new(item, "env", map_of(&info.env));
    }
    json_object_set_new(item, "initrd_or_rom", json_boolean(is_initrd_or_rom(&info)));
    json_object_set_new(item, "size_in_bytes", json_integer((json_int_t)info.size));
}

struct image {
    const struct romsim_store_name *name; /* the first that leads to it */
    json_t *item;                         /* owned */
};

DEFINE_VECTOR(images, struct image)

struct listing {
    struct api_request *request;
    struct romsim_stores stores;
    struct romsim_store_names names;
    struct images images;
    json_t *places;     /* url -> index of its image */
    bool has_bare_tags; /* "latest", not "org/app:latest" */
};

static void listing_clear(struct listing *listing)
{
    for (size_t i = 0; i < listing->images.count; i++)
        json_decref(listing->images.items[i].item);
    images_reset(&listing->images);
    json_object_clear(listing->places);
}

static void listing_release(struct listing *listing)
{
    listing_clear(listing);
    json_decref(listing->places);
    romsim_store_names_release(&listing->names);
    romsim_stores_close(&listing->stores);
}
#define CLEANUP_LISTING CLEANUP(listing_release)

/* False: after a reply. */
static bool listing_open(struct api_request *request, struct listing *ret)
{
    struct romsim_error err;

    ret->request = request;
    ret->places = json_object();
    if (romsim_stores_open(&ret->stores, &err) == 0 &&
        romsim_stores_list(&ret->stores, &ret->names, &err) == 0)
        return true;
    api_reply_error(request, 500, &err);
    return false;
}

static json_t *new_item(struct listing *listing, const struct romsim_store_name *name,
                        const char *url)
{
    json_t *item = api_item_success(json_pack("{s:s, s:o, s:[]}", "url", url, "created_at",
                                              created_at(&listing->stores, name), "tags"));

    if (images_append(&listing->images, (struct image){name, item}) < 0) {
        json_decref(item);
        return NULL;
    }
    json_object_set_new(listing->places, url, json_integer((json_int_t)listing->images.count - 1));
    describe(listing->request, name, item);
    return item;
}

/* Adds a name to its image's tags. */
static void add_name(struct listing *listing, const struct romsim_store_name *name)
{
    CLEANUP_FREE char *url = url_of(name, CLOUD_REGISTRY);
    const json_t *place = url ? json_object_get(listing->places, url) : NULL;
    json_t *item = place ? listing->images.items[json_integer_value(place)].item
                   : url ? new_item(listing, name, url)
                         : NULL;

    json_array_append_new(json_object_get(item, "tags"),
                          json_string(listing->has_bare_tags
                                          ? romsim_store_name_tag(name)
                                          : romsim_store_without_registry(name->name)));
}

/* ---- /v1/images, /v1/image-store ---------------------------------------------------------------
 */

static void list_images(struct api_request *request, bool has_bare_tags)
{
    const char *digest = api_request_parameter(request, "digest");
    const char *tag = api_request_parameter(request, "tag");
    CLEANUP_LISTING struct listing listing = {.has_bare_tags = has_bare_tags};
    json_t *items = json_array();

    if (!listing_open(request, &listing)) {
        json_decref(items);
        return;
    }
    for (size_t i = 0; i < listing.names.count; i++) {
        const struct romsim_store_name *name = &listing.names.items[i];

        if ((!digest || has_digest(name, digest)) && (!tag || has_tag(name, tag)))
            add_name(&listing, name);
    }
    for (size_t i = 0; i < listing.images.count; i++)
        json_array_append(items, listing.images.items[i].item);
    api_reply_items(request, items);
}

static void get_images(struct api_request *request)
{
    list_images(request, false);
}

static void get_image_store(struct api_request *request)
{
    list_images(request, true);
}

/* ---- /v1/images/list ---------------------------------------------------------------------------
 */

enum { WANTED_MOST = 100 }; /* each has all names looked at */

/* The older form of an item. */
static json_t *old_item(const struct image *image)
{
    CLEANUP_FREE char *digest = url_of(image->name, "");

    return api_item_success(json_pack(
        "{s:s, s:O, s:O, s:O, s:o, s:s, s:{}}", "digest", digest ? digest : image->name->digest,
        "tags", json_object_get(image->item, "tags"), "initrd",
        json_object_get(image->item, "initrd_or_rom"), "size_in_bytes",
        json_object_get(image->item, "size_in_bytes"), "args",
        joined(json_object_get(image->item, "args")), "kernel_args", "", "labels"));
}

static bool is_wanted(const struct romsim_store_name *name, const json_t *wanted)
{
    const char *tag = json_string_value(json_object_get(wanted, "tag"));
    const char *digest = json_string_value(json_object_get(wanted, "digest"));

    return (!tag || has_tag(name, tag)) && (!digest || has_digest(name, digest));
}

static json_t *not_found(const json_t *wanted)
{
    const char *tag = json_string_value(json_object_get(wanted, "tag"));
    const char *digest = json_string_value(json_object_get(wanted, "digest"));
    const char *key = tag ? "tag" : "digest", *value = tag ? tag : digest ? digest : "";
    struct romsim_error err;

    romsim_error_set(&err, ENOENT, "No image with %s '%s'", key, QUOTE(value));
    err.cloud = ROMSIM_CLOUD_NOT_FOUND;
    return api_item_error(key, value, &err);
}

/* Adds the images that one of the body's objects asks for; NULL: all. */
static void add_old(struct listing *listing, const json_t *wanted, json_t *items)
{
    const char *namespace = api_request_parameter(listing->request, "namespace");

    listing_clear(listing);
    for (size_t i = 0; i < listing->names.count; i++) {
        const struct romsim_store_name *name = &listing->names.items[i];

        if ((!wanted || is_wanted(name, wanted)) &&
            (!namespace || is_in_namespace(name, namespace)))
            add_name(listing, name);
    }
    for (size_t i = 0; i < listing->images.count; i++)
        json_array_append_new(items, old_item(&listing->images.items[i]));
    if (wanted && listing->images.count == 0)
        json_array_append_new(items, not_found(wanted));
}

static void get_old_list(struct api_request *request)
{
    CLEANUP_LISTING struct listing listing = {0};
    json_t *wanted = api_request_items(request), *items;

    if (!wanted)
        return;
    if (json_array_size(wanted) > WANTED_MOST) {
        api_reply_fail(request, 400, ROMSIM_CLOUD_TOO_MANY, "More than %d images are asked for",
                       WANTED_MOST);
    } else if (listing_open(request, &listing)) {
        items = json_array();
        for (size_t i = 0; i < json_array_size(wanted); i++)
            add_old(&listing, json_array_get(wanted, i), items);
        if (json_array_size(wanted) == 0)
            add_old(&listing, NULL, items);
        api_reply_items(request, items);
    }
    json_decref(wanted);
}

/* ---- routes ------------------------------------------------------------------------------------
 */

/* The store of this machine is no cache: nothing is ever thrown out of it. */
static void refuse_pins(struct api_request *request)
{
    api_reply_fail(request, 501, ROMSIM_CLOUD_NOT_SUPPORTED,
                   "Images are kept until they are removed, so they are not pinned");
}

const struct api_route api_image_routes[] = {
    {.method = API_GET,
     .path = "/v1/images",
     .handle = get_images,
     .id = "getImages",
     .summary = "List the images, with tags as NAME:TAG",
     .query = image_query,
     .list = "images",
     .item = &image_shape},
    {.method = API_GET,
     .path = "/v1/image-store",
     .handle = get_image_store,
     .id = "getImageStore",
     .summary = "List the images, with bare tags",
     .query = image_query,
     .list = "images",
     .item = &image_shape},
    {.method = API_GET,
     .path = "/v1/images/list",
     .handle = get_old_list,
     .id = "listImages",
     .summary = "List the images in the form of older clients",
     .query = old_query,
     .body_kind = API_OBJECT_OR_LIST,
     .body = &wanted_shape,
     .list = "images",
     .item = &old_shape},
    {.method = API_POST,
     .path = "/v1/images",
     .handle = refuse_pins,
     .flags = API_QUICK | API_HIDDEN},
    {.method = API_DELETE,
     .path = "/v1/images",
     .handle = refuse_pins,
     .flags = API_QUICK | API_HIDDEN},
    {0},
};
