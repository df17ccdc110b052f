//! What was recorded is played again.

use codeout_daemon::Event;
use codeout_protocol::error::Alert;

use crate::proxy::{FIRST, How, Place, Plan, Proxy, Seen, Side, THIRD};
use crate::support::{Wire, WireError, event};
use crate::{connect, entries, pair, revoke, stage, works};

/// Plays what the device said in `recorded`, message by message, each handshake message when its
/// turn has come. The daemon's answers.
async fn play(port: u16, recorded: &Seen) -> Vec<Vec<u8>> {
    let mut wire = Wire::dial(port).await.unwrap();
    let mut answers = Vec::new();
    for message in recorded.from(Side::Device) {
        // The daemon may have gone already.
        if wire.send(message.to_vec()).await.is_err() {
            break;
        }
        if answers.len() < 2 {
            match wire.receive().await {
                Ok(answer) => answers.push(answer),
                Err(_) => break,
            }
        }
    }
    while let Ok(answer) = wire.receive().await {
        answers.push(answer);
    }
    answers
}

fn alert(alert: Alert) -> Vec<u8> {
    alert.message().to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_connection_opens_nothing() {
    let (daemon, proxy) = stage().await;
    let (_, kept) = pair(&daemon, &proxy, &daemon.offer()).await;
    let credentials = kept.unwrap();
    proxy.plan(Plan::Relay);
    connect(&proxy, &credentials).await.unwrap();
    let recorded = proxy.over().await;
    assert_eq!(recorded.from(Side::Device).count(), 3);

    let mut events = daemon.daemon.events();
    for _ in 0..3 {
        let answers = play(daemon.port(), &recorded).await;
        // M2 with fresh keys, and the end.
        assert_eq!(answers.len(), 2, "{answers:?}");
        assert_eq!((answers[0][0], answers[0].len()), (0, 1137));
        assert_eq!(answers[1], alert(Alert::Malformed));
    }
    // Nobody was connected.
    daemon.offer();
    let until = |event| match event {
        Event::OfferOpened { .. } => Some(()),
        Event::Connected { .. } => panic!("a replay was let in"),
        _ => None,
    };
    event(&mut events, until).await;
    proxy.plan(Plan::Relay);
    connect(&proxy, &credentials).await.unwrap();
    works(&daemon, &proxy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_pairing_pairs_nobody() {
    let (daemon, proxy) = stage().await;
    let code = daemon.offer();
    let (outcome, _) = pair(&daemon, &proxy, &code).await;
    outcome.unwrap();
    let recorded = proxy.over().await;
    assert_eq!(recorded.from(Side::Device).count(), 3);
    let list = entries(&daemon).await;

    // Under the offer that it used: the session identifier is known.
    assert_eq!(play(daemon.port(), &recorded).await, [alert(Alert::Malformed)]);
    assert_eq!(entries(&daemon).await.len(), 1);
    // Once more when the device is off the list again.
    revoke(&daemon, &list[0]).await;
    assert_eq!(play(daemon.port(), &recorded).await, [alert(Alert::Malformed)]);
    assert_eq!(daemon.count().await, 0);

    // Under a fresh offer: a wrong code like any other, and shown like one.
    let code = daemon.offer();
    let mut events = daemon.daemon.events();
    let answers = play(daemon.port(), &recorded).await;
    assert_eq!(answers.len(), 2, "{answers:?}");
    assert_eq!((answers[0][0], answers[0].len()), (0, 1233));
    assert_eq!(answers[1], alert(Alert::Malformed));
    let next = event(&mut events, Some).await;
    assert!(matches!(next, Event::WrongCode { .. }), "{next:?}");
    assert_eq!(daemon.count().await, 0);

    // When that offer is over, too.
    daemon.clock.advance(codeout_daemon::LIFETIME);
    let answers = play(daemon.port(), &recorded).await;
    assert_eq!(answers.last().unwrap(), &alert(Alert::Malformed));
    assert_eq!(daemon.count().await, 0);
    drop(code);

    // And by a daemon that has been started anew, and has shown no offer.
    let daemon = daemon.restart().await;
    assert_eq!(play(daemon.port(), &recorded).await, [alert(Alert::NoOffer)]);
    assert_eq!(daemon.count().await, 0);
    let proxy = Proxy::before(daemon.port()).await;
    works(&daemon, &proxy).await;
}

/// He keeps P3 for himself, so that the offer stays open, and plays both messages later.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_was_held_back_is_of_no_use_later() {
    let (daemon, proxy) = stage().await;
    let code = daemon.offer();
    proxy.plan(Plan::Change(THIRD, How::Cut));
    let (outcome, kept) = pair(&daemon, &proxy, &code).await;
    assert!(matches!(outcome, Err(WireError::Ended)));
    let held = proxy.over().await;
    assert_eq!(held.from(Side::Device).count(), 2);
    assert_eq!(daemon.count().await, 0);

    assert_eq!(play(daemon.port(), &held).await, [alert(Alert::Malformed)]);
    // His own first message, and what the device said in its second.
    for first in [FIRST, Place(Side::Device, 1)] {
        let mut wire = Wire::dial(daemon.port()).await.unwrap();
        wire.send(held.message(first).unwrap().to_vec()).await.unwrap();
        assert!(matches!(wire.receive().await.unwrap()[..], [0xff, _]));
        wire.ended().await;
    }
    assert_eq!(daemon.count().await, 0);

    // The device is told that it is not paired, and pairs with the same code.
    proxy.plan(Plan::Relay);
    let outcome = connect(&proxy, &kept.unwrap()).await;
    assert!(matches!(outcome, Err(WireError::Protocol(_))), "{outcome:?}");
    let (outcome, _) = pair(&daemon, &proxy, &code).await;
    outcome.unwrap();
    works(&daemon, &proxy).await;
}
