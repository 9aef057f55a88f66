//! `openclaw completions` and `openclaw man`: what an installation puts beside the program, made from the command tree.

use std::io;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::cli::args::Cli;
use crate::cli::packaging_args::{CompletionsArgs, ManArgs, ShellArg};
use crate::cli::printer::Printer;
use crate::exit::{CommandError, ExitStatus};
use crate::process::ENV_VARS;
use crate::sys::files;

/// Prints the completions of a shell.
pub(super) fn completions(printer: &Printer<'_>, args: &CompletionsArgs) -> ExitStatus {
    let shell = match args.shell {
        ShellArg::Bash => Shell::Bash,
        ShellArg::Fish => Shell::Fish,
        ShellArg::Zsh => Shell::Zsh,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "openclaw", &mut script);
    printer.answer(&String::from_utf8_lossy(&script))
}

/// Writes a manual page for every command, and prints which.
pub(super) fn man(printer: &Printer<'_>, args: &ManArgs) -> Result<ExitStatus, CommandError> {
    let failed = |path: &Path, error: &io::Error| {
        CommandError::io(format!("failed to write {}: {}", path.display(), files::reason(error)))
            .hint("give --dir a folder that you may write to")
    };
    fs_err::create_dir_all(&args.dir).map_err(|error| failed(&args.dir, &error))?;
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    render(&command, &mut pages).map_err(|error| failed(&args.dir, &error))?;
    let mut written = String::new();
    for (name, page) in pages {
        files::replace_public(&args.dir.join(&name), &page)
            .map_err(|error| failed(&args.dir.join(&name), &error))?;
        written += &(name + "\n");
    }
    Ok(printer.answer(&written))
}

/// The pages of a command and of all below it, with the names of their files.
fn render(command: &clap::Command, pages: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    let man =
        Man::new(command.clone()).source(format!("openclaw {version}")).manual("Credentials of AI agents");
    let mut page = Vec::new();
    man.render(&mut page)?;
    // The pages have no date, so that one command tree makes one page; an empty argument wants its quotes.
    let mut page = String::from_utf8_lossy(&page)
        .replacen(" 1  \"", " 1 \"\" \"", 1)
        .replace("\n.SH EXTRA\n", "\n.SH \"EXIT STATUS\"\n");
    // The root alone has the version.
    if command.get_version().is_some() {
        page += &common_sections();
    }
    pages.push((man.get_filename(), page.into_bytes()));
    command.get_subcommands().filter(|below| !below.is_hide_set()).try_for_each(|below| render(below, pages))
}

/// What holds for every command.
fn common_sections() -> String {
    let mut roff = Roff::new();
    roff.control("SH", ["EXIT STATUS"]);
    for (status, meaning) in ExitStatus::ALL {
        roff.control("TP", []);
        roff.text([bold(status.code().to_string())]);
        roff.text([roman(meaning.replace('`', ""))]);
    }
    roff.control("SH", ["ENVIRONMENT"]);
    for variable in ENV_VARS {
        roff.control("TP", []);
        roff.text([bold(variable.name)]);
        roff.text([roman(variable.help.replace('`', ""))]);
    }
    roff.render()
}
