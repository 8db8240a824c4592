/* SPDX-License-Identifier: MIT
 *
 * error.h - the one list of error codes. A function returns 0 or one of these negative values;
 * results come back through its last pointer parameters. "Not now" is never an error: a zero
 * length says it. A call that fails leaves its object as it was.
 */
#ifndef FOGGARA_ERROR_H
#define FOGGARA_ERROR_H

#include <foggara/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What an error ends: nothing but this call, this datagram, this stream, or the session. */
enum fog_scope { FOG_SCOPE_CALL, FOG_SCOPE_DATAGRAM, FOG_SCOPE_STREAM, FOG_SCOPE_SESSION };

/* clang-format off */
/*        name        value  scope     text                                                        */
#define FOG_ERRORS(X)                                                                                  \
    X(USAGE,           -1,   CALL,     "the call is not allowed here, or an argument is out of range") \
    X(NOMEM,           -2,   CALL,     "no memory left within the limit")                              \
    X(BUSY,            -3,   CALL,     "queued data does not allow this now")                          \
    X(LIMIT,           -4,   CALL,     "a limit is reached")                                           \
    X(FORMAT,          -5,   DATAGRAM, "not a valid datagram")                                         \
    X(CONV,            -6,   DATAGRAM, "belongs to another conversation")                              \
    X(STRANGER,        -7,   DATAGRAM, "from an address without a session, and does not open one")     \
    X(RESET,           -8,   STREAM,   "the stream was reset")                                         \
    X(FINISHED,        -9,   STREAM,   "the stream was already finished for writing")                  \
    X(CLOSED,         -10,   SESSION,  "the session is over")                                          \
    X(PROTOCOL,       -11,   SESSION,  "the peer broke the tunnel protocol")                           \
    X(HANDSHAKE,      -12,   SESSION,  "the peer did not answer the handshake in time")                \
    X(DEAD,           -13,   SESSION,  "the peer has been silent too long")                            \
    X(RESTARTED,      -14,   SESSION,  "the peer has lost this session")                               \
    X(SHUTDOWN,       -15,   SESSION,  "the peer shut the tunnel down")                                \
    X(ABUSE,          -16,   SESSION,  "the peer went over a limit of abuse")
/* clang-format on */

enum fog_err {
    FOG_OK = 0,
#define FOG_ERROR_ENUM(name, value, scope, text) FOG_E_##name = (value),
    FOG_ERRORS(FOG_ERROR_ENUM)
#undef FOG_ERROR_ENUM
};

/** What err means, one lower-case clause without a full stop. Never NULL; any int is allowed. */
FOG_API const char *fog_err_text(int err);

/** The symbolic name ("FORMAT"); "OK" for 0, "?" for a code that is not in the list. */
FOG_API const char *fog_err_name(int err);

/** What err ends. Codes that are not in the list end the session. */
FOG_API enum fog_scope fog_err_scope(int err);

#ifdef __cplusplus
}
#endif
#endif
