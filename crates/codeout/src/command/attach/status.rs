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

    /// What a session is left with, in words for a terminal of so many columns.
    pub(super) fn greeting(&self, columns: u16) -> String {
        let Names { session, key, .. } = self;
        let whole = match self.typing {
            true => format!("attached to {session}: {key} then d leaves it running"),
            false => format!("watching {session}: {key} then d leaves"),
        };
        fitting([whole, format!("{key} then d leaves"), format!("{key} d: leave")], columns)
    }

    /// There is no link; the next attempt is after this time.
    pub(super) fn down(&self, retry_in: Duration, columns: u16) -> String {
        let seconds = retry_in.as_secs() + u64::from(retry_in.subsec_nanos() > 0);
        let (then, soon) = match seconds {
            0 => ("connecting".to_owned(), String::new()),
            seconds => (format!("trying again in {seconds} s"), format!(", {seconds} s")),
        };
        let key = self.key;
        let lost = if self.daemon.is_some() { "link lost" } else { "no answer" };
        let texts = [
            format!("{}: {then}; {key} then d leaves", self.lost()),
            format!("{lost}: {then}; {key} d: leave"),
            format!("{lost}: {then}"),
            format!("{lost}{soon}"),
        ];
        fitting(texts, columns)
    }

    /// The session has another size than the terminal, which is so many columns wide.
    pub(super) fn other_size(
        &self,
        size: TerminalSize,
        size_by: Option<&str>,
        columns: u16,
    ) -> String {
        let size = format!("{}x{}", size.columns, size.rows);
        let by = size_by.map_or_else(String::new, |by| format!(", set by {by}"));
        let (session, key) = (&self.session, self.key);
        if !self.typing {
            return fitting([format!("{session} is {size}{by}"), size], columns);
        }
        let texts = [
            format!("{session} is {size}{by}; {key} then s fits it to this window"),
            format!("{session} is {size}; {key} then s fits it"),
            format!("{size}; {key} s: fit"),
            size,
        ];
        fitting(texts, columns)
    }
}

/// The first of these that has room in the line, or the last, which is cut.
fn fitting<const N: usize>(texts: [String; N], columns: u16) -> String {
    // A column stays free on either side.
    let room = usize::from(columns).saturating_sub(2);
    let mut texts = texts.into_iter();
    let mut chosen = texts.next().unwrap_or_default();
    for shorter in texts {
        if chosen.width() <= room {
            break;
        }
        chosen = shorter;
    }
    chosen
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
            desk.down(Duration::from_millis(2_100), 80),
            "link to desk lost: trying again in 3 s; Ctrl-] then d leaves"
        );
        assert_eq!(
            names(None).down(Duration::ZERO, 80),
            "the daemon does not answer: connecting; Ctrl-] then d leaves"
        );
        let size = TerminalSize { columns: 120, rows: 40 };
        assert_eq!(
            desk.other_size(size, Some("phone"), 80),
            "api is 120x40, set by phone; Ctrl-] then s fits it to this window"
        );
        let looking = Names { typing: false, ..desk };
        assert_eq!(looking.other_size(size, None, 80), "api is 120x40");
    }

    #[test]
    fn a_narrow_terminal_gets_fewer_words_and_no_half_ones() {
        let size = TerminalSize { columns: 120, rows: 40 };
        let soon = Duration::from_secs(3);
        let desk = names(Some("desk"));
        let looking = Names { typing: false, ..names(Some("desk")) };
        for (columns, greeting, down, other_size, watched) in [
            (
                50,
                "attached to api: Ctrl-] then d leaves it running",
                "link lost: trying again in 3 s; Ctrl-] d: leave",
                "api is 120x40; Ctrl-] then s fits it",
                "api is 120x40, set by phone",
            ),
            (24, "Ctrl-] then d leaves", "link lost, 3 s", "120x40; Ctrl-] s: fit", "120x40"),
            (20, "Ctrl-] d: leave", "link lost, 3 s", "120x40", "120x40"),
        ] {
            assert_eq!(desk.greeting(columns), greeting);
            assert_eq!(desk.down(soon, columns), down);
            assert_eq!(desk.other_size(size, Some("phone"), columns), other_size);
            assert_eq!(looking.other_size(size, Some("phone"), columns), watched);
        }
        assert_eq!(names(None).down(Duration::ZERO, 20), "no answer");
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
