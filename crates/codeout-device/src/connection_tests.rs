//! What needs a clock that the test turns: over a pipe in memory.

use codeout_protocol::channel::{MAX_PLAINTEXT, Opened};
use codeout_protocol::handshake::{self, DaemonEphemeral, DeviceCredentials, DeviceEphemeral};
use codeout_protocol::message::{ClosingReason, DeviceEntry, FromDevice, Limits};
use codeout_protocol::sodium::{KeyPair, Token};
use futures_util::{SinkExt, StreamExt};
use tokio::io::DuplexStream;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::*;
use crate::keeper::LISTEN_EVERY;

type Daemon = (WebSocketStream<DuplexStream>, Channel);

async fn linked() -> (Connection, Daemon) {
    linked_through(1 << 20).await
}

/// Both ends of a connection through a pipe that holds so many bytes.
async fn linked_through(pipe: usize) -> (Connection, Daemon) {
    let (connection, daemon) = welcomed(pipe, message::VERSION).await;
    (connection.unwrap(), daemon)
}

/// A connection to a daemon with a message layer of this version.
async fn welcomed(pipe: usize, protocol: u32) -> (Result<Connection, ConnectError>, Daemon) {
    let identity = KeyPair::generate();
    let credentials = DeviceCredentials {
        daemon_key: identity.public,
        device: KeyPair::generate(),
        token: Token::from_bytes(&[7; 32]),
    };
    let psk = credentials.token.psk();
    let (device, m1) = handshake::connect(credentials, DeviceEphemeral::generate()).unwrap();
    let (daemon, m2) = handshake::read_m1(&identity, &m1, DaemonEphemeral::generate()).unwrap();
    let (device, m3) = device.read_m2(&m2).unwrap();
    let accepted = daemon.read_m3(&m3).unwrap().verify(Some(&psk)).unwrap();
    let welcome = FromDaemon::Event(Event::Welcome(Welcome {
        protocol,
        daemon: "Desk".to_owned(),
        device: DeviceEntry {
            id: "ABCDEFGH".to_owned(),
            name: "laptop".to_owned(),
            paired_at: 1,
            last_seen: None,
            connected: true,
            unfinished: false,
            limits: Limits::default(),
            this: true,
        },
    }));
    let (daemon_channel, m4) = accepted.accept(Duration::ZERO, &welcome.write()).unwrap();
    let (device_channel, first) = device.read_m4(&m4).unwrap();

    let (near, far) = tokio::io::duplex(pipe);
    let near = WebSocketStream::from_raw_socket(near, Role::Client, None).await;
    let far = WebSocketStream::from_raw_socket(far, Role::Server, None).await;
    let connection = Connection::start(Socket::new(near), device_channel, &first);
    (connection, (far, daemon_channel))
}

#[tokio::test(start_paused = true)]
async fn a_silent_link_is_dead_within_75_seconds() {
    let (connection, daemon) = linked().await;
    let begun = Instant::now();
    assert_eq!(connection.closed().await, Closed::Cut);
    let after = begun.elapsed();
    assert!((60..=75).contains(&after.as_secs()), "{after:?}");
    drop(daemon);
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_answers_pings_stays() {
    let (connection, (mut socket, _channel)) = linked().await;
    // Reading is answering.
    let mut pings = 0;
    let hour = tokio::time::timeout(Duration::from_secs(3600), std::future::pending::<()>());
    tokio::pin!(hour);
    loop {
        tokio::select! {
            message = socket.next() => {
                assert!(matches!(message, Some(Ok(Message::Ping(_)))), "{message:?}");
                pings += 1;
            }
            _ = &mut hour => break,
        }
    }
    assert!((119..=121).contains(&pings), "{pings}");
    assert_eq!(connection.shared.line.ended(), None);
}

#[tokio::test(start_paused = true)]
async fn it_is_old_after_a_day() {
    let (connection, _daemon) = linked().await;
    assert!(!connection.is_old());
    tokio::time::advance(Duration::from_secs(24 * 3600 - 1)).await;
    assert!(!connection.is_old());
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(connection.is_old());
}

#[tokio::test(start_paused = true)]
async fn goodbye_does_not_wait_for_a_daemon_that_says_nothing() {
    let (connection, (mut socket, mut channel)) = linked().await;
    let begun = Instant::now();
    assert_eq!(connection.close().await, Closed::Cut);
    assert_eq!(begun.elapsed(), GOODBYE_TIME);
    let Some(Ok(Message::Binary(record))) = socket.next().await else { panic!() };
    assert_eq!(channel.opener.open(&record).unwrap(), Opened::Final(Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn a_last_word_that_came_before_sending_failed_is_heard() {
    let (connection, (mut socket, channel)) = linked().await;
    let closing = Event::Closing { reason: ClosingReason::Revoked };
    let record = channel.sealer.finish(&FromDaemon::Event(closing).write()).unwrap();
    socket.send(Message::Binary(record.into())).await.unwrap();
    drop(socket);
    let failed = connection.request(Request::Ping).await.unwrap_err();
    assert_eq!(failed, RequestFailed::Closed(Closed::ByDaemon(ClosingReason::Revoked)));
}

#[tokio::test(start_paused = true)]
async fn the_key_changes_after_an_hour_and_both_ends_go_on() {
    let (connection, (mut socket, mut channel)) = linked().await;
    for _ in 0..4 {
        let daemon = async {
            loop {
                let Some(Ok(message)) = socket.next().await else { panic!() };
                let Message::Binary(record) = message else { continue };
                let plaintext = channel.opener.open(&record).unwrap().into_bytes();
                let FromDevice::Request(request) = FromDevice::read(&plaintext).unwrap() else {
                    panic!()
                };
                let outcome = message::Outcome::Ok(Answer::Done {});
                let reply = FromDaemon::Reply(message::Reply { id: request.id, outcome });
                let record = channel.sealer.seal(Duration::ZERO, &reply.write()).unwrap();
                return socket.send(Message::Binary(record.into())).await.unwrap();
            }
        };
        let (answer, ()) = tokio::join!(connection.request(Request::Ping), daemon);
        assert_eq!(answer, Ok(Answer::Done {}));
        tokio::time::advance(Duration::from_secs(1800)).await;
    }
}

#[tokio::test]
async fn a_request_longer_than_a_record_is_not_sent() {
    let (connection, _daemon) = linked().await;
    let request = Request::Revoke { device: "x".repeat(MAX_PLAINTEXT) };
    assert_eq!(connection.request(request).await, Err(RequestFailed::TooLong));
    assert_eq!(connection.shared.waiters(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_cancelled_sender_began_is_sent_by_others() {
    let (connection, (mut socket, mut channel)) = linked_through(100).await;
    let begun = Instant::now();
    for device in ["a".repeat(5000), "b".repeat(5000)] {
        let wanted = Request::Revoke { device };
        let cancelled = tokio::time::timeout(Duration::ZERO, connection.request(wanted.clone()));
        assert!(cancelled.await.is_err());
        let record = loop {
            match socket.next().await {
                Some(Ok(Message::Binary(record))) => break record,
                Some(Ok(_)) => {}
                other => panic!("{other:?}"),
            }
        };
        let plaintext = channel.opener.open(&record).unwrap().into_bytes();
        let FromDevice::Request(numbered) = FromDevice::read(&plaintext).unwrap() else { panic!() };
        assert_eq!(numbered.request, wanted);
    }
    assert!(begun.elapsed() < LISTEN_EVERY, "without the help of a ping");
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_takes_nothing_is_dead_too() {
    let (connection, _daemon) = linked_through(100).await;
    let begun = Instant::now();
    let request = Request::Revoke { device: "x".repeat(5000) };
    let failed = connection.request(request).await.unwrap_err();
    assert_eq!(failed, RequestFailed::Closed(Closed::Cut));
    assert!(begun.elapsed() <= Duration::from_secs(75));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_behind_the_end() {
    let (connection, (mut socket, channel)) = linked().await;
    let record = channel.sealer.finish(&[]).unwrap();
    socket.send(Message::Binary(record.into())).await.unwrap();
    let ended = connection.closed().await;
    // The daemon has not closed the WebSocket, so that it could still be written to.
    let begun = Instant::now();
    assert_eq!(connection.request(Request::Ping).await, Err(RequestFailed::Closed(ended)));
    assert_eq!(begun.elapsed(), Duration::ZERO);
    drop(connection);
    while let Some(Ok(message)) = socket.next().await {
        assert!(!message.is_binary());
    }
}

#[tokio::test]
async fn another_message_layer_is_not_spoken() {
    for protocol in [0, message::VERSION + 1] {
        let (connection, _daemon) = welcomed(100, protocol).await;
        assert!(matches!(connection, Err(ConnectError::Incompatible)));
    }
}
