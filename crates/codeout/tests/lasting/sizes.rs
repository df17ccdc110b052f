//! A session has one size. Who looks never changes it; who takes it over is named.

use codeout_daemon::OfferLimits;
use codeout_device::{Attachment, Connection, RequestFailed, SessionOutput};
use codeout_protocol::message::{Attach, ErrorCode, Open, Request, SessionId, TerminalSize};

use crate::desk::{Desk, attach, entry, in_time, open, read_until, refused, script, shell, watch};

/// Sizes that no terminal has.
const ABSURD: [(u16, u16); 5] = [(0, 24), (80, 0), (0, 0), (2001, 24), (80, u16::MAX)];

fn size(columns: u16, rows: u16) -> TerminalSize {
    TerminalSize { columns, rows }
}

/// The session's size and who gave it, as it is listed.
async fn listed(connection: &Connection, session: SessionId) -> (TerminalSize, Option<String>) {
    let entry = entry(connection, session).await;
    (size(entry.columns, entry.rows), entry.size_by)
}

/// Reads until a snapshot begins; its size and who gave it.
async fn next_snapshot(attachment: &mut Attachment) -> (TerminalSize, Option<String>) {
    loop {
        match in_time(attachment.read()).await.expect("it is attached") {
            SessionOutput::Snapshot { size, size_by, .. } => return (size, size_by),
            SessionOutput::Ended(status) => panic!("{status:?}"),
            SessionOutput::Bytes(_) | SessionOutput::SnapshotEnd => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_takes_the_size_changes_it_and_everybody_hears() {
    let desk = Desk::start().await;
    let desktop = desk.connect().await;
    let (_, phone) = desk.pair("phone", desk.port(), OfferLimits::default()).await;
    // The program says its size whenever that changes.
    let program = "trap 'stty size' WINCH; stty size; while :; do read x; done";
    let session = open(&desktop, script(program)).await.session;
    let by_desktop = Some(desktop.welcome().device.name.clone());

    // Looking and typing change nothing.
    let mut at_desktop = attach(&desktop, session).await;
    read_until(&mut at_desktop, "24 80").await;
    let mut at_phone = watch(&phone, session).await;
    assert_eq!(next_snapshot(&mut at_phone).await, (size(80, 24), by_desktop.clone()));
    assert_eq!(listed(&phone, session).await, (size(80, 24), by_desktop.clone()));

    // A device takes it over as it attaches.
    let mut at_phone = {
        let attach =
            Attach { session, keyboard: Some(2), size: Some(size(40, 50)), ..Attach::default() };
        in_time(phone.attach(attach)).await.unwrap().1
    };
    let by_phone = Some("phone".to_owned());
    assert_eq!(next_snapshot(&mut at_phone).await, (size(40, 50), by_phone.clone()));
    assert_eq!(next_snapshot(&mut at_desktop).await, (size(40, 50), by_phone.clone()));
    assert_eq!(listed(&desktop, session).await, (size(40, 50), by_phone));
    read_until(&mut at_desktop, "50 40").await;

    // Another takes it back.
    in_time(at_desktop.resize(size(132, 43))).await.unwrap();
    assert_eq!(next_snapshot(&mut at_desktop).await, (size(132, 43), by_desktop.clone()));
    assert_eq!(next_snapshot(&mut at_phone).await, (size(132, 43), by_desktop.clone()));
    read_until(&mut at_phone, "43 132").await;
    assert_eq!(listed(&desktop, session).await, (size(132, 43), by_desktop.clone()));
    in_time(at_phone.detach()).await.unwrap();
    assert_eq!(listed(&desktop, session).await, (size(132, 43), by_desktop));
    desk.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_that_no_terminal_has_are_refused() {
    let desk = Desk::start().await;
    let connection = desk.connect().await;
    let session = open(&connection, shell()).await.session;
    for (columns, rows) in ABSURD {
        let (code, _) =
            refused(&connection, Request::Open(Open { columns, rows, ..Open::default() })).await;
        assert_eq!(code, ErrorCode::BadRequest);
        let size = size(columns, rows);
        let (code, _) = refused(&connection, Request::Resize { session, size }).await;
        assert_eq!(code, ErrorCode::BadRequest);
        let attach = Attach { session, size: Some(size), ..Attach::default() };
        match in_time(connection.attach(attach)).await {
            Err(RequestFailed::Refused(error)) => assert_eq!(error.code, ErrorCode::BadRequest),
            other => panic!("not refused: {other:?}"),
        }
    }
    assert_eq!(listed(&connection, session).await.0, size(80, 24));
    assert_eq!(connection.sessions().await.unwrap().len(), 1);
    for largest in [(1, 1), (2000, 250), (250, 2000)] {
        let size = size(largest.0, largest.1);
        in_time(connection.request(Request::Resize { session, size })).await.unwrap();
        assert_eq!(listed(&connection, session).await.0, size);
    }
    desk.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_may_only_watch_changes_nothing() {
    let desk = Desk::start().await;
    let connection = desk.connect().await;
    let session = open(&connection, script("stty -echo; read x; echo got $x")).await.session;
    let limits = OfferLimits { watch_only: true, ..OfferLimits::default() };
    let (_, watcher) = desk.pair("wall", desk.port(), limits).await;
    for attach in [
        Attach { session, keyboard: Some(1), ..Attach::default() },
        Attach { session, size: Some(size(40, 50)), ..Attach::default() },
    ] {
        match in_time(watcher.attach(attach)).await {
            Err(RequestFailed::Refused(error)) => assert_eq!(error.code, ErrorCode::NotAllowed),
            other => panic!("not refused: {other:?}"),
        }
    }
    for request in [
        Request::Resize { session, size: size(40, 50) },
        Request::End { session },
        Request::RenameSession { session, name: "mine".into() },
        Request::Open(shell()),
        Request::Dismiss { session },
    ] {
        assert_eq!(refused(&watcher, request).await.0, ErrorCode::NotAllowed);
    }
    let before = entry(&connection, session).await;
    assert_eq!((before.columns, before.ended), (80, None));

    // It sees all the same.
    let mut seen = watch(&watcher, session).await;
    attach(&connection, session).await.write_input(b"keys\n").await.unwrap();
    read_until(&mut seen, "got keys").await;
    desk.stop().await;
}
