# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# Messages of all lengths between two nodes over a link that loses, doubles, reorders and corrupts
# frames. Prints what each cell came to; tests/netem reads and judges it.
#
#   netem.sh AT-ONCE CELL...
#
# A cell is NAME|MTU|CRC|NETEM|SECONDS|SERVER'S OPTIONS|CLIENT'S OPTIONS: what tc is told of both ends
# (nothing: no qdisc), the time after which the client is stopped, and the options of qnet-bulk.
# Several cells are run at once, each with two nodes of its own: some wait most of the time.

. /qnet/lib.sh

# link A B MTU CRC NETEM: two nodes, joined by a link with these faults both ways.
link() {
	veth_pair "$1" "$2"
	for _node in "$1" "$2"; do
		ip -n "$_node" link set veth0 mtu "$3" || return 1
		# shellcheck disable=SC2086 # A list of words.
		[ -z "$5" ] || tc -n "$_node" qdisc add dev veth0 root netem $5 || return 1
		qnet -n "$_node" set "host=$_node" "do_crc=$4" "enforce_crc=$4" || return 1
		qnet -n "$_node" bind veth0 || return 1
	done
}

# cell CELL NUMBER: runs a cell with nodes of that number; prints all that belongs to it between "cell NAME" and "end NAME".
cell() {
	IFS='|' read -r _name _mtu _crc _netem _seconds _serve _send <<-END
		$1
	END
	_client=alpha$2 _server=beta$2
	mark "cell $_name"
	echo "cell $_name"
	link "$_client" "$_server" "$_mtu" "$_crc" "$_netem" || return 1
	# What the cell before has left must not pass for this server's words.
	rm -f "/tmp/server.$2" "/tmp/count.$2"
	# shellcheck disable=SC2086 # Lists of words.
	in_ns "$_server" qnet-bulk server $_serve --count-file "/tmp/count.$2" >"/tmp/server.$2" &
	_process=$!
	wait_for 30 grep -q '^pid=' "/tmp/server.$2" || return 1
	_target="--node $_server $(sed -n 's/^pid=\(.*\) chid=\(.*\)/--pid \1 --chid \2/p' "/tmp/server.$2")"
	# shellcheck disable=SC2086 # Lists of words.
	in_ns "$_client" timeout "$_seconds" qnet-bulk client $_target $_send --json >"/tmp/client.$2"
	echo "status $?"
	sed 's/^/client /' "/tmp/client.$2"
	# Before the server ends: afterwards its last words and the client's may cross.
	for _node in "$_client" "$_server"; do
		echo "stats $_node"
		qnet -n "$_node" stats
		tc -n "$_node" -s qdisc show dev veth0
	done
	# A server that cannot be told to stop any more is ended, and has no count.
	# shellcheck disable=SC2086 # A list of words.
	in_ns "$_client" timeout 60 qnet-bulk stop $_target || kill -9 $_process
	wait $_process
	sed 's/^/server /' "/tmp/count.$2"
	ip netns del "$_client"
	ip netns del "$_server"
	wait_for 60 sh -c "! ip netns list | grep -qwE '$_client|$_server'"
	echo "end $_name"
}

# worker NUMBER CELL...: runs the cells that no other worker has begun. The output of each comes in one
# piece.
worker() {
	_number=$1
	shift
	for _cell in "$@"; do
		mkdir "/tmp/taken.${_cell%%|*}" 2>/dev/null || continue
		cell "$_cell" "$_number" >"/tmp/said.$_number" 2>&1
		until mkdir /tmp/printing 2>/dev/null; do usleep 10000; done
		cat "/tmp/said.$_number"
		rmdir /tmp/printing
	done
}

at_once=$1
shift
load || exit
workers=
while [ "$at_once" -gt 0 ]; do
	worker "$at_once" "$@" &
	workers="$workers $!"
	at_once=$((at_once - 1))
done
# shellcheck disable=SC2086 # A list of numbers.
wait $workers
wait_for 30 grep -qx 0 /sys/module/qnet/refcnt && rmmod qnet && echo "module gone"
