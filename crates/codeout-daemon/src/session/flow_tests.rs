use super::*;

/// A device that takes `rate` bytes a second of a session that prints without end, for `time`.
/// Returns the bytes that were on their way at most in the second half, and whether the device
/// was ever found to be too far behind.
fn run(flow: &mut Flow, now: &mut Instant, rate: u64, time: Duration) -> (u64, bool) {
    const TICK: Duration = Duration::from_millis(10);
    let (begun, mut most, mut too_far) = (*now, 0, false);
    let mut taken = flow.acknowledged as f64;
    while *now - begun < time {
        while let room @ 1.. = flow.room() {
            too_far |= flow.is_too_far_behind(1 << 20, *now);
            flow.sent(room, *now);
        }
        if *now - begun > time / 2 {
            most = most.max(flow.sent - flow.acknowledged);
        }
        *now += TICK;
        taken = (taken + rate as f64 * TICK.as_secs_f64()).min(flow.sent as f64);
        flow.acknowledge(taken as u64, *now).unwrap();
    }
    (most, too_far)
}

#[test]
fn a_slow_link_has_little_on_its_way() {
    let (mut flow, mut now) = (Flow::new(), Instant::now());
    let (most, too_far) = run(&mut flow, &mut now, 10 * 1024, Duration::from_secs(60));
    assert!(too_far && most <= 2 * LEAST_WINDOW, "{most}");
}

#[test]
fn what_is_on_its_way_takes_less_than_a_second() {
    for rate in [50 << 10, 200 << 10, 1 << 20] {
        let (mut flow, mut now) = (Flow::new(), Instant::now());
        let (most, _) = run(&mut flow, &mut now, rate, Duration::from_secs(60));
        assert!((rate / 8..=rate).contains(&most), "{most} at {rate}");
    }
}

#[test]
fn a_fast_link_is_used() {
    let (mut flow, mut now) = (Flow::new(), Instant::now());
    let (most, too_far) = run(&mut flow, &mut now, 50 << 20, Duration::from_secs(10));
    assert_eq!((most, too_far), (OUTPUT_WINDOW, false));
}

#[test]
fn a_link_that_becomes_slow_is_found_out_in_seconds() {
    let (mut flow, mut now) = (Flow::new(), Instant::now());
    let (_, too_far) = run(&mut flow, &mut now, 50 << 20, Duration::from_secs(600));
    assert!(!too_far);
    // What is on its way takes its time; then the device is not given more of the past.
    run(&mut flow, &mut now, 100 << 10, Duration::from_secs(30));
    let (_, too_far) = run(&mut flow, &mut now, 100 << 10, Duration::from_secs(5));
    assert!(too_far);
}

#[test]
fn a_device_that_has_everything_is_not_behind() {
    let (mut flow, mut now) = (Flow::new(), Instant::now());
    assert!(!flow.is_too_far_behind(1 << 20, now));
    now += Duration::from_secs(60);
    assert!(!flow.is_too_far_behind(0, now));
    assert!(!flow.is_too_far_behind(1 << 20, now));
}

#[test]
fn what_was_never_sent_cannot_be_acknowledged() {
    let (mut flow, now) = (Flow::new(), Instant::now());
    flow.sent(10, now);
    assert_eq!(flow.acknowledge(10, now), Ok(()));
    assert_eq!(flow.acknowledge(11, now), Err(Violation));
    // An older word does not take back a newer one.
    assert_eq!(flow.acknowledge(3, now), Ok(()));
    assert_eq!(flow.acknowledged, 10);
}

#[test]
fn a_device_with_nothing_to_do_gets_all_at_once() {
    let (mut flow, now) = (Flow::new(), Instant::now());
    assert_eq!(flow.gather(1, now), None);
    flow.sent(ACKNOWLEDGE_AFTER as usize - 1, now);
    assert_eq!(flow.gather(1, now), None);
}

#[test]
fn a_busy_device_gets_large_chunks_or_waits_no_longer_than_a_moment() {
    let (mut flow, now) = (Flow::new(), Instant::now());
    flow.sent(ACKNOWLEDGE_AFTER as usize, now);
    assert_eq!(flow.gather(MAX_CHUNK, now), None);
    let until = now + GATHERING;
    assert_eq!(flow.gather(1, now), Some(until));
    // More of it does not put off the end.
    assert_eq!(flow.gather(2, now + GATHERING / 2), Some(until));
    assert_eq!(flow.gather(3, until), None);
    // The next ones wait for themselves.
    flow.sent(3, until);
    assert_eq!(flow.gather(1, until), Some(until + GATHERING));
}

#[test]
fn an_acknowledgement_ends_the_wait() {
    let (mut flow, now) = (Flow::new(), Instant::now());
    flow.sent(ACKNOWLEDGE_AFTER as usize, now);
    assert!(flow.gather(1, now).is_some());
    flow.acknowledge(1, now).unwrap();
    assert_eq!(flow.gather(1, now), None);
}
