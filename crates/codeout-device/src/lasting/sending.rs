//! Sending what was typed: from the thread that writes it, if that can be done at once, else from
//! the driver's task. Whoever has the line takes the next bytes, and they count as sent before it
//! lets go of it: none goes out twice by one link, and none is left out.

use std::sync::Arc;

use codeout_protocol::message::{Chunk, FromDevice};
use zeroize::Zeroizing;

use super::typed::Typed;
use crate::shared::Shared;
use crate::track::Track;

/// What a thread needs to send by the present link.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) shared: Arc<Shared>,
    pub(crate) track: Arc<Track>,
}

impl Route {
    /// Sends what is kept, as far as that can be done at once, without a runtime. Returns whether
    /// all of it is sent; what is not needs somebody who can wait.
    pub(crate) fn send_now(&self, typed: &Typed) -> bool {
        let Route { shared, track } = self;
        while may_send(typed, track) {
            if shared.line.send_now(|| (record(typed, track), ())).is_none() {
                return false;
            }
        }
        let all = is_sent(typed, track);
        if all {
            typed.idle.notify_waiters();
        }
        all
    }
}

/// Sends what is typed. Ends never: that the link is over, others notice.
pub(crate) async fn type_on<T>(typed: Option<&Typed>, shared: &Shared, track: &Track) -> T {
    let Some(typed) = typed else { return std::future::pending().await };
    loop {
        typed.written(track.written());
        if may_send(typed, track) {
            if shared.line.send(|| (record(typed, track), ())).await.is_err() {
                return std::future::pending().await;
            }
            continue;
        }
        if is_sent(typed, track) {
            typed.idle.notify_waiters();
        }
        tokio::select! {
            () = typed.more.notified() => {}
            () = track.credit.notified() => {}
        }
    }
}

/// Whether everything typed is sent by this link, or is known to be written.
pub(crate) fn is_sent(typed: &Typed, track: &Track) -> bool {
    track.sent() >= typed.end()
}

fn may_send(typed: &Typed, track: &Track) -> bool {
    track.over().is_none() && track.input_credit() > 0 && !is_sent(typed, track)
}

/// The next record, for whoever has the line. What is in it counts as sent.
fn record(typed: &Typed, track: &Track) -> Option<Zeroizing<Vec<u8>>> {
    if !may_send(typed, track) {
        return None;
    }
    let bytes = typed.from(track.sent())?;
    let bytes = &bytes[..bytes.len().min(track.input_credit())];
    let input = Chunk { session: track.session, offset: track.send(bytes.len()), bytes };
    Some(Zeroizing::new(FromDevice::Input(input).write()))
}
