/* SPDX-License-Identifier: MIT
 *
 * peer.h - one end of a KCP conversation, either foggara's or the reference's, behind one face.
 */
#ifndef FOG_TEST_PEER_H
#define FOG_TEST_PEER_H

#include <foggara/types.h>

struct peer_options {
    uint32_t wnd;   /* segments, both ways                          */
    uint32_t first; /* sn of the first segment, both ways           */
    fog_time epoch; /* the clock's value at time 0, for ts near its wrap */
};

struct peer;

struct peer_kind {
    const char *name;
    struct peer *(*make)(const struct peer_options *o);
    void (*free)(struct peer *p);
    void (*input)(struct peer *p, const void *buf, size_t len, fog_time now);
    /** The next datagram; 0 when there is none. */
    size_t (*output)(struct peer *p, void *buf, size_t cap, fog_time now);
    fog_time (*deadline)(const struct peer *p, fog_time now);
    void (*tick)(struct peer *p, fog_time now);
    /** How much was taken of len bytes. */
    size_t (*write)(struct peer *p, const void *buf, size_t len, fog_time now);
    /** How much was read; 0 when nothing is there. */
    size_t (*read)(struct peer *p, void *buf, size_t cap, fog_time now);
};

extern const struct peer_kind peer_ours, peer_reference;

#endif
