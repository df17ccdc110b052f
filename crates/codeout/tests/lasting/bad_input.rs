//! What cannot be opened, and output that means harm.

use std::time::Instant;

use codeout_device::{RequestFailed, SessionOutput};
use codeout_protocol::message::{Attach, ErrorCode, ExitStatus, Open, Request};

use crate::desk::{
    Desk, attach, contains, entry, in_time, open, poll, read_to_end, read_until, refused, script,
    shell, watch,
};
use crate::nothing_lost::Random;
use crate::process::DaemonProcess;

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_opened_is_refused_with_the_reason() {
    let desk = Desk::start().await;
    let connection = desk.connect().await;
    let program = |program: &str| Open { program: Some(program.into()), ..shell() };
    let gone = desk.home.path().join("gone");
    std::fs::create_dir(&gone).unwrap();
    let in_directory = |path: &str| Open { directory: Some(path.into()), ..script("read x") };
    let in_gone = || in_directory(gone.to_str().unwrap());
    open(&connection, in_gone()).await;
    std::fs::remove_dir(&gone).unwrap();

    for (request, code, part) in [
        (program("no-such-program"), ErrorCode::NotFound, "no-such-program"),
        (program("/no/such/program"), ErrorCode::NotFound, "/no/such/program"),
        (program("/etc/passwd"), ErrorCode::Failed, "/etc/passwd"),
        (program("/etc"), ErrorCode::BadRequest, "/etc"),
        (in_gone(), ErrorCode::NotFound, "gone"),
        (in_directory("/etc/passwd"), ErrorCode::BadRequest, "/etc/passwd"),
    ] {
        let (found, text) = refused(&connection, Request::Open(request.clone())).await;
        assert_eq!(found, code, "{request:?}: {text}");
        assert!(text.contains(part), "{text}");
    }
    let nameless = Open { name: Some("\u{7}\u{1b}".into()), ..shell() };
    assert_eq!(refused(&connection, Request::Open(nameless)).await.0, ErrorCode::BadRequest);
    assert_eq!(connection.sessions().await.unwrap().len(), 1);
    let attach = Attach { session: 4711, ..Attach::default() };
    match in_time(connection.attach(attach)).await {
        Err(RequestFailed::Refused(error)) => assert_eq!(error.code, ErrorCode::NotFound),
        other => panic!("not refused: {other:?}"),
    }
    desk.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_given_once() {
    let desk = Desk::start().await;
    let connection = desk.connect().await;
    let named = |name: &str| Open { name: Some(name.into()), ..shell() };
    let first = open(&connection, named("api")).await;
    let (code, text) = refused(&connection, Request::Open(named("API"))).await;
    assert_eq!(code, ErrorCode::Taken);
    assert!(text.contains("api"), "{text}");
    let other = open(&connection, named("web")).await.session;
    let rename = Request::RenameSession { session: other, name: "api".into() };
    assert_eq!(refused(&connection, rename).await.0, ErrorCode::Taken);
    // What nobody asked for is made unique.
    let mut names = vec![first.name];
    for _ in 0..5 {
        names.push(open(&connection, script("read x")).await.name);
    }
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
    desk.stop().await;
}

/// Everything that a terminal answers.
const QUERIES: [&str; 18] = [
    "[c",
    "[>c",
    "[=c",
    "[5n",
    "[6n",
    "[?6n",
    "[18t",
    "[14t",
    "[21t",
    "[?2026$p",
    "[4$p",
    "[?u",
    "[>q",
    "P$qm\\033\\\\",
    "P+q544e\\033\\\\",
    "]10;?\\033\\\\",
    "]4;1;?\\a",
    "]52;c;?\\a",
];

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_answers_no_query_of_a_program() {
    let desk = Desk::start().await;
    let connection = desk.connect().await;
    let queries: String = QUERIES.iter().map(|query| format!("\\033{query}")).collect();
    // Reads whatever comes within two seconds; nothing may.
    let program = format!(
        "stty raw -echo min 0 time 20; printf '{queries}\\005'; n=$(wc -c); \
         printf '<typed %s bytes>' $n"
    );
    let session = open(&connection, script(&program)).await.session;
    let other = desk.connect().await;
    let mut looks = watch(&other, session).await;
    let (text, status) = read_to_end(&mut attach(&connection, session).await).await;
    assert_eq!(status, ExitStatus::Exit(0));
    assert!(contains(&text, b"<typed 0 bytes>"), "{:?}", String::from_utf8_lossy(&text));
    read_to_end(&mut looks).await;
    desk.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_text_come_as_they_are() {
    const SEED: u64 = 0xbad_0b17e5;
    let mut random = Random::new(SEED);
    let noise: Vec<u8> = (0..1 << 20).map(|_| random.below(256) as u8).collect();
    let desk = Desk::start().await;
    let file = desk.home.path().join("noise");
    std::fs::write(&file, &noise).unwrap();
    let connection = desk.connect().await;
    // It prints a part for each key, so that no snapshot takes the place of bytes.
    let program = format!(
        "stty raw -echo; printf ready; exec < {}; dd=\"dd status=none count=1\"; \
         while $dd bs=1 < /dev/tty > /dev/null; do $dd bs=8192; done",
        file.display()
    );
    let session = open(&connection, script(&program)).await.session;
    let mut attachment = attach(&connection, session).await;
    read_until(&mut attachment, "ready").await;
    for part in noise.chunks(8192) {
        attachment.write_input(b"k").await.unwrap();
        let mut came = Vec::new();
        while came.len() < part.len() {
            match in_time(attachment.read()).await {
                Some(SessionOutput::Bytes(bytes)) => came.extend_from_slice(&bytes),
                Some(SessionOutput::SnapshotEnd) => {}
                other => panic!("{other:?}, seed {SEED:#x}"),
            }
        }
        assert!(came == part, "seed {SEED:#x}");
    }
    // Whoever comes now gets a screen of it.
    let other = desk.connect().await;
    let mut looks = watch(&other, session).await;
    in_time(connection.request(Request::End { session })).await.unwrap();
    read_to_end(&mut looks).await;
    desk.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_endless_line_takes_bounded_memory() {
    /// A line without an end, in bytes: shorter where the daemon is not optimised.
    const LINE: u64 = if cfg!(debug_assertions) { 256 << 20 } else { 1 << 30 };
    /// What the daemon may take for it in KiB: output and history kept, and some to work with.
    const BOUND: u64 = 32 << 10;
    let process = DaemonProcess::start().await;
    let connection = process.connect().await;
    let session = open(&connection, script("echo ready; read x")).await.session;
    read_until(&mut attach(&connection, session).await, "ready").await;
    let before = process.memory();
    let program = format!("head -c {LINE} /dev/zero | tr '\\0' x; printf '\\r\\nthe end'; read x");
    let session = open(&connection, script(&program)).await.session;
    let began = Instant::now();
    let end = async || {
        let as_listed = entry(&connection, session).await;
        (as_listed.last_line.as_deref() == Some("the end")).then_some(())
    };
    in_time(poll(end)).await;
    let after = process.memory();
    println!("{} MiB in one line: {:?}", LINE >> 20, began.elapsed());
    if let (Some(before), Some(after)) = (before, after) {
        println!("the daemon's memory: {before} KiB before, {after} KiB after");
        assert!(after - before.min(after) <= BOUND);
    }
    // It can be attached to.
    read_until(&mut attach(&connection, session).await, "the end").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_only_so_many_sessions() {
    /// Those that a daemon runs at once.
    const MOST: usize = 1_000;
    let process = DaemonProcess::start().await;
    let connection = process.connect().await;
    let began = Instant::now();
    let before = process.memory();
    let first = open(&connection, script("read x")).await.session;
    for _ in 1..MOST {
        open(&connection, script("read x")).await;
    }
    println!("{MOST} sessions opened in {:?}", began.elapsed());
    println!("the daemon's memory in KiB: {before:?} before, {:?} after", process.memory());
    let (code, text) = refused(&connection, Request::Open(script("read x"))).await;
    assert_eq!(code, ErrorCode::Limit);
    assert!(text.contains("1000"), "{text}");
    assert_eq!(in_time(connection.sessions()).await.unwrap().len(), MOST);
    // One less, and there is room.
    attach(&connection, first).await.write_input(b"\n").await.unwrap();
    let over = async || entry(&connection, first).await.ended;
    in_time(poll(over)).await;
    open(&connection, script("read x")).await;
    assert_eq!(refused(&connection, Request::Open(script("read x"))).await.0, ErrorCode::Limit);
}
