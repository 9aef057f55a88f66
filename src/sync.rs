//! Taking logins of vendor programs, and files of earlier releases, into the store.
//!
//! The plan is a pure function of the store, the logins and the time, so that it can be applied in memory, and made
//! again on what is in the file once the lock is held.

use std::time::Duration;

use crate::clock::Clock;
use crate::core::credential::{
    CLAUDE_CLI_PROFILE, CODEX_CLI_PROFILE, Credential, EpochMs, Expiry, Material, QWEN_CLI_PROFILE,
};
use crate::core::finding::{Code, Finding};
use crate::core::login::VendorLogin;
use crate::core::provider;
use crate::core::span;
use crate::core::store::AuthStore;
use crate::sys::files;
use crate::workspace::logins::Login;
use crate::workspace::store::{LEGACY_FILE, StoreState, Updated};
use crate::workspace::{Legacy, Workspace};

/// A stored login that lives longer than this hides what the vendor's file holds (reference rule).
const FRESH_FOR_MS: i64 = 10 * span::MINUTE;

/// One change to a store.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Put a login under its profile.
    Adopt(&'static str, Credential),
    /// Remove a Codex profile whose tokens another profile holds.
    RemoveDuplicate(&'static str),
}

/// What the logins of vendor programs change in a view: `view` looks a profile up, `profiles` lists them all.
pub fn plan(profiles: &[(&str, &Credential)], logins: &[Login], now: EpochMs) -> Vec<Change> {
    let stored =
        |id: &str| profiles.iter().find(|(profile, _)| *profile == id).map(|(_, credential)| *credential);
    let mut changes = Vec::new();
    for login in logins {
        if let VendorLogin::Present { material, .. } = &login.login {
            let candidate =
                Credential { provider: login.provider.to_owned(), email: None, material: material.clone() };
            if login.profile_id == CODEX_CLI_PROFILE && duplicate_of(profiles, material).is_some() {
                continue;
            }
            if is_adopted(login.profile_id, stored(login.profile_id), &candidate, now) {
                changes.push(Change::Adopt(login.profile_id, candidate));
            }
        }
    }
    if let Some(codex) = stored(CODEX_CLI_PROFILE)
        && duplicate_of(profiles, &codex.material).is_some()
    {
        changes.push(Change::RemoveDuplicate(CODEX_CLI_PROFILE));
    }
    changes
}

/// Another Codex profile with the same tokens.
fn duplicate_of<'p>(profiles: &[(&'p str, &Credential)], material: &Material) -> Option<&'p str> {
    let (Some(access), Some(refresh)) = (material.usable_secret(), material.refresh_token()) else {
        return None;
    };
    profiles
        .iter()
        .filter(|(id, credential)| {
            *id != CODEX_CLI_PROFILE && provider::normalize(&credential.provider) == "openai-codex"
        })
        .find(|(_, credential)| {
            credential.material.usable_secret() == Some(access)
                && credential.material.refresh_token() == Some(refresh)
        })
        .map(|(id, _)| *id)
}

/// The update rules of the reference.
fn is_adopted(id: &str, stored: Option<&Credential>, candidate: &Credential, now: EpochMs) -> bool {
    let Some(stored) = stored else { return true };
    if stored.material == candidate.material && stored.provider == candidate.provider {
        return false;
    }
    let is_claude = id == CLAUDE_CLI_PROFILE;
    if is_fresh(stored, now) && !(is_claude && matches!(stored.material, Material::Token { .. })) {
        return false;
    }
    let other_provider = stored.provider != candidate.provider;
    let expires = |credential: &Credential| credential.material.expiry().at();
    let is_later = expires(candidate) > expires(stored);
    let stored_is_over = expires(stored).is_none_or(|expires| expires <= now);
    let candidate_is_valid = expires(candidate).is_some_and(|expires| expires > now);
    match (&candidate.material, &stored.material) {
        (Material::Token { .. }, Material::OAuth { .. }) => other_provider,
        (Material::Token { .. }, _) => other_provider || stored_is_over || (candidate_is_valid && is_later),
        (_, Material::OAuth { .. }) => {
            other_provider || stored_is_over || (is_later && (candidate_is_valid || !is_claude))
        }
        (_, Material::ApiKey { .. } | Material::Token { .. }) => true,
    }
}

fn is_fresh(stored: &Credential, now: EpochMs) -> bool {
    let is_vendors = ["anthropic", "openai-codex", "qwen-portal"].contains(&stored.provider.as_str());
    let is_expirable = !matches!(stored.material, Material::ApiKey { .. });
    let lives_on = match stored.material.expiry() {
        Expiry::At(expires) => expires > now.saturating_add(FRESH_FOR_MS),
        Expiry::NotPositive => false,
        Expiry::Absent | Expiry::Null | Expiry::Unreadable => true,
    };
    is_vendors && is_expirable && lives_on
}

/// What a sync did.
pub struct Synced {
    /// The agent's view as it is now, or would be when nothing may be written.
    pub store: AuthStore,
    /// What there is to tell.
    pub findings: Vec<Finding>,
}

/// Applies the plan in memory and, with `save`, to the file. A write that fails costs a finding, not the report.
pub fn run(workspace: &Workspace, clock: &Clock, save: bool, patience: Duration) -> Synced {
    let now = clock.now().timestamp_millis();
    let mut store = workspace.own_store();
    let imported = import(&mut store, &workspace.legacy);
    let changes = apply(&mut store, workspace, now, Scope::Own);
    let mut findings = Vec::new();
    let is_writable = !matches!(workspace.own, StoreState::Unreadable(_));
    if (imported || !changes.is_empty()) && is_writable {
        let told = told(workspace, imported, &changes);
        if save {
            findings = self::save(workspace, clock, patience, &told, &mut store);
        } else {
            let path = workspace.paths.shown(workspace.store.path()).short;
            findings.push(Finding::new(Code::SyncPerformed, path, format!("{told}; not saved, as asked")));
        }
    }
    apply(&mut store, workspace, now, Scope::View);
    Synced { store, findings }
}

/// Plans again on what is in the file once its lock is held, and writes that.
fn save(
    workspace: &Workspace,
    clock: &Clock,
    patience: Duration,
    told: &str,
    saved: &mut AuthStore,
) -> Vec<Finding> {
    let now = clock.now().timestamp_millis();
    let path = workspace.paths.shown(workspace.store.path()).short;
    let mut imported = false;
    let updated = workspace.store.update(clock, patience, |store| {
        imported = import(store, &workspace.legacy);
        let changed = !apply(store, workspace, now, Scope::Own).is_empty();
        *saved = store.clone();
        imported || changed
    });
    let mut findings = Vec::new();
    match updated {
        Ok(Updated::Unchanged) => {}
        Ok(Updated::Written) => findings.push(Finding::new(Code::SyncPerformed, path, told)),
        Ok(Updated::WrittenInPlace) => {
            let message =
                format!("{told}; written in place: the file is a mount point and cannot be renamed over");
            findings.push(Finding::new(Code::SyncPerformed, path, message));
        }
        Err(error) => {
            let finding = Finding::new(Code::SyncNotSaved, path, format!("{told}; {error}"));
            return vec![finding.remedy("`openclaw models status` tries again")];
        }
    }
    if imported && workspace.legacy.auth_json_is_spent {
        let auth_json = workspace.agent.dir.join(LEGACY_FILE);
        if let Err(error) = files::remove(&auth_json) {
            let shown = workspace.paths.shown(&auth_json).short;
            let message = format!("was imported and could not be removed: {}", files::reason(&error));
            findings.push(Finding::new(Code::SyncNotSaved, shown, message));
        }
    }
    findings
}

/// Whose profiles a plan may touch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// Those of the agent's own file, and new ones.
    Own,
    /// Inherited ones too: what the main agent will hold once it is synced.
    View,
}

fn import(store: &mut AuthStore, legacy: &Legacy) -> bool {
    if store.has_profiles_member() {
        return false;
    }
    for (id, entry) in &legacy.entries {
        store.import(id, entry.clone());
    }
    !legacy.entries.is_empty()
}

fn apply(store: &mut AuthStore, workspace: &Workspace, now: EpochMs, scope: Scope) -> Vec<Change> {
    let inherited = workspace.main_store().map(|main| main.profiles.as_slice()).unwrap_or_default();
    let own = store.profiles.iter();
    let view: Vec<(&str, &Credential)> = inherited
        .iter()
        .filter(|(id, _)| store.profile(id).is_none())
        .chain(own)
        .map(|(id, credential)| (id.as_str(), credential))
        .collect();
    let changes: Vec<Change> = plan(&view, &workspace.logins, now)
        .into_iter()
        .filter(|change| match change {
            Change::Adopt(id, _) => {
                scope == Scope::View || store.has_entry(id) || !inherited.iter().any(|(known, _)| known == id)
            }
            Change::RemoveDuplicate(id) => store.has_entry(id),
        })
        .collect();
    for change in &changes {
        match change {
            Change::Adopt(id, credential) => store.upsert(id, credential.clone()),
            Change::RemoveDuplicate(id) => store.remove(id),
        }
    }
    changes
}

fn told(workspace: &Workspace, imported: bool, changes: &[Change]) -> String {
    let mut told = Vec::new();
    if imported {
        told.push(format!("imported {} profiles of an earlier release", workspace.legacy.entries.len()));
    }
    for change in changes {
        told.push(match change {
            Change::Adopt(id, _) => format!("took the login of {} into {id}", program_of(id)),
            Change::RemoveDuplicate(id) => format!("removed {id}: another profile has the same tokens"),
        });
    }
    told.join(", ")
}

fn program_of(id: &str) -> &'static str {
    match id {
        CLAUDE_CLI_PROFILE => "Claude Code",
        CODEX_CLI_PROFILE => "Codex",
        QWEN_CLI_PROFILE => "Qwen Code",
        _ => "another program",
    }
}
