//! `codeout open`: a session of its own for a program.

use std::io::{ErrorKind, IsTerminal};
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use codeout_protocol::message::{Answer, Open, Request, TerminalSize};

use crate::cli::OpenArgs;
use crate::command::attach::{self, Look, own_size};
use crate::command::device_words;
use crate::command::target::Target;
use crate::failure::{Code, Failure};
use crate::home::{Home, user_directory};
use crate::ui;

/// Where there is no terminal.
const DEFAULT_SIZE: TerminalSize = TerminalSize { columns: 80, rows: 24 };

pub(crate) async fn run(args: OpenArgs, home: &Home) -> Result<ExitCode, Failure> {
    let look = Look::new(&args.window, home)?;
    let target = Target::find(home, args.on.as_deref(), false).await?;
    let here = std::env::current_dir().ok();
    let place = Place { here: here.filter(|_| target.is_local()), home: user_directory() };
    let Wanted { program, arguments, directory } = wanted(&args, &place)?;
    let TerminalSize { columns, rows } = own_size().unwrap_or(DEFAULT_SIZE);
    let open = Open {
        columns,
        rows,
        program,
        arguments,
        directory: Some(directory),
        name: args.name.as_ref().map(ToString::to_string),
    };
    let Answer::Opened { opened } = target.ask(Request::Open(open)).await? else {
        return Err(device_words::odd_answer());
    };
    let is_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    if is_terminal && !args.detached && !args.json {
        return attach::show(target, opened, &look).await;
    }
    if args.json {
        ui::say_json(&opened);
    } else {
        ui::say(&opened.name);
    }
    target.connection.close().await;
    Ok(ExitCode::SUCCESS)
}

/// What is to run, and where.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    program: Option<String>,
    arguments: Vec<String>,
    directory: String,
}

/// Where this command was typed.
struct Place {
    /// The current directory, if the daemon is on this machine.
    here: Option<PathBuf>,
    /// This user's home directory.
    home: Option<PathBuf>,
}

fn wanted(args: &OpenArgs, place: &Place) -> Result<Wanted, Failure> {
    let (mut program, mut directory) = (args.program.clone(), args.directory.clone());
    let mut command = args.command.iter().cloned();
    if let Some(first) = command.next() {
        if directory.is_some() {
            let text = "a program is named, and a command too";
            return Err(Failure::new(Code::Usage, text)
                .hint("put the arguments behind it: codeout open DIRECTORY -- COMMAND..."));
        }
        directory = program.replace(first);
    } else if directory.is_none() {
        directory = program.take_if(|one| place.is_directory(one));
        if let Some(path) = program.as_deref().and_then(|one| place.nothing_at(one)) {
            return Err(neither(&path));
        }
    }
    let directory = match directory {
        Some(directory) => place.sent(&directory),
        None => place.default_directory(),
    };
    Ok(Wanted { program, arguments: command.collect(), directory })
}

/// The one word that was typed may have been meant as either.
fn neither(path: &Path) -> Failure {
    let path = ui::clean(&path_text(path));
    Failure::new(Code::Other, format!("there is neither a directory nor a program {path}"))
        .hint("make it, or name another; `codeout programs` lists programs known by name")
}

impl Place {
    /// Whether the one word that was typed is a directory, and not a program.
    fn is_directory(&self, word: &str) -> bool {
        if matches!(word, "~" | "." | "..") || word.starts_with("~/") || word.ends_with('/') {
            return true;
        }
        match &self.here {
            Some(here) => word.contains('/') && here.join(word).is_dir(),
            // What is there cannot be seen from here; what this machine has there too is one.
            None => word.starts_with('/') && Path::new(word).is_dir(),
        }
    }

    /// The path that the one word is, if it can be seen from here that nothing is there.
    fn nothing_at(&self, word: &str) -> Option<PathBuf> {
        let path = self.here.as_ref().filter(|_| word.contains('/'))?.join(word);
        let error = path.metadata().err()?;
        let is_missing = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory);
        is_missing.then(|| tidy(&path))
    }

    /// A directory as the daemon is told it. On another machine one is below the home directory
    /// there, where nothing else is said; and what this machine's shell has made of `~/projects` is
    /// below the home directory of this machine, and means the one of the other.
    fn sent(&self, directory: &str) -> String {
        match &self.here {
            Some(_) if directory == "~" || directory.starts_with("~/") => directory.to_owned(),
            Some(here) => path_text(tidy(&here.join(directory))),
            None => {
                let path = Path::new(directory);
                let below = self.home.as_ref().and_then(|home| path.strip_prefix(home).ok());
                match below {
                    Some(below) => format!("~/{}", path_text(below)),
                    None if path.is_absolute() || directory.starts_with('~') => {
                        directory.to_owned()
                    }
                    None => format!("~/{}", path_text(tidy(path))),
                }
            }
        }
    }

    /// Where nothing was said: here, or at home there.
    fn default_directory(&self) -> String {
        match &self.here {
            Some(here) => path_text(here),
            None => "~/".to_owned(),
        }
    }
}

/// The path without `.` in it.
fn tidy(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}

fn path_text(path: impl AsRef<Path>) -> String {
    path.as_ref().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn opens(words: &[&str], here: Option<&Path>) -> Result<Wanted, Failure> {
        let typed = ["codeout", "open"].iter().chain(words);
        let Some(Command::Open(args)) = Cli::parse_from(typed).command else { panic!() };
        let place = Place { here: here.map(Path::to_owned), home: Some("/my/own".into()) };
        wanted(&args, &place)
    }

    fn told(words: &[&str], here: Option<&Path>) -> (String, String) {
        let Wanted { program, arguments, directory } = opens(words, here).unwrap();
        let program = program.into_iter().chain(arguments).collect::<Vec<_>>().join(" ");
        (program, directory)
    }

    #[test]
    fn on_this_machine_directories_are_those_of_this_one() {
        let here = tempfile::tempdir().unwrap();
        let at = here.path().to_str().unwrap();
        std::fs::create_dir(here.path().join("api")).unwrap();
        let below = format!("{at}/api");
        for (words, program, directory) in [
            (&["claude", "/tmp"][..], "claude", "/tmp"),
            (&["claude", "api"], "claude", &below),
            (&["claude", "./api/"], "claude", &below),
            (&["claude", "~/api"], "claude", "~/api"),
            (&["claude"], "claude", at),
            (&[], "", at),
            (&["."], "", at),
            (&["./api"], "", &below),
            (&["api"], "api", at),
            (&["gone/"], "", &format!("{at}/gone")),
            (&["~"], "", "~"),
            (&["--", "make", "-k", "watch"], "make -k watch", at),
            (&["./api", "--", "make", "--", "x"], "make -- x", &below),
        ] {
            let expected = (program.to_owned(), directory.to_owned());
            assert_eq!(told(words, Some(here.path())), expected, "{words:?}");
        }
    }

    #[test]
    fn a_path_to_nothing_is_neither_a_directory_nor_a_program() {
        let here = tempfile::tempdir().unwrap();
        std::fs::write(here.path().join("file"), "").unwrap();
        for word in ["./gone", "gone/deep", "file/below", "/gone/deep"] {
            let failure = opens(&[word], Some(here.path())).unwrap_err();
            assert!(failure.error.starts_with("there is neither a directory"), "{failure:?}");
            assert!(failure.error.ends_with(word.trim_start_matches('.')), "{failure:?}");
            assert_eq!(failure.code, Code::Other);
        }
        // What it is, the daemon finds out.
        for words in [&["./file"][..], &["gone"], &["./gone", "."], &["./gone", "--", "make"]] {
            assert!(opens(words, Some(here.path())).is_ok(), "{words:?}");
        }
    }

    #[test]
    fn on_another_machine_they_are_below_home_there() {
        let here = tempfile::tempdir().unwrap();
        let both = here.path().to_str().unwrap();
        for (words, program, directory) in [
            (&["claude", "~/api"][..], "claude", "~/api"),
            (&["claude", "/my/own/api"], "claude", "~/api"),
            (&["claude", "/srv/api"], "claude", "/srv/api"),
            (&["claude", "api"], "claude", "~/api"),
            (&["claude", "./api"], "claude", "~/api"),
            (&["claude"], "claude", "~/"),
            (&["api/"], "", "~/api"),
            (&["."], "", "~/"),
            (&[".."], "", "~/.."),
            (&["~"], "", "~"),
            (&[both], "", both),
            (&["/nowhere/program"], "/nowhere/program", "~/"),
            (&[], "", "~/"),
        ] {
            let expected = (program.to_owned(), directory.to_owned());
            assert_eq!(told(words, None), expected, "{words:?}");
        }
    }

    #[test]
    fn a_program_beside_a_command_is_one_too_many() {
        let failure = opens(&["claude", "~/api", "--", "make"], None).unwrap_err();
        assert_eq!(failure.code, Code::Usage);
    }
}
