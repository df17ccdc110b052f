//! A device that is paired and means harm: what it may ask, as fast and as much as it can, and what it
//! may not.

use codeout_daemon::OfferLimits;
use codeout_protocol::handshake::DeviceCredentials;
use codeout_protocol::message::{
    Attach, Chunk, ClosingReason, FromDevice, Open, Progress, Request, SessionId, TerminalSize,
};
use tokio::task::JoinSet;

use super::devices::{ask_much, reply};
use super::stage::Stage;
use super::tally::Tally;
use crate::measure::Report;
use crate::processes::World;
use crate::sessions;
use crate::text;
use crate::wire::{self, WireError};

/// As much as a session's history keeps.
const LINES: usize = 10_000;
/// As long a name as fits into a record.
const HUGE: usize = 60_000;
/// Sessions that a daemon lets run.
const SESSIONS: usize = 1_000;
/// Connections that break a rule again and again.
const BREAKERS: usize = 16;

/// A stage, and the device that attacks on it.
pub(super) fn stage(
    report: &mut Report,
    world: &World,
    name: &str,
    limits: OfferLimits,
) -> (Stage, DeviceCredentials) {
    report.heading(&format!("a paired device that means harm: {name}"));
    let stage = Stage::set(world, name);
    let device = stage.pair(1, limits).remove(0);
    (stage, device)
}

/// Floods of requests that are no harm by themselves: 32 on their way on each of 16 connections.
pub(crate) fn asking(report: &mut Report, world: &World) {
    let (mut stage, device) = stage(report, world, "asking", OfferLimits::default());
    let port = stage.port;
    let session = stage.session();
    let huge = "n".repeat(HUGE);
    type Ask = Box<dyn Fn(u32) -> Request + Send + Sync>;
    let floods: [(&str, Ask); 9] = [
        ("ping", Box::new(|_| Request::Ping)),
        ("devices", Box::new(|_| Request::Devices)),
        ("sessions", Box::new(|_| Request::Sessions { after: None })),
        ("programs", Box::new(|_| Request::Programs)),
        ("offers", Box::new(|_| Request::Offer { watch_only: false, for_seconds: None })),
        ("wrong session ids", Box::new(wrong)),
        (
            "revoking who is not there",
            Box::new(|id| Request::Revoke { device: format!("{id:08}") }),
        ),
        ("huge names of sessions", {
            let huge = huge.clone();
            Box::new(move |id| Request::RenameSession { session, name: format!("{id}{huge}") })
        }),
        ("huge names of devices", {
            let id = own_id(&stage, &device);
            Box::new(move |n| Request::Rename { device: id.clone(), name: format!("{n}{huge}") })
        }),
    ];
    for (what, ask) in floods {
        let ask = std::sync::Arc::new(ask);
        stage.siege(report, &format!("a flood of requests: {what}"), |attack, tally| {
            ask_much(attack, tally, port, &device, move |id| ask(id));
        });
    }
}

/// A request about a session that is not there.
fn wrong(id: u32) -> Request {
    let session = 1 << 20 | id;
    let size = TerminalSize { columns: 80, rows: 24 };
    match id % 6 {
        0 => Request::End { session },
        1 => Request::Attach(Attach { session, keyboard: Some(1), ..Attach::default() }),
        2 => Request::Detach { session },
        3 => Request::Resize { session, size },
        4 => Request::RenameSession { session, name: "x".to_owned() },
        _ => Request::Dismiss { session },
    }
}

fn own_id(stage: &Stage, device: &DeviceCredentials) -> String {
    stage.runtime.block_on(async {
        use codeout_protocol::message::{Answer, FromDaemon, Outcome};
        let mut line = wire::connect(stage.port, device).await.expect("it is paired");
        line.request(1, Request::Devices).await.expect("it is connected");
        loop {
            let plaintext = line.receive().await.expect("it is connected");
            let heard = FromDaemon::read(&plaintext).expect("the daemon is honest");
            if let FromDaemon::Reply(reply) = heard {
                let Outcome::Ok(Answer::Devices { devices }) = reply.outcome else {
                    panic!("a device may see the list")
                };
                return devices.into_iter().find(|one| one.this).expect("it is listed").id;
            }
        }
    })
}

fn open(script: &str, name: Option<String>) -> Request {
    Request::Open(Open {
        columns: 80,
        rows: 24,
        program: Some("/bin/sh".to_owned()),
        arguments: vec!["-c".to_owned(), script.to_owned()],
        name,
        ..Open::default()
    })
}

/// Sessions, as many and as fast as they open.
pub(crate) fn opening(report: &mut Report, world: &World) {
    let (mut stage, device) = stage(report, world, "opening", OfferLimits::default());
    let port = stage.port;
    stage.siege(report, "sessions that end at once, as fast as they open", |attack, tally| {
        ask_much(attack, tally, port, &device, |_| open("exit 0", None));
    });
    stage.siege(report, "sessions with huge names, whose program is not there", |attack, tally| {
        ask_much(attack, tally, port, &device, |id| {
            Request::Open(Open {
                columns: 80,
                rows: 24,
                program: Some(format!("/nowhere/{id}{}", "p".repeat(HUGE / 2))),
                name: Some("n".repeat(HUGE / 4)),
                ..Open::default()
            })
        });
    });
    let on = |_| open("exec sleep 1000", None);
    stage.siege(report, "opening until the daemon refuses, and on", |attack, tally| {
        ask_much(attack, tally, port, &device, on);
    });
    let running = stage.runtime.block_on(async {
        let mut line = wire::connect(port, &device).await.expect("it is paired");
        loop {
            line.request(1, on(1)).await.expect("it is connected");
            let word = reply(&mut line).await.expect("it is connected");
            if word != "done" {
                assert_eq!(word, "refused as Limit");
                break;
            }
        }
        let sessions = stage.daemon.connect().await.sessions().await.expect("a list");
        sessions.iter().filter(|entry| entry.ended.is_none()).count()
    });
    assert_eq!(running, SESSIONS, "sessions that run");
    report.line(&format!(
        "    {running} sessions run, and no more: {:.1} MiB",
        stage.memory() / 1024.0
    ));
}

/// A session with a full history; the honest device's own has none.
fn full_session(stage: &Stage, world: &World) -> SessionId {
    let file = text::words(world, LINES);
    stage.runtime.block_on(async {
        let connection = stage.daemon.connect().await;
        let script = format!("cat {}; exec cat", file.display());
        let session = sessions::open(&connection, "full", &script).await;
        let mut attachment = sessions::attach(&connection, session, None).await.split().1;
        let printed = std::fs::metadata(&file).expect("it was written").len() + LINES as u64;
        while attachment.offset().is_none_or(|offset| offset < printed) {
            attachment.read().await.expect("the session runs");
        }
        session
    })
}

/// Another size for a session, as fast as it can be had.
pub(crate) fn sizes(report: &mut Report, world: &World) {
    let (mut stage, device) = stage(report, world, "sizes", OfferLimits::default());
    let (port, session) = (stage.port, full_session(&stage, world));
    let to = move |columns, rows| Request::Resize { session, size: TerminalSize { columns, rows } };
    stage.siege(
        report,
        "another size again and again, 10,000 lines of history",
        |attack, tally| {
            ask_much(attack, tally, port, &device, move |id| to(60 + (id % 40) as u16, 24));
        },
    );
    stage.siege(report, "from the smallest size to the largest and back", |attack, tally| {
        ask_much(attack, tally, port, &device, move |id| match id % 2 {
            0 => to(2_000, 250),
            _ => to(1, 1),
        });
    });
    stage.siege(report, "sizes that cannot be", |attack, tally| {
        ask_much(attack, tally, port, &device, move |id| to(2_000, 251 + (id % 1_000) as u16));
    });
}

/// A picture of a session, as fast as it can be had.
pub(crate) fn attaching(report: &mut Report, world: &World) {
    let (mut stage, device) = stage(report, world, "attaching", OfferLimits::default());
    let (port, session) = (stage.port, full_session(&stage, world));
    stage.siege(report, "attaching again and again, 10,000 lines of history", |attack, tally| {
        ask_much(attack, tally, port, &device, move |_| {
            Request::Attach(Attach { session, ..Attach::default() })
        });
    });
}

/// What ends the connection, and is begun anew at once.
pub(crate) fn breaking(report: &mut Report, world: &World) {
    let (mut stage, device) = stage(report, world, "breaking", OfferLimits::default());
    let (port, session) = (stage.port, stage.session());
    let read = FromDevice::OutputRead(Progress { session, offset: u64::MAX }).write();
    let input = FromDevice::Input(Chunk { session, offset: 0, bytes: b"forged" }).write();
    for (what, breach) in [
        ("acknowledging what was never sent", read),
        ("input without a keyboard", input.clone()),
        ("no message at all", vec![0x7f; 60_000]),
    ] {
        stage.siege(report, &format!("breaking a rule: {what}"), |attack, tally| {
            break_rules(attack, tally, port, &device, session, &breach);
        });
    }
    let watching = OfferLimits { watch_only: true, for_seconds: None };
    let device = stage.pair(1, watching).remove(0);
    stage.siege(report, "breaking a rule: input of a watch-only device", |attack, tally| {
        break_rules(attack, tally, port, &device, session, &input);
    });
}

fn break_rules(
    attack: &mut JoinSet<()>,
    tally: &Tally,
    port: u16,
    device: &DeviceCredentials,
    session: SessionId,
    breach: &[u8],
) {
    for _ in 0..BREAKERS {
        let (device, tally, breach) = (device.clone(), tally.clone(), breach.to_vec());
        attack.spawn(async move {
            loop {
                match break_once(port, &device, session, &breach).await {
                    Ok(Some(ClosingReason::Protocol)) => tally.count("ended with `protocol`"),
                    Ok(other) => tally.count(&format!("ended with {other:?}")),
                    Err(error) => tally.count(&format!("not in: {error:?}")),
                }
            }
        });
    }
}

async fn break_once(
    port: u16,
    device: &DeviceCredentials,
    session: SessionId,
    breach: &[u8],
) -> Result<Option<ClosingReason>, WireError> {
    let mut line = wire::connect(port, device).await?;
    line.request(1, Request::Attach(Attach { session, ..Attach::default() })).await?;
    reply(&mut line).await?;
    line.send(breach).await?;
    Ok(line.last_word().await)
}

/// A device whose time is limited may not revoke, rename or pair others.
pub(crate) fn limited(report: &mut Report, world: &World) {
    let limits = OfferLimits { watch_only: false, for_seconds: Some(86_400) };
    let (mut stage, device) = stage(report, world, "limited", limits);
    let (port, honest) = (stage.port, own_id(&stage, &stage.honest));
    stage.siege(report, "a limited device revokes, renames and pairs others", |attack, tally| {
        ask_much(attack, tally, port, &device, move |id| match id % 3 {
            0 => Request::Revoke { device: honest.clone() },
            1 => Request::Rename { device: honest.clone(), name: "gone".to_owned() },
            _ => Request::Offer { watch_only: false, for_seconds: None },
        });
    });
}

/// It asks for much, and reads nothing.
pub(crate) fn deaf(report: &mut Report, world: &World) {
    let (mut stage, device) = stage(report, world, "deaf", OfferLimits::default());
    let (port, session) = (stage.port, full_session(&stage, world));
    stage.siege(report, "asking for much, and reading nothing of it", |attack, tally| {
        for _ in 0..BREAKERS {
            let (device, tally) = (device.clone(), tally.clone());
            attack.spawn(async move {
                let Ok(mut line) = wire::connect(port, &device).await else {
                    return tally.count("not in");
                };
                for id in 0.. {
                    let attach = Attach { session, ..Attach::default() };
                    let request = match id % 2 {
                        0 => Request::Attach(attach),
                        _ => Request::Sessions { after: None },
                    };
                    if line.request(id, request).await.is_err() {
                        return tally.count("ended");
                    }
                    tally.count("sent");
                }
            });
        }
    });
}
