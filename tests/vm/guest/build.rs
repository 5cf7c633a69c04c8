// SPDX-License-Identifier: GPL-2.0

//! Compiles the C programs of the test machines against the library's headers. They are linked
//! with the Rust form of the library, which has the same symbols as the installed ones.

fn main() {
    let include = "../../../qnet_userspace/include";
    let uapi = "../../../rust/uapi";
    let examples = "../../../Documentation/examples";
    let of_qnx = "../../../qnet_userspace/libqnet/tests/c/qnx.c";
    println!("cargo:rerun-if-changed={include}");
    cc::Build::new()
        .files(["c/capi.c", "c/calls.c", of_qnx])
        .include(include)
        .std("gnu11")
        .warnings(true)
        .warnings_into_errors(true)
        .compile("capi");
    for name in ["first", "poll", "pulses"] {
        cc::Build::new()
            .file(format!("{examples}/{name}.c"))
            .include(include)
            .include(uapi)
            // Not only the standard: poll() and sockets.
            .std("gnu99")
            .define("main", format!("{name}_main").as_str())
            .warnings(true)
            .warnings_into_errors(true)
            .compile(name);
    }
    println!("cargo:rerun-if-changed=c");
    println!("cargo:rerun-if-changed={of_qnx}");
    println!("cargo:rerun-if-changed={examples}");
}
