//! Keyboards: what is typed over several links arrives once, and from the latest alone.

use codeout_protocol::message::{
    Attach, Chunk, ErrorCode, FromDevice, INPUT_WINDOW, MAX_KEYBOARD, Request,
};

use super::support::device::{Device, keyboard, shell, typing, watching};
use super::{again, cksum, connected, deaf, settle};

#[tokio::test]
async fn the_number_of_a_keyboard_has_53_bits() {
    let (_daemon, mut device) = connected().await;
    let session = device.open().await;
    for number in [MAX_KEYBOARD + 1, MAX_KEYBOARD + 2, u64::MAX] {
        let attach = Attach { keyboard: Some(number), ..watching(session) };
        assert_eq!(device.refused(Request::Attach(attach)).await, ErrorCode::BadRequest);
    }
    // Refused, it is attached as before.
    device.type_in(session, b"echo st''ill\n").await.unwrap();
    device.see(session, "still").await;
    for number in [MAX_KEYBOARD, MAX_KEYBOARD - 1, 1 << 52] {
        let attach = Attach { keyboard: Some(number), ..watching(session) };
        assert_eq!(device.attach(attach).await.input, 0);
        device.type_in(session, b"echo he''ard\n").await.unwrap();
        device.see(session, "heard\r\n").await;
    }
}

#[tokio::test]
async fn the_latest_attachment_of_a_keyboard_is_the_only_one_that_types() {
    let (daemon, mut first) = connected().await;
    let session = first.open_raw().await;
    first.type_in(session, b"echo u''p; exec cat\n").await.unwrap();
    first.see(session, "up\n").await;
    first.see_written(session).await;
    let keyboard = first.screen(session).keyboard;
    let attach = Attach { keyboard, ..watching(session) };
    for round in 0..3 {
        let word = format!("one{round} ");
        first.type_in(session, word.as_bytes()).await.unwrap();
        first.see(session, &word).await;
        first.see_written(session).await;
        let written = first.screen(session).written;

        let mut second = again(&daemon, &first).await;
        let attached = second.attach(attach.clone()).await;
        assert_eq!(attached.input, written);
        // By the first it goes nowhere: no fault, and no acknowledgement.
        for _ in 0..3 {
            first.type_in(session, b"lost").await.unwrap();
        }
        settle(&mut first).await;
        let word = format!("two{round} ");
        second.type_in(session, word.as_bytes()).await.unwrap();
        second.see(session, &word).await;
        second.see_written(session).await;
        assert_eq!(second.screen(session).written, written + word.len() as u64);
        // The first still looks on.
        first.see(session, &word).await;
        assert!(!first.screen(session).take("lost"));
        assert_eq!(first.screen(session).written, written);
        first = second;
    }
    // On the same connection too.
    let written = first.screen(session).written;
    assert_eq!(first.attach(attach).await.input, written);
    first.type_in(session, b"three").await.unwrap();
    first.see(session, "three").await;
}

#[tokio::test]
async fn keyboards_of_a_device_and_of_devices_are_apart() {
    let (daemon, mut phone) = connected().await;
    let mut tablet = Device::of(&daemon, "tablet").await;
    let session = phone.open_raw().await;
    phone.type_in(session, b"echo u''p; exec cat\n").await.unwrap();
    phone.see(session, "up\n").await;
    phone.see_written(session).await;
    // Another number, and the same number of another device, begin anew.
    let number = phone.screen(session).keyboard;
    let mut window = again(&daemon, &phone).await;
    assert_eq!(window.attach(typing(session)).await.input, 0);
    let attach = Attach { keyboard: number, ..watching(session) };
    assert_eq!(tablet.attach(attach).await.input, 0);
    for (device, word) in [(&mut phone, "a"), (&mut window, "b"), (&mut tablet, "c")] {
        device.type_in(session, word.as_bytes()).await.unwrap();
        device.see(session, word).await;
        device.see_written(session).await;
    }
    // So does the same number in another session.
    let other = phone.open_with(shell()).await.session;
    let attach = Attach { keyboard: number, ..watching(other) };
    assert_eq!(phone.attach(attach).await.input, 0);
}

/// What waits when a device attaches anew is dropped: the device types it again, or does not.
#[tokio::test]
async fn input_that_waits_is_the_devices_again_when_it_attaches_anew() {
    let (daemon, mut first) = connected().await;
    let session = first.open_raw().await;
    let path = daemon.home.path().join("go");
    let go = path.display();
    let length = 2 * INPUT_WINDOW;
    let program = format!(
        "echo rea''dy; while [ ! -e {go} ]; do sleep 0.01; done; head -c {length} | cksum\n"
    );
    first.type_in(session, program.as_bytes()).await.unwrap();
    first.see(session, "ready\n").await;
    first.see_written(session).await;
    let begin = first.screen(session).written;
    let input: Vec<u8> = (0..length).map(|byte| (byte % 251) as u8).collect();
    // What is behind what the terminal takes must never be written.
    let window = INPUT_WINDOW as usize;
    first.type_in(session, &input[..4096]).await.unwrap();
    first.type_in(session, &vec![0xff; window - 4096]).await.unwrap();
    settle(&mut first).await;

    let keyboard = first.screen(session).keyboard;
    let mut second = again(&daemon, &first).await;
    let attached = second.attach(Attach { keyboard, ..watching(session) }).await;
    let had = attached.input - begin;
    assert!(first.screen(session).written <= attached.input);
    assert!(had < INPUT_WINDOW, "a terminal that takes everything");
    let kept = had.min(4096);
    // The window is whole again.
    let rest: Vec<u8> = input[usize::try_from(kept).unwrap()..].to_vec();
    second.type_in(session, &rest[..window]).await.unwrap();
    second.done(Request::Ping).await;
    std::fs::write(&path, b"").unwrap();
    second.see_written(session).await;
    second.type_in(session, &rest[window..]).await.unwrap();
    // Of what the first had typed, that and no more has reached the program.
    let mut expected = input[..usize::try_from(kept).unwrap()].to_vec();
    expected.extend(vec![0xff; usize::try_from(had - kept).unwrap()]);
    expected.extend(rest);
    expected.truncate(usize::try_from(length).unwrap());
    second.see(session, &format!("{} {length}", cksum(&expected))).await;
}

#[tokio::test]
async fn more_than_the_window_of_a_keyboard_is_a_fault_over_two_links_too() {
    let (daemon, device) = connected().await;
    let (mut first, session) = deaf(&daemon, &device).await;
    first.type_in(session, &vec![b'x'; INPUT_WINDOW as usize]).await.unwrap();
    settle(&mut first).await;
    let keyboard = first.screen(session).keyboard;
    let mut second = again(&daemon, &device).await;
    second.attach(Attach { keyboard, ..watching(session) }).await;
    second.type_in(session, &vec![b'y'; INPUT_WINDOW as usize]).await.unwrap();
    settle(&mut second).await;
    let offset = second.screen(session).typed;
    let written = second.screen(session).written;
    assert!(offset - written >= INPUT_WINDOW - 4096);
    let bytes = vec![b'z'; 8192];
    let chunk = Chunk { session, offset, bytes: &bytes };
    second.line.send(&FromDevice::Input(chunk).write()).await.unwrap();
    super::is_closed(second, "more than the window").await;
    // The first link, whose turn was over, is as it was.
    settle(&mut first).await;
    first.done(Request::End { session }).await;
}

#[tokio::test]
async fn no_more_than_64_keyboards_wait() {
    const MOST: usize = 64;
    let (daemon, device) = connected().await;
    let (mut device, session) = deaf(&daemon, &device).await;
    // Fills the terminal, so that whatever follows waits.
    device.type_in(session, &vec![b'x'; INPUT_WINDOW as usize]).await.unwrap();
    settle(&mut device).await;
    assert!(device.screen(session).written < device.screen(session).typed);
    let mut last = 0;
    for _ in 1..MOST {
        last = keyboard();
        device.attach(Attach { keyboard: Some(last), ..watching(session) }).await;
        device.type_in(session, b"x").await.unwrap();
    }
    settle(&mut device).await;
    let refused = device.refused(Request::Attach(typing(session))).await;
    assert_eq!(refused, ErrorCode::Limit);
    // Refused, it is attached as before: what it types is the next of its keyboard.
    device.type_in(session, b"y").await.unwrap();
    settle(&mut device).await;
    device.done(Request::Detach { session }).await;
    // One of those that wait may come back, and then makes room; who only looks may come at all.
    device.attach(watching(session)).await;
    device.attach(Attach { keyboard: Some(last), ..watching(session) }).await;
    device.attach(typing(session)).await;
    device.done(Request::End { session }).await;
    device.end_of(session).await;
}
