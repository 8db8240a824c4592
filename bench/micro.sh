#!/bin/sh
# SPDX-License-Identifier: MIT
#
# micro.sh MICRO - instructions per segment of the engine, both ends and the harness together, at
# several windows and losses. Fails when they are many or grow with the window. Instructions repeat
# exactly where seconds do not.
set -eu
micro=$1
most=${MOST:-6000}    # instructions per segment sent, with everything its acknowledgement costs
growth=125            # per cent of the smallest window's
segments=32768        # two windows of the largest

if ! command -v valgrind >/dev/null 2>&1; then
    echo "skipped: valgrind is not installed"
    exit 77
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

count() { # window every
    valgrind --tool=callgrind --toggle-collect=move_all --callgrind-out-file="$dir/out" \
        "$micro" "$1" "$segments" "$2" >"$dir/said" 2>"$dir/log" || { cat "$dir/said" "$dir/log" >&2; exit 1; }
    total=$(awk '/Collected/ { print $NF }' "$dir/log")
    sent=$(awk '{ print $3 }' "$dir/said")
    echo $((total / sent))
}

failed=0
for every in 0 100; do
    first=
    for window in 32 1024 16384; do
        each=$(count "$window" "$every")
        first=${first:-$each}
        verdict=ok
        if [ "$each" -gt "$most" ] || [ $((each * 100)) -gt $((first * growth)) ]; then
            verdict="too many"
            failed=1
        fi
        echo "lost 1 in $every, window $window: $each instructions per segment: $verdict ($(cat "$dir/said"))"
    done
done
exit $failed
