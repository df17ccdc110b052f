//! What a session's screen costs: codeout's own beside three other terminal emulators, over the
//! same bytes; and where xterm.js is installed, how often each shows what it shows.

mod candidates;
mod streams;

use std::fs;

use codeout_xterm::Xterm;

use crate::measure::{Report, median, thread_cpu};
use candidates::{ALL, Candidate, Emulator};
use streams::{Recording, Stream};

const ROUNDS: usize = 5;
/// As much as is read from a pseudo-terminal at once, and as the daemon hands over when a program
/// writes faster than that.
const CHUNKS: [usize; 2] = [64 << 10, 2 << 20];
/// So many of each are made to weigh one.
const WEIGHED: usize = 8;
/// In so many places a recording is compared.
const PLACES: usize = 16;

pub(crate) fn run(report: &mut Report) {
    let recordings = streams::recordings();
    let streams = streams::all(&recordings);
    // First, while this process has no memory to use again.
    report.heading("terminal emulators: memory with 10,000 lines of 80 columns above the screen");
    ALL.iter().for_each(|candidate| weight(report, candidate));
    for chunk in CHUNKS {
        report.heading(&format!("terminal emulators, MiB/s in pieces of {} KiB", chunk >> 10));
        streams.iter().for_each(|stream| speed(report, stream, chunk));
    }
    report
        .heading(&format!("terminal emulators: text and cursor as xterm.js, {PLACES} places each"));
    if codeout_xterm::is_installed() {
        correctness(report, &recordings);
    } else {
        report.line("xterm.js is not installed: run `npm ci` in crates/codeout-xterm");
    }
}

fn speed(report: &mut Report, stream: &Stream, chunk: usize) {
    let mut rates = vec![Vec::new(); ALL.len()];
    for _ in 0..ROUNDS {
        // In turn, so that a noisy moment hits all.
        for (candidate, rates) in ALL.iter().zip(&mut rates) {
            let mut emulator = (candidate.make)(stream.columns, stream.rows);
            let before = thread_cpu();
            stream.bytes.chunks(chunk).for_each(|part| emulator.feed(part));
            let time = (thread_cpu() - before).as_secs_f64();
            rates.push(stream.bytes.len() as f64 / time / f64::from(1 << 20));
        }
    }
    let rates: Vec<f64> = rates.iter_mut().map(|rates| median(rates)).collect();
    let others: Vec<String> = ALL[1..]
        .iter()
        .zip(&rates[1..])
        .map(|(other, rate)| format!("{} {rate:>6.0} (ratio {:>5.2})", other.name, rates[0] / rate))
        .collect();
    let name = stream.name;
    report.line(&format!(
        "{name:<14} {} {:>6.0}    {}",
        ALL[0].name,
        rates[0],
        others.join("    ")
    ));
    if chunk == CHUNKS[0] && matches!(name, "plain" | "recordings") {
        let what = format!("screen to alacritty_terminal, {name}");
        report.goal_at_least(&what, rates[0] / rates[1], 1.0);
    }
}

fn weight(report: &mut Report, candidate: &Candidate) {
    let text = streams::full_lines(10_030);
    let before = resident();
    let emulators: Vec<Box<dyn Emulator>> = (0..WEIGHED)
        .map(|_| {
            let mut emulator = (candidate.make)(80, 24);
            text.chunks(CHUNKS[0]).for_each(|part| emulator.feed(part));
            emulator
        })
        .collect();
    let each = resident().saturating_sub(before) as f64 / WEIGHED as f64 / f64::from(1 << 20);
    drop(emulators);
    report.line(&format!("{:<18} {each:.2} MiB", candidate.name));
    if candidate.name == ALL[0].name {
        report.goal("an idle screen with full history", each, "MiB", 4.0);
    }
}

/// The memory of this process that is in use, in bytes.
fn resident() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * rustix::param::page_size()
}

fn correctness(report: &mut Report, recordings: &[Recording]) {
    let xterm = Xterm::start();
    let mut right = vec![0; ALL.len()];
    let mut whole = vec![0; ALL.len()];
    for Recording { columns, rows, bytes, .. } in recordings {
        let judge = xterm.terminal(*columns, *rows, 0);
        let mut emulators: Vec<_> = ALL.iter().map(|one| (one.make)(*columns, *rows)).collect();
        let mut right_here = vec![0; ALL.len()];
        for part in bytes.chunks(bytes.len().div_ceil(PLACES)) {
            judge.write(part);
            let dump = judge.dump();
            let shown = dump.shown();
            let lines = shown.lines[shown.history..].iter();
            let wanted: Vec<String> = lines.map(|line| line.text()).collect();
            for (emulator, right) in emulators.iter_mut().zip(&mut right_here) {
                emulator.feed(part);
                let (x, y) = emulator.cursor();
                // Behind the last column or in it: not all tell.
                let cursor = |x| dump.state("cursor") == format!("column {x}, row {y}");
                let is_there = cursor(x) || x + 1 >= *columns && cursor(*columns);
                *right += usize::from(is_there && emulator.text() == wanted);
            }
        }
        let places = bytes.chunks(bytes.len().div_ceil(PLACES)).len();
        for (at, here) in right_here.into_iter().enumerate() {
            right[at] += here;
            whole[at] += usize::from(here == places);
        }
    }
    for ((candidate, right), whole) in ALL.iter().zip(right).zip(whole) {
        let (name, all) = (candidate.name, recordings.len());
        report.line(&format!("{name:<18} {whole} of {all} recordings, {right} places"));
    }
}
