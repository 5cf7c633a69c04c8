# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# Functions for the scripts that run in a guest: `. /qnet/lib.sh`.

# load [PARAMETER=VALUE...]: loads the module under test.
load() {
	insmod /qnet/qnet.ko "$@"
}

# mark WORDS: a line in the kernel's log, so that a splat can be told from its neighbours.
mark() {
	echo "qnet-test: $*" >/dev/kmsg
}

# veth_pair A B: two network namespaces joined by a link, veth0 in each, loopback and link up.
veth_pair() {
	ip netns add "$1"
	ip netns add "$2"
	ip link add veth0 netns "$1" type veth peer name veth0 netns "$2"
	for _namespace in "$1" "$2"; do
		ip -n "$_namespace" link set lo up
		ip -n "$_namespace" link set veth0 up
	done
}

# two_nodes A B: two nodes joined by a link, in namespaces of their names. Clients and servers may be
# root's: as somebody else these could send each other no pulses.
two_nodes() {
	veth_pair "$1" "$2"
	for _node in "$1" "$2"; do
		qnet -n "$_node" set "host=$_node" maproot=0 || return
		qnet -n "$_node" bind veth0 || return
	done
}

# in_ns NAME COMMAND...: runs a command in a network namespace.
in_ns() {
	_namespace=$1
	shift
	ip netns exec "$_namespace" "$@"
}

# wait_for SECONDS COMMAND...: tries a command each tenth of a second until it succeeds.
wait_for() {
	_left=$(($1 * 10))
	shift
	until "$@" >/dev/null 2>&1; do
		_left=$((_left - 1))
		[ "$_left" -gt 0 ] || return 1
		usleep 100000
	done
}

# meet NAME: waits until each guest of the run has come here. Fails if another one has ended.
meet() {
	echo "meet $1" >&3
	read -r _answer <&3
	[ "$_answer" = "met $1" ]
}
[ ! -e /dev/qnet-control ] || exec 3<>/dev/qnet-control

# capture NAMESPACE INTERFACE FILE: begins to record Qnet frames. Needs --add /usr/bin/dumpcap.
capture() {
	ip netns exec "$1" dumpcap -q -i "$2" -f 'ether proto 0x8204' -w "$3" 2>/tmp/dumpcap.log &
	_capture=$!
	wait_for 20 grep -q '^File:' /tmp/dumpcap.log
}

# capture_end: ends what `capture` began, with all that came until now in the file.
capture_end() {
	# The kernel hands frames to the capture in blocks, a tenth of a second after the last one.
	sleep 0.5
	kill -TERM "$_capture"
	wait "$_capture" || true
}

# ktap_plan N: the first lines of a document of N results.
ktap_plan() {
	_results=0
	_failures=0
	echo "KTAP version 1"
	echo "1..$1"
}

# ktap NAME COMMAND...: a result: passed when the command succeeds. What it prints is told when it fails.
ktap() {
	_name=$1
	shift
	_results=$((_results + 1))
	mark "$_name"
	if ("$@") >/tmp/ktap.log 2>&1; then
		echo "ok $_results $_name"
	else
		_failures=$((_failures + 1))
		sed 's/^/# /' /tmp/ktap.log
		echo "not ok $_results $_name"
	fi
}

# ktap_end: succeeds when no result was a failure.
ktap_end() {
	[ "$_failures" -eq 0 ]
}
