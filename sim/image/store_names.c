/* SPDX-License-Identifier: BSD-3-Clause */
/* store_names.c: the store's index.json: names and the manifests that they lead to. */
#include "sim/image/oci.h"
#include "sim/image/store.h"

#include <romsim/buffer.h>
#include <romsim/reference.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { NAME_SIZE_MAX = 512 };

/* ---- names ------------------------------------------------------------------------------ */

static bool is_name_text(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "._-/:@";

    return strspn(text, allowed) == strlen(text) && text[0] != '/' && text[0] != '.' &&
           text[0] != ':' && text[0] != '@' && text[strlen(text) - 1] != '/' && !strstr(text, "//");
}

static bool has_tag(const char *name)
{
    const char *slash = strrchr(name, '/');

    return strchr(slash ? slash : name, ':') != NULL;
}

char *romsim_store_normalize(const char *reference, struct romsim_error *err)
{
    char *name = NULL;

    if (!*reference || strlen(reference) > NAME_SIZE_MAX || !is_name_text(reference)) {
        romsim_error_set(err, EINVAL, "Invalid image name '%s'", QUOTE(reference));
        romsim_error_hint(err, "a name is [registry/]org/name[:tag]");
        return NULL;
    }
    if (asprintf(&name, "%s%s", reference,
                 has_tag(reference) || strchr(reference, '@') ? "" : ":latest") < 0) {
        romsim_error_nomem(err);
        return NULL;
    }
    return name;
}

/* The registry is a first component with a dot, a port, or "localhost"; and the library/ that
 * Docker's own has for names of one part. */
const char *romsim_store_without_registry(const char *name)
{
    size_t size = strcspn(name, "/");

    if (oci_name_familiar(name) != name)
        return oci_name_familiar(name);
    if (name[size] == '\0')
        return name;
    if (memchr(name, '.', size) || memchr(name, ':', size) ||
        (size == 9 && memcmp(name, "localhost", 9) == 0))
        return name + size + 1;
    return name;
}

void romsim_store_name_release(struct romsim_store_name *name)
{
    free(name->name);
    free(name->media_type);
    *name = (struct romsim_store_name){0};
}

void romsim_store_names_release(struct romsim_store_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        romsim_store_name_release(&names->items[i]);
    free(names->items);
    *names = (struct romsim_store_names){0};
}

/* ---- the index -------------------------------------------------------------------------- */

static json_t *new_index(void)
{
    return json_pack("{s:i, s:s, s:[]}", "schemaVersion", 2, "mediaType", OCI_MEDIA_INDEX,
                     "manifests");
}

/* As a whole: jansson's own reading of a file is a system call for each byte. */
static json_t *parse_index(const struct romsim_store *store, int fd, struct romsim_error *err)
{
    CLEANUP_BUFFER struct romsim_buffer text =
        ROMSIM_BUFFER_INIT(romsim_bound(ROMSIM_BOUND_STORE_INDEX));
    json_error_t error;
    json_t *index = NULL;

    if (romsim_buffer_read_fd(&text, fd) < 0 && text.failed != EFBIG) {
        romsim_error_system(err, text.failed, "cannot read the image store's index.json");
        return NULL;
    }
    if (text.failed) {
        romsim_bound_refuse(err, ROMSIM_BOUND_STORE_INDEX,
                            "the image store's index.json has more than %llu bytes",
                            (unsigned long long)romsim_bound(ROMSIM_BOUND_STORE_INDEX));
        return NULL;
    }
    if (text.data)
        index = json_loadb(text.data, text.size, JSON_REJECT_DUPLICATES, &error);
    if (json_is_array(json_object_get(index, "manifests")))
        return index;
    json_decref(index);
    romsim_error_set(err, EUCLEAN, "the image store's index.json is damaged");
    romsim_error_hint(err, "it is '%s/index.json'; without it the store is empty",
                      QUOTE(store->path));
    return NULL;
}

json_t *store_read_index(const struct romsim_store *store, struct romsim_error *err)
{
    CLEANUP_FD int fd = openat(store->folder, "index.json", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    json_t *index;

    if (fd >= 0)
        return parse_index(store, fd, err);
    if (errno != ENOENT) {
        romsim_error_system(err, errno, "cannot read the image store's index.json");
        return NULL;
    }
    index = new_index();
    if (!index)
        romsim_error_nomem(err);
    return index;
}

int store_write_index(const struct romsim_store *store, const json_t *index,
                      struct romsim_error *err)
{
    CLEANUP_FREE char *text = json_dumps(index, JSON_INDENT(2));

    if (!text)
        return romsim_error_nomem(err);
    /* One that could not be read again would hide all images. */
    if (strlen(text) > romsim_bound(ROMSIM_BOUND_STORE_INDEX))
        return romsim_bound_refuse(err, ROMSIM_BOUND_STORE_INDEX,
                                   "the image store's index.json would have %zu bytes",
                                   strlen(text));
    return store_replace(store, "index.json", text, strlen(text), err);
}

static int read_entry(const json_t *entry, struct romsim_store_name *ret, struct romsim_error *err)
{
    const char *name = oci_annotation(entry, OCI_ANNOTATION_NAME);
    struct oci_descriptor descriptor;

    if (!name)
        return 0;
    if (oci_descriptor_parse(entry, "an entry of the image store", &descriptor, err) < 0)
        return -1;
    ret->name = strdup(name);
    ret->media_type = strdup(descriptor.media_type);
    if (!ret->name || !ret->media_type) {
        romsim_store_name_release(ret);
        return romsim_error_nomem(err);
    }
    memcpy(ret->digest, descriptor.digest, sizeof(ret->digest));
    ret->size = descriptor.size;
    return 1;
}

static int compare_names(const void *a, const void *b)
{
    const struct romsim_store_name *x = a, *y = b;

    return strcmp(x->name, y->name);
}

static int read_entries(const json_t *manifests, struct romsim_store_names *names,
                        struct romsim_error *err)
{
    const json_t *entry;
    size_t i;

    names->items = calloc(json_array_size(manifests) + 1, sizeof(*names->items));
    if (!names->items)
        return romsim_error_nomem(err);
    json_array_foreach(manifests, i, entry)
    {
        int found = read_entry(entry, &names->items[names->count], err);

        if (found < 0)
            return -1;
        names->count += (size_t)found;
    }
    qsort(names->items, names->count, sizeof(*names->items), compare_names);
    return 0;
}

int romsim_store_list(const struct romsim_store *store, struct romsim_store_names *ret,
                      struct romsim_error *err)
{
    CLEANUP_JSON json_t *index = NULL;
    struct romsim_store_names names = {0};

    if (store->failure.errnum) {
        if (err)
            *err = store->failure;
        return -1;
    }
    index = store_read_index(store, err);
    if (!index)
        return -1;
    if (read_entries(json_object_get(index, "manifests"), &names, err) < 0) {
        romsim_store_names_release(&names);
        return -1;
    }
    for (size_t i = 0; i < names.count; i++)
        names.items[i].store = store;
    *ret = names;
    return 0;
}

static bool has_name(const struct romsim_store_names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->items[i].name, name) == 0)
            return true;
    return false;
}

/* Moves the names over that are not there yet. */
static int merge(struct romsim_store_names *names, struct romsim_store_names *more,
                 struct romsim_error *err)
{
    struct romsim_store_name *items =
        reallocarray(names->items, names->count + more->count + 1, sizeof(*items));

    if (!items)
        return romsim_error_nomem(err);
    names->items = items;
    for (size_t i = 0; i < more->count; i++) {
        if (names->count > 0 && has_name(names, more->items[i].name))
            continue;
        items[names->count++] = more->items[i];
        more->items[i] = (struct romsim_store_name){0};
    }
    return 0;
}

/* Adds the names of the stores, in order, up to one that cannot be read: what is in that goes
 * before what comes behind it. */
static int collect(const struct romsim_stores *stores, struct romsim_store_names *names,
                   struct romsim_error *err)
{
    for (size_t i = 0; i < stores->count; i++) {
        CLEANUP_STORE_NAMES struct romsim_store_names more = {0};

        if (romsim_store_list(stores->items[i], &more, err) < 0 || merge(names, &more, err) < 0)
            return -1;
    }
    return 0;
}

int romsim_stores_list(const struct romsim_stores *stores, struct romsim_store_names *ret,
                       struct romsim_error *err)
{
    struct romsim_store_names names = {0};

    if (collect(stores, &names, err) < 0) {
        romsim_store_names_release(&names);
        return -1;
    }
    *ret = names;
    return 0;
}

/* ---- finding ---------------------------------------------------------------------------- */

/* Splits NAME@DIGEST; a tag before the digest says nothing more. */
static int split_digest(char *name, const char **ret_digest, struct romsim_error *err)
{
    char *at = strchr(name, '@');
    char digest[ROMSIM_DIGEST_SIZE];
    char *colon;

    *ret_digest = NULL;
    if (!at)
        return 0;
    if (oci_digest_parse(at + 1, digest, err) < 0)
        return -1;
    *at = '\0';
    *ret_digest = at + 1;
    colon = strrchr(name, ':');
    if (colon && !strchr(colon, '/'))
        *colon = '\0';
    return 0;
}

static bool fits(const struct romsim_store_name *item, const char *name, const char *digest)
{
    size_t size = strlen(name);

    if (digest)
        return strcmp(item->digest, digest) == 0 && strncmp(item->name, name, size) == 0 &&
               (item->name[size] == ':' || item->name[size] == '\0');
    return strcmp(item->name, name) == 0;
}

static bool fits_without_registry(const struct romsim_store_name *item, const char *name,
                                  const char *digest)
{
    struct romsim_store_name bare = *item;

    bare.name = (char *)(uintptr_t)romsim_store_without_registry(item->name);
    /* One of the two may leave its registry out; two different ones are two images. */
    if (bare.name != item->name && romsim_store_without_registry(name) != name)
        return false;
    return fits(&bare, romsim_store_without_registry(name), digest);
}

/* A digest says which image is meant, whatever it is called here. */
static struct romsim_store_name *find_digest(const struct romsim_store_names *names,
                                             const char *digest)
{
    for (size_t i = 0; digest && i < names->count; i++)
        if (strcmp(names->items[i].digest, digest) == 0)
            return &names->items[i];
    return NULL;
}

static struct romsim_store_name *find(const struct romsim_store_names *names, const char *name,
                                      const char *digest)
{
    struct romsim_store_name *found = NULL;

    for (size_t i = 0; i < names->count; i++) {
        if (fits(&names->items[i], name, digest))
            return &names->items[i];
    }
    for (size_t i = 0; i < names->count; i++) {
        if (!fits_without_registry(&names->items[i], name, digest))
            continue;
        if (found)
            return find_digest(names, digest);
        found = &names->items[i];
    }
    return found ? found : find_digest(names, digest);
}

bool romsim_store_name_is_of(const struct romsim_store_name *name, const char *repository)
{
    return fits(name, repository, name->digest) ||
           fits_without_registry(name, repository, name->digest);
}

const char *romsim_store_name_tag(const struct romsim_store_name *name)
{
    const char *slash = strrchr(name->name, '/');
    const char *colon = strchr(slash ? slash : name->name, ':');

    return colon ? colon + 1 : "";
}

int romsim_stores_find(const struct romsim_stores *stores, const char *reference,
                       struct romsim_store_name *ret, struct romsim_error *err)
{
    CLEANUP_STORE_NAMES struct romsim_store_names names = {0};
    CLEANUP_FREE char *name = romsim_store_normalize(reference, NULL);
    struct romsim_store_name *found;
    const char *digest;
    int status;

    if (!name)
        return 0;
    if (split_digest(name, &digest, err) < 0)
        return -1;
    status = collect(stores, &names, err);
    found = find(&names, name, digest);
    if (!found)
        return status;
    *ret = *found;
    *found = (struct romsim_store_name){0};
    return 1;
}

int romsim_store_find(struct romsim_store *store, const char *reference,
                      struct romsim_store_name *ret, struct romsim_error *err)
{
    const struct romsim_stores one = {&store, 1};

    return romsim_stores_find(&one, reference, ret, err);
}

/* ---- changing --------------------------------------------------------------------------- */

static bool remove_name(json_t *index, const char *name)
{
    json_t *manifests = json_object_get(index, "manifests");
    bool found = false;

    for (size_t i = json_array_size(manifests); i-- > 0;) {
        const char *this = oci_annotation(json_array_get(manifests, i), OCI_ANNOTATION_NAME);

        if (this && strcmp(this, name) == 0) {
            json_array_remove(manifests, i);
            found = true;
        }
    }
    return found;
}

int romsim_store_tag(struct romsim_store *store, const char *name, const char *media_type,
                     const char *digest, uint64_t size, struct romsim_error *err)
{
    CLEANUP_FREE char *full = romsim_store_normalize(name, err);
    CLEANUP_FD int lock = full ? store_lock_index(store, err) : -1;
    CLEANUP_JSON json_t *index = lock < 0 ? NULL : store_read_index(store, err);
    json_t *entry;

    if (!index)
        return -1;
    if (strchr(full, '@'))
        return romsim_error_set(err, EINVAL, "Invalid image name '%s': a name has no digest",
                                QUOTE(full));
    remove_name(index, full);
    entry = json_pack("{s:s, s:s, s:I, s:{s:s}}", "mediaType", media_type, "digest", digest, "size",
                      (json_int_t)size, "annotations", OCI_ANNOTATION_NAME, full);
    if (!entry || json_array_append_new(json_object_get(index, "manifests"), entry) < 0)
        return romsim_error_nomem(err);
    return store_write_index(store, index, err);
}

int romsim_store_untag(struct romsim_store *store, const char *name, struct romsim_error *err)
{
    CLEANUP_FREE char *full = romsim_store_normalize(name, err);
    CLEANUP_FD int lock = full ? store_lock_index(store, err) : -1;
    CLEANUP_JSON json_t *index = lock < 0 ? NULL : store_read_index(store, err);

    if (!index)
        return -1;
    if (!remove_name(index, full))
        return romsim_error_set(err, ENOENT, "No image with name '%s'", QUOTE(full));
    return store_write_index(store, index, err);
}

void romsim_stores_digest(const char *reference, char ret[ROMSIM_DIGEST_SIZE])
{
    const char *name = romsim_reference_name(reference), *at = strchr(name, '@');
    CLEANUP_STORES struct romsim_stores stores = {0};
    struct romsim_store_name found;

    ret[0] = '\0';
    if (at && romsim_digest_is_valid(at + 1)) {
        snprintf(ret, ROMSIM_DIGEST_SIZE, "%s", at + 1);
        return;
    }
    if (romsim_reference_is_local(reference) || romsim_stores_open(&stores, NULL) < 0 ||
        romsim_stores_find(&stores, name, &found, NULL) <= 0)
        return;
    snprintf(ret, ROMSIM_DIGEST_SIZE, "%s", found.digest);
    romsim_store_name_release(&found);
}
