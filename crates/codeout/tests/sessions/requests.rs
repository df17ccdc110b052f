//! Requests that cannot be acted on, how many may be on their way, and how much one device may have.

use codeout_daemon::Event;
use codeout_protocol::error::{Alert, Error};
use codeout_protocol::message::{Answer, ErrorCode, MAX_ATTACHED, Outcome, Request};

use super::support::device::{Device, Heard, shell, typing, watching};
use super::support::{WireError, event};
use super::{again, connected};

/// Sends a request as it stands; returns the code that it is refused with.
async fn refusal(device: &mut Device, request: &str) -> ErrorCode {
    let id = 77;
    let plaintext = [b"\x01", request.as_bytes()].concat();
    device.line.send(&plaintext).await.unwrap();
    match device.reply(id).await.unwrap() {
        Outcome::Error(error) => error.code,
        Outcome::Ok(answer) => panic!("{request}: {answer:?}"),
    }
}

#[tokio::test]
async fn a_ping_of_the_websocket_is_answered_between_records() {
    let (_daemon, mut device) = connected().await;
    for asked in [&b""[..], b"anyone there?", &[7; 125]] {
        assert!(device.line.is_answered(asked).await, "{asked:?}");
        device.line.ping().await.unwrap();
    }
}

#[tokio::test]
async fn a_request_that_cannot_be_acted_on_is_answered() {
    let (_daemon, mut device) = connected().await;
    for (request, code) in [
        (r#"{"id":77,"request":"fly"}"#, ErrorCode::UnknownRequest),
        (r#"{"id":77,"request":"fly","high":true}"#, ErrorCode::UnknownRequest),
        (r#"{"id":77,"request":""}"#, ErrorCode::UnknownRequest),
        (r#"{"id":77,"request":"open"}"#, ErrorCode::BadRequest),
        (r#"{"id":77,"request":"open","columns":"wide","rows":24}"#, ErrorCode::BadRequest),
        (r#"{"id":77,"request":"open","columns":65616,"rows":24}"#, ErrorCode::BadRequest),
        (r#"{"id":77,"request":"open","columns":-1,"rows":24}"#, ErrorCode::BadRequest),
        (r#"{"id":77,"request":"end","session":null}"#, ErrorCode::BadRequest),
        (r#"{"id":77,"request":"rename","device":"x"}"#, ErrorCode::BadRequest),
        (r#"{"id":77,"request":"offer","for_seconds":0}"#, ErrorCode::BadRequest),
        (r#"{"id":77,"request":"offer","for_seconds":-5}"#, ErrorCode::BadRequest),
        (r#"{"id":77,"request":"offer","watch_only":1}"#, ErrorCode::BadRequest),
        (r#"{"id":77,"request":"open","columns":80}"#, ErrorCode::BadRequest),
        (
            r#"{"id":77,"request":"open","columns":80,"rows":24,"arguments":"x"}"#,
            ErrorCode::BadRequest,
        ),
        (r#"{"id":77,"request":"attach"}"#, ErrorCode::BadRequest),
        (r#"{"id":77,"request":"attach","session":"1"}"#, ErrorCode::BadRequest),
        (r#"{"id":77,"request":"attach","session":1,"after":-1}"#, ErrorCode::BadRequest),
        (
            r#"{"id":77,"request":"attach","session":1,"size":{"columns":80}}"#,
            ErrorCode::BadRequest,
        ),
        (r#"{"id":77,"request":"rename_session","session":1}"#, ErrorCode::BadRequest),
        (r#"{"id":77,"request":"open_again","columns":80,"rows":24}"#, ErrorCode::BadRequest),
        (r#"{"id":77,"request":"end","session":4000000000}"#, ErrorCode::NotFound),
        (r#"{"id":77,"request":"attach","session":4000000000}"#, ErrorCode::NotFound),
        (r#"{"id":77,"request":"attach","session":0,"keyboard":1}"#, ErrorCode::NotFound),
        (r#"{"id":77,"request":"detach","session":4000000000}"#, ErrorCode::NotFound),
        (r#"{"id":77,"request":"dismiss","session":4000000000}"#, ErrorCode::NotFound),
        (r#"{"id":77,"request":"resize","session":9,"columns":80,"rows":24}"#, ErrorCode::NotFound),
        (r#"{"id":77,"request":"rename_session","session":9,"name":"x"}"#, ErrorCode::NotFound),
        (r#"{"id":77,"request":"revoke","device":"nobody"}"#, ErrorCode::NotFound),
    ] {
        assert_eq!(refusal(&mut device, request).await, code, "{request}");
    }
    // Members that nobody knows are no fault.
    let plaintext = b"\x01 {\"more\":[1,{}],\"request\":\"ping\",\"id\":78} ";
    device.line.send(plaintext).await.unwrap();
    assert_eq!(device.reply(78).await.unwrap(), Outcome::Ok(Answer::Done {}));
}

#[tokio::test]
async fn requests_on_their_way_are_each_answered_once() {
    let (_daemon, mut device) = connected().await;
    let mut due = Vec::new();
    for round in 0..100 {
        let request = if round % 3 == 0 { Request::Devices } else { Request::Ping };
        due.push(device.request(request).await.unwrap());
    }
    while !due.is_empty() {
        if let Heard::Reply(reply) = device.hear().await.unwrap() {
            let place = due.iter().position(|id| *id == reply.id).expect("a reply to no request");
            due.swap_remove(place);
        }
    }
}

#[tokio::test]
async fn a_connection_has_sixteen_attachments_at_most() {
    let (daemon, mut device) = connected().await;
    let mut sessions = Vec::new();
    for _ in 0..MAX_ATTACHED {
        sessions.push(device.open().await);
    }
    let last = device.open_with(shell()).await.session;
    for attach in [typing(last), watching(last)] {
        assert_eq!(device.refused(Request::Attach(attach)).await, ErrorCode::Limit);
    }
    // Another connection has its own, and to a session that it has it may attach again.
    let mut other = again(&daemon, &device).await;
    other.attach(typing(last)).await;
    device.attach(typing(sessions[0])).await;
    // One that ends makes room, and so does one that is detached. The others live.
    let first = sessions.remove(0);
    device.type_in(first, b"exit\n").await.unwrap();
    device.end_of(first).await;
    device.attach(typing(last)).await;
    sessions.push(last);
    let next = device.open_with(shell()).await.session;
    assert_eq!(device.refused(Request::Attach(typing(next))).await, ErrorCode::Limit);
    device.done(Request::Detach { session: sessions.remove(0) }).await;
    device.attach(typing(next)).await;
    sessions.push(next);
    for session in sessions {
        device.type_in(session, b"echo al''ive\n").await.unwrap();
        device.see(session, "alive").await;
    }
}

#[tokio::test]
async fn a_device_has_sixteen_connections_at_most() {
    const MOST: usize = 16;
    let (daemon, mut first) = connected().await;
    let mut tablet = Device::of(&daemon, "tablet").await;
    let mut others = Vec::new();
    for _ in 1..MOST {
        others.push(again(&daemon, &first).await);
    }
    let one_more = Device::connect(daemon.port(), &first.credentials).await.map(|_| ());
    let too_many = Error::Alert(Alert::TooManyAttempts);
    let turned_away = matches!(&one_more, Err(WireError::Protocol(error)) if *error == too_many);
    assert!(turned_away, "{one_more:?}");
    // Nobody is hurt, another device has its own, and one that ends makes room.
    first.done(Request::Ping).await;
    tablet.done(Request::Ping).await;
    again(&daemon, &tablet).await.done(Request::Ping).await;
    let mut events = daemon.daemon.events();
    let phone = first.entry.id.clone();
    drop(others.pop());
    let left = |event| match event {
        Event::Disconnected { device } if device.id.to_string() == phone => Some(()),
        _ => None,
    };
    event(&mut events, left).await;
    again(&daemon, &first).await.done(Request::Ping).await;
}
