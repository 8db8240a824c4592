/* SPDX-License-Identifier: MIT
 *
 * siphash.h - SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash for tables whose keys the
 * peer chooses, so that nobody can aim at one bucket.
 */
#ifndef FOGI_SIPHASH_H
#define FOGI_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t fogi_siphash(const uint8_t key[16], const void *buf, size_t len);

#endif
