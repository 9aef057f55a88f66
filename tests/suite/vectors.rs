//! The failure dictionary against its vectors.

use std::path::Path;

use openclaw::core::failure::{Endpoint, Failure, Response, classify};
use serde_json::Value;

use crate::support::{NOW, TestEnv};

struct Vector {
    provider: String,
    name: String,
    endpoint: Endpoint,
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    class: Option<String>,
    retry_after_ms: Option<i64>,
    human_needed: bool,
    remedy: Option<String>,
}

fn vectors() -> Vec<Vector> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let mut vectors = Vec::new();
    for entry in fs_err::read_dir(folder).unwrap().flatten() {
        let provider = entry.path().file_stem().unwrap().to_string_lossy().into_owned();
        let text = fs_err::read_to_string(entry.path()).unwrap();
        let entries: Vec<Value> = serde_json::from_str(&text).unwrap();
        vectors.extend(entries.into_iter().map(|entry| {
            Vector {
                provider: provider.clone(),
                name: entry["name"].as_str().unwrap().to_owned(),
                endpoint: if entry["endpoint"] == "token" { Endpoint::Token } else { Endpoint::Api },
                status: u16::try_from(entry["status"].as_u64().unwrap()).unwrap(),
                headers: entry["headers"]
                    .as_object()
                    .unwrap()
                    .iter()
                    .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
                    .collect(),
                body: entry["body"].as_str().unwrap().to_owned(),
                class: entry["class"].as_str().map(str::to_owned),
                retry_after_ms: entry["retryAfterMs"].as_i64(),
                human_needed: entry["humanNeeded"].as_bool().unwrap(),
                remedy: entry["remedy"].as_str().map(str::to_owned),
            }
        }));
        assert!(
            text.lines().all(|line| line.len() < 3 || line.contains("\"source\": \"")),
            "{provider}: no source"
        );
    }
    vectors
}

fn found(vector: &Vector, body: &str) -> Option<Failure> {
    let now = TestEnv::at(NOW).now_ms();
    let (provider, status, headers) = (vector.provider.as_str(), vector.status, &vector.headers[..]);
    classify(&Response { endpoint: vector.endpoint, provider, status, headers, body }, now)
}

#[test]
fn every_vector_is_classified_as_it_was_recorded() {
    let vectors = vectors();
    assert!(vectors.len() >= 80, "{}", vectors.len());
    let wrong: Vec<_> = vectors
        .iter()
        .filter_map(|vector| {
            let failure = found(vector, &vector.body);
            let class = failure.map(|failure| failure.class.word());
            let wait = failure.and_then(|failure| failure.retry_after_ms);
            let human = failure.is_some_and(|failure| failure.class.needs_human());
            let remedy = failure.and_then(|failure| failure.class.remedy());
            let is_right = class == vector.class.as_deref()
                && wait == vector.retry_after_ms
                && human == vector.human_needed
                && remedy == vector.remedy.as_deref();
            (!is_right).then(|| format!("{} {}: {class:?} {wait:?}", vector.provider, vector.name))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn without_the_body_many_would_be_wrong() {
    let wrong = vectors()
        .iter()
        .filter(|vector| found(vector, "").map(|failure| failure.class.word()) != vector.class.as_deref())
        .count();
    assert!(wrong >= 40, "the bodies matter: {wrong}");
}

#[test]
fn what_nobody_knows_is_never_called_expired_or_billing() {
    for status in (400..600).filter(|status| *status != 402) {
        for body in [
            "",
            "expired",
            "{}",
            r#"{"error": {"message": "your plan, billing and credits: everything is fine, nothing has expired"}}"#,
            r#"{"message": "session expired"}"#,
            "<html>payment expired</html>",
        ] {
            for provider in ["anthropic", "openai", "google", "zai", "minimax", "somebody"] {
                let response = Response { endpoint: Endpoint::Api, provider, status, headers: &[], body };
                let failure = classify(&response, 0).unwrap();
                let word = failure.class.word();
                assert!(
                    !["expired", "billing", "revoked"].contains(&word),
                    "{provider} {status} {body}: {word}"
                );
            }
        }
    }
}

#[test]
fn what_a_provider_really_sends_is_classified_alike() {
    use openclaw::sys::http_client::{self, Request};
    let limit = std::time::Duration::from_secs(5);
    for vector in vectors().into_iter().filter(|vector| vector.status != 204) {
        let reply = crate::support::provider::Reply {
            status: vector.status,
            body: vector.body.clone(),
            headers: vector.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        };
        let provider =
            crate::support::provider::Provider::knowing(&[]).scripted(move |_| Some(reply.clone()));
        let request = Request::get(url::Url::parse(&provider.url("/")).unwrap());
        let answer = http_client::send(&request, limit).unwrap();
        let (provider, status, body) = (vector.provider.as_str(), answer.status, answer.body.expose());
        let response =
            Response { endpoint: vector.endpoint, provider, status, headers: &answer.headers, body };
        let class = classify(&response, 0).map(|failure| failure.class.word());
        assert_eq!(class, vector.class.as_deref(), "{provider} {}", vector.name);
    }
}
