//! What a fault of the program's own says: one line, as every other error.

use std::fmt::Display;
use std::panic::{self, PanicHookInfo};

use codeout_protocol::name::clean_text;

use crate::failure::{Code, Failure};
use crate::ui;

/// How much of its words is told, in bytes.
const MOST: usize = 500;

/// Words every panic from now on. It may quote what a peer sent, so it is cleaned. There is no
/// backtrace, whatever `RUST_BACKTRACE` says: the standard library holds a lock while it makes one,
/// and where memory has run out it waits for that lock for ever instead of ending.
pub(crate) fn install_hook() {
    panic::set_hook(Box::new(|panic| ui::report(&worded(panic))));
}

fn worded(panic: &PanicHookInfo<'_>) -> Failure {
    let place = panic.location().map(|place| place as &dyn Display);
    let words = panic.payload();
    let literal = words.downcast_ref::<&str>().copied();
    let words = literal.or_else(|| words.downcast_ref::<String>().map(String::as_str));
    failure(words.unwrap_or("without words"), place.unwrap_or(&"a place unknown"))
}

fn failure(words: &str, place: &dyn Display) -> Failure {
    let words = clean_text(words, MOST);
    Failure::new(Code::Other, format!("a fault of its own, at {place}: {words}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_panic_quotes_is_cleaned_and_short() {
        let quoted = format!("not a boundary of `\x1b]0;name\x07{}`", "x".repeat(10_000));
        let error = failure(&quoted, &"src/file.rs:1:2").error;
        assert!(
            error.starts_with("a fault of its own, at src/file.rs:1:2: not a boundary of `]0;")
        );
        assert!(!error.chars().any(char::is_control), "{error}");
        assert!(error.len() < 600, "{}", error.len());
    }
}
