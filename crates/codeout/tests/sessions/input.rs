//! What is typed arrives in order, and waits for programs that do not read.

use codeout_protocol::message::{ExitStatus, INPUT_WINDOW, Request};

use super::{cksum, connected, deaf};

#[tokio::test]
async fn a_program_that_reads_nothing_holds_nobody_up() {
    let (daemon, device) = connected().await;
    let (mut device, session) = deaf(&daemon, &device).await;
    let before = device.screen(session).typed;
    device.type_in(session, &vec![b'x'; INPUT_WINDOW as usize]).await.unwrap();
    // Everything else is answered, and another session works.
    device.done(Request::Ping).await;
    let other = device.open().await;
    device.type_in(other, b"echo fr''ee\n").await.unwrap();
    device.see(other, "free").await;
    device.ask(Request::Devices).await.unwrap();
    assert!(device.screen(session).written <= before + INPUT_WINDOW);
    device.done(Request::End { session }).await;
    assert_eq!(device.end_of(session).await, ExitStatus::Signal(1));
    device.done(Request::Ping).await;
}

#[tokio::test]
async fn input_that_waited_is_written_in_order() {
    let (daemon, mut device) = connected().await;
    let session = device.open_raw().await;
    // More than a terminal takes at once, while nobody reads.
    let path = daemon.home.path().join("go");
    let go = path.display();
    let typed = format!(
        "echo rea''dy; while [ ! -e {go} ]; do sleep 0.01; done; head -c {INPUT_WINDOW} | cksum\n"
    );
    device.type_in(session, typed.as_bytes()).await.unwrap();
    device.see(session, "ready\n").await;
    device.see_written(session).await;
    let input: Vec<u8> = (0..INPUT_WINDOW).map(|byte| (byte % 251) as u8).collect();
    for part in input.chunks(1000) {
        device.type_in(session, part).await.unwrap();
    }
    device.done(Request::Ping).await;
    std::fs::write(&path, b"").unwrap();
    device.see(session, &format!("{} {INPUT_WINDOW}", cksum(&input))).await;
    device.see_written(session).await;
}

#[tokio::test]
async fn what_comes_for_a_session_that_has_just_ended_is_ignored() {
    let (_daemon, mut device) = connected().await;
    let session = device.open().await;
    device.type_in(session, b"exit\n").await.unwrap();
    device.end_of(session).await;
    device.type_in(session, b"too late\n").await.unwrap();
    device.acknowledge(session).await.unwrap();
    device.done(Request::Ping).await;
    // The same after a detach.
    let session = device.open_raw().await;
    device.done(Request::Detach { session }).await;
    device.type_in(session, b"exit 9\n").await.unwrap();
    device.acknowledge(session).await.unwrap();
    device.done(Request::Ping).await;
    assert_eq!(device.listed(session).await.unwrap().ended, None);
}
