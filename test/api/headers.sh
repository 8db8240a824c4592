#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Every header stands alone: the public ones as C17 and as C++ with warnings as errors, the
# internal ones as C17. Layers that are not pure may need the system's extensions and libraries, as
# their sources do; where a library is missing they are left out.
# usage: headers.sh ROOT WORKDIR CC [CXX]
set -eu
root=$1 work=$2 cc=$3 cxx=${4:-}
mkdir -p "$work"
status=0 public=0 internal=0
warn="-Wall -Wextra -Wpedantic -Werror"
for header in "$root"/include/foggara/*.h; do
    name=foggara/$(basename "$header")
    printf '#include <%s>\n#include <%s>\nint fog_header_alone;\n' "$name" "$name" >"$work/alone.c"
    cp "$work/alone.c" "$work/alone.cc"
    # shellcheck disable=SC2086
    "$cc" -std=c17 $warn -I"$root/include" -fsyntax-only "$work/alone.c" ||
        { echo "$name does not stand alone as C17"; status=1; }
    # shellcheck disable=SC2086
    [ -z "$cxx" ] || "$cxx" -std=c++17 $warn -I"$root/include" -fsyntax-only "$work/alone.cc" ||
        { echo "$name does not stand alone as C++"; status=1; }
    public=$((public + 1))
done
pure=$(awk -F'|' '!/^#/ && $5 ~ /yes/ { gsub(/ /, "", $1); print $1 }' "$root/test/api/layers.txt")
echo '#define PCRE2_CODE_UNIT_WIDTH 8' >"$work/alone.c"
for header in uv.h libdeflate.h openssl/evp.h pcre2.h; do
    echo "#include <$header>" >>"$work/alone.c"
done
"$cc" -std=c17 -D_GNU_SOURCE -fsyntax-only "$work/alone.c" 2>/dev/null && libraries=yes || libraries=
for header in "$root"/src/*/*.h; do
    name=${header#"$root"/src/}
    extensions=-D_GNU_SOURCE
    for layer in $pure; do [ "${name%%/*}" != "$layer" ] || extensions=; done
    [ -z "$extensions" ] || [ "$libraries" ] || continue
    printf '#include "%s"\nint fog_header_alone;\n' "$name" >"$work/alone.c"
    # shellcheck disable=SC2086
    "$cc" -std=c17 -w $extensions -I"$root/include" -I"$root/src" -fsyntax-only "$work/alone.c" ||
        { echo "$name does not stand alone"; status=1; }
    internal=$((internal + 1))
done
[ -n "$cxx" ] && as="C17 and C++" || as="C17 (no C++ compiler here)"
echo "headers: $public public ones as $as, $internal internal ones as C17"
[ $public -gt 0 ] || status=1
exit $status
