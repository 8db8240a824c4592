#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Compiles the pure layers plainly (no sanitizer, no fortified libc, whatever the build uses) and
# looks at their symbols: they may call memory and string functions only, define nothing outside
# the prefixes, and keep no writable global data. malloc and free belong to base/mem.c alone.
# usage: purity.sh ROOT WORKDIR CC
set -eu
root=$1 work=$2 cc=$3
layers=$(awk -F'|' '!/^#/ && $5 ~ /yes/ { gsub(/ /, "", $1); print $1 }' "$root/test/api/layers.txt")
rm -rf "$work"
mkdir -p "$work"
status=0 objects=0 symbols=0
for layer in $layers; do
    for source in "$root/src/$layer"/*.c; do
        [ -e "$source" ] || continue
        name=$layer/$(basename "$source" .c)
        object=$work/$layer-$(basename "$source" .c).o
        "$cc" -std=c17 -O1 -w -fno-pie -fno-pic -fno-stack-protector -U_FORTIFY_SOURCE \
            -I"$root/include" -I"$root/src" -c "$source" -o "$object"
        nm "$object" >"$work/nm"
        objects=$((objects + 1))
        symbols=$((symbols + $(wc -l <"$work/nm")))
        # shellcheck disable=SC2016
        awk -v name="$name" '
            function fail(what) { printf "%s.c: not pure: %s\n", name, what; bad++ }
            $(NF - 1) == "U" {
                s = $NF
                if (s ~ /^(fog_|fogi_)/) next
                if (s ~ /^(memcpy|memmove|memset|memcmp|memchr|__assert_fail|__stack_chk_fail)$/) next
                if (s ~ /^(strlen|strnlen|strcmp|strncmp|strchr|strrchr|strstr)$/) next
                if (name == "base/mem" && s ~ /^(malloc|free)$/) next
                fail("uses " s); next
            }
            $(NF - 1) ~ /^[bBdDCsSgG]$/ { fail("writable data " $NF) }
            $(NF - 1) ~ /^[TRVW]$/ && $NF !~ /^(fog_|fogi_)/ { fail("defines " $NF " without prefix") }
            END { exit(bad > 0) }
        ' "$work/nm" || status=1
    done
done
echo "purity: $objects objects, $symbols symbols of:" $layers
[ $objects -gt 0 ] || status=1
exit $status
