# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# Frames on their way through what Linux can put between two nodes: it clones, shares, moves and
# rewrites packets. Needs the modules bridge, macvlan, 8021q, bonding, sch_ingress, cls_matchall,
# act_mirred and dummy.

. /qnet/lib.sh

# nothing: no namespaces left.
nothing() {
	killall -q -9 qnet-bulk
	for _namespace in $(ip netns list | cut -d' ' -f1); do ip netns del "$_namespace"; done
	wait_for 30 sh -c '! ip netns list | grep -q .'
}

# nodes NAME...: namespaces with loopback up.
nodes() {
	nothing || return 1
	for _node in "$@"; do
		ip netns add "$_node" && ip -n "$_node" link set lo up || return 1
	done
}

# wire A X B Y: interface X of A and Y of B are the ends of a link, and up.
wire() {
	ip link add "$2" netns "$1" type veth peer name "$4" netns "$3" &&
		ip -n "$1" link set "$2" up && ip -n "$3" link set "$4" up
}

# node NAME INTERFACE: a Qnet node on that interface.
node() {
	qnet -n "$1" set "host=$1" do_crc=1 enforce_crc=1 && qnet -n "$1" bind "$2"
}

# talk A B: a hundred messages from A to B, and replies as long, each checked.
talk() {
	rm -f /tmp/server
	in_ns "$2" qnet-bulk server >/tmp/server &
	_server=$!
	wait_for 30 grep -q '^pid=' /tmp/server || return 1
	_target="--node $2 $(sed -n 's/^pid=\(.*\) chid=\(.*\)/--pid \1 --chid \2/p' /tmp/server)"
	# shellcheck disable=SC2086 # A list of words.
	in_ns "$1" timeout 120 qnet-bulk client $_target --messages 100 --max-size 262144 --threads 2 --reply same \
		--seed 4 --json --stop
	_status=$?
	[ $_status -eq 0 ] || kill -9 $_server
	wait $_server && [ $_status -eq 0 ] && good "$1" && good "$2"
}

# good NODE: nothing was dropped but what overtook or was sent again.
good() {
	! qnet -n "$1" stats | grep '^drop ' | grep -vE '(duplicate|ack|kif_handle|not_for_us) *:|: 0$'
}

through_bridge() {
	nodes alpha beta gamma switch || return 1
	ip -n switch link add bridge0 type bridge && ip -n switch link set bridge0 up || return 1
	for _end in alpha beta gamma; do
		wire $_end veth0 switch port-$_end && ip -n switch link set port-$_end master bridge0 &&
			node $_end veth0 || return 1
	done
	talk alpha beta && talk beta gamma && talk gamma alpha
}

# The bridge itself is a node's interface.
on_bridge() {
	nodes alpha beta && wire alpha veth0 beta port0 || return 1
	ip -n beta link add bridge0 type bridge && ip -n beta link set port0 master bridge0 &&
		ip -n beta link set bridge0 up || return 1
	node alpha veth0 && node beta bridge0 && talk alpha beta && talk beta alpha
}

on_macvlan() {
	nodes alpha beta && wire alpha veth0 beta veth0 || return 1
	ip -n beta link add macvlan0 link veth0 type macvlan mode bridge && ip -n beta link set macvlan0 up || return 1
	node alpha veth0 && node beta macvlan0 && talk alpha beta && talk beta alpha
}

# Two on one parent: their frames never leave it.
between_macvlans() {
	nodes alpha beta parent && ip -n parent link add dummy0 type dummy && ip -n parent link set dummy0 up || return 1
	for _end in alpha beta; do
		ip -n parent link add "to-$_end" link dummy0 type macvlan mode bridge &&
			ip -n parent link set "to-$_end" netns $_end name macvlan0 && ip -n $_end link set macvlan0 up &&
			node $_end macvlan0 || return 1
	done
	talk alpha beta
}

on_vlan() {
	nodes alpha beta && wire alpha veth0 beta veth0 || return 1
	for _end in alpha beta; do
		ip -n $_end link add link veth0 name veth0.5 type vlan id 5 && ip -n $_end link set veth0.5 up &&
			node $_end veth0.5 || return 1
	done
	talk alpha beta
}

# Half way, the link in use is cut.
on_bond() {
	nodes alpha beta && wire alpha veth0 beta veth0 && wire alpha veth1 beta veth1 || return 1
	for _end in alpha beta; do
		ip -n $_end link add bond0 type bond mode active-backup miimon 50 || return 1
		for _port in veth0 veth1; do
			ip -n $_end link set $_port down && ip -n $_end link set $_port master bond0 || return 1
		done
		# Bringing up one end takes the carrier from the other's for a moment. Without a primary the
		# two bonds may stay on different wires, and hear nothing of each other.
		ip -n $_end link set bond0 type bond primary veth0 primary_reselect always || return 1
		ip -n $_end link set bond0 up && node $_end bond0 || return 1
	done
	for _end in alpha beta; do
		wait_for 30 in_ns $_end grep -qx veth0 /sys/class/net/bond0/bonding/active_slave || return 1
	done
	talk alpha beta && ip -n beta link set veth0 down && talk alpha beta
}

# Redirected from one interface to the next, with a copy to a third: packets that are shared.
through_mirred() {
	nodes alpha beta middle && wire alpha veth0 middle left && wire beta veth0 middle right || return 1
	ip -n middle link add dummy0 type dummy && ip -n middle link set dummy0 up || return 1
	for _way in "left right" "right left"; do
		# shellcheck disable=SC2086 # Two words.
		set -- $_way
		tc -n middle qdisc add dev "$1" ingress || return 1
		tc -n middle filter add dev "$1" ingress matchall action mirred egress mirror dev dummy0 pipe \
			action mirred egress redirect dev "$2" || return 1
	done
	node alpha veth0 && node beta veth0 && talk alpha beta
}

# Copies of what arrives go elsewhere before the node sees it: packets that are cloned.
mirrored_at_the_node() {
	nodes alpha beta && wire alpha veth0 beta veth0 || return 1
	for _end in alpha beta; do
		ip -n $_end link add dummy0 type dummy && ip -n $_end link set dummy0 up &&
			tc -n $_end qdisc add dev veth0 clsact || return 1
		for _way in ingress egress; do
			tc -n $_end filter add dev veth0 $_way matchall action mirred egress mirror dev dummy0 || return 1
		done
		node $_end veth0 || return 1
	done
	talk alpha beta
}

load || exit
ktap_plan 9
ktap "through a bridge of three" through_bridge
ktap "on a bridge" on_bridge
ktap "on a macvlan" on_macvlan
ktap "between two macvlans of one interface" between_macvlans
ktap "on a VLAN" on_vlan
ktap "on a bond whose active link is cut" on_bond
ktap "redirected and mirrored on the way" through_mirred
ktap "mirrored at both nodes" mirrored_at_the_node
ktap "everything goes" nothing
ktap_end
