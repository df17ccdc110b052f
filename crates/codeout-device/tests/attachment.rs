//! Attachments to sessions, the other end of whose connection the test plays.

#![allow(clippy::unwrap_used, reason = "a test that fails")]

mod daemon;

use codeout_device::{
    Attachment, Closed, Connection, InputError, RequestFailed, SessionOutput, connect,
};
use codeout_protocol::message::{
    Answer, Attach, Attached, ClosingReason, ErrorCode, Event, ExitStatus, INPUT_WINDOW, MAX_CHUNK,
    Open, Request, RequestError, TerminalSize,
};
use daemon::{Said, TestDaemon, attached, entry};

/// That the connection ends because of what the daemon just sent.
async fn ends_in_protocol(connection: Connection) {
    assert_eq!(connection.closed().await, Closed::Protocol);
    let failed = connection.request(Request::Ping).await;
    assert_eq!(failed, Err(RequestFailed::Closed(Closed::Protocol)));
    assert!(connection.next_event().await.is_none());
}

/// A connection to an honest daemon, with a new session.
async fn opened() -> (TestDaemon, Connection, Attachment) {
    let daemon = TestDaemon::start().await;
    let connection = connect(&daemon.profile()).await.unwrap();
    let open = Request::Open(Open { columns: 80, rows: 24, ..Open::default() });
    let Ok(Answer::Opened { opened }) = connection.request(open).await else { panic!() };
    let attach = Attach { session: opened.session, keyboard: Some(1), ..Attach::default() };
    let (attached, attachment) = connection.attach(attach).await.unwrap();
    assert_eq!((attached.attached, attached.input), (opened, 0));
    (daemon, connection, attachment)
}

#[tokio::test]
async fn a_session_from_its_first_key_to_its_end() {
    let (_daemon, connection, mut session) = opened().await;
    session.resize(TerminalSize { columns: 100, rows: 40 }).await.unwrap();
    let mut echoed = Vec::new();
    for input in ["ls", "\n", "done."] {
        session.write_input(input.as_bytes()).await.unwrap();
    }
    let status = loop {
        match session.read().await.unwrap() {
            SessionOutput::Bytes(bytes) => echoed.extend_from_slice(&bytes),
            SessionOutput::Ended(status) => break status,
            SessionOutput::Snapshot { .. } | SessionOutput::SnapshotEnd => {}
        }
    };
    assert_eq!(echoed, b"ls\ndone.");
    assert_eq!(status, ExitStatus::Exit(7));
    assert!(session.read().await.is_none());
    let failed = session.write_input(b"x").await;
    assert_eq!(failed, Err(InputError::SessionEnded));
    assert_eq!(connection.close().await, Closed::ByDaemon(ClosingReason::Goodbye));
}

#[tokio::test]
async fn much_goes_through_both_ways() {
    let (_daemon, _connection, session) = opened().await;
    let (mut input, mut output) = session.split();
    let sent: Vec<u8> = (0..5_000_000u32).map(|n| (128 + n % 101) as u8).collect();
    let mut received = Vec::new();
    let write = async {
        input.write_input(&sent).await.unwrap();
        input.write_input(b".").await.unwrap();
    };
    let read = async {
        while let Some(next) = output.read().await {
            if let SessionOutput::Bytes(bytes) = next {
                received.extend_from_slice(&bytes);
            }
        }
    };
    tokio::join!(write, read);
    assert_eq!(output.offset(), Some(received.len() as u64));
    assert_eq!(received.pop(), Some(b'.'));
    assert!(received == sent);
}

#[tokio::test]
async fn input_waits_for_credit() {
    let (_daemon, _connection, session, mut peer) = attached().await;
    let (mut input, _reader) = session.split();
    let window = INPUT_WINDOW as usize;
    let typed = vec![b'x'; window + 10];
    let mut write = std::pin::pin!(input.write_input(&typed));

    // Exactly the window comes, in pieces that are not too large.
    let mut got = 0;
    while got < window {
        tokio::select! {
            _ = &mut write => panic!("there was no credit for all of it"),
            said = peer.next() => {
                let Said::Input { session: 5, offset, bytes } = said else { panic!("{said:?}") };
                assert_eq!(offset, got as u64);
                assert!(bytes.len() <= MAX_CHUNK);
                got += bytes.len();
            }
        }
    }
    assert_eq!(got, window);
    // Nothing comes before there is credit, and then no more than there is.
    peer.input_written(5, 4).await;
    for (offset, length) in [(window as u64, 4), (window as u64 + 4, 6)] {
        let said = tokio::select! {
            _ = &mut write, if length == 4 => panic!("there was no credit for all of it"),
            said = peer.next() => said,
        };
        let bytes = vec![b'x'; length];
        assert_eq!(said, Said::Input { session: 5, offset, bytes });
        if length == 4 {
            peer.input_written(5, window as u64).await;
            write.as_mut().await.unwrap();
        }
    }
}

#[tokio::test]
async fn input_that_waits_hears_of_the_end() {
    for by_session in [true, false] {
        let (_daemon, _connection, mut session, mut peer) = attached().await;
        let typed = vec![b'x'; INPUT_WINDOW as usize + 1];
        let end = async {
            let mut got = 0;
            while got < INPUT_WINDOW as usize {
                let Said::Input { bytes, .. } = peer.next().await else { panic!() };
                got += bytes.len();
            }
            if by_session {
                let status = ExitStatus::Signal(9);
                peer.event(Event::SessionEnded { session: 5, status }).await;
            } else {
                peer.close(ClosingReason::Revoked).await;
            }
        };
        let (written, ()) = tokio::join!(session.write_input(&typed), end);
        let expected = if by_session {
            InputError::SessionEnded
        } else {
            InputError::Closed(Closed::ByDaemon(ClosingReason::Revoked))
        };
        assert_eq!(written, Err(expected));
    }
}

#[tokio::test]
async fn a_dropped_attachment_is_detached() {
    let (_daemon, _connection, session, mut peer) = attached().await;
    let (input, reader) = session.split();
    drop(reader);
    drop(input);
    let (_, request) = peer.request().await;
    assert_eq!(request, Request::Detach { session: 5 });
}

#[tokio::test]
async fn detaching_ends_the_reader_alone() {
    let (_daemon, connection, session, mut peer) = attached().await;
    let (input, mut reader) = session.split();
    let daemon = async {
        let (id, request) = peer.request().await;
        assert_eq!(request, Request::Detach { session: 5 });
        // Still on its way: nobody's.
        peer.output(5, 0, b"late").await;
        peer.input_written(5, 99).await;
        peer.reply(id, Answer::Done {}).await;
    };
    let (detached, output, ()) = tokio::join!(input.detach(), reader.read(), daemon);
    detached.unwrap();
    assert!(output.is_none());
    // Behind the answer it is a fault.
    peer.output(5, 4, b"x").await;
    ends_in_protocol(connection).await;
}

#[tokio::test]
async fn detaching_from_what_ends_meanwhile_is_no_error() {
    let (_daemon, _connection, session, mut peer) = attached().await;
    let daemon = async {
        let (id, request) = peer.request().await;
        assert_eq!(request, Request::Detach { session: 5 });
        let status = ExitStatus::Exit(3);
        peer.event(Event::SessionEnded { session: 5, status }).await;
        let error = RequestError::new(ErrorCode::NotFound, "not attached");
        peer.refuse(id, error).await;
    };
    let (detached, ()) = tokio::join!(session.detach(), daemon);
    assert_eq!(detached, Ok(()));
}

#[tokio::test]
async fn an_end_that_nobody_reads_is_heard_like_everybody_elses() {
    let status = ExitStatus::Exit(3);
    let ended = Event::SessionEnded { session: 5, status };
    // It came, and the attachment is left unread.
    let (_daemon, connection, session, mut peer) = attached().await;
    let (mut input, reader) = session.split();
    peer.event(ended.clone()).await;
    let over = loop {
        if let Err(over) = input.write_input(b"x").await {
            break over;
        }
    };
    assert_eq!(over, InputError::SessionEnded);
    drop(reader);
    input.detach().await.unwrap();
    assert_eq!(connection.next_event().await, Some(ended.clone()));

    // Nobody reads when it comes.
    let (_daemon, connection, session, mut peer) = attached().await;
    let (_input, reader) = session.split();
    drop(reader);
    peer.event(ended.clone()).await;
    assert_eq!(connection.next_event().await, Some(ended.clone()));

    // What was read is not heard again.
    let (_daemon, connection, mut session, mut peer) = attached().await;
    peer.event(ended).await;
    let Some(SessionOutput::Ended(read)) = session.read().await else { panic!() };
    assert_eq!(read, status);
    drop(session);
    let other = Event::SessionDismissed { session: 5 };
    peer.event(other.clone()).await;
    assert_eq!(connection.next_event().await, Some(other));
}

#[tokio::test]
async fn attaching_again_replaces_the_attachment() {
    let (_daemon, connection, mut first, mut peer) = attached().await;
    peer.output(5, 0, b"one").await;
    assert!(first.read().await.is_some());
    let attach = Attach { session: 5, after: Some(3), keyboard: Some(9), ..Attach::default() };
    let (second, ()) = tokio::join!(connection.attach(attach), peer.attach(4));
    let (attached, mut second) = second.unwrap();
    assert!(attached.resumed);
    assert!(first.read().await.is_none());
    assert_eq!(first.write_input(b"x").await, Err(InputError::Detached));
    drop(first);
    peer.output(5, 3, b"two").await;
    assert!(matches!(second.read().await, Some(SessionOutput::Bytes(bytes)) if &*bytes == b"two"));
    // The input counts from where the daemon says; and nothing detached the second one.
    second.write_input(b"y").await.unwrap();
    let bytes = b"y".to_vec();
    assert_eq!(peer.next().await, Said::Input { session: 5, offset: 4, bytes });
}

#[tokio::test]
async fn an_attachment_dropped_while_it_is_replaced_detaches_nothing() {
    let (_daemon, connection, first, mut peer) = attached().await;
    let attach = Attach { session: 5, after: Some(0), ..Attach::default() };
    for refused in [true, false] {
        let mut again = std::pin::pin!(connection.attach(attach.clone()));
        let (id, _) = tokio::select! {
            _ = &mut again => panic!("nobody answered"),
            asked = peer.request() => asked,
        };
        if refused {
            let error = RequestError::new(ErrorCode::Limit, "no");
            peer.refuse(id, error).await;
            assert!(matches!(again.await, Err(RequestFailed::Refused(_))));
            continue;
        }
        drop(first);
        let attached = Attached { attached: entry(5), resumed: true, input: 0 };
        peer.reply(id, Answer::Attached(Box::new(attached))).await;
        let (_, mut second) = again.await.unwrap();
        peer.output(5, 0, b"x").await;
        assert!(second.read().await.is_some());
        assert_eq!(second.write_input(b"x").await, Err(InputError::NotTyping));
        drop(second);
        let (_, request) = peer.request().await;
        assert_eq!(request, Request::Detach { session: 5 });
        break;
    }
}

#[tokio::test]
async fn an_attachment_dropped_while_its_replacement_is_refused_is_detached() {
    let (_daemon, connection, first, mut peer) = attached().await;
    let attach = Attach { session: 5, ..Attach::default() };
    let mut again = std::pin::pin!(connection.attach(attach));
    let (id, _) = tokio::select! {
        _ = &mut again => panic!("nobody answered"),
        asked = peer.request() => asked,
    };
    drop(first);
    // The keeper has skipped it when what is asked behind it comes.
    let (_, _) = tokio::select! {
        _ = connection.request(Request::Ping) => panic!("nobody answered"),
        asked = peer.request() => asked,
    };
    peer.refuse(id, RequestError::new(ErrorCode::Limit, "no")).await;
    assert!(again.await.is_err());
    let (_, request) = peer.request().await;
    assert_eq!(request, Request::Detach { session: 5 });
}

#[tokio::test]
async fn a_dropped_connection_is_cut() {
    let (_daemon, connection, mut session, mut peer) = attached().await;
    drop(connection);
    assert_eq!(peer.next().await, Said::Gone);
    assert!(session.read().await.is_none());
    assert_eq!(session.write_input(b"x").await, Err(InputError::Closed(Closed::Cut)));
}

#[tokio::test]
async fn input_written_never_goes_back() {
    let (_daemon, connection, mut session, mut peer) = attached().await;
    session.write_input(b"abc").await.unwrap();
    peer.input_written(5, 2).await;
    peer.input_written(5, 2).await;
    peer.input_written(5, 1).await;
    ends_in_protocol(connection).await;
}
