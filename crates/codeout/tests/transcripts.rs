//! The command line as a person sees it: the transcripts of the page, and what bad input gets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod machine;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use machine::{Machine, Ran, joined};

/// How long a test waits for what must come: a bound for a hanging test, never a measure.
const PATIENCE: Duration = Duration::from_secs(60);

/// The list of devices, however long the test took.
fn listed(ran: &Ran) -> String {
    let (before, after) = ran.succeeds().out.split_once("paired ").unwrap();
    let (age, after) = after.split_once(" ago").unwrap();
    assert!(age.trim_end_matches(['s', 'm']).parse::<u8>().is_ok(), "{age}");
    format!("{before}paired now{after}")
}

#[test]
fn the_daemon_prints_the_transcript_of_the_page() {
    let desk = Machine::new();
    let daemon = desk.daemon(0);
    let [head, what, code, expires] = &daemon.head[..] else { panic!() };
    assert_eq!(*head, format!("codeout -> http://localhost:{}", daemon.port()));
    assert_eq!(what, "pair a device: scan the QR, or type this code");
    let letters = |part: &str| {
        part.len() == 4 && part.bytes().all(|b| b"0123456789ABCDEFGHJKMNPQRSTVWXYZ".contains(&b))
    };
    let parts: Vec<_> = code.strip_prefix("  ").unwrap().split('-').collect();
    assert!(parts.len() == 3 && parts.iter().all(|part| letters(part)), "{code}");
    assert_eq!(expires, "  expires in 5:00");
    assert_eq!(daemon.stop(), "stopping\n");
}

#[test]
fn a_device_joins_attaches_is_listed_is_revoked_and_is_out() {
    let (desk, mut daemon, laptop) = joined();
    let print = desk.run(&["fingerprint"]).out.trim().to_owned();
    assert_eq!(daemon.line(), "device paired: work-laptop");
    assert_eq!(daemon.line(), format!("daemon fingerprint: {print}"));
    assert_eq!(daemon.line(), "  confirm this matches what the app shows");

    let opened = laptop.run(&["open", "shell", "--name", "work", "--on", "desk"]);
    assert_eq!(opened.succeeds().out, "work\n");
    let attach = ["attach", "work", "--on", "desk"];
    let attached = laptop.run_with(&attach, "echo si''gn; exit 7\n");
    assert_eq!(attached.code, 7, "{attached:?}");
    assert!(attached.out.contains("sign\r\n"), "{attached:?}");
    assert_eq!(attached.err, "work has ended with status 7\n");
    laptop.run(&attach).fails(20, "no session is called work");

    assert_eq!(listed(&desk.run(&["devices"])), "work-laptop   paired now    active\n");
    let revoked = desk.run(&["devices", "revoke", "Work-Laptop"]);
    assert_eq!(revoked.succeeds().out, "revoked. work-laptop can no longer connect.\n");
    for words in [&attach[..], &["open", "--on", "desk"], &["sessions", "--on", "desk"]] {
        laptop.run(words).fails(13, "this device is not, or no longer, paired");
    }
    assert_eq!(desk.run(&["devices", "--json"]).json(), serde_json::json!([]));
}

#[test]
fn a_link_needs_nothing_else_typed_and_pair_says_who_came() {
    let desk = Machine::new();
    let _daemon = desk.daemon(0);
    let mut pair = desk
        .command(&["pair", "--json", "--for", "2h", "--watch-only"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(pair.stdout.take().unwrap());
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    let offer: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(offer["expires_in"], 300);
    let link = offer["links"][0].as_str().unwrap();

    let laptop = Machine::new();
    let joined = laptop.run(&["join", link, "--name", "guest", "--json"]).json();
    assert_eq!(joined["device"], "guest");
    assert_eq!(joined["fingerprint"], offer["fingerprint"]);

    line.clear();
    lines.read_line(&mut line).unwrap();
    let end: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(end["device"]["name"], "guest");
    assert_eq!(end["device"]["watch_only"], true);
    assert!(pair.wait().unwrap().success());

    for words in [&["open"][..], &["programs"]] {
        laptop.run(words).fails(1, "may only watch");
    }
    // It may look, and what it types goes nowhere.
    let session = ["open", "--name", "work", "--", "sh", "-c", "read word; exit 7"];
    desk.run(&session).succeeds();
    for words in [&["end", "work"][..], &["rename", "work", "play"]] {
        laptop.run(words).fails(1, "may only watch");
    }
    let mut watching = laptop
        .command(&["attach"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    watching.stdin.take().unwrap().write_all(b"word\n").unwrap();
    watched(&desk, "work");
    assert_eq!(watching.try_wait().unwrap(), None);
    let typed = desk.run_with(&["attach", "work"], "word\n");
    assert_eq!(typed.code, 7, "{typed:?}");
    assert_eq!(watching.wait().unwrap().code(), Some(7));
    laptop.run(&["dismiss", "work"]).fails(20, "no session");
    laptop.run(&["join", link]).fails(16, "already paired with");
    let other = Machine::new();
    other.run(&["join", link]).fails(12, "already used");
}

/// Two computers with one name: what each is told to revoke is itself.
#[test]
fn a_device_knows_the_name_that_it_was_given() {
    let (desk, mut daemon, first) = joined();
    let _ = daemon.line();
    let offer = desk.command(&["pair", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut pair = offer;
    let mut line = String::new();
    BufReader::new(pair.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let offer: serde_json::Value = serde_json::from_str(&line).unwrap();
    let name = first.run(&["daemons", "--json"]).json()[0]["device_name"].clone();
    let second = Machine::new();
    let join = ["join", offer["links"][0].as_str().unwrap(), "--name", name.as_str().unwrap()];
    second.run(&join).succeeds();
    assert!(pair.wait().unwrap().success());
    let given = format!("{}-2", name.as_str().unwrap());
    assert_eq!(second.run(&["daemons", "--json"]).json()[0]["device_name"], given);
    let daemons = second.run(&["daemons", "--json"]).json();
    let forgotten = second.run(&["forget", daemons[0]["name"].as_str().unwrap()]);
    assert!(forgotten.err.contains(&format!("codeout devices revoke {given}")), "{forgotten:?}");
}

/// Waits until a session of this machine's daemon is watched.
fn watched(machine: &Machine, session: &str) {
    let until = Instant::now() + PATIENCE;
    loop {
        let sessions = machine.run(&["sessions", "--json"]).json();
        let mut sessions = sessions.as_array().unwrap().iter();
        let entry = sessions.find(|entry| entry["name"] == session).unwrap();
        if entry["watching"].as_u64().unwrap() > 0 {
            return;
        }
        assert!(Instant::now() < until, "nobody watches: {entry}");
    }
}

#[test]
fn one_daemon_per_user_and_one_program_per_port() {
    let desk = Machine::new();
    let daemon = desk.daemon(0);
    desk.run(&["--port", "0"]).fails(16, "codeout is already running\n  `codeout pair`");
    let other = Machine::new();
    let port = daemon.port().to_string();
    let taken = other.run(&["--port", &port, "--bind", "127.0.0.1"]);
    taken.fails(16, &format!("port {port} is already taken"));
    assert!(taken.err.contains("codeout --port"), "{taken:?}");
}

#[test]
fn a_wrong_code_says_wrong_and_the_right_one_still_works() {
    let desk = Machine::new();
    let mut daemon = desk.daemon(0);
    let laptop = Machine::new();
    let address = daemon.address();
    let print = desk.run(&["fingerprint"]).out.trim().to_owned();
    let join = |code: &str| laptop.run(&["join", &address, code, "--fingerprint", &print]);
    join("0000-0000-0000").fails(12, "wrong pairing code");
    let told = daemon.line();
    assert!(told.starts_with("wrong pairing code from "), "{told}");
    let typed = daemon.code().to_lowercase().replace('-', " ");
    join(&typed).succeeds();
}

#[test]
fn what_is_no_code_no_link_and_no_address_is_told_before_anything_is_dialled() {
    let laptop = Machine::new();
    let print = ["--fingerprint", "ZMYR-C1HG"];
    for (target, code, says) in [
        ("http://desk:8400", Some("K7QM"), "12 characters, not 4"),
        ("http://desk:8400", Some("U7QM-3FBR-9TZX"), "only letters and digits, and no U"),
        ("http://desk:8400/#K7QM", None, "not a pairing link"),
        ("ftp://desk", Some("K7QM-3FBR-9TZX"), "http:// or https://"),
        ("http://desk:8400/path", Some("K7QM-3FBR-9TZX"), "ends after its host and port"),
    ] {
        let mut arguments = vec!["join", target];
        arguments.extend(code);
        arguments.extend(print);
        laptop.run(&arguments).fails(2, says);
    }
    laptop.run(&["join", "http://desk:8400", "K7QM-3FBR-9TZX"]).fails(2, "--fingerprint");
    laptop
        .run(&["join", "http://desk:8400", "K7QM-3FBR-9TZX", "--fingerprint", "ZMYR"])
        .fails(2, "");
}

#[test]
fn nobody_there_and_something_else_there_are_told_apart() {
    let laptop = Machine::new();
    let join = |port: u16| {
        let address = format!("http://127.0.0.1:{port}");
        laptop.run(&["join", &address, "K7QM-3FBR-9TZX", "--fingerprint", "ZMYR-C1HG"])
    };
    let web = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = web.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = web.accept().unwrap();
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").unwrap();
    });
    join(port).fails(11, "is not a codeout daemon");
    server.join().unwrap();
    join(port).fails(10, "cannot be reached");
    for words in [&["attach"][..], &["open"], &["sessions"]] {
        laptop.run(words).fails(10, "paired with no daemon");
        laptop.run(&[words, &["--on", "desk"]].concat()).fails(15, "paired with no daemon");
    }
    laptop.run(&["status"]).fails(10, "does not run on this machine");
}

#[test]
fn a_changed_key_is_refused_explained_and_forgotten_only_on_purpose() {
    let (desk, daemon, laptop) = joined();
    let port = daemon.port();
    daemon.stop();
    std::fs::remove_dir_all(desk.file("daemon")).unwrap();
    let _daemon = desk.daemon(port);
    for command in ["attach", "open", "sessions"] {
        let refused = laptop.run(&[command, "--on", "desk"]);
        refused.fails(14, "the daemon's key has changed");
        assert!(refused.err.contains("codeout forget desk"), "{refused:?}");
    }
    assert!(laptop.run(&["daemons"]).succeeds().out.starts_with("desk   "));
    assert!(laptop.run(&["forget", "desk"]).succeeds().out.starts_with("forgotten."));
    assert_eq!(laptop.run(&["daemons", "--json"]).json(), serde_json::json!([]));
    laptop.run(&["forget", "desk"]).fails(15, "paired with no daemon");
}

#[test]
fn broken_files_are_named_and_left_as_they_are() {
    let (desk, daemon, laptop) = joined();
    daemon.stop();
    let breaks = |machine: &Machine, file: &str, arguments: &[&str]| {
        let path = machine.file(file);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, b"not what it should be").unwrap();
        let ran = machine.run(arguments);
        ran.fails(17, path.to_str().unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), b"not what it should be");
        std::fs::write(&path, whole).unwrap();
    };
    breaks(&desk, "daemon/identity", &["--port", "0"]);
    breaks(&desk, "daemon/devices.db", &["--port", "0"]);
    breaks(&desk, "daemon/devices.db", &["devices"]);
    breaks(&laptop, "device/daemons.json", &["attach", "--on", "desk"]);
    breaks(&laptop, "device/daemons.json", &["open"]);
}

#[test]
fn a_missing_key_is_not_made_anew_beside_devices_that_know_another() {
    let (desk, daemon, _laptop) = joined();
    daemon.stop();
    let path = desk.file("daemon/identity");
    std::fs::remove_file(&path).unwrap();
    for arguments in [&["devices"][..], &["fingerprint"], &["--port", "0"]] {
        desk.run(arguments).fails(17, path.to_str().unwrap());
        assert!(!path.exists(), "{arguments:?} made a key");
    }
}

#[test]
fn a_link_can_be_read_from_standard_input() {
    let desk = Machine::new();
    let _daemon = desk.daemon(0);
    let mut pair = desk.command(&["pair", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(pair.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let offer: serde_json::Value = serde_json::from_str(&line).unwrap();
    let laptop = Machine::new();
    laptop.run_with(&["join", "-"], offer["links"][0].as_str().unwrap()).succeeds();
    pair.wait().unwrap();
}

/// Every file below a directory that can be read.
fn files_below(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => files_below(&path),
            false => std::fs::read(&path).map(|bytes| (path, bytes)).into_iter().collect(),
        })
        .collect()
}

#[test]
fn a_detached_daemon_opens_no_code_and_one_that_is_asked_for_is_in_no_file() {
    let desk = Machine::new();
    desk.run(&["start", "--port", "0", "--bind", "127.0.0.1"]).succeeds();
    let is_open = || desk.run(&["status", "--json"]).json()["offer_expires_in"].is_u64();
    assert!(!is_open());
    let mut pair = desk.command(&["pair", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(pair.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let offer: serde_json::Value = serde_json::from_str(&line).unwrap();
    let (code, link) = (offer["code"].as_str().unwrap(), offer["links"][0].as_str().unwrap());
    assert!(is_open());
    let plain = code.replace('-', "");
    let secret = link.split_once('#').unwrap().1;
    let laptop = Machine::new();
    laptop.run_with(&["join", "-"], link).succeeds();
    pair.wait().unwrap();
    desk.run(&["stop", "--force"]).succeeds();
    for machine in [&desk, &laptop] {
        let files = files_below(machine.home.path());
        assert!(!files.is_empty());
        for (path, bytes) in files {
            for what in [code, &plain, secret] {
                let held = bytes.windows(what.len()).any(|part| part == what.as_bytes());
                assert!(!held, "{} holds the code", path.display());
            }
        }
    }
}

/// Elsewhere 127.0.0.1 is the only address that every machine has.
#[cfg(target_os = "linux")]
#[test]
fn a_daemon_listens_where_it_is_told_to_and_nowhere_else() {
    let reached = |port: u16| {
        ["127.0.0.1", "127.0.0.2"]
            .map(|address| std::net::TcpStream::connect((address, port)).is_ok())
    };
    for (bind, wanted) in [(&["--bind", "127.0.0.2"][..], [false, true]), (&[], [true, true])] {
        let desk = Machine::new();
        desk.run(&[&["start", "--port", "0"], bind].concat()).succeeds();
        let port = desk.run(&["status", "--json"]).json()["port"].as_u64().unwrap();
        assert_eq!(reached(port as u16), wanted, "{bind:?}");
        desk.run(&["stop"]).succeeds();
    }
}

#[test]
fn devices_are_managed_while_the_daemon_rests() {
    let (desk, daemon, _laptop) = joined();
    daemon.stop();
    let renamed = desk.run(&["devices", "rename", "work-laptop", "old laptop"]);
    assert_eq!(renamed.succeeds().out, "renamed. the device is now called old laptop.\n");
    desk.run(&["devices", "revoke", "nobody"])
        .fails(15, "no device is called nobody\n  paired devices: old laptop\n");
    let listed = desk.run(&["devices", "--json"]).json();
    assert_eq!((&listed[0]["name"], &listed[0]["state"]), (&"old laptop".into(), &"active".into()));
    let prefix = &listed[0]["id"].as_str().unwrap()[..4];
    let revoked = desk.run(&["devices", "revoke", prefix]);
    assert_eq!(revoked.succeeds().out, "revoked. old laptop can no longer connect.\n");
}

#[test]
fn a_device_manages_devices_on_its_daemon() {
    let (_desk, _daemon, laptop) = joined();
    assert_eq!(listed(&laptop.run(&["devices"])), "work-laptop   paired now    active\n");
    laptop.run(&["devices", "--on", "desk", "rename", "work-laptop", "x1"]).succeeds();
    assert!(laptop.run(&["devices", "-l", "--on", "desk"]).out.contains("this device"));
    laptop.run(&["devices", "--on", "nowhere"]).fails(15, "known daemons: desk");
    let revoked = laptop.run(&["devices", "--on", "desk", "revoke", "x1"]);
    assert_eq!(revoked.succeeds().out, "revoked. x1 can no longer connect.\n");
    laptop.run(&["attach", "--on", "desk"]).fails(13, "not, or no longer, paired");
}

#[test]
fn secret_files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (desk, _daemon, laptop) = joined();
    desk.run(&["open", "-d", "--", "/bin/cat"]).succeeds();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for (machine, file, wanted) in [
        (&desk, "daemon", 0o700),
        (&desk, "daemon/identity", 0o600),
        (&desk, "daemon/devices.db", 0o600),
        (&desk, "daemon/devices.db-wal", 0o600),
        (&desk, "daemon/control.sock", 0o600),
        (&desk, "daemon/lock", 0o600),
        (&desk, "daemon/sessions.json", 0o600),
        (&laptop, "device", 0o700),
        (&laptop, "device/daemons.json", 0o600),
    ] {
        assert_eq!(mode(&machine.file(file)), wanted, "{file}");
    }
}

#[test]
fn help_and_completions_are_there() {
    let machine = Machine::new();
    for command in [
        "pair", "join", "open", "sessions", "attach", "end", "rename", "dismiss", "programs",
        "devices", "daemons", "forget", "status", "start", "stop", "restart",
    ] {
        assert!(machine.run(&[command, "--help"]).succeeds().out.contains("Usage: codeout"));
    }
    let bash = machine.run(&["generate", "bash"]).succeeds().out.clone();
    assert!(bash.contains("devices") && !bash.contains("detached)"), "{bash}");
    let page = machine.run(&["generate", "man"]).succeeds().out.clone();
    for part in
        [".TH codeout", "\\-\\-bind", ".SS \"codeout devices revoke\"", "\\-\\-watch\\-only"]
    {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    assert!(!page.contains("(1)") && !page.contains("codeout detached"), "{page}");
    // Lines of a list are not filled as a text is.
    let list = page.split_once(".SH \"EXIT CODES\"\n.nf\n").unwrap().1;
    assert!(list.starts_with("   1  something else failed\n"), "{list}");
    assert!(machine.run(&["start", "--help"]).out.contains("Only as --confirm=false"));
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let machine = Machine::new();
    let words =
        [&["generate", "zsh"][..], &["generate", "man"], &["--help"], &["daemons", "--json"]];
    for words in words {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ran = Ran::of(&machine.command(words).stdout(writer).output().unwrap());
        assert_eq!((ran.code, &*ran.err), (0, ""), "{words:?}");
    }
}

/// Elsewhere there is no /dev/full.
#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_printed_is_a_failure() {
    let desk = Machine::new();
    let _daemon = desk.daemon(0);
    for words in [
        &["devices", "--json"][..],
        &["status"],
        &["fingerprint"],
        &["log"],
        &["programs"],
        &["generate", "zsh"],
        &["generate", "man"],
        &["--help"],
        &["--version"],
    ] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let ran = Ran::of(&desk.command(words).stdout(full).output().unwrap());
        ran.fails(1, "codeout: cannot write to standard output: No space left on device");
    }
    desk.run(&["sessions", "nonsense"]).fails(2, "unexpected argument");
}

#[test]
fn too_long_a_path_is_called_so() {
    let mut machine = Machine::new();
    machine.home = tempfile::Builder::new().prefix(&"long".repeat(30)).tempdir().unwrap();
    machine.run(&["--port", "0"]).fails(17, "too long a path for the control socket: /");
    machine.run(&["start", "--port", "0"]).fails(17, "to a directory with a shorter path\n");
}

#[test]
fn a_file_of_settings_that_is_no_text_is_named_with_its_line() {
    let machine = Machine::new();
    std::fs::write(machine.file("config.toml"), b"[daemon]\nname = \"caf\xe9\"\n").unwrap();
    let ran = machine.run(&["--port", "0"]);
    ran.fails(17, "config.toml, line 2: this is not UTF-8\n  correct that line");
}

#[test]
fn an_empty_variable_is_as_none() {
    let desk = Machine::new();
    let empty = |words: &[&str]| {
        let mut command = desk.command(words);
        for name in ["PORT", "BIND", "ADVERTISE", "NAME", "CONFIRM", "CONFIG", "FINGERPRINT"] {
            command.env(format!("CODEOUT_{name}"), "");
        }
        Ran::of(&command.stdin(Stdio::null()).output().unwrap())
    };
    empty(&["start", "--port", "0", "--bind", "127.0.0.1"]).succeeds();
    empty(&["status"]).succeeds();
    empty(&["join", "http://desk:8400", "K7QM"]).fails(2, "12 characters, not 4");
    empty(&["stop"]).succeeds();
    let mut daemons = desk.command(&["daemons", "--json"]);
    daemons.env("CODEOUT_HOME", "").env("XDG_DATA_HOME", desk.home.path());
    assert_eq!(Ran::of(&daemons.output().unwrap()).json(), serde_json::json!([]));
}

#[test]
fn a_wrong_variable_of_the_daemon_is_nothing_to_other_commands() {
    let desk = Machine::new();
    let _daemon = desk.daemon(0);
    for (name, value) in [("PORT", "abc"), ("BIND", "here"), ("CONFIRM", "perhaps")] {
        let run = |words: &[&str]| {
            let mut command = desk.command(words);
            Ran::of(&command.env(format!("CODEOUT_{name}"), value).output().unwrap())
        };
        run(&["status"]).succeeds();
        run(&["devices", "--json"]).succeeds();
        run(&["start"]).fails(2, value);
        run(&[]).fails(2, value);
    }
}

#[test]
fn a_restart_that_would_end_the_sessions_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Machine::new();
    let settings = desk.file("own.toml");
    let well = "[daemon]\nname = \"desk\"\n";
    std::fs::write(&settings, well).unwrap();
    let file = settings.to_str().unwrap();
    desk.run(&["start", "--port", "0", "--bind", "127.0.0.1", "--config", file]).succeeds();
    desk.run(&["open", "-d", "--name", "kept", "--", "/bin/cat"]).succeeds();
    let refused = |code, told: &str| {
        desk.run(&["restart"]).fails(code, told);
        assert!(desk.run(&["sessions"]).succeeds().out.contains("kept"));
    };

    let aside = desk.file("aside");
    for (name, told) in [("identity", "identity"), ("devices.db", "devices.db")] {
        let path = desk.file("daemon").join(name);
        std::fs::rename(&path, &aside).unwrap();
        refused(1, told);
        std::fs::write(&path, [b'x'; 8192]).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        refused(1, told);
        std::fs::rename(&aside, &path).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        refused(1, told);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    }
    let other = Machine::new();
    drop(other.daemon(0));
    let identity = desk.file("daemon/identity");
    std::fs::rename(&identity, &aside).unwrap();
    std::fs::copy(other.file("daemon/identity"), &identity).unwrap();
    refused(1, "identity holds another key");
    std::fs::rename(&aside, &identity).unwrap();

    // The file that the daemon was told to use counts, and no other.
    std::fs::write(&settings, "[daemon]\nname = nonsense\n").unwrap();
    refused(17, "own.toml, line 2");
    std::fs::write(&settings, well).unwrap();
    std::fs::write(desk.file("config.toml"), "nonsense").unwrap();
    assert!(desk.run(&["restart"]).succeeds().out.contains("1 session was kept"));
    desk.run(&["stop", "--force"]).succeeds();
}
