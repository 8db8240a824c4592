/* SPDX-License-Identifier: MIT
 *
 * session_int.h - what the endpoint needs to know of a session beyond session.h.
 */
#ifndef FOGI_SESSION_INT_H
#define FOGI_SESSION_INT_H

#include <foggara/session.h>

/** The endpoint's record of the session; NULL for a session that stands alone. */
void *fogi_session_owner(const struct fog_session *s);
void fogi_session_set_owner(struct fog_session *s, void *owner);

/** The peer has proven its address. Clients and pipes always have. */
bool fogi_session_is_validated(const struct fog_session *s);

/** Neither side has ended the tunnel. */
bool fogi_session_is_open(const struct fog_session *s);

/** Nothing will ever go out again. */
bool fogi_session_is_over(const struct fog_session *s);

/** Closes at once without a word to the peer; FOG_EV_CLOSED follows with err. */
void fogi_session_fail(struct fog_session *s, int err);

/** When something valid last came from the peer. */
fog_time fogi_session_last_input(const struct fog_session *s);

#endif
