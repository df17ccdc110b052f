//! The app as HTTP gives it out, to browsers and to those who are none.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::Duration;

use support::http::{Answer, HttpLink, UPGRADE, ask};
use support::{PATIENCE, TestDaemon};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpSocket, TcpStream};

const HOST: &str = "Host: desk:8400";

/// A script that the page names.
async fn script(daemon: &TestDaemon) -> String {
    let page = ask(daemon, "GET / HTTP/1.1", &[HOST]).await;
    let named = assets(&page);
    named.into_iter().find(|path| path.ends_with(".js")).expect("the page has a script")
}

/// The files that a page or script names.
fn assets(answer: &Answer) -> Vec<String> {
    let text = String::from_utf8_lossy(&answer.body);
    let words = text.split(|char: char| !char.is_ascii_alphanumeric() && !"_-./".contains(char));
    let named = words.filter_map(|word| word.rsplit_once("assets/").map(|(_, name)| name));
    let kept = named.filter(|name| name.ends_with(".js") || name.ends_with(".css"));
    kept.map(|name| format!("/assets/{name}")).collect()
}

/// All files that the page names, and those that they name, with their sizes.
async fn all_assets(daemon: &TestDaemon) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    let mut next = vec!["/".to_owned()];
    while let Some(path) = next.pop() {
        if found.contains_key(&path) {
            continue;
        }
        let answer = get(daemon, &path, &[]).await;
        assert_eq!(answer.status, 200, "{path}");
        next.extend(assets(&answer));
        found.insert(path, answer.body.len());
    }
    found
}

async fn get(daemon: &TestDaemon, path: &str, headers: &[&str]) -> Answer {
    ask(daemon, &format!("GET {path} HTTP/1.1"), &[&[HOST], headers].concat()).await
}

/// What a program of the system makes of bytes.
fn piped(program: &str, arguments: &[&str], bytes: Vec<u8>) -> Vec<u8> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || std::io::Write::write_all(&mut input, &bytes));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{program}");
    output.stdout
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_kept_by_browsers_for_as_long_as_they_are_right() {
    let daemon = TestDaemon::start().await;
    let script = script(&daemon).await;
    let for_ever = "public, max-age=31536000, immutable";
    for (path, cache, kind) in [
        ("/", "no-cache", "text/html; charset=utf-8"),
        ("/index.html", "no-cache", "text/html; charset=utf-8"),
        (&script, for_ever, "text/javascript; charset=utf-8"),
    ] {
        let first = get(&daemon, path, &["Accept-Encoding: gzip"]).await;
        assert_eq!((first.status, first.header("content-type")), (200, Some(kind)), "{path}");
        assert_eq!(first.header("cache-control"), Some(cache), "{path}");
        assert_eq!(first.header("vary"), Some("accept-encoding"), "{path}");
        let etag = first.header("etag").unwrap();
        assert!(etag.starts_with('"') && etag.ends_with('"'), "{etag} is not strong");
        for known in [etag.to_owned(), format!("\"x\", W/{etag}"), "*".to_owned()] {
            let line = format!("If-None-Match: {known}");
            let again = get(&daemon, path, &["Accept-Encoding: gzip", &line]).await;
            assert_eq!((again.status, again.body.len()), (304, 0), "{path} {known}");
            assert_eq!(again.header("etag"), Some(etag));
            assert_eq!(again.header("cache-control"), Some(cache));
            assert_eq!(again.header("content-length"), None);
        }
        // Another packing is another representation.
        let line = format!("If-None-Match: {etag}");
        for (accepts, status) in [("br", 200), ("identity", 200), ("gzip", 304)] {
            let accepts = format!("Accept-Encoding: {accepts}");
            let answer = get(&daemon, path, &[&accepts, &line]).await;
            assert_eq!(answer.status, status, "{path} {accepts}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn packed_files_are_what_they_were() {
    let daemon = TestDaemon::start().await;
    for path in ["/".to_owned(), script(&daemon).await] {
        let plain = get(&daemon, &path, &[]).await;
        assert_eq!(plain.header("content-encoding"), None);
        let unpack = "process.stdin.pipe(require('zlib').createBrotliDecompress())\
                      .pipe(process.stdout)";
        for (coding, program, arguments) in
            [("gzip", "gzip", ["-d", "-c"]), ("br", "node", ["-e", unpack])]
        {
            let packed = get(&daemon, &path, &[&format!("Accept-Encoding: {coding}")]).await;
            assert_eq!(packed.header("content-encoding"), Some(coding), "{path}");
            assert!(packed.body.len() < plain.body.len(), "{path} {coding}");
            assert!(piped(program, &arguments, packed.body) == plain.body, "{path} {coding}");
        }
        let ranged = get(&daemon, &path, &["Range: bytes=1-2"]).await;
        assert_eq!(ranged.bytes(), plain.bytes());
        assert_eq!(plain.header("accept-ranges"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn head_says_what_get_would() {
    let daemon = TestDaemon::start().await;
    let script = script(&daemon).await;
    let mut link = HttpLink::dial(&daemon).await;
    for path in ["/", &script] {
        for headers in [&[HOST][..], &[HOST, "Accept-Encoding: br"]] {
            let got = link.ask(&format!("GET {path} HTTP/1.1"), headers).await;
            let head = link.ask(&format!("HEAD {path} HTTP/1.1"), headers).await;
            assert_eq!(head.head, got.head, "{path} {headers:?}");
            let length = got.body.len().to_string();
            assert_eq!(head.header("content-length"), Some(length.as_str()));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_has_one_path() {
    let daemon = TestDaemon::start().await;
    let script = script(&daemon).await;
    let name = script.strip_prefix("/assets/").unwrap();
    for other in [
        format!("/assets/../assets/{name}"),
        format!("/assets/./{name}"),
        format!("/assets//{name}"),
        format!("//assets/{name}"),
        format!("/assets/%2e%2e/assets/{name}"),
        format!("/assets%2f{name}"),
        format!("/assets\\{name}"),
        format!("/%61ssets/{name}"),
        format!("/ASSETS/{name}"),
        format!("{script}/"),
        format!("{script}.br"),
        format!("{script}.gz"),
        format!("{script}%00"),
        "/assets".to_owned(),
        "/assets/".to_owned(),
        "/assets/..".to_owned(),
        "/assets/../".to_owned(),
        "/assets/../../../../etc/passwd".to_owned(),
        "/assets/%2e%2e/%2e%2e/etc/passwd".to_owned(),
        "/index.html/".to_owned(),
        "/./".to_owned(),
        "/%2f".to_owned(),
        "/.vite/manifest.json".to_owned(),
    ] {
        assert_eq!(get(&daemon, &other, &[]).await.status, 404, "{other}");
    }
    // What is behind a question mark is the app's own affair, and so is the name it is called by.
    let plain = get(&daemon, "/", &[]).await;
    for (line, host) in [
        ("GET /?x=/../y HTTP/1.1", HOST),
        ("GET http://evil.example/ HTTP/1.1", "Host: evil.example"),
        ("GET / HTTP/1.1", "Host: anything at all"),
    ] {
        assert_eq!(ask(&daemon, line, &[host]).await.bytes(), plain.bytes(), "{line} {host}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_loads_the_app_on_one_connection_and_not_without_end() {
    let daemon = TestDaemon::start().await;
    let script = script(&daemon).await;
    let mut link = HttpLink::dial(&daemon).await;
    let mut served = 0;
    loop {
        let path = if served % 2 == 0 { "/" } else { &script };
        let answer = link.ask(&format!("GET {path} HTTP/1.1"), &[HOST]).await;
        assert_eq!(answer.status, 200);
        served += 1;
        if answer.header("connection") == Some("close") {
            break;
        }
    }
    assert_eq!(served, 100);
    link.ended().await;

    // Several at once are answered one after the other.
    let mut link = HttpLink::dial(&daemon).await;
    let lines = ["GET / HTTP/1.1", "HEAD / HTTP/1.1", "GET /x HTTP/1.1", "GET / HTTP/1.1"];
    for line in lines {
        link.send(line, &[HOST]).await;
    }
    for (line, status) in lines.iter().zip([200, 200, 404]) {
        let answer = link.answer(line.starts_with("HEAD")).await.unwrap();
        assert_eq!(answer.status, status, "{line}");
    }
    // One that got nothing was the last.
    assert!(link.answer(false).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_loaded_the_app_may_become_a_websocket() {
    let daemon = TestDaemon::start().await;
    let mut link = HttpLink::dial(&daemon).await;
    for _ in 0..5 {
        assert_eq!(link.ask("GET / HTTP/1.1", &[HOST]).await.status, 200);
    }
    let headers = [&[HOST][..], &UPGRADE].concat();
    assert_eq!(link.ask("GET /ws HTTP/1.1", &headers).await.status, 101);
    // And has the time for its handshake that every WebSocket has.
    let took = link.ended().await;
    assert!(took > Duration::from_secs(8) && took < Duration::from_secs(20), "{took:?}");
}

/// A body that nobody wants is not read, and does not become the next request.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_no_request() {
    let daemon = TestDaemon::start().await;
    let body = "GET /ws HTTP/1.1\r\nHost: desk\r\n\r\n";
    for (line, status) in [("POST / HTTP/1.1", 405), ("GET / HTTP/1.1", 200)] {
        let mut link = HttpLink::dial(&daemon).await;
        // All at once: a body that is still to come when the answer is ready ends the connection.
        let length = body.len();
        let request = format!("{line}\r\n{HOST}\r\nContent-Length: {length}\r\n\r\n{body}");
        link.0.write_all(request.as_bytes()).await.unwrap();
        assert_eq!(link.answer(false).await.unwrap().status, status);
        if status == 405 {
            assert!(link.answer(false).await.is_none());
        } else {
            assert_eq!(link.ask("GET / HTTP/1.1", &[HOST]).await.status, 200);
        }
    }
    let mut link = HttpLink::dial(&daemon).await;
    link.send("POST / HTTP/1.1", &[HOST, "Content-Length: 1000000000000"]).await;
    assert_eq!(link.answer(false).await.unwrap().status, 405);
    link.ended().await;
}

/// Whoever does not say what he wants is let go after ten seconds, however he keeps at it.
#[tokio::test(flavor = "multi_thread")]
async fn who_never_asks_is_let_go() {
    let daemon = TestDaemon::start().await;
    let silent = async { HttpLink::dial(&daemon).await.ended().await };
    let idle = async {
        let mut link = HttpLink::dial(&daemon).await;
        assert_eq!(link.ask("GET / HTTP/1.1", &[HOST]).await.status, 200);
        link.ended().await
    };
    // A header of a byte at a time.
    let dripping = async {
        let mut link = HttpLink::dial(&daemon).await;
        link.0.write_all(b"GET / HTTP/1.1\r\nX-Long: ").await.unwrap();
        let began = tokio::time::Instant::now();
        let mut drip = tokio::time::interval(Duration::from_millis(500));
        loop {
            let mut more = [0; 1024];
            tokio::select! {
                _ = drip.tick() => if link.0.write_all(b"x").await.is_err() { break },
                read = link.0.read(&mut more) => if matches!(read, Ok(0) | Err(_)) { break },
            }
            assert!(began.elapsed() < PATIENCE, "it goes on for ever");
        }
        began.elapsed()
    };
    let (silent, idle, dripping) = tokio::join!(silent, idle, dripping);
    for took in [silent, idle, dripping] {
        assert!(took > Duration::from_secs(8) && took < Duration::from_secs(20), "{took:?}");
    }
}

/// Asks for the app, again and again, for many times what the system's buffers hold.
async fn greedy(daemon: &TestDaemon, socket: TcpSocket) -> TcpStream {
    let assets = all_assets(daemon).await;
    let (largest, size) = assets.iter().max_by_key(|(_, size)| **size).unwrap();
    let times = 24_000_000 / size;
    assert!(times <= 100, "the app has no file that is large enough for this");
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], daemon.port()));
    let mut link = HttpLink(socket.connect(address).await.unwrap());
    for _ in 1..times {
        link.send(&format!("GET {largest} HTTP/1.1"), &[HOST]).await;
    }
    link.send(&format!("GET {largest} HTTP/1.1"), &[HOST, "Connection: close"]).await;
    link.0
}

/// Who takes nothing of what he asked for is cut, and holds no place.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stalls_is_cut() {
    let daemon = TestDaemon::start().await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let stalled = greedy(&daemon, socket).await;
    let began = tokio::time::Instant::now();
    let cut = tokio::time::timeout(PATIENCE, stalled.ready(Interest::ERROR)).await;
    cut.expect("the daemon waits for ever").unwrap();
    let took = began.elapsed();
    assert!(took > Duration::from_secs(9) && took < Duration::from_secs(25), "{took:?}");
}

/// Who takes it slowly gets everything, also when it takes longer than anyone may stall.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_is_slow_is_served() {
    let daemon = TestDaemon::start().await;
    let mut slow = greedy(&daemon, TcpSocket::new_v4().unwrap()).await;
    let mut pace = tokio::time::interval(Duration::from_millis(50));
    let mut some = vec![0; 64 * 1024];
    let mut last = Vec::new();
    let began = tokio::time::Instant::now();
    loop {
        pace.tick().await;
        match slow.read(&mut some).await.expect("it was cut") {
            0 => break,
            count => last.extend_from_slice(&some[..count]),
        }
        assert!(began.elapsed() < PATIENCE, "it does not end");
    }
    assert!(began.elapsed() > Duration::from_secs(15));
    let closes = last.windows(17).filter(|part| *part == b"connection: close").count();
    assert_eq!(closes, 1, "it ended before the last answer");
}
