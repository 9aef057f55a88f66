//! Reading and replacing files without surprises.

use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::unistd::geteuid;

/// The largest source that is read. A store of 10,000 profiles has about 4 MB; what is larger is no store.
pub const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// The content of a file and when it was last written.
pub struct Content {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Last modification, ms since the epoch.
    pub modified_ms: i64,
}

/// What tells that a file is still the one that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// There is no such file.
    Absent,
    /// It cannot be looked at, for this reason.
    Hidden(io::ErrorKind),
    /// It is there.
    Present {
        /// Device and inode.
        place: (u64, u64),
        /// Bytes.
        size: u64,
        /// Last modification, s and ns.
        modified: (i64, i64),
        /// Last change of content, owner or mode, s and ns.
        changed: (i64, i64),
    },
}

/// The identity of a file or folder; links are followed, one that leads nowhere counts itself.
pub fn identity(path: &Path) -> Identity {
    match fs_err::metadata(path).or_else(|_| fs_err::symlink_metadata(path)) {
        Ok(metadata) => Identity::Present {
            place: (metadata.dev(), metadata.ino()),
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Identity::Absent,
        Err(error) => Identity::Hidden(error.kind()),
    }
}

/// Why a file gave no content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadFailure {
    /// There is no such file, not even a dangling link.
    Absent,
    /// It is there, or may be, and could not be read. The text names no path.
    Failed(String),
}

/// Reads a regular file. Never blocks on a FIFO or device, never reads more than [`MAX_BYTES`].
pub fn read(path: &Path) -> Result<Content, ReadFailure> {
    let failed = |error: io::Error| ReadFailure::Failed(reason(&error));
    let opened = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOCTTY).bits())
        .open(path);
    let file = match opened {
        Ok(file) => file,
        // Below something that is no folder there cannot be a file either.
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Err(ReadFailure::Absent),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(match fs_err::symlink_metadata(path) {
                Ok(_) => ReadFailure::Failed("is a symbolic link to a file that does not exist".to_owned()),
                Err(_) => ReadFailure::Absent,
            });
        }
        Err(error) => return Err(failed(error)),
    };
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(ReadFailure::Failed("is a directory".to_owned()));
    }
    if !metadata.is_file() {
        return Err(ReadFailure::Failed("is not a regular file".to_owned()));
    }
    let too_large = || ReadFailure::Failed(format!("is larger than {} MiB", MAX_BYTES / 1024 / 1024));
    if metadata.len() > MAX_BYTES {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default() + 1);
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(too_large());
    }
    Ok(Content { bytes, modified_ms: modified_ms(&metadata) })
}

/// When a file was last written, in epoch milliseconds.
pub fn modified_ms(metadata: &std::fs::Metadata) -> i64 {
    metadata.mtime() * 1000 + metadata.mtime_nsec() / 1_000_000
}

/// An I/O error in words, without the path.
pub fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::NotADirectory => "a part of its path is no directory".to_owned(),
        io::ErrorKind::StorageFull => "no space left on the disk".to_owned(),
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only".to_owned(),
        _ => error.to_string().to_lowercase(),
    }
}

/// Where a write to this path really goes: links are followed, also when the file itself is not there yet.
pub fn target(path: &Path) -> io::Result<PathBuf> {
    match path.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Ok(link) = path.read_link() {
                let directory = path.parent().unwrap_or(Path::new("/"));
                return target(&directory.join(link));
            }
            match (path.parent(), path.file_name()) {
                (Some(parent), Some(name)) => Ok(parent.canonicalize()?.join(name)),
                _ => Err(error),
            }
        }
        resolved => resolved,
    }
}

/// How a file was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// By a rename: a reader sees the old or the new content, never a part.
    Atomically,
    /// Written in place, because the file is a mount point and cannot be renamed over.
    InPlace,
}

/// Why a file was not replaced.
#[derive(Debug)]
pub enum ReplaceError {
    /// It is as it was.
    Unchanged(io::Error),
    /// A write in place failed half way, and the old content could not be put back: it is in this file.
    Torn(io::Error, PathBuf),
}

impl From<io::Error> for ReplaceError {
    fn from(error: io::Error) -> Self {
        Self::Unchanged(error)
    }
}

/// Replaces a file that others must read, such as what `node_exporter` collects: 0644, by a rename.
pub fn replace_public(target: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = private_file(target, &temporary_prefix(target), bytes)?;
    file.as_file_mut().set_permissions(std::fs::Permissions::from_mode(0o644))?;
    file.persist(target).map_err(|refused| refused.error)?;
    sync_directory(target.parent().unwrap_or(Path::new("/")))
}

/// The name of temporary files that belong to this one; what is left of a killed writer has it too.
fn temporary_prefix(target: &Path) -> String {
    format!(".{}.openclaw-", target.file_name().unwrap_or_default().to_string_lossy())
}

/// Replaces a file: 0600, fsynced, by a rename, and the folder fsynced too.
///
/// `target` has no links in it (see [`target`]). Owner and group stay what they were when root writes; a new file
/// gets those of its folder.
pub fn replace(target: &Path, bytes: &[u8]) -> Result<Replaced, ReplaceError> {
    let directory = target.parent().unwrap_or(Path::new("/"));
    let temporary = private_file(target, &temporary_prefix(target), bytes)?;
    match temporary.persist(target) {
        Ok(_) => {
            sync_directory(directory)?;
            Ok(Replaced::Atomically)
        }
        Err(refused) if refused.error.kind() == io::ErrorKind::ResourceBusy => {
            drop(refused.file);
            replace_in_place(target, bytes)
        }
        Err(refused) => Err(refused.error.into()),
    }
}

/// A durable file of our own beside the target: 0600, and owned like it.
fn private_file(target: &Path, prefix: &str, bytes: &[u8]) -> io::Result<tempfile::NamedTempFile> {
    let directory = target.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::Builder::new()
        .prefix(prefix)
        .permissions(std::fs::Permissions::from_mode(0o600))
        .tempfile_in(directory)?;
    if geteuid().is_root() {
        let model = fs_err::metadata(target).or_else(|_| fs_err::metadata(directory))?;
        std::os::unix::fs::fchown(file.as_file(), Some(model.uid()), Some(model.gid()))?;
    }
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Writes over a file that cannot be renamed over. The old content stands beside it until the new one is safe.
fn replace_in_place(target: &Path, bytes: &[u8]) -> Result<Replaced, ReplaceError> {
    let old = fs_err::read(target)?;
    let backup = private_file(target, &backup_prefix(target), &old)?;
    let write = |bytes: &[u8]| {
        let mut file = fs_err::OpenOptions::new().write(true).open(target)?;
        file.write_all(bytes)?;
        file.set_len(bytes.len() as u64)?;
        file.file().sync_all()
    };
    let Err(error) = write(bytes) else { return Ok(Replaced::InPlace) };
    if write(&old).is_ok() {
        return Err(ReplaceError::Unchanged(error));
    }
    let path = backup.path().to_owned();
    drop(backup.keep());
    Err(ReplaceError::Torn(error, path))
}

/// The name of backups of writes in place. They are never cleaned up: one that is left is the only whole copy.
fn backup_prefix(target: &Path) -> String {
    format!("{}.before-", target.file_name().unwrap_or_default().to_string_lossy())
}

/// A backup that an interrupted write in place left beside a file.
pub fn left_backup(path: &Path) -> Option<PathBuf> {
    let target = target(path).ok()?;
    let prefix = backup_prefix(&target);
    let entries = fs_err::read_dir(target.parent()?).ok()?;
    entries
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix)))
}

/// Removes temporary files that a killed writer of this file left behind. Only its lock holder may call this.
pub fn remove_orphans(target: &Path) {
    let prefix = temporary_prefix(target);
    let Some(Ok(entries)) = target.parent().map(fs_err::read_dir) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            drop(fs_err::remove_file(entry.path()));
        }
    }
}

/// Sets the mode of a file or folder itself: a link is refused, and so is what is neither.
pub fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    let file = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC).bits())
        .open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() && !metadata.is_dir() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "is neither a file nor a folder"));
    }
    file.set_permissions(std::fs::Permissions::from_mode(mode))
}

/// Makes a durable 0600 file of blanks, or takes the one that is there.
pub fn reserve(path: &Path, length: usize) -> io::Result<std::fs::File> {
    let open = std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    let file = open?;
    file.set_len(length as u64)?;
    overwrite(&file, &vec![b' '; length])?;
    sync_directory(path.parent().unwrap_or(Path::new("/")))?;
    Ok(file)
}

/// Writes over the beginning of a file and makes it durable; what is behind stays.
pub fn overwrite(file: &std::fs::File, bytes: &[u8]) -> io::Result<()> {
    file.write_all_at(bytes, 0)?;
    file.sync_data()
}

/// Removes a file for good.
pub fn remove(path: &Path) -> io::Result<()> {
    fs_err::remove_file(path)?;
    path.parent().map_or(Ok(()), sync_directory)
}

/// Creates a folder and its parents, each 0700 and, when root creates them, owned like the folder above.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        create_private_dir(parent)?;
    }
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Ok(()) if geteuid().is_root() => {
            let model = fs_err::metadata(path.parent().unwrap_or(Path::new("/")))?;
            std::os::unix::fs::chown(path, Some(model.uid()), Some(model.gid()))
        }
        result => result,
    }
}

fn sync_directory(directory: &Path) -> io::Result<()> {
    fs_err::File::open(directory)?.file().sync_all()
}
