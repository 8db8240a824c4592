/* SPDX-License-Identifier: MIT
 *
 * recording_stream.h - what one stream of a recorded tunnel carried.
 */
#ifndef FOG_TEST_RECORDING_STREAM_H
#define FOG_TEST_RECORDING_STREAM_H

#include "replay/recording.h"

#define RECORDING_STREAM_MAX 65536

/** Writes the payload of one stream in one direction into out[RECORDING_STREAM_MAX]; returns its
 *  length. For recordings without repeats, lost segments and gzip: those of WebSocks before the
 *  answer of the target. */
size_t recording_stream(const struct recording *r, enum dir dir, uint32_t id, uint8_t *out);

#endif
