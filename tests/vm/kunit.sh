# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# Loads the module, which runs its KUnit suites, and takes it out again. The results are in the
# kernel's log.

. /qnet/lib.sh

load || exit
rmmod qnet
