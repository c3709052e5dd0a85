#!/bin/bash
# SPDX-License-Identifier: MIT
#
# run.sh: a hosted Xen with two guests and traffic between them; what xvs shows of it is read by those for whom it is meant:
# promtool and Prometheus's own parser.  promtool is the one that is installed, or is unpacked below build/ (never installed).
# XVS_BIN is the build directory.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/hosted.bash monitor
err_lines=20

promtool=$(command -v promtool)
if [ -z "$promtool" ] && tests/xenlab/fetch.sh build/monitor tests/monitor/packages.list >"$dir/fetch" 2>&1; then
    promtool=$top/build/monitor/usr/bin/promtool
fi
no_promtool="no promtool: $(tail -n 1 "$dir/fetch" 2>/dev/null)"

# ---- a host with something to count ----
start_host
mkdir policy.d
printf '* @any @any allow\n* @any @host allow\n* @host @any allow\n99 @any @host deny\n' >policy.d/50.policy
printf '99 @any @host deny\n' >policy.d/10.policy
printf '[daemon]\nservices = yes\n' >xvsd.conf
on 0 xvsd --config "$dir/xvsd.conf" 2>xvsd.log &
test_ there_is_something_to_count
up() { [ "$(on 0 xvs ls --json | grep -o '"name":"[a-z]*1"' | wc -l)" = 2 ]; }
wait_for up
head -c 3000000 /dev/zero >zeros
on web1 xvs cat -r 60 host 9 <zeros >/dev/null 2>err || bad "xvs cat: $(cat err)"
on web1 xvs cat host 99 </dev/null >/dev/null 2>err && bad "what the policy forbids went"
on web1 xvs ping -c 3 host 7 >/dev/null 2>err || bad "xvs ping"
on db1 xvs cat -r 60 -l 500 >/dev/null 2>err &
on 0 xvs cat -r 60 db1 500 <zeros >/dev/null 2>err || bad "xvs cat db1"
wait $!
on 0 xvs metrics >openmetrics 2>err || bad "xvs metrics"
on 0 xvs metrics --textfile "$dir/xvs.prom" 2>err || bad "xvs metrics --textfile"
counted() { # FILE NAME LABELS LEAST
    awk -v name="$2" -v labels="$3" -v least="$4" \
        'index($1, name "{guest=\"") == 1 && index($1, labels) { n++; if ($2 < least) exit 1 } END { exit !n }' "$1" ||
        bad "$2 $3 is not $4 or more: $(grep "^$2" "$1")"
}
counted xvs.prom xvs_guest_bytes_total 'web1",domid="1",device="0",direction="from_guest"' 3000000
counted xvs.prom xvs_guest_bytes_total 'db1",domid="2",device="0",direction="to_guest"' 3000000
counted xvs.prom xvs_guest_refusals_total 'web1",domid="1",device="0",direction="from_guest",reason="policy"' 1
counted xvs.prom xvs_guest_connect_seconds_count 'web1",domid="1",device="0",direction="from_guest"' 2
counted xvs.prom xvs_guest_connect_seconds_count 'db1",domid="2",device="0",direction="to_guest"' 1
end

# ---- Prometheus ----
test_ promtool_accepts_the_metrics
if [ -z "$promtool" ]; then skip "$no_promtool"; else
    "$promtool" check metrics <xvs.prom >err 2>&1 || bad "promtool check metrics"
    [ -s err ] && bad "promtool has something to say"
    end
fi

test_ prometheus_own_parser_accepts_openmetrics
if ! /usr/bin/python3 -c 'import prometheus_client.openmetrics.parser' 2>/dev/null; then skip "no python3-prometheus-client"; else
    /usr/bin/python3 - openmetrics >err 2>&1 <<'PY' || bad "the parser"
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as families
found = {f.name: f for f in families(open(sys.argv[1]).read())}
assert found["xvs_guest_bytes"].type == "counter" and found["xvs_guest_bytes"].unit == "bytes", found["xvs_guest_bytes"]
assert found["xvs_guest_connect_seconds"].type == "histogram"
assert len(found) > 30, sorted(found)
PY
    end
fi

test_ promtool_accepts_the_alert_rules
if [ -z "$promtool" ]; then skip "$no_promtool"; else
    "$promtool" check rules "$top/dist/monitoring/xvs.rules.yml" >err 2>&1 || bad "promtool check rules"
    grep -q 'SUCCESS: [0-9]* rules found' err || bad "no rules"
    end
fi

test_ each_alert_fires_when_it_should_and_not_before
if [ -z "$promtool" ]; then skip "$no_promtool"; else
    sed "s|@RULES@|$top/dist/monitoring/xvs.rules.yml|" "$top/tests/monitor/alerts.yml" >alerts.yml
    "$promtool" test rules alerts.yml >err 2>&1 || bad "promtool test rules"
    for alert in $(sed -n 's/^ *- alert: //p' "$top/dist/monitoring/xvs.rules.yml"); do
        grep -q "alertname: $alert\$" alerts.yml || bad "$alert is not tested"
    done
    end
fi

# ---- Wireshark ----
test_ tshark_reads_a_capture_with_directions_reasons_and_data
if ! command -v tshark >/dev/null; then skip "no tshark"; else
    on 0 sh -c 'echo $$ >pcap.pid; exec xvs pcap -s all -p 7 -p 98 -w x.pcapng web1' 2>said & pcap=$!
    # Both are seen by a capture that is on: so there is one when a packet has come.
    pinged() { on web1 xvs ping -c 1 host 7 && [ "$(wc -c <x.pcapng)" -gt 1000 ]; }
    wait_for pinged
    on web1 xvs cat host 98 </dev/null >/dev/null 2>err && bad "somebody listens at port 98"
    refused() { tshark -r x.pcapng -Y 'vsock.op == 2' -T fields -e frame.comment 2>/dev/null | grep -q 'nobody listens'; }
    wait_for refused
    kill -TERM "$(cat pcap.pid)"
    wait $pcap || bad "xvs pcap: status $?: $(cat said)"
    tshark -r x.pcapng -T fields -E separator=: -e vsock.src_cid -e vsock.dst_cid -e vsock.src_port -e vsock.dst_port -e frame.len >fields 2>err
    grep -q '^1001:2:[0-9]*:7:76$' fields || bad "no call: $(head -n 3 fields)"
    grep -q '^2:1001:7:[0-9]*:' fields || bad "no answer: $(head -n 3 fields)"
    tshark -r x.pcapng -Y 'frame.p2p_dir == 1' >inbound 2>/dev/null; [ -s inbound ] || bad "no directions"
    capinfos x.pcapng >info 2>err || bad "capinfos"
    grep -q 'Linux vsock' info || bad "another link type: $(grep -i encapsulation info)"
    end
fi

# ---- names ----
# What rules, board and manual lean on is what is printed, and what is printed is in the manual.
names() { grep -ohE 'xvs_(up|build|daemon|guest)[a-z_]*' "$@" | sed -E 's/_(bucket|sum|count)$//' | sort -u; }
test_ every_metric_is_in_the_manual_and_no_other
grep -v '^#' openmetrics | sed 's/[{ ].*//' | names >printed
names "$top/tools/man/xvs-metrics.7" | grep -v -x 'xvs_guest' >documented
cmp -s printed documented || bad "$(diff printed documented | tr '\n' ' ')"
end
test_ rules_and_board_lean_on_nothing_else
names "$top/dist/monitoring/xvs.rules.yml" "$top/dist/monitoring/xvs-dashboard.json" >wanted
other=$(comm -23 wanted printed | tr '\n' ' ')
[ -z "$other" ] || bad "there is no $other"
python3 -c 'import json, sys
board = json.load(open(sys.argv[1]))
assert len({p["id"] for p in board["panels"]}) == len(board["panels"]) > 5 and all(t["expr"] for p in board["panels"] for t in p["targets"])' \
    "$top/dist/monitoring/xvs-dashboard.json" 2>err || bad "the board"
if [ -n "$promtool" ]; then
    # What the board asks, as rules: so promtool reads it.
    python3 - "$top/dist/monitoring/xvs-dashboard.json" >board.yml <<'PY'
import json, sys
print("groups:\n- name: board\n  rules:")
for p in json.load(open(sys.argv[1]))["panels"]:
    for t in p["targets"]:
        expr = t["expr"].replace("$__rate_interval", "1m")
        print("  - record: r:%d%s\n    expr: %s" % (p["id"], t["refId"], json.dumps(expr)))
PY
    "$promtool" check rules board.yml >err 2>&1 || bad "what the board asks"
fi
end

finish
