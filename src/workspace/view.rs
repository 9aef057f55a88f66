//! What an agent sees through its own store and the one that it inherits from.

use std::collections::HashMap;
use std::sync::Arc;

use crate::core::finding::{Code, Finding};
use crate::core::snapshot::{FilePath, ProfileRecord};
use crate::core::store::{AuthStore, Rejection, UsageStats};
use crate::workspace::Workspace;

/// What an agent sees of one or two stores.
pub(super) struct View<'w> {
    workspace: &'w Workspace,
    /// E-mail addresses that the config gives to profiles.
    emails: HashMap<&'w str, &'w str>,
    pub(super) profiles: Vec<ProfileRecord>,
    pub(super) rejected: Vec<(String, Rejection)>,
    pub(super) usage: Vec<(String, UsageStats)>,
    pub(super) findings: Vec<Finding>,
}

impl<'w> View<'w> {
    pub(super) fn new(workspace: &'w Workspace) -> Self {
        let configured = workspace.config.auth_profiles.iter();
        let emails = configured.filter_map(|(id, profile)| Some((id.as_str(), profile.email.as_deref()?)));
        Self {
            workspace,
            emails: emails.collect(),
            profiles: Vec::new(),
            rejected: Vec::new(),
            usage: Vec::new(),
            findings: Vec::new(),
        }
    }

    pub(super) fn add(
        &mut self,
        store: &AuthStore,
        path: FilePath,
        inherited: bool,
        counts: &dyn Fn(&str) -> bool,
    ) {
        let path = Arc::new(path);
        for (id, credential) in store.profiles.iter().filter(|(id, _)| counts(id)) {
            let stored = credential.email.as_deref().map(str::trim).filter(|email| !email.is_empty());
            self.profiles.push(ProfileRecord {
                id: id.clone(),
                credential: credential.clone(),
                email: self.emails.get(id.as_str()).copied().or(stored).map(str::to_owned),
                store: Arc::clone(&path),
                inherited,
                login: self.workspace.login_facts(id, credential),
                refresh: self.workspace.refresh_record(credential),
            });
        }
        self.rejected.extend(store.rejected.iter().filter(|(id, _)| counts(id)).cloned());
        self.usage.extend(store.usage.iter().filter(|(id, _)| counts(id)).cloned());
        self.findings.extend(store.duplicates.iter().filter(|id| counts(id)).map(|id| {
            let message = format!("stands more than once in {}; the last one counts", path.short);
            Finding::new(Code::ProfileDuplicate, id.clone(), message)
        }));
    }
}
