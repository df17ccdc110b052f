//! What this crate makes of the inputs that fuzzing found worth keeping. The app's tests read the
//! same file, and must make the same of them: `web/tests/protocol/seeds.test.ts`.
//!
//! With other inputs, `CODEOUT_WRITE_VERDICTS=1 cargo test -p codeout-protocol --test seeds` writes
//! it anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use codeout_protocol::address::Address;
use codeout_protocol::code::Code;
use codeout_protocol::fingerprint::Fingerprint;
use codeout_protocol::link::Link;
use codeout_protocol::message::{Answer, FromDaemon, Outcome, Reply};
use codeout_protocol::name::Name;
use serde_json::{Value, json};

/// The largest number that the app can read.
const MAX_NUMBER: u64 = (1 << 53) - 1;

fn seeds() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds")
}

/// The verdict about every input of a target, by its name.
fn verdicts(target: &str, verdict: impl Fn(&[u8]) -> Value) -> Value {
    let files = fs::read_dir(seeds().join(target)).expect("the target's inputs");
    let files = files.map(|file| file.expect("a directory").path());
    let verdicts: BTreeMap<_, _> = files
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, verdict(&fs::read(&path).expect("a file")))
        })
        .collect();
    assert!(verdicts.len() > 10, "{target} has few inputs");
    json!(verdicts)
}

/// What a device makes of a message: how this crate writes it, whether the app reads more strictly
/// and refuses it (numbers that are too large for it, offers that nobody can use), and to which
/// request a reply is the answer. `null`: a violation.
fn of_message(plaintext: &[u8]) -> Value {
    let Ok(message) = FromDaemon::read(plaintext) else { return Value::Null };
    let answer = match &message {
        FromDaemon::UnknownEvent => return json!("later"),
        FromDaemon::Reply(Reply { outcome: Outcome::Ok(answer), .. }) => Some(match answer {
            Answer::Devices { .. } => "devices",
            Answer::Offer(_) => "offer",
            Answer::Sessions { .. } => "sessions",
            Answer::Opened { .. } => "open",
            Answer::Attached(_) => "attach",
            Answer::Programs { .. } => "programs",
            Answer::Renamed { .. } => "rename",
            _ => "ping",
        }),
        _ => None,
    };
    let large = match &message {
        FromDaemon::Output(chunk) | FromDaemon::Snapshot(chunk) => {
            chunk.offset + chunk.bytes.len() as u64 > MAX_NUMBER
        }
        FromDaemon::InputWritten(progress) => progress.offset > MAX_NUMBER,
        FromDaemon::Reply(reply) => is_large(&json!(reply)),
        FromDaemon::Event(event) => is_large(&json!(event)),
        FromDaemon::UnknownEvent => false,
    };
    let useless = match &message {
        FromDaemon::Reply(Reply { outcome: Outcome::Ok(Answer::Offer(offer)), .. }) => {
            offer.code.parse::<Code>().is_err()
                || offer.links.iter().any(|link| link.parse::<Link>().is_err())
        }
        _ => false,
    };
    json!({ "written": hex(&message.write()), "stricter": large || useless, "answer": answer })
}

fn is_large(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_u64().is_some_and(|number| number > MAX_NUMBER),
        Value::Array(items) => items.iter().any(is_large),
        Value::Object(members) => members.values().any(is_large),
        _ => false,
    }
}

/// What is made of a text that somebody types or scans, or a peer proposes.
fn of_text(bytes: &[u8]) -> Value {
    let Ok(text) = std::str::from_utf8(bytes) else { return Value::Null };
    let canonical = |code: Code| String::from_utf8_lossy(code.canonical()).into_owned();
    let code = text.parse::<Code>().ok().map(canonical);
    let fingerprint = text.parse::<Fingerprint>().ok().map(|print| print.to_string());
    let address = text.parse::<Address>().ok().map(|address| address.to_string());
    let typed = Address::from_typed(text).ok().map(|address| address.to_string());
    let link = text.parse::<Link>().ok().map(|link| link.printed().to_string());
    let name = Name::clean(text).map(|name| name.to_string());
    json!({
        "code": code, "fingerprint": fingerprint, "address": address, "typed": typed,
        "link": link, "name": name,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn what_is_made_of_each_input_is_written_down() {
    let now = json!({
        "message_from_daemon": verdicts("message_from_daemon", of_message),
        "link_code_address_fingerprint": verdicts("link_code_address_fingerprint", of_text),
    });
    let path = seeds().join("verdicts.json");
    let text = serde_json::to_string_pretty(&now).expect("a text") + "\n";
    if std::env::var_os("CODEOUT_WRITE_VERDICTS").is_some() {
        fs::write(&path, &text).expect("a file");
    }
    let written = fs::read_to_string(&path).expect("the verdicts");
    assert!(text == written, "the verdicts are of other inputs: the head of this file says how");
}
