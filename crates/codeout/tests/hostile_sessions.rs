//! Sessions against programs, devices and moments that mean them no good.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use codeout_daemon::{Config, Daemon, control};
use codeout_device::{Attachment, Connection, SessionOutput, connect_local};
use codeout_protocol::message::{
    Answer, Attach, ErrorCode, Event, ExitStatus, FromDevice, NumberedRequest, Open, Request,
    SessionId, TerminalSize,
};
use codeout_protocol::name::Name;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(20);

struct Host {
    home: TempDir,
    daemon: Daemon,
}

fn config(home: &Path) -> Config {
    let mut config =
        Config::new(home.join("daemon"), home.to_owned(), Name::clean("desk").unwrap());
    config.port = 0;
    config.bind = Some("127.0.0.1".parse().unwrap());
    config.shell = "/bin/sh".into();
    config
}

impl Host {
    async fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let daemon = Daemon::open(config(home.path())).await.unwrap();
        Host { home, daemon }
    }

    fn socket(&self) -> PathBuf {
        control::socket(&self.home.path().join("daemon"))
    }

    async fn connect(&self) -> Connection {
        connect_local(&self.socket()).await.unwrap()
    }
}

fn script(script: &str) -> Request {
    Request::Open(Open {
        columns: 80,
        rows: 24,
        program: Some("/bin/sh".to_owned()),
        arguments: vec!["-c".to_owned(), script.to_owned()],
        ..Open::default()
    })
}

/// Asks again and again until the answer is something.
async fn until<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        let mut times = tokio::time::interval(Duration::from_millis(10));
        loop {
            times.tick().await;
            if let Some(answer) = ask().await {
                return answer;
            }
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.expect("it does not happen")
}

async fn open(connection: &Connection, what: &str) -> SessionId {
    match connection.request(script(what)).await.unwrap() {
        Answer::Opened { opened } => opened.session,
        other => panic!("{other:?}"),
    }
}

async fn attach(connection: &Connection, session: SessionId, keyboard: u64) -> Attachment {
    let attach = Attach { session, keyboard: Some(keyboard), ..Attach::default() };
    connection.attach(attach).await.unwrap().1
}

/// Reads until the text has come.
async fn see(attachment: &mut Attachment, wanted: &str) {
    let mut seen = String::new();
    let reading = async {
        while !seen.contains(wanted) {
            match attachment.read().await {
                Some(SessionOutput::Bytes(bytes)) => {
                    seen.push_str(&String::from_utf8_lossy(&bytes));
                }
                Some(SessionOutput::Ended(_)) | None => break,
                Some(_) => {}
            }
        }
    };
    let _ = tokio::time::timeout(PATIENCE, reading).await;
    assert!(seen.contains(wanted), "{wanted:?} is not in {seen:?}");
}

async fn end_of(attachment: &mut Attachment) -> ExitStatus {
    let reading = async {
        loop {
            if let SessionOutput::Ended(status) = attachment.read().await.unwrap() {
                return status;
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("the session does not end")
}

/// A device that has detached before it could be told the end behind the last output is told as
/// everybody is.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_leaves_before_the_end_is_said_hears_of_it() {
    let host = Host::start().await;
    let connection = host.connect().await;
    let session = open(&connection, "read x; seq 100000; exit 4").await;
    let mut attachment = attach(&connection, session, 1).await;
    attachment.write_input(b"\n").await.unwrap();
    // Nothing is read: more than a window is left when the session has ended.
    until(async || {
        let sessions = connection.sessions().await.unwrap();
        sessions.iter().any(|entry| entry.ended.is_some()).then_some(())
    })
    .await;
    // News of the end is behind this change of an ended session.
    let rename = Request::RenameSession { session, name: "over".to_owned() };
    connection.request(rename).await.unwrap();
    while !matches!(connection.next_event().await, Some(Event::SessionChanged { session })
        if session.ended.is_some())
    {}
    attachment.detach().await.unwrap();
    let told = async {
        loop {
            if let Some(Event::SessionEnded { session, status }) = connection.next_event().await {
                return (session, status);
            }
        }
    };
    let told = tokio::time::timeout(PATIENCE, told).await.expect("nothing is said");
    assert_eq!(told, (session, ExitStatus::Exit(4)));
    host.daemon.stop().await;
}

/// The job in the foreground does not heed a hang-up, and the shell that started it does.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_outlives_its_shell_is_ended_too() {
    let host = Host::start().await;
    let connection = host.connect().await;
    let pid = host.home.path().join("pid");
    let script = format!(
        "set -m; sh -c 'trap \"\" HUP; echo $$ >{0}.new; mv {0}.new {0}; while :; do sleep 1; done'",
        pid.display()
    );
    let session = open(&connection, &script).await;
    let pid = until(async || std::fs::read_to_string(&pid).ok()).await;
    let process = PathBuf::from(format!("/proc/{}", pid.trim()));
    assert!(process.exists());
    connection.request(Request::End { session }).await.unwrap();
    until(async || (!process.exists()).then_some(())).await;
    host.daemon.stop().await;
}

/// A program lets go of its terminal and runs on. What is typed then can be written nowhere,
/// which must hold up nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_nobody_holds_holds_up_no_other() {
    let host = Host::start().await;
    let connection = host.connect().await;
    let gone = host.home.path().join("gone");
    let script = format!(
        "exec </dev/null >/dev/null 2>&1; : >{0}/gone; while ! [ -e {0}/end ]; do sleep 0.05; done; exit 3",
        host.home.path().display()
    );
    let session = open(&connection, &script).await;
    let mut attachment = attach(&connection, session, 1).await;
    until(async || gone.exists().then_some(())).await;
    for _ in 0..4 {
        attachment.write_input(b"x").await.unwrap();
    }
    // As many others as there may be threads for terminals.
    for number in 0..4 {
        let other = open(&connection, "read line; echo got $line").await;
        let mut other = attach(&connection, other, 2 + number).await;
        other.write_input(b"this\n").await.unwrap();
        see(&mut other, "got this").await;
    }
    std::fs::write(host.home.path().join("end"), "").unwrap();
    assert_eq!(end_of(&mut attachment).await, ExitStatus::Exit(3));
    host.daemon.stop().await;
}

/// A program that let go of its terminal may come back to it.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_comes_back_to_its_terminal_is_heard() {
    let host = Host::start().await;
    let connection = host.connect().await;
    let script = "exec 3</dev/null; exec <&3 >&3 2>&3; sleep 0.5; exec <>/dev/tty >&0 2>&1; \
         echo back; read line; echo got $line; exit 4";
    let session = open(&connection, script).await;
    let mut attachment = attach(&connection, session, 1).await;
    see(&mut attachment, "back").await;
    attachment.write_input(b"this\n").await.unwrap();
    see(&mut attachment, "got this").await;
    assert_eq!(end_of(&mut attachment).await, ExitStatus::Exit(4));
    host.daemon.stop().await;
}

/// A connection whose frames are made by hand.
struct Wire(UnixStream);

impl Wire {
    async fn connect(socket: &Path) -> Self {
        let mut stream = UnixStream::connect(socket).await.unwrap();
        stream.write_all(b"{\"request\":\"connect\"}\n").await.unwrap();
        Wire(stream)
    }

    async fn send(&mut self, all: &[FromDevice<'_>]) {
        let mut bytes = Vec::new();
        for message in all {
            let plaintext = message.write();
            bytes.extend_from_slice(&u32::try_from(plaintext.len()).unwrap().to_be_bytes());
            bytes.extend_from_slice(&plaintext);
        }
        self.0.write_all(&bytes).await.unwrap();
    }

    async fn hear(&mut self) -> Vec<u8> {
        let reading = async {
            let length = self.0.read_u32().await.unwrap();
            let mut plaintext = vec![0; length as usize];
            self.0.read_exact(&mut plaintext).await.unwrap();
            plaintext
        };
        tokio::time::timeout(PATIENCE, reading).await.expect("nothing comes")
    }
}

fn ask(id: u32, request: Request) -> FromDevice<'static> {
    FromDevice::Request(NumberedRequest { id, request })
}

/// A device that attaches to an ended session twice in a row gets all of it by the second
/// attachment, whatever became of the first.
#[tokio::test(flavor = "multi_thread")]
async fn attaching_again_outlives_the_attachment_before() {
    let host = Host::start().await;
    let connection = host.connect().await;
    // More than may be on its way at first, so that it needs acknowledging.
    let session = open(&connection, "seq 100000 120000").await;
    let mut attachment = attach(&connection, session, 1).await;
    end_of(&mut attachment).await;

    let mut wire = Wire::connect(&host.socket()).await;
    for round in 0..30 {
        let attach = |id, history| {
            ask(id, Request::Attach(Attach { session, history, ..Attach::default() }))
        };
        // The first one, which is over at once, and another behind it.
        wire.send(&[attach(1, Some(0)), attach(2, None)]).await;
        let (mut second, mut dealt) = (false, 0);
        loop {
            let plaintext = wire.hear().await;
            let text = String::from_utf8_lossy(&plaintext[1..]).into_owned();
            match plaintext[0] {
                2 if text.contains("\"id\":2") => second = true,
                0x10 | 0x14 if second => {
                    dealt += plaintext.len() as u64 - 13;
                    let progress = codeout_protocol::message::Progress { session, offset: dealt };
                    wire.send(&[FromDevice::OutputRead(progress)]).await;
                }
                3 if second && text.contains("session_ended") => break,
                _ => {}
            }
        }
        assert!(dealt > 1 << 16, "round {round}: {dealt}");
    }
    host.daemon.stop().await;
}

/// What attaching is refused with changes nothing: neither the size nor the attachment that was.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_attach_changes_nothing() {
    let host = Host::start().await;
    let connection = host.connect().await;
    let session = open(&connection, "stty raw -echo; echo ready; sleep 1000").await;
    let mut attachment = attach(&connection, session, 1).await;
    see(&mut attachment, "ready").await;
    // More than a terminal holds, so that some waits.
    attachment.write_input(&[b'x'; 60_000]).await.unwrap();
    for keyboard in 2..=64 {
        let mut other = attach(&connection, session, keyboard).await;
        other.write_input(b"x").await.unwrap();
        // It is there when the next request is answered.
        connection.request(Request::Ping).await.unwrap();
        std::mem::forget(other);
    }
    let mut looking = {
        let attach = Attach { session, ..Attach::default() };
        connection.attach(attach).await.unwrap().1
    };
    see(&mut looking, "ready").await;
    let size = TerminalSize { columns: 40, rows: 10 };
    let attach = Attach { session, keyboard: Some(65), size: Some(size), ..Attach::default() };
    let refused = connection.attach(attach).await.unwrap_err();
    assert!(format!("{refused:?}").contains("Limit"), "{refused:?}");
    let entry = connection.sessions().await.unwrap().remove(0);
    assert_eq!((entry.columns, entry.rows, entry.watching), (80, 24, 1));
    host.daemon.stop().await;
}

/// A session's program has its terminal and nothing else of the daemon's.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_inherits_no_descriptor() {
    let host = Host::start().await;
    let connection = host.connect().await;
    for _ in 0..3 {
        open(&connection, "sleep 1000").await;
    }
    let what = "ls -l /proc/$$/fd; echo all";
    let session = open(&connection, what).await;
    let mut attachment = attach(&connection, session, 1).await;
    let mut seen = String::new();
    while let Some(output) = attachment.read().await {
        match output {
            SessionOutput::Bytes(bytes) => seen.push_str(&String::from_utf8_lossy(&bytes)),
            SessionOutput::Ended(_) => break,
            _ => {}
        }
    }
    assert!(seen.contains("all"), "{seen}");
    for foreign in ["socket:", "ptmx", "eventpoll", "memfd"] {
        assert!(!seen.contains(foreign), "{foreign} in {seen}");
    }
    host.daemon.stop().await;
}

/// What a program ended with is known behind a restart, also when the restart came while its
/// terminal was still listened to.
#[tokio::test(flavor = "multi_thread")]
async fn an_exit_status_outlives_a_restart() {
    let host = Host::start().await;
    let connection = host.connect().await;
    // Its helper goes on printing, so that the end is waited for.
    let helper = "for i in $(seq 200); do echo more; sleep 0.01; done";
    let session = open(&connection, &format!("trap '' HUP; ({helper}) & exit 5")).await;
    let mut attachment = attach(&connection, session, 1).await;
    see(&mut attachment, "more").await;
    let Host { home, daemon } = host;
    let inherited = daemon.hand_over().await;
    let daemon = Daemon::take_over(config(home.path()), inherited).await.unwrap();
    let status = until(async || Some(daemon.sessions().remove(0).ended?.status)).await;
    assert_eq!(status, ExitStatus::Exit(5), "session {session}");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_session_is_attached_to_whatever_waited_for_it() {
    let host = Host::start().await;
    let connection = host.connect().await;
    let end = host.home.path().join("end");
    let script = format!(
        "stty raw -echo; echo ready; while ! [ -e {} ]; do sleep 0.05; done",
        end.display()
    );
    let session = open(&connection, &script).await;
    let mut attachment = attach(&connection, session, 1).await;
    see(&mut attachment, "ready").await;
    attachment.write_input(&[b'x'; 60_000]).await.unwrap();
    for keyboard in 2..=64 {
        let mut other = attach(&connection, session, keyboard).await;
        other.write_input(b"x").await.unwrap();
        connection.request(Request::Ping).await.unwrap();
        std::mem::forget(other);
    }
    std::fs::write(&end, "").unwrap();
    let mut looking = connection.attach(Attach { session, ..Attach::default() }).await.unwrap().1;
    end_of(&mut looking).await;
    let mut again = attach(&connection, session, 65).await;
    assert_eq!(end_of(&mut again).await, ExitStatus::Exit(0));
    let other = connection.request(Request::End { session }).await.unwrap_err();
    assert!(format!("{other:?}").contains(&format!("{:?}", ErrorCode::Ended)), "{other:?}");
    host.daemon.stop().await;
}
