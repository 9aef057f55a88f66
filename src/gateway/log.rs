//! The log. Lines are handed to a thread of its own: whoever reads them slowly keeps no request waiting.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use arc_swap::ArcSwapOption;
use serde_json::{Map, Value};

use crate::clock::Clock;
use crate::gateway::numbers::Numbers;
use crate::process::{self, Process};

/// Lines that may wait. Who does not take them for that long does without.
const WAITING: usize = 8192;
/// The most that is written at once.
const AT_ONCE: usize = 64 * 1024;

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// An object a line.
    Json,
    /// For people.
    #[default]
    Text,
}

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Info,
    Warning,
}

/// Where lines go.
#[derive(Debug)]
pub(super) struct Log {
    format: Format,
    clock: Clock,
    /// Whether the journal takes the lines: it knows the time itself, and how much they matter by a prefix.
    is_journal: bool,
    lines: ArcSwapOption<SyncSender<String>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    numbers: Arc<Numbers>,
}

impl Log {
    pub(super) fn new(process: &Process, clock: &Clock, format: Format, numbers: Arc<Numbers>) -> Self {
        let (lines, inbox) = sync_channel(WAITING);
        let stderr = process.clone();
        let writer = std::thread::Builder::new().name("log".to_owned()).spawn(move || write(&stderr, &inbox));
        Self {
            format,
            clock: clock.clone(),
            is_journal: process.var(&process::JOURNAL_STREAM).is_some(),
            lines: ArcSwapOption::from_pointee(lines),
            writer: Mutex::new(writer.ok()),
            numbers,
        }
    }

    /// Says something.
    pub(super) fn say(&self, level: Level, message: &str) {
        match self.format {
            Format::Text => self.put(level, &crate::render::printable(message)),
            Format::Json => {
                let mut members = self.head(level);
                members.insert("message".to_owned(), message.into());
                self.put_json(members);
            }
        }
    }

    /// Says what is known of one thing, by names. What is not known is left out.
    pub(super) fn event(&self, level: Level, event: &str, members: &[(&'static str, Value)]) {
        let known = members.iter().filter(|(_, value)| !value.is_null());
        match self.format {
            Format::Text => {
                let mut line = event.to_owned();
                for (name, value) in known {
                    line.push(' ');
                    line.push_str(name);
                    line.push('=');
                    match value {
                        Value::String(text) if is_plain(text) => line.push_str(text),
                        other => line.push_str(&other.to_string()),
                    }
                }
                self.put(level, &line);
            }
            Format::Json => {
                let mut document = self.head(level);
                document.insert("event".to_owned(), event.into());
                document.extend(known.map(|(name, value)| ((*name).to_owned(), value.clone())));
                self.put_json(document);
            }
        }
    }

    fn head(&self, level: Level) -> Map<String, Value> {
        let level = match level {
            Level::Info => "info",
            Level::Warning => "warning",
        };
        let time = self.now();
        [("time", time.as_str()), ("level", level)]
            .into_iter()
            .map(|(name, text)| (name.to_owned(), text.into()))
            .collect()
    }

    fn now(&self) -> String {
        self.clock.now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
    }

    fn put(&self, level: Level, text: &str) {
        // sd-daemon(3): the journal takes the priority from the beginning of a line.
        let line = match (self.is_journal, level) {
            (true, Level::Info) => format!("<6>{text}\n"),
            (true, Level::Warning) => format!("<4>{text}\n"),
            (false, _) => format!("{} {text}\n", self.now()),
        };
        self.send(line);
    }

    fn put_json(&self, document: Map<String, Value>) {
        self.send(format!("{}\n", Value::Object(document)));
    }

    fn send(&self, line: String) {
        let lines = self.lines.load();
        if let Some(Err(TrySendError::Full(_))) = lines.as_ref().map(|lines| lines.try_send(line)) {
            self.numbers.log_dropped.one();
        }
    }

    /// Writes what waits, and nothing after it.
    pub(super) fn finish(&self) {
        self.lines.store(None);
        if let Some(writer) = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take() {
            drop(writer.join());
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Whether a text reads well without quotes.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && c != '"' && c != '=' && c != '\\')
}

fn write(process: &Process, inbox: &Receiver<String>) {
    let mut text = String::new();
    while let Ok(line) = inbox.recv() {
        text.clear();
        text.push_str(&line);
        while text.len() < AT_ONCE {
            let Ok(line) = inbox.try_recv() else { break };
            text.push_str(&line);
        }
        process.write_stderr(&text);
    }
}
