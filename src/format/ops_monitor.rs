//! The `monitor` section of `ops.json`.

use url::Url;

use crate::core::alerting::{Level, QuietHours};
use crate::core::endpoint;
use crate::core::report::Refreshable;
use crate::format::ops::parse_span;
use crate::format::section::Section;

/// Every setting; absent keys are `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MonitorOps {
    /// `every` in ms.
    pub every_ms: Option<i64>,
    /// `cron`: a crontab line.
    pub cron: Option<String>,
    /// `timezone`, by its IANA name.
    pub timezone: Option<String>,
    /// `jitter` in ms: each look comes up to that much later.
    pub jitter_ms: Option<i64>,
    /// `policy`.
    pub policy: Option<Refreshable>,
    /// `refresh`: whether logins are renewed ahead of their expiry.
    pub refresh: Option<bool>,
    /// `refreshFailingAfter` in ms.
    pub refresh_failing_after_ms: Option<i64>,
    /// `repeat` in ms; `Some(None)` for `off`.
    pub repeat_ms: Option<Option<i64>>,
    /// `quota`: the used share from which on a subscription is told, 0 to 100.
    pub quota_percent: Option<f64>,
    /// `quietHours`.
    pub quiet_hours: Option<QuietHours>,
    /// `host`: what this host is called in notices.
    pub host: Option<String>,
    /// `channels`, in the order of the file.
    pub channels: Vec<ChannelOps>,
}

/// One channel.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelOps {
    /// The name that the file gives it.
    pub name: String,
    /// Nothing below this level goes there.
    pub floor: Level,
    /// What it is.
    pub kind: ChannelKind,
}

/// The kinds of channel and what each needs.
#[derive(Clone, Debug, PartialEq)]
pub enum ChannelKind {
    /// Alertmanager, API v2.
    Alertmanager {
        /// Its base.
        url: Url,
        /// The file with a bearer token, as written.
        token_file: Option<String>,
    },
    /// A program that gets the notice on stdin.
    Command {
        /// Program and arguments; no shell is involved.
        argv: Vec<String>,
    },
    /// A service that calls when it hears nothing.
    DeadMan {
        /// What is called after a good check; `/start` and `/fail` go behind it.
        url: Address,
    },
    /// A notice on the desktop of this host.
    Desktop,
    /// Mail, through the `sendmail` program of this host.
    Email {
        /// To whom.
        to: Vec<String>,
        /// From whom; the mail system's own choice when left out.
        from: Option<String>,
        /// The program and its arguments.
        sendmail: Vec<String>,
    },
    /// ntfy.
    Ntfy {
        /// The server.
        url: Url,
        /// The topic.
        topic: String,
        /// The file with an access token, as written.
        token_file: Option<String>,
        /// What a tap on the notice opens, for example `ssh://me@host`.
        open: Option<String>,
    },
    /// A notice of Android, through Termux:API.
    Termux,
    /// A POST.
    Webhook {
        /// Where to.
        url: Address,
        /// What it carries.
        format: WebhookFormat,
        /// The file with the key of the signature, as written.
        secret_file: Option<String>,
        /// The chat of a Telegram bot.
        chat_id: Option<String>,
    },
}

impl ChannelKind {
    /// The word of `type`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Alertmanager { .. } => "alertmanager",
            Self::Command { .. } => "command",
            Self::DeadMan { .. } => "deadman",
            Self::Desktop => "desktop",
            Self::Email { .. } => "email",
            Self::Ntfy { .. } => "ntfy",
            Self::Termux => "termux",
            Self::Webhook { .. } => "webhook",
        }
    }
}

/// An address that may be a secret itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Address {
    /// It stands in a file, as written.
    File(String),
    /// It stands in the settings.
    Url(Url),
}

/// What a webhook carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookFormat {
    /// What Discord's webhooks take.
    Discord,
    /// Our own document; `docs/monitor-webhook.schema.json`.
    Json,
    /// What Slack's and Mattermost's webhooks take.
    Slack,
    /// What the workflows of Teams take: an adaptive card.
    Teams,
    /// What `sendMessage` of Telegram's bots takes.
    Telegram,
}

/// Where ntfy is when nobody says otherwise.
const NTFY: &str = "https://ntfy.sh";
const TYPES: &[&str] =
    &["alertmanager", "command", "deadman", "desktop", "email", "ntfy", "termux", "webhook"];
const LEVELS: &[&str] = &["notice", "warning", "urgent", "critical"];

/// Types the section.
pub(super) fn read(section: &Section<'_>) -> MonitorOps {
    section.closed(&[
        "channels",
        "cron",
        "every",
        "host",
        "jitter",
        "policy",
        "quietHours",
        "quota",
        "refresh",
        "refreshFailingAfter",
        "repeat",
        "timezone",
    ]);
    let span = |key: &str| {
        let text = section.text(key)?;
        parse_span(text).map_or_else(|message| section.wrong(key, &message), Some)
    };
    let text = |key: &str| required(section, key);
    if section.has("every") && section.has("cron") {
        section.wrong::<()>("cron", "stands beside `every`; only one of them can be meant");
    }
    MonitorOps {
        every_ms: span("every")
            .and_then(|ms| if ms >= 1000 { Some(ms) } else { section.wrong("every", "must be at least 1s") }),
        cron: text("cron"),
        timezone: text("timezone"),
        jitter_ms: span("jitter"),
        policy: section.one_of("policy", &["strict", "lenient"]).map(|word| match word {
            "strict" => Refreshable::Strict,
            _ => Refreshable::Lenient,
        }),
        refresh: section.flag("refresh"),
        refresh_failing_after_ms: span("refreshFailingAfter"),
        repeat_ms: section.text("repeat").and_then(|text| match text {
            "off" => Some(None),
            text => {
                parse_span(text).map_or_else(|message| section.wrong("repeat", &message), |ms| Some(Some(ms)))
            }
        }),
        quota_percent: section.positive("quota").and_then(|percent| {
            if percent <= 100.0 { Some(percent) } else { section.wrong("quota", "must be at most 100") }
        }),
        quiet_hours: section.has("quietHours").then(|| quiet_hours(&section.section("quietHours"))).flatten(),
        host: text("host"),
        channels: section
            .section("channels")
            .sections()
            .into_iter()
            .filter_map(|(name, entry)| channel(name, &entry))
            .collect(),
    }
}

fn required(section: &Section<'_>, key: &str) -> Option<String> {
    section.has(key).then(|| section.required_text(key)).flatten().map(str::to_owned)
}

fn quiet_hours(section: &Section<'_>) -> Option<QuietHours> {
    section.closed(&["floor", "from", "to"]);
    let minute = |key: &str| {
        let text = section.required_text(key)?;
        QuietHours::minute(text).or_else(|| section.wrong(key, "expected a time of day such as \"22:00\""))
    };
    let (from, to) = (minute("from"), minute("to"));
    Some(QuietHours { from: from?, to: to?, floor: level(section, "floor").unwrap_or(Level::Critical) })
}

fn level(section: &Section<'_>, key: &str) -> Option<Level> {
    section.one_of(key, LEVELS).and_then(Level::of_word)
}

fn channel(name: &str, entry: &Section<'_>) -> Option<ChannelOps> {
    let word =
        if entry.has("type") { entry.one_of("type", TYPES)? } else { entry.wrong("type", "is required")? };
    let own: &[&str] = match word {
        "alertmanager" => &["url", "tokenFile"],
        "command" => &["argv"],
        "deadman" => &["url", "urlFile"],
        "email" => &["to", "from", "sendmail"],
        "ntfy" => &["url", "topic", "tokenFile", "open"],
        "webhook" => &["url", "urlFile", "format", "secretFile", "chatId"],
        _ => &[],
    };
    entry.closed(&[&["type", "floor"], own].concat());
    let kind = match word {
        "alertmanager" => {
            ChannelKind::Alertmanager { url: url(entry, "url")?, token_file: required(entry, "tokenFile") }
        }
        "command" => ChannelKind::Command { argv: words(entry, "argv")? },
        "deadman" => ChannelKind::DeadMan { url: address(entry)? },
        "desktop" => ChannelKind::Desktop,
        "email" => {
            let to = words(entry, "to")?;
            let from = required(entry, "from");
            for address in to.iter().chain(&from) {
                let is_plain =
                    !address.starts_with('-') && !address.chars().any(|c| c.is_control() || c == ' ');
                if !is_plain || !address.contains('@') {
                    return entry.wrong("to", "expected plain addresses such as \"me@example.com\"");
                }
            }
            let sendmail =
                if entry.has("sendmail") { words(entry, "sendmail")? } else { vec!["sendmail".to_owned()] };
            ChannelKind::Email { to, from, sendmail }
        }
        "ntfy" => {
            let server = if entry.has("url") { url(entry, "url")? } else { endpoint::parse(NTFY).ok()? };
            let topic = entry.required_text("topic")?;
            let is_plain =
                topic.len() <= 64 && topic.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
            if !is_plain {
                return entry.wrong("topic", "expected at most 64 letters, digits, \"_\" and \"-\"");
            }
            ChannelKind::Ntfy {
                url: server,
                topic: topic.to_owned(),
                token_file: required(entry, "tokenFile"),
                open: required(entry, "open"),
            }
        }
        "termux" => ChannelKind::Termux,
        _ => webhook(entry)?,
    };
    Some(ChannelOps { name: name.to_owned(), floor: level(entry, "floor").unwrap_or(Level::Notice), kind })
}

fn webhook(entry: &Section<'_>) -> Option<ChannelKind> {
    let format = match entry.one_of("format", &["discord", "json", "slack", "teams", "telegram"]) {
        Some("discord") => WebhookFormat::Discord,
        Some("slack") => WebhookFormat::Slack,
        Some("teams") => WebhookFormat::Teams,
        Some("telegram") => WebhookFormat::Telegram,
        _ => WebhookFormat::Json,
    };
    let chat_id = required(entry, "chatId");
    if (format == WebhookFormat::Telegram) != chat_id.is_some() {
        return entry.wrong("chatId", "belongs to the format \"telegram\", which needs it");
    }
    Some(ChannelKind::Webhook {
        url: address(entry)?,
        format,
        secret_file: required(entry, "secretFile"),
        chat_id,
    })
}

fn url(entry: &Section<'_>, key: &str) -> Option<Url> {
    let text = entry.required_text(key)?;
    endpoint::parse(text).map_or_else(|message| entry.wrong(key, message), Some)
}

fn address(entry: &Section<'_>) -> Option<Address> {
    match (entry.has("url"), entry.has("urlFile")) {
        (true, true) => entry.wrong("urlFile", "stands beside `url`; only one of them can be meant"),
        (false, true) => required(entry, "urlFile").map(Address::File),
        _ => url(entry, "url").map(Address::Url),
    }
}

/// One text, or a list of them that is not empty.
fn words(entry: &Section<'_>, key: &str) -> Option<Vec<String>> {
    let words = entry.texts(key);
    if words.is_empty() || words[0].is_empty() {
        entry.wrong(key, "expected an array of texts that is not empty")
    } else {
        Some(words)
    }
}

#[cfg(test)]
mod tests {
    use super::{ChannelKind, MonitorOps};
    use crate::core::alerting::{Level, QuietHours};
    use crate::core::report::Refreshable;
    use crate::format::config::parse;
    use crate::format::ops;

    fn monitor(text: &str) -> Result<MonitorOps, Vec<String>> {
        ops::read(&parse(format!("{{monitor: {text}}}").as_bytes(), 0).unwrap())
            .map(|ops| ops.monitor)
            .map_err(|problems| {
                problems.into_iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect()
            })
    }

    #[test]
    fn every_key_is_read() {
        assert_eq!(monitor("{}").unwrap(), MonitorOps::default());
        let all = monitor(
            "{every: '15m', jitter: '30s', timezone: 'Europe/Berlin', policy: 'strict', refresh: true, repeat: '12h',
              refreshFailingAfter: '2h', quota: 90, host: 'pi', quietHours: {from: '22:00', to: '7:00', floor: 'urgent'},
              channels: {phone: {type: 'ntfy', topic: 'me', floor: 'warning'}, mail: {type: 'email', to: ['me@x.com']},
                         d: {type: 'desktop'}, t: {type: 'termux'}, c: {type: 'command', argv: ['true']},
                         a: {type: 'alertmanager', url: 'http://127.0.0.1:9093'}, dm: {type: 'deadman', urlFile: 'f'},
                         s: {type: 'webhook', url: 'https://x.example/h', format: 'slack'}}}",
        )
        .unwrap();
        assert_eq!((all.every_ms, all.repeat_ms), (Some(900_000), Some(Some(12 * 3_600_000))));
        assert_eq!(all.policy, Some(Refreshable::Strict));
        assert_eq!(all.quiet_hours, Some(QuietHours { from: 1320, to: 420, floor: Level::Urgent }));
        assert_eq!(all.channels.len(), 8);
        let ChannelKind::Ntfy { url, topic, .. } = &all.channels[0].kind else { panic!("{all:?}") };
        assert_eq!(
            (url.as_str(), topic.as_str(), all.channels[0].floor),
            ("https://ntfy.sh/", "me", Level::Warning)
        );
        assert_eq!(monitor("{repeat: 'off'}").unwrap().repeat_ms, Some(None));
    }

    #[test]
    fn what_would_have_no_effect_is_an_error() {
        for (text, wanted) in [
            ("{every: '0s'}", "monitor.every: must be at least 1s"),
            (
                "{every: '1h', cron: '* * * * *'}",
                "monitor.cron: stands beside `every`; only one of them can be meant",
            ),
            ("{quota: 101}", "monitor.quota: must be at most 100"),
            (
                "{quietHours: {from: '25:00', to: '7:00'}}",
                "monitor.quietHours.from: expected a time of day such as \"22:00\"",
            ),
            ("{channels: {x: {}}}", "monitor.channels.x.type: is required"),
            (
                "{channels: {x: {type: 'ntfy', topic: 'a/b'}}}",
                "monitor.channels.x.topic: expected at most 64 letters, digits, \"_\" and \"-\"",
            ),
            ("{channels: {x: {type: 'desktop', topic: 'a'}}}", "monitor.channels.x.topic: unknown key"),
            (
                "{channels: {x: {type: 'command', argv: []}}}",
                "monitor.channels.x.argv: expected an array of texts that is not empty",
            ),
            (
                "{channels: {x: {type: 'webhook', url: 'http://x.example/'}}}",
                "monitor.channels.x.url: plain http is for loopback and private addresses only; write https",
            ),
            (
                "{channels: {x: {type: 'webhook', url: 'https://x.example/', format: 'telegram'}}}",
                "monitor.channels.x.chatId: belongs to the format \"telegram\", which needs it",
            ),
            (
                "{channels: {x: {type: 'email', to: ['-oQ/tmp']}}}",
                "monitor.channels.x.to: expected plain addresses such as \"me@example.com\"",
            ),
            ("{chanels: {}}", "monitor.chanels: unknown key; did you mean \"channels\"?"),
        ] {
            assert_eq!(monitor(text).unwrap_err(), [wanted], "{text}");
        }
    }
}
