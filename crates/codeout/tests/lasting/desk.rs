//! A daemon in this process, and devices that attach to its sessions.

use std::future::Future;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use codeout_daemon::{Config, Daemon, Event, OfferLimits, control};
use codeout_device::{
    Attachment, Backoff, Connection, How, LastingInput, LastingOptions, LastingReader, PairOutcome,
    PairRequest, Paired, Profiles, RequestFailed, SessionOutput, attach_lasting, connect_local,
    pair,
};
use codeout_protocol::address::Address;
use codeout_protocol::link::Link;
use codeout_protocol::message::{
    Answer, Attach, ErrorCode, ExitStatus, Open, Request, SessionEntry, SessionId,
};
use codeout_protocol::name::Name;
use tempfile::TempDir;
use tokio::sync::broadcast;

/// How long a test waits for what must come: a bound for a hanging test, never a measure.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits for what must come.
#[track_caller]
pub(crate) fn in_time<F: Future>(what: F) -> impl Future<Output = F::Output> {
    let place = std::panic::Location::caller();
    async move {
        let waited = tokio::time::timeout(PATIENCE, what).await;
        waited.unwrap_or_else(|_| panic!("waited in vain at {place}"))
    }
}

/// Asks again and again until the answer is something.
pub(crate) async fn poll<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let mut times = tokio::time::interval(Duration::from_millis(10));
    loop {
        times.tick().await;
        if let Some(answer) = ask().await {
            return answer;
        }
    }
}

/// A daemon with a directory of its own, on a free port of loopback.
pub(crate) struct Desk {
    daemon: Option<Daemon>,
    config: Config,
    pub(crate) home: TempDir,
}

impl Desk {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts one whose configuration `change` has changed.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let home = TempDir::new().unwrap();
        let name = Name::clean("desk").unwrap();
        let mut config = Config::new(home.path().join("daemon"), home.path().to_owned(), name);
        config.bind = Some(Ipv4Addr::LOCALHOST.into());
        config.port = 0;
        change(&mut config);
        let daemon = Some(Daemon::open(config.clone()).await.unwrap());
        Desk { daemon, config, home }
    }

    fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().unwrap()
    }

    pub(crate) fn port(&self) -> u16 {
        self.daemon().port()
    }

    pub(crate) fn events(&self) -> broadcast::Receiver<Event> {
        self.daemon().events()
    }

    pub(crate) async fn stop(mut self) {
        in_time(self.daemon.take().unwrap().stop()).await;
    }

    fn socket(&self) -> PathBuf {
        control::socket(&self.config.home)
    }

    /// How devices of this computer get to it.
    pub(crate) fn local(&self) -> codeout_device::Daemon {
        codeout_device::Daemon::Local(self.socket())
    }

    /// Connects through the control socket.
    pub(crate) async fn connect(&self) -> Connection {
        connect_local(&self.socket()).await.unwrap()
    }

    /// Pairs a device that reaches the daemon through `port`.
    pub(crate) async fn pair(
        &self,
        name: &str,
        port: u16,
        limits: OfferLimits,
    ) -> (codeout_device::Daemon, Connection) {
        let code = self.daemon().offer(limits).code;
        let daemon_key = self.daemon().links(&code)[0].link.daemon_key;
        let address = Address::new(false, "127.0.0.1", Some(port)).unwrap();
        let link = Link { address, code, daemon_key };
        let profiles = Profiles::open(&self.home.path().join(name).join("daemons.json")).unwrap();
        let device_name = Name::clean(name).unwrap();
        let request =
            PairRequest { how: How::Link(link), device_name, expected: None, again: false };
        let outcome = pair(request, &profiles, &mut |_| {}).await.unwrap();
        let PairOutcome::Paired(Paired { connection, profile }) = outcome else {
            panic!("a link needs no comparison")
        };
        (codeout_device::Daemon::Paired(Box::new(profile)), connection)
    }
}

/// A terminal of 80 by 24 with `sh -c` and this script.
pub(crate) fn script(script: &str) -> Open {
    let arguments = vec!["-c".to_owned(), script.to_owned()];
    Open { program: Some("sh".into()), arguments, ..shell() }
}

/// A terminal of 80 by 24 with a login shell.
pub(crate) fn shell() -> Open {
    Open { columns: 80, rows: 24, ..Open::default() }
}

/// Opens a session.
pub(crate) async fn open(connection: &Connection, open: Open) -> SessionEntry {
    match in_time(connection.request(Request::Open(open))).await.unwrap() {
        Answer::Opened { opened } => opened,
        other => panic!("no session: {other:?}"),
    }
}

/// Asks what must be refused; returns the refusal's code and text.
pub(crate) async fn refused(connection: &Connection, request: Request) -> (ErrorCode, String) {
    match in_time(connection.request(request)).await {
        Err(RequestFailed::Refused(error)) => (error.code, error.message),
        other => panic!("not refused: {other:?}"),
    }
}

/// The session's entry as it is.
pub(crate) async fn entry(connection: &Connection, session: SessionId) -> SessionEntry {
    let sessions = in_time(connection.sessions()).await.unwrap();
    sessions.into_iter().find(|entry| entry.session == session).expect("it is on the list")
}

/// Attaches to type; a connection has one keyboard in these tests.
pub(crate) async fn attach(connection: &Connection, session: SessionId) -> Attachment {
    let attach = Attach { session, keyboard: Some(1), ..Attach::default() };
    in_time(connection.attach(attach)).await.unwrap().1
}

/// Attaches to look.
pub(crate) async fn watch(connection: &Connection, session: SessionId) -> Attachment {
    let attach = Attach { session, ..Attach::default() };
    in_time(connection.attach(attach)).await.unwrap().1
}

/// Attaches for longer than a link lasts, and connects again at once.
pub(crate) async fn attach_for_long(
    daemon: codeout_device::Daemon,
    connection: Connection,
    session: SessionId,
    typing: bool,
) -> (LastingInput, LastingReader) {
    let (first, longest) = (Duration::from_millis(5), Duration::from_millis(100));
    let backoff = Backoff { first, longest, patience: None };
    let options = LastingOptions { session, history: None, typing, size: None, backoff };
    let (_, input, reader) = in_time(attach_lasting(daemon, connection, options)).await.unwrap();
    (input, reader)
}

/// Reads until what came, snapshots included, has `text`; returns all of it.
pub(crate) async fn read_until(attachment: &mut Attachment, text: &str) -> Vec<u8> {
    let mut all = Vec::new();
    while !contains(&all, text.as_bytes()) {
        match in_time(attachment.read()).await {
            Some(SessionOutput::Bytes(bytes)) => all.extend_from_slice(&bytes),
            Some(SessionOutput::Snapshot { .. } | SessionOutput::SnapshotEnd) => {}
            other => panic!("{other:?} before {text:?}: {:?}", String::from_utf8_lossy(&all)),
        }
    }
    all
}

/// Reads to the end; returns what came, and how the program ended.
pub(crate) async fn read_to_end(attachment: &mut Attachment) -> (Vec<u8>, ExitStatus) {
    let mut all = Vec::new();
    loop {
        match in_time(attachment.read()).await {
            Some(SessionOutput::Bytes(bytes)) => all.extend_from_slice(&bytes),
            Some(SessionOutput::Snapshot { .. } | SessionOutput::SnapshotEnd) => {}
            Some(SessionOutput::Ended(status)) => return (all, status),
            None => panic!("the attachment ended: {:?}", String::from_utf8_lossy(&all)),
        }
    }
}

pub(crate) fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
