//! A flood of attempts to pair, while an honest device pairs.

use std::time::{Duration, Instant};

use codeout_protocol::code::Code;
use codeout_protocol::error::{Alert, Error};
use codeout_protocol::name::Name;
use codeout_protocol::pairing::{self, DevicePairing};

use super::stage::Stage;
use super::tally::Tally;
use crate::measure::{Report, millis, quantile};
use crate::processes::World;
use crate::wire::{self, Wire, WireError};

const GUESSERS: usize = 64;
const PAIRINGS: usize = 5;
/// Before the honest device tries again.
const AGAIN: Duration = Duration::from_millis(100);

pub(crate) fn run(report: &mut Report, world: &World) {
    report.heading("pairing: 64 guess at the code as fast as they are answered");
    let mut stage = Stage::set(world, "pairing");
    let _offer = stage.runtime.block_on(stage.daemon.offer());
    let port = stage.port;
    stage.siege(report, "a flood of P1", |attack, tally| {
        for _ in 0..GUESSERS {
            attack.spawn(guess(port, tally.clone()));
        }
    });
    honest(report, &mut stage);
}

async fn guess(port: u16, tally: Tally) {
    loop {
        match guess_once(port).await {
            Ok(()) => tally.count("answered, and wrong"),
            Err(WireError::Protocol(Error::Alert(Alert::TooManyAttempts))) => {
                tally.count("turned away with alert 2");
            }
            Err(WireError::Protocol(Error::Alert(Alert::NoOffer))) => tally.count("no offer"),
            Err(WireError::TooMany) => tally.count("turned away with 503"),
            Err(_) => tally.count("cut"),
        }
    }
}

async fn guess_once(port: u16) -> Result<(), WireError> {
    let mut wire = Wire::dial(port).await?;
    let (state, p1) = pairing::pair(&Code::random(), DevicePairing::generate());
    wire.send(p1).await?;
    match state.read_p2(&wire.receive().await?) {
        Err(Error::WrongCode) => Ok(()),
        Err(other) => Err(other.into()),
        Ok(_) => panic!("a guess at 60 bits is right"),
    }
}

/// How an honest device fares in the same flood.
fn honest(report: &mut Report, stage: &mut Stage) {
    let (port, tally) = (stage.port, Tally::default());
    let mut flood = tokio::task::JoinSet::new();
    for _ in 0..GUESSERS {
        flood.spawn_on(guess(port, tally.clone()), stage.attackers.handle());
    }
    let (mut times, mut tries) = (Vec::new(), 0);
    stage.runtime.block_on(async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        for number in 0..PAIRINGS {
            let link = stage.daemon.offer().await;
            let name = Name::clean(&format!("late {number}")).expect("a name");
            let begun = Instant::now();
            loop {
                tries += 1;
                match wire::pair(port, &link.code, &name).await {
                    Ok(_) => break,
                    Err(WireError::Protocol(Error::Alert(Alert::TooManyAttempts))) => {}
                    Err(WireError::TooMany | WireError::Ended) => {}
                    Err(other) => panic!("an honest device pairs: {other:?}"),
                }
                assert!(begun.elapsed() < Duration::from_secs(300), "the offer is over");
                tokio::time::sleep(AGAIN).await;
            }
            times.push(millis(begun.elapsed()));
        }
        flood.shutdown().await;
    });
    report.line(&format!(
        "an honest device in the flood paired {PAIRINGS} times in {tries} tries: p50 {:.0} ms, most \
         {:.0} ms; meanwhile: {}",
        quantile(&mut times, 0.5),
        quantile(&mut times, 1.0),
        tally.words()
    ));
}
