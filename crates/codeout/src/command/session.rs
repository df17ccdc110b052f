//! `codeout end`, `rename`, `dismiss` and `programs`, and how a session is named.

use std::time::Duration;

use codeout_protocol::message::{
    Answer, Event, ExitStatus, ProgramEntry, Request, SessionEntry, SessionId,
};
use serde::Serialize;

use crate::cli::{ProgramsArgs, RenameArgs, SessionArgs};
use crate::command::device_words;
use crate::command::target::Target;
use crate::failure::{Code, Failure};
use crate::home::Home;
use crate::ui;

/// How long a session that is told to end may take: five seconds until it is killed, and a little.
const END_TIME: Duration = Duration::from_secs(7);

/// `codeout end SESSION`: tells a session to end, and waits until it has.
pub(crate) async fn end(args: SessionArgs, home: &Home) -> Result<(), Failure> {
    let target = Target::find(home, args.on.as_deref(), false).await?;
    let entry = select(&target.sessions().await?, &args.session, target.on.as_deref())?;
    if entry.ended.is_some() {
        return Err(has_ended(&entry, target.on.as_deref()));
    }
    target.ask(Request::End { session: entry.session }).await?;
    let ended = tokio::time::timeout(END_TIME, ending(&target, entry.session)).await;
    target.connection.close().await;
    match ended {
        Ok(status) => {
            let how = status?.map_or_else(String::new, |status| format!(" {}", ui::ending(status)));
            ui::say(format!("{} has ended{how}", entry.name));
            Ok(())
        }
        Err(_) => Err(Failure::new(Code::Other, format!("{} has not ended yet", entry.name))
            .hint("something keeps its program from ending: try again in a while")),
    }
}

/// Waits until a session has ended. Says how; `None` when it is not known, because somebody who
/// watched has dismissed it.
async fn ending(target: &Target, session: SessionId) -> Result<Option<ExitStatus>, Failure> {
    loop {
        // It may have ended before this connection heard of it, and events may have been missed.
        let listed = target.sessions().await?;
        match listed.into_iter().find(|entry| entry.session == session) {
            Some(entry) => {
                if let Some(ended) = entry.ended {
                    return Ok(Some(ended.status));
                }
            }
            None => return Ok(None),
        }
        loop {
            match target.connection.next_event().await {
                Some(Event::SessionEnded { session: ended, status }) if ended == session => {
                    return Ok(Some(status));
                }
                Some(Event::SessionDismissed { session: ended }) if ended == session => break,
                Some(Event::SessionChanged { session: entry }) if entry.session == session => {
                    if let Some(ended) = entry.ended {
                        return Ok(Some(ended.status));
                    }
                }
                Some(_) => {}
                None => {
                    let closed = target.connection.closed().await;
                    return Err(device_words::closed(closed, target.daemon.name()));
                }
            }
        }
    }
}

/// `codeout rename SESSION NAME`
pub(crate) async fn rename(args: RenameArgs, home: &Home) -> Result<(), Failure> {
    let target = Target::find(home, args.on.as_deref(), false).await?;
    let entry = select(&target.sessions().await?, &args.session, target.on.as_deref())?;
    let request = Request::RenameSession { session: entry.session, name: args.name.to_string() };
    let Answer::Renamed { name } = target.ask(request).await? else {
        return Err(device_words::odd_answer());
    };
    ui::say(format!("renamed. {} is now called {name}.", entry.name));
    target.connection.close().await;
    Ok(())
}

/// `codeout dismiss SESSION`
pub(crate) async fn dismiss(args: SessionArgs, home: &Home) -> Result<(), Failure> {
    let target = Target::find(home, args.on.as_deref(), false).await?;
    let entry = select(&target.sessions().await?, &args.session, target.on.as_deref())?;
    if entry.ended.is_none() {
        let text = format!("{} runs: only a session that has ended can be dismissed", entry.name);
        let end = ui::suggested("end", target.on.as_deref(), Some(&entry.name));
        return Err(Failure::new(Code::Other, text).hint(format!("{end} ends it")));
    }
    target.ask(Request::Dismiss { session: entry.session }).await?;
    ui::say(format!("dismissed. {} is off the list.", entry.name));
    target.connection.close().await;
    Ok(())
}

/// What `--json` prints of a program.
#[derive(Serialize)]
struct ProgramJson<'a> {
    name: &'a str,
    command: Vec<String>,
}

impl<'a> ProgramJson<'a> {
    fn of(known: &'a ProgramEntry) -> Self {
        let ProgramEntry { name, command } = known;
        // What no shell could read is divided at its spaces.
        let words = shell_words::split(command);
        let by_spaces = |_| command.split_whitespace().map(str::to_owned).collect();
        ProgramJson { name, command: words.unwrap_or_else(by_spaces) }
    }
}

/// `codeout programs`
pub(crate) async fn programs(args: ProgramsArgs, home: &Home) -> Result<(), Failure> {
    let target = Target::find(home, args.on.as_deref(), false).await?;
    let Answer::Programs { programs } = target.ask(Request::Programs).await? else {
        return Err(device_words::odd_answer());
    };
    if args.json {
        ui::say_json(&programs.iter().map(ProgramJson::of).collect::<Vec<_>>());
    } else {
        let rows = programs.iter().map(|known| vec![known.name.clone(), known.command.clone()]);
        for line in ui::table(&rows.collect::<Vec<_>>()) {
            ui::say(line);
        }
    }
    target.connection.close().await;
    Ok(())
}

/// The session to attach to: the one that is named, else the only one that runs.
pub(crate) async fn to_attach(
    target: &Target,
    wanted: Option<&str>,
) -> Result<SessionEntry, Failure> {
    let on = target.on.as_deref();
    let sessions = target.sessions().await?;
    let Some(wanted) = wanted else { return only_running(sessions, on) };
    let entry = select(&sessions, wanted, on)?;
    if entry.ended.is_some() {
        return Err(has_ended(&entry, on));
    }
    Ok(entry)
}

fn only_running(
    mut sessions: Vec<SessionEntry>,
    on: Option<&str>,
) -> Result<SessionEntry, Failure> {
    sessions.retain(|entry| entry.ended.is_none());
    if sessions.len() > 1 {
        let first = ui::suggested("attach", on, Some(&sessions[0].name));
        let text = format!("several sessions run: {}", names(&sessions));
        return Err(Failure::new(Code::NoSession, text).hint(format!("name one: {first}")));
    }
    sessions.pop().ok_or_else(|| {
        let open = ui::suggested("open", on, None);
        Failure::new(Code::NoSession, "no session runs").hint(format!("{open} opens one"))
    })
}

fn has_ended(entry: &SessionEntry, on: Option<&str>) -> Failure {
    let how = entry.ended.map_or_else(String::new, |ended| ui::ending(ended.status));
    let text = format!("{} has ended {how}", entry.name);
    let dismiss = ui::suggested("dismiss", on, Some(&entry.name));
    Failure::new(Code::NoSession, text).hint(format!("{dismiss} takes it off the list"))
}

/// The session with this name, or else this number.
fn select(
    sessions: &[SessionEntry],
    wanted: &str,
    on: Option<&str>,
) -> Result<SessionEntry, Failure> {
    let by_name = sessions.iter().find(|entry| entry.name == wanted);
    let like = || {
        let wanted = wanted.to_lowercase();
        let mut alike = sessions.iter().filter(|entry| entry.name.to_lowercase() == wanted);
        alike.next().filter(|_| alike.next().is_none())
    };
    let number = wanted.parse::<SessionId>().ok();
    let by_number = || sessions.iter().find(|entry| Some(entry.session) == number);
    by_name.or_else(like).or_else(by_number).cloned().ok_or_else(|| {
        let text = format!("no session is called {}", ui::clean(wanted));
        let hint = match sessions {
            [] => format!("there is none: {} opens one", ui::suggested("open", on, None)),
            sessions => format!("sessions: {}", names(sessions)),
        };
        Failure::new(Code::NoSession, text).hint(hint)
    })
}

/// Their names, as many as a line holds.
fn names(sessions: &[SessionEntry]) -> String {
    const MOST: usize = 12;
    let mut names: Vec<_> = sessions.iter().take(MOST).map(|entry| entry.name.clone()).collect();
    if sessions.len() > MOST {
        names.push(format!("and {} more", sessions.len() - MOST));
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session_lines::tests::entry;
    use codeout_protocol::message::Ended;

    fn sessions() -> Vec<SessionEntry> {
        let entries = ["api", "Web", "7", "web"].into_iter().zip(7..);
        entries.map(|(name, session)| SessionEntry { session, ..entry(name) }).collect()
    }

    #[test]
    fn a_session_is_meant_by_its_name_and_else_by_its_number() {
        let all = sessions();
        let selected = |wanted: &str| select(&all, wanted, None).map(|entry| entry.session);
        for (wanted, session) in [("api", 7), ("API", 7), ("Web", 8), ("web", 10), ("7", 9)] {
            assert_eq!(selected(wanted), Ok(session), "{wanted}");
        }
        assert_eq!(selected("8"), Ok(8));
        let failure = selected("WEB").unwrap_err();
        assert_eq!(failure.error, "no session is called WEB");
        assert_eq!(failure.hint.unwrap(), "sessions: api, Web, 7, web");
        let nothing = select(&[], "x\x1b[2J", Some("desk")).unwrap_err();
        assert!(nothing.error.ends_with("called x[2J"));
        let hint = nothing.hint.unwrap();
        assert_eq!(hint, "there is none: `codeout open --on desk` opens one");
    }

    #[test]
    fn without_a_name_the_only_one_that_runs_is_meant() {
        let mut all = sessions();
        assert_eq!(
            only_running(all.clone(), None).unwrap_err().error,
            "several sessions run: api, Web, 7, web"
        );
        for entry in &mut all[1..] {
            entry.ended = Some(Ended { at: 1, status: ExitStatus::Exit(0) });
        }
        assert_eq!(only_running(all, None).unwrap().name, "api");
        assert_eq!(only_running(vec![], None).unwrap_err().code, Code::NoSession);
    }

    #[test]
    fn a_long_list_is_cut() {
        let many: Vec<_> = (0..20).map(|number| entry(&format!("s{number}"))).collect();
        assert!(names(&many).ends_with("s11, and 8 more"));
    }
}
