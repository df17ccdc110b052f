//! Sealing and opening records through the channel, beside libsodium's own calls.

use std::time::{Duration, Instant};

use codeout_protocol::channel::Channel;
use codeout_protocol::code::Code;
use codeout_protocol::name::Name;
use codeout_protocol::pairing::{self, DaemonPairing, DevicePairing};
use codeout_protocol::sodium::{KeyPair, secretstream_baseline};

use crate::measure::{Report, median};

const TOTAL: usize = 64 << 20;
const SAMPLES: usize = 9;

pub(crate) fn run(report: &mut Report) {
    report.heading("channel: seal and open, MiB/s, beside libsodium's own secretstream calls");
    for size in [64, 1024, 16 * 1024, 32 * 1024] {
        let plaintext = vec![b'x'; size];
        let records = TOTAL.min(size << 14) / size;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        // In turn, so that a noisy moment hits both.
        for _ in 0..SAMPLES {
            let start = Instant::now();
            through_channel(&plaintext, records);
            ours.push(rate(size * records, start.elapsed()));
            let start = Instant::now();
            assert!(secretstream_baseline(&plaintext, records), "every record opens");
            theirs.push(rate(size * records, start.elapsed()));
        }
        let (ours, theirs) = (median(&mut ours), median(&mut theirs));
        let ratio = ours / theirs;
        report.line(&format!(
            "{size:>6} B    channel {ours:>7.0}    libsodium {theirs:>7.0}    ratio {ratio:.2}"
        ));
        if size == 16 * 1024 {
            report.goal_at_least("channel to libsodium at 16 KiB", ratio, 0.85);
        }
    }
}

fn rate(bytes: usize, time: Duration) -> f64 {
    bytes as f64 / time.as_secs_f64() / f64::from(1 << 20)
}

fn through_channel(plaintext: &[u8], records: usize) {
    let (mut daemon, mut device) = channels();
    for _ in 0..records {
        let record = daemon.sealer.seal(Duration::ZERO, plaintext).expect("it fits");
        device.opener.open(&record).expect("an honest record");
    }
}

fn channels() -> (Channel, Channel) {
    let daemon = KeyPair::generate();
    let code = Code::random();
    let name = Name::clean("bench").expect("a name");
    let (device, p1) = pairing::pair(&code, DevicePairing::generate());
    let (server, p2) =
        pairing::read_p1(&code, &daemon, &p1, DaemonPairing::generate()).expect("P1 is honest");
    let proved = device.read_p2(&p2).expect("P2 is honest");
    let (device, p3) = proved.present(KeyPair::generate(), &name).expect("an honest key");
    let proved = server.read_p3(&p3).expect("P3 is honest");
    let (ours, p4) = proved.accept(Duration::ZERO, b"welcome").expect("a short record");
    let (theirs, _) = device.read_p4(&p4).expect("P4 is honest");
    (ours, theirs)
}
