//! A session in a real terminal: its size, the keys typed and pasted into it, the mouse, and what
//! the terminal is like afterwards.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "attached_terminal/keys.rs"]
mod keys;
#[path = "attached_terminal/mouse.rs"]
mod mouse;
#[path = "attached_terminal/restored.rs"]
mod restored;
#[path = "attached_terminal/sizes.rs"]
mod sizes;

mod bare_terminal;
mod machine;
mod terminal;

use std::fs::File;
use std::process::Command;

use bare_terminal::{Watched, bare_terminal, read_until, run_inside};
use machine::{Machine, RunningDaemon};
use rustix::termios::{Winsize, tcsetwinsize};
use serde_json::Value;
use terminal::Terminal;

const CODEOUT: &str = env!("CARGO_BIN_EXE_codeout");
/// The size that a session has at first.
const SIZE: Winsize = Winsize { ws_col: 80, ws_row: 24, ws_xpixel: 0, ws_ypixel: 0 };

/// A machine with a session called work.
struct Desk {
    machine: Machine,
    _daemon: RunningDaemon,
}

impl Desk {
    /// The session runs a script of `sh`.
    fn new(script: &str) -> Self {
        let machine = Machine::new();
        let daemon = machine.daemon(0);
        open_work(&machine, script);
        Desk { machine, _daemon: daemon }
    }

    /// Attaches in a terminal of this size.
    fn attach(&self, columns: u16, rows: u16, options: &[&str]) -> Terminal {
        let terminal = Terminal::new(columns, rows);
        let home = self.machine.home.path().to_str().unwrap();
        let command = [CODEOUT, "attach", "--home", home, "work"];
        terminal.run(command.iter().chain(options));
        terminal
    }

    /// Attaches in a terminal of the session's size, and waits until that takes keys.
    fn attach_bare(&self, options: &[&str]) -> (Watched, File, Vec<u8>) {
        attach_bare(self.machine.command(&[&["attach", "work"], options].concat()))
    }

    /// The session as it is listed.
    fn work(&self) -> Value {
        self.machine.run(&["sessions", "--json"]).json()[0].take()
    }
}

fn open_work(machine: &Machine, script: &str) {
    machine.run(&["open", "-d", "--name", "work", "--", "sh", "-c", script]).succeeds();
}

fn attach_bare(attach: Command) -> (Watched, File, Vec<u8>) {
    let (mut user, inside) = bare_terminal();
    tcsetwinsize(&inside, SIZE).unwrap();
    let attached = run_inside(inside, attach);
    let mut shown = Vec::new();
    read_until(&mut user, &mut shown, "then d leaves it running");
    (attached, user, shown)
}
