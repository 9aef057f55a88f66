//! Looking into a request, with the place at hand for the message when something is wrong there.

use std::fmt::Write;

use serde_json::{Map, Number, Value};

/// A field of a request that cannot be asked as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {reason}")]
pub struct Refused {
    /// Where it stands: `messages[2].content`.
    pub field: String,
    /// What is wrong with it, without any of its content.
    pub reason: String,
}

/// A place in a document.
#[derive(Clone, Copy)]
pub(super) enum At<'p> {
    Top,
    Item(&'p At<'p>, usize),
    Member(&'p At<'p>, &'p str),
}

impl<'p> At<'p> {
    pub(super) fn member(&'p self, name: &'p str) -> At<'p> {
        At::Member(self, name)
    }

    pub(super) fn item(&'p self, at: usize) -> At<'p> {
        At::Item(self, at)
    }

    fn text(&self) -> String {
        match self {
            At::Top => String::new(),
            At::Item(before, at) => {
                let mut text = before.text();
                let _ = write!(text, "[{at}]");
                text
            }
            At::Member(before, name) => {
                let mut text = before.text();
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(&name.escape_debug().to_string());
                text
            }
        }
    }

    pub(super) fn refused(&self, reason: impl Into<String>) -> Refused {
        let text = self.text();
        let field = if text.is_empty() { "the body".to_owned() } else { text };
        Refused { field, reason: reason.into() }
    }
}

/// An object and its place. A `null` counts as absent.
#[derive(Clone, Copy)]
pub(super) struct Object<'v, 'p> {
    pub(super) members: &'v Map<String, Value>,
    pub(super) at: &'p At<'p>,
}

impl<'v, 'p> Object<'v, 'p> {
    pub(super) fn of(value: &'v Value, at: &'p At<'p>) -> Result<Self, Refused> {
        let members = value.as_object().ok_or_else(|| at.refused("must be an object"))?;
        Ok(Self { members, at })
    }

    pub(super) fn get(&self, name: &str) -> Option<&'v Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&'v str>, Refused> {
        self.typed(name, Value::as_str, "must be a text")
    }

    pub(super) fn needed(&self, name: &str) -> Result<&'v str, Refused> {
        self.text(name)?.ok_or_else(|| self.at.member(name).refused("is required"))
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Refused> {
        self.typed(name, Value::as_bool, "must be true or false")
    }

    pub(super) fn whole(&self, name: &str) -> Result<Option<u64>, Refused> {
        self.typed(name, Value::as_u64, "must be a whole number of at least 0")
    }

    /// A number within limits.
    pub(super) fn number(&self, name: &str, low: f64, high: f64) -> Result<Option<Number>, Refused> {
        let within = |value: &'v Value| {
            let is_within = value.as_f64().is_some_and(|number| (low..=high).contains(&number));
            value.as_number().filter(|_| is_within).cloned()
        };
        match self.get(name) {
            None => Ok(None),
            Some(value) => within(value).map(Some).ok_or_else(|| {
                self.at.member(name).refused(format!("must be a number from {low} to {high}"))
            }),
        }
    }

    pub(super) fn items(&self, name: &str) -> Result<Option<&'v [Value]>, Refused> {
        self.typed(name, |value| value.as_array().map(Vec::as_slice), "must be a list")
    }

    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, Refused> {
        let at = self.at.member(name);
        let items = self.items(name)?.unwrap_or_default().iter().enumerate();
        items
            .map(|(place, item)| {
                let text = item.as_str().map(str::to_owned);
                text.ok_or_else(|| at.item(place).refused("must be a text"))
            })
            .collect()
    }

    /// Takes no members but those that are read and those that may be passed over.
    pub(super) fn closed(&self, read: &[&str], passed_over: &[&str]) -> Result<(), Refused> {
        let is_known = |name: &str| read.contains(&name) || passed_over.contains(&name);
        match self.members.iter().find(|(name, value)| !is_known(name) && !value.is_null()) {
            Some((name, _)) => Err(self.at.member(name).refused("cannot be translated for this provider")),
            None => Ok(()),
        }
    }

    fn typed<T>(
        &self,
        name: &str,
        read: impl Fn(&'v Value) -> Option<T>,
        wrong: &str,
    ) -> Result<Option<T>, Refused> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| self.at.member(name).refused(wrong)),
        }
    }
}

/// A member of an answer as a text; empty when it is none.
pub(super) fn text_of<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A member of an answer as a count; 0 when it is none.
pub(super) fn count_of(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or_default()
}

/// Sets a member of a document that is an object.
pub(super) fn set(document: &mut Value, name: &str, value: Option<impl Into<Value>>) {
    if let (Some(members), Some(value)) = (document.as_object_mut(), value) {
        members.insert(name.to_owned(), value.into());
    }
}
