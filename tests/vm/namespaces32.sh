# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# 32 nodes on one bridge, each of which sends to each: how long that takes from the first one's being
# bound, how many frames they exchange when nobody sends, and that all of it goes away.
#
#   namespaces32.sh SECONDS     of quiet

. /qnet/lib.sh

quiet=$1
count=32
# Frames a second of all nodes together while programs are quiet. Each of the 992 ends of sessions asks
# at most once in 10 s (conn_up_idle) and is answered: 198.4; each node announces itself once in 30 s: 1.1;
# and a quarter for what is measured at the edges.
most=250

# names: n1 to n32.
names() {
	_i=0
	while [ $_i -lt $count ]; do
		_i=$((_i + 1))
		echo n$_i
	done
}

made() {
	ip netns add switch && ip -n switch link add bridge0 type bridge && ip -n switch link set bridge0 up || return 1
	for _name in $(names); do
		ip netns add "$_name" &&
			ip link add eth0 netns "$_name" type veth peer name "$_name" netns switch &&
			ip -n switch link set "$_name" master bridge0 up && ip -n "$_name" link set eth0 up &&
			qnet -n "$_name" set "host=$_name" || return 1
	done
}

# meshed: everybody has reached everybody, over one session with each.
meshed() {
	# shellcheck disable=SC2046 # A list of words.
	qnet-mesh all --interface eth0 $(names) >/tmp/mesh || {
		cat /tmp/mesh
		return 1
	}
	for _name in $(names); do
		qnet -n "$_name" stats | grep "qos sessions *: $((count - 1))," || {
			echo "$_name"
			qnet -n "$_name" stats
			return 1
		}
	done
}

# frames: given to all interfaces by now.
frames() {
	for _name in $(names); do qnet -n "$_name" stats; done | awk '/^txd ok/ { sum += $4 } END { print sum }'
}

# idle: the nodes leave each other alone, and none loses another one.
idle() {
	sleep 3
	_before=$(frames) _began=$(cut -d. -f1 /proc/uptime)
	sleep "$quiet"
	_after=$(frames) _ended=$(cut -d. -f1 /proc/uptime)
	echo "$(((_after - _before) * 10 / (_ended - _began)))" >/tmp/idle
	echo "$((_after - _before)) frames in $((_ended - _began)) s"
	for _name in $(names); do
		if [ "$(qnet -n "$_name" stats | sed -n 's/^kif nd_down *: //p')" != 0 ]; then
			echo "$_name has lost a session"
			return 1
		fi
	done
	[ "$(cat /tmp/idle)" -le $((most * 10)) ]
}

gone() {
	for _name in $(ip netns list | cut -d' ' -f1); do ip netns del "$_name"; done
	wait_for 60 grep -qx 0 /sys/module/qnet/refcnt && rmmod qnet
}

load || exit
ktap_plan 4
ktap "32 nodes on a bridge" made
ktap "each sends to each" meshed
sed -n 's/^bound \(.*\) mesh \(.*\)/# bound after \1 ms, all know all after \2 ms/p' /tmp/mesh
ktap "quiet" idle
sed 's/\(.\)$/.\1 frames a second of all nodes together/; s/^/# /' /tmp/idle
ktap "all of it goes" gone
ktap_end
