//! One offer, one device.

mod support;

use codeout_protocol::error::{Error, Refusal};
use support::{TestDaemon, WireError, pair_on_wire};

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_devices_with_the_right_code_one_is_paired() {
    let daemon = TestDaemon::start().await;
    let code = daemon.offer();
    let port = daemon.port();
    let attempts: Vec<_> = (0..100)
        .map(|_| {
            let code = code.clone();
            tokio::spawn(async move { pair_on_wire(port, &code, &mut None).await.map(|_| ()) })
        })
        .collect();
    let (mut paired, mut used) = (0, 0);
    for attempt in attempts {
        match attempt.await.unwrap() {
            Ok(()) => paired += 1,
            Err(WireError::Protocol(Error::Refused(Refusal::AlreadyUsed))) => used += 1,
            Err(other) => panic!("unexpected: {other:?}"),
        }
    }
    assert_eq!((paired, used), (1, 99));
    assert_eq!(daemon.count().await, 1);
}
