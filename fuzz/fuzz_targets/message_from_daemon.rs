//! A record's plaintext as a device reads it: what is read, written again, reads the same.

#![no_main]

use codeout_protocol::message::{FromDaemon, MAX_CHUNK};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|plaintext: &[u8]| {
    let Ok(message) = FromDaemon::read(plaintext) else {
        return;
    };
    match &message {
        FromDaemon::UnknownEvent => return,
        FromDaemon::Output(chunk) | FromDaemon::Snapshot(chunk) => {
            assert!((1..=MAX_CHUNK).contains(&chunk.bytes.len()));
            assert_eq!(message.write(), plaintext);
        }
        FromDaemon::InputWritten(_) => assert_eq!(message.write(), plaintext),
        FromDaemon::Reply(_) | FromDaemon::Event(_) => {}
    }
    let written = message.write();
    let again = FromDaemon::read(&written).expect("it was just written");
    assert_eq!(format!("{again:?}"), format!("{message:?}"));
    assert_eq!(again.write(), written);
});
