//! The terminal as a plain pipe of keys, and back again on every way out.

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

/// What the terminal was before; also for a panic, which prints before anything is dropped.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

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
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            hook(panic);
        }));
        *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
        tcsetattr(&stdin, OptionalActions::Now, &raw)?;
        Ok(Some(RawTerminal(())))
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        restore();
    }
}

fn restore() {
    if let Some(before) = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take() {
        // What was typed and not read is for whoever reads next.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &before);
    }
}
