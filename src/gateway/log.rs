//! The log. Lines are gathered and written by a thread of its own: whoever reads them slowly keeps no request waiting, and
//! a busy gateway writes many of them at once.

use std::fmt::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::clock::Clock;
use crate::gateway::numbers::Numbers;
use crate::process::{self, Process};

/// Bytes that may wait. Who does not take them for that long does without.
const WAITING: usize = 4 << 20;
/// How long lines are gathered before they are written.
const GATHERING: Duration = Duration::from_millis(5);

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

impl Level {
    fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
        }
    }

    /// What the journal takes the priority from, at the beginning of a line: sd-daemon(3).
    fn prefix(self) -> &'static str {
        match self {
            Self::Info => "<6>",
            Self::Warning => "<4>",
        }
    }
}

/// Something that is known of an event.
#[derive(Clone, Copy, Debug)]
pub(super) enum Field<'f> {
    /// It is not known, and left out.
    Absent,
    /// In ms, with three places.
    Milliseconds(Duration),
    Number(u64),
    Text(&'f str),
}

/// Where lines go.
#[derive(Debug)]
pub(super) struct Log {
    format: Format,
    clock: Clock,
    /// Whether the journal takes the lines: it knows the time itself.
    is_journal: bool,
    desk: Arc<Desk>,
    writer: Mutex<Option<JoinHandle<()>>>,
    numbers: Arc<Numbers>,
}

/// Where lines wait.
#[derive(Debug, Default)]
struct Desk {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    text: String,
    is_closed: bool,
}

impl Desk {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, process: &Process) {
        let mut taken = String::new();
        loop {
            let waiting = self.waiting();
            let is_idle = |waiting: &mut Waiting| waiting.text.is_empty() && !waiting.is_closed;
            let waiting = self.changed.wait_while(waiting, is_idle).unwrap_or_else(PoisonError::into_inner);
            // A moment more: what comes within it costs no further call.
            let is_open = |waiting: &mut Waiting| !waiting.is_closed;
            let gathered = self.changed.wait_timeout_while(waiting, GATHERING, is_open);
            let (mut waiting, _) = gathered.unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut waiting.text, &mut taken);
            let is_over = waiting.is_closed;
            drop(waiting);
            process.write_stderr(&taken);
            taken.clear();
            if is_over {
                return;
            }
        }
    }
}

impl Log {
    pub(super) fn new(process: &Process, clock: &Clock, format: Format, numbers: Arc<Numbers>) -> Self {
        let desk = Arc::new(Desk::default());
        let (stderr, writing) = (process.clone(), Arc::clone(&desk));
        let writer =
            std::thread::Builder::new().name("log".to_owned()).spawn(move || writing.write(&stderr)).ok();
        Self {
            format,
            clock: clock.clone(),
            is_journal: process.var(&process::JOURNAL_STREAM).is_some(),
            desk,
            writer: Mutex::new(writer),
            numbers,
        }
    }

    /// Says something.
    pub(super) fn say(&self, level: Level, message: &str) {
        self.put(level, |line, format| match format {
            Format::Text => line.push_str(&crate::render::printable(message)),
            Format::Json => {
                line.push_str(",\"message\":");
                quote(line, message);
            }
        });
    }

    /// Says what is known of one thing, by names.
    pub(super) fn event(&self, level: Level, event: &str, fields: &[(&str, Field<'_>)]) {
        self.put(level, |line, format| {
            match format {
                Format::Text => line.push_str(event),
                Format::Json => {
                    line.push_str(",\"event\":");
                    quote(line, event);
                }
            }
            for (name, field) in fields {
                if matches!(field, Field::Absent) {
                    continue;
                }
                let _ = match format {
                    Format::Text => write!(line, " {name}="),
                    Format::Json => write!(line, ",\"{name}\":"),
                };
                match field {
                    Field::Absent => {}
                    Field::Milliseconds(span) => {
                        let us = span.as_micros();
                        let _ = write!(line, "{}.{:03}", us / 1000, us % 1000);
                    }
                    Field::Number(number) => {
                        let _ = write!(line, "{number}");
                    }
                    Field::Text(text) if format == Format::Text && is_plain(text) => line.push_str(text),
                    Field::Text(text) => quote(line, text),
                }
            }
        });
    }

    fn put(&self, level: Level, write_rest: impl FnOnce(&mut String, Format)) {
        let now = self.clock.now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let mut waiting = self.desk.waiting();
        if waiting.is_closed || waiting.text.len() > WAITING {
            self.numbers.log_dropped.one();
            return;
        }
        let is_first = waiting.text.is_empty();
        let line = &mut waiting.text;
        match (self.format, self.is_journal) {
            (Format::Text, true) => line.push_str(level.prefix()),
            (Format::Text, false) => {
                line.push_str(&now);
                line.push(' ');
            }
            (Format::Json, _) => {
                let _ = write!(line, "{{\"time\":\"{now}\",\"level\":\"{}\"", level.word());
            }
        }
        write_rest(line, self.format);
        line.push_str(if self.format == Format::Json { "}\n" } else { "\n" });
        drop(waiting);
        if is_first {
            self.desk.changed.notify_one();
        }
    }

    /// Writes what waits, and nothing after it.
    pub(super) fn finish(&self) {
        self.desk.waiting().is_closed = true;
        self.desk.changed.notify_one();
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
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'=' && b != b'\\')
}

/// A text as a JSON string: no control character gets through.
fn quote(line: &mut String, text: &str) {
    let _ = write!(line, "{}", serde_json::Value::from(text));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use chrono::DateTime;

    use super::{Field, Format, Level, Log};
    use crate::clock::Clock;
    use crate::gateway::numbers::Numbers;
    use crate::process::{FakeProcess, Process};

    fn said(format: Format, journal: bool) -> String {
        let mut fake = FakeProcess::default();
        if journal {
            fake.variables.insert("JOURNAL_STREAM".into(), "1:2".into());
        }
        let stderr = Arc::clone(&fake.stderr);
        let process = Process::Fake(Box::new(fake));
        let clock = Clock::fixed(DateTime::from_timestamp_millis(1_500).unwrap());
        let numbers = Arc::new(Numbers::default());
        let log = Log::new(&process, &clock, format, Arc::clone(&numbers));
        log.say(Level::Warning, "odd \u{1b}[31m\nword");
        log.event(
            Level::Info,
            "request",
            &[
                ("model", Field::Text("a/b")),
                ("profile", Field::Text("env: X\n")),
                ("class", Field::Absent),
                ("status", Field::Number(200)),
                ("ms", Field::Milliseconds(Duration::from_micros(12_034))),
            ],
        );
        log.finish();
        log.say(Level::Info, "too late");
        assert_eq!(numbers.log_dropped.get(), 1);
        let bytes = stderr.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn lines_are_one_line_each_in_both_forms() {
        let text = said(Format::Text, false);
        let (first, second) = text.split_once('\n').unwrap();
        assert!(first.starts_with("1970-01-01T00:00:01.500Z odd ") && !first.contains('\u{1b}'), "{text}");
        assert_eq!(
            second,
            "1970-01-01T00:00:01.500Z request model=a/b profile=\"env: X\\n\" status=200 ms=12.034\n"
        );
        assert!(
            said(Format::Text, true).lines().eq(["<4>", "<6>"]
                .iter()
                .zip(text.lines())
                .map(|(prefix, line)| format!("{prefix}{}", line.split_once(' ').unwrap().1)))
        );
        for line in said(Format::Json, true).lines() {
            let document: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(document["time"], "1970-01-01T00:00:01.500Z");
        }
        assert!(said(Format::Json, false).contains("\"status\":200,\"ms\":12.034}"));
    }
}
