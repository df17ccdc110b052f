//! A command as people read it, from which its words can be told again.

use codeout_protocol::name::clean_text;

/// Stands for the words that have no room.
const REST: &str = "…";

/// The words in one line of at most `most` bytes that acts on no terminal: quoted as for a shell,
/// and as many as have room, none of them cut.
pub(crate) fn shown<S: AsRef<str>>(words: &[S], most: usize) -> String {
    let words = words.iter().map(|word| quoted(&clean_text(word.as_ref(), usize::MAX)));
    let words: Vec<_> = words.collect();
    let whole = words.join(" ");
    if whole.len() <= most {
        return whole;
    }
    let mut line = String::new();
    for word in &words {
        if line.len() + word.len() + " ".len() + REST.len() > most {
            break;
        }
        line.push_str(word);
        line.push(' ');
    }
    line.push_str(REST);
    line
}

/// A word as a shell is told it. A `~` stays bare: it means the same to whoever reads settings.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "._-/=:@,+%~".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_apart() {
        for (words, line) in [
            (&["make", "-k", "watch"][..], "make -k watch"),
            (
                &["~/bin/claude", "--name=a,b:c@d", "50%", "Müller"],
                "~/bin/claude --name=a,b:c@d 50% Müller",
            ),
            (&["sh", "-c", "a 'b' | c"], r"sh -c 'a '\''b'\'' | c'"),
            (&["echo", "", "$HOME", "\"x\""], r#"echo '' '$HOME' '"x"'"#),
            (&["\u{1b}[2J", "\u{202e}b"], "'[2J' b"),
        ] {
            assert_eq!(shown(words, 256), line);
        }
    }

    #[test]
    fn a_word_is_there_in_whole_or_not_at_all() {
        let words = ["abcd", "ef gh", "i"];
        assert_eq!(shown(&words, 14), "abcd 'ef gh' i");
        assert_eq!(shown(&words, 13), "abcd …");
        assert_eq!(shown(&words, 7), "…");
        assert_eq!(shown(&["abcdefgh"], 7), "…");
        let words = ["é".repeat(20), "é".repeat(20)];
        for most in 3..90 {
            let line = shown(&words, most);
            assert!(line.len() <= most, "{line}");
            assert!(line.split(' ').all(|word| word == REST || word == words[0]), "{line}");
        }
    }
}
