# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# Messages of all lengths between two nodes over a link that loses, doubles, reorders and corrupts
# frames. Prints what each cell came to; tests/netem reads and judges it.
#
#   netem.sh CELL...
#
# A cell is NAME|MTU|CRC|NETEM|SECONDS|SERVER'S OPTIONS|CLIENT'S OPTIONS: what tc is told of both ends
# (nothing: no qdisc), the time after which the client is stopped, and the options of qnet-bulk.

. /qnet/lib.sh

# link MTU CRC NETEM: alpha and beta, joined by a link with these faults both ways.
link() {
	veth_pair alpha beta
	for _node in alpha beta; do
		ip -n $_node link set veth0 mtu "$1" || return 1
		# shellcheck disable=SC2086 # A list of words.
		[ -z "$3" ] || tc -n $_node qdisc add dev veth0 root netem $3 || return 1
		qnet -n $_node set "host=$_node" "do_crc=$2" "enforce_crc=$2" || return 1
		qnet -n $_node bind veth0 || return 1
	done
}

# run CELL: one cell. Everything it prints lies between "cell NAME" and "end NAME".
run() {
	IFS='|' read -r _name _mtu _crc _netem _seconds _serve _send <<-END
		$1
	END
	mark "cell $_name"
	echo "cell $_name"
	link "$_mtu" "$_crc" "$_netem" || return 1
	rm -f /tmp/server /tmp/count
	# shellcheck disable=SC2086 # Lists of words.
	in_ns beta qnet-bulk server $_serve --count-file /tmp/count >/tmp/server &
	_server=$!
	wait_for 30 grep -q '^pid=' /tmp/server || return 1
	_target=$(sed -n 's/^pid=\(.*\) chid=\(.*\)/--node beta --pid \1 --chid \2/p' /tmp/server)
	_before=$(cut -d ' ' -f 1 /proc/uptime)
	# shellcheck disable=SC2086 # Lists of words.
	in_ns alpha timeout "$_seconds" qnet-bulk client $_target $_send --json >/tmp/client
	echo "status $?"
	sed 's/^/client /' /tmp/client
	# A server that cannot be told to stop any more is ended, and has no count.
	# shellcheck disable=SC2086 # A list of words.
	in_ns alpha timeout 60 qnet-bulk stop $_target || kill -9 $_server
	wait $_server
	sed 's/^/server /' /tmp/count
	for _node in alpha beta; do
		echo "stats $_node"
		qnet -n $_node stats
		tc -n $_node -s qdisc show dev veth0
	done
	ip netns del alpha
	ip netns del beta
	wait_for 30 sh -c '! ip netns list | grep -q .'
	echo "end $_name $_before $(cut -d ' ' -f 1 /proc/uptime)"
}

load || exit
for cell in "$@"; do run "$cell" || exit; done
wait_for 10 grep -qx 0 /sys/module/qnet/refcnt && rmmod qnet && echo "module gone"
