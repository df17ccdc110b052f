use super::*;
use std::fs;

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

/// A directory with `x.crt` and `x.key` for these names.
struct Files(TempDir);

impl Files {
    fn new(names: &[&str]) -> Self {
        let files = Files(tempfile::tempdir().unwrap());
        files.write(names);
        files
    }

    fn write(&self, names: &[&str]) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        self.put("x.crt", &certificate.pem());
        self.put("x.key", &key.serialize_pem());
    }

    /// Takes the place of what is there, as tools do that renew certificates.
    fn put(&self, name: &str, text: &str) {
        let draft = self.0.path().join("draft");
        fs::write(&draft, text).unwrap();
        fs::rename(draft, self.0.path().join(name)).unwrap();
    }

    fn get(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(name)).unwrap()
    }

    fn paths(&self) -> TlsFiles {
        let path = |name| self.0.path().join(name);
        TlsFiles { certificate: path("x.crt"), key: path("x.key") }
    }

    fn open(&self) -> Result<Tls, TlsError> {
        Tls::open(self.paths())
    }
}

#[test]
fn a_certificate_says_for_which_names_it_is() {
    let names = ["Desk.Example.com", "*.wild.example", "localhost", "192.0.2.7", "fd7a::1"];
    let tls = Files::new(&names).open().unwrap();
    assert_eq!(tls.names(), ["desk.example.com", "localhost"]);
    for covered in
        ["desk.example.com", "x.wild.example", "localhost", "192.0.2.7", "[fd7a::1]", "fd7a::1"]
    {
        assert!(tls.covers(covered), "{covered}");
    }
    for other in ["example.com", "wild.example", "192.0.2.8", "[fd7a::2]", "127.0.0.1", "", "a b"] {
        assert!(!tls.covers(other), "{other}");
    }
    let nameless = Files::new(&[]).open().unwrap();
    assert!(nameless.names().is_empty() && nameless.is_ready());
}

#[test]
fn what_cannot_be_used_is_named() {
    let files = Files::new(&["desk.example"]);
    let (certificate, key) = (files.get("x.crt"), files.get("x.key"));
    let says = |error: &TlsError| error.to_string();
    files.put("x.key", &KeyPair::generate().unwrap().serialize_pem());
    let error = files.open().unwrap_err();
    assert!(matches!(error, TlsError::Mismatch { .. }), "{error:?}");
    assert!(says(&error).contains("x.key") && says(&error).contains("x.crt"), "{error}");

    for (broken, secret) in [
        ("", ""),
        (&*certificate, ""),
        ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", ""),
        ("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n", "c2VjcmV0"),
        ("-----BEGIN PRIVATE KEY-----\nsecret!!\n", "secret"),
        ("-----BEGIN secret\n", "secret"),
    ] {
        files.put("x.key", broken);
        let error = files.open().unwrap_err();
        assert!(matches!(error, TlsError::NoKey { .. } | TlsError::BadKey { .. }), "{error:?}");
        assert!(says(&error).contains("x.key"), "{error}");
        assert!(secret.is_empty() || !format!("{error} {error:?}").contains(secret), "{error}");
    }
    files.put("x.key", &key);
    files.open().unwrap();

    for broken in ["", &key, "not PEM at all"] {
        files.put("x.crt", broken);
        let error = files.open().unwrap_err();
        assert!(matches!(error, TlsError::NoCertificate { .. }), "{error:?}");
    }
    for broken in [
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
        &certificate[..certificate.len() / 2],
    ] {
        files.put("x.crt", broken);
        let error = files.open().unwrap_err();
        assert!(matches!(error, TlsError::BadCertificate { .. }), "{error:?}");
        assert!(says(&error).contains("x.crt"), "{error}");
    }
    fs::remove_file(files.0.path().join("x.crt")).unwrap();
    let error = files.open().unwrap_err();
    assert!(matches!(error, TlsError::Read { .. }), "{error:?}");
    assert!(says(&error).contains("x.crt cannot be read"), "{error}");
}

#[test]
fn another_certificate_is_taken_when_it_is_whole() {
    let files = Files::new(&["old.example"]);
    let tls = files.open().unwrap();
    assert!(!tls.refresh().unwrap());
    // One file after the other: between them they do not fit, and nobody is troubled with it.
    let other = Files::new(&["new.example"]);
    files.put("x.crt", &other.get("x.crt"));
    assert!(!tls.refresh().unwrap());
    assert_eq!(tls.names(), ["old.example"]);
    files.put("x.key", &other.get("x.key"));
    assert!(tls.refresh().unwrap());
    assert_eq!(tls.names(), ["new.example"]);
    // The same once more is none.
    files.put("x.crt", &other.get("x.crt"));
    assert!(!tls.refresh().unwrap());
    assert!(!tls.refresh().unwrap());
}

#[test]
fn files_that_stay_broken_are_told_once_and_the_old_one_goes_on() {
    let files = Files::new(&["old.example"]);
    let tls = files.open().unwrap();
    files.put("x.crt", "broken");
    assert!(!tls.refresh().unwrap());
    assert!(matches!(tls.refresh(), Err(TlsError::NoCertificate { .. })));
    assert!(!tls.refresh().unwrap());
    assert_eq!(tls.names(), ["old.example"]);
    fs::remove_file(files.0.path().join("x.crt")).unwrap();
    assert!(!tls.refresh().unwrap());
    assert!(matches!(tls.refresh(), Err(TlsError::Read { .. })));
    assert!(!tls.refresh().unwrap());
    files.write(&["new.example"]);
    assert!(tls.refresh().unwrap());
    assert_eq!(tls.names(), ["new.example"]);
}

#[test]
fn without_one_it_waits_for_one() {
    let files = Files::new(&["desk.example"]);
    files.put("x.key", "broken");
    let tls = Tls::open_anyway(files.paths());
    assert!(!tls.is_ready() && tls.names().is_empty() && !tls.covers("desk.example"));
    assert!(!tls.refresh().unwrap());
    assert!(matches!(tls.refresh(), Err(TlsError::NoKey { .. })));
    files.write(&["desk.example"]);
    assert!(tls.refresh().unwrap());
    assert!(tls.is_ready() && tls.covers("desk.example"));
}

#[test]
fn a_key_that_everybody_can_read_is_noticed() {
    use std::os::unix::fs::PermissionsExt;
    let files = Files::new(&["desk.example"]);
    let tls = files.open().unwrap();
    let path = files.paths().key;
    for (mode, is_exposed) in [(0o600, false), (0o640, false), (0o644, true), (0o604, true)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(tls.exposed_key(), is_exposed.then_some(&*path), "{mode:o}");
    }
}
