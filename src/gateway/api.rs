//! The surfaces of the gateway and what each path answers.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, Response, StatusCode, header};
use axum::routing::{any, get};
use serde_json::{Value, json};

use crate::core::model_ref::ModelRef;
use crate::core::session::Session;
use crate::core::upstream::Surface;
use crate::format::gateway_request::Asked;
use crate::gateway::reply::{self, Refusal};
use crate::gateway::view::View;
use crate::gateway::{Gateway, agents, commands, dashboard, forward};
use crate::render;

/// The largest request: a few images. The API of Anthropic takes 32 MB.
const LARGEST_REQUEST: usize = 32 * 1024 * 1024;

/// Everything that the gateway answers.
pub(super) fn router(gateway: Arc<Gateway>) -> Router {
    let mut router = Router::new()
        .route("/healthz", get(alive))
        .route("/health", get(alive))
        .route("/readyz", get(ready))
        .route("/api/sessions", get(sessions))
        .route("/api/status", get(status))
        .route("/v1/models", get(models));
    for surface in Surface::ALL {
        let surface = *surface;
        let answer = move |State(gateway): State<Arc<Gateway>>, request: Request| async move {
            asked(&gateway, surface, request).await
        };
        router = router.route(surface.path(), any(answer));
    }
    router.merge(dashboard::router()).fallback(nowhere).with_state(gateway)
}

async fn asked(gateway: &Arc<Gateway>, surface: Surface, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    if let Err(refusal) = gateway.admits(&head.headers) {
        return refusal.answer(surface);
    }
    if head.method != Method::POST {
        let refusal =
            Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "invalid_request_error", "this path takes a POST");
        let mut answer = refusal.answer(surface);
        answer.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("POST"));
        return answer;
    }
    let Ok(body) = body_of(&head.headers, body).await else {
        let message =
            format!("the request is larger than {} MiB, or broke off", LARGEST_REQUEST / 1024 / 1024);
        return Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request_error", message).answer(surface);
    };
    let asked = match Asked::parse(&body) {
        Ok(asked) => asked,
        Err(why) => return Refusal::bad_request(why).answer(surface),
    };
    let (view, visit) = match gateway.enter(surface, &head.headers, &asked).await {
        Ok(entered) => entered,
        Err(refusal) => return refusal.answer(surface),
    };
    if let Some(answer) = commands::answer(gateway, surface, &head.headers, (&asked, &body), (&view, &visit))
    {
        return answer;
    }
    forward::answer(gateway, surface, &head.headers, (asked, body), (view, visit)).await
}

/// The whole body. One that says beforehand that it is too large is not read at all.
async fn body_of(headers: &HeaderMap, body: Body) -> Result<Bytes, ()> {
    let length =
        headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > LARGEST_REQUEST as u64) {
        return Err(());
    }
    to_bytes(body, LARGEST_REQUEST).await.map_err(drop)
}

async fn alive() -> &'static str {
    "ok\n"
}

/// Whether anything could serve the models that are in use.
async fn ready(State(gateway): State<Arc<Gateway>>) -> (StatusCode, String) {
    let usable = gateway.usable_models();
    if usable > 0 {
        (StatusCode::OK, "ready\n".to_owned())
    } else {
        let why = "no credential can serve a model that is configured; `openclaw models status` tells why\n";
        (StatusCode::SERVICE_UNAVAILABLE, why.to_owned())
    }
}

async fn status(State(gateway): State<Arc<Gateway>>, headers: HeaderMap) -> Response<Body> {
    if let Err(refusal) = gateway.admits(&headers) {
        return refusal.answer(Surface::ChatCompletions);
    }
    let view = match viewed(&gateway, &headers).await {
        Ok(view) => view,
        Err(refusal) => return refusal.answer(Surface::ChatCompletions),
    };
    let document = render::json::render(&view.report(&gateway.clock));
    let mut answer = Response::new(Body::from(document));
    answer.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    answer
}

/// The view of the agent that a request names.
async fn viewed(gateway: &Arc<Gateway>, headers: &HeaderMap) -> Result<Arc<View>, Refusal> {
    gateway.view_of(agents::agent_header(headers)?).await
}

/// What is remembered of conversations: of the agent that is named, else of every one that is in use.
async fn sessions(State(gateway): State<Arc<Gateway>>, headers: HeaderMap) -> Response<Body> {
    let entered = async {
        gateway.admits(&headers)?;
        let view = viewed(&gateway, &headers).await?;
        gateway.agents.sessions(&view);
        let named = agents::agent_header(&headers)?.is_some();
        Ok::<_, Refusal>(named.then(|| view.workspace.agent.id.clone()))
    };
    let named = match entered.await {
        Ok(named) => named,
        Err(refusal) => return refusal.answer(Surface::ChatCompletions),
    };
    let agents = gateway.agents.all_sessions().into_iter();
    let agents: Vec<_> = agents
        .filter(|(id, _)| named.as_ref().is_none_or(|named| named == id))
        .map(|(id, sessions)| {
            let all: Vec<_> = sessions.all().iter().map(|(key, session)| described(key, session)).collect();
            json!({"agentId": id, "problem": sessions.problem(), "sessions": all})
        })
        .collect();
    reply::json_answer(StatusCode::OK, &json!({"agents": agents}))
}

fn described(key: &str, session: &Session) -> Value {
    let kept = session.last.as_ref().and_then(|last| {
        session.kept.iter().find(|(provider, _)| *provider == last.provider).map(|(_, profile)| profile)
    });
    let source = if session.pinned.is_some() { Some("user") } else { kept.map(|_| "auto") };
    json!({
        "key": key,
        "updatedAt": session.updated,
        "modelOverride": session.chosen.as_ref().map(ModelRef::key),
        "authProfileOverride": session.pinned.as_ref().or(kept),
        "authProfileOverrideSource": source,
        "lastModel": session.last.as_ref().map(ModelRef::key),
    })
}

async fn models(State(gateway): State<Arc<Gateway>>, headers: HeaderMap) -> Response<Body> {
    // Anthropic's clients name a version; their list looks a little different.
    let surface =
        if headers.contains_key("anthropic-version") { Surface::Messages } else { Surface::ChatCompletions };
    if let Err(refusal) = gateway.admits(&headers) {
        return refusal.answer(surface);
    }
    let ids = match viewed(&gateway, &headers).await {
        Ok(view) => view.listed(),
        Err(refusal) => return refusal.answer(surface),
    };
    let entries: Vec<_> = std::iter::once("openclaw".to_owned())
        .chain(ids)
        .map(|id| {
            if surface.is_anthropic() {
                json!({"type": "model", "id": id, "display_name": id, "created_at": "1970-01-01T00:00:00Z"})
            } else {
                let owner = id.split_once('/').map_or("openclaw", |(owner, _)| owner);
                json!({"id": id, "object": "model", "created": 0, "owned_by": owner})
            }
        })
        .collect();
    let document = if surface.is_anthropic() {
        let (first, last) = (
            entries.first().map(|entry| entry["id"].clone()),
            entries.last().map(|entry| entry["id"].clone()),
        );
        json!({"data": entries, "has_more": false, "first_id": first, "last_id": last})
    } else {
        json!({"object": "list", "data": entries})
    };
    reply::json_answer(StatusCode::OK, &document)
}

async fn nowhere(State(gateway): State<Arc<Gateway>>, request: Request) -> Response<Body> {
    let (head, _): (_, Body) = request.into_parts();
    if let Err(refusal) = gateway.admits(&head.headers) {
        return refusal.answer(Surface::ChatCompletions);
    }
    let message = "there is nothing here; the API is below /v1";
    Refusal::new(StatusCode::NOT_FOUND, "not_found_error", message).answer(Surface::ChatCompletions)
}
