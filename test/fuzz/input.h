/* SPDX-License-Identifier: MIT
 *
 * input.h - reads a fuzzer's bytes as numbers and pieces. Behind the end everything is zero, so a
 * target needs no checks of its own; while (in.left) ends it.
 */
#ifndef FOG_FUZZ_INPUT_H
#define FOG_FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>

struct input {
    const uint8_t *at;
    size_t left;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline uint8_t
take8(struct input *in)
{
    if (!in->left)
        return 0;
    in->left--;
    return *in->at++;
}

static inline uint16_t
take16(struct input *in)
{
    uint8_t low = take8(in);
    return (uint16_t)(low | take8(in) << 8);
}

/** The next len bytes, or as many as there are: the count is returned. */
static inline size_t
take(struct input *in, size_t len, const uint8_t **piece)
{
    size_t n = len < in->left ? len : in->left;
    *piece = in->at;
    in->at += n;
    in->left -= n;
    return n;
}

#endif
