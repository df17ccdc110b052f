//! The sessions that one connection is attached to.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;

use codeout_protocol::message::{
    Attach, Attached, Chunk, ErrorCode, ExitStatus, MAX_ATTACHED, MAX_KEYBOARD, Progress,
    RequestError, SessionId,
};
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use crate::devices::Device;
use crate::outbox::Outbox;
use crate::requests;
use crate::session::keyboards::{Keyboard, TooMany};
use crate::session::viewer::{REPORT_AFTER, REPORT_BYTES};
use crate::session::{Attaching, Viewer, Violation};
use crate::sessions;
use crate::state::Shared;

/// The sessions that a connection is attached to. Dropped, it is attached to none.
pub(super) struct Windows {
    outbox: Outbox,
    device: Device,
    open: HashMap<SessionId, Window>,
    tasks: JoinSet<(Arc<Viewer>, io::Result<()>)>,
    /// Sessions whose end was said behind their last output.
    ended: HashSet<SessionId>,
    /// Sessions whose end is known here, and is still to be said behind their last output.
    ending: HashMap<SessionId, ExitStatus>,
    /// When input that was written must be reported.
    report_at: Option<Instant>,
}

struct Window {
    held: Held,
    task: AbortHandle,
    /// Ends with the task; with a word when that has said the session's end.
    over: oneshot::Receiver<()>,
}

/// Something to be done.
pub(super) enum Due {
    Nothing,
    /// Input that was written is to be reported.
    Report,
    /// A session has ended, and its device knows all of it.
    Forget(Arc<Viewer>),
    /// The connection is broken.
    Fail(io::Error),
}

/// A viewer that its session counts as attached, as long as this lives.
pub(super) struct Held(Arc<Viewer>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.session().detach(&self.0);
    }
}

impl Windows {
    pub(super) fn new(outbox: Outbox, device: &Device) -> Self {
        Windows {
            outbox,
            device: device.clone(),
            open: HashMap::new(),
            tasks: JoinSet::new(),
            ended: HashSet::new(),
            ending: HashMap::new(),
            report_at: None,
        }
    }

    fn has(&self, session: SessionId) -> bool {
        self.open.contains_key(&session)
    }

    /// A session has ended. Whether that is said, or was, behind its last output.
    pub(super) fn says_end(&mut self, session: SessionId, status: ExitStatus) -> bool {
        if self.has(session) {
            self.ending.insert(session, status);
            return true;
        }
        self.ended.remove(&session)
    }

    /// What is to be done next. Cancelled, nothing is lost.
    pub(super) async fn next(&mut self) -> Due {
        let at = self.report_at;
        tokio::select! {
            Some(ended) = self.tasks.join_next() => match ended {
                Ok((viewer, Ok(()))) => Due::Forget(viewer),
                Ok((_, Err(error))) => Due::Fail(error),
                // It was closed.
                Err(error) if error.is_cancelled() => Due::Nothing,
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            },
            () = tokio::time::sleep_until(at.unwrap_or_else(Instant::now)), if at.is_some() => {
                Due::Report
            }
            else => std::future::pending().await,
        }
    }

    /// Does what is to be done.
    ///
    /// # Errors
    /// The connection is broken.
    pub(super) async fn act(&mut self, due: Due) -> io::Result<()> {
        match due {
            Due::Nothing => Ok(()),
            Due::Fail(error) => Err(error),
            Due::Forget(viewer) => {
                let session = viewer.session().id();
                // Another may have taken its place, which has still to say the end.
                let its_own = |window: &Window| Arc::ptr_eq(&window.held.0, &viewer);
                if self.open.get(&session).is_some_and(its_own) {
                    self.open.remove(&session);
                    self.note_end(session);
                }
                Ok(())
            }
            Due::Report => {
                self.report_at = None;
                for window in self.open.values() {
                    window.held.0.report().await?;
                }
                Ok(())
            }
        }
    }

    /// Takes something typed at `now`, in seconds since 1970. Input to a session that has just ended
    /// goes nowhere. Returns whether so much is written that it is to be reported at once.
    ///
    /// # Errors
    /// [`Violation`]: the device may only watch, it was attached without a keyboard, or it is not
    /// the next input.
    pub(super) fn take_input(&mut self, chunk: Chunk<'_>, now: u64) -> Result<bool, Violation> {
        // Whatever session it is for.
        requests::may_type(&self.device).map_err(|_| Violation)?;
        let Some(window) = self.open.get(&chunk.session) else { return Ok(false) };
        let viewer = &window.held.0;
        let turn = viewer.turn.ok_or(Violation)?;
        viewer.session().take_input(turn, chunk.offset, chunk.bytes, now)?;
        let unreported = viewer.unreported();
        if unreported > 0 {
            // Mostly the echo comes first, and takes the report along.
            self.report_at.get_or_insert_with(|| Instant::now() + REPORT_AFTER);
        }
        Ok(unreported >= REPORT_BYTES)
    }

    /// Hears that output was shown.
    ///
    /// # Errors
    /// [`Violation`]: so much was never sent.
    pub(super) fn acknowledge(&self, progress: Progress) -> Result<(), Violation> {
        match self.open.get(&progress.session) {
            Some(window) => window.held.0.acknowledge(progress.offset),
            None => Ok(()),
        }
    }

    /// Makes ready for a device that attaches; to be followed by [`open`](Self::open). An earlier
    /// window onto the same session is closed.
    ///
    /// # Errors
    /// The answer to the device.
    pub(super) async fn prepare(
        &mut self,
        shared: &Shared,
        attach: Attach,
    ) -> Result<(Held, Attached), RequestError> {
        if attach.keyboard.is_some() || attach.size.is_some() {
            requests::may_type(&self.device)?;
        }
        if attach.keyboard.is_some_and(|number| number > MAX_KEYBOARD) {
            let text = format!("a keyboard's number is at most {MAX_KEYBOARD}");
            return Err(RequestError::new(ErrorCode::BadRequest, text));
        }
        let size = attach.size.map(sessions::checked).transpose()?;
        let session = shared.sessions.find(attach.session)?;
        if !self.has(attach.session) && self.open.len() >= MAX_ATTACHED {
            let text = format!("a connection may be attached to {MAX_ATTACHED} sessions");
            return Err(RequestError::new(ErrorCode::Limit, text));
        }
        // First what may be refused: that changes nothing.
        let device = self.device.id;
        let keyboard = attach.keyboard.map(|number| Keyboard { device, number });
        let typing = keyboard.map(|keyboard| session.keyboards().attach(keyboard)).transpose();
        let typing = typing.map_err(|TooMany| {
            let text = "too many devices type what the program does not read";
            RequestError::new(ErrorCode::Limit, text)
        })?;
        let _ = self.close(attach.session).await;
        if let Some(size) = size {
            let by = self.device.name.as_str();
            let resized = shared.sessions.resize(&session, size, by).await;
            resized.map_err(|error| requests::failed(&error))?;
        }
        let (viewer, resumed) = session.attach(Attaching {
            outbox: self.outbox.clone(),
            device: self.device.name.to_string(),
            typing,
            after: attach.after,
            history: attach.history.map_or(usize::MAX, |lines| lines as usize),
        });
        Ok((
            Held(viewer),
            Attached {
                attached: session.entry(),
                resumed,
                input: typing.map_or(0, |(_, input)| input),
            },
        ))
    }

    /// Begins to send what the session shows.
    pub(super) fn open(&mut self, held: Held) {
        let viewer = &held.0;
        let session = viewer.session().id();
        let (running, over) = oneshot::channel();
        let shown = Arc::clone(viewer);
        let task = self.tasks.spawn(async move {
            let ended = shown.run().await;
            if ended.is_ok() {
                // Nobody may be interested.
                let _ = running.send(());
            }
            (shown, ended)
        });
        viewer.session().add(viewer);
        self.open.insert(session, Window { held, task, over });
    }

    /// Closes the window onto a session. When this returns, nothing more of it is sent.
    ///
    /// # Errors
    /// [`ErrorCode::NotFound`]: there is none.
    pub(super) async fn close(&mut self, session: SessionId) -> Result<(), RequestError> {
        let Some(mut window) = self.open.remove(&session) else {
            let text = "this connection is not attached to that session";
            return Err(RequestError::new(ErrorCode::NotFound, text));
        };
        window.task.abort();
        // What is waited for is that the task is gone. It may have said the end just before.
        if (&mut window.over).await.is_ok() {
            self.note_end(session);
        }
        Ok(())
    }

    /// The end of a session was said behind its last output. That it has ended may have been
    /// told here, or is still to be.
    fn note_end(&mut self, session: SessionId) {
        if self.ending.remove(&session).is_none() {
            self.ended.insert(session);
        }
    }

    /// Whether the session of a window that was closed has ended without that having been said.
    pub(super) fn take_unsaid(&mut self, session: SessionId) -> Option<ExitStatus> {
        self.ending.remove(&session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::DeviceId;
    use crate::local_link::FrameWriter;
    use codeout_protocol::message::Limits;
    use codeout_protocol::name::Name;
    use codeout_protocol::sodium::KeyPair;

    #[tokio::test]
    async fn input_of_a_device_that_may_only_watch_is_a_violation_wherever_it_goes() {
        let (_other, this) = tokio::net::UnixStream::pair().unwrap();
        let outbox = Outbox::local(FrameWriter::new(this.into_split().1));
        let chunk = Chunk { session: 7, offset: 0, bytes: b"x" };
        for watch_only in [false, true] {
            let device = Device {
                id: DeviceId::LOCAL,
                key: KeyPair::generate().public,
                name: Name::clean("phone").unwrap(),
                paired_at: 0,
                last_seen: None,
                unfinished: false,
                limits: Limits { watch_only, ..Limits::default() },
            };
            let taken = Windows::new(outbox.clone(), &device).take_input(chunk, 0);
            assert_eq!(taken, if watch_only { Err(Violation) } else { Ok(false) });
        }
    }
}
