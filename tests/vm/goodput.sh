# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# What lost frames cost. For a machine whose time is the number of instructions (tools/vm --icount):
# the figures do not depend on what else the host does.

. /qnet/lib.sh

# Of the goodput without loss, in percent.
LEAST=70
# What one lost frame may add to a round trip, in microseconds.
MOST=5000

# faults NODE WORDS: what tc does to the node's frames from now on.
faults() {
	_at=$1
	shift
	# A new one, whose counts begin at zero.
	tc -n "$_at" qdisc del dev veth0 root 2>/dev/null
	tc -n "$_at" qdisc add dev veth0 root netem limit 10000 "$@"
}

# send OPTION...: runs a client; its figures are in /tmp/client.
send() {
	# shellcheck disable=SC2086 # A list of words.
	in_ns alpha qnet-bulk client $target --reply small --json "$@" >/tmp/client
}

# figure NAME: a number that the client told, without what is behind the point.
figure() {
	sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" /tmp/client
}

# keeps_up THREADS DELAY: goodput of 64 KiB messages with 1 % loss, against that without.
keeps_up() {
	for _loss in 0 1; do
		for _node in alpha beta; do faults $_node delay "$2" loss $_loss% seed 6; done
		send --threads "$1" --messages 600 --min-size 65536 --max-size 65536 || return 1
		eval "_goodput$_loss=$(figure goodput)"
	done
	# shellcheck disable=SC2154 # Set by eval.
	_percent=$((_goodput1 * 100 / _goodput0))
	# shellcheck disable=SC2154
	echo "$((_goodput0 / 1000)) kB/s without loss, $((_goodput1 / 1000)) kB/s with 1 %: $_percent %" >/tmp/remark
	[ $_percent -ge $LEAST ]
}

# repairs NODE: that node's frames are lost now and then while one message at a time is sent after a pause.
# Of a hundred, three lose a frame, and hardly any two: so the 99th of a hundred is one that lost one.
repairs() {
	for _node in alpha beta; do faults $_node; done
	send --messages 50 --min-size 100 --max-size 100 --pause-ms 20 || return 1
	faults "$1" loss 3% seed 6
	send --messages 1000 --min-size 100 --max-size 100 --pause-ms 20 || return 1
	_cost=$(($(figure p99_us) - $(figure p50_us)))
	echo "a round trip takes $(figure p50_us) us, and $_cost us more when a frame is lost" >/tmp/remark
	[ $_cost -lt $MOST ] && [ $_cost -gt 1000 ]
}

# try NAME COMMAND...: a result, with its numbers.
try() {
	rm -f /tmp/remark
	ktap "$@"
	[ ! -e /tmp/remark ] || echo "# $1: $(cat /tmp/remark)"
}

load || exit
veth_pair alpha beta
for node in alpha beta; do
	qnet -n $node set host=$node && qnet -n $node bind veth0 || exit
done
in_ns beta qnet-bulk server --threads 2 >/tmp/server &
wait_for 30 grep -q '^pid=' /tmp/server || exit
target="--node beta $(sed -n 's/^pid=\(.*\) chid=\(.*\)/--pid \1 --chid \2/p' /tmp/server)"
# Right after the start the scheduler's slices show in the times.
sleep 8

ktap_plan 5
try "one thread" keeps_up 1 0
try "eight threads" keeps_up 8 0
try "eight threads, a link that takes 200 us" keeps_up 8 200us
try "a request is lost" repairs alpha
try "a reply is lost" repairs beta
ktap_end
