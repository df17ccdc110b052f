//! What people type, scan and compare: addresses, codes, links, fingerprints.

mod common;

use codeout_protocol::address::Address;
use codeout_protocol::code::{Code, CodeError};
use codeout_protocol::fingerprint::Fingerprint;
use codeout_protocol::link::Link;
use codeout_protocol::sodium::PublicKey;
use common::{array, list, text, vectors};
use proptest::prelude::*;

#[test]
fn codes_are_read_as_in_the_vectors() {
    let file = vectors(include_str!("../../../vectors/code.json"));
    for case in list(&file["valid"], 9) {
        let code: Code = text(&case["typed"]).parse().unwrap();
        assert_eq!(code.canonical(), text(&case["canonical"]).as_bytes());
        assert_eq!(*code.printed(), text(&case["printed"]));
    }
    for case in list(&file["reject"], 7) {
        let read = text(&case["typed"]).parse::<Code>();
        assert!(read.is_err(), "{}", text(&case["why"]));
    }
}

#[test]
fn a_code_says_what_is_wrong_with_it() {
    let error = |typed: &str| typed.parse::<Code>().unwrap_err();
    assert_eq!(error("K7QM-3FBR-9TZ"), CodeError::Length(11));
    assert_eq!(error("K7QM-3FBR-9TZ!"), CodeError::Character);
    assert_eq!(error("K7QM\t3FBR9TZX"), CodeError::Character);
}

#[test]
fn random_codes_use_the_whole_alphabet_and_differ() {
    let codes: Vec<Code> = (0..200).map(|_| Code::random()).collect();
    let mut seen = [false; 128];
    for code in &codes {
        code.canonical().iter().for_each(|byte| seen[usize::from(*byte)] = true);
    }
    // 2,400 characters of 32 kinds: one is missed once in 10^31 runs.
    assert_eq!(seen.iter().filter(|seen| **seen).count(), 32);
    let mut distinct: Vec<_> = codes.iter().map(|code| *code.canonical()).collect();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), codes.len());
}

#[test]
fn links_are_read_and_written_as_in_the_vectors() {
    let file = vectors(include_str!("../../../vectors/link.json"));
    for case in list(&file["valid"], 4) {
        let written = text(&case["link"]);
        let link: Link = written.parse().unwrap();
        assert_eq!(link.address.to_string(), text(&case["base"]));
        assert_eq!(link.code.canonical(), text(&case["code"]).as_bytes());
        assert_eq!(link.daemon_key.0, array(&case["spk"]));
        assert_eq!(*link.printed(), written);

        let scanned: Link = link.qr_text().parse().unwrap();
        assert_eq!(*scanned.printed(), written);
    }
    for case in list(&file["reject"], 6) {
        let read = text(&case["link"]).parse::<Link>();
        assert!(read.is_err(), "{}", text(&case["why"]));
    }
}

#[test]
fn fingerprints_are_the_vectors() {
    let file = vectors(include_str!("../../../vectors/fingerprint.json"));
    for case in list(&file["cases"], 4) {
        let fingerprint = Fingerprint::of(&PublicKey(array(&case["spk"]))).unwrap();
        assert_eq!(format!("{fingerprint:?}"), format!("Fingerprint({fingerprint})"));
        let printed = text(&case["fingerprint"]);
        assert_eq!(fingerprint.to_string(), printed);
        assert_eq!(printed.parse(), Ok(fingerprint));
        assert_eq!(printed.to_lowercase().replace('-', " ").parse(), Ok(fingerprint));
    }
}

#[test]
fn what_is_no_fingerprint_is_refused() {
    for typed in ["", "ZMYR-C1H", "ZMYR-C1HGG", "ZMYR-C1HU", "ZMYR_C1HG", "ZMYR-C1HГ"] {
        assert!(typed.parse::<Fingerprint>().is_err(), "{typed:?}");
    }
}

#[test]
fn what_is_no_link_is_refused() {
    let fragment = "K7QM3FBR9TZX8FFHQW4SN30XFRNR1FPPJABXN7K38ZJ4J7YDJZPN5J0BFTMNMS6G";
    assert!(format!("http://desk:8400/#{fragment}").parse::<Link>().is_ok());
    for text in [
        String::new(),
        fragment.to_string(),
        format!("#{fragment}"),
        format!("/#{fragment}"),
        format!("desk:8400/#{fragment}"),
        format!("http://desk:8400#{fragment}"),
        format!("http://desk:8400/path/#{fragment}"),
        format!("http://desk:8400/?q/#{fragment}"),
        format!("http://user@desk:8400/#{fragment}"),
        format!("http://desk:0/#{fragment}"),
        format!("http://de sk:8400/#{fragment}"),
        format!("http://desk:8400/#{fragment}&x=1"),
        format!("http://desk:8400/#{fragment}/#{fragment}"),
        "http://desk:8400/#".to_string(),
    ] {
        assert!(text.parse::<Link>().is_err(), "{text:?}");
    }
}

#[test]
fn codes_and_links_hide_themselves_from_debug() {
    let code: Code = "K7QM-3FBR-9TZX".parse().unwrap();
    assert_eq!(format!("{code:?}"), "Code(..)");
    assert_eq!(format!("{code:#?}"), "Code(..)");
    let address: Address = "http://desk:8400".parse().unwrap();
    let expected = format!("Link {{ address: {address:?}, .. }}");
    let link = Link { address, code, daemon_key: PublicKey([7; 32]) };
    assert_eq!(format!("{link:?}"), expected);
    let error = link.printed().replace("desk", "de sk").parse::<Link>().unwrap_err();
    assert!(!format!("{error:?} {error}").contains("K7QM"));
}

/// A host as people have them: a name, an IPv4 address, an IPv6 address.
fn host() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9][a-zA-Z0-9._-]{0,40}",
        any::<std::net::Ipv4Addr>().prop_map(|address| address.to_string()),
        any::<std::net::Ipv6Addr>().prop_map(|address| format!("[{address}]")),
    ]
}

fn address() -> impl Strategy<Value = Address> {
    (any::<bool>(), host(), prop::option::of(1_u16..)).prop_map(|(secure, host, port)| {
        Address::new(secure, &host, port).expect("a host as people have them")
    })
}

/// Text that is nearly what is wanted, so that more than the first check is reached.
fn nearly() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[0-9A-Za-z \\-_!OoIlUu]{0,20}",
        "(http|https|HTTP|ftp)?(://)?[\\[\\]a-z0-9:.%@/?#\\\\-]{0,40}(:[0-9+-]{0,6})?(/#)?[0-9A-Z]{60,66}",
        "\\PC{0,80}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_text_panics_and_what_is_read_prints_and_reads_the_same(text in nearly()) {
        if let Ok(code) = text.parse::<Code>() {
            let again: Code = code.printed().parse().unwrap();
            prop_assert_eq!(again.canonical(), code.canonical());
        }
        if let Ok(fingerprint) = text.parse::<Fingerprint>() {
            prop_assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
        }
        if let Ok(address) = text.parse::<Address>() {
            prop_assert_eq!(address.to_string().parse(), Ok(address));
        }
        if let Ok(address) = Address::from_typed(&text) {
            prop_assert_eq!(address.to_string().parse(), Ok(address.clone()));
            prop_assert_eq!(Address::from_typed(&address.to_string()), Ok(address));
        }
        if let Ok(link) = text.parse::<Link>() {
            let again: Link = link.printed().parse().unwrap();
            prop_assert_eq!(again.printed(), link.printed());
        }
    }

    #[test]
    fn every_code_comes_back_however_it_is_typed(
        canonical in "[0-9A-HJKMNP-TV-Z]{12}",
        dashes in prop::collection::vec(0..3_usize, 12),
        lower: bool,
    ) {
        let mut typed = String::new();
        for (character, dash) in canonical.chars().zip(dashes) {
            typed.push_str(["", "-", " "][dash]);
            typed.push(match character {
                '0' if lower => 'o',
                '1' if lower => 'l',
                other if lower => other.to_ascii_lowercase(),
                other => other,
            });
        }
        let code: Code = typed.parse().unwrap();
        prop_assert_eq!(code.canonical().as_slice(), canonical.as_bytes());
    }

    #[test]
    fn every_fingerprint_comes_back(typed in "[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}") {
        let fingerprint: Fingerprint = typed.parse().unwrap();
        prop_assert_eq!(fingerprint.to_string(), typed);
    }

    #[test]
    fn every_link_comes_back(address in address(), key: [u8; 32]) {
        let link = Link { address, code: Code::random(), daemon_key: PublicKey(key) };
        for text in [link.printed(), link.qr_text()] {
            let again: Link = text.parse().unwrap();
            prop_assert_eq!(&again.address, &link.address);
            prop_assert_eq!(again.code.canonical(), link.code.canonical());
            prop_assert_eq!(again.daemon_key, link.daemon_key);
        }
        // A QR's alphanumeric mode has no lower case.
        prop_assert!(!link.qr_text().chars().any(|c| c.is_ascii_lowercase()));
    }

    #[test]
    fn a_link_with_any_character_changed_is_another_or_none(
        address in address(),
        at in 0..64_usize,
        to in "[0-9A-HJKMNP-TV-Z]",
    ) {
        let daemon_key = PublicKey([0x5a; 32]);
        let link = Link { address, code: Code::random(), daemon_key };
        let mut text = link.printed().to_string();
        let at = text.len() - 64 + at;
        prop_assume!(text[at..=at] != to);
        text.replace_range(at..=at, &to);
        if let Ok(other) = text.parse::<Link>() {
            let same_code = other.code.canonical() == link.code.canonical();
            prop_assert!(!same_code || other.daemon_key != link.daemon_key);
        }
    }
}
