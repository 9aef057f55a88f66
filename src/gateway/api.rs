//! The surfaces of the gateway and what each path answers.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, Response, StatusCode, header};
use axum::routing::{any, get};
use serde_json::json;

use crate::core::upstream::Surface;
use crate::gateway::reply::{self, Refusal};
use crate::gateway::{Gateway, forward};
use crate::render;

/// The largest request: a few images. The API of Anthropic takes 32 MB.
const LARGEST_REQUEST: usize = 32 * 1024 * 1024;

/// Everything that the gateway answers.
pub(super) fn router(gateway: Arc<Gateway>) -> Router {
    let mut router = Router::new()
        .route("/healthz", get(alive))
        .route("/health", get(alive))
        .route("/readyz", get(ready))
        .route("/api/status", get(status))
        .route("/v1/models", get(models));
    for surface in Surface::ALL {
        let surface = *surface;
        let answer = move |State(gateway): State<Arc<Gateway>>, request: Request| async move {
            asked(&gateway, surface, request).await
        };
        router = router.route(surface.path(), any(answer));
    }
    router.fallback(nowhere).with_state(gateway)
}

async fn asked(gateway: &Arc<Gateway>, surface: Surface, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    if let Err(refusal) = gateway.door().check(&head.headers) {
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
    forward::answer(gateway, surface, &head.headers, body).await
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
    if let Err(refusal) = gateway.door().check(&headers) {
        return refusal.answer(Surface::ChatCompletions);
    }
    let document = render::json::render(&gateway.view().report(&gateway.clock));
    let mut answer = Response::new(Body::from(document));
    answer.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    answer
}

async fn models(State(gateway): State<Arc<Gateway>>, headers: HeaderMap) -> Response<Body> {
    // Anthropic's clients name a version; their list looks a little different.
    let surface =
        if headers.contains_key("anthropic-version") { Surface::Messages } else { Surface::ChatCompletions };
    if let Err(refusal) = gateway.door().check(&headers) {
        return refusal.answer(surface);
    }
    let ids = gateway.view().listed();
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
    if let Err(refusal) = gateway.door().check(&head.headers) {
        return refusal.answer(Surface::ChatCompletions);
    }
    let message = "there is nothing here; the API is below /v1";
    Refusal::new(StatusCode::NOT_FOUND, "not_found_error", message).answer(Surface::ChatCompletions)
}
