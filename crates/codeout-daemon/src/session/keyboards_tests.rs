use proptest::prelude::*;

use super::*;

fn keyboard(number: u64) -> Keyboard {
    Keyboard { device: "00000001".parse().unwrap(), number }
}

/// Takes bytes of which the terminal takes only so many.
fn take(
    keyboards: &mut Keyboards,
    turn: Turn,
    offset: u64,
    bytes: &[u8],
    some: usize,
) -> Result<bool, Violation> {
    keyboards.take(turn, offset, bytes, |bytes| some.min(bytes.len()))
}

fn written_next(keyboards: &mut Keyboards) -> Vec<u8> {
    let mut written = Vec::new();
    keyboards.write(|bytes| {
        written.extend_from_slice(bytes);
        bytes.len()
    });
    written
}

#[test]
fn each_byte_is_taken_once_and_in_order() {
    let mut keyboards = Keyboards::default();
    let (one, 0) = keyboards.attach(keyboard(1)).unwrap() else { panic!() };
    assert_eq!(take(&mut keyboards, one, 0, b"abc", 3), Ok(false));
    assert_eq!(take(&mut keyboards, one, 0, b"abc", 3), Err(Violation));
    assert_eq!(take(&mut keyboards, one, 4, b"e", 3), Err(Violation));
    assert_eq!(take(&mut keyboards, one, 3, b"def", 1), Ok(true));
    assert_eq!(keyboards.written(one), Some(4));
    assert_eq!(written_next(&mut keyboards), b"ef");
    assert_eq!((keyboards.written(one), keyboards.wait()), (Some(6), false));
}

#[test]
fn who_comes_back_goes_on_behind_what_was_written() {
    let mut keyboards = Keyboards::default();
    let (old, _) = keyboards.attach(keyboard(1)).unwrap();
    let (other, _) = keyboards.attach(keyboard(2)).unwrap();
    assert_eq!(take(&mut keyboards, old, 0, b"abcdef", 2), Ok(true));
    assert_eq!(take(&mut keyboards, other, 0, b"x", 1), Ok(true));
    let (new, input) = keyboards.attach(keyboard(1)).unwrap();
    assert_eq!(input, 2);
    // What is still on its way on the old link goes nowhere, and is no fault.
    assert_eq!(take(&mut keyboards, old, 6, b"ghi", 3), Ok(false));
    assert_eq!(keyboards.written(old), None);
    assert_eq!(take(&mut keyboards, new, 2, b"cdef", 4), Ok(true));
    assert_eq!(written_next(&mut keyboards), b"x");
    assert_eq!(written_next(&mut keyboards), b"cdef");
    assert_eq!(keyboards.written(new), Some(6));
}

#[test]
fn what_waits_is_bounded() {
    let mut keyboards = Keyboards::default();
    let (one, _) = keyboards.attach(keyboard(1)).unwrap();
    let window = vec![b'x'; usize::try_from(INPUT_WINDOW).unwrap()];
    assert_eq!(take(&mut keyboards, one, 0, &window, 0), Ok(true));
    assert_eq!(take(&mut keyboards, one, INPUT_WINDOW, b"x", 0), Err(Violation));
    for number in 2..=MAX_WAITING as u64 {
        let (turn, _) = keyboards.attach(keyboard(number)).unwrap();
        assert_eq!(take(&mut keyboards, turn, 0, b"x", 0), Ok(true));
    }
    assert_eq!(keyboards.attach(keyboard(1000)), Err(TooMany));
    // One of those whose input waits may come back.
    assert!(keyboards.attach(keyboard(1)).is_ok());
}

#[test]
fn the_keyboard_unused_for_longest_gives_way_unless_it_is_in_use() {
    let mut keyboards = Keyboards::default();
    // The last one's input waits, behind which that of all others would.
    for number in (0..=MAX_KEYBOARDS as u64 + 2).rev() {
        let (turn, _) = keyboards.attach(keyboard(number)).unwrap();
        let written = if number == 0 { 1 } else { 2 };
        take(&mut keyboards, turn, 0, b"ab", written).unwrap();
        if number != 66 {
            keyboards.detach(turn);
        }
    }
    keyboards.attach(keyboard(1000)).unwrap();
    let mut input = |number| keyboards.attach(keyboard(number)).unwrap().1;
    assert_eq!((input(0), input(66), input(64), input(65)), (1, 2, 2, 0));
}

#[test]
fn a_device_that_is_out_types_no_more() {
    let mut keyboards = Keyboards::default();
    let (one, _) = keyboards.attach(keyboard(1)).unwrap();
    assert_eq!(take(&mut keyboards, one, 0, b"rm -r", 0), Ok(true));
    keyboards.forget(keyboard(1).device);
    assert!(!keyboards.wait());
    assert_eq!(take(&mut keyboards, one, 5, b" /\n", 9), Ok(false));
}

proptest! {
    #[test]
    fn saved_and_restored_is_the_same(
        inputs in prop::collection::vec((0..4u64, 1..50usize, 0..50usize), 0..30),
    ) {
        let mut keyboards = Keyboards::default();
        let turns: Vec<Turn> =
            (0..4).map(|number| keyboards.attach(keyboard(number)).unwrap().0).collect();
        let mut sent = [0; 4];
        for (byte, (number, length, written)) in (0u8..).zip(inputs) {
            let number = usize::try_from(number).unwrap();
            take(&mut keyboards, turns[number], sent[number], &vec![byte; length], written).unwrap();
            sent[number] += length as u64;
        }
        let (saved, typed) = keyboards.save();
        let json = serde_json::to_vec(&saved).unwrap();
        let saved = serde_json::from_slice(&json).unwrap();
        let mut other = Keyboards::restore(saved, &typed).unwrap();
        for turn in &turns {
            prop_assert_eq!(keyboards.written(*turn), other.written(*turn));
        }
        while keyboards.wait() {
            prop_assert_eq!(written_next(&mut keyboards), written_next(&mut other));
        }
        prop_assert!(!other.wait());
    }
}

#[test]
fn the_last_keyboards_are_remembered_beside_those_in_use() {
    let mut keyboards = Keyboards::default();
    for number in 0..100 {
        keyboards.attach(keyboard(1000 + number)).unwrap();
    }
    let most = u64::try_from(MAX_KEYBOARDS).unwrap();
    for number in 0..=most {
        let (turn, 0) = keyboards.attach(keyboard(number)).unwrap() else { panic!() };
        assert_eq!(take(&mut keyboards, turn, 0, b"x", 1), Ok(false));
        keyboards.detach(turn);
    }
    // One more has come than are remembered.
    keyboards.attach(keyboard(2000)).unwrap();
    assert_eq!(keyboards.attach(keyboard(1)).unwrap().1, 1);
    assert_eq!(keyboards.attach(keyboard(most)).unwrap().1, 1);
    assert_eq!(keyboards.attach(keyboard(0)).unwrap().1, 0);
}

#[test]
fn behind_the_end_nothing_waits() {
    let mut keyboards = Keyboards::default();
    for number in 0..u64::try_from(MAX_WAITING).unwrap() {
        let (turn, _) = keyboards.attach(keyboard(number)).unwrap();
        assert_eq!(take(&mut keyboards, turn, 0, b"x", 0), Ok(true));
    }
    assert_eq!(keyboards.attach(keyboard(1000)), Err(TooMany));
    keyboards.drop_waiting();
    assert!(!keyboards.wait());
    assert_eq!(keyboards.attach(keyboard(1000)).unwrap().1, 0);
}
