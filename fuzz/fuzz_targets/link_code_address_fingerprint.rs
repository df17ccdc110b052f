//! Text that people type or scan, and names that a peer proposes: nothing panics, and what is
//! read prints as something that reads the same.

#![no_main]

use codeout_protocol::address::Address;
use codeout_protocol::code::Code;
use codeout_protocol::fingerprint::Fingerprint;
use codeout_protocol::link::Link;
use codeout_protocol::name::Name;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(code) = text.parse::<Code>() {
        let again: Code = code.printed().parse().expect("a printed code");
        assert_eq!(again.canonical(), code.canonical());
    }
    if let Ok(fingerprint) = text.parse::<Fingerprint>() {
        assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
    }
    if let Ok(address) = text.parse::<Address>() {
        check_address(address);
    }
    if let Ok(address) = Address::from_typed(text) {
        check_address(address);
    }
    if let Ok(link) = text.parse::<Link>() {
        for printed in [link.printed(), link.qr_text()] {
            let again: Link = printed.parse().expect("a printed link");
            assert_eq!(again.address, link.address);
            assert_eq!(again.code.canonical(), link.code.canonical());
            assert_eq!(again.daemon_key, link.daemon_key);
        }
        check_address(link.address);
    }
    if let Some(name) = Name::clean(text) {
        assert!((1..=Name::MAX_BYTES).contains(&name.as_str().len()));
        assert!(!name.as_str().chars().any(char::is_control));
        assert_eq!(Name::clean(name.as_str()), Some(name));
    }
});

fn check_address(address: Address) {
    let printed = address.to_string();
    assert!(printed.is_ascii() && printed.len() <= 8 + 253 + 6);
    assert_eq!(printed.parse(), Ok(address.clone()));
    assert_eq!(Address::from_typed(&printed), Ok(address));
}
