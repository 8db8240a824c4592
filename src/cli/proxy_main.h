/* SPDX-License-Identifier: MIT
 *
 * proxy_main.h - the commands agent and gateway: their options, their help, and what is wrong with
 * them. Knows nothing of what they do.
 */
#ifndef FOGI_PROXY_MAIN_H
#define FOGI_PROXY_MAIN_H

#include "app/settings.h"

int fogi_agent_main(int argc, char **argv);
int fogi_gateway_main(int argc, char **argv);

/** `check` for a file that is an agent's or a gateway's. */
int fogi_agent_check(const char *file);
int fogi_gateway_check(const char *file);

#endif
