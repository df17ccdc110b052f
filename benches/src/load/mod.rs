//! Load and abuse: what a daemon holds, refuses and takes, and what an honest device feels of it.
//! `make load`, or `codeout-bench load PART...`.
//!
//! Everything is on loopback and ends by itself. Whoever attacks is a thread of this process that
//! runs only when nobody else wants the processor (nice 19); what it took all the same is said, so
//! that a slow echo can be told from a processor that was busy.

mod devices;
mod established;
mod malice;
mod pairing;
mod rush;
mod stage;
mod strangers;
mod tally;
mod telling;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::measure::Report;
use crate::processes::World;

type Part = (&'static str, fn(&mut Report, &World));

const PARTS: [Part; 13] = [
    ("strangers", strangers::idle),
    ("handshakes", strangers::endless),
    ("established", established::run),
    ("rush", rush::run),
    ("pairing", pairing::run),
    ("asking", malice::asking),
    ("telling", telling::run),
    ("opening", malice::opening),
    ("sizes", malice::sizes),
    ("attaching", malice::attaching),
    ("breaking", malice::breaking),
    ("limited", malice::limited),
    ("deaf", malice::deaf),
];

/// Whether there is a part of that name.
pub(crate) fn has(name: &str) -> bool {
    PARTS.iter().any(|(known, _)| *known == name)
}

/// Runs the chosen parts; without any, all.
pub(crate) fn run(report: &mut Report, world: &World, chosen: &[String]) {
    let descriptors = raise_descriptors();
    report.line(&format!("descriptors: this process and the daemon may have {descriptors} each"));
    stage::control(report, world);
    for (name, run) in PARTS {
        if chosen.is_empty() || chosen.iter().any(|one| one == name) {
            run(report, world);
        }
    }
}

/// As far as the system lets it; how many it are then.
fn raise_descriptors() -> u64 {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let wanted = maximum.unwrap_or(1 << 20);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum });
    raised.expect("a process may open what it may");
    wanted
}
