//! However often the link is cut, and wherever: what the device shows and what the program reads
//! is what was sent, once, in order.

use codeout_daemon::OfferLimits;
use codeout_device::{Lasted, LastingEnd, LastingInput, LastingReader, SessionOutput};
use codeout_protocol::message::ExitStatus;
use tokio::sync::watch;

use crate::desk::{Desk, attach_for_long, contains, in_time, open};
use crate::numbers::Numbers;
use crate::path::Path;
use crate::program::{PRINTED, READY, TYPED, numbered};

/// Blocks that the program prints: 64 MiB.
const BLOCKS: u64 = (64 << 20) / PRINTED as u64;
/// Links that are cut.
const CUTS: u64 = 200;

/// Reads until the program is ready. What it prints from the offset on that this returns is
/// numbered.
pub(crate) async fn ready(reader: &mut LastingReader) -> u64 {
    let (mut all, mut in_snapshot) = (Vec::new(), false);
    while in_snapshot || !contains(&all, READY.as_bytes()) {
        match in_time(reader.next()).await.unwrap() {
            Lasted::Output(SessionOutput::Bytes(bytes)) => all.extend_from_slice(&bytes),
            Lasted::Output(SessionOutput::Snapshot { .. }) => in_snapshot = true,
            Lasted::Output(SessionOutput::SnapshotEnd) => in_snapshot = false,
            other => panic!("{other:?}: {:?}", String::from_utf8_lossy(&all)),
        }
    }
    reader.offset().unwrap()
}

/// What a device went through until the program ended.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) status: ExitStatus,
    pub(crate) bytes: u64,
    pub(crate) links_lost: u64,
}

/// Reads numbered lines to the end, and tells after each block how many there were. A byte that
/// is not the next one, or a snapshot in the place of bytes, fails the test.
pub(crate) async fn read_numbers(reader: &mut LastingReader, blocks: &watch::Sender<u64>) -> Seen {
    let mut numbers = Numbers::new();
    let mut links_lost = 0;
    let mut down = false;
    loop {
        match in_time(reader.next()).await.unwrap() {
            Lasted::Output(SessionOutput::Bytes(bytes)) => {
                let at = numbers.taken();
                assert!(numbers.are_next(&bytes), "wrong bytes behind {at}, {links_lost} cuts");
                blocks.send_replace(numbers.taken() / PRINTED as u64);
            }
            Lasted::LinkDown { .. } => {
                links_lost += u64::from(!down);
                down = true;
            }
            Lasted::LinkUp => down = false,
            Lasted::Over(LastingEnd::Session(status)) => {
                return Seen { status, bytes: numbers.taken(), links_lost };
            }
            other => panic!("{other:?} behind {} bytes", numbers.taken()),
        }
    }
}

/// Types numbered lines: a block, and one more for each that every reader has read.
pub(crate) async fn type_numbers(
    input: &LastingInput,
    blocks: u64,
    mut readers: Vec<watch::Receiver<u64>>,
) {
    let mut numbers = Numbers::new();
    for block in 0..=blocks {
        for read in &mut readers {
            in_time(read.wait_for(|read| *read >= block)).await.unwrap();
        }
        in_time(input.write(&numbers.take(TYPED))).await.unwrap();
    }
}

/// Pseudo-random numbers from a seed (xorshift64).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// Below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_cut_links_lose_and_double_nothing() {
    const SEED: u64 = 0x5eed_0000_c0de_0017;
    println!("seed {SEED:#x}");
    let began = std::time::Instant::now();
    let desk = Desk::start().await;
    let path = Path::to(desk.port()).await;
    let (daemon, connection) = desk.pair("laptop", path.port, OfferLimits::default()).await;
    let session = open(&connection, numbered(BLOCKS)).await.session;

    // Some links end in the handshake, most in the middle of records.
    let mut random = Random::new(SEED);
    path.cut_after((0..CUTS).map(|_| 1 + random.below(600 << 10)));
    let (input, mut reader) = attach_for_long(daemon, connection, session, true).await;
    ready(&mut reader).await;
    path.cut_all();
    let (tell, blocks) = watch::channel(0);
    let (seen, ()) =
        tokio::join!(read_numbers(&mut reader, &tell), type_numbers(&input, BLOCKS, vec![blocks]));
    assert_eq!(seen.status, ExitStatus::Exit(0), "the program read something else");
    assert_eq!(seen.bytes, BLOCKS * PRINTED as u64);
    assert_eq!(path.cut(), CUTS + 1, "seed {SEED:#x}");
    println!(
        "{} MiB printed, {} MiB typed, {} links cut, {} of them noticed while reading, {:?}",
        seen.bytes >> 20,
        ((BLOCKS + 1) * TYPED as u64) >> 20,
        path.cut(),
        seen.links_lost,
        began.elapsed()
    );
    desk.stop().await;
}
