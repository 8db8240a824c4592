#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Every long option that the program's sources or its help know is in man/foggara.1, and every
# long option of the man page is known to the program.
# usage: options.sh ROOT [PROGRAM]
set -eu
root=$1 program=${2:-}
man=$root/man/foggara.1
if [ ! -e "$man" ]; then
    echo "options: man/foggara.1 is missing"
    exit 1
fi
words() { grep -oE -e '--[a-z][a-z0-9-]+' | sort -u; }
# The page writes options as mdoc (Fl -fast) or man (\-\-fast) macros; both become --fast.
page=$(sed -e 's/\\-/-/g' -e 's/Fl -\([a-z]\)/--\1/g' -e 's/\\&//g' "$man" | words)
known=$({
    find "$root/src/cli" "$root/src/app" -name '*.[ch]' -exec sed -e '/^ \*/d' -e '/^\/\*/d' {} + |
        grep -oE -e '"[^"]*"' || :
    [ -z "$program" ] || [ ! -x "$program" ] || "$program" --help 2>&1 || :
} | words)
status=0 count=0
for option in $known; do
    count=$((count + 1))
    printf '%s\n' "$page" | grep -qxe "$option" || { echo "$option is not in man/foggara.1"; status=1; }
done
for option in $page; do
    printf '%s\n' "$known" | grep -qxe "$option" ||
        { echo "man/foggara.1 names $option, which the program does not know"; status=1; }
done
echo "options: $count long options, all compared with man/foggara.1"
[ $count -gt 0 ] || status=1
exit $status
