//! HTTPS by the daemon itself, and by a proxy in front of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::path::Path;
use std::time::Duration;

use codeout_daemon::{Event, TlsError};
use codeout_protocol::code::Code;
use serde_json::Value;
use support::certificate::Certificate;
use support::http::{HttpLink, UPGRADE, ask, upgrade};
use support::process::{DaemonProcess, codeout, control};
use support::{PATIENCE, TestClock, TestDaemon, event, try_open};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::process::Command;

const HOST: &str = "Host: desk.example";

async fn with(certificate: &Certificate) -> TestDaemon {
    TestDaemon::start_with(|config| config.tls = Some(certificate.files())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_app_and_the_websocket_are_there_behind_tls() {
    let certificate = Certificate::new(&["desk.example"]);
    let daemon = with(&certificate).await;
    let stream = certificate.dial(daemon.port(), "desk.example").await.unwrap();
    // A WebSocket is a matter of HTTP/1.1, whatever else the browser speaks.
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let mut link = HttpLink(stream);
    let page = link.ask("GET / HTTP/1.1", &[HOST]).await;
    assert_eq!((page.status, page.header("strict-transport-security")), (200, None));
    assert_eq!(page.header("cross-origin-opener-policy"), Some("same-origin"));
    let own = [&UPGRADE[..], &[HOST, "Origin: https://desk.example"]].concat();
    assert_eq!(link.ask("GET /ws HTTP/1.1", &own).await.status, 101);

    let mut link = HttpLink(certificate.dial(daemon.port(), "desk.example").await.unwrap());
    let foreign = [&UPGRADE[..], &[HOST, "Origin: https://evil.example"]].concat();
    assert_eq!(link.ask("GET /ws HTTP/1.1", &foreign).await.status, 403);
    let other = certificate.dial_for(daemon.port(), "desk.example", &[b"h2"]).await;
    assert!(other.is_err(), "it speaks HTTP/2");
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_is_shown_the_way() {
    let certificate = Certificate::new(&["desk.example"]);
    let daemon = with(&certificate).await;
    for (line, host, location) in [
        ("GET / HTTP/1.1", "Host: desk.example:8400", "https://desk.example:8400/"),
        ("HEAD / HTTP/1.1", "Host: [fd7a::1]:8400", "https://[fd7a::1]:8400/"),
        ("GET /?x HTTP/1.1", "Host: DESK", "https://desk:80/"),
    ] {
        let answer = ask(&daemon, line, &[host]).await;
        assert_eq!(answer.status, 307, "{line} {host}");
        assert_eq!(answer.header("location"), Some(location));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    for (line, host) in [
        ("GET / HTTP/1.1", "Host: "),
        ("GET / HTTP/1.1", "Host: evil.example/x"),
        ("GET / HTTP/1.1", "Host: a@b"),
        ("GET /assets/x.js HTTP/1.1", "Host: desk.example"),
        ("POST / HTTP/1.1", "Host: desk.example"),
    ] {
        assert_eq!(ask(&daemon, line, &[host]).await.status, 400, "{line} {host}");
    }
    assert_eq!(upgrade(&daemon, &[HOST]).await.status, 400);
}

/// Whoever begins TLS and does not finish it is let go as everybody is.
#[tokio::test(flavor = "multi_thread")]
async fn half_a_greeting_is_waited_for_ten_seconds() {
    let certificate = Certificate::new(&["desk.example"]);
    let daemon = with(&certificate).await;
    let begun = |first: &'static [u8]| {
        let daemon = &daemon;
        async move {
            let mut link = HttpLink::dial(daemon).await;
            link.0.write_all(first).await.unwrap();
            link.ended().await
        }
    };
    let (silent, half) = tokio::join!(begun(b""), begun(&[0x16, 3, 1, 2]));
    for took in [silent, half] {
        assert!(took > Duration::from_secs(8) && took < Duration::from_secs(20), "{took:?}");
    }
    // What is no TLS is seen at once.
    let mut link = HttpLink::dial(&daemon).await;
    link.0.write_all(&[0x16, 0xff, 0xff, 0xff, 0xff, 0xff]).await.unwrap();
    assert!(link.ended().await < Duration::from_secs(8));
}

/// The certificate that a daemon shows to a new connection.
async fn shown(certificate: &Certificate, daemon: &TestDaemon, name: &str) -> bool {
    certificate.dial(daemon.port(), name).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_shown_without_a_restart() {
    let certificate = Certificate::new(&["old.example"]);
    let daemon = with(&certificate).await;
    let mut events = daemon.daemon.events();
    let open = certificate.dial(daemon.port(), "old.example").await.unwrap();
    certificate.renew(&["new.example"]);
    event(&mut events, |event| matches!(event, Event::CertificateRenewed).then_some(())).await;
    assert!(shown(&certificate, &daemon, "new.example").await);
    assert!(!shown(&certificate, &daemon, "old.example").await);
    let link = daemon.daemon.links(&daemon.offer())[0].link.address.to_string();
    assert_eq!(link, format!("https://new.example:{}", daemon.port()));
    // Who is there stays.
    assert_eq!(HttpLink(open).ask("GET / HTTP/1.1", &[HOST]).await.status, 200);

    // One that is broken is not taken.
    certificate.put("desk.key", "no key");
    let failed = event(&mut events, |event| match event {
        Event::CertificateFailed { reason, has_former } => Some((reason, has_former)),
        _ => None,
    });
    let (reason, has_former) = failed.await;
    assert!(reason.contains("desk.key") && has_former, "{reason}");
    assert!(shown(&certificate, &daemon, "new.example").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn links_name_what_the_certificate_is_for() {
    let port = |daemon: &TestDaemon| daemon.port();
    let listed = |daemon: &TestDaemon| {
        let links = daemon.daemon.links(&daemon.offer());
        let text = |link: &codeout_daemon::OfferLink| {
            format!("{} {}", link.link.address, link.kind_word())
        };
        links.iter().map(text).collect::<Vec<_>>()
    };
    let certificate = Certificate::new(&["*.example", "desk.example", "127.0.0.1", "localhost"]);
    let daemon = with(&certificate).await;
    let own = port(&daemon);
    assert_eq!(
        listed(&daemon),
        [
            format!("https://desk.example:{own} certificate"),
            format!("https://localhost:{own} loopback")
        ]
    );
    assert_eq!(daemon.daemon.here(), format!("https://desk.example:{own}"));
    // A wildcard names no host, and what is said wins.
    let certificate = Certificate::new(&["*.example"]);
    let daemon = with(&certificate).await;
    let own = port(&daemon);
    assert_eq!(listed(&daemon), [format!("https://localhost:{own} loopback")]);
    let daemon = TestDaemon::start_with(|config| {
        config.tls = Some(certificate.files());
        config.advertise = Some("https://desk.example:8443".parse().unwrap());
    })
    .await;
    assert_eq!(listed(&daemon), ["https://desk.example:8443 advertised"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_in_front_may_call_the_daemon_by_another_name() {
    let daemon = TestDaemon::start_with(|config| {
        config.advertise = Some("https://desk.example".parse().unwrap());
    })
    .await;
    let links = daemon.daemon.links(&daemon.offer());
    assert_eq!(links.len(), 1);
    assert_eq!(links[0].link.address.to_string(), "https://desk.example");
    for (origin, status) in [
        ("https://desk.example", 101),
        ("http://desk.example", 403),
        ("https://desk.example:8400", 403),
        ("https://evil.example", 403),
        ("https://desk.example.evil.example", 403),
        ("null", 403),
        ("http://127.0.0.1:8400", 101),
    ] {
        let origin = format!("Origin: {origin}");
        let answer = upgrade(&daemon, &["Host: 127.0.0.1:8400", &origin]).await;
        assert_eq!(answer.status, status, "{origin}");
    }
    let forwarded = "X-Forwarded-Host: evil.example";
    let headers = ["Host: 127.0.0.1:8400", forwarded, "Origin: https://evil.example"];
    assert_eq!(upgrade(&daemon, &headers).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_does_not_start_with_a_key_that_does_not_fit() {
    let certificate = Certificate::new(&["desk.example"]);
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    certificate.put("desk.key", &key);
    let home = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let opened = try_open(home.path(), &clock, |config| config.tls = Some(certificate.files()));
    let error = opened.await.unwrap_err();
    let mismatch = matches!(error, codeout_daemon::OpenError::Tls(TlsError::Mismatch { .. }));
    assert!(mismatch, "{error:?}");

    let fails = async |options: &[String]| {
        let output = codeout(home.path()).args(["--port", "0"]).args(options).output().await;
        let output = output.unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (status, said) = fails(&certificate.options()).await;
    assert_eq!(status, Some(17), "{said}");
    assert!(said.contains("desk.key does not belong to the first certificate"), "{said}");
    assert!(said.contains("name the two files that belong together"), "{said}");
    let (status, said) = fails(&certificate.options()[..2]).await;
    assert_eq!(
        (status, said.contains("--tls-cert needs --tls-key too")),
        (Some(2), true),
        "{said}"
    );
    std::fs::remove_file(certificate.path("desk.crt")).unwrap();
    let (status, said) = fails(&certificate.options()).await;
    assert_eq!((status, said.contains("desk.crt cannot be read")), (Some(17), true), "{said}");
}

/// A device on another machine, which trusts the certificate as its system does any other.
fn device(home: &Path, certificate: &Certificate) -> Command {
    let mut command = codeout(home);
    command.env("SSL_CERT_FILE", certificate.path("desk.crt")).env_remove("SSL_CERT_DIR");
    command
}

async fn run(command: &mut Command) -> (Option<i32>, String) {
    let output = tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout) + &text(output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_pairs_over_https_and_opens_a_session() {
    let certificate = Certificate::new(&["localhost"]);
    let [home, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let daemon = DaemonProcess::start_with(home.path(), |command| {
        command.args(certificate.options());
    })
    .await;
    let status = control(home.path()).await.status().await.unwrap();
    assert_eq!(status.addresses, [format!("https://localhost:{}", daemon.port)]);
    let offer = control(home.path()).await;
    let offer = offer.offer(codeout_daemon::OfferLimits::default()).await.unwrap().offer;
    let (code, said) =
        run(device(other.path(), &certificate).args(["join", &offer.links[0], "--json"])).await;
    assert_eq!(code, Some(0), "{said}");
    let opened = ["open", "--detached", "--name", "work", "--on", &status.name, "--", "cat"];
    let (code, said) = run(device(other.path(), &certificate).args(opened)).await;
    assert_eq!(code, Some(0), "{said}");
    let status = control(home.path()).await.status().await.unwrap();
    assert_eq!((status.devices, status.sessions), (1, 1));

    // Who does not trust the certificate gets no further, and says why.
    let stranger = tempfile::tempdir().unwrap();
    let print = status.fingerprint;
    let fresh: Code = support::process::offer(home.path()).await;
    let address = format!("https://localhost:{}", daemon.port);
    let untrusted = Certificate::new(&["localhost"]);
    let mut join = device(stranger.path(), &untrusted);
    let (code, said) =
        run(join.args(["join", &address, &fresh.printed(), "--fingerprint", &print])).await;
    assert_eq!(code, Some(10), "{said}");
    assert!(said.contains("certificate"), "{said}");
    // And who speaks plain HTTP is told nothing but the way.
    let plain = format!("http://localhost:{}", daemon.port);
    let mut join = device(stranger.path(), &certificate);
    let (code, said) =
        run(join.args(["join", &plain, &fresh.printed(), "--fingerprint", &print])).await;
    assert_eq!(code, Some(11), "{said}");
}

/// A restart keeps every session, also when the certificate is broken just then.
#[tokio::test(flavor = "multi_thread")]
async fn a_broken_certificate_ends_no_session() {
    let certificate = Certificate::new(&["localhost"]);
    let home = tempfile::tempdir().unwrap();
    let daemon = DaemonProcess::start_with(home.path(), |command| {
        command.args(certificate.options());
    })
    .await;
    let (code, said) =
        run(codeout(home.path()).args(["open", "--detached", "--name", "work", "--", "cat"])).await;
    assert_eq!(code, Some(0), "{said}");
    certificate.put("desk.key", "no key");
    let (code, said) = run(codeout(home.path()).arg("restart")).await;
    assert_eq!(code, Some(0), "{said}");
    let (_, said) = run(codeout(home.path()).args(["sessions", "--json"])).await;
    let sessions: Value = serde_json::from_str(said.trim()).unwrap();
    assert!(said.contains("\"work\""), "{sessions}");
    assert!(certificate.dial(daemon.port, "localhost").await.is_err(), "without a certificate");
    certificate.renew(&["localhost"]);
    let again = async {
        let mut pace = tokio::time::interval(Duration::from_millis(50));
        while certificate.dial(daemon.port, "localhost").await.is_err() {
            pace.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, again).await.expect("the new certificate is not shown");
    assert!(TcpStream::connect(("127.0.0.1", daemon.port)).await.is_ok());
}
