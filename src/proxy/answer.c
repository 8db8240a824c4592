/* SPDX-License-Identifier: MIT */
#include "proxy/answer.h"

#define STATUS_AT 9 /* of "HTTP/1.1 200" */
#define STATUS_END 12

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/** Whether c may stand in this column of a status line. */
static bool
fits(uint8_t col, char c)
{
    static const char begin[] = "HTTP/1.";
    if (col < sizeof begin - 1)
        return c == begin[col];
    if (col == sizeof begin)
        return c == ' ';
    return is_digit(c);
}

/** One byte of a status line. True: it was the last of a final answer. */
static bool
line(struct answer *a, char c)
{
    if (a->col < STATUS_END) {
        if (a->col == STATUS_AT)
            a->interim = c == '1';
        a->state = fits(a->col, c) ? ANSWER_LINE : ANSWER_PASSED;
        a->col++;
        return false;
    }
    if (c != '\n')
        return false;
    a->state = a->interim ? ANSWER_INTERIM : ANSWER_PASSED;
    a->text = false;
    return !a->interim;
}

static void
interim(struct answer *a, char c)
{
    if (c == '\n' && !a->text)
        *a = (struct answer){.state = ANSWER_LINE};
    else if (c != '\r')
        a->text = c != '\n';
}

size_t
fogi_answer_input(struct answer *a, const char *bytes, size_t len, bool *here)
{
    *here = false;
    for (size_t i = 0; i < len && a->state != ANSWER_PASSED; i++) {
        if (a->state == ANSWER_INTERIM) {
            interim(a, bytes[i]);
        } else if (line(a, bytes[i])) {
            *here = true;
            return i + 1;
        }
    }
    return len;
}
