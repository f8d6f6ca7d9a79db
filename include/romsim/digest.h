/* SPDX-License-Identifier: BSD-3-Clause */
/* digest.h: SHA-256 and SHA-512 (by libcrypto) and CRC-32C (EROFS's superblock checksum). */
#ifndef ROMSIM_DIGEST_H
#define ROMSIM_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ROMSIM_SHA256_SIZE = 32, ROMSIM_SHA256_HEX_SIZE = 65 /* with the NUL */ };

/* A running SHA-256.  _new returns NULL without memory; _free takes NULL. */
struct romsim_sha256;
struct romsim_sha256 *romsim_sha256_new(void);
void romsim_sha256_update(struct romsim_sha256 *sha256, const void *data, size_t size);
void romsim_sha256_final(struct romsim_sha256 *sha256, uint8_t ret[ROMSIM_SHA256_SIZE]);
void romsim_sha256_free(struct romsim_sha256 *sha256);

/* The SHA-256 of some bytes in memory.  Returns 0, or -1 without memory. */
int romsim_sha256(const void *data, size_t size, uint8_t ret[ROMSIM_SHA256_SIZE]);

/*
 * Digests as OCI images write them: the algorithm, a colon, lower-case hexadecimal.  "sha256:" has
 * 64 digits, "sha512:" 128.
 */
enum { ROMSIM_DIGEST_SIZE = 7 + 128 + 1 /* with the NUL */ };

/* Is it such a text? */
bool romsim_digest_is_valid(const char *text);

/* What is behind the colon. */
const char *romsim_digest_hex(const char *text);

/* A running digest, of the algorithm that a valid text names.  _new returns NULL without memory;
 * _final writes a text; _free takes NULL. */
struct romsim_digest;
struct romsim_digest *romsim_digest_new(const char *like);
void romsim_digest_update(struct romsim_digest *digest, const void *data, size_t size);
void romsim_digest_final(struct romsim_digest *digest, char ret[ROMSIM_DIGEST_SIZE]);
void romsim_digest_free(struct romsim_digest *digest);

/* Continues a CRC-32C (Castagnoli, reflected, no final inversion: as the kernel's crc32c()). */
uint32_t romsim_crc32c(uint32_t crc, const void *data, size_t size);

#endif
