//! Who relays every byte learns nothing.

use codeout_device::{Connection, How, PairOutcome, SessionOutput, connect};
use codeout_protocol::message::{Answer, ExitStatus, Open, Request};
use codeout_protocol::name::Name;

use crate::proxy::{Proxy, Side};
use crate::secrets::Secrets;
use crate::support::TestDaemon;
use crate::support::device::typing;
use crate::{Device, request};

const DAEMON_NAME: &str = "Name of the daemon";
/// What is typed, and what the shell prints: neither holds the other.
const TYPED: &str = "printf '%s%s\\n' 'Some-typed' '-and-printed'; exit 7\n";
const PRINTED: &str = "Some-typed-and-printed";

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_holds_no_secret() {
    let named = |config: &mut codeout_daemon::Config| {
        config.name = Name::clean(DAEMON_NAME).unwrap();
    };
    let daemon = TestDaemon::start_with(named).await;
    let proxy = Proxy::before(daemon.port()).await;
    let mut all = Secrets::default();
    all.add_text("the daemon's name", DAEMON_NAME);
    all.add_text("the device's name", "Name of the device");
    all.add_text("what was typed", TYPED);
    all.add_text("a part of what was typed", "-and-printed");
    all.add_text("what was printed", PRINTED);
    all.add_text("a message", "\"request\"");
    all.add_text("an event", "\"welcome\"");

    let mut each = Vec::new();
    for by_link in [true, false] {
        let device = Device::new();
        let code = daemon.offer();
        let link = daemon.link(&code, proxy.port());
        let mut secrets = Secrets::of_code(&code);
        secrets.add_link(&link);
        let how = match by_link {
            true => How::Link(link),
            false => How::Code { address: proxy.address(), code },
        };
        let paired = match device.pair(request(how)).await.unwrap() {
            PairOutcome::Paired(paired) if by_link => paired,
            PairOutcome::Confirm(unconfirmed) if !by_link => {
                assert_eq!(unconfirmed.fingerprint(), daemon.daemon.fingerprint().await.unwrap());
                unconfirmed.confirm().await.unwrap()
            }
            other => panic!("unexpected: {other:?}"),
        };
        paired.connection.close().await;
        let profile = device.profiles.find(None).unwrap();
        secrets.add_credentials(&profile.credentials);
        let connection = connect(&profile).await.unwrap();
        shell(&connection).await;
        connection.close().await;
        each.push(secrets);
    }

    proxy.over().await;
    let seen = proxy.seen();
    assert_eq!(seen.len(), 4);
    for seen in &seen {
        assert!(seen.from(Side::Device).count() > 2 && seen.from(Side::Daemon).count() > 2);
        // That all of it was written down: what must be readable is found.
        let mut readable = Secrets::default();
        readable.add_text("the subprotocol", "codeout.1");
        for raw in &seen.raw {
            assert!(readable.first_in(raw).is_some());
        }
        let messages: Vec<u8> = seen.messages.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        for secrets in each.iter().chain([&all]) {
            secrets.absent_from("what passed", &messages);
            for raw in &seen.raw {
                secrets.absent_from("the bytes on the link", raw);
            }
        }
    }
}

/// Types into a shell and reads what it prints.
async fn shell(connection: &Connection) {
    let open = Request::Open(Open { columns: 200, rows: 24, ..Open::default() });
    let Answer::Opened { opened } = connection.request(open).await.unwrap() else { panic!() };
    let attach = typing(opened.session);
    let (_, mut attachment) = connection.attach(attach).await.unwrap();
    attachment.write_input(TYPED.as_bytes()).await.unwrap();
    let mut output = Vec::new();
    loop {
        match attachment.read().await.unwrap() {
            SessionOutput::Bytes(bytes) => output.extend_from_slice(&bytes),
            SessionOutput::Snapshot { .. } | SessionOutput::SnapshotEnd => {}
            SessionOutput::Ended(status) => {
                assert_eq!(status, ExitStatus::Exit(7));
                break;
            }
        }
    }
    let output = String::from_utf8_lossy(&output);
    assert!(output.contains(PRINTED), "{output}");
    assert!(!TYPED.contains(PRINTED));
}
