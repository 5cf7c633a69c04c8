# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# How often the module copies a byte on its way: /proc/qnetstats says, after some hundred MiB.

. /qnet/lib.sh

# counter NODE LABEL: the value of a counter.
counter() {
	qnet -n "$1" stats | sed -n "s/^$2 *: //p" | tail -n 1
}

# figure FILE NAME: a number of a line of JSON.
figure() {
	sed -n "s/.*\"$2\":\([0-9]*\).*/\1/p" "$1"
}

# moved OPTION...: messages from alpha to beta on a link of these options. Leaves the numbers of bytes
# in sent, got (beta's), copied, pinned, linear, referred (alpha's).
moved() {
	ip netns del alpha 2>/dev/null
	ip netns del beta 2>/dev/null
	wait_for 30 sh -c '! ip netns list | grep -q .' || return 1
	rm -f /tmp/server
	veth_pair alpha beta
	for _node in alpha beta; do
		qnet -n $_node set host=$_node "$@" && qnet -n $_node bind veth0 || return 1
	done
	in_ns beta qnet-bulk server --count-file /tmp/count >/tmp/server &
	wait_for 30 grep -q '^pid=' /tmp/server || return 1
	_target="--node beta $(sed -n 's/^pid=\(.*\) chid=\(.*\)/--pid \1 --chid \2/p' /tmp/server)"
	# shellcheck disable=SC2086 # A list of words.
	in_ns alpha qnet-bulk client $_target --messages "$messages" --max-size 1048576 --seed 7 --json >/tmp/client ||
		return 1
	sent=$(figure /tmp/client bytes_out)
	copied=$(counter alpha 'kif copied_from_user') pinned=$(counter alpha 'kif pinned_from_user')
	linear=$(counter alpha 'qos tx_copied') referred=$(counter alpha 'qos tx_by_reference')
	got=$(counter beta 'kif copied_to_user') arrived=$(counter beta 'qos rx_copied')
	# shellcheck disable=SC2086 # A list of words.
	in_ns alpha qnet-bulk stop $_target
	wait
	echo "sent $sent, copied $copied, pinned $pinned, tx_copied $linear, by reference $referred, to user $got, rx_copied $arrived" |
		tee /tmp/figures
}

# Each byte is taken from the program once, by a copy or as its own page; no frame copies it again.
once() {
	[ "$sent" -gt 0 ] && [ $((copied + pinned)) -eq "$sent" ] && [ "$linear" -eq 0 ] && [ "$referred" -ge "$sent" ]
}

# And the receiving side copies it once, into the buffer of the program that receives.
received_once() {
	[ "$sent" -gt 0 ] && [ "$got" -eq "$sent" ] && [ "$arrived" -eq 0 ]
}

# A CRC is computed over what cannot change under it: no page of a program is sent.
with_crc() {
	moved do_crc=1 || return 1
	[ "$copied" -eq "$sent" ] && [ "$pinned" -eq 0 ] && [ "$linear" -eq 0 ] && [ "$referred" -ge "$sent" ]
}

messages=${1:-1000}
load || exit
ktap_plan 3
# Not in a result's own shell, because two of them look at the numbers.
sent=-1 got=0 copied=0 pinned=0
moved >/tmp/moved.log 2>&1 || sed 's/^/# /' /tmp/moved.log
ktap "each byte is copied or pinned once on the way out" once
sed 's/^/# /' /tmp/figures
ktap "each byte is copied once on the way in" received_once
ktap "with a CRC each byte is copied once, and none is pinned" with_crc
sed 's/^/# /' /tmp/figures
ip netns del alpha && ip netns del beta
wait_for 30 grep -qx 0 /sys/module/qnet/refcnt && rmmod qnet
ktap_end
