//! What the choice of a session does to the credentials of a request. A profile that a person pinned is the only one that is
//! asked; one that only served last is asked first.

use chrono::DateTime;

use crate::core::credential::EpochMs;
use crate::core::failure::FailureClass;
use crate::core::model_ref::ModelRef;
use crate::core::provider;
use crate::core::span;
use crate::gateway::reply::Refusal;
use crate::gateway::sessions::Visit;
use crate::gateway::view::{Candidate, View};

/// A profile that a person pinned.
pub(super) struct Pin<'v> {
    /// Its id.
    pub(super) profile: &'v str,
    /// Whose it is, in normal form.
    pub(super) provider: String,
}

impl View {
    /// The provider of a profile; of one that is gone, what its name says.
    pub(super) fn provider_of(&self, profile: &str) -> String {
        let record = self.snapshot.profiles.iter().find(|record| record.id == profile);
        let named = record.map(|record| record.credential.provider.as_str());
        provider::normalize(named.unwrap_or_else(|| profile.split(':').next().unwrap_or(profile)))
    }

    /// Why a profile cannot be used at all, in the words of the reports; `None` when it can.
    pub(super) fn unusable(&self, profile: &str, now: EpochMs) -> Option<&'static str> {
        let Some(record) = self.snapshot.profiles.iter().find(|record| record.id == profile) else {
            return Some("not found");
        };
        let rules = self.workspace.rules(&record.credential.provider);
        let arranged = rules.arrange([record], &[], now);
        arranged.first().and_then(|(_, why)| *why).map(crate::core::order::Ineligible::word)
    }
}

impl Visit {
    /// The profile that a person pinned in this session.
    pub(super) fn pin(&self, view: &View) -> Option<Pin<'_>> {
        let profile = self.session.pinned.as_deref()?;
        Some(Pin { profile, provider: view.provider_of(profile) })
    }

    /// The models that may answer: where the profile of the first is pinned, no model of another provider may stand in.
    pub(super) fn within_pin(&self, view: &View, mut models: Vec<ModelRef>) -> Vec<ModelRef> {
        if let Some(pin) = self.pin(view)
            && models.first().is_some_and(|first| first.provider == pin.provider)
        {
            models.retain(|model| model.provider == pin.provider);
        }
        models
    }

    /// The candidates for a model in the order in which this session tries them.
    pub(super) fn arrange(
        &self,
        view: &View,
        model: &ModelRef,
        mut candidates: Vec<Candidate>,
        now: EpochMs,
    ) -> Result<Vec<Candidate>, Refusal> {
        if let Some(pin) = self.pin(view).filter(|pin| pin.provider == model.provider) {
            if let Some(why) = view.unusable(pin.profile, now) {
                let message = format!("{} cannot be used: {why}; {}", named(pin.profile), release(model));
                return Err(Refusal::of_class(FailureClass::Auth, message));
            }
            candidates.retain(|candidate| candidate.name == pin.profile);
        } else if let Some(kept) = self.session.kept(&model.provider, now) {
            candidates.sort_by_key(|candidate| candidate.name != kept);
        }
        Ok(candidates)
    }

    /// What is said when the pinned profile rests; `None` when it is not pinned.
    pub(super) fn pinned_rests(
        &self,
        view: &View,
        model: &ModelRef,
        profile: &str,
        until: EpochMs,
        now: EpochMs,
    ) -> Option<String> {
        self.pin(view).filter(|pin| pin.profile == profile)?;
        let program = &view.snapshot.program;
        Some(format!(
            "{} rests after a failure until {}; `{program} models auth unblock {profile}` lets it be used at once, {}",
            named(profile),
            when(until, now),
            release(model)
        ))
    }

    /// What is added to a failure of the pinned profile; nothing when none is pinned.
    pub(super) fn pinned_failed(&self, view: &View, model: &ModelRef) -> String {
        let pin = self.pin(view).filter(|pin| pin.provider == model.provider);
        pin.map_or_else(String::new, |pin| {
            format!("; {}, so no other was asked: {}", named(pin.profile), release(model))
        })
    }
}

fn named(profile: &str) -> String {
    format!("the profile {} is pinned in this session", crate::core::chat_command::short(profile))
}

fn release(model: &ModelRef) -> String {
    format!("the message `/model {}` lets go of it", model.key())
}

/// An instant for people: the time of the day, and how far away it is.
pub(super) fn when(at: EpochMs, now: EpochMs) -> String {
    let time =
        DateTime::from_timestamp_millis(at).map(|time| time.format("%Y-%m-%d %H:%M:%S UTC").to_string());
    format!("{} (in {})", time.unwrap_or_default(), span::two_units((at - now).max(0)))
}
