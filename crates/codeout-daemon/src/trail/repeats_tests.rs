use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn address(number: u32) -> IpAddr {
    std::net::Ipv4Addr::from(0x0a00_0000 + number).into()
}

/// Where it came from, how often, since when, at, and the number that it takes the place of.
type Told = (Option<IpAddr>, u64, u64, u64, Option<u64>);

fn told(due: &[Due]) -> Vec<Told> {
    let line = |due: &Due| match due.note.happening {
        Happening::Refused { source, times, since, .. } => {
            (source, times, since, due.note.at, due.note.replaces)
        }
        _ => panic!("{due:?}"),
    };
    due.iter().map(line).collect()
}

#[test]
fn a_flood_from_one_source_is_one_line_that_is_written_now_and_then() {
    let mut repeats = Repeats::default();
    let source = address(1);
    repeats.note(100, SECOND, Refusal::WrongCode, source);
    let due = repeats.take_due(SECOND, false);
    assert_eq!(told(&due), [(Some(source), 1, 100, 100, None)]);
    repeats.written(&due[0], 7);
    assert!(!repeats.count_waiting());
    for _ in 0..1000 {
        repeats.note(102, 3 * SECOND, Refusal::WrongCode, source);
    }
    assert!(repeats.count_waiting());
    assert!(repeats.take_due(4 * SECOND, false).is_empty());
    let due = repeats.take_due(SECOND + WRITE_AGAIN, false);
    assert_eq!(told(&due), [(Some(source), 1001, 100, 102, Some(7))]);
    repeats.written(&due[0], 9);
    // Whoever asks for the trail gets what is true now.
    repeats.note(107, 8 * SECOND, Refusal::WrongCode, source);
    assert_eq!(
        told(&repeats.take_due(8 * SECOND, true)),
        [(Some(source), 1002, 100, 107, Some(9))]
    );
}

#[test]
fn each_reason_and_each_source_has_its_line() {
    let mut repeats = Repeats::default();
    let near: IpAddr = "2001:db8::1".parse().unwrap();
    let same: IpAddr = "2001:db8::2".parse().unwrap();
    repeats.note(1, SECOND, Refusal::WrongCode, near);
    repeats.note(2, SECOND, Refusal::WrongCode, same);
    repeats.note(3, SECOND, Refusal::Used, same);
    let due = repeats.take_due(SECOND, false);
    assert_eq!(told(&due), [(Some(same), 2, 1, 2, None), (Some(same), 1, 3, 3, None)]);
}

#[test]
fn many_sources_share_a_line() {
    let mut repeats = Repeats::default();
    for number in 0..100_000 {
        repeats.note(1, SECOND, Refusal::NotPaired, address(number));
    }
    let due = repeats.take_due(SECOND, false);
    assert_eq!(due.len(), MAX_LINES + 1);
    let others = 100_000 - MAX_LINES as u64;
    assert!(told(&due).contains(&(None, others, 1, 1, None)));
}

#[test]
fn whoever_was_quiet_for_long_begins_a_new_line() {
    let mut repeats = Repeats::default();
    repeats.note(1, SECOND, Refusal::WrongCode, address(1));
    let due = repeats.take_due(SECOND, false);
    repeats.written(&due[0], 7);
    repeats.note(700, SECOND + QUIET, Refusal::WrongCode, address(1));
    let due = repeats.take_due(SECOND + QUIET, false);
    assert_eq!(told(&due), [(Some(address(1)), 1, 700, 700, None)]);
    repeats.written(&due[0], 8);
    assert!(repeats.take_due(SECOND + QUIET + QUIET, false).is_empty());
    assert!(repeats.0.is_empty(), "what is over is forgotten");
}

#[test]
fn what_could_not_be_written_is_written_later() {
    let mut repeats = Repeats::default();
    repeats.note(1, SECOND, Refusal::WrongCode, address(1));
    let due = repeats.take_due(SECOND, false);
    repeats.put_back(due);
    assert_eq!(told(&repeats.take_due(2 * SECOND, false)), [(Some(address(1)), 1, 1, 1, None)]);
}
