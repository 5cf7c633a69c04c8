# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# End to end through the public interface: on one node, and between two nodes that are two network
# namespaces joined by a link. At the end everything must come apart again.
#
#   namespaces.sh [OPTION...]     options of qnet-vmtest: --light and --limit for a slow kernel

. /qnet/lib.sh

failed=0

# run WORDS COMMAND...: a program with results of its own.
run() {
	mark "$1"
	shift
	"$@" || failed=1
}

load || exit
two_nodes alpha beta || exit

run "one node" in_ns alpha qnet-vmtest local "$@"
run "two nodes" qnet-vmtest remote --client-ns alpha --server-ns beta --node beta "$@"
run "the C library on one node" in_ns alpha qnet-capi
run "the C library on two nodes" in_ns alpha qnet-capi beta
run "the C library's calls around messages" in_ns alpha qnet-calls
run "malformed frames" qnet-inject

ktap_plan 5
ktap "the documentation's program with pulses" in_ns alpha qnet-pulses
ktap "the documentation's program that polls" in_ns alpha qnet-poll
ktap "the namespaces go" sh -c 'ip netns del alpha && ip netns del beta'
ktap "nothing holds the module" wait_for 10 grep -qx 0 /sys/module/qnet/refcnt
ktap "the module goes" rmmod qnet
ktap_end && [ "$failed" -eq 0 ]
