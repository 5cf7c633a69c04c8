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

use qnet_c::_msg_info;

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
    for header in ["sys/neutrino.h", "sys/netmgr.h"] {
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
                     extern int nothing;\nint nothing = sizeof(struct _msg_info);\n"
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
    let c: BTreeMap<&str, Vec<usize>> = printed
        .lines()
        .map(|line| {
            let mut words = line.split(' ');
            let name = words.next().unwrap();
            (name, words.map(|word| word.parse().unwrap()).collect())
        })
        .collect();

    let info = _msg_info::default();
    macro_rules! fields {
        ($($name:ident)*) => { $(
            let here = vec![offset_of!(_msg_info, $name), size_of_val(&info.$name)];
            assert_eq!(c[stringify!($name)], here, stringify!($name));
        )* };
    }
    fields! {
        nd srcnd pid tid chid scoid coid priority flags msglen srcmsglen dstmsglen type_id reserved
    }
    for (name, value) in [
        ("_msg_info", size_of::<_msg_info>()),
        ("ENOREMOTE", qnet_sys::QNET_ENOREMOTE as usize),
        ("ESRVRFAULT", qnet_sys::QNET_ESRVRFAULT as usize),
        ("_NTO_SIDE_CHANNEL", qnet_sys::QNET_SIDE_CHANNEL as usize),
        (
            "_NTO_CHF_FIXED_PRIORITY",
            qnet_sys::QNET_CHF_FIXED_PRIORITY as usize,
        ),
        (
            "_NTO_CHF_SENDER_LEN",
            qnet_sys::QNET_CHF_SENDER_LEN as usize,
        ),
        ("_NTO_CHF_REPLY_LEN", qnet_sys::QNET_CHF_REPLY_LEN as usize),
        ("_NTO_CHF_PRIVATE", qnet_sys::QNET_CHF_PRIVATE as usize),
        ("_NTO_COF_CLOEXEC", qnet_sys::QNET_COF_CLOEXEC as usize),
        ("_NTO_COF_NOSHARE", qnet_sys::QNET_COF_NOSHARE as usize),
        ("_NTO_TIMEOUT_SEND", qnet_sys::QNET_TIMEOUT_SEND as usize),
        (
            "_NTO_TIMEOUT_RECEIVE",
            qnet_sys::QNET_TIMEOUT_RECEIVE as usize,
        ),
        ("_NTO_TIMEOUT_REPLY", qnet_sys::QNET_TIMEOUT_REPLY as usize),
    ] {
        assert_eq!(c[name], [value], "{name}");
    }
}

/// The names of the functions that the headers declare.
fn declared() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for header in ["sys/neutrino.h", "sys/netmgr.h"] {
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
        build.args(flags).arg("-L").arg(libraries()).arg("-lqnet");
        if flags.is_empty() {
            run(&mut build);
        } else {
            run(build.args(["-lgcc_eh", "-lpthread", "-lm", "-ldl", "-lc"]));
        }
        run(Command::new(&program).env("LD_LIBRARY_PATH", libraries()));
    }
}

#[test]
fn the_first_program_links_with_the_archive() {
    let source = crate_dir().join("../../Documentation/examples/first.c");
    let program = tmp("first");
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
