// SPDX-License-Identifier: LGPL-2.1-or-later

//! Gives the shared library its name for the run-time linker.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libqnet.so.0");
}
