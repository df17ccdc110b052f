//! What keeps one session going: its output, its input, and its end.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, TryLockError};
use std::time::Duration;

use codeout_protocol::message::{AttentionReason, Ended, ExitStatus, MAX_CHUNK};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use super::log::Packed;
use super::pty::Pty;
use super::{News, Session, Shown, Viewer, locked};
use crate::clock::Clock;
use crate::trim;

/// What is read from the terminal at a time, in bytes.
const READ: usize = MAX_CHUNK;
/// The screen need not see what rushes by until so much waits for it, in bytes…
const UNSEEN: u64 = 1 << 21;
/// …or for so long…
const UNSEEN_TIME: Duration = Duration::from_millis(100);
/// …or nothing more has come for so long.
const PAUSE: Duration = Duration::from_millis(3);
/// The silence after which what is kept is packed.
const IDLE: Duration = Duration::from_secs(5);
/// Between two steps of that, others have their turn.
const PACKING: Duration = Duration::from_millis(10);
/// The silence after which a session whose program has ended is over, while another program
/// holds its terminal open.
const LAST_OUTPUT: Duration = Duration::from_millis(100);
/// The longest that such a program is listened to.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How often is looked whether a program has come back to a terminal that nobody held.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Moves a session's bytes until its program has ended, on the runtime that reads terminals.
pub(crate) async fn keep(session: Arc<Session>, clock: Arc<dyn Clock>) {
    let Some(pty) = session.pty() else { return };
    // Of a session that was kept by another process the silence is measured from here on.
    let due = Due::Settle(Instant::now());
    let mut keeper = Keeper { session: &session, pty: &pty, clock: clock.as_ref(), due };
    session.begin_reading().await;
    let status = tokio::select! {
        status = keeper.run() => status,
        () = write_input(&session, &pty) => unreachable!("writes as long as it is let"),
    };
    session.stop_reading().await;
    // Whoever typed may have read since.
    keeper.settle();
    let status = status.unwrap_or_else(|error| {
        tracing::warn!(session = session.id(), %error, "a terminal failed");
        session.hang_up();
        ExitStatus::Signal(0)
    });
    session.finish(status, clock.unix());
    while session.pack() {
        tokio::time::sleep(PACKING).await;
    }
}

/// What is to be done when nothing comes.
#[derive(Debug, Clone, Copy)]
enum Due {
    Never,
    /// The screen is to see what it has not seen, since then.
    Settle(Instant),
    /// What is kept is to be packed, at that time.
    Pack(Instant),
    /// Silence is news, at that time.
    Quiet(Instant),
}

/// What a terminal had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Output,
    /// Nothing more for now.
    Nothing,
    /// No program that could print.
    Nobody,
}

struct Keeper<'a> {
    session: &'a Session,
    pty: &'a Pty,
    clock: &'a dyn Clock,
    due: Due,
}

impl Keeper<'_> {
    async fn run(&mut self) -> io::Result<ExitStatus> {
        let mut buffer = vec![0; READ];
        let mut children = signal(SignalKind::child())?;
        // Whether every program has let the terminal go. One may come back to it, which only
        // trying tells.
        let mut let_go = false;
        let mut pause = LOOK_AGAIN;
        let status = loop {
            // Other sessions have their turn, however much this one prints.
            tokio::task::consume_budget().await;
            if let Some(status) = self.session.processes.try_wait()? {
                break status;
            }
            let at = self.due_at();
            tokio::select! {
                biased;
                there = self.pty.readable(), if !let_go => {
                    there?;
                    let_go = self.read(&mut buffer).await? == Found::Nobody;
                    if let_go {
                        self.settle();
                    }
                }
                () = tokio::time::sleep(pause), if let_go => {
                    let more = self.read(&mut buffer).await? == Found::Output;
                    pause = if more { Duration::ZERO } else { LOOK_AGAIN };
                }
                _ = children.recv() => {}
                () = self.session.echoed.notified() => self.heard(),
                () = tokio::time::sleep_until(at.unwrap_or_else(Instant::now)), if at.is_some() => {
                    self.catch_up();
                }
            }
        };
        self.hear_out(&mut buffer, let_go).await?;
        Ok(status)
    }

    /// What the program printed last may still be on its way through the terminal. Another
    /// program may hold the terminal open for ever, so that only silence tells the end.
    async fn hear_out(&mut self, buffer: &mut [u8], let_go: bool) -> io::Result<()> {
        let until = Instant::now() + LAST_WORDS;
        while Instant::now() < until {
            tokio::task::consume_budget().await;
            let there = async {
                tokio::select! {
                    there = self.pty.readable() => drop(there),
                    () = self.session.echoed.notified() => {}
                }
            };
            if tokio::time::timeout(LAST_OUTPUT, there).await.is_err() {
                break;
            }
            match self.read(buffer).await? {
                Found::Output => {}
                Found::Nothing if !let_go => {}
                Found::Nothing | Found::Nobody => break,
            }
        }
        Ok(())
    }

    /// Reads what is there.
    async fn read(&mut self, buffer: &mut [u8]) -> io::Result<Found> {
        let reading = self.session.reading.lock().await;
        let Some(count) = self.pty.read(buffer)? else { return Ok(Found::Nothing) };
        if count == 0 {
            return Ok(Found::Nobody);
        }
        self.session.publish(&buffer[..count], self.clock.unix());
        drop(reading);
        self.heard();
        Ok(Found::Output)
    }

    /// The session has printed something, which the screen is to see in time.
    fn heard(&mut self) {
        let since = match self.due {
            Due::Settle(since) => since,
            _ => Instant::now(),
        };
        self.due = Due::Settle(since);
        if self.is_much_unseen() {
            self.settle();
            self.due = Due::Settle(Instant::now());
        } else if since.elapsed() >= UNSEEN_TIME && self.try_settle() {
            self.due = Due::Settle(Instant::now());
        }
    }

    /// Whether so much waits for the screen that it cannot wait longer. What only rushes by does
    /// not wait.
    fn is_much_unseen(&self) -> bool {
        let most = self.session.most_unseen();
        if self.session.unseen() < most {
            return false;
        }
        self.session.skip(&mut locked(&self.session.screen));
        self.session.unseen() >= most / 4 * 3
    }

    fn due_at(&self) -> Option<Instant> {
        match self.due {
            Due::Never => None,
            Due::Settle(_) => Some(Instant::now() + PAUSE),
            Due::Pack(at) | Due::Quiet(at) => Some(at),
        }
    }

    fn settle(&self) {
        self.settle_on(locked(&self.session.screen));
    }

    /// As [`settle`](Self::settle), unless the screen is held: while a long history is wrapped anew,
    /// the other sessions are not to wait for it. Whether it was done.
    fn try_settle(&self) -> bool {
        let shown = match self.session.screen.try_lock() {
            Ok(shown) => shown,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        self.settle_on(shown);
        true
    }

    fn settle_on(&self, mut shown: MutexGuard<'_, Shown>) {
        self.session.settle(&mut shown);
        self.session.note_screen(&shown.screen);
        let signals = shown.screen.take_signals();
        drop(shown);
        self.session.notice(signals, self.clock.unix());
    }

    /// Does what is due, and sees what is next.
    fn catch_up(&mut self) {
        let now = Instant::now();
        let quiet_after = self.session.keeping.quiet_after;
        self.due = match self.due {
            Due::Never => Due::Never,
            Due::Settle(since) if !self.try_settle() => Due::Settle(since),
            Due::Settle(_) => Due::Pack(now + IDLE.min(quiet_after.unwrap_or(IDLE))),
            Due::Pack(_) if self.session.pack() => Due::Pack(now + PACKING),
            Due::Pack(_) => {
                let left = quiet_after.map(|after| after.saturating_sub(IDLE));
                left.map_or(Due::Never, |left| Due::Quiet(now + left))
            }
            Due::Quiet(_) => {
                self.session.fall_quiet(self.clock.unix());
                Due::Never
            }
        };
    }
}

impl Session {
    /// The output that the screen has not seen, in bytes.
    pub(super) fn unseen(&self) -> u64 {
        self.log().range().end.saturating_sub(self.seen.load(Ordering::Acquire))
    }

    /// What may wait for the screen before more is read, in bytes: the log keeps that, and what is
    /// read next.
    pub(super) fn most_unseen(&self) -> u64 {
        UNSEEN.min(self.keeping.output.saturating_sub(READ as u64) / 2)
    }

    /// Packs some of what is kept; says whether there is more.
    fn pack(&self) -> bool {
        let packed = self.log().pack();
        if packed != Packed::Nothing {
            trim::soon();
        }
        packed == Packed::Some
    }

    /// The program has ended.
    fn finish(&self, status: ExitStatus, now: u64) {
        locked(&self.pty).take();
        self.keyboards().drop_waiting();
        self.ended.send_replace(Some(Ended { at: now, status }));
        self.wake_all();
        if locked(&self.viewers).is_empty() {
            self.want_look(AttentionReason::Ended, None, None, now);
        }
        self.report(News::Ended);
    }
}

/// Writes queued input for ever.
async fn write_input(session: &Session, pty: &Pty) {
    loop {
        if !session.keyboards().wait() {
            session.more_input.notified().await;
            continue;
        }
        // Under one lock: whoever attaches is told what is written, and not more.
        let mut written = Ok(0);
        let whose = session.keyboards().write(|bytes| {
            written = pty.try_write(bytes);
            *written.as_ref().unwrap_or(&0)
        });
        if matches!(written, Ok(0)) && matches!(pty.writable().await, Ok(false)) {
            continue;
        }
        if !matches!(written, Ok(1..)) {
            // It looks writable for ever, or there is no descriptor to wait with: trying on would
            // keep this thread from other sessions.
            tokio::time::sleep(LOOK_AGAIN).await;
            continue;
        }
        let viewers = locked(&session.viewers);
        let types = |viewer: &&Arc<Viewer>| viewer.turn.map(|turn| turn.keyboard) == whose;
        viewers.iter().filter(types).for_each(|viewer| viewer.wake());
    }
}

#[cfg(test)]
#[path = "keeper_tests.rs"]
mod tests;
