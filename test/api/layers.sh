#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Holds every #include of src/ and include/, and every USES of src/*/CMakeLists.txt, against the
# table of layers.txt.
set -eu
cd "$1"
status=0
find include src -name '*.[ch]' | sort | xargs awk -f test/api/layers.awk test/api/layers.txt ||
    status=1

# What CMake links: a layer's USES must stay within its row as well; the layer that implements a
# public header counts like that header.
awk -F'|' '
    FILENAME ~ /layers\.txt$/ {
        if ($0 ~ /^#/) next
        gsub(/ /, "", $1); row[$1] = " " $2 " " $3 " "; next
    }
    /^fog_layer\(/ { name = $0; sub(/^fog_layer\(/, "", name); sub(/[ )].*/, "", name); text = "" }
    name != "" { text = text " " $0 }
    name != "" && /\)/ {
        layers++
        if (sub(/.* USES /, "", text)) {
            sub(/\).*| (LIBS|SOURCES) .*/, "", text)
            n = split(text, use, " ")
            for (i = 1; i <= n; i++)
                if (index(row[name], " " use[i] " ") == 0) {
                    printf "%s:%d: %s may not use %s\n", FILENAME, FNR, name, use[i]; bad++
                }
        }
        name = ""
    }
    END { printf "layers: %d targets, %d against the table\n", layers, bad; exit(bad > 0 || !layers) }
' test/api/layers.txt src/*/CMakeLists.txt || status=1
exit $status
