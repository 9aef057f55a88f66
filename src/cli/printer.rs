//! The only place that prints.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::exit::{CommandError, ExitStatus};
use crate::process::{self, Process};
use crate::render::page::Look;
use crate::render::{printable, printable_lines};

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

    /// Something to look at while it takes long; nothing where nobody looks.
    pub fn progress(&self) -> Progress {
        if !self.process.stderr_is_terminal() {
            return Progress(ProgressBar::hidden());
        }
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(TICK);
        Progress(bar)
    }

    /// Writes an error with its hints and gives its status.
    pub fn error(&self, error: &CommandError) -> ExitStatus {
        self.message(&error.to_string());
        error.status()
    }
}

/// How often a sign of life moves.
const TICK: Duration = Duration::from_millis(120);

/// A sign of life on the terminal, cleared when it goes.
pub struct Progress(ProgressBar);

impl Progress {
    /// Says what is going on.
    pub fn show(&self, what: &str) {
        self.0.set_message(printable(what));
    }

    /// Says how much of something countable is done.
    pub fn count(&self, what: &str, done: usize, total: usize) {
        if self.0.length() != Some(total as u64) {
            self.0.set_length(total as u64);
            // The template is fixed, so it cannot be refused; the spinner would do as well.
            if let Ok(style) = ProgressStyle::with_template("{msg} [{bar:30}] {pos}/{len}") {
                self.0.set_style(style.progress_chars("=> "));
            }
        }
        self.0.set_message(printable(what));
        self.0.set_position(done as u64);
    }

    /// Writes a note above it.
    pub fn message(&self, printer: &Printer<'_>, text: &str) {
        self.0.suspend(|| printer.message(text));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
