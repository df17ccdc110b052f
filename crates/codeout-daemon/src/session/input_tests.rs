use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::devices::DeviceId;
use crate::session::keyboards::Keyboard;
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

/// Types away from what else the test does, and once more when the terminal has the echo.
async fn type_twice(session: &Arc<Session>, keys: &'static [u8]) {
    let (turn, pty) = (sit_down(session), session.pty().unwrap());
    for offset in [0, keys.len() as u64] {
        let session = Arc::clone(session);
        let typing = tokio::task::spawn_blocking(move || session.take_input(turn, offset, keys, 1));
        tokio::time::timeout(PATIENCE, typing).await.expect("typing waits").unwrap().unwrap();
        readable(&pty).await;
    }
}

/// Waits until the terminal has something.
async fn readable(pty: &Pty) {
    tokio::time::timeout(PATIENCE, pty.readable()).await.expect("no echo").unwrap();
}

#[tokio::test]
async fn whoever_types_reads_the_echo() {
    let session = session();
    let turn = sit_down(&session);
    session.begin_reading().await;
    session.take_input(turn, 0, b"x", 1).unwrap();
    if read(&session).is_empty() {
        // The kernel echoes in its own time: what this key was too early for, the next one finds.
        readable(&session.pty().unwrap()).await;
        session.take_input(turn, 1, b"x", 1).unwrap();
    }
    let echoed = read(&session);
    assert!(matches!(&echoed[..], b"x" | b"xx"), "{echoed:?}");
    let told = tokio::time::timeout(PATIENCE, session.echoed.notified()).await;
    told.expect("the keeper is not told");
}

#[tokio::test]
async fn nothing_is_read_when_nobody_is_to() {
    let session = session();
    session.begin_reading().await;
    session.stop_reading().await;
    type_twice(&session, b"x").await;
    assert_eq!(read(&session), b"");
    // All of it is there, for whoever goes on.
    let pty = session.pty().unwrap();
    let mut came = Vec::new();
    while came.len() < 2 {
        readable(&pty).await;
        let mut buffer = [0; ECHO];
        let count = pty.read(&mut buffer).unwrap().unwrap_or(0);
        came.extend_from_slice(&buffer[..count]);
    }
    assert_eq!(came, b"xx");
}

#[tokio::test]
async fn who_reads_already_is_not_waited_for() {
    let session = session();
    session.begin_reading().await;
    let reading = session.reading.lock().await;
    type_twice(&session, b"x").await;
    drop(reading);
    assert_eq!(read(&session), b"");
}

#[tokio::test]
async fn what_is_no_key_has_no_echo_read() {
    let session = session();
    session.begin_reading().await;
    type_twice(&session, &[b'x'; KEY + 1]).await;
    assert_eq!(read(&session), b"");
}

#[tokio::test]
async fn behind_much_output_nothing_is_read() {
    let session = session();
    session.begin_reading().await;
    let much = vec![b'y'; usize::try_from(session.most_unseen()).unwrap() + 1];
    session.publish(&much, 1);
    type_twice(&session, b"x").await;
    assert_eq!(read(&session), much);
}
