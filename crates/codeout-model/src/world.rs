//! One state: the daemon, the devices, the network between them, and what is left of the bounds.

use std::collections::BTreeSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use codeout_daemon::devices::{Device, DeviceId, Devices};
use codeout_daemon::model::{Offers, Presence, Registry, Snapshot};
use codeout_daemon::{LIFETIME, OfferLimits};
use codeout_protocol::channel::Channel;
use codeout_protocol::code::Code;
use codeout_protocol::handshake::{Accepted, AwaitM2, AwaitM3, AwaitM4, DeviceCredentials};
use codeout_protocol::pairing::{AwaitP2, AwaitP3, AwaitP4, Proved};

use crate::bounds::Bounds;
use crate::rules::{KeyName, Memory, OfferName};
use crate::wire::{Kind, Sent, Term, term};

/// How long a leap of the clock is.
pub(crate) const LEAP: Duration = LIFETIME.saturating_add(Duration::from_secs(1));
const BEGIN: Duration = Duration::from_secs(1_000);
const EPOCH: u64 = 1_700_000_000;

/// An offer that was shown: every device's user knows its code.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) name: OfferName,
    pub(crate) code: Code,
    pub(crate) until: Duration,
}

/// The daemon's end of a connection.
pub(crate) struct Run {
    /// The name of its first answer.
    pub(crate) id: Term,
    pub(crate) state: RunState,
    pub(crate) presence: Option<Presence>,
    pub(crate) looked: bool,
    /// The name of the message that it took last.
    pub(crate) heard: Term,
    /// Records that went through.
    pub(crate) records: u8,
}

#[derive(Clone)]
pub(crate) enum RunState {
    AwaitP3(Arc<AwaitP3>, OfferName),
    Asking(Arc<Proved>, OfferName, OfferLimits),
    Claimed(Arc<Proved>, OfferName, OfferLimits),
    Written(Arc<Proved>, Device),
    AwaitM3(Arc<AwaitM3>),
    Verified(Option<Arc<Accepted>>, Device),
    Open(Option<Arc<Channel>>, Device, bool),
}

impl RunState {
    /// Which state, and whether it takes the device for unfinished.
    fn step(&self) -> (u8, bool) {
        match self {
            RunState::AwaitP3(..) => (0, false),
            RunState::Asking(..) => (1, false),
            RunState::Claimed(..) => (2, false),
            RunState::Written(_, device) => (3, device.unfinished),
            RunState::AwaitM3(..) => (4, false),
            RunState::Verified(_, device) => (5, device.unfinished),
            RunState::Open(_, _, unfinished) => (6, *unfinished),
        }
    }
}

/// A device, honest or not.
#[derive(Clone)]
pub(crate) struct Holder {
    pub(crate) phase: Phase,
    /// The name of the first message of the handshake under way.
    pub(crate) began: Term,
    /// The name of the daemon's message that it answered.
    pub(crate) answered: Term,
    pub(crate) held: Option<Held>,
    pub(crate) pairings: u8,
    pub(crate) connects: u8,
}

/// What a device keeps of the daemon.
#[derive(Clone)]
pub(crate) struct Held {
    pub(crate) credentials: Arc<DeviceCredentials>,
    pub(crate) key: KeyName,
    pub(crate) finished: bool,
}

#[derive(Clone)]
pub(crate) enum Phase {
    Idle,
    AwaitP2(Arc<AwaitP2>),
    AwaitP4(Arc<AwaitP4>),
    AwaitM2(Arc<AwaitM2>),
    AwaitM4(Arc<AwaitM4>),
    /// And whether the reply has come.
    Open(Arc<Channel>, bool),
}

impl Phase {
    fn step(&self) -> u8 {
        match self {
            Phase::Idle => 0,
            Phase::AwaitP2(_) => 1,
            Phase::AwaitP4(_) => 2,
            Phase::AwaitM2(_) => 3,
            Phase::AwaitM4(_) => 4,
            Phase::Open(_, answered) => 5 + u8::from(*answered),
        }
    }
}

/// A revocation under way: committed, and perhaps the connections told.
#[derive(Clone)]
pub(crate) struct Revoking {
    pub(crate) name: KeyName,
    pub(crate) id: DeviceId,
    pub(crate) told: Option<Vec<u64>>,
}

/// A round of housekeeping under way.
#[derive(Clone)]
pub(crate) struct Cleaning {
    pub(crate) connected: Vec<DeviceId>,
    pub(crate) purged: Option<Vec<Device>>,
}

/// A state. Two are equal when they came about alike: `docs/architecture.md` says why that is
/// enough.
pub struct World {
    pub(crate) now: Duration,
    pub(crate) life: u8,
    pub(crate) offers: Offers,
    pub(crate) shown: Vec<Shown>,
    /// Which first messages were begun under the current offer.
    pub(crate) begun: BTreeSet<Term>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) list: Arc<Snapshot>,
    pub(crate) listed: Arc<Vec<Device>>,
    pub(crate) runs: Vec<Run>,
    pub(crate) revoking: Vec<Revoking>,
    pub(crate) cleaning: Option<Cleaning>,
    pub(crate) devices: Vec<Holder>,
    /// By name.
    pub(crate) wire: Vec<Arc<Sent>>,
    pub(crate) left: Bounds,
    pub(crate) memory: Memory,
    pub(crate) digest: u64,
}

impl World {
    pub(crate) fn new(bounds: Bounds) -> Self {
        let holder = Holder {
            phase: Phase::Idle,
            began: 0,
            answered: 0,
            held: None,
            pairings: bounds.pairings,
            connects: bounds.connects,
        };
        let devices = usize::from(bounds.devices) + usize::from(bounds.stranger);
        World {
            now: BEGIN,
            life: 1,
            offers: Offers::new(BEGIN),
            shown: Vec::new(),
            begun: BTreeSet::new(),
            registry: Arc::default(),
            list: Arc::default(),
            listed: Arc::default(),
            runs: Vec::new(),
            revoking: Vec::new(),
            cleaning: None,
            devices: vec![holder; devices],
            wire: Vec::new(),
            left: bounds,
            memory: Memory::default(),
            digest: 0,
        }
    }

    pub(crate) fn unix(&self) -> u64 {
        EPOCH + self.now.as_secs()
    }

    pub(crate) fn message(&self, name: Term) -> Option<&Arc<Sent>> {
        let at = self.wire.binary_search_by_key(&name, |sent| sent.term).ok()?;
        Some(&self.wire[at])
    }

    /// Puts a message on the network.
    pub(crate) fn send(&mut self, kind: Kind, name: Term, bytes: Vec<u8>) {
        if let Err(at) = self.wire.binary_search_by_key(&name, |sent| sent.term) {
            self.wire.insert(at, Arc::new(Sent { kind, term: name, bytes }));
        }
    }

    pub(crate) fn run(&self, id: Term) -> Option<usize> {
        self.runs.iter().position(|run| run.id == id)
    }

    /// Whether a device is the attacker's.
    pub(crate) fn is_stranger(&self, device: u8) -> bool {
        self.left.stranger && usize::from(device) + 1 == self.devices.len()
    }

    /// The listed device with that key.
    pub(crate) fn listed(&self, name: KeyName) -> Option<&Device> {
        self.listed.iter().find(|device| self.memory.name_of(&device.key) == Some(name))
    }

    pub(crate) fn offer(&self, name: OfferName) -> Option<&Shown> {
        self.shown.iter().find(|shown| shown.name == name)
    }

    /// Whether an offer can be used by who knows its code.
    pub(crate) fn stands(&self, name: OfferName) -> bool {
        let last = self.shown.last().is_some_and(|last| last.name == name);
        last && name.0 == self.life && self.offer(name).is_some_and(|shown| self.now < shown.until)
    }

    /// Looks at the list.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Devices) -> T) -> T {
        on_list(self, look)
    }

    /// Changes the list.
    pub(crate) fn change<T>(&mut self, change: impl FnOnce(&Devices) -> T) -> T {
        let (result, list, listed) = on_list(self, |devices| {
            let result = change(devices);
            let listed = devices.list().expect("it is in memory");
            (result, devices.snapshot().expect("it is in memory"), listed)
        });
        (self.list, self.listed) = (Arc::new(list), Arc::new(listed));
        result
    }

    /// Names the state by how it came about, and never by random bytes.
    pub(crate) fn name(&mut self) {
        let runs = self.runs.iter().map(|run| {
            let told = run.presence.as_ref().map(Presence::is_to_end);
            (run.id, run.state.step(), told, run.looked, run.heard, run.records)
        });
        let mut runs: Vec<_> = runs.collect();
        runs.sort_unstable();
        let device = |device: &Holder| {
            let held = device.held.as_ref().map(|held| (held.key, held.finished));
            let at = match device.phase.step() {
                0 => None,
                step => Some((step, device.began, device.answered)),
            };
            (at, held, device.pairings, device.connects)
        };
        let devices: Vec<_> = self.devices.iter().map(device).collect();
        let offer = self.offers.view(self.now).map(|view| (view.number, view.spent));
        let until = self.shown.last().map(|shown| shown.until);
        let entry = |device: &Device| {
            let name = self.memory.name_of(&device.key);
            (name, device.name.to_string(), device.unfinished, device.paired_at)
        };
        let list: Vec<_> = self.listed.iter().map(entry).collect();
        let of = |id: &DeviceId| {
            let device = self.listed.iter().find(|device| device.id == *id);
            device.and_then(|device| self.memory.name_of(&device.key))
        };
        let revoking = self.revoking.iter().map(|one| (one.name, one.told.is_some()));
        let revoking: BTreeSet<_> = revoking.collect();
        let cleaning = self.cleaning.as_ref().map(|cleaning| {
            let connected: BTreeSet<_> = cleaning.connected.iter().map(of).collect();
            (connected, cleaning.purged.is_some())
        });
        let wire: Vec<_> = self.wire.iter().map(|sent| sent.term).collect();
        let memory = &self.memory;
        let judged = (&memory.entered, &memory.removed, &memory.revoked, &memory.broken);
        let clock = (self.now, self.life, self.left);
        let seen = (&self.begun, wire, judged, offer, until, clock);
        self.digest = term((runs, devices, list, revoking, cleaning, seen));
    }
}

fn on_list<T>(world: &World, with: impl FnOnce(&Devices) -> T) -> T {
    thread_local! {
        static LIST: Devices = Devices::in_memory().expect("it is in memory");
    }
    LIST.with(|list| {
        list.refuse_changes(false).expect("it is in memory");
        list.restore(&world.list).expect("it is in memory");
        with(list)
    })
}

impl Clone for World {
    fn clone(&self) -> Self {
        let places: Vec<_> = self.runs.iter().filter_map(|run| run.presence.as_ref()).collect();
        let (registry, places) = self.registry.fork(&places);
        let mut places = places.into_iter();
        let run = |run: &Run| Run {
            id: run.id,
            state: run.state.clone(),
            presence: run.presence.as_ref().and_then(|_| places.next()),
            looked: run.looked,
            heard: run.heard,
            records: run.records,
        };
        World {
            runs: self.runs.iter().map(run).collect(),
            registry,
            offers: self.offers.clone(),
            shown: self.shown.clone(),
            begun: self.begun.clone(),
            list: Arc::clone(&self.list),
            listed: Arc::clone(&self.listed),
            revoking: self.revoking.clone(),
            cleaning: self.cleaning.clone(),
            devices: self.devices.clone(),
            wire: self.wire.clone(),
            memory: self.memory.clone(),
            ..*self
        }
    }
}

impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.digest.hash(state);
    }
}

impl PartialEq for World {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list: Vec<_> = self.listed.iter().map(|device| device.name.as_str()).collect();
        let mut world = f.debug_struct("World");
        world.field("list", &list).field("broken", &self.memory.broken);
        world.finish_non_exhaustive()
    }
}
