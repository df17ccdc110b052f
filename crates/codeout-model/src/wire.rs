//! Messages: what the network carries, and what an attacker makes of it.

use std::hash::{DefaultHasher, Hash, Hasher};

/// A short name of something by how it came about, and not by its bytes, which are random: what
/// came about in the same way has the same name in every history.
pub(crate) type Term = u64;

pub(crate) fn term(how: impl Hash) -> Term {
    // Its keys are fixed.
    let mut hasher = DefaultHasher::new();
    how.hash(&mut hasher);
    hasher.finish()
}

/// Which message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // their names are the protocol's
pub enum Kind {
    P1,
    P2,
    P3,
    P4,
    M1,
    M2,
    M3,
    M4,
    /// A record of a device.
    Up,
    /// A record of the daemon.
    Down,
}

/// A message that somebody sent: it can be delivered to anyone, at any time, any number of times.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) kind: Kind,
    pub(crate) term: Term,
    pub(crate) bytes: Vec<u8>,
}

/// A message that nobody sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Forgery {
    /// A message with one bit of one field turned.
    Turned(Term, u8),
    /// A message with one field of another one of its kind.
    Mixed(Term, Term, u8),
    /// A message with zeros in one field: no key, and no element.
    Zeroed(Term, u8),
    /// A message without its last byte.
    Shorter(Term),
    /// A message with one byte more.
    Longer(Term),
    /// Nothing.
    Empty,
    /// An alert.
    Alert(u8),
    /// What looks like a sealed refusal.
    Refusal,
    /// The answer of a daemon with another key, to a device's first message.
    OtherDaemon(Term),
}

impl Forgery {
    /// Every change of `message`, given what else was sent.
    pub(crate) fn of(message: &Sent, wire: &[std::sync::Arc<Sent>], all: &mut Vec<Forgery>) {
        let of = message.term;
        for field in 0..message.fields().len() as u8 {
            all.extend([Forgery::Turned(of, field), Forgery::Zeroed(of, field)]);
            let others = wire.iter().filter(|other| {
                other.kind == message.kind && other.term != of && other.fields() == message.fields()
            });
            all.extend(others.map(|other| Forgery::Mixed(of, other.term, field)));
        }
        all.extend([Forgery::Shorter(of), Forgery::Longer(of)]);
    }

    /// What a daemon may send that has nothing to do with any message.
    pub(crate) const LOOSE: [Forgery; 8] = [
        Forgery::Empty,
        Forgery::Refusal,
        Forgery::Alert(0),
        Forgery::Alert(1),
        Forgery::Alert(2),
        Forgery::Alert(3),
        Forgery::Alert(4),
        Forgery::Alert(5),
    ];

    /// The message that is changed.
    pub(crate) fn base(self) -> Option<Term> {
        match self {
            Forgery::Turned(of, _)
            | Forgery::Mixed(of, ..)
            | Forgery::Zeroed(of, _)
            | Forgery::Shorter(of)
            | Forgery::Longer(of)
            | Forgery::OtherDaemon(of) => Some(of),
            Forgery::Empty | Forgery::Alert(_) | Forgery::Refusal => None,
        }
    }

    /// The bytes; `base` and `other` are the messages that it names.
    pub(crate) fn bytes(self, base: Option<&Sent>, other: Option<&Sent>) -> Vec<u8> {
        let mut bytes = base.map_or_else(Vec::new, |base| base.bytes.clone());
        let field = |at: u8| base.map_or(0..0, |base| base.fields()[usize::from(at)].clone());
        match self {
            Forgery::Turned(_, at) => bytes[field(at).start] ^= 1,
            Forgery::Zeroed(_, at) => bytes[field(at)].fill(0),
            Forgery::Mixed(_, _, at) => {
                let other = other.expect("it names a message that was sent");
                bytes[field(at)].copy_from_slice(&other.bytes[field(at)]);
            }
            Forgery::Shorter(_) => {
                bytes.pop();
            }
            Forgery::Longer(_) => bytes.push(0),
            Forgery::Empty | Forgery::OtherDaemon(_) => {}
            Forgery::Alert(byte) => bytes = vec![0xff, byte],
            Forgery::Refusal => bytes = [vec![1], vec![7; 17]].concat(),
        }
        bytes
    }
}

impl Sent {
    /// Where its fields are: `docs/protocol.md` 6.1 and 7.2.
    pub(crate) fn fields(&self) -> Vec<std::ops::Range<usize>> {
        let end = self.bytes.len();
        let refused = self.bytes.first() == Some(&1);
        let ends = match self.kind {
            Kind::P1 => vec![1, 2, 3, 19, 51, 83, 1267],
            Kind::P2 => vec![1, 33, 65, 1153, 1185, 1233],
            Kind::P3 => vec![32, 80, end - 24, end],
            Kind::P4 | Kind::M4 if refused => vec![1, end],
            Kind::P4 | Kind::M4 => vec![1, 25, end],
            Kind::M1 => vec![1, 2, 3, 35, 1219, 1235],
            Kind::M2 => vec![1, 33, 1121, 1137],
            Kind::M3 => vec![48, 64, 88],
            Kind::Up | Kind::Down => vec![end],
        };
        let starts = std::iter::once(0).chain(ends.clone());
        starts.zip(ends).map(|(start, end)| start..end).collect()
    }
}
