//! What reads foreign bytes, opened to the fuzz targets. It is there under `cfg(fuzzing)` alone,
//! which cargo-fuzz sets.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use codeout_protocol::message::{DeviceEntry, Limits, SessionId};
use codeout_protocol::name::Name;
use codeout_protocol::sodium::{KeyPair, Token};
use codeout_screen::HistoryLimits;
use tokio::sync::mpsc;

use crate::control::{Client, ControlReply, ControlRequest};
use crate::devices::Devices;
use crate::doorway::Doorway;
use crate::patience::Visit;
use crate::session::{Keeping, Saved, Session};
use crate::sessions::SavedSessions;
use crate::shared_stream::SharedStream;
use crate::trail::{Happening, Query};
use crate::{Asked, Config, Daemon, LostSession, OfferLimits};
use crate::{control, environment, handover, identity, redirect, server};

/// A daemon whose doors the target opens itself: everything behind a socket is the real one.
#[derive(Debug)]
pub struct House {
    daemon: Daemon,
    router: Router,
    redirect: Router,
    doorway: Arc<Doorway>,
}

impl House {
    /// A daemon in the directory `home`, which listens where nobody calls it.
    pub async fn open(home: &Path) -> House {
        let name = Name::clean("desk").expect("a name");
        let mut config = Config::new(home.to_owned(), home.to_owned(), name);
        (config.bind, config.port) = (Some(Ipv4Addr::LOCALHOST.into()), 0);
        let daemon = Daemon::open(config).await.expect("an empty directory");
        let (router, redirect) = (server::router(&daemon.shared), redirect::router());
        House { daemon, router, redirect, doorway: Arc::new(Doorway::new(None)) }
    }

    /// Serves what comes through `stream` as a connection on the daemon's port, until it ends.
    /// `to_https`: as one on a port that speaks HTTPS.
    pub async fn http(&self, stream: UnixStream, to_https: bool) {
        stream.set_nonblocking(true).expect("a socket");
        // For what is done here with a stream, one socket is like another.
        let stream = TcpStream::from(OwnedFd::from(stream));
        let stream = tokio::net::TcpStream::from_std(stream).expect("a socket");
        let stream = SharedStream::new(stream);
        let source = IpAddr::from(Ipv4Addr::LOCALHOST);
        let entered = self.doorway.enter(source, stream.clone()).expect("nobody else is there");
        let visit = Visit::new(source, stream.clone(), entered.place);
        let router = if to_https { &self.redirect } else { &self.router };
        server::http(stream, visit, router.clone()).await;
    }

    /// Answers what comes through `stream` as the control socket does.
    pub async fn control(&self, stream: UnixStream) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        let stream = tokio::net::UnixStream::from_std(stream)?;
        let (shared, fingerprint) =
            (Arc::clone(&self.daemon.shared), self.daemon.fingerprint.clone());
        control::answer(stream, shared, fingerprint).await
    }

    /// Makes the allow-list hold devices of these names, and no others.
    pub async fn furnish(&self, names: &[&str]) {
        let names: Vec<_> = names.iter().map(|name| Name::clean(name).expect("a name")).collect();
        let now = self.daemon.shared.unix();
        let fill = move |devices: &Devices| {
            for device in devices.list()? {
                devices.revoke(device.id)?;
            }
            for name in &names {
                let (key, psk) = (KeyPair::generate().public, Token::from_bytes(&[7; 32]).psk());
                let device = devices.insert(&key, &psk, Some(name), Limits::default(), now)?;
                // Else housekeeping removes it in time.
                devices.finish(device.id)?;
            }
            Ok(())
        };
        self.daemon.shared.store(fill).await.expect("a list of devices");
    }

    /// The allow-list.
    pub async fn devices(&self) -> Vec<DeviceEntry> {
        self.daemon.devices().await.expect("a list of devices")
    }

    /// What the daemon was asked last to do with itself.
    pub async fn asked(&self) -> Option<Asked> {
        tokio::select! {
            biased;
            asked = self.daemon.asked() => Some(asked),
            () = std::future::ready(()) => None,
        }
    }
}

/// A request of the control socket, written again; and whether it makes a device's link of it.
pub fn control_request(line: &[u8]) -> Option<(Vec<u8>, bool)> {
    let request: ControlRequest = serde_json::from_slice(line).ok()?;
    let connects = matches!(request, ControlRequest::Connect);
    Some((serde_json::to_vec(&request).expect("it was read"), connects))
}

/// A reply of the control socket, written again.
pub fn control_reply(line: &[u8]) -> Option<Vec<u8>> {
    let reply: ControlReply = serde_json::from_slice(line).ok()?;
    Some(serde_json::to_vec(&reply).expect("it was read"))
}

/// Asks whoever is at the other end of `stream`, as the CLI does; says what it understood.
pub async fn control_client(stream: UnixStream, asked: u8) -> Result<String, String> {
    stream.set_nonblocking(true).expect("a socket");
    let client = Client::of(tokio::net::UnixStream::from_std(stream).expect("a socket"));
    let understood = match asked % 6 {
        0 => client.status().await.map(|status| format!("{status:?}")),
        1 => client.devices().await.map(|devices| format!("{devices:?}")),
        2 => client.rename("a", "b").await.map(|device| format!("{device:?}")),
        3 => client.stop(true).await.map(|()| String::new()),
        4 => match client.offer(OfferLimits::default()).await {
            Ok(mut offer) => {
                let end = offer.over().await;
                end.map(|end| format!("{:?} {:?} {end:?}", offer.offer, offer.kinds))
            }
            Err(error) => Err(error),
        },
        _ => match client.trail(Query::default(), false).await {
            Ok(mut lines) => {
                let mut all = Vec::new();
                loop {
                    match lines.next().await {
                        Ok(Some(some)) => all.extend(some),
                        Ok(None) => break Ok(format!("{all:?}")),
                        Err(error) => break Err(error),
                    }
                }
            }
            Err(error) => Err(error),
        },
    };
    understood.map_err(|error| error.to_string())
}

/// The key in a key file; or what is wrong with it.
pub fn key_file(line: &[u8]) -> Result<KeyPair, String> {
    identity::parse(Path::new("identity"), line).map_err(|error| error.to_string())
}

/// The environment in what a login shell said.
pub fn environment(said: &[u8]) -> Option<Vec<(OsString, OsString)>> {
    let variables = environment::parse(said)?;
    Some(variables.iter().map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// The file of the sessions that a daemon had, written again.
pub fn lost_sessions(json: &[u8]) -> Option<Vec<u8>> {
    let lost: Vec<LostSession> = serde_json::from_slice(json).ok()?;
    Some(serde_json::to_vec(&lost).expect("it was read"))
}

/// A line of the audit trail, written again, and how many devices it is about.
pub fn trail_line(text: &str) -> Option<(String, usize)> {
    let happening: Happening = serde_json::from_str(text).ok()?;
    let _ = happening.class();
    Some((serde_json::to_string(&happening).expect("it was read"), happening.devices().count()))
}

/// Goes on with the sessions of a handover, and writes them down again.
///
/// # Errors
/// It makes no sense.
pub fn handover(state: &[u8]) -> io::Result<Vec<u8>> {
    let (restarts, last, sessions) = restored(state)?;
    let sessions = sessions.iter().map(Session::save).collect();
    let mut written = Vec::new();
    handover::write(restarts, &SavedSessions { last, sessions }, &mut written)?;
    Ok(written)
}

/// Lets the programs of a handover's sessions read what waits to be typed; says how many bytes.
///
/// # Errors
/// It makes no sense.
pub fn handover_typed(state: &[u8]) -> io::Result<usize> {
    let mut typed = 0;
    for session in restored(state)?.2 {
        let mut all = |bytes: &[u8]| {
            typed += bytes.len();
            bytes.len()
        };
        while session.keyboards().write(&mut all).is_some() {}
    }
    Ok(typed)
}

fn restored(state: &[u8]) -> io::Result<(u32, SessionId, Vec<Session>)> {
    let terminals = (0..4).map(|_| File::open("/dev/null").map(OwnedFd::from));
    let terminals = terminals.collect::<io::Result<_>>()?;
    let (restarts, SavedSessions { last, sessions }) =
        handover::read(state, state.len() as u64, terminals)?;
    let history = HistoryLimits { lines: 30, bytes: 1 << 14 };
    let keeping = Keeping { history, output: 1 << 16, quiet_after: None };
    let (reports, _) = mpsc::unbounded_channel();
    let restore = |mut saved: Saved| {
        // What stands for it is none.
        saved.terminal = None;
        Session::restore(saved, keeping, reports.clone(), |_| unreachable!("it has none"))
    };
    let sessions = sessions.into_iter().map(restore).collect::<io::Result<_>>()?;
    Ok((restarts, last, sessions))
}
