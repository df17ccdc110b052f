use std::fs;
use std::process::Command as Program;

use tokio::io::AsyncBufReadExt;
use tokio::net::unix::pipe;

use super::*;

/// Longer than any test that does not hang.
const LONG: Duration = Duration::from_secs(60);

/// A home directory with a profile, and a file system of its own for what the profile does.
struct Home(tempfile::TempDir);

impl Home {
    fn new(profile: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join(".profile"), profile).unwrap();
        Home(home)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn own(&self, more: &[(&str, &str)]) -> Variables {
        let home = (OsString::from("HOME"), self.0.path().as_os_str().to_owned());
        let more = more.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        more.chain([home]).collect()
    }

    fn environment(&self, patience: Duration, lifetime: Duration) -> LoginEnvironment {
        LoginEnvironment::with(Path::new("/bin/sh"), self.own(&[]), patience, lifetime)
    }

    /// A pipe in the home directory: `on` tells its reader who is alive.
    fn pipe(&self) -> pipe::Receiver {
        let path = self.path("pipe");
        assert!(Program::new("mkfifo").arg(&path).status().unwrap().success());
        pipe::OpenOptions::new().open_receiver(path).unwrap()
    }

    fn runs(&self) -> usize {
        fs::read_to_string(self.path("runs")).map_or(0, |runs| runs.lines().count())
    }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(LONG, future).await.expect("nothing happened for a minute")
}

/// The rest of what was written to a pipe, when everybody who could write more has ended.
async fn rest(mut pipe: impl AsyncRead + Unpin) -> String {
    let mut rest = String::new();
    within(pipe.read_to_string(&mut rest)).await.unwrap();
    rest
}

#[tokio::test]
async fn says_what_the_profile_sets() {
    let home = Home::new(
        "echo welcome; printf 'A=1\\0'\n\
         export LINES_TWO='one\ntwo=2' ODD=\"$(printf 'a\\377b')\" EMPTY=\n\
         export CODEOUT_TOKEN=secret SEEN_TERM=\"$TERM\"\n",
    );
    let own = home.own(&[("KEPT", "yes"), ("TMUX", "/tmp/x"), ("SSH_AUTH_SOCK", "/tmp/agent")]);
    let environment = LoginEnvironment::with(Path::new("/bin/sh"), own, LONG, LONG);
    let variables = environment.get().await;
    assert_eq!(variables.get("LINES_TWO"), Some(OsStr::new("one\ntwo=2")));
    assert_eq!(variables.get("ODD"), Some(OsStr::from_bytes(b"a\xffb")));
    assert_eq!(variables.get("KEPT"), Some(OsStr::new("yes")));
    assert_eq!(variables.get("SSH_AUTH_SOCK"), Some(OsStr::new("/tmp/agent")));
    assert_eq!(variables.get("SEEN_TERM"), Some(OsStr::new("dumb")));
    assert_eq!(variables.home(), home.0.path());
    assert!(variables.iter().any(|(name, value)| name == "EMPTY" && value.is_empty()));
    for foreign in ["A", "TMUX", "TERM", "CODEOUT_TOKEN", "PWD", "_", "SHLVL"] {
        assert!(variables.iter().all(|(name, _)| name != foreign), "{foreign} passed");
    }
}

#[tokio::test]
async fn a_profile_that_hangs_leaves_the_daemons_own() {
    let home = Home::new("export FROM_PROFILE=1; while :; do sleep 1000; done");
    let environment = home.environment(Duration::from_millis(50), LONG);
    let variables = within(environment.get()).await;
    assert_eq!(*variables, complete(home.own(&[]), Path::new("/bin/sh")));
    // Nobody waits for it again soon.
    assert!(Arc::ptr_eq(&environment.known().unwrap(), &variables));
}

#[tokio::test]
async fn a_profile_that_hangs_is_killed_with_its_children() {
    let home =
        Home::new("exec 9>\"$HOME/pipe\"; echo here >&9; sleep 1000 & trap '' TERM HUP; wait");
    let mut pipe = tokio::io::BufReader::new(home.pipe());
    let own = home.own(&[]);
    let mut line = String::new();
    tokio::select! {
        said = ask(Path::new("/bin/sh"), &own) => panic!("{said:?}"),
        read = within(pipe.read_line(&mut line)) => assert_eq!(read.unwrap(), 5),
    }
    assert_eq!(rest(pipe).await, "");
}

#[tokio::test]
async fn what_a_profile_leaves_behind_is_not_waited_for_and_killed() {
    let home = Home::new("exec 9>\"$HOME/pipe\"; echo here >&9; sleep 1000 & export DONE=1");
    let pipe = home.pipe();
    let variables = within(home.environment(LONG, LONG).get()).await;
    assert_eq!(variables.get("DONE"), Some(OsStr::new("1")));
    assert_eq!(rest(pipe).await, "here\n");
}

#[tokio::test]
async fn one_run_serves_all_who_ask_meanwhile_and_later() {
    let home = Home::new("echo run >>\"$HOME/runs\"");
    let environment = home.environment(LONG, LONG);
    let asked = (0..20).map(|_| {
        let environment = environment.clone();
        tokio::spawn(async move { environment.get().await })
    });
    let answers = futures_util::future::join_all(asked).await;
    let first = answers[0].as_ref().unwrap();
    assert!(answers.iter().all(|answer| Arc::ptr_eq(answer.as_ref().unwrap(), first)));
    assert!(Arc::ptr_eq(&environment.get().await, first));
    assert_eq!(home.runs(), 1);
}

#[tokio::test]
async fn an_old_answer_is_asked_for_again() {
    let home = Home::new("echo run >>\"$HOME/runs\"");
    let environment = home.environment(LONG, Duration::ZERO);
    environment.get().await;
    environment.get().await;
    assert_eq!(home.runs(), 2);
}

#[tokio::test]
async fn whoever_gives_up_stops_no_run() {
    let home = Home::new("echo run >>\"$HOME/runs\"; read line <\"$HOME/pipe\"; export LINE=$line");
    drop(home.pipe());
    let environment = home.environment(LONG, LONG);
    let gives_up = {
        let environment = environment.clone();
        tokio::spawn(async move { environment.get().await })
    };
    within(async {
        while home.runs() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    gives_up.abort();
    assert!(gives_up.await.unwrap_err().is_cancelled());
    let (variables, written) = within(async {
        tokio::join!(environment.get(), tokio::fs::write(home.path("pipe"), "go\n"))
    })
    .await;
    written.unwrap();
    assert_eq!(variables.get("LINE"), Some(OsStr::new("go")));
    assert_eq!(home.runs(), 1);
}

#[tokio::test]
async fn a_profile_that_never_stops_talking_is_cut_short() {
    let home = Home::new("while :; do echo talk talk talk talk talk talk talk talk; done");
    let said = within(ask(Path::new("/bin/sh"), &home.own(&[]))).await;
    assert_eq!(said, Err("it says too much"));
}

#[tokio::test]
async fn a_shell_that_is_none_leaves_the_daemons_own() {
    let home = Home::new("");
    for shell in ["/bin/false", "/bin/true", "/missing/shell", "/"] {
        let own = home.own(&[("KEPT", "yes")]);
        let environment = LoginEnvironment::with(Path::new(shell), own, LONG, LONG);
        let variables = within(environment.get()).await;
        assert_eq!(variables.get("KEPT"), Some(OsStr::new("yes")));
        assert_eq!(variables.get("SHELL"), Some(OsStr::new(shell)));
    }
}

#[test]
fn what_no_program_should_miss_is_always_there() {
    let empty = ["HOME", "LANG", "PATH", "USER"].map(|name| (name.into(), OsString::new()));
    for variables in [Variables::default(), empty.into_iter().collect()] {
        let variables = complete(variables, Path::new("/bin/sh"));
        for name in ["HOME", "LANG", "LOGNAME", "PATH", "SHELL", "USER"] {
            assert!(variables.get(name).is_some(), "{name} is missing");
        }
        assert_eq!(variables.get("SHELL"), Some(OsStr::new("/bin/sh")));
    }
    let set = [("LOGNAME", "ada"), ("LANG", "de_DE.UTF-8"), ("PATH", "/p")];
    let set = set.map(|(name, value)| (name.into(), value.into())).into_iter().collect();
    let variables = complete(set, Path::new("/bin/sh"));
    assert_eq!(variables.get("USER"), Some(OsStr::new("ada")));
    assert_eq!(variables.get("LANG"), Some(OsStr::new("de_DE.UTF-8")));
    assert_eq!(variables.get("PATH"), Some(OsStr::new("/p")));
}

#[test]
fn only_what_is_between_the_marks_counts() {
    let said = |said: &[u8]| {
        let variables = parse(said)?;
        Some(variables.iter().map(|(n, v)| format!("{n:?}={v:?}")).collect::<Vec<_>>().join(" "))
    };
    for (text, wanted) in [
        (&b"x\0codeout-begin\0A=1\0B=\0codeout-end\0y"[..], Some("\"A\"=\"1\" \"B\"=\"\"")),
        (b"\0codeout-begin\0codeout-end\0", Some("")),
        (b"\0codeout-begin\0=1\0none\0C==\0codeout-end\0", Some("\"C\"=\"=\"")),
        (b"\0codeout-end\0\0codeout-begin\0A=1\0", None),
        (b"A=1\0codeout-end\0", None),
        (b"", None),
    ] {
        assert_eq!(said(text).as_deref(), wanted, "{}", text.escape_ascii());
    }
}
