//! What the daemon reads of its own files, and of what programs print to it: the key file, the
//! sessions of a daemon that was killed, lines of the audit trail, a login shell's environment.

#![no_main]

use std::os::unix::ffi::OsStrExt;

use codeout_daemon::fuzzing::{environment, key_file, lost_sessions, trail_line};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((which, bytes)) = input.split_first() else {
        return;
    };
    match which % 4 {
        0 => check_identity(bytes),
        1 => {
            if let Some(written) = lost_sessions(bytes) {
                assert_eq!(lost_sessions(&written), Some(written));
            }
        }
        2 => {
            if let Some(Ok((written, devices))) =
                std::str::from_utf8(bytes).ok().map(|text| trail_line(text).ok_or(()))
            {
                assert!(devices <= 2);
                assert_eq!(trail_line(&written), Some((written, devices)));
            }
        }
        _ => check_environment(bytes),
    }
});

/// A key file has one text for each key, and what is told of another has nothing of it.
fn check_identity(line: &[u8]) {
    match key_file(line) {
        Ok(pair) => {
            let digits: String = pair.secret.expose().iter().map(|b| format!("{b:02x}")).collect();
            assert_eq!(line, format!("codeout-identity-1 {digits}\n").as_bytes());
        }
        Err(told) => {
            assert!(told.len() < 120 && !told.contains(char::is_control), "{told}");
        }
    }
}

/// Every variable can be given to a program, and stands in what was said.
fn check_environment(said: &[u8]) {
    for (name, value) in environment(said).unwrap_or_default() {
        let (name, value) = (name.as_bytes(), value.as_bytes());
        assert!(!name.is_empty() && !name.contains(&b'=') && !name.contains(&0));
        assert!(!value.contains(&0));
        let entry = [name, b"=", value].concat();
        assert!(said.windows(entry.len()).any(|window| window == entry));
    }
}
