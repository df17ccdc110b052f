//! Those who have proved nothing: connections that do nothing, and handshakes that never end.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use codeout_protocol::channel::MAX_RECORD;
use codeout_protocol::code::Code;
use codeout_protocol::handshake::{self, DeviceCredentials, DeviceEphemeral};
use codeout_protocol::pairing::{self, DevicePairing};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::stage::Stage;
use super::tally::Tally;
use crate::measure::{Report, millis, quantile};
use crate::processes::World;
use crate::wire;

const CROWD: usize = 10_000;
/// How often an honest device connects meanwhile.
const VISITS: usize = 20;
/// Longer than the daemon keeps who says nothing.
const LONGEST: Duration = Duration::from_secs(20);
/// What became of one whom the daemon keeps longer.
const HELD: &str = "held for too long";
/// Before it tries again.
const AGAIN: Duration = Duration::from_millis(100);
/// The connections of each kind of endless handshake.
const EACH: usize = 80;
/// The pace of those who drip.
const PACE: Duration = Duration::from_millis(500);

/// Ten thousand connections that say nothing.
pub(crate) fn idle(report: &mut Report, world: &World) {
    report.heading("strangers: 10,000 connections at once that say nothing");
    let one = |_| Ipv4Addr::LOCALHOST;
    // The whole network 127/8 is loopback, and so one source.
    let many = |number: usize| {
        let [_, _, high, low] = u32::try_from(number % 2_000).unwrap_or(0).to_be_bytes();
        Ipv4Addr::new(127, 1, high, low.max(1))
    };
    once(report, world, "from 127.0.0.1", one);
    once(report, world, "from 2,000 addresses of loopback", many);
    let mut stage = Stage::set(world, "idle");
    let (port, honest) = (stage.port, stage.honest.clone());
    stage.siege(report, "10,000 that come again when they are let go", |attack, tally| {
        for number in 0..CROWD {
            attack.spawn(come_again(port, many(number), tally.clone()));
        }
        attack.spawn(visit(port, honest, tally.clone()));
    });
    visits(report, &mut stage, &many);
}

/// All come once, and what is held of them.
fn once(report: &mut Report, world: &World, what: &str, source: fn(usize) -> Ipv4Addr) {
    let stage = Stage::set(world, "once");
    let (before, port, tally) = (stage.memory(), stage.port, Tally::default());
    let mut crowd = JoinSet::new();
    let begun = Instant::now();
    for number in 0..CROWD {
        let tally = tally.clone();
        crowd.spawn_on(
            async move {
                let began = Instant::now();
                let end = sit(port, source(number), &tally).await;
                tally.took(end, began.elapsed());
            },
            stage.attackers.handle(),
        );
    }
    let count = |what| tally.get(what);
    while count("came") + count("not even connected") < CROWD as u64 {
        std::thread::sleep(Duration::from_millis(10));
    }
    let came = begun.elapsed();
    std::thread::sleep(Duration::from_secs(1));
    let held = count("came") - count("got 503") - count("cut");
    report.line(&format!(
        "{what}: all came within {:.1} s; one second later {held} are held, {} got 503, {} were \
         cut; the daemon's memory: {:.1} MiB, {:.1} before",
        came.as_secs_f64(),
        count("got 503"),
        count("cut"),
        stage.memory() / 1024.0,
        before / 1024.0,
    ));
    while !crowd.is_empty() {
        stage.runtime.block_on(crowd.join_next());
    }
    report.line(&format!("    until none is left: {}", tally.words()));
    assert_eq!(tally.get(HELD), 0);
}

/// Connects, says nothing, and says how that ended.
async fn sit(port: u16, source: Ipv4Addr, tally: &Tally) -> &'static str {
    let Ok(mut stream) = wire::dial_tcp(port, source).await else { return "not even connected" };
    tally.count("came");
    let mut answer = [0; 64];
    match timeout(LONGEST, stream.read(&mut answer)).await {
        Ok(Ok(count)) if answer[..count].starts_with(b"HTTP/1.1 503") => "got 503",
        Ok(_) => "cut",
        Err(_) => ask_whether_held(&mut stream).await,
    }
}

/// The system answers more newcomers than its queue has places for, and keeps nothing of some of
/// them but a cookie that they do not know of: they believe that they are connected, and the daemon
/// hears of them when they speak.
async fn ask_whether_held(stream: &mut TcpStream) -> &'static str {
    let asked = async {
        stream.write_all(b"x").await?;
        stream.read(&mut [0; 64]).await
    };
    match timeout(LONGEST, asked).await {
        Ok(_) => "not told to the daemon until it spoke",
        Err(_) => HELD,
    }
}

async fn come_again(port: u16, source: Ipv4Addr, tally: Tally) {
    loop {
        let began = Instant::now();
        let end = sit(port, source, &tally).await;
        tally.took(end, began.elapsed());
        sleep(Duration::from_secs(2)).await;
    }
}

/// An honest device that connects again and again.
async fn visit(port: u16, honest: DeviceCredentials, tally: Tally) {
    loop {
        let began = Instant::now();
        match wire::connect(port, &honest).await {
            Ok(_) => tally.took("an honest device connected", began.elapsed()),
            Err(_) => tally.count("an honest device was turned away"),
        }
        sleep(AGAIN).await;
    }
}

/// How long it takes an honest device to connect while all places are wanted.
fn visits(report: &mut Report, stage: &mut Stage, source: &impl Fn(usize) -> Ipv4Addr) {
    let (port, honest, tally) = (stage.port, stage.honest.clone(), Tally::default());
    let mut crowd = JoinSet::new();
    for number in 0..CROWD {
        let source = source(number);
        crowd.spawn_on(come_again(port, source, tally.clone()), stage.attackers.handle());
    }
    let (mut times, mut tries) = (Vec::new(), 0);
    stage.runtime.block_on(async {
        sleep(Duration::from_secs(3)).await;
        for _ in 0..VISITS {
            let begun = Instant::now();
            loop {
                tries += 1;
                if wire::connect(port, &honest).await.is_ok() {
                    break;
                }
                sleep(AGAIN).await;
            }
            times.push(millis(begun.elapsed()));
        }
        crowd.shutdown().await;
    });
    report.line(&format!(
        "an honest device among them connected {VISITS} times in {tries} tries: p50 {:.0} ms, most \
         {:.0} ms",
        quantile(&mut times, 0.5),
        quantile(&mut times, 1.0),
    ));
}

const UPGRADE: &[u8] = b"GET /ws HTTP/1.1\r\nHost: desk\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: codeout.1\r\n\r\n";

/// Handshakes that never end.
pub(crate) fn endless(report: &mut Report, world: &World) {
    report.heading("strangers: handshakes that never end, 80 of each kind, begun anew when cut");
    let mut stage = Stage::set(world, "endless");
    let link = stage.runtime.block_on(stage.daemon.offer());
    let (port, honest) = (stage.port, stage.honest.clone());
    let m1 = {
        let honest = honest.clone();
        move || {
            let begun = handshake::connect(honest.clone(), DeviceEphemeral::generate());
            masked(&begun.expect("an honest key").1)
        }
    };
    let p1 = || masked(&pairing::pair(&Code::random(), DevicePairing::generate()).1);
    let nothing = Vec::new;
    let long = [UPGRADE, &masked_header(MAX_RECORD + 1)].concat();
    let longest = [UPGRADE, &masked_header(MAX_RECORD)].concat();
    let header = [&UPGRADE[..UPGRADE.len() - 2], b"X: ", &[b'x'; 20_000]].concat();
    drop(link);
    stage.siege(report, "handshakes that never end", |attack, tally| {
        for _ in 0..EACH {
            let mut spawn = |what, first: &[u8], then: Vec<u8>, drip: &'static [u8]| {
                attack.spawn(linger(port, what, [first, &then].concat(), drip, tally.clone()));
            };
            spawn("silent", b"", nothing(), b"");
            spawn("half a request", &UPGRADE[..90], nothing(), b"");
            spawn("a slow header", b"GET / HTTP/1.1\r\nX: ", nothing(), b"x");
            spawn("a header of 20 kB", &header, nothing(), b"");
            spawn("no first message", UPGRADE, nothing(), b"");
            spawn("pings", UPGRADE, nothing(), b"\x89\x80\0\0\0\0");
            spawn("a frame too long", &long, nothing(), b"x");
            spawn("a slow frame", &longest, nothing(), b"x");
            spawn("M1 and no more", UPGRADE, m1(), b"");
            spawn("P1 and no more", UPGRADE, p1(), b"");
        }
        attack.spawn(visit(port, honest, tally.clone()));
    });
}

/// A frame's header that announces so many bytes; the mask is zero.
fn masked_header(length: usize) -> Vec<u8> {
    let mut header = vec![0x82, 0xff];
    header.extend_from_slice(&(length as u64).to_be_bytes());
    header.extend_from_slice(&[0; 4]);
    header
}

fn masked(message: &[u8]) -> Vec<u8> {
    [&masked_header(message.len())[..], message].concat()
}

/// Connects, sends `first` and then `drip` every now and then, until it is cut; and again.
async fn linger(port: u16, what: &'static str, first: Vec<u8>, drip: &'static [u8], tally: Tally) {
    loop {
        let began = Instant::now();
        let Ok(mut stream) = wire::dial_tcp(port, Ipv4Addr::LOCALHOST).await else { continue };
        let refused = stay(&mut stream, &first, drip).await;
        if refused {
            tally.count("got 503");
            sleep(AGAIN).await;
        } else {
            tally.took(what, began.elapsed());
        }
    }
}

/// Whether it was turned away at once.
async fn stay(stream: &mut TcpStream, first: &[u8], drip: &[u8]) -> bool {
    let (mut answer, mut refused) = ([0; 2048], false);
    if stream.write_all(first).await.is_err() {
        return false;
    }
    let mut pace = tokio::time::interval(PACE);
    loop {
        tokio::select! {
            read = stream.read(&mut answer) => match read {
                Ok(0) | Err(_) => return refused,
                Ok(count) => refused |= answer[..count].starts_with(b"HTTP/1.1 503"),
            },
            _ = pace.tick() => {
                if !drip.is_empty() && stream.write_all(drip).await.is_err() {
                    return refused;
                }
            }
        }
    }
}
