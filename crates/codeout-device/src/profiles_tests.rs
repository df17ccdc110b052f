use codeout_protocol::sodium::{KeyPair, Token};

use super::*;

fn store() -> (tempfile::TempDir, Profiles) {
    let directory = tempfile::tempdir().unwrap();
    let profiles = Profiles::open(&directory.path().join("codeout/daemons.json")).unwrap();
    (directory, profiles)
}

pub(crate) fn profile(name: &str, state: State) -> Profile {
    let mut token = [0; 32];
    codeout_protocol::sodium::random_bytes(&mut token);
    Profile {
        name: name.to_owned(),
        address: "http://desk:8400".parse().unwrap(),
        credentials: DeviceCredentials {
            daemon_key: KeyPair::generate().public,
            device: KeyPair::generate(),
            token: Token::from_bytes(&token),
        },
        device_name: Name::clean("laptop").unwrap(),
        state,
        paired_at: 1,
        fingerprint: "6N5A-N82M".parse().ok(),
    }
}

fn names(profiles: &Profiles) -> Vec<String> {
    profiles.list().unwrap().into_iter().map(|profile| profile.name).collect()
}

#[test]
fn nicknames_are_made_unique() {
    let (_directory, profiles) = store();
    for name in ["desk", "Desk", "desk", " \u{202e} ", &"x".repeat(200)] {
        profiles.put(profile(name, State::Paired)).unwrap();
    }
    let long = "x".repeat(56);
    assert_eq!(names(&profiles), ["desk", "Desk-2", "desk-3", "daemon", &long]);
}

#[test]
fn put_replaces_by_device_key_in_place() {
    let (_directory, profiles) = store();
    let first = profiles.put(profile("desk", State::Pending)).unwrap();
    profiles.put(profile("lab", State::Paired)).unwrap();
    let again = profiles.put(Profile { state: State::Paired, ..first }).unwrap();
    assert_eq!(again.name, "desk");
    assert_eq!(names(&profiles), ["desk", "lab"]);
    assert_eq!(profiles.find(Some("desk")).unwrap().state, State::Paired);
}

#[test]
fn what_is_put_comes_back() {
    let (_directory, profiles) = store();
    for state in [State::Pending, State::Unconfirmed, State::Paired] {
        let put = profiles.put(profile("desk", state)).unwrap();
        let back = profiles.find(Some(&put.name)).unwrap();
        assert_eq!(back.state, state);
        assert_eq!(back.address, put.address);
        assert_eq!(back.device_name, put.device_name);
        assert_eq!(back.paired_at, put.paired_at);
        assert_eq!(back.fingerprint, put.fingerprint);
        let (back, put) = (back.credentials, put.credentials);
        assert_eq!(back.daemon_key, put.daemon_key);
        assert_eq!(back.device.public, put.device.public);
        assert_eq!(back.device.secret.expose(), put.device.secret.expose());
        assert_eq!(back.token.expose(), put.token.expose());
    }
}

#[test]
fn find_says_what_there_is() {
    let (_directory, profiles) = store();
    assert!(matches!(profiles.find(None), Err(FindError::NoneKnown)));
    assert!(matches!(profiles.find(Some("desk")), Err(FindError::NoneKnown)));

    profiles.put(profile("new", State::Pending)).unwrap();
    assert_eq!(profiles.find(None).unwrap().name, "new");
    profiles.put(profile("Desk", State::Paired)).unwrap();
    assert_eq!(profiles.find(None).unwrap().name, "Desk");
    assert_eq!(profiles.find(Some("desk")).unwrap().name, "Desk");
    profiles.put(profile("lab", State::Paired)).unwrap();

    let FindError::Several { names } = profiles.find(None).unwrap_err() else { panic!() };
    assert_eq!(names, ["new", "Desk", "lab"]);
    let FindError::Unknown { name, known } = profiles.find(Some("attic")).unwrap_err() else {
        panic!()
    };
    assert_eq!((name.as_str(), known.len()), ("attic", 3));
}

#[test]
fn address_and_removal() {
    let (_directory, profiles) = store();
    profiles.put(profile("desk", State::Paired)).unwrap();
    let address = "https://desk.example".parse().unwrap();
    profiles.set_address("desk", &address).unwrap();
    assert_eq!(profiles.find(None).unwrap().address, address);
    assert!(matches!(profiles.set_address("lab", &address), Err(FindError::Unknown { .. })));
    assert_eq!(profiles.remove("desk").unwrap().name, "desk");
    assert!(profiles.list().unwrap().is_empty());
    assert!(matches!(profiles.remove("desk"), Err(FindError::NoneKnown)));
}

#[test]
fn a_finished_pairing_takes_the_place_of_earlier_ones() {
    let (_directory, profiles) = store();
    let old = profiles.put(profile("my desk", State::Paired)).unwrap();
    let mut lost = profile("10.0.0.1", State::Pending);
    let mut new = profile("10.0.0.1", State::Unconfirmed);
    lost.credentials.daemon_key = old.credentials.daemon_key;
    new.credentials.daemon_key = old.credentials.daemon_key;
    profiles.put(lost).unwrap();
    let new = profiles.put(new).unwrap();
    let other = profiles.put(profile("lab", State::Pending)).unwrap();

    // Until it is finished, the old one stands.
    let found = profiles.by_key(&new.credentials.daemon_key).unwrap().unwrap();
    assert_eq!(found.credentials.device.public, old.credentials.device.public);

    let key = new.credentials.device.public;
    let finished = profiles.finish(new, "Work desk").unwrap();
    assert_eq!((finished.name.as_str(), finished.state), ("my desk", State::Paired));
    let left = profiles.list().unwrap();
    assert_eq!(left.len(), 2);
    assert!(left.iter().any(|one| one.credentials.device.public == key));

    let finished = profiles.finish(other, "My\x1b Desk").unwrap();
    assert_eq!(finished.name, "My Desk-2");
    assert!(profiles.by_key(&KeyPair::generate().public).unwrap().is_none());
}

#[test]
fn discarding_what_is_not_there_writes_nothing() {
    let (directory, profiles) = store();
    profiles.discard(&KeyPair::generate().public).unwrap();
    assert!(!directory.path().join("codeout/daemons.json").exists());
}
