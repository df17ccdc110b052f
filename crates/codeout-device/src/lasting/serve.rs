//! What is done while there is a link: typing, sizes, and looking whether it still holds.

use std::time::Duration;

use codeout_protocol::message::Request;

use super::control::{Control, Told, Wanted};
use super::driver::{Driver, Link, Served};
use super::sending::{is_sent, type_on};
use super::typed::Typed;
use crate::connection::{Connection, OLD_AFTER};
use crate::error::{Closed, RequestFailed};
use crate::track::Track;

/// Input that nobody has written for this time makes this end ask whether the daemon is there…
const ASK_AFTER: Duration = Duration::from_secs(10);
/// …and for this time to hear anything of it.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How often is looked whether an old link can be replaced.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long what was typed may take to go out when the attachment is closed.
const FLUSH_TIME: Duration = Duration::from_secs(1);

impl Driver {
    /// Serves until the link has ended, is to be replaced, or nobody wants it any more.
    pub(crate) async fn serve(&self, link: &Link) -> Served {
        let control = &*self.control;
        let Link { connection, track, .. } = link;
        let typed = control.typed.as_ref();
        tokio::select! {
            biased;
            over = track.finished() => Served::Over(over),
            () = unwanted(self, track) => Served::Close,
            () = old(connection, track, typed) => Served::Renew,
            never = type_on(typed, connection.shared(), track) => never,
            never = give_size(control, link) => never,
            never = listen(connection, typed) => never,
        }
    }
}

/// Waits until the caller wants no more, and what was typed is out.
async fn unwanted(driver: &Driver, track: &Track) {
    tokio::select! {
        () = driver.control.closing() => {}
        () = driver.steps.closed() => {}
    }
    let Some(typed) = &driver.control.typed else { return };
    let out = async {
        loop {
            let mut idle = std::pin::pin!(typed.idle.notified());
            idle.as_mut().enable();
            if is_sent(typed, track) {
                return;
            }
            idle.await;
        }
    };
    let _ = tokio::time::timeout(FLUSH_TIME, out).await;
}

/// Waits until the link is old, and nothing is on its way that could wait for the next one.
async fn old(connection: &Connection, track: &Track, typed: Option<&Typed>) {
    let age = connection.shared().line.age();
    tokio::time::sleep(OLD_AFTER.saturating_sub(age)).await;
    let busy = || !track.is_drained() || typed.is_some_and(|typed| typed.waits_since().is_some());
    while busy() || track.received_to().is_none() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Tells the daemon the size that this device gives the terminal, until another device does.
async fn give_size<T>(control: &Control, link: &Link) -> T {
    let Link { connection, input, track, given } = link;
    let mut given = *given;
    let mut wishes = control.size.subscribe();
    let mut size_by = track.size_by.subscribe();
    let device = &connection.welcome().device.name;
    loop {
        let wanted @ Wanted { size, taken } = *wishes.borrow_and_update();
        if let Some(size) = size
            && given != wanted
        {
            given = wanted;
            if let Some(told) = control.told(taken) {
                let [taken_size, _] = told.sizes;
                control.set_told(Told { sizes: [taken_size, size], ..told });
            }
            match input.resize(size).await {
                Ok(()) => control.set_told(Told::new(taken, size, device)),
                Err(RequestFailed::Refused(error)) => {
                    tracing::debug!(?error, "the size was not taken over");
                    control.lose_size(taken);
                }
                Err(_) => {}
            }
            continue;
        }
        let by_another = size_by.borrow_and_update().as_ref().is_some_and(|name| name != device);
        if by_another && size.is_some() {
            control.lose_size(taken);
        }
        let changed = async {
            tokio::select! {
                changed = wishes.changed() => changed,
                changed = size_by.changed() => changed,
            }
        };
        if changed.await.is_err() {
            return std::future::pending().await;
        }
    }
}

/// Asks a daemon that writes nothing of what was typed whether it is there, and ends the link
/// if nothing comes back. A program that takes no input is none of that.
async fn listen<T>(connection: &Connection, typed: Option<&Typed>) -> T {
    let Some(typed) = typed else { return std::future::pending().await };
    loop {
        let Some(since) = typed.waits_since() else {
            typed.pending.notified().await;
            continue;
        };
        tokio::time::sleep_until(since + ASK_AFTER).await;
        if typed.waits_since() != Some(since) {
            continue;
        }
        let ping = connection.request(Request::Ping);
        let answered = tokio::time::timeout(ANSWER_WITHIN, ping).await.is_ok();
        if !answered && connection.shared().silence() >= ANSWER_WITHIN {
            connection.shared().line.end(Closed::Cut);
        }
        tokio::time::sleep(ASK_AFTER).await;
    }
}
