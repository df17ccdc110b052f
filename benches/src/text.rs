//! What sessions print.

use std::path::PathBuf;

use crate::processes::World;

/// The columns of a line, which a line feed follows.
const COLUMNS: usize = 79;

/// A file of that many bytes in equal lines of 79 characters.
pub(crate) fn lines(world: &World, bytes: usize) -> PathBuf {
    let path = world.directory("text").join(format!("lines-{bytes}"));
    let line: Vec<u8> = (b'!'..=b'~').cycle().take(COLUMNS).chain([b'\n']).collect();
    let bytes: Vec<u8> = line.into_iter().cycle().take(bytes).collect();
    std::fs::write(&path, bytes).expect("room for the file");
    path
}

/// A file of that many lines of words, each of 79 characters, no two the same.
pub(crate) fn words(world: &World, count: usize) -> PathBuf {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let words: Vec<String> = (0..2_000).map(|_| random.word()).collect();
    let mut text = String::with_capacity(count * (COLUMNS + 1));
    for _ in 0..count {
        let mut line = String::with_capacity(2 * COLUMNS);
        while line.len() < COLUMNS {
            line.push_str(&words[random.below(words.len())]);
            line.push(' ');
        }
        line.truncate(COLUMNS);
        text.push_str(&line);
        text.push('\n');
    }
    let path = world.directory("text").join(format!("words-{count}"));
    std::fs::write(&path, text).expect("room for the file");
    path
}

/// The same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % limit
    }

    fn word(&mut self) -> String {
        let letters: Vec<char> = ('a'..='z').collect();
        (0..2 + self.below(9)).map(|_| letters[self.below(letters.len())]).collect()
    }
}
