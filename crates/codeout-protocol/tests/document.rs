//! The messages that `docs/protocol.md` shows are those that this crate reads and writes.

use codeout_protocol::message::{Answer, FromDaemon, FromDevice, Outcome};
use serde_json::{Deserializer, Value};

const DOCUMENT: &str = include_str!("../../../docs/protocol.md");

/// The lines between `begin` and `end`, without them.
fn part<'a>(begin: &str, end: &str) -> &'a str {
    let (_, behind) = DOCUMENT.split_once(begin).expect("the part's beginning");
    behind.split_once(end).expect("the part's end").0
}

/// Every message in the blocks of a part; those that are shortened aside.
fn messages(part: &str) -> Vec<Value> {
    let blocks = part.split("\n```").skip(1).step_by(2);
    let whole = blocks.filter(|block| block.trim().starts_with('{')).flat_map(|block| {
        let text: String = block.lines().filter(|line| !line.contains('…')).collect();
        let values = Deserializer::from_str(&text).into_iter::<Value>();
        values.map(|value| value.expect(block)).collect::<Vec<_>>()
    });
    whole.collect()
}

/// What a message is read as, and written again.
fn again(message: &Value) -> Value {
    let body = message.to_string().into_bytes();
    let kind = match () {
        () if message.get("request").is_some() => 0x01,
        () if message.get("event").is_some() => 0x03,
        () => 0x02,
    };
    let plaintext = [vec![kind], body].concat();
    let written = if kind == 0x01 {
        let read = FromDevice::read(&plaintext).expect("a message");
        assert!(matches!(read, FromDevice::Request(_)), "{message}: {read:?}");
        read.write()
    } else {
        let read = FromDaemon::read(&plaintext).expect("a message");
        assert!(!matches!(read, FromDaemon::UnknownEvent), "{message}");
        if let FromDaemon::Reply(reply) = &read
            && let Outcome::Ok(Answer::Done {}) = reply.outcome
        {
            assert_eq!(message["ok"], serde_json::json!({}), "{message}");
        }
        read.write()
    };
    serde_json::from_slice(&written[1..]).expect("it was just written")
}

#[test]
fn every_message_shown_is_one() {
    let shown = messages(part("## 9 Message layer", "## 10 Limits"));
    assert!(shown.len() >= 40, "{} messages", shown.len());
    for message in shown {
        let written = again(&message);
        for (name, value) in message.as_object().expect("an object") {
            assert_eq!(&written[name], value, "{message}");
        }
    }
}
