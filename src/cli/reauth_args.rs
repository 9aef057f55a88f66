//! The options of `models auth claude-status` and `models auth reauth`. Help texts are the doc comments.

use clap::{Args, ValueEnum};

use crate::cli::status_args::RefreshableArg;

/// The options of `models auth claude-status`.
#[derive(Debug, Args)]
pub struct ClaudeStatusArgs {
    /// How to print it
    #[arg(value_enum, default_value = "full")]
    pub mode: WordsArg,

    /// Judge renewable logins by their access token (strict) or by when a person is needed (lenient)
    /// [default: strict, or check.refreshable of ops.json]
    #[arg(long, value_name = "POLICY")]
    pub refreshable: Option<RefreshableArg>,
}

/// The ways to print the words of scripts.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum WordsArg {
    /// Two blocks, and the state of the gateway's service
    Full,
    /// A document
    Json,
    /// One word; the exit code tells it too
    Simple,
}

/// The options of `models auth reauth`.
#[derive(Debug, Args)]
pub struct ReauthArgs {
    /// Make a new login even when nobody is needed
    #[arg(long)]
    pub force: bool,

    /// Only print the address where to sign in
    #[arg(long, conflicts_with = "force")]
    pub url: bool,
}
