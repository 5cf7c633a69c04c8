# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# The benchmark's part inside the machine that counts instructions.
#
#   guest.sh BYTES,BYTES...

. /qnet/lib.sh

load || exit
veth_pair alpha beta
for node in alpha beta; do
	qnet -n "$node" set "host=$node" || exit
	qnet -n "$node" bind veth0 || exit
done
# Right after the start the scheduler's slices show in the times; after 8 s they do not.
for calls in "" --one-call; do
	# shellcheck disable=SC2086 # No word, or one.
	in_ns alpha qnet-bench --settle 8 --bytes "$1" $calls &&
		qnet-bench --settle 8 --server-ns beta --client-ns alpha --node beta --bytes "$1" $calls || exit
done
