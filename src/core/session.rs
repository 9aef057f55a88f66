//! A conversation of a client with the gateway: its key, the model that was chosen in it, the profile that it keeps to.

use sha2::{Digest, Sha256};

use crate::core::credential::EpochMs;
use crate::core::model_ref::ModelRef;
use crate::core::printable::is_harmful;
use crate::core::secret::hex;
use crate::core::span;
use crate::core::upstream::Surface;

/// The longest key, in bytes. The keys of the reference have about 60.
pub const LONGEST_KEY: usize = 256;
/// How long a profile that nobody asked for is kept to once a conversation pauses: no provider keeps a prompt in its cache
/// for longer.
pub const PAUSE: i64 = span::HOUR;

/// The session of whoever names none.
const NAMELESS: &str = "api:default";

/// What is remembered of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// The model that a person chose in the place of the default.
    pub chosen: Option<ModelRef>,
    /// The profile that a person chose. It is never replaced by another one.
    pub pinned: Option<String>,
    /// The profile that served last, by provider: the next request goes there too, for the sake of its cache.
    pub kept: Vec<(String, String)>,
    /// The model that answered last.
    pub last: Option<ModelRef>,
    /// When it was last used, ms since the epoch.
    pub updated: EpochMs,
}

impl Session {
    /// The profile of a provider that is tried first, unless it rests.
    pub fn kept(&self, provider: &str, now: EpochMs) -> Option<&str> {
        let is_fresh = now.saturating_sub(self.updated) <= PAUSE;
        let kept = self.kept.iter().find(|(known, _)| known == provider).filter(|_| is_fresh);
        kept.map(|(_, profile)| profile.as_str())
    }

    /// Remembers who answered. What has no profile is not kept to.
    pub fn served(&mut self, model: &ModelRef, profile: Option<&str>, now: EpochMs) {
        if now.saturating_sub(self.updated) > PAUSE {
            self.kept.clear();
        }
        self.kept.retain(|(provider, _)| *provider != model.provider);
        self.kept.extend(profile.map(|profile| (model.provider.clone(), profile.to_owned())));
        self.last = Some(model.clone());
        self.updated = now;
    }

    /// Forgets what nobody asked for; what a person chose stays.
    pub fn renew(&mut self, now: EpochMs) {
        *self =
            Self { chosen: self.chosen.take(), pinned: self.pinned.take(), updated: now, ..Self::default() };
    }

    /// Whether there is anything to remember.
    pub fn is_blank(&self) -> bool {
        !self.has_choice() && self.kept.is_empty()
    }

    /// Whether a person has chosen something in it.
    pub fn has_choice(&self) -> bool {
        self.chosen.is_some() || self.pinned.is_some()
    }
}

/// The agent that a model stands for: `openclaw:work`, `openclaw/work`, `agent:work`.
pub fn agent_of_model(model: &str) -> Option<&str> {
    ["openclaw:", "openclaw/", "agent:"].into_iter().find_map(|start| model.trim().strip_prefix(start))
}

/// Whether a model leaves the choice to us: none, `openclaw`, or the name of an agent.
pub fn is_ours(model: &str) -> bool {
    ["", "openclaw"].contains(&model.trim()) || agent_of_model(model).is_some()
}

/// The agent that a key belongs to: `agent:work:main` is one of `work`.
pub fn agent_of_key(key: &str) -> Option<&str> {
    let (agent, rest) = key
        .trim()
        .get(..6)
        .filter(|start| start.eq_ignore_ascii_case("agent:"))
        .and_then(|_| key.trim()[6..].split_once(':'))?;
    (!agent.is_empty() && !rest.is_empty()).then_some(agent)
}

/// The key of a session that a client names itself, in the one spelling that counts. The error says what is wrong with it.
pub fn key_of(named: &str, agent: &str) -> Result<String, String> {
    let key = named.trim().to_lowercase();
    if key.is_empty() {
        return Ok(full(agent, NAMELESS));
    }
    let key = match agent_of_key(&key) {
        Some(_) => key,
        None => full(agent, &key),
    };
    if key.len() > LONGEST_KEY {
        return Err(format!("the session key is longer than {LONGEST_KEY} bytes"));
    }
    if key.chars().any(is_harmful) {
        return Err("the session key has control characters in it".to_owned());
    }
    Ok(key)
}

/// The key of a client that names a user of its own, as `user` or `metadata.user_id`, or nobody. A name that is no good as
/// a key is replaced by its digest: the client means no session by it and must not be refused.
pub fn key_of_user(user: Option<&str>, surface: Surface, agent: &str) -> String {
    let Some(user) = user.map(|user| user.trim().to_lowercase()).filter(|user| !user.is_empty()) else {
        return full(agent, NAMELESS);
    };
    // The words of the reference, and one of ours for the API that it does not have.
    let kind = match surface {
        Surface::ChatCompletions => "openai-user",
        Surface::CountTokens | Surface::Messages => "anthropic-user",
        Surface::Responses => "openresponses-user",
    };
    let key = full(agent, &format!("{kind}:{user}"));
    if key.len() > LONGEST_KEY || user.chars().any(is_harmful) {
        let digest = hex(&Sha256::digest(user.as_bytes())[..16]);
        return full(agent, &format!("{kind}:sha256-{digest}"));
    }
    key
}

fn full(agent: &str, rest: &str) -> String {
    format!("agent:{agent}:{rest}")
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_KEY, PAUSE, Session, agent_of_key, agent_of_model, is_ours, key_of, key_of_user};
    use crate::core::model_ref::ModelRef;
    use crate::core::upstream::Surface;

    fn model(provider: &str) -> ModelRef {
        ModelRef { provider: provider.to_owned(), model: "m".to_owned() }
    }

    #[test]
    fn one_session_has_one_key_however_it_is_spelled() {
        for named in ["MyKey", " mykey ", "agent:main:MyKey", "AGENT:MAIN:mykey"] {
            assert_eq!(key_of(named, "main").unwrap(), "agent:main:mykey", "{named}");
        }
        assert_eq!(key_of("", "work").unwrap(), "agent:work:api:default");
        assert_eq!(key_of("agent:", "work").unwrap(), "agent:work:agent:");
        assert!(key_of("a\nb", "main").unwrap_err().contains("control"));
        assert!(key_of("a\u{202e}b", "main").is_err());
        assert!(key_of(&"x".repeat(LONGEST_KEY), "main").unwrap_err().contains("longer"));
    }

    #[test]
    fn a_client_without_a_key_has_a_stable_one() {
        let key = |user| key_of_user(user, Surface::ChatCompletions, "main");
        assert_eq!(key(Some("Ann")), "agent:main:openai-user:ann");
        assert_eq!(key(Some(" ")), "agent:main:api:default");
        assert_eq!(key(None), key_of("", "main").unwrap());
        assert_eq!(key_of_user(Some("a"), Surface::Messages, "w"), "agent:w:anthropic-user:a");
        assert_eq!(key_of_user(Some("a"), Surface::Responses, "w"), "agent:w:openresponses-user:a");
        let long = "x".repeat(10_000);
        assert!(
            key(Some(&long)).starts_with("agent:main:openai-user:sha256-") && key(Some(&long)).len() < 80
        );
        assert_eq!(key(Some(&long)), key(Some(&long)));
        assert_ne!(key(Some("a\u{1b}[2J")), key(Some("b\u{1b}[2J")));
    }

    #[test]
    fn agents_are_named_by_keys_and_models() {
        assert_eq!(agent_of_key("Agent:work:x"), Some("work"));
        for none in ["agent", "agent:", "agent:x", "agent::x", "agent:x:", "key", "é:agent:"] {
            assert_eq!(agent_of_key(none), None, "{none}");
        }
        for named in ["openclaw:work", "openclaw/work", "agent:work"] {
            assert_eq!((agent_of_model(named), is_ours(named)), (Some("work"), true));
        }
        assert!(is_ours("") && is_ours("openclaw") && !is_ours("openclawx") && !is_ours("openai/gpt-5.2"));
    }

    #[test]
    fn a_conversation_keeps_to_a_profile_until_it_pauses() {
        let mut session = Session::default();
        session.served(&model("a"), Some("a:1"), 10);
        session.served(&model("b"), Some("b:1"), 20);
        assert_eq!((session.kept("a", 20), session.kept("b", 20 + PAUSE)), (Some("a:1"), Some("b:1")));
        assert_eq!(session.kept("a", 21 + PAUSE), None);
        session.served(&model("a"), Some("a:2"), 30);
        assert_eq!((session.kept("a", 30), session.kept.len()), (Some("a:2"), 2));
        session.served(&model("a"), None, 31 + PAUSE);
        assert!(session.kept.is_empty() && session.is_blank());
    }

    #[test]
    fn a_new_conversation_keeps_what_a_person_chose() {
        let chosen = Some(model("a"));
        let mut session =
            Session { chosen: chosen.clone(), pinned: Some("a:1".to_owned()), ..Session::default() };
        session.served(&model("b"), Some("b:1"), 10);
        session.renew(20);
        assert_eq!(
            session,
            Session { chosen, pinned: Some("a:1".to_owned()), updated: 20, ..Session::default() }
        );
        assert!(session.has_choice());
    }
}
