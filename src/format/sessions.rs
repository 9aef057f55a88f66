//! `sessions.json`: what programs on this host remember of the conversations of one agent. Other programs own most of what
//! is in an entry, and most entries; both stay as they are.

use serde_json::{Value, json};

use crate::core::credential::EpochMs;
use crate::core::json_tree::{JsonNode, JsonObject};
use crate::core::model_ref::{self, ModelRef};
use crate::core::provider;
use crate::core::session::Session;
use crate::core::span;
use crate::format::{ParseFailure, json_object, pretty};

/// The member that marks an entry as made by the gateway, and its value.
const MARK: (&str, &str) = ("createdBy", "openclaw-gateway");
/// What the runtime of the reference puts into an entry that it uses: such an entry is not ours any more.
const TAKEN_OVER: &[&str] = &["sessionFile", "systemSent", "inputTokens", "totalTokens"];
/// How many entries of ours the file holds at most; the oldest go.
pub const MOST: usize = 1000;
/// How long an entry of ours stays that nobody uses, in ms.
pub const LIFETIME: i64 = 30 * span::DAY;

/// The content of the file.
#[derive(Clone, Default)]
pub struct SessionFile(JsonObject);

/// What of a session is to be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// The model or profile that a person chose.
    pub choice: bool,
    /// That it was begun anew: it gets another id.
    pub is_new: bool,
}

impl SessionFile {
    /// Takes the file apart. Entries that are no objects stay and mean nothing.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseFailure> {
        json_object(bytes).map(Self)
    }

    /// The bytes to write: 2-space JSON; what nobody touched keeps its spelling.
    pub fn write(&self) -> Vec<u8> {
        pretty(&self.0)
    }

    /// Every session, by its key in small letters.
    pub fn sessions(&self) -> Vec<(String, Session)> {
        let entries = self.0.members().filter_map(|(key, node)| Some((key, node.to_object()?)));
        entries.map(|(key, entry)| (key.to_lowercase(), session(&entry))).collect()
    }

    /// Writes a session into its entry; `id` is for one that has none. What is no entry is not written over.
    pub fn put(&mut self, key: &str, session: &Session, changed: Changed, id: &str) {
        let name = self.name_of(key);
        let known = self.0.get(&name).filter(|node| !node.is_null());
        let is_there = known.is_some();
        if known.is_some_and(|node| !node.is_object()) {
            return;
        }
        let entry = self.0.object_mut(&name);
        if !is_there {
            set(entry, MARK.0, Some(json!(MARK.1)));
        }
        let has_id = entry.text("sessionId").is_some_and(|id| !id.is_empty());
        if !has_id || (changed.is_new && is_ours(entry)) {
            set(entry, "sessionId", Some(json!(id)));
        }
        let known = entry.value("updatedAt").and_then(|at| at.as_i64()).unwrap_or_default();
        set(entry, "updatedAt", Some(json!(session.updated.max(known))));
        if let Some(last) = &session.last {
            set(entry, "modelProvider", Some(json!(last.provider)));
            set(entry, "model", Some(json!(last.model)));
        }
        if changed.choice {
            set(entry, "providerOverride", session.chosen.as_ref().map(|chosen| json!(chosen.provider)));
            set(entry, "modelOverride", session.chosen.as_ref().map(|chosen| json!(chosen.model)));
        }
        put_profile(entry, session, changed);
    }

    /// The name under which a key stands: an older program may have written it in other letters.
    fn name_of(&self, key: &str) -> String {
        if self.0.get(key).is_some() {
            return key.to_owned();
        }
        let is_same =
            |name: &str| name.eq_ignore_ascii_case(key) || (!name.is_ascii() && name.to_lowercase() == key);
        let other = self.0.members().find(|(name, _)| is_same(name));
        other.map_or(key, |(name, _)| name).to_owned()
    }

    /// Lets go of entries of ours that are too old, or too many. Tells how many went.
    pub fn prune(&mut self, now: EpochMs) -> usize {
        let mut ours: Vec<(EpochMs, String)> = self
            .0
            .members()
            .filter_map(|(key, node)| Some((key, node.to_object()?)))
            .filter(|(_, entry)| is_ours(entry))
            .map(|(key, entry)| {
                (entry.value("updatedAt").and_then(|at| at.as_i64()).unwrap_or_default(), key.to_owned())
            })
            .collect();
        ours.sort_unstable();
        let too_many = ours.len().saturating_sub(MOST);
        let is_gone = |(place, (updated, _)): &(usize, &(EpochMs, String))| {
            *place < too_many || now.saturating_sub(*updated) > LIFETIME
        };
        let gone: Vec<_> = ours.iter().enumerate().filter(is_gone).map(|(_, (_, key))| key.clone()).collect();
        for key in &gone {
            self.0.remove(key);
        }
        gone.len()
    }
}

fn put_profile(entry: &mut JsonObject, session: &Session, changed: Changed) {
    let kept = session.last.as_ref().and_then(|last| {
        session.kept.iter().find(|(provider, _)| *provider == last.provider).map(|(_, profile)| profile)
    });
    let (profile, source) = match (&session.pinned, kept) {
        (Some(pinned), _) if changed.choice => (Some(pinned), "user"),
        (None, kept) if changed.choice || !is_pinned(entry) => (kept, "auto"),
        // Somebody else may have pinned another one since: only a choice writes over a choice.
        _ => return,
    };
    set(entry, "authProfileOverride", profile.map(|profile| json!(profile)));
    set(entry, "authProfileOverrideSource", profile.map(|_| json!(source)));
    let compactions = entry.value("compactionCount").and_then(|count| count.as_u64()).unwrap_or_default();
    let count = profile.filter(|_| source == "auto").map(|_| json!(compactions));
    set(entry, "authProfileOverrideCompactionCount", count);
}

fn set(entry: &mut JsonObject, member: &str, value: Option<Value>) {
    match value {
        Some(value) => entry.set(member, JsonNode::Value(value)),
        None => entry.remove(member),
    }
}

fn is_ours(entry: &JsonObject) -> bool {
    entry.text(MARK.0).as_deref() == Some(MARK.1)
        && TAKEN_OVER.iter().all(|member| entry.get(member).is_none())
}

/// Whether the profile of an entry is one that a person chose. One without a source is, unless a count says that it was
/// the runtime of an earlier release.
fn is_pinned(entry: &JsonObject) -> bool {
    let source = entry.text("authProfileOverrideSource");
    let is_user = match source.as_deref() {
        Some(source) => source == "user",
        None => entry.get("authProfileOverrideCompactionCount").is_none(),
    };
    is_user && text(entry, "authProfileOverride").is_some()
}

fn session(entry: &JsonObject) -> Session {
    let pair = |provider: &str, model: &str| {
        let key = format!("{}/{}", text(entry, provider)?, text(entry, model)?);
        model_ref::resolve(&key, &[]).model()
    };
    let last: Option<ModelRef> = pair("modelProvider", "model");
    let chosen = pair("providerOverride", "modelOverride");
    let profile = text(entry, "authProfileOverride");
    let (pinned, kept) = if is_pinned(entry) { (profile, None) } else { (None, profile) };
    let owner = |profile: &String| {
        let of_model = last.as_ref().or(chosen.as_ref()).map(|model| model.provider.clone());
        of_model.or_else(|| profile.split_once(':').map(|(provider, _)| provider::normalize(provider)))
    };
    Session {
        kept: kept.and_then(|profile| Some((owner(&profile)?, profile))).into_iter().collect(),
        chosen,
        pinned,
        last,
        updated: entry.value("updatedAt").and_then(|at| at.as_i64()).unwrap_or_default(),
    }
}

fn text(entry: &JsonObject, member: &str) -> Option<String> {
    entry.text(member).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{Changed, LIFETIME, MOST, SessionFile};
    use crate::core::model_ref::ModelRef;
    use crate::core::session::Session;

    const CHOICE: Changed = Changed { choice: true, is_new: false };

    fn model(provider: &str, model: &str) -> ModelRef {
        ModelRef { provider: provider.to_owned(), model: model.to_owned() }
    }

    fn file(text: &str) -> SessionFile {
        SessionFile::parse(text.as_bytes()).unwrap()
    }

    fn text(file: &SessionFile) -> String {
        String::from_utf8(file.write()).unwrap()
    }

    fn one(text: &str) -> Session {
        file(&format!("{{\"k\":{text}}}")).sessions().remove(0).1
    }

    #[test]
    fn entries_of_the_reference_are_understood() {
        let session = one(
            r#"{"sessionId":"x","updatedAt":5,"providerOverride":"OpenAI","modelOverride":"gpt-5.2",
               "authProfileOverride":"openai:b","authProfileOverrideSource":"user","modelProvider":"anthropic","model":"m"}"#,
        );
        let expected = Session {
            chosen: Some(model("openai", "gpt-5.2")),
            pinned: Some("openai:b".to_owned()),
            last: Some(model("anthropic", "m")),
            updated: 5,
            kept: vec![],
        };
        assert_eq!(session, expected);
        let kept = one(r#"{"authProfileOverride":"p:a","authProfileOverrideCompactionCount":0}"#);
        assert_eq!((kept.pinned, kept.kept), (None, vec![("p".to_owned(), "p:a".to_owned())]));
        assert_eq!(one(r#"{"authProfileOverride":"p:a"}"#).pinned.as_deref(), Some("p:a"));
        let odd = one(r#"{"authProfileOverride":5,"updatedAt":"x","modelOverride":"m","model":[]}"#);
        assert_eq!(odd, Session::default());
        assert!(file(r#"{"k":5,"l":null}"#).sessions().is_empty());
    }

    #[test]
    fn what_others_wrote_stays_as_it_was() {
        let before = r#"{
  "agent:main:Other": {"big":123456789012345678901234567890, "sessionId":"theirs","updatedAt":9},
  "note": 1.0e2
}
"#;
        let mut changed = file(before);
        assert_eq!(text(&changed), before);
        let session = Session {
            chosen: Some(model("openai", "gpt-5.2")),
            pinned: Some("openai:b".to_owned()),
            updated: 7,
            ..Session::default()
        };
        changed.put("agent:main:other", &session, CHOICE, "ours");
        let after = text(&changed);
        for kept in [
            "\"agent:main:Other\"",
            "123456789012345678901234567890",
            "\"sessionId\": \"theirs\"",
            "\"updatedAt\": 9",
            "\"note\": 1.0e2",
            "\"authProfileOverrideSource\": \"user\"",
        ] {
            assert!(after.replace("\":\"", "\": \"").contains(kept), "{kept}: {after}");
        }
        assert!(!after.contains("createdBy"), "{after}");
        assert_eq!(changed.prune(LIFETIME * 9), 0);
        changed.put("note", &session, CHOICE, "ours");
        assert_eq!(text(&changed), after);
    }

    #[test]
    fn a_session_is_read_as_it_was_written() {
        let mut file = SessionFile::default();
        let mut session = Session { chosen: Some(model("a", "m")), updated: 3, ..Session::default() };
        session.served(&model("a", "m"), Some("a:1"), 4);
        file.put("k", &session, CHOICE, "id-1");
        assert_eq!(file.sessions(), [("k".to_owned(), session.clone())]);
        session.pinned = Some("a:2".to_owned());
        file.put("k", &session, CHOICE, "id-2");
        assert!(text(&file).contains("id-1") && !text(&file).contains("CompactionCount"));
        // What only was used does not write over what a person chose elsewhere.
        let used = Session { pinned: None, chosen: None, ..session.clone() };
        file.put("k", &used, Changed::default(), "id-3");
        assert_eq!(file.sessions()[0].1.pinned.as_deref(), Some("a:2"));
        assert_eq!(file.sessions()[0].1.chosen, Some(model("a", "m")));
        session.renew(9);
        file.put("k", &session, Changed { choice: true, is_new: true }, "id-4");
        assert!(text(&file).contains("id-4"));
    }

    #[test]
    fn only_entries_of_ours_go_when_they_are_old_or_too_many() {
        let mut file = file(
            r#"{"theirs":{"updatedAt":1},"taken":{"createdBy":"openclaw-gateway","updatedAt":1,"systemSent":true}}"#,
        );
        let at = |updated| Session { updated, ..Session::default() };
        file.put("old", &at(1), CHOICE, "i");
        file.put("new", &at(LIFETIME + 1), CHOICE, "i");
        assert_eq!(file.prune(LIFETIME + 2), 1);
        for number in 0..i64::try_from(MOST).unwrap() + 5 {
            file.put(&format!("k{number}"), &at(LIFETIME + number), CHOICE, "i");
        }
        assert_eq!(file.prune(LIFETIME + 2), 6);
        let keys: Vec<_> = file.sessions().into_iter().map(|(key, _)| key).collect();
        assert!(keys.contains(&"theirs".to_owned()) && keys.contains(&"taken".to_owned()));
        assert_eq!(keys.len(), MOST + 2);
    }
}
