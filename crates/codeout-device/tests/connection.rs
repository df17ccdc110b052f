//! An established connection, whose other end the test plays, honestly or not.

#![allow(clippy::unwrap_used, reason = "a test that fails")]

mod daemon;

use codeout_device::{
    Closed, Connection, InputError, RequestFailed, Session, SessionOutput, SessionReader, connect,
};
use codeout_protocol::message::{
    Answer, ClosingReason, DeviceEntry, ErrorCode, Event, ExitStatus, FromDaemon, INPUT_WINDOW,
    Limits, MAX_CHUNK, OUTPUT_WINDOW, Outcome, Reply, Request, RequestError,
};
use daemon::{Peer, Said, TestDaemon, name, welcome_event};

/// A connection with one session, whose other end the test plays.
async fn with_session() -> (TestDaemon, Connection, Session, Peer) {
    let mut daemon = TestDaemon::start().await;
    let (connection, mut peer) = daemon.linked().await;
    let (session, ()) = tokio::join!(connection.open_session(80, 24), peer.open(5));
    (daemon, connection, session.unwrap(), peer)
}

async fn bytes(reader: &mut SessionReader) -> Vec<u8> {
    match reader.read().await {
        Some(SessionOutput::Bytes(bytes)) => bytes.to_vec(),
        other => panic!("no output: {other:?}"),
    }
}

/// That the connection ends because of what the daemon just sent.
async fn ends_in_protocol(connection: Connection) {
    assert_eq!(connection.closed().await, Closed::Protocol);
    let failed = connection.request(Request::Ping).await;
    assert_eq!(failed, Err(RequestFailed::Closed(Closed::Protocol)));
    assert!(connection.next_event().await.is_none());
}

#[tokio::test]
async fn a_session_from_its_first_key_to_its_end() {
    let daemon = TestDaemon::start().await;
    let connection = connect(&daemon.profile()).await.unwrap();
    let mut session = connection.open_session(80, 24).await.unwrap();
    session.resize(100, 40).await.unwrap();
    let mut echoed = Vec::new();
    for input in ["ls", "\n", "done."] {
        session.write_input(input.as_bytes()).await.unwrap();
    }
    let status = loop {
        match session.read().await.unwrap() {
            SessionOutput::Bytes(bytes) => echoed.extend_from_slice(&bytes),
            SessionOutput::Ended(status) => break status,
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
    let daemon = TestDaemon::start().await;
    let connection = connect(&daemon.profile()).await.unwrap();
    let (mut input, mut output) = connection.open_session(80, 24).await.unwrap().split();
    let sent: Vec<u8> = (0..5_000_000u32).map(|n| (128 + n % 101) as u8).collect();
    let mut received = Vec::new();
    let write = async {
        input.write_input(&sent).await.unwrap();
        input.write_input(b".").await.unwrap();
    };
    let read = async {
        while let Some(SessionOutput::Bytes(bytes)) = output.read().await {
            received.extend_from_slice(&bytes);
        }
    };
    tokio::join!(write, read);
    assert_eq!(received.pop(), Some(b'.'));
    assert!(received == sent);
}

#[tokio::test]
async fn requests_at_the_same_time_get_their_own_answers() {
    let mut daemon = TestDaemon::start().await;
    let (connection, mut peer) = daemon.linked().await;
    let renamed = |name: &str| {
        connection.request(Request::Rename { device: "A".to_owned(), name: name.to_owned() })
    };
    let daemon = async {
        let mut asked = Vec::new();
        for _ in 0..3 {
            asked.push(peer.request().await);
        }
        asked.reverse();
        for (id, request) in asked {
            let Request::Rename { name, .. } = request else { panic!() };
            peer.reply(id, Answer::Renamed { name }).await;
        }
    };
    let (a, b, c, ()) = tokio::join!(renamed("a"), renamed("b"), renamed("c\x1b[2J"), daemon);
    assert_eq!(a, Ok(Answer::Renamed { name: "a".to_owned() }));
    assert_eq!(b, Ok(Answer::Renamed { name: "b".to_owned() }));
    // Whatever the daemon says is safe to show.
    assert_eq!(c, Ok(Answer::Renamed { name: "c[2J".to_owned() }));
}

#[tokio::test]
async fn a_refused_request_says_why() {
    let mut daemon = TestDaemon::start().await;
    let (connection, mut peer) = daemon.linked().await;
    let daemon = async {
        for _ in 0..2 {
            let (id, _) = peer.request().await;
            let error = RequestError {
                code: ErrorCode::NotAllowed,
                message: "\x1b]0;no\x07 way".to_owned(),
            };
            let outcome = Outcome::Error(error);
            peer.send(&FromDaemon::Reply(Reply { id, outcome })).await;
        }
    };
    let both = async {
        let devices = connection.request(Request::Devices).await.unwrap_err();
        (devices, connection.open_session(80, 24).await.unwrap_err())
    };
    let ((devices, session), ()) = tokio::join!(both, daemon);
    for failed in [devices, session] {
        let RequestFailed::Refused(error) = failed else { panic!("{failed:?}") };
        assert_eq!((error.code, error.message.as_str()), (ErrorCode::NotAllowed, "]0;no way"));
    }
}

#[tokio::test]
async fn a_request_that_was_given_up_disturbs_nobody() {
    let mut daemon = TestDaemon::start().await;
    let (connection, mut peer) = daemon.linked().await;
    let (id, _) = tokio::select! {
        _ = connection.request(Request::Devices) => panic!("nobody answered"),
        asked = peer.request() => asked,
    };
    // So is a session that was given up: it is ended.
    let (opening, _) = tokio::select! {
        _ = connection.open_session(80, 24) => panic!("nobody answered"),
        asked = peer.request() => asked,
    };
    peer.reply(id, Answer::Devices { devices: Vec::new() }).await;
    peer.reply(opening, Answer::Opened { session: 9 }).await;
    loop {
        match peer.next().await {
            Said::Read { .. } => {}
            Said::Request(id, Request::End { session: 9 }) => {
                peer.reply(id, Answer::Done {}).await;
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    let daemon = async {
        let (id, _) = peer.request().await;
        peer.reply(id, Answer::Done {}).await;
    };
    let (answer, ()) = tokio::join!(connection.request(Request::Ping), daemon);
    assert_eq!(answer, Ok(Answer::Done {}));
}

#[tokio::test]
async fn events_come_clean_and_in_order() {
    let mut daemon = TestDaemon::start().await;
    let (connection, mut peer) = daemon.linked().await;
    let device = DeviceEntry {
        id: "ABCDEFGH".to_owned(),
        name: "i\u{202e}Pad\x07".to_owned(),
        paired_at: 3,
        last_seen: None,
        connected: false,
        unfinished: false,
        limits: Limits::default(),
        this: false,
    };
    peer.event(Event::DevicePaired { device: device.clone() }).await;
    peer.send_plaintext(b"\x03{\"event\":\"of_a_later_version\"}").await;
    let [id, gone] = ["ABCDEFGH", "iPad\r"].map(str::to_owned);
    peer.event(Event::DeviceRevoked { id: id.clone(), name: gone }).await;
    peer.close(ClosingReason::Stopping).await;

    let clean = DeviceEntry { name: "iPad".to_owned(), ..device };
    assert_eq!(connection.next_event().await, Some(Event::DevicePaired { device: clean }));
    let revoked = Event::DeviceRevoked { id, name: "iPad".to_owned() };
    assert_eq!(connection.next_event().await, Some(revoked));
    assert_eq!(connection.next_event().await, None);
    assert_eq!(connection.closed().await, Closed::ByDaemon(ClosingReason::Stopping));
}

#[tokio::test]
async fn events_that_nobody_takes_are_bounded() {
    let mut daemon = TestDaemon::start().await;
    let (connection, mut peer) = daemon.linked().await;
    for number in 0..1000 {
        let (id, name) = (number.to_string(), "x".to_owned());
        peer.event(Event::DeviceRenamed { id, name }).await;
    }
    peer.close(ClosingReason::Stopping).await;
    connection.closed().await;
    let Some(Event::DeviceRenamed { id, .. }) = connection.next_event().await else { panic!() };
    assert_eq!(id, "744");
    let mut left = 1;
    while connection.next_event().await.is_some() {
        left += 1;
    }
    assert_eq!(left, 256);
}

#[tokio::test]
async fn input_waits_for_credit() {
    let (_daemon, _connection, session, mut peer) = with_session().await;
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
        let (_daemon, _connection, mut session, mut peer) = with_session().await;
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
async fn output_is_acknowledged_in_time() {
    let (_daemon, _connection, session, mut peer) = with_session().await;
    let (_input, mut reader) = session.split();
    let chunk = vec![b'o'; MAX_CHUNK];
    let (mut sent, mut acknowledged) = (0u64, 0u64);
    // Three windows' worth.
    while sent < 3 * OUTPUT_WINDOW {
        assert!(sent - acknowledged <= OUTPUT_WINDOW / 4, "{sent} {acknowledged}");
        peer.output(5, sent, &chunk).await;
        sent += chunk.len() as u64;
        assert_eq!(bytes(&mut reader).await.len(), chunk.len());
        // What was returned counts as shown when the reader comes back.
        let said = tokio::select! {
            biased;
            _ = reader.read() => panic!("nothing was sent"),
            said = peer.next(), if sent - acknowledged >= OUTPUT_WINDOW / 8 => said,
            () = std::future::ready(()), if sent - acknowledged < OUTPUT_WINDOW / 8 => continue,
        };
        let Said::Read { session: 5, offset } = said else { panic!("{said:?}") };
        assert_eq!(offset, sent);
        acknowledged = offset;
    }
}

#[tokio::test]
async fn a_slow_reader_gets_all_and_never_more_than_the_window() {
    let (_daemon, connection, session, mut peer) = with_session().await;
    let (_input, mut reader) = session.split();
    let chunk = vec![b'o'; MAX_CHUNK];
    let chunks = OUTPUT_WINDOW / MAX_CHUNK as u64;
    for number in 0..chunks {
        peer.output(5, number * MAX_CHUNK as u64, &chunk).await;
    }
    peer.event(Event::SessionEnded { session: 5, status: ExitStatus::Exit(0) }).await;
    peer.close(ClosingReason::Stopping).await;
    connection.closed().await;
    // What came before the end is there behind it.
    for _ in 0..chunks {
        assert_eq!(bytes(&mut reader).await.len(), MAX_CHUNK);
    }
    assert!(matches!(reader.try_read(), Some(SessionOutput::Ended(ExitStatus::Exit(0)))));
    assert!(reader.try_read().is_none() && reader.read().await.is_none());
}

#[tokio::test]
async fn output_that_nobody_reads_holds_nothing_up() {
    let (_daemon, connection, session, mut peer) = with_session().await;
    let (mut input, reader) = session.split();
    let chunk = vec![b'o'; MAX_CHUNK];
    let mut sent = 0;
    while sent < OUTPUT_WINDOW {
        peer.output(5, sent, &chunk).await;
        sent += chunk.len() as u64;
    }
    // All of it has come when what was said behind it has.
    let [id, name] = ["A", "x"].map(str::to_owned);
    peer.event(Event::DeviceRevoked { id, name }).await;
    connection.next_event().await;
    drop(reader);
    let mut acknowledged = 0;
    while sent < 4 * OUTPUT_WINDOW {
        while sent - acknowledged >= OUTPUT_WINDOW {
            let Said::Read { session: 5, offset } = peer.next().await else { panic!() };
            assert!(offset > acknowledged && offset <= sent);
            acknowledged = offset;
        }
        peer.output(5, sent, &chunk).await;
        sent += chunk.len() as u64;
    }
    input.write_input(b"still here").await.unwrap();
}

#[tokio::test]
async fn a_dropped_session_is_ended() {
    let (_daemon, _connection, session, mut peer) = with_session().await;
    let (input, reader) = session.split();
    drop(reader);
    drop(input);
    let mut said = peer.next().await;
    while let Said::Read { .. } = said {
        said = peer.next().await;
    }
    assert!(matches!(said, Said::Request(_, Request::End { session: 5 })), "{said:?}");
}

#[tokio::test]
async fn a_dropped_connection_is_cut() {
    let (_daemon, connection, mut session, mut peer) = with_session().await;
    drop(connection);
    assert_eq!(peer.next().await, Said::Gone);
    assert!(session.read().await.is_none());
    assert_eq!(session.write_input(b"x").await, Err(InputError::Closed(Closed::Cut)));
}

#[tokio::test]
async fn goodbye() {
    let mut daemon = TestDaemon::start().await;
    let (connection, mut peer) = daemon.linked().await;
    let daemon = async {
        assert_eq!(peer.next().await, Said::Final);
        peer.close(ClosingReason::Goodbye).await;
    };
    let (closed, ()) = tokio::join!(connection.close(), daemon);
    assert_eq!(closed, Closed::ByDaemon(ClosingReason::Goodbye));
}

#[tokio::test]
async fn how_a_connection_ends() {
    for reason in [ClosingReason::Revoked, ClosingReason::Expired, ClosingReason::Protocol] {
        let mut daemon = TestDaemon::start().await;
        let (connection, mut peer) = daemon.linked().await;
        peer.close(reason).await;
        assert_eq!(connection.closed().await, Closed::ByDaemon(reason));
    }
    for last_word in [&b""[..], b"\x03{\"event\":\"closing\",\"reason\":\"bored\"}", b"\xee"] {
        let mut daemon = TestDaemon::start().await;
        let (connection, mut peer) = daemon.linked().await;
        peer.finish(last_word).await;
        assert_eq!(connection.closed().await, Closed::ByDaemon(ClosingReason::Unknown));
    }
    let mut daemon = TestDaemon::start().await;
    let (connection, mut peer) = daemon.linked().await;
    peer.socket.close(None).await.unwrap();
    assert_eq!(connection.closed().await, Closed::Cut, "a close without a last record");
    let (connection, peer) = daemon.linked().await;
    drop(peer);
    assert_eq!(connection.closed().await, Closed::Cut);
}

#[tokio::test]
async fn whoever_waits_hears_of_the_end() {
    let (_daemon, connection, mut session, mut peer) = with_session().await;
    let end = async {
        peer.request().await;
        peer.close(ClosingReason::Revoked).await;
    };
    let (answer, output, event, ()) = tokio::join!(
        connection.request(Request::Devices),
        session.read(),
        connection.next_event(),
        end
    );
    let revoked = Closed::ByDaemon(ClosingReason::Revoked);
    assert_eq!(answer, Err(RequestFailed::Closed(revoked)));
    assert!(output.is_none() && event.is_none());
    let again = connection.open_session(80, 24).await.unwrap_err();
    assert_eq!(again, RequestFailed::Closed(revoked));
}

#[tokio::test]
async fn output_at_a_wrong_offset_ends_it() {
    for offset in [1, 9, 11, u64::MAX - 1] {
        let (_daemon, connection, _session, mut peer) = with_session().await;
        peer.output(5, 0, b"0123456789").await;
        peer.output(5, offset, b"x").await;
        ends_in_protocol(connection).await;
    }
}

#[tokio::test]
async fn output_beyond_the_window_ends_it() {
    let (_daemon, connection, _session, mut peer) = with_session().await;
    let chunk = vec![b'o'; MAX_CHUNK];
    for number in 0..OUTPUT_WINDOW / MAX_CHUNK as u64 {
        peer.output(5, number * MAX_CHUNK as u64, &chunk).await;
    }
    peer.output(5, OUTPUT_WINDOW, b"x").await;
    ends_in_protocol(connection).await;
}

#[tokio::test]
async fn what_has_no_place_ends_it() {
    let session_ended = Event::SessionEnded { session: 6, status: ExitStatus::Exit(0) };
    let plaintexts = [
        FromDaemon::Event(session_ended).write(),
        FromDaemon::Event(welcome_event(&name("laptop"))).write(),
        FromDaemon::Event(Event::Closing { reason: ClosingReason::Stopping }).write(),
        FromDaemon::Reply(Reply { id: 77, outcome: Outcome::Ok(Answer::Done {}) }).write(),
        // Output and progress of a session that is not there, input that was not sent, an empty
        // chunk, one that is too long, and what is nothing at all.
        [&[0x10, 0, 0, 0, 6][..], &[0; 8], b"x"].concat(),
        [&[0x13, 0, 0, 0, 6][..], &[0; 8]].concat(),
        [&[0x13, 0, 0, 0, 5][..], &1u64.to_be_bytes()].concat(),
        [&[0x10, 0, 0, 0, 5][..], &[0; 8]].concat(),
        [&[0x10, 0, 0, 0, 5][..], &[0; 8], &[b'x'; MAX_CHUNK + 1]].concat(),
        vec![0x10],
        vec![],
        vec![0xee, 1, 2, 3],
        b"\x03[]".to_vec(),
        b"\x02{".to_vec(),
        // What only a device says.
        b"\x01{\"id\":1,\"request\":\"ping\"}".to_vec(),
    ];
    for plaintext in plaintexts {
        let (_daemon, connection, _session, mut peer) = with_session().await;
        peer.send_plaintext(&plaintext).await;
        assert_eq!(connection.closed().await, Closed::Protocol, "{plaintext:x?}");
        ends_in_protocol(connection).await;
    }
}

#[tokio::test]
async fn input_written_never_goes_back() {
    let (_daemon, connection, mut session, mut peer) = with_session().await;
    session.write_input(b"abc").await.unwrap();
    peer.input_written(5, 2).await;
    peer.input_written(5, 2).await;
    peer.input_written(5, 1).await;
    ends_in_protocol(connection).await;
}

#[tokio::test]
async fn records_that_do_not_open_end_it() {
    use futures_util::SinkExt;
    use tokio_tungstenite::tungstenite::Message;

    let (_daemon, connection, _session, mut peer) = with_session().await;
    peer.send_raw(vec![0; 81]).await;
    ends_in_protocol(connection).await;

    let (_daemon, connection, _session, mut peer) = with_session().await;
    peer.send_raw(Vec::new()).await;
    ends_in_protocol(connection).await;

    let (_daemon, connection, _session, mut peer) = with_session().await;
    peer.send_raw(vec![0; 1 << 20]).await;
    ends_in_protocol(connection).await;

    let (_daemon, connection, _session, mut peer) = with_session().await;
    peer.socket.send(Message::Text("hello".into())).await.unwrap();
    ends_in_protocol(connection).await;
}

#[tokio::test]
async fn a_session_number_given_twice_ends_it() {
    let (_daemon, connection, session, mut peer) = with_session().await;
    let (again, ()) = tokio::join!(connection.open_session(80, 24), peer.open(5));
    assert_eq!(again.unwrap_err(), RequestFailed::Closed(Closed::Protocol));
    drop(session);
    ends_in_protocol(connection).await;
}

#[tokio::test]
async fn an_answer_that_opens_nothing_ends_it() {
    let mut daemon = TestDaemon::start().await;
    let (connection, mut peer) = daemon.linked().await;
    let daemon = async {
        let (id, _) = peer.request().await;
        peer.reply(id, Answer::Done {}).await;
    };
    let (session, ()) = tokio::join!(connection.open_session(80, 24), daemon);
    assert_eq!(session.unwrap_err(), RequestFailed::Closed(Closed::Protocol));
    ends_in_protocol(connection).await;
}
