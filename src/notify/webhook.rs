//! A POST, as our own document or as what Slack, Discord, Telegram and Teams take.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::core::alerting::Level;
use crate::core::alerting::message::Message;
use crate::core::secret::{Secret, hex};
use crate::format::ops_monitor::{Address, WebhookFormat};
use crate::notify::{Notifier, Surroundings, document, http};

/// What Discord and Telegram take at most, in characters.
const DISCORD_LIMIT: usize = 2000;
const TELEGRAM_LIMIT: usize = 4096;

pub(super) struct Webhook {
    pub(super) url: Address,
    pub(super) format: WebhookFormat,
    pub(super) secret_file: Option<String>,
    pub(super) chat_id: Option<String>,
    pub(super) around: Surroundings,
}

impl Notifier for Webhook {
    fn send(&self, message: &Message, _earlier: Option<&str>) -> Result<Option<String>, String> {
        let url = self.around.address(&self.url)?;
        let body = self.body(message).to_string();
        let mut headers = Vec::new();
        if let Some(file) = &self.secret_file {
            headers.push(("x-openclaw-signature", signature(&self.around.secret(file)?, &body)?));
        }
        http::post_json(url, headers, body)?;
        Ok(None)
    }
}

impl Webhook {
    fn body(&self, message: &Message) -> Value {
        let plain = format!("{} {}\n{}", sign(message), message.title, message.body);
        match self.format {
            WebhookFormat::Json => document(message),
            WebhookFormat::Slack => {
                let escaped =
                    |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                let (title, body) = (escaped(&message.title), escaped(&message.body));
                json!({"text": format!("{} *{title}*\n```{}```", sign(message), body.replace("```", "'''"))})
            }
            WebhookFormat::Discord => {
                // Nobody is to be called by a name in an id.
                json!({"content": cut(&plain, DISCORD_LIMIT), "allowed_mentions": {"parse": []}})
            }
            WebhookFormat::Telegram => json!({"chat_id": self.chat_id, "text": cut(&plain, TELEGRAM_LIMIT)}),
            WebhookFormat::Teams => teams(message),
        }
    }
}

fn teams(message: &Message) -> Value {
    let colour = match message.incident.level {
        _ if message.is_over() => "Good",
        Level::Critical | Level::Urgent => "Attention",
        Level::Warning | Level::Notice => "Warning",
    };
    let title = json!({"type": "TextBlock", "text": message.title, "weight": "Bolder", "wrap": true, "color": colour});
    let lines = message.body.lines().map(|line| json!({"type": "TextBlock", "text": line, "wrap": true}));
    let body: Vec<_> = std::iter::once(title).chain(lines).collect();
    let card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    });
    let attachment = json!({"contentType": "application/vnd.microsoft.card.adaptive", "content": card});
    json!({"type": "message", "attachments": [attachment]})
}

fn sign(message: &Message) -> &'static str {
    match message.incident.level {
        _ if message.is_over() => "✅",
        Level::Critical => "🚨",
        Level::Urgent | Level::Warning => "⚠️",
        Level::Notice => "ℹ️",
    }
}

fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    text.chars().take(limit - 1).chain(['…']).collect()
}

/// The HMAC-SHA256 of the body as it is sent, `sha256=` before its hex digits, as GitHub's webhooks have it.
fn signature(key: &Secret, body: &str) -> Result<Secret, String> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()).map_err(|error| error.to_string())?;
    mac.update(body.as_bytes());
    Ok(Secret::new(format!("sha256={}", hex(&mac.finalize().into_bytes()))))
}

#[cfg(test)]
mod tests {
    use super::{cut, signature};
    use crate::core::secret::Secret;

    #[test]
    fn the_signature_is_that_of_rfc_4231() {
        let made = signature(&Secret::new("Jefe"), "what do ya want for nothing?").unwrap();
        assert_eq!(made.expose(), "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert_eq!(cut("äöü", 2), "ä…");
    }
}
