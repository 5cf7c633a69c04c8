# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# The demo's part inside the virtual machine: two nodes, alpha and beta, that are two network
# namespaces joined by a link. Leaves captures and facts in /out.

. /qnet/lib.sh

# centiseconds: the time since the start of the machine.
centiseconds() {
	sed 's/\.\([0-9]*\) .*/\1/' /proc/uptime
}

# heard NODE OTHER: how many milliseconds ago the node heard of the other one.
heard() {
	qnet -n "$1" nodes | awk -v other="$2" '$2 == other { print $5 * ($6 == "s" ? 1000 : 1); found = 1 } END { exit !found }'
}

# watch NODE OTHER SINCE: waits until the node knows the other one, and tells how long that took.
watch() {
	wait_for 10 heard "$1" "$2" || {
		echo "  $1 does not see $2"
		return 1
	}
	_ago=$(heard "$1" "$2")
	_after=$((($(centiseconds) - $3) * 10 - _ago))
	[ "$_after" -ge 0 ] || _after=0
	echo "  $1 sees $2 $_after ms after the link came up:"
	qnet -n "$1" nodes | sed 's/^/    /'
	echo
}

# nodes CRC: makes the two nodes. Nothing is sent until the link comes up.
nodes() {
	ip netns add alpha
	ip netns add beta
	ip link add veth0 netns alpha address 02:00:00:00:00:0a type veth peer name veth0 netns beta address 02:00:00:00:00:0b
	for node in alpha beta; do
		ip -n $node link set lo up
		qnet -n $node set host=$node "do_crc=$1" || exit
		qnet -n $node bind veth0 || exit
	done
}

# link_up: from now on the nodes can hear each other.
link_up() {
	ip -n beta link set veth0 up
	ip -n alpha link set veth0 up
}

# talk COUNT: a server on beta, a client on alpha that knows only its name.
talk() {
	rm -f /tmp/server
	qnet-demo --netns beta server /tmp/server >/tmp/server.log &
	_server=$!
	wait_for 10 test -e /tmp/server || return 1
	qnet-demo --netns alpha client --node beta --count "$1" --goodbye /tmp/server >/tmp/client.log 2>&1
	_status=$?
	[ "$_status" -eq 0 ] || kill "$_server"
	wait "$_server"
	sed 's/^/  beta   /' /tmp/server.log
	sed 's/^/  alpha  /' /tmp/client.log
	return $_status
}

# talk_here COUNT: server and client both on alpha.
talk_here() {
	rm -f /tmp/local
	qnet-demo --netns alpha server /tmp/local >/tmp/server.log &
	_server=$!
	wait_for 10 test -e /tmp/local || return 1
	qnet-demo --netns alpha client --count "$1" --goodbye /tmp/local >/tmp/local.log 2>&1
	_status=$?
	[ "$_status" -eq 0 ] || kill "$_server"
	wait "$_server"
	sed 's/^/  alpha  /' /tmp/local.log
	return $_status
}

load || exit
echo
echo "Two nodes, alpha and beta, find each other (Linux $(uname -r))"
echo
nodes 0
# dumpcap wants an interface that is up; the peer's being down still keeps the link down.
ip -n alpha link set veth0 up
capture alpha veth0 /out/demo.pcapng || exit
since=$(centiseconds)
link_up
watch alpha beta "$since"
watch beta alpha "$since"

echo "A server on beta, a client on alpha that knows no more than the name"
echo
talk 1000 || exit
cp /tmp/server /out/server
cp /tmp/client.log /out/client.log
echo
echo "The same on one node"
echo
talk_here 1000 || exit
capture_end
for node in alpha beta; do
	echo
	echo "/proc/qnetstats of $node (what is not zero)"
	echo
	# The file shows the node of whoever opens it.
	in_ns $node cat /proc/qnetstats >"/out/qnetstats.$node"
	grep -vE ': 0(,0)?$' "/out/qnetstats.$node" | sed 's/^/  /'
done
ip netns del alpha
ip netns del beta
wait_for 10 sh -c '! ip netns list | grep -q alpha'

echo
echo "Once more, with do_crc=1"
echo
nodes 1
ip -n alpha link set veth0 up
capture alpha veth0 /out/demo-crc.pcapng || exit
link_up
wait_for 10 heard alpha beta
talk 1000 || exit
cp /tmp/server /out/server-crc
capture_end
ip netns del alpha
ip netns del beta
wait_for 10 rmmod qnet
