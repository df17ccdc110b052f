//! Both ends of the daemon's control socket. Whatever a program says, the daemon answers in lines
//! that the CLI can read and show, does what it says it has done, and nothing else. Whatever a
//! daemon says, the CLI has asked one thing, and takes for an answer what answers that.

#![no_main]

use std::cell::{LazyCell, RefCell};
use std::os::unix::net::UnixStream;
use std::path::Path;

use codeout_daemon::fuzzing::{control_client, control_reply};
use codeout_daemon::{Asked, LIFETIME};
use codeout_fuzz::control::{Reply, first_line, json, long_request, replies, request, stretched};
use codeout_fuzz::doors::{Door, speak};
use codeout_protocol::address::Address;
use codeout_protocol::code::Code;
use codeout_protocol::link::Link;
use codeout_protocol::message::DeviceEntry;
use codeout_protocol::name::{Name, clean_text};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const DEVICES: [&str; 2] = ["phone", "tablet"];

thread_local! {
    static DOOR: LazyCell<Door> = LazyCell::new(Door::open);
    /// What is so behind the last input: nobody else changes it.
    static THINGS: RefCell<Option<Things>> = const { RefCell::new(None) };
}

fuzz_target!(|input: &[u8]| {
    let &[which, first, second, ref said @ ..] = input else {
        return;
    };
    // A long line takes as long as a hundred others.
    match which % 32 {
        5 => to_daemon(&stretched(said, second.cast_signed())),
        6 => {
            let (which, times) = (first % 5, u16::from(second) * u16::from(first / 5 + 1));
            to_daemon(&long_request(which, &String::from_utf8_lossy(said), times));
        }
        8 => to_client(first, &stretched(said, second.cast_signed())),
        even if even % 2 == 0 => to_daemon(said),
        _ => to_client(first, said),
    }
});

/// What is so.
#[derive(Debug, Clone, PartialEq)]
struct Things {
    devices: Vec<DeviceEntry>,
    asked: Option<Asked>,
}

fn to_daemon(said: &[u8]) {
    let request = request(first_line(said).0);
    if request.as_ref().is_some_and(|request| request["request"] == "connect") {
        // A device could open sessions.
        return;
    }
    let (before, heard, after) = DOOR.with(|door| {
        door.runtime.block_on(async {
            let before = furnished(door).await;
            let (theirs, ours) = UnixStream::pair().expect("a pair of sockets");
            let heard = speak(theirs, said, false, door.house.control(ours)).await;
            (before, heard, look(door).await)
        })
    });
    THINGS.set(Some(after.clone()));
    let replies = replies(&heard);
    match request {
        None => {
            assert_eq!(replies.iter().map(Reply::error).collect::<Vec<_>>(), [Some("unknown")]);
            assert_eq!(before, after);
        }
        Some(request) if request["request"] == "trail" => {
            check_trail(&request, &replies);
            assert_eq!(before, after);
        }
        Some(request) => {
            let [reply] = replies.as_slice() else {
                panic!("{replies:?} to {request}");
            };
            let expected = expected(&request, reply, before);
            assert_eq!(after, expected, "{reply:?} to {request}");
        }
    }
}

async fn look(door: &Door) -> Things {
    Things { devices: door.house.devices().await, asked: door.house.asked().await }
}

/// What is so, with the devices that are to be there, whatever an input before this one did to them.
async fn furnished(door: &Door) -> Things {
    match THINGS.take() {
        Some(things) if things.devices.iter().map(|device| &*device.name).eq(DEVICES) => things,
        _ => {
            door.house.furnish(&DEVICES).await;
            look(door).await
        }
    }
}

/// What is so behind this reply.
fn expected(request: &Value, reply: &Reply, mut things: Things) -> Things {
    if let Some(error) = reply.error() {
        check_error(request, error, reply);
        return things;
    }
    match request["request"].as_str().expect("its kind") {
        "status" => check_status(reply.is("status").expect("a status"), &things),
        "devices" => {
            let list = serde_json::to_value(&things.devices).expect("a list");
            assert_eq!(reply.is("devices"), Some(&list));
        }
        "offer" => check_offer(reply.is("offer").expect("an offer")),
        "revoke" => {
            let revoked = device(reply);
            let at = things.devices.iter().position(|device| *device == revoked);
            things.devices.remove(at.expect("it was in the list"));
        }
        "rename" => {
            let renamed = device(reply);
            check_name(request, &renamed, &things);
            let known = things.devices.iter_mut().find(|device| device.id == renamed.id);
            *known.expect("it was in the list") = renamed;
        }
        "stop" => {
            assert!(reply.is("taken").is_some());
            things.asked = Some(Asked::Stop);
        }
        "restart" => {
            assert!(reply.is("taken").is_some());
            let executable = Path::new(request["executable"].as_str().expect("a path")).to_owned();
            assert!(executable.is_absolute() && executable.is_file());
            things.asked = Some(Asked::Restart { executable });
        }
        other => panic!("{other}"),
    }
    things
}

fn device(reply: &Reply) -> DeviceEntry {
    let device = reply.is("device").expect("a device");
    serde_json::from_value(device.clone()).expect("a device")
}

/// It is the one that was asked for, or has only its end changed: no other device has it.
fn check_name(request: &Value, renamed: &DeviceEntry, things: &Things) {
    let name = Name::clean(request["name"].as_str().expect("a name")).expect("one to show");
    let (most, _) = name.as_str().split_at(name.as_str().floor_char_boundary(50));
    assert!(renamed.name.starts_with(most), "{renamed:?}");
    let others = things.devices.iter().filter(|device| device.id != renamed.id);
    let mut names = others.map(|device| device.name.to_lowercase());
    assert!(names.all(|name| name != renamed.name.to_lowercase()), "{renamed:?}");
}

/// What is refused is what cannot be done.
fn check_error(request: &Value, error: &str, reply: &Reply) {
    let kind = request["request"].as_str().expect("its kind");
    match error {
        "bad_name" => assert!(request["name"].as_str().is_some_and(|n| Name::clean(n).is_none())),
        "no_device" => {
            let wanted = request["device"].as_str().expect("what is asked for").trim();
            assert!(!DEVICES.contains(&wanted), "{reply:?}");
            assert_eq!(reply.content["no_device"]["known"], serde_json::json!(DEVICES));
        }
        "ambiguous" => assert!(request["device"].as_str().is_some_and(|id| id.trim().len() < 8)),
        "cannot_restart" => assert_eq!(kind, "restart"),
        other => panic!("{other} to {request}"),
    }
}

fn check_status(status: &Value, things: &Things) {
    assert_eq!(status["devices"], things.devices.len());
    assert_eq!(status["pid"], std::process::id());
    for address in status["addresses"].as_array().expect("addresses") {
        address.as_str().expect("an address").parse::<Address>().expect("an address");
    }
    let expires_in = status["offer_expires_in"].as_u64();
    assert!(expires_in.is_none_or(|seconds| (1..=LIFETIME.as_secs()).contains(&seconds)));
}

fn check_offer(offered: &Value) {
    let offer = &offered["offer"];
    let code: Code = offer["code"].as_str().expect("a code").parse().expect("a code");
    assert!(offer["expires_in"].as_u64().is_some_and(|seconds| seconds <= LIFETIME.as_secs()));
    let links = offer["links"].as_array().expect("links");
    assert_eq!(offered["kinds"].as_array().map(Vec::len), Some(links.len()));
    for link in links {
        let link: Link = link.as_str().expect("a link").parse().expect("a link");
        assert_eq!(*link.code.printed(), *code.printed());
    }
}

/// Lines of the trail come in order, are those that were asked for, and end where nobody follows.
fn check_trail(request: &Value, replies: &[Reply]) {
    let (query, follows) = (&request["query"], request["follow"] == true);
    if let [reply] = replies
        && let Some(error) = reply.error()
    {
        assert!(error == "no_device" && query["device"].is_string(), "{reply:?}");
        return;
    }
    let parts = replies.iter().map(|reply| reply.is("trail").expect("lines"));
    let parts: Vec<_> = parts.map(|lines| lines.as_array().expect("lines")).collect();
    let ends = parts.iter().position(|lines| lines.is_empty());
    assert_eq!(ends, (!follows).then(|| parts.len() - 1), "{request}");
    let entries: Vec<_> = parts.into_iter().flatten().collect();
    assert!(query["last"].as_u64().is_none_or(|last| entries.len() as u64 <= last));
    let since = query["since"].as_u64().unwrap_or(0);
    assert!(entries.iter().all(|entry| entry["at"].as_u64().is_some_and(|at| at >= since)));
    let numbers = entries.iter().map(|entry| entry["number"].as_u64().expect("a number"));
    let behind = query["behind"].as_u64();
    assert!(behind.into_iter().chain(numbers).is_sorted_by(|before, number| before < number));
}

fn to_client(asked: u8, said: &[u8]) {
    let mut understood = None;
    let heard = DOOR.with(|door| {
        let (theirs, ours) = UnixStream::pair().expect("a pair of sockets");
        let client = async { understood = Some(control_client(ours, asked).await) };
        door.runtime.block_on(speak(theirs, said, false, client))
    });
    let (line, rest) = first_line(&heard);
    assert!(rest.is_empty() && line.ends_with(b"\n"));
    let asked = request(line).expect("a request");
    let understood = understood.expect("nothing more was said");
    match (told(&asked, said), understood) {
        (Told::Answer, Ok(_)) => {}
        (Told::Refusal, Err(text)) => assert_eq!(clean_text(&text, usize::MAX), text),
        (Told::Something, Err(text)) => {
            assert_eq!(text, "the running daemon is of another version");
        }
        (Told::Part, Err(text)) => {
            assert_eq!(text, "the daemon ended in the middle of its answer");
        }
        (told, understood) => panic!("{told:?} to {asked}: {understood:?}"),
    }
}

/// What a daemon has told.
#[derive(Debug)]
enum Told {
    Answer,
    Refusal,
    /// Something else.
    Something,
    /// A part of an answer.
    Part,
}

/// What is to be understood of `said` by whoever has asked.
fn told(request: &Value, mut said: &[u8]) -> Told {
    let mut answers: &[&str] = match request["request"].as_str().expect("its kind") {
        "status" => &["status"],
        "devices" => &["devices"],
        "rename" => &["device"],
        "stop" => &["taken"],
        "offer" => &["offer", "offer_over"],
        "trail" => &["trail"],
        other => panic!("{other}"),
    };
    while let [answer, others @ ..] = answers {
        let (line, rest) = first_line(said);
        if !line.ends_with(b"\n") {
            return Told::Part;
        }
        let Some(written) = control_reply(line) else {
            return Told::Something;
        };
        assert_eq!(control_reply(&written).map(|again| json(&again)), Some(json(&written)));
        let reply = Reply::of(&written);
        if reply.error().is_some() {
            return Told::Refusal;
        }
        let Some(content) = reply.is(answer) else {
            return Told::Something;
        };
        if !(*answer == "trail" && content.as_array().is_some_and(|lines| !lines.is_empty())) {
            answers = others;
        }
        said = rest;
    }
    Told::Answer
}
