//! Changing `openclaw.json`: the one way in which this program writes the config.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::clock::Clock;
use crate::core::credential::CLAUDE_CLI_PROFILE;
use crate::exit::CommandError;
use crate::format::config::{Node, Origin, Tree};
use crate::format::config_edit::{self, Edit};
use crate::format::config_sections::Config;
use crate::sys::files::{self, ReadFailure, ReplaceError, Replaced};
use crate::sys::lock;
use crate::sys::reader::Reader;
use crate::sys::signals;
use crate::workspace::config_file::ConfigFile;
use crate::workspace::environment::Environment;
use crate::workspace::paths::Paths;

/// How many older backups stay beside the newest one (reference: `.bak`, `.bak.1` to `.bak.4`).
const OLDER_BACKUPS: usize = 4;

/// The config file of a workspace.
pub struct ConfigStore<'w> {
    paths: &'w Paths,
    environment: &'w Environment,
    keeps_backup: bool,
}

impl<'w> ConfigStore<'w> {
    /// The config of this workspace, with the environment that its variables come from.
    pub fn new(paths: &'w Paths, environment: &'w Environment) -> Self {
        Self { paths, environment, keeps_backup: true }
    }

    /// The same for a further change of one run: the backup shows what stood there before the first.
    #[must_use]
    pub fn without_backup(self) -> Self {
        Self { keeps_backup: false, ..self }
    }

    /// Applies what `plan` makes of the config as it is once nobody else of us writes it.
    ///
    /// Refuses when the config is invalid, or would be, or when an included file decides a value that was to change.
    /// The old content becomes the newest backup, 0600. Tells whether there was anything to change.
    pub fn update(
        &self,
        clock: &Clock,
        reader: &Reader,
        plan: impl FnOnce(&Config) -> Result<Vec<Edit>, CommandError>,
    ) -> Result<bool, CommandError> {
        let _signals = signals::defer();
        let shown = self.paths.shown(&self.paths.config).short;
        let io = |error: io::Error| {
            CommandError::io(format!("failed to write {shown}: {}", files::reason(&error)))
                .hint("the config was left as it was")
        };
        let folder = self.paths.config.parent().unwrap_or(Path::new("/"));
        files::create_private_dir(folder).map_err(io)?;
        let target = files::target(&self.paths.config).map_err(io)?;
        let _turn = lock::between_us(&target, clock)
            .ok_or_else(|| CommandError::refused(format!("another openclaw is writing {shown}")))?;
        let Some(change) = self.change(reader, plan)? else { return Ok(false) };
        if let Some(old) = change.old.as_ref().filter(|_| self.keeps_backup) {
            back_up(&target, old).map_err(io)?;
        }
        match files::replace(&target, change.new.as_bytes()) {
            Ok(Replaced::Atomically | Replaced::InPlace) => Ok(true),
            Err(ReplaceError::Unchanged(error)) => Err(io(error)),
            Err(ReplaceError::Torn(error, backup)) => Err(io(error).hint(format!(
                "{shown} was damaged; its old content is in {}",
                self.paths.shown(&backup).short
            ))),
        }
    }

    /// Does everything that [`Self::update`] does but write: what is refused is refused here already.
    pub fn rehearse(
        &self,
        reader: &Reader,
        plan: impl FnOnce(&Config) -> Result<Vec<Edit>, CommandError>,
    ) -> Result<(), CommandError> {
        self.change(reader, plan).map(drop)
    }

    /// The files that the config consists of, those that it includes too.
    pub fn files(&self, reader: &Reader) -> Vec<PathBuf> {
        let mut file = ConfigFile::new(reader, self.paths, &self.paths.config);
        // What cannot be read is told elsewhere.
        drop(file.load());
        file.paths()
    }

    /// The config as it is written, variables not replaced; empty when there is none.
    pub fn raw(&self, reader: &Reader) -> Result<Node, CommandError> {
        let tree = ConfigFile::new(reader, self.paths, &self.paths.config).load()?;
        Ok(tree.unwrap_or(Node { value: Tree::Table(Vec::new()), origin: Origin::default() }))
    }

    /// The old and the new content; `None` when there is nothing to change.
    fn change(
        &self,
        reader: &Reader,
        plan: impl FnOnce(&Config) -> Result<Vec<Edit>, CommandError>,
    ) -> Result<Option<Change>, CommandError> {
        let shown = self.paths.shown(&self.paths.config).short;
        let old = match files::read(&self.paths.config) {
            Ok(content) => Some(content.bytes),
            Err(ReadFailure::Absent) => None,
            Err(ReadFailure::Failed(reason)) => {
                return Err(CommandError::io(format!("failed to read {shown}: {reason}")));
            }
        };
        let (before, config) = match &old {
            Some(bytes) => self.validated(reader, bytes)?,
            None => (Node { value: Tree::Table(Vec::new()), origin: Origin::default() }, Config::default()),
        };
        let mut edits = plan(&config)?;
        if edits.is_empty() {
            return Ok(None);
        }
        let outdated = ["auth", "profiles", CLAUDE_CLI_PROFILE];
        if config.claude_mode_migrated
            && !edits.iter().any(|edit| edit.path().starts_with(&outdated.map(str::to_owned)))
        {
            edits.push(Edit::set(["auth", "profiles", CLAUDE_CLI_PROFILE, "mode"], "oauth"));
        }
        let text = String::from_utf8_lossy(old.as_deref().unwrap_or_default());
        let new = config_edit::apply(&text, &edits)
            .map_err(|failure| CommandError::refused(format!("{shown}: {}", failure.message)))?;
        let (after, _) = self.validated(reader, new.as_bytes())?;
        for edit in &edits {
            self.assert_effective(&before, &after, edit)?;
        }
        Ok(Some(Change { old, new }))
    }

    fn validated(&self, reader: &Reader, bytes: &[u8]) -> Result<(Node, Config), CommandError> {
        let mut file = ConfigFile::new(reader, self.paths, &self.paths.config);
        let tree = file.load_from(bytes)?;
        let config = file.typed(tree.clone(), self.environment)?;
        Ok((tree, config))
    }

    /// Included files are merged into the config: what they say can be overruled, or not, but not be taken away.
    fn assert_effective(&self, before: &Node, after: &Node, edit: &Edit) -> Result<(), CommandError> {
        let found = after.at(edit.path());
        let items = |node: Option<&Node>| match node.map(|node| &node.value) {
            Some(Tree::List(items)) => items.clone(),
            _ => Vec::new(),
        };
        let (old, new) = (items(before.at(edit.path())), items(found));
        let is_effective = match edit {
            Edit::Set(_, wanted) => found.is_some_and(|node| equals(node, wanted)),
            Edit::Remove(_) => found.is_none(),
            Edit::Append(_, value) => {
                new.len() == old.len() + 1 && new.last().is_some_and(|last| equals(last, value))
            }
            Edit::Prepend(_, value) => new.first().is_some_and(|first| equals(first, value)),
            Edit::Drop(_, places) => new.len() + places.len() == old.len(),
        };
        if is_effective {
            return Ok(());
        }
        let path = edit.path().join(".");
        let shown = self.paths.shown(&self.paths.config).short;
        Err(CommandError::refused(format!("{path} is also set in a file that {shown} includes"))
            .hint("change it there; nothing was written"))
    }
}

struct Change {
    old: Option<Vec<u8>>,
    new: String,
}

fn equals(node: &Node, value: &Value) -> bool {
    match (&node.value, value) {
        (Tree::Null, Value::Null) => true,
        (Tree::Flag(a), Value::Bool(b)) => a == b,
        (Tree::Number(a), Value::Number(b)) => b.as_f64() == Some(*a),
        (Tree::Text(a), Value::String(b)) => a == b,
        (Tree::List(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equals(a, b)),
        (Tree::Table(a), Value::Object(b)) => {
            b.iter().all(|(key, value)| a.iter().any(|(name, node)| name == key && equals(node, value)))
        }
        _ => false,
    }
}

/// Moves `.bak.3` to `.bak.4` and so on, and keeps the old content as `.bak`.
fn back_up(target: &Path, old: &[u8]) -> io::Result<()> {
    let name = |number: usize| {
        let mut name = target.as_os_str().to_owned();
        name.push(if number == 0 { ".bak".to_owned() } else { format!(".bak.{number}") });
        PathBuf::from(name)
    };
    for number in (0..OLDER_BACKUPS).rev() {
        match fs_err::rename(name(number), name(number + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    match files::replace(&name(0), old) {
        Ok(_) => Ok(()),
        Err(ReplaceError::Unchanged(error) | ReplaceError::Torn(error, _)) => Err(error),
    }
}
