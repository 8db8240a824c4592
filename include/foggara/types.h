/* SPDX-License-Identifier: MIT
 *
 * types.h - time, memory, addresses and attributes that every public header uses.
 *
 * Words about ownership, used in all headers with exactly these meanings:
 *   borrows      the callee reads the buffer during the call only
 *   copies       the callee keeps its own copy; the caller may reuse the memory at once
 *   takes        the callee frees it, also when the call fails
 *   lends until  the pointer handed out stays valid until the event named
 *   gives        the caller frees it with the function named
 */
#ifndef FOGGARA_TYPES_H
#define FOGGARA_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FOG_VERSION "0.1.0"

#if defined(__GNUC__)
#define FOG_API __attribute__((visibility("default")))
#define FOG_CHECKED __attribute__((warn_unused_result))
#define FOG_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define FOG_API
#define FOG_CHECKED
#define FOG_PRINTF(f, a)
#endif

/** Microseconds on the caller's monotonic clock; the origin is arbitrary. No engine reads a clock:
 *  every verb is told the time, and within one engine it never goes back. */
typedef int64_t fog_time;

#define FOG_TIME_NEVER INT64_MAX
#define FOG_US(n) ((fog_time)(n))
#define FOG_MS(n) ((fog_time)(n) * 1000)
#define FOG_SEC(n) ((fog_time)(n) * 1000000)

/** Why an engine wants to be called back; shown in logs, so that each wake-up can be explained. */
enum fog_why {
    FOG_WHY_NEVER,      /* asleep: nothing happens until input or a call from above      */
    FOG_WHY_OUTPUT,     /* something can be sent now                                     */
    FOG_WHY_PACE,       /* something can be sent when the pacer allows                   */
    FOG_WHY_LOSS,       /* a transmission becomes overdue                                */
    FOG_WHY_PROBE,      /* the peer's window is closed: ask, or tell ours again          */
    FOG_WHY_DEAD,       /* the peer has been silent too long                             */
    FOG_WHY_HANDSHAKE,  /* the handshake or the address validation takes too long        */
    FOG_WHY_KEEPALIVE,  /* a keepalive is due, or its answer is                          */
    FOG_WHY_STREAM,     /* a stream's own timer: half-closed, held FIN, slow reader      */
    FOG_WHY_LIMIT,      /* a rate limit opens again                                      */
    FOG_WHY_N
};

/** Short name of a reason, for logs ("loss", "keepalive"). Never NULL. */
FOG_API const char *fog_why_name(enum fog_why why);

/** Memory of an engine. Copied at creation; one engine never mixes two. */
struct fog_alloc {
    void *(*alloc)(void *ctx, size_t size);           /* size > 0; NULL when there is none     */
    void (*free)(void *ctx, void *p, size_t size);    /* p from alloc, with the same size      */
    void *ctx;
};

/** malloc and free of the C library. */
FOG_API const struct fog_alloc *fog_alloc_libc(void);

/** What UDP over IPv4 carries at most: datagrams of more bytes are dropped (threats K21). */
#define FOG_DATAGRAM_MAX 65507

/** An Internet address and port. IPv4 is kept as ::ffff:a.b.c.d, so equal peers compare equal
 *  byte for byte. Unused bytes are zero. */
struct fog_addr {
    uint8_t ip[16];     /* network order                                   */
    uint16_t port;      /* host order                                      */
    uint16_t reserved;  /* 0                                               */
    uint32_t scope;     /* IPv6 scope id of a link-local address, else 0   */
};

enum fog_role { FOG_CLIENT, FOG_SERVER };

#ifdef __cplusplus
}
#endif
#endif
