//! The vectors of draft-irtf-cfrg-cpace-21. Not used, because this protocol is the
//! initiator-responder suite: `o_cat`, `transcript_oc`, `ISK_SY` and `sid_output_oc`.

use serde_json::Value;

use super::*;
use crate::sodium::sha512;

#[path = "../tests/common/mod.rs"]
#[allow(clippy::duplicate_mod)] // private to each module, like the tests
mod common;
use common::{array, hex, text, vectors};

fn file() -> Value {
    let file = vectors(include_str!("../../../vectors/cpace.json"));
    assert_eq!(text(&file["suite"]), "CPACE-RISTR255-SHA512");
    file
}

/// One block of the file, which must have as many members as when this was written.
fn block<'a>(file: &'a Value, path: &str, members: usize) -> &'a Value {
    let block = file.pointer(path).expect("the block");
    assert_eq!(block.as_object().expect("an object").len(), members, "{path}");
    block
}

#[test]
fn the_generator_is_the_drafts() {
    let file = file();
    let case = block(&file, "/calculate_generator", 10);
    let (prs, ci, sid) = (hex(&case["PRS"]), hex(&case["CI"]), hex(&case["sid"]));
    assert_eq!(text(&case["H"]), "SHA-512");
    assert_eq!(case["H.s_in_bytes"], SHA512_BLOCK);
    assert_eq!(hex(&case["DSI"]), DSI);

    let zeros = vec![0; case["ZPAD length"].as_u64().unwrap() as usize];
    let string = hex(&case["generator_string(G.DSI,PRS,CI,sid,H.s_in_bytes)"]);
    assert_eq!(*lv_cat(&[DSI, &prs, &zeros, &ci, &sid]), string);
    let digest = sha512(&[&string]);
    assert_eq!(digest.bytes(), hex(&case["hash result"]));
    let expected = array(&case["encoded generator g"]);
    assert_eq!(sodium::ristretto_from_hash(&digest).encoding(), &expected);
    assert_eq!(generator(&prs, &ci, &sid).encoding(), &expected);
}

#[test]
fn a_password_longer_than_the_hash_block_gets_no_padding() {
    let long = [b'x'; 200];
    let string = lv_cat(&[DSI, &long, b"", b"channel", b"sid"]);
    let expected = sodium::ristretto_from_hash(&sha512(&[&string]));
    assert_eq!(generator(&long, b"channel", b"sid").encoding(), expected.encoding());
}

#[test]
fn both_ends_derive_the_drafts_key() {
    let file = file();
    let case = block(&file, "/protocol", 15);
    let (prs, ci, sid) = (hex(&case["PRS"]), hex(&case["CI"]), hex(&case["sid"]));
    let generator = generator(&prs, &ci, &sid);
    assert_eq!(generator.encoding(), &array(&case["g"]));

    let (ya, yb) =
        (Scalar::from_bytes(&array(&case["ya"])), Scalar::from_bytes(&array(&case["yb"])));
    let (initiator_element, responder_element) = (array(&case["Ya"]), array(&case["Yb"]));
    assert_eq!(share(&generator, &ya), initiator_element);
    assert_eq!(share(&generator, &yb), responder_element);
    let k = array(&case["K"]);
    assert_eq!(ya.times(&responder_element).unwrap().encoding(), &k);
    assert_eq!(yb.times(&initiator_element).unwrap().encoding(), &k);

    let (ada, adb) = (hex(&case["ADa"]), hex(&case["ADb"]));
    // In parts, as the handshake hands it in: the parts must not show in the result.
    let (ada_parts, adb_parts) = (ada.split_at(1), adb.split_at(2));
    let (ada_parts, adb_parts) = ([ada_parts.0, ada_parts.1], [adb_parts.0, adb_parts.1]);
    let initiator = Share { element: &initiator_element, data: &ada_parts };
    let responder = Share { element: &responder_element, data: &adb_parts };
    let at_initiator = intermediate_key(&sid, &ya, &responder_element, initiator, responder);
    let at_responder = intermediate_key(&sid, &yb, &initiator_element, initiator, responder);
    let isk = hex(&case["ISK_IR"]);
    assert_eq!(at_initiator.unwrap().bytes(), isk);
    assert_eq!(at_responder.unwrap().bytes(), isk);

    let transcript = [initiator.encoded(), responder.encoded()].concat();
    let whole: [&[u8]; 4] = [&initiator_element, &ada, &responder_element, &adb];
    assert_eq!(transcript, *lv_cat(&whole));
    let sid_output = sha512(&[b"CPaceSidOutput", &transcript]);
    assert_eq!(sid_output.bytes(), hex(&case["sid_output_ir"]));
}

#[test]
fn valid_points_multiply_and_invalid_ones_abort() {
    let file = file();
    let points = block(&file, "/points", 3);
    let valid = block(&file, "/points/Valid", 4);
    let scalar = Scalar::from_bytes(&array(&valid["s"]));
    let product = scalar.times(&array(&valid["X"])).unwrap();
    assert_eq!(product.encoding(), &array(&valid["G.scalar_mult(s,decode(X))"]));
    assert_eq!(product.encoding(), &array(&valid["G.scalar_mult_vfy(s,X)"]));

    for name in ["Invalid Y1", "Invalid Y2"] {
        let invalid = array(&points[name]);
        assert!(scalar.times(&invalid).is_none(), "{name}");
        let end = Share { element: &invalid, data: &[] };
        assert!(intermediate_key(&[0; 16], &scalar, &invalid, end, end).is_none(), "{name}");
    }
}

#[test]
fn lengths_are_prepended_as_in_the_draft() {
    let file = file();
    let strings = block(&file, "/strings/prepend_len", 5);
    let range = |end: u8| (0..end).collect::<Vec<u8>>();
    assert_eq!(hex(&strings["b'1234'"]), b"1234");
    for (name, bytes) in [
        ("prepend_len(b'')", Vec::new()),
        ("prepend_len(b'1234')", b"1234".to_vec()),
        ("prepend_len(bytes(range(127)))", range(127)),
        ("prepend_len(bytes(range(128)))", range(128)),
    ] {
        assert_eq!(*lv_cat(&[&bytes]), hex(&strings[name]), "{name}");
    }
}

#[test]
fn parts_are_concatenated_as_in_the_draft() {
    let file = file();
    let strings = block(&file, "/strings/lv_cat", 4);
    let part = |name: &str| hex(&strings[name]);
    let (first, second, fourth) = (part("b'1234'"), part("b'5'"), part("b'678'"));
    let joined = lv_cat(&[&first, &second, b"", &fourth]);
    assert_eq!(*joined, part("lv_cat(b'1234',b'5',b'',b'678')"));
}

#[test]
fn the_transcript_is_ordered_as_in_the_draft() {
    let file = file();
    let strings = block(&file, "/strings/transcript_ir", 8);
    let part = |name: &str| hex(&strings[name]);
    for (initiator, responder, name) in [
        ("b'123'", "b'234'", "transcript_ir(b'123',b'PartyA',b'234',b'PartyB')"),
        ("b'3456'", "b'2345'", "transcript_ir(b'3456',b'PartyA',b'2345',b'PartyB')"),
    ] {
        let (party_a, party_b) = (part("b'PartyA'"), part("b'PartyB'"));
        let joined = lv_cat(&[&part(initiator), &party_a, &part(responder), &party_b]);
        assert_eq!(*joined, part(name));
    }
}

#[test]
fn the_confirmation_tags_differ_with_everything_that_they_confirm() {
    let isk = sha512(&[b"isk"]);
    let (a, b) = ([1; 32], [2; 32]);
    let initiator = Share { element: &a, data: &[b"A"] };
    let responder = Share { element: &b, data: &[b"B"] };
    let tags = confirm(&[0; 16], &isk, initiator, responder);
    assert_ne!(tags.initiator, tags.responder);

    let other_sid = confirm(&[1; 16], &isk, initiator, responder);
    let other_isk = confirm(&[0; 16], &sha512(&[b"ISK"]), initiator, responder);
    for other in [other_sid, other_isk] {
        assert_ne!(other.initiator, tags.initiator);
        assert_ne!(other.responder, tags.responder);
    }
    let other_data = Share { data: &[b"C"], ..initiator };
    assert_ne!(confirm(&[0; 16], &isk, other_data, responder).initiator, tags.initiator);
    let swapped = confirm(&[0; 16], &isk, responder, initiator);
    assert_eq!(swapped.initiator, tags.responder);
}
