#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The program itself: what it says, where, and what it returns. Each case is one line of the table:
# exit status | arguments | the first line of standard output or, if that is empty, of standard error
# usage: program.sh PROGRAM WORKDIR
set -u
program=$1 work=$2
mkdir -p "$work" && cd "$work" || exit 1
printf 'listen: 1, target: "h:2"\n' >server.conf
printf '{"listen": 1,\n "remoe": 2}\n' >typo.json
printf '{"listen": 1,\n' >broken.json
printf 'listen: 1, remote: "h:2", crypt: aes\n' >wire.json
printf 'agent.mixed.listen 1\nproxy.server.auth a:b\nproxy.server.list.start\nwebsocks://h:1\n' >agent.conf
printf 'proxy.server.list.end\n' >>agent.conf
printf 'listen = 1, auth = "a:kX9-fQ2vLz7w", certpem = none.pem, keypem = none.key\n' >gateway.conf
status=0 count=0

# 192.0.2.1 belongs to nobody (RFC 5737), so it cannot be listened on.
while IFS='|' read -r code args want; do
    [ -n "$code" ] || continue
    count=$((count + 1))
    # shellcheck disable=SC2086
    timeout 20 "$program" $args >out 2>err </dev/null
    got=$?
    line=$(head -n 1 out)
    [ -s out ] || line=$(head -n 1 err)
    [ "$code" != 69 ] || want=$line # a line of the log, with its time
    if [ "$got" != "$code" ] || [ "$line" != "$want" ]; then
        echo "foggara $args: $got, $line"
        echo "      wanted: $code, $want"
        status=1
    fi
    if awk 'length > 80 { exit 1 } END { exit NR > 24 }' out; then :; else
        echo "foggara $args: does not fit 80 columns and 24 lines"
        status=1
    fi
done <<'TABLE'
64||foggara 0.1.0 - TCP connections through one tunnel over a bad link
0|-h|foggara 0.1.0 - TCP connections through one tunnel over a bad link
0|--help|foggara 0.1.0 - TCP connections through one tunnel over a bad link
0|help|foggara 0.1.0 - TCP connections through one tunnel over a bad link
0|-v|foggara 0.1.0
0|--version|foggara 0.1.0
0|version|foggara 0.1.0
0|client -h|usage: foggara client -l [ADDR]:PORT -r HOST:PORT [OPTION...]
0|server --help|usage: foggara server -l [ADDR]:PORT -t HOST:PORT [OPTION...]
0|help client|usage: foggara client -l [ADDR]:PORT -r HOST:PORT [OPTION...]
0|help server|usage: foggara server -l [ADDR]:PORT -t HOST:PORT [OPTION...]
0|help demo|usage: foggara demo [OPTION...]
0|help check|usage: foggara check [client|server|agent|gateway] -c FILE
0|help mode|usage: foggara [kcptun] mode client bind PORT target HOST:PORT [fast 1..4]
0|kcptun help|usage: foggara [kcptun] mode client bind PORT target HOST:PORT [fast 1..4]
0|client -v|foggara 0.1.0
64|help nonsense|foggara: nonsense: no such command; foggara help lists them
64|clinet|foggara: clinet: no such command; did you mean client?
64|agnt|foggara: agnt: no such command; did you mean agent?
64|xyzzy|foggara: xyzzy: no such command; foggara help lists them
64|-l 1 -r h:2|foggara: -l: a command comes first: client, server, agent or gateway
64|client|foggara: the client wants -l [ADDR]:PORT, where to listen
64|server -l 1|foggara: the server wants -t HOST:PORT, where each stream is connected to
64|client --sndwind 3|foggara: --sndwind: no such option; did you mean --sndwnd?
64|client -l 0 -r h:1|foggara: -l: "0" is not a port; that is 1..65535
64|client -l 1 -r h:70000|foggara: -r: "h:70000" has no valid port; that is 1..65535
64|client -l 1 -r h:1 --up 0|foggara: --up: "0" is out of range: 64k..34G bits per second, or auto
64|client -l 1 -r h:1 --up|foggara: --up: a value is missing behind it
64|client -l 1 -r h:1 --up 50Mbit|foggara: --up: "50Mbit" is no rate in bits per second; did you mean 50M?
64|client -l 1 -r h:1 --donw 5|foggara: --donw: no such option; did you mean --down?
64|client -l 1 -r h:1 --ratelimit 5|foggara: --ratelimit: no such option; did you mean --up?
64|client -l 1 -r h:1 --up 5 --fast 3|foggara: fast and up exclude each other: vproxy's fast1..fast4 have no rate
64|server -l 1 -r h:1|foggara: -r is not for the server
64|mode client bind 1 target h:1 slow 3|foggara: slow: no such word; there are mode, bind, target, fast and help
64|mode client bind 1 target h:1 fast 5|foggara: fast: "5" is not a whole number within 1..4
64|check|foggara: check wants -c FILE
0|help status|usage: foggara status [PATH]
64|status one two|foggara: two: one path is wanted
64|status --all|foggara: --all: one path is wanted
69|status missing.socket|
64|check agent -c server.conf --print-config|foggara: --print-config: there is none for agents and gateways
66|client -c missing.json|foggara: cannot read missing.json: No such file or directory
66|check -c missing.json|foggara: cannot read missing.json: No such file or directory
0|check -c agent.conf|ok: agent.conf is right for an agent
78|check -c gateway.conf|foggara: gateway.conf: none.pem: No such file or directory
78|gateway -c gateway.conf --log 0|foggara: none.pem: No such file or directory
78|client -c typo.json|foggara: typo.json:2:2: unknown key "remoe"; did you mean "remote"?
78|client -c broken.json|foggara: broken.json:1:1: this { is not closed
78|client -c wire.json|foggara: wire.json:1:27: "crypt": kcptun's wire is not spoken here; remove what asks for it (both ends must be foggara or vproxy)
78|client -c -|foggara: (standard input): "listen" is missing; set it here or with -l [ADDR]:PORT
0|check -c server.conf|ok: server.conf is right for a server
0|server -c server.conf --print-config|# foggara server
78|check client -c server.conf|foggara: server.conf:1:12: "target" is for the server; did you mean "remote"?
69|client -l 192.0.2.1:1 -r 127.0.0.1:2 --log 0|
69|server -l 192.0.2.1:1 -t 127.0.0.1:2 --log 0|
69|server -l 192.0.2.1:1 -t 127.0.0.1:2 --via tcp --log 0|
TABLE

echo "program: $count command lines"
[ $count -gt 0 ] || status=1
exit $status
