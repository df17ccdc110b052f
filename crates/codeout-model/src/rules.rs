//! What must hold, and what the checker remembers beside the code in order to judge it.

use std::collections::{BTreeMap, BTreeSet};

use codeout_protocol::sodium::PublicKey;

/// Something that must hold in every state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// An offer lets one device into the list.
    OneDevice,
    /// An offer that was replaced, or whose time is over, can be claimed by nobody.
    WhileItStands,
    /// A device gets into the list, or in, by an answer that it made itself, in this very
    /// handshake, with the code or the token; what the daemon then reads of it is its own.
    OwnProof,
    /// Once its revocation has returned, nothing of a device is accepted.
    RevokedStaysOut,
    /// A device whose time is over is not let in.
    TimeIsOver,
    /// A device that sees success was written down, and is in the list unless it was removed.
    SuccessIsListed,
    /// A refusal that a device believes is the daemon's, about this attempt; and the daemon
    /// refuses no device that is in the list.
    TrueRefusal,
    /// Nothing that arrives makes any part panic.
    NoPanic,
}

impl Rule {
    /// All of them.
    pub const ALL: [Rule; 8] = [
        Rule::OneDevice,
        Rule::WhileItStands,
        Rule::OwnProof,
        Rule::RevokedStaysOut,
        Rule::TimeIsOver,
        Rule::SuccessIsListed,
        Rule::TrueRefusal,
        Rule::NoPanic,
    ];

    /// The rule in words.
    pub fn words(self) -> &'static str {
        match self {
            Rule::OneDevice => "at most one device per offer",
            Rule::WhileItStands => "an offer that is over lets nobody in",
            Rule::OwnProof => "no device without its own proof",
            Rule::RevokedStaysOut => "a revoked device is never accepted again",
            Rule::TimeIsOver => "a device whose time is over is not let in",
            Rule::SuccessIsListed => "a device that sees success is in the list",
            Rule::TrueRefusal => "a refusal is the daemon's, and true",
            Rule::NoPanic => "no panic",
        }
    }
}

/// Something that must be reached, or the search has shown nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sight {
    /// A device and the daemon agree that it is paired.
    Paired,
    /// A paired device got in by Connect, and was answered.
    Connected,
    /// A device hears that its code was used.
    AlreadyUsed,
    /// A device hears that its code has expired.
    Expired,
    /// A device hears that the daemon's user said no.
    Declined,
    /// A device hears that it is not paired.
    NotPaired,
    /// A revocation has returned.
    Revoked,
    /// A connection was told to end and left.
    ToldToLeave,
    /// A pairing that was cut was finished by Connect.
    Recovered,
    /// A pairing that was never finished was removed.
    Purged,
    /// A change could not be written.
    WriteFailed,
    /// A forged or changed message was refused.
    Forged,
    /// A daemon died and another began.
    Crashed,
}

impl Sight {
    /// All of them.
    pub const ALL: [Sight; 13] = [
        Sight::Paired,
        Sight::Connected,
        Sight::AlreadyUsed,
        Sight::Expired,
        Sight::Declined,
        Sight::NotPaired,
        Sight::Revoked,
        Sight::ToldToLeave,
        Sight::Recovered,
        Sight::Purged,
        Sight::WriteFailed,
        Sight::Forged,
        Sight::Crashed,
    ];
}

/// The name of a device's key: which device, and which of its pairings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName {
    /// Which device.
    pub device: u8,
    /// Which of its pairings, from 1.
    pub attempt: u8,
}

/// An offer over all lives of the daemon: which life, and its number there.
pub(crate) type OfferName = (u8, u64);

/// What happened, as nobody in the model knows it whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    /// Whose key is whose.
    pub(crate) keys: Vec<(PublicKey, KeyName)>,
    /// Which key answered which message of the daemon with a proof.
    pub(crate) proofs: BTreeSet<(KeyName, u64)>,
    /// Who got in by which offer.
    pub(crate) entered: BTreeMap<OfferName, BTreeSet<KeyName>>,
    /// Which refusals the daemon spoke: of whom, in answer to which message.
    pub(crate) refused: BTreeSet<u64>,
    /// Who was removed, by a revocation or because it never finished.
    pub(crate) removed: BTreeSet<KeyName>,
    /// Whose revocation has returned.
    pub(crate) revoked: BTreeSet<KeyName>,
    /// Messages that were delivered before it begins.
    pub(crate) used: BTreeSet<u64>,
    /// What was broken.
    pub(crate) broken: BTreeSet<Rule>,
    /// What was seen.
    pub(crate) seen: BTreeSet<Sight>,
}

impl Memory {
    pub(crate) fn name_of(&self, key: &PublicKey) -> Option<KeyName> {
        self.keys.iter().find(|(known, _)| known == key).map(|(_, name)| *name)
    }

    pub(crate) fn require(&mut self, rule: Rule, kept: bool) {
        if !kept {
            self.broken.insert(rule);
        }
    }
}
