/* SPDX-License-Identifier: MIT
 *
 * replay.c - runs a fuzz target over every file of a directory, with any compiler.
 *
 * The first input is always the empty one. A target that finds a fault aborts, and the name of the
 * file was printed before. usage: fuzz_replay_NAME DIRECTORY|FILE...
 */
#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX (4u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** Runs one file; false when it cannot be read. */
static bool
run_file(const char *name, bool quiet)
{
    FILE *f = fopen(name, "rb");
    uint8_t *data = malloc(INPUT_MAX);
    bool ok = f != NULL && data != NULL;
    if (ok) {
        size_t len = fread(data, 1, INPUT_MAX, f);
        ok = !ferror(f) && len < INPUT_MAX;
        /* An exact copy, so that a read behind the end is seen. */
        uint8_t *copy = malloc(len > 0 ? len : 1);
        if (copy == NULL || !ok) {
            ok = false;
        } else {
            memcpy(copy, data, len);
            if (!quiet)
                printf("%s (%zu bytes)\n", name, len);
            LLVMFuzzerTestOneInput(copy, len);
        }
        free(copy);
    }
    free(data);
    if (f != NULL)
        fclose(f);
    if (!ok)
        fprintf(stderr, "cannot read %s\n", name);
    return ok;
}

/** Runs a directory's files; the count, or -1. */
static long
run_directory(const char *name)
{
    DIR *dir = opendir(name);
    long count = 0;
    if (dir == NULL)
        return run_file(name, true) ? 1 : -1;
    for (struct dirent *e = readdir(dir); e != NULL && count >= 0; e = readdir(dir)) {
        char path[4096];
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", name, e->d_name);
        count = run_file(path, false) ? count + 1 : -1;
        fflush(stdout);
    }
    closedir(dir);
    return count;
}

int
main(int argc, char **argv)
{
    long total = 0;
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) {
        long n = run_directory(argv[i]);
        if (n < 0)
            return 1;
        total += n;
    }
    printf("%ld inputs\n", total);
    if (total == 0)
        fprintf(stderr, "usage: %s DIRECTORY|FILE...; there must be an input\n", argv[0]);
    return total > 0 ? 0 : 1;
}
