//! The one line that is this program's own: why nothing comes, or whose size a session has.

use std::time::Duration;

use codeout_device::Daemon;
use codeout_protocol::message::{SessionEntry, TerminalSize};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::detach_key::DetachKey;

/// What this session, its daemon and this device are, for a line about them.
pub(super) struct Names {
    /// The session's.
    pub(super) session: String,
    /// The daemon's; `None`: this computer's own.
    pub(super) daemon: Option<String>,
    /// What `d` and `s` follow.
    pub(super) key: DetachKey,
    /// Whether this device may type, and so give the session its size.
    pub(super) typing: bool,
}

impl Names {
    pub(super) fn new(entry: &SessionEntry, daemon: &Daemon, key: DetachKey, typing: bool) -> Self {
        let daemon = match daemon {
            Daemon::Paired(profile) => Some(profile.name.clone()),
            Daemon::Local(_) => None,
        };
        Names { session: entry.name.clone(), daemon, key, typing }
    }

    /// What to call the way to the daemon that is gone.
    pub(super) fn lost(&self) -> String {
        match &self.daemon {
            Some(daemon) => format!("link to {daemon} lost"),
            None => "the daemon does not answer".to_owned(),
        }
    }

    /// What a session is left with.
    pub(super) fn greeting(&self) -> String {
        match self.typing {
            true => format!("attached to {}: {} then d leaves it running", self.session, self.key),
            false => format!("watching {}: {} then d leaves", self.session, self.key),
        }
    }

    /// There is no link; the next attempt is after this time.
    pub(super) fn down(&self, retry_in: Duration) -> String {
        let seconds = retry_in.as_secs() + u64::from(retry_in.subsec_nanos() > 0);
        let then = match seconds {
            0 => "connecting".to_owned(),
            seconds => format!("trying again in {seconds} s"),
        };
        format!("{}: {then}; {} then d leaves", self.lost(), self.key)
    }

    /// The session has another size than the terminal.
    pub(super) fn other_size(&self, size: TerminalSize, size_by: Option<&str>) -> String {
        let TerminalSize { columns, rows } = size;
        let by = size_by.map_or_else(String::new, |by| format!(", set by {by}"));
        let fit = match self.typing {
            true => format!("; {} then s fits it to this window", self.key),
            false => String::new(),
        };
        format!("{} is {columns}x{rows}{by}{fit}", self.session)
    }
}

/// Text in as many columns as the terminal has, in reverse video.
fn bar(text: &str, columns: u16) -> String {
    let columns = usize::from(columns);
    let mut fitting = String::from(" ");
    for character in text.chars() {
        if fitting.width() + character.width().unwrap_or(0) > columns.saturating_sub(1) {
            break;
        }
        fitting.push(character);
    }
    let rest = columns.saturating_sub(fitting.width());
    format!("\x1b[0;7m{fitting}{}\x1b[m", " ".repeat(rest))
}

/// Draws a line in the terminal's last row. What the program had not finished is ended by it.
pub(super) fn over(text: &str, terminal: TerminalSize) -> Vec<u8> {
    let TerminalSize { columns, rows } = terminal;
    let bar = bar(text, columns);
    // Neither margins nor a character set nor an update that is held back get in its way.
    format!("\x18\x1b\\\x1b[?2026l\x1b7\x1b[?6l\x1b[4l\x1b(B\x0f\x1b[{rows}H{bar}\x1b8")
        .into_bytes()
}

/// Draws a line in the last row of a terminal on which nothing is unfinished.
pub(super) fn below(text: &str, terminal: TerminalSize) -> String {
    format!("\x1b[{}H{}", terminal.rows, bar(text, terminal.columns))
}

#[cfg(test)]
mod tests {
    use super::*;
    use codeout_screen::{HistoryLimits, Screen};

    const TERMINAL: TerminalSize = TerminalSize { columns: 60, rows: 4 };

    fn names(daemon: Option<&str>) -> Names {
        Names {
            session: "api".to_owned(),
            daemon: daemon.map(str::to_owned),
            key: DetachKey::default(),
            typing: true,
        }
    }

    #[test]
    fn one_line_says_what_is_and_what_comes() {
        let desk = names(Some("desk"));
        assert_eq!(
            desk.down(Duration::from_millis(2_100)),
            "link to desk lost: trying again in 3 s; Ctrl-] then d leaves"
        );
        assert_eq!(
            names(None).down(Duration::ZERO),
            "the daemon does not answer: connecting; Ctrl-] then d leaves"
        );
        let size = TerminalSize { columns: 120, rows: 40 };
        assert_eq!(
            desk.other_size(size, Some("phone")),
            "api is 120x40, set by phone; Ctrl-] then s fits it to this window"
        );
        let looking = Names { typing: false, ..desk };
        assert_eq!(looking.other_size(size, None), "api is 120x40");
    }

    #[test]
    fn it_is_drawn_in_the_last_row_and_the_cursor_stays() {
        let mut screen = Screen::new(60, 4, HistoryLimits::default());
        // In origin mode with margins, insert mode, line drawing, and in the middle of a title.
        screen.feed(b"one\r\ntwo\x1b[2;3r\x1b[?6h\x1b[4h\x1b(0\x1b[1;2H\x1b]2;half");
        let before = screen.cursor();
        screen.feed(&over("link to desk lost", TERMINAL));
        assert_eq!(screen.last_line(), "link to desk lost");
        assert_eq!(screen.cursor(), before);
        let mut top = Vec::new();
        screen.write_view(0, 3, 60, 1, &mut top);
        assert!(String::from_utf8(top).unwrap().contains("link to desk lost"));
    }

    #[test]
    fn it_fits_any_width() {
        for columns in 1..80 {
            let drawn = bar("東京 is 120x40, set by a phone with a name", columns);
            let text = drawn.strip_prefix("\x1b[0;7m").unwrap().strip_suffix("\x1b[m").unwrap();
            assert_eq!(text.width(), usize::from(columns), "{text:?}");
        }
    }
}
