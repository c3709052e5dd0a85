#!/bin/sh
# SPDX-License-Identifier: MIT
#
# install.sh: `make install` into an empty folder, used as the author of an agent would use it: everything is at its place,
# a program builds with nothing but pkg-config, each manual page is without a warning, and uninstalling
# leaves only the configuration.
set -u
cd "$(dirname "$0")/.." || exit 2
make=${MAKE:-make}
cc=${CC:-cc}
passed=0 failed=0 skipped=0
dir=$(mktemp -d /tmp/xvs-install.XXXXXX) || exit 2
trap 'rm -rf "$dir"' EXIT
root=$dir/root

ok() {
    echo "ok $1"
    passed=$((passed + 1))
}
fail() {
    echo "FAIL $1: $2"
    failed=$((failed + 1))
}
skip() {
    echo "skip $1: $2"
    skipped=$((skipped + 1))
}
# check NAME command...: what it prints is the reason when it fails.
check() {
    name=$1
    shift
    if out=$("$@" 2>&1); then ok "$name"; else fail "$name" "$(echo "$out" | tail -n 5 | tr '\n' '|')"; fi
}

check "a build without its libraries says what to install" \
    sh -c "! tools/headers.sh false 2>'$dir/said' && grep -q 'xenstore.h.*libxen-dev' '$dir/said' && grep -q 'make deps' '$dir/said'"

if ! MAKEFLAGS='' $make --no-print-directory install DESTDIR="$root" PREFIX=/usr >"$dir/log" 2>&1; then
    tail -n 20 "$dir/log"
    fail "make install" "see above"
    echo "$passed passed, $failed failed, $skipped skipped"
    exit 1
fi

for file in lib/libxvs.so.0 lib/libxvs.so lib/libxvs.a lib/pkgconfig/xvs.pc include/xvs.h include/vsockif.h \
    bin/xvs sbin/xvsd sbin/xvs-agent lib/systemd/system/xvs-agent.service lib/systemd/system/xvsd.service lib/sysusers.d/xvs.conf lib/systemd/system/xvs-serve@.service \
    lib/modules-load.d/xvsd.conf lib/modules-load.d/xvs-guest.conf lib/sysusers.d/xvs-guest.conf lib/udev/rules.d/60-xvs-guest.rules lib/systemd/catalog/xvs.catalog \
    share/bash-completion/completions/xvs share/zsh/site-functions/_xvs \
    share/man/man1/xvs.1 share/man/man3/xvs.3 share/man/man5/xvsd.conf.5 share/man/man5/xvs-policy.5 share/man/man8/xvsd.8 \
    share/man/man1/xvs-exec.1 share/man/man1/xvs-cp.1 share/man/man1/xvs-manage.1 share/man/man5/agent.conf.5 share/man/man8/xvs-agent.8; do
    check "$file is installed" test -s "$root/usr/$file"
done

check "the lines for ssh are installed" test -s "$root/etc/ssh/ssh_config.d/30-xvs.conf"
if command -v ssh >/dev/null 2>&1; then
    check "ssh reads them" sh -c "ssh -T -G -F '$root/etc/ssh/ssh_config.d/30-xvs.conf' Web1.xvs 2>'$dir/ssh.err' |
        grep -q \"^proxycommand .*exec /usr/bin/xvs cat .*'%n' '%p'\$\" && [ ! -s '$dir/ssh.err' ]"
else
    skip "ssh reads them" "there is no ssh"
fi

# completes WORDS... EXPECTED: what bash offers for the last of the words, with two guests and a port that have names.
completes() {
    # shellcheck disable=SC2016 # expanded by bash
    got=$(LD_LIBRARY_PATH="$root/usr/lib" bash -c '. "$1/usr/share/bash-completion/completions/xvs"
        _xvs_guests() { echo web1 db1; }
        _xvs_ports() { echo ssh; }
        shift
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _xvs_complete
        echo "${COMPREPLY[*]}"' completes "$root" "$root/usr/bin/xvs" "$1" "$2" "$3" "$4")
    if [ "$got" = "$5" ]; then ok "bash completes xvs $1 $2 $3 $4"; else fail "bash completes xvs $1 $2 $3 $4" "'$got', not '$5'"; fi
}
if command -v bash >/dev/null 2>&1; then
    completes -d 1 detach "" "web1 db1"
    completes cat web1 -i --i "--idle-timeout"
    completes -v cat web1 s "ssh"
    completes -v policy "check" d "db1"
    completes --run-dir /x -v det "detach"
    completes --run-dir /x -v time "time-sync"
    completes freeze --for 30 "" "web1 db1"
    completes -v events web1 "" "web1 db1"
    # shellcheck disable=SC2016 # expanded by bash
    check "bash offers the ports that a guest's streams have" bash -c '. "$1/usr/share/bash-completion/completions/xvs"
        daemon() { [ "$*" = "-q dump --json web1" ] && echo "{\"local\":{\"cid\":2,\"port\":9},\"peer\":{\"cid\":5,\"port\":1234}},{\"peer\": {\"cid\": 5, \"port\": 22}}"; }
        COMP_WORDS=(daemon)
        said=$(_xvs_ports web1 | grep -E "^[0-9]" | tr "\n" " ")
        echo "$said"
        [ "$said" = "22 1234 " ]' ports "$root"
else
    skip "bash completes words" "there is no bash"
fi
if command -v zsh >/dev/null 2>&1; then
    check "zsh reads its completion" zsh -n "$root/usr/share/zsh/site-functions/_xvs"
else
    skip "zsh reads its completion" "there is no zsh"
fi

check "the configuration is read by xvsd" env LD_LIBRARY_PATH="$root/usr/lib" \
    "$root/usr/sbin/xvsd" --check-config --config "$root/etc/xvs/xvsd.conf"
check "so is the policy that is installed" sh -c "LD_LIBRARY_PATH='$root/usr/lib' '$root/usr/sbin/xvsd' --check-config --config '$root/etc/xvs/xvsd.conf' |
    grep -q '^the policy in $root/etc/xvs/policy.d is good: 5 lines'"
# What an attacker who found a fault would meet: addresses that nobody knows, and tables that nobody can write.
for program in sbin/xvsd sbin/xvs-agent bin/xvs lib/libxvs.so.0; do
    check "$program is position-independent" sh -c "readelf -h '$root/usr/$program' | grep -q 'Type: *DYN'"
    check "what the loader filled in stays as it is in $program" sh -c \
        "readelf -ld '$root/usr/$program' | awk '/GNU_RELRO/ { relro = 1 } /BIND_NOW|Flags:.*NOW/ { now = 1 } END { exit !(relro && now) }'"
    check "no page of $program is writable and executable" sh -c "! readelf -lW '$root/usr/$program' | grep -E 'GNU_STACK|LOAD' | grep -q RWE"
    check "stacks are guarded in $program" sh -c "readelf -sW --dyn-syms '$root/usr/$program' | grep -q __stack_chk_fail"
done
check "the unit starts what was installed" grep -q '^ExecStart=/usr/sbin/xvsd' "$root/usr/lib/systemd/system/xvsd.service"
check "a reload waits, and fails where the daemon's does" sh -c \
    "grep -q '^ExecReload=/usr/bin/xvs reload$' '$root/usr/lib/systemd/system/xvsd.service' && test -x '$root/usr/bin/xvs'"

# ---- the catalogue of what is in the journal ----
catalog=$root/usr/lib/systemd/catalog/xvs.catalog
sed -n 's/^    X([A-Z_]*, .*"\([0-9a-f]\{32\}\)".*/\1/p' backend/base/event.h | sort >"$dir/ids"
sed -n 's/^-- //p' "$catalog" | sort >"$dir/entries"
check "the catalogue has an entry for each event of the log, and no other" sh -c "test -s '$dir/ids' && diff '$dir/ids' '$dir/entries'"
check "each entry has a subject and says what to read" sh -c "! awk 'BEGIN { RS = \"-- \"; FS = \"\\n\" }
    NR > 1 && !(\$2 ~ /^Subject: ./ && \$3 == \"Defined-By: xvs\" && \$4 ~ /^Documentation: man:/ && \$5 == \"\" && \$6 != \"\") { print \$1; bad = 1 }
    END { exit !bad }' '$catalog'"
if command -v journalctl >/dev/null 2>&1; then
    mkdir -p "$root/var/lib/systemd/catalog"
    check "journalctl takes the catalogue" sh -c "journalctl --update-catalog --root='$root' &&
        [ \"\$(journalctl --root='$root' --list-catalog | grep -c ' xvs: ')\" = \"\$(wc -l <'$dir/ids')\" ]"
    rm -rf "$root/var"
else
    skip "journalctl takes the catalogue" "there is no journalctl"
fi

# Nothing of the build or of the templates may be left in what people read.
leftovers=$(grep -rIlE "@[A-Z]+@|$(pwd)|$dir" "$root" 2>/dev/null)
if [ -z "$leftovers" ]; then ok "no path of the build is in a text"; else
    fail "no path of the build is in a text" "$leftovers"; fi

# ---- a program of somebody else ----
flags() {
    PKG_CONFIG_PATH=$root/usr/lib/pkgconfig pkg-config --define-variable=prefix="$root/usr" "$@" xvs
}
example=$(grep -l xvs_listen frontend/examples/*.c | head -n 1)
# shellcheck disable=SC2046 # flags are words
check "an example builds with pkg-config alone" \
    $cc -Wall -Wextra -Werror -o "$dir/example" "$example" $(flags --cflags --libs)
check "it finds the installed library" sh -c "LD_LIBRARY_PATH='$root/usr/lib' ldd '$dir/example' | grep -q '$root/usr/lib/libxvs.so.0'"
# Against the archive: the shared library is hidden, as on a machine that has only that.
# shellcheck disable=SC2046
check "an example builds statically against libxvs.a" \
    $cc -o "$dir/static" "$example" $(flags --cflags) "$root/usr/lib/libxvs.a" $(flags --static --libs | sed 's/-lxvs//')
check "it needs no libxvs.so" sh -c "! ldd '$dir/static' | grep -q libxvs"
echo '#include <xvs.h>' >"$dir/header.cc"
if command -v g++ >/dev/null 2>&1; then
    # shellcheck disable=SC2046
    check "xvs.h compiles as C++" g++ -std=c++11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only $(flags --cflags) "$dir/header.cc"
else
    skip "xvs.h compiles as C++" "there is no g++"
fi
equal=$(flags --modversion)
check "the version of xvs.pc is the library's" grep -q "^VERSION *:= *$equal\$" Makefile
others=$(nm -D --defined-only "$root/usr/lib/libxvs.so.0" | awk '{ print $3 }' | grep -v -e '^xvs_' -e '^LIBXVS' -e '^XVS_')
if [ -z "$others" ]; then ok "the library exports xvs_ names alone"; else
    fail "the library exports xvs_ names alone" "$(echo "$others" | tr '\n' ' ')"; fi
# What the header declares, the library has.
for call in $(sed -n 's/^[a-z].*[ *]\(xvs_[a-z_]*\)(.*/\1/p' frontend/include/xvs.h | sort -u); do
    nm -D --defined-only "$root/usr/lib/libxvs.so.0" | grep -q " T $call\(@\|$\)" || echo "$call"
done >"$dir/missing"
if [ -s "$dir/missing" ]; then fail "every call of xvs.h is exported" "$(tr '\n' ' ' <"$dir/missing")"; else
    ok "every call of xvs.h is exported"; fi

# ---- the manual ----
if command -v man >/dev/null 2>&1; then
    for page in "$root"/usr/share/man/man*/*; do
        out=$(MANWIDTH=80 LC_ALL=C.UTF-8 MANROFFSEQ='' man --warnings -l -Tutf8 "$page" 2>&1 >"$dir/page")
        # mandoc finds what groff lets pass, a page without a date for one.
        if [ -z "$out" ] && command -v mandoc >/dev/null 2>&1; then out=$(mandoc -Tlint -W warning "$page" 2>&1); fi
        if [ -n "$out" ]; then fail "man ${page##*/}" "$(echo "$out" | head -n 3 | tr '\n' '|')"
        elif [ "$(wc -l <"$dir/page")" -lt 10 ]; then fail "man ${page##*/}" "it is nearly empty"
        else ok "man ${page##*/}"; fi
    done
    # A page that is referred to exists.
    grep -ohE '^\.BR (xvsd?[a-z_.]*) \([1-8]\)' "$root"/usr/share/man/man*/* | sort -u |
        sed -E 's/^\.BR ([^ ]*) \(([1-8])\)/\1.\2/' | while read -r page; do
        [ -e "$root/usr/share/man/man${page##*.}/$page" ] || echo "$page"
    done >"$dir/missing"
    if [ -s "$dir/missing" ]; then fail "pages referred to exist" "$(tr '\n' ' ' <"$dir/missing")"; else
        ok "pages referred to exist"; fi
else
    skip "the manual pages are without warnings" "there is no man"
fi

# ---- the units ----
if command -v systemd-analyze >/dev/null 2>&1; then
    for unit in "$root"/usr/lib/systemd/system/*; do
        # Programs are looked for below the folder; what is unknown about other units is not our business.
        out=$(systemd-analyze verify --root="$root" --man=no "$unit" 2>&1 | grep -E "^(/.*)?${unit##*/}" | grep -v -e 'not found' -e 'is not executable')
        if [ -z "$out" ]; then ok "systemd reads ${unit##*/}"; else
            fail "systemd reads ${unit##*/}" "$(echo "$out" | head -n 3 | tr '\n' '|')"; fi
        # The guest's agent is there to do what root in dom0 says.
        [ "${unit##*/}" != xvs-agent.service ] || continue
        # 20 of 100: what a service of ours may do to the rest of the machine.
        case $unit in *.service) ;; *) continue ;; esac
        check "${unit##*/} is closed to what it does not need" systemd-analyze security --offline=true --threshold=20 "$unit"
    done
else
    skip "systemd reads the units, and finds them closed" "there is no systemd-analyze"
fi

# ---- a guest's devices ----
rules=$root/usr/lib/udev/rules.d/60-xvs-guest.rules
if udevadm verify --help >/dev/null 2>&1; then
    check "udev takes the rules" udevadm verify "$rules"
else
    skip "udev takes the rules" "there is no udevadm that verifies (systemd 254)"
fi
# By hand, for an older one ignores what it cannot read: words of a key, an operator and a value, and a label where GOTO goes.
check "each rule is made of keys that udev has" sh -c "! grep -v -e '^#' -e '^\$' '$rules' |
    grep -vxE '((SUBSYSTEM|KERNEL|CONST\{virt\})[=!]=\"[^\"]+\"|(GOTO|LABEL|GROUP|MODE)=\"[^\"]+\")(, ((SUBSYSTEM|KERNEL)[=!]=\"[^\"]+\"|(GOTO|GROUP|MODE)=\"[^\"]+\"))*'"
check "a rule goes to a label that is there" sh -c "sed -n 's/.*GOTO=\"\([^\"]*\)\".*/\1/p' '$rules' | while read -r label; do grep -q \"^LABEL=\\\"\$label\\\"\" '$rules' || exit 1; done"
check "the rules are for guests, and dom0 keeps its devices" sh -c "grep -v '^#' '$rules' | head -n 1 | grep -q '^CONST{virt}!=\"xen\", GOTO='"
if command -v systemd-sysusers >/dev/null 2>&1; then
    mkdir -p "$dir/sys/etc"
    check "systemd makes the users" systemd-sysusers --root="$dir/sys" "$root/usr/lib/sysusers.d/xvs.conf" "$root/usr/lib/sysusers.d/xvs-guest.conf"
    check "the daemon's worker is a user" grep -q '^xvs:' "$dir/sys/etc/passwd"
    check "the group of the rules is made, and nobody is in it" grep -q "^$(sed -n 's/.*GROUP="\([^"]*\)".*/\1/p' "$rules"):[^:]*:[0-9]*:\$" "$dir/sys/etc/group"
else
    skip "systemd makes the users" "there is no systemd-sysusers"
fi

# ---- the packages ----
# What of our packages apt installs with one of them: those that it depends on or recommends, and so on.
brings() { # PACKAGE
    dpkg-deb -f "$(echo build/deb/"$1"_[0-9]*.deb)" Depends Recommends | tr ',:|' '\n\n\n' | sed 's/(.*//; s/ //g' |
        while read -r one; do [ -e "$(echo build/deb/"$one"_[0-9]*.deb)" ] && echo "$one" && brings "$one"; done
}
brings_exactly() { # PACKAGE WORDS
    said=$(brings "$1" | sort -u | tr '\n' ' ')
    if [ "$said" = "$2 " ]; then ok "$1 brings $2"; else fail "$1 brings $2" "it brings $said"; fi
}
# One folder is one apt install: nothing of ours that its packages need is missing in it.
is_whole() { # FOLDER PACKAGE
    for one in $2 $(brings "$2"); do ls "build/deb/$1/${one}"_[0-9]*.deb || return 1; done
}
# reportbug runs them with the report as descriptor 3.
for script in debian/*.bug-script; do
    check "${script#debian/} writes what there is, and ends well where nothing is" sh -c "PATH=/usr/bin:/bin $script 3>'$dir/report' && grep -q '^-- Xen:' '$dir/report'"
done
if command -v dh >/dev/null 2>&1 && command -v dh_dkms >/dev/null 2>&1; then
    check "make deb" env MAKEFLAGS='' $make --no-print-directory deb
    brings_exactly xvs-host "libxvs0 xvs xvsd"
    brings_exactly xvs-guest "libxvs0 xvs xvs-agent"
    check "host/ has what dom0 needs" is_whole host xvs-host
    check "guest/ has what a guest needs" is_whole guest xvs-guest
    check "what README says to install is there" sh -c "grep -oE '^ *(dom0|guest)# *apt install [^ ]+' README | sed 's/.* //' | sort -u |
        while read -r what; do ls build/deb/\$what || exit 1; done"
    check "nothing of a guest is loaded in dom0" sh -c "for deb in build/deb/host/*.deb; do dpkg-deb -c \$deb; done | grep -c -e xvs-guest -e udev | grep -qx 0"
    if command -v lintian >/dev/null 2>&1; then
        # It says nothing where there is nothing to say; as root it says that it is run so.
        check "lintian finds nothing" sh -c "out=\$(lintian --allow-root -i -E --pedantic build/deb/*.changes 2>&1); status=\$?; echo \"\$out\"; [ -z \"\$out\" ] && [ \$status = 0 ]"
    else
        skip "lintian finds nothing" "there is no lintian"
    fi
else
    skip "the packages are whole, and lintian finds nothing" "there is no debhelper with dh-dkms"
fi

# ---- once more, and away ----
check "installing twice is harmless" env MAKEFLAGS='' $make --no-print-directory install DESTDIR="$root" PREFIX=/usr
rm "$root/etc/xvs/policy.d/90-default.policy"
check "installing once more is harmless" env MAKEFLAGS='' $make --no-print-directory install DESTDIR="$root" PREFIX=/usr
check "what the administrator removed from the policy stays away" sh -c "[ -d '$root/etc/xvs/policy.d' ] && [ ! -e '$root/etc/xvs/policy.d/90-default.policy' ]"
check "make uninstall" env MAKEFLAGS='' $make --no-print-directory uninstall DESTDIR="$root" PREFIX=/usr
left=$(find "$root" ! -type d ! -path "$root/etc/*")
if [ -z "$left" ]; then ok "uninstalling leaves only the configuration"; else
    fail "uninstalling leaves only the configuration" "$(echo "$left" | tr '\n' ' ')"; fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
