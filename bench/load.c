/* SPDX-License-Identifier: MIT
 *
 * load.c - TCP load: the front door. `load serve` is the far end; every other word is a load.
 */
#include "load.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define EXIT_USAGE 64

static const char *const USAGE =
    "usage: load serve  --listen ADDR:PORT --board FILE [--cc NAME]\n"
    "       load LOAD   --to ADDR:PORT --board FILE [OPTION...]\n"
    "loads: up          streams upwards, as fast as they go\n"
    "       down        streams downwards\n"
    "       rr          64 bytes there and back, one after another\n"
    "       beside      the same beside four uploads\n"
    "       connect     connections opened, 64 bytes echoed, closed\n"
    "       fetch       connections opened, a million bytes received, closed\n"
    "       idle        streams opened, one echo each, held until standard input ends\n"
    "options: --seconds N (10)  --streams N (1)  --count N (2000; connect, fetch, idle)\n"
    "         --warm SECONDS (0; round trips not counted)  --cc NAME (of TCP)  --bins\n"
    "Each load prints one line of JSON. Every byte is checked.\n";

int
main(int argc, char **argv)
{
    static const char *const LOADS[] = {"up", "down", "rr", "beside", "connect", "fetch", "idle"};
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    payload_init();
    if (argc > 1 && strcmp(argv[1], "serve") == 0)
        return load_serve(argc - 1, argv + 1);
    for (size_t i = 0; argc > 1 && i < sizeof LOADS / sizeof LOADS[0]; i++)
        if (strcmp(argv[1], LOADS[i]) == 0)
            return load_run(LOADS[i], argc - 1, argv + 1);
    fputs(USAGE, stderr);
    return EXIT_USAGE;
}
