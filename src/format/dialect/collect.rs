//! A stream as one answer.

use super::neutral::{Event, Part, Reply, ToolCall};

/// Puts the steps of a stream together.
#[derive(Clone, Debug, Default)]
pub struct Collector {
    reply: Reply,
    /// Where each call stands among the parts.
    calls: Vec<usize>,
}

impl Collector {
    /// Takes a step. Ends and failures are the business of who collects.
    pub fn take(&mut self, event: Event) {
        let parts = &mut self.reply.parts;
        match event {
            Event::Start { id, model } => {
                self.reply.id = id;
                self.reply.model = model;
            }
            Event::Text(text) => match parts.last_mut() {
                Some(Part::Text(known)) => known.push_str(&text),
                _ => parts.push(Part::Text(text)),
            },
            Event::Thinking(text) => match parts.last_mut() {
                Some(Part::Thinking { text: known, signature: None }) => known.push_str(&text),
                _ => parts.push(Part::Thinking { text, signature: None }),
            },
            Event::Signature(seal) => match parts.last_mut() {
                Some(Part::Thinking { signature: known @ None, .. }) => *known = Some(seal),
                _ => parts.push(Part::Thinking { text: String::new(), signature: Some(seal) }),
            },
            Event::ToolStart { id, name, .. } => {
                self.calls.push(parts.len());
                parts.push(Part::ToolCall(ToolCall { id, name, arguments: String::new() }));
            }
            Event::ToolArguments { at, piece } => {
                let place = self.calls.get(at).copied();
                if let Some(Part::ToolCall(call)) = place.and_then(|place| parts.get_mut(place)) {
                    call.arguments.push_str(&piece);
                }
            }
            Event::Stop(stop) => self.reply.stop = stop,
            Event::Usage(usage) => self.reply.usage = usage,
            Event::End | Event::Failed(_) => {}
        }
    }

    /// The answer.
    pub fn reply(self) -> Reply {
        self.reply
    }
}
