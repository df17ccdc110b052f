//! The list under a process that is killed at any moment.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};

use codeout_protocol::sodium::KeyPair;

use super::tests::{list_in, name};
use super::*;

/// Names the list that the child is to work on.
const LIST: &str = "CODEOUT_TEST_DEVICES";

/// The same for the model and the child: key, in hex, to whether it is unfinished and its name.
type Paired = BTreeMap<String, (bool, String)>;

fn hex(key: &PublicKey) -> String {
    key.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn paired(devices: &Devices) -> Paired {
    let devices = devices.list().unwrap().into_iter();
    devices.map(|device| (hex(&device.key), (device.unfinished, device.name.to_string()))).collect()
}

fn apply(paired: &mut Paired, change: &str) {
    let words: Vec<_> = change.split(' ').collect();
    match words[..] {
        ["insert", key, name] => {
            paired.insert(key.to_owned(), (true, name.to_owned()));
        }
        ["finish", key] => paired.get_mut(key).unwrap().0 = false,
        ["rename", key, name] => paired.get_mut(key).unwrap().1 = name.to_owned(),
        ["revoke", key] => {
            paired.remove(key).unwrap();
        }
        _ => panic!("{change:?}"),
    }
}

/// Changes the list until it is killed. Says each change before and after it is made.
fn change_until_killed(path: &Path) {
    let say = |line: String| std::io::stdout().write_all(line.as_bytes()).unwrap();
    say("opening\n".to_owned());
    let devices = Devices::open(path).unwrap();
    for turn in 0.. {
        let all = devices.list().unwrap();
        let change = match turn % 4 {
            0 | 1 => "insert",
            2 if all.len() > 4 => "revoke",
            2 => "finish",
            _ => "rename",
        };
        let new = KeyPair::generate().public;
        let name = name(&hex(&new)[..16]);
        let (oldest, newest) = (all.first(), all.last());
        let done = match change {
            "insert" => {
                say(format!("will insert {} {name}\n", hex(&new)));
                let psk = Psk::random();
                devices.insert(&new, &psk, Some(&name), Limits::default(), turn).is_ok()
            }
            "revoke" => {
                let id = oldest.unwrap().id;
                say(format!("will revoke {}\n", hex(&oldest.unwrap().key)));
                devices.revoke(id).unwrap().is_some()
            }
            "finish" => {
                say(format!("will finish {}\n", hex(&newest.unwrap().key)));
                devices.finish(newest.unwrap().id).unwrap()
            }
            _ => {
                say(format!("will rename {} {name}\n", hex(&newest.unwrap().key)));
                devices.rename(newest.unwrap().id, &name).unwrap() == Some(name)
            }
        };
        assert!(done);
        say("did\n".to_owned());
    }
}

/// A child that does not outlive a failed test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts [`change_until_killed`] on the list, kills it after it said `lines` lines, and brings
/// `model` up to what it acknowledged. Returns the change that it was at.
fn kill_after(lines: usize, path: &Path, test: &str, model: &mut Paired) -> Option<String> {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(LIST, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut child = Killed(child);
    let mut output = BufReader::new(child.0.stdout.take().unwrap());
    let mut under_way = None;
    let mut said = 0;
    loop {
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        // What is not a whole line was not said.
        let Some(line) = line.strip_suffix('\n') else {
            break;
        };
        // The test harness writes its own lines first, without an end to the last.
        if let Some(change) = line.strip_prefix("will ") {
            assert_eq!(under_way.replace(change.to_owned()), None);
        } else if line == "did" {
            apply(model, &under_way.take().unwrap());
        } else if !line.ends_with("opening") {
            continue;
        }
        said += 1;
        if said == lines {
            child.0.kill().unwrap(); // what it had still said is read first
        }
    }
    assert!(said >= lines, "the child ended by itself");
    let status = child.0.wait().unwrap();
    assert_eq!(status.signal(), Some(9));
    under_way
}

#[test]
fn what_was_acknowledged_survives_sigkill() {
    if let Some(path) = std::env::var_os(LIST) {
        return change_until_killed(Path::new(&path));
    }
    let test = format!("{}::what_was_acknowledged_survives_sigkill", module_path!());
    let (_, test) = test.split_once("::").unwrap(); // without the crate

    // Killed while it makes the list, or soon after.
    for _ in 0..4 {
        let home = tempfile::tempdir().unwrap();
        let mut model = Paired::new();
        let under_way = kill_after(1, &list_in(&home), test, &mut model);
        agree(&list_in(&home), &mut model, under_way);
    }
    // Killed again and again, each time going on from what is left.
    let home = tempfile::tempdir().unwrap();
    let mut model = Paired::new();
    let mut acknowledged = 0;
    for lines in [2, 3, 6, 7, 10, 13, 18, 25, 34, 49] {
        let under_way = kill_after(lines, &list_in(&home), test, &mut model);
        agree(&list_in(&home), &mut model, under_way);
        acknowledged += (lines - 1) / 2;
    }
    assert!(acknowledged > 70 && model.len() > 4);
}

/// Opens the list and checks it against the model, which takes over whether the change that was
/// under way was made.
fn agree(path: &Path, model: &mut Paired, under_way: Option<String>) {
    let found = paired(&Devices::open(path).unwrap());
    if let Some(change) = under_way.filter(|_| found != *model) {
        apply(model, &change);
    }
    assert_eq!(found, *model);
}
