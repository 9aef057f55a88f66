//! A conversation with the gateway over chat completions, for `chat` and `agent`.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::{Value, json};
use url::Url;

use crate::cli::Session;
use crate::cli::chat_args::TalkArgs;
use crate::cli::secret_flag::secret_flag;
use crate::core::endpoint;
use crate::core::secret::Secret;
use crate::exit::CommandError;
use crate::format::chat_stream::{self, ChatStream, Piece};
use crate::render::printable;
use crate::sys::http_client::{self, Failure, Lasting, Request};

/// How long a model may think before its answer begins: as long as the gateway gives it.
const HEAD_LIMIT: Duration = Duration::from_mins(10);
/// How long the list of models may take; without it there is only less to complete.
const LIST_LIMIT: Duration = Duration::from_secs(3);

/// One side's words.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    /// `user` or `assistant`.
    pub(super) role: &'static str,
    /// What was said.
    pub(super) text: String,
}

/// Who has answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answered {
    /// `provider/model`; blank when no model was asked.
    pub(super) model: String,
    /// The profile or other credential.
    pub(super) profile: String,
    /// How many providers were asked.
    pub(super) attempts: u64,
    /// Whether it was a command, which the gateway answers itself.
    pub(super) is_command: bool,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Ctrl-C.
    Interrupted,
    /// The gateway said no, or its answer broke off.
    Refused(String),
    /// The gateway did not carry out a command.
    Told(String),
    /// There is no gateway.
    Unreachable(String),
}

/// A line to the gateway.
pub(super) struct Line {
    runtime: tokio::runtime::Runtime,
    http: Lasting,
    base: Url,
    headers: HeaderMap,
    token: Option<Secret>,
}

impl Line {
    /// The line that the options ask for.
    pub(super) fn of(session: &Session<'_>, args: &TalkArgs) -> Result<Self, CommandError> {
        let process = session.printer.process();
        let workspace = session.workspace()?;
        let local = format!("http://127.0.0.1:{}", workspace.gateway_port(process));
        let written = args.url.as_deref().unwrap_or(&local);
        let base = endpoint::parse(written)
            .map_err(|why| CommandError::usage(format!("--url {}: {why}", printable(written))))?;
        let given =
            args.token.as_deref().map(|written| secret_flag(session, "token", written)).transpose()?;
        // The token of this host is for this host.
        let is_here = matches!(base.host(), Some(url::Host::Domain("localhost")))
            || base.host_str().is_some_and(|host| {
                let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
                ip.is_ok_and(|ip| ip.is_loopback())
            });
        let token = given.or_else(|| workspace.gateway_secret().filter(|_| is_here).cloned());
        let mut headers = HeaderMap::new();
        let plain = [
            (HeaderName::from_static("x-openclaw-session-key"), Some(args.session.clone())),
            (HeaderName::from_static("x-openclaw-agent-id"), session.cli.agent.clone()),
            (header::CONTENT_TYPE, Some("application/json".to_owned())),
        ];
        for (name, text) in plain {
            let Some(text) = text else { continue };
            let value = HeaderValue::from_str(&text).ok().filter(|value| value.to_str().is_ok()).ok_or_else(
                || {
                    CommandError::usage(format!(
                        "\"{}\" is no name of a session or an agent",
                        printable(&text)
                    ))
                },
            )?;
            headers.insert(name, value);
        }
        if let Some(token) = &token {
            let mut value =
                HeaderValue::from_str(&format!("Bearer {}", token.expose().trim())).map_err(|_| {
                    CommandError::usage("the token of the gateway holds what no header can carry")
                })?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        let io = |what: &str, why: String| CommandError::io(format!("failed to set up {what}: {why}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| io("the HTTP client", error.to_string()))?;
        let http = Lasting::new().map_err(|why| io("the HTTP client", why))?;
        Ok(Self { runtime, http, base, headers, token })
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        let before = url.path().trim_end_matches('/').trim_end_matches("/v1").to_owned();
        url.set_path(&format!("{before}{path}"));
        url
    }

    /// The models that can be asked for; none when they cannot be listed.
    pub(super) fn models(&self) -> Vec<String> {
        let mut request = Request::get(self.url("/v1/models"));
        if let Some(token) = &self.token {
            request =
                request.header("authorization", Secret::new(format!("Bearer {}", token.expose().trim())));
        }
        let listed = http_client::send(&request, LIST_LIMIT);
        listed.map(|answer| chat_stream::model_ids(answer.body.expose())).unwrap_or_default()
    }

    /// Says something and hands on the answer piece by piece. Where a person sits, Ctrl-C ends the answer and nothing else.
    pub(super) fn stream(
        &self,
        model: Option<&str>,
        turns: &[Turn],
        is_person: bool,
        say: &mut dyn FnMut(&str),
    ) -> Result<Answered, Trouble> {
        let exchange = async {
            let mut answer = self.post(&body(model, turns, true)).await?;
            let answered = answered(answer.headers());
            let mut stream = ChatStream::default();
            loop {
                let chunk =
                    answer.chunk().await.map_err(|_| Trouble::Refused("the answer broke off".to_owned()))?;
                let Some(chunk) = chunk else {
                    return Err(Trouble::Refused("the answer ended before it was complete".to_owned()));
                };
                for piece in stream.push(&chunk) {
                    match piece {
                        Piece::Broken(why) => return Err(Trouble::Refused(why)),
                        Piece::End => return Ok(answered),
                        Piece::Text(text) => say(&text),
                    }
                }
            }
        };
        self.runtime.block_on(async {
            tokio::select! {
                said = exchange => said,
                _ = tokio::signal::ctrl_c(), if is_person => Err(Trouble::Interrupted),
            }
        })
    }

    /// Says something and waits for the whole answer.
    pub(super) fn ask(&self, model: Option<&str>, turns: &[Turn]) -> Result<(String, Answered), Trouble> {
        self.runtime.block_on(async {
            let answer = self.post(&body(model, turns, false)).await?;
            let answered = answered(answer.headers());
            let body = http_client::whole(answer, HEAD_LIMIT).await;
            let text = chat_stream::text_of(&body);
            text.map(|text| (text, answered))
                .ok_or_else(|| Trouble::Refused("the answer has no text in it".to_owned()))
        })
    }

    async fn post(&self, body: &Value) -> Result<reqwest::Response, Trouble> {
        let url = self.url("/v1/chat/completions");
        let sent = self.http.post(url, self.headers.clone(), body.to_string().into(), HEAD_LIMIT).await;
        let answer = sent.map_err(|failure| match failure {
            Failure::Unreachable(..) => Trouble::Unreachable(failure.to_string()),
            _ => Trouble::Refused(failure.to_string()),
        })?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let (status, is_command) = (answer.status(), answered(answer.headers()).is_command);
        let body = http_client::whole(answer, LIST_LIMIT).await;
        let message = chat_stream::error_message(&body);
        let message = message.unwrap_or_else(|| format!("the gateway answered {status}"));
        Err(if is_command { Trouble::Told(message) } else { Trouble::Refused(message) })
    }
}

fn body(model: Option<&str>, turns: &[Turn], is_streamed: bool) -> Value {
    let messages: Vec<_> =
        turns.iter().map(|turn| json!({"role": turn.role, "content": turn.text})).collect();
    let mut body = json!({"model": model.unwrap_or("openclaw"), "messages": messages});
    if is_streamed {
        body["stream"] = json!(true);
    }
    body
}

fn answered(headers: &HeaderMap) -> Answered {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (provider, model) = (text("x-openclaw-provider"), text("x-openclaw-model"));
    Answered {
        model: if provider.is_empty() { String::new() } else { format!("{provider}/{model}") },
        profile: text("x-openclaw-profile").to_owned(),
        attempts: text("x-openclaw-attempts").parse().unwrap_or_default(),
        is_command: headers.contains_key("x-openclaw-command"),
    }
}

impl Trouble {
    /// What a command says and how it ends.
    pub(super) fn error(self) -> CommandError {
        match self {
            Self::Interrupted => CommandError::interrupted(),
            // Not every message was made here: nothing of it may steer a terminal.
            Self::Refused(message) => CommandError::refused(printable(&message))
                .hint("`openclaw models status` tells what this host has to ask models with"),
            Self::Told(message) => CommandError::refused(printable(&message)),
            Self::Unreachable(message) => {
                CommandError::io(message).hint("`openclaw gateway` starts it; --url names another one")
            }
        }
    }
}
