# SPDX-License-Identifier: MIT
# circles.sh: which files of a folder know which, and whether that goes round in a circle.  For layers.sh, and for the driver's.

# A .c and its .h are one.  It knows what it includes, and what its object takes from another's; so neither one header for
# all nor a prototype by hand hides anything.  ties FOLDER OBJECT...: "A B" for each A that knows B.
ties() {
    _folder=$1
    shift
    for file in "$_folder"/*.[ch]; do
        [ -e "$file" ] || continue
        name=${file##*/}
        sed -n -E 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*"(.*)\.h".*/\1/p' "$file" | while read -r other; do
            [ ! -e "$_folder/$other.h" ] || echo "${name%.*} $other"
        done
    done
    for object; do
        name=${object##*/}
        nm -g --defined-only "$object" | awk -v of="${name%.o}" 'NF == 3 { print "has", of, $3 }'
        nm -u "$object" | awk -v of="${name%.o}" '{ print "wants", of, $2 }'
    done | awk '$1 == "has" { owner[$3] = $2 }
                $1 == "wants" { from[n] = $2; what[n++] = $3 }
                END { for (i = 0; i < n; i++) if (what[i] in owner) print from[i], owner[what[i]] }'
}
# From such lines, the members of a circle; nothing if there is none.
circle() {
    awk '$1 != $2' | sort -u | LC_ALL=C tsort 2>&1 >/dev/null | sed -n 's/^tsort: //p' | grep -v 'contains a loop' |
        awk '!seen[$0]++' | tr '\n' ' '
}
