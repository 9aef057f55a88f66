//! Talking to providers. Nobody else builds an HTTP client.

use std::error::Error;
use std::sync::Once;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue, LOCATION, USER_AGENT};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Method, Response};
use url::Url;

use crate::core::endpoint::is_near;
use crate::core::failure::FailureClass;
use crate::core::secret::Secret;

/// What we call ourselves, everywhere and always.
const OUR_NAME: &str = concat!("openclaw/", env!("CARGO_PKG_VERSION"));
/// An answer about credentials has a few KiB, a list of models some hundred.
const LARGEST_ANSWER: usize = 8 * 1024 * 1024;
/// How long a provider may take to accept a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// After how long the system asks a silent provider whether it is still there.
const SILENCE: Duration = Duration::from_secs(15);
/// Headers that are kept of an answer: its time, and when to come back.
const TOLD_IN: &[&str] = &["date", "retry-after", "retry-after-ms"];

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where to; see [`crate::core::endpoint::parse`].
    pub url: Url,
    /// Headers that may hold a secret.
    pub headers: Vec<(&'static str, Secret)>,
    /// What a POST carries, and its content type; without one it is a GET.
    pub body: Option<(&'static str, Secret)>,
}

impl Request {
    /// A GET that carries nothing.
    pub fn get(url: Url) -> Self {
        Self { url, headers: vec![("accept", Secret::new("application/json"))], body: None }
    }

    /// A POST.
    pub fn post(url: Url, content_type: &'static str, body: Secret) -> Self {
        Self { body: Some((content_type, body)), ..Self::get(url) }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: Secret) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// A whole answer.
#[derive(Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Its time and when to come back, by the names of the headers in lower case.
    pub headers: Vec<(String, String)>,
    /// The body; it may hold secrets.
    pub body: Secret,
}

/// Why there is no answer. No text holds anything of the request but the host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It broke off.
    #[error("the connection to {0} broke off: {1}")]
    Broken(String, String),
    /// It sends us elsewhere. Nothing is sent there: that host is not the one that was asked for.
    #[error("{0} redirects to {1}, which was not followed: it would get the credential")]
    Redirected(String, String),
    /// It did not answer in time.
    #[error("{0} did not answer within {1:?}")]
    TimedOut(String, Duration),
    /// The host is not who it should be.
    #[error("TLS with {0} failed: {1}")]
    Tls(String, String),
    /// It says more than any honest answer needs.
    #[error("the answer of {0} is larger than {limit} MiB", limit = LARGEST_ANSWER / 1024 / 1024)]
    TooLarge(String),
    /// Nobody is there.
    #[error("{0} cannot be reached: {1}")]
    Unreachable(String, String),
}

impl Failure {
    /// What it means.
    pub fn class(&self) -> FailureClass {
        match self {
            Self::Broken(..) | Self::Unreachable(..) => FailureClass::Network,
            Self::Redirected(..) => FailureClass::Redirected,
            Self::TimedOut(..) => FailureClass::Timeout,
            Self::Tls(..) => FailureClass::Tls,
            Self::TooLarge(..) => FailureClass::TooLarge,
        }
    }
}

/// Sends a request and waits for the whole answer, at most `limit`.
pub fn send(request: &Request, limit: Duration) -> Result<Answer, Failure> {
    send_for_all_there_is(request, limit).map_err(|(failure, _)| failure)
}

/// The same; what had come of a successful answer before it broke off comes with the failure. It may be all that was to
/// come, and it may be worth a login.
pub fn send_for_all_there_is(
    request: &Request,
    limit: Duration,
) -> Result<Answer, (Failure, Option<Answer>)> {
    let host = host_of(&request.url);
    let broken = |reason: &dyn Error| Failure::Broken(host.clone(), innermost(reason));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| (broken(&error), None))?;
    let mut arriving = Arriving::default();
    let ended = runtime.block_on(async {
        tokio::time::timeout(limit, exchange(request, &host, &mut arriving))
            .await
            .unwrap_or_else(|_| Err(Failure::TimedOut(host.clone(), limit)))
    });
    // A name server that hangs must not hold us.
    runtime.shutdown_background();
    let is_good = (200..300).contains(&arriving.status);
    let answer = Answer {
        status: arriving.status,
        headers: arriving.headers,
        body: Secret::new(String::from_utf8_lossy(&arriving.body)),
    };
    match ended {
        Ok(()) => Ok(answer),
        Err(failure) => Err((failure, is_good.then_some(answer))),
    }
}

/// An answer that is on its way.
#[derive(Default)]
struct Arriving {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

async fn exchange(request: &Request, host: &str, arriving: &mut Arriving) -> Result<(), Failure> {
    let failed = |error: reqwest::Error| failure(host, &error);
    let client = client(&request.url).map_err(failed)?;
    let method = if request.body.is_some() { Method::POST } else { Method::GET };
    let mut headers = HeaderMap::new();
    let body = request.body.as_ref();
    let content_type = body.map(|(content_type, _)| ("content-type", Secret::new(*content_type)));
    for (name, value) in request.headers.iter().cloned().chain(content_type) {
        let mut value = HeaderValue::from_str(value.expose())
            .map_err(|_| Failure::Broken(host.to_owned(), format!("the header {name} cannot be sent")))?;
        value.set_sensitive(true);
        headers.insert(HeaderName::from_static(name), value);
    }
    headers.insert(USER_AGENT, HeaderValue::from_static(OUR_NAME));
    let mut builder = client.request(method, request.url.clone()).headers(headers);
    if let Some((_, body)) = body {
        builder = builder.body(body.expose().to_owned());
    }
    let mut response = builder.send().await.map_err(failed)?;
    if response.status().is_redirection() {
        return Err(Failure::Redirected(host.to_owned(), redirected_to(&response)));
    }
    let told = response.headers().iter().filter(|(name, _)| TOLD_IN.contains(&name.as_str()));
    arriving.headers = told
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    arriving.status = response.status().as_u16();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        arriving.body.extend_from_slice(&chunk);
        if arriving.body.len() > LARGEST_ANSWER {
            return Err(Failure::TooLarge(host.to_owned()));
        }
    }
    Ok(())
}

fn client(url: &Url) -> reqwest::Result<Client> {
    // A proxy of the environment has no business with this machine.
    if is_near(url) { builder().no_proxy().build() } else { builder().build() }
}

fn builder() -> ClientBuilder {
    static CRYPTOGRAPHY: Once = Once::new();
    CRYPTOGRAPHY.call_once(|| {
        // Somebody else in the process may have chosen before: that is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
    });
    #[expect(clippy::disallowed_methods, reason = "this is the place")]
    let builder = with_roots(Client::builder()).redirect(Policy::none()).tcp_nodelay(true);
    builder
}

/// Clients that stay open for many requests, for answers that come in pieces.
#[derive(Clone, Debug)]
pub struct Lasting {
    /// For this machine and its network, past any proxy.
    near: Client,
    /// For everybody else.
    far: Client,
}

impl Lasting {
    /// Makes both; the error says what the system lacks.
    pub fn new() -> Result<Self, String> {
        let made = |is_near: bool| -> reqwest::Result<Client> {
            let builder = builder().connect_timeout(CONNECT_LIMIT).tcp_keepalive(SILENCE);
            if is_near { builder.no_proxy().build() } else { builder.build() }
        };
        let told = |error: reqwest::Error| innermost(&error);
        Ok(Self { near: made(true).map_err(told)?, far: made(false).map_err(told)? })
    }

    /// Posts a body and waits for the head of the answer, at most `limit`. A redirect is a failure: nobody else is to see
    /// the credential.
    pub async fn post(
        &self,
        url: Url,
        mut headers: HeaderMap,
        body: bytes::Bytes,
        limit: Duration,
    ) -> Result<Response, Failure> {
        let host = host_of(&url);
        headers.insert(USER_AGENT, HeaderValue::from_static(OUR_NAME));
        let client = if is_near(&url) { &self.near } else { &self.far };
        let sent = client.post(url).headers(headers).body(body).send();
        let answer = tokio::time::timeout(limit, sent)
            .await
            .map_err(|_| Failure::TimedOut(host.clone(), limit))?
            .map_err(|error| failure(&host, &error))?;
        if answer.status().is_redirection() {
            return Err(Failure::Redirected(host, redirected_to(&answer)));
        }
        Ok(answer)
    }
}

/// The rest of an answer that is no good, up to what any honest one needs.
pub async fn whole(mut answer: Response, limit: Duration) -> String {
    let mut body = Vec::new();
    let read = async {
        while let Ok(Some(chunk)) = answer.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() > LARGEST_ANSWER {
                break;
            }
        }
    };
    // What has come by then is what there is.
    drop(tokio::time::timeout(limit, read).await);
    String::from_utf8_lossy(&body).into_owned()
}

/// The platform's roots; Android gives them to Java programs only, so there Mozilla's are built in.
#[cfg(not(target_os = "android"))]
fn with_roots(builder: ClientBuilder) -> ClientBuilder {
    builder
}

#[cfg(target_os = "android")]
fn with_roots(builder: ClientBuilder) -> ClientBuilder {
    let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
    builder.tls_certs_only(roots.filter_map(|root| reqwest::Certificate::from_der(root).ok()))
}

/// Host and port, which are all that a message may say of a URL.
pub fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or("an unnamed host");
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn redirected_to(response: &Response) -> String {
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    response.url().join(location).map_or_else(|_| "another place".to_owned(), |url| host_of(&url))
}

fn failure(host: &str, error: &reqwest::Error) -> Failure {
    let host = host.to_owned();
    let mut cause: Option<&dyn Error> = Some(error);
    while let Some(inner) = cause {
        if let Some(tls) = inner.downcast_ref::<rustls::Error>() {
            return Failure::Tls(host, tls.to_string());
        }
        // The error that an I/O error wraps is no `source` of it but the error itself.
        let wrapped = inner.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause = wrapped.map(|wrapped| wrapped as &dyn Error).or_else(|| inner.source());
    }
    if error.is_connect() {
        Failure::Unreachable(host, innermost(error))
    } else {
        Failure::Broken(host, innermost(error))
    }
}

/// The last cause in the chain: the ones before it only repeat the URL.
fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
