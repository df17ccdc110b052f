//! `daemons.json`, where a device keeps its secrets: what is read is written so that it reads the
//! same, into memory that was there from the beginning; what is refused is told without a word of
//! the file.

#![no_main]

use codeout_device::Profile;
use codeout_device::fuzzing::{daemons, daemons_text};
use codeout_protocol::name::Name;
use libfuzzer_sys::fuzz_target;

/// What a profile takes at most, as `store.rs` reckons.
const MAX_ENTRY: usize = 2048;

fuzz_target!(|text: &[u8]| match daemons(text) {
    Ok(profiles) => {
        profiles.iter().for_each(check);
        let written = daemons_text(&profiles);
        // Else the buffer grew, and left secrets behind.
        assert!(written.len() <= (1 + profiles.len()) * MAX_ENTRY);
        let again = daemons(&written).expect("it was just written");
        assert_eq!(again.len(), profiles.len());
        assert_eq!(*daemons_text(&again), *written);
    }
    Err(reason) => check_told(&reason),
});

fn check(profile: &Profile) {
    for name in [profile.name.as_str(), profile.device_name.as_str()] {
        assert_eq!(Name::clean(name).expect("a name").as_str(), name);
    }
    assert_eq!(profile.address.to_string().parse(), Ok(profile.address.clone()));
    let shown = format!("{profile:?}");
    for secret in [profile.credentials.token.expose(), profile.credentials.device.secret.expose()] {
        assert!(!shown.contains(&format!("{secret:?}")));
    }
}

/// Nothing but our own words and numbers.
fn check_told(reason: &str) {
    let words: String = reason.chars().filter(|c| !c.is_ascii_digit()).collect();
    let known = [
        "it has an unexpected value at line , column ",
        "it is not valid JSON at line , column ",
        "there is no format ",
        "daemons.json was written by a later version of codeout (format )",
    ];
    assert!(known.iter().any(|known| words.contains(known)) && words.len() < 160, "{reason}");
}
