# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# Two nodes joined by several links, of which one is cut, removed or changed while messages are under
# way: none may be lost, none may come twice, none may overtake another, and the link is used again.
# Prints the longest time that a single send took, which is what a program sees of a cut.
#
#   links.sh                         everything
#   links.sh short                   what `make check` has time for
#   links.sh FUNCTION [ARGUMENT...]  one of the functions below

. /qnet/lib.sh

# A send may take so long when a link fails, in milliseconds. Carrier costs nothing but what was under
# way. Silence is noticed by messages that time out twice (tx_ticks, 200 ms, at most each), but a
# machine that is emulated, on a busy host, stands still for seconds.
PATIENCE=20000

# txd NODE INTERFACE: how many frames the node has given to the interface.
txd() {
	qnet -n "$1" stats | awk -v want="l4 $2" '/^l4 |^peer / { on = $0 == want } on && /^txd ok/ { print $4 }'
}

# counter NODE LABEL: the value of a counter.
counter() {
	qnet -n "$1" stats | sed -n "s/^$2 *: //p" | tail -n 1
}

# exceeds NODE INTERFACE COUNT: has the node given more frames than that to the interface?
exceeds() {
	_now=$(txd "$1" "$2")
	[ "${_now:-0}" -gt "$3" ]
}

# in_use INTERFACE...: alpha goes on giving each of them messages, not just questions whether it lives.
in_use() {
	for _interface in "$@"; do
		_begin=$(txd alpha "$_interface")
		wait_for 60 exceeds alpha "$_interface" $((${_begin:-0} + 300)) || {
			echo "alpha does not use $_interface"
			qnet -n alpha stats
			return 1
		}
	done
}

# idle INTERFACE: alpha gives it next to nothing while veth0 takes a thousand frames.
idle() {
	_there=$(txd alpha "$1")
	_begin=$(txd alpha veth0)
	wait_for 60 exceeds alpha veth0 $((_begin + 1000)) || return 1
	! exceeds alpha "$1" $((_there + 100)) || {
		echo "alpha uses $1"
		return 1
	}
}

# world LINKS: alpha and beta, joined by so many links, each bound.
world() {
	killall -q -9 qnet-bulk
	for _namespace in $(ip netns list | cut -d' ' -f1); do ip netns del "$_namespace"; done
	wait_for 30 sh -c '! ip netns list | grep -q .' || return 1
	rm -f /tmp/server /tmp/enough /tmp/count
	for _node in alpha beta; do
		ip netns add $_node || return 1
		ip -n $_node link set lo up
		qnet -n $_node set "host=$_node" auto_add=5 || return 1
	done
	_number=0
	while [ "$_number" -lt "$1" ]; do
		cable $_number && qnet -n alpha bind veth$_number && qnet -n beta bind veth$_number || return 1
		_number=$((_number + 1))
	done
}

# cable NUMBER: one more link.
cable() {
	ip link add "veth$1" netns alpha type veth peer name "veth$1" netns beta || return 1
	both link set "veth$1" up
}

# load_on NODE: messages to the node, which may be named with a policy, until `calm`.
load_on() {
	in_ns beta qnet-bulk server --threads 2 --count-file /tmp/count >/tmp/server &
	_server=$!
	wait_for 30 grep -q '^pid=' /tmp/server || return 1
	_target="--node $1 $(sed -n 's/^pid=\(.*\) chid=\(.*\)/--pid \1 --chid \2/p' /tmp/server)"
	# shellcheck disable=SC2086 # A list of words.
	in_ns alpha qnet-bulk client $_target --threads 4 --max-size 262144 --reply log --until /tmp/enough \
		--duration 400 --json --stop --seed 3 >/tmp/client &
	_client=$!
}

# calm: the load ends; every message has come once, and no send took unreasonably long.
calm() {
	touch /tmp/enough
	wait "$_client"
	_status=$?
	[ $_status -eq 0 ] || kill -9 "$_server"
	wait "$_server" || _status=1
	cat /tmp/client /tmp/count
	_gap=$(sed -n 's/.*"longest_ms":\([0-9]*\).*/\1/p' /tmp/client)
	_sent=$(sed -n 's/.*"messages":\([0-9]*\),"bytes_out.*/\1/p' /tmp/client)
	echo "$_sent messages, longest send $_gap ms" >/tmp/remark
	[ $_status -eq 0 ] && [ "${_gap:-$PATIENCE}" -lt $PATIENCE ] && return
	qnet -n alpha stats
	return 1
}

# both COMMAND...: `ip` does it in both namespaces.
both() {
	ip -n alpha "$@" && ip -n beta "$@"
}

# carrier_lost LINKS
carrier_lost() {
	world "$1" && load_on beta && in_use veth0 veth1 || return 1
	ip -n beta link set veth1 down
	idle veth1 || return 1
	ip -n beta link set veth1 up
	in_use veth0 veth1 && calm
}

# silent LINKS: the link takes frames and delivers none.
silent() {
	world "$1" && load_on beta && in_use veth0 veth1 || return 1
	tc -n alpha qdisc add dev veth1 root netem loss 100%
	tc -n beta qdisc add dev veth1 root netem loss 100%
	in_use veth0 && idle veth1 || return 1
	tc -n alpha qdisc del dev veth1 root
	tc -n beta qdisc del dev veth1 root
	in_use veth0 veth1 && calm
}

# removed LINKS: a new interface of the same name takes its place, and is bound by that.
removed() {
	world "$1" && load_on beta && in_use veth0 veth1 || return 1
	ip -n alpha link del veth1
	in_use veth0 && cable 1 && in_use veth0 veth1 && calm
}

# renamed: an interface is bound by its name, and bound again when it has the name back.
renamed() {
	world 2 && load_on beta && in_use veth0 veth1 || return 1
	ip -n alpha link set veth1 down && ip -n alpha link set veth1 name other1 && ip -n alpha link set other1 up
	in_use veth0 || return 1
	ip -n alpha link set other1 down && ip -n alpha link set other1 name veth1 && ip -n alpha link set veth1 up
	in_use veth0 veth1 && calm
}

address_changed() {
	world 2 && load_on beta && in_use veth0 veth1 || return 1
	ip -n beta link set veth1 address 02:00:00:00:00:77
	in_use veth0 veth1 || return 1
	ip -n alpha link set veth0 address 02:00:00:00:00:78
	in_use veth0 veth1 && calm
}

moved() {
	world 2 && load_on beta && in_use veth0 veth1 || return 1
	ip netns add gamma
	ip -n alpha link set veth1 netns gamma
	in_use veth0 || return 1
	ip -n gamma link set veth1 netns alpha && ip -n alpha link set veth1 up
	in_use veth0 veth1 && calm
}

down_and_up() {
	world 2 && load_on beta && in_use veth0 veth1 || return 1
	for _interface in veth1 veth0 veth1; do
		ip -n alpha link set $_interface down
		sleep 0.3
		ip -n alpha link set $_interface up
		in_use veth0 veth1 || return 1
	done
	calm
}

# Every link at once: a pause, not an error, as long as it is shorter than tx_retries allows.
all_silent() {
	world 2 && load_on beta && in_use veth0 veth1 || return 1
	for _interface in veth0 veth1; do tc -n alpha qdisc add dev $_interface root netem loss 100%; done
	sleep 1
	for _interface in veth0 veth1; do tc -n alpha qdisc del dev $_interface root; done
	in_use veth0 veth1 && calm
}

mtu_changes() {
	world 2 && both link set veth0 mtu 9000 && both link set veth1 mtu 9000 && load_on beta || return 1
	for _mtu in 1500 9000 576 9000; do
		in_use veth0 veth1 || return 1
		both link set veth1 mtu $_mtu && both link set veth0 mtu $_mtu || return 1
	done
	in_use veth0 veth1 && calm
}

# Each frame goes by both links, so a cut costs nothing: nothing has to be sent again by a timeout.
redundant() {
	world 2 && load_on beta~redundant && in_use veth0 veth1 || return 1
	ip -n beta link set veth1 down
	in_use veth0 || return 1
	ip -n beta link set veth1 up
	in_use veth0 veth1 && calm || return 1
	_twice=$(counter beta 'drop duplicate')
	echo "$_twice doubles"
	[ "$_twice" -gt 300 ]
}

# The one link only, even if it fails: it stays, and when the link is gone for good the send fails.
exclusive() {
	world 2 && load_on beta~exclusive:veth1 && in_use veth1 || return 1
	_before=$(txd alpha veth0)
	in_use veth1 || return 1
	! exceeds alpha veth0 $((_before + 100)) || {
		echo "veth0 is used"
		qnet -n alpha stats
		qnet -n beta stats
		return 1
	}
	ip -n beta link set veth1 down
	sleep 0.5
	ip -n beta link set veth1 up
	in_use veth1 && calm || return 1
	qnet -n alpha set tx_retries=3
	ip -n alpha link del veth1
	# shellcheck disable=SC2086 # A list of words.
	! in_ns alpha timeout 60 qnet-bulk client $_target --messages 1 --timeout-ms 20000
}

# The named link while it lives, the other one while it does not.
preferred() {
	world 2 && load_on beta~preferred:veth1 && in_use veth1 || return 1
	ip -n beta link set veth1 down
	in_use veth0 || return 1
	ip -n beta link set veth1 up
	in_use veth1 || return 1
	_before=$(txd alpha veth0)
	in_use veth1 && in_use veth1 || return 1
	! exceeds alpha veth0 $((_before + 100)) || {
		echo "veth0 is still used"
		qnet -n alpha stats
		qnet -n beta stats
		return 1
	}
	calm
}

# try NAME COMMAND...: a result, with what `calm` remarked.
try() {
	rm -f /tmp/remark
	ktap "$@"
	[ ! -e /tmp/remark ] || echo "# $1: $(cat /tmp/remark)"
}

load || exit
if [ $# -gt 0 ] && [ "$1" != short ]; then
	ktap_plan 1
	try "$*" "$@"
elif [ $# -gt 0 ]; then
	ktap_plan 5
	try "two links, one loses its carrier" carrier_lost 2
	try "two links, one goes silent" silent 2
	try "four links, one is removed and made anew" removed 4
	try "the MTU changes under way" mtu_changes
	try "preferred: leaves the link and comes back" preferred
else
	ktap_plan 16
	for links in 2 4; do
		try "$links links, one loses its carrier" carrier_lost $links
		try "$links links, one goes silent" silent $links
		try "$links links, one is removed and made anew" removed $links
	done
	try "an interface is renamed and gets its name back" renamed
	try "addresses of interfaces change" address_changed
	try "an interface moves to another namespace and back" moved
	try "interfaces go down and up" down_and_up
	try "all links are silent for a second" all_silent
	try "the MTU changes under way" mtu_changes
	try "redundant: a cut costs nothing" redundant
	try "exclusive: stays, and fails with its link" exclusive
	try "preferred: leaves the link and comes back" preferred
	ktap "everything goes" world 0
fi
ktap_end
