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
}

impl Terminal {
    pub(crate) fn start(name: &'static str, command: Command) -> Terminal {
        let (pty, pts) = open().expect("a pseudo-terminal");
        pty.resize(Size::new(24, 80)).expect("it has a size");
        let process = Process::of(command.env("TERM", "xterm").spawn(pts).expect("it starts"));
        Terminal { name, pty, _process: process, buffer: vec![0; 1 << 16] }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.pty.write_all(bytes).expect("the terminal takes it");
    }

    /// What is shown next.
    pub(crate) fn read(&mut self) -> &[u8] {
        let patience = Timespec::try_from(PATIENCE).expect("it fits");
        let ready = poll(&mut [PollFd::new(&self.pty, PollFlags::IN)], Some(&patience));
        assert_eq!(ready, Ok(1), "{} shows nothing", self.name);
        let count = self.pty.read(&mut self.buffer).expect("the program runs");
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
    pub(crate) fn run(&mut self, command: &str) {
        self.write(format!("{command}; printf 'DO%s\\n' NE\n").as_bytes());
        self.read_until(b"DONE\r\n");
    }

    /// From a key to its echo.
    pub(crate) fn key(&mut self, key: u8) -> Duration {
        let start = Instant::now();
        self.write(&[key]);
        let echo = self.read();
        let time = start.elapsed();
        assert_eq!(echo, [key], "the echo is the key");
        time
    }
}
