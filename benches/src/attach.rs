//! `codeout attach` on loopback, beside a terminal without network and beside `ssh`: the echo
//! of a key, and bulk output.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::measure::{Report, median, micros, quantile};
use crate::processes::{Daemon, World, join, runtime};
use crate::sshd::Sshd;
use crate::terminal::Terminal;

/// A line of a terminal takes 4,095.
const KEYS: usize = 2_000;
const WARM_UP: usize = 100;
/// What follows an echo is not to weigh on the next key.
const PAUSE: Duration = Duration::from_millis(1);
const BULK: usize = 64 << 20;
const ROUNDS: usize = 7;

pub(crate) fn run(report: &mut Report, world: &World) {
    let home = world.directory("attach");
    let runtime = runtime(1);
    let _daemon = runtime.block_on(async {
        let daemon = Daemon::start(world, &home).await;
        let (connection, _) = join(daemon.offer().await, &home, "bench").await;
        connection.close().await;
        daemon
    });
    let sshd = Sshd::start(world);
    let mut terminals = vec![local(), codeout(world, &home)];
    match &sshd {
        Ok(sshd) => terminals.push(Terminal::start("ssh", sshd.client("exec /bin/sh"))),
        Err(reason) => report.line(&format!("without ssh: {reason}")),
    }
    for terminal in &mut terminals {
        terminal.run("PS1=; PS2=; export LC_ALL=C");
    }
    echo(report, &mut terminals);
    bulk(report, &mut terminals, &bulk_file(world));
}

fn local() -> Terminal {
    Terminal::start("no network", pty_process::blocking::Command::new("/bin/sh"))
}

fn codeout(world: &World, home: &Path) -> Terminal {
    let mut command = world.codeout(home);
    command.arg("attach");
    Terminal::start("codeout", command.into())
}

/// The echo is the remote kernel's, the same for all: what differs is the way there and back.
fn echo(report: &mut Report, terminals: &mut [Terminal]) {
    report.heading("echo of a key, all terminals open at once, keys in turn");
    for terminal in terminals.iter_mut() {
        terminal.write(b"printf 'GO%s\\n' ON; cat > /dev/null\n");
        terminal.read_until(b"GOON\r\n");
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
    let mut medians = Vec::new();
    for (terminal, times) in terminals.iter().zip(&mut times) {
        let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|part| quantile(times, part));
        medians.push(p50);
        let name = terminal.name;
        report.line(&format!("{name:<12}p50 {p50:>6.0} µs    p95 {p95:>6.0}    p99 {p99:>6.0}"));
    }
    if let [local, codeout, ssh] = medians[..] {
        report.line(&format!(
            "codeout to ssh {:.2}    to no network {:.1}",
            codeout / ssh,
            codeout / local
        ));
        report.goal("echo, codeout to ssh, p50", codeout / ssh, "", 1.3);
    }
}

fn bulk(report: &mut Report, terminals: &mut [Terminal], file: &Path) {
    report.heading("bulk output: `cat` of 64 MiB of lines, in turn, MiB/s");
    let mut rates = vec![Vec::with_capacity(ROUNDS); terminals.len()];
    for _ in 0..ROUNDS {
        for (terminal, rates) in terminals.iter_mut().zip(&mut rates) {
            let start = Instant::now();
            terminal.run(&format!("cat {}", file.display()));
            rates.push(BULK as f64 / start.elapsed().as_secs_f64() / f64::from(1 << 20));
        }
    }
    let mut medians = Vec::new();
    for (terminal, rates) in terminals.iter().zip(&mut rates) {
        let all: Vec<String> = rates.iter().map(|rate| format!("{rate:.1}")).collect();
        let median = median(rates);
        medians.push(median);
        let name = terminal.name;
        report.line(&format!("{name:<12}median {median:>6.1}    ({})", all.join(", ")));
    }
    if let [local, codeout, ssh] = medians[..] {
        report.line(&format!(
            "codeout to ssh {:.2}    to no network {:.2}",
            codeout / ssh,
            codeout / local
        ));
        report.goal_at_least("bulk, codeout to ssh", codeout / ssh, 1.0);
    }
}

fn bulk_file(world: &World) -> PathBuf {
    let path = world.directory("bulk").join("lines");
    let line: Vec<u8> = (b'!'..=b'~').cycle().take(79).chain([b'\n']).collect();
    let bytes: Vec<u8> = line.into_iter().cycle().take(BULK).collect();
    std::fs::write(&path, bytes).expect("room for the file");
    path
}
