//! Sessions through a connection: what goes in, what comes out, how they end, and that neither
//! side can make the other one hold more than a window.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use codeout_daemon::Event;
use codeout_protocol::message::{
    Answer, Chunk, ClosingReason, ErrorCode, ExitStatus, FromDevice, INPUT_WINDOW, MAX_SESSIONS,
    OUTPUT_WINDOW, Outcome, Progress, Request, SessionId,
};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, test_kill_process};
use support::device::{Device, Heard};
use support::process::{DaemonProcess, offer};
use support::{PATIENCE, TestDaemon, WireError, event};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;

/// A device of a daemon of its own.
async fn connected() -> (TestDaemon, Device) {
    let daemon = TestDaemon::start().await;
    let device = Device::of(&daemon, "phone").await;
    (daemon, device)
}

/// A named pipe that a program of a session writes to.
struct Witness {
    path: PathBuf,
    reader: pipe::Receiver,
}

impl Witness {
    fn new(directory: &Path) -> Self {
        let path = directory.join("witness");
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        // Also for writing, so that it does not end before anybody has written.
        let reader = pipe::OpenOptions::new().read_write(true).open_receiver(&path).unwrap();
        Witness { path, reader }
    }

    /// A program that says `up`, then waits, and tells this pipe of a SIGHUP.
    fn program(&self) -> String {
        let path = self.path.display();
        let hup = format!("trap \"echo hup > {path}; exit 0\" HUP");
        // Not the shell that reads this: what runs in that has a process group of its own.
        format!("exec sh -c '{hup}; echo up; while :; do sleep 0.02; done'\n")
    }

    async fn hears(&mut self, expected: &str) {
        let mut heard = vec![0; expected.len()];
        let read = tokio::time::timeout(PATIENCE, self.reader.read_exact(&mut heard)).await;
        read.expect("the program said nothing").unwrap();
        assert_eq!(String::from_utf8_lossy(&heard), expected);
    }
}

#[tokio::test]
async fn a_shell_answers_and_ends_with_its_status() {
    let (daemon, mut device) = connected().await;
    let mut events = daemon.daemon.events();
    // That the reply comes before the first output is what `Device` checks throughout.
    let session = device.open().await;
    let opened = event(&mut events, |event| match event {
        Event::SessionOpened { session, device } => Some((session, device.name.to_string())),
        _ => None,
    });
    assert_eq!(opened.await, (session, "phone".to_owned()));
    // The terminal echoes, the shell answers, in the daemon's directory.
    device.type_in(session, b"echo he''llo; pwd\n").await.unwrap();
    device.see(session, "echo he''llo; pwd\r\n").await;
    device.see(session, "hello\r\n/tmp\r\n").await;
    let typed = device.screen(session).typed;
    while device.screen(session).written < typed {
        device.hear().await.unwrap();
    }
    device.type_in(session, b"exit 7\n").await.unwrap();
    assert_eq!(device.end_of(session).await, ExitStatus::Exit(7));
    let ended = event(&mut events, |event| match event {
        Event::SessionEnded { session } => Some(session),
        _ => None,
    });
    assert_eq!(ended.await, session);

    // A number is never used again.
    let next = device.open().await;
    assert!(next > session);
    device.type_in(next, b"kill -KILL $$\n").await.unwrap();
    assert_eq!(device.end_of(next).await, ExitStatus::Signal(9));
    for request in [
        Request::End { session: next },
        Request::Resize { session: next, columns: 80, rows: 24 },
        Request::End { session: next + 1 },
    ] {
        assert_eq!(device.refused(request).await, ErrorCode::NotFound);
    }
}

#[tokio::test]
async fn end_hangs_up() {
    let (daemon, mut device) = connected().await;
    let mut witness = Witness::new(daemon.home.path());
    let session = device.open_raw().await;
    device.type_in(session, witness.program().as_bytes()).await.unwrap();
    device.see(session, "up\n").await;
    let outcome = device.ask(Request::End { session }).await.unwrap();
    assert_eq!(outcome, Outcome::Ok(Answer::Done {}));
    witness.hears("hup\n").await;
    assert_eq!(device.end_of(session).await, ExitStatus::Exit(0));

    // A program that does nothing about it ends by it; a stopped one too.
    for stop in ["", "kill -STOP $$;"] {
        let session = device.open_raw().await;
        let typed = format!("echo u''p; {stop} exec sleep 1000\n");
        device.type_in(session, typed.as_bytes()).await.unwrap();
        device.see(session, "up\n").await;
        device.ask(Request::End { session }).await.unwrap();
        assert_eq!(device.end_of(session).await, ExitStatus::Signal(1));
    }
}

#[tokio::test]
async fn the_end_of_a_connection_hangs_up_its_sessions() {
    let (daemon, mut device) = connected().await;
    let port = daemon.port();
    let mut witness = Witness::new(daemon.home.path());
    // Once cut, once ended in due form.
    for cut in [true, false] {
        let session = device.open_raw().await;
        device.type_in(session, witness.program().as_bytes()).await.unwrap();
        device.see(session, "up\n").await;
        let credentials = device.credentials.clone();
        if cut {
            drop(device);
        } else {
            let line = device.line;
            let mut wire = line.wire;
            wire.send(line.channel.sealer.finish(b"").unwrap()).await.unwrap();
            wire.ended().await;
        }
        witness.hears("hup\n").await;
        device = Device::connect(port, &credentials).await.unwrap();
    }
    // The other connections of the device keep theirs.
    let session = device.open().await;
    let credentials = device.credentials.clone();
    let mut other = Device::connect(port, &credentials).await.unwrap();
    let others = other.open().await;
    assert_ne!(session, others);
    drop(other);
    device.type_in(session, b"echo st''ill\n").await.unwrap();
    device.see(session, "still").await;
}

#[tokio::test]
async fn the_terminal_has_the_size_that_the_device_says() {
    let (_daemon, mut device) = connected().await;
    let open = Request::Open { columns: 101, rows: 37 };
    let outcome = device.ask(open).await.unwrap();
    let Outcome::Ok(Answer::Opened { session }) = outcome else { panic!("{outcome:?}") };
    device.type_in(session, b"echo [$(stty size)]\n").await.unwrap();
    device.see(session, "[37 101]").await;
    for (columns, rows) in [(120, 40), (1, 1), (2000, 2000)] {
        let outcome = device.ask(Request::Resize { session, columns, rows }).await.unwrap();
        assert_eq!(outcome, Outcome::Ok(Answer::Done {}));
        device.type_in(session, b"echo [$(stty size)]\n").await.unwrap();
        device.see(session, &format!("[{rows} {columns}]")).await;
    }
    // A program that runs is told.
    let typed = b"exec sh -c 'trap \"stty size\" WINCH; echo up; while :; do sleep 0.02; done'\n";
    device.type_in(session, typed).await.unwrap();
    device.see(session, "up\r\n").await;
    device.ask(Request::Resize { session, columns: 90, rows: 30 }).await.unwrap();
    device.see(session, "30 90").await;

    for (columns, rows) in [(0, 24), (80, 0), (0, 0), (2001, 24), (80, 2001), (65535, 65535)] {
        let resize = Request::Resize { session, columns, rows };
        assert_eq!(device.refused(resize).await, ErrorCode::BadRequest, "{columns} {rows}");
        let open = Request::Open { columns, rows };
        assert_eq!(device.refused(open).await, ErrorCode::BadRequest, "{columns} {rows}");
    }
}

#[tokio::test]
async fn much_output_arrives_whole() {
    let (_daemon, mut device) = connected().await;
    let session = device.open_raw().await;
    let count = 1_200_000;
    device.type_in(session, format!("seq 1 {count}; exit 3\n").as_bytes()).await.unwrap();
    assert_eq!(device.end_of(session).await, ExitStatus::Exit(3));
    let printed = std::mem::take(&mut device.screen(session).text);
    assert!(printed.len() > 8 << 20);
    // Behind the shell's prompt.
    let begin = printed.windows(4).position(|part| part == b"1\n2\n").unwrap();
    let expected: String = (1..=count).map(|number: u32| format!("{number}\n")).collect();
    // Not `assert_eq`: it would print them.
    assert!(printed[begin..] == *expected.as_bytes(), "output was lost or changed");
}

#[tokio::test]
async fn what_was_printed_last_is_not_lost() {
    let (_daemon, mut device) = connected().await;
    let mut sessions = 0;
    for round in 0..50 {
        let session = device.open_raw().await;
        // One write, and the end right behind it.
        device.type_in(session, b"printf '%065536d' 7; exit\n").await.unwrap();
        assert_eq!(device.end_of(session).await, ExitStatus::Exit(0));
        let printed = &device.screen(session).text;
        let begin = printed.len().checked_sub(65_536).expect("output was lost");
        let (zeros, last) = printed[begin..].split_at(65_535);
        assert!(zeros.iter().all(|byte| *byte == b'0') && last == b"7", "round {round}");
        sessions += 1;
    }
    assert_eq!(sessions, 50);
}

#[tokio::test]
async fn what_was_printed_last_waits_for_a_slow_device() {
    let (daemon, mut device) = connected().await;
    device.acks = false;
    let session = device.open_raw().await;
    let own = daemon.home.path().join("pid");
    // What is beyond the window fits into the terminal, so that the program can end.
    let typed = format!(
        "echo $$ > {}; head -c {OUTPUT_WINDOW} /dev/zero | tr '\\0' x; exit 4\n",
        own.display()
    );
    device.type_in(session, typed.as_bytes()).await.unwrap();
    let before = device.screen(session).received;
    device.see_more(session, OUTPUT_WINDOW - before).await.unwrap();
    let process = std::fs::read_to_string(&own).unwrap();
    let process = Pid::from_raw(process.trim().parse().unwrap()).unwrap();
    while test_kill_process(process).is_ok() {
        settle(&mut device).await;
    }
    // However long that takes.
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(400) {
        settle(&mut device).await;
    }
    assert_eq!(device.screen(session).received, OUTPUT_WINDOW);
    assert_eq!(device.screen(session).ended, None);
    device.acknowledge(session).await.unwrap();
    assert_eq!(device.end_of(session).await, ExitStatus::Exit(4));
    let screen = device.screen(session);
    assert!(screen.received > OUTPUT_WINDOW);
    let printed = &screen.text[screen.text.len() - OUTPUT_WINDOW as usize..];
    assert!(printed.iter().all(|byte| *byte == b'x'), "output was lost");
}

#[tokio::test]
async fn a_program_that_holds_the_terminal_does_not_hold_the_session() {
    let (daemon, mut device) = connected().await;
    let mut witness = Witness::new(daemon.home.path());
    let session = device.open_raw().await;
    // In the background, deaf to the hangup of its terminal.
    let path = witness.path.to_str().unwrap().to_owned();
    let typed = format!(
        "(trap '' HUP; echo up > {path}; read _ < {path}.end) & while [ ! -e {path}.end ]; do \
         sleep 0.01; done; echo la''st; exit 5\n"
    );
    device.type_in(session, typed.as_bytes()).await.unwrap();
    witness.hears("up\n").await;
    let end = format!("{path}.end");
    mknodat(CWD, &end, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    device.see(session, "last\n").await;
    assert_eq!(device.end_of(session).await, ExitStatus::Exit(5));
    // Lets the program go.
    let _release = pipe::OpenOptions::new().read_write(true).open_sender(&end).unwrap();
}

/// What came until a reply to a ping, several times, so that what is on its way arrives.
async fn settle(device: &mut Device) {
    for _ in 0..5 {
        device.ask(Request::Ping).await.unwrap();
    }
}

#[tokio::test]
async fn output_stops_at_the_window_and_goes_on_with_it() {
    let (_daemon, mut device) = connected().await;
    device.acks = false;
    let session = device.open_raw().await;
    let before = device.screen(session).received;
    device.type_in(session, b"yes\n").await.unwrap();
    device.see_more(session, OUTPUT_WINDOW - before).await.unwrap();
    settle(&mut device).await;
    assert_eq!(device.screen(session).received, OUTPUT_WINDOW);

    // As much as is acknowledged comes, to the byte.
    let mut acked = 0;
    for step in [1, 5, 32_767, 32_769, 300_000] {
        acked += step;
        device.acknowledge_until(session, acked).await.unwrap();
        device.see_more(session, step).await.unwrap();
        settle(&mut device).await;
        assert_eq!(device.screen(session).received, OUTPUT_WINDOW + acked);
    }
    // Saying it again, or less, changes nothing.
    for offset in [acked, acked - 1, 0] {
        let progress = FromDevice::OutputRead(Progress { session, offset });
        device.line.send(&progress.write()).await.unwrap();
    }
    settle(&mut device).await;
    assert_eq!(device.screen(session).received, OUTPUT_WINDOW + acked);

    // Meanwhile another session has a window of its own.
    let other = device.open().await;
    device.type_in(other, b"echo fr''ee\n").await.unwrap();
    device.see(other, "free").await;

    device.acks = true;
    device.acknowledge(session).await.unwrap();
    device.see_more(session, 4 * OUTPUT_WINDOW).await.unwrap();
}

/// The daemon's last word is that the device broke the protocol.
async fn is_closed(mut device: Device, what: &str) {
    match device.last_word().await {
        Ok(reason) => assert_eq!(reason, ClosingReason::Protocol, "{what}"),
        Err(error) => panic!("{what}: {error:?}"),
    }
}

/// A fresh connection with a session whose program reads nothing.
async fn deaf(daemon: &TestDaemon, device: &Device) -> (Device, SessionId) {
    let mut device = Device::connect(daemon.port(), &device.credentials).await.unwrap();
    let session = device.open_raw().await;
    device.type_in(session, b"echo de''af; exec sleep 1000\n").await.unwrap();
    device.see(session, "deaf\n").await;
    (device, session)
}

#[tokio::test]
async fn a_program_that_reads_nothing_holds_nobody_up() {
    let (daemon, device) = connected().await;
    let (mut device, session) = deaf(&daemon, &device).await;
    let before = device.screen(session).typed;
    device.type_in(session, &vec![b'x'; INPUT_WINDOW as usize]).await.unwrap();
    // Everything else is answered, and another session works.
    device.ask(Request::Ping).await.unwrap();
    let other = device.open().await;
    device.type_in(other, b"echo fr''ee\n").await.unwrap();
    device.see(other, "free").await;
    device.ask(Request::Devices).await.unwrap();
    assert!(device.screen(session).written <= before + INPUT_WINDOW);
    device.ask(Request::End { session }).await.unwrap();
    assert_eq!(device.end_of(session).await, ExitStatus::Signal(1));
    device.ask(Request::Ping).await.unwrap();
}

#[tokio::test]
async fn input_that_waited_is_written_in_order() {
    let (_daemon, mut device) = connected().await;
    let session = device.open_raw().await;
    // More than a terminal takes at once, while nobody reads.
    let path = _daemon.home.path().join("go");
    let go = path.display();
    let typed = format!(
        "echo rea''dy; while [ ! -e {go} ]; do sleep 0.01; done; head -c {INPUT_WINDOW} | cksum\n"
    );
    device.type_in(session, typed.as_bytes()).await.unwrap();
    device.see(session, "ready\n").await;
    let typed = device.screen(session).typed;
    while device.screen(session).written < typed {
        device.hear().await.unwrap();
    }
    let input: Vec<u8> = (0..INPUT_WINDOW).map(|byte| (byte % 251) as u8).collect();
    for part in input.chunks(1000) {
        device.type_in(session, part).await.unwrap();
    }
    device.ask(Request::Ping).await.unwrap();
    std::fs::write(&path, b"").unwrap();
    device.see(session, &format!("{} {INPUT_WINDOW}", cksum(&input))).await;
    while device.screen(session).written < typed + INPUT_WINDOW {
        device.hear().await.unwrap();
    }
}

/// The checksum of POSIX `cksum`.
fn cksum(bytes: &[u8]) -> u32 {
    let mut length = Vec::new();
    let mut rest = bytes.len();
    while rest > 0 {
        length.push((rest & 0xff) as u8);
        rest >>= 8;
    }
    let step = |sum: u32, byte: &u8| {
        (0..8).fold(sum ^ (u32::from(*byte) << 24), |sum, _| {
            if sum & 0x8000_0000 == 0 { sum << 1 } else { (sum << 1) ^ 0x04c1_1db7 }
        })
    };
    !bytes.iter().chain(&length).fold(0, step)
}

#[tokio::test]
async fn input_beyond_the_window_ends_the_connection() {
    let (daemon, device) = connected().await;
    let (mut device, session) = deaf(&daemon, &device).await;
    // The terminal itself takes some; no terminal takes all of this. The daemon may have closed
    // before everything was sent.
    let _ = device.type_in(session, &vec![b'x'; 1 << 20]).await;
    is_closed(device, "input beyond the window").await;
}

#[tokio::test]
async fn what_no_device_may_send_ends_the_connection() {
    let (daemon, first) = connected().await;
    let chunk = |session, offset, bytes: &'static [u8]| {
        FromDevice::Input(Chunk { session, offset, bytes }).write()
    };
    let read = |session, offset| FromDevice::OutputRead(Progress { session, offset }).write();
    let json = |text: &str| [&[1], text.as_bytes()].concat();
    let plain = |bytes: &[u8]| bytes.to_vec();

    let (device, session) = deaf(&daemon, &first).await;
    let (typed, received) = (device.screens[&session].typed, device.screens[&session].received);
    drop(device);
    assert!(typed > 1 && received > 0);

    type Spoil<'a> = Box<dyn Fn(SessionId) -> Vec<u8> + 'a>;
    let cases: Vec<(&str, Spoil<'_>)> = vec![
        ("input with a gap", Box::new(|session| chunk(session, typed + 1, b"x"))),
        ("input that overlaps", Box::new(|session| chunk(session, typed - 1, b"x"))),
        ("input from the start", Box::new(|session| chunk(session, 0, b"x"))),
        ("input beyond the end", Box::new(|session| chunk(session, u64::MAX, b"x"))),
        ("a chunk of nothing", Box::new(|session| chunk(session, typed, b""))),
        ("output never sent", Box::new(|session| read(session, received + (1 << 20)))),
        ("output at the end of time", Box::new(|session| read(session, u64::MAX))),
        ("nothing", Box::new(|_| Vec::new())),
        ("an unknown kind", Box::new(|_| plain(&[0x7f, 1]))),
        ("the daemon's kind", Box::new(|_| plain(b"\x02{\"id\":1,\"ok\":{}}"))),
        ("half a progress", Box::new(|_| plain(&[0x11, 0, 0]))),
        ("no JSON", Box::new(|_| json("ping"))),
        ("no object", Box::new(|_| json("[]"))),
        ("no id", Box::new(|_| json(r#"{"request":"ping"}"#))),
        ("a negative id", Box::new(|_| json(r#"{"id":-1,"request":"ping"}"#))),
        ("a long id", Box::new(|_| json(r#"{"id":4294967296,"request":"ping"}"#))),
        ("no request", Box::new(|_| json(r#"{"id":1}"#))),
        ("a request that is no string", Box::new(|_| json(r#"{"id":1,"request":7}"#))),
        ("more behind the request", Box::new(|_| json(r#"{"id":1,"request":"ping"}{}"#))),
    ];
    for (what, spoil) in cases {
        let (mut device, session) = deaf(&daemon, &first).await;
        device.line.send(&spoil(session)).await.unwrap();
        is_closed(device, what).await;
    }

    // One that does not open, or a text, ends it without a word.
    let (mut device, _) = deaf(&daemon, &first).await;
    device.line.wire.send(vec![0; 81]).await.unwrap();
    assert!(matches!(device.last_word().await, Err(WireError::Ended)));
    // The device is paired as before.
    Device::connect(daemon.port(), &first.credentials).await.unwrap();
}

#[tokio::test]
async fn what_comes_for_a_session_that_has_just_ended_is_ignored() {
    let (_daemon, mut device) = connected().await;
    let session = device.open().await;
    device.type_in(session, b"exit\n").await.unwrap();
    device.end_of(session).await;
    device.type_in(session, b"too late\n").await.unwrap();
    device.acknowledge(session).await.unwrap();
    device.ask(Request::Ping).await.unwrap();
}

/// Sends a request as it stands; returns the code that it is refused with.
async fn refusal(device: &mut Device, request: &str) -> ErrorCode {
    let id = 77;
    let plaintext = [b"\x01", request.as_bytes()].concat();
    device.line.send(&plaintext).await.unwrap();
    match device.reply(id).await.unwrap() {
        Outcome::Error(error) => error.code,
        Outcome::Ok(answer) => panic!("{request}: {answer:?}"),
    }
}

#[tokio::test]
async fn a_request_that_cannot_be_acted_on_is_answered() {
    let (_daemon, mut device) = connected().await;
    for (request, code) in [
        (r#"{"id":77,"request":"fly"}"#, ErrorCode::UnknownRequest),
        (r#"{"id":77,"request":"fly","high":true}"#, ErrorCode::UnknownRequest),
        (r#"{"id":77,"request":""}"#, ErrorCode::UnknownRequest),
        (r#"{"id":77,"request":"open"}"#, ErrorCode::BadRequest),
        (r#"{"id":77,"request":"open","columns":"wide","rows":24}"#, ErrorCode::BadRequest),
        (r#"{"id":77,"request":"open","columns":65616,"rows":24}"#, ErrorCode::BadRequest),
        (r#"{"id":77,"request":"open","columns":-1,"rows":24}"#, ErrorCode::BadRequest),
        (r#"{"id":77,"request":"end","session":null}"#, ErrorCode::BadRequest),
        (r#"{"id":77,"request":"rename","device":"x"}"#, ErrorCode::BadRequest),
        (r#"{"id":77,"request":"offer","for_seconds":0}"#, ErrorCode::BadRequest),
        (r#"{"id":77,"request":"offer","for_seconds":-5}"#, ErrorCode::BadRequest),
        (r#"{"id":77,"request":"offer","watch_only":1}"#, ErrorCode::BadRequest),
        (r#"{"id":77,"request":"end","session":4000000000}"#, ErrorCode::NotFound),
        (r#"{"id":77,"request":"revoke","device":"nobody"}"#, ErrorCode::NotFound),
    ] {
        assert_eq!(refusal(&mut device, request).await, code, "{request}");
    }
    // Members that nobody knows are no fault.
    let plaintext = b"\x01 {\"more\":[1,{}],\"request\":\"ping\",\"id\":78} ";
    device.line.send(plaintext).await.unwrap();
    assert_eq!(device.reply(78).await.unwrap(), Outcome::Ok(Answer::Done {}));
}

#[tokio::test]
async fn requests_on_their_way_are_each_answered_once() {
    let (_daemon, mut device) = connected().await;
    let mut due = Vec::new();
    for round in 0..100 {
        let request = if round % 3 == 0 { Request::Devices } else { Request::Ping };
        due.push(device.request(request).await.unwrap());
    }
    while !due.is_empty() {
        if let Heard::Reply(reply) = device.hear().await.unwrap() {
            let place = due.iter().position(|id| *id == reply.id).expect("a reply to no request");
            due.swap_remove(place);
        }
    }
}

#[tokio::test]
async fn a_connection_has_sixteen_sessions_at_most() {
    let (daemon, mut device) = connected().await;
    let mut sessions = Vec::new();
    for _ in 0..MAX_SESSIONS {
        sessions.push(device.open().await);
    }
    let open = Request::Open { columns: 80, rows: 24 };
    assert_eq!(device.refused(open.clone()).await, ErrorCode::Limit);
    // Another connection has its own.
    let mut other = Device::connect(daemon.port(), &device.credentials).await.unwrap();
    other.open().await;
    // One that ends makes room, and the others live.
    let first = sessions.remove(0);
    device.type_in(first, b"exit\n").await.unwrap();
    device.end_of(first).await;
    device.open().await;
    assert_eq!(device.refused(open).await, ErrorCode::Limit);
    for session in sessions {
        device.type_in(session, b"echo al''ive\n").await.unwrap();
        device.see(session, "alive").await;
    }
}

#[tokio::test]
async fn a_shell_that_cannot_start_is_no_end() {
    let home = TempDir::new().unwrap();
    let shell = home.path().join("shell");
    let nowhere = home.path().join("nowhere");
    let daemon = TestDaemon::start_with(|config| config.shell.clone_from(&shell)).await;
    let mut device = Device::of(&daemon, "phone").await;
    let open = Request::Open { columns: 80, rows: 24 };
    let outcome = device.ask(open.clone()).await.unwrap();
    let Outcome::Error(error) = outcome else { panic!("{outcome:?}") };
    assert_eq!(error.code, ErrorCode::Failed);
    assert!(error.message.contains(shell.to_str().unwrap()), "{}", error.message);
    // Not a program.
    std::fs::write(&shell, "#!/bin/sh\necho st''arted\n").unwrap();
    assert_eq!(device.refused(open.clone()).await, ErrorCode::Failed);
    // Now it is one.
    std::fs::set_permissions(&shell, std::fs::Permissions::from_mode(0o700)).unwrap();
    let session = device.open().await;
    device.see(session, "started\r\n").await;
    assert_eq!(device.end_of(session).await, ExitStatus::Exit(0));

    // Nor can it start where there is nothing.
    let daemon = TestDaemon::start_with(|config| config.directory.clone_from(&nowhere)).await;
    let mut device = Device::of(&daemon, "phone").await;
    assert_eq!(device.refused(open).await, ErrorCode::Failed);
    device.ask(Request::Ping).await.unwrap();
}

#[tokio::test]
async fn a_program_sees_its_own_terminal_and_not_the_daemons() {
    let home = TempDir::new().unwrap();
    let foreign = ["TMUX", "TMUX_PANE", "STY", "COLUMNS", "LINES", "TERM_PROGRAM"];
    let daemon = DaemonProcess::start_with(home.path(), |command| {
        command.env("TERM", "dumb").env("COLORTERM", "none").env("CODEOUT_SESSION", "99");
        command.env("KEPT", "kept");
        for name in foreign {
            command.env(name, "foreign");
        }
    })
    .await;
    let code = offer(home.path()).await;
    let mut device = Device::pair(daemon.port, &code, "phone").await.unwrap();
    device.open().await;
    let session = device.open().await;
    device
        .type_in(session, b"echo \"[$CODEOUT_SESSION $TERM $COLORTERM $KEPT]\"; env; echo e''nd\n")
        .await
        .unwrap();
    device.see(session, &format!("[{session} xterm-256color truecolor kept]")).await;
    // Up to the end, which `see` would throw away.
    loop {
        let printed = String::from_utf8_lossy(&device.screen(session).text).into_owned();
        if printed.contains("end\r\n") {
            assert!(printed.contains("KEPT=kept"), "{printed}");
            for name in foreign {
                assert!(!printed.contains(&format!("\n{name}=")), "{name} in {printed}");
            }
            break;
        }
        device.hear().await.unwrap();
    }
    assert!(daemon.terminate().await.success());
}

#[tokio::test]
async fn a_session_with_much_to_say_does_not_hold_up_a_request() {
    let (_daemon, mut device) = connected().await;
    let session = device.open_raw().await;
    device.type_in(session, b"yes\n").await.unwrap();
    device.see_more(session, OUTPUT_WINDOW).await.unwrap();
    let begun = device.screen(session).received;
    device.ask(Request::Ping).await.unwrap();
    // Not behind more than what may be on its way.
    let behind = device.screen(session).received - begun;
    assert!(behind <= 2 * OUTPUT_WINDOW, "the reply came behind {behind} bytes");
    let began = Instant::now();
    device.ask(Request::End { session }).await.unwrap();
    device.end_of(session).await;
    assert!(began.elapsed() < Duration::from_secs(10));
}
