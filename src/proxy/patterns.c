/* SPDX-License-Identifier: MIT
 *
 * patterns.c - every part of a name that a pattern could be is hashed in one step from the parts
 * before it (a polynomial over a prime), and looked up. A hit is compared byte by byte. Of the
 * parts inside a name only those are looked up that begin, in their first few bytes, as a pattern
 * of that length does: nearly all are told apart by one bit.
 */
#include "proxy/patterns.h"

#include <assert.h>
#include <string.h>

#define PRIME 2147483647u /* 2^31 - 1: products fit 62 bits */
#define GROW_MIN 64
#define BEGIN 5       /* bytes by which parts are told apart: few names have the same */
#define MAYBE_SHARE 1 /* slots for one byte of `maybe` */

void
fogi_patterns_init(struct patterns *p, struct mem *m, uint32_t salt)
{
    *p = (struct patterns){.m = m, .salt = 256 + salt % (PRIME - 512)};
}

void
fogi_patterns_free(struct patterns *p)
{
    mem_put(p->m, p->all, p->cap * sizeof *p->all);
    mem_put(p->m, p->texts, p->texts_cap);
    mem_put(p->m, p->slots, p->n_slots * sizeof *p->slots);
    mem_put(p->m, p->maybe, p->n_slots / MAYBE_SHARE);
    fogi_patterns_init(p, p->m, 0);
}

static uint32_t
step(uint32_t hash, uint32_t salt, unsigned char c)
{
    return (uint32_t)(((uint64_t)hash * salt + c + 1) % PRIME);
}

/** A slot for a hash: the prime's low bits are spread well enough by the salt. */
static uint32_t
slot_of(const struct patterns *p, uint32_t hash)
{
    return (hash * 2654435761u) & (p->n_slots - 1);
}

/** The bit in `maybe` of a beginning; len 0: with any length. */
static uint32_t
bit_of(const struct patterns *p, uint32_t begin, size_t len)
{
    uint32_t x = begin + (uint32_t)len * 2654435769u;
    return (x * 2246822519u >> 2) & (p->n_slots / MAYBE_SHARE * 8 - 1);
}

static void
set_bit(struct patterns *p, uint32_t bit)
{
    p->maybe[bit / 8] |= (uint8_t)(1u << bit % 8);
}

static bool
has_bit(const struct patterns *p, uint32_t bit)
{
    return (p->maybe[bit / 8] >> bit % 8 & 1) != 0;
}

static void
put_slot(struct patterns *p, uint32_t index)
{
    const struct pattern *one = &p->all[index];
    uint32_t at = slot_of(p, one->hash), begin = 0;
    while (p->slots[at] != 0)
        at = (at + 1) & (p->n_slots - 1);
    p->slots[at] = index + 1;
    if (one->kind != PATTERN_INSIDE)
        return;
    set_bit(p, bit_of(p, one->hash, 0));
    if (one->len < BEGIN)
        return;
    for (size_t i = 0; i < BEGIN; i++)
        begin = step(begin, p->salt, (unsigned char)p->texts[one->text + i]);
    set_bit(p, bit_of(p, begin, 0));
    set_bit(p, bit_of(p, begin, one->len));
}

/** Moves memory to a larger piece; false without memory, and nothing changed. */
static bool
grow(struct mem *m, void **old, size_t old_size, size_t size)
{
    void *new = mem_get(m, size);
    if (new == NULL)
        return false;
    if (*old != NULL)
        memcpy(new, *old, old_size);
    mem_put(m, *old, old_size);
    *old = new;
    return true;
}

static bool
room_for_text(struct patterns *p, size_t len)
{
    uint32_t cap = p->texts_cap > 0 ? p->texts_cap : GROW_MIN * 16;
    void *texts = p->texts;
    if (p->texts_len + len <= p->texts_cap)
        return true;
    if (cap > UINT32_MAX / 4)
        return false;
    while (p->texts_len + len > cap)
        cap *= 2;
    if (!grow(p->m, &texts, p->texts_cap, cap))
        return false;
    p->texts = texts;
    p->texts_cap = cap;
    return true;
}

/** Slots are at most half full, so that a search ends soon. */
static bool
room_for_slot(struct patterns *p)
{
    uint32_t n_slots = p->n_slots > 0 ? p->n_slots * 2 : GROW_MIN * 4;
    if ((p->n + 1) * 2 <= p->n_slots)
        return true;
    uint32_t *slots = mem_get(p->m, n_slots * sizeof *slots);
    uint8_t *maybe = slots != NULL ? mem_get(p->m, n_slots / MAYBE_SHARE) : NULL;
    if (maybe == NULL) {
        mem_put(p->m, slots, n_slots * sizeof *slots);
        return false;
    }
    mem_put(p->m, p->slots, p->n_slots * sizeof *p->slots);
    mem_put(p->m, p->maybe, p->n_slots / MAYBE_SHARE);
    memset(slots, 0, n_slots * sizeof *slots);
    memset(maybe, 0, n_slots / MAYBE_SHARE);
    p->slots = slots;
    p->maybe = maybe;
    p->n_slots = n_slots;
    for (uint32_t i = 0; i < p->n; i++)
        put_slot(p, i);
    return true;
}

static bool
room_for_one(struct patterns *p)
{
    uint32_t cap = p->cap > 0 ? p->cap * 2 : GROW_MIN;
    void *all = p->all;
    if (p->n < p->cap)
        return true;
    if (p->n > UINT32_MAX / 8 || !grow(p->m, &all, p->cap * sizeof *p->all, cap * sizeof *p->all))
        return false;
    p->all = all;
    p->cap = cap;
    return true;
}

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool
same_text(const struct patterns *p, const struct pattern *one, uint32_t hash, const char *text,
          size_t len)
{
    return one->hash == hash && one->len == len && memcmp(p->texts + one->text, text, len) == 0;
}

/** Whether the list has this already: then the earlier one decides. */
static bool
has(const struct patterns *p, uint32_t hash, enum pattern_kind kind, const char *text, size_t len)
{
    uint32_t at = slot_of(p, hash);
    for (; p->slots[at] != 0; at = (at + 1) & (p->n_slots - 1)) {
        const struct pattern *one = &p->all[p->slots[at] - 1];
        if (one->kind == kind && same_text(p, one, hash, text, len))
            return true;
    }
    return false;
}

/** Keeps inside_lens in order. */
static void
note_len(struct patterns *p, uint8_t len)
{
    size_t i = p->n_inside_lens;
    while (i > 0 && p->inside_lens[i - 1] > len)
        i--;
    if (i > 0 && p->inside_lens[i - 1] == len)
        return;
    memmove(&p->inside_lens[i + 1], &p->inside_lens[i], p->n_inside_lens - i);
    p->inside_lens[i] = len;
    p->n_inside_lens++;
}

int
fogi_patterns_add(struct patterns *p, enum pattern_kind kind, const char *text, size_t len,
                  uint32_t number)
{
    assert((p->n == 0 || p->all[p->n - 1].number <= number) && "numbers come in order");
    if (len == 0 || len > PATTERN_LEN_MAX || number == PATTERN_NONE)
        return FOG_E_USAGE;
    if (!room_for_text(p, len) || !room_for_slot(p) || !room_for_one(p))
        return FOG_E_NOMEM;
    uint32_t hash = 0;
    char *copy = p->texts + p->texts_len;
    for (size_t i = 0; i < len; i++) {
        copy[i] = lower(text[i]);
        hash = step(hash, p->salt, (unsigned char)copy[i]);
    }
    if (has(p, hash, kind, copy, len))
        return FOG_OK;
    p->all[p->n] = (struct pattern){hash, number, p->texts_len, (uint8_t)len, (uint8_t)kind};
    p->texts_len += (uint32_t)len;
    put_slot(p, p->n);
    p->n++;
    if (kind == PATTERN_INSIDE)
        note_len(p, (uint8_t)len);
    return FOG_OK;
}

/** A name with the hashes of all its beginnings, from which that of any part follows. */
struct name {
    const char *text;
    size_t len;
    uint32_t until[PATTERN_LEN_MAX + 1]; /* hash of the first i bytes */
    uint32_t power[PATTERN_LEN_MAX + 1]; /* salt^i                    */
};

static void
name_init(struct name *n, uint32_t salt, const char *text, size_t len)
{
    n->text = text;
    n->len = len;
    n->until[0] = 0;
    n->power[0] = 1;
    for (size_t i = 0; i < len; i++) {
        n->until[i + 1] = step(n->until[i], salt, (unsigned char)text[i]);
        n->power[i + 1] = (uint32_t)((uint64_t)n->power[i] * salt % PRIME);
    }
}

/** x modulo PRIME, for x below PRIME squared. */
static uint32_t
reduce(uint64_t x)
{
    x = (x & PRIME) + (x >> 31);
    return (uint32_t)(x >= PRIME ? x - PRIME : x);
}

static uint32_t
part_hash(const struct name *n, size_t from, size_t len)
{
    uint32_t before = reduce((uint64_t)n->until[from] * n->power[len]);
    return reduce((uint64_t)n->until[from + len] + PRIME - before);
}

static bool
fits(const struct name *n, enum pattern_kind kind, size_t from, size_t len)
{
    bool end = from + len == n->len;
    switch (kind) {
    case PATTERN_EXACT:
        return end && from == 0;
    case PATTERN_DOMAIN:
        return end && (from == 0 || n->text[from - 1] == '.');
    case PATTERN_SUFFIX:
        return end;
    case PATTERN_INSIDE:
        return true;
    case PATTERN_KINDS:
        break;
    }
    return false;
}

/** Looks one part up by its hash; *best becomes the smallest number. */
static void
look_up(const struct patterns *p, const struct name *n, size_t from, size_t len, uint32_t hash,
        uint32_t *best)
{
    for (uint32_t at = slot_of(p, hash); p->slots[at] != 0; at = (at + 1) & (p->n_slots - 1)) {
        const struct pattern *one = &p->all[p->slots[at] - 1];
        if (one->number < *best && same_text(p, one, hash, n->text + from, len) &&
            fits(n, (enum pattern_kind)one->kind, from, len))
            *best = one->number;
    }
}

/** Looks up a part inside a name, unless a bit tells that there is no such pattern. */
static void
look_part(const struct patterns *p, const struct name *n, size_t from, size_t len, uint32_t *best)
{
    uint32_t hash = part_hash(n, from, len);
    if (has_bit(p, bit_of(p, hash, 0)))
        look_up(p, n, from, len, hash, best);
}

/** Looks up the parts that begin at `from` and do not reach the name's end. */
static void
look_inside(const struct patterns *p, const struct name *n, size_t from, uint32_t *best)
{
    const uint8_t *len = p->inside_lens, *end = len + p->n_inside_lens;
    size_t left = n->len - from;
    for (; len < end && *len < BEGIN && *len < left; len++)
        look_part(p, n, from, *len, best);
    if (left <= BEGIN)
        return;
    uint32_t begin = part_hash(n, from, BEGIN);
    if (!has_bit(p, bit_of(p, begin, 0)))
        return;
    for (; len < end && *len < left; len++)
        if (has_bit(p, bit_of(p, begin, *len)))
            look_part(p, n, from, *len, best);
}

uint32_t
fogi_patterns_first(const struct patterns *p, const char *name, size_t len)
{
    struct name n;
    uint32_t best = PATTERN_NONE;
    if (p->n == 0 || len == 0 || len > PATTERN_LEN_MAX)
        return best;
    name_init(&n, p->salt, name, len);
    for (size_t from = 0; from < len; from++)
        look_up(p, &n, from, len - from, part_hash(&n, from, len - from), &best);
    for (size_t from = 0; p->n_inside_lens > 0 && from < len; from++)
        look_inside(p, &n, from, &best);
    return best;
}
