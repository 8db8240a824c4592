#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What the manuals and the README show is right: each file of foggara.conf(5) passes `foggara check`, and
# each command with options has options that there are (--help behind them looks at all of them).
# usage: examples.sh ROOT PROGRAM WORKDIR
set -eu
root=$1 program=$2 work=$3
rm -rf "$work" && mkdir -p "$work" && cd "$work"
tls=$root/test/data/tls status=0 count=0

# A block whose first line is "# /etc/foggara/NAME" becomes the file NAME.
awk '/^\.Bd/ { begun = 1; next }
     /^\.Ed/ { begun = 0; name = "" }
     begun && $1 == "#" && sub(".*/", "", $2) { name = $2; next }
     begun && name { gsub(/\\e/, "\\"); print > name }' "$root/man/foggara.conf.5"
for file in *.conf; do
    count=$((count + 1))
    sed -e "s#/etc/foggara/fullchain.pem#$tls/server.pem#" \
        -e "s#/etc/foggara/privkey.pem#$tls/server.key#" "$file" >checked
    "$program" check -c checked >said 2>&1 ||
        { echo "$file of foggara.conf(5): $(cat said)"; status=1; }
done
[ $count -ge 3 ] || { echo "examples: only $count files in foggara.conf(5)"; status=1; }

# Commands, with the lines they go on in.
sed -e 's/\\e$/\\/' "$root/man/foggara.1" | cat "$root/README.md" - |
    sed -n -e ':more' -e '/\\$/{N;s/\\\n */ /;b more' -e '}' \
        -e '/^ *foggara \(client\|server\|agent\|gateway\) -/p' >commands
while read -r _ args; do
    count=$((count + 1))
    # shellcheck disable=SC2086
    "$program" $args --help >said 2>&1 ||
        { echo "foggara $args: $(head -n 1 said)"; status=1; }
done <commands
echo "examples: $count files and commands"
[ $count -ge 12 ] || { echo "examples: too few were found"; status=1; }
exit $status
