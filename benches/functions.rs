//! Speed of the functions that every status runs: parse, assess, render.

use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;

use chrono::DateTime;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use openclaw::core::assess::assess;
use openclaw::core::chat_command;
use openclaw::core::oauth::Parked;
use openclaw::core::report::{Policy, Report};
use openclaw::core::secret::Secret;
use openclaw::core::snapshot::{FilePath, LoginFacts, ProfileRecord, Snapshot};
use openclaw::core::store::AuthStore;
use openclaw::format::auth_profiles;
use openclaw::format::gateway_request::Asked;
use openclaw::format::oauth;
use openclaw::format::recovery;
use openclaw::render::page::Look;
use openclaw::render::{json, text};
use openclaw::sys::files;

const SIZES: [usize; 3] = [5, 1_000, 10_000];

fn store_text(profiles: usize) -> String {
    let mut text = String::from("{\n  \"version\": 1,\n  \"profiles\": {\n");
    for at in 0..profiles {
        let comma = if at + 1 == profiles { "" } else { "," };
        let _ = writeln!(
            text,
            "    \"anthropic:p{at}\": {{\"type\": \"oauth\", \"provider\": \"anthropic\", \"access\": \"{0}\", \
             \"refresh\": \"{0}\", \"expires\": {1}}}{comma}",
            "x".repeat(100),
            1_790_000_000_000_i64 + i64::try_from(at).unwrap_or_default() * 60_000
        );
    }
    text + "  }\n}\n"
}

fn snapshot(store: &AuthStore) -> Snapshot {
    Snapshot {
        profiles: store
            .profiles
            .iter()
            .map(|(id, credential)| ProfileRecord {
                id: id.clone(),
                credential: credential.clone(),
                email: None,
                store: Arc::new(FilePath::default()),
                inherited: false,
                login: LoginFacts::default(),
                refresh: openclaw::core::refresh::RefreshRecord::default(),
            })
            .collect(),
        ..Snapshot::default()
    }
}

fn report(snapshot: &Snapshot) -> Report {
    assess(
        snapshot,
        DateTime::from_timestamp_millis(1_790_000_000_000).unwrap_or_default(),
        &Policy::default(),
    )
}

fn functions(criterion: &mut Criterion) {
    for size in SIZES {
        let text = store_text(size);
        let Ok(store) = auth_profiles::parse(text.as_bytes()) else { return };
        let snapshot = snapshot(&store);
        let made = report(&snapshot);
        let mut group = criterion.benchmark_group("status");
        group.sample_size(20);
        group.bench_with_input(BenchmarkId::new("parse", size), &text, |bench, text| {
            bench.iter(|| auth_profiles::parse(black_box(text.as_bytes())).is_ok());
        });
        group.bench_with_input(BenchmarkId::new("assess", size), &snapshot, |bench, snapshot| {
            bench.iter(|| report(black_box(snapshot)).verdict);
        });
        group.bench_with_input(BenchmarkId::new("render text", size), &made, |bench, report| {
            bench.iter(|| text::render(black_box(report), Look::default()).len());
        });
        group.bench_with_input(BenchmarkId::new("render json", size), &made, |bench, report| {
            bench.iter(|| json::render(black_box(report)).len());
        });
        group.finish();
    }
}

/// The window of a refresh that nothing can close: from the last byte of the provider's answer to durable tokens.
#[expect(clippy::expect_used, reason = "a figure of something that failed would be none")]
fn window(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let room = files::reserve(&folder.path().join("room"), 16 * 1024).expect("room for an answer");
    let answer = Secret::new(format!(
        r#"{{"access_token": "{0}", "refresh_token": "{0}", "expires_in": 28800}}"#,
        "x".repeat(120)
    ));
    criterion.bench_function("refresh window", |bench| {
        bench.iter(|| {
            let tokens = oauth::tokens(black_box(&answer), 0, 0).expect("tokens");
            let parked = Parked { provider: "anthropic".to_owned(), spent: "0".repeat(64), tokens };
            files::overwrite(&room, &recovery::write(&parked)).expect("a durable write");
        });
    });
}

/// What a request to the gateway costs before a credential is chosen: one look through its body, beside the least that any
/// look costs, and the search for a command at its end.
fn request(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("request");
    for size in [1_000, 29_000, 5_000_000] {
        let turn = r#"{"role":"user","content":"a question about \"something\" of some length"},"#;
        let turns = turn.repeat(size / turn.len());
        let body = format!(
            r#"{{"model":"openclaw","stream":true,"messages":[{turns}{{"role":"user","content":"/status"}}],"user":"ann"}}"#
        );
        group.bench_with_input(BenchmarkId::new("least", size), &body, |bench, body| {
            bench.iter(|| serde_json::from_str::<serde::de::IgnoredAny>(black_box(body)).is_ok());
        });
        group.bench_with_input(BenchmarkId::new("parse", size), &body, |bench, body| {
            bench.iter(|| Asked::parse(black_box(body.as_bytes())).is_ok());
        });
    }
    group.bench_function("command", |bench| {
        bench.iter(|| chat_command::parse(black_box("/model sonnet@anthropic:work"), |_| false).is_some());
    });
    group.finish();
}

criterion_group!(benches, functions, request, window);
criterion_main!(benches);
