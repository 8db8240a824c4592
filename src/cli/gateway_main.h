/* SPDX-License-Identifier: MIT
 *
 * gateway_main.h - the command "gateway". Knows options and files; not what a gateway does.
 */
#ifndef FOGI_GATEWAY_MAIN_H
#define FOGI_GATEWAY_MAIN_H

/** argv[0] is the command's name. Returns what the process returns. */
int fogi_gateway_main(int argc, char **argv);

#endif
