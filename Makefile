# SPDX-License-Identifier: GPL-2.0
#
# The commands of this tree. The kernel's build does not read this file: it reads Kbuild.
#
#   make            qnet.ko for the running kernel (Documentation/building.md)
#   make demo       two nodes in a virtual machine; sets up what is missing
#   make check      every test; sets up what is missing
#   make help       all of them

# Where `make install` puts things. DESTDIR is prepended, for packages.
PREFIX ?= /usr/local
DESTDIR ?=
# The kernel to build for: a release whose Debian packages are installed, or a prepared tree.
KERNEL ?=
KDIR ?=

export PREFIX DESTDIR KERNEL KDIR

.PHONY: all module userspace install uninstall demo check lint host kunit vm conformance netem stress bench coverage setup clean distclean help

all: module

module:
	@tools/module.sh native

userspace:
	@tools/userspace.sh native

# Builds only what is not there, so that `make userspace module` by a user and `sudo make install` fit.
install:
	@test -e qnet.ko || tools/module.sh native
	@test -e build/target/native/release/qnet || tools/userspace.sh native
	@tools/install.sh install

uninstall:
	@tools/install.sh uninstall

demo:
	@tools/demo.sh

check:
	@tests/run

lint host kunit vm:
	@tests/run $@

conformance:
	@tools/conformance.sh

netem:
	@tools/netem.sh

stress:
	@tools/stress.sh

bench:
	@tools/bench.sh

coverage:
	@tests/run coverage

setup:
	@tools/setup.sh stock debug

clean:
	rm -rf build qnet.ko

# Also the build root with the kernels, which takes ten minutes to make again.
distclean: clean
	@tools/setup.sh remove

help:
	@printf '%s\n' \
	'make             build qnet.ko for the running kernel; KERNEL=RELEASE or KDIR=TREE for another' \
	'make install     put module, library, headers, commands and man pages in place (PREFIX, DESTDIR)' \
	'make uninstall   remove them' \
	'make demo        two nodes in a virtual machine (root; sets up what is missing)' \
	'make check       every test (root; sets up what is missing); the parts of it:' \
	'make lint          format, clippy, rules of the tree' \
	'make host          protocol and user space on this machine' \
	'make kunit         suites in the module, on the debug kernel' \
	'make vm            end to end in virtual machines' \
	'make conformance Neutrino'\''s calls through the C library, on one node and between two' \
	'make netem       messages of all lengths over links with every pair of faults (under 45 minutes)' \
	'make stress      signals, time-outs, forks and deaths on two nodes for ten minutes, on the debug kernel' \
	'make bench       instructions a round trip costs' \
	'make coverage    which branches of the protocol its tests take' \
	'make setup       only set up what demo and check need' \
	'make clean       remove what was built here; distclean: the build root, too'
