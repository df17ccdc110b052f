//! A device that comes back goes on where it was, if that can be had.

use codeout_protocol::message::{Attach, ExitStatus, Request, TerminalSize};

use super::support::TestDaemon;
use super::support::device::{Device, shell, typing, watching};
use super::{again, connected, settle};

#[tokio::test]
async fn a_cut_link_is_resumed_to_the_byte() {
    let (daemon, mut device) = connected().await;
    let session = device.open_raw().await;
    let keyboard = device.screen(session).keyboard;
    let begin = device.screen(session).typed;
    // What is typed is a number at a time, what is printed is the sum so far.
    let mut typed =
        b"echo be''gin; n=0; while read add; do n=$((n + add)); echo $n; done\n".to_vec();
    device.type_in(session, &typed).await.unwrap();
    device.see(session, "begin\n").await;
    let (mut printed, mut expected, mut sum) = (Vec::new(), String::new(), 0);
    for round in 1..=20_u64 {
        for number in 1..=round {
            let line = format!("{number}\n");
            device.type_in(session, line.as_bytes()).await.unwrap();
            typed.extend_from_slice(line.as_bytes());
            sum += number;
            expected += &format!("{sum}\n");
        }
        // Cut with input and output on their way.
        device.see_more(session, round % 5).await.unwrap();
        printed.append(&mut device.screen(session).text);
        let after = device.screen(session).offset;
        let acknowledged = device.screen(session).written;
        let mut next = again(&daemon, &device).await;
        drop(device);
        let attach = Attach { after, keyboard, history: Some(0), ..watching(session) };
        let attached = next.attach(attach).await;
        assert!(attached.resumed);
        assert!(attached.input >= acknowledged, "what was written is not");
        // What the daemon has not is typed again.
        let had = usize::try_from(attached.input - begin).unwrap();
        next.type_in(session, &typed[had..]).await.unwrap();
        device = next;
    }
    let last = format!("\n{sum}\n");
    while !device.screen(session).text.ends_with(last.as_bytes()) {
        device.until(|_, _| Some(())).await.unwrap();
    }
    printed.append(&mut device.screen(session).text);
    // Everything was read once, and what came of it was seen once.
    assert_eq!(String::from_utf8_lossy(&printed), expected);
}

#[tokio::test]
async fn what_can_not_be_resumed_begins_with_a_snapshot() {
    let (_daemon, mut device) = connected().await;
    let session = device.open_raw().await;
    device.type_in(session, b"stty size; echo he''re; read _; echo la''ter\n").await.unwrap();
    device.see(session, "here\n").await;
    settle(&mut device).await;
    let end = device.screen(session).offset.unwrap();
    let after = |after| Attach { after: Some(after), ..watching(session) };
    // From anywhere in what is kept, to the byte.
    for from in [end, end - 1, end - 5, 1] {
        assert!(device.attach(after(from)).await.resumed, "{from} of {end}");
        while device.screen(session).received < end - from {
            device.until(|_, _| Some(())).await.unwrap();
        }
        let screen = device.screen(session);
        assert_eq!((screen.offset, screen.received), (Some(end), end - from));
        assert!(screen.text.is_empty() || screen.text.ends_with(b"\n"));
        assert_eq!(screen.snapshots, []);
    }
    // Not what was never printed.
    for from in [end + 1, u64::MAX] {
        assert!(!device.attach(after(from)).await.resumed, "{from} of {end}");
        assert_eq!(device.see_snapshot(session, 0).await.end, Some(end));
    }
    // Nor across another size, were it given by the same request.
    let size = TerminalSize { columns: 70, rows: 20 };
    assert!(!device.attach(Attach { size: Some(size), ..after(end) }).await.resumed);
    let snapshot = device.see_snapshot(session, 0).await;
    assert_eq!((snapshot.size, snapshot.end), (size, Some(end)));
    assert!(!device.attach(after(end - 1)).await.resumed);
    device.see_snapshot(session, 0).await;
    // The same size again is no other one.
    device.attach(typing(session)).await;
    device.see_snapshot(session, 0).await;
    device.type_in(session, b"\n").await.unwrap();
    device.see(session, "later\n").await;
    settle(&mut device).await;
    let end = device.screen(session).offset.unwrap();
    assert!(device.attach(Attach { size: Some(size), ..after(end) }).await.resumed);
}

#[tokio::test]
async fn what_is_no_longer_kept_begins_with_a_snapshot() {
    let keep = |config: &mut codeout_daemon::Config| config.sessions.output_bytes = 1 << 16;
    let daemon = TestDaemon::start_with(keep).await;
    let mut device = Device::of(&daemon, "phone").await;
    let session = device.open_raw().await;
    device.type_in(session, b"head -c 300000 /dev/zero | tr '\\0' x; echo e''nd\n").await.unwrap();
    // Perhaps in a snapshot: the device may be too slow for what is kept.
    device.see(session, "end").await;
    while device.screen(session).offset.is_none_or(|offset| offset < 300_000) {
        device.until(|_, _| Some(())).await.unwrap();
    }
    settle(&mut device).await;
    let end = device.screen(session).offset.unwrap();
    let after = |after| Attach { after: Some(after), ..watching(session) };
    assert!(!device.attach(after(100)).await.resumed);
    device.see_snapshot(session, 0).await;
    assert!(device.attach(after(end - (1 << 16))).await.resumed);
    // As little as cannot be too much for a slow machine.
    assert!(device.attach(after(end - 8000)).await.resumed);
    while device.screen(session).received < 8000 {
        device.until(|_, _| Some(())).await.unwrap();
    }
    assert_eq!(device.screen(session).offset, Some(end));
    assert!(device.screen(session).take("xend"));
}

#[tokio::test]
async fn a_snapshot_has_as_much_history_as_is_wanted() {
    let (_daemon, mut device) = connected().await;
    let session = device.open_with(shell()).await.session;
    device.attach(typing(session)).await;
    device.type_in(session, b"seq -f 'line %g.' 1 500; echo do''ne; read _\n").await.unwrap();
    device.see(session, "done\r\n").await;
    device.see_written(session).await;
    settle(&mut device).await;
    for (history, first) in [(None, 1), (Some(u32::MAX), 1), (Some(400), 78), (Some(0), 478)] {
        device.attach(Attach { history, ..watching(session) }).await;
        let snapshot = device.see_snapshot(session, 0).await;
        assert_eq!(snapshot.history, history != Some(0), "{history:?}");
        let shown = String::from_utf8(snapshot.bytes).unwrap();
        let lines: Vec<usize> =
            (1..=500).filter(|n| shown.contains(&format!("line {n}."))).collect();
        assert!(shown.contains("done"), "{history:?}");
        // The screen has the prompt's line too.
        assert_eq!(lines.last(), Some(&500), "{history:?}");
        assert!(lines[0].abs_diff(first) <= 2, "{history:?}: from {} on", lines[0]);
        assert_eq!(lines.len(), 501 - lines[0], "{history:?}: lines are missing");
    }
    device.done(Request::End { session }).await;
    assert_eq!(device.end_of(session).await, ExitStatus::Signal(1));
}
