//! A tmux server of our own, to compare with.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use pty_process::blocking::Pty;

use crate::processes::{PATIENCE, Process, World};

const CONFIGURATION: &str = "set -g status off\nset -s escape-time 0\n\
    set -g default-shell /bin/sh\nset -g default-command \"exec /bin/sh\"\n";

pub(crate) struct Tmux {
    _process: Process,
    _terminal: Pty,
    socket: PathBuf,
}

impl Tmux {
    /// Starts it; else says what is missing.
    pub(crate) fn start(world: &World) -> Result<Tmux, String> {
        if Command::new("tmux").arg("-V").output().is_err() {
            return Err("tmux is not there".to_owned());
        }
        let directory = world.directory("tmux");
        let (configuration, socket) = (directory.join("configuration"), directory.join("socket"));
        std::fs::write(&configuration, CONFIGURATION).map_err(|error| error.to_string())?;
        let command = command(&socket).arg("-f").arg(&configuration).arg("-D");
        let (mut process, terminal) = Process::in_terminal(command);
        let begun = Instant::now();
        while !socket.exists() {
            if begun.elapsed() > PATIENCE || !matches!(process.0.try_wait(), Ok(None)) {
                return Err("the tmux server does not start".to_owned());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(Tmux { _process: process, _terminal: terminal, socket })
    }

    /// What attaches to a session with a shell in it.
    pub(crate) fn client(&self) -> pty_process::blocking::Command {
        command(&self.socket).arg("new-session")
    }
}

fn command(socket: &std::path::Path) -> pty_process::blocking::Command {
    pty_process::blocking::Command::new("tmux")
        .env_remove("TMUX")
        .env("LC_ALL", "C.UTF-8")
        .env("TERM", "xterm-256color")
        .arg("-S")
        .arg(socket)
}
