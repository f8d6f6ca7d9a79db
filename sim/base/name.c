/* SPDX-License-Identifier: BSD-3-Clause */
/* name.c: names that users give, and those that they are given. */
#include <romsim/name.h>
#include <romsim/text.h>
#include <romsim/uuid.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

bool romsim_name_is_valid(const char *name)
{
    static const char characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                     "0123456789._-";
    size_t size = strlen(name);

    return size > 0 && size <= ROMSIM_NAME_SIZE_MAX && strspn(name, characters) == size &&
           strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static int refuse(const char *what, const char *name, const char *but, struct romsim_error *err)
{
    romsim_error_set(err, EINVAL, "Invalid %s '%s'", what, QUOTE(name));
    romsim_error_rule(err, ROMSIM_RULE_NAME);
    if (err)
        err->cloud = ROMSIM_CLOUD_INVALID;
    return romsim_error_hint(err, "1 to %d of the characters A-Z a-z 0-9 . _ -%s",
                             ROMSIM_NAME_SIZE_MAX, but);
}

int romsim_name_check(const char *what, const char *name, struct romsim_error *err)
{
    return romsim_name_is_valid(name) ? 0 : refuse(what, name, "", err);
}

int romsim_name_check_new(const char *what, const char *name, struct romsim_error *err)
{
    return romsim_name_is_valid(name) && name[0] != '-'
               ? 0
               : refuse(what, name, ", and no - in front", err);
}

/* 32 of each: five bits choose one. */
static const char *const adjectives[] = {
    "amber", "autumn", "bold",   "bright", "calm",  "clear",  "cold",  "damp",
    "dawn",  "deep",   "dry",    "early",  "fair",  "floral", "fresh", "gentle",
    "green", "hidden", "holy",   "late",   "light", "misty",  "old",   "plain",
    "quiet", "rough",  "silent", "small",  "still", "warm",   "wild",  "winter",
};
static const char *const nouns[] = {
    "bay",   "bird",  "brook", "cloud", "dew",  "dune", "fern", "field", "fire",  "fog",  "frost",
    "glade", "grass", "haze",  "hill",  "lake", "leaf", "mead", "moon",  "night", "pine", "pond",
    "rain",  "river", "shade", "shore", "sky",  "snow", "star", "sun",   "tree",  "wave",
};

_Static_assert(sizeof(adjectives) == 32 * sizeof(char *), "five bits");
_Static_assert(sizeof(nouns) == 32 * sizeof(char *), "five bits");

bool romsim_name_poem(char ret[ROMSIM_NAME_POEM_SIZE])
{
    unsigned char bytes[2];
    char suffix[9];

    if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes) || !romsim_random_suffix(suffix, 8))
        return false;
    snprintf(ret, ROMSIM_NAME_POEM_SIZE, "%s-%s-%s", adjectives[bytes[0] % 32],
             nouns[bytes[1] % 32], suffix);
    return true;
}

bool romsim_name_volume(char ret[ROMSIM_NAME_VOLUME_SIZE])
{
    char suffix[6];

    if (!romsim_random_suffix(suffix, 5))
        return false;
    snprintf(ret, ROMSIM_NAME_VOLUME_SIZE, "vol-%s", suffix);
    return true;
}
