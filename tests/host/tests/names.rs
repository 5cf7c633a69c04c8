// SPDX-License-Identifier: GPL-2.0

//! Names of nodes, and the strings that name them.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use qnet_host_tests::proto::names::{
    name_from_mac,
    parse_host,
    parse_node_string,
    Domain,
    Fqnn,
    Name,
    NameError,
    NodeString,
    Policy,
    DOMAIN_MAX,
    FQNN_MAX,
    NAME_MAX, //
};

fn name(bytes: &[u8]) -> Name {
    Name::new(bytes).unwrap()
}

fn domain(bytes: &[u8]) -> Domain {
    Domain::new(bytes).unwrap()
}

fn fqnn(name: &[u8], domain: &[u8]) -> Fqnn {
    Fqnn::from_parts(name, domain).unwrap()
}

/// What a node string names: name, domain, policy, interface, and how much of it was used.
type Parts<'a> = (
    &'a [u8],
    Option<&'a [u8]>,
    Option<(Policy, Option<&'a [u8]>)>,
    usize,
);

fn parts(node: &NodeString) -> Parts<'_> {
    let qos = node.qos.as_ref().map(|qos| {
        let interface = qos.interface.as_ref().map(|name| name.as_bytes());
        (qos.policy, interface)
    });
    let domain = node.domain.as_ref().map(Domain::as_bytes);
    (node.name.as_bytes(), domain, qos, node.used)
}

#[track_caller]
fn check(string: &str, expected: Parts<'_>) {
    let node = parse_node_string(string.as_bytes()).unwrap();
    assert_eq!(parts(&node), expected, "{string}");
}

/// A byte that a name can have.
fn name_byte() -> impl Strategy<Value = u8> {
    (0x21..=u8::MAX).prop_filter("not in names", |byte| {
        !matches!(byte, b'/' | b'.' | b'~' | 0x7f)
    })
}

fn any_name() -> impl Strategy<Value = Vec<u8>> {
    vec(name_byte(), 1..=NAME_MAX)
}

fn any_domain() -> impl Strategy<Value = Vec<u8>> {
    vec(vec(name_byte(), 1..30), 0..6).prop_map(|labels| labels.join(&b'.'))
}

#[test]
fn a_name_has_1_to_63_bytes() {
    assert_eq!(Name::new(b""), Err(NameError::Empty));
    assert_eq!(name(b"b").as_bytes(), b"b");
    assert_eq!(name(&[b'x'; 63]).as_bytes(), [b'x'; 63]);
    assert_eq!(Name::new(&[b'x'; 64]), Err(NameError::Long));
    assert_eq!(Name::new(&[b'x'; 1000]), Err(NameError::Long));
}

#[test]
fn a_name_is_one_word() {
    for byte in 0..=u8::MAX {
        let bad = matches!(byte, 0..=0x20 | 0x7f | b'/' | b'.' | b'~');
        let expected = if bad { Err(NameError::Byte) } else { Ok(()) };
        assert_eq!(Name::new(&[b'a', byte]).map(|_| ()), expected, "{byte:#x}");
    }
}

#[test]
fn a_domain_has_labels() {
    for good in ["", "a", "fubar.dfw", "a.b.c.d"] {
        assert_eq!(domain(good.as_bytes()).as_bytes(), good.as_bytes());
    }
    assert!(domain(b"").is_empty());
    assert_eq!(domain(b""), Domain::EMPTY);
    for bad in [".", "a.", ".a", "a..b", ".."] {
        assert_eq!(Domain::new(bad.as_bytes()), Err(NameError::Label), "{bad}");
    }
    for bad in ["a b", "a/b", "a.b~c", "a\0", "a\n.b"] {
        assert_eq!(Domain::new(bad.as_bytes()), Err(NameError::Byte), "{bad:?}");
    }
    assert!(Domain::new(&[b'd'; DOMAIN_MAX]).is_ok());
    assert_eq!(Domain::new(&[b'd'; DOMAIN_MAX + 1]), Err(NameError::Long));
    assert_eq!(Domain::new(&[b'd'; 5000]), Err(NameError::Long));
}

#[test]
fn an_fqnn_has_up_to_255_bytes() {
    let node = fqnn(b"bob", b"fubar.dfw");
    assert_eq!(node.as_bytes(), b"bob.fubar.dfw");
    assert_eq!(
        (node.name(), node.domain()),
        (&b"bob"[..], &b"fubar.dfw"[..])
    );
    let alone = fqnn(b"bob", b"");
    assert_eq!(alone.as_bytes(), b"bob");
    assert_eq!((alone.name(), alone.domain()), (&b"bob"[..], &b""[..]));

    let long = fqnn(&[b'n'; 63], &[b'd'; FQNN_MAX - 64]);
    assert_eq!(long.as_bytes().len(), FQNN_MAX);
    assert_eq!(
        Fqnn::from_parts(&[b'n'; 63], &[b'd'; FQNN_MAX - 63]),
        Err(NameError::Long)
    );
    assert!(Fqnn::from_parts(b"n", &[b'd'; DOMAIN_MAX]).is_ok());
}

#[test]
fn fqnns_are_ordered_by_their_bytes() {
    // '-' is before the dot, '0' is behind it.
    let sorted = [
        fqnn(b"Bob", b"z"),
        fqnn(b"a", b""),
        fqnn(b"a-b", b""),
        fqnn(b"a", b"z"),
        fqnn(b"a0", b""),
        fqnn(b"b", b"a"),
        fqnn(b"\xff", b""),
    ];
    assert!(sorted.windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn debug_shows_what_it_is() {
    assert_eq!(format!("{:?}", fqnn(b"b\xff", b"d")), r#""b\xff.d""#);
    assert_eq!(format!("{:?}", name(b"bob")), r#""bob""#);
    assert_eq!(format!("{:?}", domain(b"a.b")), r#""a.b""#);
}

#[test]
fn a_host_name_ends_at_its_first_dot() {
    assert_eq!(parse_host(b"bob.fubar.dfw"), Ok(fqnn(b"bob", b"fubar.dfw")));
    assert_eq!(parse_host(b"bob"), Ok(fqnn(b"bob", b"")));
    assert_eq!(parse_host(b""), Err(NameError::Empty));
    assert_eq!(parse_host(b".dfw"), Err(NameError::Empty));
    assert_eq!(parse_host(b"bob."), Err(NameError::Label));
    assert_eq!(parse_host(b"bob..dfw"), Err(NameError::Label));
    assert_eq!(parse_host(b"bob.dfw."), Err(NameError::Label));
    assert_eq!(parse_host(b"my box.dfw"), Err(NameError::Byte));
    assert_eq!(parse_host(b"(none)"), Ok(fqnn(b"(none)", b"")));
}

#[test]
fn a_mac_address_makes_a_name() {
    let mac = [0x00, 0x0c, 0x29, 0xdd, 0x35, 0x28];
    assert_eq!(name_from_mac(mac).as_bytes(), b"EAdd3528");
    assert_eq!(name_from_mac(mac), name(b"EAdd3528"));
    assert_eq!(name_from_mac([0; 6]).as_bytes(), b"EA000000");
    assert_eq!(name_from_mac([0xff; 6]).as_bytes(), b"EAffffff");
    assert_eq!(
        name_from_mac([0, 0, 0, 0x09, 0xa0, 0x0b]).as_bytes(),
        b"EA09a00b"
    );
}

#[test]
fn policies_have_numbers() {
    for (number, policy) in [
        (0, Policy::LoadBalance),
        (1, Policy::Redundant),
        (2, Policy::Exclusive),
        (3, Policy::Preferred),
    ] {
        assert_eq!(Policy::from_wire(number), Some(policy));
        assert_eq!(policy.to_wire(), number);
    }
    assert_eq!(Policy::from_wire(4), None);
    assert_eq!(Policy::default(), Policy::LoadBalance);
}

#[test]
fn node_strings_of_the_documentation() {
    use Policy::*;
    check("lab2", (b"lab2", None, None, 4));
    check("lab2.qnx.com", (b"lab2", Some(b"qnx.com"), None, 12));
    check("/net/lab2", (b"lab2", None, None, 9));
    check(
        "/net/peterv.qnx.com/",
        (b"peterv", Some(b"qnx.com"), None, 19),
    );
    check(
        "/net/lab2~exclusive:en0/dev/ser1",
        (b"lab2", None, Some((Exclusive, Some(b"en0"))), 23),
    );
    check(
        "/net/node1~preferred:en1",
        (b"node1", None, Some((Preferred, Some(b"en1"))), 24),
    );
    check(
        "/net/qnet.qnx.com~preferred",
        (b"qnet", Some(b"qnx.com"), Some((Preferred, None)), 27),
    );
    check("x~loadbalance", (b"x", None, Some((LoadBalance, None)), 13));
    check("x~redundant/y", (b"x", None, Some((Redundant, None)), 11));
    check("x~sequential", (b"x", None, Some((Exclusive, None)), 12));
}

#[test]
fn a_node_string_ends_where_a_path_begins() {
    check("lab2/dev/ser1", (b"lab2", None, None, 4));
    check("/net/lab2/net/x", (b"lab2", None, None, 9));
    check("lab2.dfw/a.b~c", (b"lab2", Some(b"dfw"), None, 8));
    check("lab2 and more", (b"lab2", None, None, 4));
    check("lab2\0.dfw", (b"lab2", None, None, 4));
    check(
        "a~exclusive:eth0.5/x",
        (b"a", None, Some((Policy::Exclusive, Some(b"eth0.5"))), 18),
    );
    check(
        "a~exclusive:en0~x",
        (b"a", None, Some((Policy::Exclusive, Some(b"en0"))), 15),
    );
}

#[test]
fn bad_node_strings_are_refused() {
    let long = "x".repeat(64);
    let long_domain = "x.".to_string() + &"d".repeat(254);
    let long_interface = "x~preferred:".to_string() + &"i".repeat(16);
    for (string, error) in [
        ("", NameError::Empty),
        ("/", NameError::Empty),
        ("/net/", NameError::Empty),
        ("/net", NameError::Empty),
        ("/dev/x", NameError::Empty),
        ("~loadbalance", NameError::Empty),
        (".dfw", NameError::Empty),
        ("\0", NameError::Empty),
        ("x.", NameError::Label),
        ("x./dev", NameError::Label),
        ("x.~preferred", NameError::Label),
        ("x..dfw", NameError::Label),
        ("x.dfw.", NameError::Label),
        ("x~", NameError::Qos),
        ("x~/dev", NameError::Qos),
        ("x~balance", NameError::Qos),
        ("x~Preferred", NameError::Qos),
        ("x~preferredly", NameError::Qos),
        ("x~preferred:", NameError::Qos),
        ("x~preferred:/dev", NameError::Qos),
        (long.as_str(), NameError::Long),
        (long_domain.as_str(), NameError::Long),
        (long_interface.as_str(), NameError::Long),
    ] {
        let parsed = parse_node_string(string.as_bytes());
        assert_eq!(parsed, Err(error), "{string}");
    }
}

#[test]
fn a_node_string_without_domain_is_in_the_readers() {
    let own = domain(b"qnx.com");
    let meant = |string: &[u8]| parse_node_string(string).unwrap().fqnn(&own).unwrap();
    assert_eq!(meant(b"bob"), fqnn(b"bob", b"qnx.com"));
    assert_eq!(meant(b"bob.dfw"), fqnn(b"bob", b"dfw"));
    let long = domain(&[b'd'; DOMAIN_MAX]);
    let node = parse_node_string(b"bob").unwrap();
    assert_eq!(node.fqnn(&long), Err(NameError::Long));
}

proptest! {
    #[test]
    fn an_fqnn_gives_its_parts_back(name in any_name(), domain in any_domain()) {
        prop_assume!(name.len() + 1 + domain.len() <= FQNN_MAX);
        let node = fqnn(&name, &domain);
        prop_assert_eq!(node.name(), name.as_slice());
        prop_assert_eq!(node.domain(), domain.as_slice());
        prop_assert_eq!(parse_host(node.as_bytes()), Ok(node.clone()));
        prop_assert_eq!(parse_node_string(node.as_bytes()).unwrap().used, node.as_bytes().len());
    }

    #[test]
    fn order_and_equality_agree(a in any_name(), b in any_name(), c in any_domain()) {
        let (x, y) = (fqnn(&a, &c), fqnn(&b, &c));
        prop_assert_eq!(x == y, a == b);
        prop_assert_eq!(x.cmp(&y), x.as_bytes().cmp(y.as_bytes()));
        prop_assert_eq!(x.partial_cmp(&y), Some(x.cmp(&y)));
    }

    #[test]
    fn a_node_string_is_put_together_and_apart(
        directory: bool,
        name in any_name(),
        domain in any_domain(),
        qos in proptest::option::of((0..4_u16, proptest::option::of("[a-z0-9.]{1,15}"))),
        rest in select(vec!["", "/", "/dev/ser1", " ", "\0junk"]),
    ) {
        let mut string = if directory { b"/net/".to_vec() } else { Vec::new() };
        string.extend(&name);
        if !domain.is_empty() {
            string.push(b'.');
            string.extend(&domain);
        }
        let qos = qos.map(|(policy, interface)| (Policy::from_wire(policy).unwrap(), interface));
        if let Some((policy, interface)) = &qos {
            string.push(b'~');
            string.extend(policy.as_bytes());
            if let Some(interface) = interface {
                string.push(b':');
                string.extend(interface.as_bytes());
            }
        }
        let used = string.len();
        string.extend(rest.as_bytes());

        let node = parse_node_string(&string).unwrap();
        let domain = (!domain.is_empty()).then_some(domain.as_slice());
        let qos = qos
            .as_ref()
            .map(|(policy, interface)| (*policy, interface.as_ref().map(String::as_bytes)));
        prop_assert_eq!(parts(&node), (name.as_slice(), domain, qos, used));
    }

    #[test]
    fn noise_is_no_trouble(bytes in vec(any::<u8>(), 0..300)) {
        let _ = Name::new(&bytes);
        let _ = Domain::new(&bytes);
        let _ = parse_host(&bytes);
        if let Ok(node) = parse_node_string(&bytes) {
            prop_assert!(node.used <= bytes.len());
            // What was not used does not matter.
            prop_assert_eq!(parse_node_string(&bytes[..node.used]), Ok(node));
        }
    }

    #[test]
    fn noise_of_the_grammar_is_no_trouble(string in "(/net/)?[a-z.~:/]{0,12}(~preferred)?[a-z.~:/]{0,9}") {
        let bytes = string.as_bytes();
        if let Ok(node) = parse_node_string(bytes) {
            prop_assert!(node.used <= bytes.len());
            prop_assert_eq!(parse_node_string(&bytes[..node.used]), Ok(node));
        }
    }
}
