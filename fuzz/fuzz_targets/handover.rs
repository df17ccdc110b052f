//! What a daemon's next process reads: the sessions of the one before. Whatever makes sense goes
//! on, and is written down again as the same; nothing is made of nothing, however long it says it
//! is.

#![no_main]

use codeout_daemon::fuzzing::{handover, handover_typed};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|state: &[u8]| {
    let Ok(written) = handover(state) else {
        return;
    };
    let typed = handover_typed(state).expect("it made sense before");
    assert!(typed <= state.len());
    let again = handover(&written).expect("it was just written");
    assert_eq!(again.escape_ascii().to_string(), written.escape_ascii().to_string());
    assert_eq!(handover_typed(&written).ok(), Some(typed));
});
