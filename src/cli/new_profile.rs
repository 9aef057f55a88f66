//! Putting a profile into the store and its name into the config, or leaving both as they were.

use serde_json::json;

use crate::cli::Session;
use crate::core::credential::{CLAUDE_CLI_PROFILE, Credential, Expiry, Material};
use crate::core::provider;
use crate::core::secret::Secret;
use crate::exit::CommandError;
use crate::format::config_edit::Edit;
use crate::format::config_sections::Config;
use crate::render::printable;
use crate::settings;
use crate::workspace::Workspace;

/// The longest profile id that makes sense.
const LONGEST_ID: usize = 200;

/// A profile to store.
pub(super) struct NewProfile<'p> {
    pub(super) id: String,
    pub(super) credential: Credential,
    /// The OAuth client that it was issued to, where that is not the public one of the provider.
    pub(super) client_id: Option<String>,
    /// What else changes in the config with it.
    pub(super) more: &'p dyn Fn(&Config) -> Vec<Edit>,
}

/// Refuses ids that nobody could type or show.
pub(super) fn checked_id(id: &str) -> Result<String, CommandError> {
    let id = id.trim();
    if id.is_empty() || id.chars().any(char::is_control) || id.len() > LONGEST_ID {
        return Err(CommandError::usage("the profile id must be a short text without control characters"));
    }
    Ok(id.to_owned())
}

/// Refuses to put a credential in the place of one of another provider: that one would be gone.
pub(super) fn refuse_taken(workspace: &Workspace, id: &str, provider: &str) -> Result<(), CommandError> {
    let stored = workspace.own_store().profile(id).map(|credential| credential.provider.clone());
    let named = workspace.config.auth_profiles.iter().find(|(known, _)| known == id);
    let taken = stored.or_else(|| named.map(|(_, profile)| profile.provider.clone()));
    match taken.filter(|taken| provider::normalize(taken) != provider) {
        None => Ok(()),
        Some(taken) => Err(CommandError::usage(format!(
            "profile \"{}\" holds a credential of {}, not of {}",
            printable(id),
            printable(&taken),
            printable(provider)
        ))
        .hint(format!("store it under another profile, for example {}:manual", printable(provider)))),
    }
}

/// Refuses a profile that mirrors a login of a vendor's program: the next sync would put that login back. Only a whole
/// setup token stays there.
pub(super) fn refuse_mirror(
    workspace: &Workspace,
    id: &str,
    is_setup_token: bool,
) -> Result<(), CommandError> {
    match workspace.login(id).filter(|login| login.is_present()) {
        Some(login) if !(id == CLAUDE_CLI_PROFILE && is_setup_token) => Err(CommandError::usage(format!(
            "{id} mirrors a login of a vendor's program and would be replaced by it"
        ))
        .hint(format!("store it under another profile, for example {}:manual", login.vendor.provider()))),
        _ => Ok(()),
    }
}

/// The mode that the config names. The reference takes a stored token under the mode oauth for this one profile.
pub(super) fn mode_of(id: &str, kind: &'static str) -> &'static str {
    if id == CLAUDE_CLI_PROFILE { "oauth" } else { kind }
}

impl NewProfile<'_> {
    /// A token that somebody pasted.
    pub(super) fn token(provider: &str, id: &str, token: Secret, expires: Expiry) -> Self {
        let material = Material::Token { token: Some(token), expires };
        let credential = Credential { provider: provider.to_owned(), email: None, material };
        Self { id: id.to_owned(), credential, client_id: None, more: &|_| Vec::new() }
    }

    /// Refuses what [`Self::put`] would refuse of the config.
    pub(super) fn rehearse(&self, workspace: &Workspace) -> Result<(), CommandError> {
        Session::rehearse_config(workspace, |config| Ok(self.edits(config)))
    }

    /// Stores it and names it in the config. Gives what to print.
    pub(super) fn put(&self, session: &Session<'_>, workspace: &Workspace) -> Result<String, CommandError> {
        let id = self.id.as_str();
        self.rehearse(workspace)?;
        let mut before = None;
        session.change_store(workspace, |store| {
            before = store.raw_entry(id);
            store.upsert(id, self.credential.clone());
            if let Some(client_id) = &self.client_id {
                store.set_text_member(id, "clientId", client_id);
            }
            true
        })?;
        let changed = session.change_config(workspace, |config| Ok(self.edits(config)));
        let updated = changed.map_err(|error| {
            // A profile that the config does not name would be half of the wish: the entry goes back to what it was.
            let restored = session.change_store(workspace, |store| {
                let is_ours = store.profile(id) == Some(&self.credential);
                if is_ours {
                    store.restore_entry(id, before.clone());
                }
                is_ours
            });
            match restored {
                Ok(_) => error.hint("the profile was put back as it was"),
                Err(_) => error.hint(format!("profile {} was stored all the same", printable(id))),
            }
        })?;
        let (id, provider) = (printable(id), printable(&self.credential.provider));
        let kind = self.credential.material.type_name();
        Ok(format!("{updated}Auth profile: {id} ({provider}/{kind})\n"))
    }

    /// The profile's entry, the first place in an order that the config has for the provider, and the rest.
    fn edits(&self, config: &Config) -> Vec<Edit> {
        let (id, provider) = (self.id.as_str(), self.credential.provider.as_str());
        let mode = mode_of(id, self.credential.material.type_name());
        let mut entry = json!({"provider": provider, "mode": mode});
        if let Some(email) = &self.credential.email {
            entry["email"] = json!(email);
        }
        let mut edits = vec![Edit::set(["auth", "profiles", id], entry)];
        let order = config.auth_order.iter().find(|(known, _)| provider::normalize(known) == *provider);
        if let Some((key, ids)) = order.filter(|(_, ids)| ids.first().is_none_or(|first| first != id)) {
            let path = ["auth", "order", key.as_str()].map(str::to_owned).to_vec();
            let places = settings::places(ids, |known| known == id);
            if !places.is_empty() {
                edits.push(Edit::Drop(path.clone(), places));
            }
            edits.push(Edit::Prepend(path, json!(id)));
        }
        edits.extend((self.more)(config));
        edits
    }
}
