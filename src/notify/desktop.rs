//! A notice on the desktop of this host, over D-Bus.

use std::sync::mpsc::channel;
use std::thread;

use notify_rust::{Notification, Timeout, Urgency};

use crate::core::alerting::Level;
use crate::core::alerting::message::Message;
use crate::notify::{Notifier, TIME_LIMIT};

pub(super) struct Desktop;

impl Notifier for Desktop {
    fn send(&self, message: &Message, earlier: Option<&str>) -> Result<Option<String>, String> {
        let (title, body, level, is_over) =
            (message.title.clone(), message.body.clone(), message.incident.level, message.is_over());
        let earlier = earlier.and_then(|receipt| receipt.parse::<u32>().ok());
        let (answer, inbox) = channel();
        // A notification daemon that hangs must not hold us: the thread is left behind.
        thread::spawn(move || drop(answer.send(show(&title, &body, level, is_over, earlier))));
        inbox
            .recv_timeout(TIME_LIMIT)
            .unwrap_or_else(|_| Err("the notification daemon does not answer".to_owned()))
    }
}

fn show(
    title: &str,
    body: &str,
    level: Level,
    is_over: bool,
    earlier: Option<u32>,
) -> Result<Option<String>, String> {
    let failed = |error: notify_rust::error::Error| format!("no notice on the desktop: {error}");
    let takes_markup =
        notify_rust::get_capabilities().map_err(failed)?.iter().any(|capability| capability == "body-markup");
    let body = if takes_markup {
        body.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
    } else {
        body.to_owned()
    };
    let (urgency, timeout) = match level {
        _ if is_over => (Urgency::Low, Timeout::Default),
        // It stays until somebody has seen it.
        Level::Critical => (Urgency::Critical, Timeout::Never),
        Level::Urgent | Level::Warning => (Urgency::Normal, Timeout::Never),
        Level::Notice => (Urgency::Low, Timeout::Default),
    };
    let mut notification = Notification::new();
    notification.appname("openclaw").summary(title).body(&body).icon("dialog-password");
    notification.urgency(urgency).timeout(timeout);
    if let Some(earlier) = earlier {
        notification.id(earlier);
    }
    let shown = notification.show().map_err(failed)?;
    Ok(Some(shown.id().to_string()))
}
