//! However an attachment ends, the terminal has the settings that it had.

use std::fs::File;
use std::io::Write as _;
use std::process::Command;

use rustix::termios::{
    InputModes, LocalModes, OptionalActions, SpecialCodeIndex, tcgetattr, tcsetattr, tcsetwinsize,
};

use crate::bare_terminal::{Watched, bare_terminal, read_until, run_inside};
use crate::machine::{Machine, joined};
use crate::{SIZE, open_work};

/// Every setting, to be compared.
fn settings(terminal: &File) -> String {
    format!("{:?}", tcgetattr(terminal).unwrap())
}

/// A session that is attached in a terminal with settings that no program would choose.
struct Attached {
    program: Watched,
    user: File,
    shown: Vec<u8>,
    before: String,
}

impl Attached {
    fn new(attach: Command) -> Self {
        let (mut user, inside) = bare_terminal();
        tcsetwinsize(&inside, SIZE).unwrap();
        let mut unusual = tcgetattr(&inside).unwrap();
        unusual.input_modes.insert(InputModes::IXANY | InputModes::INLCR);
        unusual.local_modes.insert(LocalModes::NOFLSH);
        unusual.special_codes[SpecialCodeIndex::VERASE] = 8;
        unusual.special_codes[SpecialCodeIndex::VINTR] = 24;
        tcsetattr(&inside, OptionalActions::Now, &unusual).unwrap();
        let before = settings(&user);
        let program = run_inside(inside, attach);
        let mut shown = Vec::new();
        read_until(&mut user, &mut shown, "it runs");
        assert_ne!(settings(&user), before);
        Attached { program, user, shown, before }
    }

    fn types(&mut self, keys: &[u8]) {
        self.user.write_all(keys).unwrap();
    }

    fn waits_for(&mut self, text: &str) {
        read_until(&mut self.user, &mut self.shown, text);
    }

    /// It ends with this code, and the terminal is as it was.
    fn ends(mut self, code: i32) {
        assert_eq!(self.program.ended().code(), Some(code));
        assert_eq!(settings(&self.user), self.before);
    }
}

const SCRIPT: &str = "echo it runs; read -r line; exit 3";

#[test]
fn leaving_and_the_sessions_end_restore_every_setting() {
    let desk = Machine::new();
    let _daemon = desk.daemon(0);
    open_work(&desk, SCRIPT);
    let mut attached = Attached::new(desk.command(&["attach", "work"]));
    attached.types(b"\x1dd");
    attached.waits_for("left work");
    attached.ends(0);

    let mut attached = Attached::new(desk.command(&["attach", "work"]));
    attached.types(b"\r");
    attached.waits_for("work has ended with status 3");
    attached.ends(3);
}

#[test]
fn leaving_a_daemon_that_was_killed_restores_every_setting() {
    let (desk, daemon, laptop) = joined();
    open_work(&desk, SCRIPT);
    let mut here = Attached::new(desk.command(&["attach", "work"]));
    let mut there = Attached::new(laptop.command(&["attach", "--on", "desk", "work"]));
    // By SIGKILL.
    drop(daemon);
    here.waits_for("the daemon does not answer: trying again");
    there.waits_for("link to desk lost: trying again");
    for mut attached in [here, there] {
        attached.types(b"\x1dd");
        attached.waits_for("left work");
        attached.ends(0);
    }
}
