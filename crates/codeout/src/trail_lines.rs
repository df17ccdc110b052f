//! The audit trail as it is listed: a line for each happening, in plain words.

use std::time::{Duration, UNIX_EPOCH};

use codeout_daemon::OfferLimits;
use codeout_daemon::trail::{Entry, Happening, Refusal, Who};
use codeout_protocol::message::{ClosingReason, Limits};
use unicode_width::UnicodeWidthStr;

use crate::ui::{self, GREEN, RED, YELLOW};

/// The latest second that can be written as a date: the end of the year 9999.
const LAST_DATE: u64 = 253_402_300_799;

/// Lines in aligned columns, also when more come later.
#[derive(Debug)]
pub(crate) struct Columns {
    widths: [usize; 3],
}

impl Default for Columns {
    fn default() -> Self {
        Columns { widths: [20, 16, 12] }
    }
}

impl Columns {
    /// The lines that tell these.
    pub(crate) fn lines(&mut self, entries: &[Entry]) -> Vec<String> {
        let rows: Vec<_> = entries.iter().map(row).collect();
        for row in &rows {
            for (width, cell) in self.widths.iter_mut().zip([&row.when, row.what, &row.whom]) {
                *width = (*width).max(cell.width());
            }
        }
        rows.iter().map(|row| self.line(row)).collect()
    }

    fn line(&self, row: &Row) -> String {
        let Row { when, what, whom, how, style } = row;
        let gap = |column: usize, text: &str| {
            " ".repeat(self.widths[column].saturating_sub(text.width()) + 3)
        };
        let (first, second, third) = (gap(0, when), gap(1, what), gap(2, whom));
        let line = format!("{when}{first}{style}{what}{style:#}{second}{whom}{third}{how}");
        line.trim_end().to_owned()
    }
}

struct Row {
    when: String,
    what: &'static str,
    whom: String,
    how: String,
    style: anstyle::Style,
}

fn row(entry: &Entry) -> Row {
    let (what, whom, how) = words(&entry.happening);
    let style = match entry.happening {
        Happening::Paired { .. } => GREEN,
        Happening::Refused { .. } | Happening::Missed { .. } => YELLOW,
        Happening::Revoked { .. } => RED,
        _ => anstyle::Style::new(),
    };
    Row { when: date(entry.at), what, whom, how, style }
}

/// `2026-11-24 16:02:11Z`: the same everywhere, whatever zone a machine is in.
fn date(at: u64) -> String {
    let time = UNIX_EPOCH + Duration::from_secs(at.min(LAST_DATE));
    humantime::format_rfc3339_seconds(time).to_string().replace('T', " ")
}

/// What happened, to whom, and what else is to be said.
type Words = (&'static str, String, String);

fn words(happening: &Happening) -> Words {
    match happening {
        Happening::DaemonStarted { version, lost } => {
            let lost = match lost {
                0 => String::new(),
                1 => ", a session was lost".to_owned(),
                lost => format!(", {lost} sessions were lost"),
            };
            ("daemon started", String::new(), format!("version {}{lost}", ui::clean(version)))
        }
        Happening::DaemonRestarted { version } => {
            ("daemon restarted", String::new(), format!("version {}", ui::clean(version)))
        }
        Happening::DaemonStopped {} => ("daemon stopped", String::new(), String::new()),
        Happening::Missed { happenings } => {
            let why = "too much happened at once, or the disk was full";
            ("not written", String::new(), format!("{happenings} lines: {why}"))
        }
        Happening::Refused { reason, source, times, since } => {
            let source = source.map_or_else(|| "many others".to_owned(), |it| it.to_string());
            let repeated = (*times > 1).then(|| format!("{times} times since {}", date(*since)));
            ("refused", source, joined([Some(refusal(*reason).to_owned()), repeated, None]))
        }
        Happening::SessionOpened { .. }
        | Happening::SessionRenamed { .. }
        | Happening::SessionEndAsked { .. }
        | Happening::SessionEnded { .. } => session_words(happening),
        other => device_words(other),
    }
}

fn device_words(happening: &Happening) -> Words {
    match happening {
        Happening::OfferOpened { by: who, watch_only, for_seconds } => {
            let limits = OfferLimits { watch_only: *watch_only, for_seconds: *for_seconds };
            let limits = ui::offer_limits(limits);
            ("code shown", String::new(), joined([Some(by(who)), limits, None]))
        }
        Happening::Paired { device, source, limits: Limits { watch_only, expires_at } } => {
            let until = expires_at.map(|at| format!("until {}", date(at)));
            let from = Some(format!("from {source}"));
            ("paired", name(device), joined([from, watching(*watch_only), until]))
        }
        Happening::Unfinished { device } => {
            ("unpaired", name(device), "it never finished its pairing".to_owned())
        }
        Happening::Connected { device, source } => {
            ("connected", name(device), format!("from {source}"))
        }
        Happening::Disconnected { device, reason } => {
            ("disconnected", name(device), closing(*reason).to_owned())
        }
        Happening::Expired { device } => ("time over", name(device), String::new()),
        Happening::Renamed { device, before, by: who } => {
            ("renamed", name(device), was(before, who))
        }
        Happening::Revoked { device, by: who } => ("revoked", name(device), by(who)),
        _ => ("?", String::new(), "written by another version of codeout".to_owned()),
    }
}

fn session_words(happening: &Happening) -> Words {
    match happening {
        Happening::SessionOpened { name, program, directory, by: who, .. } => {
            let (program, directory) = (ui::clean(program), ui::clean(directory));
            ("session opened", ui::clean(name), format!("{program} in {directory}, {}", by(who)))
        }
        Happening::SessionRenamed { name, before, by: who, .. } => {
            ("session renamed", ui::clean(name), was(before, who))
        }
        Happening::SessionEndAsked { name, by: who, .. } => {
            ("session to end", ui::clean(name), by(who))
        }
        Happening::SessionEnded { name, status, .. } => {
            ("session ended", ui::clean(name), ui::ending(*status))
        }
        other => device_words(other),
    }
}

fn name(who: &Who) -> String {
    ui::clean(&who.name)
}

fn by(who: &Who) -> String {
    format!("by {}", name(who))
}

fn was(before: &str, who: &Who) -> String {
    format!("was {}, {}", ui::clean(before), by(who))
}

fn watching(watch_only: bool) -> Option<String> {
    watch_only.then(|| "watch only".to_owned())
}

fn joined(parts: [Option<String>; 3]) -> String {
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn refusal(reason: Refusal) -> &'static str {
    match reason {
        Refusal::WrongCode => "wrong pairing code",
        Refusal::Used => "the pairing code was already used",
        Refusal::Expired => "the pairing code had expired",
        Refusal::Declined => "declined at this computer",
        Refusal::NoOffer => "no pairing code was open",
        Refusal::NotPaired => "not paired",
        Refusal::TooMany => "too many attempts",
        Refusal::Malformed => "it did not speak as a device of this daemon does",
        Refusal::NotStored => "the device list could not be written",
        _ => "?",
    }
}

fn closing(reason: Option<ClosingReason>) -> &'static str {
    match reason {
        None => "the link broke",
        Some(ClosingReason::Goodbye) => "it left",
        Some(ClosingReason::Revoked) => "revoked",
        Some(ClosingReason::Expired) => "its time was over",
        Some(ClosingReason::Stopping) => "the daemon stopped",
        Some(ClosingReason::Restarting) => "the daemon restarted",
        Some(ClosingReason::Protocol) => "it broke the protocol",
        Some(_) => "?",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use codeout_protocol::message::ExitStatus;

    fn who(name: &str) -> Who {
        Who { id: "k3f9a2c1".to_owned(), name: name.to_owned() }
    }

    fn lines(happenings: Vec<Happening>) -> Vec<String> {
        let entry = |(number, happening)| Entry {
            number: number as u64,
            at: 1_000_000_000 + number as u64,
            happening,
        };
        let entries: Vec<_> = happenings.into_iter().enumerate().map(entry).collect();
        let lines = Columns::default().lines(&entries);
        lines.iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect()
    }

    #[test]
    fn a_line_says_when_what_and_who() {
        let source = "192.0.2.7".parse().unwrap();
        let limits = Limits { watch_only: true, expires_at: Some(1_000_007_200) };
        let told = lines(vec![
            Happening::DaemonStarted { version: "0.1.0".to_owned(), lost: 2 },
            Happening::Refused {
                reason: Refusal::WrongCode,
                source: Some(source),
                times: 57,
                since: 1_000_000_000,
            },
            Happening::Paired { device: who("phone"), source, limits },
            Happening::Disconnected { device: who("phone"), reason: None },
            Happening::Revoked { device: who("phone"), by: who("laptop") },
            Happening::SessionEnded {
                session: 1,
                name: "a much longer name".to_owned(),
                status: ExitStatus::Signal(9),
            },
        ]);
        assert_eq!(
            told,
            [
                "2001-09-09 01:46:40Z   daemon started                          version 0.1.0, 2 sessions were lost",
                "2001-09-09 01:46:41Z   refused            192.0.2.7            wrong pairing code, 57 times since 2001-09-09 01:46:40Z",
                "2001-09-09 01:46:42Z   paired             phone                from 192.0.2.7, watch only, until 2001-09-09 03:46:40Z",
                "2001-09-09 01:46:43Z   disconnected       phone                the link broke",
                "2001-09-09 01:46:44Z   revoked            phone                by laptop",
                "2001-09-09 01:46:45Z   session ended      a much longer name   by signal 9",
            ]
        );
    }

    #[test]
    fn no_name_acts_on_the_terminal() {
        let hostile = "a\x1b[2J\n\u{202e}b\u{9b}31m";
        let text = || hostile.to_owned();
        let by = || who(hostile);
        let told = lines(vec![
            Happening::Renamed { device: by(), before: text(), by: by() },
            Happening::SessionOpened {
                session: 1,
                name: text(),
                program: text(),
                directory: text(),
                by: by(),
            },
            Happening::SessionRenamed { session: 1, name: text(), before: text(), by: by() },
            Happening::SessionEndAsked { session: 1, name: text(), by: by() },
            Happening::DaemonStarted { version: text(), lost: 0 },
        ]);
        for line in &told {
            assert!(!line.chars().any(|c| c.is_control() || c == '\u{202e}'), "{line:?}");
        }
        assert_eq!(told.len(), 5);
    }

    #[test]
    fn a_clock_that_is_wrong_is_no_reason_to_fail() {
        assert_eq!(date(u64::MAX), "9999-12-31 23:59:59Z");
        assert_eq!(date(0), "1970-01-01 00:00:00Z");
    }
}
