//! What a session prints arrives whole and in order, and its end behind it.

use codeout_protocol::message::{Attach, Event as News, ExitStatus, Request, SessionId};

use super::support::TestDaemon;
use super::support::device::{Device, Heard, typing, watching};
use super::{connected, settle};

/// What an attachment is sent before it has acknowledged anything.
const FIRST_WINDOW: u64 = 1 << 16;

/// Reads what a session prints until it ends, from where the device is. Where it falls behind, it
/// attaches anew with what it has.
async fn read_all(device: &mut Device, session: SessionId) -> (Vec<u8>, ExitStatus) {
    let mut output = Vec::new();
    let mut end = device.screen(session).offset.unwrap();
    device.screen(session).text.clear();
    loop {
        if let Some(status) = device.screen(session).ended {
            return (output, status);
        }
        match device.hear().await.unwrap() {
            Heard::Output(_) => {
                output.append(&mut device.screen(session).text);
                end = device.screen(session).offset.unwrap();
            }
            Heard::News(News::Snapshot { .. }) => {
                let attach = Attach { after: Some(end), ..watching(session) };
                assert!(device.attach(attach).await.resumed, "output is not kept");
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn much_output_arrives_whole() {
    let keep = |config: &mut codeout_daemon::Config| config.sessions.output_bytes = 64 << 20;
    let daemon = TestDaemon::start_with(keep).await;
    let mut device = Device::of(&daemon, "phone").await;
    let session = device.open_raw().await;
    let count = 1_200_000;
    device.type_in(session, format!("seq 1 {count}; exit 3\n").as_bytes()).await.unwrap();
    let (printed, status) = read_all(&mut device, session).await;
    assert_eq!(status, ExitStatus::Exit(3));
    assert!(printed.len() > 8 << 20);
    // Behind the shell's prompt.
    let begin = printed.windows(4).position(|part| part == b"1\n2\n").unwrap();
    let expected: String = (1..=count).map(|number: u32| format!("{number}\n")).collect();
    // Not `assert_eq`: it would print them.
    assert!(printed[begin..] == *expected.as_bytes(), "output was lost or changed");
}

#[tokio::test]
async fn what_was_printed_last_is_not_lost() {
    let (_daemon, mut device) = connected().await;
    for round in 0..50 {
        let session = device.open_raw().await;
        // One write, and the end right behind it.
        device.type_in(session, b"printf '%065536d' 7; exit\n").await.unwrap();
        let (printed, status) = read_all(&mut device, session).await;
        assert_eq!(status, ExitStatus::Exit(0));
        let begin = printed.len().checked_sub(65_536).expect("output was lost");
        let (zeros, last) = printed[begin..].split_at(65_535);
        assert!(zeros.iter().all(|byte| *byte == b'0') && last == b"7", "round {round}");
        device.done(Request::Dismiss { session }).await;
    }
}

#[tokio::test]
async fn what_was_printed_last_waits_for_a_slow_device() {
    // Too little to be worth a snapshot instead.
    const PART: u64 = 4000;
    let (daemon, mut device) = connected().await;
    let mut other = Device::of(&daemon, "tablet").await;
    device.acks = false;
    let session = device.open_raw().await;
    let program = format!(
        "echo be''gin; while read word; do head -c {PART} /dev/zero | tr '\\0' x; \
         [ -z $word ] || exit 4; done\n"
    );
    device.type_in(session, program.as_bytes()).await.unwrap();
    device.see(session, "begin\n").await;
    while device.screen(session).received + PART <= FIRST_WINDOW {
        device.type_in(session, b"\n").await.unwrap();
        device.see_more(session, PART).await.unwrap();
    }
    // The last part is more than the device takes.
    device.type_in(session, b"last\n").await.unwrap();
    let before = device.screen(session).received;
    device.see_more(session, FIRST_WINDOW - before).await.unwrap();
    // The end is known, and everybody else is told…
    let is_ended = |_: &mut Device, heard| match heard {
        Heard::News(News::SessionEnded { session: ended, .. }) if ended == session => Some(()),
        _ => None,
    };
    other.until(is_ended).await.unwrap();
    assert!(device.listed(session).await.unwrap().ended.is_some());
    settle(&mut device).await;
    assert_eq!(device.screen(session).received, FIRST_WINDOW);
    assert_eq!(device.screen(session).ended, None);
    // …but this device only behind what it has still to see, also when it is off the list.
    other.done(Request::Dismiss { session }).await;
    device.acknowledge(session).await.unwrap();
    assert_eq!(device.end_of(session).await, ExitStatus::Exit(4));
    let screen = device.screen(session);
    assert_eq!(screen.received, before + PART);
    assert_eq!(screen.snapshots.len(), 1);
    assert!(screen.text.iter().all(|byte| *byte == b'x'), "output was changed");
}

/// `Device` fails at output before the reply to `attach`, behind that to `detach`, and where one
/// attachment goes on after another has taken its place.
#[tokio::test]
async fn an_attachment_begins_with_its_reply_and_ends_with_the_next_or_the_detach() {
    let (_daemon, mut device) = connected().await;
    let session = device.open_raw().await;
    device.type_in(session, b"yes\n").await.unwrap();
    for round in 0..60 {
        device.see_more(session, 20_000).await.unwrap();
        if round % 3 == 0 {
            device.done(Request::Detach { session }).await;
            settle(&mut device).await;
        }
        let attach = match round % 2 {
            0 => typing(session),
            _ => watching(session),
        };
        device.attach(attach).await;
    }
}

#[tokio::test]
async fn a_session_with_much_to_say_does_not_hold_up_a_request() {
    let (_daemon, mut device) = connected().await;
    let session = device.open_raw().await;
    device.type_in(session, b"yes\n").await.unwrap();
    device.see_more(session, 1 << 20).await.unwrap();
    let begun = device.screen(session).received;
    device.done(Request::Ping).await;
    // Not behind more than what may be on its way.
    let behind = device.screen(session).received - begun;
    assert!(behind <= 2 << 20, "the reply came behind {behind} bytes");
    device.done(Request::End { session }).await;
    device.end_of(session).await;
}
