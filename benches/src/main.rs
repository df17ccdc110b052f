//! The whole-system benchmarks: `make bench`. Ratios come from one run, the sides in turn;
//! absolute figures are of the machine at hand. With names behind it, it runs those alone:
//! `cargo run --release -p codeout-bench attach`.

mod attach;
mod channel;
mod handshakes;
mod measure;
mod network;
mod processes;
mod revocation;
mod sshd;
mod start;
mod terminal;

use std::process::ExitCode;

use measure::Report;
use processes::World;

type Bench = (&'static str, fn(&mut Report, &World));

const ALL: [Bench; 6] = [
    ("handshakes", |report, _| handshakes::run(report)),
    ("channel", |report, _| channel::run(report)),
    ("start", start::run),
    ("network", network::run),
    ("attach", attach::run),
    ("revocation", revocation::run),
];

fn main() -> ExitCode {
    let chosen: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = chosen.iter().find(|name| !ALL.iter().any(|(known, _)| known == name)) {
        measure::complain(&format!("there is no benchmark {unknown}"));
        return ExitCode::from(2);
    }
    let world = World::make();
    let mut report = Report::default();
    for (name, run) in ALL {
        if chosen.is_empty() || chosen.iter().any(|one| one == name) {
            run(&mut report, &world);
        }
    }
    report.finish();
    ExitCode::SUCCESS
}
