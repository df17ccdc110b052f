//! The whole-system benchmarks: `make bench`. Ratios come from one run, the sides in turn;
//! absolute figures are of the machine at hand. With names behind it, it runs those alone:
//! `cargo run --release -p codeout-bench attach`.

mod attach;
mod channel;
mod emulators;
mod handshakes;
mod idle;
mod load;
mod measure;
mod memory;
mod network;
mod paint;
mod processes;
mod relay;
mod restart;
mod revocation;
mod sessions;
mod slow;
mod sshd;
mod start;
mod terminal;
mod text;
mod tmux;
mod typist;
mod watchers;
mod wire;

use std::process::ExitCode;

use measure::Report;
use processes::World;

type Bench = (&'static str, fn(&mut Report, &World));

const ALL: [Bench; 13] = [
    ("handshakes", |report, _| handshakes::run(report)),
    ("channel", |report, _| channel::run(report)),
    ("emulators", |report, _| emulators::run(report)),
    ("start", start::run),
    ("network", network::run),
    ("attach", attach::run),
    ("watchers", watchers::run),
    ("slow", slow::run),
    ("idle", idle::run),
    ("memory", memory::run),
    ("paint", paint::run),
    ("restart", restart::run),
    ("revocation", revocation::run),
];

fn main() -> ExitCode {
    let chosen: Vec<String> = std::env::args().skip(1).collect();
    if chosen == [relay::ARGUMENT] {
        return relay::run();
    }
    if let [first, parts @ ..] = &chosen[..]
        && first == "load"
    {
        return run_load(parts);
    }
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

/// Load and abuse is no part of the benchmarks: `make load`.
fn run_load(parts: &[String]) -> ExitCode {
    if let Some(unknown) = parts.iter().find(|name| !load::has(name)) {
        measure::complain(&format!("there is no such part of load: {unknown}"));
        return ExitCode::from(2);
    }
    let mut report = Report::default();
    load::run(&mut report, &World::make(), parts);
    report.finish();
    ExitCode::SUCCESS
}
