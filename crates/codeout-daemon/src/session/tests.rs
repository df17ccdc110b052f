//! A session for the tests of its parts.

use codeout_screen::HistoryLimits;

use super::*;

/// One that runs `cat`, and that nobody keeps.
pub(super) fn session() -> Arc<Session> {
    let size = TerminalSize { columns: 80, rows: 24 };
    let launch = Launch {
        program: "/bin/cat".into(),
        arguments: Vec::new(),
        directory: "/".into(),
        environment: Vec::new(),
        session: 1,
        size,
    };
    let (descriptor, leader) = spawn(&launch).unwrap();
    let history = HistoryLimits { lines: 100, bytes: 1 << 20 };
    let keeping = Keeping { history, output: 1 << 20, quiet_after: None };
    let origin = Origin {
        id: 1,
        program: "cat".to_owned(),
        command: None,
        directory: "/".to_owned(),
        opened_at: 1,
    };
    let (reports, _) = mpsc::unbounded_channel();
    let name = Name::clean("cat").unwrap();
    let pty = Pty::new(descriptor).unwrap();
    Arc::new(Session::new(origin, keeping, reports, pty, leader, name, size, "desk"))
}
