# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# Message passing on two nodes under signals, time-outs, forks and deaths. Every message is accounted
# for, and at the end nothing may be left of any.
#
#   stress.sh [OPTION...]     options of qnet-stress: --seconds, --seed, --every

. /qnet/lib.sh

# idle NODE LABEL...: all gauges are at zero, but for those with these labels.
idle() {
	_node=$1
	shift
	qnet -n "$_node" stats >/tmp/stats
	awk -F ' *: *' -v "but=$*" '
		$2 ~ /^[0-9]+,[0-9]+$/ && $2 !~ /^0,/ && index(but, $1) == 0 { print; found = 1 }
		$2 ~ /^[0-9]+,[0-9]+$/ { gauges++ }
		END { exit found || !gauges }' /tmp/stats
}

# becomes_idle NODE LABEL...: the same within a while, in which the last frames cross the link.
becomes_idle() {
	wait_for 60 idle "$@" || idle "$@"
}

# unbound: without the interfaces there are no sessions either.
unbound() {
	qnet -n alpha unbind veth0 && qnet -n beta unbind veth0 || return
	for _node in alpha beta; do
		becomes_idle $_node "lr nodes" || return
	done
}

load || exit
two_nodes alpha beta || exit

mark "stress"
qnet-stress "$@" alpha beta
status=$?
for node in alpha beta; do
	qnet -n "$node" stats --nonzero
done

ktap_plan 7
ktap "the stress went well" [ "$status" -eq 0 ]
for node in alpha beta; do
	ktap "nothing is left on $node" becomes_idle "$node" "lr nodes" "qos sessions"
done
ktap "nothing is left of the sessions" unbound
ktap "the namespaces go" sh -c 'ip netns del alpha && ip netns del beta'
ktap "nothing holds the module" wait_for 60 grep -qx 0 /sys/module/qnet/refcnt
ktap "the module goes" rmmod qnet
ktap_end
