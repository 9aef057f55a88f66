//! What people read.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::core::alerting::Decided;
use crate::core::alerting::decide::Why;
use crate::core::alerting::incident::Incident;
use crate::core::credential::EpochMs;
use crate::core::printable::printable;
use crate::core::remedy::shell_word;
use crate::core::span;

/// One notice, whole: every channel shows it in its own way. It holds no secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// The same for every channel and every try, and for no other notice.
    pub id: String,
    /// Why it is sent.
    pub why: Why,
    /// What it is about.
    pub incident: Incident,
    /// The name of this host.
    pub host: String,
    /// The agent whose credentials were looked at.
    pub agent: String,
    /// When it was made, ms since the epoch.
    pub at: EpochMs,
    /// Since when the incident is there.
    pub since: EpochMs,
    /// One line.
    pub title: String,
    /// Some lines: since when, until when, what to type.
    pub body: String,
    /// What to type on that host, quoted for its shell.
    pub command: Option<String>,
    /// What puts the incident off for two days.
    pub snooze: Option<String>,
}

/// What a notice says of the place it comes from.
pub struct Origin<'o> {
    /// The name of this host.
    pub host: &'o str,
    /// The agent.
    pub agent: &'o str,
    /// How to call this program for the same installation and agent.
    pub program: &'o str,
    /// How an instant is written.
    pub instant: &'o dyn Fn(EpochMs) -> String,
}

impl Message {
    /// The notice of a decision.
    pub fn of(decided: &Decided, origin: &Origin<'_>, now: EpochMs) -> Self {
        let incident = &decided.incident;
        let is_over = decided.why == Why::Recovered;
        let subject = printable(&incident.subject);
        let mark = match decided.why {
            Why::Drill => "[DRILL] ",
            Why::Test => "[TEST] ",
            _ => "",
        };
        let title = if is_over {
            format!("{subject} is fine again")
        } else {
            format!("{mark}{subject} {}", printable(&incident.what))
        };
        let command = incident.remedies.iter().find_map(|remedy| typed(remedy)).filter(|_| !is_over);
        let is_real = !matches!(decided.why, Why::Drill | Why::Event | Why::Test | Why::Recovered);
        let snooze =
            is_real.then(|| format!("{} monitor snooze {} 2d", origin.program, shell_word(&incident.id)));
        let body = body(decided, origin, now, snooze.as_deref());
        Self {
            id: format!("{now}-{}-{}", decided.why.word(), incident.id),
            why: decided.why,
            incident: incident.clone(),
            host: origin.host.to_owned(),
            agent: origin.agent.to_owned(),
            at: now,
            since: decided.since,
            title,
            body,
            command: command.map(printable),
            snooze,
        }
    }

    /// Whether it says that something is over.
    pub fn is_over(&self) -> bool {
        self.why == Why::Recovered
    }
}

/// The command in a remedy: what stands between the first two back ticks, unless it is an assignment for a file.
fn typed(remedy: &str) -> Option<&str> {
    let command = remedy.split('`').nth(1).filter(|command| !command.is_empty())?;
    let program = command.split(' ').next().unwrap_or_default();
    (!program.contains(['=', '/'])).then_some(command)
}

fn body(decided: &Decided, origin: &Origin<'_>, now: EpochMs, snooze: Option<&str>) -> String {
    let incident = &decided.incident;
    let host = printable(origin.host);
    let mut text = format!("on {host}, agent {}", printable(origin.agent));
    let since = (origin.instant)(decided.since);
    if decided.why == Why::Recovered {
        let lasted = span::two_units(now.saturating_sub(decided.since));
        let _ = write!(text, "\nit was there since {since}, for {lasted}: {}", printable(&incident.what));
        return text;
    }
    let _ = write!(text, "\nsince {since}");
    if let Some(until) = incident.until {
        let distance = span::two_units(until.saturating_sub(now));
        let until_when = (origin.instant)(until);
        let _ = if until > now {
            write!(text, "\nuntil {until_when} (in {distance})")
        } else {
            write!(text, "\nended {until_when} ({distance} ago)")
        };
    }
    for (number, remedy) in incident.remedies.iter().enumerate() {
        let remedy = printable(remedy);
        let _ = write!(text, "\n{} {remedy}", if number == 0 { "->" } else { "or" });
    }
    if let Some(snooze) = snooze {
        let _ = write!(text, "\nto hear nothing of it for two days: {snooze}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Message, Origin, typed};
    use crate::core::alerting::decide::Why;
    use crate::core::alerting::incident::{Incident, Kind};
    use crate::core::alerting::{Decided, Level};
    use crate::core::span::{DAY, HOUR};

    fn decided(why: Why) -> Decided {
        let incident = Incident {
            id: "anthropic:it's \u{1b}[31m".to_owned(),
            kind: Kind::LoginEnding,
            level: Level::Warning,
            subject: "anthropic:me\n".to_owned(),
            provider: Some("anthropic".to_owned()),
            what: "needs a new login within 3d".to_owned(),
            since: None,
            until: Some(3 * DAY),
            remedies: vec!["`claude auth login`; the next status run takes it over".to_owned()],
        };
        Decided { why, incident, since: 0 }
    }

    #[test]
    fn a_notice_says_what_since_until_where_and_what_to_type() {
        let instant = |ms: i64| format!("<{ms}>");
        let origin =
            Origin { host: "pi", agent: "main", program: "openclaw --profile work", instant: &instant };
        let message = Message::of(&decided(Why::First), &origin, HOUR);
        assert_eq!(message.title, "anthropic:me\\u{a} needs a new login within 3d");
        assert_eq!(
            message.body,
            "on pi, agent main\nsince <0>\nuntil <259200000> (in 2d 23h)\n\
             -> `claude auth login`; the next status run takes it over\n\
             to hear nothing of it for two days: openclaw --profile work monitor snooze PROFILE 2d"
        );
        assert_eq!(message.command.as_deref(), Some("claude auth login"));
        let over = Message::of(&decided(Why::Recovered), &origin, 2 * HOUR);
        assert_eq!(over.title, "anthropic:me\\u{a} is fine again");
        assert_eq!((over.command, over.snooze), (None, None));
        assert!(Message::of(&decided(Why::Drill), &origin, 1).title.starts_with("[DRILL] "));
    }

    #[test]
    fn the_command_is_what_stands_in_back_ticks() {
        assert_eq!(typed("mend it, then `openclaw x 'a b'`, or not"), Some("openclaw x 'a b'"));
        assert_eq!(typed("restore it"), None);
        assert_eq!(typed("add `KEY=<key>` to x"), None);
        assert_eq!(typed("write `anthropic/claude` in x"), None);
        assert_eq!(typed("``"), None);
    }
}
