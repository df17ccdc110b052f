//! `codeout log`: the audit trail of this machine's daemon.

use std::time::Duration;

use codeout_daemon::control::ClientError;
use codeout_daemon::trail::{Entry, Happening, Query};
use serde::Serialize;

use crate::cli::LogArgs;
use crate::command::local::{Local, Trail};
use crate::command::words;
use crate::failure::Failure;
use crate::home::Home;
use crate::trail_lines::Columns;
use crate::ui;

/// Lines that are shown when nobody says how many.
const USUAL: usize = 50;
/// How often, and how long apart, a daemon that restarts is looked for.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);

pub(crate) async fn run(args: LogArgs, home: &Home) -> Result<(), Failure> {
    let since = args.since.map(|ago| ui::now().saturating_sub(ago.as_secs()));
    let last = args.lines.or(since.is_none().then_some(USUAL));
    let query = Query { last, since, behind: None, device: args.device.clone() };
    let mut printer = Printer { columns: Columns::default(), json: args.json, behind: None };
    let began = ui::now();
    let local = Local::find(home).await?.ok_or_else(words::does_not_run)?;
    if args.follow && matches!(local, Local::Stopped(_)) {
        return Err(words::does_not_run());
    }
    let first = follow(local, query.clone(), args.follow, &mut printer).await?;
    let Some(mut gone) = first else { return Ok(()) };
    // It stops, or another process goes on with it.
    for _ in 0..TRIES {
        let query = rest(&query, printer.behind, began);
        match Local::find(home).await {
            Ok(Some(Local::Stopped(stopped))) => {
                let rest = stopped.trail(&query).map_err(words::control_error)?;
                printer.print(rest);
                ui::note("the daemon does not run any more");
                return Ok(());
            }
            Ok(Some(local)) => match follow(local, query.clone(), true, &mut printer).await? {
                None => return Ok(()),
                Some(again) => gone = again,
            },
            _ => {}
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(words::client_error(gone))
}

/// What is asked for when the daemon is back: what stands behind the last line that was printed. Where
/// none was, the same as before; or what happened since `began`, when nothing older was wanted.
fn rest(query: &Query, printed: Option<u64>, began: u64) -> Query {
    match (printed, query.last) {
        (Some(_), _) => Query { last: None, behind: printed, ..query.clone() },
        (None, Some(0)) => Query { last: None, since: Some(began), ..query.clone() },
        (None, _) => query.clone(),
    }
}

/// Prints what comes. What it returns tells that the daemon went away.
async fn follow(
    local: Local,
    query: Query,
    follow: bool,
    printer: &mut Printer,
) -> Result<Option<ClientError>, Failure> {
    let mut trail = match local.trail(query, follow).await {
        Ok(Trail::Lines(lines)) => lines,
        Ok(Trail::All(entries)) => {
            printer.print(entries);
            return Ok(None);
        }
        Err(error @ ClientError::Gone(_)) if follow => return Ok(Some(error)),
        Err(error) => return Err(words::client_error(error)),
    };
    loop {
        match trail.next().await {
            Ok(Some(entries)) => printer.print(entries),
            Ok(None) => return Ok(None),
            Err(error @ ClientError::Gone(_)) if follow => return Ok(Some(error)),
            Err(error) => return Err(words::client_error(error)),
        }
    }
}

struct Printer {
    columns: Columns,
    json: bool,
    /// The number of the last line.
    behind: Option<u64>,
}

impl Printer {
    fn print(&mut self, entries: Vec<Entry>) {
        self.behind = entries.last().map(|entry| entry.number).or(self.behind);
        if self.json {
            entries.iter().map(EntryJson::of).for_each(|entry| ui::say_json(&entry));
        } else {
            self.columns.lines(&entries).into_iter().for_each(ui::say);
        }
    }
}

/// What `--json` prints of a line.
#[derive(Serialize)]
struct EntryJson<'a> {
    #[serde(flatten)]
    entry: &'a Entry,
    /// Of a link for whose end the daemon has no reason of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

impl<'a> EntryJson<'a> {
    fn of(entry: &'a Entry) -> Self {
        let broke = matches!(entry.happening, Happening::Disconnected { reason: None, .. });
        EntryJson { entry, reason: broke.then_some("link_broke") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_comes_twice_and_nothing_that_was_not_wanted() {
        let asked = |last| Query { last, ..Query::default() };
        let behind = Query { behind: Some(7), ..Query::default() };
        for last in [None, Some(0), Some(50)] {
            assert_eq!(rest(&asked(last), Some(7), 1_000), behind);
        }
        let from_now_on = Query { since: Some(1_000), ..Query::default() };
        assert_eq!(rest(&asked(Some(0)), None, 1_000), from_now_on);
        assert_eq!(rest(&asked(Some(50)), None, 1_000), asked(Some(50)));
    }
}
