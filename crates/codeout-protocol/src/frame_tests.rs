use proptest::prelude::*;
use proptest::{collection, option, sample};
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

fn entry() -> DeviceEntry {
    DeviceEntry {
        id: "K7QM3FBR".into(),
        name: "Pixel 9".into(),
        paired_at: 1_790_000_000,
        last_seen: None,
        connected: true,
        unfinished: false,
        limits: Limits::default(),
        this: true,
    }
}

/// Each request as a device may write it, in full.
fn requests() -> [(Value, Request); 9] {
    let device = || "K7QM3FBR".to_string();
    [
        (json!({"id": 1, "request": "ping"}), Request::Ping),
        (
            json!({"id": 1, "request": "open", "columns": 80, "rows": 24}),
            Request::Open { columns: 80, rows: 24 },
        ),
        (
            json!({"id": 1, "request": "resize", "session": 7, "columns": 1, "rows": 2000}),
            Request::Resize { session: 7, columns: 1, rows: 2000 },
        ),
        (json!({"id": 1, "request": "end", "session": 7}), Request::End { session: 7 }),
        (json!({"id": 1, "request": "devices"}), Request::Devices),
        (
            json!({"id": 1, "request": "revoke", "device": "K7QM3FBR"}),
            Request::Revoke { device: device() },
        ),
        (
            json!({"id": 1, "request": "rename", "device": "K7QM3FBR", "name": "Telefon"}),
            Request::Rename { device: device(), name: "Telefon".into() },
        ),
        (
            json!({"id": 1, "request": "offer", "watch_only": false}),
            Request::Offer { watch_only: false, for_seconds: None },
        ),
        (
            json!({"id": 1, "request": "offer", "watch_only": true, "for_seconds": 3600}),
            Request::Offer { watch_only: true, for_seconds: Some(3600) },
        ),
    ]
}

/// Each answer, as it stands behind `"ok"`.
fn answers() -> [(Value, Answer); 5] {
    let device = json!({
        "id": "K7QM3FBR", "name": "Pixel 9", "paired_at": 1_790_000_000, "connected": true,
        "unfinished": false, "watch_only": false, "this": true,
    });
    let offer = OfferEntry {
        code: "K7QM-3FBR-9TZX".into(),
        links: vec!["http://desk:8400/#…".into()],
        expires_in: 300,
    };
    [
        (json!({"devices": [device]}), Answer::Devices { devices: vec![entry()] }),
        (
            json!({
                "code": "K7QM-3FBR-9TZX", "links": ["http://desk:8400/#…"], "expires_in": 300,
            }),
            Answer::Offer(offer),
        ),
        (json!({"session": 7}), Answer::Opened { session: 7 }),
        (json!({"name": "Telefon"}), Answer::Renamed { name: "Telefon".into() }),
        (json!({}), Answer::Done {}),
    ]
}

/// Each event.
fn events() -> [(Value, Event); 11] {
    let device = json!({
        "id": "K7QM3FBR", "name": "Pixel 9", "paired_at": 1_790_000_000, "connected": true,
        "unfinished": false, "watch_only": false, "this": true,
    });
    let closing = |name: &str, reason| {
        (json!({"event": "closing", "reason": name}), Event::Closing { reason })
    };
    let (id, name) = ("K7QM3FBR".to_string(), "Pixel 9".to_string());
    let welcome = Welcome { protocol: 1, daemon: "desk".into(), device: entry() };
    let ended = |status| Event::SessionEnded { session: 7, status };
    [
        (
            json!({"event": "welcome", "protocol": 1, "daemon": "desk", "device": device}),
            Event::Welcome(welcome),
        ),
        (
            json!({"event": "session_ended", "session": 7, "exit": 130}),
            ended(ExitStatus::Exit(130)),
        ),
        (
            json!({"event": "session_ended", "session": 7, "signal": 9}),
            ended(ExitStatus::Signal(9)),
        ),
        (
            json!({"event": "device_paired", "device": device}),
            Event::DevicePaired { device: entry() },
        ),
        (
            json!({"event": "device_revoked", "id": id, "name": name}),
            Event::DeviceRevoked { id: id.clone(), name: name.clone() },
        ),
        (
            json!({"event": "device_renamed", "id": id, "name": name}),
            Event::DeviceRenamed { id: id.clone(), name: name.clone() },
        ),
        closing("revoked", ClosingReason::Revoked),
        closing("expired", ClosingReason::Expired),
        closing("stopping", ClosingReason::Stopping),
        closing("goodbye", ClosingReason::Goodbye),
        closing("protocol", ClosingReason::Protocol),
    ]
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
fn requests_have_their_form_and_unknown_members_are_ignored() {
    for (json, request) in requests() {
        let request = NumberedRequest { id: 1, request };
        let written = FromDevice::Request(request.clone()).write();
        assert_eq!(written_json(&written, 0x01), json);
        assert_eq!(read_request_text(&json.to_string()), request);
        assert_eq!(read_request_text(&with_more(json).to_string()), request);
    }
}

#[test]
fn members_that_may_be_left_out_are() {
    assert_eq!(
        read_request_text(r#"{"request":"offer","id":5}"#),
        NumberedRequest { id: 5, request: Request::Offer { watch_only: false, for_seconds: None } }
    );
    let sparse = r#"{"event":"device_paired","device":{"id":"A","name":"B","paired_at":3}}"#;
    let Some(Event::DevicePaired { device }) = read_event_text(sparse) else { panic!() };
    assert!(!device.connected && !device.unfinished && !device.this && !device.limits.any());
    assert_eq!(device.last_seen, None);
}

#[test]
fn replies_have_their_form_and_unknown_members_are_ignored() {
    for (json, answer) in answers() {
        let reply = Reply { id: 9, outcome: Outcome::Ok(answer) };
        let whole = json!({"id": 9, "ok": json});
        assert_eq!(written_json(&FromDaemon::Reply(reply.clone()).write(), 0x02), whole);
        assert_eq!(read_reply(&whole), reply);
        assert_eq!(read_reply(&with_more(whole)), reply);
        assert_eq!(read_reply(&json!({"id": 9, "ok": with_more(json)})), reply);
    }
}

#[test]
fn errors_have_their_form() {
    for (name, code) in [
        ("unknown_request", ErrorCode::UnknownRequest),
        ("bad_request", ErrorCode::BadRequest),
        ("not_allowed", ErrorCode::NotAllowed),
        ("not_found", ErrorCode::NotFound),
        ("limit", ErrorCode::Limit),
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
fn events_have_their_form_and_unknown_members_are_ignored() {
    for (json, event) in events() {
        let written = FromDaemon::Event(event.clone()).write();
        assert_eq!(written_json(&written, 0x03), json);
        assert_eq!(read_event_text(&json.to_string()), Some(event.clone()));
        assert_eq!(read_event_text(&with_more(json).to_string()), Some(event));
    }
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
        r#"{"id":7,"request":"resize","columns":80,"rows":24}"#,
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
            if !matches!(kind, 0x02 | 0x03 | 0x10 | 0x13) {
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

    let output = with(0x10, b"ls\n");
    let Ok(FromDaemon::Output(read)) = FromDaemon::read(&output) else { panic!() };
    assert_eq!(read, chunk);
    let input = with(0x12, b"ls\n");
    let Ok(FromDevice::Input(read)) = FromDevice::read(&input) else { panic!() };
    assert_eq!(read, chunk);
    let shown = with(0x11, b"");
    let Ok(FromDevice::OutputRead(read)) = FromDevice::read(&shown) else { panic!() };
    assert_eq!(read, progress);
    let written = with(0x13, b"");
    let Ok(FromDaemon::InputWritten(read)) = FromDaemon::read(&written) else { panic!() };
    assert_eq!(read, progress);
}

#[test]
fn a_chunk_of_a_wrong_length_is_refused() {
    for length in (0..=12).chain([12 + 32_769, 12 + 65_000]) {
        let body = vec![0; length];
        assert_eq!(from_device(kind::INPUT, &body), bad_message(), "{length} bytes");
        assert_eq!(from_daemon(kind::OUTPUT, &body), bad_message(), "{length} bytes");
    }
    for length in [13, 12 + 32_768] {
        assert!(from_device(kind::INPUT, &vec![0; length]).is_ok());
        assert!(from_daemon(kind::OUTPUT, &vec![0; length]).is_ok());
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
    let reads = |chunk| FromDaemon::read(&FromDaemon::Output(chunk).write()).is_ok();
    assert!(reads(chunk(u64::MAX - 4, 4)));
    assert!(!reads(chunk(u64::MAX - 3, 4)));
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
    let (_, Answer::Offer(offer)) = &answers()[1] else { panic!() };
    assert_eq!(format!("{offer:?}"), "OfferEntry { expires_in: 300, .. }");
    let outcome = Outcome::Ok(Answer::Offer(offer.clone()));
    let printed = format!("{:?}", FromDaemon::Reply(Reply { id: 1, outcome }));
    assert!(!printed.contains("K7QM") && !printed.contains("http"), "{printed}");
}

fn request() -> impl Strategy<Value = Request> {
    let text = || any::<String>();
    prop_oneof![
        Just(Request::Ping),
        any::<(u16, u16)>().prop_map(|(columns, rows)| Request::Open { columns, rows }),
        any::<(u32, u16, u16)>().prop_map(|(session, columns, rows)| Request::Resize {
            session,
            columns,
            rows
        }),
        any::<u32>().prop_map(|session| Request::End { session }),
        Just(Request::Devices),
        text().prop_map(|device| Request::Revoke { device }),
        (text(), text()).prop_map(|(device, name)| Request::Rename { device, name }),
        any::<(bool, Option<u64>)>()
            .prop_map(|(watch_only, for_seconds)| Request::Offer { watch_only, for_seconds }),
    ]
}

fn device_entry() -> impl Strategy<Value = DeviceEntry> {
    let texts = any::<(String, String)>();
    let times = (any::<u64>(), option::of(any::<u64>()), option::of(any::<u64>()));
    (texts, times, any::<[bool; 4]>()).prop_map(|((id, name), times, flags)| {
        let (paired_at, last_seen, expires_at) = times;
        let [connected, unfinished, watch_only, this] = flags;
        let limits = Limits { watch_only, expires_at };
        DeviceEntry { id, name, paired_at, last_seen, connected, unfinished, limits, this }
    })
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        collection::vec(device_entry(), 0..4).prop_map(|devices| Answer::Devices { devices }),
        (any::<String>(), collection::vec(any::<String>(), 0..4), any::<u64>()).prop_map(
            |(code, links, expires_in)| Answer::Offer(OfferEntry { code, links, expires_in })
        ),
        any::<u32>().prop_map(|session| Answer::Opened { session }),
        any::<String>().prop_map(|name| Answer::Renamed { name }),
        Just(Answer::Done {}),
    ]
}

fn request_error() -> impl Strategy<Value = RequestError> {
    let codes = [
        ErrorCode::UnknownRequest,
        ErrorCode::BadRequest,
        ErrorCode::NotAllowed,
        ErrorCode::NotFound,
        ErrorCode::Limit,
        ErrorCode::Failed,
        ErrorCode::Unknown,
    ];
    (sample::select(codes.to_vec()), any::<String>())
        .prop_map(|(code, message)| RequestError::new(code, message))
}

fn event() -> impl Strategy<Value = Event> {
    let texts = || any::<(String, String)>();
    let reasons = [
        ClosingReason::Revoked,
        ClosingReason::Expired,
        ClosingReason::Stopping,
        ClosingReason::Goodbye,
        ClosingReason::Protocol,
        ClosingReason::Unknown,
    ];
    let status = prop_oneof![
        any::<u8>().prop_map(ExitStatus::Exit),
        any::<u8>().prop_map(ExitStatus::Signal),
    ];
    prop_oneof![
        (any::<u32>(), any::<String>(), device_entry()).prop_map(|(protocol, daemon, device)| {
            Event::Welcome(Welcome { protocol, daemon, device })
        }),
        (any::<u32>(), status)
            .prop_map(|(session, status)| Event::SessionEnded { session, status }),
        device_entry().prop_map(|device| Event::DevicePaired { device }),
        texts().prop_map(|(id, name)| Event::DeviceRevoked { id, name }),
        texts().prop_map(|(id, name)| Event::DeviceRenamed { id, name }),
        sample::select(reasons.to_vec()).prop_map(|reason| Event::Closing { reason }),
    ]
}

/// A value of JSON, a few levels deep.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            collection::hash_map("[a-z_]{1,8}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in collection::vec(any::<u8>(), 0..200), kind in 0..20_u8) {
        let _ = FromDevice::read(&bytes);
        let _ = FromDaemon::read(&bytes);
        let _ = from_device(kind, &bytes);
        let _ = from_daemon(kind, &bytes);
    }

    #[test]
    fn arbitrary_json_never_panics_and_only_objects_are_read(body in json()) {
        let text = body.to_string();
        for result in [
            from_device(kind::REQUEST, text.as_bytes()),
            from_daemon(kind::REPLY, text.as_bytes()),
            from_daemon(kind::EVENT, text.as_bytes()),
        ] {
            prop_assert!(body.is_object() || result == bad_message());
        }
    }

    #[test]
    fn every_request_comes_back(id: u32, request in request()) {
        let request = NumberedRequest { id, request };
        let plaintext = FromDevice::Request(request.clone()).write();
        let Ok(FromDevice::Request(read)) = FromDevice::read(&plaintext) else { panic!() };
        prop_assert_eq!(read, request);
    }

    #[test]
    fn every_answer_comes_back(id: u32, answer in answer()) {
        let reply = Reply { id, outcome: Outcome::Ok(answer) };
        let plaintext = FromDaemon::Reply(reply.clone()).write();
        let Ok(FromDaemon::Reply(read)) = FromDaemon::read(&plaintext) else { panic!() };
        prop_assert_eq!(read, reply);
    }

    #[test]
    fn every_error_comes_back(id: u32, error in request_error()) {
        prop_assert!(error.message.len() <= MAX_TEXT);
        let reply = Reply { id, outcome: Outcome::Error(error) };
        let plaintext = FromDaemon::Reply(reply.clone()).write();
        let Ok(FromDaemon::Reply(read)) = FromDaemon::read(&plaintext) else { panic!() };
        prop_assert_eq!(read, reply);
    }

    #[test]
    fn every_event_comes_back(event in event()) {
        let plaintext = FromDaemon::Event(event.clone()).write();
        let Ok(FromDaemon::Event(read)) = FromDaemon::read(&plaintext) else { panic!() };
        prop_assert_eq!(read, event);
    }

    #[test]
    fn every_chunk_and_progress_comes_back(
        session: u32,
        offset in 0..u64::MAX - MAX_CHUNK as u64,
        bytes in collection::vec(any::<u8>(), 1..300),
    ) {
        let (chunk, progress) = (Chunk { session, offset, bytes: &bytes }, Progress { session, offset });
        let plaintext = FromDevice::Input(chunk).write();
        let Ok(FromDevice::Input(read)) = FromDevice::read(&plaintext) else { panic!() };
        prop_assert_eq!(read, chunk);
        let plaintext = FromDaemon::Output(chunk).write();
        let Ok(FromDaemon::Output(read)) = FromDaemon::read(&plaintext) else { panic!() };
        prop_assert_eq!(read, chunk);
        let plaintext = FromDevice::OutputRead(progress).write();
        let Ok(FromDevice::OutputRead(read)) = FromDevice::read(&plaintext) else { panic!() };
        prop_assert_eq!(read, progress);
        let plaintext = FromDaemon::InputWritten(progress).write();
        let Ok(FromDaemon::InputWritten(read)) = FromDaemon::read(&plaintext) else { panic!() };
        prop_assert_eq!(read, progress);
    }

    #[test]
    fn any_unknown_request_is_answered(id: u32, name in "[a-z_]{9,20}", more in json()) {
        let body = json!({"id": id, "request": name, "more": more}).to_string();
        prop_assert_eq!(unreadable_code(&body), (id, ErrorCode::UnknownRequest));
    }

    #[test]
    fn any_unknown_event_is_dropped(name in "[a-z_]{15,20}", more in json()) {
        let body = json!({"event": name, "more": more}).to_string();
        prop_assert_eq!(read_event_text(&body), None);
    }

    #[test]
    fn any_further_member_is_ignored(
        id: u32,
        request in request(),
        event in event(),
        name in "x_[a-z_]{1,8}",
        more in json(),
    ) {
        let request = NumberedRequest { id, request };
        let mut body = serde_json::to_value(&request).unwrap();
        body.as_object_mut().unwrap().insert(name.clone(), more.clone());
        prop_assert_eq!(read_request_text(&body.to_string()), request);
        let mut body = serde_json::to_value(&event).unwrap();
        body.as_object_mut().unwrap().insert(name, more);
        prop_assert_eq!(read_event_text(&body.to_string()), Some(event));
    }
}

#[test]
fn what_is_typed_is_not_printed_by_debug() {
    let chunk = Chunk { session: 1, offset: 2, bytes: b"hunter2" };
    let shown = format!("{:?} {:?}", chunk, FromDevice::Input(chunk));
    assert!(!shown.contains("hunter2") && !shown.contains("104, 117"), "{shown}");
    assert!(shown.contains("length: 7"), "{shown}");
}
