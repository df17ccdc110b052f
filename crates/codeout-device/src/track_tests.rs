use std::time::Duration;

use super::*;

/// Whether an acknowledgement is due that long behind the last one, with so much dealt with
/// since, and so much that waits.
fn is_due(behind: Duration, news: u64, waiting: u64) -> bool {
    let now = Instant::now();
    let mut flow = Flow {
        place: Place::Output(0),
        queue: Queue::default(),
        received: 5_000 + news + waiting,
        taken: 5_000 + news,
        dealt: 5_000 + news,
        acknowledged: 5_000,
        acknowledged_at: Some(now),
        acknowledging: false,
        unread: false,
        shown: true,
    };
    flow.is_due(now + behind)
}

#[test]
fn acknowledgements_are_apart_but_never_too_late() {
    let early = ACKNOWLEDGE_APART - Duration::from_nanos(1);
    assert!(is_due(ACKNOWLEDGE_APART, ACKNOWLEDGE_AFTER, 1));
    assert!(!is_due(ACKNOWLEDGE_APART, ACKNOWLEDGE_AFTER - 1, 1));
    assert!(!is_due(early, ACKNOWLEDGE_AT_LATEST - 1, 1));
    assert!(is_due(early, ACKNOWLEDGE_AT_LATEST, 1));
    // The daemon may be unable to send more before it hears so.
    assert!(is_due(Duration::ZERO, ACKNOWLEDGE_IDLE, 0));
    assert!(!is_due(Duration::ZERO, ACKNOWLEDGE_IDLE - 1, 0));
}
