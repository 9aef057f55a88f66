//! The monitor's own state.

use std::fmt::Write;

use serde_json::json;

use crate::core::credential::EpochMs;
use crate::core::span;
use crate::format::monitor_state::{ChannelRecord, MonitorState};
use crate::render::{name, printable};

/// What there is to show.
pub struct View<'v> {
    /// What is remembered.
    pub state: &'v MonitorState,
    /// Name and kind of every channel.
    pub channels: &'v [(String, &'static str)],
    /// Channels that cannot be used, and why.
    pub unusable: &'v [(String, String)],
    /// Whether a monitor runs now.
    pub is_running: bool,
    /// When it looks.
    pub schedule: &'v str,
    /// Now.
    pub now: EpochMs,
    /// How an instant is written.
    pub instant: &'v dyn Fn(EpochMs) -> String,
}

impl View<'_> {
    fn record(&self, channel: &str) -> ChannelRecord {
        let found = self.state.channels.iter().find(|record| record.name == channel);
        found.cloned().unwrap_or_default()
    }

    fn waiting(&self, channel: &str) -> usize {
        self.state.queue.iter().filter(|queued| queued.channel == channel).count()
    }

    fn when(&self, at: EpochMs) -> String {
        let distance = span::two_units(at.saturating_sub(self.now));
        let distance = if at > self.now { format!("in {distance}") } else { format!("{distance} ago") };
        format!("{} ({distance})", (self.instant)(at))
    }
}

/// For people.
pub fn text(view: &View<'_>) -> String {
    let mut text = String::new();
    let last = view.state.last_run.map_or_else(|| "never".to_owned(), |at| view.when(at));
    let verdict = view.state.last_verdict.as_ref().map_or_else(String::new, |word| format!(", {word}"));
    let _ = writeln!(text, "last look   {last}{verdict}");
    let next = match view.state.next_run.filter(|_| view.is_running) {
        Some(at) => view.when(at),
        None if view.is_running => "it is looking now".to_owned(),
        None => "no monitor is running; timers and cron start their own".to_owned(),
    };
    let _ = writeln!(text, "next look   {next}\nlooks       {}", view.schedule);
    let open: Vec<_> = view.state.incidents.iter().filter(|known| known.is_open).collect();
    let _ = writeln!(text, "\nopen incidents: {}", open.len());
    for known in open {
        let incident = &known.incident;
        let told = known.told.map_or("not told yet", |_| "told");
        let snoozed = known.snoozed.filter(|(until, _)| *until > view.now);
        let snoozed = snoozed
            .map_or_else(String::new, |(until, _)| format!(", put off until {}", (view.instant)(until)));
        let (id, what) = (name(&incident.id), printable(&incident.what));
        let _ = writeln!(text, "  {:<9} {id} {what}; {told}{snoozed}", incident.level.word());
    }
    let _ = writeln!(text, "\nchannels: {}", view.channels.len());
    for (channel, kind) in view.channels {
        let record = view.record(channel);
        let last = record
            .last_delivered
            .map_or_else(|| "nothing delivered yet".to_owned(), |at| format!("last {}", view.when(at)));
        let _ = writeln!(
            text,
            "  {} ({kind}): {last}; delivered {}, failed tries {}, waiting {}, given up {}",
            name(channel),
            record.delivered,
            record.failed,
            view.waiting(channel),
            record.dropped
        );
        if let Some(error) = &record.last_error {
            let _ = writeln!(text, "    last try failed: {}", printable(error));
        }
    }
    for (channel, why) in view.unusable {
        let _ = writeln!(text, "  {}: cannot be used: {}", name(channel), printable(why));
    }
    text
}

/// For programs.
pub fn json(view: &View<'_>) -> String {
    let incidents = view.state.incidents.iter().filter(|known| known.is_open).map(|known| {
        json!({
            "id": known.incident.id,
            "kind": known.incident.kind.word(),
            "level": known.incident.level.word(),
            "what": known.incident.what,
            "since": known.since,
            "until": known.incident.until,
            "told": known.told.is_some(),
            "snoozedUntil": known.snoozed.map(|(until, _)| until).filter(|until| *until > view.now),
        })
    });
    let channels = view.channels.iter().map(|(channel, kind)| {
        let record = view.record(channel);
        json!({
            "name": channel,
            "type": kind,
            "delivered": record.delivered,
            "failed": record.failed,
            "dropped": record.dropped,
            "waiting": view.waiting(channel),
            "lastDelivered": record.last_delivered,
            "lastError": record.last_error,
        })
    });
    let document = json!({
        "lastRun": view.state.last_run,
        "lastVerdict": view.state.last_verdict,
        "nextRun": view.state.next_run.filter(|_| view.is_running),
        "running": view.is_running,
        "schedule": view.schedule,
        "incidents": incidents.collect::<Vec<_>>(),
        "channels": channels.collect::<Vec<_>>(),
        "unusable": view.unusable.iter().map(|(channel, why)| json!({"name": channel, "why": why})).collect::<Vec<_>>(),
    });
    serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
}
