//! Lines that a person types at a terminal, with editing, history and completion.

use std::io;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Editor, Helper};

/// What came of asking for a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// Ctrl-D, or the terminal is gone.
    End,
    /// Ctrl-C: the line is dropped.
    Interrupted,
    /// A line, without its end.
    Line(String),
}

/// Gives the place where the word at the end of a line begins, and what it may become.
pub type Completions = Box<dyn Fn(&str) -> (usize, Vec<String>)>;

/// The editor. Its history lives as long as it does: what was typed is nobody else's business.
pub struct LineEditor(Editor<Words, MemHistory>);

struct Words(Completions);

impl Completer for Words {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        Ok((self.0)(line.get(..pos).unwrap_or_default()))
    }
}

impl Hinter for Words {
    type Hint = String;
}

impl Highlighter for Words {}
impl Validator for Words {}
impl Helper for Words {}

impl LineEditor {
    /// An editor on the terminal of this process.
    pub fn new(completions: Completions) -> io::Result<Self> {
        let config = Config::builder().completion_type(CompletionType::List).auto_add_history(true).build();
        let mut editor = Editor::with_history(config, MemHistory::new()).map_err(told)?;
        editor.set_helper(Some(Words(completions)));
        Ok(Self(editor))
    }

    /// Asks for a line.
    pub fn read(&mut self, prompt: &str) -> io::Result<Typed> {
        match self.0.readline(prompt) {
            Ok(line) => Ok(Typed::Line(line)),
            Err(ReadlineError::Eof) => Ok(Typed::End),
            Err(ReadlineError::Interrupted) => Ok(Typed::Interrupted),
            Err(error) => Err(told(error)),
        }
    }
}

fn told(error: ReadlineError) -> io::Error {
    match error {
        ReadlineError::Io(error) => error,
        other => io::Error::other(other.to_string()),
    }
}
