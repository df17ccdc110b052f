//! A daemon is replaced by the next while its sessions print and are typed into: they go on, and
//! nothing is lost or doubled.

use std::time::Instant;

use codeout_daemon::control::Status;
use codeout_device::{Connection, LastingInput};
use codeout_protocol::message::{ExitStatus, SessionId};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::desk::{attach_for_long, in_time, open};
use crate::nothing_lost::{Seen, read_numbers, ready, type_numbers};
use crate::process::DaemonProcess;
use crate::program::{PRINTED, numbered};

/// Sessions that run.
const SESSIONS: usize = 20;
/// Those of them that each paired device watches. The one on this computer watches all.
const WATCHED: usize = 10;
/// Blocks that each prints: 512 KiB.
const BLOCKS: u64 = (512 << 10) / PRINTED as u64;

/// A session's readers, by how much each has read.
struct Readers {
    session: SessionId,
    read: Vec<watch::Receiver<u64>>,
}

/// Attaches a device to a session, to read it to its end in a task of its own.
async fn read_along(
    tasks: &mut JoinSet<Seen>,
    readers: &mut Readers,
    daemon: codeout_device::Daemon,
    connection: Connection,
) {
    let (_, mut reader) = attach_for_long(daemon, connection, readers.session, false).await;
    ready(&mut reader).await;
    let (tell, read) = watch::channel(0);
    readers.read.push(read);
    tasks.spawn(async move { read_numbers(&mut reader, &tell).await });
}

/// Waits until every reader of every session has read so many blocks.
async fn all_read(sessions: &[Readers], blocks: u64) {
    for read in sessions.iter().flat_map(|readers| &readers.read) {
        let mut read = read.clone();
        in_time(read.wait_for(|read| *read >= blocks)).await.unwrap();
    }
}

/// Opens the sessions. This computer watches all of them and types, a laptop and a phone watch half
/// of them each. Returns what is typed with, too.
async fn watched(
    process: &DaemonProcess,
    reading: &mut JoinSet<Seen>,
) -> (Vec<Readers>, Vec<LastingInput>) {
    let connection = process.connect().await;
    let (mut sessions, mut inputs) = (Vec::new(), Vec::new());
    for _ in 0..SESSIONS {
        let session = open(&connection, numbered(BLOCKS)).await.session;
        let own = process.connect().await;
        let (input, mut reader) = attach_for_long(process.local(), own, session, true).await;
        ready(&mut reader).await;
        let (tell, read) = watch::channel(0);
        reading.spawn(async move { read_numbers(&mut reader, &tell).await });
        inputs.push(input);
        sessions.push(Readers { session, read: vec![read] });
    }
    for (device, watched) in [("laptop", 0..WATCHED), ("phone", SESSIONS - WATCHED..SESSIONS)] {
        let (daemon, first) = process.pair(device, process.port).await;
        first.close().await;
        for readers in &mut sessions[watched] {
            let connection = daemon.connect().await.unwrap();
            read_along(reading, readers, daemon.clone(), connection).await;
        }
    }
    (sessions, inputs)
}

/// Asks the daemon to go on as another program, lets `more` blocks be typed then, and waits until
/// every device has read on.
async fn restart(
    process: &DaemonProcess,
    sessions: &[Readers],
    typing: &watch::Sender<u64>,
    more: u64,
) -> Status {
    let before = process.connect().await.sessions().await.unwrap();
    let began = Instant::now();
    let status = process.restart().await;
    let taken_over = began.elapsed();
    let after = process.connect().await.sessions().await.unwrap();
    assert_eq!(after.len(), SESSIONS);
    for (before, after) in before.iter().zip(&after) {
        assert!(after.ended.is_none(), "{after:?}");
        assert_eq!(
            (before.session, &before.name, before.opened_at),
            (after.session, &after.name, after.opened_at)
        );
    }
    let now = |read: &watch::Receiver<u64>| (read.clone(), *read.borrow());
    let all: Vec<_> = sessions.iter().flat_map(|readers| readers.read.iter().map(now)).collect();
    typing.send_replace(more);
    for (mut read, now) in all {
        in_time(read.wait_for(|read| *read > now)).await.unwrap();
    }
    println!("another program runs after {taken_over:?}; all went on after {:?}", began.elapsed());
    status
}

#[tokio::test(flavor = "multi_thread")]
async fn restarts_end_no_session_and_lose_no_byte() {
    let process = DaemonProcess::start().await;
    let before = process.status().await;
    let (mut reading, mut typing) = (JoinSet::new(), JoinSet::new());
    let (sessions, inputs) = watched(&process, &mut reading).await;
    let began = Instant::now();
    // All sessions keep together, and no further than this, so that none is done early.
    let (may_type, limit) = watch::channel(BLOCKS / 4);
    let mut all: Vec<_> = sessions.iter().flat_map(|readers| readers.read.clone()).collect();
    all.push(limit);
    for input in inputs {
        let read = all.clone();
        typing.spawn(async move { type_numbers(&input, BLOCKS, read).await });
    }

    for (number, part, more) in [(1, BLOCKS / 8, BLOCKS / 2), (2, BLOCKS / 4, BLOCKS)] {
        all_read(&sessions, part).await;
        let after = restart(&process, &sessions, &may_type, more).await;
        assert_eq!((after.pid, after.port), (before.pid, before.port));
        assert_eq!(after.restarts, number);
    }
    while let Some(seen) = reading.join_next().await {
        let seen = seen.unwrap();
        assert_eq!(seen.status, ExitStatus::Exit(0), "the program read something else");
        assert_eq!(seen.bytes, BLOCKS * PRINTED as u64);
    }
    typing.join_all().await;
    println!("{SESSIONS} sessions printed {} MiB in {:?}", SESSIONS / 2, began.elapsed());
    let ended = process.connect().await.sessions().await.unwrap();
    let statuses: Vec<_> = ended.iter().filter_map(|entry| Some(entry.ended?.status)).collect();
    assert_eq!(statuses, [ExitStatus::Exit(0); SESSIONS]);
}
