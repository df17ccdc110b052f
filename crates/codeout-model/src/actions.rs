//! What may happen in a state.

use codeout_daemon::model::Presence;
use codeout_protocol::name::Name;

use crate::checker::Action;
use crate::rules::KeyName;
use crate::wire::{Forgery, Kind, Sent};
use crate::world::{Phase, RunState, World};

impl World {
    /// What the daemon's user does, and time and misfortune.
    pub(crate) fn user_actions(&self, actions: &mut Vec<Action>) {
        let left = &self.left;
        if left.offers > 0 {
            actions.push(Action::Offer);
        }
        for name in self.listed_names() {
            if left.revocations > 0 {
                actions.push(Action::Revoke(name));
            }
            if left.renames > 0 {
                actions.push(Action::Rename(name));
            }
        }
        if left.leaps > 0 {
            actions.push(Action::Leap);
        }
        if left.crashes > 0 {
            actions.push(Action::Crash);
        }
        if self.cleaning.is_some() || left.cleanings > 0 {
            actions.push(Action::Clean);
        }
    }

    fn listed_names(&self) -> impl Iterator<Item = KeyName> {
        self.listed.iter().filter_map(|device| self.memory.name_of(&device.key))
    }

    /// A device gets the name of every device.
    pub(crate) fn rename(&mut self, name: KeyName) {
        let Some(id) = self.listed(name).map(|device| device.id) else { return };
        let wanted = Name::clean("tablet").expect("it can be shown");
        self.change(|devices| devices.rename(id, &wanted)).expect("it is in memory");
    }

    /// What the daemon does next, wherever it is to do something.
    pub(crate) fn daemon_actions(&self, actions: &mut Vec<Action>) {
        let mut runs: Vec<_> = self.runs.iter().collect();
        runs.sort_by_key(|run| run.id);
        for run in runs {
            let told = run.presence.as_ref().is_some_and(Presence::is_to_end);
            match run.state {
                RunState::Asking(..) => {
                    actions.extend([Action::Answer(run.id, true), Action::Answer(run.id, false)]);
                }
                RunState::Claimed(..) => {
                    actions.push(Action::Step(run.id));
                    if self.left.faults > 0 {
                        actions.push(Action::StepInVain(run.id));
                    }
                }
                RunState::Written(..) | RunState::Verified(..) => {
                    actions.push(Action::Step(run.id));
                }
                RunState::AwaitP3(..) | RunState::AwaitM3(..) | RunState::Open(..) => {}
            }
            let open = matches!(run.state, RunState::Open(..));
            let asking = matches!(run.state, RunState::Asking(..));
            if open && told || (open || asking) && self.left.cuts > 0 {
                actions.push(Action::Leave(run.id));
            }
        }
        let mut revoking: Vec<_> = self.revoking.iter().collect();
        revoking.sort_by_key(|one| one.name);
        for one in revoking {
            if one.told.as_ref().is_none_or(|told| self.registry.have_left(told)) {
                actions.push(Action::GoOnRevoking(one.name));
            }
        }
    }

    /// What a device may begin, and where its link may be cut.
    pub(crate) fn device_actions(&self, actions: &mut Vec<Action>) {
        for (device, holder) in (0u8..).zip(&self.devices) {
            if !matches!(holder.phase, Phase::Idle) {
                if self.left.cuts > 0 {
                    actions.push(Action::Cut(device));
                }
                continue;
            }
            let stranger = self.is_stranger(device);
            if holder.pairings > 0 && holder.held.is_none() {
                if stranger {
                    actions.push(Action::Pair(device, None));
                }
                // The attacker learns a code when it is over.
                let known =
                    self.shown.iter().filter(|shown| !(stranger && self.stands(shown.name)));
                actions.extend(known.map(|shown| Action::Pair(device, Some(shown.name))));
            }
            if holder.connects > 0 {
                if holder.held.is_some() {
                    actions.push(Action::Connect(device));
                }
                if stranger {
                    let names = self.memory.keys.iter().map(|(_, name)| *name);
                    let others = names.filter(|name| name.device != device);
                    actions.extend(others.map(|name| Action::Impersonate(device, name)));
                }
            }
        }
    }

    /// Where each message that was sent may arrive.
    pub(crate) fn deliveries(&self, actions: &mut Vec<Action>) {
        if self.left.arrivals > 0 {
            actions.extend(self.first_messages().map(Action::Begin));
        }
        let of = |kinds: &'static [Kind]| {
            self.wire.iter().filter(move |sent| kinds.contains(&sent.kind)).map(|sent| sent.term)
        };
        let mut runs: Vec<_> = self.runs.iter().collect();
        runs.sort_by_key(|run| run.id);
        for run in runs {
            let messages = of(World::awaited(&run.state));
            actions.extend(messages.map(|name| Action::ToDaemon(run.id, name)));
        }
        for (device, holder) in (0u8..).zip(&self.devices) {
            let messages = of(World::awaited_by(&holder.phase));
            actions.extend(messages.map(|name| Action::ToDevice(device, name)));
        }
    }

    /// What an attacker may make of what was sent, and where it may arrive.
    pub(crate) fn forgeries(&self, actions: &mut Vec<Action>) {
        let changed = |kinds: &[Kind]| {
            let mut all = Vec::new();
            let base = self.wire.iter().filter(|sent| kinds.contains(&sent.kind));
            base.for_each(|sent| Forgery::of(sent, &self.wire, &mut all));
            all
        };
        if self.left.arrivals > 0 {
            let firsts = changed(&[Kind::P1, Kind::M1]);
            actions.extend(firsts.into_iter().map(Action::ForgeFirst));
            actions.push(Action::ForgeFirst(Forgery::Empty));
        }
        let mut runs: Vec<_> = self.runs.iter().collect();
        runs.sort_by_key(|run| run.id);
        for run in runs {
            let kinds = World::awaited(&run.state);
            if !kinds.is_empty() {
                let forged = changed(kinds).into_iter().chain([Forgery::Empty]);
                actions.extend(forged.map(|forgery| Action::ForgeToDaemon(run.id, forgery)));
                // Whatever else was sent, in the wrong place.
                let others = self.wire.iter().filter(|sent| !kinds.contains(&sent.kind));
                actions.extend(others.map(|sent| Action::ToDaemon(run.id, sent.term)));
            }
        }
        for (device, holder) in (0u8..).zip(&self.devices) {
            let kinds = World::awaited_by(&holder.phase);
            if kinds.is_empty() {
                continue;
            }
            let posed = [Forgery::OtherDaemon(holder.began)];
            let forged = changed(kinds).into_iter().chain(Forgery::LOOSE).chain(posed);
            actions.extend(forged.map(|forgery| Action::ForgeToDevice(device, forgery)));
            let others =
                self.wire.iter().filter(|sent: &&std::sync::Arc<Sent>| !kinds.contains(&sent.kind));
            actions.extend(others.map(|sent| Action::ToDevice(device, sent.term)));
        }
    }
}
