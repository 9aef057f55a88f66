//! Taking logins of vendor programs, and files of earlier releases, into the store.
//!
//! The plan is a pure function of the store, the logins and the time, so that it can be applied in memory, and made
//! again on what is in the file once the lock is held.

use std::borrow::Cow;
use std::collections::HashSet;
use std::time::Duration;

use crate::clock::Clock;
use crate::core::credential::{CLAUDE_CLI_PROFILE, CODEX_CLI_PROFILE, Credential, EpochMs, Expiry, Material};
use crate::core::finding::{Code, Finding};
use crate::core::login::VendorLogin;
use crate::core::oauth::{Parked, Tokens};
use crate::core::provider;
use crate::core::snapshot::Snapshot;
use crate::core::span;
use crate::core::store::AuthStore;
use crate::core::token;
use crate::sys::files;
use crate::sys::lock::LockError;
use crate::workspace::logins::Login;
use crate::workspace::store::{CredentialStore, LEGACY_FILE, StoreState, UpdateError, Updated};
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
    /// Store what an interrupted refresh has left in its recovery file.
    Renew(String, Tokens),
}

impl Change {
    /// The profile that it is about.
    pub fn id(&self) -> &str {
        match self {
            Self::Adopt(id, _) | Self::RemoveDuplicate(id) => id,
            Self::Renew(id, _) => id,
        }
    }
}

/// The logins whose refresh token was spent for tokens that are still parked.
fn renewals(profiles: &[(&str, &Credential)], parked: &[Parked]) -> Vec<Change> {
    let found = parked.iter().flat_map(|parked| {
        let is_meant = |credential: &Credential| {
            provider::normalize(&credential.provider) == parked.provider
                && parked.is_for(&credential.material)
        };
        let logins = profiles.iter().filter(move |(_, credential)| is_meant(credential));
        logins.map(|(id, _)| Change::Renew((*id).to_owned(), parked.tokens.clone()))
    });
    found.collect()
}

/// Other profiles with the refresh token that a newer login replaces: the vendor's program has spent it, so they go on
/// with the new one too.
fn twins(profiles: &[(&str, &Credential)], change: &Change) -> Vec<Change> {
    let Change::Adopt(id, newer) = change else { return Vec::new() };
    let Material::OAuth { access: Some(access), refresh: Some(refresh), expires, account_id } =
        &newer.material
    else {
        return Vec::new();
    };
    let replaced = profiles.iter().find(|(known, _)| known == id);
    let spent = replaced.and_then(|(_, stored)| stored.material.refresh_token());
    let (Some(spent), Some(expires)) = (spent.filter(|spent| *spent != refresh), expires.at()) else {
        return Vec::new();
    };
    let tokens = Tokens {
        refresh: Some(refresh.clone()),
        expires,
        account_id: account_id.clone(),
        ..Tokens::of(access.clone())
    };
    let has_spent = |(known, credential): &&(&str, &Credential)| {
        known != id
            && provider::normalize(&credential.provider) == newer.provider
            && credential.material.refresh_token() == Some(spent)
    };
    let found = profiles.iter().filter(has_spent);
    found.map(|(known, _)| Change::Renew((*known).to_owned(), tokens.clone())).collect()
}

/// What the logins of vendor programs change in a view, which `profiles` lists.
pub fn plan(profiles: &[(&str, &Credential)], logins: &[Login], now: EpochMs) -> Vec<Change> {
    let stored =
        |id: &str| profiles.iter().find(|(profile, _)| *profile == id).map(|(_, credential)| *credential);
    let mut changes = Vec::new();
    for login in logins {
        if let VendorLogin::Present { material, .. } = &login.login {
            let candidate = Credential {
                provider: login.vendor.provider().to_owned(),
                email: None,
                material: material.clone(),
            };
            if login.vendor.profile_id() == CODEX_CLI_PROFILE && duplicate_of(profiles, material).is_some() {
                continue;
            }
            if is_adopted(login.vendor.profile_id(), stored(login.vendor.profile_id()), &candidate, now) {
                changes.push(Change::Adopt(login.vendor.profile_id(), candidate));
            }
        }
    }
    let replaces_codex = changes.iter().any(|change| matches!(change, Change::Adopt(CODEX_CLI_PROFILE, _)));
    if let Some(codex) = stored(CODEX_CLI_PROFILE).filter(|_| !replaces_codex)
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
    if is_claude && is_own_setup_token(stored) {
        return false;
    }
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
            // Two logins that are both over: the older refresh token is most likely the one that was spent for the newer.
            let is_newest = is_later || expires(stored).is_none();
            other_provider
                || (stored_is_over && is_newest)
                || (is_later && (candidate_is_valid || !is_claude))
        }
        (_, Material::ApiKey { .. } | Material::Token { .. }) => true,
    }
}

/// A setup token says no expiry. It was put there on purpose and must survive what a vendor's program does later.
fn is_own_setup_token(stored: &Credential) -> bool {
    match &stored.material {
        Material::Token { token: Some(secret), expires } => {
            expires.at().is_none() && token::is_whole_setup_token(secret.expose())
        }
        _ => false,
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
pub struct Synced<'w> {
    /// The agent's own store as it is now, or would be when nothing may be written.
    pub own: Cow<'w, AuthStore>,
    /// The main agent's store as it will be once that agent is synced, when this one inherits from it.
    pub main: Option<Cow<'w, AuthStore>>,
    /// What there is to tell.
    pub findings: Vec<Finding>,
}

/// Applies the plan in memory and, with `save`, to the agent's own file. What is inherited is left to the main agent.
/// A write that fails costs a finding, not the report.
pub fn run<'w>(workspace: &'w Workspace, clock: &Clock, save: bool, patience: Duration) -> Synced<'w> {
    let now = clock.now().timestamp_millis();
    let path = workspace.paths.shown(workspace.store.path()).short;
    let mut synced = Synced {
        own: workspace.own_store(),
        main: workspace.main_store().map(Cow::Borrowed),
        findings: Vec::new(),
    };
    let imports = workspace.legacy.fills(&synced.own);
    let changes = planned(&synced.own, workspace, now);
    let (own, inherited): (Vec<_>, Vec<_>) = changes.into_iter().partition(|change| change.is_own);
    if !inherited.is_empty()
        && let Some(main) = &mut synced.main
    {
        let main = main.to_mut();
        for change in &inherited {
            change.apply(main);
        }
        let message =
            format!("{}; the main agent's next status saves it", told(workspace, false, &inherited));
        let path = workspace.agent.inherits_from.as_ref().map(|dir| CredentialStore::in_dir(dir));
        let path = path.map_or_else(String::new, |store| workspace.paths.shown(store.path()).short);
        synced.findings.push(Finding::new(Code::SyncPerformed, path, message));
    }
    if imports || !own.is_empty() {
        let told = told(workspace, imports, &own);
        edit(synced.own.to_mut(), workspace, now);
        match (&workspace.own, save) {
            // The report shows the logins; the file, which may still be mended, is left alone.
            (StoreState::Unreadable(_), _) => {}
            (_, true) => {
                synced.findings.extend(self::save(workspace, clock, patience, &told, synced.own.to_mut()));
            }
            (_, false) => {
                let message = format!("{told}; not saved, as asked");
                synced.findings.push(Finding::new(Code::SyncPerformed, path, message));
            }
        }
    }
    synced
}

/// What the next status run would make of a workspace. Nothing is written.
pub fn preview(workspace: &Workspace, clock: &Clock) -> Snapshot {
    let synced = run(workspace, clock, false, Duration::ZERO);
    workspace.snapshot(&synced.own, synced.main.as_deref())
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
    let updated = workspace.store.update(clock, patience, |store| {
        let changed = edit(store, workspace, now);
        *saved = store.clone();
        changed
    });
    let not_saved =
        |error: &UpdateError| Finding::new(Code::SyncNotSaved, path.clone(), format!("{told}; {error}"));
    let mut findings = Vec::new();
    match updated {
        Ok(Updated::Unchanged) => {}
        Ok(Updated::Written) => findings.push(Finding::new(Code::SyncPerformed, path, told)),
        Ok(Updated::WrittenInPlace) => {
            let message =
                format!("{told}; written in place: the file is a mount point and cannot be renamed over");
            findings.push(Finding::new(Code::SyncPerformed, path, message));
        }
        Err(UpdateError::Lock(LockError::Busy(lock))) => {
            let shown = workspace.paths.shown(&lock).short;
            let error = UpdateError::Lock(LockError::Busy(lock));
            return vec![not_saved(&error).remedy(format!(
                "the next run tries again; if no gateway or other openclaw is running, remove {shown}"
            ))];
        }
        Err(error @ UpdateError::Torn(..)) => {
            let finding = Finding::new(Code::SourceUnreadable, path.clone(), error.to_string());
            return vec![finding.remedy("make room on the disk and copy the old content back")];
        }
        Err(error) => return vec![not_saved(&error).remedy("the next run tries again")],
    }
    let auth_json = workspace.agent.dir.join(LEGACY_FILE);
    if workspace.legacy.auth_json_is_spent
        && imported_all(saved, &workspace.legacy)
        && let Err(error) = files::remove(&auth_json)
    {
        let shown = workspace.paths.shown(&auth_json).short;
        let message = format!("was imported and could not be removed: {}", files::reason(&error));
        findings.push(Finding::new(Code::SyncNotSaved, shown, message));
    }
    findings
}

/// A change and whose file it belongs into.
struct Planned {
    change: Change,
    is_own: bool,
}

impl Planned {
    fn apply(&self, store: &mut AuthStore) {
        match &self.change {
            Change::Adopt(id, credential) => store.upsert(id, credential.clone()),
            Change::RemoveDuplicate(id) => store.remove(id),
            Change::Renew(id, tokens) => drop(store.renew(id, tokens)),
        }
    }
}

/// The plan for an agent's view: its own entries and those that it inherits.
fn planned(store: &AuthStore, workspace: &Workspace, now: EpochMs) -> Vec<Planned> {
    let own: HashSet<&str> = store.profiles.iter().map(|(id, _)| id.as_str()).collect();
    let inherited = workspace.main_store().map(|main| main.profiles.as_slice()).unwrap_or_default();
    let view: Vec<(&str, &Credential)> = inherited
        .iter()
        .filter(|(id, _)| !own.contains(id.as_str()))
        .chain(&store.profiles)
        .map(|(id, credential)| (id.as_str(), credential))
        .collect();
    let renewals = renewals(&view, &workspace.parked);
    let renewed =
        |id: &str| renewals.iter().any(|change| matches!(change, Change::Renew(renewed, _) if renewed == id));
    // What a refresh gave is newer than anything that a vendor's file can hold of the same login.
    let mut changes = plan(&view, &workspace.logins, now);
    changes.retain(|change| !renewed(change.id()));
    let twins: Vec<_> = changes.iter().flat_map(|change| twins(&view, change)).collect();
    changes.extend(twins);
    changes
        .into_iter()
        .chain(renewals)
        .map(|change| {
            let id = change.id();
            let is_own = store.has_entry(id) || !inherited.iter().any(|(known, _)| known == id);
            Planned { change, is_own }
        })
        .collect()
}

/// Imports and syncs the agent's own entries; tells whether anything changed.
fn edit(store: &mut AuthStore, workspace: &Workspace, now: EpochMs) -> bool {
    let imports = workspace.legacy.fills(store);
    if imports {
        store.import(&workspace.legacy.entries);
    }
    let changes = planned(store, workspace, now);
    let own: Vec<_> = changes.iter().filter(|change| change.is_own).collect();
    for change in &own {
        change.apply(store);
    }
    imports || !own.is_empty()
}

/// Whether nothing of `auth.json` is left to import: only then may it go.
fn imported_all(store: &AuthStore, legacy: &Legacy) -> bool {
    legacy.entries.iter().all(|(id, _)| store.has_entry(id))
}

fn told(workspace: &Workspace, imported: bool, changes: &[Planned]) -> String {
    let mut told = Vec::new();
    if imported {
        told.push(format!("imported {} profiles of an earlier release", workspace.legacy.entries.len()));
    }
    for planned in changes {
        told.push(match &planned.change {
            Change::Adopt(id, _) => {
                let program = workspace.login(id).map_or("another program", |login| login.vendor.program());
                format!("took the login of {program} into {id}")
            }
            Change::RemoveDuplicate(id) => format!("removed {id}: another profile has the same tokens"),
            Change::Renew(id, _) => format!("gave {id} the newer tokens of the same login"),
        });
    }
    told.join(", ")
}
