//! The options of `doctor`. Help texts are the doc comments.

use clap::Args;

use crate::cli::args::positive_span;
use crate::cli::status_args::PolicyArgs;
use crate::core::finding::Code;

/// The options of `doctor`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct DoctorArgs {
    /// Mend what is safe to mend; what it changes can be undone
    #[arg(long, visible_alias = "repair")]
    pub fix: bool,

    /// Mend also what changes how this host behaves: agree to every question
    #[arg(long)]
    pub yes: bool,

    /// With --fix or --yes: mend also files of vendors' programs
    #[arg(long)]
    pub force: bool,

    /// Ask nothing; without --fix nothing but logins is changed
    #[arg(long)]
    pub non_interactive: bool,

    /// Ask the network too: whether providers can be reached, and what time it is there
    #[arg(long)]
    pub deep: bool,

    /// Give the gateway a token when it has none
    #[arg(long)]
    pub generate_gateway_token: bool,

    /// Take back what the last run with --fix has changed, wherever it is still as it was left
    #[arg(long, conflicts_with_all = ["fix", "yes", "force", "deep", "generate_gateway_token", "list", "only", "skip", "json"])]
    pub undo: bool,

    /// List everything that can be found
    #[arg(long, conflicts_with_all = ["fix", "yes", "only", "skip"])]
    pub list: bool,

    /// Look for this only
    #[arg(long, value_name = "CODE", value_delimiter = ',', value_parser = code)]
    pub only: Vec<Code>,

    /// Do not look for this
    #[arg(long, value_name = "CODE", value_delimiter = ',', value_parser = code)]
    pub skip: Vec<Code>,

    /// Print JSON (docs/doctor.schema.json)
    #[arg(long)]
    pub json: bool,

    /// How it is judged.
    #[command(flatten)]
    pub policy: PolicyArgs,

    /// How long each check may take
    /// [default: 5s]
    #[arg(long, value_name = "SPAN", value_parser = positive_span)]
    pub timeout: Option<u64>,

    #[arg(long, hide = true)]
    no_workspace_suggestions: bool,
}

fn code(text: &str) -> Result<Code, String> {
    Code::find(text.trim()).ok_or_else(|| {
        let near = Code::ALL
            .iter()
            .map(|code| code.name())
            .max_by(|a, b| strsim::jaro(a, text).total_cmp(&strsim::jaro(b, text)));
        let near = near.map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"));
        format!("no such code{near} See `openclaw doctor --list`")
    })
}
