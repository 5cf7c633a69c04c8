// SPDX-License-Identifier: LGPL-2.1-or-later

//! The C side: the headers compile everywhere, agree with the library, declare what it exports,
//! and programs link with it both ways; without the module, every call says what is documented.

use std::{
    collections::{
        BTreeMap,
        BTreeSet, //
    },
    fs,
    mem::offset_of,
    path::{
        Path,
        PathBuf, //
    },
    process::Command,
    sync::OnceLock,
};

use qnet_c::{
    _client_info,
    _cred_info,
    _msg_info,
    qnet_answer,
    sigevent, //
};
use qnet_sys::qnet_pulse as _pulse;

/// The headers that are installed.
const HEADERS: [&str; 4] = [
    "sys/neutrino.h",
    "sys/netmgr.h",
    "sys/qnet.h",
    "sys/siginfo.h",
];

fn crate_dir() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn include() -> PathBuf {
    crate_dir().join("../include")
}

fn tmp(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Runs a command that has to succeed, and gives what it printed.
fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Builds the two libraries as they are installed, and tells where they are.
fn libraries() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        // The test's own build has only made the Rust form of the library.
        let target = tmp("libraries");
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        run(Command::new(cargo)
            .args(["build", "--offline", "--quiet", "--lib", "--manifest-path"])
            .arg(crate_dir().join("Cargo.toml"))
            .arg("--target-dir")
            .arg(&target));
        let built = target.join("debug");
        fs::copy(built.join("libqnet_c.a"), built.join("libqnet.a")).unwrap();
        for name in ["libqnet.so.0", "libqnet.so"] {
            fs::copy(built.join("libqnet_c.so"), built.join(name)).unwrap();
        }
        built
    })
}

fn compiler(name: &str) -> Command {
    let mut command = Command::new(name);
    command
        .args(["-Wall", "-Wextra", "-pedantic", "-Werror", "-I"])
        .arg(include());
    command
}

/// What a program needs that is linked with the static library.
const STATIC_NEEDS: [&str; 5] = ["-lgcc_s", "-lpthread", "-lm", "-ldl", "-lc"];

#[test]
fn headers_stand_alone() {
    for header in HEADERS {
        for (compiler_name, suffix, standard) in [
            ("cc", "c", "c99"),
            ("cc", "c", "c11"),
            ("cc", "c", "gnu17"),
            ("c++", "cc", "c++11"),
            ("c++", "cc", "c++20"),
        ] {
            let name = header.replace('/', "_");
            let source = tmp(&format!("{name}_{standard}.{suffix}"));
            fs::write(
                &source,
                format!(
                    "#include <{header}>\n#include <{header}>\n\
                     extern int nothing;\nint nothing = sizeof(struct sigevent);\n"
                ),
            )
            .unwrap();
            run(compiler(compiler_name)
                .arg(format!("-std={standard}"))
                .args(["-fsyntax-only"])
                .arg(&source));
        }
    }
}

#[test]
fn structures_agree() {
    let program = tmp("headers_layout");
    run(compiler("cc")
        .args(["-std=c99", "-o"])
        .arg(&program)
        .arg(crate_dir().join("tests/c/layout.c")));
    let printed = run(&mut Command::new(program));
    let c: BTreeMap<&str, Vec<i64>> = printed
        .lines()
        .map(|line| {
            let mut words = line.split(' ');
            let name = words.next().unwrap();
            (name, words.map(|word| word.parse().unwrap()).collect())
        })
        .collect();
    let ours = our_layouts();
    let numbers = our_numbers();
    for (name, values) in ours.iter().chain(&numbers) {
        assert_eq!(c.get(name.as_str()), Some(values), "{name}");
    }
    assert_eq!(c.len(), ours.len() + numbers.len());
}

/// The sizes of the structures, and the places and sizes of their fields.
fn our_layouts() -> Vec<(String, Vec<i64>)> {
    let mut rows = Vec::new();
    let mut field = |name: String, offset: usize, size: usize| {
        rows.push((name, vec![offset as i64, size as i64]));
    };
    fn size_of_field<S, F>(_: fn(&S) -> &F) -> usize {
        size_of::<F>()
    }
    macro_rules! fields {
        ($($structure:ident { $($name:ident)* })*) => { $( $(
            field(
                format!("{}.{}", stringify!($structure), stringify!($name)).replace("r#", ""),
                offset_of!($structure, $name),
                size_of_field(|value: &$structure| &value.$name),
            );
        )* )* };
    }
    fields! {
        _msg_info {
            nd srcnd pid tid chid scoid coid priority flags msglen srcmsglen dstmsglen type_id
            reserved
        }
        _pulse { r#type subtype code zero value scoid }
        _cred_info { ruid euid suid rgid egid sgid ngroups grouplist }
        _client_info { nd pid sid flags cred }
        qnet_answer { rcvid error status iov parts }
        sigevent { sigev_notify sigev_value }
    }
    let (signo, detail) = (
        offset_of!(sigevent, sigev_signo),
        offset_of!(sigevent, detail),
    );
    field("sigevent.sigev_signo".into(), signo, 4);
    field("sigevent.sigev_coid".into(), signo, 4);
    field("sigevent.sigev_code".into(), detail, 2);
    field("sigevent.sigev_priority".into(), detail + 2, 2);
    macro_rules! sizes {
        ($($structure:ident)*) => { $(
            rows.push((stringify!($structure).into(), vec![size_of::<$structure>() as i64]));
        )* };
    }
    sizes! { _msg_info _pulse _cred_info _client_info qnet_answer sigevent }
    rows
}

/// The numbers that the headers share with the module.
fn our_numbers() -> Vec<(String, Vec<i64>)> {
    macro_rules! numbers {
        ($($theirs:ident = $ours:ident)*) => {
            vec![$( (stringify!($theirs).into(), vec![qnet_sys::$ours as i64]) ),*]
        };
    }
    numbers! {
        ENOREMOTE = QNET_ENOREMOTE
        ESRVRFAULT = QNET_ESRVRFAULT
        _NTO_SIDE_CHANNEL = QNET_SIDE_CHANNEL
        _NTO_CHF_FIXED_PRIORITY = QNET_CHF_FIXED_PRIORITY
        _NTO_CHF_UNBLOCK = QNET_CHF_UNBLOCK
        _NTO_CHF_THREAD_DEATH = QNET_CHF_THREAD_DEATH
        _NTO_CHF_DISCONNECT = QNET_CHF_DISCONNECT
        _NTO_CHF_SENDER_LEN = QNET_CHF_SENDER_LEN
        _NTO_CHF_COID_DISCONNECT = QNET_CHF_COID_DISCONNECT
        _NTO_CHF_REPLY_LEN = QNET_CHF_REPLY_LEN
        _NTO_CHF_PRIVATE = QNET_CHF_PRIVATE
        _QNET_CHF_REMOTE = QNET_CHF_REMOTE
        _NTO_COF_CLOEXEC = QNET_COF_CLOEXEC
        _NTO_COF_NOSHARE = QNET_COF_NOSHARE
        _NTO_TIMEOUT_SEND = QNET_TIMEOUT_SEND
        _NTO_TIMEOUT_RECEIVE = QNET_TIMEOUT_RECEIVE
        _NTO_TIMEOUT_REPLY = QNET_TIMEOUT_REPLY
        _NTO_MI_UNBLOCK_REQ = QNET_MI_UNBLOCK_REQ
        _NTO_MI_NET_CRED_DIRTY = QNET_MI_NET_CRED_DIRTY
        _NTO_KEYDATA_VERIFY = QNET_KEYDATA_VERIFY
        _NTO_KEYDATA_CALCULATE = QNET_KEYDATA_CALCULATE
        _NTO_KEYDATA_CALCULATE_REUSE = QNET_KEYDATA_CALCULATE_REUSE
        _PULSE_CODE_UNBLOCK = QNET_PULSE_UNBLOCK
        _PULSE_CODE_DISCONNECT = QNET_PULSE_DISCONNECT
        _PULSE_CODE_THREADDEATH = QNET_PULSE_THREADDEATH
        _PULSE_CODE_COIDDEATH = QNET_PULSE_COIDDEATH
        SIGEV_NONE = QNET_SIGEV_NONE
        SIGEV_SIGNAL = QNET_SIGEV_SIGNAL
        SIGEV_SIGNAL_CODE = QNET_SIGEV_SIGNAL_CODE
        SIGEV_SIGNAL_THREAD = QNET_SIGEV_SIGNAL_THREAD
        SIGEV_PULSE = QNET_SIGEV_PULSE
        SIGEV_UNBLOCK = QNET_SIGEV_UNBLOCK
    }
}

/// A source written for QNX compiles unchanged, as C and as C++, and its events are Neutrino's,
/// whatever headers of the C library come first or last.
#[test]
fn qnx_sources_compile() {
    let source = crate_dir().join("tests/c/qnx.c");
    let libc = "#include <aio.h>\n#include <mqueue.h>\n#include <signal.h>\n#include <time.h>\n";
    let ours = format!("#include {source:?}\n");
    let main = "int main(void)\n{\n\treturn qnx_events();\n}\n";
    for (order, text) in [
        ("alone", format!("{ours}{main}")),
        ("before", format!("{libc}{ours}{main}")),
        ("behind", format!("{ours}{libc}{main}")),
        ("both", format!("{libc}{ours}{libc}{main}")),
    ] {
        for (name, suffix, standard) in [
            ("cc", "c", "c99"),
            ("cc", "c", "gnu17"),
            ("c++", "cc", "c++11"),
            ("c++", "cc", "gnu++20"),
        ] {
            let stem = format!("qnx_{order}_{standard}");
            let file = tmp(&format!("{stem}.{suffix}"));
            fs::write(&file, &text).unwrap();
            run(compiler(name)
                .arg(format!("-std={standard}"))
                .arg("-o")
                .arg(tmp(&stem))
                .arg(&file)
                .arg("-L")
                .arg(libraries())
                .arg("-lqnet"));
            run(Command::new(tmp(&stem)).env("LD_LIBRARY_PATH", libraries()));
        }
    }
}

/// The C library's calls do not take one of our events for one of theirs.
#[test]
fn foreign_events_are_refused() {
    for (name, suffix) in [("cc", "c"), ("c++", "cc")] {
        let source = tmp(&format!("foreign_event.{suffix}"));
        fs::write(
            &source,
            "#include <sys/neutrino.h>\n#include <time.h>\n\
             int main(void)\n{\n\tstruct sigevent event;\n\ttimer_t timer;\n\n\
             \tSIGEV_SIGNAL_INIT(&event, 10);\n\
             \treturn timer_create(CLOCK_MONOTONIC, &event, &timer);\n}\n",
        )
        .unwrap();
        let output = compiler(name).arg("-fsyntax-only").arg(&source).output();
        let output = output.unwrap();
        assert!(!output.status.success(), "{name} takes it");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("_qnet_sigevent"), "{said}");
    }
}

/// The names of the functions that the headers declare.
fn declared() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for header in HEADERS {
        let text = fs::read_to_string(include().join(header)).unwrap();
        for line in text.lines() {
            let rest = ["int ", "long ", "ssize_t "]
                .iter()
                .find_map(|kind| line.strip_prefix(kind));
            if let Some((name, _)) = rest.and_then(|rest| rest.split_once('(')) {
                names.insert(name.to_owned());
            }
        }
    }
    names
}

#[test]
fn exports_what_is_declared() {
    let library = libraries().join("libqnet.so.0");
    let symbols = run(Command::new("nm")
        .args(["--dynamic", "--defined-only", "--format=just-symbols"])
        .arg(&library));
    let exported: BTreeSet<String> = symbols.lines().map(str::to_owned).collect();
    assert_eq!(exported, declared());
    let dynamic = run(Command::new("readelf").arg("-d").arg(&library));
    assert!(dynamic.contains("soname: [libqnet.so.0]"), "{dynamic}");
}

/// Whether this machine has no module, so that what is said without it can be seen.
fn module_is_absent() -> bool {
    matches!(qnet::Channel::create(), Err(qnet::Error::ENOTSUP))
}

#[test]
fn says_what_is_documented_without_the_module() {
    if !module_is_absent() {
        eprintln!("skipped: the module is loaded");
        return;
    }
    let source = crate_dir().join("tests/c/absent.c");
    for (name, flags) in [
        ("absent_shared", &[][..]),
        ("absent_static", &["-static"][..]),
    ] {
        let program = tmp(name);
        let mut build = compiler("cc");
        build.args(["-std=gnu11", "-o"]).arg(&program).arg(&source);
        build.arg(crate_dir().join("tests/c/qnx.c"));
        build.args(flags).arg("-L").arg(libraries()).arg("-lqnet");
        if flags.is_empty() {
            run(&mut build);
        } else {
            run(build.args(["-lgcc_eh", "-lpthread", "-lm", "-ldl", "-lc"]));
        }
        run(Command::new(&program).env("LD_LIBRARY_PATH", libraries()));
    }
}

/// The programs in the folder of examples build, with the archive, and say what is missing.
#[test]
fn the_example_programs_link_with_the_archive() {
    for name in ["first", "pulses"] {
        let source = crate_dir().join(format!("../../Documentation/examples/{name}.c"));
        let program = tmp(name);
        run(compiler("cc")
            .args(["-std=c99", "-o"])
            .arg(&program)
            .arg(&source)
            .arg(libraries().join("libqnet.a"))
            .args(STATIC_NEEDS));
        let output = Command::new(&program).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        if module_is_absent() {
            assert_eq!(output.status.code(), Some(1));
            assert!(said.contains("ChannelCreate"), "{said}");
        } else {
            assert!(output.status.success(), "{said}");
        }
    }
}

/// The C program of each manual page's EXAMPLES section.
fn examples() -> Vec<(String, String)> {
    let pages = crate_dir().join("../../Documentation/man");
    let mut examples = Vec::new();
    for entry in fs::read_dir(pages).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        // A name that only refers to another one's page.
        if path.is_symlink() {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        examples.push((name.clone(), example(&name, &text)));
    }
    examples
}

/// The lines between `.EX` and `.EE` of the section EXAMPLES, as the reader sees them.
fn example(name: &str, text: &str) -> String {
    let (_, section) = text
        .split_once(".SH EXAMPLES\n")
        .unwrap_or_else(|| panic!("{name} has no EXAMPLES"));
    let body = section
        .split_once(".EX\n")
        .and_then(|(_, rest)| rest.split_once(".EE\n"))
        .unwrap_or_else(|| panic!("the example of {name} is not between .EX and .EE"))
        .0;
    let mut shown = String::new();
    for line in body.lines() {
        let line = line.strip_prefix("\\&").unwrap_or(line);
        shown.push_str(&line.replace("\\-", "-").replace("\\e", "\\"));
        shown.push('\n');
    }
    shown
}

#[test]
fn examples_of_the_manual_compile() {
    let examples = examples();
    assert!(examples.len() >= 8, "{}", examples.len());
    let mut compiled = 0;
    for (name, text) in examples {
        if !text.contains("#include") {
            // The page of the command shows commands.
            assert!(text.contains("qnet "), "{name}: {text}");
            continue;
        }
        let source = tmp(&format!("man_{name}.c"));
        fs::write(&source, text).unwrap();
        run(compiler("cc")
            .args(["-std=gnu11", "-o"])
            .arg(tmp(&format!("man_{name}")))
            .arg(&source)
            .arg("-I")
            .arg(crate_dir().join("../../rust/uapi"))
            .arg("-L")
            .arg(libraries())
            .args(["-lqnet", "-lpthread"]));
        compiled += 1;
    }
    assert!(compiled >= 7, "{compiled}");
}

/// Each function that is declared has a page, of its own or its family's.
#[test]
fn every_function_is_described() {
    let pages = crate_dir().join("../../Documentation/man");
    for name in declared() {
        let page = pages.join(format!("{name}.3"));
        let text = fs::read_to_string(&page).unwrap_or_else(|error| panic!("{page:?}: {error}"));
        let (_, rest) = text.split_once(".SH NAME\n").unwrap();
        let (names, _) = rest.split_once(" \\- ").unwrap();
        assert!(
            names.split(", ").any(|described| described == name),
            "{page:?} does not name {name}"
        );
    }
}
