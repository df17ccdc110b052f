//! What one attachment is sent is bounded by what it acknowledges.

use codeout_protocol::message::{FromDevice, OUTPUT_WINDOW, Progress, Request};

use super::support::device::{Device, watching};
use super::{connected, settle};

/// What an attachment is sent before it has acknowledged anything.
const FIRST_WINDOW: u64 = 1 << 16;
/// What it is sent at least when it has acknowledged everything.
const LEAST_WINDOW: u64 = 1 << 13;

#[tokio::test]
async fn output_stops_at_the_window_and_goes_on_with_it() {
    let (_daemon, mut device) = connected().await;
    device.acks = false;
    let session = device.open_raw().await;
    device.type_in(session, b"yes\n").await.unwrap();
    let before = device.screen(session).received;
    device.see_more(session, FIRST_WINDOW - before).await.unwrap();
    settle(&mut device).await;
    assert_eq!(device.screen(session).received, FIRST_WINDOW);
    // As much as is acknowledged comes, to the byte.
    device.acknowledge_until(session, 1).await.unwrap();
    device.see_more(session, 1).await.unwrap();
    settle(&mut device).await;
    assert_eq!(device.screen(session).received, FIRST_WINDOW + 1);
    // Saying it again, or less, changes nothing.
    for offset in [1, 0] {
        let progress = FromDevice::OutputRead(Progress { session, offset });
        device.line.send(&progress.write()).await.unwrap();
    }
    settle(&mut device).await;
    assert_eq!(device.screen(session).received, FIRST_WINDOW + 1);

    // Meanwhile another session has a window of its own, and so has the next attachment.
    let other = device.open().await;
    device.type_in(other, b"echo fr''ee\n").await.unwrap();
    device.see(other, "free").await;
    device.attach(watching(session)).await;
    device.see_more(session, FIRST_WINDOW).await.unwrap();
    settle(&mut device).await;
    assert_eq!(device.screen(session).received, FIRST_WINDOW);

    // The window follows the time that this takes, in its bounds: `Device` checks the largest.
    for _ in 0..20 {
        device.acknowledge(session).await.unwrap();
        device.see_more(session, LEAST_WINDOW).await.unwrap();
    }
    device.acks = true;
    device.acknowledge(session).await.unwrap();
    device.see_more(session, 4 * OUTPUT_WINDOW).await.unwrap();
}

#[tokio::test]
async fn who_falls_behind_is_shown_what_is_there_and_nobody_else_is_held_up() {
    let (daemon, mut device) = connected().await;
    let mut slow = Device::of(&daemon, "watch").await;
    slow.acks = false;
    let session = device.open_raw().await;
    slow.attach(watching(session)).await;
    // More than is kept for a device that is behind, so that it cannot get all of it.
    device.type_in(session, b"head -c 9000000 /dev/zero | tr '\\0' x\n").await.unwrap();
    device.type_in(session, b"echo; echo the e''nd; read _\n").await.unwrap();
    device.see(session, "the end").await;
    let before = slow.screen(session).received;
    slow.see_more(session, FIRST_WINDOW - before).await.unwrap();
    settle(&mut slow).await;
    assert_eq!(slow.screen(session).received, FIRST_WINDOW);

    slow.acks = true;
    slow.acknowledge(session).await.unwrap();
    while slow.screen(session).offset.is_none_or(|offset| offset < 9_000_000) {
        slow.until(|_, _| Some(())).await.unwrap();
    }
    slow.see(session, "the end").await;
    let screen = slow.screen(session);
    assert!(screen.received < 1 << 20, "{} bytes for one screen", screen.received);
    // Lines that have scrolled off are as they were.
    assert!(screen.snapshots.len() > 1 && !screen.snapshots.last().unwrap().history);
    slow.done(Request::Ping).await;
}
