use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::*;

/// A home directory with programs in `bin`, which is all of `PATH`, and a directory `work`.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        let home = Home(tempfile::tempdir().unwrap());
        fs::create_dir(home.path("bin")).unwrap();
        fs::create_dir(home.path("work")).unwrap();
        fs::write(
            home.path(".profile"),
            "PATH=relative::$HOME/gone:$HOME/bin GREETING=hello\n\
            export PATH GREETING",
        )
        .unwrap();
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A program that says its arguments and its directory. Written by another process, so that
    /// no other test's child holds it open for writing when it is run.
    fn program(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        let mut writer = Command::new("/bin/sh")
            .args(["-c", "cat >\"$0\" && chmod 755 \"$0\""])
            .arg(&path)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let script =
            b"#!/bin/sh\nfor word in \"$@\"; do echo \"$word\"; done; pwd; echo $GREETING\n";
        writer.stdin.take().unwrap().write_all(script).unwrap();
        assert!(writer.wait().unwrap().success());
        path
    }

    fn programs(&self, named: &[(&str, &[&str])]) -> Programs {
        let named = named.iter().map(|(name, command)| NamedProgram {
            name: (*name).to_owned(),
            command: command.iter().map(|word| (*word).to_owned()).collect(),
        });
        let settings = SessionSettings { programs: named.collect(), ..SessionSettings::default() };
        let own = [("HOME".into(), self.0.path().into())].into_iter().collect();
        let shell = Path::new("/bin/sh");
        let minute = Duration::from_secs(60);
        let environment = LoginEnvironment::with(shell, own, minute, minute);
        Programs::with(&settings, shell, self.0.path(), environment)
    }

    async fn resolve(&self, open: Open) -> Result<Resolved, RequestError> {
        self.programs(&[]).resolve(&open).await
    }

    async fn refused(&self, open: Open) -> RequestError {
        self.resolve(open).await.expect_err("is refused")
    }
}

fn open(program: &str, arguments: &[&str], directory: &str) -> Open {
    Open {
        columns: 80,
        rows: 24,
        program: Some(program).filter(|program| !program.is_empty()).map(str::to_owned),
        arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
        directory: Some(directory).filter(|directory| !directory.is_empty()).map(str::to_owned),
        name: None,
    }
}

/// Runs what was resolved as it is meant to be run.
fn run(resolved: &Resolved) -> String {
    let output = Command::new(&resolved.program)
        .args(&resolved.arguments)
        .current_dir(&resolved.directory)
        .env_clear()
        .envs(resolved.environment.iter().map(|(name, value)| (name, value)))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn nothing_named_is_a_login_shell_at_home() {
    let home = Home::new();
    for program in ["", "shell"] {
        let resolved = home.resolve(open(program, &[], "")).await.unwrap();
        assert_eq!(resolved.program, Path::new("/bin/sh"));
        assert_eq!(resolved.arguments, ["-l"]);
        assert_eq!(resolved.directory, home.0.path());
        assert_eq!(resolved.asked, "shell");
        assert_eq!(resolved.proposed.as_str(), "shell");
    }
    let says = home.resolve(open("shell", &["-c", "echo $GREETING"], "work")).await.unwrap();
    assert_eq!(run(&says), "hello\n");
    assert_eq!(says.proposed.as_str(), "work");
}

#[tokio::test]
async fn a_program_is_found_by_name_and_by_path() {
    let home = Home::new();
    let on_path = home.program("bin/claude");
    let below = home.program("work/tool");
    for (program, wanted) in [
        ("claude", &on_path),
        ("~/bin/claude", &on_path),
        ("../bin/claude", &on_path),
        (on_path.to_str().unwrap(), &on_path),
        ("./tool", &below),
    ] {
        let resolved = home.resolve(open(program, &["a b", "", "$HOME"], "work")).await.unwrap();
        assert!(resolved.program.is_absolute());
        assert_eq!(resolved.program.canonicalize().unwrap(), wanted.canonicalize().unwrap());
        let work = home.path("work").canonicalize().unwrap();
        assert_eq!(run(&resolved), format!("a b\n\n$HOME\n{}\nhello\n", work.display()));
        assert_eq!(resolved.asked, format!("{program} a b $HOME"));
        assert_eq!(resolved.proposed.as_str(), "work");
    }
}

#[tokio::test]
async fn a_directory_is_absolute_or_below_the_daemons_or_at_home() {
    let home = Home::new();
    fs::create_dir_all(home.path("work/deep er")).unwrap();
    let deep = home.path("work/deep er");
    for (directory, wanted) in [
        ("work/deep er", &deep),
        ("./work//deep er/", &deep),
        ("~/work/deep er", &deep),
        (deep.to_str().unwrap(), &deep),
        ("~", &home.path("")),
        ("~/", &home.path("")),
        (".", &home.path("")),
        ("/", &"/".into()),
    ] {
        let resolved = home.resolve(open("", &[], directory)).await.unwrap();
        assert_eq!(&resolved.directory, wanted, "{directory}");
        let name = if wanted == &deep { "deep er" } else { "shell" };
        assert_eq!(resolved.proposed.as_str(), name, "{directory}");
    }
    let up = home.resolve(open("", &[], "work/deep er/..")).await.unwrap();
    assert_eq!(up.directory, home.path("work").canonicalize().unwrap());
    assert_eq!(up.proposed.as_str(), "work");
}

#[tokio::test]
async fn a_link_to_a_directory_keeps_its_name() {
    let home = Home::new();
    symlink("work", home.path("project")).unwrap();
    let resolved = home.resolve(open("", &[], "project")).await.unwrap();
    assert_eq!(resolved.directory, home.path("project"));
    assert_eq!(resolved.proposed.as_str(), "project");
}

#[tokio::test]
async fn names_of_the_settings_come_first() {
    let home = Home::new();
    let tool = home.program("bin/tool");
    home.program("bin/claude");
    let programs = home.programs(&[
        ("claude", &["tool", "--as", "claude"]),
        ("claude", &["never"]),
        ("loop", &["loop"]),
        ("near", &["./tool"]),
        ("empty", &[]),
    ]);
    let claude = programs.resolve(&open("claude", &["more"], "")).await.unwrap();
    assert_eq!((&claude.program, &claude.asked[..]), (&tool, "claude more"));
    assert_eq!(claude.arguments, ["--as", "claude", "more"]);
    assert_eq!(claude.proposed.as_str(), "claude");
    // The words of a command are no names of the settings.
    let error = programs.resolve(&open("loop", &[], "")).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound);
    let near = programs.resolve(&open("near", &[], "bin")).await.unwrap();
    assert_eq!(near.program, home.path("bin/./tool"));
    let error = programs.resolve(&open("empty", &[], "")).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Failed);

    let programs = home.programs(&[("shell", &["tool", "-i"])]);
    for name in ["", "shell"] {
        let shell = programs.resolve(&open(name, &[], "")).await.unwrap();
        assert_eq!((shell.program, shell.arguments), (tool.clone(), vec!["-i".to_owned()]));
    }
}

#[tokio::test]
async fn the_list_has_the_shell_first_and_the_agents_that_are_there() {
    let home = Home::new();
    for agent in ["codex", "claude", "make"] {
        home.program(&format!("bin/{agent}"));
    }
    // Neither can be run.
    fs::write(home.path("bin/aider"), "").unwrap();
    fs::create_dir(home.path("bin/goose")).unwrap();
    let show = |list: Vec<ProgramEntry>| {
        list.into_iter().map(|entry| (entry.name, entry.command)).collect::<Vec<_>>()
    };
    let pair = |name: &str, command: &str| (name.to_owned(), command.to_owned());
    let path = |name: &str| home.path(name).display().to_string();

    let list = show(home.programs(&[]).list().await);
    let agents = [pair("claude", &path("bin/claude")), pair("codex", &path("bin/codex"))];
    assert_eq!(list, [&[pair("shell", "/bin/sh -l")], &agents[..]].concat());

    let named: &[(&str, &[&str])] =
        &[("web", &["make", "\x1b[2Jwatch"]), ("codex", &["other"]), ("shell", &["fish", "-l"])];
    let list = show(home.programs(named).list().await);
    let wanted = [
        pair("shell", "fish -l"),
        pair("web", "make '[2Jwatch'"),
        pair("codex", "other"),
        agents[0].clone(),
    ];
    assert_eq!(list, wanted);
}

#[tokio::test]
async fn a_list_always_fits_in_a_reply() {
    let home = Home::new();
    let names: Vec<_> = (0..1_000).map(|number| format!("program {number}")).collect();
    let long = "\"\\".repeat(1_000);
    let words = [long.as_str()];
    let named: Vec<_> = names.iter().map(|name| (name.as_str(), &words[..])).collect();
    let list = home.programs(&named).list().await;
    assert!(list.len() > 10 && list[0].name == "shell");
    assert!(serde_json::to_vec(&list).unwrap().len() < MAX_LIST + 1_024);
}

#[tokio::test]
async fn programs_that_cannot_be_run_are_refused_in_plain_words() {
    let home = Home::new();
    fs::write(home.path("bin/notes"), "text").unwrap();
    fs::write(home.path("notes"), "text").unwrap();
    symlink("nowhere", home.path("bin/dangling")).unwrap();
    // Root may do anything but follow this.
    symlink("loop", home.path("loop")).unwrap();
    for (program, code, text) in [
        ("nothere", ErrorCode::NotFound, "no program nothere on PATH: `codeout programs` lists"),
        ("dangling", ErrorCode::NotFound, "no program dangling on PATH"),
        (".", ErrorCode::NotFound, "no program . on PATH"),
        ("./nothere", ErrorCode::NotFound, "there is no program "),
        ("~/notes/x", ErrorCode::NotFound, "there is no program "),
        ("notes", ErrorCode::Failed, "/bin/notes may not be run: see its permissions"),
        ("./notes", ErrorCode::Failed, "/notes may not be run"),
        ("/dev/null", ErrorCode::Failed, "/dev/null may not be run"),
        ("./bin", ErrorCode::BadRequest, "/bin is a directory, not a program"),
        ("./loop", ErrorCode::Failed, "cannot run "),
    ] {
        let error = home.refused(open(program, &[], "")).await;
        assert_eq!(error.code, code, "{program}: {}", error.message);
        assert!(error.message.contains(text), "{program}: {}", error.message);
    }
}

#[tokio::test]
async fn directories_that_cannot_be_entered_are_refused_in_plain_words() {
    let home = Home::new();
    fs::write(home.path("file"), "").unwrap();
    // Root may enter anything but this.
    symlink("loop", home.path("loop")).unwrap();
    for (directory, code, text) in [
        ("gone", ErrorCode::NotFound, "there is no directory "),
        ("file/below", ErrorCode::NotFound, "there is no directory "),
        ("/gone/deep", ErrorCode::NotFound, "there is no directory /gone/deep: make it"),
        ("file", ErrorCode::BadRequest, "/file is not a directory"),
        ("loop", ErrorCode::Failed, "cannot enter "),
        ("loop/below", ErrorCode::Failed, "cannot enter "),
    ] {
        let error = home.refused(open("", &[], directory)).await;
        assert_eq!(error.code, code, "{directory}: {}", error.message);
        assert!(error.message.contains(text), "{directory}: {}", error.message);
    }
    fs::remove_dir(home.path("work")).unwrap();
    let error = home.refused(open("", &[], "work")).await;
    assert_eq!(error.code, ErrorCode::NotFound);
}

/// Mode bits bind root as well once it has given its capabilities up, which a thread can do for
/// itself alone. Only Linux has them; elsewhere, and for other users, the bits bind as they are.
#[test]
fn a_forbidden_directory_and_what_is_in_it_are_refused() {
    let home = Home::new();
    home.program("work/tool");
    let work = home.path("work");
    fs::set_permissions(&work, fs::Permissions::from_mode(0o600)).unwrap();
    let (entered, run) = std::thread::scope(|scope| {
        let refused = scope.spawn(|| {
            #[cfg(target_os = "linux")]
            rustix::thread::set_capabilities(
                None,
                rustix::thread::CapabilitySets {
                    effective: rustix::thread::CapabilitySet::empty(),
                    permitted: rustix::thread::CapabilitySet::empty(),
                    inheritable: rustix::thread::CapabilitySet::empty(),
                },
            )
            .unwrap();
            (enterable(&work), executable(&work.join("tool")))
        });
        refused.join().unwrap()
    });
    for (refused, what) in [(entered, "cannot enter "), (run, "cannot run ")] {
        let error = refused.expect_err("is refused");
        assert_eq!(error.code, ErrorCode::Failed);
        assert!(error.message.contains(what), "{}", error.message);
        assert!(error.message.contains("Permission denied"), "{}", error.message);
    }
}

#[tokio::test]
async fn too_much_and_what_no_system_takes_is_refused() {
    let home = Home::new();
    let many = vec!["x"; MAX_ARGUMENTS + 1];
    let long = "x".repeat(MAX_BYTES);
    for (wrong, text) in [
        (open("shell", &many, ""), "at most 256 arguments"),
        (open("shell", &[&long], ""), "at most 128 KiB"),
        (open(&long, &[], ""), "at most 128 KiB"),
        (open("", &[], &long), "at most 128 KiB"),
        (open("", &["x"], ""), "no program"),
        (open("a\0b", &[], ""), "no NUL"),
        (open("shell", &["a\0"], ""), "no NUL"),
        (open("", &[], "\0"), "no NUL"),
        (Open { program: Some(String::new()), ..open("", &[], "") }, "the program has no name"),
        (Open { directory: Some(String::new()), ..open("", &[], "") }, "the directory has no name"),
    ] {
        let error = home.refused(wrong).await;
        assert_eq!(error.code, ErrorCode::BadRequest, "{}", error.message);
        assert!(error.message.contains(text), "{}", error.message);
    }
    home.program("bin/tool");
    let most = vec!["x".repeat(MAX_BYTES / MAX_ARGUMENTS - 8); MAX_ARGUMENTS];
    let resolved = home.resolve(Open { arguments: most.clone(), ..open("tool", &[], "") }).await;
    assert!(run(&resolved.unwrap()).starts_with(&most.join("\n")));
    let name = "n".repeat(5_000);
    for (long, advice) in [
        (open(&name, &[], ""), "known by name"),
        (open(&format!("./{name}"), &[], ""), "known by name"),
        (open("", &[], &name), "name another"),
    ] {
        let error = home.refused(long).await;
        assert_eq!(error.code, ErrorCode::NotFound, "{}", error.message);
        assert!(error.message.contains("n… ") || error.message.contains("n…:"));
        assert!(error.message.ends_with(advice), "{}", error.message);
    }
}

#[tokio::test]
async fn hostile_names_are_only_names() {
    let home = Home::new();
    let names =
        ["; rm -rf .", "$(touch bad)", "a\nb", "x\u{202e}gpj.sh", "--help", "\x1b[2J", "-", "~x"];
    for name in names {
        fs::create_dir(home.path(&format!("work/{name}"))).unwrap();
        home.program(&format!("bin/{name}"));
        let resolved = home.resolve(open(name, &[name], &format!("work/{name}"))).await.unwrap();
        assert_eq!(resolved.program, home.path("bin").join(name));
        let output = run(&resolved);
        assert!(output.starts_with(&format!("{name}\n")), "{output:?}");
        let shown = format!("{}{}", resolved.asked, resolved.proposed);
        assert!(!shown.contains(['\n', '\x1b', '\u{202e}']), "{shown:?}");
        let gone = home.refused(open(&format!("gone{name}"), &[], "")).await;
        assert!(!gone.message.contains(['\n', '\x1b', '\u{202e}']), "{:?}", gone.message);
    }
    assert!(home.path("bin/; rm -rf .").exists() && !home.path("bad").exists());
    assert!(!home.path("work/$(touch bad)/bad").exists());

    // A name of which nothing can be shown.
    home.program("bin/\u{200b}");
    fs::create_dir(home.path("\u{200b}")).unwrap();
    let resolved = home.resolve(open("\u{200b}", &[], "\u{200b}")).await.unwrap();
    assert_eq!((&resolved.asked[..], resolved.proposed.as_str()), ("?", "shell"));
    // A directory whose name is no text can be the daemon's own, and gets nobody into trouble.
    let odd = home.0.path().join(OsStr::from_bytes(b"odd\xff"));
    fs::create_dir(&odd).unwrap();
    assert_eq!(enterable(&odd).unwrap(), odd);
    assert!(quoted_path(&odd).contains("odd"));
}

#[test]
fn what_is_shown_is_bounded() {
    let arguments = vec!["é".repeat(100); 100];
    let shown = asked(&Open { arguments, ..open("make", &[], "") });
    assert!(shown.starts_with("make éé") && shown.len() <= MAX_SHOWN);
}
