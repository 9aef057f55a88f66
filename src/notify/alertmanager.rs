//! Alertmanager, API v2.

use serde_json::{Value, json};
use url::Url;

use crate::core::alerting::Level;
use crate::core::alerting::message::Message;
use crate::core::span;
use crate::notify::document::instant;
use crate::notify::{Notifier, Surroundings, http};

/// An alert that says no end is resolved by Alertmanager after minutes. Ours says when it is over.
const OPEN_FOR: i64 = 365 * span::DAY;

pub(super) struct Alertmanager {
    pub(super) url: Url,
    pub(super) token_file: Option<String>,
    pub(super) around: Surroundings,
}

impl Notifier for Alertmanager {
    fn send(&self, message: &Message, _earlier: Option<&str>) -> Result<Option<String>, String> {
        // The labels are what an alert is: at another level it is another alert, and those of other levels are over.
        let alerts: Vec<_> = Level::ALL.iter().map(|level| alert(message, *level)).collect();
        let headers = self.around.bearer(self.token_file.as_ref())?;
        http::post_json(http::below(&self.url, "/api/v2/alerts"), headers, json!(alerts).to_string())?;
        Ok(None)
    }
}

fn alert(message: &Message, level: Level) -> Value {
    let incident = &message.incident;
    let is_open = !message.is_over() && level == incident.level;
    let ends = if is_open { message.at.saturating_add(OPEN_FOR) } else { message.at };
    json!({
        "labels": {
            "alertname": "OpenclawCredential",
            "severity": level.word(),
            "host": message.host,
            "agent": message.agent,
            "incident": incident.id,
        },
        "annotations": {
            "summary": message.title,
            "description": message.body,
            "command": message.command.clone().unwrap_or_default(),
            "kind": incident.kind.word(),
            "provider": incident.provider.clone().unwrap_or_default(),
        },
        "startsAt": instant(message.since.min(message.at.saturating_sub(1000))),
        "endsAt": instant(ends),
    })
}
