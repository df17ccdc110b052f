//! Sessions as they are listed: a line for each, and more on request.

use codeout_protocol::message::{Attention, AttentionReason, ExitStatus, SessionEntry};

use crate::ui::{self, BOLD, DIM, YELLOW};

/// The characters that are shown of a command in a line of many.
const MOST_PROGRAM: usize = 40;

/// `api: claude, running 2h, last output 3s ago, 2 watching`; `now` in seconds since 1970.
pub(crate) fn line(entry: &SessionEntry, now: u64) -> String {
    let ago = |at: u64| format!("{} ago", ui::age(now.saturating_sub(at)));
    let mut parts = vec![shortened(&entry.program)];
    match (entry.ended, &entry.attention) {
        (Some(ended), _) => {
            let how = format!("ended {}", ui::ending(ended.status));
            let is_well = ended.status == ExitStatus::Exit(0);
            parts.push(if is_well { how } else { format!("{YELLOW}{how}{YELLOW:#}") });
            parts.push(ago(ended.at));
        }
        (None, attention) => {
            parts.push(format!("running {}", ui::age(now.saturating_sub(entry.opened_at))));
            parts.push(match (attention, entry.last_output_at) {
                (Some(attention), at) => {
                    format!("{YELLOW}{}{YELLOW:#}", wish(attention, at, now))
                }
                (None, Some(at)) => format!("last output {}", ago(at)),
                (None, None) => "no output yet".to_owned(),
            });
        }
    }
    if entry.watching > 0 {
        parts.push(format!("{} watching", entry.watching));
    }
    format!("{BOLD}{}{BOLD:#}: {}", entry.name, parts.join(", "))
}

/// A command that is not longer than a part of a line may be.
fn shortened(program: &str) -> String {
    match program.char_indices().nth(MOST_PROGRAM) {
        Some((end, _)) => format!("{}…", &program[..end]),
        None => program.to_owned(),
    }
}

/// Why a session wants somebody to look.
fn wish(attention: &Attention, last_output_at: Option<u64>, now: u64) -> String {
    let age = |at: u64| ui::age(now.saturating_sub(at));
    match attention.reason {
        AttentionReason::Quiet => {
            format!("quiet for {}", age(last_output_at.unwrap_or(attention.at)))
        }
        AttentionReason::Bell => format!("bell {} ago", age(attention.at)),
        AttentionReason::Notification => {
            let said = [attention.title.as_deref(), attention.text.as_deref()];
            let said: Vec<_> = said.into_iter().flatten().collect();
            let said =
                if said.is_empty() { String::new() } else { format!(": {}", said.join(": ")) };
            format!("notification {} ago{said}", age(attention.at))
        }
        _ => format!("wants attention since {}", age(attention.at)),
    }
}

/// What else there is to know.
pub(crate) fn details(entry: &SessionEntry) -> Vec<String> {
    let size_by = entry.size_by.as_ref().map_or_else(String::new, |by| format!(", set by {by}"));
    let mut rows = vec![
        ("number", entry.session.to_string()),
        ("program", entry.program.clone()),
        ("directory", entry.directory.clone()),
        ("size", format!("{}x{}{size_by}", entry.columns, entry.rows)),
    ];
    rows.extend(entry.title.clone().map(|title| ("title", title)));
    rows.extend(entry.last_line.clone().map(|line| ("last line", line)));
    if !entry.watchers.is_empty() {
        rows.push(("watched by", entry.watchers.join(", ")));
    }
    let line = |(label, text)| format!("  {DIM}{label:<12}{DIM:#}{text}");
    rows.into_iter().map(line).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use codeout_protocol::message::Ended;

    const NOW: u64 = 1_000_000;

    /// A session that has run for two hours.
    pub(crate) fn entry(name: &str) -> SessionEntry {
        SessionEntry {
            session: 3,
            name: name.to_owned(),
            program: "claude".to_owned(),
            directory: "/srv/api".to_owned(),
            columns: 120,
            rows: 40,
            size_by: Some("phone".to_owned()),
            opened_at: NOW - 7_200,
            last_output_at: Some(NOW - 3),
            title: Some("fixing tests".to_owned()),
            last_line: Some("> allow? y/n".to_owned()),
            watching: 2,
            watchers: vec!["phone".to_owned(), "laptop".to_owned()],
            attention: None,
            ended: None,
        }
    }

    fn plain(line: &str) -> String {
        anstream::adapter::strip_str(line).to_string()
    }

    #[test]
    fn the_line_is_the_one_on_the_page() {
        let api = entry("api");
        assert_eq!(
            plain(&line(&api, NOW)),
            "api: claude, running 2h, last output 3s ago, 2 watching"
        );
        let new = SessionEntry { last_output_at: None, watching: 0, opened_at: NOW, ..api };
        assert_eq!(plain(&line(&new, NOW)), "api: claude, running 0s, no output yet");
    }

    #[test]
    fn what_wants_attention_is_told_instead_of_the_output() {
        let told = |reason, text: Option<&str>| {
            let attention = Attention {
                at: NOW - 5,
                reason,
                title: text.map(|_| "claude".to_owned()),
                text: text.map(str::to_owned),
            };
            let entry = SessionEntry { attention: Some(attention), watching: 0, ..entry("api") };
            plain(&line(&entry, NOW)).replace("api: claude, running 2h, ", "")
        };
        assert_eq!(told(AttentionReason::Bell, None), "bell 5s ago");
        assert_eq!(told(AttentionReason::Quiet, None), "quiet for 3s");
        assert_eq!(
            told(AttentionReason::Notification, Some("may I?")),
            "notification 5s ago: claude: may I?"
        );
        assert_eq!(told(AttentionReason::Unknown, None), "wants attention since 5s");
    }

    #[test]
    fn how_it_ended_is_told() {
        for (status, told) in [
            (ExitStatus::Exit(1), "api: claude, ended with status 1, 5m ago"),
            (ExitStatus::Signal(9), "api: claude, ended by signal 9, 5m ago"),
        ] {
            let ended = Some(Ended { at: NOW - 300, status });
            let entry = SessionEntry { ended, watching: 0, ..entry("api") };
            assert_eq!(plain(&line(&entry, NOW)), told);
        }
    }

    #[test]
    fn details_are_a_line_each() {
        let lines: Vec<_> = details(&entry("api")).iter().map(|line| plain(line)).collect();
        assert_eq!(
            lines,
            [
                "  number      3",
                "  program     claude",
                "  directory   /srv/api",
                "  size        120x40, set by phone",
                "  title       fixing tests",
                "  last line   > allow? y/n",
                "  watched by  phone, laptop",
            ]
        );
    }
}
