//! Asking a token endpoint.

use std::path::Path;
use std::time::Duration;

use crate::clock::Clock;
use crate::core::credential::EpochMs;
use crate::core::endpoint;
use crate::core::failure::{self, Endpoint, FailureClass, Response};
use crate::core::oauth::{OAuth, Style, Tokens};
use crate::core::secret::Secret;
use crate::core::store::AuthStore;
use crate::format::oauth as bodies;
use crate::process::{self, Process};
use crate::sys::files::{self, ReadFailure};
use crate::sys::http_client::{self, Answer, Failure, Request};
use crate::workspace::Workspace;

/// Why there are no tokens.
pub struct Refused {
    /// What it means.
    pub class: FailureClass,
    /// The wait that the provider asked for, in ms.
    pub retry_after_ms: Option<i64>,
    /// What happened, without any secret.
    pub message: String,
    /// The error code of RFC 6749 and RFC 8628, when there is one.
    pub code: Option<String>,
}

impl Refused {
    /// A request that could not even be made.
    pub fn unasked(message: impl Into<String>) -> Self {
        Self { class: FailureClass::Unknown, retry_after_ms: None, message: message.into(), code: None }
    }
}

/// The OAuth client of a login.
pub struct OAuthClient {
    /// Its id.
    pub id: String,
    /// Its secret, where it has one.
    pub secret: Option<Secret>,
}

impl OAuthClient {
    /// The client that a login was issued to, else the user's own, else the public one.
    pub fn of(
        process: &Process,
        workspace: &Workspace,
        oauth: &OAuth,
        issued_to: Option<String>,
    ) -> Result<Option<Self>, String> {
        let ops = workspace.ops.provider(oauth.provider);
        let is_chutes = oauth.provider == "chutes";
        let from_env = |variable| if is_chutes { process.var(variable) } else { None };
        let secret = match &ops.client_secret_file {
            Some(file) => Some(secret_of(&workspace.paths.expand(file), file)?),
            None => from_env(&process::CHUTES_CLIENT_SECRET).map(Secret::new),
        };
        let id = issued_to
            .or(ops.client_id)
            .or_else(|| from_env(&process::CHUTES_CLIENT_ID))
            .or_else(|| oauth.client_id.map(str::to_owned));
        Ok(id.map(|id| Self { id, secret }))
    }
}

fn secret_of(path: &Path, written: &str) -> Result<Secret, String> {
    let failed = |reason: &str| format!("failed to read clientSecretFile {written}: {reason}");
    match files::read(path) {
        Ok(content) => {
            let text = String::from_utf8(content.bytes).map_err(|_| failed("is not UTF-8"))?;
            Some(Secret::new(text.trim()))
                .filter(|secret| !secret.is_blank())
                .ok_or_else(|| failed("is empty"))
        }
        Err(ReadFailure::Absent) => Err(failed("there is no such file")),
        Err(ReadFailure::Failed(reason)) => Err(failed(&reason)),
    }
}

/// The request that renews a login; says what is missing for it.
pub fn request(
    process: &Process,
    workspace: &Workspace,
    oauth: &OAuth,
    store: &AuthStore,
    id: &str,
    token: &Secret,
) -> Result<Request, String> {
    let own = workspace.ops.provider(oauth.provider).token_url;
    let url = match (own, store.text_member(id, "enterpriseUrl").filter(|_| oauth.style == Style::Copilot)) {
        (Some(url), _) => url,
        (None, Some(host)) => endpoint::parse(&format!("https://api.{host}/copilot_internal/v2/token"))
            .map_err(|_| "its enterpriseUrl is no host name".to_owned())?,
        (None, None) => endpoint::parse(oauth.token_url).map_err(str::to_owned)?,
    };
    if oauth.style == Style::Copilot {
        let bearer = Secret::new(format!("Bearer {}", token.expose()));
        return Ok(Request::get(url).header("authorization", bearer));
    }
    let client = OAuthClient::of(process, workspace, oauth, store.text_member(id, "clientId"))?;
    let client = client.ok_or_else(|| {
        format!("no OAuth client is known for it; set providers.{}.clientId in ops.json", oauth.provider)
    })?;
    let mut members = vec![
        ("grant_type", "refresh_token"),
        ("client_id", client.id.as_str()),
        ("refresh_token", token.expose()),
    ];
    members.extend(client.secret.as_ref().map(|secret| ("client_secret", secret.expose())));
    let (content_type, body) = bodies::body(oauth.style, &members);
    Ok(Request::post(url, content_type, body))
}

/// Sends a request to a token endpoint and reads the tokens out of its answer.
pub fn tokens(request: &Request, oauth: &OAuth, limit: Duration, clock: &Clock) -> Result<Tokens, Refused> {
    let sent = http_client::send_for_all_there_is(request, limit);
    let now = clock.now().timestamp_millis();
    let found = |answer: &Answer| {
        let is_good = (200..300).contains(&answer.status);
        is_good.then(|| bodies::tokens(&answer.body, oauth.margin_ms, now)).flatten()
    };
    match sent {
        Ok(answer) => {
            found(&answer).ok_or_else(|| refused(&answer, oauth, &http_client::host_of(&request.url), now))
        }
        // The token is spent whether or not the answer ended well: what came is taken if it is enough.
        Err((failure, partial)) => partial.as_ref().and_then(found).ok_or_else(|| no_answer(&failure)),
    }
}

fn refused(answer: &Answer, oauth: &OAuth, host: &str, now: EpochMs) -> Refused {
    let response = Response {
        endpoint: Endpoint::Token,
        provider: oauth.provider,
        status: answer.status,
        headers: &answer.headers,
        body: answer.body.expose(),
    };
    let failure = failure::classify(&response, now);
    // A success without tokens is none.
    let class = failure.map_or(FailureClass::Malformed, |failure| failure.class);
    Refused {
        class,
        retry_after_ms: failure.and_then(|failure| failure.retry_after_ms),
        message: format!("{host} answered {}: {}", answer.status, class.entry().2),
        code: bodies::error_code(&answer.body),
    }
}

fn no_answer(failure: &Failure) -> Refused {
    Refused { class: failure.class(), retry_after_ms: None, message: failure.to_string(), code: None }
}
