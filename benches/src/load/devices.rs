//! Paired devices that ask for much.

use codeout_protocol::handshake::DeviceCredentials;
use codeout_protocol::message::{FromDaemon, Outcome, Request};
use tokio::task::JoinSet;

use super::tally::Tally;
use crate::wire::{self, Established, WireError};

/// Connections that a daemon takes from one device.
pub(crate) const CONNECTIONS: usize = 16;
/// Requests that are on their way at once.
const PIPELINE: u32 = 32;

/// Asks on every connection that the device may have, again and again; `ask` makes the request of a
/// number.
pub(crate) fn ask_much(
    attack: &mut JoinSet<()>,
    tally: &Tally,
    port: u16,
    device: &DeviceCredentials,
    ask: impl Fn(u32) -> Request + Clone + Send + Sync + 'static,
) {
    for number in 0..CONNECTIONS {
        let (device, tally, ask) = (device.clone(), tally.clone(), ask.clone());
        attack.spawn(async move {
            let first = u32::try_from(number).unwrap_or(0) << 24;
            loop {
                let asking = asking(port, &device, first, &ask, &tally).await;
                tally.count(if asking.is_err() { "connections ended" } else { "rounds" });
            }
        });
    }
}

async fn asking(
    port: u16,
    device: &DeviceCredentials,
    first: u32,
    ask: &impl Fn(u32) -> Request,
    tally: &Tally,
) -> Result<(), WireError> {
    let mut line = wire::connect(port, device).await?;
    let mut last = first;
    loop {
        for _ in 0..PIPELINE {
            last += 1;
            line.request(last, ask(last)).await?;
        }
        for _ in 0..PIPELINE {
            tally.count(&reply(&mut line).await?);
        }
    }
}

/// What the next reply says, in a word or two; news is dropped.
pub(crate) async fn reply(line: &mut Established) -> Result<String, WireError> {
    loop {
        let plaintext = line.receive().await?;
        if let FromDaemon::Reply(reply) = FromDaemon::read(&plaintext)? {
            return Ok(match reply.outcome {
                Outcome::Ok(_) => "done".to_owned(),
                Outcome::Error(error) => format!("refused as {:?}", error.code),
            });
        }
    }
}
