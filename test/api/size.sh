#!/bin/sh
# SPDX-License-Identifier: MIT
#
# No file over 800 lines, no function over 80, in src, include and test. Recordings are data.
set -eu
cd "$1"
find src include test -type f \( -name '*.[ch]' -o -name '*.sh' -o -name '*.awk' -o -name '*.py' \) |
    sort | xargs awk -v FILE_MAX=800 -v FUNCTION_MAX=80 -f test/api/size.awk
