//! `codeout attach` on loopback, paired and through the control socket, beside a terminal without
//! network, `ssh` and `tmux`: the echo of a key, and bulk output.
//!
//! Whoever attaches has two terminals on the way, the session's and the own one. So has a relay,
//! which reads a terminal's output and writes it to its own, and does nothing else.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::measure::{Report, median, micros, quantile};
use crate::processes::{Daemon, World, join, runtime};
use crate::relay;
use crate::sessions;
use crate::sshd::Sshd;
use crate::terminal::Terminal;
use crate::text;
use crate::tmux::Tmux;

/// A line of a terminal takes 4,095.
const KEYS: usize = 2_000;
const WARM_UP: usize = 100;
/// What follows an echo is not to weigh on the next key.
const PAUSE: Duration = Duration::from_millis(1);
const BULK: usize = 64 << 20;
const ROUNDS: usize = 7;

const RAW: &str = "no network";
const RELAYED: &str = "relayed";
const PAIRED: &str = "codeout";
const LOCAL: &str = "codeout here";
const SSH: &str = "ssh";
const TMUX: &str = "tmux";

pub(crate) fn run(report: &mut Report, world: &World) {
    let home = world.directory("attach");
    let runtime = runtime(1);
    let _daemon = runtime.block_on(async {
        let daemon = Daemon::start(world, &home).await;
        let (connection, _) = join(daemon.offer().await, &home, "bench").await;
        for session in ["paired", "local"] {
            sessions::open(&connection, session, "exec /bin/sh").await;
        }
        connection.close().await;
        daemon
    });
    let (sshd, tmux) = (Sshd::start(world), Tmux::start(world));
    let mut terminals = vec![
        Terminal::start(RAW, pty_process::blocking::Command::new("/bin/sh")),
        Terminal::start(RELAYED, relay::command()),
        codeout(PAIRED, world, &home, &["paired", "--on", "bench"]),
        codeout(LOCAL, world, &home, &["local"]),
    ];
    match &sshd {
        Ok(sshd) => terminals.push(Terminal::start(SSH, sshd.client("exec /bin/sh"))),
        Err(reason) => report.line(&format!("without ssh: {reason}")),
    }
    match &tmux {
        Ok(tmux) => terminals.push(Terminal::start(TMUX, tmux.client())),
        Err(reason) => report.line(&format!("without tmux: {reason}")),
    }
    for terminal in &mut terminals {
        terminal.run("PS1=; PS2=; export LC_ALL=C");
    }
    echo(report, &mut terminals);
    bulk(report, &mut terminals, &text::lines(world, BULK));
}

fn codeout(name: &'static str, world: &World, home: &Path, arguments: &[&str]) -> Terminal {
    let mut command = world.codeout(home);
    command.arg("attach").args(arguments);
    Terminal::start(name, command.into())
}

/// The median of each terminal, by its name.
struct Medians(Vec<(&'static str, f64)>);

impl Medians {
    fn ratio(&self, of: &str, to: &str) -> Option<f64> {
        let find = |name| self.0.iter().find(|(known, _)| *known == name);
        Some(find(of)?.1 / find(to)?.1)
    }

    fn ratios(&self, report: &mut Report) {
        for ours in [PAIRED, LOCAL] {
            let to = [RAW, RELAYED, SSH, TMUX].into_iter();
            let ratios: Vec<String> = to
                .filter_map(|other| Some(format!("to {other} {:.2}", self.ratio(ours, other)?)))
                .collect();
            report.line(&format!("{ours:<13}{}", ratios.join("    ")));
        }
    }
}

/// The echo is the kernel's of the session's terminal, the same for all: what differs is the way
/// there and back.
fn echo(report: &mut Report, terminals: &mut [Terminal]) {
    report.heading("echo of a key, all terminals open at once, keys in turn");
    for terminal in terminals.iter_mut() {
        terminal.write(b"printf 'GO%s\\n' ON; cat > /dev/null\n");
        terminal.read_until(b"GOON");
        // Until `cat` reads and the shell has set the terminal as it wants it.
        std::thread::sleep(Duration::from_millis(200));
    }
    let mut times = vec![Vec::with_capacity(KEYS); terminals.len()];
    for round in 0..WARM_UP + KEYS {
        let key = b'a' + u8::try_from(round % 26).unwrap_or(0);
        for (terminal, times) in terminals.iter_mut().zip(&mut times) {
            std::thread::sleep(PAUSE);
            let time = terminal.key(key);
            if round >= WARM_UP {
                times.push(micros(time));
            }
        }
    }
    for terminal in terminals.iter_mut() {
        terminal.write(b"\n\x04");
        terminal.run(":");
    }
    let mut medians = Medians(Vec::new());
    for (terminal, times) in terminals.iter().zip(&mut times) {
        let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|part| quantile(times, part));
        let name = terminal.name;
        medians.0.push((name, p50));
        report.line(&format!("{name:<13}p50 {p50:>6.0} µs    p95 {p95:>6.0}    p99 {p99:>6.0}"));
    }
    medians.ratios(report);
    for ours in [PAIRED, LOCAL] {
        if let Some(ratio) = medians.ratio(ours, SSH) {
            report.goal(&format!("echo, {ours} to ssh, p50"), ratio, "", 1.0);
        }
    }
}

/// What is skipped is not shown: the bytes that came are counted.
fn bulk(report: &mut Report, terminals: &mut [Terminal], file: &Path) {
    report
        .heading("bulk output: `cat` of 64 MiB of lines, in turn, MiB/s; the part that was shown");
    let mut rates = vec![Vec::with_capacity(ROUNDS); terminals.len()];
    let mut shown = vec![0; terminals.len()];
    for _ in 0..ROUNDS {
        for ((terminal, rates), shown) in terminals.iter_mut().zip(&mut rates).zip(&mut shown) {
            let start = Instant::now();
            *shown += terminal.run(&format!("cat {}", file.display()));
            rates.push(BULK as f64 / start.elapsed().as_secs_f64() / f64::from(1 << 20));
        }
    }
    let mut medians = Medians(Vec::new());
    for ((terminal, rates), bytes) in terminals.iter().zip(&mut rates).zip(&shown) {
        let all: Vec<String> = rates.iter().map(|rate| format!("{rate:.1}")).collect();
        let (name, median) = (terminal.name, median(rates));
        medians.0.push((name, median));
        report.line(&format!(
            "{name:<13}median {median:>6.1}    ({})    {:.4} shown",
            all.join(", "),
            *bytes as f64 / shown[0] as f64
        ));
    }
    medians.ratios(report);
    for ours in [PAIRED, LOCAL] {
        for (other, least) in [(RELAYED, 0.9), (SSH, 1.0), (TMUX, 1.0)] {
            if let Some(ratio) = medians.ratio(ours, other) {
                report.goal_at_least(&format!("bulk, {ours} to {other}"), ratio, least);
            }
        }
    }
}
