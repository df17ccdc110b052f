//! One of each message, as it is written and as it is read.

use serde_json::{Value, json};

use super::entries::{bare_entry, device_entry, limited_entry, session_entry};
use super::{read_event_text, read_reply, read_request_text, with_more, written_json};
use crate::message::*;

const LINK: &str =
    "http://192.168.1.20:8400/#K7QM3FBR9TZX8FFHQW4SN30XFRNR1FPPJABXN7K38ZJ4J7YDJZPN5J0BFTMNMS6G";

/// Each request of sessions, with all that it may have and with as little as it may.
fn session_requests() -> Vec<(Value, Request)> {
    let size = TerminalSize { columns: 120, rows: 40 };
    let open = Open {
        columns: 80,
        rows: 24,
        program: Some("claude".into()),
        arguments: vec!["--continue".into()],
        directory: Some("~/projects/api".into()),
        name: Some("api".into()),
    };
    let attach = Attach {
        session: 7,
        after: Some(4096),
        history: Some(0),
        keyboard: Some(MAX_KEYBOARD),
        size: Some(size),
    };
    vec![
        (json!({"request": "sessions"}), Request::Sessions { after: None }),
        (json!({"request": "sessions", "after": 7}), Request::Sessions { after: Some(7) }),
        (
            json!({"request": "open", "columns": 80, "rows": 24}),
            Request::Open(Open { columns: 80, rows: 24, ..Open::default() }),
        ),
        (
            json!({
                "request": "open", "columns": 80, "rows": 24, "program": "claude",
                "arguments": ["--continue"], "directory": "~/projects/api", "name": "api",
            }),
            Request::Open(open),
        ),
        (
            json!({"request": "open_again", "session": 7, "columns": 120, "rows": 40}),
            Request::OpenAgain { session: 7, size },
        ),
        (
            json!({"request": "attach", "session": 7}),
            Request::Attach(Attach { session: 7, ..Attach::default() }),
        ),
        (
            json!({
                "request": "attach", "session": 7, "after": 4096, "history": 0,
                "keyboard": 9_007_199_254_740_991_u64, "size": {"columns": 120, "rows": 40},
            }),
            Request::Attach(attach),
        ),
        (json!({"request": "detach", "session": 7}), Request::Detach { session: 7 }),
        (
            json!({"request": "resize", "session": 7, "columns": 120, "rows": 40}),
            Request::Resize { session: 7, size },
        ),
        (json!({"request": "end", "session": 7}), Request::End { session: 7 }),
        (
            json!({"request": "rename_session", "session": 7, "name": "web"}),
            Request::RenameSession { session: 7, name: "web".into() },
        ),
        (json!({"request": "dismiss", "session": 7}), Request::Dismiss { session: 7 }),
        (json!({"request": "programs"}), Request::Programs),
    ]
}

/// Each request, without its number.
pub(super) fn requests() -> Vec<(Value, Request)> {
    let device = || "K7QM3FBR".to_string();
    let mut requests = session_requests();
    requests.extend([
        (json!({"request": "ping"}), Request::Ping),
        (json!({"request": "devices"}), Request::Devices),
        (json!({"request": "revoke", "device": "K7QM3FBR"}), Request::Revoke { device: device() }),
        (
            json!({"request": "rename", "device": "K7QM3FBR", "name": "Telefon"}),
            Request::Rename { device: device(), name: "Telefon".into() },
        ),
        (
            json!({"request": "offer", "watch_only": false}),
            Request::Offer { watch_only: false, for_seconds: None },
        ),
        (
            json!({"request": "offer", "watch_only": true, "for_seconds": 3600}),
            Request::Offer { watch_only: true, for_seconds: Some(3600) },
        ),
    ]);
    requests
}

pub(super) fn offer() -> OfferEntry {
    OfferEntry { code: "K7QM-3FBR-9TZX".into(), links: vec![LINK.into()], expires_in: 300 }
}

/// Each answer, as it stands behind `"ok"`.
pub(super) fn answers() -> Vec<(Value, Answer)> {
    let (device, device_entry) = device_entry();
    let (limited, limited_entry) = limited_entry();
    let (session, session_entry) = session_entry();
    let (bare, bare_entry) = bare_entry();
    let program = ProgramEntry { name: "shell".into(), command: "/bin/bash".into() };
    let attached = Attached { attached: bare_entry.clone(), resumed: true, input: 12 };
    vec![
        (
            json!({"devices": [device, limited]}),
            Answer::Devices { devices: vec![device_entry, limited_entry] },
        ),
        (
            json!({
                "code": "K7QM-3FBR-9TZX", "links": [LINK], "expires_in": 300,
            }),
            Answer::Offer(offer()),
        ),
        (
            json!({"sessions": [session, bare], "more": true}),
            Answer::Sessions { sessions: vec![session_entry.clone(), bare_entry], more: true },
        ),
        (json!({"opened": session}), Answer::Opened { opened: session_entry }),
        (
            json!({"attached": bare, "resumed": true, "input": 12}),
            Answer::Attached(Box::new(attached)),
        ),
        (
            json!({"programs": [{"name": "shell", "command": "/bin/bash"}]}),
            Answer::Programs { programs: vec![program] },
        ),
        (json!({"name": "Telefon"}), Answer::Renamed { name: "Telefon".into() }),
        (json!({}), Answer::Done {}),
    ]
}

/// Each event of sessions.
fn session_events() -> Vec<(Value, Event)> {
    let (json, entry) = session_entry();
    let (bare, bare_entry) = bare_entry();
    let size = TerminalSize { columns: 120, rows: 40 };
    let ended = |status| Event::SessionEnded { session: 7, status };
    let attention = |reason| Event::SessionAttention {
        session: 7,
        name: "api".into(),
        attention: Attention { at: 9, reason, title: None, text: None },
    };
    let mut events = vec![
        (
            json!({"event": "session_opened", "session": bare}),
            Event::SessionOpened { session: bare_entry },
        ),
        (
            json!({"event": "session_changed", "session": json}),
            Event::SessionChanged { session: entry.clone() },
        ),
        (
            json!({
                "event": "session_attention", "session": 7, "name": "api", "at": 1_790_000_060,
                "reason": "notification", "title": "make", "text": "done",
            }),
            Event::SessionAttention {
                session: 7,
                name: "api".into(),
                attention: entry.attention.expect("it has one"),
            },
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
            json!({"event": "session_dismissed", "session": 7}),
            Event::SessionDismissed { session: 7 },
        ),
        (
            json!({
                "event": "snapshot", "session": 7, "columns": 120, "rows": 40,
                "size_by": "laptop", "history": true,
            }),
            Event::Snapshot { session: 7, size, size_by: Some("laptop".into()), history: true },
        ),
        (
            json!({
                "event": "snapshot", "session": 7, "columns": 120, "rows": 40, "history": false,
            }),
            Event::Snapshot { session: 7, size, size_by: None, history: false },
        ),
        (
            json!({"event": "snapshot_end", "session": 7, "offset": 4096}),
            Event::SnapshotEnd { session: 7, offset: 4096 },
        ),
    ];
    for (name, reason) in [
        ("bell", AttentionReason::Bell),
        ("notification", AttentionReason::Notification),
        ("quiet", AttentionReason::Quiet),
        ("ended", AttentionReason::Ended),
    ] {
        let json = json!({
            "event": "session_attention", "session": 7, "name": "api", "at": 9, "reason": name,
        });
        events.push((json, attention(reason)));
    }
    events
}

/// Each event.
pub(super) fn events() -> Vec<(Value, Event)> {
    let (device, entry) = device_entry();
    let (id, name) = ("K7QM3FBR".to_string(), "Pixel 9".to_string());
    let welcome = Welcome { protocol: 1, daemon: "desk".into(), device: entry.clone() };
    let mut events = session_events();
    events.extend([
        (
            json!({"event": "welcome", "protocol": 1, "daemon": "desk", "device": device}),
            Event::Welcome(welcome),
        ),
        (
            json!({"event": "device_paired", "device": device}),
            Event::DevicePaired { device: entry },
        ),
        (
            json!({"event": "device_revoked", "id": id, "name": name}),
            Event::DeviceRevoked { id: id.clone(), name: name.clone() },
        ),
        (
            json!({"event": "device_renamed", "id": id, "name": name}),
            Event::DeviceRenamed { id: id.clone(), name: name.clone() },
        ),
    ]);
    for (name, reason) in [
        ("revoked", ClosingReason::Revoked),
        ("expired", ClosingReason::Expired),
        ("stopping", ClosingReason::Stopping),
        ("restarting", ClosingReason::Restarting),
        ("goodbye", ClosingReason::Goodbye),
        ("protocol", ClosingReason::Protocol),
    ] {
        events.push((json!({"event": "closing", "reason": name}), Event::Closing { reason }));
    }
    events
}

#[test]
fn requests_have_their_form_and_unknown_members_are_ignored() {
    for (mut json, request) in requests() {
        json["id"] = json!(1);
        let request = NumberedRequest { id: 1, request };
        let written = FromDevice::Request(request.clone()).write();
        assert_eq!(written_json(&written, 0x01), json);
        assert_eq!(read_request_text(&json.to_string()), request);
        assert_eq!(read_request_text(&with_more(json).to_string()), request);
    }
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
fn events_have_their_form_and_unknown_members_are_ignored() {
    for (json, event) in events() {
        let written = FromDaemon::Event(event.clone()).write();
        assert_eq!(written_json(&written, 0x03), json);
        assert_eq!(read_event_text(&json.to_string()), Some(event.clone()));
        assert_eq!(read_event_text(&with_more(json).to_string()), Some(event));
    }
}

#[test]
fn every_request_and_event_that_is_known_has_a_sample() {
    let names = |samples: Vec<Value>, member: &str| {
        let mut names: Vec<String> =
            samples.iter().filter_map(|sample| Some(sample[member].as_str()?.to_owned())).collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    let requested = names(requests().into_iter().map(|(json, _)| json).collect(), "request");
    assert_eq!(requested, sorted(&super::super::REQUESTS));
    let happened = names(events().into_iter().map(|(json, _)| json).collect(), "event");
    assert_eq!(happened, sorted(&super::super::EVENTS));
}

fn sorted(names: &[&str]) -> Vec<String> {
    let mut names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
    names.sort_unstable();
    names
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

    let (mut json, entry) = bare_entry();
    json.as_object_mut().expect("an object").remove("watching");
    let reply = read_reply(&json!({"id": 1, "ok": {"sessions": [json]}}));
    let answer = Answer::Sessions { sessions: vec![entry], more: false };
    assert_eq!(reply, Reply { id: 1, outcome: Outcome::Ok(answer) });
    let sparse = r#"{"event":"snapshot","session":7,"columns":80,"rows":24}"#;
    let size = TerminalSize { columns: 80, rows: 24 };
    let snapshot = Event::Snapshot { session: 7, size, size_by: None, history: false };
    assert_eq!(read_event_text(sparse), Some(snapshot));
}

#[test]
fn an_entry_of_a_later_version_is_read() {
    let (mut json, mut entry) = session_entry();
    json["attention"]["reason"] = json!("lonely");
    json["attention"]["mood"] = json!(["blue"]);
    json["ended"]["core"] = json!(true);
    if let Some(attention) = &mut entry.attention {
        attention.reason = AttentionReason::Unknown;
    }
    let reply = read_reply(&json!({"id": 1, "ok": {"opened": json}}));
    assert_eq!(reply.outcome, Outcome::Ok(Answer::Opened { opened: entry }));
}
