# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# The conformance suite, before the module is loaded, on one node, and between two nodes that are two
# network namespaces joined by a link.
#
#   guest.sh [WORD...]     only cases whose names hold one of the words

. /qnet/lib.sh

# seconds: of the guest's clock.
seconds() {
	cut -d. -f1 /proc/uptime
}

# suite WORLD ARGUMENT...: the cases of a world, and how long they took.
suite() {
	mark "conformance: $1"
	_began=$(seconds)
	qnet-conformance "$@"
	echo "# $1: $(($(seconds) - _began)) s"
}

suite absent "$@"
load || exit
veth_pair alpha beta
for node in alpha beta; do
	# What most cases rely on; those that are about these options set them.
	qnet -n $node set host=$node maproot=0 remote_signals=1 || exit
	qnet -n $node bind veth0 || exit
done
suite local alpha alpha "$@"
suite remote alpha alpha beta beta "$@"

# All processes are gone, so nothing may be left of them.
ip netns del alpha && ip netns del beta && wait_for 10 grep -qx 0 /sys/module/qnet/refcnt && rmmod qnet
