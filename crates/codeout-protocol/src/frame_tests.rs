#[path = "frame_tests/any.rs"]
mod any;
#[path = "frame_tests/entries.rs"]
mod entries;
#[path = "frame_tests/file.rs"]
mod file;
#[path = "frame_tests/samples.rs"]
mod samples;

use serde_json::{Value, json};

use super::*;
use crate::message::*;

fn from_device(kind: u8, body: &[u8]) -> Result<String, Error> {
    let plaintext = [&[kind], body].concat();
    FromDevice::read(&plaintext).map(|message| format!("{message:?}"))
}

fn from_daemon(kind: u8, body: &[u8]) -> Result<String, Error> {
    let plaintext = [&[kind], body].concat();
    FromDaemon::read(&plaintext).map(|message| format!("{message:?}"))
}

fn bad_message<T>() -> Result<T, Error> {
    Err(Misbehaviour::Message.into())
}

fn read_request_text(body: &str) -> NumberedRequest {
    let plaintext = [&[kind::REQUEST], body.as_bytes()].concat();
    match FromDevice::read(&plaintext).unwrap() {
        FromDevice::Request(request) => request,
        other => panic!("{other:?}"),
    }
}

fn unreadable_code(body: &str) -> (u32, ErrorCode) {
    let plaintext = [&[kind::REQUEST], body.as_bytes()].concat();
    match FromDevice::read(&plaintext).unwrap() {
        FromDevice::Unreadable { id, error } => (id, error.code),
        other => panic!("{other:?}"),
    }
}

fn read_event_text(body: &str) -> Option<Event> {
    let plaintext = [&[kind::EVENT], body.as_bytes()].concat();
    match FromDaemon::read(&plaintext).unwrap() {
        FromDaemon::Event(event) => Some(event),
        FromDaemon::UnknownEvent => None,
        other => panic!("{other:?}"),
    }
}

fn read_reply(body: &Value) -> Reply {
    let plaintext = [vec![kind::REPLY], body.to_string().into_bytes()].concat();
    match FromDaemon::read(&plaintext).unwrap() {
        FromDaemon::Reply(reply) => reply,
        other => panic!("{other:?}"),
    }
}

/// Adds members of a later version to an object.
fn with_more(mut object: Value) -> Value {
    let members = object.as_object_mut().expect("an object");
    members.insert("a_later_version".into(), json!({"nested": [1, "two", null]}));
    members.insert("and_more".into(), json!(3.5));
    object
}

fn written_json(plaintext: &[u8], kind: u8) -> Value {
    assert_eq!(plaintext[0], kind);
    serde_json::from_slice(&plaintext[1..]).unwrap()
}

#[test]
fn errors_have_their_form() {
    for (name, code) in [
        ("unknown_request", ErrorCode::UnknownRequest),
        ("bad_request", ErrorCode::BadRequest),
        ("not_allowed", ErrorCode::NotAllowed),
        ("not_found", ErrorCode::NotFound),
        ("limit", ErrorCode::Limit),
        ("taken", ErrorCode::Taken),
        ("ended", ErrorCode::Ended),
        ("failed", ErrorCode::Failed),
    ] {
        let outcome = Outcome::Error(RequestError::new(code, "why"));
        let reply = Reply { id: 9, outcome };
        let json = json!({"id": 9, "error": {"code": name, "message": "why"}});
        assert_eq!(written_json(&FromDaemon::Reply(reply.clone()).write(), 0x02), json);
        assert_eq!(read_reply(&with_more(json)), reply);
    }
}

#[test]
fn a_code_or_reason_of_a_later_version_is_unknown() {
    let json = json!({"id": 1, "error": {"code": "quota_exceeded", "message": "why"}});
    let Outcome::Error(error) = read_reply(&json).outcome else { panic!() };
    assert_eq!(error.code, ErrorCode::Unknown);
    let event = read_event_text(r#"{"event":"closing","reason":"moved_house"}"#);
    assert_eq!(event, Some(Event::Closing { reason: ClosingReason::Unknown }));
}

#[test]
fn the_text_of_an_error_is_cleaned_and_cut() {
    let error = RequestError::new(ErrorCode::Failed, "é".repeat(MAX_TEXT));
    assert_eq!(error.message, "é".repeat(MAX_TEXT / 2));
    let error = RequestError::new(ErrorCode::Failed, "no\x1b[2J\nshell");
    assert_eq!(error.message, "no[2J shell");
}

#[test]
fn an_unknown_request_is_answered_and_not_an_end() {
    for body in [
        r#"{"id":7,"request":"teleport"}"#,
        r#"{"id":7,"request":"Ping"}"#,
        r#"{"id":7,"request":""}"#,
        r#"{"request":"teleport","to":{"x":[1,2]},"id":7}"#,
    ] {
        assert_eq!(unreadable_code(body), (7, ErrorCode::UnknownRequest), "{body}");
    }
}

#[test]
fn a_known_request_with_bad_members_is_answered_too() {
    for body in [
        r#"{"id":7,"request":"open"}"#,
        r#"{"id":7,"request":"open","columns":80}"#,
        r#"{"id":7,"request":"open","columns":"80","rows":24}"#,
        r#"{"id":7,"request":"open","columns":65536,"rows":24}"#,
        r#"{"id":7,"request":"open","columns":-1,"rows":24}"#,
        r#"{"id":7,"request":"open","columns":80,"rows":24,"program":["sh"]}"#,
        r#"{"id":7,"request":"open","columns":80,"rows":24,"arguments":"-l"}"#,
        r#"{"id":7,"request":"open","columns":80,"rows":24,"arguments":[1]}"#,
        r#"{"id":7,"request":"open","columns":80,"rows":24,"name":7}"#,
        r#"{"id":7,"request":"sessions","after":-1}"#,
        r#"{"id":7,"request":"attach"}"#,
        r#"{"id":7,"request":"attach","session":"7"}"#,
        r#"{"id":7,"request":"attach","session":7,"after":-1}"#,
        r#"{"id":7,"request":"attach","session":7,"history":4294967296}"#,
        r#"{"id":7,"request":"attach","session":7,"keyboard":1.5}"#,
        r#"{"id":7,"request":"attach","session":7,"keyboard":"k"}"#,
        r#"{"id":7,"request":"attach","session":7,"size":{"columns":80}}"#,
        r#"{"id":7,"request":"attach","session":7,"size":{"columns":65536,"rows":24}}"#,
        r#"{"id":7,"request":"detach"}"#,
        r#"{"id":7,"request":"rename_session","session":7}"#,
        r#"{"id":7,"request":"dismiss","session":null}"#,
        r#"{"id":7,"request":"resize","columns":80,"rows":24}"#,
        r#"{"id":7,"request":"resize","session":7,"rows":24}"#,
        r#"{"id":7,"request":"end","session":4294967296}"#,
        r#"{"id":7,"request":"revoke"}"#,
        r#"{"id":7,"request":"rename","device":"K7QM3FBR"}"#,
        r#"{"id":7,"request":"offer","watch_only":"no"}"#,
        r#"{"id":7,"request":"offer","for_seconds":-5}"#,
    ] {
        assert_eq!(unreadable_code(body), (7, ErrorCode::BadRequest), "{body}");
    }
}

#[test]
fn a_request_without_number_or_name_is_refused() {
    for body in [
        "",
        "{}",
        r#"{"request":"ping"}"#,
        r#"{"id":1}"#,
        r#"{"id":-1,"request":"ping"}"#,
        r#"{"id":4294967296,"request":"ping"}"#,
        r#"{"id":"1","request":"ping"}"#,
        r#"{"id":1,"request":5}"#,
        r#"{"id":1,"request":"ping""#,
        r#"{"id":1,"request":"ping"} x"#,
        "null",
        "\"ping\"",
    ] {
        assert_eq!(from_device(kind::REQUEST, body.as_bytes()), bad_message(), "{body}");
    }
    assert_eq!(from_device(kind::REQUEST, b"{\"id\":1,\"request\":\"\xff\"}"), bad_message());
}

#[test]
fn a_body_that_is_no_object_is_refused() {
    for body in [r#"[1,"ping"]"#, r#"["ping"]"#, " [1,\"ping\"]", "[]", "1", "null", "true", "\"\""]
    {
        assert_eq!(from_device(kind::REQUEST, body.as_bytes()), bad_message(), "{body}");
    }
    for body in
        [r#"["closing","revoked"]"#, "\n[\"closing\",\"revoked\"]", "[]", "7", "null", "\"\""]
    {
        assert_eq!(from_daemon(kind::EVENT, body.as_bytes()), bad_message(), "{body}");
    }
    for body in [r#"[1,{"ok":{}}]"#, "[]", "null"] {
        assert_eq!(from_daemon(kind::REPLY, body.as_bytes()), bad_message(), "{body}");
    }
}

#[test]
fn an_unknown_event_is_dropped() {
    for body in [
        r#"{"event":"eclipse"}"#,
        r#"{"event":"eclipse","sun":{"moon":[1]}}"#,
        r#"{"event":"Welcome"}"#,
        "  {\"event\":\"eclipse\"}",
    ] {
        assert_eq!(read_event_text(body), None, "{body}");
    }
}

#[test]
fn an_event_that_is_no_json_is_refused() {
    for body in ["", "{", r#"{"event":"eclipse""#, r#"{"event":"eclipse"} {}"#] {
        assert_eq!(from_daemon(kind::EVENT, body.as_bytes()), bad_message(), "{body}");
    }
    assert_eq!(from_daemon(kind::EVENT, b"{\"event\":\"\xff\"}"), bad_message());
}

#[test]
fn a_known_event_with_bad_members_is_refused() {
    for body in [
        r#"{"event":"welcome"}"#,
        r#"{"event":"welcome","protocol":1,"daemon":"desk","device":{}}"#,
        r#"{"event":"session_ended","session":7}"#,
        r#"{"event":"session_ended","session":7,"exit":256}"#,
        r#"{"event":"session_ended","session":-1,"exit":0}"#,
        r#"{"event":"session_opened","session":7}"#,
        r#"{"event":"session_opened","session":{"session":7,"name":"api"}}"#,
        r#"{"event":"session_changed"}"#,
        r#"{"event":"session_attention","session":7,"name":"api","at":9}"#,
        r#"{"event":"session_attention","session":7,"name":"api","reason":"bell"}"#,
        r#"{"event":"session_attention","session":7,"at":9,"reason":"bell"}"#,
        r#"{"event":"session_dismissed"}"#,
        r#"{"event":"snapshot","session":7,"columns":80}"#,
        r#"{"event":"snapshot","columns":80,"rows":24}"#,
        r#"{"event":"snapshot","session":7,"columns":80,"rows":65536}"#,
        r#"{"event":"snapshot_end","session":7}"#,
        r#"{"event":"snapshot_end","session":7,"offset":-1}"#,
        r#"{"event":"device_paired","device":{"id":"A","name":"B"}}"#,
        r#"{"event":"device_revoked","id":"A"}"#,
        r#"{"event":"device_renamed","name":"B"}"#,
        r#"{"event":"closing"}"#,
        r#"{"event":"closing","reason":5}"#,
        r#"{"event":5}"#,
        r#"{"event":null,"session":7}"#,
        "{}",
    ] {
        let result = from_daemon(kind::EVENT, body.as_bytes());
        assert_eq!(result, bad_message(), "{body}");
    }
}

#[test]
fn a_reply_without_number_or_outcome_is_refused() {
    for body in [
        "{}",
        r#"{"id":1}"#,
        r#"{"ok":{}}"#,
        r#"{"id":1,"ok":5}"#,
        r#"{"id":1,"error":{"code":"failed"}}"#,
        r#"{"id":1,"error":{"message":"why"}}"#,
        r#"{"id":1,"outcome":{}}"#,
    ] {
        assert_eq!(from_daemon(kind::REPLY, body.as_bytes()), bad_message(), "{body}");
    }
}

#[test]
fn deeply_nested_json_is_refused_without_exhausting_the_stack() {
    let deep = format!(r#"{{"id":1,"request":{}"#, "[".repeat(60_000));
    assert_eq!(from_device(kind::REQUEST, deep.as_bytes()), bad_message());
    let deep = format!(r#"{{"event":"eclipse","x":{}"#, "[".repeat(60_000));
    assert_eq!(from_daemon(kind::EVENT, deep.as_bytes()), bad_message());
    assert_eq!(from_daemon(kind::REPLY, deep.as_bytes()), bad_message());
}

#[test]
fn a_kind_that_the_other_end_does_not_send_is_refused() {
    let bodies: [&[u8]; 4] = [b"", b"{}", &[0; 12], &[0; 13]];
    for kind in 0..=255 {
        for body in bodies {
            if !matches!(kind, 0x01 | 0x11 | 0x12) {
                assert_eq!(from_device(kind, body), bad_message(), "kind {kind}");
            }
            if !matches!(kind, 0x02 | 0x03 | 0x10 | 0x13 | 0x14) {
                assert_eq!(from_daemon(kind, body), bad_message(), "kind {kind}");
            }
        }
    }
    assert!(FromDevice::read(b"").is_err());
    assert!(FromDaemon::read(b"").is_err());
}

#[test]
fn chunks_and_progress_have_their_form() {
    let head = [0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 2];
    let chunk = Chunk { session: 7, offset: (1 << 32) + 2, bytes: b"ls\n" };
    let progress = Progress { session: 7, offset: (1 << 32) + 2 };
    let with = |kind: u8, rest: &[u8]| [&[kind], head.as_slice(), rest].concat();
    assert_eq!(FromDaemon::Output(chunk).write(), with(0x10, b"ls\n"));
    assert_eq!(FromDevice::OutputRead(progress).write(), with(0x11, b""));
    assert_eq!(FromDevice::Input(chunk).write(), with(0x12, b"ls\n"));
    assert_eq!(FromDaemon::InputWritten(progress).write(), with(0x13, b""));
    assert_eq!(FromDaemon::Snapshot(chunk).write(), with(0x14, b"ls\n"));

    let output = with(kind::OUTPUT, b"ls\n");
    let Ok(FromDaemon::Output(read)) = FromDaemon::read(&output) else { panic!() };
    assert_eq!(read, chunk);
    let snapshot = with(kind::SNAPSHOT, b"ls\n");
    let Ok(FromDaemon::Snapshot(read)) = FromDaemon::read(&snapshot) else { panic!() };
    assert_eq!(read, chunk);
    let input = with(kind::INPUT, b"ls\n");
    let Ok(FromDevice::Input(read)) = FromDevice::read(&input) else { panic!() };
    assert_eq!(read, chunk);
    let shown = with(kind::OUTPUT_READ, b"");
    let Ok(FromDevice::OutputRead(read)) = FromDevice::read(&shown) else { panic!() };
    assert_eq!(read, progress);
    let written = with(kind::INPUT_WRITTEN, b"");
    let Ok(FromDaemon::InputWritten(read)) = FromDaemon::read(&written) else { panic!() };
    assert_eq!(read, progress);
}

#[test]
fn a_chunk_of_a_wrong_length_is_refused() {
    for length in (0..=12).chain([12 + MAX_CHUNK + 1, 12 + 65_000]) {
        let body = vec![0; length];
        assert_eq!(from_device(kind::INPUT, &body), bad_message(), "{length} bytes");
        assert_eq!(from_daemon(kind::OUTPUT, &body), bad_message(), "{length} bytes");
        assert_eq!(from_daemon(kind::SNAPSHOT, &body), bad_message(), "{length} bytes");
    }
    for length in [13, 12 + MAX_CHUNK] {
        assert!(from_device(kind::INPUT, &vec![0; length]).is_ok());
        assert!(from_daemon(kind::OUTPUT, &vec![0; length]).is_ok());
        assert!(from_daemon(kind::SNAPSHOT, &vec![0; length]).is_ok());
    }
}

#[test]
fn progress_of_a_wrong_length_is_refused() {
    for length in (0..12).chain(13..20) {
        let body = vec![0; length];
        assert_eq!(from_device(kind::OUTPUT_READ, &body), bad_message(), "{length} bytes");
        assert_eq!(from_daemon(kind::INPUT_WRITTEN, &body), bad_message(), "{length} bytes");
    }
}

#[test]
fn a_chunk_beyond_the_end_of_the_stream_is_refused() {
    let chunk = |offset: u64, length| Chunk { session: 1, offset, bytes: &b"abcd"[..length] };
    let reads = |chunk| FromDevice::read(&FromDevice::Input(chunk).write()).is_ok();
    assert!(reads(chunk(u64::MAX - 4, 4)));
    assert!(!reads(chunk(u64::MAX - 3, 4)));
    assert!(!reads(chunk(u64::MAX, 1)));
    for message in [FromDaemon::Output, FromDaemon::Snapshot] {
        let reads = |chunk| FromDaemon::read(&message(chunk).write()).is_ok();
        assert!(reads(chunk(u64::MAX - 4, 4)));
        assert!(!reads(chunk(u64::MAX - 3, 4)));
    }
}

#[test]
fn limits_end_a_device_on_the_second() {
    let limits = |watch_only, expires_at| Limits { watch_only, expires_at };
    assert!(!limits(false, None).any());
    assert!(limits(true, None).any());
    assert!(limits(false, Some(9)).any());
    assert!(!limits(false, None).expired(u64::MAX));
    assert!(!limits(false, Some(9)).expired(8));
    assert!(limits(false, Some(9)).expired(9));
}

#[test]
fn an_offer_hides_its_code_and_links_from_debug() {
    let offer = samples::offer();
    assert_eq!(format!("{offer:?}"), "OfferEntry { expires_in: 300, .. }");
    let outcome = Outcome::Ok(Answer::Offer(offer));
    let printed = format!("{:?}", FromDaemon::Reply(Reply { id: 1, outcome }));
    assert!(!printed.contains("K7QM") && !printed.contains("http"), "{printed}");
}

#[test]
fn what_is_typed_is_not_printed_by_debug() {
    let chunk = Chunk { session: 1, offset: 2, bytes: b"hunter2" };
    let shown = format!(
        "{:?} {:?} {:?} {:?}",
        chunk,
        FromDevice::Input(chunk),
        FromDaemon::Output(chunk),
        FromDaemon::Snapshot(chunk),
    );
    assert!(!shown.contains("hunter2") && !shown.contains("104, 117"), "{shown}");
    assert!(shown.contains("length: 7"), "{shown}");
}
