/* SPDX-License-Identifier: MIT
 *
 * nearest.h - what a mistyped word probably meant. Knows words; not where they come from.
 */
#ifndef FOGI_NEAREST_H
#define FOGI_NEAREST_H

#include <stdbool.h>

/** Whether `candidate` is close to what was typed, and closer than *best (start with NEAREST_NONE);
 *  if so *best becomes its distance: 0 is equal but for case, 1 a letter wrong or a beginning. */
#define NEAREST_NONE 100
bool fogi_nearest(const char *typed, const char *candidate, int *best);

#endif
