//! As many established connections as a daemon allows, doing nothing.

use std::time::Duration;

use codeout_daemon::OfferLimits;
use codeout_protocol::error::{Alert, Error};
use codeout_protocol::handshake::DeviceCredentials;

use super::devices::CONNECTIONS;
use super::stage::Stage;
use crate::measure::{Report, millis, process_cpu};
use crate::processes::World;
use crate::wire::{self, Established, WireError};

/// Devices that a daemon lists.
const DEVICES: usize = 128;
const WATCHED: Duration = Duration::from_secs(5);

pub(crate) fn run(report: &mut Report, world: &World) {
    report.heading("established: 128 devices with 16 connections each, which do nothing");
    let mut stage = Stage::set(world, "established");
    // The honest one is one of them.
    let mut devices = stage.pair(DEVICES - 1, OfferLimits::default());
    devices.push(stage.honest.clone());
    let idle = stage.types(Duration::from_secs(3));
    let before = stage.memory();
    let lines = stage.runtime.block_on(async {
        let mut lines = Vec::new();
        for device in &devices {
            lines.extend(all_of(stage.port, device).await);
        }
        lines
    });
    let each = (stage.memory() - before) / lines.len() as f64;
    report.line(&format!(
        "{} connections are open: {each:.1} KiB of the daemon's memory each, {:.1} MiB in all",
        lines.len() + 1,
        stage.memory() / 1024.0
    ));
    report.goal("an established connection that does nothing", each, "KiB", 100.0);
    let refused = stage.runtime.block_on(wire::connect(stage.port, &devices[0]));
    let is_stated =
        matches!(refused, Err(WireError::Protocol(Error::Alert(Alert::TooManyAttempts))));
    assert!(is_stated, "one more connection of a device is refused");
    report.line("one more of a device gets alert 2");

    let pid = stage.daemon.pid();
    let spent = || process_cpu(pid).unwrap_or_default();
    let begun = spent();
    std::thread::sleep(WATCHED);
    let rest = millis(spent() - begun);
    report.line(&format!("the daemon's CPU in 5 s in which nothing happens: {rest:.0} ms"));
    let beside = stage.types(Duration::from_secs(3));
    idle.line(report, "alone", &idle);
    beside.line(report, "beside", &idle);
    report.goal("beside 2,047 idle connections: echo p50", beside.p50 / idle.p50, "", 2.0);
}

/// Connects until the daemon says that the device has enough.
async fn all_of(port: u16, device: &DeviceCredentials) -> Vec<Established> {
    let mut lines = Vec::new();
    loop {
        match wire::connect(port, device).await {
            Ok(line) => lines.push(line),
            Err(WireError::Protocol(Error::Alert(Alert::TooManyAttempts))) => return lines,
            Err(other) => panic!("a device that is paired gets in: {other:?}"),
        }
        assert!(lines.len() <= CONNECTIONS, "a device has {CONNECTIONS} connections at most");
    }
}
