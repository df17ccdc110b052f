//! What can go wrong, and who erred; what the other side is told of it.

use std::fmt;

/// Why a handshake or a channel ended. Every variant is fatal to the state that returned it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The other side broke the protocol, or something on the way did.
    #[error("the other side broke the protocol: {0}")]
    Misbehaved(Misbehaviour),
    /// The other side speaks another version or suite.
    #[error("the other side speaks another version of the protocol")]
    Incompatible,
    /// The device dialled a daemon whose key is not the expected one.
    #[error("this is not the expected daemon's key")]
    WrongDaemonKey,
    /// The two sides do not hold the same pairing code.
    #[error("wrong pairing code")]
    WrongCode,
    /// The daemon ended the handshake in the clear; anyone on the way can forge this.
    #[error("the daemon answered: {0}")]
    Alert(Alert),
    /// The daemon refused, inside the handshake's encryption: nobody else can have said it.
    #[error("the daemon refused: {0}")]
    Refused(Refusal),
    /// What should be the daemon's answer was changed on the way.
    #[error("the daemon's answer was tampered with on the way")]
    Tampered,
    /// A record is not what the other end sealed next. The connection must end.
    #[error("a record does not open: it was changed, dropped, repeated or reordered on the way")]
    Record,
    /// The other end has finished its direction; nothing may follow.
    #[error("a record came behind the last one")]
    Ended,
    /// The caller handed in more than a record holds.
    #[error("a record holds at most 65536 bytes")]
    TooLong,
}

/// How the other side broke the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misbehaviour {
    /// A message has not the length that it must have.
    Length,
    /// A message begins with a tag that has no place here.
    Tag,
    /// A public key, a group element or an ML-KEM key is not acceptable.
    Key,
    /// A sealed part does not open.
    Seal,
    /// A name is not UTF-8, or empty, or too long.
    Name,
    /// The initiator's session identifier was seen before.
    Replay,
    /// A record's content is not of the message layer.
    Message,
}

impl fmt::Display for Misbehaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Misbehaviour::Length => "a message has the wrong length",
            Misbehaviour::Tag => "a message has the wrong tag",
            Misbehaviour::Key => "a key is not acceptable",
            Misbehaviour::Seal => "a sealed part does not open",
            Misbehaviour::Name => "a name is not acceptable",
            Misbehaviour::Replay => "a message was seen before",
            Misbehaviour::Message => "a record has no valid content",
        })
    }
}

impl From<Misbehaviour> for Error {
    fn from(misbehaviour: Misbehaviour) -> Self {
        Error::Misbehaved(misbehaviour)
    }
}

/// What the daemon says in the clear. Unauthenticated: word it, never act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Alert {
    /// Version or suite not spoken.
    Version = 1,
    /// Too many attempts: try later.
    TooManyAttempts = 2,
    /// No pairing offer is open.
    NoOffer = 3,
    /// The message is malformed.
    Malformed = 4,
    /// M1 was made for another daemon's key.
    WrongKey = 5,
}

impl Alert {
    const ALL: [Alert; 5] =
        [Alert::Version, Alert::TooManyAttempts, Alert::NoOffer, Alert::Malformed, Alert::WrongKey];

    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|alert| *alert as u8 == byte)
    }

    /// The alert as a WebSocket message.
    pub fn message(self) -> [u8; 2] {
        [crate::schedule::TAG_ALERT, self as u8]
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Alert::Version => "it does not speak this version of the protocol",
            Alert::TooManyAttempts => "too many attempts, try again later",
            Alert::NoOffer => "no pairing offer is open",
            Alert::Malformed => "the message was malformed",
            Alert::WrongKey => "the message was meant for another daemon's key",
        })
    }
}

/// What the daemon says inside the handshake's encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Connect: this device is not, or no longer, paired.
    NotPaired,
    /// Pair: another device was faster.
    AlreadyUsed,
    /// Pair: the five minutes are over.
    Expired,
    /// Pair: the daemon's user said no.
    Declined,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::NotPaired => "this device is not paired",
            Refusal::AlreadyUsed => "this pairing code was already used",
            Refusal::Expired => "this pairing code has expired",
            Refusal::Declined => "the pairing was declined at the daemon",
        })
    }
}

impl Error {
    /// What a daemon tells a device whose message led to this error: the one place where errors
    /// become wire codes.
    pub fn alert(&self) -> Alert {
        match self {
            Error::Incompatible => Alert::Version,
            Error::WrongDaemonKey => Alert::WrongKey,
            _ => Alert::Malformed,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Each is a sentence of its own: whoever reads one can tell what it was.
    fn are_told_apart(all: &[String]) {
        assert!(all.iter().all(|sentence| sentence.split(' ').count() >= 3), "{all:?}");
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len(), "{all:?}");
    }

    #[test]
    fn every_kind_has_its_own_words() {
        use Misbehaviour::{Key, Length, Message, Name, Replay, Seal, Tag};
        let kinds = [Length, Tag, Key, Seal, Name, Replay, Message];
        are_told_apart(&kinds.map(|kind| kind.to_string()));
        are_told_apart(&kinds.map(|kind| Error::from(kind).to_string()));
        are_told_apart(&Alert::ALL.map(|alert| alert.to_string()));
        use Refusal::{AlreadyUsed, Declined, Expired, NotPaired};
        are_told_apart(&[NotPaired, AlreadyUsed, Expired, Declined].map(|why| why.to_string()));
    }

    #[test]
    fn what_went_wrong_has_its_alert() {
        assert_eq!(Error::Incompatible.alert(), Alert::Version);
        assert_eq!(Error::WrongDaemonKey.alert(), Alert::WrongKey);
        assert_eq!(Error::from(Misbehaviour::Seal).alert(), Alert::Malformed);
        for alert in Alert::ALL {
            assert_eq!(Alert::from_byte(alert as u8), Some(alert));
            assert_eq!(alert.message()[1], alert as u8);
        }
        assert_eq!(Alert::from_byte(0), None);
        assert_eq!(Alert::from_byte(6), None);
    }
}
