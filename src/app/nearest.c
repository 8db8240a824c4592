/* SPDX-License-Identifier: MIT
 *
 * nearest.c - edit distance with swaps of neighbours (optimal string alignment), over short words.
 */
#include "app/nearest.h"

#include <stdbool.h>
#include <string.h>

#define WORD_MAX 24

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/** "_" and "-" are the same to whoever types. */
static bool
same(char a, char b)
{
    a = a == '_' ? '-' : lower(a);
    b = b == '_' ? '-' : lower(b);
    return a == b;
}

static int
min3(int a, int b, int c)
{
    int m = a < b ? a : b;
    return m < c ? m : c;
}

/** Letters to insert, drop, change or swap. Both words have at most WORD_MAX letters. */
static int
distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int d[WORD_MAX + 1][WORD_MAX + 1];
    for (size_t i = 0; i <= a_len; i++)
        d[i][0] = (int)i;
    for (size_t j = 0; j <= b_len; j++)
        d[0][j] = (int)j;
    for (size_t i = 1; i <= a_len; i++) {
        for (size_t j = 1; j <= b_len; j++) {
            int change = d[i - 1][j - 1] + !same(a[i - 1], b[j - 1]);
            d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1, change);
            bool swap = i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]);
            if (swap && d[i - 2][j - 2] + 1 < d[i][j])
                d[i][j] = d[i - 2][j - 2] + 1;
        }
    }
    return d[a_len][b_len];
}

bool
fogi_nearest(const char *typed, const char *candidate, int *best)
{
    size_t t = strlen(typed), c = strlen(candidate);
    if (t == 0 || c == 0 || t > WORD_MAX || c > WORD_MAX)
        return false;
    int d = distance(typed, t, candidate, c);
    if (t >= 3 && t < c && strncmp(typed, candidate, t) == 0)
        d = 1; /* a beginning: "serv" */
    if (d > 1 + (int)(c / 4) || d >= (int)c || d >= *best)
        return false;
    *best = d;
    return true;
}
