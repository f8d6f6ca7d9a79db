/* SPDX-License-Identifier: BSD-3-Clause */
/* text.h: small things with text: quoting foreign names, sizes for people, base64, UTF-8. */
#ifndef ROMSIM_TEXT_H
#define ROMSIM_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Copies `size` bytes of foreign text into `ret` (of `ret_size` > 8 bytes) so that it is safe and
 * readable on a terminal: printable UTF-8 stays, control characters, DEL, C1 controls,
 * bidirectional controls and invalid bytes become \xNN, and a text that does not fit ends in
 * "...".  A backslash stays, but becomes \x5c where the text itself has \xNN: every \xNN that is
 * shown is a byte, and different texts that fit look different.  Returns ret.
 */
const char *romsim_text_quote(const char *text, size_t size, char *ret, size_t ret_size);

/*
 * The same for a whole message, of which the foreign parts should have been quoted: a backslash
 * always stays, so nothing changes where they were.
 */
const char *romsim_text_disarm(const char *text, size_t size, char *ret, size_t ret_size);

/* romsim_text_quote() of a NUL-terminated string into a buffer of this call's own scope:
 * QUOTE(name) may stand as an argument of romsim_error_set(). */
#define QUOTE(string) romsim_text_quote((string), __builtin_strlen(string), (char[256]){0}, 256)

/* A size for people: "512 B", "4.0 KiB", "1.3 MiB".  Returns ret. */
const char *romsim_text_size(uint64_t bytes, char *ret, size_t ret_size);
#define SIZE_TEXT(bytes) romsim_text_size((bytes), (char[32]){0}, 32)

/* Reads a size: a decimal number, with K, M, G, T or Ki, Mi, Gi, Ti for powers of 1024, and nothing
 * else.  Returns 0, or -1 where it is none, or does not fit. */
int romsim_parse_size(const char *text, uint64_t *ret);

/* The same in megabytes, or with a suffix and then a whole number of them: 512, 512M, 1G.  Returns
 * 0, or -1, for 0 too. */
int romsim_parse_megabytes(const char *text, uint64_t *ret_mb);

/* A number with its noun: COUNT_TEXT(n, "entry", "entries") is "1 entry" or "2 entries". */
const char *romsim_text_count(uint64_t count, const char *one, const char *many, char *ret,
                              size_t ret_size);
#define COUNT_TEXT(count, one, many) romsim_text_count((count), (one), (many), (char[64]){0}, 64)

/* The length in bytes (1 to 4) of the valid UTF-8 sequence at `text`, 0 if it is not valid. */
size_t romsim_utf8_length(const char *text, size_t size);

/* How many columns a quoted text takes on a terminal: two for a wide character (East Asian, emoji),
 * none for a combining one. */
size_t romsim_text_columns(const char *text, size_t size);

/*
 * The length of what a terminal would take as a control at the beginning of this valid UTF-8 (C0,
 * DEL, C1, line separators, what changes the direction of text), and in *ret which it is; 0 if
 * there is none.
 */
size_t romsim_text_control(const char *text, size_t size, uint32_t *ret);

/* A time as the cloud writes it, "2026-05-28T13:53:40Z"; "?" if it is in no year that can be
 * written. */
enum { ROMSIM_TIME_SIZE = 32 };
const char *romsim_text_time(int64_t seconds, char ret[ROMSIM_TIME_SIZE]);

/* Is all of it valid UTF-8 (RFC 3629: no surrogates, no overlong forms)? */
bool romsim_utf8_is_valid(const char *text, size_t size);

/* Writes 2 * size hexadecimal digits and a NUL to `ret`. */
void romsim_text_hex(const uint8_t *bytes, size_t size, char *ret);

/*
 * Standard base64 (RFC 4648 §4, with padding; line breaks and other characters are refused).
 * Decoding returns malloc'ed bytes and their number in *ret_size, or NULL, then with the offset of
 * the first wrong character in *ret_size (SIZE_MAX: out of memory).  Encoding returns a malloc'ed
 * string or NULL without memory.
 */
uint8_t *romsim_base64_decode(const char *text, size_t size, size_t *ret_size);
char *romsim_base64_encode(const void *bytes, size_t size);

/*
 * The entry of the NULL-terminated list `known` that is nearest to `word` (Damerau-Levenshtein
 * distance at most 2, and less than the word's own length), or NULL.
 */
const char *romsim_text_nearest(const char *word, const char *const *known);

#endif
