//! Streams: from the bytes of a provider to those for a client.

use super::neutral::{Event, Trouble};
use super::{Malformed, chat_reply, google, messages_reply, responses, sse};
use crate::core::upstream::{ApiKind, Surface};

/// Reads a stream of a provider.
#[derive(Clone, Debug)]
pub struct Reader {
    parser: sse::Parser,
    dialect: Incoming,
    is_over: bool,
}

#[derive(Clone, Debug)]
enum Incoming {
    Chat(chat_reply::Incoming),
    Google(google::Incoming),
    Messages(messages_reply::Incoming),
    Responses(responses::Incoming),
}

impl Incoming {
    fn read(&mut self, data: &[u8], events: &mut Vec<Event>) -> Result<(), Malformed> {
        match self {
            Self::Chat(incoming) => incoming.read(data, events),
            Self::Google(incoming) => incoming.read(data, events),
            Self::Messages(incoming) => incoming.read(data, events),
            Self::Responses(incoming) => incoming.read(data, events),
        }
    }
}

impl Reader {
    /// For a stream of a kind.
    pub fn new(kind: ApiKind) -> Self {
        let dialect = match kind {
            ApiKind::AnthropicMessages => Incoming::Messages(messages_reply::Incoming::default()),
            ApiKind::GoogleGenerativeAi => Incoming::Google(google::Incoming::default()),
            ApiKind::OpenaiCompletions => Incoming::Chat(chat_reply::Incoming::default()),
            ApiKind::OpenaiCodexResponses | ApiKind::OpenaiResponses => {
                Incoming::Responses(responses::Incoming::default())
            }
        };
        Self { parser: sse::Parser::default(), dialect, is_over: false }
    }

    /// Takes bytes. After an end or a failure nothing more comes.
    pub fn push(&mut self, bytes: &[u8], events: &mut Vec<Event>) {
        if self.is_over {
            return;
        }
        let (dialect, mut failure) = (&mut self.dialect, None);
        let mut each = |data: &[u8]| {
            if failure.is_none() {
                failure = dialect.read(data, events).err();
            }
        };
        let parsed = self.parser.push(bytes, &mut each);
        let failure = failure.map(|malformed| malformed.0);
        let failure = failure.or(parsed.err().map(|sse::TooLong| "an event has no end"));
        if let Some(reason) = failure {
            events.push(failed(reason));
        }
        self.settle(events);
    }

    /// The provider has nothing more. A stream that is not whole is a failure.
    pub fn end(&mut self, events: &mut Vec<Event>) {
        if self.is_over {
            return;
        }
        let dialect = &mut self.dialect;
        let mut failure = None;
        self.parser.end(&mut |data| failure = dialect.read(data, events).err());
        let has_ended = events.iter().any(|event| matches!(event, Event::End | Event::Failed(_)));
        let is_whole = match dialect {
            Incoming::Chat(incoming) => incoming.is_whole(),
            Incoming::Google(incoming) => incoming.is_whole(),
            Incoming::Messages(_) | Incoming::Responses(_) => false,
        };
        if !has_ended {
            let is_good = failure.is_none() && is_whole;
            events.push(if is_good { Event::End } else { failed("it broke off") });
        }
        self.settle(events);
    }

    /// Cuts what comes behind the end.
    fn settle(&mut self, events: &mut Vec<Event>) {
        let end = events.iter().position(|event| matches!(event, Event::End | Event::Failed(_)));
        if let Some(end) = end {
            self.is_over = true;
            events.truncate(end + 1);
        }
    }
}

fn failed(reason: &str) -> Event {
    let message = format!("the provider's stream failed: {reason}");
    Event::Failed(Trouble { kind: "api_error".to_owned(), message })
}

/// From the bytes of a provider to those for a client.
#[derive(Clone, Debug)]
pub struct Stream {
    reader: Reader,
    writer: Outgoing,
    has_begun: bool,
    is_over: bool,
    failure: Option<Trouble>,
}

#[derive(Clone, Debug)]
enum Outgoing {
    Chat(chat_reply::Outgoing),
    Messages(messages_reply::Outgoing),
}

impl Stream {
    /// A stream of a kind for a surface, made at an instant in s.
    pub fn new(kind: ApiKind, surface: Surface, created: i64, wants_usage: bool) -> Self {
        let writer = if surface.is_anthropic() {
            Outgoing::Messages(messages_reply::Outgoing::default())
        } else {
            Outgoing::Chat(chat_reply::Outgoing::new(created, wants_usage))
        };
        Self { reader: Reader::new(kind), writer, has_begun: false, is_over: false, failure: None }
    }

    /// Takes bytes, and adds what they come to.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let mut events = Vec::new();
        self.reader.push(bytes, &mut events);
        self.write(events, out);
    }

    /// The provider has nothing more.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        let mut events = Vec::new();
        self.reader.end(&mut events);
        self.write(events, out);
    }

    /// Whether the answer has begun: something of it has come.
    pub fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Whether nothing more will come of it.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// What it failed of.
    pub fn failure(&self) -> Option<&Trouble> {
        self.failure.as_ref()
    }

    fn write(&mut self, events: Vec<Event>, out: &mut Vec<u8>) {
        for event in events {
            match &event {
                Event::End => self.is_over = true,
                Event::Failed(trouble) => {
                    self.is_over = true;
                    self.failure = Some(trouble.clone());
                }
                _ => self.has_begun = true,
            }
            match &mut self.writer {
                Outgoing::Chat(writer) => writer.write(event, out),
                Outgoing::Messages(writer) => writer.write(event, out),
            }
        }
        // The client learns that the answer has begun as soon as it has.
        if let (Outgoing::Messages(writer), true) = (&mut self.writer, self.has_begun) {
            writer.start(out);
        }
    }
}
