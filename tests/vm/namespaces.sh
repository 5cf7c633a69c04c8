# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# End to end through the public interface: on one node, and between two nodes that are two network
# namespaces joined by a link. At the end everything must come apart again.

. /qnet/lib.sh

load || exit
veth_pair alpha beta
for node in alpha beta; do
	in_ns "$node" qnet set "host=$node" || exit
	in_ns "$node" qnet bind veth0 || exit
done

failed=0
mark "one node"
qnet-vmtest local || failed=1
mark "two nodes"
qnet-vmtest remote --client-ns alpha --server-ns beta --node beta || failed=1

ktap_plan 3
ktap "the namespaces go" sh -c 'ip netns del alpha && ip netns del beta'
ktap "nothing holds the module" wait_for 10 sh -c '[ "$(cat /sys/module/qnet/refcnt)" = 0 ]'
ktap "the module goes" rmmod qnet
ktap_end && [ "$failed" -eq 0 ]
