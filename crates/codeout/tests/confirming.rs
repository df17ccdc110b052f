//! The daemon's user is asked before a device gets in, and the link breaks meanwhile.

mod support;

use codeout_daemon::Event;
use support::{TestDaemon, Wire, event, pair_on_wire};

use codeout_protocol::name::Name;
use codeout_protocol::pairing::{self, DevicePairing};
use codeout_protocol::sodium::KeyPair;

#[tokio::test(flavor = "multi_thread")]
async fn a_question_ends_with_its_link_and_the_code_is_good_again() {
    let daemon = TestDaemon::start_with(|config| config.confirm = true).await;
    let code = daemon.offer();
    let mut events = daemon.daemon.events();

    let mut wire = Wire::dial(daemon.port()).await.unwrap();
    let (state, p1) = pairing::pair(&code, DevicePairing::generate());
    wire.send(p1).await.unwrap();
    let proved = state.read_p2(&wire.receive().await.unwrap()).unwrap();
    let name = Name::clean("phone").unwrap();
    let (_, p3) = proved.present(KeyPair::generate(), &name).unwrap();
    wire.send(p3).await.unwrap();
    let asked = |event| match event {
        Event::ConfirmationNeeded { request, .. } => Some(request),
        _ => None,
    };
    let first = event(&mut events, asked).await;
    drop(wire);
    let over = |event| match event {
        Event::ConfirmationOver { request } => Some(request),
        _ => None,
    };
    assert_eq!(event(&mut events, over).await, first);
    assert!(!daemon.daemon.decide(first, true), "nobody waits for this answer");
    assert_eq!(daemon.count().await, 0);

    let port = daemon.port();
    let again = tokio::spawn(async move { pair_on_wire(port, &code, &mut None).await.map(|_| ()) });
    let second = event(&mut events, asked).await;
    assert!(daemon.daemon.decide(second, true));
    again.await.unwrap().unwrap();
    assert_eq!(daemon.count().await, 1);
}
