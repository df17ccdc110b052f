//! The least that a program can do that shows a pseudo-terminal in another: this one, as
//! `codeout-bench relay`.

use std::fs::File;
use std::io::{Read, Write, stdin, stdout};
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;

use pty_process::blocking::{Command, open};
use rustix::termios::{OptionalActions, tcgetattr, tcgetwinsize, tcsetattr};

/// What this program is told to be one.
pub(crate) const ARGUMENT: &str = "relay";
const AT_ONCE: usize = 1 << 16;

/// A relay with a shell in it.
pub(crate) fn command() -> Command {
    Command::new(std::env::current_exe().expect("this program has a path")).arg(ARGUMENT)
}

/// Relays until the shell ends.
pub(crate) fn run() -> ExitCode {
    let mut attributes = tcgetattr(stdin()).expect("a terminal");
    let size = tcgetwinsize(stdin()).expect("a terminal");
    attributes.make_raw();
    tcsetattr(stdin(), OptionalActions::Now, &attributes).expect("it takes them");
    let (pty, pts) = open().expect("a pseudo-terminal");
    pty.resize(pty_process::Size::new(size.ws_row, size.ws_col)).expect("it has a size");
    let mut shell = Command::new("/bin/sh").spawn(pts).expect("it starts");
    let mut output = File::from(OwnedFd::from(pty));
    let mut input = output.try_clone().expect("a descriptor");
    std::thread::spawn(move || pass(&mut stdin().lock(), &mut input));
    let shown = stdout().as_fd().try_clone_to_owned().expect("a descriptor");
    pass(&mut output, &mut File::from(shown));
    shell.wait().expect("it has ended");
    ExitCode::SUCCESS
}

fn pass(from: &mut impl Read, to: &mut impl Write) {
    let mut buffer = vec![0; AT_ONCE];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
}
