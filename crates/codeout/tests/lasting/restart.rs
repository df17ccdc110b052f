//! A daemon is replaced by the next while its sessions print and are typed into: they go on, and
//! nothing is lost or doubled.

use std::time::Instant;

use codeout_daemon::OfferLimits;
use codeout_device::Connection;
use codeout_protocol::message::{ExitStatus, SessionEntry, SessionId};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::desk::{Desk, attach_for_long, in_time, open};
use crate::nothing_lost::{Seen, read_numbers, ready, type_numbers};
use crate::process::DaemonProcess;
use crate::program::{AHEAD, PRINTED, numbered};

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

#[tokio::test(flavor = "multi_thread")]
async fn restarts_end_no_session_and_lose_no_byte() {
    let mut desk = Desk::start().await;
    let connection = desk.connect().await;
    let mut reading = JoinSet::new();
    let mut typing = JoinSet::new();
    let mut sessions = Vec::new();
    let mut inputs = Vec::new();
    for _ in 0..SESSIONS {
        let session = open(&connection, numbered(BLOCKS)).await.session;
        let mut readers = Readers { session, read: Vec::new() };
        let own = desk.connect().await;
        let (input, mut reader) = attach_for_long(desk.local(), own, session, true).await;
        ready(&mut reader).await;
        let (tell, read) = watch::channel(0);
        readers.read.push(read);
        reading.spawn(async move { read_numbers(&mut reader, &tell).await });
        inputs.push(input);
        sessions.push(readers);
    }
    for (device, watched) in [("laptop", 0..WATCHED), ("phone", SESSIONS - WATCHED..SESSIONS)] {
        let (daemon, first) = desk.pair(device, desk.port(), OfferLimits::default()).await;
        first.close().await;
        for readers in &mut sessions[watched] {
            let connection = daemon.connect().await.unwrap();
            read_along(&mut reading, readers, daemon.clone(), connection).await;
        }
    }
    let began = Instant::now();
    // All sessions keep together, so that none is done early.
    let all: Vec<_> = sessions.iter().flat_map(|readers| readers.read.clone()).collect();
    for input in inputs {
        let read = all.clone();
        typing.spawn(async move { type_numbers(&input, BLOCKS, read).await });
    }

    for part in [BLOCKS / 4, BLOCKS / 2] {
        all_read(&sessions, part).await;
        let (handed_over, before) = (Instant::now(), desk.sessions());
        desk.restart().await;
        let taken_over = handed_over.elapsed();
        // What the programs had printed and were typed before takes them so far.
        all_read(&sessions, part + 2 * AHEAD).await;
        println!(
            "handed over in {taken_over:?}; all devices went on after {:?}",
            handed_over.elapsed()
        );
        let after = desk.sessions();
        assert_eq!(after.len(), SESSIONS);
        for (before, after) in before.iter().zip(&after) {
            assert!(after.ended.is_none(), "{after:?}");
            assert_eq!(
                (before.session, &before.name, before.opened_at),
                (after.session, &after.name, after.opened_at)
            );
        }
    }
    while let Some(seen) = reading.join_next().await {
        let seen = seen.unwrap();
        assert_eq!(seen.status, ExitStatus::Exit(0), "the program read something else");
        assert_eq!(seen.bytes, BLOCKS * PRINTED as u64);
    }
    typing.join_all().await;
    println!("{SESSIONS} sessions printed {} MiB in {:?}", SESSIONS / 2, began.elapsed());
    desk.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemons_process_runs_another_program_and_keeps_its_sessions() {
    let process = DaemonProcess::start().await;
    let before = process.status().await;
    let connection = process.connect().await;
    let mut reading = JoinSet::new();
    let mut typing = JoinSet::new();
    let (mut reads, mut inputs) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        let session = open(&connection, numbered(BLOCKS)).await.session;
        let own = process.connect().await;
        let (input, mut reader) = attach_for_long(process.local(), own, session, true).await;
        ready(&mut reader).await;
        let (tell, read) = watch::channel(0);
        reading.spawn(async move { read_numbers(&mut reader, &tell).await });
        reads.push(read);
        inputs.push(input);
    }
    for input in inputs {
        let all = reads.clone();
        typing.spawn(async move { type_numbers(&input, BLOCKS, all).await });
    }
    // Each restart begins while all of them print.
    for (number, part) in [(1, BLOCKS / 8), (2, BLOCKS / 4)] {
        for read in &mut reads {
            in_time(read.wait_for(|read| *read >= part)).await.unwrap();
        }
        let began = Instant::now();
        let after = process.restart().await;
        println!("another program runs after {:?}", began.elapsed());
        assert_eq!((after.pid, after.port), (before.pid, before.port));
        assert_eq!(after.restarts, number);
    }
    while let Some(seen) = reading.join_next().await {
        let seen = seen.unwrap();
        assert_eq!(seen.status, ExitStatus::Exit(0), "the program read something else");
        assert_eq!(seen.bytes, BLOCKS * PRINTED as u64);
    }
    let sessions = process.connect().await.sessions().await.unwrap();
    let exited = |entry: &SessionEntry| entry.ended.map(|ended| ended.status);
    let statuses: Vec<_> = sessions.iter().filter_map(exited).collect();
    assert_eq!(statuses, [ExitStatus::Exit(0); 4]);
}
