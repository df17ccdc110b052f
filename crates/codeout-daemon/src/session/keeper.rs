//! What keeps one session going: its output, its input, and its end.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use codeout_protocol::message::{Ended, ExitStatus};
use rustix::process::{Signal, WaitOptions, WaitStatus, waitpid};
use tokio::signal::unix::{SignalKind, signal};

use super::{Session, locked};
use crate::clock::Clock;

/// What is read from the terminal at a time, in bytes.
const READ: usize = 1 << 16;
/// The screen need not see what rushes by until so much waits for it, in bytes.
const UNSEEN: u64 = 1 << 21;
/// The silence after which a session whose program has ended is over, while another program
/// holds its terminal open.
const LAST_OUTPUT: Duration = Duration::from_millis(100);

/// Moves a session's bytes until its program has ended, on the runtime that reads terminals.
pub(super) async fn keep(session: Arc<Session>, clock: Arc<dyn Clock>) {
    let status = tokio::select! {
        status = run(&session, clock.as_ref()) => status,
        () = write_input(&session) => unreachable!("writes as long as it is let"),
        () = cry(&session) => unreachable!("cries as long as it is let"),
    };
    let status = status.unwrap_or(ExitStatus::Signal(0));
    session.ended.send_replace(Some(Ended { at: clock.unix(), status }));
    session.wake_all();
}

async fn run(session: &Session, clock: &dyn Clock) -> io::Result<ExitStatus> {
    let mut buffer = vec![0; READ];
    let status = {
        let mut ended = std::pin::pin!(wait(session));
        let mut silent = false;
        loop {
            tokio::select! {
                biased;
                status = &mut ended => break status?,
                there = session.pty.readable(), if !silent => {
                    there?;
                    silent = !read(session, clock, &mut buffer)?;
                }
            }
        }
    };
    // What the program printed last may still be on its way through the terminal. Another
    // program may hold the terminal open for ever, so that only silence tells the end.
    while let Ok(there) = tokio::time::timeout(LAST_OUTPUT, session.pty.readable()).await {
        there?;
        if !read(session, clock, &mut buffer)? {
            break;
        }
    }
    Ok(status)
}

/// Reads what is there. False when nothing will come any more.
fn read(session: &Session, clock: &dyn Clock, buffer: &mut [u8]) -> io::Result<bool> {
    let count = session.pty.read(buffer)?;
    if let Some(count @ 1..) = count {
        session.publish(&buffer[..count], clock.unix());
    }
    let rushes = count == Some(buffer.len());
    let mut shown = locked(&session.screen);
    if !rushes || session.log().range().end - shown.seen >= UNSEEN {
        session.settle(&mut shown);
    }
    Ok(count != Some(0))
}

/// Waits until the program has ended.
async fn wait(session: &Session) -> io::Result<ExitStatus> {
    let mut children = signal(SignalKind::child())?;
    loop {
        let mut group = locked(&session.group);
        let Some(pid) = *group else { return Ok(ExitStatus::Signal(0)) };
        if let Some((_, status)) = waitpid(Some(pid), WaitOptions::NOHANG)? {
            // Its number may soon be another's.
            group.take();
            return Ok(exit_status(status));
        }
        drop(group);
        children.recv().await;
    }
}

fn exit_status(status: WaitStatus) -> ExitStatus {
    let byte = |number: i32| u8::try_from(number).unwrap_or(u8::MAX);
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => ExitStatus::Exit(byte(code)),
        (None, signal) => ExitStatus::Signal(signal.map_or(0, byte)),
    }
}

/// Writes queued input for ever.
async fn write_input(session: &Session) {
    loop {
        let Some(next) = session.keyboards().next() else {
            session.more_input.notified().await;
            continue;
        };
        let Ok(count) = session.pty.write(&next).await else {
            // Nobody reads this terminal any more; how the session ends is for others.
            return std::future::pending().await;
        };
        let whose = session.keyboards().wrote(count);
        let viewers = locked(&session.viewers);
        viewers.iter().filter(|viewer| viewer.keyboard == whose).for_each(|viewer| viewer.wake());
    }
}

/// Wakes viewers for ever, whenever there is news for more of them than can be sent it at once.
async fn cry(session: &Session) {
    loop {
        session.crier.notified().await;
        session.wake_all();
    }
}

/// Ends the programs that did not heed a hang-up.
pub(super) fn kill(session: &Session) {
    session.signal(Signal::KILL);
}
