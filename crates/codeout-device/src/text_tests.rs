use codeout_protocol::message::{AttentionReason, ErrorCode, ExitStatus, TerminalSize};

use super::*;

/// Clears a terminal, turns the line around, and is long.
fn nasty() -> String {
    format!("\x1b[2J\u{202e}{}", "é\x07".repeat(2000))
}

fn nasty_entry() -> SessionEntry {
    SessionEntry {
        session: 3,
        name: nasty(),
        program: nasty(),
        directory: nasty(),
        columns: 80,
        rows: 24,
        size_by: Some(nasty()),
        opened_at: 1,
        last_output_at: None,
        title: Some(nasty()),
        last_line: Some(nasty()),
        watching: 1,
        watchers: vec![nasty(); 1000],
        attention: Some(nasty_attention()),
        ended: None,
    }
}

fn nasty_attention() -> Attention {
    let reason = AttentionReason::Notification;
    Attention { at: 1, reason, title: Some(nasty()), text: Some(nasty()) }
}

fn is_clean(text: &str, most: usize) {
    assert!(!text.is_empty() && text.len() <= most, "{} bytes", text.len());
    assert!(!text.chars().any(|c| c.is_control() || c == '\u{202e}'), "{text:?}");
}

fn entry_is_clean(entry: &SessionEntry) {
    let SessionEntry { name, program, directory, size_by, title, last_line, .. } = entry;
    is_clean(name, SHORT);
    is_clean(program, MAX_TEXT);
    is_clean(directory, PATH);
    is_clean(size_by.as_deref().unwrap(), SHORT);
    is_clean(title.as_deref().unwrap(), LINE);
    is_clean(last_line.as_deref().unwrap(), LINE);
    assert_eq!(entry.watchers.len(), MAX_WATCHERS);
    entry.watchers.iter().for_each(|watcher| is_clean(watcher, SHORT));
    attention_is_clean(entry.attention.as_ref().unwrap());
}

fn attention_is_clean(attention: &Attention) {
    is_clean(attention.title.as_deref().unwrap(), LINE);
    is_clean(attention.text.as_deref().unwrap(), MAX_NOTIFICATION);
}

fn answer(answer: Answer) -> Answer {
    clean_outcome(Outcome::Ok(answer)).unwrap()
}

#[test]
fn answers_are_clean() {
    let sessions = vec![nasty_entry(); 2];
    let Answer::Sessions { sessions, more: true } =
        answer(Answer::Sessions { sessions, more: true })
    else {
        panic!()
    };
    sessions.iter().for_each(entry_is_clean);
    let Answer::Opened { opened } = answer(Answer::Opened { opened: nasty_entry() }) else {
        panic!()
    };
    entry_is_clean(&opened);
    let attached = Box::new(Attached { attached: nasty_entry(), resumed: true, input: 7 });
    let Answer::Attached(attached) = answer(Answer::Attached(attached)) else { panic!() };
    entry_is_clean(&attached.attached);
    assert_eq!((attached.resumed, attached.input), (true, 7));
    let programs = vec![ProgramEntry { name: nasty(), command: nasty() }];
    let Answer::Programs { programs } = answer(Answer::Programs { programs }) else { panic!() };
    is_clean(&programs[0].name, SHORT);
    is_clean(&programs[0].command, MAX_TEXT);
}

#[test]
fn errors_are_clean() {
    let error = RequestError { code: ErrorCode::Failed, message: nasty() };
    is_clean(&clean_outcome(Outcome::Error(error)).unwrap_err().message, MAX_TEXT);
}

#[test]
fn events_are_clean() {
    for event in [
        Event::SessionOpened { session: nasty_entry() },
        Event::SessionChanged { session: nasty_entry() },
    ] {
        let (Event::SessionOpened { session } | Event::SessionChanged { session }) =
            clean_event(event)
        else {
            panic!()
        };
        entry_is_clean(&session);
    }
    let attention = nasty_attention();
    let event = Event::SessionAttention { session: 3, name: nasty(), attention };
    let Event::SessionAttention { name, attention, .. } = clean_event(event) else { panic!() };
    is_clean(&name, SHORT);
    attention_is_clean(&attention);
    let size = TerminalSize { columns: 80, rows: 24 };
    let event = Event::Snapshot { session: 3, size, size_by: Some(nasty()), history: true };
    let Event::Snapshot { size_by, .. } = clean_event(event) else { panic!() };
    is_clean(&size_by.unwrap(), SHORT);
    let ended = Event::SessionEnded { session: 3, status: ExitStatus::Exit(1) };
    assert_eq!(clean_event(ended.clone()), ended);
}

#[test]
fn lines_of_which_nothing_is_left_are_none() {
    let title = Some("\x1b\x07 ".to_owned());
    assert_eq!(clean_session(SessionEntry { title, ..nasty_entry() }).title, None);
}
