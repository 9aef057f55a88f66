//! Where requests for a model go, in which words and with which headers: the config over the catalogue.

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::core::credential::{Expiry, Material};
use crate::core::model_ref::ModelRef;
use crate::core::secret::Secret;
use crate::core::upstream::{self, ApiKind, Surface};
use crate::workspace::Workspace;

/// The way to a model.
#[derive(Clone, Debug)]
pub(super) struct Way {
    /// What is spoken there.
    pub(super) kind: ApiKind,
    /// The longest answer of the model in tokens, where the config says so.
    pub(super) max_tokens: Option<u64>,
    /// Whether the credential goes as `Authorization: Bearer` too.
    pub(super) has_auth_header: bool,
    base: String,
    /// Headers of the config; those of the model come last.
    headers: Vec<(String, Secret)>,
    is_key_token: bool,
}

impl Way {
    /// Finds the way; the error says why there is none.
    pub(super) fn of(workspace: &Workspace, model: &ModelRef, surface: Surface) -> Result<Self, String> {
        let route = workspace.route(model, surface)?;
        let (entry, declared) = workspace.declared(model);
        let shared = entry.map(|entry| entry.headers.clone()).unwrap_or_default();
        let own = declared.map(|declared| declared.headers.clone()).unwrap_or_default();
        Ok(Self {
            kind: route.kind,
            base: route.base,
            max_tokens: declared.and_then(|declared| declared.max_tokens),
            has_auth_header: entry.is_some_and(|entry| entry.auth_header),
            headers: shared.into_iter().chain(own).collect(),
            is_key_token: entry.is_some_and(|entry| matches!(entry.auth, Some("oauth" | "token"))),
        })
    }

    /// The address of a request.
    pub(super) fn url(&self, surface: Surface, model: &str, is_streamed: bool) -> String {
        self.kind.url(&self.base, surface, model, is_streamed)
    }

    /// What a key of the config is: `auth` may say that it is a token.
    pub(super) fn material_of_key(&self) -> Material {
        if self.is_key_token {
            Material::Token { token: None, expires: Expiry::Absent }
        } else {
            Material::ApiKey { key: None }
        }
    }

    /// Sets the headers of the config, but for those that no config may set.
    pub(super) fn configure(&self, headers: &mut HeaderMap) {
        for (name, value) in self.headers.iter().filter(|(name, _)| upstream::may_configure(name)) {
            let name = HeaderName::from_bytes(name.trim().as_bytes());
            if let (Ok(name), Ok(mut value)) = (name, HeaderValue::from_str(value.expose())) {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
        }
    }

    /// Everything of the config that may be a secret.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.headers.iter().map(|(_, value)| value)
    }
}
