//! A session that wants somebody to look tells every device, and runs what its user set.

use std::path::Path;
use std::time::Duration;

use codeout_daemon::{Event as Happened, OfferLimits};
use codeout_device::Connection;
use codeout_protocol::message::{Attention, AttentionReason, Event, ExitStatus, SessionId};

use crate::desk::{Desk, attach, entry, in_time, open, poll, read_until, script};

/// Waits until a session wants attention for this reason, with this text; its name comes along.
async fn next_attention(
    connection: &Connection,
    session: SessionId,
    reason: AttentionReason,
    text: Option<&str>,
) -> (String, Attention) {
    loop {
        match in_time(connection.next_event()).await.expect("it is connected") {
            Event::SessionAttention { session: which, name, attention }
                if which == session
                    && attention.reason == reason
                    && attention.text.as_deref() == text =>
            {
                return (name, attention);
            }
            _ => {}
        }
    }
}

/// Waits until a hook has written a line that has all of `parts`.
async fn hooked(file: &Path, parts: &[&str]) -> String {
    let line = poll(async || {
        let lines = std::fs::read_to_string(file).unwrap_or_default();
        let all = |line: &&str| parts.iter().all(|part| line.contains(part));
        lines.lines().find(all).map(str::to_owned)
    });
    in_time(line).await
}

async fn start() -> (Desk, std::path::PathBuf) {
    let mut written = None;
    let desk = Desk::start_with(|config| {
        let file = config.directory.join("hooks");
        let variables = "env | grep ^CODEOUT_ | sort | tr '\\n' ' '";
        let hook = format!("line=$({variables}); echo \"[$line]\" >> {}", file.display());
        config.sessions.hooks.all = Some(hook);
        config.sessions.quiet_after = Some(Duration::from_secs(1));
        written = Some(file);
    })
    .await;
    (desk, written.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn bells_and_notifications_reach_every_device_until_somebody_types() {
    let (desk, hooks) = start().await;
    let desktop = desk.connect().await;
    let (_, phone) = desk.pair("phone", desk.port(), OfferLimits::default()).await;
    // Each line typed is printed, with its escapes.
    let mut request = script("stty -echo; echo ready; while read -r x; do printf \"$x\"; done");
    request.name = Some("api".into());
    let session = open(&desktop, request).await.session;
    let typist = desk.connect().await;
    let mut attachment = attach(&typist, session).await;
    read_until(&mut attachment, "ready").await;

    let cases: [(&str, AttentionReason, Option<&str>, Option<&str>); 4] = [
        ("\\a", AttentionReason::Bell, None, None),
        ("\\033]9;built\\a", AttentionReason::Notification, None, Some("built")),
        (
            "\\033]777;notify;tests;all green\\033\\\\",
            AttentionReason::Notification,
            Some("tests"),
            Some("all green"),
        ),
        ("\\033]99;;come back\\033\\\\", AttentionReason::Notification, None, Some("come back")),
    ];
    for (typed, reason, title, text) in cases {
        let typed = format!("{typed}\n");
        for device in [&desktop, &phone, &typist] {
            // The same reason is told once a second: it may have to be typed again.
            let told = async {
                let mut again = tokio::time::interval(Duration::from_secs(1));
                loop {
                    tokio::select! {
                        told = next_attention(device, session, reason, text) => return told,
                        _ = again.tick() => {
                            attachment.write_input(typed.as_bytes()).await.unwrap();
                        }
                    }
                }
            };
            let (name, attention) = in_time(told).await;
            assert_eq!((name.as_str(), attention.title.as_deref()), ("api", title));
        }
        let listed = async || {
            let attention = entry(&desktop, session).await.attention;
            attention
                .filter(|attention| attention.reason == reason && attention.text.as_deref() == text)
        };
        in_time(poll(listed)).await;
        let id = format!("CODEOUT_SESSION={session} ");
        let event = match reason {
            AttentionReason::Bell => "CODEOUT_EVENT=bell ".to_owned(),
            _ => "CODEOUT_EVENT=notification ".to_owned(),
        };
        let text = text.map_or(String::new(), |text| format!("CODEOUT_TEXT={text} "));
        let title = title.map_or(String::new(), |title| format!("CODEOUT_TITLE={title}"));
        let directory = format!("CODEOUT_DIRECTORY={} ", desk.home.path().display());
        let parts = [
            &event,
            &id,
            &text,
            &title,
            &directory,
            "CODEOUT_SESSION_NAME=api ",
            "CODEOUT_PROGRAM=sh ",
        ];
        hooked(&hooks, &parts).await;

        // Somebody types: it is attended to.
        let cleared = async || {
            attachment.write_input(b"x\n").await.unwrap();
            entry(&desktop, session).await.attention.is_none().then_some(())
        };
        in_time(poll(cleared)).await;
    }
    hooked(&hooks, &["CODEOUT_EVENT=opened ", "CODEOUT_SESSION_NAME=api "]).await;
    attachment.write_input(b"\\033]2;compiling\\a\n").await.unwrap();
    hooked(&hooks, &["CODEOUT_EVENT=title ", "CODEOUT_TITLE=compiling"]).await;
    assert_eq!(entry(&phone, session).await.title.as_deref(), Some("compiling"));
    desk.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_behind_activity_and_the_end_are_told() {
    let (desk, hooks) = start().await;
    let desktop = desk.connect().await;
    let (_, phone) = desk.pair("phone", desk.port(), OfferLimits::default()).await;
    let mut events = desk.events();
    let busy = "i=0; while [ $i -lt 60 ]; do echo $i; i=$((i+1)); sleep 0.1; done";
    let session = open(&desktop, script(&format!("{busy}; read x; exit 3"))).await.session;
    for device in [&desktop, &phone] {
        next_attention(device, session, AttentionReason::Quiet, None).await;
    }
    let attention = entry(&desktop, session).await.attention.unwrap();
    assert_eq!(attention.reason, AttentionReason::Quiet);
    hooked(&hooks, &["CODEOUT_EVENT=quiet "]).await;

    // Who types and leaves before the end hears of it like everybody.
    let mut attachment = attach(&desktop, session).await;
    assert_eq!(entry(&phone, session).await.attention, None);
    attachment.write_input(b"\n").await.unwrap();
    in_time(attachment.detach()).await.unwrap();
    for device in [&desktop, &phone] {
        let ended = async {
            loop {
                match device.next_event().await.expect("it is connected") {
                    Event::SessionEnded { session: which, status } if which == session => {
                        return status;
                    }
                    _ => {}
                }
            }
        };
        assert_eq!(in_time(ended).await, ExitStatus::Exit(3));
    }
    let ended = entry(&phone, session).await;
    assert_eq!(ended.ended.unwrap().status, ExitStatus::Exit(3));
    hooked(&hooks, &["CODEOUT_EVENT=ended ", "CODEOUT_EXIT=3 "]).await;

    // The daemon's own user hears of the same.
    let mut heard = Vec::new();
    while heard.last() != Some(&"ended") {
        heard.extend(match in_time(events.recv()).await.unwrap() {
            Happened::SessionOpened { by, .. } if by == "this computer" => Some("opened"),
            Happened::SessionAttention { attention, .. } => match attention.reason {
                AttentionReason::Quiet => Some("quiet"),
                // Told when nobody watches as the program ends.
                _ => None,
            },
            Happened::SessionEnded { .. } => Some("ended"),
            _ => None,
        });
    }
    // A machine that is busy may fall silent in between.
    heard.dedup();
    assert_eq!(heard, ["opened", "quiet", "ended"]);
    desk.stop().await;
}
