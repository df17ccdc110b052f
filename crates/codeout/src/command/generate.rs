//! `codeout generate`: shell completions and the manual page, for packagers.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::{Cli, GenerateArgs, Generated};
use crate::failure::Failure;

pub(crate) fn run(args: &GenerateArgs) -> Result<(), Failure> {
    let mut command = Cli::command();
    let mut stdout = std::io::stdout();
    let shell = match args.what {
        Generated::Bash => Shell::Bash,
        Generated::Zsh => Shell::Zsh,
        Generated::Fish => Shell::Fish,
        Generated::Man => {
            return Ok(clap_mangen::Man::new(command).render(&mut stdout)?);
        }
    };
    clap_complete::generate(shell, &mut command, "codeout", &mut stdout);
    Ok(())
}
