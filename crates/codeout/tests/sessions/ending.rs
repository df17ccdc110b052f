//! How sessions end, and that nothing else ends them.

use codeout_protocol::message::{ErrorCode, Event as News, ExitStatus, Request, SessionId};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tokio::net::unix::pipe;

use super::support::device::{Device, SIZE, shell, typing, watching};
use super::{Witness, again, connected, finish, settle};

#[tokio::test]
async fn end_hangs_up() {
    let (daemon, mut device) = connected().await;
    let mut witness = Witness::new(daemon.home.path());
    let session = device.open_raw().await;
    device.type_in(session, witness.program().as_bytes()).await.unwrap();
    device.see(session, "up\n").await;
    device.done(Request::End { session }).await;
    witness.hears("hup\n").await;
    assert_eq!(device.end_of(session).await, ExitStatus::Exit(0));

    // A program that does nothing about it ends by it; a stopped one too.
    for stop in ["", "kill -STOP $$;"] {
        let session = device.open_raw().await;
        let typed = format!("echo u''p; {stop} exec sleep 1000\n");
        device.type_in(session, typed.as_bytes()).await.unwrap();
        device.see(session, "up\n").await;
        device.done(Request::End { session }).await;
        assert_eq!(device.end_of(session).await, ExitStatus::Signal(1));
    }
    // One that heeds no hang-up is killed, with what it has started.
    let session = device.open_raw().await;
    let typed = b"trap '' HUP; sleep 1000 & echo u''p; while :; do sleep 0.02; done\n";
    device.type_in(session, typed).await.unwrap();
    device.see(session, "up\n").await;
    device.done(Request::End { session }).await;
    assert_eq!(device.end_of(session).await, ExitStatus::Signal(9));
}

#[tokio::test]
async fn the_end_of_a_connection_ends_no_session() {
    let (daemon, mut device) = connected().await;
    let mut witness = Witness::new(daemon.home.path());
    let session = device.open_raw().await;
    device.type_in(session, witness.program().as_bytes()).await.unwrap();
    device.see(session, "up\n").await;
    // Once cut, once ended in due form, once detached.
    for how in ["cut", "finished", "detached"] {
        let mut next = again(&daemon, &device).await;
        match how {
            "cut" => drop(device),
            "finished" => finish(device).await,
            _ => device.done(Request::Detach { session }).await,
        }
        // Nobody watches any more, sooner or later.
        while next.listed(session).await.unwrap().watching > 0 {
            next.until(|_, _| Some(())).await.unwrap();
        }
        assert_eq!(next.listed(session).await.unwrap().ended, None, "{how}");
        next.attach(typing(session)).await;
        device = next;
    }
    // It was not told of a hang-up until it is.
    device.done(Request::End { session }).await;
    witness.hears("hup\n").await;
    assert_eq!(device.end_of(session).await, ExitStatus::Exit(0));
}

#[tokio::test]
async fn a_session_that_has_ended_can_be_looked_at_until_it_is_dismissed() {
    let (daemon, mut device) = connected().await;
    let mut other = Device::of(&daemon, "tablet").await;
    let session = device.open_raw().await;
    assert_eq!(device.refused(Request::Dismiss { session }).await, ErrorCode::NotAllowed);
    device.type_in(session, b"echo la''st words; exit 9\n").await.unwrap();
    assert_eq!(device.end_of(session).await, ExitStatus::Exit(9));
    let ended = device.listed(session).await.unwrap().ended.unwrap();
    assert_eq!(ended.status, ExitStatus::Exit(9));

    for request in [Request::End { session }, Request::Resize { session, size: SIZE }] {
        assert_eq!(device.refused(request).await, ErrorCode::Ended);
    }
    assert_eq!(device.refused(Request::Detach { session }).await, ErrorCode::NotFound);
    // What it showed last, and its end behind that, as often as it is wanted.
    for (device, attach) in [(&mut device, typing(session)), (&mut other, watching(session))] {
        for _ in 0..2 {
            let attached = device.attach(attach.clone()).await;
            assert_eq!(attached.attached.ended, Some(ended));
            assert!(!attached.resumed);
            assert_eq!(device.end_of(session).await, ExitStatus::Exit(9));
            assert!(
                device.screen(session).take("last words"),
                "{}",
                device.screen(session).shown()
            );
            assert_eq!(device.screen(session).snapshots.len(), 1);
        }
    }
    // Everybody is told, and it is gone.
    other.done(Request::Dismiss { session }).await;
    for device in [&mut device, &mut other] {
        while !device.news.contains(&News::SessionDismissed { session }) {
            device.until(|_, _| Some(())).await.unwrap();
        }
        assert_eq!(device.listed(session).await, None);
        for request in [
            Request::Attach(typing(session)),
            Request::End { session },
            Request::Resize { session, size: SIZE },
            Request::Dismiss { session },
            Request::RenameSession { session, name: "x".to_owned() },
        ] {
            assert_eq!(device.refused(request).await, ErrorCode::NotFound);
        }
    }
}

/// How often a device was told that a session has ended.
fn told(device: &Device, session: SessionId) -> usize {
    let ended = |news: &&News| matches!(news, News::SessionEnded { session: ended, .. } if *ended == session);
    device.news.iter().filter(ended).count()
}

#[tokio::test]
async fn every_connection_is_told_of_an_end_once() {
    let (daemon, mut device) = connected().await;
    let mut second = again(&daemon, &device).await;
    let mut third = Device::of(&daemon, "tablet").await;
    let mut sessions = Vec::new();
    for _ in 0..20 {
        let session = device.open_raw().await;
        second.attach(watching(session)).await;
        sessions.push(session);
        // `Device` fails at output behind it.
        device.type_in(session, b"head -c 3000 /dev/zero; exit 3\n").await.unwrap();
        assert_eq!(device.end_of(session).await, ExitStatus::Exit(3));
        assert_eq!(second.end_of(session).await, ExitStatus::Exit(3));
        assert!(device.screen(session).text.ends_with(&[0; 3000]), "output was lost");
    }
    // Ends are told in order: when all have heard of another one, nothing more is to come.
    let last = device.open_with(shell()).await.session;
    device.done(Request::End { session: last }).await;
    for device in [&mut device, &mut second, &mut third] {
        while told(device, last) == 0 {
            device.until(|_, _| Some(())).await.unwrap();
        }
        settle(device).await;
        for session in sessions.iter().chain([&last]) {
            assert_eq!(told(device, *session), 1, "{session}");
        }
    }
}

#[tokio::test]
async fn who_attaches_and_detaches_at_the_end_is_told_of_it() {
    let (daemon, mut device) = connected().await;
    for _ in 0..30 {
        let session = device.open_raw().await;
        let mut other = again(&daemon, &device).await;
        device.type_in(session, b"exit 3\n").await.unwrap();
        // At any moment of the end. The last attachment lasts until it is told.
        for _ in 0..3 {
            other.request(Request::Attach(watching(session))).await.unwrap();
            other.request(Request::Detach { session }).await.unwrap();
        }
        other.attach(watching(session)).await;
        assert_eq!(other.end_of(session).await, ExitStatus::Exit(3));
        assert_eq!(device.end_of(session).await, ExitStatus::Exit(3));
        device.done(Request::Dismiss { session }).await;
    }
}

#[tokio::test]
async fn a_program_that_holds_the_terminal_does_not_hold_the_session() {
    let (daemon, mut device) = connected().await;
    let mut witness = Witness::new(daemon.home.path());
    let session = device.open_raw().await;
    // In the background, deaf to the hangup of its terminal.
    let path = witness.path.to_str().unwrap().to_owned();
    let typed = format!(
        "(trap '' HUP; echo up > {path}; read _ < {path}.end) & while [ ! -e {path}.end ]; do \
         sleep 0.01; done; echo la''st; exit 5\n"
    );
    device.type_in(session, typed.as_bytes()).await.unwrap();
    witness.hears("up\n").await;
    let end = format!("{path}.end");
    mknodat(CWD, &end, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    device.see(session, "last\n").await;
    assert_eq!(device.end_of(session).await, ExitStatus::Exit(5));
    // Lets the program go.
    let _release = pipe::OpenOptions::new().read_write(true).open_sender(&end).unwrap();
}
