//! Many devices watch one session: all end with the same screen.

use std::sync::Arc;

use codeout_device::{AttachmentReader, SessionOutput};
use codeout_protocol::message::ExitStatus;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::desk::{Desk, attach_for_long, in_time, open, watch};
use crate::nothing_lost::{read_numbers, ready, type_numbers};
use crate::numbers::Numbers;
use crate::program::{PRINTED, numbered};
use crate::view::View;

/// Devices that watch.
const DEVICES: usize = 50;
/// Blocks that the session prints: 4 MiB.
const BLOCKS: u64 = (4 << 20) / PRINTED as u64;

/// Reads to the end. Every byte between snapshots must be the one that the program printed there;
/// the numbered ones begin at `base`.
async fn watch_to_end(mut reader: AttachmentReader, base: u64, numbered: &[u8]) -> View {
    let mut view = View::new(80, 24);
    loop {
        let before = reader.offset();
        let output = in_time(reader.read()).await.expect("the session says its end");
        view.take(&output);
        match (output, before) {
            (SessionOutput::Ended(status), _) => {
                assert_eq!(status, ExitStatus::Exit(0));
                return view;
            }
            (SessionOutput::Bytes(bytes), Some(before)) => {
                let from = usize::try_from(before - base).unwrap();
                assert!(numbered[from..].starts_with(&bytes), "wrong bytes behind {from}");
            }
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_devices_see_the_same() {
    let desk = Desk::start().await;
    let connection = desk.connect().await;
    let session = open(&connection, numbered(BLOCKS)).await.session;
    let own = desk.connect().await;
    let (input, mut reader) = attach_for_long(desk.local(), own, session, true).await;
    let base = ready(&mut reader).await;
    let printed = Numbers::new().take(usize::try_from(BLOCKS).unwrap() * PRINTED);
    let printed: Arc<[u8]> = printed.into();

    let mut watching = JoinSet::new();
    for _ in 0..DEVICES {
        let device = desk.connect().await;
        let (_, reader) = watch(&device, session).await.split();
        let printed = Arc::clone(&printed);
        watching.spawn(async move { (watch_to_end(reader, base, &printed).await, device) });
    }
    let (tell, read) = watch::channel(0);
    let (seen, ()) =
        tokio::join!(read_numbers(&mut reader, &tell), type_numbers(&input, BLOCKS, vec![read]));
    assert_eq!(seen.status, ExitStatus::Exit(0));
    let mut whole = View::new(80, 24);
    whole.feed(&printed);
    let mut snapshots = 0;
    for (view, _) in watching.join_all().await {
        assert!(view.screen() == whole.screen(), "{:?}", view.last_line());
        snapshots += view.snapshots();
    }
    println!("{DEVICES} devices, {} MiB each, {snapshots} snapshots", printed.len() >> 20);
    desk.stop().await;
}
