//! The list against a simple model, through reopening and crashes.

use std::collections::BTreeMap;
use std::fs;

use proptest::prelude::*;
use proptest::sample::Index;

use super::tests::{contains, crash, fresh, key, list_in, name};
use super::*;

#[derive(Debug, Clone)]
enum Step {
    Insert { key: u8, psk: [u8; 32], name: Option<usize>, limits: (bool, Option<u32>), now: u32 },
    Finish(Index),
    Seen(Index, u32),
    Rename(Index, usize),
    Revoke(Index),
    Purge { before: u32, except: Vec<Index> },
    Reopen,
    Crash,
}

/// Names that get in each other's way.
fn wanted(number: usize) -> Name {
    let long = "x".repeat(64);
    let wide = "é".repeat(32);
    name(["phone", "Phone", "PHONE-2", "phone-2", "device", "Gerät", "GERÄT", &long, &wide][number])
}

const NAMES: std::ops::Range<usize> = 0..9;
const KEYS: std::ops::Range<u8> = 0..8;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let index = any::<Index>;
    let insert = (
        KEYS,
        any::<[u8; 32]>(),
        proptest::option::of(NAMES),
        (any::<bool>(), any::<Option<u32>>()),
        0..100u32,
    );
    let step = prop_oneof![
        6 => insert.prop_map(|(key, psk, name, limits, now)| {
            Step::Insert { key, psk, name, limits, now }
        }),
        2 => index().prop_map(Step::Finish),
        1 => (index(), any::<u32>()).prop_map(|(index, now)| Step::Seen(index, now)),
        2 => (index(), NAMES).prop_map(|(index, name)| Step::Rename(index, name)),
        2 => index().prop_map(Step::Revoke),
        1 => (0..120u32, proptest::collection::vec(index(), 0..3)).prop_map(|(before, except)| {
            Step::Purge { before, except }
        }),
        1 => Just(Step::Reopen),
        1 => Just(Step::Crash),
    ];
    proptest::collection::vec(step, 1..32)
}

/// What the list should hold, by turn of pairing.
#[derive(Default)]
struct Model {
    devices: BTreeMap<usize, (Device, [u8; 32])>,
    turns: usize,
    removed: Vec<[u8; 32]>,
}

impl Model {
    /// The id of some device, or now and then of none.
    fn pick(&self, index: &Index) -> DeviceId {
        let at = index.index(self.devices.len() + 1);
        self.devices.values().nth(at).map_or("00000000".parse().unwrap(), |(device, _)| device.id)
    }

    fn get(&mut self, id: DeviceId) -> Option<&mut Device> {
        self.devices.values_mut().map(|(device, _)| device).find(|device| device.id == id)
    }

    fn remove(&mut self, goes: impl Fn(&Device) -> bool) -> Vec<Device> {
        let gone: Vec<_> = self.devices.extract_if(.., |_, (device, _)| goes(device)).collect();
        self.removed.extend(gone.iter().map(|(_, (_, psk))| *psk));
        gone.into_iter().map(|(_, (device, _))| device).collect()
    }

    /// Whether `given` is a right answer to the wish for `wanted` by a device with that id.
    fn check_name(&self, id: Option<DeviceId>, wanted: &Name, given: &Name) {
        let lower = |name: &Name| name.as_str().to_lowercase();
        let others = || self.devices.values().filter(|(device, _)| Some(device.id) != id);
        let is_free = |name: &Name| others().all(|(device, _)| lower(&device.name) != lower(name));
        assert!(is_free(given), "{given} is not unique");
        if is_free(wanted) {
            assert_eq!(given, wanted);
        } else {
            let (stem, number) = given.as_str().rsplit_once('-').unwrap();
            assert!(wanted.as_str().starts_with(stem));
            assert!((2..=others().count() + 1).contains(&number.parse().unwrap()));
        }
    }
}

fn run(steps: Vec<Step>) {
    let (mut home, mut devices) = fresh();
    let mut model = Model::default();
    for step in steps {
        match step {
            Step::Insert {
                key: number,
                psk,
                name: proposed,
                limits: (watch_only, expires_at),
                now,
            } => {
                let limits = Limits { watch_only, expires_at: expires_at.map(u64::from) };
                let proposed = proposed.map(wanted);
                let secret = Psk::from_bytes(&psk);
                let result =
                    devices.insert(&key(number), &secret, proposed.as_ref(), limits, now.into());
                let known = model.devices.values().find(|(device, _)| device.key == key(number));
                if let Some((known, _)) = known {
                    let taken = matches!(&result,
                        Err(DevicesError::KeyTaken { name }) if *name == known.name);
                    assert!(taken, "{result:?}");
                    continue;
                }
                let device = result.unwrap();
                let proposed = proposed.unwrap_or_else(|| name("device"));
                model.check_name(None, &proposed, &device.name);
                let expected = Device {
                    id: device.id,
                    key: key(number),
                    name: device.name.clone(),
                    paired_at: now.into(),
                    last_seen: None,
                    unfinished: true,
                    limits,
                };
                assert_eq!(device, expected);
                assert!(model.get(device.id).is_none());
                model.turns += 1;
                model.devices.insert(model.turns, (device, psk));
            }
            Step::Finish(index) => {
                let id = model.pick(&index);
                let known = model.get(id).map(|device| device.unfinished = false);
                assert_eq!(devices.finish(id).unwrap(), known.is_some());
            }
            Step::Seen(index, now) => {
                let id = model.pick(&index);
                let known = model.get(id).map(|device| device.last_seen = Some(now.into()));
                assert_eq!(devices.seen(id, now.into()).unwrap(), known.is_some());
            }
            Step::Rename(index, name) => {
                let id = model.pick(&index);
                let given = devices.rename(id, &wanted(name)).unwrap();
                assert_eq!(given.is_some(), model.get(id).is_some());
                if let Some(given) = given {
                    model.check_name(Some(id), &wanted(name), &given);
                    model.get(id).unwrap().name = given;
                }
            }
            Step::Revoke(index) => {
                let id = model.pick(&index);
                let revoked = devices.revoke(id).unwrap();
                assert_eq!(revoked, model.remove(|device| device.id == id).pop());
            }
            Step::Purge { before, except } => {
                let except: Vec<_> = except.iter().map(|index| model.pick(index)).collect();
                let purged = devices.purge_unfinished(before.into(), &except).unwrap();
                let expected = model.remove(|device| {
                    device.unfinished
                        && device.paired_at < before.into()
                        && !except.contains(&device.id)
                });
                assert_eq!(purged, expected);
            }
            Step::Reopen => {
                drop(devices);
                devices = Devices::open(&list_in(&home)).unwrap();
            }
            Step::Crash => {
                let left = crash(&home);
                drop(devices);
                home = left;
                devices = Devices::open(&list_in(&home)).unwrap();
            }
        }
        let expected: Vec<_> = model.devices.values().map(|(device, _)| device.clone()).collect();
        assert_eq!(devices.list().unwrap(), expected);
        for number in KEYS {
            let found = devices.find(&key(number)).unwrap();
            let found = found.map(|(device, psk)| (device, *psk.expose()));
            let expected = model.devices.values().find(|(device, _)| device.key == key(number));
            assert_eq!(found.as_ref(), expected);
        }
        for device in expected {
            assert_eq!(devices.get(device.id).unwrap().as_ref(), Some(&device));
            assert_eq!(devices.select(device.name.as_str()).unwrap(), device);
        }
        let path = list_in(&home);
        let files = [fs::read(&path).unwrap(), fs::read(beside(&path, "-wal")).unwrap()].concat();
        for psk in &model.removed {
            assert!(!contains(&files, psk), "a removed secret is still in the file");
        }
        for (_, psk) in model.devices.values() {
            assert!(contains(&files, psk), "the search for secrets finds none");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn equals_a_simple_model_after_every_step(steps in steps()) {
        run(steps);
    }
}
