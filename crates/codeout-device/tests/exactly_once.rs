//! What is typed and shown over links that are cut at any point, in time that the test turns.

#![allow(clippy::unwrap_used, reason = "a test that fails")]

mod daemon;

use std::time::Duration;

use codeout_device::{
    Backoff, Daemon, Lasted, LastingEnd, LastingOptions, SessionOutput, attach_lasting,
};
use codeout_protocol::message::ExitStatus;
use daemon::lasting::{options, served};
use daemon::{Behaviour, Session, TestDaemon};

const QUICK: Backoff = Backoff {
    first: Duration::from_millis(10),
    longest: Duration::from_millis(50),
    patience: None,
};

/// Numbers of a fixed sequence: every run is the same.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % sides).unwrap()
    }
}

/// Types and reads through links that are cut at random points.
async fn exactly_once(seed: u64, daemon: &TestDaemon, how: Daemon, snapshots: bool) {
    let mut dice = Dice(seed);
    let cuts = (0..30).map(|_| Behaviour::CutAfter(2 + dice.throw(25))).collect::<Vec<_>>();
    daemon.session(1, |session| session.chunk = 1 + dice.throw(40));
    daemon.behave([Behaviour::CutAfter(40)].into_iter().chain(cuts));
    let connection = how.connect().await.unwrap();
    let lasting =
        attach_lasting(how, connection, LastingOptions { backoff: QUICK, ..options() }).await;
    let (_, input, mut reader) = lasting.unwrap();

    let mut typed = Vec::new();
    let write = async {
        for number in 0..400usize {
            let piece = vec![b'a' + (number % 26) as u8; dice.throw(60)];
            input.write(&piece).await.unwrap();
            typed.extend_from_slice(&piece);
            daemon::lasting::turn_clock(Duration::from_millis(dice.throw(40) as u64)).await;
            if snapshots && number % 20 == 0 {
                daemon.session(1, |session| session.kept_from = session.output.len() as u64 + 300);
            }
        }
        input.write(b".").await.unwrap();
        typed.push(b'.');
    };
    let mut shown = Vec::new();
    let mut voids = 0;
    let mut links = 0;
    let read = async {
        let mut is_down = false;
        loop {
            match reader.next().await.unwrap() {
                Lasted::Output(output) => {
                    assert!(!is_down, "output while there is no link");
                    match output {
                        SessionOutput::Snapshot { .. } => {
                            voids += 1;
                            shown.clear();
                        }
                        SessionOutput::Bytes(bytes) => shown.extend_from_slice(&bytes),
                        SessionOutput::SnapshotEnd => {}
                        SessionOutput::Ended(_) => panic!("said otherwise"),
                    }
                }
                Lasted::LinkDown { .. } => is_down = true,
                Lasted::LinkUp => {
                    assert!(std::mem::take(&mut is_down));
                    links += 1;
                }
                Lasted::Over(end) => return end,
            }
        }
    };
    let ((), end) = tokio::join!(write, read);
    assert!(matches!(end, LastingEnd::Session(ExitStatus::Exit(7))), "{end:?}");
    assert!(links >= 10, "{links} links");
    daemon.session(1, |session| {
        assert_eq!(session.typed.len(), 1, "one keyboard");
        assert!(session.typed.values().all(|got| *got == typed), "seed {seed}");
        assert!(session.output.ends_with(&shown), "seed {seed}");
        if snapshots {
            assert!(voids > 1 && shown.len() >= session.screen().len().min(100));
        } else {
            assert_eq!((voids, shown.len()), (1, session.output.len()), "seed {seed}");
        }
    });
}

#[tokio::test(start_paused = true)]
async fn every_key_and_every_byte_once_over_many_cut_links() {
    for seed in 0..30 {
        let (daemon, _control, how) = served().await;
        exactly_once(seed, &daemon, how, false).await;
    }
}

#[tokio::test(start_paused = true)]
async fn and_when_output_is_no_longer_to_be_had() {
    for seed in 100..120 {
        let (daemon, _control, how) = served().await;
        exactly_once(seed, &daemon, how, true).await;
    }
}

#[tokio::test(start_paused = true)]
async fn and_over_a_network() {
    for seed in 200..203 {
        let daemon = TestDaemon::start().await;
        daemon.put_session(1, Session::new());
        let how = Daemon::Paired(Box::new(daemon.profile()));
        assert_eq!(how.name(), "desk");
        exactly_once(seed, &daemon, how, false).await;
    }
}
