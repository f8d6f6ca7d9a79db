/* SPDX-License-Identifier: BSD-3-Clause */
/* tar_write.c: tar headers of regular files and folders. */
#include "sim/image/tar_write.h"

#include <stdio.h>
#include <string.h>

/* The fields of a ustar header (POSIX.1-2017, pax, "ustar Interchange Format"). */
struct header {
    char name[100];
    char mode[8];
    char uid[8];
    char gid[8];
    char size[12];
    char mtime[12];
    char checksum[8];
    char type;
    char link_name[100];
    char magic[6];
    char version[2];
    char user[32];
    char group[32];
    char major[8];
    char minor[8];
    char prefix[155];
    char padding[12];
};
_Static_assert(sizeof(struct header) == TAR_BLOCK_SIZE, "a tar header is one block");

enum { OCTAL_SIZE_BITS = 33 };

/* What eleven octal digits cannot say stands there as a binary number (GNU and star). */
static void set_size(struct header *header, uint64_t size)
{
    char digits[sizeof(header->size) + 12];

    if (size >> OCTAL_SIZE_BITS == 0) {
        snprintf(digits, sizeof(digits), "%011llo", (unsigned long long)size);
        memcpy(header->size, digits, sizeof(header->size));
        return;
    }
    header->size[0] = (char)0x80;
    for (unsigned i = 0; i < 8; i++)
        header->size[sizeof(header->size) - 1 - i] = (char)(size >> (8 * i));
}

static void set_checksum(struct header *header)
{
    const uint8_t *bytes = (const uint8_t *)header;
    char digits[16];
    unsigned sum = 0;

    memset(header->checksum, ' ', sizeof(header->checksum));
    for (unsigned i = 0; i < TAR_BLOCK_SIZE; i++)
        sum += bytes[i];
    snprintf(digits, sizeof(digits), "%06o", sum);
    memcpy(header->checksum, digits, 7); /* six digits, NUL, and the space stays */
}

static void make_header(const char *name, char type, const char *mode, uint64_t size,
                        uint8_t ret[TAR_BLOCK_SIZE])
{
    struct header header = {
        .uid = "0000000",
        .gid = "0000000",
        .mtime = "00000000000",
        .type = type,
        .magic = "ustar",
        .version = {'0', '0'},
        .major = "0000000",
        .minor = "0000000",
    };

    memcpy(header.name, name, strnlen(name, sizeof(header.name)));
    memcpy(header.mode, mode, strnlen(mode, sizeof(header.mode)));
    set_size(&header, size);
    set_checksum(&header);
    memcpy(ret, &header, sizeof(header));
}

void tar_header(const char *name, uint64_t size, uint8_t ret[TAR_BLOCK_SIZE])
{
    make_header(name, '0', "0000644", size, ret);
}

void tar_folder_header(const char *name, uint8_t ret[TAR_BLOCK_SIZE])
{
    make_header(name, '5', "0000755", 0, ret);
}

uint64_t tar_padded(uint64_t size)
{
    return (size + TAR_BLOCK_SIZE - 1) / TAR_BLOCK_SIZE * TAR_BLOCK_SIZE;
}
