# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# How the module, its parameters, its nodes and their network namespaces come and go, also with
# frames and messages under way.

. /qnet/lib.sh

# unload: rmmod, with a little patience for what is ending.
unload() {
	wait_for 10 rmmod qnet
}

# refuses WORDS PARAMETER=VALUE...: loading fails, and the kernel's log says why.
refuses() {
	_words=$1
	shift
	if load "$@"; then
		unload
		echo "it loaded with $*"
		return 1
	fi
	[ -z "$_words" ] || dmesg | tail -n 5 | grep -E "$_words"
}

# shows FILE WORDS: the file has a line with these words.
shows() {
	grep -E -- "$2" "$1" || {
		cat "$1"
		return 1
	}
}

repeatedly() {
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		load || return 1
		rmmod qnet || return 1
	done
}

# nodes: alpha and beta, bound and joined.
nodes() {
	veth_pair alpha beta
	for _node in alpha beta; do
		qnet -n $_node set host=$_node || return 1
		qnet -n $_node bind veth0 || return 1
	done
}

no_nodes() {
	ip netns del alpha
	ip netns del beta
	wait_for 10 sh -c '! ip netns list | grep -q .'
}

# An open socket keeps the module, and the end of its program gives it back.
socket_keeps_module() {
	load host=probe || return 1
	rm -f /tmp/server
	qnet-demo server /tmp/server &
	_server=$!
	wait_for 10 test -e /tmp/server || return 1
	if rmmod qnet; then
		echo "rmmod was not refused"
		return 1
	fi
	kill -9 "$_server"
	wait "$_server"
	unload
}

bad_options() {
	load || return 1
	for _bad in nonsense=1 auto_add=x auto_add=99999999 num_tx_pad=4 host=a/b remote=nobody; do
		if qnet set "$_bad" 2>/tmp/said || ! grep . /tmp/said; then
			echo "qnet set $_bad was not refused in words"
			return 1
		fi
	done
	unload
}

host_parameter() {
	load host=gamma.example.lab || return 1
	qnet nodes | grep -w gamma.example.lab && unload
}

host_name() {
	hostname delta
	load || return 1
	qnet nodes | grep -w delta && unload
}

# "localhost" is nobody's name: EA and the last three octets of the address stand for it.
no_host_name() {
	hostname localhost
	ip link add probe0 address 02:00:00:dd:35:28 type dummy && ip link set probe0 up
	load bind=probe0 || return 1
	qnet nodes | grep -w EAdd3528
	_status=$?
	unload && ip link del probe0 && return $_status
}

# Only the initial namespace takes the parameters and the host's name.
other_namespace() {
	hostname epsilon
	ip netns add other
	load host=zeta || return 1
	in_ns other qnet nodes >/tmp/nodes
	ip netns del other
	unload && ! grep -wE 'zeta|epsilon' /tmp/nodes
}

bind_parameter() {
	ip link add probe0 type dummy && ip link set probe0 up
	load bind=probe0,later0 || return 1
	qnet links >/tmp/links
	unload && ip link del probe0 && shows /tmp/links 'probe0.* up' && shows /tmp/links 'later0.* absent'
}

# An interface that is bound can be renamed, removed and made again; the module does not hold it.
interface_goes() {
	ip link add probe0 type dummy && ip link set probe0 up
	load bind=probe0 || return 1
	ip link del probe0 || return 1
	qnet links | grep absent || return 1
	ip link add probe0 type dummy && ip link set probe0 up
	qnet links | grep -w up || return 1
	ip link del probe0
	unload
}

family_parameter() {
	load family=22 || return 1
	shows /sys/module/qnet/parameters/family '^22$' && qnet nodes && unload
}

# Messages are under way when their programs are killed: the module must go although frames, answers
# and retransmissions are still to come.
unload_under_way() {
	for _ in 1 2 3 4 5; do
		load && nodes || return 1
		rm -f /tmp/server
		qnet-demo --netns beta server /tmp/server >/dev/null &
		_server=$!
		wait_for 10 test -e /tmp/server || return 1
		_clients=
		for _ in 1 2 3; do
			qnet-demo --netns alpha client --node beta --count 1000000 /tmp/server >/dev/null 2>&1 &
			_clients="$_clients $!"
		done
		sleep 0.5
		# shellcheck disable=SC2086 # A list of numbers.
		kill -9 $_clients $_server
		unload || return 1
		no_nodes
	done
}

# A namespace goes while a client of another one waits for a server there, and the other way round.
namespace_goes() {
	load && nodes || return 1
	for _victim in beta alpha; do
		rm -f /tmp/server
		qnet-demo --netns beta server /tmp/server >/dev/null &
		_server=$!
		wait_for 10 test -e /tmp/server || return 1
		qnet-demo --netns alpha client --node beta --count 1000000 /tmp/server >/tmp/client.log 2>&1 &
		_client=$!
		sleep 0.5
		ip netns del $_victim
		if [ $_victim = beta ]; then kill -9 $_server; else kill -9 $_client; fi
		# The namespace lives as long as its last process; then its interface takes the other's with it.
		wait_for 20 sh -c "! ip -n $([ $_victim = beta ] && echo alpha || echo beta) link show veth0" || return 1
		# The one that is left learns of it and does not wait for ever.
		if [ $_victim = beta ]; then
			wait_for 30 sh -c "! kill -0 $_client" || {
				echo "the client still waits"
				return 1
			}
		else
			kill -9 $_server
		fi
		wait
		no_nodes
		nodes || return 1
	done
	no_nodes
	unload
}

# Many nodes at once: made, bound, gone.
many_namespaces() {
	load || return 1
	for _i in 1 2 3 4 5 6 7 8; do
		ip netns add "n$_i" && qnet -n "n$_i" set "host=n$_i" || return 1
	done
	for _i in 1 2 3 4 5 6 7 8; do ip netns del "n$_i"; done
	unload
}

# clean: whatever a case that failed left behind must not fail the next one.
clean() {
	killall -q -9 qnet-demo
	for _namespace in $(ip netns list | cut -d' ' -f1); do ip netns del "$_namespace"; done
	ip link del probe0 2>/dev/null
	[ ! -e /sys/module/qnet ] || unload
	hostname localhost
}

# try NAME COMMAND...: one result, beginning with a clean machine.
try() {
	clean >/dev/null 2>&1
	ktap "$@"
}

ktap_plan 17
try "loads and unloads" repeatedly
try "an open socket keeps the module" socket_keeps_module
try "host= names the node" host_parameter
try "the host's name names the node" host_name
try "localhost gives way to the address" no_host_name
try "other namespaces get no name of the first one's" other_namespace
try "bind= binds what is there, and what comes later" bind_parameter
try "a bound interface goes and comes" interface_goes
try "family= moves the address family" family_parameter
try "a family that is taken is refused in words" refuses "is taken|family" family=1
try "a family that cannot be is refused" refuses "" family=99
try "a bad host= is refused" refuses "" host=a/b
try "a bad remote= is refused in words" refuses "remote= is one of" remote=nobody
try "an option that cannot be is refused in words" bad_options
try "the module goes while messages are under way" unload_under_way
try "a namespace goes while messages are under way" namespace_goes
try "many namespaces come and go" many_namespaces
ktap_end
