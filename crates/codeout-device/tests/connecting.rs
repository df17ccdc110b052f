//! Connecting to a daemon over real sockets, and what else may answer at an address.

#![allow(clippy::unwrap_used, reason = "a test that fails")]

mod daemon;

use std::time::Duration;

use codeout_device::{
    Attempt, Backoff, Broken, ConnectError, Profile, State, connect, connect_with_backoff,
};
use codeout_protocol::error::{Alert, Refusal};
use codeout_protocol::handshake::MAX_MESSAGE;
use codeout_protocol::message::{ClosingReason, Request};
use codeout_protocol::sodium::{KeyPair, Token};
use daemon::{Behaviour, TestDaemon};
use tokio::net::TcpListener;

const QUICK: Backoff =
    Backoff { first: Duration::from_millis(2), longest: Duration::from_millis(4), patience: None };

fn is_not_codeout(error: &ConnectError) -> bool {
    matches!(error, ConnectError::NotCodeout { .. })
}

#[tokio::test]
async fn a_known_device_gets_in() {
    let daemon = TestDaemon::start().await;
    for state in [State::Paired, State::Pending] {
        let profile = Profile { state, ..daemon.profile() };
        let connection = connect(&profile).await.unwrap();
        connection.request(Request::Ping).await.unwrap();
        let closed = connection.close().await;
        assert_eq!(closed, codeout_device::Closed::ByDaemon(ClosingReason::Goodbye));
    }
}

#[tokio::test]
async fn refusals_and_what_is_none() {
    let daemon = TestDaemon::start().await;
    let known = daemon.profile();
    let mut unknown = daemon.profile();
    unknown.credentials.device = KeyPair::generate();
    let mut wrong_token = daemon.profile();
    wrong_token.credentials.token = Token::from_bytes(&[0; 32]);
    for profile in [&unknown, &wrong_token] {
        let error = connect(profile).await.unwrap_err();
        assert!(matches!(error, ConnectError::Refused(Refusal::NotPaired)), "{error:?}");
        // A refusal that was changed on the way is none.
        daemon.behave([Behaviour::TamperLast]);
        let error = connect(profile).await.unwrap_err();
        assert!(matches!(error, ConnectError::Tampered), "{error:?}");
    }
    daemon.behave([Behaviour::TamperLast]);
    let error = connect(&known).await.unwrap_err();
    assert!(matches!(error, ConnectError::Tampered), "{error:?}");
    daemon.behave([Behaviour::AlertLast(Alert::TooManyAttempts)]);
    let error = connect(&known).await.unwrap_err();
    assert!(matches!(error, ConnectError::TooManyAttempts), "{error:?}");
}

#[tokio::test]
async fn a_changed_key_is_said_and_changes_nothing() {
    let daemon = TestDaemon::start().await;
    let mut profile = daemon.profile();
    profile.credentials.daemon_key = KeyPair::generate().public;
    let error = connect_with_backoff(&profile, QUICK, |_| panic!("it does not pass by itself"));
    let error = error.await.unwrap_err();
    assert!(matches!(error, ConnectError::WrongDaemonKey), "{error:?}");
}

#[tokio::test]
async fn alerts_and_garbage() {
    let daemon = TestDaemon::start().await;
    let profile = daemon.profile();
    let malformed = |error: &ConnectError| matches!(error, ConnectError::Protocol(how) if *how == Broken::SaysMalformed);
    type Expected<'a> = &'a dyn Fn(&ConnectError) -> bool;
    let answers: [(Behaviour, Expected<'_>); 12] = [
        (first(&Alert::Version.message()), &|error| matches!(error, ConnectError::Incompatible)),
        (first(&Alert::TooManyAttempts.message()), &|error| {
            matches!(error, ConnectError::TooManyAttempts)
        }),
        (first(&Alert::Malformed.message()), &malformed),
        (first(&Alert::WrongKey.message()), &|error| matches!(error, ConnectError::WrongDaemonKey)),
        (first(&[0xff, 0]), &is_not_codeout),
        (first(b""), &is_not_codeout),
        (first(&[0; 1136]), &is_not_codeout),
        (first(&[0; 1138]), &is_not_codeout),
        (first(&[1; 1137]), &is_not_codeout),
        (first(&vec![0; MAX_MESSAGE + 1]), &is_not_codeout),
        // Of the right form, and sealed by nobody.
        (first(&[0; 1137]), &|error| matches!(error, ConnectError::Tampered)),
        (Behaviour::CutAtFirst, &|error| matches!(error, ConnectError::Cut)),
    ];
    for (answer, expected) in answers {
        let shown = format!("{answer:?}");
        daemon.behave([answer]);
        let error = connect(&profile).await.unwrap_err();
        assert!(expected(&error), "{error:?} for {}", &shown[..shown.len().min(80)]);
    }
}

fn first(answer: &[u8]) -> Behaviour {
    Behaviour::First(answer.to_vec())
}

#[tokio::test]
async fn what_is_no_codeout() {
    let daemon = TestDaemon::start().await;
    let profile = daemon.profile();
    for answer in [
        Behaviour::Http("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
        Behaviour::Http("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"),
        Behaviour::Http("SSH-2.0-OpenSSH_10.0\r\n"),
        Behaviour::NoSubprotocol,
        Behaviour::Text,
    ] {
        daemon.behave([answer.clone()]);
        let error = connect(&profile).await.unwrap_err();
        assert!(is_not_codeout(&error), "{answer:?}: {error:?}");
        assert!(error.to_string().contains("http://127.0.0.1"), "{error}");
    }
    // A daemon that is full, or away behind its tunnel, comes back.
    daemon.behave([Behaviour::Http("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n")]);
    let error = connect(&profile).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable { .. }) && error.may_pass(), "{error:?}");
}

#[tokio::test]
async fn nobody_there() {
    let daemon = TestDaemon::start().await;
    let mut profile = daemon.profile();
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    profile.address = format!("http://{}", free.local_addr().unwrap()).parse().unwrap();
    drop(free);
    let error = connect(&profile).await.unwrap_err();
    let ConnectError::Unreachable { source, .. } = &error else { panic!("{error:?}") };
    assert_eq!(source.kind(), std::io::ErrorKind::ConnectionRefused);
    assert!(error.may_pass());

    profile.address = "http://no-such-host.invalid".parse().unwrap();
    assert!(matches!(connect(&profile).await, Err(ConnectError::Unreachable { .. })));
}

#[tokio::test]
async fn tls_that_is_none() {
    let daemon = TestDaemon::start().await;
    let mut profile = daemon.profile();
    profile.address = daemon.address.to_string().replace("http:", "https:").parse().unwrap();
    let error = connect(&profile).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_name_with_several_addresses() {
    // The daemon listens on IPv4 alone.
    let daemon = TestDaemon::start().await;
    let mut profile = daemon.profile();
    profile.address = format!("http://localhost:{}", daemon.address.port()).parse().unwrap();
    connect(&profile).await.unwrap();
}

#[tokio::test]
async fn tries_again_until_the_daemon_is_back() {
    let daemon = TestDaemon::start().await;
    let profile = daemon.profile();
    daemon.behave([
        Behaviour::Http("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n"),
        Behaviour::CutAtFirst,
        first(&Alert::TooManyAttempts.message()),
        Behaviour::TamperLast,
    ]);
    let mut heard = Vec::new();
    let on_attempt = |attempt: Attempt<'_>| heard.push((attempt.number, attempt.error.may_pass()));
    let connection = connect_with_backoff(&profile, QUICK, on_attempt).await.unwrap();
    assert_eq!(connection.welcome().protocol, 1);
    assert_eq!(heard, [(1, true), (2, true), (3, true), (4, true)]);
}

#[tokio::test]
async fn stops_when_it_is_not_paired() {
    let daemon = TestDaemon::start().await;
    let profile = daemon.profile();
    daemon.forget_devices();
    daemon.behave([Behaviour::CutAtFirst]);
    let mut heard = 0;
    let error = connect_with_backoff(&profile, QUICK, |_| heard += 1).await.unwrap_err();
    assert!(matches!(error, ConnectError::Refused(Refusal::NotPaired)));
    assert_eq!(heard, 1);
}
