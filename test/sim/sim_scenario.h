/* SPDX-License-Identifier: MIT
 *
 * sim_scenario.h - fixed worlds with exact gates.
 */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include "sim.h"

/** Name of scenario i; NULL behind the last. */
const char *sim_scenario_name(int i);

/** Makes its plan; false when there is none of that name. */
bool sim_scenario(struct plan *p, const char *name);

/** When its last flow was done. */
fog_time sim_scenario_finish(const struct world *w);
uint64_t sim_scenario_datagrams(const struct world *w);

#endif
