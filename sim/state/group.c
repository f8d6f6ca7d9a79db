/* SPDX-License-Identifier: BSD-3-Clause */
/* group.c: service groups as entries of the ledger. */
#include <romsim/cleanup.h>
#include <romsim/group.h>
#include <romsim/name.h>
#include <romsim/text.h>
#include <romsim/uuid.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SOFT_LIMIT = 1, HARD_LIMIT = 65535, FQDN_MAX = 253, LABEL_MAX = 63, SUFFIX = 8 };

static int invalid(struct romsim_error *err, const char *what, const char *value, const char *hint)
{
    romsim_error_set(err, EINVAL, "Invalid %s '%s'", what, QUOTE(value));
    if (err)
        err->cloud = ROMSIM_CLOUD_INVALID;
    return romsim_error_hint(err, "%s", hint);
}

/* ---- domains ----------------------------------------------------------------------------------
 */

static bool is_label(const char *text, size_t size)
{
    static const char characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789-";

    return size > 0 && size <= LABEL_MAX && strspn(text, characters) >= size && text[0] != '-' &&
           text[size - 1] != '-';
}

/* Labels with dots between; the first one may be a '*'. */
static bool is_domain(const char *text)
{
    if (strlen(text) > FQDN_MAX)
        return false;
    if (strncmp(text, "*.", 2) == 0)
        text += 2;
    for (;;) {
        size_t size = strcspn(text, ".");

        if (!is_label(text, size))
            return false;
        if (text[size] == '\0')
            return true;
        text += size + 1;
    }
}

/* "NAME.", which is whole, or NAME in the metro; malloc'ed. */
static char *make_fqdn(const char *name, const char *metro, struct romsim_error *err)
{
    size_t size = strlen(name);
    bool is_whole = size > 0 && name[size - 1] == '.';
    char *fqdn;

    if (asprintf(&fqdn, "%.*s%s%s%s", (int)(is_whole ? size - 1 : size), name, is_whole ? "" : ".",
                 is_whole ? "" : metro, is_whole ? "" : ".unikraft.app") < 0) {
        romsim_error_nomem(err);
        return NULL;
    }
    if (is_domain(fqdn))
        return fqdn;
    free(fqdn);
    invalid(err, "domain", name,
            "letters, digits and '-' between dots; a final dot ends a whole name");
    return NULL;
}

bool romsim_group_domain_matches(const char *common_name, const char *fqdn)
{
    const char *dot = strchr(fqdn, '.');

    if (strcasecmp(common_name, fqdn) == 0)
        return true;
    return strncmp(common_name, "*.", 2) == 0 && dot && strcasecmp(common_name + 1, dot) == 0;
}

/* The certificate that a domain asks for, as {uuid, name}. */
static json_t *find_certificate(const json_t *wanted, const char *fqdn, struct romsim_error *err)
{
    const char *name = json_string_value(json_object_get(wanted, "name"));
    const char *uuid = json_string_value(json_object_get(wanted, "uuid"));
    json_t *entry = romsim_ledger_find(ROMSIM_LEDGER_CERTIFICATES,
                                       name || !uuid ? name ?: "" : NULL, uuid, err);
    const char *common_name = json_string_value(json_object_get(entry, "common_name"));
    json_t *certificate = NULL;

    if (!entry)
        return NULL;
    if (romsim_group_domain_matches(common_name ?: "", fqdn)) {
        certificate = json_pack("{s:O, s:O}", "uuid", json_object_get(entry, "uuid"), "name",
                                json_object_get(entry, "name"));
    } else {
        romsim_error_set(err, EINVAL, "The certificate is not for '%s'", QUOTE(fqdn));
        if (err)
            err->cloud = ROMSIM_CLOUD_CERTIFICATE_NAME;
    }
    json_decref(entry);
    return certificate;
}

/* {name, certificate?} becomes {fqdn, certificate?: {uuid, name}}. */
static json_t *make_domain(const json_t *request, const char *metro, struct romsim_error *err)
{
    const char *name = json_string_value(json_object_get(request, "name"));
    const json_t *wanted = json_object_get(request, "certificate");
    CLEANUP_FREE char *fqdn = make_fqdn(name ?: "", metro, err);
    json_t *certificate = NULL, *domain;

    if (!fqdn)
        return NULL;
    if (wanted && !(certificate = find_certificate(wanted, fqdn, err)))
        return NULL;
    domain = json_pack("{s:s, s:o*}", "fqdn", fqdn, "certificate", certificate);
    if (!domain)
        romsim_error_nomem(err);
    return domain;
}

static int check_count(const json_t *domains, struct romsim_error *err)
{
    if (json_array_size(domains) <= ROMSIM_GROUP_DOMAINS_MAX)
        return 0;
    romsim_error_set(err, EINVAL, "Too many domains: at most %d", ROMSIM_GROUP_DOMAINS_MAX);
    if (err)
        err->cloud = ROMSIM_CLOUD_TOO_MANY;
    return -1;
}

static json_t *make_domains(const json_t *requests, const char *metro, struct romsim_error *err)
{
    json_t *domains = json_array();

    if (check_count(requests, err) < 0) {
        json_decref(domains);
        return NULL;
    }
    for (size_t i = 0; i < json_array_size(requests); i++) {
        json_t *domain = make_domain(json_array_get(requests, i), metro, err);

        if (!domain) {
            json_decref(domains);
            return NULL;
        }
        json_array_append_new(domains, domain);
    }
    return domains;
}

/* The domain of a group that names none.  A name that somebody chose is made unique. */
static json_t *default_domains(const char *name, bool is_random, const char *metro,
                               struct romsim_error *err)
{
    char suffix[SUFFIX + 1], label[LABEL_MAX + 1];
    size_t kept = strlen(name);
    json_t *request, *domains;

    if (!romsim_random_suffix(suffix, SUFFIX)) {
        romsim_error_system(err, errno, "the kernel has no random bytes");
        return NULL;
    }
    if (!is_random && kept > LABEL_MAX - SUFFIX - 1)
        kept = LABEL_MAX - SUFFIX - 1;
    snprintf(label, sizeof(label), "%.*s%s%s", (int)kept, name, is_random ? "" : "-",
             is_random ? "" : suffix);
    for (char *c = label; *c; c++) /* what a name may have and a label not */
        if (*c == '.' || *c == '_' || (*c == '-' && c == label))
            *c = c == label ? 'x' : '-';
    request = json_pack("[{s:s}]", "name", label);
    domains = make_domains(request, metro, err);
    json_decref(request);
    return domains;
}

/* ---- making -----------------------------------------------------------------------------------
 */

static int check_limits(const json_t *group, struct romsim_error *err)
{
    json_int_t soft = json_integer_value(json_object_get(group, "soft_limit"));
    json_int_t hard = json_integer_value(json_object_get(group, "hard_limit"));

    if (soft <= hard)
        return 0;
    romsim_error_set(err, EINVAL, "Invalid soft_limit %lld", (long long)soft);
    if (err)
        err->cloud = ROMSIM_CLOUD_INVALID;
    return romsim_error_hint(err, "at most the hard_limit, %lld", (long long)hard);
}

/* A service as it is shown: with both of its ports. */
static json_t *make_services(const json_t *requests)
{
    json_t *services = json_array();

    for (size_t i = 0; i < json_array_size(requests); i++) {
        const json_t *request = json_array_get(requests, i);
        json_t *port = json_object_get(request, "port");

        json_array_append_new(services,
                              json_pack("{s:O, s:O, s:O*}", "port", port, "destination_port",
                                        json_object_get(request, "destination_port") ?: port,
                                        "handlers", json_object_get(request, "handlers")));
    }
    return services;
}

static json_t *limit(const json_t *request, const char *name, int absent)
{
    json_t *value = json_object_get(request, name);

    return value ? json_incref(value) : json_integer(absent);
}

json_t *romsim_group_new(const json_t *request, const char *metro, bool is_persistent, int *ret_use,
                         struct romsim_error *err)
{
    const char *name = json_string_value(json_object_get(request, "name"));
    const json_t *wanted = json_object_get(request, "domains");
    char poem[ROMSIM_NAME_POEM_SIZE];
    json_t *domains, *group;

    if (!name && !romsim_name_poem(poem)) {
        romsim_error_system(err, errno, "the kernel has no random bytes");
        return NULL;
    }
    if (name && romsim_name_check_new("service group name", name, err) < 0)
        return NULL;
    domains = json_array_size(wanted) ? make_domains(wanted, metro, err)
                                      : default_domains(name ?: poem, !name, metro, err);
    if (!domains)
        return NULL;
    group = json_pack("{s:o, s:o, s:o, s:o, s:O*}", "services",
                      make_services(json_object_get(request, "services")), "domains", domains,
                      "soft_limit", limit(request, "soft_limit", SOFT_LIMIT), "hard_limit",
                      limit(request, "hard_limit", HARD_LIMIT), "autokill",
                      json_object_get(request, "autokill"));
    if (group && check_limits(group, err) < 0) {
        json_decref(group);
        return NULL;
    }
    return romsim_ledger_add(ROMSIM_LEDGER_GROUPS, name ?: poem, group, is_persistent, ret_use,
                             err);
}

/* ---- changing ---------------------------------------------------------------------------------
 */

static int set(json_t *group, const char *key, json_t *value, struct romsim_error *err)
{
    return json_object_set_new(group, key, value) < 0 ? romsim_error_nomem(err) : 0;
}

static int cannot(struct romsim_error *err, const char *property, const char *op)
{
    romsim_error_set(err, EINVAL, "'%s' cannot be changed by '%s'", QUOTE(property), QUOTE(op));
    if (err)
        err->cloud = ROMSIM_CLOUD_INVALID;
    return -1;
}

/* Takes out of a list what "del" means: what has that `key`, which each value is or has. */
static int take_out(json_t *list, const char *key, const json_t *values, const char *property,
                    struct romsim_error *err)
{
    bool is_list = json_is_array(values);
    size_t count = is_list ? json_array_size(values) : 1;

    for (size_t i = 0; i < count; i++) {
        const json_t *value = is_list ? json_array_get(values, i) : values;
        const json_t *wanted = json_is_object(value) ? json_object_get(value, key) : value;
        size_t before = json_array_size(list);
        CLEANUP_FREE char *text = NULL;

        for (size_t j = before; j-- > 0;)
            if (json_equal(json_object_get(json_array_get(list, j), key), wanted))
                json_array_remove(list, j);
        if (json_array_size(list) < before)
            continue;
        text = json_dumps(wanted, JSON_ENCODE_ANY);
        romsim_error_set(err, ENOENT, "'%s' has no '%s' that could be removed", property,
                         QUOTE(text ? text : "?"));
        if (err)
            err->cloud = ROMSIM_CLOUD_INVALID;
        return -1;
    }
    return 0;
}

/* `made` is what the value stands for in a group, taken; NULL for "del". */
static int edit_list(json_t *group, const char *property, const char *op, json_t *made,
                     const json_t *value, struct romsim_error *err)
{
    json_t *list = json_object_get(group, property);
    int status;

    if (strcmp(op, "set") == 0)
        return set(group, property, made, err);
    if (strcmp(op, "add") == 0)
        status = json_array_extend(list, made) < 0 ? romsim_error_nomem(err) : 0;
    else
        status = take_out(list, strcmp(property, "services") == 0 ? "port" : "fqdn", value,
                          property, err);
    json_decref(made);
    return status;
}

/* The domains that "del" names, by the names they were asked for by. */
static json_t *name_domains(const json_t *value, const char *metro, struct romsim_error *err)
{
    json_t *names = json_array();
    bool is_list = json_is_array(value);

    for (size_t i = 0; i < (is_list ? json_array_size(value) : 1); i++) {
        const json_t *one = is_list ? json_array_get(value, i) : value;
        const char *fqdn = json_string_value(json_object_get(one, "fqdn"));
        const char *name =
            json_string_value(json_is_object(one) ? json_object_get(one, "name") : one);
        CLEANUP_FREE char *made = fqdn ? strdup(fqdn) : make_fqdn(name ?: "", metro, err);

        if (!made) {
            json_decref(names);
            return NULL;
        }
        json_array_append_new(names, json_string(made));
    }
    return names;
}

static int edit_domains(json_t *group, const char *op, const json_t *value, const char *metro,
                        struct romsim_error *err)
{
    bool deletes = strcmp(op, "del") == 0;
    json_t *list =
        json_is_array(value) ? json_incref((json_t *)value) : json_pack("[O]", (json_t *)value);
    json_t *made = deletes ? name_domains(list, metro, err) : make_domains(list, metro, err);
    int status;

    json_decref(list);
    if (!made)
        return -1;
    if (!deletes)
        return edit_list(group, "domains", op, made, NULL, err) < 0
                   ? -1
                   : check_count(json_object_get(group, "domains"), err);
    status = edit_list(group, "domains", op, NULL, made, err);
    json_decref(made);
    return status;
}

static int edit_services(json_t *group, const char *op, const json_t *value,
                         struct romsim_error *err)
{
    json_t *list, *made;

    if (strcmp(op, "del") == 0)
        return edit_list(group, "services", op, NULL, value, err);
    list = json_is_array(value) ? json_incref((json_t *)value) : json_pack("[O]", (json_t *)value);
    made = make_services(list);
    json_decref(list);
    return made ? edit_list(group, "services", op, made, NULL, err) : romsim_error_nomem(err);
}

int romsim_group_edit(json_t *group, const json_t *edit, const char *metro,
                      struct romsim_error *err)
{
    const char *property = json_string_value(json_object_get(edit, "prop")) ?: "";
    const char *op = json_string_value(json_object_get(edit, "op")) ?: "";
    json_t *value = json_object_get(edit, "value");
    bool sets = strcmp(op, "set") == 0, deletes = strcmp(op, "del") == 0;

    if (strcmp(property, "services") == 0 && value)
        return edit_services(group, op, value, err);
    if (strcmp(property, "domains") == 0 && value)
        return edit_domains(group, op, value, metro, err);
    if (strcmp(property, "autokill") == 0 && sets && value)
        return set(group, property, json_incref(value), err);
    if (strcmp(property, "autokill") == 0 && deletes)
        return json_object_del(group, property), 0;
    if ((strcmp(property, "soft_limit") == 0 || strcmp(property, "hard_limit") == 0) && sets &&
        value)
        return set(group, property, json_incref(value), err) < 0 ? -1 : check_limits(group, err);
    return cannot(err, property, op);
}
