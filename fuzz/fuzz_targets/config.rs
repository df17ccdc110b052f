//! `config.toml`: what is taken is within its bounds; what is refused names a line that is there,
//! and says why in words that a terminal can show.

#![no_main]

// The program has no library: these are two of its files.
#[allow(dead_code, reason = "what the program does with them is not here")]
#[path = "../../crates/codeout/src/detach_key.rs"]
mod detach_key;
#[allow(dead_code, reason = "what the program does with them is not here")]
#[path = "../../crates/codeout/src/settings_text.rs"]
mod settings_text;

use std::time::Duration;

use codeout_daemon::{HookSettings, SessionSettings};
use codeout_protocol::name::Name;
use libfuzzer_sys::fuzz_target;

use detach_key::DetachKey;
use settings_text::{DaemonSettings, Settings};

fuzz_target!(|text: &str| match settings_text::parse(text) {
    Ok(settings) => {
        check_daemon(&settings.daemon);
        check_sessions(&settings.sessions);
        check_detach_key(settings.detach_key);
        check_ignored(text, &settings);
    }
    Err((line, reason)) => {
        assert!((1..=text.split('\n').count()).contains(&line), "line {line}: {reason}");
        assert!(!reason.is_empty() && reason.len() <= 256);
        assert!(!reason.contains(char::is_control), "{reason:?}");
    }
});

fn check_daemon(daemon: &DaemonSettings) {
    let paths = [&daemon.tls_cert, &daemon.tls_key];
    assert!(paths.into_iter().flatten().all(|path| path.is_absolute()));
    if let Some(name) = &daemon.name {
        assert_eq!(Name::clean(name.as_str()).as_ref(), Some(name));
    }
}

fn check_sessions(sessions: &SessionSettings) {
    assert!(sessions.history_lines <= SessionSettings::MAX_HISTORY_LINES);
    assert!(sessions.history_bytes <= SessionSettings::MAX_HISTORY_BYTES);
    let output = SessionSettings::MIN_OUTPUT_BYTES..=SessionSettings::MAX_OUTPUT_BYTES;
    assert!(output.contains(&sessions.output_bytes));
    assert!(sessions.quiet_after.is_none_or(|time| time >= Duration::from_secs(1)));
    for program in &sessions.programs {
        assert!(!program.name.contains(['/', ' ']));
        assert_eq!(
            Name::clean(&program.name).map(|name| name.to_string()).as_ref(),
            Some(&program.name)
        );
        assert!(program.command.first().is_some_and(|program| !program.is_empty()));
    }
    let HookSettings { opened, bell, notification, quiet, title, ended, all } = &sessions.hooks;
    let hooks = [opened, bell, notification, quiet, title, ended, all];
    assert!(hooks.into_iter().flatten().all(|hook| !hook.trim().is_empty()));
}

/// As it is shown, it is the same key; and it is one that a terminal sends for Ctrl.
fn check_detach_key(key: Option<DetachKey>) {
    if let Some(key) = key {
        assert_eq!(key.to_string().parse(), Ok(key));
        assert!(key.byte() < 0x20);
    }
}

/// A comment in front changes nothing but the numbers of lines; a mark of the byte order can only
/// stand at the beginning.
fn check_ignored(text: &str, settings: &Settings) {
    let text = text.trim_start_matches('\u{feff}');
    let again = settings_text::parse(&format!("# x\n{text}\n# y")).expect("it was taken before");
    assert_eq!(format!("{again:?}"), format!("{settings:?}"));
}
