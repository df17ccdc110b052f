//! The terminal as a plain pipe of keys and bytes, and back again on every way out.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::OwnedFd;
use rustix::io::{Errno, dup, write};
use rustix::stdio::stdout;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::screen::terminal_anew;

/// What the terminal was before; also for a panic, which prints before anything is dropped.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);
/// Whether a session is shown, and may have changed what the terminal does.
static SHOWN: AtomicBool = AtomicBool::new(false);

/// Keeps the window's title for [`LEAVE`].
pub(crate) const KEEP_TITLE: &str = "\x1b[22;0t";
/// Brings the terminal back from whatever a session has made of it: ends what is unfinished, the
/// keyboard's flags on both screens, the main screen, modes, colours, character sets, title. What
/// the main screen shows stays.
const LEAVE: &str = concat!(
    "\x18\x1b\\",
    "\x1b[<99u\x1b[=0;1u\x1b[?1047l\x1b[!p\x1b[<99u\x1b[=0;1u",
    // A few at a time: tmux drops a sequence of more than 64 bytes.
    "\x1b[?1;5;6;9;12;45;66l\x1b[?1000;1002;1003;1004;1005;1006;1015;1016l",
    "\x1b[?2004;2026;2031;2048l",
    "\x1b[?7;25h\x1b[4;20l\x1b>\x1b[0 q",
    "\x1b[m\x1b[0\"q\x1b]8;;\x1b\\",
    "\x1b(B\x1b)B\x1b*B\x1b+B\x0f",
    "\x1b]104\x1b\\\x1b]110\x1b\\\x1b]111\x1b\\\x1b]112\x1b\\",
    "\x1b[r\x1b[?5W\x1b[23;0t",
);
/// No terminal has more rows.
const MOST_ROWS: u16 = 9999;
/// How long a terminal that takes nothing is waited for.
const PATIENCE: Duration = Duration::from_millis(200);

/// Standard input in raw mode. Dropping it restores the terminal.
#[derive(Debug)]
pub(crate) struct RawTerminal(());

impl RawTerminal {
    /// Enters raw mode; `None` when standard input is no terminal.
    pub(crate) fn enter() -> std::io::Result<Option<Self>> {
        let stdin = std::io::stdin();
        if !stdin.is_terminal() {
            return Ok(None);
        }
        let before = tcgetattr(&stdin)?;
        let mut raw = before.clone();
        raw.make_raw();
        *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
        restore_on_panic();
        tcsetattr(&stdin, OptionalActions::Now, &raw)?;
        Ok(Some(RawTerminal(())))
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        restore_keys();
    }
}

/// From here on standard output, a terminal, shows a session.
pub(crate) fn screen_is_shown() {
    SHOWN.store(true, Ordering::Release);
    restore_on_panic();
}

/// Standard output, a terminal, shows no session any more: behind a `last` thing to show it is
/// brought back, and everything below `row`, which counts from 1, is free. Does nothing a second
/// time.
pub(crate) fn leave_screen(last: &[u8], row: u16) {
    if SHOWN.swap(false, Ordering::AcqRel) {
        let below = if row == 0 { "\x1b[H".to_owned() } else { format!("\x1b[{row}H\r\n") };
        let text = format!("{LEAVE}{below}\x1b[J");
        // Where it cannot be opened anew, as it is.
        if let Some(terminal) = terminal_anew().or_else(|| dup(stdout()).ok()) {
            write_soon(&terminal, last);
            write_soon(&terminal, text.as_bytes());
        }
    }
}

fn restore_on_panic() {
    static HOOK: std::sync::Once = std::sync::Once::new();
    HOOK.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore_keys();
            leave_screen(&[], MOST_ROWS);
            hook(panic);
        }));
    });
}

fn restore_keys() {
    if let Some(before) = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take() {
        // What was typed and not read is for whoever reads next.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &before);
    }
}

/// Writes for as long as the terminal takes something.
fn write_soon(terminal: &OwnedFd, mut bytes: &[u8]) {
    let patience = PATIENCE.try_into().ok();
    while !bytes.is_empty() {
        let mut ready = [PollFd::new(terminal, PollFlags::OUT)];
        match poll(&mut ready, patience.as_ref()) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        match write(terminal, bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => return,
        }
    }
}
