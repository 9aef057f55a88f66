//! ntfy: a message as JSON, published at the root of the server.

use serde_json::json;
use url::Url;

use crate::core::alerting::Level;
use crate::core::alerting::message::Message;
use crate::notify::{Notifier, Surroundings, http};

pub(super) struct Ntfy {
    pub(super) url: Url,
    pub(super) topic: String,
    pub(super) token_file: Option<String>,
    pub(super) open: Option<String>,
    pub(super) around: Surroundings,
}

impl Notifier for Ntfy {
    fn send(&self, message: &Message, _earlier: Option<&str>) -> Result<Option<String>, String> {
        // Priorities run from 1 to 5, 3 is the default (docs.ntfy.sh/publish).
        let (priority, tag) = match message.incident.level {
            _ if message.is_over() => (2, "white_check_mark"),
            Level::Critical => (5, "rotating_light"),
            Level::Urgent => (4, "warning"),
            Level::Warning => (3, "warning"),
            Level::Notice => (2, "information_source"),
        };
        let mut body = json!({
            "topic": self.topic,
            "title": message.title,
            "message": message.body,
            "priority": priority,
            "tags": [tag, message.incident.kind.word(), message.host],
        });
        if let Some(open) = &self.open {
            body["click"] = json!(open);
            body["actions"] =
                json!([{"action": "view", "label": format!("Open {}", message.host), "url": open}]);
        }
        let headers = self.around.bearer(self.token_file.as_ref())?;
        http::post_json(self.url.clone(), headers, body.to_string())?;
        Ok(None)
    }
}
