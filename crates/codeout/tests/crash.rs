//! A daemon that is killed, and disks, files and limits that fail it: nothing that was acknowledged
//! is lost, no revoked device comes back, and what is wrong is said in words.
//!
//! `make test` tries a part of it. `make crash` sets `CODEOUT_CRASHES`, and tries all.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "crash/clock.rs"]
mod clock;
#[path = "crash/disk.rs"]
mod disk;
#[path = "crash/failing.rs"]
mod failing;
#[path = "crash/files.rs"]
mod files;
#[path = "crash/joining.rs"]
mod joining;
#[path = "crash/limits.rs"]
mod limits;
#[path = "crash/points.rs"]
mod points;
#[path = "crash/random.rs"]
mod random;
#[path = "crash/scene.rs"]
mod scene;
#[path = "crash/starting.rs"]
mod starting;
mod support;
#[path = "crash/tracer.rs"]
mod tracer;

/// How many random kills the long form makes; `None` in the short form.
fn long_form() -> Option<usize> {
    std::env::var("CODEOUT_CRASHES").ok().map(|count| count.parse().unwrap())
}

/// One line of what was tried, which `make crash` prints again at its end.
#[allow(clippy::print_stdout, reason = "what it is for")]
fn report(line: &str) {
    println!("crash: {line}");
}

/// Every one of them in the long form, else at most `few`, from all over.
fn some_of<T>(all: Vec<T>, few: usize) -> Vec<T> {
    if long_form().is_some() {
        return all;
    }
    let step = all.len().div_ceil(few).max(1);
    all.into_iter().step_by(step).collect()
}
