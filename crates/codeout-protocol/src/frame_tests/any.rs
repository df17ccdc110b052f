//! Any message that can be said comes back, and nothing that comes does harm.

use proptest::prelude::*;
use proptest::{collection, option, sample};
use serde_json::{Value, json};

use super::{
    bad_message, from_daemon, from_device, kind, read_event_text, read_request_text,
    unreadable_code,
};
use crate::message::*;

fn size() -> impl Strategy<Value = TerminalSize> {
    any::<(u16, u16)>().prop_map(|(columns, rows)| TerminalSize { columns, rows })
}

fn text() -> impl Strategy<Value = Option<String>> {
    option::of(any::<String>())
}

fn session_request() -> impl Strategy<Value = Request> {
    let open = (size(), text(), collection::vec(any::<String>(), 0..4), text(), text()).prop_map(
        |(TerminalSize { columns, rows }, program, arguments, directory, name)| {
            Request::Open(Open { columns, rows, program, arguments, directory, name })
        },
    );
    let attach = (any::<(u32, Option<u64>, Option<u32>, Option<u64>)>(), option::of(size()))
        .prop_map(|((session, after, history, keyboard), size)| {
            Request::Attach(Attach { session, after, history, keyboard, size })
        });
    prop_oneof![
        any::<Option<u32>>().prop_map(|after| Request::Sessions { after }),
        open,
        attach,
        (any::<u32>(), size()).prop_map(|(session, size)| Request::OpenAgain { session, size }),
        any::<u32>().prop_map(|session| Request::Detach { session }),
        (any::<u32>(), size()).prop_map(|(session, size)| Request::Resize { session, size }),
        any::<u32>().prop_map(|session| Request::End { session }),
        any::<(u32, String)>().prop_map(|(session, name)| Request::RenameSession { session, name }),
        any::<u32>().prop_map(|session| Request::Dismiss { session }),
        Just(Request::Programs),
    ]
}

fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        3 => session_request(),
        1 => Just(Request::Ping),
        1 => Just(Request::Devices),
        1 => any::<String>().prop_map(|device| Request::Revoke { device }),
        1 => any::<(String, String)>()
            .prop_map(|(device, name)| Request::Rename { device, name }),
        1 => any::<(bool, Option<u64>)>()
            .prop_map(|(watch_only, for_seconds)| Request::Offer { watch_only, for_seconds }),
    ]
}

fn status() -> impl Strategy<Value = ExitStatus> {
    prop_oneof![any::<u8>().prop_map(ExitStatus::Exit), any::<u8>().prop_map(ExitStatus::Signal),]
}

fn attention() -> impl Strategy<Value = Attention> {
    let reasons = [
        AttentionReason::Bell,
        AttentionReason::Notification,
        AttentionReason::Quiet,
        AttentionReason::Ended,
        AttentionReason::Unknown,
    ];
    (any::<u64>(), sample::select(reasons.to_vec()), text(), text())
        .prop_map(|(at, reason, title, text)| Attention { at, reason, title, text })
}

fn session_entry() -> impl Strategy<Value = SessionEntry> {
    let texts = (any::<[String; 3]>(), text(), text(), text());
    let numbers = (any::<(u32, u64, Option<u64>, u32)>(), size());
    let watchers = collection::vec(any::<String>(), 0..4);
    let ended = (any::<u64>(), status()).prop_map(|(at, status)| Ended { at, status });
    (texts, numbers, watchers, option::of(attention()), option::of(ended)).prop_map(
        |(texts, numbers, watchers, attention, ended)| {
            let ([name, program, directory], size_by, title, last_line) = texts;
            let ((session, opened_at, last_output_at, watching), size) = numbers;
            let TerminalSize { columns, rows } = size;
            SessionEntry {
                session,
                name,
                program,
                directory,
                columns,
                rows,
                size_by,
                opened_at,
                last_output_at,
                title,
                last_line,
                watching,
                watchers,
                attention,
                ended,
            }
        },
    )
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
    let program =
        any::<(String, String)>().prop_map(|(name, command)| ProgramEntry { name, command });
    prop_oneof![
        collection::vec(device_entry(), 0..4).prop_map(|devices| Answer::Devices { devices }),
        (any::<String>(), collection::vec(any::<String>(), 0..4), any::<u64>()).prop_map(
            |(code, links, expires_in)| Answer::Offer(OfferEntry { code, links, expires_in })
        ),
        (collection::vec(session_entry(), 0..4), any::<bool>())
            .prop_map(|(sessions, more)| Answer::Sessions { sessions, more }),
        session_entry().prop_map(|opened| Answer::Opened { opened }),
        (session_entry(), any::<(bool, u64)>()).prop_map(|(attached, (resumed, input))| {
            Answer::Attached(Box::new(Attached { attached, resumed, input }))
        }),
        collection::vec(program, 0..4).prop_map(|programs| Answer::Programs { programs }),
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
        ErrorCode::Taken,
        ErrorCode::Ended,
        ErrorCode::Failed,
        ErrorCode::Unknown,
    ];
    (sample::select(codes.to_vec()), any::<String>())
        .prop_map(|(code, message)| RequestError::new(code, message))
}

fn session_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        session_entry().prop_map(|session| Event::SessionOpened { session }),
        session_entry().prop_map(|session| Event::SessionChanged { session }),
        (any::<(u32, String)>(), attention()).prop_map(|((session, name), attention)| {
            Event::SessionAttention { session, name, attention }
        }),
        (any::<u32>(), status())
            .prop_map(|(session, status)| Event::SessionEnded { session, status }),
        any::<u32>().prop_map(|session| Event::SessionDismissed { session }),
        (any::<(u32, bool)>(), size(), text()).prop_map(|((session, history), size, size_by)| {
            Event::Snapshot { session, size, size_by, history }
        }),
        any::<(u32, u64)>().prop_map(|(session, offset)| Event::SnapshotEnd { session, offset }),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let texts = || any::<(String, String)>();
    let reasons = [
        ClosingReason::Revoked,
        ClosingReason::Expired,
        ClosingReason::Stopping,
        ClosingReason::Restarting,
        ClosingReason::Goodbye,
        ClosingReason::Protocol,
        ClosingReason::Unknown,
    ];
    prop_oneof![
        3 => session_event(),
        1 => (any::<u32>(), any::<String>(), device_entry()).prop_map(
            |(protocol, daemon, device)| Event::Welcome(Welcome { protocol, daemon, device })
        ),
        1 => device_entry().prop_map(|device| Event::DevicePaired { device }),
        1 => texts().prop_map(|(id, name)| Event::DeviceRevoked { id, name }),
        1 => texts().prop_map(|(id, name)| Event::DeviceRenamed { id, name }),
        1 => sample::select(reasons.to_vec()).prop_map(|reason| Event::Closing { reason }),
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
    fn arbitrary_bytes_never_panic(bytes in collection::vec(any::<u8>(), 0..200), kind in 0..24_u8) {
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
        let plaintext = FromDaemon::Snapshot(chunk).write();
        let Ok(FromDaemon::Snapshot(read)) = FromDaemon::read(&plaintext) else { panic!() };
        prop_assert_eq!(read, chunk);
        let plaintext = FromDevice::OutputRead(progress).write();
        let Ok(FromDevice::OutputRead(read)) = FromDevice::read(&plaintext) else { panic!() };
        prop_assert_eq!(read, progress);
        let plaintext = FromDaemon::InputWritten(progress).write();
        let Ok(FromDaemon::InputWritten(read)) = FromDaemon::read(&plaintext) else { panic!() };
        prop_assert_eq!(read, progress);
    }

    #[test]
    fn any_unknown_request_is_answered(id: u32, name in "[a-z_]{15,20}", more in json()) {
        let body = json!({"id": id, "request": name, "more": more}).to_string();
        prop_assert_eq!(unreadable_code(&body), (id, ErrorCode::UnknownRequest));
    }

    #[test]
    fn any_unknown_event_is_dropped(name in "[a-z_]{18,24}", more in json()) {
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
