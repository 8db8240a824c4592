/* SPDX-License-Identifier: MIT
 *
 * forward.h - what an HTTP proxy does with a request: where it goes, and what the origin gets.
 *
 * Decides whether a head asks for a tunnel (CONNECT host:port) or for one request to be passed on
 * (METHOD http://host/path), the destination, and the bytes of the request as the origin sees it.
 * Refuses to know connections, passwords and answers. One connection carries one request: behind
 * its body nothing is passed on, so no second request can ride along (threats S5, S9).
 *
 * The origin's head is written anew from the parsed fields, in their order: origin-form target,
 * Host from the target, "Connection: close"; without Proxy-* fields, hop-by-hop fields and those
 * that Connection names. Invariant: it parses back to the same request.
 */
#ifndef FOGI_FORWARD_H
#define FOGI_FORWARD_H

#include "proxy/dest.h"
#include "proxy/head.h"

#define FORWARD_MAX                                                                                \
    (HEAD_MAX + HEAD_FIELDS_MAX + DEST_TEXT_MAX + 32) /* bytes of what the origin gets */

enum forward_kind { FORWARD_CONNECT, FORWARD_REQUEST };

/** The body behind a request, measured as it passes. A strict reader of chunks: no extensions, no
 *  trailer fields, sizes of 1 to 16 hexadecimal digits. */
struct body {
    enum head_body framing;
    bool done;     /* all of it has passed          */
    uint64_t left; /* bytes of it, or of this chunk */
    uint8_t state, digits;
};

struct forward {
    enum forward_kind kind;
    struct dest dest;
    struct body body;      /* FORWARD_REQUEST */
    struct head_text path; /* FORWARD_REQUEST: "/..." as it stands in the head; may be without the
                              slash, or empty */
};

/**
 * Reads a request that is done. path is lent as the head is.
 *
 * Returns    FOG_E_FORMAT   neither of the two: origin-form (a web page drives us, threats S8),
 *                           another scheme, a user part, no valid host, port 0, a fragment; CONNECT
 *                           with a body; Connection names Host, or what frames the body.
 *                           *f is as it was.
 */
FOG_CHECKED int fogi_forward_read(const struct head *h, struct forward *f);

/** Writes the origin's head for a FORWARD_REQUEST into out[FORWARD_MAX]; returns its length. */
size_t fogi_forward_write(const struct head *h, const struct forward *f, char *out);

/**
 * Measures bytes behind the head: *used of them belong to the body and are passed on as they are.
 * Bytes that are not used once b->done belong to nobody: the owner reads no further.
 *
 * Returns    FOG_E_FORMAT   no well-formed chunk; *used bytes before it were fine
 */
FOG_CHECKED int fogi_body_input(struct body *b, const void *buf, size_t len, size_t *used);

#endif
