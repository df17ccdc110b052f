//! Handshakes a second on one core, and the CPU time of each; both ends run here, one after the
//! other on one thread.

use std::time::Duration;

use codeout_protocol::code::Code;
use codeout_protocol::handshake::{self, DaemonEphemeral, DeviceCredentials, DeviceEphemeral};
use codeout_protocol::name::Name;
use codeout_protocol::pairing::{self, DaemonPairing, DevicePairing};
use codeout_protocol::sodium::{KeyPair, Token};

use crate::measure::{Report, thread_cpu};

const ROUNDS: u32 = 300;
const SAMPLES: usize = 7;

pub(crate) fn run(report: &mut Report) {
    report.heading("handshakes: both ends on one core, without network and disk");
    let daemon = KeyPair::generate();
    let code = Code::random();
    let name = Name::clean("bench").expect("a name");
    cpu(report, "pair", || pair(&daemon, &code, &name));

    let credentials = DeviceCredentials {
        daemon_key: daemon.public,
        device: KeyPair::generate(),
        token: Token::from_bytes(&[7; 32]),
    };
    let connect_cpu = cpu(report, "connect", || connect(&daemon, &credentials));
    report.goal("connect, CPU of both ends", connect_cpu.as_secs_f64() * 1e3, "ms", 1.0);
}

fn cpu(report: &mut Report, what: &str, mut one: impl FnMut()) -> Duration {
    one();
    let mut each: Vec<Duration> = (0..SAMPLES)
        .map(|_| {
            let start = thread_cpu();
            (0..ROUNDS).for_each(|_| one());
            (thread_cpu() - start) / ROUNDS
        })
        .collect();
    each.sort_unstable();
    let median = each[each.len() / 2];
    let a_second = 1.0 / median.as_secs_f64();
    report.line(&format!(
        "{what:<10}{a_second:>8.0} a second    {:>7.3} ms of CPU each",
        median.as_secs_f64() * 1e3
    ));
    median
}

fn pair(daemon: &KeyPair, code: &Code, name: &Name) {
    let (device, p1) = pairing::pair(code, DevicePairing::generate());
    let (server, p2) =
        pairing::read_p1(code, daemon, &p1, DaemonPairing::generate()).expect("P1 is honest");
    let proved = device.read_p2(&p2).expect("P2 is honest");
    let (device, p3) = proved.present(KeyPair::generate(), name).expect("an honest key");
    let proved = server.read_p3(&p3).expect("P3 is honest");
    let (_, p4) = proved.accept(Duration::ZERO, b"welcome").expect("a short record");
    device.read_p4(&p4).expect("P4 is honest");
}

fn connect(daemon: &KeyPair, credentials: &DeviceCredentials) {
    let psk = credentials.token.psk();
    let (device, m1) = handshake::connect(credentials.clone(), DeviceEphemeral::generate())
        .expect("an honest key");
    let (server, m2) =
        handshake::read_m1(daemon, &m1, DaemonEphemeral::generate()).expect("M1 is honest");
    let (device, m3) = device.read_m2(&m2).expect("M2 is honest");
    let claim = server.read_m3(&m3).expect("M3 is honest");
    let accepted = claim.verify(Some(&psk)).expect("the psk is right");
    let (_, m4) = accepted.accept(Duration::ZERO, b"welcome").expect("a short record");
    device.read_m4(&m4).expect("M4 is honest");
}
