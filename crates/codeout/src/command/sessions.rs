//! `codeout sessions`: what runs, and what has ended and nobody has dismissed.

use crate::cli::SessionsArgs;
use crate::command::target::Target;
use crate::failure::Failure;
use crate::home::Home;
use crate::{session_lines, ui};

pub(crate) async fn run(args: SessionsArgs, home: &Home) -> Result<(), Failure> {
    let target = Target::find(home, args.on.as_deref(), false).await?;
    let sessions = target.sessions().await?;
    target.connection.close().await;
    if args.json {
        ui::say_json(&sessions);
        return Ok(());
    }
    if sessions.is_empty() {
        let open = ui::suggested("open", args.on.as_deref(), None);
        ui::note(format!("there are no sessions: {open} opens one"));
    }
    let now = ui::now();
    for entry in &sessions {
        ui::say(session_lines::line(entry, now));
        if args.long {
            session_lines::details(entry).into_iter().for_each(ui::say);
        }
    }
    Ok(())
}
