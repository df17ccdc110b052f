//! What goes through the control socket, taken apart without the code that is tried.

use codeout_daemon::fuzzing::{control_reply, control_request};
use codeout_protocol::name::clean_text;
use serde_json::{Value, json};

/// The longest line either way, in bytes.
pub const MAX_LINE: usize = 1 << 20;

/// The line that `said` begins with, which is cut where it is too long; and what is behind it.
pub fn first_line(said: &[u8]) -> (&[u8], &[u8]) {
    let most = &said[..said.len().min(MAX_LINE)];
    said.split_at(most.iter().position(|b| *b == b'\n').map_or(most.len(), |at| at + 1))
}

/// What the line asks; `None` when it asks nothing.
pub fn request(line: &[u8]) -> Option<Value> {
    let (written, connects) = control_request(line)?;
    assert_eq!(control_request(&written), Some((written.clone(), connects)));
    let request = json(&written);
    assert_eq!(request["request"] == "connect", connects);
    Some(request)
}

/// The replies that the daemon wrote, each in a line that whoever asked can read to its end, and as
/// it was written; and that he can show.
pub fn replies(mut heard: &[u8]) -> Vec<Reply> {
    let mut replies = Vec::new();
    while !heard.is_empty() {
        let (line, rest) = first_line(heard);
        let content = line.strip_suffix(b"\n").expect("a line of bounded length");
        assert_eq!(control_reply(content).as_deref(), Some(content));
        assert!(can_be_shown(&json(content)), "{}", content.escape_ascii());
        replies.push(Reply::of(content));
        heard = rest;
    }
    replies
}

/// A reply: which, and what it says.
#[derive(Debug, PartialEq)]
pub struct Reply {
    /// `status`, `error` …
    pub kind: String,
    /// The rest; nothing where the word is all.
    pub content: Value,
}

impl Reply {
    /// A reply as it was written.
    pub fn of(written: &[u8]) -> Reply {
        match json(written) {
            Value::String(kind) => Reply { kind, content: Value::Null },
            Value::Object(mut only) if only.len() == 1 => {
                let kind = only.keys().next().cloned().expect("there is one");
                let content = only.remove(&kind).expect("it is there");
                Reply { kind, content }
            }
            other => panic!("{other}"),
        }
    }

    /// What it says, when it is of this kind.
    pub fn is(&self, kind: &str) -> Option<&Value> {
        (self.kind == kind).then_some(&self.content)
    }

    /// Which error it tells, if it does.
    pub fn error(&self) -> Option<&str> {
        match self.is("error")? {
            Value::String(word) => Some(word),
            Value::Object(only) => only.keys().next().map(String::as_str),
            other => panic!("{other}"),
        }
    }
}

/// What JSON there is.
pub fn json(text: &[u8]) -> Value {
    serde_json::from_slice(text).expect("it was written as JSON")
}

/// A request that holds `text`, in the field that `which` names, as often as told: as much of it as a
/// line holds.
pub fn long_request(which: u8, text: &str, times: u16) -> Vec<u8> {
    let request = |text: &str| {
        let mut line = match which % 5 {
            0 => json!({"request": "revoke", "device": text}),
            1 => json!({"request": "rename", "device": text, "name": "phone"}),
            2 => json!({"request": "rename", "device": "phone", "name": text}),
            3 => json!({"request": "trail", "query": {"device": text}, "follow": false}),
            _ => json!({"request": "restart", "executable": text, "handover": 1}),
        }
        .to_string();
        line.push('\n');
        line
    };
    let (empty, once) = (request("").len(), request(text).len());
    let most = (MAX_LINE - empty) / (once - empty).max(1);
    request(&text.repeat(most.min(times.into()))).into()
}

/// What `said` says, its first line so long that it just has room, or has not; `over` is by how much.
pub fn stretched(said: &[u8], over: i8) -> Vec<u8> {
    let (line, rest) = first_line(said);
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let length = (MAX_LINE - 1).saturating_add_signed(over.into());
    let blank = vec![b' '; length.saturating_sub(line.len())];
    [line, &blank, b"\n", rest].concat()
}

/// Whether no text in it acts on a terminal.
fn can_be_shown(value: &Value) -> bool {
    match value {
        Value::String(text) => clean_text(text, usize::MAX) == *text,
        Value::Array(values) => values.iter().all(can_be_shown),
        Value::Object(fields) => fields.values().all(can_be_shown),
        _ => true,
    }
}
