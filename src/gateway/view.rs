//! The host as one load saw it, for one agent, and the credentials that serve a model there.

use std::sync::Arc;

use crate::clock::{Clock, Deadline};
use crate::core::assess::assess;
use crate::core::credential::{EpochMs, Material};
use crate::core::model_ref::ModelRef;
use crate::core::oauth;
use crate::core::order::Ineligible;
use crate::core::provider;
use crate::core::report::{Policy, Report};
use crate::core::secret::Secret;
use crate::core::snapshot::{ProfileRecord, Snapshot};
use crate::core::store::UsageStats;
use crate::core::upstream::Surface;
use crate::exit::CommandError;
use crate::gateway::pool::{Holder, Permit, Pool};
use crate::gateway::way::Way;
use crate::process::Process;
use crate::sync;
use crate::usage;
use crate::workspace::{Request, Workspace};

/// How long a host may take to load.
const TIME_LIMIT: std::time::Duration = std::time::Duration::from_secs(10);

/// One load.
pub(super) struct View {
    /// What was loaded.
    pub(super) workspace: Workspace,
    /// What it comes to.
    pub(super) snapshot: Snapshot,
}

/// A credential that may serve a request.
pub(super) struct Candidate {
    /// The model that it serves.
    pub(super) model: ModelRef,
    /// What it is called: a profile id, `env: NAME`, `config: FILE`.
    pub(super) name: String,
    /// Where the request goes, and in which words.
    pub(super) way: Arc<Way>,
    /// What it is.
    pub(super) material: Material,
    /// What is sent.
    pub(super) secret: Secret,
    /// The profile behind it, and what its store says of its use. What comes from elsewhere has no memory.
    pub(super) holder: Option<(Holder, UsageStats)>,
    /// Whether it has to be renewed first.
    pub(super) is_due: bool,
}

impl View {
    /// Loads a host as the status does. Vendor logins are taken over in memory; saving them is the business of others.
    pub(super) fn load(process: &Process, clock: &Clock, request: &Request) -> Result<Self, CommandError> {
        let workspace = Workspace::load(process, clock, request, Deadline::after(TIME_LIMIT))?;
        let snapshot = sync::preview(&workspace, clock);
        Ok(Self { workspace, snapshot })
    }

    /// The judgement over it, with what is remembered of subscriptions.
    pub(super) fn page(&self, clock: &Clock) -> Report {
        let usage = usage::remembered(&self.workspace, &self.snapshot);
        Report { usage: Some(usage), ..self.report(clock) }
    }

    /// The judgement over it.
    pub(super) fn report(&self, clock: &Clock) -> Report {
        assess(&self.snapshot, clock.now(), &Policy::default())
    }

    /// The profile that would serve each configured model now.
    pub(super) fn next(&self, pool: &Pool, now: EpochMs) -> Vec<String> {
        let is_usable = |candidate: &Candidate| match &candidate.holder {
            Some((holder, stored)) => !matches!(pool.permit(holder, stored, now), Permit::Resting(_)),
            None => true,
        };
        let models = self.models(None, None).unwrap_or_default();
        let first = |model: &ModelRef| {
            let of = |surface: &Surface| self.candidates(model, *surface, pool, now).ok();
            Surface::ALL.iter().find_map(of)?.into_iter().find(is_usable)
        };
        models.iter().filter_map(first).map(|candidate| candidate.name).collect()
    }

    /// What serves a model, in the order in which it is tried: profiles, then the environment, then keys of files. The
    /// error says why nothing of this provider can.
    pub(super) fn candidates(
        &self,
        model: &ModelRef,
        surface: Surface,
        pool: &Pool,
        now: EpochMs,
    ) -> Result<Vec<Candidate>, String> {
        let id = &model.provider;
        let way = Arc::new(Way::of(&self.workspace, model, surface)?);
        let made = |name: String, material: Material, secret: Secret| Candidate {
            model: model.clone(),
            name,
            way: Arc::clone(&way),
            material,
            secret,
            holder: None,
            is_due: false,
        };
        let is_meant = |record: &&ProfileRecord| provider::normalize(&record.credential.provider) == *id;
        let records: Vec<_> = self.snapshot.profiles.iter().filter(is_meant).collect();
        let usage: Vec<_> = records
            .iter()
            .map(|record| {
                let (holder, stored) = self.held(record);
                (record.id.clone(), pool.stats(&holder, &stored))
            })
            .collect();
        let arranged = self.workspace.rules(id).arrange(records, &usage, now);
        let mut candidates: Vec<_> = arranged
            .into_iter()
            .filter(|(_, why): &(_, Option<Ineligible>)| why.is_none())
            .filter_map(|(record, _)| {
                let material = record.credential.material.clone();
                let secret = material.usable_secret().or(material.refresh_token())?.clone();
                let is_due =
                    material.refresh_token().is_some() && oauth::due(&material, now, false).is_some();
                Some(Candidate {
                    is_due,
                    holder: Some(self.held(record)),
                    ..made(record.id.clone(), material, secret)
                })
            })
            .collect();
        let env = self.snapshot.env_credentials.iter().filter(|credential| credential.provider == id);
        candidates.extend(env.filter_map(|credential| {
            let secret = credential.secret.clone()?;
            Some(made(credential.source.clone(), Material::ApiKey { key: None }, secret))
        }));
        let keys = self.snapshot.provider_keys.iter().filter(|key| provider::normalize(&key.provider) == *id);
        candidates
            .extend(keys.map(|key| made(key.source.clone(), way.material_of_key(), key.secret.clone())));
        if candidates.is_empty() { Err(format!("there is no credential for {id}")) } else { Ok(candidates) }
    }

    /// The first of some profiles that would be tried before `name` if none of them had to rest.
    pub(super) fn preferred<'p>(&self, provider: &str, some: &'p [String], name: &str) -> Option<&'p str> {
        if some.is_empty() {
            return None;
        }
        // Without an order subscriptions come before keys, and what is no profile always comes last.
        let order = self.workspace.rules(provider).explicit.unwrap_or_default();
        let place = |id: &str| order.iter().position(|known| known == id).unwrap_or(usize::MAX);
        let is_before = |id: &&String| order.is_empty() || place(id) < place(name);
        some.iter().filter(is_before).min_by_key(|id| place(id)).map(String::as_str)
    }

    /// What a profile sends.
    pub(super) fn secret_of(&self, id: &str) -> Option<Secret> {
        let record = self.snapshot.profiles.iter().find(|record| record.id == id)?;
        record.credential.material.usable_secret().cloned()
    }

    /// Whether a login has not ended yet.
    pub(super) fn is_good(&self, id: &str, clock: &Clock) -> bool {
        let now = clock.now().timestamp_millis();
        let record = self.snapshot.profiles.iter().find(|record| record.id == id);
        record.is_some_and(|record| record.credential.material.expiry().at().is_some_and(|at| at > now))
    }

    /// Whether it uses a profile.
    pub(super) fn knows(&self, holder: &Holder) -> bool {
        self.snapshot.profiles.iter().any(|record| self.held(record).0 == *holder)
    }

    /// The profile as the pool knows it, and what its store says of its use.
    pub(super) fn held(&self, record: &ProfileRecord) -> (Holder, UsageStats) {
        let own = &self.workspace.agent;
        let inherited = own.inherits_from.as_ref().filter(|_| record.inherited);
        let dir = inherited.unwrap_or(&own.dir).clone();
        let stored = self.snapshot.usage.iter().find(|(known, _)| *known == record.id);
        let stored = stored.map(|(_, stats)| stats.clone()).unwrap_or_default();
        (Holder { dir, id: record.id.clone() }, stored)
    }
}
