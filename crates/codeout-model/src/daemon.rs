//! The daemon: the order of its steps is `admission.rs`'s and `state.rs`'s, the steps are theirs
//! and `entry.rs`'s. Between two of them anything may happen.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use codeout_daemon::model;
use codeout_daemon::{LIFETIME, OfferLimits};
use codeout_protocol::channel::{Channel, Opened};
use codeout_protocol::code::Code;
use codeout_protocol::error::Error;
use codeout_protocol::handshake::{self, DaemonEphemeral, Mode};
use codeout_protocol::message::FromDevice;
use codeout_protocol::pairing::{self, DaemonPairing, Proved};
use codeout_protocol::sodium::KeyPair;

use crate::device::request_number;
use crate::rules::{OfferName, Rule, Sight};
use crate::steps::Steps;
use crate::wire::{Kind, Term, term};
use crate::world::{Run, RunState, Shown, World};

const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Why a connection came to nothing.
enum Turned {
    Bad(Error),
    Alert,
}

impl From<Error> for Turned {
    fn from(error: Error) -> Self {
        Turned::Bad(error)
    }
}

/// The daemon's steps, on a state.
pub(crate) struct Daemon<'a, S> {
    pub(crate) identity: &'a KeyPair,
    pub(crate) world: &'a mut World,
    pub(crate) steps: S,
}

impl<S: Steps> Daemon<'_, S> {
    /// The user opens an offer.
    pub(crate) fn open_offer(&mut self) {
        let world = &mut *self.world;
        let for_seconds = world.left.limited.then_some(200);
        let limits = OfferLimits { watch_only: false, for_seconds };
        let view = world.offers.open(world.now, Code::random(), limits);
        let until = world.now + LIFETIME;
        world.begun.clear();
        world.shown.push(Shown { name: (world.life, view.number), code: view.code, until });
    }

    /// A connection is accepted, and its first message is there.
    pub(crate) fn begin(&mut self, name: Term, bytes: &[u8]) {
        let begun = match Mode::of(bytes) {
            Ok(Mode::Pair) => self.begin_pair(name, bytes),
            Ok(Mode::Connect) => self.begin_connect(name, bytes),
            Err(error) => Err(error.into()),
        };
        self.note(begun);
    }

    fn note(&mut self, turned: Result<(), Turned>) {
        if let Err(Turned::Bad(error)) = turned {
            self.world.memory.seen.insert(Sight::Forged);
            self.steps.refused(&error);
        }
    }

    fn begin_pair(&mut self, name: Term, p1: &[u8]) -> Result<(), Turned> {
        let world = &mut *self.world;
        let sid = pairing::session_identifier(p1)?;
        let same = |sent: &&Arc<crate::wire::Sent>| {
            sent.kind == Kind::P1 && pairing::session_identifier(&sent.bytes) == Ok(sid)
        };
        let original = world.wire.iter().find(same).map_or(name, |sent| sent.term);
        let begun = world.offers.begin(world.now, SOURCE, sid);
        let (number, code) = begun.map_err(|_| Turned::Alert)?;
        world.begun.insert(original);
        let code = self.steps.code(code);
        let drawn = DaemonPairing::generate();
        let (state, p2) = pairing::read_p1(&code, self.identity, p1, drawn)?;
        let offer = (world.life, number);
        let state = RunState::AwaitP3(Arc::new(state), offer);
        self.start(Kind::P2, term((name, offer)), p2, state);
        Ok(())
    }

    fn begin_connect(&mut self, name: Term, m1: &[u8]) -> Result<(), Turned> {
        let (state, m2) = handshake::read_m1(self.identity, m1, DaemonEphemeral::generate())?;
        self.start(Kind::M2, name, m2, RunState::AwaitM3(Arc::new(state)));
        Ok(())
    }

    fn start(&mut self, kind: Kind, first: Term, answer: Vec<u8>, state: RunState) {
        // The same message twice gets two answers.
        let fresh = |id: &Term| self.world.message(*id).is_none();
        let id = (0u8..).map(|time| term((kind, first, time))).find(fresh).expect("one is free");
        let run = Run { id, state, presence: None, looked: false, heard: first, records: 0 };
        self.world.runs.push(run);
        self.world.send(kind, id, answer);
    }

    /// A message reaches a connection.
    pub(crate) fn arrive(&mut self, id: Term, name: Term, bytes: &[u8]) {
        let Some(at) = self.world.run(id) else { return };
        // It is put back if it goes on.
        let mut run = self.world.runs.remove(at);
        run.heard = name;
        let done = match run.state.clone() {
            RunState::AwaitP3(state, offer) => {
                let proved = Arc::unwrap_or_clone(state).read_p3(bytes);
                proved.map_err(Turned::from).map(|proved| self.claim(run, proved, offer))
            }
            RunState::AwaitM3(state) => {
                let claim = Arc::unwrap_or_clone(state).read_m3(bytes);
                claim.map_err(Turned::from).map(|claim| self.verify(run, claim, name))
            }
            RunState::Open(channel, device, unfinished) => {
                let channel = channel.map(Arc::unwrap_or_clone);
                self.record(run, channel, device, unfinished, bytes).map_err(Turned::from)
            }
            _ => {
                self.world.runs.insert(at, run);
                Ok(())
            }
        };
        self.note(done);
    }

    fn claim(&mut self, mut run: Run, proved: Proved, offer: OfferName) {
        let world = &mut *self.world;
        let stands = world.stands(offer);
        match self.steps.claim(&mut world.offers, world.now, offer.1) {
            Ok(limits) => {
                world.memory.require(Rule::WhileItStands, stands);
                let proved = Arc::new(proved);
                run.state = if world.left.asks {
                    RunState::Asking(proved, offer, limits)
                } else {
                    RunState::Claimed(proved, offer, limits)
                };
                world.runs.push(run);
            }
            Err(why) => self.refuse(Kind::P4, run.id, proved.refuse(why)),
        }
    }

    fn refuse(&mut self, kind: Kind, id: Term, refusal: Vec<u8>) {
        self.world.memory.refused.insert(id);
        self.world.send(kind, term((kind, id, "refused")), refusal);
    }

    fn verify(&mut self, mut run: Run, claim: handshake::Claim, m3: Term) {
        let (key, unix) = (claim.device_key(), self.world.unix());
        let steps = self.steps;
        let found = self.world.look(|devices| steps.look_up(devices, &key, unix));
        let found = found.expect("it is in memory");
        let name = self.world.memory.name_of(&key);
        let proof = name.map(|name| (name, run.id));
        let proved = proof.is_some_and(|proof| self.world.memory.proofs.contains(&proof));
        match self.steps.verify(claim, found.as_ref().map(|(_, psk)| psk)) {
            Ok(accepted) => {
                let Some((device, _)) = found else { return };
                self.world.memory.require(Rule::OwnProof, proved);
                let limits = device.limits;
                self.world.memory.require(Rule::TimeIsOver, !limits.expired(unix));
                run.state = RunState::Verified(accepted.map(Arc::new), device);
                self.world.runs.push(run);
            }
            Err(refusal) => {
                let own = name.is_some_and(|name| m3 == term(("M3", run.id, name.device)));
                let right = !(proved && own && found.is_some());
                self.world.memory.require(Rule::TrueRefusal, right);
                self.refuse(Kind::M4, run.id, refusal);
            }
        }
    }

    /// A record of a device that is in.
    fn record(
        &mut self,
        mut run: Run,
        channel: Option<Channel>,
        device: codeout_daemon::devices::Device,
        unfinished: bool,
        bytes: &[u8],
    ) -> Result<(), Error> {
        let mut channel = channel.ok_or(Error::Record)?;
        let Opened::Message(plaintext) = channel.opener.open(bytes)? else { return Ok(()) };
        let world = &mut *self.world;
        let name = world.memory.name_of(&device.key);
        let revoked = name.is_some_and(|name| world.memory.revoked.contains(&name));
        world.memory.require(Rule::RevokedStaysOut, !revoked);
        let id = device.id;
        if unfinished && !world.change(|devices| devices.finish(id)).unwrap_or(false) {
            return Ok(());
        }
        let FromDevice::Request(request) = FromDevice::read(&plaintext)? else {
            return Err(Error::Record);
        };
        let own = name.is_some_and(|name| request_number(name) == request.id);
        world.memory.require(Rule::OwnProof, own);
        let record = channel.sealer.seal(world.now, b"ok")?;
        world.send(Kind::Down, term(("down", run.id, run.records)), record);
        run.records += 1;
        run.state = RunState::Open(Some(Arc::new(channel)), device, false);
        world.runs.push(run);
        Ok(())
    }

    /// The next step of a connection that waits for nobody but the daemon; `written` is false
    /// when the disk refuses.
    pub(crate) fn step(&mut self, id: Term, written: bool) {
        let Some(at) = self.world.run(id) else { return };
        let run = self.world.runs.remove(at);
        match &run.state {
            RunState::Claimed(proved, offer, limits) => {
                let (proved, offer, limits) = (Arc::clone(proved), *offer, *limits);
                self.write_down(run, proved, offer, limits, written);
            }
            RunState::Written(..) | RunState::Verified(..) => self.let_in(run),
            _ => self.world.runs.push(run),
        }
    }

    fn write_down(
        &mut self,
        mut run: Run,
        proved: Arc<Proved>,
        offer: OfferName,
        limits: OfferLimits,
        written: bool,
    ) {
        let (steps, unix) = (self.steps, self.world.unix());
        let world = &mut *self.world;
        let result = world.change(|devices| {
            devices.refuse_changes(!written).expect("it is in memory");
            steps.write_down(devices, &proved, limits, unix)
        });
        steps.end_claim(&mut world.offers, offer.1, &result);
        let memory = &mut world.memory;
        let Ok(Some(device)) = result else {
            memory.seen.insert(Sight::WriteFailed);
            return;
        };
        let name = memory.name_of(&device.key);
        let proof = name.map(|name| (name, run.id));
        memory.require(Rule::OwnProof, proof.is_some_and(|proof| memory.proofs.contains(&proof)));
        if let Some(name) = name {
            let entered = memory.entered.entry(offer).or_default();
            entered.insert(name);
            let one = entered.len() == 1;
            memory.require(Rule::OneDevice, one);
            let stranger = world.is_stranger(name.device);
            world.memory.require(Rule::OwnProof, !stranger);
        }
        run.state = RunState::Written(proved, device);
        world.runs.push(run);
    }

    /// The connection enters the registry, and looks whether the device is still in the list.
    fn let_in(&mut self, mut run: Run) {
        let (RunState::Written(_, device) | RunState::Verified(_, device)) = &run.state else {
            return self.world.runs.push(run);
        };
        let device = device.clone();
        let enters = if S::ENTERS_FIRST { run.presence.is_none() } else { run.looked };
        if enters {
            // Without a place it hears an alert.
            let Some(presence) = self.world.registry.enter(&device.id) else { return };
            run.presence = Some(presence);
        } else {
            let steps = self.steps;
            let still = self.world.look(|devices| steps.still_listed(devices, device.id));
            if !still.expect("it is in memory") {
                return self.let_go(run);
            }
            run.looked = true;
        }
        if run.presence.is_some() && run.looked {
            self.accept(run, device);
        } else {
            self.world.runs.push(run);
        }
    }

    /// It was revoked in this very moment.
    fn let_go(&mut self, run: Run) {
        // When it was pairing, Connect will tell it.
        if let RunState::Verified(Some(accepted), _) = run.state {
            self.refuse(Kind::M4, run.id, Arc::unwrap_or_clone(accepted).refuse());
        }
    }

    fn accept(&mut self, mut run: Run, device: codeout_daemon::devices::Device) {
        let world = &mut *self.world;
        let name = world.memory.name_of(&device.key);
        let revoked = name.is_some_and(|name| world.memory.revoked.contains(&name));
        world.memory.require(Rule::RevokedStaysOut, !revoked);
        let welcome = b"welcome";
        let (channel, kind) = match run.state {
            RunState::Written(proved, _) => {
                (Some(Arc::unwrap_or_clone(proved).accept(world.now, welcome)), Kind::P4)
            }
            RunState::Verified(accepted, _) => {
                let accept = |state: Arc<handshake::Accepted>| {
                    Arc::unwrap_or_clone(state).accept(world.now, welcome)
                };
                (accepted.map(accept), Kind::M4)
            }
            _ => return,
        };
        let channel = channel.map(|made: Result<_, _>| {
            let (channel, message) = made.expect("it is short");
            world.send(kind, term((kind, run.id, "accepted")), message);
            Arc::new(channel)
        });
        let unfinished = device.unfinished;
        run.state = RunState::Open(channel, device, unfinished);
        world.runs.push(run);
    }

    /// The daemon's user answers, or nobody does in time.
    pub(crate) fn answer(&mut self, id: Term, admitted: bool) {
        let world = &mut *self.world;
        let Some(at) = world.run(id) else { return };
        let mut run = world.runs.remove(at);
        let RunState::Asking(proved, offer, limits) = run.state else { return };
        match model::answer(&mut world.offers, world.now, offer.1, admitted) {
            Ok(()) => {
                run.state = RunState::Claimed(proved, offer, limits);
                world.runs.push(run);
            }
            Err(why) => {
                self.refuse(Kind::P4, run.id, Arc::unwrap_or_clone(proved).refuse(why));
            }
        }
    }

    /// The link of a connection is gone, or it was told to end and does.
    pub(crate) fn leave(&mut self, id: Term) {
        let world = &mut *self.world;
        let Some(at) = world.run(id) else { return };
        let run = world.runs.remove(at);
        if let RunState::Asking(_, offer, _) = run.state {
            world.offers.give_back(offer.1);
        }
        if run.presence.is_some_and(|presence| presence.is_to_end()) {
            world.memory.seen.insert(Sight::ToldToLeave);
        }
    }
}
