use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command as Program;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::unix::pipe;

use super::*;

/// Longer than any test that does not hang.
const LONG: Duration = Duration::from_secs(60);

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Home(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn hooks(&self, settings: &HookSettings, patience: Duration) -> Hooks {
        let own = [("HOME".into(), self.0.path().into())].into_iter().collect();
        let environment = LoginEnvironment::with(Path::new("/bin/sh"), own, LONG, LONG);
        Hooks::with(settings, environment, patience)
    }

    /// The lines of a file to which hooks add theirs.
    fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

fn event(kind: HookKind) -> HookEvent {
    HookEvent {
        kind,
        session: 7,
        name: "api".into(),
        program: "claude".into(),
        directory: "/srv/api".into(),
        title: None,
        text: None,
        exit: None,
    }
}

fn settings(kind: HookKind, command: &str) -> HookSettings {
    let mut settings = HookSettings::default();
    *slot(&mut settings, kind) = Some(command.to_owned());
    settings
}

fn slot(settings: &mut HookSettings, kind: HookKind) -> &mut Option<String> {
    match kind {
        HookKind::Opened => &mut settings.opened,
        HookKind::Bell => &mut settings.bell,
        HookKind::Notification => &mut settings.notification,
        HookKind::Quiet => &mut settings.quiet,
        HookKind::Title => &mut settings.title,
        HookKind::Ended => &mut settings.ended,
    }
}

const KINDS: [HookKind; 6] = [
    HookKind::Opened,
    HookKind::Bell,
    HookKind::Notification,
    HookKind::Quiet,
    HookKind::Title,
    HookKind::Ended,
];

async fn until(mut condition: impl FnMut() -> bool) {
    let polled = timeout(LONG, async {
        let mut looks = tokio::time::interval(Duration::from_millis(5));
        while !condition() {
            looks.tick().await;
        }
    });
    polled.await.expect("nothing happened for a minute");
}

async fn idle(hooks: &Hooks) {
    until(|| hooks.lock().running == 0).await;
}

#[tokio::test]
async fn a_command_is_told_what_happened_and_hostile_text_does_nothing() {
    let home = Home::new();
    fs::write(home.path("kept"), "").unwrap();
    let command = "cd \"$HOME\"; eval 'env -0' >out";
    let hooks = home.hooks(&settings(HookKind::Notification, command), LONG);
    hooks.run(HookEvent {
        name: "; rm -f \"$HOME/kept\"; `touch bad`".into(),
        program: "$(touch bad)\n\u{202e}gpj.sh\x1b[2J".into(),
        title: Some("a\nCODEOUT_EXIT=0\0b".into()),
        text: Some(format!("\x07 {}", "é".repeat(1_000))),
        ..event(HookKind::Notification)
    });
    idle(&hooks).await;

    let out = fs::read(home.path("out")).unwrap();
    let out = String::from_utf8(out).unwrap();
    let told: BTreeSet<_> = out.split('\0').filter(|line| line.starts_with("CODEOUT_")).collect();
    let text = format!("CODEOUT_TEXT={}", "é".repeat(MAX_TEXT / 2));
    let wanted = [
        "CODEOUT_DIRECTORY=/srv/api",
        "CODEOUT_EVENT=notification",
        "CODEOUT_PROGRAM=$(touch bad) gpj.sh[2J",
        "CODEOUT_SESSION=7",
        "CODEOUT_SESSION_NAME=; rm -f \"$HOME/kept\"; `touch bad`",
        "CODEOUT_TITLE=a CODEOUT_EXIT=0b",
        &text,
    ];
    assert_eq!(told, BTreeSet::from(wanted));
    assert!(home.path("kept").exists());
    assert!(!home.path("bad").exists());
}

#[test]
fn an_exit_is_a_number_or_a_signal() {
    for (exit, wanted) in [
        (Some(ExitStatus::Exit(0)), Some("0")),
        (Some(ExitStatus::Exit(255)), Some("255")),
        (Some(ExitStatus::Signal(9)), Some("signal 9")),
        (None, None),
    ] {
        let variables = HookEvent { exit, ..event(HookKind::Ended) }.variables();
        let told = variables.iter().find(|(name, _)| *name == "CODEOUT_EXIT");
        assert_eq!(told.map(|(_, value)| value.as_str()), wanted);
    }
}

#[tokio::test]
async fn each_event_runs_its_own_command_and_that_for_all() {
    let home = Home::new();
    let mut settings = HookSettings::default();
    for kind in KINDS {
        let own = format!("echo {} $CODEOUT_EVENT >>own", kind.name());
        *slot(&mut settings, kind) = Some(own);
    }
    settings.quiet = None;
    settings.all = Some("echo $CODEOUT_EVENT >>all".into());
    let hooks = home.hooks(&settings, LONG);
    KINDS.into_iter().for_each(|kind| hooks.run(event(kind)));
    idle(&hooks).await;

    let sorted = |mut lines: Vec<String>| {
        lines.sort();
        lines
    };
    let own = ["bell", "ended", "notification", "opened", "title"].map(|e| format!("{e} {e}"));
    assert_eq!(sorted(home.lines("own")), own);
    let all = ["bell", "ended", "notification", "opened", "quiet", "title"];
    assert_eq!(sorted(home.lines("all")), all);
}

#[tokio::test]
async fn a_command_runs_from_a_thread_without_a_runtime() {
    let home = Home::new();
    let hooks = home.hooks(&settings(HookKind::Bell, "echo rung >>out"), LONG);
    let called = hooks.clone();
    std::thread::spawn(move || called.run(event(HookKind::Bell))).join().unwrap();
    idle(&hooks).await;
    assert_eq!(home.lines("out"), ["rung"]);
}

#[tokio::test]
async fn a_flood_waits_up_to_its_bound_and_the_rest_is_dropped() {
    let home = Home::new();
    let command = "until [ -e go ]; do sleep 0.01; done; echo rung >>out";
    let hooks = home.hooks(&settings(HookKind::Bell, command), LONG);
    (0..200).for_each(|_| hooks.run(event(HookKind::Bell)));
    {
        let queue = hooks.lock();
        let all = (queue.running, queue.waiting.len(), queue.dropped);
        assert_eq!(all, (AT_ONCE, MAX_WAITING, (200 - AT_ONCE - MAX_WAITING) as u64));
    }
    fs::write(home.path("go"), "").unwrap();
    idle(&hooks).await;
    assert_eq!(home.lines("out").len(), AT_ONCE + MAX_WAITING);
    assert_eq!(hooks.lock().dropped, 0);
    // It goes on behind the flood.
    hooks.run(event(HookKind::Bell));
    idle(&hooks).await;
    assert_eq!(home.lines("out").len(), AT_ONCE + MAX_WAITING + 1);
}

#[tokio::test]
async fn commands_that_hang_give_way() {
    let home = Home::new();
    let mut settings = settings(HookKind::Bell, "while :; do sleep 1000; done");
    settings.ended = Some(": >ran".into());
    let hooks = home.hooks(&settings, Duration::from_millis(300));
    (0..2 * AT_ONCE).for_each(|_| hooks.run(event(HookKind::Bell)));
    // On a busy machine one may be taken for one that hangs: the next is not.
    until(|| {
        hooks.run(event(HookKind::Ended));
        home.path("ran").exists()
    })
    .await;
}

#[tokio::test]
async fn a_command_that_hangs_is_killed_with_its_children() {
    let home = Home::new();
    assert!(Program::new("mkfifo").arg(home.path("pipe")).status().unwrap().success());
    let pipe = pipe::OpenOptions::new().open_receiver(home.path("pipe")).unwrap();
    let mut pipe = BufReader::new(pipe);
    let command = "exec 9>pipe; echo here >&9; trap '' TERM HUP; sleep 1000 & wait";
    let hooks = home.hooks(&HookSettings::default(), LONG);
    let job = Job { command: command.into(), event: Arc::new(event(HookKind::Bell)) };
    let mut line = String::new();
    tokio::select! {
        status = hooks.run_command(&job) => panic!("{status:?}"),
        read = timeout(LONG, pipe.read_line(&mut line)) => assert_eq!(read.unwrap().unwrap(), 5),
    }
    let mut rest = String::new();
    timeout(LONG, pipe.read_to_string(&mut rest)).await.unwrap().unwrap();
    assert_eq!(rest, "");
}

#[tokio::test]
async fn what_a_command_leaves_behind_runs_on() {
    let home = Home::new();
    let command = "{ until [ -e go ]; do sleep 0.01; done; : >done; } & :";
    let hooks = home.hooks(&settings(HookKind::Bell, command), LONG);
    hooks.run(event(HookKind::Bell));
    idle(&hooks).await;
    fs::write(home.path("go"), "").unwrap();
    until(|| home.path("done").exists()).await;
}
