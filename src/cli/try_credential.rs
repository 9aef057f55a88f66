//! Trying a credential that was just set up, on request.

use crate::cli::Session;
use crate::core::credential::Credential;
use crate::core::probe::{self as cheap, ProbeStatus};
use crate::exit::ExitStatus;
use crate::probe;
use crate::render::printable;
use crate::workspace::Workspace;

/// Tries it when that is wanted, or when a person at the terminal says so. Fails only on a clear no of the provider.
pub(super) fn run(
    session: &Session<'_>,
    workspace: &Workspace,
    credential: Option<&Credential>,
    is_wanted: bool,
    is_silent: bool,
) -> ExitStatus {
    let Some(credential) = credential else {
        if is_wanted {
            session.printer.message("note: no credential was set up, so there is nothing to try");
        }
        return ExitStatus::Success;
    };
    let provider = printable(&credential.provider);
    if cheap::of(&credential.provider, &credential.material).is_none() {
        if is_wanted {
            let why = format!("note: {provider} offers no request without an effect, so nothing was tried");
            session.printer.message(&why);
        }
        return ExitStatus::Success;
    }
    let question = format!("Try it at {provider} now? The request has no effect.");
    // Everything is stored by now: whoever leaves here has only said no.
    if !is_wanted && (is_silent || !session.is_confirmed(&question, false).unwrap_or(false)) {
        return ExitStatus::Success;
    }
    let progress = session.printer.progress();
    progress.show(&format!("asking {provider}"));
    let probed = probe::probe(workspace, session.clock, credential, probe::TIME_LIMIT);
    drop(progress);
    let probed = match probed {
        Some(Ok(probed)) => probed,
        Some(Err(why)) => {
            session.printer.message(&format!("note: nothing was tried: {why}"));
            return ExitStatus::Success;
        }
        None => return ExitStatus::Success,
    };
    let (word, ms) = (probed.status.word(), probed.latency_ms);
    session.printer.message(&format!("probe: {provider} {word} ({}, {ms} ms)", probed.message));
    match probed.status {
        ProbeStatus::Auth | ProbeStatus::Billing => ExitStatus::Failing,
        ProbeStatus::Format
        | ProbeStatus::NoModel
        | ProbeStatus::Ok
        | ProbeStatus::RateLimit
        | ProbeStatus::Timeout
        | ProbeStatus::Unknown => ExitStatus::Success,
    }
}
