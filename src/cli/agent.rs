//! `agent`: one turn with a model, for scripts.

use std::io::Read;

use serde_json::json;

use crate::cli::Session;
use crate::cli::chat_args::AgentArgs;
use crate::cli::talk::{Line, Trouble, Turn};
use crate::core::terminal_text::Stripper;
use crate::exit::{CommandError, ExitStatus};

/// The longest message that stdin may hold, in bytes.
const LONGEST: u64 = 8 * 1024 * 1024;

/// Says one thing and prints the answer.
pub(super) fn run(session: &Session<'_>, args: &AgentArgs) -> Result<ExitStatus, CommandError> {
    let is_from_stdin = args.message == "-";
    if is_from_stdin && args.talk.token.as_deref() == Some("-") {
        return Err(CommandError::usage("stdin cannot hold both the message and the token")
            .hint("write --token @FILE"));
    }
    let line = Line::of(session, &args.talk)?;
    let text = if is_from_stdin { whole_stdin(session)? } else { args.message.clone() };
    if text.trim().is_empty() {
        return Err(CommandError::usage("there is nothing to say").hint("write --message TEXT"));
    }
    let turns = [Turn { role: "user", text }];
    let (text, who) = line.ask(args.talk.model.as_deref(), &turns).map_err(Trouble::error)?;
    if args.json {
        let document = json!({
            "text": text,
            "model": Some(who.model).filter(|model| !model.is_empty()),
            "profile": Some(who.profile).filter(|profile| !profile.is_empty()),
            "attempts": who.attempts,
            "isCommand": who.is_command,
        });
        return Ok(session.printer.answer(&format!("{document:#}\n")));
    }
    let shown = Stripper::default().push(&text);
    Ok(session.printer.answer(&format!("{}\n", shown.trim_end_matches('\n'))))
}

fn whole_stdin(session: &Session<'_>) -> Result<String, CommandError> {
    let mut text = String::new();
    let read = session.printer.process().input().take(LONGEST + 1).read_to_string(&mut text);
    read.map_err(|error| CommandError::usage(format!("failed to read the message from stdin: {error}")))?;
    if text.len() as u64 > LONGEST {
        return Err(CommandError::usage(format!("the message is larger than {} MiB", LONGEST / 1024 / 1024)));
    }
    Ok(text)
}
