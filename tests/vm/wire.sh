# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# Records ten thousand messages, most of them short, some longer than what one packet of the protocol
# can carry, on a link that loses every hundredth frame, so that what repairs losses is recorded, too.

. /qnet/lib.sh

# talk MESSAGES SHORTEST LONGEST: messages from alpha to beta, and replies of the same kind.
talk() {
	# shellcheck disable=SC2086 # A list of words.
	in_ns alpha qnet-bulk client $target --messages "$1" --min-size "$2" --max-size "$3" --threads 2 --reply log --judged --seed 5 --json
}

# has LABEL: one of the nodes has counted such events.
has() {
	for _node in alpha beta; do
		[ "$(qnet -n $_node stats | sed -n "s/^$1 *: //p" | tail -n 1)" = 0 ] || return 0
	done
	return 1
}

load || exit
veth_pair alpha beta
for node in alpha beta; do
	tc -n $node qdisc add dev veth0 root netem limit 10000 loss 1% seed 5 || exit
	qnet -n $node set host=$node do_crc=1 enforce_crc=1 && qnet -n $node bind veth0 || exit
done
capture alpha veth0 /out/wire.pcapng || exit
in_ns beta qnet-bulk server --threads 2 >/tmp/server &
server=$!
wait_for 30 grep -q '^pid=' /tmp/server || exit
target="--node beta $(sed -n 's/^pid=\(.*\) chid=\(.*\)/--pid \1 --chid \2/p' /tmp/server)"

ktap_plan 6
ktap "short messages" talk 9750 0 1500
# The first 8192 bytes come with the message; the rest is asked for, and fits one frame.
ktap "messages with a short rest" talk 50 8193 9500
ktap "long messages" talk 200 0 131072
ktap "frames were lost and sent again" has 'qos tx_retransmitted'
ktap "and asked for" has 'nacks txd'
# shellcheck disable=SC2086 # A list of words.
in_ns alpha qnet-bulk stop $target || kill -9 $server
wait $server
ktap "each message came once" test $? -eq 0
capture_end
ktap_end
