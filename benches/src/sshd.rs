//! An OpenSSH server of our own on loopback, to compare with.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::processes::{PATIENCE, Process, World};

const SSHD: &str = "/usr/sbin/sshd";

pub(crate) struct Sshd {
    _process: Process,
    directory: PathBuf,
    port: u16,
}

impl Sshd {
    /// Starts it; else says what is missing.
    pub(crate) fn start(world: &World) -> Result<Sshd, String> {
        if !Path::new(SSHD).is_file() {
            return Err(format!("{SSHD} is not there"));
        }
        let directory = world.directory("sshd");
        for key in ["host", "user"] {
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(directory.join(key));
            let made = keygen.status().map_err(|error| format!("ssh-keygen: {error}"))?;
            if !made.success() {
                return Err("ssh-keygen makes no key".to_owned());
            }
        }
        if rustix::process::geteuid().is_root() {
            // It insists on this one.
            std::fs::create_dir_all("/run/sshd").map_err(|error| format!("/run/sshd: {error}"))?;
        }
        let port = free_port();
        let path = directory.display();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {path}/host\n\
             AuthorizedKeysFile {path}/user.pub\nPidFile none\nStrictModes no\nUsePAM no\n\
             UseDNS no\nPrintMotd no\nPrintLastLog no\nPermitRootLogin yes\n"
        );
        std::fs::write(directory.join("config"), config).map_err(|error| error.to_string())?;
        let mut command = Command::new(SSHD);
        command.args(["-D", "-e", "-f"]).arg(directory.join("config"));
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = Process::start(command);
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if start.elapsed() > PATIENCE || !matches!(process.0.try_wait(), Ok(None)) {
                return Err("sshd does not start".to_owned());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(Sshd { _process: process, directory, port })
    }

    /// The client, with the user's own configuration out of the way.
    pub(crate) fn client(&self, remote: &str) -> pty_process::blocking::Command {
        let key = format!("IdentityFile={}", self.directory.join("user").display());
        let options = [
            key.as_str(),
            "IdentitiesOnly=yes",
            "BatchMode=yes",
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "GlobalKnownHostsFile=/dev/null",
            "ControlMaster=no",
            "ControlPath=none",
            "LogLevel=ERROR",
            // Newer clients hold keys back for up to 20 ms; that would be no comparison.
            "IgnoreUnknown=ObscureKeystrokeTiming",
            "ObscureKeystrokeTiming=no",
        ];
        let mut command = pty_process::blocking::Command::new("ssh").args(["-F", "none", "-tt"]);
        for option in options {
            command = command.args(["-o", option]);
        }
        command.args(["-p", &self.port.to_string(), "127.0.0.1", remote])
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it has an address").port()
}
