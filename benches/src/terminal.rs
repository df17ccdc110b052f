//! A program in a pseudo-terminal, as a person at it sees it.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use pty_process::Size;
use pty_process::blocking::{Command, Pty, open};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::processes::{PATIENCE, Process};

pub(crate) struct Terminal {
    pub(crate) name: &'static str,
    pty: Pty,
    // Behind the terminal, so that the program finds its terminal closed when it is ended.
    _process: Process,
    buffer: Vec<u8>,
    /// How many commands were run.
    commands: usize,
}

impl Terminal {
    pub(crate) fn start(name: &'static str, command: Command) -> Terminal {
        let (pty, pts) = open().expect("a pseudo-terminal");
        pty.resize(Size::new(24, 80)).expect("it has a size");
        let process = Process::of(command.env("TERM", "xterm").spawn(pts).expect("it starts"));
        Terminal { name, pty, _process: process, buffer: vec![0; 1 << 16], commands: 0 }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.pty.write_all(bytes).expect("the terminal takes it");
    }

    /// What is shown next.
    pub(crate) fn read(&mut self) -> &[u8] {
        assert!(self.is_readable(PATIENCE), "{} shows nothing", self.name);
        let count = self.pty.read(&mut self.buffer);
        let count = count.unwrap_or_else(|error| panic!("{} has ended: {error}", self.name));
        &self.buffer[..count]
    }

    /// Reads until `marker` was shown. Returns the bytes before and with it.
    pub(crate) fn read_until(&mut self, marker: &[u8]) -> usize {
        let (mut count, mut tail) = (0, Vec::new());
        loop {
            let shown = self.read();
            count += shown.len();
            tail.extend_from_slice(&shown[shown.len().saturating_sub(256)..]);
            if tail.windows(marker.len()).any(|window| window == marker) {
                return count;
            }
            let old = tail.len().saturating_sub(marker.len());
            tail.drain(..old);
        }
    }

    /// Types a command and waits until it was run. What is typed and echoed holds no marker.
    /// Returns the bytes that were shown.
    pub(crate) fn run(&mut self, command: &str) -> usize {
        // Whoever paints the screen anew shows the marker of the command before.
        self.commands += 1;
        let number = self.commands;
        self.write(format!("{command}; printf 'DO%s\\n' NE{number}.\n").as_bytes());
        self.read_until(format!("DONE{number}.").as_bytes())
    }

    /// From a key to its echo.
    pub(crate) fn key(&mut self, key: u8) -> Duration {
        while self.is_readable(Duration::ZERO) {
            self.read();
        }
        let start = Instant::now();
        self.write(&[key]);
        while !self.read().contains(&key) {}
        start.elapsed()
    }

    fn is_readable(&self, patience: Duration) -> bool {
        let patience = Timespec::try_from(patience).expect("it fits");
        poll(&mut [PollFd::new(&self.pty, PollFlags::IN)], Some(&patience)) == Ok(1)
    }
}
