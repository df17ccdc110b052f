//! The samples as a file, for implementations in other languages.

use serde_json::{Value, json};

use super::samples::{answers, events, requests};
use crate::message::*;

/// Other implementations are held to these messages by the file, which says what is written here.
/// With `CODEOUT_WRITE_SAMPLES` in the environment it is written anew.
#[test]
fn the_file_of_samples_is_these() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/frame_tests/samples.json");
    let samples = json!({
        "requests": Value::from_iter(requests().into_iter().map(|(json, _)| json)),
        "answers": Value::from_iter(answers().into_iter().map(|(json, _)| json)),
        "events": Value::from_iter(events().into_iter().map(|(json, _)| json)),
        "errors": Value::from_iter(ERROR_CODES.iter().map(|code| json!(code))),
        "limits": {
            "version": VERSION, "chunk": MAX_CHUNK, "output_window": OUTPUT_WINDOW,
            "acknowledge_after": ACKNOWLEDGE_AFTER, "acknowledge_idle": ACKNOWLEDGE_IDLE,
            "acknowledge_apart_ms": ACKNOWLEDGE_APART.as_millis() as u64,
            "acknowledge_at_latest": ACKNOWLEDGE_AT_LATEST,
            "input_window": INPUT_WINDOW, "attached": MAX_ATTACHED, "keyboard": MAX_KEYBOARD,
            "side": MAX_TERMINAL_SIDE, "cells": MAX_TERMINAL_CELLS,
        },
    });
    if std::env::var_os("CODEOUT_WRITE_SAMPLES").is_some() {
        std::fs::write(file, format!("{samples:#}\n")).expect("the file is written");
    }
    let written = std::fs::read_to_string(file).expect("the file is there");
    assert_eq!(serde_json::from_str::<Value>(&written).expect("the file is JSON"), samples);
}

/// Every code but [`ErrorCode::Unknown`], which nobody sends.
const ERROR_CODES: [ErrorCode; 8] = [
    ErrorCode::UnknownRequest,
    ErrorCode::BadRequest,
    ErrorCode::NotAllowed,
    ErrorCode::NotFound,
    ErrorCode::Limit,
    ErrorCode::Taken,
    ErrorCode::Ended,
    ErrorCode::Failed,
];
