//! Sessions as the benchmarks open and watch them.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use codeout_device::{Attachment, Connection, SessionOutput};
use codeout_protocol::message::{Answer, Attach, Open, Request, SessionId};
use tokio::task::JoinHandle;

use crate::processes::{PATIENCE, World};

/// Opens a session of 80 by 24 in which a shell does what `script` says.
pub(crate) async fn open(connection: &Connection, name: &str, script: &str) -> SessionId {
    let open = Open {
        columns: 80,
        rows: 24,
        program: Some("/bin/sh".to_owned()),
        arguments: vec!["-c".to_owned(), script.to_owned()],
        name: Some(name.to_owned()),
        ..Open::default()
    };
    match connection.request(Request::Open(open)).await.expect("the session opens") {
        Answer::Opened { opened } => opened.session,
        answer => panic!("the daemon answers {answer:?}"),
    }
}

/// Attaches without a size; `keyboard` types, and without one it only looks.
pub(crate) async fn attach(
    connection: &Connection,
    session: SessionId,
    keyboard: Option<u64>,
) -> Attachment {
    let attach = Attach { session, keyboard, ..Attach::default() };
    connection.attach(attach).await.expect("the session is there").1
}

/// Ends a session, and does not wait until it has.
pub(crate) async fn end(connection: &Connection, session: SessionId) {
    connection.request(Request::End { session }).await.expect("the session is there");
}

/// A session that prints a file whenever it is told to.
pub(crate) struct Printer {
    pub(crate) session: SessionId,
    go: File,
    done: File,
}

impl Printer {
    pub(crate) async fn open(
        connection: &Connection,
        world: &World,
        name: &str,
        file: &Path,
    ) -> Printer {
        let directory = world.directory(&format!("printer-{name}"));
        let [go, done] = ["go", "done"].map(|pipe| directory.join(pipe));
        let made = Command::new("mkfifo").arg(&go).arg(&done).status();
        assert!(made.is_ok_and(|status| status.success()), "mkfifo makes pipes");
        let script = format!(
            "exec 3<{} 4>{}; while read line <&3; do cat {}; echo >&4; done",
            go.display(),
            done.display(),
            file.display()
        );
        // Open for both, so that neither end waits for the other.
        let both = |path| OpenOptions::new().read(true).write(true).open(path).expect("a pipe");
        let (go, done) = (both(&go), both(&done));
        Printer { session: open(connection, name, &script).await, go, done }
    }

    /// Lets it print, and waits until its program has. Returns how long that took.
    pub(crate) fn print(&mut self) -> Duration {
        let begun = Instant::now();
        self.go.write_all(b"\n").expect("the session reads it");
        self.done.read_exact(&mut [0]).expect("the session says when it is done");
        begun.elapsed()
    }
}

/// A device that watches a session, as fast as it can or as it is let.
pub(crate) struct Watcher {
    seen: Arc<Seen>,
    task: JoinHandle<()>,
    // Behind the task: dropped, it is cut.
    _connection: Connection,
}

/// What a device has seen.
#[derive(Default)]
struct Seen {
    output: AtomicU64,
    snapshots: AtomicU64,
    whole_snapshots: AtomicU64,
}

impl Watcher {
    /// Attaches and reads, at most `rate` bytes a second if one is given.
    pub(crate) async fn start(
        connection: Connection,
        session: SessionId,
        rate: Option<f64>,
    ) -> Watcher {
        let attachment = attach(&connection, session, None).await;
        let seen = Arc::new(Seen::default());
        let task = tokio::spawn(watch(attachment, Arc::clone(&seen), rate));
        Watcher { seen, task, _connection: connection }
    }

    /// The bytes of output that it got, without those of snapshots.
    pub(crate) fn output(&self) -> u64 {
        self.seen.output.load(Ordering::Acquire)
    }

    /// How many snapshots began.
    pub(crate) fn snapshots(&self) -> u64 {
        self.seen.snapshots.load(Ordering::Acquire)
    }

    /// Waits until it has seen that many whole snapshots.
    pub(crate) async fn shown(&self, snapshots: u64) {
        let begun = Instant::now();
        while self.seen.whole_snapshots.load(Ordering::Acquire) < snapshots {
            assert!(begun.elapsed() < PATIENCE * 3, "no snapshot comes");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn watch(mut attachment: Attachment, seen: Arc<Seen>, rate: Option<f64>) {
    let mut in_snapshot = false;
    while let Some(output) = attachment.read().await {
        match output {
            SessionOutput::Snapshot { .. } => {
                in_snapshot = true;
                seen.snapshots.fetch_add(1, Ordering::AcqRel);
            }
            SessionOutput::Bytes(bytes) => {
                if !in_snapshot {
                    seen.output.fetch_add(bytes.len() as u64, Ordering::AcqRel);
                }
                if let Some(rate) = rate {
                    tokio::time::sleep(Duration::from_secs_f64(bytes.len() as f64 / rate)).await;
                }
            }
            SessionOutput::SnapshotEnd => {
                in_snapshot = false;
                seen.whole_snapshots.fetch_add(1, Ordering::AcqRel);
            }
            SessionOutput::Ended(_) => return,
        }
    }
}
