//! Bytes as programs write them, and worse.

use proptest::collection::vec;
use proptest::prelude::*;

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Feed(Vec<u8>),
    Resize(u16, u16),
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let resize = (2u16..20, 2u16..9).prop_map(|(columns, rows)| Step::Resize(columns, rows));
    vec(prop_oneof![6 => bytes().prop_map(Step::Feed), 1 => resize], 1..6)
}

pub(crate) fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(token(), 0..40).prop_map(|tokens| tokens.concat())
}

fn token() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![4 => 0u32..14, 1 => 0u32..120, 1 => any::<u32>()];
    let numbers = vec(number.prop_map(|number| number.to_string()), 0..4);
    let text = "[a-zA-Z0-9 ~中文😀é\u{301}\u{200d}\u{ad}\u{85}\u{9b}]{1,12}";
    prop_oneof![
        8 => text.prop_map(|text| text.into_bytes()),
        4 => prop::sample::select(CONTROLS).prop_map(|control| control.to_vec()),
        8 => (numbers, prop::sample::select(FINALS))
            .prop_map(|(numbers, last)| sequence(&numbers.join(";"), last)),
        4 => prop::sample::select(MODES).prop_map(|mode| format!("\x1b[?{mode}").into_bytes()),
        4 => prop::sample::select(PENS).prop_map(|pen| format!("\x1b[{pen}").into_bytes()),
        3 => prop::sample::select(STRINGS).prop_map(|string| string.as_bytes().to_vec()),
        3 => prop::sample::select(ESCAPES).prop_map(|rest| format!("\x1b{rest}").into_bytes()),
        1 => vec(any::<u8>(), 1..4),
    ]
}

fn sequence(numbers: &str, last: &str) -> Vec<u8> {
    let (prefix, rest) = match last.strip_prefix(['?', '>', '<', '=']) {
        Some(rest) => (&last[..1], rest),
        None => ("", last),
    };
    format!("\x1b[{prefix}{numbers}{rest}").into_bytes()
}

const CONTROLS: &[&[u8]] =
    &[b"\r\n", b"\n", b"\r", b"\t", b"\x08", b"\x07", b"\x0e", b"\x0f", b"\x1b", b"\x18", b"\x0b"];
const FINALS: &[&str] = &[
    "@", "A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M", "P", "S", "T", "X", "Z",
    "^", "`", "a", "b", "d", "e", "f", "g", "h", "l", "m", "r", "s", "u", "t", "?J", "?K", " @",
    " A", " q", "'}", "'~", "\"q", ">u", "<u", "=u", "H", "H", "r", "m", "J", "K", "?h", "?l",
];
const MODES: &[&str] = &[
    "1h", "5h", "6h", "6l", "7h", "7l", "9h", "12h", "25l", "45h", "66h", "1000h", "1002h",
    "1003l", "1004h", "1005h", "1006h", "1007h", "1015h", "1016h", "1048h", "1048l", "1049h",
    "1049l", "47h", "47l", "1047h", "1047l", "2004h", "2026h", "2026l", "2031h", "2048h", "1049h",
    "1049l",
];
const PENS: &[&str] = &[
    "m",
    "1m",
    "31m",
    "41m",
    "4m",
    "4:3m",
    "58:5:9m",
    "58;2;1;2;3m",
    "38;5;200m",
    "48;2;9;8;7m",
    "7m",
    "0;9m",
    "53m",
    "22;24m",
    "1\"q",
    "0\"q",
    "4h",
    "4l",
    "20h",
    "20l",
    "!p",
    "97;105m",
    "38:2::1:2:3m",
    "49m",
    "59m",
    "24m",
];
const STRINGS: &[&str] = &[
    "\x1b]2;title\x07",
    "\x1b]0;both\x1b\\",
    "\x1b]1;icon\x07",
    "\x1b]8;;http://a\x07",
    "\x1b]8;id=x;http://b\x07",
    "\x1b]8;;\x07",
    "\x1b]4;1;#ff0000;2;rgb:1/2/3\x07",
    "\x1b]10;#abc\x07",
    "\x1b]11;rgb:ffff/0/80\x07",
    "\x1b]104\x07",
    "\x1b]111\x07",
    "\x1b]9;told\x07",
    "\x1b]777;notify;a;b\x07",
    "\x1b]99;d=0:i=1;x\x07",
    "\x1bPq#0~\x1b\\",
    "\x1b[22;0t",
    "\x1b[23;0t",
    "\x1b_Gx\x1b\\",
    "\x1bXsos\u{9c}",
    "\x1b]52;c;aGk=\x07",
];
const ESCAPES: &[&str] = &[
    "7", "8", "D", "E", "H", "M", "=", ">", "c", "n", "o", "|", "}", "~", "(0", "(B", ")0", "*A",
    "+K", "(4", "-0", "#8", "%G", "7", "8", "M",
];
