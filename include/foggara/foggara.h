/* SPDX-License-Identifier: MIT
 *
 * foggara.h - the whole public face. Read types.h for the words about ownership, session.h for what
 * to hold, mux.h for streams and events, arq.h for the pipe below, error.h for what can go wrong.
 */
#ifndef FOGGARA_FOGGARA_H
#define FOGGARA_FOGGARA_H

#include <foggara/arq.h>
#include <foggara/error.h>
#include <foggara/mux.h>
#include <foggara/session.h>
#include <foggara/types.h>

#endif
