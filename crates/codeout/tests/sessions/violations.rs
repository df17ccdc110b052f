//! What no device may send: the daemon says so and ends the connection.

use codeout_protocol::message::{
    Chunk, ClosingReason, FromDevice, MAX_CHUNK, Progress, Request, SessionId,
};

use super::support::WireError;
use super::support::device::{Device, typing, watching};
use super::support::screen::Screen;
use super::{again, connected, deaf, is_closed};

#[tokio::test]
async fn input_beyond_the_window_ends_the_connection() {
    let (daemon, device) = connected().await;
    let (mut device, session) = deaf(&daemon, &device).await;
    // The terminal itself takes some; no terminal takes all of this. The daemon may have closed
    // before everything was sent.
    let _ = device.type_in(session, &vec![b'x'; 1 << 20]).await;
    is_closed(device, "input beyond the window").await;
}

/// Where a device is in a session.
struct At {
    session: SessionId,
    typed: u64,
    received: u64,
}

impl At {
    fn input(&self, offset: u64, bytes: &[u8]) -> Vec<u8> {
        FromDevice::Input(Chunk { session: self.session, offset, bytes }).write()
    }

    fn read(&self, offset: u64) -> Vec<u8> {
        FromDevice::OutputRead(Progress { session: self.session, offset }).write()
    }
}

#[tokio::test]
async fn what_no_device_may_send_ends_the_connection() {
    let (daemon, first) = connected().await;
    let json = |text: &str| [&[1], text.as_bytes()].concat();
    let plain = |bytes: &[u8]| bytes.to_vec();

    type Spoil<'a> = Box<dyn Fn(&At) -> Vec<u8> + 'a>;
    let cases: Vec<(&str, Spoil<'_>)> = vec![
        ("input with a gap", Box::new(|at| at.input(at.typed + 1, b"x"))),
        ("input that overlaps", Box::new(|at| at.input(at.typed - 1, b"x"))),
        ("input from the start", Box::new(|at| at.input(0, b"x"))),
        ("input beyond the end", Box::new(|at| at.input(u64::MAX, b"x"))),
        ("a chunk of nothing", Box::new(|at| at.input(at.typed, b""))),
        ("output never sent", Box::new(|at| at.read(at.received + 1))),
        ("output at the end of time", Box::new(|at| at.read(u64::MAX))),
        ("nothing", Box::new(|_| Vec::new())),
        ("an unknown kind", Box::new(|_| plain(&[0x7f, 1]))),
        ("the daemon's kind", Box::new(|_| plain(b"\x02{\"id\":1,\"ok\":{}}"))),
        ("a snapshot", Box::new(|at| [&[0x14], &at.input(0, b"x")[1..]].concat())),
        ("output", Box::new(|at| [&[0x10], &at.input(0, b"x")[1..]].concat())),
        ("input written", Box::new(|at| [&[0x13], &at.read(0)[1..]].concat())),
        ("half a progress", Box::new(|_| plain(&[0x11, 0, 0]))),
        ("more than a progress", Box::new(|at| [&at.read(0)[..], &[0]].concat())),
        ("more than a chunk", Box::new(|at| at.input(at.typed, &[b'x'; MAX_CHUNK + 1]))),
        ("no JSON", Box::new(|_| json("ping"))),
        ("no object", Box::new(|_| json("[]"))),
        ("no id", Box::new(|_| json(r#"{"request":"ping"}"#))),
        ("a negative id", Box::new(|_| json(r#"{"id":-1,"request":"ping"}"#))),
        ("a long id", Box::new(|_| json(r#"{"id":4294967296,"request":"ping"}"#))),
        ("no request", Box::new(|_| json(r#"{"id":1}"#))),
        ("a request that is no string", Box::new(|_| json(r#"{"id":1,"request":7}"#))),
        ("more behind the request", Box::new(|_| json(r#"{"id":1,"request":"ping"}{}"#))),
    ];
    for (what, spoil) in cases {
        let (mut device, session) = deaf(&daemon, &first).await;
        let Screen { typed, received, .. } = *device.screen(session);
        assert!(typed > 1 && received > 0);
        device.line.send(&spoil(&At { session, typed, received })).await.unwrap();
        is_closed(device, what).await;
        // The session runs on.
        let mut next = again(&daemon, &first).await;
        assert_eq!(next.listed(session).await.unwrap().ended, None, "{what}");
        next.done(Request::End { session }).await;
    }

    // One that does not open, or a text, ends it without a word.
    let (mut device, _) = deaf(&daemon, &first).await;
    device.line.wire.send(vec![0; 81]).await.unwrap();
    assert!(matches!(device.last_word().await, Err(WireError::Ended)));
    // The device is paired as before.
    Device::connect(daemon.port(), &first.credentials).await.unwrap();
}

#[tokio::test]
async fn input_without_a_keyboard_ends_the_connection() {
    let (daemon, mut device) = connected().await;
    let session = device.open_raw().await;
    device.type_in(session, b"echo u''p; exec cat\n").await.unwrap();
    device.see(session, "up\n").await;
    device.see_written(session).await;
    let mut other = again(&daemon, &device).await;
    let attached = other.attach(watching(session)).await;
    assert_eq!(attached.input, 0);
    other.type_in(session, b"forged\n").await.unwrap();
    is_closed(other, "input without a keyboard").await;

    // Also where the same connection had one before.
    let mut other = again(&daemon, &device).await;
    other.attach(typing(session)).await;
    other.type_in(session, b"typed\n").await.unwrap();
    other.see(session, "typed\n").await;
    other.attach(watching(session)).await;
    other.type_in(session, b"forged\n").await.unwrap();
    is_closed(other, "input where there is no keyboard any more").await;

    // Nothing of it has reached the program, which copies what does.
    device.type_in(session, b"honest\n").await.unwrap();
    device.see(session, "typed\n").await;
    assert!(!device.screen(session).take("forged"));
    device.see(session, "honest\n").await;
}

/// A chunk that is refused has no part in what is written.
#[tokio::test]
async fn of_a_chunk_at_the_wrong_offset_nothing_is_written() {
    let (daemon, mut device) = connected().await;
    let session = device.open_raw().await;
    device.type_in(session, b"echo u''p; exec cat\n").await.unwrap();
    device.see(session, "up\n").await;
    device.see_written(session).await;
    for back in [true, false] {
        let mut other = again(&daemon, &device).await;
        other.attach(typing(session)).await;
        other.type_in(session, b"be").await.unwrap();
        other.see_written(session).await;
        let offset = if back { 1 } else { 3 };
        let chunk = Chunk { session, offset, bytes: b"forged" };
        other.line.send(&FromDevice::Input(chunk).write()).await.unwrap();
        match other.last_word().await {
            Ok(ClosingReason::Protocol) => {}
            other => panic!("{other:?}"),
        }
    }
    device.type_in(session, b"honest\n").await.unwrap();
    device.see(session, "bebehonest\n").await;
}
