# SPDX-License-Identifier: MIT
# circles.sh: which files of a folder know which, and whether that goes round in a circle.  For layers.sh, and for the driver's.

# A .c and its .h are one.  It knows what it includes, and what its object takes from another's; so neither one header for
# all nor a prototype by hand hides anything.  ties FOLDER OBJECT...: "A B" for each A that knows B.
ties() {
    _folder=$1
    shift
    # shellcheck disable=SC2046 # files
    awk 'function stem(path) { sub(/^.*\//, "", path); sub(/\.[^.]*$/, "", path); return path }
         BEGIN { for (i = 1; i < ARGC; i++) if (ARGV[i] ~ /\.h$/) header[stem(ARGV[i])] = 1 }
         /^[[:space:]]*#[[:space:]]*include[[:space:]]*".*\.h"/ {
             split($0, part, "\"")
             other = part[2]
             sub(/\.h$/, "", other)
             if (other in header) print stem(FILENAME), other
         }' $(find "$_folder" -maxdepth 1 -name '*.[ch]') </dev/null
    [ $# -eq 0 ] || { nm -A -g --defined-only "$@"; nm -A -u "$@"; } |
        awk '{ of = $1; sub(/:.*/, "", of); sub(/^.*\//, "", of); sub(/\.o$/, "", of) }
             NF == 3 && $2 != "U" { owner[$3] = of }
             $(NF - 1) ~ /^[Uwv]$/ { from[n] = of; what[n++] = $NF }
             END { for (i = 0; i < n; i++) if (what[i] in owner) print from[i], owner[what[i]] }'
}
# From such lines, the members of a circle; nothing if there is none.
circle() {
    awk '$1 != $2' | sort -u | LC_ALL=C tsort 2>&1 >/dev/null | sed -n 's/^tsort: //p' | grep -v 'contains a loop' |
        awk '!seen[$0]++' | tr '\n' ' '
}
