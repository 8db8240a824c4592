/* SPDX-License-Identifier: MIT
 *
 * channel_stream.h - a stream of a tunnel as a channel.
 *
 * Decides nothing: a rider (carrier.h) that lends what stands in the tunnel's queues and copies
 * into them. Refuses to know which side opened the stream. Invariant: bytes stay in the session
 * until they are consumed; when the session ends, what has arrived whole can still be read.
 */
#ifndef FOGI_CHANNEL_STREAM_H
#define FOGI_CHANNEL_STREAM_H

#include "app/carrier.h"
#include "app/channel.h"

/** Puts a channel on a stream of c. NULL without memory, and then the stream is still the caller's.
 */
FOG_CHECKED struct channel *fogi_channel_stream(struct carrier *c, struct fog_stream *st);

#endif
