//! The only place that prints.

use crate::exit::{CommandError, ExitStatus};
use crate::process::{self, Process};
use crate::render::printable_lines;
use crate::render::text::Look;

/// Answers go to stdout, everything else to stderr.
pub struct Printer<'p> {
    process: &'p Process,
}

impl<'p> Printer<'p> {
    /// A printer for a process.
    pub fn new(process: &'p Process) -> Self {
        Self { process }
    }

    /// The process that it prints for.
    pub fn process(&self) -> &'p Process {
        self.process
    }

    /// Colour only on a terminal, and not when the user wants none.
    pub fn look(&self, no_color: bool) -> Look {
        let wanted = !no_color && self.process.var(&process::NO_COLOR).is_none();
        Look { colour: wanted && self.process.stdout_is_terminal(), width: self.process.terminal_width() }
    }

    /// Writes the answer.
    pub fn answer(&self, text: &str) -> ExitStatus {
        match self.process.write_stdout(text) {
            Ok(()) => ExitStatus::Success,
            Err(error) => {
                self.message(&format!("error: failed to write to stdout: {error}"));
                ExitStatus::Io
            }
        }
    }

    /// Writes a note for the person. Line breaks are ours, other control characters are shown, not sent.
    pub fn message(&self, text: &str) {
        self.process.write_stderr(&printable_lines(text));
    }

    /// Writes an error with its hints and gives its status.
    pub fn error(&self, error: &CommandError) -> ExitStatus {
        self.message(&error.to_string());
        error.status()
    }
}
