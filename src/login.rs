//! Logging in: OAuth in the browser with PKCE (RFC 6749, RFC 7636), and device codes (RFC 8628). What is shown and asked
//! is the caller's business.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use url::{Host, Url, form_urlencoded};

use crate::clock::Clock;
use crate::core::credential::EpochMs;
use crate::core::endpoint;
use crate::core::oauth::{BrowserFlow, DeviceFlow, OAuth, Style, Tokens};
use crate::core::secret::Secret;
use crate::format::oauth as bodies;
use crate::process::{self, Process};
use crate::refresh::exchange::{self, OAuthClient, Refused};
use crate::sys::http_client::{self, Request};
use crate::sys::loopback::Callback;
use crate::sys::random;
use crate::workspace::Workspace;

/// How long one request to the provider may take.
const TIME_LIMIT: Duration = Duration::from_secs(30);
/// Random bytes of a PKCE verifier (RFC 7636 recommends 32) and of a state.
const VERIFIER_BYTES: usize = 32;
const STATE_BYTES: usize = 16;
/// The grant type of RFC 8628.
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// The wait between two polls when the provider names none, and the longest that it is slowed down to (reference: 2 s,
/// 1.5 times as long with each `slow_down`, at most 10 s).
const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// How much longer each `slow_down` makes it then (RFC 8628, section 3.5).
const SLOWER_BY: Duration = Duration::from_secs(5);
/// How long one poll may take: a person may want to end the wait.
const POLL_LIMIT: Duration = Duration::from_secs(5);
/// How long a code lives when the provider does not say.
const DEFAULT_LIFE_S: f64 = 300.0;
const LONGEST_POLL_INTERVAL: Duration = Duration::from_secs(10);

/// The two parties of a login.
pub struct Parties<'p> {
    /// The provider.
    pub oauth: &'static OAuth,
    /// The client that the login is issued to.
    pub client: OAuthClient,
    token_url: Url,
    clock: &'p Clock,
}

impl<'p> Parties<'p> {
    /// The parties as the settings have them, else with the client that a person named; `None` when there is neither.
    pub fn of(
        process: &Process,
        workspace: &Workspace,
        clock: &'p Clock,
        oauth: &'static OAuth,
        asked: Option<String>,
    ) -> Result<Option<Self>, String> {
        let client = OAuthClient::of(process, workspace, oauth, asked)?;
        let own = workspace.ops.provider(oauth.provider).token_url;
        let token_url = own.map_or_else(|| endpoint::parse(oauth.token_url), Ok)?;
        Ok(client.map(|client| Self { oauth, client, token_url, clock }))
    }

    fn ask_for_tokens(&self, members: &[(&str, &str)], limit: Duration) -> Result<Tokens, Refused> {
        let mut members = members.to_vec();
        members.push(("client_id", &self.client.id));
        members.extend(self.client.secret.as_ref().map(|secret| ("client_secret", secret.expose())));
        let (content_type, body) = bodies::body(Style::Form, &members);
        let request = Request::post(self.token_url.clone(), content_type, body);
        exchange::tokens(&request, self.oauth, limit, self.clock)
    }
}

/// A secret of ours and what may be shown of it.
struct Pkce {
    verifier: Secret,
    challenge: String,
}

fn pkce() -> Result<Pkce, String> {
    let verifier = random_text(VERIFIER_BYTES)?;
    let challenge = URL_SAFE_NO_PAD.encode(verifier.sha256());
    Ok(Pkce { verifier, challenge })
}

fn random_text(bytes: usize) -> Result<Secret, String> {
    random::hex(bytes).map_err(|error| format!("the system gives no random bytes: {error}"))
}

/// A login that goes through a page in the browser.
pub struct BrowserLogin<'p> {
    parties: Parties<'p>,
    flow: &'static BrowserFlow,
    /// The page.
    pub page: Url,
    redirect: String,
    state: Secret,
    verifier: Secret,
}

/// What the browser brings back.
#[derive(Debug, PartialEq, Eq)]
pub struct Code(Secret);

/// Why there is no code.
#[derive(Debug, PartialEq, Eq)]
pub enum CodeError {
    /// The provider said no.
    Refused(String),
    /// What came is not the answer that is waited for.
    Wrong(String),
}

impl CodeError {
    fn wrong(why: &str) -> Self {
        Self::Wrong(why.to_owned())
    }
}

impl<'p> BrowserLogin<'p> {
    /// Makes the address of the page.
    pub fn begin(
        process: &Process,
        workspace: &Workspace,
        parties: Parties<'p>,
        flow: &'static BrowserFlow,
    ) -> Result<Self, String> {
        let is_chutes = parties.oauth.provider == "chutes";
        let from_env = |variable| if is_chutes { process.var(variable) } else { None };
        let redirect = from_env(&process::CHUTES_REDIRECT).unwrap_or_else(|| flow.redirect.to_owned());
        let scope = from_env(&process::CHUTES_SCOPES).unwrap_or_else(|| flow.scope.to_owned());
        let own = workspace.ops.provider(parties.oauth.provider).authorize_url;
        let mut page = own.map_or_else(|| endpoint::parse(flow.authorize_url), Ok)?;
        let (state, pkce) = (random_text(STATE_BYTES)?, pkce()?);
        page.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &parties.client.id)
            .append_pair("redirect_uri", &redirect)
            .append_pair("scope", &scope)
            .append_pair("code_challenge", &pkce.challenge)
            .append_pair("code_challenge_method", "S256")
            .append_pair("state", state.expose())
            .extend_pairs(flow.extra);
        Ok(Self { parties, flow, page, redirect, state, verifier: pkce.verifier })
    }

    /// Listens for the browser where the redirect leads, if that is this host.
    pub fn listen(&self) -> Result<Callback, String> {
        let redirect = Url::parse(&self.redirect).map_err(|_| "the redirect address is no URL".to_owned())?;
        let is_here = match redirect.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv6(_)) | None => false,
        };
        if !is_here || redirect.scheme() != "http" {
            return Err(format!("{} is not this host", http_client::host_of(&redirect)));
        }
        let port = redirect.port_or_known_default().unwrap_or(80);
        Callback::listen(port, redirect.path())
            .map_err(|error| format!("port {port} cannot be listened on: {error}"))
    }

    /// The code in a query that came to the redirect address; `None` when it does not belong to this login, so that
    /// whoever sent it ends nothing.
    pub fn code_of_query(&self, query: &Secret) -> Option<Result<Code, String>> {
        match self.code_in(query.expose()) {
            Ok(code) => Some(Ok(code)),
            Err(CodeError::Refused(why)) => Some(Err(why)),
            Err(CodeError::Wrong(_)) => None,
        }
    }

    fn code_in(&self, query: &str) -> Result<Code, CodeError> {
        let members: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let member = |name: &str| members.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        if member("state").map(String::as_str) != Some(self.state.expose()) {
            return Err(CodeError::wrong("the answer does not belong to this login: its state differs"));
        }
        if let Some(error) = member("error") {
            let detail = member("error_description").map_or_else(String::new, |text| format!(" ({text})"));
            return Err(CodeError::Refused(format!("the provider refused: {error}{detail}")));
        }
        let code = member("code").filter(|code| !code.trim().is_empty());
        code.map(|code| Code(Secret::new(code))).ok_or_else(|| CodeError::wrong("the answer has no code"))
    }

    /// The code in what a person pasted: the whole address, its query, `code#state`, or the code alone. What has no
    /// state is still bound to this login by its verifier.
    pub fn code_of_paste(&self, pasted: &Secret) -> Result<Code, CodeError> {
        let text = pasted.expose().trim();
        if text.is_empty() {
            return Err(CodeError::wrong("nothing was pasted"));
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(CodeError::wrong("there is white space inside: the paste was broken into lines"));
        }
        let query = text.split_once('?').map(|(_, query)| query);
        if let Some(query) =
            query.or_else(|| (text.contains("code=") || text.contains("error=")).then_some(text))
        {
            return self.code_in(query.split('#').next().unwrap_or_default());
        }
        match text.split_once('#') {
            Some((_, state)) if state != self.state.expose() => {
                Err(CodeError::wrong("the code does not belong to this login: its state differs"))
            }
            Some((code, _)) => Ok(Code(Secret::new(code))),
            None if text.contains("://") => Err(CodeError::wrong("the address has no code")),
            None => Ok(Code(Secret::new(text))),
        }
    }

    /// Changes the code for tokens.
    pub fn exchange(&self, code: &Code) -> Result<Tokens, Refused> {
        let members = [
            ("grant_type", "authorization_code"),
            ("code", code.0.expose()),
            ("redirect_uri", &self.redirect),
            ("code_verifier", self.verifier.expose()),
        ];
        let mut tokens = self.parties.ask_for_tokens(&members, TIME_LIMIT)?;
        if let Some(userinfo) = self.flow.userinfo {
            // The login is good without a name.
            self.name(&mut tokens, userinfo);
        }
        Ok(tokens)
    }

    fn name(&self, tokens: &mut Tokens, userinfo: &str) -> Option<()> {
        let bearer = Secret::new(format!("Bearer {}", tokens.access.expose()));
        let request =
            Request::get(self.parties.token_url.join(userinfo).ok()?).header("authorization", bearer);
        let answer = http_client::send(&request, TIME_LIMIT).ok().filter(|answer| answer.status == 200)?;
        let answer: Value = serde_json::from_str(answer.body.expose()).ok()?;
        let text = |member: &str| Some(answer.get(member)?.as_str()?.to_owned());
        tokens.email = tokens.email.take().or_else(|| text("username")).or_else(|| text("email"));
        tokens.account_id = tokens.account_id.take().or_else(|| text("sub"));
        Some(())
    }
}

/// A login by a code that a person types in any browser.
pub struct DeviceLogin<'p> {
    parties: Parties<'p>,
    device_code: Secret,
    verifier: Secret,
    /// How long to wait before each poll.
    pub interval: Duration,
    /// What to type.
    pub user_code: String,
    /// Where.
    pub page: Url,
    /// The same with the code in it.
    pub complete_page: Option<Url>,
    /// When the code ends.
    pub ends: EpochMs,
}

/// What one poll came to.
pub enum Polled {
    /// Nobody has typed the code yet.
    Pending,
    /// Somebody has.
    Granted(Box<Tokens>),
    /// It is over; says why.
    Over(String),
    /// Nothing was learnt; says why. It may pass by itself.
    Trouble(String),
}

impl<'p> DeviceLogin<'p> {
    /// Asks the provider for a code.
    pub fn begin(workspace: &Workspace, parties: Parties<'p>, flow: &DeviceFlow) -> Result<Self, String> {
        let own = workspace.ops.provider(parties.oauth.provider).device_url;
        let url = own.map_or_else(|| endpoint::parse(flow.device_url), Ok)?;
        let (pkce, id) = (pkce()?, random_text(STATE_BYTES)?);
        let members = [
            ("client_id", parties.client.id.as_str()),
            ("scope", flow.scope),
            ("code_challenge", &pkce.challenge),
            ("code_challenge_method", "S256"),
        ];
        let (content_type, body) = bodies::body(Style::Form, &members);
        let request = Request::post(url, content_type, body).header("x-request-id", id);
        let answer = http_client::send(&request, TIME_LIMIT).map_err(|failure| failure.to_string())?;
        let host = http_client::host_of(&request.url);
        if answer.status != 200 {
            let code = bodies::error_code(&answer.body).map_or_else(String::new, |code| format!(" ({code})"));
            return Err(format!("{host} answered {}{code}: no code for this login", answer.status));
        }
        let malformed = || format!("{host} gave no usable code");
        let answer: Value = serde_json::from_str(answer.body.expose()).map_err(|_| malformed())?;
        let text = |member: &str| answer.get(member)?.as_str().filter(|text| !text.trim().is_empty());
        let page = |member: &str| text(member).and_then(|text| endpoint::parse(text).ok());
        let seconds =
            |member: &str| answer.get(member).and_then(Value::as_f64).filter(|seconds| *seconds > 0.0);
        let life = Duration::try_from_secs_f64(seconds("expires_in").unwrap_or(DEFAULT_LIFE_S));
        let life = life.ok().and_then(|life| i64::try_from(life.as_millis()).ok()).unwrap_or(i64::MAX);
        let interval = seconds("interval").and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        Ok(Self {
            device_code: text("device_code").map(Secret::new).ok_or_else(malformed)?,
            user_code: text("user_code").ok_or_else(malformed)?.to_owned(),
            page: page("verification_uri").ok_or_else(malformed)?,
            complete_page: page("verification_uri_complete"),
            interval: interval.unwrap_or(POLL_INTERVAL),
            ends: parties.clock.now().timestamp_millis().saturating_add(life),
            verifier: pkce.verifier,
            parties,
        })
    }

    /// Asks the provider once; not before [`Self::interval`] has passed since the last time.
    pub fn poll(&mut self, limit: Duration) -> Polled {
        if self.parties.clock.now().timestamp_millis() >= self.ends {
            return Polled::Over("the code has ended; nobody typed it".to_owned());
        }
        let members = [
            ("grant_type", DEVICE_GRANT),
            ("device_code", self.device_code.expose()),
            ("code_verifier", self.verifier.expose()),
        ];
        let refused = match self.parties.ask_for_tokens(&members, limit.min(POLL_LIMIT)) {
            Ok(tokens) => return Polled::Granted(Box::new(tokens)),
            Err(refused) => refused,
        };
        match refused.code.as_deref() {
            Some("authorization_pending") => Polled::Pending,
            Some("slow_down") => {
                // Up to ten seconds by half, as the reference does; beyond that by the five seconds of RFC 8628.
                let slower = self.interval.mul_f32(1.5).min(LONGEST_POLL_INTERVAL);
                self.interval = slower.max(if self.interval < LONGEST_POLL_INTERVAL {
                    slower
                } else {
                    self.interval + SLOWER_BY
                });
                Polled::Pending
            }
            Some("access_denied") => Polled::Over("the provider refused: access_denied".to_owned()),
            Some("expired_token") => Polled::Over("the code has ended; nobody typed it".to_owned()),
            // What passes by itself must not end a login that a person is in the middle of.
            None if !refused.class.needs_human() => Polled::Trouble(refused.message),
            _ => Polled::Over(refused.message),
        }
    }
}
