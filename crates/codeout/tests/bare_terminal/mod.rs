//! A terminal of which a test sees every byte. It controls no process, so that its end sends no
//! signal.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::fs::File;
use std::io::Read as _;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc;
use std::time::Duration;

use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{grantpt, ptsname, unlockpt};

/// How long a program may take to end, at most.
const PATIENCE: Duration = Duration::from_secs(120);

/// A program that is killed when it takes too long: nothing waits for it for ever. Its terminal can
/// be read no more then.
pub(crate) struct Watched {
    program: Child,
    _patience: mpsc::Sender<()>,
}

impl Watched {
    fn spawn(mut program: Command) -> Self {
        let program = program.spawn().expect("codeout runs");
        let pid = Pid::from_child(&program);
        let (_patience, is_there) = mpsc::channel();
        std::thread::spawn(move || {
            if is_there.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
                let _ = kill_process(pid, Signal::KILL);
            }
        });
        Watched { program, _patience }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.program), signal).expect("it runs");
    }

    pub(crate) fn ended(&mut self) -> ExitStatus {
        self.program.wait().expect("it ends")
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// A terminal: what its user has of it, and the end for a program.
pub(crate) fn bare_terminal() -> (File, OwnedFd) {
    // Closed in every child: the daemon's own copy would keep its terminal open.
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let user = open("/dev/ptmx", flags, Mode::empty()).expect("a terminal");
    grantpt(&user).and_then(|()| unlockpt(&user)).expect("its other end");
    let path = ptsname(&user, Vec::new()).expect("its name").into_string().expect("text");
    (File::from(user), open(path, flags, Mode::empty()).expect("its other end"))
}

/// Runs a program in a terminal, which is gone with it.
pub(crate) fn run_inside(inside: OwnedFd, mut program: Command) -> Watched {
    program.stdin(inside.try_clone().expect("a copy"));
    program.stderr(inside.try_clone().expect("a copy")).stdout(inside);
    Watched::spawn(program)
}

/// Runs a program in a terminal of its own; what the user has of it.
pub(crate) fn in_a_bare_terminal(program: Command) -> (Watched, File) {
    let (user, inside) = bare_terminal();
    (run_inside(inside, program), user)
}

pub(crate) fn read_until(user: &mut File, shown: &mut Vec<u8>, text: &str) {
    while !String::from_utf8_lossy(shown).contains(text) {
        read_some(user, shown);
    }
}

pub(crate) fn read_some(user: &mut File, shown: &mut Vec<u8>) {
    let mut some = [0; 4096];
    let Ok(read) = user.read(&mut some) else {
        panic!("the terminal is gone behind {:?}", String::from_utf8_lossy(shown));
    };
    shown.extend_from_slice(&some[..read]);
}
