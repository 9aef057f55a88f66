//! Exit codes and the errors that a person sees.

use std::fmt;

use crate::core::report::Verdict;

/// How the process ends. Callers must treat any code that they do not know as a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// 0: everything usable, or a command without a verdict succeeded.
    Success,
    /// 1: expired, missing or unreadable; a valid request that the state refused.
    Failing,
    /// 2: something ends within the warning window.
    Expiring,
    /// 64: the command line is wrong, or a terminal or input is missing.
    Usage,
    /// 70: a bug of this program.
    Bug,
    /// 74: reading or writing failed.
    Io,
    /// 78: a config file is invalid.
    Config,
    /// 130: interrupted.
    Interrupted,
}

impl ExitStatus {
    /// Every status with what it means, for documents.
    pub const ALL: &'static [(Self, &'static str)] = &[
        (Self::Success, "everything usable; always for `models status` without `--check`"),
        (
            Self::Failing,
            "expired, missing or unreadable; for commands without a verdict: a request that the state refused",
        ),
        (Self::Expiring, "something ends within the warning window"),
        (Self::Usage, "the command line is wrong, or a terminal or input is missing"),
        (Self::Bug, "a bug of this program"),
        (Self::Io, "reading or writing failed"),
        (Self::Config, "`openclaw.json` or `ops.json` is invalid"),
        (Self::Interrupted, "interrupted"),
    ];

    /// The process exit code. 64 and above are those of sysexits.h, 130 is 128 + SIGINT.
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failing => 1,
            Self::Expiring => 2,
            Self::Usage => 64,
            Self::Bug => 70,
            Self::Io => 74,
            Self::Config => 78,
            Self::Interrupted => 130,
        }
    }
}

impl From<Verdict> for ExitStatus {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Ok => Self::Success,
            Verdict::Expiring => Self::Expiring,
            Verdict::Failing => Self::Failing,
        }
    }
}

/// Who can mend an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Whoever edits the config.
    Config,
    /// Whoever pressed Ctrl-C.
    Interrupted,
    /// Whoever runs the machine.
    Io,
    /// Whoever changes the state that refuses a valid request.
    Refused,
    /// Whoever typed the command.
    Usage,
}

/// An error for which no report could be made.
#[derive(Debug)]
pub struct CommandError {
    kind: ErrorKind,
    message: String,
    hints: Vec<String>,
}

impl CommandError {
    /// An invalid config file.
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, message)
    }

    /// A failed read or write.
    pub fn io(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Io, message)
    }

    /// A command that was interrupted; nothing was changed.
    pub fn interrupted() -> Self {
        Self::new(ErrorKind::Interrupted, "interrupted; nothing was changed")
    }

    /// A valid request that the state refuses.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Refused, message)
    }

    /// A wrong command line.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hints: Vec::new() }
    }

    /// Adds what to type next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Spells the commands of the hints for an installation, so that typing them works on the same one.
    #[must_use]
    pub fn for_program(mut self, program: &str) -> Self {
        for hint in &mut self.hints {
            *hint = hint.replace("`openclaw ", &format!("`{program} "));
        }
        self
    }

    /// What failed, and where.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to type next.
    pub fn hints(&self) -> &[String] {
        &self.hints
    }

    /// The exit status that tells it to a script.
    pub fn status(&self) -> ExitStatus {
        match self.kind {
            ErrorKind::Config => ExitStatus::Config,
            ErrorKind::Interrupted => ExitStatus::Interrupted,
            ErrorKind::Io => ExitStatus::Io,
            ErrorKind::Refused => ExitStatus::Failing,
            ErrorKind::Usage => ExitStatus::Usage,
        }
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        for hint in &self.hints {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for CommandError {}
