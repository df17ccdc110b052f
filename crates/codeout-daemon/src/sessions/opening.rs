//! How a session is opened: its program is found, it gets a number and a name, and it is started.

use std::collections::HashSet;
use std::sync::Arc;

use codeout_protocol::message::{ErrorCode, Open, RequestError, SessionId, TerminalSize};
use codeout_protocol::name::Name;

use super::{MAX_RUNNING, Sessions, checked, error, named};
use crate::naming::{self, folded};
use crate::programs::Resolved;
use crate::session::{self, Command, Launch, Origin, Session};

impl Sessions {
    /// Opens a session in the name of `by`. `may` is asked last, when the program is found and only
    /// its start is left.
    ///
    /// # Errors
    /// [`ErrorCode::BadRequest`] for a size or name that cannot be, [`ErrorCode::Taken`],
    /// [`ErrorCode::Limit`], [`ErrorCode::NotFound`] for a program or directory, what `may` says,
    /// and [`ErrorCode::Failed`].
    pub(crate) async fn open(
        &self,
        open: Open,
        by: &str,
        may: impl AsyncFnOnce() -> Result<(), RequestError>,
    ) -> Result<Arc<Session>, RequestError> {
        let size = TerminalSize { columns: open.columns, rows: open.rows };
        let size = checked(size)?;
        let wanted = open.name.as_deref().map(named).transpose()?;
        let resolved = self.programs.resolve(&open).await?;
        let command = Command { program: open.program, arguments: open.arguments };

        let closed = self.opening.lock().await;
        if *closed {
            return Err(error(ErrorCode::Failed, "the daemon is about to end: try again"));
        }
        may().await?;
        let name = self.free_name(wanted, &resolved.proposed)?;
        let id = self.next_number()?;
        let session = self.start(id, name, size, command, resolved, by).await?;
        self.add(Arc::clone(&session));
        Ok(session)
    }

    /// What opens another session like this one, in a terminal of that size.
    ///
    /// # Errors
    /// [`ErrorCode::NotFound`], and [`ErrorCode::Failed`] when it is not known what it was opened
    /// with.
    pub(crate) fn like(&self, id: SessionId, size: TerminalSize) -> Result<Open, RequestError> {
        let origin = self.find(id)?.origin.clone();
        let TerminalSize { columns, rows } = size;
        let Some(command) = origin.command else {
            let text =
                "an earlier version opened it, and did not keep its arguments: open a new one";
            return Err(error(ErrorCode::Failed, text));
        };
        let Command { program, arguments } = Arc::unwrap_or_clone(command);
        Ok(Open {
            columns,
            rows,
            program,
            arguments,
            directory: Some(origin.directory),
            name: None,
        })
    }

    async fn start(
        &self,
        id: SessionId,
        name: Name,
        size: TerminalSize,
        command: Command,
        resolved: Resolved,
        by: &str,
    ) -> Result<Arc<Session>, RequestError> {
        let Resolved { program, arguments, directory, environment, asked, .. } = resolved;
        let origin = Origin {
            id,
            program: asked,
            command: Some(Arc::new(command)),
            directory: directory.display().to_string(),
            opened_at: self.clock.unix(),
        };
        let launch = Launch { program, arguments, directory, environment, session: id, size };
        // A fork takes the longer, the more memory there is.
        let started = tokio::task::spawn_blocking(move || session::spawn(&launch)).await;
        let failed = |reason: &dyn std::fmt::Display| {
            let text = format!("cannot start {} in {}: {reason}", origin.program, origin.directory);
            error(ErrorCode::Failed, text)
        };
        let (descriptor, leader) = match started {
            Ok(Ok(started)) => started,
            Ok(Err(reason)) => return Err(failed(&reason)),
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        };
        let pty = self.terminals.take(descriptor).map_err(|reason| failed(&reason))?;
        let origin = origin.clone();
        let (keeping, reports) = (self.keeping, self.reports.clone());
        Ok(Arc::new(Session::new(origin, keeping, reports, pty, leader, name, size, by)))
    }

    fn next_number(&self) -> Result<SessionId, RequestError> {
        if self.running().len() >= MAX_RUNNING {
            let text = format!("{MAX_RUNNING} sessions run already: end one first");
            return Err(error(ErrorCode::Limit, text));
        }
        let mut all = self.lock();
        all.last = all.last.wrapping_add(1).max(1);
        Ok(all.last)
    }

    /// `wanted`, unless another session has it; `proposed`, made unique.
    pub(super) fn free_name(
        &self,
        wanted: Option<Name>,
        proposed: &Name,
    ) -> Result<Name, RequestError> {
        let others = self.all();
        let Some(wanted) = wanted else {
            let names = others.iter().map(|other| folded(other.name().as_str()));
            let taken: HashSet<String> = names.collect();
            let is_taken = |name: &Name| taken.contains(&folded(name.as_str()));
            return Ok(naming::unique(proposed.as_str(), is_taken));
        };
        let name = folded(wanted.as_str());
        let holder = others.iter().find(|other| folded(other.name().as_str()) == name);
        let Some(holder) = holder else { return Ok(wanted) };
        let ended = holder.ended().is_some();
        let hint = if ended { "; it has ended and can be dismissed" } else { "" };
        Err(error(ErrorCode::Taken, format!("a session is called {} already{hint}", holder.name())))
    }
}
