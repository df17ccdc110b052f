//! The vectors in `vectors/`: JSON whose byte strings are hexadecimal.

#![allow(dead_code)] // every file of tests uses a part of this

use serde_json::Value;

/// A vector file, as `include_str!` gave it.
pub(crate) fn vectors(text: &str) -> Value {
    serde_json::from_str(text).expect("a vector file is JSON")
}

/// The elements of a list, of which there must be `count`: a file that lost some proves less.
pub(crate) fn list(value: &Value, count: usize) -> &[Value] {
    let list = value.as_array().expect("a list").as_slice();
    assert_eq!(list.len(), count, "entries in the vector file");
    list
}

/// Text.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

/// Hexadecimal, of either case.
pub(crate) fn hex(value: &Value) -> Vec<u8> {
    let text = text(value);
    assert!(text.len().is_multiple_of(2), "hexadecimal has two digits per byte");
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal");
    (0..text.len()).step_by(2).map(byte).collect()
}

/// Hexadecimal of a known length.
pub(crate) fn array<const N: usize>(value: &Value) -> [u8; N] {
    hex(value).try_into().expect("the vector's length")
}
