# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# End to end between two machines: b has the servers, a has the clients.
#
#   pair.sh a|b

. /qnet/lib.sh

me=$1
ip link set eth0 up
hostname "$me"
# Clients and servers are root's: as somebody else the clients could send no pulses.
load bind=eth0 do_crc=1 maproot=0 || exit
meet loaded || exit

if [ "$me" = b ]; then
	qnet-vmtest server --pid 1000
	status=$?
	meet tested
	cat /proc/qnetstats
	exit "$status"
fi
# The link is recorded and judged, so there may be only what the judge understands.
qnet-vmtest client --node b --pid 1000 --stop --judged
status=$?
meet tested
exit "$status"
