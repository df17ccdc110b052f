//! `codeout generate`: shell completions and the manual page, for packagers.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::{Cli, GenerateArgs, Generated};
use crate::failure::Failure;
use crate::ui;

pub(crate) fn run(args: &GenerateArgs) -> Result<(), Failure> {
    let mut command = Cli::command();
    // Into memory: clap_complete panics when it cannot write.
    let mut text = Vec::new();
    let shell = match args.what {
        Generated::Bash => Some(Shell::Bash),
        Generated::Zsh => Some(Shell::Zsh),
        Generated::Fish => Some(Shell::Fish),
        Generated::Man => None,
    };
    match shell {
        Some(shell) => clap_complete::generate(shell, &mut command, "codeout", &mut text),
        None => clap_mangen::Man::new(command).render(&mut text)?,
    }
    ui::say_file(&text);
    Ok(())
}
