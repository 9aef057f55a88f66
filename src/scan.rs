//! Looking for free models at `OpenRouter`, and trying them.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::core::endpoint;
use crate::core::scan::ListedModel;
use crate::core::secret::Secret;
use crate::format::model_list;
use crate::sys::http_client::{self, Request};
use crate::workspace::Workspace;

/// The provider whose list is public and names prices.
pub const PROVIDER: &str = "openrouter";
const BASE: &str = "https://openrouter.ai/api/v1";

/// The list, and the means to ask its models.
pub struct Scan {
    base: String,
    key: Secret,
    limit: Duration,
}

/// What trying a model came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tried {
    /// It answers.
    Works,
    /// It does not; says how.
    Fails(String),
    /// The provider refuses the key.
    Refused,
}

impl Scan {
    /// A scan with a key, at the address that the config has for the provider.
    pub fn new(workspace: &Workspace, key: Secret, limit: Duration) -> Self {
        let base = workspace.base_url(PROVIDER).unwrap_or_else(|| BASE.to_owned());
        Self { base: base.trim_end_matches('/').to_owned(), key, limit }
    }

    /// Every model that the provider lists.
    pub fn models(&self) -> Result<Vec<ListedModel>, String> {
        let request = self.authorized(Request::get(self.url("/models")?));
        let host = http_client::host_of(&request.url);
        let answer = http_client::send(&request, self.limit).map_err(|failure| failure.to_string())?;
        match (answer.status, model_list::parse(answer.body.expose())) {
            (200, Some(models)) => Ok(models),
            (200, None) => Err(format!("{host} gave no list of models")),
            (401, _) => Err(format!("{host} refuses the key (401)")),
            (status, _) => Err(format!("{host} answered {status}")),
        }
    }

    /// Tries models with one tiny request each, several at a time; the answers are in the order of the models.
    pub fn try_all(&self, models: &[ListedModel], at_once: usize) -> Vec<Tried> {
        let next = Mutex::new(0..models.len());
        let tried = Mutex::new(vec![None; models.len()]);
        thread::scope(|scope| {
            for _ in 0..at_once.min(models.len()) {
                scope.spawn(|| {
                    loop {
                        let at = next.lock().unwrap_or_else(PoisonError::into_inner).next();
                        let Some(at) = at else { break };
                        let result = self.try_one(&models[at].id);
                        tried.lock().unwrap_or_else(PoisonError::into_inner)[at] = Some(result);
                    }
                });
            }
        });
        let tried = tried.into_inner().unwrap_or_else(PoisonError::into_inner);
        tried
            .into_iter()
            .map(|tried| tried.unwrap_or_else(|| Tried::Fails("was not tried".to_owned())))
            .collect()
    }

    fn try_one(&self, model: &str) -> Tried {
        self.ask(model).unwrap_or_else(Tried::Fails)
    }

    fn ask(&self, model: &str) -> Result<Tried, String> {
        let body = json!({
            "model": model,
            "messages": [{"role": "user", "content": "Reply with OK."}],
            "max_tokens": 8,
        });
        let request =
            Request::post(self.url("/chat/completions")?, "application/json", Secret::new(body.to_string()));
        let answer = http_client::send(&self.authorized(request), self.limit)
            .map_err(|failure| failure.to_string())?;
        match answer.status {
            200 if model_list::answers(answer.body.expose()) => Ok(Tried::Works),
            200 => Err("gave no answer".to_owned()),
            401 => Ok(Tried::Refused),
            status => Err(format!("answered {status}")),
        }
    }

    fn url(&self, path: &str) -> Result<url::Url, String> {
        endpoint::parse(&format!("{}{path}", self.base))
            .map_err(|why| format!("models.providers.{PROVIDER}.baseUrl: {why}"))
    }

    fn authorized(&self, request: Request) -> Request {
        request.header("authorization", Secret::new(format!("Bearer {}", self.key.expose().trim())))
    }
}
