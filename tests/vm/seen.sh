# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# What one can see of a node: events, channels, round trips, tracepoints, and local messages in a capture.

. /qnet/lib.sh

TRACING=/sys/kernel/tracing

# said FILE PATTERN...: the patterns are found in the file, each in its line.
said() {
	_file=$1
	shift
	for _pattern in "$@"; do
		grep -q -- "$_pattern" "$_file" || {
			echo "no line like '$_pattern' in:"
			cat "$_file"
			return 1
		}
	done
}

# soon FILE PATTERN...: the same, within a while.
soon() {
	wait_for 20 said "$@" || said "$@"
}

# serve NAMESPACE: starts a server there, and sets what a client has to be told of it.
serve() {
	in_ns "$1" qnet-bulk server --threads 2 >/tmp/server &
	server=$!
	wait_for 30 grep -q '^pid=' /tmp/server || return
	target=$(sed -n 's/^pid=\(.*\) chid=\(.*\)/--pid \1 --chid \2/p' /tmp/server)
}

# talk NAMESPACE ARGUMENT...: sends messages from there to the server.
talk() {
	_from=$1
	shift
	# shellcheck disable=SC2086 # A list of words.
	in_ns "$_from" qnet-bulk client "$@" $target --messages 40 --min-size 0 --max-size 20000 --threads 2 --reply log --judged --seed 5 --json
}

# stop NAMESPACE ARGUMENT...: ends the server.
stop() {
	_from=$1
	shift
	# shellcheck disable=SC2086 # A list of words.
	in_ns "$_from" qnet-bulk stop "$@" $target || kill -9 "$server"
	wait "$server"
}

# monitor FILE ARGUMENT...: begins to listen.
monitor() {
	_file=$1
	shift
	qnet "$@" monitor >"$_file" &
	listener=$!
	wait_for 20 said "$_file" '^EVENT'
}

links_are_told() {
	for _node in alpha beta; do
		qnet -n $_node bind veth0 || return
	done
	soon /tmp/alpha '^link-bound  *veth0$' '^link-up  *veth0$'
}

answers() {
	qnet -n alpha ping beta -c 3 -i 0.1 >/tmp/ping || return
	said /tmp/ping '^beta: 3: .* ms$' '3 sent, 3 answered; least .* ms'
	qnet -n alpha --json ping beta -c 2 -i 0 >/tmp/ping && said /tmp/ping '"answered": 2' '"round_trips_us"'
}

by_qos() {
	qnet -n alpha ping beta~exclusive:veth0 -c 1 >/tmp/ping && said /tmp/ping '1 sent, 1 answered'
	soon /tmp/alpha '^node-up .*(nd 0x1000[0-9])'
}

no_answer() {
	! qnet -n alpha ping nowhere -c 1 2>/tmp/ping && said /tmp/ping 'qnet nodes'
	! qnet -n alpha ping alpha -c 1 2>/tmp/ping && said /tmp/ping 'this node itself'
}

nodes_are_told() {
	soon /tmp/alpha '^session-opened .*beta' '^node-up .*beta (nd 0x[0-9]*)$'
	soon /tmp/beta '^session-opened .*alpha' '^node-up .*alpha'
}

receivers_are_listed() {
	wait_for 20 sh -c 'qnet -n beta channels | grep -c "^RECEIVE" | grep -qx 2'
	qnet -n beta channels >/tmp/channels
	said /tmp/channels '^PID ' ' qnet-bulk .* 2$' '^RECEIVE  .*qnet-bulk'
	qnet -n beta --json channels >/tmp/channels && said /tmp/channels '"waiting": 2' '"state": "RECEIVE"'
}

# Who is in another pid namespace is not told numbers of this one.
numbers_of_others() {
	qnet -n beta channels >/tmp/channels
	_pid=$(sed -n 's/^pid=\([0-9]*\) .*/\1/p' /tmp/server)
	unshare --fork --pid qnet -n beta channels >/tmp/apart || return
	said /tmp/apart '^-  ' && said /tmp/channels "^$_pid " && ! grep -w "$_pid" /tmp/apart
}

other_nodes_see_nothing() {
	qnet -n alpha channels >/tmp/channels && ! grep qnet-bulk /tmp/channels
}

# Frames are lost and doubled on their way to beta, so that there is something to send again and to drop.
events_are_traced() {
	for _event in send receive reply transmit retransmit drop pulse; do
		test -e $TRACING/events/qnet/qnet_$_event/enable || {
			echo "there is no tracepoint qnet_$_event"
			return 1
		}
	done
	tc -n alpha qdisc add dev veth0 root netem limit 10000 loss 20% duplicate 30% seed 5
	echo 1 >$TRACING/events/qnet/enable
	talk alpha --node beta >/tmp/talk
	_status=$?
	echo 0 >$TRACING/events/qnet/enable
	tc -n alpha qdisc del dev veth0 root
	cp $TRACING/trace /tmp/trace
	[ $_status -eq 0 ] || cat /tmp/talk
	said /tmp/trace 'qnet_send: nd=0x[0-9a-f]* pid=[0-9]* chid=1 coid=' 'qnet_receive: chid=1 rcvid=' \
		'qnet_reply: rcvid=.* error=0 status=' 'qnet_transmit: .* kind=message seq=' 'qnet_transmit: .* kind=ack' \
		'qnet_retransmit: .* kind=message' 'qnet_drop: reason=drop duplicate'
}

# run_here OPTION: messages within alpha while its loopback device is captured.
run_here() {
	qnet -n alpha set "tap_local=$1" && qnet -n alpha stats drop >/tmp/drops || return
	serve alpha || return
	capture alpha lo "$2" || return
	talk alpha --local >/tmp/talk || cat /tmp/talk
	stop alpha --local
	capture_end
}

nothing_is_shown() {
	run_here 0 /tmp/nothing.pcapng && said /tmp/dumpcap.log 'Packets captured: 0$'
}

messages_are_shown() {
	run_here 1 /out/local.pcapng && said /tmp/dumpcap.log 'Packets captured: [1-9]' &&
		qnet -n alpha set tap_local=0
}

# What taps are shown was received by nobody.
nobody_received() {
	! ip -n alpha -s -s link show lo | grep -A1 'RX errors' | grep -q '[1-9]'
	qnet -n alpha stats drop | diff /tmp/drops -
}

unbound_is_told() {
	qnet -n alpha unbind veth0 || return
	soon /tmp/alpha '^link-unbound .*veth0' '^session-ended .*beta.*: closed by this node'
	soon /tmp/beta '^session-ended .*alpha.*: closed by the other node' '^node-down .*alpha'
}

goes_while_heard() {
	monitor /tmp/listening || return
	rmmod qnet
	_status=$?
	kill "$listener"
	wait "$listener"
	return $_status
}

load || exit
veth_pair alpha beta
mount -t tracefs tracefs $TRACING || exit
for node in alpha beta; do
	qnet -n $node set host=$node || exit
done
monitor /tmp/beta -n beta || exit
listeners=$listener
monitor /tmp/alpha -n alpha || exit
listeners="$listeners $listener"

ktap_plan 15
ktap "an interface that is bound is told" links_are_told
ktap "a node is pinged" answers
ktap "nodes and sessions are told" nodes_are_told
ktap "a node is pinged with a quality of service" by_qos
ktap "who does not answer is told in words" no_answer
serve beta || exit
ktap "channels and their receivers are listed" receivers_are_listed
ktap "numbers of processes are those of the reader's pid namespace" numbers_of_others
ktap "other nodes see no channels" other_nodes_see_nothing
ktap "messages, frames and drops can be traced" events_are_traced
stop alpha --node beta
ktap "taps see no local messages" nothing_is_shown
ktap "unless they are to be shown" messages_are_shown
ktap "and nobody receives those" nobody_received
ktap "an interface that is let go is told" unbound_is_told
# shellcheck disable=SC2086 # A list of numbers.
kill $listeners
# shellcheck disable=SC2086
wait $listeners
ktap "the namespaces go" sh -c 'ip netns del alpha && ip netns del beta'
ktap "the module goes while somebody listens" goes_while_heard
ktap_end
