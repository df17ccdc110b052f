//! A device on a slow link holds up neither the session nor the devices beside it, takes little
//! of the daemon's memory, and sees the screen of now as soon as its link allows.

use std::time::{Duration, Instant};

use codeout_daemon::OfferLimits;
use codeout_device::{AttachmentReader, Connection, SessionOutput};
use codeout_protocol::message::{ExitStatus, OUTPUT_WINDOW, SessionId};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::desk::{
    Desk, attach, attach_for_long, entry, in_time, open, poll, read_until, script, watch as look,
};
use crate::nothing_lost::{read_numbers, ready, type_numbers};
use crate::path::Path;
use crate::process::DaemonProcess;
use crate::program::{PRINTED, numbered};
use crate::view::View;

/// What the slow link lets through, in bytes a second.
const SLOW: u64 = 10 << 10;
/// What a slow device may still be sent when its link gets fast, in bytes: the output that is kept,
/// if the link is now fast enough for that, the window, and what encryption adds.
const BEHIND: u64 = (4 << 20) + OUTPUT_WINDOW + (128 << 10);
/// What the session prints, in bytes: less where the daemon is not optimised.
const PRINTS: u64 = if cfg!(debug_assertions) { 50 << 20 } else { 200 << 20 };
/// The memory that a device and a session's output and history may take, in KiB.
const MEMORY: u64 = 32 << 10;

/// Shows what comes in a task of its own, and tells the last line after each piece.
fn show(mut reader: AttachmentReader) -> (JoinHandle<(View, bool)>, watch::Receiver<String>) {
    let (tell, last_line) = watch::channel(String::new());
    let showing = tokio::spawn(async move {
        let mut view = View::new(80, 24);
        while let Some(output) = reader.read().await {
            if let SessionOutput::Ended(_) = output {
                return (view, true);
            }
            view.take(&output);
            tell.send_replace(view.last_line());
        }
        (view, false)
    });
    (showing, last_line)
}

/// Waits until the last line is this one.
async fn shows(last_line: &mut watch::Receiver<String>, text: &str) {
    in_time(last_line.wait_for(|line| line == text)).await.unwrap();
}

/// Opens a session that waits for a key, prints, and says how long that took in milliseconds.
async fn printer(connection: &Connection) -> SessionId {
    let line = "0123456789 abcdefghijklmnopqrstuvwxyz \\033[1mbold\\033[m";
    let program = format!(
        "stty -echo; echo ready; read x; line=$(printf '{line}'); began=$(date +%s%3N); \
         yes \"$line\" | head -c {PRINTS}; printf '\\033[mtook %s ms\\n' $(($(date +%s%3N) - began)); \
         read x"
    );
    open(connection, script(&program)).await.session
}

/// Lets it print; waits for its end as `sessions` shows it, and says how long it took.
async fn print(connection: &Connection, session: SessionId) -> Duration {
    let mut attachment = attach(connection, session).await;
    read_until(&mut attachment, "ready").await;
    attachment.write_input(b"\n").await.unwrap();
    in_time(attachment.detach()).await.unwrap();
    let took = async || {
        let line = entry(connection, session).await.last_line?;
        line.strip_prefix("took ")?.strip_suffix(" ms")?.parse().ok()
    };
    Duration::from_millis(in_time(poll(took)).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_device_slows_nothing_down_and_sees_the_screen_of_now() {
    let process = DaemonProcess::start().await;
    let connection = process.connect().await;
    let session = printer(&connection).await;
    let alone = print(&connection, session).await;

    let path = Path::to(process.port).await;
    let (_, slow) = process.pair("phone", path.port).await;
    let session = printer(&connection).await;
    let before = process.memory();
    let (_, reader) = look(&slow, session).await.split();
    let (showing, mut last_line) = show(reader);
    shows(&mut last_line, "ready").await;
    path.throttle(Some(SLOW));
    let beside = print(&connection, session).await;
    let after = process.memory();
    println!(
        "{} MiB printed in {alone:?} with no device, in {beside:?} with a slow one: ratio {:.2}",
        PRINTS >> 20,
        beside.as_secs_f64() / alone.as_secs_f64()
    );
    if let (Some(before), Some(after)) = (before, after) {
        println!("the daemon's memory: {before} KiB before, {after} KiB after");
        assert!(after.saturating_sub(before) <= MEMORY);
    }

    // The link is fast again: it shows the screen of now.
    let (at, began) = (path.taken_from_daemon(), Instant::now());
    path.throttle(None);
    let end = format!("took {} ms", beside.as_millis());
    shows(&mut last_line, &end).await;
    let behind = path.taken_from_daemon() - at;
    println!("shown {:?} and {behind} bytes after its link was fast again", began.elapsed());
    assert!(behind <= BEHIND, "{behind}");

    // It is the very screen.
    let (_, reader) = look(&connection, session).await.split();
    let (fresh, mut fresh_line) = show(reader);
    shows(&mut fresh_line, &end).await;
    let typist = process.connect().await;
    attach(&typist, session).await.write_input(b"\n").await.unwrap();
    let (slow_view, ended) = in_time(showing).await.unwrap();
    let (fresh_view, _) = in_time(fresh).await.unwrap();
    assert!(ended && slow_view.screen() == fresh_view.screen());
    println!("{} snapshots", slow_view.snapshots());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fast_device_gets_every_byte_beside_a_slow_one() {
    /// 32 MiB.
    const BLOCKS: u64 = (32 << 20) / PRINTED as u64;
    let desk = Desk::start().await;
    let path = Path::to(desk.port()).await;
    let (_, slow) = desk.pair("phone", path.port, OfferLimits::default()).await;
    let connection = desk.connect().await;
    let session = open(&connection, numbered(BLOCKS)).await.session;
    let own = desk.connect().await;
    let (input, mut reader) = attach_for_long(desk.local(), own, session, true).await;
    ready(&mut reader).await;
    let (_, slow_reader) = look(&slow, session).await.split();
    let (showing, mut last_line) = show(slow_reader);
    in_time(last_line.wait_for(|line| line.ends_with("READY"))).await.unwrap();
    path.throttle(Some(SLOW));

    let (tell, read) = watch::channel(0);
    let (seen, ()) =
        tokio::join!(read_numbers(&mut reader, &tell), type_numbers(&input, BLOCKS, vec![read]));
    assert_eq!((seen.status, seen.bytes), (ExitStatus::Exit(0), BLOCKS * PRINTED as u64));
    let at = path.taken_from_daemon();
    path.throttle(None);
    let (slow_view, ended) = in_time(showing).await.unwrap();
    assert!(ended);
    let (fresh, _) = show(look(&connection, session).await.split().1);
    let (fresh_view, _) = in_time(fresh).await.unwrap();
    assert!(slow_view.screen() == fresh_view.screen());
    let behind = path.taken_from_daemon() - at;
    println!(
        "{behind} bytes came when its link was fast again, {} snapshots",
        slow_view.snapshots()
    );
    assert!(behind <= BEHIND, "{behind}");
    desk.stop().await;
}
