//! Many devices that connect at the same moment.

use std::sync::Arc;

use codeout_daemon::OfferLimits;
use codeout_protocol::error::{Alert, Error};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::Stage;
use super::support::device::Device;
use super::support::{WireError, connect_on_wire};

const DEVICES: usize = 16;
/// Connections that one device may have.
const EACH: usize = 16;
/// The most memory that one of them takes, in KiB.
const MEMORY: u64 = 150;

#[tokio::test(flavor = "multi_thread")]
async fn all_who_may_get_in_at_once_and_none_beyond() {
    let mut stage = Stage::set().await;
    let mut devices = Vec::new();
    for number in 0..DEVICES {
        let Device { line, credentials, .. } =
            stage.pair(&format!("device {number}"), OfferLimits::default()).await;
        // Its connection counts, so it is let go in due form before the rush.
        let mut wire = line.wire;
        wire.send(line.channel.sealer.finish(b"").unwrap()).await.unwrap();
        wire.ended().await;
        devices.push(credentials);
    }
    let before = stage.daemon.memory();
    let (port, barrier) = (stage.daemon.port, Arc::new(Barrier::new(DEVICES * EACH)));
    let mut rush = JoinSet::new();
    for number in 0..DEVICES * EACH {
        let (device, barrier) = (devices[number % DEVICES].clone(), Arc::clone(&barrier));
        rush.spawn(async move {
            barrier.wait().await;
            Device::connect(port, &device).await.unwrap()
        });
    }
    let mut inside = rush.join_all().await;
    for device in &devices {
        match connect_on_wire(port, device).await.map(|_| ()) {
            Err(WireError::Protocol(Error::Alert(Alert::TooManyAttempts))) => {}
            other => panic!("one more than there may be: {other:?}"),
        }
    }
    stage.has_grown_less(before, (DEVICES * EACH) as u64 * MEMORY);
    for device in &mut inside {
        device.line.ping().await.unwrap();
    }
    stage.types("beside all of them").await;
}
