/* SPDX-License-Identifier: MIT
 *
 * recording.h - reads a recorded conversation (vproxy/README.md has the format): its datagrams and
 * its digest. Knows the text; not what is in a datagram.
 */
#ifndef FOG_TEST_RECORDING_H
#define FOG_TEST_RECORDING_H

#include <foggara/types.h>

enum dir { C_TO_S, S_TO_C, DIR_N };

struct datagram {
    fog_time at;
    enum dir dir;
    size_t len;
    uint8_t bytes[2048];
};

/** One frame as the digest has it. sha256 is empty where the payload is. */
struct expected {
    uint8_t type, flags;
    uint32_t stream;
    size_t len, plain;
    char sha256[65];
};

struct totals {
    size_t datagrams, segments, repeats, stream_bytes, frames, partial;
};

struct recording {
    const char *name;
    struct datagram *datagrams;
    size_t n_datagrams;
    struct expected expected[DIR_N][64];
    size_t n_expected[DIR_N];
    struct totals totals[DIR_N];
};

/** Reads test/replay/vproxy/NAME.txt. Stops the test with the line where it is malformed. */
void recording_read(struct recording *r, const char *name);
void recording_free(struct recording *r);

/** "C>S" or "S>C". */
const char *dir_name(enum dir d);

#endif
