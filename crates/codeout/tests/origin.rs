//! What HTTP gives away, and to which pages: raw requests to a real daemon. No header lets anyone
//! in, and none but `Origin` changes who may ask for what.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use codeout_daemon::Event;
use codeout_protocol::SUBPROTOCOL;
use codeout_protocol::name::Name;
use support::http::{UPGRADE, ask, ask_on_link, upgrade};
use support::{PATIENCE, TestDaemon, event};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_origin_gets_no_websocket() {
    let daemon = TestDaemon::start().await;
    for own in [
        &["Host: desk:8400"][..],
        &["Host: desk:8400", "Origin: http://desk:8400"],
        &["Host: desk", "Origin: https://desk"],
        &["Host: Desk.Example:8400", "Origin: http://dESK.example:8400"],
        &["Host: [fd7a::1]:8400", "Origin: http://[fd7a::1]:8400"],
    ] {
        let answer = upgrade(&daemon, own).await;
        assert_eq!(answer.status, 101, "{own:?}");
        assert_eq!(answer.header("sec-websocket-protocol"), Some(SUBPROTOCOL));
        assert_eq!(answer.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    }
    for foreign in [
        "http://evil.example",
        "https://evil.example",
        "http://desk",
        "http://desk:8401",
        "http://desk:84000",
        "http://desk:8400.evil.example",
        "http://evil.example/desk:8400",
        "http://desk:8400/",
        "http://evil@desk:8400",
        "http://evil.example#desk:8400",
        "http:desk:8400",
        "desk:8400",
        "//desk:8400",
        "file://desk:8400",
        "ws://desk:8400",
        "HTTP://desk:8400",
        "http://",
        "null",
        "",
        "*",
        "http://desk:8400 http://evil.example",
        "http://desk:8400, http://evil.example",
        "http://desk:8400\t.evil.example",
        "http://d\u{e9}sk:8400",
    ] {
        let origin = format!("Origin: {foreign}");
        let answer = upgrade(&daemon, &["Host: desk:8400", &origin]).await;
        assert_eq!(answer.status, 403, "{foreign}");
    }
    for several in [
        &["Host: desk", "Origin: http://desk", "Origin: http://evil.example"][..],
        &["Host: desk", "Origin: http://evil.example", "Origin: http://desk"],
        &["Host: desk", "Origin: http://desk", "Origin: http://desk"],
        &["Host: desk", "Origin: null", "Origin: http://desk"],
        &["Origin: http://desk"],
        &["X-Forwarded-Host: evil.example", "Host: desk", "Origin: http://evil.example"],
        &["Forwarded: host=evil.example", "Host: desk", "Origin: http://evil.example"],
    ] {
        let answer = upgrade(&daemon, several).await;
        assert_eq!(answer.status, 403, "{several:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_subprotocol_there_is_no_websocket() {
    let daemon = TestDaemon::start().await;
    let (subprotocol, rest) = UPGRADE.split_last().unwrap();
    let with = async |headers: &[&str]| {
        let headers = [rest, &["Host: desk"], headers].concat();
        ask(&daemon, "GET /ws HTTP/1.1", &headers).await
    };
    assert_eq!(with(&[]).await.status, 400);
    for wrong in ["", "codeout", "codeout.2", "codeout.10", "CODEOUT.1", "chat, codeout.1x"] {
        let wrong = format!("Sec-WebSocket-Protocol: {wrong}");
        assert_eq!(with(&[&wrong]).await.status, 400, "{wrong}");
    }
    for right in [&["Sec-WebSocket-Protocol: chat, codeout.1"][..], &[subprotocol]] {
        let answer = with(right).await;
        assert_eq!(answer.status, 101, "{right:?}");
        assert_eq!(answer.header("sec-websocket-protocol"), Some(SUBPROTOCOL));
    }
    // Compression is never agreed on.
    let deflate = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits";
    let answer = upgrade(&daemon, &["Host: desk", deflate]).await;
    assert_eq!((answer.status, answer.header("sec-websocket-extensions")), (101, None));
    // And what is no upgrade is none.
    for line in ["GET /ws HTTP/1.1", "POST /ws HTTP/1.1", "HEAD /ws HTTP/1.1"] {
        let answer = ask(&daemon, line, &["Host: desk"]).await;
        assert!((400..500).contains(&answer.status), "{line}: {}", answer.status);
    }
    for missing in 0..4 {
        let mut headers = UPGRADE.to_vec();
        headers.remove(missing);
        let answer = ask(&daemon, "GET /ws HTTP/1.1", &headers).await;
        assert!((400..500).contains(&answer.status), "{headers:?}: {}", answer.status);
    }
}

/// A page of evil.example, whose name was made to point to the daemon, is of the same origin, and
/// that is worth nothing: it has no keys.
#[tokio::test(flavor = "multi_thread")]
async fn a_rebound_name_gains_nothing() {
    let daemon = TestDaemon::start().await;
    let own = support::paired(&daemon).await;
    daemon.offer();
    // Frames, masked with zeros: a request in JSON, as text and as binary, and an M1 and a P1 of
    // zeros.
    let request = br#"{"id":1,"request":"devices"}"#;
    let frame = |kind: u8, content: &[u8]| {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&[0x80 | kind, 0xfe], &length[..], &[0; 4], content].concat()
    };
    let first = |mode, length| {
        let mut message = vec![0; length];
        message[..3].copy_from_slice(&[1, 1, mode]);
        frame(2, &message)
    };
    for frame in [
        frame(1, request),
        frame(2, request),
        frame(2, &[&[1][..], request].concat()),
        first(1, 1235),
        first(2, 1267),
    ] {
        let rebound = ["Host: evil.example", "Origin: http://evil.example"];
        let headers = [&UPGRADE[..], &rebound].concat();
        let (answer, mut link) = ask_on_link(&daemon, "GET /ws HTTP/1.1", &headers).await;
        assert_eq!(answer.status, 101);
        link.0.write_all(&frame).await.unwrap();
        let mut all = Vec::new();
        let read = link.0.read_to_end(&mut all);
        // It may be reset once everything was said.
        let _ = tokio::time::timeout(PATIENCE, read).await.expect("the daemon does not close");
        // One binary message of an alert, and at most a close without a word.
        let rest = all.strip_prefix(&[0x82, 2, 0xff]).unwrap_or_else(|| panic!("{all:?}"));
        assert!(matches!(rest, [1 | 4] | [1 | 4, 0x88, 0]), "{all:?}");
    }
    let port = daemon.port();
    support::connect_on_wire(port, &own).await.unwrap().ping().await.unwrap();
    assert_eq!(daemon.count().await, 1);
}

/// Headers that others decide by.
const ODD: [&[&str]; 11] = [
    &["Cookie: session=1; token=codeout; admin=true"],
    &["Authorization: Bearer codeout", "Proxy-Authorization: Basic Y29kZW91dA=="],
    &["X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: localhost"],
    &["Forwarded: for=127.0.0.1;host=localhost;proto=https", "X-Real-IP: 127.0.0.1"],
    &["Tailscale-User-Login: me@example.com", "X-Forwarded-User: root", "Remote-User: root"],
    &["X-HTTP-Method-Override: DELETE", "X-Original-URL: /devices", "X-Rewrite-URL: /devices"],
    &["Accept: application/json", "Accept-Encoding: zstd", "Accept-Language: de"],
    &["Referer: http://evil.example/", "Sec-Fetch-Site: cross-site", "DNT: 1"],
    &["If-Match: \"x\"", "If-Modified-Since: Thu, 01 Jan 2099 00:00:00 GMT"],
    &["Range: bytes=0-9", "If-Range: Thu, 01 Jan 2099 00:00:00 GMT", "If-None-Match: \"x\""],
    &["User-Agent: curl/8", "Via: 1.1 proxy", "Upgrade-Insecure-Requests: 1"],
];

#[tokio::test(flavor = "multi_thread")]
async fn no_other_header_changes_an_answer() {
    let daemon = TestDaemon::start().await;
    for line in ["GET / HTTP/1.1", "GET /ws HTTP/1.1", "GET /devices HTTP/1.1"] {
        let given: &[&str] = if line.contains("/ws") { &UPGRADE } else { &[] };
        let plain = ask(&daemon, line, &[given, &["Host: desk:8400"]].concat()).await;
        for odd in ODD {
            let headers = [given, &["Host: desk:8400"], odd].concat();
            let answer = ask(&daemon, line, &headers).await;
            assert_eq!(answer.bytes(), plain.bytes(), "{line} {odd:?}");
        }
        for host in ["evil.example", "localhost", "127.0.0.1:1", "[::1]", "", "a b", "desk:8400@x"]
        {
            let answer = ask(&daemon, line, &[given, &[&format!("Host: {host}")]].concat()).await;
            assert_eq!(answer.bytes(), plain.bytes(), "{line} Host: {host}");
        }
    }
}

/// Whoever the headers say that he is: the daemon's user is shown where he really comes from.
#[tokio::test(flavor = "multi_thread")]
async fn no_header_changes_where_an_attempt_comes_from() {
    let daemon = TestDaemon::start().await;
    daemon.offer();
    let mut events = daemon.daemon.events();
    let far = ["Host: desk", "X-Forwarded-For: 203.0.113.9", "Forwarded: for=203.0.113.9"];
    let headers = [&UPGRADE[..], &far].concat();
    let (_, mut link) = ask_on_link(&daemon, "GET /ws HTTP/1.1", &headers).await;
    let mut p1 = vec![0; 1267];
    p1[..3].copy_from_slice(&[1, 1, 2]);
    let frame = [&[0x82, 0xfe, 0x04, 0xf3, 0, 0, 0, 0][..], &p1].concat();
    link.0.write_all(&frame).await.unwrap();
    let source = event(&mut events, |event| match event {
        Event::WrongCode { source } => Some(source),
        _ => None,
    });
    assert!(source.await.is_loopback());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_harmless_and_knows_nothing() {
    let name = "<script>&\"'desk";
    let daemon = TestDaemon::start_with(|config| config.name = Name::clean(name).unwrap()).await;
    let code = daemon.offer();
    let link = daemon.link(&code, daemon.port());
    let page = ask(&daemon, "GET / HTTP/1.1", &["Host: desk"]).await;
    assert_eq!(page.status, 200);
    for (header, value) in [
        ("x-content-type-options", Some("nosniff")),
        ("referrer-policy", Some("no-referrer")),
        ("x-frame-options", Some("DENY")),
        ("cross-origin-opener-policy", None),
        ("cross-origin-resource-policy", Some("same-origin")),
        ("cache-control", Some("no-cache")),
        ("content-type", Some("text/html; charset=utf-8")),
        ("access-control-allow-origin", None),
        ("strict-transport-security", None),
        ("set-cookie", None),
        ("server", None),
    ] {
        assert_eq!(page.header(header), value, "{header}");
    }
    let everything = [page.head.join("\n").into_bytes(), page.body.clone()].concat();
    let text = String::from_utf8(everything).unwrap();
    // The app learns the name inside its channel.
    assert!(!text.contains("desk"));
    let key: String = link.daemon_key.0.iter().map(|byte| format!("{byte:02x}")).collect();
    let printed = link.printed();
    let (_, fragment) = printed.split_once('#').unwrap();
    let code_part = std::str::from_utf8(code.canonical()).unwrap();
    let fingerprint = daemon.daemon.fingerprint().await.unwrap().to_string();
    for secret in [code_part, &code.printed(), &fragment[12..], &key, &fingerprint] {
        let found = text.to_lowercase().contains(&secret.to_lowercase());
        assert!(!found, "the page names a key, a code or a fingerprint");
    }

    // The same without its body, and nothing of it when it is asked for otherwise.
    let head = ask(&daemon, "HEAD / HTTP/1.1", &["Host: desk"]).await;
    assert_eq!((&head.head, head.body.len()), (&page.head, 0));
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"] {
        let line = format!("{method} / HTTP/1.1");
        let answer = ask(&daemon, &line, &["Host: desk", "Content-Length: 0"]).await;
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("allow"), Some("GET, HEAD"));
        assert_eq!(answer.header("connection"), Some("close"));
    }
}

/// Without its rules: whatever got into the page could run, or speak to others.
#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_the_policy() {
    let daemon = TestDaemon::start().await;
    for line in ["GET / HTTP/1.1", "GET /x HTTP/1.1", "POST / HTTP/1.1", "GET /ws HTTP/1.1"] {
        let answer = ask(&daemon, line, &["Host: desk"]).await;
        let policy = answer.header("content-security-policy").expect(line);
        let rules: Vec<_> = policy.split("; ").collect();
        for rule in [
            "default-src 'none'",
            "script-src 'self' 'wasm-unsafe-eval'",
            "connect-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'none'",
        ] {
            assert!(rules.contains(&rule), "{line}: {policy}");
        }
        for source in ["http:", "https:", "ws:", "wss:", "*", "'unsafe-eval'", "'strict-dynamic'"] {
            assert!(!policy.split([' ', ';']).any(|word| word == source), "{line}: {policy}");
        }
        let permissions = answer.header("permissions-policy").expect(line);
        assert!(permissions.contains("camera=(self)") && permissions.contains("microphone=()"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_nothing_else() {
    let daemon = TestDaemon::start().await;
    let files = std::fs::read_dir(daemon.home.path().join("daemon")).unwrap();
    let mut paths: Vec<String> =
        files.map(|file| format!("/{}", file.unwrap().file_name().to_str().unwrap())).collect();
    assert!(paths.len() > 2);
    for path in [
        "/ws/",
        "/WS",
        "//ws",
        "/./ws",
        "/ws/..",
        "/%77s",
        "/ws%00",
        "/devices",
        "/offer",
        "/../../etc/passwd",
        "/..%2f..%2fetc/passwd",
        "/%",
        "//",
    ] {
        paths.push(path.to_owned());
    }
    for path in paths {
        let line = format!("GET {path} HTTP/1.1");
        let answer = ask(&daemon, &line, &[&UPGRADE[..], &["Host: desk"]].concat()).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.body, b"there is nothing here\n", "{path}");
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    }
    // What is no request is answered as such, and heard no further.
    let long = format!("X-Long: {}", "x".repeat(20_000));
    for (line, header) in [
        ("GET / HTTP/1.1", long.as_str()),
        ("GET / HTTP/9.9", "Host: desk"),
        ("GET", "Host: desk"),
        ("GET / HTTP/1.1", "No colon"),
        ("\u{1}\u{2}\u{3}", ""),
        ("PRI * HTTP/2.0", "SM"),
    ] {
        let answer = ask(&daemon, line, &[header]).await;
        assert!((400..=505).contains(&answer.status), "{line:?}: {}", answer.status);
        assert!(answer.body.is_empty());
    }
    let answer = ask(&daemon, "GET / HTTP/1.1", &["Host: desk"]).await;
    assert_eq!(answer.status, 200);
}
