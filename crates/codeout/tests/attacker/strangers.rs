//! Who is not, or no longer, paired, and who speaks nonsense.

use std::time::{Duration, Instant};

use codeout_daemon::{Event, OfferLimits};
use codeout_protocol::channel::MAX_RECORD;
use codeout_protocol::code::Code;
use codeout_protocol::error::{Alert, Error, Refusal};
use codeout_protocol::handshake::{DeviceCredentials, DeviceEphemeral, M1_LENGTH};
use codeout_protocol::pairing::{DevicePairing, P1_LENGTH};
use codeout_protocol::sodium::{KeyPair, Token, random_bytes};
use codeout_protocol::{handshake, pairing};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use crate::proxy::{FOURTH, Plan, SECOND};
use crate::support::{PATIENCE, TestDaemon, Wire, WireError, event, paired};
use crate::{BETWEEN_ATTEMPTS, connect, entries, pair, revoke, stage, works};

fn random_token() -> Token {
    let mut bytes = [0; 32];
    random_bytes(&mut bytes);
    Token::from_bytes(&bytes)
}

/// A device that the daemon has never heard of.
fn nobody(daemon: &TestDaemon) -> DeviceCredentials {
    let daemon_key = daemon.link(&Code::random(), daemon.port()).daemon_key;
    DeviceCredentials { daemon_key, device: KeyPair::generate(), token: random_token() }
}

/// Unknown, with a wrong token, revoked, expired: one answer for all.
#[tokio::test(flavor = "multi_thread")]
async fn all_who_are_not_paired_look_the_same() {
    let (daemon, proxy) = stage().await;
    let wrong_token = DeviceCredentials { token: random_token(), ..paired(&daemon).await };
    let revoked = paired(&daemon).await;
    revoke(&daemon, &entries(&daemon).await[1]).await;
    let for_a_minute = OfferLimits { watch_only: false, for_seconds: Some(60) };
    let code = daemon.daemon.offer(for_a_minute).code;
    let (outcome, expired) = pair(&daemon, &proxy, &code).await;
    outcome.unwrap();
    let expired = expired.unwrap();
    proxy.plan(Plan::Relay);
    connect(&proxy, &expired).await.unwrap();
    proxy.over().await;
    daemon.clock.advance(Duration::from_secs(60));
    let unknown = nobody(&daemon);
    let list = entries(&daemon).await;

    let mut events = daemon.daemon.events();
    for credentials in [unknown, wrong_token, revoked, expired] {
        proxy.plan(Plan::Relay);
        let outcome = connect(&proxy, &credentials).await;
        let not_paired = Error::Refused(Refusal::NotPaired);
        assert!(matches!(outcome, Err(WireError::Protocol(error)) if error == not_paired));
        let seen = proxy.over().await;
        assert_eq!(seen.messages.len(), 4);
        let form = |place| seen.message(place).map(|message| (message.len(), message[0]));
        assert_eq!((form(SECOND), form(FOURTH)), (Some((1137, 0)), Some((18, 1))));
        let next = event(&mut events, Some).await;
        assert!(matches!(next, Event::NotPaired { .. }), "{next:?}");
    }
    assert_eq!(entries(&daemon).await, list);
    works(&daemon, &proxy).await;
}

/// Sends a first message. All that the daemon answers before it closes.
async fn answers_to(port: u16, first: Message) -> Vec<Vec<u8>> {
    let mut socket = dial(port).await;
    socket.send(first).await.unwrap();
    let mut answers = Vec::new();
    let answered = async {
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Binary(bytes) = message {
                answers.push(bytes.to_vec());
            }
        }
    };
    tokio::time::timeout(PATIENCE, answered).await.expect("the daemon does not close");
    answers
}

/// A WebSocket that may send more than binary messages.
async fn dial(port: u16) -> tokio_tungstenite::WebSocketStream<TcpStream> {
    use tokio_tungstenite::tungstenite::client::IntoClientRequest;
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let url = format!("ws://127.0.0.1:{port}{}", codeout_protocol::WEBSOCKET_PATH);
    let mut request = url.into_client_request().unwrap();
    let subprotocol = codeout_protocol::SUBPROTOCOL.parse().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", subprotocol);
    tokio_tungstenite::client_async(request, stream).await.unwrap().0
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_gets_an_alert_and_no_more() {
    let (daemon, proxy) = stage().await;
    let port = daemon.port();
    let code = daemon.offer();
    let mut lengths: Vec<usize> = (0..2_000).step_by(13).collect();
    lengths.extend([1, 2, 3, 4]);
    for exact in [M1_LENGTH, P1_LENGTH] {
        lengths.extend(exact - 2..=exact + 2);
    }
    lengths.extend([MAX_RECORD - 1, MAX_RECORD]);
    for length in lengths {
        for header in [[1, 1, 1], [1, 1, 2], [1, 1, 0], [1, 1, 3], [1, 2, 1], [0, 1, 1], [2, 1, 2]]
        {
            let mut first = vec![0; length];
            random_bytes(&mut first);
            let known = length.min(3);
            first[..known].copy_from_slice(&header[..known]);
            let expected = match header {
                _ if length < 3 => Alert::Malformed,
                [1, 1, 1] if length == M1_LENGTH => Alert::WrongKey,
                [1, 1, _] => Alert::Malformed,
                _ => Alert::Version,
            };
            daemon.clock.advance(BETWEEN_ATTEMPTS);
            let answers = answers_to(port, Message::Binary(first.into())).await;
            assert_eq!(answers, [expected.message()], "{length} {header:?}");
        }
    }

    let text = answers_to(port, Message::Text("codeout".into())).await;
    assert_eq!(text, [Alert::Malformed.message()]);
    // What is longer than any message of a device is not even read.
    let long = answers_to(port, Message::Binary(vec![1; MAX_RECORD + 1].into())).await;
    assert!(long.is_empty());

    // Not even WebSocket, behind an upgrade: reserved bits, no mask, lengths that lie, and worse.
    for wrong in [
        &b"\xf2\x80\0\0\0\0"[..],
        b"\x82\x01\x01",
        b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0",
        b"\x89\xfe\x01\0\0\0\0\0",
        b"\x80\x80\0\0\0\0",
        b"\x88\x81\0\0\0\0\x03",
        b"\x8f\x80\0\0\0\0",
    ] {
        dawdle(port, &[UPGRADE, wrong].concat(), b"").await;
    }
    // Keys and points that would make the secret known.
    for (pairing, field, filling, expected) in [
        (true, 19..51, 0, Alert::Malformed),
        (true, 19..51, 0xff, Alert::Malformed),
        (true, 51..83, 0, Alert::Malformed),
        (true, 83..1267, 0xff, Alert::Malformed),
        (false, 3..35, 0, Alert::Malformed),
        (false, 35..1219, 0xff, Alert::WrongKey),
    ] {
        daemon.clock.advance(BETWEEN_ATTEMPTS);
        let mut first = match pairing {
            true => pairing::pair(&code, DevicePairing::generate()).1,
            false => handshake::connect(nobody(&daemon), DeviceEphemeral::generate()).unwrap().1,
        };
        first[field.clone()].fill(filling);
        let answers = answers_to(port, Message::Binary(first.into())).await;
        assert_eq!(answers, [expected.message()], "{pairing} {field:?} {filling}");
    }

    // Likewise as the second message.
    let credentials = paired(&daemon).await;
    for text in [false, true] {
        let (_, m1) = handshake::connect(credentials.clone(), DeviceEphemeral::generate()).unwrap();
        let (_, p1) = pairing::pair(&code, DevicePairing::generate());
        for first in [m1, p1] {
            let mut socket = dial(port).await;
            socket.send(Message::Binary(first.into())).await.unwrap();
            let second = socket.next().await.unwrap().unwrap().into_data();
            assert_eq!(second[0], 0);
            let nonsense = match text {
                true => Message::Text("codeout".into()),
                false => Message::Binary(vec![0; 88].into()),
            };
            socket.send(nonsense).await.unwrap();
            let answer = socket.next().await.unwrap().unwrap().into_data();
            assert_eq!(answer[..], Alert::Malformed.message());
            while let Some(Ok(_)) = socket.next().await {}
        }
    }
    assert_eq!(daemon.count().await, 1);
    connect(&proxy, &credentials).await.unwrap();
    works(&daemon, &proxy).await;
}

/// The time that the daemon gives to a handshake, from accepting the connection.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// What a busy machine may add to it.
const SLACK: Duration = Duration::from_secs(4);
/// The pace of the attack…
const PACE: Duration = Duration::from_millis(250);
/// …and how often a connection is answered.
const VISITS: u32 = 100;
const UPGRADE: &[u8] = b"GET /ws HTTP/1.1\r\n\
    Host: desk\r\n\
    Connection: Upgrade\r\n\
    Upgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
    Sec-WebSocket-Protocol: codeout.1\r\n\r\n";

/// Who does not finish is let go, however he spends his time, and keeps nobody out meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_does_not_end_is_ended() {
    let (daemon, proxy) = stage().await;
    let port = daemon.port();
    let credentials = paired(&daemon).await;
    let code = daemon.offer();
    let (_, m1) = handshake::connect(credentials.clone(), DeviceEphemeral::generate()).unwrap();
    let (_, p1) = pairing::pair(&code, DevicePairing::generate());
    let after = async |first: Vec<u8>| {
        let mut wire = Wire::dial(port).await.unwrap();
        wire.send(first).await.unwrap();
        assert_eq!(wire.receive().await.unwrap()[0], 0);
        wire.ended().await;
    };

    let begun = Instant::now();
    let all = async {
        tokio::join!(
            dawdle(port, b"", b""),
            dawdle(port, &UPGRADE[..100], b""),
            dawdle(port, b"GET /ws HTTP/1.1\r\nX-Long: ", b"x"),
            dawdle(port, UPGRADE, b""),
            // Pongs, masked with zeros.
            dawdle(port, UPGRADE, b"\x8a\x80\0\0\0\0"),
            after(m1),
            after(p1),
            async { connect(&proxy, &credentials).await.unwrap() },
        )
    };
    tokio::time::timeout(HANDSHAKE_TIME + SLACK, all).await.expect("one is still there");
    assert!(begun.elapsed() >= HANDSHAKE_TIME - Duration::from_secs(1), "none had its time");
    assert_eq!(daemon.count().await, 1);
    works(&daemon, &proxy).await;
}

/// The time is counted from accepting the connection, whatever it was spent on.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_request_leaves_less_time_for_the_handshake() {
    let (daemon, _) = stage().await;
    let slowly = async {
        let port = daemon.port();
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let (last, most) = UPGRADE.split_last().unwrap();
        stream.write_all(most).await.unwrap();
        let waiting = stream.read_u8();
        let early = tokio::time::timeout(HANDSHAKE_TIME - Duration::from_secs(2), waiting).await;
        assert!(early.is_err(), "it was let go too soon");
        stream.write_all(&[*last]).await.unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        assert!(rest.starts_with(b"HTTP/1.1 101"));
    };
    tokio::time::timeout(HANDSHAKE_TIME + SLACK, slowly).await.expect("it is still there");
}

/// Who asks for the page again and again has so many answers, and then no place any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_does_not_stay() {
    let (daemon, _) = stage().await;
    let visits = dawdle(daemon.port(), b"", b"GET / HTTP/1.1\r\nHost: desk\r\n\r\n");
    tokio::time::timeout(PACE * VISITS + SLACK, visits).await.expect("it is still there");
}

/// Sends `first`, and then `again` and again, until the daemon closes.
async fn dawdle(port: u16, first: &[u8], again: &[u8]) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(first).await.unwrap();
    let mut answer = [0; 1024];
    let mut pace = tokio::time::interval(PACE);
    loop {
        tokio::select! {
            read = stream.read(&mut answer) => match read {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            },
            _ = pace.tick() => {
                if stream.write_all(again).await.is_err() {
                    return;
                }
            }
        }
    }
}
