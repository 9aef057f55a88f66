//! A program of the user's own: the notice as JSON on stdin, its fields in the environment, no shell.

use std::process::Command;

use crate::clock::Deadline;
use crate::core::alerting::message::Message;
use crate::notify::{Notifier, Surroundings, TIME_LIMIT, document};
use crate::sys::child::{self, Failure};

/// What it prints is nobody's business, and not kept.
const OUTPUT_LIMIT: usize = 1024 * 1024;

pub(super) struct Program {
    pub(super) argv: Vec<String>,
    pub(super) around: Surroundings,
}

impl Notifier for Program {
    fn send(&self, message: &Message, _earlier: Option<&str>) -> Result<Option<String>, String> {
        let (program, arguments) = self.argv.split_first().ok_or("no program is named")?;
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(&self.around.variables).envs(fields(message));
        run(&mut command, program, format!("{}\n", document(message)).into_bytes())?;
        Ok(None)
    }
}

fn fields(message: &Message) -> [(&'static str, &str); 10] {
    [
        ("OPENCLAW_ALERT_AGENT", &message.agent),
        ("OPENCLAW_ALERT_BODY", &message.body),
        ("OPENCLAW_ALERT_COMMAND", message.command.as_deref().unwrap_or_default()),
        ("OPENCLAW_ALERT_HOST", &message.host),
        ("OPENCLAW_ALERT_ID", &message.id),
        ("OPENCLAW_ALERT_INCIDENT", &message.incident.id),
        ("OPENCLAW_ALERT_KIND", message.incident.kind.word()),
        ("OPENCLAW_ALERT_LEVEL", message.incident.level.word()),
        ("OPENCLAW_ALERT_TITLE", &message.title),
        ("OPENCLAW_ALERT_WHY", message.why.word()),
    ]
}

/// Runs a program that must end well within [`TIME_LIMIT`].
pub(super) fn run(command: &mut Command, name: &str, input: Vec<u8>) -> Result<Vec<u8>, String> {
    child::fed(command, input, Deadline::after(TIME_LIMIT), OUTPUT_LIMIT).map_err(|failure| match failure {
        Failure::NotStarted(reason) => format!("{name} cannot be started: {reason}"),
        Failure::TimedOut => format!("{name} did not end within {} s", TIME_LIMIT.as_secs()),
        Failure::TooMuchOutput => format!("{name} prints too much"),
        Failure::Ended(Some(code)) => format!("{name} ended with exit code {code}"),
        Failure::Ended(None) => format!("{name} was ended by a signal"),
    })
}
