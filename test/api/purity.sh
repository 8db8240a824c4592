#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Compiles every layer plainly (no sanitizer, no fortified libc, whatever the build uses) and looks
# at the symbols:
#   - pure layers call memory and string functions only and keep no writable global data; malloc
#     and free belong to base/mem.c alone; those marked lib may hash and match as well
#   - nothing outside the prefixes fog_ and fogi_ is defined, main() apart
#   - the functions of the public headers are exactly the fog_ functions that are defined
# Layers that need a library which is not there are left out.
# usage: purity.sh ROOT WORKDIR CC
set -eu
root=$1 work=$2 cc=$3
table=$root/test/api/layers.txt
rm -rf "$work"
mkdir -p "$work"
: >"$work/defined"
status=0 objects=0 symbols=0 left_out=

compile() { # source object
    extensions=
    [ "$pure" != no ] || extensions=-D_GNU_SOURCE
    "$cc" -std=c17 -O1 -w $extensions -fno-pie -fno-pic -fno-stack-protector -U_FORTIFY_SOURCE \
        -I"$root/include" -I"$root/src" -c "$1" -o "$2"
}

echo '#define PCRE2_CODE_UNIT_WIDTH 8' >"$work/libraries.c"
for header in uv.h libdeflate.h openssl/evp.h pcre2.h; do
    echo "#include <$header>" >>"$work/libraries.c"
done
pure=no
compile "$work/libraries.c" "$work/libraries.o" 2>/dev/null && libraries=yes || libraries=

for layer in $(awk -F'|' '!/^#/ && $1 !~ /include/ { print $1 }' "$table"); do
    pure=$(awk -F'|' -v l="$layer" '{ gsub(/ /, "") } $1 == l { print $5 }' "$table")
    if [ "$pure" != yes ] && [ -z "$libraries" ]; then
        left_out="$left_out $layer"
        continue
    fi
    for source in "$root/src/$layer"/*.c; do
        [ -e "$source" ] || continue
        name=$layer/$(basename "$source" .c)
        object=$work/$layer-$(basename "$source" .c).o
        compile "$source" "$object"
        nm "$object" >"$work/nm"
        objects=$((objects + 1))
        symbols=$((symbols + $(wc -l <"$work/nm")))
        # shellcheck disable=SC2016
        awk -v name="$name" -v pure="$pure" -v defined="$work/defined" '
            function fail(what) { printf "%s.c: %s\n", name, what; bad++ }
            $(NF - 1) == "U" && pure != "no" {
                s = $NF
                if (pure == "lib" && s ~ /^(SHA1|SHA256|CRYPTO_memcmp|EVP_EncodeBlock)$/) next
                if (pure == "lib" && s ~ /^pcre2_[a-z_]+_8$/) next
                if (s ~ /^(fog_|fogi_)/) next
                if (s ~ /^(memcpy|memmove|memset|memcmp|memchr|__assert_fail|__stack_chk_fail)$/) next
                if (s ~ /^(strlen|strnlen|strcmp|strncmp|strchr|strrchr|strstr)$/) next
                if (name == "base/mem" && s ~ /^(malloc|free)$/) next
                fail("not pure: uses " s)
            }
            pure != "no" && $(NF - 1) ~ /^[bBdDCsSgG]$/ { fail("not pure: writable data " $NF) }
            $(NF - 1) ~ /^[A-TV-Z]$/ && $NF !~ /^(fog_|fogi_)/ && $NF != "main" {
                fail("defines " $NF " without prefix")
            }
            $(NF - 1) == "T" && $NF ~ /^fog_/ { print $NF >>defined }
            END { exit(bad > 0) }
        ' "$work/nm" || status=1
    done
done

# What is public: the names between FOG_API and the first parenthesis.
cat "$root"/include/foggara/*.h | tr '\n' ' ' |
    grep -oE 'FOG_API [^;(]*\(' | grep -oE 'fog_[a-z0-9_]+ *\($' | tr -d ' (' | sort -u >"$work/public"
sort -u "$work/defined" >"$work/implemented"
for symbol in $(comm -23 "$work/public" "$work/implemented"); do
    echo "$symbol is in a public header, but nowhere defined"
    status=1
done
for symbol in $(comm -13 "$work/public" "$work/implemented"); do
    echo "$symbol is defined, but in no public header"
    status=1
done
echo "purity: $objects objects, $symbols symbols, $(wc -l <"$work/public") public functions;" \
    "left out:${left_out:- none}"
[ $objects -gt 0 ] && [ -s "$work/public" ] || status=1
exit $status
