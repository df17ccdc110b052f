//! A program that asks for the mouse has it in the terminal that shows it, as long as it is there.

use std::io::Write as _;

use crate::Desk;
use crate::bare_terminal::read_until;
use crate::keys::keeping;
use crate::terminal::Terminal;

/// Waits for a line, and then asks for the mouse.
const ASKS: &str = r"read -r line; printf '\033[?1000h\033[?1006hasked'; exec cat";

/// Whether the terminal reports the mouse, and in the newer form.
fn reports(terminal: &Terminal) -> String {
    terminal.state("#{mouse_standard_flag} #{mouse_sgr_flag}")
}

#[test]
fn the_terminal_reports_the_mouse_while_the_program_that_asked_is_shown() {
    let desk = Desk::new(ASKS);
    let terminal = desk.attach(80, 24, &[]);
    let waits = |terminal: &Terminal| {
        terminal.wait_until_screen("what was asked, and reports", |screen| {
            screen.text().contains("asked") && reports(terminal) == "1 1"
        })
    };
    terminal.wait_until("leaves it running");
    assert_eq!(reports(&terminal), "0 0");
    terminal.send_keys(&["Enter"]);
    waits(&terminal);
    terminal.send_keys(&["C-]", "d"]);
    terminal.wait_until("left work; it runs on");
    assert_eq!(reports(&terminal), "0 0");

    // A part of a session has no place for the mouse.
    let small = desk.attach(60, 10, &["--keep-size"]);
    small.wait_until_screen("a part of it", |screen| {
        screen.text().contains("asked") && screen.text().contains("80x24")
    });
    assert_eq!(reports(&small), "0 0");

    let terminal = desk.attach(80, 24, &[]);
    waits(&terminal);
    terminal.send_keys(&["C-c"]);
    terminal.wait_until("work has ended by signal 2");
    assert_eq!(reports(&terminal), "0 0");
}

#[test]
fn what_the_mouse_does_arrives_as_the_terminal_tells_it() {
    // A click, the wheel, a way with the button held; and two in the older form, far to the right.
    let told = b"\x1b[<0;10;5M\x1b[<0;10;5m\x1b[<64;1;1M\x1b[<32;11;6M\x1b[M !!\x1b[M#\xd0\x7f";
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("told");
    let desk = Desk::new(&keeping(r"printf '\033[?1000h\033[?1006h'", told.len(), &file));
    let (mut attached, mut user, mut shown) = desk.attach_bare(&[]);
    read_until(&mut user, &mut shown, "ready");
    user.write_all(told).unwrap();
    read_until(&mut user, &mut shown, "all came");
    assert_eq!(std::fs::read(&file).unwrap(), told);
    // Nor does a mouse that is moved meanwhile keep anybody from leaving.
    user.write_all(b"\x1d\x1b[<35;10;5Md").unwrap();
    assert_eq!(attached.ended().code(), Some(0));
}
