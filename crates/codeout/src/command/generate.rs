//! `codeout generate`: shell completions and the manual page, for packagers.

use std::io;

use clap::{Arg, Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use crate::cli::{Cli, GenerateArgs, Generated};
use crate::failure::Failure;
use crate::ui;

pub(crate) fn run(args: &GenerateArgs) -> Result<(), Failure> {
    let text = match args.what {
        Generated::Bash => completions(Shell::Bash),
        Generated::Zsh => completions(Shell::Zsh),
        Generated::Fish => completions(Shell::Fish),
        Generated::Man => manual()?,
    };
    ui::say_file(&text);
    Ok(())
}

fn completions(shell: Shell) -> Vec<u8> {
    let whole = Cli::command();
    // Those of bash would offer hidden commands too.
    let mut command = Command::new("codeout")
        .version(env!("CARGO_PKG_VERSION"))
        .args(whole.get_arguments().cloned())
        .subcommands(shown(&whole).cloned());
    // Into memory: clap_complete panics when it cannot write.
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command, "codeout", &mut text);
    text
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|command| !command.is_hide_set())
}

/// One page for all commands: others that it could refer to are not there.
fn manual() -> io::Result<Vec<u8>> {
    // What is built knows its whole name, and would have a command `help`.
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let mut page = Vec::new();
    let man = Man::new(command.clone());
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    page.extend(b".SH COMMANDS\n");
    for command in shown(&command) {
        describe(&mut page, command)?;
    }
    page.extend(b".SH \"EXIT CODES\"\n");
    page.extend(verbatim(&command, 1).bytes());
    man.render_version_section(&mut page)?;
    Ok(page)
}

/// A command, and the commands below it.
fn describe(page: &mut Vec<u8>, command: &Command) -> io::Result<()> {
    // What every command has stands at the top already.
    let is_common = |arg: &Arg| ["home", "help"].contains(&arg.get_id().as_str());
    let own = command.clone().mut_args(|arg| if is_common(&arg) { arg.hide(true) } else { arg });
    let man = Man::new(own);
    let (mut synopsis, mut description, mut options) = (Vec::new(), Vec::new(), Vec::new());
    man.render_synopsis_section(&mut synopsis)?;
    man.render_description_section(&mut description)?;
    man.render_options_section(&mut options)?;
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    page.extend(format!(".SS \"{name}\"\n").bytes());
    page.extend(inside(&synopsis).bytes());
    page.extend(b".PP\n");
    page.extend(inside(&description).bytes());
    page.extend(inside(&options).bytes());
    let more = verbatim(command, 0);
    if !more.is_empty() {
        page.extend(b".PP\n");
        page.extend(more.bytes());
    }
    shown(command).try_for_each(|command| describe(page, command))
}

/// A section without its heading.
fn inside(section: &[u8]) -> String {
    let text = String::from_utf8_lossy(section);
    let behind = text.split_once(".SH ").and_then(|(_, section)| section.split_once('\n'));
    behind.map(|(_, text)| text.to_owned()).unwrap_or_default()
}

/// What stands below a command's help, in lines as they are, but for the first ones.
fn verbatim(command: &Command, skipped: usize) -> String {
    let Some(text) = command.get_after_help() else { return String::new() };
    let mut roff = Roff::new();
    roff.control("SH", [""]);
    roff.control("nf", []);
    for line in text.to_string().lines().skip(skipped) {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
    inside(roff.render().as_bytes())
}
