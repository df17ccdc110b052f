//! `make model`: the searches of the larger bounds, and what came of them.
#![allow(clippy::print_stdout)] // it prints what it found

use std::process::ExitCode;
use std::time::Instant;

use codeout_model::{AsItIs, Codeout, LONG, Rule, SHORT, Scenario};
use stateright::{Checker, Model};

/// Searches of up to this many steps are made again, to compare states that have one name.
const COMPARED: usize = 80_000;

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let all = SHORT.iter().chain(LONG);
    let chosen = all.filter(|one| wanted.is_empty() || wanted.iter().any(|name| name == one.name));
    // Every one, whatever the others show.
    let broken = chosen.filter(|scenario| !search(scenario, threads)).count();
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Searches, prints the bounds, the states and what was found; whether every rule was kept.
fn search(scenario: &Scenario, threads: usize) -> bool {
    println!("{}\n  within {}", scenario.name, scenario.bounds);
    let began = Instant::now();
    let checker = Codeout::new(scenario.bounds, AsItIs).checker().threads(threads);
    let checker = checker.spawn_bfs().join();
    println!(
        "  {} states, {} steps, {} deep, {:.1} s; reached: {:?}",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
        began.elapsed().as_secs_f64(),
        checker.model().seen(),
    );
    let found = checker.discoveries();
    for (rule, path) in &found {
        println!("  broken: {rule}");
        for action in path.clone().into_actions() {
            println!("    {action:?}");
        }
    }
    if found.is_empty() {
        println!("  kept: all {} rules", Rule::ALL.len());
    }
    found.is_empty() && (checker.state_count() > COMPARED || compare(scenario))
}

/// Compares states that have one name; whether they have one future.
fn compare(scenario: &Scenario) -> bool {
    let compared = Codeout::new(scenario.bounds, AsItIs).compare_futures();
    match &compared {
        Ok(compared) => println!("  {compared} states met again, each with the same future"),
        Err(world) => println!("  broken: one name for two states, of which one is {world:?}"),
    }
    compared.is_ok()
}
