/* SPDX-License-Identifier: MIT
 *
 * names.h - the recordings, one row each.
 */
#ifndef FOG_TEST_REPLAY_NAMES_H
#define FOG_TEST_REPLAY_NAMES_H

#define RECORDINGS(X)                                                                              \
    X("handshake-echo")                                                                            \
    X("gzip")                                                                                      \
    X("big")                                                                                       \
    X("half-close")                                                                                \
    X("target-refused")                                                                            \
    X("keepalive-server")                                                                          \
    X("keepalive-client")                                                                          \
    X("two-streams")                                                                               \
    X("goaway")                                                                                    \
    X("rst")                                                                                       \
    X("websocks-kcp")                                                                              \
    X("websockss-kcp")

#endif
