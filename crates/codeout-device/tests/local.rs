//! The way to a daemon on the same computer.

#![allow(clippy::unwrap_used, reason = "a test that fails")]

mod daemon;

use std::time::Duration;

use codeout_device::{Broken, Closed, ConnectError, Daemon, SessionOutput, connect_local};
use codeout_protocol::message::{
    Answer, Attach, ClosingReason, Event, ExitStatus, FromDaemon, Request,
};
use daemon::local::{accept, listen};
use daemon::{Behaviour, Said, Session, TestDaemon, name, welcome_event};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

#[tokio::test]
async fn a_session_through_the_control_socket() {
    let daemon = TestDaemon::start().await;
    let control = daemon.control();
    daemon.put_session(1, Session::new());
    let how = Daemon::Local(control.socket.clone());
    assert_eq!(how.name(), "this computer");
    let connection = how.connect().await.unwrap();
    assert_eq!(connection.welcome().daemon, "Work desk[31m");
    assert_eq!(connection.request(Request::Ping).await, Ok(Answer::Done {}));
    let attach = Attach { session: 1, keyboard: Some(2), ..Attach::default() };
    let (_, attachment) = connection.attach(attach).await.unwrap();
    let (mut input, mut reader) = attachment.split();
    let sent: Vec<u8> = (0..2_000_000u32).map(|n| (128 + n % 101) as u8).collect();
    let mut shown = Vec::new();
    let write = async {
        input.write_input(&sent).await.unwrap();
        input.write_input(b".").await.unwrap();
    };
    let read = async {
        loop {
            match reader.read().await.unwrap() {
                SessionOutput::Bytes(bytes) => shown.extend_from_slice(&bytes),
                SessionOutput::Ended(status) => return assert_eq!(status, ExitStatus::Exit(7)),
                SessionOutput::Snapshot { .. } | SessionOutput::SnapshotEnd => {}
            }
        }
    };
    tokio::join!(write, read);
    assert_eq!(shown.pop(), Some(b'.'));
    assert!(shown == sent);
    assert_eq!(connection.close().await, Closed::ByDaemon(ClosingReason::Goodbye));
}

#[tokio::test]
async fn nobody_there() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("control");
    let error = connect_local(&socket).await.unwrap_err();
    assert!(matches!(&error, ConnectError::NoDaemon { socket: named, .. } if *named == socket));
    assert!(error.may_pass());
}

#[tokio::test(start_paused = true)]
async fn one_that_says_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (socket, _listener) = listen(directory.path());
    let error = connect_local(&socket).await.unwrap_err();
    assert!(matches!(error, ConnectError::TimedOut), "{error:?}");
}

#[tokio::test]
async fn first_answers() {
    type Expected = fn(&ConnectError) -> bool;
    let incompatible: Expected = |error| matches!(error, ConnectError::Incompatible);
    let fault: Expected =
        |error| matches!(error, ConnectError::Protocol(how) if *how == Broken::Unexpected);
    let cut: Expected = |error| matches!(error, ConnectError::Cut);
    let ping = FromDaemon::Event(Event::SessionDismissed { session: 1 }).write();
    let answers: [(Vec<u8>, Expected); 10] = [
        (b"{\"error\":\"unknown request\"}\n".to_vec(), incompatible),
        (b"{\"error\":".to_vec(), incompatible),
        (b"{\"status\":{}}\n".to_vec(), fault),
        (b"HTTP/1.1 400".to_vec(), fault),
        (vec![0, 0, 0, 0], fault),
        (vec![0, 1, 0, 1], fault),
        (vec![0xff; 4], fault),
        (frame(&ping), fault),
        (vec![0, 0, 0], cut),
        (vec![0, 0, 0, 9, 1], cut),
    ];
    let daemon = TestDaemon::start().await;
    let control = daemon.control();
    for (answer, expected) in answers {
        daemon.behave([Behaviour::First(answer.clone())]);
        let error = connect_local(&control.socket).await.unwrap_err();
        assert!(expected(&error), "{answer:x?}: {error:?}");
    }
}

fn frame(plaintext: &[u8]) -> Vec<u8> {
    let length = u32::try_from(plaintext.len()).unwrap().to_be_bytes();
    [&length, plaintext].concat()
}

/// An established connection whose other end is plain bytes.
async fn established() -> (tempfile::TempDir, codeout_device::Connection, UnixStream) {
    let directory = tempfile::tempdir().unwrap();
    let (socket, listener) = listen(directory.path());
    let daemon = async {
        let mut stream = accept(&listener).await;
        let welcome = FromDaemon::Event(welcome_event(&name("laptop"))).write();
        // Byte by byte: frames arrive in any pieces.
        for byte in frame(&welcome) {
            stream.write_all(&[byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        stream
    };
    let (connection, stream) = tokio::join!(connect_local(&socket), daemon);
    (directory, connection.unwrap(), stream)
}

#[tokio::test]
async fn frames_that_are_none_end_it() {
    for bytes in [vec![0; 4], vec![0, 1, 0, 1], vec![0xff; 4], frame(b"\xee"), frame(b"\x03{")] {
        let (_directory, connection, mut stream) = established().await;
        stream.write_all(&bytes).await.unwrap();
        assert_eq!(connection.closed().await, Closed::Protocol, "{bytes:x?}");
        // And the device hangs up.
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    }
    for rest in [&b""[..], &[0, 0], &[0, 0, 0, 9, 3]] {
        let (_directory, connection, mut stream) = established().await;
        stream.write_all(rest).await.unwrap();
        drop(stream);
        assert_eq!(connection.closed().await, Closed::Cut);
    }
}

#[tokio::test]
async fn the_largest_frame_is_taken() {
    let (_directory, connection, mut stream) = established().await;
    let padding = " ".repeat(65_536 - 31);
    let event = format!("\x03{{\"event\":\"of_a_later_version\"{padding}}}");
    assert_eq!(event.len(), 65_536);
    stream.write_all(&frame(event.as_bytes())).await.unwrap();
    let dismissed = FromDaemon::Event(Event::SessionDismissed { session: 4 }).write();
    stream.write_all(&frame(&dismissed)).await.unwrap();
    assert_eq!(connection.next_event().await, Some(Event::SessionDismissed { session: 4 }));
}

#[tokio::test]
async fn last_words() {
    let mut daemon = TestDaemon::start().await;
    let control = daemon.control();
    daemon.behave([Behaviour::ByHand, Behaviour::ByHand]);
    let connection = connect_local(&control.socket).await.unwrap();
    let mut peer = daemon.by_hand.recv().await.unwrap();
    peer.close(ClosingReason::Restarting).await;
    assert_eq!(connection.closed().await, Closed::ByDaemon(ClosingReason::Restarting));

    let connection = connect_local(&control.socket).await.unwrap();
    let mut peer = daemon.by_hand.recv().await.unwrap();
    let daemon = async {
        assert_eq!(peer.next().await, Said::Final);
        peer.close(ClosingReason::Goodbye).await;
    };
    let (closed, ()) = tokio::join!(connection.close(), daemon);
    assert_eq!(closed, Closed::ByDaemon(ClosingReason::Goodbye));
}

#[tokio::test]
async fn what_a_cancelled_sender_began_is_sent_whole() {
    let (_directory, connection, mut stream) = established().await;
    // Fill the socket, so that a frame is cut short.
    let revoke = |letter: &str| Request::Revoke { device: letter.repeat(60_000) };
    for _ in 0..100 {
        let asked = connection.request(revoke("x"));
        let _ = tokio::time::timeout(Duration::ZERO, asked).await;
    }
    // Whatever arrives is whole frames.
    let mut frames = 0;
    let last = connection.request(revoke("y"));
    let reading = async {
        loop {
            let length = stream.read_u32().await.unwrap();
            let mut body = vec![0; length as usize];
            stream.read_exact(&mut body).await.unwrap();
            assert!(body.starts_with(b"\x01{\"id\":") && body.ends_with(b"}"));
            frames += 1;
            if body.windows(4).any(|four| four == b"yyyy") {
                return;
            }
        }
    };
    tokio::select! {
        _ = last => panic!("nobody answered"),
        () = reading => {}
    }
    assert!(frames > 1);
}
