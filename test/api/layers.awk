# SPDX-License-Identifier: MIT
#
# Reads layers.txt, then sources; prints file:line for every #include the table does not allow.
# Paths must be relative to the root: src/LAYER/FILE or include/foggara/FILE.

function fail(what)
{
    printf "%s:%d: %s\n", FILENAME, FNR, what
    bad++
}

function allowed(list, word)
{
    return index(" " list " ", " " word " ") > 0
}

BEGIN {
    libc = "assert.h limits.h stdalign.h stdbool.h stddef.h stdint.h string.h"
}

FILENAME ~ /layers\.txt$/ {
    if ($0 ~ /^#/ || NF == 0)
        next
    split($0, column, "|")
    for (i in column)
        gsub(/^ +| +$/, "", column[i])
    internal[column[1]] = column[2]
    public[column[1]] = column[3]
    system_[column[1]] = column[4]
    gsub(/libc/, libc, system_[column[1]])
    next
}

FNR == 1 {
    files++
    split(FILENAME, part, "/")
    layer = part[1] == "include" ? "include" : part[2]
    if (!(layer in internal))
        fail("no row in layers.txt for layer " layer)
}

/^[ \t]*#[ \t]*include/ {
    includes++
    target = $0
    sub(/^[^<"]*/, "", target)
    if (target ~ /^"/) {
        split(substr(target, 2), part, /["\/]/)
        if (target !~ /\//)
            fail("internal headers are named \"layer/file.h\"")
        else if (part[1] != layer && !allowed(internal[layer], part[1]))
            fail(layer " may not include " part[1])
    } else if (target ~ /^<foggara\//) {
        name = target
        gsub(/^<foggara\/|\.h>.*$/, "", name)
        if (!allowed(public[layer], name))
            fail(layer " may not include <foggara/" name ".h>")
    } else {
        name = target
        gsub(/^<|>.*$/, "", name)
        if (system_[layer] != "any" && !allowed(system_[layer], name))
            fail(layer " may not include <" name ">")
    }
}

END {
    printf "layers: %d files, %d includes, %d against the table\n", files, includes, bad
    exit(bad > 0 || files == 0)
}
