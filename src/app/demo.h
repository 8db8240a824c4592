/* SPDX-License-Identifier: MIT
 *
 * demo.h - `foggara demo`: shows the tunnel at work over a bad link, on this machine, without root.
 *
 * Starts this program's own server and client as real processes, puts a lossy relay between them
 * and an HTTP origin behind them, downloads through all of it and says what was measured.
 */
#ifndef FOGI_DEMO_H
#define FOGI_DEMO_H

/**
 * Runs the subcommand.
 *
 * Takes      argv[0]: the subcommand's name; then its options.
 * Effect     writes to standard output; every process it starts has ended when it returns.
 * Returns    0 shown and correct, 1 something failed (one line on standard error says what),
 *            64 wrong options, 130 interrupted
 */
int fogi_demo_main(int argc, char **argv);

/** What `foggara demo --help` prints. */
extern const char *const fogi_demo_usage;

#endif
