//! The options of the commands that an installation runs. Help texts are the doc comments.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// The options of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: ShellArg,
}

/// The shells that can complete.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum ShellArg {
    /// For /usr/share/bash-completion/completions/openclaw, or `eval` in ~/.bashrc
    Bash,
    /// For ~/.config/fish/completions/openclaw.fish
    Fish,
    /// For a file _openclaw in a folder of $fpath
    Zsh,
}

/// The options of `man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// The folder; it is made when it is not there
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
}
