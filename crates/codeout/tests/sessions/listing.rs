//! The list of sessions.

use codeout_protocol::message::{
    Answer, Event as News, Open, Outcome, Request, SessionEntry, SessionId,
};

use super::connected;
use super::support::device::{Device, shell, typing, watching};

/// One part of the list.
async fn part(device: &mut Device, after: Option<SessionId>) -> (Vec<SessionEntry>, bool) {
    match device.ask(Request::Sessions { after }).await.unwrap() {
        Outcome::Ok(Answer::Sessions { sessions, more }) => (sessions, more),
        other => panic!("no list: {other:?}"),
    }
}

#[tokio::test]
async fn a_long_list_comes_in_parts() {
    let (_daemon, mut device) = connected().await;
    assert_eq!(part(&mut device, None).await, (vec![], false));
    let mut opened = Vec::new();
    for number in 0..60 {
        // Entries of more than a kilobyte.
        let open = Open {
            program: Some("sh".to_owned()),
            arguments: vec!["-c".to_owned(), "read _".to_owned(), "x".repeat(500)],
            name: Some(format!("session {number}")),
            directory: Some(format!("/tmp{}", "/.".repeat(400))),
            ..shell()
        };
        opened.push(device.open_with(open).await.session);
    }
    let (mut listed, mut parts, mut after) = (Vec::new(), 0, None);
    loop {
        let (sessions, more) = part(&mut device, after).await;
        parts += 1;
        after = sessions.last().map(|entry| entry.session);
        listed.extend(sessions.iter().map(|entry| entry.session));
        if !more {
            break;
        }
        assert!(!sessions.is_empty(), "more, and nothing of it");
    }
    assert_eq!(listed, opened);
    assert!(parts >= 1);
    assert_eq!(part(&mut device, Some(opened[58])).await.0.len(), 1);
    assert_eq!(part(&mut device, Some(u32::MAX)).await, (vec![], false));
}

#[tokio::test]
async fn an_entry_tells_what_is_shown_and_who_watches() {
    let (daemon, mut device) = connected().await;
    let mut other = Device::of(&daemon, "tablet").await;
    let session = device.open_raw().await;
    let typed = b"printf '\\033]2;a \\001title\\007'; echo he''re I am; echo; exec cat\n";
    device.type_in(session, typed).await.unwrap();
    device.see(session, "here I am\n").await;
    other.attach(watching(session)).await;
    let is_told = |device: &mut Device, _| {
        device.news.iter().find_map(|news| match news {
            News::SessionChanged { session } if session.watching == 2 => Some(session.clone()),
            _ => None,
        })
    };
    let told = device.until(is_told).await.unwrap();
    let entry = device.listed(session).await.unwrap();
    assert_eq!(told.session, session);
    assert!(entry.last_line.unwrap().ends_with("here I am"));
    assert_eq!(entry.watching, 2);
    let mut watchers = entry.watchers;
    watchers.sort();
    assert_eq!(watchers, ["phone", "tablet"]);
    assert!(entry.title.is_none_or(|title| !title.contains('\u{1}')));
    assert!(entry.last_output_at.is_some());

    // Whoever goes is missed.
    other.done(Request::Detach { session }).await;
    assert_eq!(device.listed(session).await.unwrap().watching, 1);
    device.attach(typing(session)).await;
    assert_eq!(device.listed(session).await.unwrap().watching, 1);
}
