//! The release binary, the processes that the benchmarks start, and their end on every way out.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use codeout_daemon::OfferLimits;
use codeout_daemon::control::{Client, socket};
use codeout_device::{
    Connection, How, PairOutcome, PairRequest, Profile, Profiles, connect_local, pair,
};
use codeout_protocol::link::Link;
use codeout_protocol::name::Name;
use pty_process::blocking::Pty;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

/// How long anything may take to begin or to end.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// What runs now, for whoever ends it all.
static RUNNING: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

/// Where everything of a run lies.
pub(crate) struct World {
    root: TempDir,
    codeout: PathBuf,
}

impl World {
    pub(crate) fn make() -> World {
        let own = std::env::current_exe().expect("this program has a path");
        let codeout = own.with_file_name("codeout");
        assert!(codeout.is_file(), "{} is missing: run `make bench`", codeout.display());
        let root = tempfile::Builder::new().prefix("codeout-bench-").tempdir();
        let root = root.expect("a temporary directory");
        end_on_signal(root.path().to_owned());
        World { root, codeout }
    }

    /// A directory of that name, made if it is not there.
    pub(crate) fn directory(&self, name: &str) -> PathBuf {
        let path = self.root.path().join(name);
        std::fs::create_dir_all(&path).expect("a directory");
        path
    }

    /// The command `codeout` for whom `home` is everything there is.
    pub(crate) fn codeout(&self, home: &Path) -> Command {
        let mut command = Command::new(&self.codeout);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CODEOUT_") {
                command.env_remove(name);
            }
        }
        command.env("CODEOUT_HOME", home).env("HOME", self.root.path()).env("SHELL", "/bin/sh");
        command
    }

    /// The command of a daemon on loopback.
    pub(crate) fn daemon(&self, home: &Path) -> Command {
        let mut command = self.codeout(home);
        command.args(["--port", "0", "--bind", "127.0.0.1", "--name", "bench"]);
        command.current_dir(self.root.path()).stdin(Stdio::null());
        command
    }
}

/// Ends what was started when this process is told to end; otherwise dropping does.
fn end_on_signal(root: PathBuf) {
    let runtime = runtime(1);
    std::thread::spawn(move || {
        runtime.block_on(async {
            let listen = |kind| signal(kind).expect("a signal to listen to");
            let mut interrupt = listen(SignalKind::interrupt());
            let mut terminate = listen(SignalKind::terminate());
            let mut hangup = listen(SignalKind::hangup());
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
        });
        for pid in running().iter() {
            let _ = kill_process(*pid, Signal::TERM);
        }
        let _ = std::fs::remove_dir_all(root);
        std::process::exit(130);
    });
}

fn running() -> std::sync::MutexGuard<'static, Vec<Pid>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A runtime with that many threads beside the one that uses it; with none, all runs on that.
pub(crate) fn runtime(threads: usize) -> Runtime {
    let mut builder = match threads {
        0 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.worker_threads(threads.max(1)).enable_all().build().expect("a runtime")
}

/// A process that ends with this.
pub(crate) struct Process(pub(crate) Child);

impl Process {
    pub(crate) fn start(command: &mut Command) -> Process {
        Process::of(command.spawn().expect("the program starts"))
    }

    pub(crate) fn of(child: Child) -> Process {
        let process = Process(child);
        running().push(process.pid());
        process
    }

    /// With a terminal of its own, as any server and any shell has: Linux shares out its time by
    /// terminal. It also ends when nobody holds that any more.
    pub(crate) fn in_terminal(command: pty_process::blocking::Command) -> (Process, Pty) {
        let (terminal, its_end) = pty_process::blocking::open().expect("a pseudo-terminal");
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        (Process::of(command.spawn(its_end).expect("the program starts")), terminal)
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.0)
    }

    fn ended_within(&mut self, time: Duration) -> bool {
        let start = Instant::now();
        while matches!(self.0.try_wait(), Ok(None)) {
            if start.elapsed() > time {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        true
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let pid = self.pid();
        if matches!(self.0.try_wait(), Ok(None)) {
            let _ = kill_process(pid, Signal::TERM);
            if !self.ended_within(Duration::from_secs(3)) {
                let _ = self.0.kill();
                let _ = self.0.wait();
            }
        }
        running().retain(|other| *other != pid);
    }
}

/// A daemon in a process of its own.
pub(crate) struct Daemon {
    process: Process,
    home: PathBuf,
    _terminal: Pty,
}

impl Daemon {
    /// Starts it and waits until it answers, and has made the offer that it shows by itself: that
    /// would end one that was asked for.
    pub(crate) async fn start(world: &World, home: &Path) -> Daemon {
        let (process, terminal) = Process::in_terminal(world.daemon(home).into());
        let daemon = Daemon { process, home: home.to_owned(), _terminal: terminal };
        let start = Instant::now();
        while !offers(&home.join("daemon")).await {
            assert!(start.elapsed() < PATIENCE, "the daemon does not answer");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        daemon
    }

    pub(crate) fn pid(&self) -> Pid {
        self.process.pid()
    }

    /// A connection through the control socket.
    pub(crate) async fn connect(&self) -> Connection {
        let connected = connect_local(&socket(&self.home.join("daemon"))).await;
        connected.expect("the daemon lets its own user in")
    }

    /// The link of a fresh offer.
    pub(crate) async fn offer(&self) -> Link {
        self.offer_with(OfferLimits::default()).await
    }

    /// The link of a fresh offer for a device with limits.
    pub(crate) async fn offer_with(&self, limits: OfferLimits) -> Link {
        let client = Client::connect(&self.home.join("daemon")).await.expect("the daemon runs");
        let offer = client.offer(limits).await.expect("an offer");
        offer.offer.links.first().expect("an address").parse().expect("a link")
    }
}

/// Whether the daemon in that directory answers, and a device may pair with it.
async fn offers(daemon: &Path) -> bool {
    let Some(client) = Client::connect(daemon).await else { return false };
    client.status().await.is_ok_and(|status| status.offer_expires_in.is_some())
}

/// Pairs a device of that name, which keeps what it learns in `home` as `codeout join` does.
pub(crate) async fn join(link: Link, home: &Path, name: &str) -> (Connection, Profile) {
    let profiles = Profiles::open(&home.join("device/daemons.json")).expect("a fresh file");
    let request = PairRequest {
        how: How::Link(link),
        device_name: Name::clean(name).expect("a name"),
        expected: None,
        again: false,
    };
    match pair(request, &profiles, &mut |_| {}).await.expect("the pairing succeeds") {
        PairOutcome::Paired(paired) => (paired.connection, paired.profile),
        PairOutcome::Confirm(_) => unreachable!("a link needs no confirmation"),
    }
}
