//! What the daemon does to those who are in: revocations and housekeeping in the order of
//! `state.rs`, and its own death.

use std::sync::Arc;

use codeout_daemon::LIFETIME;
use codeout_daemon::devices::Devices;
use codeout_daemon::model::{Offers, Registry};
use codeout_protocol::message::ClosingReason;

use crate::daemon::Daemon;
use crate::rules::{KeyName, Sight};
use crate::steps::Steps;
use crate::world::{Cleaning, Revoking};

impl<S: Steps> Daemon<'_, S> {
    /// A revocation is committed.
    pub(crate) fn revoke(&mut self, name: KeyName) {
        let world = &mut *self.world;
        let Some(id) = world.listed(name).map(|device| device.id) else { return };
        if let Ok(Some(_)) = world.change(|devices| devices.revoke(id)) {
            world.memory.removed.insert(name);
            let told = (!S::CLOSES).then(Vec::new);
            world.revoking.push(Revoking { name, id, told });
        }
    }

    /// A revocation tells the connections, or returns when they have left.
    pub(crate) fn go_on_revoking(&mut self, name: KeyName) {
        let world = &mut *self.world;
        let Some(at) = world.revoking.iter().position(|one| one.name == name) else { return };
        let one = &mut world.revoking[at];
        if one.told.is_none() {
            one.told = Some(world.registry.tell_device(&one.id, ClosingReason::Revoked));
            return;
        }
        world.revoking.remove(at);
        world.memory.revoked.insert(name);
        world.memory.seen.insert(Sight::Revoked);
    }

    /// Housekeeping: first it sees who is connected and ends those whose time is over, then it
    /// removes who never finished, then it tells these.
    pub(crate) fn clean(&mut self) {
        let world = &mut *self.world;
        let unix = world.unix();
        match world.cleaning.take() {
            None => {
                let connected = world.registry.connected();
                for device in world.listed.iter().filter(|device| device.limits.expired(unix)) {
                    world.registry.tell_device(&device.id, ClosingReason::Expired);
                }
                world.cleaning = Some(Cleaning { connected, purged: None });
            }
            Some(Cleaning { connected, purged: None }) => {
                let before = unix - LIFETIME.as_secs();
                let purge = |devices: &Devices| devices.purge_unfinished(before, &connected);
                let purged = world.change(purge).unwrap_or_default();
                for device in &purged {
                    let name = world.memory.name_of(&device.key);
                    world.memory.removed.extend(name);
                    world.memory.seen.insert(Sight::Purged);
                }
                world.cleaning = Some(Cleaning { connected, purged: Some(purged) });
            }
            Some(Cleaning { purged: Some(purged), .. }) => {
                for device in purged {
                    world.registry.tell_device(&device.id, ClosingReason::Expired);
                }
            }
        }
    }

    /// The process dies, and another begins: what is in memory is gone.
    pub(crate) fn crash(&mut self) {
        let world = &mut *self.world;
        world.runs.clear();
        world.registry = Arc::new(Registry::default());
        world.offers = Offers::new(world.now);
        world.life += 1;
        world.begun.clear();
        world.revoking.clear();
        world.cleaning = None;
        world.memory.seen.insert(Sight::Crashed);
    }
}
