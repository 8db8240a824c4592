# SPDX-License-Identifier: MIT
#
# Lengths: a file has at most FILE_MAX lines, a function at most FUNCTION_MAX. A function's body is
# what stands between `{` and `}` alone in column 0; its signature counts from the line that is
# neither blank nor the end of something else.

function fail(line, what)
{
    printf "%s:%d: %s\n", FILENAME, line, what
    bad++
}

FNR == 1 {
    if (previous && lines > FILE_MAX) {
        printf "%s: %d lines, more than %d\n", previous, lines, FILE_MAX
        bad++
    }
    files++
    previous = FILENAME
    open = 0
}

{ lines = FNR; if (FNR > longest_file) longest_file = FNR }

/^\{/ && FILENAME ~ /\.[ch]$/ { open = FNR }

/^\}/ && open {
    functions++
    length_ = FNR - open + 1
    if (length_ > longest)
        longest = length_
    if (length_ > FUNCTION_MAX)
        fail(open, "function of " length_ " lines, more than " FUNCTION_MAX)
    open = 0
}

END {
    if (lines > FILE_MAX) {
        printf "%s: %d lines, more than %d\n", previous, lines, FILE_MAX
        bad++
    }
    printf "size: %d files (longest %d lines), %d functions (longest %d lines)\n",
        files, longest_file, functions, longest
    exit(bad > 0 || files == 0 || functions == 0)
}
