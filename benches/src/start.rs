//! From exec to the printed pairing code.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use codeout_protocol::code::Code;

use crate::measure::{Report, millis, quantile};
use crate::processes::{Process, World};

const STARTS: usize = 21;

pub(crate) fn run(report: &mut Report, world: &World) {
    report.heading("start: from exec to the printed code");
    let home = world.directory("start");
    // The first one makes the key.
    let first = start(world, &home);
    let mut times: Vec<f64> = (0..STARTS).map(|_| millis(start(world, &home))).collect();
    let median = quantile(&mut times, 0.5);
    let (least, most) = (quantile(&mut times, 0.0), quantile(&mut times, 1.0));
    report.line(&format!(
        "{STARTS} starts    median {median:.1} ms    min {least:.1}    max {most:.1}    \
         (the very first, which makes the key: {:.1})",
        millis(first)
    ));
    report.goal("start to code, median", median, "ms", 100.0);
}

fn start(world: &World, home: &Path) -> Duration {
    let mut command = world.daemon(home);
    let begun = Instant::now();
    let mut daemon = Process::start(command.stdout(Stdio::piped()));
    let stdout = daemon.0.stdout.take().expect("it is piped");
    for line in BufReader::new(stdout).lines() {
        if line.expect("text").trim().parse::<Code>().is_ok() {
            return begun.elapsed();
        }
    }
    panic!("the daemon ended without a code");
}
