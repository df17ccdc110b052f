//! What nobody on the way may read, in every form in which it could slip out.

use codeout_protocol::code::Code;
use codeout_protocol::handshake::DeviceCredentials;
use codeout_protocol::link::Link;

/// Secrets, each as bytes to search for.
#[derive(Default)]
pub(crate) struct Secrets(Vec<(&'static str, Vec<u8>)>);

impl Secrets {
    pub(crate) fn of_code(code: &Code) -> Self {
        let mut secrets = Secrets::default();
        secrets.add_code(code);
        secrets
    }

    pub(crate) fn add_code(&mut self, code: &Code) {
        self.add_text("the code", std::str::from_utf8(code.canonical()).unwrap());
        self.add_text("the printed code", &code.printed());
    }

    pub(crate) fn add_link(&mut self, link: &Link) {
        let text = link.printed();
        let (_, fragment) = text.split_once('#').unwrap();
        self.add_text("the link's fragment", fragment);
        self.add_text("the daemon's key in the link", &fragment[Code::LENGTH..]);
        self.add_bytes("the daemon's key", &link.daemon_key.0);
    }

    pub(crate) fn add_credentials(&mut self, credentials: &DeviceCredentials) {
        self.add_bytes("the token", credentials.token.expose());
        self.add_bytes("the psk", credentials.token.psk().expose());
        self.add_bytes("dsk", credentials.device.secret.expose());
        self.add_bytes("dpk", &credentials.device.public.0);
    }

    pub(crate) fn add_text(&mut self, what: &'static str, text: &str) {
        self.0.push((what, text.to_ascii_lowercase().into_bytes()));
        self.0.push((what, text.to_ascii_uppercase().into_bytes()));
        self.add_bytes(what, text.as_bytes());
    }

    pub(crate) fn add_bytes(&mut self, what: &'static str, bytes: &[u8]) {
        assert!(bytes.len() >= 8, "{what} is too short to be told from chance");
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let list = format!("{bytes:?}");
        let encoded = base64(bytes);
        let url = encoded.replace('+', "-").replace('/', "_");
        self.0.push((what, bytes.to_vec()));
        self.0.push((what, hex.to_ascii_uppercase().into_bytes()));
        self.0.push((what, hex.into_bytes()));
        self.0.push((what, list.trim_matches(['[', ']']).as_bytes().to_vec()));
        self.0.push((what, encoded.into_bytes()));
        self.0.push((what, url.into_bytes()));
    }

    /// Fails when one of them is in `bytes`, which are `place`.
    pub(crate) fn absent_from(&self, place: &str, bytes: &[u8]) {
        if let Some(what) = self.first_in(bytes) {
            panic!("{place} holds {what}");
        }
    }

    /// Which of them is in `bytes`.
    pub(crate) fn first_in(&self, bytes: &[u8]) -> Option<&'static str> {
        let held = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        self.0.iter().find(|(_, needle)| held(needle)).map(|(what, _)| *what)
    }
}

/// Without what stands for the last, incomplete group.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let groups = bytes.chunks_exact(3);
    let group = |group: &[u8]| {
        let bits = group.iter().fold(0, |bits, byte| bits << 8 | usize::from(*byte));
        [18, 12, 6, 0].map(|shift| char::from(ALPHABET[bits >> shift & 63]))
    };
    groups.flat_map(group).collect()
}

#[test]
fn a_secret_is_found_in_each_of_its_forms() {
    let code: Code = "K7QM-3FBR-9TZX".parse().unwrap();
    let mut secrets = Secrets::of_code(&code);
    secrets.add_bytes("bytes", b"\x00\x01\x02\x03\xfd\xfe\xff\x7f\x80");
    for text in [
        "a K7QM3FBR9TZX b",
        "k7qm-3fbr-9tzx",
        "AAECA/3+/3+A",
        "AAECA_3-_3-A",
        "00010203fdfeff7f80",
        "00010203FDFEFF7F80",
        "[0, 1, 2, 3, 253, 254, 255, 127, 128]",
        "4b37514d3346425239545a58",
    ] {
        assert!(secrets.first_in(text.as_bytes()).is_some(), "{text}");
    }
    assert_eq!(secrets.first_in(b"K7QM-3FBR-9TZ 00010203fdfeff7f"), None);
}
