use proptest::prelude::*;

use super::*;

#[path = "../tests/common/mod.rs"]
#[allow(clippy::duplicate_mod)] // private to each module, like the tests
mod common;
use common::{array, hex, list, text, vectors};

const START: Duration = Duration::from_secs(1_000);

fn key() -> Key {
    Key::from_bytes(&[7; 32])
}

/// Both ends of one direction.
fn direction() -> (Sealer, Opener) {
    let (sealer, header) = Sealer::new(&key());
    (sealer, Opener::new(&key(), &header))
}

/// The sending end, and a receiving end that shows the tags.
fn watched_direction() -> (Sealer, impl FnMut(&[u8]) -> Tag, Opener) {
    let (sealer, header) = Sealer::new(&key());
    let mut pull = Pull::new(&key(), &header);
    let tag_of = move |record: &[u8]| pull.pull(record).expect("an honest record").1;
    (sealer, tag_of, Opener::new(&key(), &header))
}

/// Three records in order.
fn three(sealer: &mut Sealer) -> [Vec<u8>; 3] {
    [b"one".as_slice(), b"two", b"three"].map(|text| sealer.seal(START, text).unwrap())
}

fn message(text: &[u8]) -> Result<Opened, Error> {
    Ok(Opened::Message(text.to_vec()))
}

/// What every record must meet at an opener that has refused one.
fn assert_broken(opener: &mut Opener, records: &[Vec<u8>]) {
    for record in records {
        assert_eq!(opener.open(record), Err(Error::Record));
    }
    assert!(!opener.has_ended());
}

#[test]
fn a_record_is_as_long_as_is_said_before() {
    for length in [0, 1, 63, 64, 65, 1_000, MAX_PLAINTEXT] {
        let record = direction().0.seal(START, &vec![0; length]).unwrap();
        assert_eq!(record.len(), record_length(length), "{length}");
        assert!(record.len() <= MAX_RECORD, "{length}");
    }
    assert_eq!(record_length(MAX_PLAINTEXT), MAX_RECORD);
}

#[test]
fn debug_tells_how_long_a_plaintext_is_and_not_what() {
    assert_eq!(format!("{:?}", Opened::Message(b"secret".into())), "Message(6 bytes)");
    assert_eq!(format!("{:?}", Opened::Final(b"last".into())), "Final(4 bytes)");
    assert_eq!(Opened::Final(b"last".into()).into_bytes(), b"last");
}

#[test]
fn the_vectors_records_open_in_order() {
    let file = vectors(include_str!("../../../vectors/channel.json"));
    let key = Key::from_bytes(&array(&file["key"]));
    let header = array(&file["header"]);
    let mut opener = Opener::new(&key, &header);
    let mut pull = Pull::new(&key, &header);
    for case in list(&file["records"], 8) {
        let (record, plaintext) = (hex(&case["record"]), hex(&case["plaintext"]));
        let (padded, tag) = pull.pull(&record).expect("an honest record");
        assert_eq!(case["padded_length"], padded.len());
        let mut padded_here = plaintext.clone();
        sodium::pad(&mut padded_here, BLOCK);
        assert_eq!(padded_here, padded);

        let opened = opener.open(&record).expect("an honest record");
        assert_eq!(opener.has_ended(), tag == Tag::Final);
        match text(&case["tag"]) {
            "MESSAGE" => assert_eq!((tag, opened), (Tag::Message, Opened::Message(plaintext))),
            "REKEY" => assert_eq!((tag, opened), (Tag::Rekey, Opened::Message(plaintext))),
            "FINAL" => assert_eq!((tag, opened), (Tag::Final, Opened::Final(plaintext))),
            other => panic!("a tag of no record: {other}"),
        }
    }
    assert!(opener.has_ended());
}

/// What `docs/protocol.md` shows under "The first records": who sends, which tag, the plaintext
/// and the record.
fn shown_records() -> Vec<(String, Vec<u8>, Vec<u8>)> {
    let document = include_str!("../../../docs/protocol.md");
    let (_, part) = document.split_once("### 14.3 The first records").expect("the section");
    let part = part.split("\n### ").next().expect("the section");
    let blocks = part.split("```").nth(3).expect("the second block");
    let mut records: Vec<(String, Vec<u8>, Vec<u8>)> = Vec::new();
    for line in blocks.trim().lines() {
        if let Some(more) = line.strip_prefix("  sealed:  ").or(line.strip_prefix("           ")) {
            let (_, _, record) = records.last_mut().expect("a plaintext before it");
            record.extend(hex(&more.into()));
        } else {
            let (head, plaintext) = line.split_once(":  ").expect("a plaintext");
            let (head, length) = head.rsplit_once(", ").expect("its length");
            let plaintext = match plaintext.split_once(' ') {
                Some((kind, json)) => [hex(&kind.into()), json.into()].concat(),
                None => Vec::new(),
            };
            assert_eq!(length, format!("{} bytes", plaintext.len()), "{line}");
            records.push((head.into(), plaintext, Vec::new()));
        }
    }
    records
}

#[test]
fn the_documents_first_records_open() {
    let file = vectors(include_str!("../../../vectors/pair.json"));
    let header = |first: u8| std::array::from_fn(|at| first + u8::try_from(at).unwrap());
    let opener =
        |key: &str, first| Opener::new(&Key::from_bytes(&array(&file[key])), &header(first));
    let mut device = opener("device_to_daemon", 0x00);
    let mut daemon = opener("daemon_to_device", 0x80);
    for (head, plaintext, record) in shown_records() {
        let from_device = head.starts_with("device");
        let opened = if from_device { &mut device } else { &mut daemon }.open(&record);
        if head.ends_with("FINAL") {
            assert_eq!(opened, Ok(Opened::Final(plaintext)), "{head}");
        } else {
            assert_eq!(opened, message(&plaintext), "{head}");
        }
    }
    assert!(device.has_ended() && daemon.has_ended());
}

#[test]
fn the_vectors_bad_padding_is_refused() {
    let file = vectors(include_str!("../../../vectors/channel.json"));
    let key = Key::from_bytes(&array(&file["key"]));
    for case in list(&file["reject_padding"], 4) {
        let (header, record) = (array(&case["header"]), hex(&case["record"]));
        let sealed_honestly = Pull::new(&key, &header).pull(&record).is_some();
        assert!(sealed_honestly, "{}", text(&case["why"]));
        let mut opener = Opener::new(&key, &header);
        assert_eq!(opener.open(&record), Err(Error::Record), "{}", text(&case["why"]));
        assert_broken(&mut opener, &[record]);
    }
}

#[test]
fn a_record_grows_in_steps_of_64_bytes() {
    let (mut sealer, mut opener) = direction();
    for length in 0..=200 {
        let plaintext = vec![0x80; length];
        let record = sealer.seal(START, &plaintext).unwrap();
        assert_eq!(record.len(), (length / 64 + 1) * 64 + 17);
        assert_eq!(opener.open(&record), message(&plaintext));
    }
}

#[test]
fn a_repeated_record_is_refused() {
    let (mut sealer, mut opener) = direction();
    let records = three(&mut sealer);
    assert_eq!(opener.open(&records[0]), message(b"one"));
    assert_eq!(opener.open(&records[0]), Err(Error::Record));
    assert_broken(&mut opener, &records);
}

#[test]
fn a_repeated_record_is_refused_later_too() {
    let (mut sealer, mut opener) = direction();
    let records = three(&mut sealer);
    assert_eq!(opener.open(&records[0]), message(b"one"));
    assert_eq!(opener.open(&records[1]), message(b"two"));
    assert_eq!(opener.open(&records[0]), Err(Error::Record));
    assert_broken(&mut opener, &records);
}

#[test]
fn a_record_behind_a_dropped_one_is_refused() {
    let (mut sealer, mut opener) = direction();
    let records = three(&mut sealer);
    assert_eq!(opener.open(&records[0]), message(b"one"));
    assert_eq!(opener.open(&records[2]), Err(Error::Record));
    assert_broken(&mut opener, &records);
}

#[test]
fn reordered_records_are_refused() {
    let (mut sealer, mut opener) = direction();
    let records = three(&mut sealer);
    assert_eq!(opener.open(&records[1]), Err(Error::Record));
    assert_broken(&mut opener, &records);
}

#[test]
fn a_truncated_or_extended_record_is_refused() {
    let (mut sealer, header) = Sealer::new(&key());
    let records = three(&mut sealer);
    let refuses = |record: &[u8]| {
        let mut opener = Opener::new(&key(), &header);
        assert_eq!(opener.open(record), Err(Error::Record), "{} bytes", record.len());
        assert_broken(&mut opener, &records);
    };
    for length in 0..records[0].len() {
        refuses(&records[0][..length]);
    }
    for extra in [1, 2, 16, 64] {
        let longer = [records[0].as_slice(), &vec![0; extra]].concat();
        refuses(&longer);
    }
    refuses(&records.concat());
}

#[test]
fn a_record_flipped_at_any_bit_is_refused() {
    let (mut sealer, header) = Sealer::new(&key());
    let records = three(&mut sealer);
    for index in 0..records[0].len() {
        for bit in 0..8 {
            let mut changed = records[0].clone();
            changed[index] ^= 1 << bit;
            let mut opener = Opener::new(&key(), &header);
            assert_eq!(opener.open(&changed), Err(Error::Record), "byte {index}, bit {bit}");
            assert_broken(&mut opener, &records);
        }
    }
}

#[test]
fn a_header_flipped_at_any_byte_opens_nothing() {
    let (mut sealer, header) = Sealer::new(&key());
    let records = three(&mut sealer);
    for index in 0..header.len() {
        let mut changed = header;
        changed[index] ^= 1 << (index % 8);
        let mut opener = Opener::new(&key(), &changed);
        assert_broken(&mut opener, &records);
    }
}

#[test]
fn a_record_of_the_other_direction_is_refused() {
    let (mut sealer, header) = Sealer::new(&key());
    let records = three(&mut sealer);
    let mut opener = Opener::new(&Key::from_bytes(&[8; 32]), &header);
    assert_broken(&mut opener, &records);
}

#[test]
fn nothing_may_follow_the_final_record() {
    let (mut sealer, mut opener) = direction();
    let before = sealer.seal(START, b"before").unwrap();
    let last = sealer.finish(b"bye").unwrap();
    assert_eq!(opener.open(&before), message(b"before"));
    assert!(!opener.has_ended());
    assert_eq!(opener.open(&last), Ok(Opened::Final(b"bye".to_vec())));
    assert!(opener.has_ended());
    for record in [&last, &before, &Vec::new(), &vec![0; 100]] {
        assert_eq!(opener.open(record), Err(Error::Ended));
        assert!(opener.has_ended());
    }
}

#[test]
fn not_even_an_honest_record_may_follow_the_final_one() {
    let (mut sealer, mut opener) = direction();
    let (mut last, mut behind) = (Vec::new(), Vec::new());
    sealer.push(b"bye", Tag::Final, &mut last).unwrap();
    sealer.push(b"and another thing", Tag::Message, &mut behind).unwrap();
    assert_eq!(opener.open(&last), Ok(Opened::Final(b"bye".to_vec())));
    assert_eq!(opener.open(&behind), Err(Error::Ended));
}

#[test]
fn a_final_record_may_be_empty() {
    let (sealer, mut opener) = direction();
    let last = sealer.finish(b"").unwrap();
    assert_eq!(opener.open(&last).map(Opened::into_bytes), Ok(Vec::new()));
    assert!(opener.has_ended());
}

#[test]
fn a_broken_direction_has_not_ended() {
    let (sealer, mut opener) = direction();
    let last = sealer.finish(b"bye").unwrap();
    assert_eq!(opener.open(&last[1..]), Err(Error::Record));
    assert_broken(&mut opener, &[last]);
}

#[test]
fn a_record_holds_65536_bytes_and_not_one_more() {
    let (mut sealer, mut opener) = direction();
    let too_long = vec![b'x'; 65_537];
    assert_eq!(sealer.seal(START, &too_long), Err(Error::TooLong));

    let longest = &too_long[1..];
    let record = sealer.seal(START, longest).unwrap();
    assert_eq!(record.len(), MAX_RECORD);
    assert_eq!(opener.open(&record), message(longest));

    let last = sealer.finish(longest).unwrap();
    assert_eq!(opener.open(&last), Ok(Opened::Final(longest.to_vec())));
    let (other, _) = direction();
    assert_eq!(other.finish(&too_long), Err(Error::TooLong));
}

/// A peer that does not keep to the limit, under the right key.
#[test]
fn an_oversize_record_is_refused() {
    for length in [65_537, 65_599, 65_600, 70_000, 200_000] {
        let (mut sealer, mut opener) = direction();
        let mut padded = vec![b'x'; length];
        sodium::pad(&mut padded, BLOCK);
        let mut record = Vec::new();
        sealer.stream.push(&padded, Tag::Message, &mut record);
        let next = sealer.seal(START, b"next").unwrap();
        assert_eq!(opener.open(&record), Err(Error::Record), "{length} bytes");
        assert_broken(&mut opener, &[next]);
    }
}

#[test]
fn the_key_changes_after_2_to_the_20_records() {
    let (mut sealer, mut tag_of, mut opener) = watched_direction();
    let mut seal = |sealer: &mut Sealer| {
        let record = sealer.seal(START, b"text").unwrap();
        assert_eq!(opener.open(&record), message(b"text"));
        tag_of(&record)
    };
    assert_eq!(seal(&mut sealer), Tag::Message);
    assert_eq!(sealer.records, 1);
    for _ in 0..2 {
        sealer.records = (1 << 20) - 2;
        assert_eq!(seal(&mut sealer), Tag::Message);
        assert_eq!(seal(&mut sealer), Tag::Rekey);
        assert_eq!(seal(&mut sealer), Tag::Message);
        assert_eq!(sealer.records, 1);
    }
}

#[test]
fn the_key_changes_after_an_hour() {
    let (mut sealer, mut tag_of, mut opener) = watched_direction();
    let mut tag_at = |milliseconds| {
        let record = sealer.seal(START + Duration::from_millis(milliseconds), b"text").unwrap();
        assert_eq!(opener.open(&record), message(b"text"));
        tag_of(&record)
    };
    const HOUR: u64 = 3_600_000;
    assert_eq!(tag_at(0), Tag::Message);
    assert_eq!(tag_at(HOUR - 1), Tag::Message);
    assert_eq!(tag_at(HOUR), Tag::Rekey);
    assert_eq!(tag_at(HOUR), Tag::Message);
    assert_eq!(tag_at(2 * HOUR - 1), Tag::Message);
    // After a long silence the first record changes the key; the hour runs from there.
    assert_eq!(tag_at(9 * HOUR + 5), Tag::Rekey);
    assert_eq!(tag_at(10 * HOUR + 4), Tag::Message);
    assert_eq!(tag_at(10 * HOUR + 5), Tag::Rekey);
}

#[test]
fn a_key_change_that_was_refused_as_too_long_comes_with_the_next_record() {
    let (mut sealer, mut tag_of, mut opener) = watched_direction();
    let first = sealer.seal(START, b"first").unwrap();
    let later = START + Duration::from_secs(3_600);
    assert_eq!(sealer.seal(later, &vec![0; 65_537]), Err(Error::TooLong));
    let second = sealer.seal(later, b"second").unwrap();
    assert_eq!(opener.open(&first), message(b"first"));
    assert_eq!(opener.open(&second), message(b"second"));
    assert_eq!((tag_of(&first), tag_of(&second)), (Tag::Message, Tag::Rekey));
}

#[test]
fn debug_shows_no_plaintext() {
    let (mut sealer, mut opener) = direction();
    let record = sealer.seal(START, b"text").unwrap();
    opener.open(&record).unwrap();
    assert_eq!(format!("{sealer:?}"), "Sealer { records: 1, .. }");
    assert_eq!(format!("{opener:?}"), "Opener { ended: false, .. }");
}

fn plaintexts() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let lengths = prop_oneof![
        8 => 0..300_usize,
        1 => 65_400..=65_536_usize,
    ];
    let plaintext = (lengths, any::<u8>()).prop_map(|(length, byte)| vec![byte; length]);
    prop::collection::vec(plaintext, 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_sequence_of_plaintexts_arrives(
        plaintexts in plaintexts(),
        steps in prop::collection::vec(0..4_000_u64, 12),
        last in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let (mut sealer, mut opener) = direction();
        let mut now = START;
        for (plaintext, step) in plaintexts.iter().zip(steps) {
            now += Duration::from_secs(step);
            let record = sealer.seal(now, plaintext).unwrap();
            prop_assert_eq!(opener.open(&record), message(plaintext));
        }
        prop_assert_eq!(opener.open(&sealer.finish(&last).unwrap()), Ok(Opened::Final(last)));
        prop_assert!(opener.has_ended());
    }

    #[test]
    fn arbitrary_bytes_are_no_record(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let (mut sealer, mut opener) = direction();
        prop_assert_eq!(opener.open(&bytes), Err(Error::Record));
        prop_assert_eq!(opener.open(&sealer.seal(START, b"text").unwrap()), Err(Error::Record));
    }
}
