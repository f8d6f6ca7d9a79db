/* SPDX-License-Identifier: BSD-3-Clause */
/* digest.c: SHA-256 and SHA-512 by libcrypto, which uses the processor's own instructions; CRC-32C
 * by hand, over one block of a superblock at most, so a table of 16 entries is quick enough. */
#include <romsim/cleanup.h>
#include <romsim/digest.h>
#include <romsim/text.h>

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

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

/* ---- as OCI writes them ----------------------------------------------------------------- */

struct algorithm {
    const char *prefix;
    size_t digits;
    const EVP_MD *(*md)(void);
};

static const struct algorithm algorithms[] = {
    {"sha256:", 64, EVP_sha256},
    {"sha512:", 128, EVP_sha512},
};

struct romsim_digest {
    const struct algorithm *algorithm;
    EVP_MD_CTX *context;
};

static const struct algorithm *algorithm_of(const char *text)
{
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++)
        if (strncmp(text, algorithms[i].prefix, strlen(algorithms[i].prefix)) == 0)
            return &algorithms[i];
    return NULL;
}

const char *romsim_digest_hex(const char *text)
{
    const char *colon = strchr(text, ':');

    return colon ? colon + 1 : text;
}

bool romsim_digest_is_valid(const char *text)
{
    const struct algorithm *algorithm = algorithm_of(text);
    const char *hex = romsim_digest_hex(text);

    return algorithm && strlen(hex) == algorithm->digits &&
           strspn(hex, "0123456789abcdef") == algorithm->digits;
}

struct romsim_digest *romsim_digest_new(const char *like)
{
    struct romsim_digest *digest = calloc(1, sizeof(*digest));

    if (!digest)
        return NULL;
    digest->algorithm = algorithm_of(like);
    digest->context = EVP_MD_CTX_new();
    if (!digest->algorithm || !digest->context ||
        !EVP_DigestInit_ex(digest->context, digest->algorithm->md(), NULL)) {
        romsim_digest_free(digest);
        return NULL;
    }
    return digest;
}

void romsim_digest_update(struct romsim_digest *digest, const void *data, size_t size)
{
    EVP_DigestUpdate(digest->context, data, size);
}

void romsim_digest_final(struct romsim_digest *digest, char ret[ROMSIM_DIGEST_SIZE])
{
    size_t prefix = strlen(digest->algorithm->prefix);
    uint8_t bytes[EVP_MAX_MD_SIZE];

    EVP_DigestFinal_ex(digest->context, bytes, NULL);
    memcpy(ret, digest->algorithm->prefix, prefix);
    romsim_text_hex(bytes, digest->algorithm->digits / 2, ret + prefix);
}

void romsim_digest_free(struct romsim_digest *digest)
{
    if (!digest)
        return;
    EVP_MD_CTX_free(digest->context);
    free(digest);
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
