//! The host as one load saw it, for one agent, and the credentials that serve a model there.

use crate::clock::{Clock, Deadline};
use crate::core::assess::assess;
use crate::core::credential::{EpochMs, Material};
use crate::core::model_ref::{self, ModelRef, Resolved};
use crate::core::oauth;
use crate::core::order::Ineligible;
use crate::core::provider;
use crate::core::report::{Policy, Report};
use crate::core::secret::Secret;
use crate::core::snapshot::{ProfileRecord, Snapshot};
use crate::core::store::UsageStats;
use crate::core::upstream::{self, Surface};
use crate::exit::CommandError;
use crate::gateway::pool::{Holder, Pool};
use crate::process::Process;
use crate::sync;
use crate::workspace::{Request, Workspace};

/// How long a host may take to load.
const TIME_LIMIT: std::time::Duration = std::time::Duration::from_secs(10);

/// One load.
pub(super) struct View {
    /// What was loaded.
    pub(super) workspace: Workspace,
    snapshot: Snapshot,
}

/// A credential that may serve a request.
pub(super) struct Candidate {
    /// The model that it serves.
    pub(super) model: ModelRef,
    /// What it is called: a profile id, `env: NAME`, `config: FILE`.
    pub(super) name: String,
    /// Where the request goes.
    pub(super) url: String,
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

    /// The judgement over it.
    pub(super) fn report(&self, clock: &Clock) -> Report {
        assess(&self.snapshot, clock.now(), &Policy::default())
    }

    /// The model that a request gets, and those to fail over to. The error names what there is.
    pub(super) fn models(&self, asked: Option<&str>) -> Result<Vec<ModelRef>, String> {
        let asked = asked.map(str::trim).filter(|asked| !is_ours(asked));
        let settings = &self.snapshot.models;
        let first = match asked {
            None => {
                let primary = settings.primary.as_deref().unwrap_or(model_ref::DEFAULT_MODEL);
                model_ref::resolve(primary, &settings.aliases).model()
            }
            Some(asked) => Some(self.resolved(asked)?),
        };
        let first = first.ok_or("no model is configured")?;
        let resolve = |text: &String| model_ref::resolve(text, &settings.aliases).model();
        let mut models = vec![first];
        for fallback in settings.fallbacks.iter().filter_map(resolve) {
            if !models.contains(&fallback) {
                models.push(fallback);
            }
        }
        Ok(models)
    }

    fn resolved(&self, asked: &str) -> Result<ModelRef, String> {
        match model_ref::resolve(asked, &self.snapshot.models.aliases) {
            Resolved::Known(model) => return Ok(model),
            Resolved::Nothing => return Err("`model` is blank".to_owned()),
            Resolved::Assumed(_) => {}
        }
        // A bare id: what the config declares, what ships, and what its name says.
        let declared = self.workspace.config.providers.iter().flat_map(|(id, entry)| {
            entry.models.iter().filter(|model| model.id == asked).map(move |_| provider::normalize(id))
        });
        let shipped = crate::core::models::MODELS
            .iter()
            .filter_map(|model| model.key.split_once('/').filter(|(_, id)| *id == asked))
            .map(|(id, _)| id.to_owned());
        let mut owners: Vec<String> = declared.chain(shipped).collect();
        if owners.is_empty() {
            let known = PREFIXES.iter().filter(|(prefix, _)| asked.starts_with(prefix));
            owners.extend(known.map(|(_, id)| (*id).to_owned()));
        }
        owners.sort();
        owners.dedup();
        // Of several, those that can be used at all.
        if owners.len() > 1 {
            let usable: Vec<_> = owners.iter().filter(|id| self.has_credential(id)).cloned().collect();
            if !usable.is_empty() {
                owners = usable;
            }
        }
        match owners.as_slice() {
            [owner] => Ok(ModelRef { provider: owner.clone(), model: asked.to_owned() }),
            [] => Err(format!(
                "no provider of the model \"{}\" is known; write provider/model",
                asked.escape_debug()
            )),
            several => {
                let all: Vec<_> = several.iter().map(|id| format!("{id}/{asked}")).collect();
                Err(format!("several providers have this model: {}", all.join(", ")))
            }
        }
    }

    fn has_credential(&self, id: &str) -> bool {
        self.snapshot.profiles.iter().any(|record| provider::normalize(&record.credential.provider) == id)
            || self.snapshot.env_credentials.iter().any(|credential| credential.provider == id)
            || self.snapshot.provider_keys.iter().any(|key| provider::normalize(&key.provider) == id)
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
        let entry =
            self.workspace.config.providers.iter().find(|(known, _)| provider::normalize(known) == *id);
        let api = entry.and_then(|(_, entry)| entry.api);
        let base = self.workspace.base_url(id);
        let url = upstream::address(id, base.as_deref(), api, surface)?;
        let made = |name: String, material: Material, secret: Secret| Candidate {
            model: model.clone(),
            name,
            url: url.clone(),
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
        candidates.extend(
            keys.map(|key| made(key.source.clone(), Material::ApiKey { key: None }, key.secret.clone())),
        );
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

    fn held(&self, record: &ProfileRecord) -> (Holder, UsageStats) {
        let own = &self.workspace.agent;
        let inherited = own.inherits_from.as_ref().filter(|_| record.inherited);
        let dir = inherited.unwrap_or(&own.dir).clone();
        let stored = self.snapshot.usage.iter().find(|(known, _)| *known == record.id);
        let stored = stored.map(|(_, stats)| stats.clone()).unwrap_or_default();
        (Holder { dir, id: record.id.clone() }, stored)
    }

    /// The models that can be asked for: those of the config and those that ship, of providers with a credential.
    pub(super) fn listed(&self) -> Vec<String> {
        let settings = &self.snapshot.models;
        let written = settings.primary.iter().chain(&settings.fallbacks).chain(&settings.allowed);
        let configured = written.filter_map(|text| model_ref::resolve(text, &settings.aliases).model());
        let declared = self.workspace.config.providers.iter().flat_map(|(id, entry)| {
            let provider = provider::normalize(id);
            entry
                .models
                .iter()
                .map(move |model| ModelRef { provider: provider.clone(), model: model.id.clone() })
        });
        let shipped = crate::core::models::MODELS.iter().filter_map(|model| {
            let (provider, id) = model.key.split_once('/')?;
            Some(ModelRef { provider: provider.to_owned(), model: id.to_owned() })
        });
        let mut keys: Vec<_> = configured
            .chain(declared)
            .chain(shipped)
            .filter(|model| self.has_credential(&model.provider))
            .map(|model| model.key())
            .collect();
        keys.sort();
        keys.dedup();
        keys
    }
}

/// What names of models begin with, and whose they are.
const PREFIXES: &[(&str, &str)] = &[
    ("claude-", "anthropic"),
    ("gemini-", "google"),
    ("gpt-", "openai"),
    ("grok-", "xai"),
    ("o1", "openai"),
    ("o3", "openai"),
    ("o4", "openai"),
];

/// Names with which a client leaves the choice to us: `openclaw`, `openclaw:AGENT`.
fn is_ours(asked: &str) -> bool {
    asked.is_empty()
        || asked == "openclaw"
        || asked.starts_with("openclaw:")
        || asked.starts_with("openclaw/")
}
