#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The tree names no path of the machine it was written on and no package registry: builds must work
# from whatever mirror the user's tools are set up for. (Each word is written so that it does not
# match itself.)
set -eu
cd "$1"
hosts='registry\.npm[j]s|registry\.yarn[p]kg|pypi\.or[g]|files\.pythonhoste[d]|proxy\.golan[g]'
hosts="$hosts|static\\.crates\\.i[o]|deb\\.debian\\.or[g]|archive\\.ubunt[u]|repo1?\\.mave[n]"
paths='(^|[^[:alnum:]_.])/(wor[k]|far[m])(/|$|[^[:alnum:]_])|bash_job[s]|/tmp/bas[h]'
list() {
    if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        git ls-files -z --cached --others --exclude-standard
    else
        find . \( -path ./build -o -path ./.git \) -prune -o -type f -print0
    fi
}
count=$(list | tr -dc '\000' | wc -c)
if list | xargs -0 grep -nIEs "$hosts|$paths" /dev/null; then
    echo "names: the lines above name a path of one machine or a registry host"
    exit 1
fi
echo "names: $count files, none names a path of one machine or a registry host"
[ "$count" -gt 0 ]
