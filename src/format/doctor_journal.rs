//! `doctor-journal.json`: what `openclaw doctor --fix` has changed, so that it can be undone. It holds modes, names and
//! key paths; a value of the config is told from others by a salted fingerprint.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::format::ParseFailure;

/// How many runs are remembered.
const KEPT_RUNS: usize = 20;

/// One change that can be undone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Change {
    /// The mode of a file or folder.
    Mode {
        /// The file.
        path: PathBuf,
        /// Its mode before, in octal digits.
        before: String,
        /// Its mode now.
        after: String,
    },
    /// A value of the config.
    Config {
        /// Where it stands.
        key: Vec<String>,
        /// What stood there before; never a secret.
        before: Option<Value>,
        /// The fingerprint of what stands there now; `None` when nothing does.
        after: Option<String>,
    },
    /// A value of the config that got another key.
    ConfigRename {
        /// The key before.
        from: Vec<String>,
        /// The key now.
        to: Vec<String>,
        /// The fingerprint of the value.
        value: String,
    },
    /// A file or folder that got another name.
    Move {
        /// The name before.
        from: PathBuf,
        /// The name now.
        to: PathBuf,
    },
    /// Lingering that was switched on.
    Linger {
        /// The user.
        user: String,
    },
}

/// The changes of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// When, ms since the epoch.
    pub at: i64,
    /// What was changed, in order.
    pub changes: Vec<Change>,
}

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Journal {
    /// The version of the format.
    pub version: u32,
    /// The salt of the fingerprints.
    #[serde(default)]
    pub salt: String,
    /// The runs, the newest last.
    #[serde(default)]
    pub runs: Vec<Run>,
}

impl Journal {
    /// Reads the file.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseFailure> {
        // The parser's own sentence might quote content.
        serde_json::from_slice(bytes).map_err(|error| {
            ParseFailure::at("is not a journal of this program", (error.line(), error.column()))
        })
    }

    /// The content of the file; the oldest runs are forgotten.
    ///
    /// # Errors
    ///
    /// A path that is no text cannot be written down.
    pub fn write(&self) -> Result<Vec<u8>, String> {
        let from = self.runs.len().saturating_sub(KEPT_RUNS);
        let kept = Self { version: 1, runs: self.runs[from..].to_vec(), ..self.clone() };
        let mut bytes = serde_json::to_vec_pretty(&kept).map_err(|error| error.to_string())?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}
