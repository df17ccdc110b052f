//! A thousand connects of paired devices at the same moment.

use std::sync::Arc;
use std::time::{Duration, Instant};

use codeout_daemon::OfferLimits;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::stage::Stage;
use crate::measure::{Report, millis, process_cpu, quantile};
use crate::processes::World;
use crate::wire::{self, Established, WireError};

const DEVICES: usize = 125;
const EACH: usize = 8;
/// Before a device that was turned away tries again.
const AGAIN: Duration = Duration::from_millis(250);
const ROUNDS: usize = 3;

pub(crate) fn run(report: &mut Report, world: &World) {
    report.heading("rush: 1,000 connects at the same moment, of 125 devices");
    let mut stage = Stage::set(world, "rush");
    let devices = stage.pair(DEVICES, OfferLimits::default());
    let idle = stage.types(Duration::from_secs(2));
    report.line(&format!("{:.1} MiB of the daemon's memory before", stage.memory() / 1024.0));
    for _ in 0..ROUNDS {
        let barrier = Arc::new(Barrier::new(DEVICES * EACH));
        let mut rush = JoinSet::new();
        for number in 0..DEVICES * EACH {
            let (device, barrier) = (devices[number % DEVICES].clone(), Arc::clone(&barrier));
            let port = stage.port;
            rush.spawn_on(
                async move {
                    barrier.wait().await;
                    arrive(port, &device).await
                },
                stage.attackers.handle(),
            );
        }
        let cpu = process_cpu(stage.daemon.pid()).unwrap_or_default();
        let begun = Instant::now();
        let (arrived, typed) = stage.with_typing(async move { rush.join_all().await });
        let all = begun.elapsed();
        let cpu = process_cpu(stage.daemon.pid()).unwrap_or_default().saturating_sub(cpu);
        let mut times: Vec<f64> = arrived.iter().map(|one| millis(one.time)).collect();
        let retried = arrived.iter().filter(|one| one.busy + one.cut > 0).count();
        let busy: u32 = arrived.iter().map(|one| one.busy).sum();
        let cut: u32 = arrived.iter().map(|one| one.cut).sum();
        let [p50, p99, most] = [0.5, 0.99, 1.0].map(|part| quantile(&mut times, part));
        report.line(&format!(
            "all {} are in after {:.2} s: p50 {p50:.0} ms, p99 {p99:.0}, most {most:.0}; {retried} \
             tried more than once ({busy} times 503, {cut} times cut); the daemon's CPU {:.0} ms, \
             memory {:.1} MiB",
            arrived.len(),
            all.as_secs_f64(),
            millis(cpu),
            stage.memory() / 1024.0,
        ));
        typed.line(report, "during", &idle);
        drop(arrived);
        // Until the daemon has let go of them.
        std::thread::sleep(Duration::from_secs(1));
    }
    report.line(&format!("{:.1} MiB of the daemon's memory after", stage.memory() / 1024.0));
}

/// A device that is in.
struct Arrived {
    time: Duration,
    busy: u32,
    cut: u32,
    _line: Established,
}

async fn arrive(port: u16, device: &codeout_protocol::handshake::DeviceCredentials) -> Arrived {
    let (begun, mut busy, mut cut) = (Instant::now(), 0, 0);
    loop {
        match wire::connect(port, device).await {
            Ok(line) => return Arrived { time: begun.elapsed(), busy, cut, _line: line },
            Err(WireError::TooMany) => busy += 1,
            Err(WireError::Ended) => cut += 1,
            Err(other) => panic!("a device that is paired gets in: {other:?}"),
        }
        assert!(busy + cut < 200, "a device does not get in");
        tokio::time::sleep(AGAIN).await;
    }
}
