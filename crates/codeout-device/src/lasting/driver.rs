//! The task that holds the link of a lasting attachment.

use std::sync::Arc;
use std::time::Duration;

use codeout_protocol::message::{Attach, ClosingReason, MAX_KEYBOARD, SessionEntry, SessionId};
use codeout_protocol::sodium::random_bytes;
use tokio::sync::mpsc;

use super::control::{Control, Step, Told, Wanted};
use super::reconnect::Loss;
use super::sending::Route;
use super::typed::Typed;
use super::{Daemon, LastingEnd, LastingInput, LastingOptions, LastingReader};
use crate::attachment::AttachmentInput;
use crate::backoff::{Backoff, Delays};
use crate::connection::Connection;
use crate::error::{Closed, InputError, RequestFailed};
use crate::track::{Over, Track};

/// What the driver may have said that the reader has not heard: two lost links and the new ones.
const MAX_STEPS: usize = 4;
/// A link that held for this long was a good one.
pub(crate) const STEADY: Duration = Duration::from_secs(10);

pub(crate) struct Driver {
    pub(crate) daemon: Daemon,
    pub(crate) session: SessionId,
    /// When the session was opened: tells it from another that has its number later.
    pub(crate) opened_at: u64,
    pub(crate) history: Option<u32>,
    pub(crate) keyboard: Option<u64>,
    pub(crate) backoff: Backoff,
    pub(crate) control: Arc<Control>,
    pub(crate) steps: mpsc::Sender<Step>,
    /// The waits of the present series of failures.
    pub(crate) delays: Delays,
    /// Whether a lost link is worth an attempt without a wait.
    pub(crate) trusted: bool,
    /// The offset behind the last output that came.
    pub(crate) after: Option<u64>,
    /// Whether there was ever something whole to show.
    pub(crate) shown: bool,
}

/// A connection that is attached to the session.
pub(crate) struct Link {
    pub(crate) connection: Connection,
    pub(crate) input: AttachmentInput,
    pub(crate) track: Arc<Track>,
    /// The size that the daemon was told.
    pub(crate) given: Wanted,
}

impl Link {
    pub(crate) fn route(&self) -> Route {
        let shared = Arc::clone(self.connection.shared());
        Route { shared, track: Arc::clone(&self.track) }
    }
}

/// How the time of a link has ended.
pub(crate) enum Served {
    /// The attachment is over.
    Over(Over),
    /// The link is old.
    Renew,
    /// The caller wants no more.
    Close,
}

/// Attaches for the first time, and sets the driver to work.
pub(crate) async fn begin(
    daemon: Daemon,
    connection: Connection,
    options: LastingOptions,
) -> Result<(SessionEntry, LastingInput, LastingReader), RequestFailed> {
    let LastingOptions { session, history, typing, size, backoff } = options;
    let keyboard = typing.then(random_keyboard);
    let attach = Attach { session, after: None, history, keyboard, size };
    let (attached, attachment) = connection.attach(attach).await?;

    let typed = typing.then(|| Typed::new(attached.input));
    let control = Arc::new(Control::new(typed, size));
    if let Some(size) = size {
        control.set_told(Told::new(0, size, &connection.welcome().device.name));
    }
    let (steps, heard) = mpsc::channel(MAX_STEPS);
    let driver = Driver {
        daemon,
        session,
        opened_at: attached.attached.opened_at,
        history,
        keyboard,
        backoff,
        control: Arc::clone(&control),
        steps,
        delays: backoff.delays(),
        trusted: true,
        after: None,
        shown: false,
    };
    let track = Arc::clone(attachment.track());
    let (input, reader) = attachment.split();
    let link = Link { connection, input, track, given: Wanted { size, taken: 0 } };
    control.set_link(Some(link.route()));
    tokio::spawn(driver.run(link));
    let reader = LastingReader { steps: heard, reader: Some(reader), offset: None, over: false };
    Ok((attached.attached, LastingInput { control }, reader))
}

/// 53 random bits.
fn random_keyboard() -> u64 {
    let mut random = [0; 8];
    random_bytes(&mut random);
    u64::from_le_bytes(random) & MAX_KEYBOARD
}

impl Driver {
    async fn run(mut self, mut link: Link) {
        let end = loop {
            let served = self.serve(&link).await;
            self.control.set_link(None);
            let loss = match self.lost(link, served).await {
                Ok(loss) => loss,
                Err(end) => break end,
            };
            let control = Arc::clone(&self.control);
            let steps = self.steps.clone();
            let again = tokio::select! {
                again = self.again(loss) => again,
                () = control.closing() => Err(LastingEnd::Closed(Closed::Cut)),
                () = steps.closed() => Err(LastingEnd::Closed(Closed::Cut)),
            };
            match again {
                Ok(next) => link = next,
                Err(end) => break end,
            }
        };
        tracing::debug!(%end, "lasting attachment over");
        self.control.finish(end.input_error());
        // Whoever read may have gone; a session's end it has seen already.
        let _ = self.steps.send(Step::Over(end)).await;
    }

    /// What is left of a link, or why there will be no other.
    async fn lost(&mut self, link: Link, served: Served) -> Result<Loss, LastingEnd> {
        let Link { connection, input, track, .. } = link;
        let steady = connection.shared().line.age() >= STEADY;
        let closed = match served {
            Served::Over(Over::Ended(status)) => {
                self.control.finish(InputError::SessionEnded);
                connection.close().await;
                return Err(LastingEnd::Session(status));
            }
            Served::Close => return Err(LastingEnd::Closed(connection.close().await)),
            Served::Renew => connection.close().await,
            Served::Over(Over::Closed(closed)) => closed,
            // Nobody else can do that.
            Served::Over(Over::Detached) => Closed::Cut,
        };
        // What came until the very end counts.
        let over = track.finished().await;
        drop(input);
        self.after = track.received_to();
        self.shown |= track.has_shown();
        if let Some(typed) = &self.control.typed {
            typed.written(track.written());
            typed.note_sent(track.sent());
        }
        if let Over::Ended(status) = over {
            return Err(LastingEnd::Session(status));
        }
        if steady {
            self.trusted = true;
        }
        let renewed = matches!(served, Served::Renew) && goodbye(closed);
        Loss::of(closed, renewed).ok_or(LastingEnd::Closed(closed))
    }
}

fn goodbye(closed: Closed) -> bool {
    matches!(closed, Closed::ByDaemon(ClosingReason::Goodbye) | Closed::Cut)
}
