//! The daemon as a process of its own: to be killed, and for its memory to be told from the
//! test's.

use std::path::PathBuf;
use std::process::Stdio;

use codeout_daemon::control::{self, Client, Status};
use codeout_daemon::{Config, OfferLimits};
use codeout_device::{
    Connection, How, PairOutcome, PairRequest, Paired, Profiles, connect_local, pair,
};
use codeout_protocol::address::Address;
use codeout_protocol::link::Link;
use codeout_protocol::name::Name;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::desk::{in_time, poll};

/// A daemon's process, on a free port of loopback. Dropped, it is killed.
pub(crate) struct DaemonProcess {
    child: Child,
    pub(crate) port: u16,
    pub(crate) home: TempDir,
}

impl DaemonProcess {
    pub(crate) async fn start() -> Self {
        let home = TempDir::new().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_codeout"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CODEOUT_") {
                command.env_remove(name);
            }
        }
        command.args(["--port", "0", "--bind", "127.0.0.1"]).current_dir(home.path());
        command.env("CODEOUT_HOME", home.path()).env("SHELL", "/bin/sh").kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().unwrap();
        let directory = home.path().join("daemon");
        let client = in_time(poll(async || Client::connect(&directory).await)).await;
        let port = in_time(client.status()).await.unwrap().port;
        DaemonProcess { child, port, home }
    }

    fn directory(&self) -> PathBuf {
        self.home.path().join("daemon")
    }

    /// What a daemon in this process is to have, to be this one's next.
    pub(crate) fn config(&self) -> Config {
        let name = Name::clean("desk").unwrap();
        let mut config = Config::new(self.directory(), self.home.path().to_owned(), name);
        config.bind = Some(std::net::Ipv4Addr::LOCALHOST.into());
        config.port = 0;
        config
    }

    /// How devices of this computer get to it.
    pub(crate) fn local(&self) -> codeout_device::Daemon {
        codeout_device::Daemon::Local(control::socket(&self.directory()))
    }

    /// Connects through the control socket.
    pub(crate) async fn connect(&self) -> Connection {
        in_time(connect_local(&control::socket(&self.directory()))).await.unwrap()
    }

    async fn control(&self) -> Client {
        in_time(Client::connect(&self.directory())).await.expect("it runs")
    }

    /// How it is.
    pub(crate) async fn status(&self) -> Status {
        in_time(self.control().await.status()).await.unwrap()
    }

    /// Asks it to go on as the program that it is, which another version would be.
    pub(crate) async fn restart(&self) -> Status {
        let program = env!("CARGO_BIN_EXE_codeout").as_ref();
        in_time(self.control().await.restart(&self.directory(), program)).await.unwrap()
    }

    /// Pairs a device that reaches the daemon through `port`.
    pub(crate) async fn pair(&self, name: &str, port: u16) -> (codeout_device::Daemon, Connection) {
        let offer =
            in_time(self.control().await.offer(OfferLimits::default())).await.unwrap().offer;
        let link: Link = offer.links[0].parse().unwrap();
        let address = Address::new(false, "127.0.0.1", Some(port)).unwrap();
        let how = How::Link(Link { address, ..link });
        let profiles = Profiles::open(&self.home.path().join(name).join("daemons.json")).unwrap();
        let device_name = Name::clean(name).unwrap();
        let request = PairRequest { how, device_name, expected: None, again: false };
        match in_time(pair(request, &profiles, &mut |_| {})).await.unwrap() {
            PairOutcome::Paired(Paired { connection, profile }) => {
                (codeout_device::Daemon::Paired(Box::new(profile)), connection)
            }
            PairOutcome::Confirm(_) => panic!("a link needs no comparison"),
        }
    }

    /// The memory that it has in use, in KiB; `None` where the system does not tell.
    pub(crate) fn memory(&self) -> Option<u64> {
        let id = self.child.id().expect("it runs");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.split_whitespace().next()?.parse().ok()
    }

    /// Sends SIGKILL and waits for the end; its directory stays.
    pub(crate) async fn kill(mut self) -> TempDir {
        self.child.kill().await.unwrap();
        self.home
    }
}
