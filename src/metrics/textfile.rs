//! The file that the textfile collector of `node_exporter` picks up.

use std::io;
use std::path::{Path, PathBuf};

use crate::sys::files;
use crate::workspace::paths::Installation;

/// Writes an exposition into a folder, whole or not at all, readable by everybody. Gives its path.
pub fn write(folder: &Path, installation: &Installation, text: &str) -> io::Result<PathBuf> {
    let path = folder.join(format!("openclaw{}.prom", installation.suffix()));
    files::replace_public(&path, text.as_bytes())?;
    Ok(path)
}
