//! Both directions of a channel beside a model of them: a record opens exactly when it is the
//! next one, unchanged, and nothing before it was refused.

#![no_main]

use std::time::Duration;

use arbitrary::Arbitrary;
use codeout_fuzz::{NOW, PAIRED, Transit};
use codeout_protocol::channel::{MAX_PLAINTEXT, MAX_RECORD, Opened, Opener, Sealer};
use codeout_protocol::error::Error;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Step<'a> {
    upwards: bool,
    action: Action<'a>,
}

#[derive(Arbitrary, Debug)]
enum Action<'a> {
    Seal {
        plaintext: &'a [u8],
        seconds: u16,
    },
    /// Lengths around the longest: a multiple of the longest, and some more or less.
    SealLong {
        longer: i8,
    },
    Finish(&'a [u8]),
    /// The record that is due.
    DeliverNext(Transit<'a>),
    /// Any record: early, late, or again.
    Deliver(u8, Transit<'a>),
    /// A record of the other direction.
    Reflect(u8),
}

/// One direction and what is known of it.
struct Direction {
    sealer: Option<Sealer>,
    opener: Opener,
    now: Duration,
    sent: Vec<(Vec<u8>, Opened)>,
    next: usize,
    broken: bool,
}

impl Direction {
    fn new(sealer: Sealer, opener: Opener) -> Self {
        let sealer = Some(sealer);
        Direction { sealer, opener, now: NOW, sent: Vec::new(), next: 0, broken: false }
    }

    fn seal(&mut self, plaintext: &[u8]) {
        let Some(sealer) = &mut self.sealer else {
            return;
        };
        match sealer.seal(self.now, plaintext) {
            Ok(record) => {
                assert!(plaintext.len() <= MAX_PLAINTEXT && record.len() <= MAX_RECORD);
                assert_eq!(record.len(), (plaintext.len() / 64 + 1) * 64 + 17);
                self.sent.push((record, Opened::Message(plaintext.to_vec())));
            }
            Err(error) => {
                assert!(error == Error::TooLong && plaintext.len() > MAX_PLAINTEXT);
            }
        }
    }

    fn finish(&mut self, plaintext: &[u8]) {
        let Some(sealer) = self.sealer.take() else {
            return;
        };
        let record = sealer.finish(plaintext).expect("an input is short");
        self.sent.push((record, Opened::Final(plaintext.to_vec())));
    }

    fn deliver(&mut self, record: &[u8]) {
        let ended = self.opener.has_ended();
        let due = self.sent.get(self.next).filter(|(due, _)| due == record);
        let opened = self.opener.open(record);
        if ended {
            assert_eq!(opened, Err(Error::Ended));
        } else if let (Some((_, expected)), false) = (due, self.broken) {
            assert_eq!(opened.as_ref(), Ok(expected));
            assert_eq!(self.opener.has_ended(), matches!(expected, Opened::Final(_)));
            self.next += 1;
        } else {
            assert_eq!(opened, Err(Error::Record));
            self.broken = true;
        }
        assert!(!(self.broken && self.opener.has_ended()));
    }

    fn record(&self, index: usize) -> &[u8] {
        let count = self.sent.len().max(1);
        self.sent.get(index % count).map_or(&[], |(record, _)| record)
    }
}

fuzz_target!(|steps: Vec<Step<'_>>| {
    let (device, daemon) = PAIRED.channels();
    let mut up = Direction::new(device.sealer, daemon.opener);
    let mut down = Direction::new(daemon.sealer, device.opener);
    for Step { upwards, action } in steps.into_iter().take(32) {
        let (this, other) = if upwards { (&mut up, &down) } else { (&mut down, &up) };
        match action {
            Action::Seal { plaintext, seconds } => {
                this.now += Duration::from_secs(seconds.into());
                this.seal(plaintext);
            }
            Action::SealLong { longer } => {
                let length = MAX_PLAINTEXT.saturating_add_signed(longer.into());
                this.seal(&vec![b'x'; length]);
            }
            Action::Finish(plaintext) => this.finish(plaintext),
            Action::DeliverNext(transit) => {
                let due = this.sent.get(this.next).map_or(&[][..], |(record, _)| record);
                let record = transit.of(due);
                this.deliver(&record);
            }
            Action::Deliver(index, transit) => {
                let record = transit.of(this.record(index.into()));
                this.deliver(&record);
            }
            Action::Reflect(index) => {
                let record = other.record(index.into()).to_vec();
                this.deliver(&record);
            }
        }
    }
});
