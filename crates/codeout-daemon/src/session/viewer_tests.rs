use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

use super::*;
use crate::local_link::FrameWriter;
use crate::session::tests::session;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// Somebody who looks at a session, and the device's end of the connection.
fn watch(session: &Arc<Session>, history: usize) -> (UnixStream, Arc<Viewer>) {
    let (device, daemon) = UnixStream::pair().unwrap();
    let outbox = Outbox::local(FrameWriter::new(daemon.into_split().1));
    (device, look(session, outbox, history))
}

fn look(session: &Arc<Session>, outbox: Outbox, history: usize) -> Arc<Viewer> {
    let device = "laptop".to_owned();
    session.attach(Attaching { outbox, device, typing: None, after: None, history }).0
}

async fn frame(stream: &mut UnixStream) -> Vec<u8> {
    let reading = async {
        let length = stream.read_u32().await.unwrap();
        let mut plaintext = vec![0; length as usize];
        stream.read_exact(&mut plaintext).await.unwrap();
        plaintext
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("nothing comes")
}

#[tokio::test]
async fn what_comes_before_a_viewer_is_added_reaches_it() {
    let session = session();
    let (mut device, viewer) = watch(&session, 0);
    let running = Arc::clone(&viewer);
    let task = tokio::spawn(async move { running.run().await });
    while !String::from_utf8_lossy(&frame(&mut device).await).contains("snapshot_end") {}
    // It has looked, and waits to be told.
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    session.publish(b"hello", 1);
    session.add(&viewer);
    assert!(frame(&mut device).await.ends_with(b"hello"));
    task.abort();
    session.end().await;
}

#[tokio::test]
async fn a_busy_device_gets_what_comes_together_in_one_chunk() {
    let session = session();
    let (mut device, viewer) = watch(&session, 0);
    session.add(&viewer);
    let running = Arc::clone(&viewer);
    let task = tokio::spawn(async move { running.run().await });
    let mut acknowledged = 0;
    while acknowledged < 2 * MAX_CHUNK as u64 {
        match FromDaemon::read(&frame(&mut device).await).unwrap() {
            FromDaemon::Snapshot(chunk) | FromDaemon::Output(chunk) => {
                acknowledged += chunk.bytes.len() as u64;
                viewer.acknowledge(acknowledged).unwrap();
            }
            FromDaemon::Event(Event::SnapshotEnd { .. }) => {
                session.publish(&[b'x'; 2 * MAX_CHUNK], 1);
            }
            _ => {}
        }
    }
    // Little by little the device gets everything at once, until it is busy with so much.
    let part = [b'y'; MUCH];
    let mut sent = 0;
    while sent < codeout_protocol::message::ACKNOWLEDGE_AFTER {
        session.publish(&part, 1);
        let frame = frame(&mut device).await;
        let Ok(FromDaemon::Output(chunk)) = FromDaemon::read(&frame) else { panic!() };
        assert_eq!(chunk.bytes, part);
        sent += chunk.bytes.len() as u64;
    }
    session.publish(b"to", 1);
    session.publish(b"gether", 1);
    assert!(frame(&mut device).await.ends_with(b"together"));
    task.abort();
    session.end().await;
}

#[tokio::test]
async fn a_connection_has_one_snapshot_on_its_way() {
    let (device, daemon) = UnixStream::pair().unwrap();
    let (mut device, (_reading, writing)) = (device, daemon.into_split());
    let outbox = Outbox::local(FrameWriter::new(writing));
    // More than may be on its way unacknowledged.
    let cell = |at: usize| {
        let (red, blue) = (100 + at % 100, 100 + at / 100);
        format!("\x1b[38;2;{red};{blue};200;48;2;{blue};{red};201mx")
    };
    let screen: String = (0..80 * 24).map(cell).collect();
    let viewers = [session(), session()].map(|session| {
        session.publish(screen.as_bytes(), 1);
        look(&session, outbox.clone(), 0)
    });
    let mut tasks = Vec::new();
    for viewer in &viewers {
        viewer.session().add(viewer);
        let running = Arc::clone(viewer);
        tasks.push(tokio::spawn(async move { running.run().await }));
    }
    let (mut begun, mut ended, mut sent) = (0, 0, 0);
    while ended < 2 {
        match FromDaemon::read(&frame(&mut device).await).unwrap() {
            FromDaemon::Event(Event::Snapshot { .. }) => {
                begun += 1;
                assert_eq!((begun, ended), (ended + 1, ended));
            }
            FromDaemon::Snapshot(chunk) => {
                sent += chunk.bytes.len() as u64;
                assert_eq!(begun, ended + 1);
                // The window of one is full, and the other one keeps still.
                viewers[ended].acknowledge(sent).unwrap();
            }
            FromDaemon::Event(Event::SnapshotEnd { .. }) => (ended, sent) = (ended + 1, 0),
            other => panic!("{other:?}"),
        }
    }
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    for viewer in viewers {
        viewer.session().end().await;
    }
}

#[tokio::test]
async fn without_room_no_piece_of_a_snapshot_leaves() {
    let session = session();
    let (device, viewer) = watch(&session, 0);
    let turn = viewer.outbox.snapshot_turn().await.unwrap();
    let (mut snapshot, _) = viewer.begin(0, turn).await;
    let room = viewer.flow().room();
    viewer.flow().sent(room, Instant::now());
    assert!(!viewer.go_on(&mut snapshot).await.unwrap());
    // An empty chunk is a violation, which would end the attachment for good.
    // Asked of the system: the runtime tells only of what it has waited for.
    let device = device.into_std().unwrap();
    let nothing = io::Read::read(&mut &device, &mut [0]).unwrap_err();
    assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
    viewer.acknowledge(room as u64).unwrap();
    assert!(viewer.go_on(&mut snapshot).await.unwrap());
    session.end().await;
}

#[tokio::test]
async fn a_size_that_changes_before_a_snapshot_leaves_costs_no_history() {
    let session = session();
    let (_device, viewer) = watch(&session, 7);
    let mut cursor = viewer.cursor.lock().await;
    for _ in 0..2 {
        viewer.step(&mut cursor).await.unwrap();
        assert!(matches!(&cursor.phase, Phase::Snapshot(snapshot) if snapshot.lines == 7));
        assert_eq!(cursor.generation, session.generation());
        session.generation.fetch_add(1, Ordering::AcqRel);
    }
    drop(cursor);
    session.end().await;
}
