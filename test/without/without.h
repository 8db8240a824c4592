/* SPDX-License-Identifier: MIT
 *
 * without.h - each mechanism of the recovery by name, and what takes its place when it is switched
 * off. Knows names and whether a stand-in was asked; not what a scenario measures.
 *
 * The linker hands every call of a wrapped function to its stand-in (CMakeLists.txt lists them).
 * A stand-in passes the call on unless its mechanism is the one that is off. So the engine under
 * test is the one that is released, object by object, and knows nothing of this.
 */
#ifndef WITHOUT_H
#define WITHOUT_H

#include <stdbool.h>
#include <stdint.h>

/* clang-format off */
enum mechanism {
    NOTHING_OFF,
    /* loss */
    OFF_STAMPS,  /* an ACK names a segment: round trips are counted from its first transmission */
    OFF_RECORDS, /* no record per transmission: a lost repair is found by timeout only          */
    OFF_TIME,    /* lost by count alone: three later ones are proof, whatever was late before   */
    OFF_WINDOW,  /* the reordering window stays what it was at first                            */
    OFF_PROBES,  /* the tail waits for a retransmission timeout of 200 ms at least              */
    OFF_DARK,    /* waits double for as long as nothing is heard                                */
    OFF_DEAD,    /* twenty timeouts in a row end the session                                    */
    /* model */
    OFF_RATE,    /* the rate is that of sending, not of delivery                                */
    OFF_MODEL,   /* a window that halves with every round that lost something                   */
    OFF_QUEUE,   /* round trips say nothing about a queue                                       */
    OFF_REFRESH, /* the least round trip ever is believed for ever                              */
    OFF_FADE,    /* so is the highest bandwidth ever                                            */
    OFF_DOUBT,   /* what is lost in the dark is random                                          */
    OFF_REGRET,  /* so is what was late only                                                    */
    OFF_LIMITED, /* little traffic measures the path                                            */
    OFF_QUICK,   /* starts with ten segments and doubles                                        */
    /* sending */
    OFF_PACE,    /* all that may leave leaves at once                                           */
    OFF_COPIES,  /* nothing is sent again before it is known to be lost                         */
    OFF_SHORT,   /* only the last segment of a short answer is                                  */
    OFF_SPARE,   /* nor is a repair sent twice where the window has no room for its loss        */
    OFF_CEILING, /* copies cost what they cost                                                  */
    OFF_FIXED,   /* no fixed rate: the model in its place                                       */
    OFF_CLASSIC, /* no classic mode: the model in its place                                     */
    /* answering */
    OFF_MAPS,    /* maps beside the ACKs are not read                                            */
    OFF_KIN,     /* a peer of our kind is not recognised                                        */
    OFF_HELLO,   /* a hello is said once                                                        */
    OFF_ASK,     /* a closed window is waited for in silence                                    */
    OFF_TELL     /* that it opened is told when asked only                                      */
};
/* clang-format on */

/** Switches one mechanism off, the others on; forgets what the stand-ins remember. */
void without_set(enum mechanism off);

/** Whether m is off; asked by its stand-in, which is counted. */
bool without(enum mechanism m);

/** How often a stand-in took the place of what is off. */
uint64_t without_asked(void);

/* Their parts of that. */
void without_forget_loss(void);
void without_forget_model(void);

/* Before a stand-in, which is named __wrap_NAME: it and the real one, __real_NAME, are as NAME is.
 */
#define STAND_IN(name) extern __typeof__(name) __real_##name, __wrap_##name

#endif
