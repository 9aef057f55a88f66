//! `monitor-state.json`: what people were told, what is still to be delivered, and what became of it. No secrets.

use serde::{Deserialize, Serialize};

use crate::core::alerting::message::Message;
use crate::core::alerting::{AlertState, Known, Level};
use crate::core::credential::EpochMs;
use crate::core::delivery::Deliveries;
use crate::core::span;

/// At most so many notices wait for one channel.
pub const LONGEST_QUEUE: usize = 100;
/// The first wait after a failed delivery, and the longest.
const FIRST_WAIT: i64 = 15 * span::SECOND;
const LONGEST_WAIT: i64 = 15 * span::MINUTE;

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MonitorState {
    /// 1.
    pub version: u32,
    /// When the last look ended.
    pub last_run: Option<EpochMs>,
    /// Its verdict: `ok`, `expiring`, `failing`.
    pub last_verdict: Option<String>,
    /// When the next look is due, as far as a running monitor knows.
    pub next_run: Option<EpochMs>,
    /// What people were told.
    pub incidents: Vec<Known>,
    /// What is still to be delivered, oldest first.
    pub queue: Vec<Queued>,
    /// What became of the deliveries, by channel.
    pub channels: Vec<ChannelRecord>,
}

/// A notice that one channel has not delivered yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Queued {
    /// The channel.
    pub channel: String,
    /// The notice.
    pub message: Message,
    /// How often it was tried.
    #[serde(default)]
    pub tries: u32,
    /// Not to be tried before this instant.
    #[serde(default)]
    pub next_try: EpochMs,
}

/// What became of the deliveries of a channel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ChannelRecord {
    /// Its name.
    pub name: String,
    /// Notices that arrived.
    pub delivered: u64,
    /// Tries that failed.
    pub failed: u64,
    /// Notices that were given up because too many waited.
    pub dropped: u64,
    /// When the last one arrived.
    pub last_delivered: Option<EpochMs>,
    /// Why the last try failed, when it did.
    pub last_error: Option<String>,
    /// What the channel calls its last notice of an incident, so that the next one can take its place.
    pub receipts: Vec<(String, String)>,
}

impl MonitorState {
    /// Reads the file.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes)
            .map_err(|error| format!("is not understood at line {}, column {}", error.line(), error.column()))
    }

    /// The file's content.
    pub fn write(&self) -> Vec<u8> {
        let whole = Self { version: 1, ..self.clone() };
        let mut bytes = serde_json::to_vec_pretty(&whole).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Changes what people were told.
    pub fn alerts<T>(&mut self, change: impl FnOnce(&mut AlertState) -> T) -> T {
        let mut state = AlertState { known: std::mem::take(&mut self.incidents) };
        let answer = change(&mut state);
        self.incidents = state.known;
        answer
    }

    /// Puts a notice into the queues of the channels that want its level. Where too many wait, the oldest of the lowest
    /// level goes, and is counted.
    pub fn enqueue(&mut self, message: &Message, channels: &[(String, Level)]) {
        for (channel, _) in channels.iter().filter(|(_, floor)| message.incident.level >= *floor) {
            let message = message.clone();
            self.queue.push(Queued { channel: channel.clone(), message, tries: 0, next_try: 0 });
            let waiting = self.queue.iter().enumerate().filter(|(_, queued)| queued.channel == *channel);
            let waiting: Vec<_> =
                waiting.map(|(place, queued)| (queued.message.incident.level, place)).collect();
            if waiting.len() > LONGEST_QUEUE
                && let Some((_, place)) = waiting.into_iter().min()
            {
                self.queue.remove(place);
                self.channel(channel).dropped += 1;
            }
        }
    }

    /// Drops what has waited for a day for a channel that is no more.
    pub fn forget_channels(&mut self, channels: &[(String, Level)], now: EpochMs) {
        self.queue.retain(|queued| {
            let is_young = now.saturating_sub(queued.message.at) < span::DAY;
            is_young || channels.iter().any(|(name, _)| *name == queued.channel)
        });
    }

    /// Remembers that a notice arrived.
    pub fn delivered(&mut self, channel: &str, message: &Message, receipt: Option<String>, now: EpochMs) {
        self.queue.retain(|queued| queued.channel != channel || queued.message.id != message.id);
        let record = self.channel(channel);
        record.delivered += 1;
        record.last_delivered = Some(now);
        record.last_error = None;
        record.receipts.retain(|(incident, _)| *incident != message.incident.id);
        if let Some(receipt) = receipt.filter(|_| !message.is_over()) {
            record.receipts.push((message.incident.id.clone(), receipt));
        }
    }

    /// Remembers that a try failed.
    pub fn failed(&mut self, channel: &str, message: &Message, error: &str, now: EpochMs) {
        let queued =
            self.queue.iter_mut().find(|queued| queued.channel == channel && queued.message.id == message.id);
        if let Some(queued) = queued {
            let wait = FIRST_WAIT.saturating_mul(1 << queued.tries.min(10)).min(LONGEST_WAIT);
            queued.tries = queued.tries.saturating_add(1);
            queued.next_try = now.saturating_add(wait);
        }
        let record = self.channel(channel);
        record.failed += 1;
        record.last_error = Some(error.to_owned());
    }

    /// What is remembered of a channel.
    pub fn channel(&mut self, name: &str) -> &mut ChannelRecord {
        let place = self.channels.iter().position(|record| record.name == name).unwrap_or_else(|| {
            self.channels.push(ChannelRecord { name: name.to_owned(), ..ChannelRecord::default() });
            self.channels.len() - 1
        });
        &mut self.channels[place]
    }

    /// When the first notice that waits may be tried again.
    pub fn next_try(&self) -> Option<EpochMs> {
        self.queue.iter().map(|queued| queued.next_try).min()
    }

    /// What became of the deliveries, for metrics.
    pub fn deliveries(&self) -> Vec<Deliveries> {
        let records = self.channels.iter().map(|record| Deliveries {
            channel: record.name.clone(),
            delivered: record.delivered,
            failed: record.failed,
            last_delivered: record.last_delivered,
        });
        records.collect()
    }
}
