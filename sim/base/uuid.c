/* SPDX-License-Identifier: BSD-3-Clause */
/* uuid.c: names for what a user may name twice. */
#include <romsim/uuid.h>

#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

static bool fill_random(void *bytes, size_t size)
{
    return getrandom(bytes, size, 0) == (ssize_t)size;
}

bool romsim_uuid_new(char ret[ROMSIM_UUID_SIZE])
{
    uint8_t bytes[16];
    static const char digits[] = "0123456789abcdef";
    char *end = ret;

    if (!fill_random(bytes, sizeof(bytes)))
        return false;
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *end++ = '-';
        *end++ = digits[bytes[i] >> 4];
        *end++ = digits[bytes[i] & 0xf];
    }
    *end = '\0';
    return true;
}

bool romsim_uuid_is_valid(const char *text)
{
    static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

    if (strlen(text) != sizeof(form) - 1)
        return false;
    for (size_t i = 0; form[i]; i++)
        if (form[i] == 'x' ? !isxdigit((unsigned char)text[i]) : text[i] != form[i])
            return false;
    return true;
}

bool romsim_random_suffix(char *ret, unsigned count)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    uint8_t random[32];

    if (count > sizeof(random) || !fill_random(random, count))
        return false;
    for (unsigned i = 0; i < count; i++)
        ret[i] = letters[random[i] % (sizeof(letters) - 1)];
    ret[count] = '\0';
    return true;
}
