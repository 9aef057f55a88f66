//! A notice as a JSON document: what webhooks and commands get. `docs/monitor-webhook.schema.json` describes it.

use chrono::{DateTime, SecondsFormat};
use serde_json::{Value, json};

use crate::core::alerting::message::Message;
use crate::core::credential::EpochMs;

/// An instant as RFC 3339 writes it, in UTC.
pub(super) fn instant(ms: EpochMs) -> String {
    DateTime::from_timestamp_millis(ms)
        .unwrap_or(DateTime::UNIX_EPOCH)
        .to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The document.
pub fn document(message: &Message) -> Value {
    let incident = &message.incident;
    json!({
        "version": 1,
        "id": message.id,
        "why": message.why.word(),
        "state": if message.is_over() { "over" } else { "open" },
        "at": instant(message.at),
        "host": message.host,
        "agent": message.agent,
        "incident": {
            "id": incident.id,
            "kind": incident.kind.word(),
            "level": incident.level.word(),
            "subject": incident.subject,
            "provider": incident.provider,
            "what": incident.what,
            "since": instant(message.since),
            "until": incident.until.map(instant),
        },
        "title": message.title,
        "body": message.body,
        "command": message.command,
        "snooze": message.snooze,
        "remedies": incident.remedies,
    })
}
