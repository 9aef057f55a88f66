//! `chat`: a conversation with a model at the terminal.

use std::io::BufRead;

use crate::cli::Session;
use crate::cli::chat_args::ChatArgs;
use crate::cli::talk::{Answered, Line, Trouble, Turn};
use crate::core::chat_command::HELP;
use crate::core::terminal_text::Stripper;
use crate::exit::{CommandError, ExitStatus};
use crate::render::printable;
use crate::sys::files;
use crate::sys::line_editor::{LineEditor, Typed};

/// Talks until the input ends.
pub(super) fn run(session: &Session<'_>, args: &ChatArgs) -> Result<ExitStatus, CommandError> {
    let process = session.printer.process();
    let line = Line::of(session, &args.talk)?;
    let is_person = process.stdin_is_terminal() && process.stdout_is_terminal();
    let mut chat = Chat {
        session,
        line,
        model: args.talk.model.clone(),
        turns: Vec::new(),
        is_person,
        who: Answered::default(),
    };
    if is_person { chat.at_the_terminal() } else { chat.over_lines() }
}

struct Chat<'s> {
    session: &'s Session<'s>,
    line: Line,
    /// The model that the command line asked for, until another one is chosen.
    model: Option<String>,
    turns: Vec<Turn>,
    /// Whether a person sits at the terminal.
    is_person: bool,
    /// Who answered last.
    who: Answered,
}

impl Chat<'_> {
    fn at_the_terminal(&mut self) -> Result<ExitStatus, CommandError> {
        let io = |error: std::io::Error| {
            CommandError::io(format!("the terminal failed: {}", files::reason(&error)))
        };
        let models = self.line.models();
        let mut editor = LineEditor::new(Box::new(move |line| completions(line, &models))).map_err(io)?;
        self.session.printer.message("Tab completes /model, Ctrl-C stops an answer, Ctrl-D ends");
        loop {
            match editor.read("> ").map_err(io)? {
                Typed::End => return Ok(ExitStatus::Success),
                Typed::Interrupted => self.session.printer.message("Ctrl-D ends"),
                Typed::Line(text) if text.trim().is_empty() => {}
                Typed::Line(text) => match self.say(text)? {
                    Ok(()) => {}
                    Err(Trouble::Interrupted) => self.session.printer.message("stopped"),
                    Err(trouble) => drop(self.session.printer.error(&trouble.error())),
                },
            }
        }
    }

    /// Each line of stdin is a message. What fails is told, and the rest goes on; without a gateway nothing does.
    fn over_lines(&mut self) -> Result<ExitStatus, CommandError> {
        let mut status = ExitStatus::Success;
        let mut input = self.session.printer.process().input();
        let mut text = String::new();
        while input
            .read_line(&mut text)
            .map_err(|error| CommandError::usage(format!("failed to read a message: {error}")))?
            > 0
        {
            let said = std::mem::take(&mut text);
            if said.trim().is_empty() {
                continue;
            }
            match self.say(said.trim_end_matches(['\n', '\r']).to_owned())? {
                Ok(()) => {}
                Err(trouble @ (Trouble::Interrupted | Trouble::Unreachable(_))) => {
                    return Err(trouble.error());
                }
                Err(trouble) => status = self.session.printer.error(&trouble.error()),
            }
        }
        Ok(status)
    }

    /// Says something and prints the answer as it comes.
    fn say(&mut self, text: String) -> Result<Result<(), Trouble>, CommandError> {
        let process = self.session.printer.process();
        let typed = text.trim().to_lowercase();
        self.turns.push(Turn { role: "user", text });
        let (mut stripper, mut shown, mut failure) = (Stripper::default(), String::new(), None);
        let answered = self.line.stream(self.model.as_deref(), &self.turns, self.is_person, &mut |piece| {
            let piece = stripper.push(piece);
            shown.push_str(&piece);
            failure = failure.take().or(process.write_stdout(&piece).err());
        });
        if !shown.is_empty() && !shown.ends_with('\n') {
            failure = failure.or(process.write_stdout("\n").err());
        }
        if let Some(error) = failure {
            return Err(CommandError::io(format!("failed to write to stdout: {}", files::reason(&error))));
        }
        match answered {
            Ok(who) if who.is_command => {
                // A command is no part of the conversation.
                self.turns.pop();
                if typed.starts_with("/new") || typed.starts_with("/reset") {
                    self.turns.clear();
                }
                if !["/status", "/model", "/model list", "/model status"].contains(&typed.as_str())
                    && !typed.starts_with("/models")
                {
                    self.model = None;
                }
            }
            Ok(who) => {
                self.turns.push(Turn { role: "assistant", text: shown });
                if (&who.model, &who.profile) != (&self.who.model, &self.who.profile) && !who.model.is_empty()
                {
                    self.session.printer.message(&format!("[{} with {}]", who.model, who.profile));
                }
                self.who = who;
            }
            // What had come of a stopped answer is a part of the conversation; what failed is as if it was never said.
            Err(Trouble::Interrupted) if !shown.is_empty() => {
                self.turns.push(Turn { role: "assistant", text: shown });
                return Ok(Err(Trouble::Interrupted));
            }
            Err(trouble) => {
                self.turns.pop();
                return Ok(Err(trouble));
            }
        }
        Ok(Ok(()))
    }
}

/// What the word at the end of a line may become: a command, or a model behind `/model`.
fn completions(line: &str, models: &[String]) -> (usize, Vec<String>) {
    let begins = |words: &mut dyn Iterator<Item = &str>, part: &str| -> Vec<String> {
        let mut found: Vec<_> = words.filter(|word| word.starts_with(part)).map(printable).collect();
        found.sort_unstable();
        found.dedup();
        found
    };
    if !line.starts_with('/') {
        return (line.len(), Vec::new());
    }
    let Some(at) = line.find(' ') else {
        let mut commands = HELP.iter().filter_map(|(form, _)| form.split(' ').next()).chain(["/reset"]);
        return (0, begins(&mut commands, line));
    };
    let (start, part) = (at + 1, &line[at + 1..]);
    if !["/model", "/new", "/reset"].contains(&&line[..at]) || part.contains(' ') {
        return (line.len(), Vec::new());
    }
    let words = ["default", "list", "status"].into_iter().filter(|_| line.starts_with("/model"));
    let ids = models.iter().map(String::as_str).filter(|id| *id != "openclaw");
    let whole = begins(&mut words.chain(ids.clone()), part);
    if !whole.is_empty() || part.is_empty() {
        return (start, whole);
    }
    // Few remember whose a model is.
    let bare = ids.filter(|id| id.split_once('/').is_some_and(|(_, model)| model.starts_with(part)));
    (start, bare.map(printable).collect())
}

#[cfg(test)]
mod tests {
    use super::completions;

    #[test]
    fn commands_and_models_are_completed() {
        let models = ["openclaw", "anthropic/claude-opus-4-5", "openai/gpt-5.2", "openai/gpt-5-mini"]
            .map(str::to_owned);
        let complete = |line: &str| completions(line, &models);
        assert_eq!(complete("/mo"), (0, vec!["/model".to_owned(), "/models".to_owned()]));
        assert_eq!(complete("/re"), (0, vec!["/reset".to_owned()]));
        assert_eq!(complete("/model an"), (7, vec!["anthropic/claude-opus-4-5".to_owned()]));
        assert_eq!(complete("/model st"), (7, vec!["status".to_owned()]));
        assert_eq!(complete("/model gpt-5.").1, ["openai/gpt-5.2"]);
        assert_eq!(complete("/new openai/").1.len(), 2);
        assert_eq!(complete("/model ").1.len(), 6);
        for nothing in ["", "hello /mo", "/status x", "/model a b", "/model zzz"] {
            assert!(complete(nothing).1.is_empty(), "{nothing}");
        }
    }
}
