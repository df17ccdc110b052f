use std::time::Duration;

use super::*;
use crate::devices::DeviceId;
use crate::session::keyboards::{Keyboard, Turn};
use crate::session::tests::session;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(20);

fn sit_down(session: &Session) -> Turn {
    let keyboard = Keyboard { device: DeviceId::LOCAL, number: 1 };
    session.keyboards().attach(keyboard).unwrap().0
}

fn read(session: &Session) -> Vec<u8> {
    session.log().pieces(0).concat()
}

#[tokio::test]
async fn whoever_types_reads_the_echo() {
    let session = session();
    let turn = sit_down(&session);
    let _open = Open::new(&session.reading);
    session.take_input(turn, 0, b"x", 1).unwrap();
    if read(&session).is_empty() {
        // The kernel echoes in its own time: what this key was too early for, the next one finds.
        let pty = session.pty().unwrap();
        tokio::time::timeout(PATIENCE, pty.readable()).await.expect("no echo").unwrap();
        session.take_input(turn, 1, b"x", 1).unwrap();
    }
    let echoed = read(&session);
    assert!(matches!(&echoed[..], b"x" | b"xx"), "{echoed:?}");
    // Its keeper is told, by what does not wait.
    let told = tokio::time::timeout(PATIENCE, session.echoed.notified()).await;
    told.expect("the keeper is not told");
}

#[tokio::test]
async fn nothing_is_read_while_nobody_keeps_the_session() {
    let session = session();
    let turn = sit_down(&session);
    drop(Open::new(&session.reading));
    for offset in 0..100 {
        session.take_input(turn, offset, b"x", 1).unwrap();
    }
    // All of it is there, for whoever goes on.
    assert_eq!(read(&session), b"");
    let pty = session.pty().unwrap();
    let mut came = Vec::new();
    while came.len() < 100 {
        pty.readable().await.unwrap();
        let mut buffer = [0; ECHO];
        let count = pty.read(&mut buffer).unwrap().unwrap_or(0);
        came.extend_from_slice(&buffer[..count]);
    }
    assert_eq!(came, [b'x'; 100]);
}

#[tokio::test]
async fn who_reads_already_is_not_waited_for() {
    let session = session();
    let turn = sit_down(&session);
    let _open = Open::new(&session.reading);
    let reading = locked(&session.reading);
    for offset in 0..100 {
        session.take_input(turn, offset, b"x", 1).unwrap();
    }
    drop(reading);
    assert_eq!(read(&session), b"");
}

#[tokio::test]
async fn what_is_no_key_has_no_echo_read() {
    let session = session();
    let turn = sit_down(&session);
    let _open = Open::new(&session.reading);
    let paste = [b'x'; KEY + 1];
    for round in 0..20 {
        session.take_input(turn, round * paste.len() as u64, &paste, 1).unwrap();
    }
    assert_eq!(read(&session), b"");
}
