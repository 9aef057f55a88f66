//! The options of `exporter`. Help texts are the doc comments.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::metrics::access;
use crate::metrics::collector::Labels;

/// The options of `exporter`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct ExporterArgs {
    /// Serve on this address [default: 127.0.0.1:9878, or exporter.listen of ops.json]
    #[arg(long, value_name = "IP:PORT", value_parser = access::parse, conflicts_with_all = ["textfile", "stdout"])]
    pub listen: Option<SocketAddr>,

    /// Show every agent of this installation; --agent takes several too, with commas
    #[arg(long, conflicts_with = "agent")]
    pub all_agents: bool,

    /// Look at the host at least that often [default: 30s]
    #[arg(long, value_name = "SPAN", value_parser = super::args::positive_span, conflicts_with_all = ["textfile", "stdout"])]
    pub interval: Option<u64>,

    /// Tell agent, provider, profile and type (minimal), or e-mail addresses and paths too (full)
    /// [default: minimal, or exporter.labels of ops.json]
    #[arg(long, value_name = "HOW")]
    pub labels: Option<LabelsArg>,

    /// Serve only who shows the token in this file as a bearer token; needed beyond loopback
    #[arg(long, value_name = "FILE", conflicts_with_all = ["textfile", "stdout"])]
    pub auth_file: Option<PathBuf>,

    /// Show the status page at / too, read-only
    #[arg(long, conflicts_with_all = ["textfile", "stdout"])]
    pub page: bool,

    /// Serve a private network without a token
    #[arg(long, conflicts_with_all = ["textfile", "stdout", "auth_file"])]
    pub insecure: bool,

    /// Write openclaw.prom into this folder once, for the textfile collector of `node_exporter`
    #[arg(long, value_name = "DIR", conflicts_with = "stdout")]
    pub textfile: Option<PathBuf>,

    /// Print the metrics once
    #[arg(long)]
    pub stdout: bool,
}

/// The words of `--labels`.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum LabelsArg {
    /// Agent, provider, profile and type
    Minimal,
    /// E-mail addresses and paths too
    Full,
}

impl From<LabelsArg> for Labels {
    fn from(word: LabelsArg) -> Self {
        match word {
            LabelsArg::Full => Self::Full,
            LabelsArg::Minimal => Self::Minimal,
        }
    }
}
