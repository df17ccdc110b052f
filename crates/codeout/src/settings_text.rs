//! The text of `config.toml`: what can stand there, and what is wrong with it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use codeout_daemon::{HookSettings, NamedProgram, SessionSettings};
use codeout_protocol::address::Address;
use codeout_protocol::name::{Name, clean_text};
use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

use crate::detach_key::DetachKey;

/// The most bytes of a reason.
const MAX_REASON: usize = 256;

/// What the file says; empty where there is none.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    pub(crate) daemon: DaemonSettings,
    pub(crate) sessions: SessionSettings,
    pub(crate) detach_key: Option<DetachKey>,
}

/// As the options of the same names.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DaemonSettings {
    #[serde(default, deserialize_with = "port")]
    pub(crate) port: Option<u16>,
    pub(crate) bind: Option<IpAddr>,
    #[serde(default, deserialize_with = "advertise")]
    pub(crate) advertise: Option<String>,
    #[serde(default, deserialize_with = "whole_path")]
    pub(crate) tls_cert: Option<PathBuf>,
    #[serde(default, deserialize_with = "whole_path")]
    pub(crate) tls_key: Option<PathBuf>,
    #[serde(default, deserialize_with = "name")]
    pub(crate) name: Option<Name>,
    pub(crate) confirm: Option<bool>,
}

/// The settings, or the line that is wrong and why.
pub(crate) fn parse(text: &str) -> Result<Settings, (usize, String)> {
    let file: File = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start.min(text.len()));
        let line = 1 + text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count();
        // Parts of the file: they stay one line.
        (line, clean_text(&plain(error.message()), MAX_REASON))
    })?;
    let SessionsTable { history_lines, history_bytes, output_bytes, quiet_after } = file.sessions;
    let usual = SessionSettings::default();
    let sessions = SessionSettings {
        history_lines: history_lines.unwrap_or(usual.history_lines),
        history_bytes: history_bytes.unwrap_or(usual.history_bytes),
        output_bytes: output_bytes.unwrap_or(usual.output_bytes),
        quiet_after: quiet_after.unwrap_or(usual.quiet_after),
        programs: file.programs.0,
        hooks: file.hooks.into(),
    };
    Ok(Settings { daemon: file.daemon, sessions, detach_key: file.attach.detach_key })
}

/// A value of the wrong kind, in the words of the guide: the message speaks of Rust's types.
fn plain(message: &str) -> String {
    let kinds =
        message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "));
    let Some((found, wanted)) = kinds.and_then(|kinds| kinds.split_once(", expected ")) else {
        return message.to_owned();
    };
    if wanted == "i64" && found.starts_with("integer") {
        return "too large a number stands here".to_owned();
    }
    let found = match found.split_once(' ') {
        Some(("integer" | "boolean" | "string", value)) => value,
        Some(("floating", value)) => value.trim_start_matches("point "),
        _ if found == "sequence" => "a list",
        _ if found == "map" => "a table",
        _ => found,
    };
    let wanted = match wanted {
        "i64" => "a number",
        "a boolean" => "true or false",
        "a string" | "path string" => "a text in quotes",
        "IP address" => "an address such as \"127.0.0.1\"",
        "a map" => "a table",
        wanted if wanted.starts_with("struct ") => "a table",
        wanted => wanted,
    };
    format!("{found} stands here instead of {wanted}")
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    daemon: DaemonSettings,
    sessions: SessionsTable,
    attach: AttachTable,
    programs: Programs,
    hooks: HooksTable,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SessionsTable {
    #[serde(deserialize_with = "history_lines")]
    history_lines: Option<usize>,
    #[serde(deserialize_with = "history_bytes")]
    history_bytes: Option<usize>,
    #[serde(deserialize_with = "output_bytes")]
    output_bytes: Option<u64>,
    #[serde(deserialize_with = "quiet_after")]
    quiet_after: Option<Option<Duration>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AttachTable {
    #[serde(deserialize_with = "detach_key")]
    detach_key: Option<DetachKey>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct HooksTable {
    bell: Option<String>,
    notification: Option<String>,
    quiet: Option<String>,
    ended: Option<String>,
    title: Option<String>,
    opened: Option<String>,
    all: Option<String>,
}

impl From<HooksTable> for HookSettings {
    fn from(table: HooksTable) -> Self {
        let HooksTable { bell, notification, quiet, ended, title, opened, all } = table;
        let some = |hook: Option<String>| hook.filter(|hook| !hook.trim().is_empty());
        HookSettings {
            bell: some(bell),
            notification: some(notification),
            quiet: some(quiet),
            ended: some(ended),
            title: some(title),
            opened: some(opened),
            all: some(all),
        }
    }
}

/// A number within bounds.
fn within<'de, D, T>(from: D, least: u64, most: u64) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<u64>,
{
    let number = i64::deserialize(from)?;
    let fitting = u64::try_from(number).ok().filter(|number| (least..=most).contains(number));
    let fitting = fitting.and_then(|number| T::try_from(number).ok());
    fitting
        .map(Some)
        .ok_or_else(|| Error::custom(format!("a number from {least} to {most} stands here")))
}

fn port<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u16>, D::Error> {
    within(from, 0, u64::from(u16::MAX))
}

/// Made whole when the port is known; what is wrong with it is wrong here.
fn advertise<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(from)?;
    match Address::from_typed(&text) {
        Ok(_) => Ok(Some(text)),
        Err(error) => Err(Error::custom(error)),
    }
}

fn history_lines<'de, D: Deserializer<'de>>(from: D) -> Result<Option<usize>, D::Error> {
    within(from, 0, SessionSettings::MAX_HISTORY_LINES as u64)
}

fn history_bytes<'de, D: Deserializer<'de>>(from: D) -> Result<Option<usize>, D::Error> {
    within(from, 0, SessionSettings::MAX_HISTORY_BYTES as u64)
}

fn output_bytes<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    within(from, SessionSettings::MIN_OUTPUT_BYTES, SessionSettings::MAX_OUTPUT_BYTES)
}

fn name<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Name>, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map(Some).map_err(Error::custom)
}

/// What a path is relative to would depend on where the daemon is started.
fn whole_path<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
    let path = PathBuf::deserialize(from)?;
    let whole = path.is_absolute().then_some(path);
    whole.map(Some).ok_or_else(|| Error::custom("a file here is named by the whole path, from /"))
}

fn detach_key<'de, D: Deserializer<'de>>(from: D) -> Result<Option<DetachKey>, D::Error> {
    let text = String::deserialize(from)?;
    DetachKey::from_str(&text).map(Some).map_err(Error::custom)
}

/// A time, or `false` for never.
fn quiet_after<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<Duration>>, D::Error> {
    struct Time;

    impl Visitor<'_> for Time {
        type Value = Option<Duration>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a time such as \"15s\", or false")
        }

        fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
            match value {
                false => Ok(None),
                true => Err(E::custom("a time such as \"15s\" stands here, or false")),
            }
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            let time = humantime::parse_duration(text).ok();
            time.filter(|time| *time >= Duration::from_secs(1)).map(Some).ok_or_else(|| {
                E::custom("a time of a second or more stands here, such as \"15s\", or false")
            })
        }
    }

    from.deserialize_any(Time).map(Some)
}

#[derive(Debug, Default)]
struct Programs(Vec<NamedProgram>);

impl<'de> Deserialize<'de> for Programs {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let table = BTreeMap::<ProgramName, Words>::deserialize(from)?;
        let named =
            |(name, words): (ProgramName, Words)| NamedProgram { name: name.0, command: words.0 };
        Ok(Programs(table.into_iter().map(named).collect()))
    }
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ProgramName(String);

impl<'de> Deserialize<'de> for ProgramName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let is_good = Name::clean(&text).is_some_and(|name| name.as_str() == text)
            && !text.contains(['/', ' ']);
        match is_good {
            true => Ok(ProgramName(text)),
            false => Err(Error::custom("a program's name is one word, without a slash")),
        }
    }
}

/// A command: words, or a text that is split into them as a shell would.
#[derive(Debug)]
struct Words(Vec<String>);

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Command;

        impl<'de> Visitor<'de> for Command {
            type Value = Vec<String>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a command: \"make watch\" or [\"make\", \"watch\"]")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                shell_words::split(text)
                    .map_err(|_| E::custom("a quote in the command is not closed"))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut words = Vec::new();
                while let Some(word) = seq.next_element()? {
                    words.push(word);
                }
                Ok(words)
            }
        }

        let words = from.deserialize_any(Command)?;
        match words.first() {
            Some(program) if !program.is_empty() => Ok(Words(words)),
            _ => Err(Error::custom("the command is empty")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_can_stand_there_is_taken() {
        let settings = parse(
            r#"
            [daemon]
            port = 9000
            bind = "127.0.0.1"
            advertise = "https://desk.example.com"
            name = "desk"
            confirm = true
            tls_cert = "/etc/codeout/desk.crt"
            tls_key = "/etc/codeout/desk.key"
            [sessions]
            history_lines = 0
            history_bytes = 1048576
            output_bytes = 65536
            quiet_after = "1m 30s"
            [attach]
            detach_key = "ctrl-a"
            [programs]
            watch = "make 'watch all'"
            tests = ["cargo", "test"]
            [hooks]
            bell = "notify-send bell"
            ended = ""
            all = "echo >> log"
            "#,
        )
        .unwrap();
        let daemon = settings.daemon;
        assert_eq!((daemon.port, daemon.bind), (Some(9000), "127.0.0.1".parse().ok()));
        assert_eq!(daemon.name.unwrap().as_str(), "desk");
        assert_eq!(daemon.advertise.unwrap(), "https://desk.example.com");
        assert_eq!(daemon.confirm, Some(true));
        assert_eq!(daemon.tls_cert, Some("/etc/codeout/desk.crt".into()));
        assert_eq!(daemon.tls_key, Some("/etc/codeout/desk.key".into()));
        assert_eq!(settings.detach_key, "ctrl-a".parse().ok());
        let sessions = settings.sessions;
        assert_eq!((sessions.history_lines, sessions.history_bytes), (0, 1 << 20));
        assert_eq!(sessions.output_bytes, 65_536);
        assert_eq!(sessions.quiet_after, Some(Duration::from_secs(90)));
        let programs =
            sessions.programs.iter().map(|known| (&*known.name, known.command.join("|")));
        assert_eq!(
            programs.collect::<Vec<_>>(),
            [("tests", "cargo|test".to_owned()), ("watch", "make|watch all".to_owned())]
        );
        assert_eq!(sessions.hooks.bell.unwrap(), "notify-send bell");
        assert_eq!(sessions.hooks.all.unwrap(), "echo >> log");
        assert_eq!(sessions.hooks.ended, None);
    }

    #[test]
    fn what_is_left_out_is_as_usual() {
        let usual = SessionSettings::default();
        for text in ["", "[sessions]\n", "[sessions]\nhistory_lines = 10000\n"] {
            let sessions = parse(text).unwrap().sessions;
            assert_eq!(sessions.history_lines, usual.history_lines);
            assert_eq!(sessions.quiet_after, usual.quiet_after);
        }
        let never = parse("[sessions]\nquiet_after = false").unwrap();
        assert_eq!(never.sessions.quiet_after, None);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, line, says) in [
            ("[daemon]\nprot = 1", 2, "unknown field `prot`, expected one of `port`"),
            ("[demon]\nport = 1", 1, "expected one of `daemon`, `sessions`, `attach`"),
            ("[daemon]\n\nport = 70000", 3, "a number from 0 to 65535"),
            ("[daemon]\nport = \"80\"", 2, "\"80\" stands here instead of a number"),
            ("[daemon]\nport = 9999999999999999999", 2, "too large a number"),
            ("[daemon]\nport = 99999999999999999999", 2, "too large a number"),
            ("[daemon]\nport = []", 2, "a list stands here instead of a number"),
            ("[daemon]\nconfirm = 1.5", 2, "`1.5` stands here instead of true or false"),
            ("[daemon]\nname = {}", 2, "a table stands here instead of a text in quotes"),
            ("[daemon]\nbind = 5", 2, "`5` stands here instead of an address such as"),
            ("[daemon]\ntls_cert = true", 2, "`true` stands here instead of a text in quotes"),
            ("[daemon]\nadvertise = \"ftp://x\"", 2, "starts with http:// or https://"),
            ("\nsessions = 5", 2, "`5` stands here instead of a table"),
            ("programs = []", 1, "a list stands here instead of a table"),
            ("[daemon]\nbind = \"here\"", 2, "IP address"),
            ("[daemon]\ntls_key = \"desk.key\"", 2, "by the whole path"),
            ("[daemon]\nname = \" x\"", 2, "a name has 1 to 64 bytes"),
            ("[sessions]\nhistory_lines = -1", 2, "a number from 0 to 1000000"),
            ("[sessions]\noutput_bytes = 5", 2, "a number from 65536 to 268435456"),
            ("[sessions]\nquiet_after = \"soon\"", 2, "such as \"15s\""),
            ("[sessions]\nquiet_after = true", 2, "such as \"15s\""),
            ("[sessions]\nquiet_after = 15", 2, "such as \"15s\""),
            ("[attach]\ndetach_key = \"ctrl-m\"", 2, "choose another"),
            ("[programs]\nx = \"a 'b\"", 2, "not closed"),
            ("[programs]\nx = []", 2, "empty"),
            ("[programs]\nx = 1", 2, "a command"),
            ("[programs]\n\"a/b\" = \"c\"", 2, "one word"),
            ("[hooks]\nbel = \"x\"", 2, "unknown field `bel`, expected one of `bell`"),
            ("[daemon]\nport = 1\nport = 2", 3, "duplicate key"),
            ("[daemon\n", 1, ""),
        ] {
            let (at, reason) = parse(text).unwrap_err();
            assert!(reason.contains(says), "{text:?}: {reason:?}");
            assert_eq!(at, line, "{text:?}: {reason:?}");
        }
    }
}
