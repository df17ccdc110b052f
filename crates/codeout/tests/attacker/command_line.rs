//! The same attacks on `codeout join`, `codeout open` and `codeout attach`: what a person and a script see.

use std::process::{Output, Stdio};
use std::sync::Arc;

use codeout_device::Profiles;
use codeout_protocol::code::Code;
use codeout_protocol::link::Link;
use codeout_protocol::sodium::KeyPair;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;

use crate::proxy::{
    FIRST, FOURTH, HANDSHAKE, How, Impostor, Place, Plan, Proxy, SECOND, Side, THIRD,
};
use crate::secrets::Secrets;
use crate::support::process::codeout;
use crate::support::{PATIENCE, TestDaemon};
use crate::{entries, revoke, stage};

/// Exit codes.
const WORKED: i32 = 0;
/// That of the shell of a session.
const SHELL: i32 = 7;
const NOT_CODEOUT: i32 = 11;
const PAIRING_CODE: i32 = 12;
const WRONG_KEY: i32 = 14;
const CUT: i32 = 19;

/// A machine that is to become a device.
struct Machine {
    home: TempDir,
    secrets: Secrets,
}

impl Machine {
    fn new() -> Self {
        Machine { home: TempDir::new().unwrap(), secrets: Secrets::default() }
    }

    /// Runs the program; its exit code. What it prints holds no secret.
    async fn run(&mut self, arguments: &[&str], input: &str) -> i32 {
        let mut command = codeout(self.home.path());
        command.args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // It may be over before it reads.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let ended = tokio::time::timeout(PATIENCE, child.wait_with_output()).await;
        let Output { status, stdout, stderr } = ended.expect("it does not end").unwrap();
        for profile in self.profiles().list().unwrap() {
            self.secrets.add_credentials(&profile.credentials);
        }
        self.secrets.absent_from("standard error", &stderr);
        self.secrets.absent_from("standard output", &stdout);
        let code = status.code().unwrap();
        let words = String::from_utf8(stderr).unwrap();
        if code != WORKED && arguments[0] == "join" {
            assert!(words.contains("codeout: "), "{words}");
        }
        code
    }

    fn profiles(&self) -> Profiles {
        Profiles::open(&self.home.path().join("device/daemons.json")).unwrap()
    }

    async fn join(&mut self, link: &Link) -> i32 {
        self.secrets.add_code(&link.code);
        let link = link.printed();
        self.run(&["join", &link], "").await
    }

    /// Opens a session with a shell on the only daemon that it knows.
    async fn open(&mut self, session: &str) -> i32 {
        self.run(&["open", "-d", "shell", "--name", session], "").await
    }

    /// Attaches to a session, ends its shell, and takes it off the list.
    async fn attach(&mut self, session: &str) -> i32 {
        self.run(&["attach", session], "exit 7\n").await
    }

    /// Works with the daemon.
    async fn works(&mut self) {
        assert_eq!(self.open("work").await, WORKED);
        assert_eq!(self.attach("work").await, SHELL);
    }
}

/// Joins by this link when nobody interferes, and works.
async fn joins(daemon: &TestDaemon, proxy: &Proxy, machine: &mut Machine, link: &Link) {
    proxy.plan(Plan::Relay);
    assert_eq!(machine.join(link).await, WORKED);
    machine.works().await;
    let [entry] = &entries(daemon).await[..] else { panic!("one device") };
    assert!(!entry.unfinished);
    revoke(daemon, entry).await;
}

fn flip(place: Place, byte: usize) -> Plan {
    Plan::Change(place, How::Flip { byte, mask: 0x40 })
}

fn cut(place: Place) -> Plan {
    Plan::Change(place, How::Cut)
}

#[tokio::test(flavor = "multi_thread")]
async fn join_ends_when_its_first_messages_are_changed() {
    let (daemon, proxy) = stage().await;
    for (plan, expected) in [
        (flip(FIRST, 0), &[NOT_CODEOUT][..]),
        // A changed ML-KEM key may be none.
        (flip(FIRST, 633), &[PAIRING_CODE, NOT_CODEOUT]),
        (flip(FIRST, 1266), &[PAIRING_CODE]),
        (flip(SECOND, 0), &[NOT_CODEOUT]),
        (flip(SECOND, 616), &[PAIRING_CODE]),
        (flip(SECOND, 1232), &[WRONG_KEY]),
        (cut(FIRST), &[CUT]),
        (cut(SECOND), &[CUT]),
    ] {
        let mut machine = Machine::new();
        let link = daemon.link(&daemon.offer(), proxy.port());
        proxy.plan(plan.clone());
        let code = machine.join(&link).await;
        assert!(expected.contains(&code), "{plan:?}: {code}");
        assert!(machine.profiles().list().unwrap().is_empty());
        assert_eq!(daemon.count().await, 0);
        joins(&daemon, &proxy, &mut machine, &link).await;
    }
}

/// Once the device has shown itself, it looks whether it is paired, and finishes with the same
/// code.
#[tokio::test(flavor = "multi_thread")]
async fn join_gets_over_one_change_of_its_last_messages() {
    let (daemon, proxy) = stage().await;
    let name = "laptop";
    let p3 = 120 + name.len();
    for plan in [
        flip(THIRD, 0),
        flip(THIRD, p3 / 2),
        flip(THIRD, p3 - 1),
        flip(FOURTH, 0),
        flip(FOURTH, 60),
        flip(FOURTH, 105),
        cut(THIRD),
        cut(FOURTH),
    ] {
        let mut machine = Machine::new();
        let link = daemon.link(&daemon.offer(), proxy.port());
        machine.secrets.add_code(&link.code);
        proxy.once(plan.clone());
        let printed = link.printed();
        let code = machine.run(&["join", &printed, "--name", name], "").await;
        assert_eq!(code, WORKED, "{plan:?}");
        assert!(proxy.seen().len() > 1, "{plan:?}: nothing had to be got over");
        machine.works().await;
        let [entry] = &entries(&daemon).await[..] else { panic!("{plan:?}: one device") };
        assert_eq!((entry.name.as_str(), entry.unfinished), (name, false));
        revoke(&daemon, entry).await;
    }
}

/// When every attempt is changed it fails in the end, and what it keeps is taken up later.
#[tokio::test(flavor = "multi_thread")]
async fn join_gives_up_when_its_last_messages_are_always_changed() {
    let attempts = [
        (flip(THIRD, 0), NOT_CODEOUT),
        (flip(THIRD, 40), NOT_CODEOUT),
        (flip(THIRD, 87), CUT),
        (flip(FOURTH, 0), NOT_CODEOUT),
        (flip(FOURTH, 60), WRONG_KEY),
        (flip(FOURTH, 105), WRONG_KEY),
        (cut(THIRD), CUT),
        (cut(FOURTH), CUT),
    ];
    // Each waits some seconds between its attempts.
    let attempts = attempts.map(|(plan, expected)| {
        tokio::spawn(async move {
            let (daemon, proxy) = stage().await;
            let mut machine = Machine::new();
            let link = daemon.link(&daemon.offer(), proxy.port());
            proxy.plan(plan.clone());
            assert_eq!(machine.join(&link).await, expected, "{plan:?}");
            let list = entries(&daemon).await;
            assert!(list.iter().all(|entry| entry.unfinished), "{plan:?}: {list:?}");
            joins(&daemon, &proxy, &mut machine, &link).await;
        })
    });
    for attempt in attempts {
        attempt.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn join_refuses_another_key() {
    let (daemon, proxy) = stage().await;
    let mut machine = Machine::new();
    let code = daemon.offer();
    let link = daemon.link(&code, proxy.port());
    let impersonate =
        |code: Code| Plan::Impersonate(Arc::new(Impostor { key: KeyPair::generate(), code }));
    proxy.plan(impersonate(Code::random()));
    assert_eq!(machine.join(&link).await, PAIRING_CODE);
    proxy.plan(impersonate(code.clone()));
    assert_eq!(machine.join(&link).await, WRONG_KEY);
    assert_eq!(proxy.over().await.from(Side::Device).count(), 1);
    // By a typed code, with the fingerprint that the daemon shows.
    let (address, typed) = (proxy.address().to_string(), code.printed());
    let fingerprint = daemon.daemon.fingerprint().await.unwrap().to_string();
    proxy.plan(impersonate(code.clone()));
    let by_code = ["join", &address, &typed, "--fingerprint", &fingerprint];
    assert_eq!(machine.run(&by_code, "").await, WRONG_KEY);
    assert_eq!(proxy.over().await.from(Side::Device).count(), 1);
    assert!(machine.profiles().list().unwrap().is_empty());
    assert_eq!(daemon.count().await, 0);
    joins(&daemon, &proxy, &mut machine, &link).await;
}

/// A machine that is paired through the proxy.
async fn joined(daemon: &TestDaemon, proxy: &Proxy) -> Machine {
    let mut machine = Machine::new();
    let link = daemon.link(&daemon.offer(), proxy.port());
    assert_eq!(machine.join(&link).await, WORKED);
    machine
}

/// What is done to every message of a connect, and what comes of it.
fn attacks_on_connect() -> Vec<(Plan, i32)> {
    let impostor = Impostor { key: KeyPair::generate(), code: Code::random() };
    let mut attacks = vec![
        (Plan::Impersonate(Arc::new(impostor)), WRONG_KEY),
        (flip(FIRST, 0), NOT_CODEOUT),
        (flip(FIRST, 617), WRONG_KEY),
        (flip(FIRST, 1234), WRONG_KEY),
        (flip(SECOND, 0), NOT_CODEOUT),
        (flip(SECOND, 568), WRONG_KEY),
        (flip(SECOND, 1136), WRONG_KEY),
        (flip(THIRD, 0), NOT_CODEOUT),
        (flip(THIRD, 44), NOT_CODEOUT),
        (flip(THIRD, 87), CUT),
        (flip(FOURTH, 0), NOT_CODEOUT),
        (flip(FOURTH, 60), WRONG_KEY),
        (flip(FOURTH, 105), WRONG_KEY),
    ];
    attacks.extend(HANDSHAKE.map(|place| (cut(place), CUT)));
    attacks
}

#[tokio::test(flavor = "multi_thread")]
async fn attach_ends_when_anything_is_changed() {
    let (daemon, proxy) = stage().await;
    let mut machine = joined(&daemon, &proxy).await;
    let file = machine.home.path().join("device/daemons.json");
    let known = std::fs::read(&file).unwrap();

    assert_eq!(machine.open("work").await, WORKED);
    let mut attacks = attacks_on_connect();
    attacks.extend([
        // The request for the list of sessions, and the answer to it.
        (flip(Place::record(Side::Device, 0), 40), CUT),
        (flip(Place::record(Side::Daemon, 0), 40), CUT),
        // The request to attach, and the answer to it.
        (flip(Place::record(Side::Device, 1), 40), CUT),
        (flip(Place::record(Side::Daemon, 1), 40), CUT),
        (cut(Place::record(Side::Daemon, 1)), CUT),
    ]);
    for (plan, expected) in attacks {
        proxy.plan(plan.clone());
        assert_eq!(machine.attach("work").await, expected, "{plan:?}");
        assert!(std::fs::read(&file).unwrap() == known, "{plan:?}: the profile has changed");
    }
    // What is shown. What is typed may have arrived.
    for index in 2..6 {
        proxy.plan(Plan::Relay);
        let session = format!("shown-{index}");
        assert_eq!(machine.open(&session).await, WORKED);
        proxy.plan(flip(Place::record(Side::Daemon, index), 40));
        assert_eq!(machine.attach(&session).await, CUT, "{index}");
        assert!(std::fs::read(&file).unwrap() == known, "{index}: the profile has changed");
    }
    proxy.plan(Plan::Relay);
    assert_eq!(machine.attach("work").await, SHELL);
    assert_eq!(daemon.count().await, 1);
}

/// A link that is lost is made anew. What is typed arrives once: a second `exit` would find no
/// session, and a lost one would leave it running.
#[tokio::test(flavor = "multi_thread")]
async fn attach_gets_over_a_lost_link() {
    let (daemon, proxy) = stage().await;
    let mut machine = joined(&daemon, &proxy).await;
    for plan in [
        // What is typed: the daemon goes without a word.
        flip(Place::record(Side::Device, 2), 40),
        cut(Place::record(Side::Device, 2)),
        // What is shown, from the first to what ends it.
        cut(Place::record(Side::Daemon, 2)),
        cut(Place::record(Side::Daemon, 3)),
        cut(Place::record(Side::Daemon, 4)),
        cut(Place::record(Side::Daemon, 5)),
    ] {
        proxy.plan(Plan::Relay);
        assert_eq!(machine.open("work").await, WORKED);
        proxy.once(plan.clone());
        assert_eq!(machine.attach("work").await, SHELL, "{plan:?}");
        // Beside the last one, which takes the session off the list.
        assert!(proxy.seen().len() >= 3, "{plan:?}: no link was lost");
        assert_eq!(daemon.daemon.sessions(), [], "{plan:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn open_ends_when_anything_is_changed() {
    let (daemon, proxy) = stage().await;
    let mut machine = joined(&daemon, &proxy).await;
    let mut attacks = attacks_on_connect();
    attacks.push((flip(Place::record(Side::Device, 0), 40), CUT));
    attacks.push((cut(Place::record(Side::Device, 0)), CUT));
    for (plan, expected) in attacks {
        proxy.plan(plan.clone());
        assert_eq!(machine.open("work").await, expected, "{plan:?}");
        assert_eq!(daemon.daemon.sessions(), [], "{plan:?}");
    }
    // The answer is changed: what was asked for is done.
    for plan in [flip(Place::record(Side::Daemon, 0), 40), cut(Place::record(Side::Daemon, 0))] {
        proxy.plan(plan.clone());
        assert_eq!(machine.open("work").await, CUT, "{plan:?}");
        proxy.plan(Plan::Relay);
        assert_eq!(machine.attach("work").await, SHELL, "{plan:?}");
    }
    machine.works().await;
    assert_eq!(daemon.daemon.sessions(), []);
}
