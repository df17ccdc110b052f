//! A device that may only watch: it sees everything and reaches nothing.

use codeout_daemon::OfferLimits;
use codeout_protocol::message::{
    Attach, Chunk, ErrorCode, FromDevice, Open, Request, SessionId, TerminalSize,
};

use super::support::TestDaemon;
use super::support::device::{Device, SIZE, shell, typing, watching};
use super::{again, is_closed, settle};

/// A daemon, a device that may do everything with a session whose program copies what is typed,
/// and one that may only watch.
async fn watched() -> (TestDaemon, Device, SessionId, Device) {
    let daemon = TestDaemon::start().await;
    let mut boss = Device::of(&daemon, "boss").await;
    let session = boss.open_raw().await;
    boss.type_in(session, b"echo u''p; exec cat\n").await.unwrap();
    boss.see(session, "up\n").await;
    boss.see_written(session).await;
    let limits = OfferLimits { watch_only: true, for_seconds: None };
    let code = daemon.daemon.offer(limits).code;
    let guest = Device::pair(daemon.port(), &code, "guest").await.unwrap();
    (daemon, boss, session, guest)
}

#[tokio::test]
async fn it_sees_what_there_is() {
    let (_daemon, mut boss, session, mut guest) = watched().await;
    assert_eq!(guest.listed(session).await.unwrap().session, session);
    assert_eq!(guest.attach(watching(session)).await.input, 0);
    let entry = boss.listed(session).await.unwrap();
    assert_eq!(entry.watching, 2);
    assert!(entry.watchers.contains(&"guest".to_owned()));
    guest.see(session, "up").await;
    boss.type_in(session, b"word").await.unwrap();
    guest.see(session, "word").await;
    // It resumes as any other.
    let after = guest.screen(session).offset;
    guest.done(Request::Detach { session }).await;
    boss.type_in(session, b"more").await.unwrap();
    boss.see(session, "more").await;
    assert!(guest.attach(Attach { after, ..watching(session) }).await.resumed);
    guest.see(session, "more").await;
    boss.done(Request::End { session }).await;
    let status = boss.end_of(session).await;
    assert_eq!(guest.end_of(session).await, status);
}

#[tokio::test]
async fn whatever_else_it_asks_for_is_refused_and_not_done() {
    let (_daemon, mut boss, session, mut guest) = watched().await;
    // One that has ended, to be dismissed.
    let ended = boss.open_raw().await;
    boss.done(Request::End { session: ended }).await;
    boss.end_of(ended).await;
    let before = boss.listed(session).await.unwrap();
    let snapshots = boss.screen(session).snapshots.len();
    let size = TerminalSize { columns: 40, rows: 20 };
    for attached in [false, true] {
        if attached {
            guest.attach(watching(session)).await;
        }
        for request in [
            Request::Open(shell()),
            Request::Open(Open { columns: 0, ..shell() }),
            Request::OpenAgain { session: ended, size },
            Request::OpenAgain { session: 99, size },
            Request::Programs,
            Request::Resize { session, size },
            Request::Resize { session, size: SIZE },
            Request::Resize { session: 99, size },
            Request::End { session },
            Request::End { session: 99 },
            Request::RenameSession { session, name: "mine".to_owned() },
            Request::Dismiss { session: ended },
            Request::Dismiss { session },
            Request::Attach(typing(session)),
            Request::Attach(Attach { size: Some(size), ..watching(session) }),
            Request::Attach(Attach { size: Some(SIZE), ..watching(session) }),
            Request::Attach(Attach { size: Some(size), ..typing(session) }),
            Request::Attach(typing(99)),
        ] {
            let asked = format!("{request:?}");
            assert_eq!(guest.refused(request).await, ErrorCode::NotAllowed, "{asked}");
        }
    }
    // Refused, it is attached as before, and the session is as it was.
    boss.type_in(session, b"word").await.unwrap();
    guest.see(session, "word").await;
    boss.see(session, "word").await;
    assert_eq!(boss.screen(session).snapshots.len(), snapshots);
    let after = boss.listed(session).await.unwrap();
    assert_eq!(
        (after.name, after.columns, after.rows, after.size_by, after.ended),
        (before.name, before.columns, before.rows, before.size_by, None)
    );
    assert!(boss.listed(ended).await.is_some());
    assert_eq!(boss.listed(ended + 1).await, None);
}

#[tokio::test]
async fn what_it_types_ends_its_connection_and_goes_nowhere() {
    let (daemon, mut boss, session, guest) = watched().await;
    let forged =
        |session, offset| FromDevice::Input(Chunk { session, offset, bytes: b"forged" }).write();
    let mut cases = Vec::new();
    for offset in [0, 6, 1 << 20] {
        // Attached to it, to nothing, and to none that there is.
        cases.push((true, session, offset));
        cases.push((false, session, offset));
        cases.push((false, 99, offset));
    }
    for (attached, to, offset) in cases {
        let mut device = again(&daemon, &guest).await;
        if attached {
            device.attach(watching(session)).await;
        }
        device.line.send(&forged(to, offset)).await.unwrap();
        is_closed(device, &format!("{attached} {to} {offset}")).await;
    }
    // Also behind its detach, and when the session has ended.
    let mut device = again(&daemon, &guest).await;
    device.attach(watching(session)).await;
    device.done(Request::Detach { session }).await;
    device.line.send(&forged(session, 0)).await.unwrap();
    is_closed(device, "behind a detach").await;
    let ended = boss.open_raw().await;
    let mut device = again(&daemon, &guest).await;
    device.attach(watching(ended)).await;
    boss.done(Request::End { session: ended }).await;
    device.end_of(ended).await;
    device.line.send(&forged(ended, 0)).await.unwrap();
    is_closed(device, "behind the end").await;

    boss.type_in(session, b"honest").await.unwrap();
    boss.see(session, "honest").await;
    settle(&mut boss).await;
    assert!(boss.screen(session).text.is_empty(), "{}", boss.screen(session).shown());
    let mut last = again(&daemon, &boss).await;
    last.attach(watching(session)).await;
    last.see(session, "honest").await;
    assert!(!last.screen(session).shown().contains("forged"));
    let entry = boss.listed(session).await.unwrap();
    assert_eq!(entry.last_line.unwrap(), "honest");
}
