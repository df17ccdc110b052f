//! The way back to a link.

use std::sync::Arc;
use std::time::Duration;

use codeout_protocol::message::{
    Attach, Attached, ClosingReason, ErrorCode, RequestError, TerminalSize,
};
use codeout_protocol::sodium::random_bytes;
use tokio::sync::mpsc::Permit;
use tokio::time::Instant;

use super::control::{Step, Told, Wanted};
use super::driver::{Driver, Link};
use super::{LastingEnd, LinkError};
use crate::attachment::AttachmentReader;
use crate::error::{Closed, ConnectError, RequestFailed};
use crate::transport::ANSWER_TIME;

/// The wait before an attempt that is made at once is a random part of this, so that devices
/// that lost the same daemon do not come back all at once.
const AT_ONCE: Duration = Duration::from_millis(100);
/// A link that is replaced because it is old may be away for this time before it is said.
const QUIET: Duration = Duration::from_secs(1);

/// A lost link that is worth another.
pub(crate) struct Loss {
    closed: Closed,
    /// Whether the next attempt may work at once.
    at_once: bool,
    /// Whether this end gave the link up because it was old.
    renewed: bool,
}

impl Loss {
    /// `None`: another link would be no better.
    pub(crate) fn of(closed: Closed, renewed: bool) -> Option<Self> {
        let at_once = match closed {
            _ if renewed => true,
            Closed::Cut | Closed::ByDaemon(ClosingReason::Restarting) => true,
            Closed::ByDaemon(
                ClosingReason::Revoked | ClosingReason::Expired | ClosingReason::Protocol,
            )
            | Closed::Protocol => return None,
            Closed::ByDaemon(_) => false,
        };
        Some(Loss { closed, at_once, renewed })
    }
}

/// Why an attempt failed.
enum Failure {
    /// Another may not.
    Passing(LinkError),
    Fatal(LastingEnd),
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        // What answers in the place of a daemon that was there may be the login page of a
        // network that this device has just joined.
        if error.may_pass() || matches!(error, ConnectError::NotCodeout { .. }) {
            Failure::Passing(error.into())
        } else {
            Failure::Fatal(LastingEnd::Connect(error))
        }
    }
}

impl From<Closed> for Failure {
    fn from(closed: Closed) -> Self {
        match Loss::of(closed, false) {
            Some(_) => Failure::Passing(closed.into()),
            None => Failure::Fatal(LastingEnd::Closed(closed)),
        }
    }
}

impl From<RequestFailed> for Failure {
    fn from(failed: RequestFailed) -> Self {
        match failed {
            RequestFailed::Closed(closed) => closed.into(),
            RequestFailed::Refused(error) => match error.code {
                ErrorCode::Limit | ErrorCode::Failed => Failure::Passing(LinkError::Refused(error)),
                _ => Failure::Fatal(LastingEnd::Gone(error)),
            },
            // Neither can be.
            RequestFailed::TooLong | RequestFailed::UseAttach => Closed::Protocol.into(),
        }
    }
}

impl Driver {
    /// Connects and attaches anew, for as long as that may help.
    pub(crate) async fn again(&mut self, loss: Loss) -> Result<Link, LastingEnd> {
        let Loss { closed, at_once, renewed } = loss;
        let mut error = LinkError::Closed(closed);
        let mut attempt = 0;
        let mut told = false;
        if self.trusted {
            self.delays = self.backoff.delays();
        }
        // One that comes and goes is not trusted a second time, unless it says that it does.
        let restarts = matches!(closed, Closed::ByDaemon(ClosingReason::Restarting));
        let soon = restarts || (at_once && std::mem::take(&mut self.trusted));
        let mut wait = soon.then(at_once_wait);
        let quiet = renewed.then(|| Instant::now() + QUIET);
        loop {
            attempt += 1;
            let Some(retry_in) = wait.take().or_else(|| self.delays.next()) else {
                return Err(given_up(error));
            };
            if quiet.is_none() || attempt > 1 {
                told |= self.tell_down(error, retry_in, attempt);
                self.wait(retry_in).await;
            }
            let failure = match self.attempt(quiet.filter(|_| attempt == 1), &mut told).await {
                Ok(link) => return Ok(link),
                Err(failure) => failure,
            };
            match failure {
                Failure::Passing(passing) => error = passing,
                Failure::Fatal(end) => return Err(end),
            }
        }
    }

    /// Tells the reader, if it listens. Says whether it does.
    fn tell_down(&self, error: LinkError, retry_in: Duration, attempt: u32) -> bool {
        tracing::debug!(%error, ?retry_in, attempt, "link down");
        self.steps.try_send(Step::Down { error, retry_in, attempt }).is_ok()
    }

    async fn wait(&self, time: Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = self.control.retry.notified() => {}
        }
    }

    /// One attempt. When it takes beyond `quiet`, the reader is told that there is no link.
    async fn attempt(&self, quiet: Option<Instant>, told: &mut bool) -> Result<Link, Failure> {
        let mut linking = std::pin::pin!(self.link());
        let linked = match quiet {
            None => linking.await,
            Some(quiet) => tokio::select! {
                linked = &mut linking => linked,
                () = tokio::time::sleep_until(quiet) => {
                    *told = self.tell_down(Closed::Cut.into(), Duration::ZERO, 1);
                    linking.await
                }
            },
        };
        let (permit, reader, link) = linked?;
        self.control.set_link(Some(link.route()));
        permit.send(Step::Up { reader, told: *told });
        Ok(link)
    }

    async fn link(&self) -> Result<(Permit<'_, Step>, AttachmentReader, Link), Failure> {
        let connection = self.daemon.connect().await?;
        // What the reader has not read of earlier links is bounded by its room.
        let permit = self.steps.reserve().await.map_err(|_| Closed::Cut)?;
        let wanted = *self.control.size.borrow();
        // Another device may have taken it over while there was no link: then that one has it.
        let told = self.control.told(wanted.taken);
        let attach = Attach {
            session: self.session,
            after: self.after,
            history: if self.shown { Some(0) } else { self.history },
            keyboard: self.keyboard,
            size: wanted.size.filter(|_| told.is_none()),
        };
        let attaching = tokio::time::timeout(ANSWER_TIME, connection.attach(attach)).await;
        let (attached, attachment) = attaching.map_err(|_| Closed::Cut)??;
        self.take_up(&attached)?;
        let given = self.take_up_size(wanted, told, &attached, &connection.welcome().device.name);
        let track = Arc::clone(attachment.track());
        let (input, reader) = attachment.split();
        Ok((permit, reader, Link { connection, input, track, given }))
    }

    /// The size that the daemon has of this device. Lost is what another took meanwhile.
    fn take_up_size(
        &self,
        wanted: Wanted,
        told: Option<Told>,
        attached: &Attached,
        device: &str,
    ) -> Wanted {
        let Wanted { size, taken } = wanted;
        let Some(size) = size else { return wanted };
        let Some(told) = told else {
            self.control.set_told(Told::new(taken, size, device));
            return wanted;
        };
        let entry = &attached.attached;
        let is_another = |name: &String| *name != device && *name != told.device;
        let now = TerminalSize { columns: entry.columns, rows: entry.rows };
        // Two terminals of one device have one name.
        if !told.sizes.contains(&now) || entry.size_by.as_ref().is_some_and(is_another) {
            self.control.lose_size(taken);
        }
        Wanted { size: Some(now), taken }
    }

    /// Whether it is the same session, and the daemon has no input that was never sent.
    fn take_up(&self, attached: &Attached) -> Result<(), Failure> {
        if attached.attached.opened_at != self.opened_at {
            let text = "the session is gone; another has its number";
            let error = RequestError::new(ErrorCode::NotFound, text);
            return Err(Failure::Fatal(LastingEnd::Gone(error)));
        }
        if let Some(typed) = &self.control.typed {
            typed.resume(attached.input).map_err(|_| Closed::Protocol)?;
        }
        Ok(())
    }
}

fn at_once_wait() -> Duration {
    let mut random = [0];
    random_bytes(&mut random);
    AT_ONCE * u32::from(random[0]) / 255
}

/// There is no more patience.
fn given_up(error: LinkError) -> LastingEnd {
    match error {
        LinkError::Closed(closed) => LastingEnd::Closed(closed),
        LinkError::Connect(error) => LastingEnd::Connect(error),
        LinkError::Refused(error) => LastingEnd::Gone(error),
    }
}
