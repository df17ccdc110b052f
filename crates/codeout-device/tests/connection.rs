//! An established connection, whose other end the test plays, honestly or not.

#![allow(clippy::unwrap_used, reason = "a test that fails")]

mod daemon;

use codeout_device::{Closed, Connection, RequestFailed, connect};
use codeout_protocol::message::{
    Answer, Attach, Attached, ClosingReason, DeviceEntry, ErrorCode, Event, FromDaemon, Limits,
    Outcome, Reply, Request, RequestError, SessionEntry,
};
use daemon::{Said, Session, TestDaemon, attached, entry};

/// Attaches to session 9, only to look.
const LOOK: Attach = Attach { session: 9, after: None, history: None, keyboard: None, size: None };

/// That the connection ends because of what the daemon just sent.
async fn ends_in_protocol(connection: Connection) {
    assert_eq!(connection.closed().await, Closed::Protocol);
    let failed = connection.request(Request::Ping).await;
    assert_eq!(failed, Err(RequestFailed::Closed(Closed::Protocol)));
    assert!(connection.next_event().await.is_none());
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
        (devices, connection.attach(LOOK).await.unwrap_err())
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
    // So is an attachment that was given up: it is detached.
    let (attaching, _) = tokio::select! {
        _ = connection.attach(LOOK) => panic!("nobody answered"),
        asked = peer.request() => asked,
    };
    peer.reply(id, Answer::Devices { devices: Vec::new() }).await;
    let attached = Attached { attached: entry(9), resumed: false, input: 0 };
    peer.reply(attaching, Answer::Attached(Box::new(attached))).await;
    let (id, request) = peer.request().await;
    assert_eq!(request, Request::Detach { session: 9 });
    // What is still on its way is ignored.
    peer.snapshot(9).await;
    peer.snapshot_chunk(9, 0, b"late").await;
    peer.output(9, 77, b"late").await;
    peer.reply(id, Answer::Done {}).await;
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
    peer.websocket().close(None).await.unwrap();
    assert_eq!(connection.closed().await, Closed::Cut, "a close without a last record");
    let (connection, peer) = daemon.linked().await;
    drop(peer);
    assert_eq!(connection.closed().await, Closed::Cut);
}

#[tokio::test]
async fn whoever_waits_hears_of_the_end() {
    let (_daemon, connection, mut session, mut peer) = attached().await;
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
    let again = connection.attach(LOOK).await.unwrap_err();
    assert_eq!(again, RequestFailed::Closed(revoked));
}

#[tokio::test]
async fn records_that_do_not_open_end_it() {
    use futures_util::SinkExt;
    use tokio_tungstenite::tungstenite::Message;

    let (_daemon, connection, _session, mut peer) = attached().await;
    peer.send_raw(vec![0; 81]).await;
    ends_in_protocol(connection).await;

    let (_daemon, connection, _session, mut peer) = attached().await;
    peer.send_raw(Vec::new()).await;
    ends_in_protocol(connection).await;

    let (_daemon, connection, _session, mut peer) = attached().await;
    peer.send_raw(vec![0; 1 << 20]).await;
    ends_in_protocol(connection).await;

    let (_daemon, connection, _session, mut peer) = attached().await;
    peer.websocket().send(Message::Text("hello".into())).await.unwrap();
    ends_in_protocol(connection).await;
}

#[tokio::test]
async fn attach_is_no_plain_request() {
    let mut daemon = TestDaemon::start().await;
    let (connection, _peer) = daemon.linked().await;
    assert_eq!(connection.request(Request::Attach(LOOK)).await, Err(RequestFailed::UseAttach));
}

#[tokio::test]
async fn an_answer_that_is_none_to_the_question_ends_it() {
    let wrong = Attached { attached: entry(8), resumed: false, input: 0 };
    let never_asked = Attached { attached: entry(9), resumed: true, input: 0 };
    let attaching = [
        Answer::Done {},
        Answer::Attached(Box::new(wrong)),
        Answer::Attached(Box::new(never_asked)),
    ];
    for answer in attaching {
        let mut daemon = TestDaemon::start().await;
        let (connection, mut peer) = daemon.linked().await;
        let daemon = async {
            let (id, _) = peer.request().await;
            peer.reply(id, answer).await;
        };
        let (failed, ()) = tokio::join!(connection.attach(LOOK), daemon);
        assert_eq!(failed.unwrap_err(), RequestFailed::Closed(Closed::Protocol));
        ends_in_protocol(connection).await;
    }
}

#[tokio::test]
async fn sessions_come_page_by_page() {
    let mut daemon = TestDaemon::start().await;
    let (connection, mut peer) = daemon.linked().await;
    let pages = [(None, vec![1, 2], true), (Some(2), vec![7], true), (Some(7), vec![], true)];
    let daemon = async {
        for (wanted, numbers, more) in pages {
            let (id, request) = peer.request().await;
            assert_eq!(request, Request::Sessions { after: wanted });
            let page = |number| SessionEntry { name: "a\x1b[mb".to_owned(), ..entry(number) };
            let sessions = numbers.into_iter().map(page).collect();
            peer.reply(id, Answer::Sessions { sessions, more }).await;
        }
    };
    let (sessions, ()) = tokio::join!(connection.sessions(), daemon);
    let sessions = sessions.unwrap();
    assert_eq!(sessions.iter().map(|entry| entry.session).collect::<Vec<_>>(), [1, 2, 7]);
    assert!(sessions.iter().all(|entry| entry.name == "a[mb"));
}

#[tokio::test]
async fn a_list_of_sessions_has_an_end() {
    let mut daemon = TestDaemon::start().await;
    let (connection, mut peer) = daemon.linked().await;
    let daemon = async {
        for page in 0u32..40 {
            let (id, _) = peer.request().await;
            let sessions = (page * 256..(page + 1) * 256).map(entry).collect();
            peer.reply(id, Answer::Sessions { sessions, more: true }).await;
        }
    };
    let (sessions, ()) = tokio::join!(connection.sessions(), daemon);
    assert_eq!(sessions.unwrap().len(), 10_000);

    // One that goes round is none.
    let daemon = async {
        for _ in 0..2 {
            let (id, _) = peer.request().await;
            peer.reply(id, Answer::Sessions { sessions: vec![entry(3)], more: true }).await;
        }
    };
    let (failed, ()) = tokio::join!(connection.sessions(), daemon);
    assert_eq!(failed, Err(RequestFailed::Closed(Closed::Protocol)));
}

#[tokio::test]
async fn the_end_of_a_session_that_is_not_attached_is_an_event() {
    let daemon = TestDaemon::start().await;
    daemon.put_session(9, Session::new());
    let connection = connect(&daemon.profile()).await.unwrap();
    let (_, looking) = connection.attach(LOOK).await.unwrap();
    assert_eq!(looking.session(), 9);
    looking.detach().await.unwrap();
    drop(connection);

    let mut daemon = daemon;
    let (connection, mut peer) = daemon.linked().await;
    let status = codeout_protocol::message::ExitStatus::Exit(3);
    peer.event(Event::SessionEnded { session: 9, status }).await;
    let event = connection.next_event().await;
    assert_eq!(event, Some(Event::SessionEnded { session: 9, status }));
}
