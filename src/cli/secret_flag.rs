//! Secrets that a flag gives: themselves, `-` for a line of stdin, or `@FILE`.

use std::path::Path;

use crate::cli::Session;
use crate::cli::auth_paste::ask_on_terminal;
use crate::core::secret::Secret;
use crate::exit::CommandError;
use crate::render::printable;
use crate::sys::files::{self, ReadFailure};

/// Reads the secret. One on the command line is seen by everybody on the host: there are two better ways.
pub(super) fn secret_flag(session: &Session<'_>, flag: &str, written: &str) -> Result<Secret, CommandError> {
    let process = session.printer.process();
    if written == "-" && process.stdin_is_terminal() {
        return ask_on_terminal(&format!("{flag} (nothing is shown): "));
    }
    if written == "-" {
        let failed = |error: std::io::Error| CommandError::usage(format!("failed to read --{flag}: {error}"));
        return process
            .read_line()
            .map_err(failed)?
            .map(Secret::new)
            .ok_or_else(|| CommandError::usage(format!("--{flag} - needs a line of stdin")));
    }
    if let Some(file) = written.strip_prefix('@') {
        let failed = |why: &str| CommandError::usage(format!("--{flag}: {}: {why}", printable(file)));
        return match files::read(Path::new(file)) {
            // A file ends with a line break, a secret does not.
            Ok(content) => String::from_utf8(content.bytes)
                .map(|text| Secret::new(text.trim_end_matches(['\n', '\r'])))
                .map_err(|_| failed("is not UTF-8")),
            Err(ReadFailure::Absent) => {
                Err(CommandError::usage(format!("--{flag}: there is no file {}", printable(file))))
            }
            Err(ReadFailure::Failed(reason)) => Err(failed(&reason)),
        };
    }
    session.printer.message(&format!(
        "warning: --{flag} with the secret itself is visible in the process list; use --{flag} - or --{flag} @FILE"
    ));
    Ok(Secret::new(written))
}
