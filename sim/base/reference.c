/* SPDX-License-Identifier: BSD-3-Clause */
/* reference.c: the forms of an image reference. */
#include <romsim/reference.h>

#include <stddef.h>
#include <string.h>

static const struct transport {
    const char *prefix;
    enum romsim_reference form;
} transports[] = {
    {"oci:", ROMSIM_REFERENCE_OCI},
    {"oci-archive:", ROMSIM_REFERENCE_OCI_ARCHIVE},
    {"docker-archive:", ROMSIM_REFERENCE_DOCKER_ARCHIVE},
    {"files:", ROMSIM_REFERENCE_FILES},
};

/* Of registries.  The cloud's API says oci:// itself; as a path that would be nothing. */
static const char *const schemes[] = {"docker://", "oci://", "docker-image://", "https://",
                                      "http://"};

static bool looks_like_a_path(const char *text)
{
    return text[0] == '/' || strcmp(text, ".") == 0 || strcmp(text, "..") == 0 ||
           strncmp(text, "./", 2) == 0 || strncmp(text, "../", 3) == 0;
}

const char *romsim_reference_name(const char *text)
{
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
        if (strncmp(text, schemes[i], strlen(schemes[i])) == 0)
            return text + strlen(schemes[i]);
    return text;
}

enum romsim_reference romsim_reference_form(const char *text, const char **ret_rest)
{
    *ret_rest = text;
    if (romsim_reference_name(text) != text)
        return ROMSIM_REFERENCE_NAME;
    for (size_t i = 0; i < sizeof(transports) / sizeof(transports[0]); i++) {
        if (strncmp(text, transports[i].prefix, strlen(transports[i].prefix)) == 0) {
            *ret_rest = text + strlen(transports[i].prefix);
            return transports[i].form;
        }
    }
    return looks_like_a_path(text) ? ROMSIM_REFERENCE_PATH : ROMSIM_REFERENCE_NAME;
}

bool romsim_reference_is_local(const char *text)
{
    const char *rest;

    return romsim_reference_form(text, &rest) != ROMSIM_REFERENCE_NAME;
}
