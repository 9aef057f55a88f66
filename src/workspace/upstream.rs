//! What the config says of the way to a model.

use crate::core::model_ref::ModelRef;
use crate::core::provider;
use crate::core::upstream::{self, Route, Surface};
use crate::format::config_sections::{DeclaredModel, ProviderEntry};
use crate::workspace::Workspace;

impl Workspace {
    /// What the config says of the provider of a model, and of the model itself.
    pub fn declared(&self, model: &ModelRef) -> (Option<&ProviderEntry>, Option<&DeclaredModel>) {
        let mut entries = self.config.providers.iter();
        let entry = entries.find(|(id, _)| provider::normalize(id) == model.provider).map(|(_, entry)| entry);
        let declared = entry.and_then(|entry| entry.models.iter().find(|known| known.id == model.model));
        (entry, declared)
    }

    /// Where requests of a surface for a model go; the error says why they cannot.
    pub fn route(&self, model: &ModelRef, surface: Surface) -> Result<Route, String> {
        let id = &model.provider;
        let (entry, declared) = self.declared(model);
        if entry.is_some_and(|entry| entry.auth == Some("aws-sdk")) {
            return Err(format!("{id} wants requests that are signed as AWS does it"));
        }
        let api = declared.and_then(|declared| declared.api).or(entry.and_then(|entry| entry.api));
        upstream::route(id, self.base_url(id).as_deref(), api, &model.model, surface)
    }
}
