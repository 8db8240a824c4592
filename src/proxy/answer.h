/* SPDX-License-Identifier: MIT
 *
 * answer.h - where "Connection: close" is to be put into an origin's answer.
 *
 * One connection carries one request (forward.h), and the program has to know that: origins are
 * told to close, but one that goes on and says nothing of it would make the program send its next
 * request where nobody reads it. Decides where the field goes: behind the status line of the final
 * answer, in front of what the origin says. Refuses to know fields and bodies. Invariant: bytes are
 * neither kept nor changed; what is no answer of HTTP/1 gets no field.
 */
#ifndef FOGI_ANSWER_H
#define FOGI_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ANSWER_FIELD "Connection: close\r\n"

enum answer_state {
    ANSWER_LINE,    /* within a status line                                */
    ANSWER_INTERIM, /* within the fields of a 1xx, which another one follows */
    ANSWER_PASSED   /* the place is behind us, or there is none            */
};

/** Zeroed at first. */
struct answer {
    enum answer_state state;
    uint8_t col;  /* ANSWER_LINE: bytes of the line, as far as they matter */
    bool interim; /* its status is a 1xx                                   */
    bool text;    /* ANSWER_INTERIM: this line is not empty                */
};

/**
 * Looks at the next bytes.
 *
 * Gives      *here: the field is to be put behind the bytes that were looked at.
 * Returns    how many those are; all of them unless *here
 */
size_t fogi_answer_input(struct answer *a, const char *bytes, size_t len, bool *here);

#endif
