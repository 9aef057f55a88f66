//! Loading `openclaw.json` and `ops.json`: files, includes and the places of their problems.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::exit::CommandError;
use crate::format::config::{self, MAX_INCLUDE_DEPTH, Node, Origin, Problem};
use crate::format::config_sections::{self, Config};
use crate::format::{ParseFailure, position};
use crate::sys::files::ReadFailure;
use crate::sys::reader::Reader;
use crate::workspace::agents;
use crate::workspace::environment::Environment;
use crate::workspace::paths::{Paths, lexically_normal};

/// How to name a config in messages and where its files are.
pub struct ConfigFile<'r> {
    reader: &'r Reader,
    paths: &'r Paths,
    main: PathBuf,
    files: Vec<(PathBuf, String)>,
}

impl<'r> ConfigFile<'r> {
    /// The config at this path; nothing is read yet.
    pub fn new(reader: &'r Reader, paths: &'r Paths, main: &Path) -> Self {
        Self { reader, paths, main: main.to_owned(), files: Vec::new() }
    }

    /// Reads the file and what it includes; `None` when it does not exist.
    pub fn load(&mut self) -> Result<Option<Node>, CommandError> {
        match self.reader.read(&self.main) {
            Ok(content) => self.load_from(&content.bytes).map(Some),
            Err(ReadFailure::Absent) => Ok(None),
            Err(ReadFailure::Failed(reason)) => {
                let shown = self.paths.shown(&self.main).short;
                Err(CommandError::io(format!("failed to read {shown}: {reason}")))
            }
        }
    }

    /// The same for a content that is not in the file yet; what it includes is read.
    pub fn load_from(&mut self, bytes: &[u8]) -> Result<Node, CommandError> {
        let main = self.main.clone();
        let node = self
            .parse(&main, bytes)
            .map_err(|(message, origin)| self.invalid(&[Problem { path: String::new(), message, origin }]))?;
        self.resolve(node, &[main]).map_err(|problem| self.invalid(&[problem]))
    }

    /// The typed sections of a loaded tree, its variables replaced.
    pub fn typed(&self, mut tree: Node, environment: &Environment) -> Result<Config, CommandError> {
        let mut problems = Vec::new();
        config::substitute(&mut tree, "", &|name| environment.for_config(name), &mut problems);
        let typed = config_sections::read(&tree).map_err(|wrong| problems.extend(wrong));
        let shared = typed.as_ref().ok().and_then(|config| agents::shared_folder(config, self.paths));
        problems.extend(shared);
        typed.ok().filter(|_| problems.is_empty()).ok_or_else(|| self.invalid(&problems))
    }

    /// The error that lists problems with file, line, column and key path.
    pub fn invalid(&self, problems: &[Problem]) -> CommandError {
        let mut message = format!("invalid config: {}", self.paths.shown(&self.main).short);
        for problem in problems {
            let (file, place) = match self.files.get(problem.origin.file) {
                Some((file, text)) => (file, position(text, problem.origin.offset)),
                None => (&self.main, (1, 1)),
            };
            let path = if problem.path.is_empty() { "<root>" } else { &problem.path };
            let _ = write!(
                message,
                "\n  {}:{}:{}: {path}: {}",
                self.paths.shown(file).short,
                place.0,
                place.1,
                problem.message
            );
        }
        CommandError::config(message).hint("mend the file with an editor and try again; nothing was written")
    }

    /// Where a problem is, for a finding: `~/…/openclaw.json:3:4`.
    pub fn place(&self, origin: Origin) -> String {
        self.files.get(origin.file).map_or_else(String::new, |(file, text)| {
            let (line, column) = position(text, origin.offset);
            format!("{}:{line}:{column}", self.paths.shown(file).short)
        })
    }

    /// Every file that was read.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.files.iter().map(|(path, _)| path.clone()).collect()
    }

    fn parse(&mut self, path: &Path, bytes: &[u8]) -> Result<Node, (String, Origin)> {
        let file = self.files.len();
        let text = String::from_utf8_lossy(bytes);
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned();
        let parsed = config::parse(bytes, file);
        let offset = match &parsed {
            Err(ParseFailure { position: Some(place), .. }) => offset_of(&text, *place),
            _ => 0,
        };
        self.files.push((path.to_owned(), text));
        parsed.map_err(|failure| (failure.message, Origin { file, offset }))
    }

    fn resolve(&mut self, node: Node, chain: &[PathBuf]) -> Result<Node, Problem> {
        config::resolve_includes(node, &mut |name, origin| self.include(name, origin, chain))
    }

    fn include(&mut self, name: &str, origin: Origin, chain: &[PathBuf]) -> Result<Node, Problem> {
        let problem = |message: String, origin| Problem { path: "$include".to_owned(), message, origin };
        let from = chain.last().and_then(|file| file.parent()).unwrap_or(Path::new("/"));
        let path = lexically_normal(&from.join(name));
        let shown = path.display();
        if chain.contains(&path) {
            let links: Vec<_> = chain.iter().chain([&path]).map(|file| file.display().to_string()).collect();
            return Err(problem(format!("Circular include detected: {}", links.join(" -> ")), origin));
        }
        if chain.len() > MAX_INCLUDE_DEPTH {
            return Err(problem(
                format!("Maximum include depth ({MAX_INCLUDE_DEPTH}) exceeded at: {shown}"),
                origin,
            ));
        }
        let content = self.reader.read(&path).map_err(|failure| {
            let reason = match failure {
                ReadFailure::Absent => "no such file".to_owned(),
                ReadFailure::Failed(reason) => reason,
            };
            problem(format!("Failed to read include file: {name} (resolved: {shown}): {reason}"), origin)
        })?;
        let node = self.parse(&path, &content.bytes).map_err(|(message, place)| {
            problem(format!("Failed to parse include file: {name} (resolved: {shown}): {message}"), place)
        })?;
        let chain: Vec<_> = chain.iter().cloned().chain([path]).collect();
        self.resolve(node, &chain)
    }
}

fn offset_of(text: &str, (line, column): (usize, usize)) -> usize {
    let start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    text[start..].char_indices().nth(column - 1).map_or(text.len(), |(offset, _)| start + offset)
}
