/* SPDX-License-Identifier: MIT
 *
 * scenario.h - what each mechanism is for, as one figure. The table is in without_main.c.
 */
#ifndef SCENARIO_H
#define SCENARIO_H

#include <stdint.h>

#define NEVER 1e6 /* the figure of what does not happen */

/* Each plays one world that follows from the seed, and returns its figure. */

double repeated_round_trip(uint64_t seed);
double lost_repair(uint64_t seed);
double early_ones(uint64_t seed);
double jitter(uint64_t seed);
double lost_tail(uint64_t seed);
double light_again(uint64_t seed);
double minute_of_dark(uint64_t seed);

double sender_is_faster(uint64_t seed);
double random_loss(uint64_t seed);
double deep_queue(uint64_t seed);
double longer_way(uint64_t seed);
double quarter_of_rate(uint64_t seed);
double loss_after_dark(uint64_t seed);
double late_is_not_lost(uint64_t seed);
double bulk_after_talk(uint64_t seed);
double one_answer(uint64_t seed);

double shallow_queue(uint64_t seed);
double talk(uint64_t seed);
double words(uint64_t seed);
double short_answers(uint64_t seed);
double small_window(uint64_t seed);
double dear_copies(uint64_t seed);
double told_rate(uint64_t seed);
double full_window(uint64_t seed);

double sent_in_vain(uint64_t seed);
double bytes_back(uint64_t seed);
double lost_hello(uint64_t seed);
double closed_window(uint64_t seed);
double opened_window(uint64_t seed);

#endif
