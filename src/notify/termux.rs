//! A notice of Android, through the `termux-notification` program of Termux:API.

use std::process::Command;

use sha2::{Digest, Sha256};

use crate::core::alerting::Level;
use crate::core::alerting::message::Message;
use crate::core::remedy::shell_word;
use crate::core::secret::hex;
use crate::notify::{Notifier, Surroundings, command};

/// The widget that guides through a new login, as `termux/install` puts it.
const REAUTH: &str = ".shortcuts/openclaw-reauth";

pub(super) struct Termux {
    pub(super) around: Surroundings,
}

impl Notifier for Termux {
    fn send(&self, message: &Message, _earlier: Option<&str>) -> Result<Option<String>, String> {
        let priority = match message.incident.level {
            _ if message.is_over() => "low",
            Level::Critical => "max",
            Level::Urgent => "high",
            Level::Warning => "default",
            Level::Notice => "low",
        };
        // One notice for each incident: the next one takes its place.
        let id = format!("openclaw-{}", &hex(&Sha256::digest(message.incident.id.as_bytes()))[..16]);
        let mut notification = Command::new("termux-notification");
        notification.args(["--id", &id, "--group", "openclaw", "--priority", priority]);
        notification.args(["--title", &message.title, "--content", &message.body]);
        let reauth = self.around.home.as_ref().map(|home| home.join(REAUTH)).filter(|file| file.exists());
        if let Some(reauth) = reauth.filter(|_| !message.is_over()) {
            let action = format!("sh {}", shell_word(&reauth.display().to_string()));
            notification.args(["--button1", "Re-auth", "--button1-action", &action]);
        }
        if let Some(snooze) = &message.snooze {
            notification.args(["--button2", "Snooze 2 d", "--button2-action", snooze]);
        }
        notification.env_clear().envs(&self.around.variables);
        command::run(&mut notification, "termux-notification", Vec::new())?;
        Ok(None)
    }
}
