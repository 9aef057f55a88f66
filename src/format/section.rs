//! Reading typed values out of a config tree, collecting every problem instead of stopping at the first.

use std::cell::RefCell;

use crate::format::config::{Node, Origin, Problem, Tree, join};

/// How alike two keys must be for a did-you-mean, 0 to 1.
const SIMILAR_ENOUGH: f64 = 0.8;

/// What reading a tree noticed.
#[derive(Default)]
pub struct Notes {
    /// Values of a wrong type or outside their range: the file is invalid.
    pub problems: Vec<Problem>,
    /// Keys that nobody knows, with a suggestion in the message.
    pub unknown: Vec<Problem>,
}

/// An object of the tree under its key path. An absent one reads as empty.
#[derive(Clone)]
pub struct Section<'n> {
    notes: &'n RefCell<Notes>,
    path: String,
    members: &'n [(String, Node)],
    origin: Origin,
}

impl<'n> Section<'n> {
    /// The whole file.
    pub fn root(node: &'n Node, notes: &'n RefCell<Notes>) -> Self {
        Self::of(notes, String::new(), Some(node), node.origin)
    }

    fn of(notes: &'n RefCell<Notes>, path: String, node: Option<&'n Node>, origin: Origin) -> Self {
        let mut section = Self { notes, path, members: &[], origin };
        if let Some(node) = node {
            section.origin = node.origin;
            match &node.value {
                Tree::Table(members) => section.members = members,
                other => {
                    let path = section.path.clone();
                    section.problem(path, format!("expected object, got {}", other.type_name()), node.origin);
                }
            }
        }
        section
    }

    /// The object under a key.
    #[must_use]
    pub fn section(&self, key: &str) -> Self {
        Self::of(self.notes, join(&self.path, key), self.node(key), self.origin)
    }

    /// Every member as an object, with its key.
    pub fn sections(&self) -> Vec<(&'n str, Self)> {
        self.members
            .iter()
            .map(|(key, node)| {
                (key.as_str(), Self::of(self.notes, join(&self.path, key), Some(node), node.origin))
            })
            .collect()
    }

    /// Every item of an array of objects.
    pub fn items(&self, key: &str) -> Vec<Self> {
        let path = join(&self.path, key);
        self.list(key)
            .iter()
            .enumerate()
            .map(|(index, node)| Self::of(self.notes, format!("{path}[{index}]"), Some(node), node.origin))
            .collect()
    }

    /// The keys, as written.
    pub fn keys(&self) -> impl Iterator<Item = &'n str> + use<'n> {
        self.members.iter().map(|(key, _)| key.as_str())
    }

    /// Whether the key is there.
    pub fn has(&self, key: &str) -> bool {
        self.node(key).is_some()
    }

    /// The value under a key, whatever its type.
    pub fn node(&self, key: &str) -> Option<&'n Node> {
        self.members.iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    /// A text.
    pub fn text(&self, key: &str) -> Option<&'n str> {
        match &self.node(key)?.value {
            Tree::Text(text) => Some(text),
            other => self.wrong(key, &format!("expected string, got {}", other.type_name())),
        }
    }

    /// A text that must be there and must not be empty.
    pub fn required_text(&self, key: &str) -> Option<&'n str> {
        if !self.has(key) {
            return self.wrong(key, "is required");
        }
        match self.text(key) {
            Some("") => self.wrong(key, "must not be empty"),
            text => text,
        }
    }

    /// One of a few words.
    pub fn one_of(&self, key: &str, words: &[&'static str]) -> Option<&'static str> {
        let text = self.text(key)?;
        words.iter().find(|word| **word == text).copied().or_else(|| {
            let words: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
            self.wrong(key, &format!("expected one of {}", words.join(", ")))
        })
    }

    /// `true` or `false`.
    pub fn flag(&self, key: &str) -> Option<bool> {
        match &self.node(key)?.value {
            Tree::Flag(flag) => Some(*flag),
            other => self.wrong(key, &format!("expected boolean, got {}", other.type_name())),
        }
    }

    /// A finite number.
    pub fn number(&self, key: &str) -> Option<f64> {
        match &self.node(key)?.value {
            Tree::Number(number) if number.is_finite() => Some(*number),
            other => self.wrong(key, &format!("expected number, got {}", other.type_name())),
        }
    }

    /// A number above zero.
    pub fn positive(&self, key: &str) -> Option<f64> {
        match self.number(key)? {
            number if number > 0.0 => Some(number),
            _ => self.wrong(key, "must be greater than 0"),
        }
    }

    /// A whole number of at least zero.
    pub fn whole(&self, key: &str) -> Option<u64> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked right here")]
        match self.number(key)? {
            number if number >= 0.0 && number.fract() == 0.0 => Some(number as u64),
            _ => self.wrong(key, "must be a whole number of at least 0"),
        }
    }

    /// An array of texts; empty when absent.
    pub fn texts(&self, key: &str) -> Vec<String> {
        let mut texts = Vec::new();
        for (index, item) in self.list(key).iter().enumerate() {
            match &item.value {
                Tree::Text(text) => texts.push(text.clone()),
                other => {
                    let path = format!("{}[{index}]", join(&self.path, key));
                    self.problem(path, format!("expected string, got {}", other.type_name()), item.origin);
                }
            }
        }
        texts
    }

    /// An array; empty when absent.
    pub fn list(&self, key: &str) -> &'n [Node] {
        match self.node(key).map(|node| &node.value) {
            None => &[],
            Some(Tree::List(items)) => items,
            Some(other) => {
                self.wrong::<()>(key, &format!("expected array, got {}", other.type_name()));
                &[]
            }
        }
    }

    /// Notes every key that is none of these, with the one that was probably meant.
    pub fn closed(&self, known: &[&str]) {
        for (key, node) in self.members.iter().filter(|(key, _)| !known.contains(&key.as_str())) {
            let meant = known
                .iter()
                .map(|word| (strsim::jaro_winkler(&word.to_lowercase(), &key.to_lowercase()), word))
                .filter(|(score, _)| *score >= SIMILAR_ENOUGH)
                .max_by(|a, b| a.0.total_cmp(&b.0));
            let hint = meant.map_or_else(String::new, |(_, word)| format!("; did you mean \"{word}\"?"));
            self.notes.borrow_mut().unknown.push(Problem {
                path: join(&self.path, key),
                message: format!("unknown key{hint}"),
                origin: node.origin,
            });
        }
    }

    /// Notes a problem with one member and gives nothing.
    pub fn wrong<T>(&self, key: &str, message: &str) -> Option<T> {
        let origin = self.node(key).map_or(self.origin, |node| node.origin);
        self.problem(join(&self.path, key), message.to_owned(), origin);
        None
    }

    fn problem(&self, path: String, message: String, origin: Origin) {
        self.notes.borrow_mut().problems.push(Problem { path, message, origin });
    }
}
