/* SPDX-License-Identifier: MIT
 *
 * gzip.h - `struct fog_gzip` (mux.h) on libdeflate: one whole member in, one out, output bounded.
 * Keeps nothing from one member to the next. One thread at a time per object.
 */
#ifndef FOGI_GZIP_H
#define FOGI_GZIP_H

#include <foggara/mux.h>

/** Gives *g, to be freed with fogi_gzip_free(). FOG_E_NOMEM. */
FOG_CHECKED int fogi_gzip_new(struct fog_gzip *g);
/** g may be one that could not be made, or zero. */
void fogi_gzip_free(struct fog_gzip *g);

#endif
