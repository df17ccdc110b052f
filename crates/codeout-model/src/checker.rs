//! The model: which actions there are in a state, and what each does.

use std::collections::{BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use codeout_protocol::handshake::{self, DaemonEphemeral};
use codeout_protocol::pairing::{self, DaemonPairing};
use codeout_protocol::sodium::KeyPair;
use stateright::{Model, Property};

use crate::bounds::Bounds;
use crate::daemon::Daemon;
use crate::device::wrong_code;
use crate::rules::{KeyName, Rule, Sight};
use crate::steps::Steps;
use crate::wire::{Forgery, Kind, Sent, Term, term};
use crate::world::{LEAP, Phase, RunState, World};

/// Something that may happen. Numbers name messages and connections by how they came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// The daemon's user opens an offer.
    Offer,
    /// The daemon's user answers whether a device may be paired.
    Answer(u64, bool),
    /// The daemon's user revokes a device: it is out of the list.
    Revoke(KeyName),
    /// A revocation tells the connections, or returns.
    GoOnRevoking(KeyName),
    /// The daemon's user renames a device.
    Rename(KeyName),
    /// Time passes.
    Leap,
    /// The next step of housekeeping.
    Clean,
    /// The daemon dies, and another begins.
    Crash,
    /// The daemon's next step for a connection.
    Step(u64),
    /// The same, and the disk refuses.
    StepInVain(u64),
    /// A connection ends at the daemon: cut, or told to.
    Leave(u64),
    /// A device begins to pair with the code of an offer, or a wrong one.
    Pair(u8, Option<(u8, u64)>),
    /// A device begins to connect.
    Connect(u8),
    /// The attacker's device begins to connect under another's key.
    Impersonate(u8, KeyName),
    /// A device's link is cut, or its process dies.
    Cut(u8),
    /// The daemon accepts a connection, with this first message.
    Begin(u64),
    /// A message reaches a connection of the daemon's.
    ToDaemon(u64, u64),
    /// A message reaches a device.
    ToDevice(u8, u64),
    /// The daemon accepts a connection, with a forged first message.
    ForgeFirst(Forgery),
    /// A forged message reaches a connection of the daemon's.
    ForgeToDaemon(u64, Forgery),
    /// A forged message reaches a device.
    ForgeToDevice(u8, Forgery),
}

/// The model: a daemon with these steps, within these bounds.
#[derive(Debug)]
pub struct Codeout<S> {
    bounds: Bounds,
    steps: S,
    identity: KeyPair,
    other: KeyPair,
    seen: Mutex<BTreeSet<Sight>>,
}

impl<S: Steps> Codeout<S> {
    /// A daemon with a key of its own, within `bounds`.
    pub fn new(bounds: Bounds, steps: S) -> Self {
        let (identity, other) = (KeyPair::generate(), KeyPair::generate());
        Codeout { bounds, steps, identity, other, seen: Mutex::default() }
    }

    /// What was reached so far.
    pub fn seen(&self) -> BTreeSet<Sight> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Follows every way to every state, and not only the first: whether states with one name have
    /// the same future, one step far. Returns how many were compared.
    ///
    /// # Errors
    /// A state that has two futures.
    pub fn compare_futures(&self) -> Result<usize, Box<World>> {
        let mut futures: HashMap<u64, BTreeSet<u64>> = HashMap::new();
        let mut waiting = self.init_states();
        let mut compared = 0;
        while let Some(world) = waiting.pop() {
            let next = self.next_states(&world);
            let future: BTreeSet<u64> = next.iter().map(|next| next.digest).collect();
            match futures.get(&world.digest) {
                Some(known) if *known == future => compared += 1,
                Some(_) => return Err(Box::new(world)),
                None => {
                    futures.insert(world.digest, future);
                    waiting.extend(next);
                }
            }
        }
        Ok(compared)
    }

    fn note_seen(&self, world: &mut World) {
        if !world.memory.seen.is_empty() {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.append(&mut world.memory.seen);
        }
    }

    fn act(&self, world: &mut World, action: Action) {
        let mut daemon = Daemon { identity: &self.identity, world, steps: self.steps };
        match action {
            Action::Offer => daemon.open_offer(),
            Action::Answer(run, admitted) => daemon.answer(run, admitted),
            Action::Revoke(name) => daemon.revoke(name),
            Action::GoOnRevoking(name) => daemon.go_on_revoking(name),
            Action::Clean => daemon.clean(),
            Action::Crash => daemon.crash(),
            Action::Step(run) => daemon.step(run, true),
            Action::StepInVain(run) => daemon.step(run, false),
            Action::Leave(run) => daemon.leave(run),
            Action::Begin(name) => {
                if let Some(sent) = daemon.world.message(name).cloned() {
                    daemon.begin(name, &sent.bytes);
                }
            }
            Action::ToDaemon(run, name) => {
                if let Some(sent) = daemon.world.message(name).cloned() {
                    daemon.arrive(run, name, &sent.bytes);
                }
            }
            Action::ForgeFirst(forgery) => {
                let (name, bytes) = self.forge(daemon.world, forgery);
                daemon.begin(name, &bytes);
            }
            Action::ForgeToDaemon(run, forgery) => {
                let (name, bytes) = self.forge(daemon.world, forgery);
                daemon.arrive(run, name, &bytes);
            }
            other => self.act_elsewhere(world, other),
        }
    }

    /// What does not happen at the daemon.
    fn act_elsewhere(&self, world: &mut World, action: Action) {
        match action {
            Action::Rename(name) => world.rename(name),
            Action::Leap => world.now += LEAP,
            Action::Pair(device, offer) => world.pair(device, offer),
            Action::Connect(device) => world.connect(device),
            Action::Impersonate(device, victim) => {
                world.impersonate(device, victim, &self.identity.public);
            }
            Action::Cut(device) => world.devices[usize::from(device)].phase = Phase::Idle,
            Action::ToDevice(device, name) => {
                if let Some(sent) = world.message(name).cloned() {
                    world.receive(device, &self.identity.public, name, &sent.bytes);
                }
            }
            Action::ForgeToDevice(device, forgery) => {
                let (name, bytes) = self.forge(world, forgery);
                world.receive(device, &self.identity.public, name, &bytes);
            }
            _ => {}
        }
    }

    /// A forged message, and its name: that of the message that it turns out to be, if it is one.
    fn forge(&self, world: &World, forgery: Forgery) -> (Term, Vec<u8>) {
        let base = forgery.base().and_then(|name| world.message(name));
        let other = match forgery {
            Forgery::Mixed(_, other, _) => world.message(other),
            _ => None,
        };
        let bytes = match (forgery, base) {
            (Forgery::OtherDaemon(_), Some(first)) => self.pose(first),
            _ => forgery.bytes(base.map(AsRef::as_ref), other.map(AsRef::as_ref)),
        };
        let same = world.wire.iter().find(|sent| sent.bytes == bytes);
        (same.map_or_else(|| term(forgery), |sent| sent.term), bytes)
    }

    /// What a daemon with another key and without the code answers.
    fn pose(&self, first: &Sent) -> Vec<u8> {
        let answer = if first.kind == Kind::P1 {
            let drawn = DaemonPairing::generate();
            pairing::read_p1(&wrong_code(), &self.other, &first.bytes, drawn).map(|(_, p2)| p2)
        } else {
            let drawn = DaemonEphemeral::generate();
            handshake::read_m1(&self.other, &first.bytes, drawn).map(|(_, m2)| m2)
        };
        answer.unwrap_or_default()
    }

    /// Pairs each honest device, as it goes when nobody is in the way.
    fn pair_all(&self, world: &mut World) {
        world.left.asks = false;
        for device in 0..self.bounds.devices {
            world.devices[usize::from(device)].pairings += 1;
            self.act(world, Action::Offer);
            let offer = world.shown.last().map(|shown| shown.name);
            self.act(world, Action::Pair(device, offer));
            let first = world.devices[usize::from(device)].began;
            self.act(world, Action::Begin(first));
            let run = world.runs.last().map_or(0, |run| run.id);
            let latest = |world: &World, kind| {
                let mut all = world.wire.iter().filter(|sent| sent.kind == kind);
                all.find(|sent| !world.memory.used.contains(&sent.term)).map_or(0, |sent| sent.term)
            };
            for kind in [Kind::P2, Kind::P3, Kind::P4, Kind::Up, Kind::Down] {
                let name = latest(world, kind);
                world.memory.used.insert(name);
                if matches!(kind, Kind::P3 | Kind::Up) {
                    self.act(world, Action::ToDaemon(run, name));
                    (0..3).for_each(|_| self.act(world, Action::Step(run)));
                } else {
                    self.act(world, Action::ToDevice(device, name));
                }
            }
            self.act(world, Action::Leave(run));
            self.act(world, Action::Cut(device));
        }
        world.left = self.bounds;
        world.memory.seen.clear();
    }

    fn spend(world: &mut World, action: Action) {
        let left = &mut world.left;
        let budget = match action {
            Action::Offer => &mut left.offers,
            Action::Revoke(_) => &mut left.revocations,
            Action::Rename(_) => &mut left.renames,
            Action::Leap => &mut left.leaps,
            Action::Clean if world.cleaning.is_none() => &mut left.cleanings,
            Action::Crash => &mut left.crashes,
            Action::StepInVain(_) => &mut left.faults,
            Action::Cut(_) => &mut left.cuts,
            Action::Begin(_) => &mut left.arrivals,
            Action::ForgeFirst(_) => {
                left.arrivals -= 1;
                &mut left.forgeries
            }
            Action::ForgeToDaemon(..) | Action::ForgeToDevice(..) => &mut left.forgeries,
            Action::Leave(id) => {
                let run = world.runs.iter().find(|run| run.id == id);
                let presence = run.and_then(|run| run.presence.as_ref());
                if presence.is_some_and(|presence| presence.is_to_end()) {
                    return;
                }
                &mut left.cuts
            }
            _ => return,
        };
        *budget -= 1;
    }
}

impl<S: Steps> Model for Codeout<S> {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let mut world = World::new(self.bounds);
        if self.bounds.paired {
            self.pair_all(&mut world);
        }
        world.name();
        vec![world]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        // What is broken stays broken: there is nothing more to find behind it.
        if world.memory.broken.is_empty() {
            world.user_actions(actions);
            world.daemon_actions(actions);
            world.device_actions(actions);
            world.deliveries(actions);
            if world.left.forgeries > 0 {
                world.forgeries(actions);
            }
        }
    }

    fn next_state(&self, last: &World, action: Action) -> Option<World> {
        let mut world = last.clone();
        Self::spend(&mut world, action);
        let acted = catch_unwind(AssertUnwindSafe(|| self.act(&mut world, action)));
        if acted.is_err() {
            world = last.clone();
            world.memory.broken.insert(Rule::NoPanic);
        }
        self.note_seen(&mut world);
        world.name();
        (world.digest != last.digest).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        fn always<S: Steps>(
            rule: Rule,
            kept: fn(&Codeout<S>, &World) -> bool,
        ) -> Property<Codeout<S>> {
            Property::always(rule.words(), kept)
        }
        vec![
            always(Rule::OneDevice, |_, world| world.keeps(Rule::OneDevice)),
            always(Rule::WhileItStands, |_, world| world.keeps(Rule::WhileItStands)),
            always(Rule::OwnProof, |_, world| world.keeps(Rule::OwnProof)),
            always(Rule::RevokedStaysOut, |_, world| world.keeps(Rule::RevokedStaysOut)),
            always(Rule::TimeIsOver, |_, world| world.keeps(Rule::TimeIsOver)),
            always(Rule::SuccessIsListed, |_, world| world.keeps(Rule::SuccessIsListed)),
            always(Rule::TrueRefusal, |_, world| world.keeps(Rule::TrueRefusal)),
            always(Rule::NoPanic, |_, world| world.keeps(Rule::NoPanic)),
        ]
    }
}

impl World {
    fn keeps(&self, rule: Rule) -> bool {
        !self.memory.broken.contains(&rule)
    }

    /// Whether a connection of the daemon's waits for a message, and which it may take for it.
    pub(crate) fn awaited(state: &RunState) -> &'static [Kind] {
        match state {
            RunState::AwaitP3(..) | RunState::AwaitM3(..) => &[Kind::P3, Kind::M3],
            RunState::Open(..) => &[Kind::Up],
            _ => &[],
        }
    }

    /// What a device may take for the message that it waits for.
    pub(crate) fn awaited_by(phase: &Phase) -> &'static [Kind] {
        match phase {
            Phase::Idle => &[],
            Phase::AwaitP2(_) | Phase::AwaitM2(_) => &[Kind::P2, Kind::M2],
            Phase::AwaitP4(_) | Phase::AwaitM4(_) => &[Kind::P4, Kind::M4],
            Phase::Open(..) => &[Kind::Down],
        }
    }

    pub(crate) fn first_messages(&self) -> impl Iterator<Item = Term> {
        let first = |sent: &&std::sync::Arc<Sent>| matches!(sent.kind, Kind::P1 | Kind::M1);
        self.wire.iter().filter(first).map(|sent| sent.term)
    }
}
