//! A device: its handshakes are the protocol's own code; around them, what `docs/protocol.md` 7.7
//! says of credentials.

use std::sync::Arc;

use codeout_protocol::code::Code;
use codeout_protocol::error::{Error, Refusal};
use codeout_protocol::handshake::{self, DeviceCredentials, DeviceEphemeral};
use codeout_protocol::message::{FromDevice, NumberedRequest, Request};
use codeout_protocol::name::Name;
use codeout_protocol::pairing::{self, DevicePairing};
use codeout_protocol::sodium::{KeyPair, PublicKey, Token};

use crate::rules::{KeyName, OfferName, Rule, Sight};
use crate::wire::{Kind, Term, term};
use crate::world::{Held, Phase, World};

/// A code that no offer has.
pub(crate) fn wrong_code() -> Code {
    "0000-0000-0000".parse().expect("it has the form of a code")
}

/// The number of a device's request: it says whose it is.
pub(crate) fn request_number(name: KeyName) -> u32 {
    u32::from(name.device) * 100 + u32::from(name.attempt)
}

impl World {
    /// A device begins to pair, with the code of an offer or with a wrong one.
    pub(crate) fn pair(&mut self, device: u8, offer: Option<OfferName>) {
        let code = offer.and_then(|name| self.offer(name)).map(|shown| shown.code.clone());
        let code = code.unwrap_or_else(wrong_code);
        let (state, p1) = pairing::pair(&code, DevicePairing::generate());
        let holder = &mut self.devices[usize::from(device)];
        let name = term(("P1", device, holder.pairings, offer));
        holder.pairings -= 1;
        (holder.began, holder.answered) = (name, 0);
        holder.phase = Phase::AwaitP2(Arc::new(state));
        self.send(Kind::P1, name, p1);
    }

    /// A device begins to connect.
    pub(crate) fn connect(&mut self, device: u8) {
        let holder = &self.devices[usize::from(device)];
        let Some(held) = holder.held.clone() else { return };
        self.begin_connect(device, DeviceCredentials::clone(&held.credentials), held.key);
    }

    /// The attacker's device begins to connect under the public key of another; it knows the
    /// daemon's.
    pub(crate) fn impersonate(&mut self, device: u8, victim: KeyName, daemon: &PublicKey) {
        let known = self.memory.keys.iter().find(|(_, name)| *name == victim);
        let Some(&(public, _)) = known else { return };
        let secret = KeyPair::generate().secret;
        let token = Token::from_bytes(&[7; 32]);
        let device_keys = KeyPair { public, secret };
        let credentials = DeviceCredentials { daemon_key: *daemon, device: device_keys, token };
        self.begin_connect(device, credentials, victim);
    }

    fn begin_connect(&mut self, device: u8, credentials: DeviceCredentials, key: KeyName) {
        let Ok((state, m1)) = handshake::connect(credentials, DeviceEphemeral::generate()) else {
            return;
        };
        let holder = &mut self.devices[usize::from(device)];
        let name = term(("M1", device, holder.connects, key));
        holder.connects -= 1;
        (holder.began, holder.answered) = (name, 0);
        holder.phase = Phase::AwaitM2(Arc::new(state));
        self.send(Kind::M1, name, m1);
    }

    /// A message reaches a device, which knows the daemon's key from a link.
    pub(crate) fn receive(&mut self, device: u8, pinned: &PublicKey, name: Term, bytes: &[u8]) {
        let holder = &mut self.devices[usize::from(device)];
        let phase = std::mem::replace(&mut holder.phase, Phase::Idle);
        let ended = match phase {
            Phase::Idle => Ok(()),
            Phase::AwaitP2(state) => {
                let proved = Arc::unwrap_or_clone(state).read_p2(bytes);
                let proved = proved.and_then(|proved| proved.expect_key(pinned));
                proved.and_then(|proved| self.present(device, proved, name))
            }
            Phase::AwaitM2(state) => {
                let read = Arc::unwrap_or_clone(state).read_m2(bytes);
                read.map(|(state, m3)| self.prove(device, state, m3, name))
            }
            Phase::AwaitP4(state) => {
                let read = Arc::unwrap_or_clone(state).read_p4(bytes);
                read.map(|(channel, _)| self.succeed(device, channel))
            }
            Phase::AwaitM4(state) => {
                let read = Arc::unwrap_or_clone(state).read_m4(bytes);
                read.map(|(channel, _)| self.succeed(device, channel))
            }
            Phase::Open(channel, _) => {
                let mut channel = Arc::unwrap_or_clone(channel);
                let opened = channel.opener.open(bytes);
                opened.map(|_| self.finish(device, channel))
            }
        };
        match ended {
            Ok(()) => {}
            Err(Error::Refused(refusal)) => self.believe(device, refusal),
            Err(_) => {
                self.memory.seen.insert(Sight::Forged);
            }
        }
    }

    fn present(
        &mut self,
        device: u8,
        proved: pairing::DaemonProved,
        p2: Term,
    ) -> Result<(), Error> {
        let called = Name::clean("phone").expect("it can be shown");
        let (state, p3) = proved.present(KeyPair::generate(), &called)?;
        let credentials = Arc::new(state.credentials().clone());
        let holder = &mut self.devices[usize::from(device)];
        let key = KeyName { device, attempt: self.left.pairings - holder.pairings };
        self.memory.keys.push((credentials.device.public, key));
        self.memory.proofs.insert((key, p2));
        holder.held = Some(Held { credentials, key, finished: false });
        holder.phase = Phase::AwaitP4(Arc::new(state));
        holder.answered = p2;
        self.send(Kind::P3, term(("P3", p2, key)), p3);
        Ok(())
    }

    fn prove(&mut self, device: u8, state: handshake::AwaitM4, m3: Vec<u8>, m2: Term) {
        let holder = &mut self.devices[usize::from(device)];
        holder.phase = Phase::AwaitM4(Arc::new(state));
        holder.answered = m2;
        if let Some(held) = &holder.held {
            self.memory.proofs.insert((held.key, m2));
        }
        self.send(Kind::M3, term(("M3", m2, device)), m3);
    }

    /// The daemon has accepted it: it counts on being in the list.
    fn succeed(&mut self, device: u8, mut channel: codeout_protocol::channel::Channel) {
        let holder = &self.devices[usize::from(device)];
        let Some(key) = holder.held.as_ref().map(|held| held.key) else {
            return self.memory.require(Rule::OwnProof, false);
        };
        let written = self.memory.entered.values().any(|keys| keys.contains(&key));
        let there = self.listed(key).is_some() || self.memory.removed.contains(&key);
        self.memory.require(Rule::SuccessIsListed, written && there);
        let ping = NumberedRequest { id: request_number(key), request: Request::Ping };
        let ping = FromDevice::Request(ping).write();
        let record = channel.sealer.seal(self.now, &ping).expect("it is short");
        let holder = &mut self.devices[usize::from(device)];
        holder.phase = Phase::Open(Arc::new(channel), false);
        let name = term(("up", holder.answered));
        self.send(Kind::Up, name, record);
    }

    /// The daemon has answered its first request.
    fn finish(&mut self, device: u8, channel: codeout_protocol::channel::Channel) {
        let holder = &mut self.devices[usize::from(device)];
        holder.phase = Phase::Open(Arc::new(channel), true);
        let began_pairing = self
            .wire
            .binary_search_by_key(&holder.began, |sent| sent.term)
            .is_ok_and(|at| self.wire[at].kind == Kind::P1);
        if let Some(held) = &mut holder.held {
            let sight = match (began_pairing, held.finished) {
                (true, _) => Sight::Paired,
                (false, false) => Sight::Recovered,
                (false, true) => Sight::Connected,
            };
            held.finished = true;
            self.memory.seen.insert(sight);
        }
    }

    /// It heard a refusal that opened: it forgets what it held.
    fn believe(&mut self, device: u8, refusal: Refusal) {
        let holder = &mut self.devices[usize::from(device)];
        let spoken = self.memory.refused.contains(&holder.answered);
        holder.held = None;
        self.memory.require(Rule::TrueRefusal, spoken);
        self.memory.seen.insert(match refusal {
            Refusal::NotPaired => Sight::NotPaired,
            Refusal::AlreadyUsed => Sight::AlreadyUsed,
            Refusal::Expired => Sight::Expired,
            Refusal::Declined => Sight::Declined,
        });
    }
}
