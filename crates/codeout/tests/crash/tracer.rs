//! `strace` as what strikes a process at a system call: with no code for it in the program.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::report;
use crate::support::PATIENCE;

/// The calls by which a process changes anything outside itself: files, and what others are told.
pub(crate) const CALLS: [&str; 19] = [
    "bind",
    "fdatasync",
    "fsync",
    "ftruncate",
    "link",
    "linkat",
    "mkdir",
    "openat",
    "pwrite64",
    "pwritev",
    "rename",
    "renameat",
    "renameat2",
    "sendmsg",
    "sendto",
    "unlink",
    "unlinkat",
    "write",
    "writev",
];

/// At which call of a process something happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Point {
    /// The place of the thread among those that the process had; `None` for a later one, and then
    /// whichever thread comes to it first.
    pub(crate) thread: Option<usize>,
    pub(crate) call: String,
    /// The first is 1.
    pub(crate) turn: usize,
}

/// Whether `strace` can be had, and, with `attach`, may be attached to a daemon, which keeps
/// others of its user out of its memory. What is left out otherwise is said.
pub(crate) fn is_possible(what: &str, attach: bool) -> bool {
    let tried = std::process::Command::new("strace")
        .args(["-qq", "-o", "/dev/null", "-e", "trace=write", "true"])
        .stderr(Stdio::null())
        .status();
    let is_root = rustix::process::geteuid().is_root();
    let possible = tried.is_ok_and(|status| status.success()) && (is_root || !attach);
    if !possible {
        let needs = if attach { "strace, as root" } else { "strace" };
        report(&format!("{what}: skipped, it needs {needs}"));
    }
    possible
}

/// What strikes: `signal=SIGKILL`, `error=EIO`.
pub(crate) fn options(call: &str, strike: &str, when: &str) -> [String; 4] {
    let inject = format!("inject={call}:{strike}:when={when}");
    ["-e".to_owned(), format!("trace={call}"), "-e".to_owned(), inject]
}

/// A running process's threads, the oldest first.
pub(crate) fn threads(process: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let ids = tasks.map(|task| task.unwrap().file_name().to_str().unwrap().parse().unwrap());
    let mut ids: Vec<u32> = ids.collect();
    ids.sort_unstable();
    ids
}

/// `strace` that is attached to a process.
pub(crate) struct Tracer(Child);

impl Tracer {
    /// Attaches it, and waits until it is.
    async fn attach(arguments: &[String]) -> Self {
        let mut child = Command::new("strace")
            .args(arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = tokio::time::timeout(PATIENCE, said.next_line());
        let line = line.await.expect("strace says nothing").unwrap().unwrap_or_default();
        assert!(line.contains("attached"), "strace says {line:?}");
        tokio::spawn(async move { while let Ok(Some(_)) = said.next_line().await {} });
        Tracer(child)
    }

    /// Strikes the process at a point: once, or with `on` from there on.
    pub(crate) async fn strike(process: u32, point: &Point, strike: &str, on: bool) -> Self {
        let when = format!("{}{}", point.turn, if on { "+" } else { "" });
        let mut arguments = options(&point.call, strike, &when).to_vec();
        let threads = threads(process);
        match point.thread.and_then(|place| threads.get(place)) {
            Some(thread) => arguments.extend(["-p".into(), thread.to_string()]),
            // It has fewer threads than the one that was watched.
            None => arguments.extend(["-f".into(), "-p".into(), process.to_string()]),
        }
        arguments.extend(["-o".into(), "/dev/null".into()]);
        Self::attach(&arguments).await
    }

    /// Writes the process's calls into a file.
    pub(crate) async fn watch(process: u32, file: &Path) -> Self {
        let trace = format!("trace={}", CALLS.join(","));
        let file = file.to_str().unwrap();
        let arguments = ["-f", "-p", &process.to_string(), "-e", &trace, "-o", file];
        Self::attach(&arguments.map(str::to_owned)).await
    }

    /// Waits until it has ended, with the process.
    pub(crate) async fn ended(mut self) {
        let ended = tokio::time::timeout(PATIENCE, self.0.wait());
        ended.await.expect("strace does not end").unwrap();
    }

    /// Leaves the process alone from here on.
    pub(crate) async fn detach(self) {
        let id = self.0.id().unwrap().cast_signed();
        let id = rustix::process::Pid::from_raw(id).unwrap();
        rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
        self.ended().await;
    }
}

/// Every call in a file that [`Tracer::watch`] or `strace -f -o` wrote, as a point. The threads
/// that there were are `threads`.
pub(crate) fn points(file: &Path, threads: &[u32]) -> Vec<Point> {
    let mut turns: BTreeMap<(u32, String), usize> = BTreeMap::new();
    for line in fs::read_to_string(file).unwrap().lines() {
        let Some((id, call)) = line.split_once(' ') else { continue };
        // What is cut in two is counted where it begins.
        let Some((call, _)) = call.trim_start().split_once('(') else { continue };
        if CALLS.contains(&call) {
            *turns.entry((id.parse().unwrap(), call.to_owned())).or_default() += 1;
        }
    }
    let mut points = Vec::new();
    for ((id, call), count) in turns {
        let thread = threads.iter().position(|thread| *thread == id);
        points.extend((1..=count).map(|turn| Point { thread, call: call.clone(), turn }));
    }
    // Two later threads have the same points.
    points.sort_unstable_by(|a, b| (&a.thread, &a.call, a.turn).cmp(&(&b.thread, &b.call, b.turn)));
    points.dedup();
    points
}

/// A program of ours under `strace`, from its first call on.
pub(crate) fn under(options: &[String], program: &Command) -> Command {
    let program = program.as_std();
    let mut command = Command::new("strace");
    command.args(["-f", "-qq"]).args(options).arg(program.get_program()).args(program.get_args());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// The options that strike at a point, whichever thread comes to it.
pub(crate) fn striking(point: &Point, strike: &str) -> Vec<String> {
    let mut all = options(&point.call, strike, &point.turn.to_string()).to_vec();
    all.extend(["-o".into(), "/dev/null".into()]);
    all
}

/// The options that write the calls into a file.
pub(crate) fn watching(file: &Path) -> Vec<String> {
    let trace = format!("trace={}", CALLS.join(","));
    ["-e", &trace, "-o", file.to_str().unwrap()].map(str::to_owned).to_vec()
}
