/* SPDX-License-Identifier: BSD-3-Clause */
/* digest.c: SHA-256 by libcrypto, which uses the processor's own instructions; CRC-32C by hand,
 * over one block of a superblock at most, so a table of 16 entries is quick enough. */
#include <romsim/cleanup.h>
#include <romsim/digest.h>

#include <openssl/evp.h>
#include <stdlib.h>

struct romsim_sha256 {
    EVP_MD_CTX *context;
};

struct romsim_sha256 *romsim_sha256_new(void)
{
    struct romsim_sha256 *sha256 = calloc(1, sizeof(*sha256));

    if (!sha256)
        return NULL;
    sha256->context = EVP_MD_CTX_new();
    if (!sha256->context || !EVP_DigestInit_ex(sha256->context, EVP_sha256(), NULL)) {
        romsim_sha256_free(sha256);
        return NULL;
    }
    return sha256;
}

void romsim_sha256_update(struct romsim_sha256 *sha256, const void *data, size_t size)
{
    EVP_DigestUpdate(sha256->context, data, size);
}

void romsim_sha256_final(struct romsim_sha256 *sha256, uint8_t ret[ROMSIM_SHA256_SIZE])
{
    EVP_DigestFinal_ex(sha256->context, ret, NULL);
}

void romsim_sha256_free(struct romsim_sha256 *sha256)
{
    if (!sha256)
        return;
    EVP_MD_CTX_free(sha256->context);
    free(sha256);
}

DEFINE_CLEANUP(struct romsim_sha256, romsim_sha256_free)

int romsim_sha256(const void *data, size_t size, uint8_t ret[ROMSIM_SHA256_SIZE])
{
    CLEANUP(cleanup_romsim_sha256_free) struct romsim_sha256 *sha256 = romsim_sha256_new();

    if (!sha256)
        return -1;
    romsim_sha256_update(sha256, data, size);
    romsim_sha256_final(sha256, ret);
    return 0;
}

uint32_t romsim_crc32c(uint32_t crc, const void *data, size_t size)
{
    /* The remainders of the 16 values of four bits, by the reflected polynomial 0x82F63B78. */
    static const uint32_t nibbles[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
        0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };
    const uint8_t *bytes = data;

    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        crc = crc >> 4 ^ nibbles[crc & 15];
        crc = crc >> 4 ^ nibbles[crc & 15];
    }
    return crc;
}
