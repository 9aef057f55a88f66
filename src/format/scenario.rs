//! What happens to credentials in a simulation.

use std::cell::RefCell;

use crate::core::failure::FailureClass;
use crate::format::config::{Node, Problem};
use crate::format::ops::parse_span;
use crate::format::section::{Notes, Section};

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scenario {
    /// Credentials in the place of those of this host.
    pub profiles: Option<Vec<ScenarioProfile>>,
    /// What happens to them.
    pub events: Vec<Event>,
}

/// A credential that is made up. Spans are in ms from the start.
#[derive(Clone, Debug, PartialEq)]
pub struct ScenarioProfile {
    /// The profile id; the provider stands before its colon.
    pub id: String,
    /// `oauth`, `token` or `api_key`.
    pub kind: &'static str,
    /// How long an access token lives that is renewed.
    pub lifetime_ms: Option<i64>,
    /// When the token ends that is there at the start.
    pub expires_in_ms: Option<i64>,
    /// When the login behind it ends.
    pub login_ends_in_ms: Option<i64>,
}

/// Something that goes on for a while. Spans are in ms from the start.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The profile; the auth store itself when left out.
    pub profile: Option<String>,
    /// When it begins.
    pub from_ms: i64,
    /// When it ends; never when left out.
    pub until_ms: Option<i64>,
    /// What it is.
    pub what: What,
}

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Its tokens are empty.
    Blanked,
    /// The profile is gone.
    Gone,
    /// Renewing it fails like this.
    RefreshFails(FailureClass),
    /// The auth store cannot be read.
    Unreadable,
}

/// Types the tree. Unknown keys are problems.
pub fn read(tree: &Node) -> Result<Scenario, Vec<Problem>> {
    let notes = RefCell::new(Notes::default());
    let root = Section::root(tree, &notes);
    root.closed(&["events", "profiles"]);
    let scenario = Scenario {
        profiles: root.has("profiles").then(|| root.items("profiles").iter().filter_map(profile).collect()),
        events: root.items("events").iter().filter_map(event).collect(),
    };
    let mut notes = notes.into_inner();
    notes.problems.append(&mut notes.unknown);
    if notes.problems.is_empty() { Ok(scenario) } else { Err(notes.problems) }
}

fn span(section: &Section<'_>, key: &str) -> Option<i64> {
    let text = section.text(key)?;
    parse_span(text).map_or_else(|message| section.wrong(key, &message), Some)
}

fn profile(section: &Section<'_>) -> Option<ScenarioProfile> {
    section.closed(&["expiresIn", "id", "lifetime", "loginEndsIn", "type"]);
    Some(ScenarioProfile {
        id: section.required_text("id")?.to_owned(),
        kind: section.one_of("type", &["oauth", "token", "api_key"]).unwrap_or("oauth"),
        lifetime_ms: span(section, "lifetime"),
        expires_in_ms: span(section, "expiresIn"),
        login_ends_in_ms: span(section, "loginEndsIn"),
    })
}

fn event(section: &Section<'_>) -> Option<Event> {
    section.closed(&["from", "profile", "until", "what"]);
    let what = match section.required_text("what")? {
        "blanked" => What::Blanked,
        "gone" => What::Gone,
        "unreadable" => What::Unreadable,
        word => match FailureClass::of_word(word) {
            Some(class) => What::RefreshFails(class),
            None => {
                return section.wrong(
                    "what",
                    "expected \"blanked\", \"gone\", \"unreadable\" or how a refresh fails, such as \"invalid_grant\"",
                );
            }
        },
    };
    let profile = section.text("profile").map(str::to_owned);
    if profile.is_none() && what != What::Unreadable {
        return section.wrong("profile", "is required");
    }
    Some(Event { profile, from_ms: span(section, "from")?, until_ms: span(section, "until"), what })
}
