/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * certificate.c: certificates of service groups (cloud-api §1.3): checked, kept in what can be said
 * of them, and shown.  No connection has TLS here, so nothing is served with them.
 *
 * A private key is compared with its certificate and forgotten: it is never written anywhere.
 */
#include "group.h"
#include "said.h"
#include "shapes.h"

#include <romsim/cleanup.h>
#include <romsim/name.h>
#include <romsim/text.h>
#include <romsim/uuid.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { CHAIN_MOST = 16, SUFFIX = 5 };

/* ---- what is taken and given -------------------------------------------------------------------
 */

OBJECT(create, MAY("name", &string_shape), MAY("cn", &string_shape),
       MAY("common_name", &string_shape), HAS("chain", &string_shape), HAS("pkey", &string_shape));
BODY(update, HAS("chain", &string_shape), HAS("pkey", &string_shape));

static const struct romsim_shape state = {.kind = ROMSIM_SHAPE_WORD,
                                          .words = ROMSIM_WORDS("valid", "error")};
OBJECT(certificate, HAS("uuid", &string_shape), HAS("name", &string_shape),
       HAS("created_at", &string_shape), HAS("common_name", &string_shape),
       HAS("subject", &string_shape), HAS("issuer", &string_shape),
       HAS("serial_number", &string_shape), HAS("not_before", &string_shape),
       HAS("not_after", &string_shape), HAS("state", &state),
       HAS("service_groups", &changed_list_shape));

/* ---- what a chain says -------------------------------------------------------------------------
 */

DEFINE_CLEANUP(BIO, BIO_free_all)
DEFINE_CLEANUP(X509, X509_free)
DEFINE_CLEANUP(EVP_PKEY, EVP_PKEY_free)

static int invalid(struct romsim_error *err, const char *what, const char *hint)
{
    ERR_clear_error();
    romsim_error_set(err, EINVAL, "Invalid %s", what);
    err->cloud = ROMSIM_CLOUD_INVALID;
    return romsim_error_hint(err, "%s", hint);
}

/* Nobody is asked for a password: what has one is not read. */
static int no_password(char *buffer, int size, int is_written, void *context)
{
    (void)buffer, (void)size, (void)is_written, (void)context;
    return 0;
}

static BIO *open_text(const char *text)
{
    return BIO_new_mem_buf(text, (int)strlen(text));
}

/* The first certificate of a chain, all of which can be read; NULL if there is none. */
static X509 *read_chain(const char *text, struct romsim_error *err)
{
    CLEANUP(cleanup_BIO_free_all) BIO *bio = open_text(text);
    CLEANUP(cleanup_X509_free) X509 *first = NULL;
    X509 *next;
    size_t count = 0;

    while (bio && (next = PEM_read_bio_X509(bio, NULL, no_password, NULL))) {
        if (count++ == 0)
            first = next;
        else
            X509_free(next);
    }
    /* It ends where there is no further beginning, and nowhere else. */
    if (!first || count > CHAIN_MOST ||
        ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
        invalid(err, "chain", "certificates in PEM format, the own one first");
        return NULL;
    }
    ERR_clear_error();
    return STEAL_POINTER(&first);
}

static int check_key(X509 *certificate, const char *text, struct romsim_error *err)
{
    CLEANUP(cleanup_BIO_free_all) BIO *bio = open_text(text);
    CLEANUP(cleanup_EVP_PKEY_free)
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;

    if (!key)
        return invalid(err, "pkey", "a private key in PEM format, without a password");
    if (X509_check_private_key(certificate, key) != 1)
        return invalid(err, "pkey", "it is not the key of the chain's first certificate");
    return 0;
}

/* One of the certificate's own names is this one, as it is or by a '*'. */
static bool has_name(X509 *certificate, const char *name)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    char text[256];
    bool found = false;

    for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *one = sk_GENERAL_NAME_value(names, i);
        const char *dns =
            one->type == GEN_DNS ? (const char *)ASN1_STRING_get0_data(one->d.dNSName) : NULL;
        size_t size = dns ? (size_t)ASN1_STRING_length(one->d.dNSName) : 0;

        if (!dns || size >= sizeof(text))
            continue;
        memcpy(text, dns, size);
        text[size] = '\0';
        found |= romsim_group_domain_matches(text, name);
    }
    GENERAL_NAMES_free(names);
    if (found)
        return true;
    return X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, text,
                                     sizeof(text)) > 0 &&
           romsim_group_domain_matches(text, name);
}

/* A name as one line, "CN=demo.unikraft.dev". */
static json_t *name_json(const X509_NAME *name)
{
    CLEANUP(cleanup_BIO_free_all) BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    long size;

    if (!bio || X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0)
        return json_string("");
    size = BIO_get_mem_data(bio, &text);
    return json_stringn(text, (size_t)size) ?: json_string("");
}

static json_t *serial_json(const X509 *certificate)
{
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
    char *text = number ? BN_bn2hex(number) : NULL;
    json_t *json = json_string(text ? text : "");

    OPENSSL_free(text);
    BN_free(number);
    return json;
}

static time_t seconds_of(const ASN1_TIME *when)
{
    struct tm time = {0};

    return ASN1_TIME_to_tm(when, &time) == 1 ? timegm(&time) : 0;
}

static json_t *time_json(const ASN1_TIME *when)
{
    return json_string(romsim_text_time(seconds_of(when), (char[ROMSIM_TIME_SIZE]){0}));
}

/* Puts what can be said of a chain into an entry, once the chain, its key and its name are what
 * they should be. */
static int describe(json_t *entry, const json_t *said, struct romsim_error *err)
{
    const char *common_name = said_text(entry, "common_name");
    CLEANUP(cleanup_X509_free) X509 *certificate = read_chain(said_text(said, "chain"), err);

    if (!certificate || check_key(certificate, said_text(said, "pkey"), err) < 0)
        return -1;
    if (!has_name(certificate, common_name)) {
        romsim_error_set(err, EINVAL, "The certificate is not for '%s'", QUOTE(common_name));
        err->cloud = ROMSIM_CLOUD_CERTIFICATE_NAME;
        return -1;
    }
    json_object_set_new(entry, "subject", name_json(X509_get_subject_name(certificate)));
    json_object_set_new(entry, "issuer", name_json(X509_get_issuer_name(certificate)));
    json_object_set_new(entry, "serial_number", serial_json(certificate));
    json_object_set_new(entry, "not_before", time_json(X509_get0_notBefore(certificate)));
    json_object_set_new(entry, "not_after", time_json(X509_get0_notAfter(certificate)));
    return json_object_set_new(entry, "expires",
                               json_integer(seconds_of(X509_get0_notAfter(certificate)))) < 0
               ? romsim_error_nomem(err)
               : 0;
}

/* ---- items -------------------------------------------------------------------------------------
 */

/* The groups whose domains have it: by name, or because it fits. */
static json_t *groups_json(const json_t *entry, const json_t *groups)
{
    const char *common_name = said_text(entry, "common_name") ?: "";
    json_t *list = json_array();

    for (size_t i = 0; i < json_array_size(groups); i++) {
        const json_t *group = json_array_get(groups, i);
        const json_t *domains = json_object_get(group, "domains");
        bool has_it = false;

        for (size_t j = 0; j < json_array_size(domains); j++) {
            const json_t *domain = json_array_get(domains, j);
            const json_t *wanted = json_object_get(json_object_get(domain, "certificate"), "uuid");

            has_it |=
                wanted ? json_equal(wanted, json_object_get(entry, "uuid"))
                       : romsim_group_domain_matches(common_name, said_text(domain, "fqdn") ?: "");
        }
        if (has_it)
            json_array_append_new(list,
                                  json_pack("{s:O, s:O}", "uuid", json_object_get(group, "uuid"),
                                            "name", json_object_get(group, "name")));
    }
    return list;
}

static json_t *show(const json_t *entry, const json_t *context, bool has_details)
{
    static const char *const members[] = {"common_name",   "subject",    "issuer",
                                          "serial_number", "not_before", "not_after"};
    json_t *item = group_reference(entry);
    bool is_valid = json_integer_value(json_object_get(entry, "expires")) > time(NULL);

    if (!has_details)
        return item;
    json_object_set_new(item, "created_at", group_time(entry));
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        json_object_set(item, members[i], json_object_get(entry, members[i]));
    json_object_set_new(item, "state", json_string(is_valid ? "valid" : "error"));
    json_object_set_new(item, "service_groups", groups_json(entry, context));
    return item;
}

/* The item of an entry, which is taken. */
static json_t *show_taken(json_t *entry)
{
    json_t *groups = romsim_ledger_list(ROMSIM_LEDGER_GROUPS, NULL);
    json_t *item = entry ? show(entry, groups, true) : NULL;

    json_decref(groups);
    json_decref(entry);
    return item;
}

/* ---- handlers ----------------------------------------------------------------------------------
 */

static void warn(struct api_request *request)
{
    api_warn(request, "not_simulated",
             "certificates: accepted, but not simulated: connections have no TLS here");
}

/* The one of `cn` and `common_name`, without the dot that ends a whole name; malloc'ed. */
static char *read_common_name(const json_t *said, struct romsim_error *err)
{
    const char *older = said_text(said, "cn"), *newer = said_text(said, "common_name");
    const char *name = newer ?: older;
    size_t size;

    if (!older == !newer) {
        romsim_error_set(err, EINVAL,
                         older ? "Cannot specify 'cn' when 'common_name' is set"
                               : "Missing member common_name");
        err->cloud = older ? ROMSIM_CLOUD_NOT_BOTH : ROMSIM_CLOUD_MALFORMED_REQUEST;
        return NULL;
    }
    size = strlen(name);
    return strndup(name, size && name[size - 1] == '.' ? size - 1 : size);
}

/* "mydomain.com-sa4x9", as the cloud names them. */
static bool random_name(const char *common_name, char *ret, size_t size)
{
    const char *base = strncmp(common_name, "*.", 2) == 0 ? common_name + 2 : common_name;
    char suffix[SUFFIX + 1];

    if (!romsim_random_suffix(suffix, SUFFIX))
        return false;
    snprintf(ret, size, "%.*s-%s", ROMSIM_NAME_SIZE_MAX - SUFFIX - 1, base, suffix);
    return true;
}

static json_t *create_one(struct api_request *request, const json_t *said, struct romsim_error *err)
{
    CLEANUP_FREE char *common_name = read_common_name(said, err);
    const char *name = said_text(said, "name");
    char random[ROMSIM_NAME_SIZE_MAX + 1];
    json_t *entry;

    (void)request;
    if (!common_name)
        return NULL;
    if (!name && !random_name(common_name, random, sizeof(random))) {
        romsim_error_system(err, errno, "the kernel has no random bytes");
        return NULL;
    }
    entry = json_pack("{s:s}", "common_name", common_name);
    if (!entry || describe(entry, said, err) < 0) {
        json_decref(entry);
        return NULL;
    }
    return show_taken(
        romsim_ledger_add(ROMSIM_LEDGER_CERTIFICATES, name ?: random, entry, true, NULL, err));
}

static void certificates_create(struct api_request *request)
{
    warn(request);
    said_make(request, create_one);
}

static void certificates_get(struct api_request *request)
{
    group_reply(request, ROMSIM_LEDGER_CERTIFICATES, show,
                romsim_ledger_list(ROMSIM_LEDGER_GROUPS, NULL));
}

/* A romsim_ledger_changer. */
static int change(void *context, json_t *entry, struct romsim_error *err)
{
    return describe(entry, context, err);
}

static json_t *update_one(struct api_request *request, const json_t *said, struct romsim_error *err)
{
    const char *uuid = said_text(said, "uuid");

    (void)request;
    return show_taken(romsim_ledger_change(ROMSIM_LEDGER_CERTIFICATES,
                                           uuid ? NULL : said_text(said, "name"), uuid, change,
                                           (void *)said, err));
}

static void certificates_update(struct api_request *request)
{
    warn(request);
    said_each(request, update_one);
}

/* One that a group has is needed. */
static int check_unused(const json_t *said, struct romsim_error *err)
{
    json_t *entry = group_find(ROMSIM_LEDGER_CERTIFICATES, said, err);
    json_t *groups = romsim_ledger_list(ROMSIM_LEDGER_GROUPS, NULL), *users;
    int status = entry ? 0 : -1;

    users = groups_json(entry, groups);
    if (entry && json_array_size(users)) {
        romsim_error_set(err, EBUSY, "The certificate '%s' is in use",
                         QUOTE(said_text(entry, "name")));
        err->cloud = ROMSIM_CLOUD_ATTACHED;
        status = romsim_error_hint(err, "by the service group '%s'",
                                   QUOTE(said_text(json_array_get(users, 0), "name")));
    }
    json_decref(users);
    json_decref(groups);
    json_decref(entry);
    return status;
}

static json_t *delete_one(struct api_request *request, const json_t *said, struct romsim_error *err)
{
    const char *uuid = said_text(said, "uuid");
    json_t *entry, *item;

    (void)request;
    if (check_unused(said, err) < 0)
        return NULL;
    entry = romsim_ledger_remove(ROMSIM_LEDGER_CERTIFICATES, uuid ? NULL : said_text(said, "name"),
                                 uuid, err);
    item = entry ? group_reference(entry) : NULL;
    json_decref(entry);
    return item;
}

static void certificates_delete(struct api_request *request)
{
    said_each(request, delete_one);
}

/* ---- routes ------------------------------------------------------------------------------------
 */

#define ROUTE(route_method, route_path, handler, name, text, ...)                                  \
    {                                                                                              \
        .method = (route_method), .path = "/v1/certificates" route_path, .handle = (handler),      \
        .id = (name), .summary = (text), .list = "certificates", __VA_ARGS__                       \
    }

const struct api_route api_certificate_routes[] = {
    ROUTE(API_POST, "", certificates_create, "createCertificate", "Keep certificates",
          .body_kind = API_OBJECT_OR_LIST, .body = &create_shape, .item = &certificate_shape),
    ROUTE(API_GET, "", certificates_get, "getCertificates", "Show certificates",
          .query = list_query, .body_kind = API_OBJECT_OR_LIST, .body = &reference_shape,
          .item = &certificate_shape),
    ROUTE(API_GET, "/{uuid}", certificates_get, "getCertificate", "Show a certificate",
          .query = one_query, .item = &certificate_shape),
    ROUTE(API_PATCH, "", certificates_update, "updateCertificates", "Replace certificates",
          .body_kind = API_OBJECT_OR_LIST, .body = &update_shape, .item = &certificate_shape),
    ROUTE(API_PATCH, "/{uuid}", certificates_update, "updateCertificate", "Replace a certificate",
          .body_kind = API_OBJECT, .body = &update_one_shape, .item = &certificate_shape),
    /* As the newest SDKs have it (cloud-api §1.3). */
    ROUTE(API_PUT, "", certificates_update, "replaceCertificates", "Replace certificates",
          .body_kind = API_OBJECT_OR_LIST, .body = &update_shape, .item = &certificate_shape),
    ROUTE(API_PUT, "/{uuid}", certificates_update, "replaceCertificate", "Replace a certificate",
          .body_kind = API_OBJECT, .body = &update_one_shape, .item = &certificate_shape),
    ROUTE(API_DELETE, "", certificates_delete, "deleteCertificates", "Forget certificates",
          .body_kind = API_OBJECT_OR_LIST, .body = &reference_shape, .item = &changed_shape),
    ROUTE(API_DELETE, "/{uuid}", certificates_delete, "deleteCertificate", "Forget a certificate",
          .item = &changed_shape),
    {0},
};
