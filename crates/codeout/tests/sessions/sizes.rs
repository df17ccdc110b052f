//! A session has one size, which devices give it.

use codeout_protocol::message::{
    Attach, ErrorCode, Event as News, MAX_TERMINAL_SIDE, Open, Request, SessionId, TerminalSize,
};

use super::support::TestDaemon;
use super::support::device::{Device, SIZE, shell, typing, watching};
use super::{connected, settle};

fn size(columns: u16, rows: u16) -> TerminalSize {
    TerminalSize { columns, rows }
}

/// Gives a session a size, and waits for the snapshot that this brings.
async fn resize(device: &mut Device, session: SessionId, size: TerminalSize) {
    let known = device.screen(session).snapshots.len();
    device.done(Request::Resize { session, size }).await;
    let snapshot = device.see_snapshot(session, known).await;
    assert_eq!(snapshot.size, size);
    assert!(!snapshot.history);
}

#[tokio::test]
async fn the_terminal_has_the_size_that_a_device_says() {
    let (_daemon, mut device) = connected().await;
    let session = device.open_with(Open { columns: 101, rows: 37, ..shell() }).await.session;
    device.attach(typing(session)).await;
    assert_eq!(device.see_snapshot(session, 0).await.size, size(101, 37));
    device.type_in(session, b"echo [$(stty size)]\n").await.unwrap();
    device.see(session, "[37 101]").await;
    for (columns, rows) in [(120, 40), (1, 1), (MAX_TERMINAL_SIDE, 250), (250, MAX_TERMINAL_SIDE)] {
        resize(&mut device, session, size(columns, rows)).await;
        device.type_in(session, b"echo [$(stty size)]\n").await.unwrap();
        device.see(session, &format!("[{rows} {columns}]")).await;
    }
    // A program that runs is told.
    resize(&mut device, session, size(110, 35)).await;
    let typed = b"exec sh -c 'trap \"stty size\" WINCH; echo up; while :; do sleep 0.02; done'\n";
    device.type_in(session, typed).await.unwrap();
    device.see(session, "up\r\n").await;
    resize(&mut device, session, size(90, 30)).await;
    device.see(session, "30 90").await;
    // And so it is when the size comes with an attachment.
    device.attach(Attach { size: Some(size(91, 31)), ..typing(session) }).await;
    device.see(session, "31 91").await;
}

#[tokio::test]
async fn a_size_out_of_range_changes_nothing() {
    let (_daemon, mut device) = connected().await;
    let session = device.open_raw().await;
    let snapshots = device.screen(session).snapshots.len();
    for (columns, rows) in
        [(0, 24), (80, 0), (0, 0), (2001, 24), (80, 2001), (2000, 251), (65535, 65535)]
    {
        let wrong = size(columns, rows);
        for request in [
            Request::Resize { session, size: wrong },
            Request::Open(Open { columns, rows, ..shell() }),
            Request::Attach(Attach { size: Some(wrong), ..typing(session) }),
        ] {
            let asked = format!("{request:?}");
            assert_eq!(device.refused(request).await, ErrorCode::BadRequest, "{asked}");
        }
    }
    // The attachment is the one that it was, and the terminal too.
    device.type_in(session, b"stty size\n").await.unwrap();
    device.see(session, "24 80\n").await;
    assert_eq!(device.screen(session).snapshots.len(), snapshots);
    assert_eq!(device.listed(session + 1).await, None);
}

#[tokio::test]
async fn everybody_gets_another_size_and_hears_whose_it_is() {
    let daemon = TestDaemon::start().await;
    let mut desk = Device::of(&daemon, "desk").await;
    let mut phone = Device::of(&daemon, "phone").await;
    let session = desk.open_raw().await;
    // To look changes nothing.
    phone.attach(watching(session)).await;
    assert_eq!(phone.see_snapshot(session, 0).await.size, SIZE);
    assert_eq!(phone.listed(session).await.unwrap().columns, SIZE.columns);

    for (columns, rows) in [(40, 60), (30, 50)] {
        let known = desk.screen(session).snapshots.len();
        phone.done(Request::Resize { session, size: size(columns, rows) }).await;
        for device in [&mut desk, &mut phone] {
            let shown = device.see_snapshot(session, known).await;
            assert_eq!(
                (shown.size, shown.size_by.as_deref()),
                (size(columns, rows), Some("phone"))
            );
            let entry = device.listed(session).await.unwrap();
            assert_eq!((entry.columns, entry.rows), (columns, rows));
            assert_eq!(entry.size_by.as_deref(), Some("phone"));
        }
    }
    // The same size again: another has given it, and nothing is shown anew.
    let (known, heard) = (phone.screen(session).snapshots.len(), phone.news.len());
    desk.done(Request::Resize { session, size: size(30, 50) }).await;
    let is_told = |device: &mut Device, _| {
        let told = device.news[heard..].iter().any(|news| match news {
            News::SessionChanged { session } => session.size_by.as_deref() == Some("desk"),
            _ => false,
        });
        told.then_some(())
    };
    phone.until(is_told).await.unwrap();
    settle(&mut phone).await;
    assert_eq!(phone.screen(session).snapshots.len(), known);
    // It needs no attachment.
    phone.done(Request::Detach { session }).await;
    phone.done(Request::Resize { session, size: size(31, 51) }).await;
    let shown = desk.see_snapshot(session, known).await;
    assert_eq!((shown.size, shown.size_by.as_deref()), (size(31, 51), Some("phone")));
}
