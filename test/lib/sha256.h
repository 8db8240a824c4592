/* SPDX-License-Identifier: MIT
 *
 * sha256.h - SHA-256 (FIPS 180-4) for comparing what tests received. Not for secrets.
 */
#ifndef FOG_TEST_SHA256_H
#define FOG_TEST_SHA256_H

#include <stddef.h>
#include <stdint.h>

struct sha256 {
    uint32_t h[8];
    uint8_t block[64];
    uint64_t len;
};

void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *buf, size_t len);

/** Ends the hash and writes it. */
void sha256_end(struct sha256 *s, uint8_t out[32]);

/** The hash of buf as 64 lower case hex digits. */
void sha256_hex(const void *buf, size_t len, char out[65]);

#endif
