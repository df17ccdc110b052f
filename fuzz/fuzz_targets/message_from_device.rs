//! A record's plaintext as a daemon reads it: what is read, written again, reads the same.

#![no_main]

use codeout_protocol::message::{FromDevice, MAX_CHUNK};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|plaintext: &[u8]| {
    let Ok(message) = FromDevice::read(plaintext) else {
        return;
    };
    match &message {
        FromDevice::Unreadable { error, .. } => {
            assert!(error.message.len() <= 512);
            return;
        }
        FromDevice::Input(chunk) => {
            assert!((1..=MAX_CHUNK).contains(&chunk.bytes.len()));
            assert_eq!(message.write(), plaintext);
        }
        FromDevice::OutputRead(_) => assert_eq!(message.write(), plaintext),
        FromDevice::Request(_) => {}
    }
    let written = message.write();
    let again = FromDevice::read(&written).expect("it was just written");
    assert_eq!(format!("{again:?}"), format!("{message:?}"));
    assert_eq!(again.write(), written);
});
