//! Sessions for the tests of their parts.

use codeout_screen::HistoryLimits;
use tokio::sync::mpsc::UnboundedReceiver;

use super::*;

/// One that runs `cat`, and that nobody keeps.
pub(super) fn session() -> Arc<Session> {
    let history = HistoryLimits { lines: 100, bytes: 1 << 20 };
    let keeping = Keeping { history, output: 1 << 20, quiet_after: None };
    running("/bin/cat", &[], keeping).0
}

/// One that runs that program, and that nobody keeps, with what it has to tell.
pub(super) fn running(
    program: &str,
    arguments: &[&str],
    keeping: Keeping,
) -> (Arc<Session>, UnboundedReceiver<(SessionId, News)>) {
    let size = TerminalSize { columns: 80, rows: 24 };
    let launch = Launch {
        program: program.into(),
        arguments: arguments.iter().map(|&word| word.to_owned()).collect(),
        directory: "/".into(),
        environment: Vec::new(),
        session: 1,
        size,
    };
    let (descriptor, leader) = spawn(&launch).unwrap();
    let origin = Origin {
        id: 1,
        program: program.to_owned(),
        command: None,
        directory: "/".to_owned(),
        opened_at: 1,
    };
    let (reports, news) = mpsc::unbounded_channel();
    let name = Name::clean("one").unwrap();
    let pty = Pty::new(descriptor).unwrap();
    let session = Session::new(origin, keeping, reports, pty, leader, name, size, "desk");
    (Arc::new(session), news)
}
