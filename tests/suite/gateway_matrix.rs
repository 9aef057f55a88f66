//! Every class of failure at every place in the order of the profiles, streaming or not, with a clock that stands still:
//! who serves next, what the store says afterwards, and what the client hears. Then the ladders.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use openclaw::core::failure::FailureClass;
use serde_json::{Value, json};

use crate::gateway::{Answer, TOKEN};
use crate::support::runtime::Runtime;
use crate::support::upstream::{Upstream, Visit};
use crate::support::{CONFIG, DAY, HOUR, MINUTE, STORE, TestEnv, api_key};

const SESSIONS: &str = ".openclaw/agents/main/sessions/sessions.json";

/// What a failure does to the profile.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Rest {
    /// It is not the profile's fault.
    None,
    /// It rests for so many ms, counted under this word.
    Cooldown(&'static str, i64),
    /// Its account is disabled for five hours.
    Billing,
}

/// What comes of a failure.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Next {
    /// The next profile is asked.
    Profile,
    /// No other profile is: the request is wrong, or the model is not there.
    Nobody,
}

/// How a provider fails, and what must come of it.
struct Case {
    class: FailureClass,
    status: u16,
    head: &'static str,
    body: &'static str,
    rest: Rest,
    next: Next,
    /// What the client gets when nobody is left.
    told: (u16, &'static str),
}

const fn case(
    class: FailureClass,
    status: u16,
    body: &'static str,
    rest: Rest,
    told: (u16, &'static str),
) -> Case {
    Case { class, status, head: "", body, rest, next: Next::Profile, told }
}

/// An answer that is none: the connection ends.
const CUT: u16 = 0;
const AUTH: Rest = Rest::Cooldown("auth", MINUTE);
const RATE: Rest = Rest::Cooldown("rate_limit", MINUTE);
const UNAUTHORIZED: (u16, &str) = (401, "authentication_error");
const BAD_GATEWAY: (u16, &str) = (502, "api_error");

const CASES: &[Case] = &[
    case(
        FailureClass::Auth,
        401,
        r#"{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}"#,
        AUTH,
        UNAUTHORIZED,
    ),
    case(FailureClass::Auth, 401, "", AUTH, UNAUTHORIZED),
    case(
        FailureClass::Auth,
        403,
        r#"{"error":{"type":"permission_error","message":"no"}}"#,
        AUTH,
        UNAUTHORIZED,
    ),
    case(FailureClass::Billing, 402, "", Rest::Billing, (402, "billing_error")),
    case(
        FailureClass::Billing,
        400,
        r#"{"error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the API"}}"#,
        Rest::Billing,
        (402, "billing_error"),
    ),
    case(FailureClass::ClientRejected, 401, r#"{"error":"invalid_client"}"#, AUTH, UNAUTHORIZED),
    case(
        FailureClass::Expired,
        401,
        r#"{"error":{"type":"authentication_error","message":"OAuth token has expired"}}"#,
        AUTH,
        UNAUTHORIZED,
    ),
    Case {
        next: Next::Nobody,
        ..case(
            FailureClass::Format,
            400,
            r#"{"error":{"type":"invalid_request_error","message":"roles must alternate"}}"#,
            Rest::None,
            (400, "invalid_request_error"),
        )
    },
    case(FailureClass::InvalidGrant, 400, r#"{"error":"invalid_grant"}"#, AUTH, UNAUTHORIZED),
    case(FailureClass::Network, CUT, "", Rest::None, BAD_GATEWAY),
    Case {
        next: Next::Nobody,
        ..case(
            FailureClass::NoModel,
            404,
            r#"{"error":{"type":"not_found_error","message":"model: x"}}"#,
            Rest::None,
            (404, "not_found_error"),
        )
    },
    case(
        FailureClass::Overloaded,
        529,
        r#"{"error":{"type":"overloaded_error","message":"Overloaded"}}"#,
        RATE,
        (503, "overloaded_error"),
    ),
    case(FailureClass::RateLimited, 429, "", RATE, (429, "rate_limit_error")),
    Case {
        head: "retry-after: 90\r\n",
        ..case(
            FailureClass::RateLimited,
            429,
            r#"{"error":{"type":"rate_limit_error","message":"slow down"}}"#,
            Rest::Cooldown("rate_limit", 90_000),
            (429, "rate_limit_error"),
        )
    },
    Case {
        head: "retry-after: 90000\r\n",
        ..case(
            FailureClass::RateLimited,
            429,
            "{}",
            Rest::Cooldown("rate_limit", HOUR),
            (429, "rate_limit_error"),
        )
    },
    Case {
        head: "location: http://127.0.0.1:1/elsewhere\r\n",
        ..case(FailureClass::Redirected, 307, "", Rest::None, BAD_GATEWAY)
    },
    case(FailureClass::Reused, 401, r#"{"error":{"code":"token_reused","message":"x"}}"#, AUTH, UNAUTHORIZED),
    case(
        FailureClass::Revoked,
        401,
        r#"{"error":{"message":"OAuth token has been revoked"}}"#,
        AUTH,
        UNAUTHORIZED,
    ),
    case(
        FailureClass::ServerError,
        500,
        r#"{"error":{"type":"api_error","message":"oops"}}"#,
        Rest::None,
        BAD_GATEWAY,
    ),
    case(FailureClass::ServerError, 503, "<html>", Rest::None, BAD_GATEWAY),
    case(
        FailureClass::SubscriptionOnly,
        400,
        r#"{"error":{"type":"invalid_request_error","message":"This credential is only authorized for use with Claude Code and cannot be used for other API requests."}}"#,
        AUTH,
        (403, "permission_error"),
    ),
    case(FailureClass::Timeout, 408, "", Rest::Cooldown("timeout", MINUTE), (504, "timeout_error")),
    case(
        FailureClass::Timeout,
        504,
        "upstream request timeout",
        Rest::Cooldown("timeout", MINUTE),
        (504, "timeout_error"),
    ),
    case(FailureClass::Unknown, 418, "", Rest::None, BAD_GATEWAY),
];

/// Classes that no answer over plain HTTP has: `Tls` needs a provider who cannot prove who it is, `Malformed` and
/// `TooLarge` belong to logins and probes, which read whole documents.
const ELSEWHERE: &[FailureClass] = &[FailureClass::Malformed, FailureClass::Tls, FailureClass::TooLarge];

const STREAM: &str = "event: message_start\ndata: {\"type\":\"message_start\"}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

/// A provider that fails for the keys that contain `fails`.
fn provider(case: &'static Case) -> Upstream {
    Upstream::doing(move |visit: &mut Visit| {
        if visit.came.headers["x-api-key"].contains("fails") {
            if case.status == CUT {
                return false;
            }
            visit.answer(case.status, case.head, case.body);
        } else if visit.came.body.contains("\"stream\":true") {
            visit.begin_stream();
            visit.piece(STREAM);
            visit.end_stream();
        } else {
            visit.answer(200, "", r#"{"ok":true}"#);
        }
        true
    })
}

/// Three profiles, of which some fail and some rest already.
fn host(upstream: &Upstream, failing: &str, resting: &[&str], is_ordered: bool) -> TestEnv {
    let env = TestEnv::new();
    let config = json!({
        "gateway": {"auth": {"token": TOKEN}},
        "agents": {"defaults": {"model": {"primary": "anthropic/claude-opus-4-5"}}},
        "models": {"providers": {"anthropic": {"baseUrl": upstream.url(), "models": []}}},
    });
    env.file(CONFIG, config.to_string());
    let names = ["a", "b", "c"];
    let profiles: serde_json::Map<_, _> = names
        .iter()
        .map(|name| {
            let how = if *name == failing { "fails" } else { "works" };
            (format!("anthropic:{name}"), api_key("anthropic", &format!("sk-ant-{how}-{name}-0123456789")))
        })
        .collect();
    let usage: serde_json::Map<_, _> = names
        .iter()
        .zip(1..)
        .map(|(name, used)| {
            let mut stats = json!({"lastUsed": used});
            if resting.contains(name) {
                stats["cooldownUntil"] = (env.now_ms() + 30 * MINUTE).into();
                stats["errorCount"] = 1.into();
            }
            (format!("anthropic:{name}"), stats)
        })
        .collect();
    let mut store = json!({"version": 1, "profiles": profiles, "usageStats": usage});
    if is_ordered {
        store["order"] = json!({"anthropic": ["anthropic:a", "anthropic:b", "anthropic:c"]});
    }
    env.file(STORE, store.to_string()).private();
    env
}

fn ask(port: u16, is_streamed: bool) -> Answer {
    let body = if is_streamed { r#"{"stream":true,"messages":[]}"# } else { r#"{"messages":[]}"# };
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: h\r\nx-api-key: {TOKEN}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    Answer::of(&answer)
}

fn check_rest(stats: &Value, rest: Rest, now: i64, note: &str) {
    match rest {
        Rest::None => {
            assert!(
                stats["errorCount"].as_i64().unwrap_or(0) == 0 && stats["cooldownUntil"].is_null(),
                "{note}: {stats}"
            );
        }
        Rest::Cooldown(word, span) => {
            assert_eq!(stats["errorCount"], 1, "{note}: {stats}");
            assert_eq!(stats["failureCounts"], json!({word: 1}), "{note}");
            assert_eq!(stats["cooldownUntil"], now + span, "{note}");
            assert!(stats["disabledUntil"].is_null(), "{note}: {stats}");
        }
        Rest::Billing => {
            assert_eq!(stats["failureCounts"], json!({"billing": 1}), "{note}");
            assert_eq!(stats["disabledUntil"], now + 5 * HOUR, "{note}");
            assert_eq!(
                (&stats["disabledReason"], &stats["cooldownUntil"]),
                (&json!("billing"), &Value::Null),
                "{note}"
            );
        }
    }
    if rest != Rest::None {
        assert_eq!(stats["lastFailureAt"], now, "{note}");
    }
}

fn matrix(is_ordered: bool, is_streamed: bool) {
    for case in CASES {
        // Who fails, who rests already, and who serves then.
        for (failing, resting, next) in
            [("a", &[][..], Some("b")), ("b", &["a"], Some("c")), ("c", &["a", "b"], None)]
        {
            let note = format!(
                "{:?} {} of {failing}, ordered {is_ordered}, streamed {is_streamed}",
                case.class, case.status
            );
            let upstream = provider(case);
            let env = host(&upstream, failing, resting, is_ordered);
            let runtime = Runtime::start(&env);
            let answer = ask(runtime.port, is_streamed);
            runtime.stop();
            let next = next.filter(|_| case.next == Next::Profile);
            let asked: Vec<_> = upstream
                .came()
                .iter()
                .map(|came| came.headers["x-api-key"].split('-').nth(3).unwrap().to_owned())
                .collect();
            let wanted: Vec<_> = std::iter::once(failing).chain(next).collect();
            assert_eq!(asked, wanted, "{note}: {answer:?}");
            assert!(upstream.came().iter().all(|came| came.path == "/v1/messages"), "{note}");
            let store = env.read_json(STORE);
            check_rest(&store["usageStats"][format!("anthropic:{failing}")], case.rest, env.now_ms(), &note);
            if let Some(next) = next {
                let id = format!("anthropic:{next}");
                assert_eq!(
                    (answer.status, answer.header("x-openclaw-profile")),
                    (200, Some(id.as_str())),
                    "{note}: {answer:?}"
                );
                assert_eq!(answer.header("x-openclaw-attempts"), Some("2"), "{note}");
                assert_eq!(answer.body, if is_streamed { STREAM } else { r#"{"ok":true}"# }, "{note}");
                assert_eq!(store["lastGood"]["anthropic"], id.as_str(), "{note}");
                assert_eq!(store["usageStats"][&id]["lastUsed"], env.now_ms(), "{note}");
            } else {
                let (status, kind) = case.told;
                assert_eq!(
                    (answer.status, answer.json()["error"]["type"].as_str()),
                    (status, Some(kind)),
                    "{note}: {answer:?}"
                );
                assert!(store["lastGood"]["anthropic"].is_null(), "{note}: {store}");
            }
            assert!(
                answer.header("x-openclaw-request-id").is_some() && !answer.body.contains("sk-ant-"),
                "{note}"
            );
        }
    }
}

/// A profile that a person has pinned is asked alone, wherever it stands, and the answer says so.
fn pinned(is_streamed: bool) {
    for case in CASES {
        for failing in ["a", "b", "c"] {
            let note =
                format!("{:?} {} of {failing}, pinned, streamed {is_streamed}", case.class, case.status);
            let upstream = provider(case);
            let env = host(&upstream, failing, &[], true);
            let id = format!("anthropic:{failing}");
            let session = json!({
                "sessionId": "s", "updatedAt": env.now_ms(), "providerOverride": "anthropic",
                "modelOverride": "claude-opus-4-5", "authProfileOverride": id, "authProfileOverrideSource": "user",
            });
            env.file(SESSIONS, json!({"agent:main:api:default": session}).to_string()).private();
            let runtime = Runtime::start(&env);
            let answer = ask(runtime.port, is_streamed);
            runtime.stop();
            let asked: Vec<_> =
                upstream.came().iter().map(|came| came.headers["x-api-key"].clone()).collect();
            assert_eq!(asked, [format!("sk-ant-fails-{failing}-0123456789")], "{note}: {answer:?}");
            let store = env.read_json(STORE);
            check_rest(&store["usageStats"][&id], case.rest, env.now_ms(), &note);
            let (status, kind) = case.told;
            let error = answer.json()["error"].clone();
            assert_eq!((answer.status, error["type"].as_str()), (status, Some(kind)), "{note}: {answer:?}");
            if case.next == Next::Profile {
                assert!(error["message"].as_str().unwrap().contains("pinned"), "{note}: {answer:?}");
            }
            assert!(store["lastGood"]["anthropic"].is_null(), "{note}: {store}");
            let kept = &env.read_json(SESSIONS)["agent:main:api:default"]["authProfileOverride"];
            assert_eq!(kept, id.as_str(), "{note}");
        }
    }
}

#[test]
fn failures_of_a_pinned_profile() {
    pinned(false);
}

#[test]
fn failures_of_a_pinned_profile_in_streams() {
    pinned(true);
}

#[test]
fn failures_of_an_ordered_list() {
    matrix(true, false);
}

#[test]
fn failures_of_an_ordered_list_in_streams() {
    matrix(true, true);
}

#[test]
fn failures_where_the_program_chooses() {
    matrix(false, false);
}

#[test]
fn failures_where_the_program_chooses_in_streams() {
    matrix(false, true);
}

#[test]
fn every_class_is_in_the_matrix() {
    for class in FailureClass::ALL {
        let is_there = CASES.iter().any(|case| case.class == *class);
        assert!(is_there != ELSEWHERE.contains(class), "{class:?}");
    }
}

#[test]
fn a_stream_that_begins_with_an_error_counts_as_a_failure() {
    let upstream = Upstream::doing(|visit| {
        visit.begin_stream();
        if visit.came.headers["x-api-key"].contains("fails") {
            visit.piece("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n");
        } else {
            visit.piece(STREAM);
        }
        visit.end_stream();
        true
    });
    let env = host(&upstream, "a", &[], true);
    let runtime = Runtime::start(&env);
    let answer = ask(runtime.port, true);
    runtime.stop();
    assert_eq!((answer.status, answer.body.as_str()), (200, STREAM));
    check_rest(&env.read_json(STORE)["usageStats"]["anthropic:a"], RATE, env.now_ms(), "stream");
}

/// One profile that always fails.
fn alone(status: u16, cooldowns: Value) -> (TestEnv, Upstream) {
    let upstream = Upstream::doing(move |visit| {
        visit.answer(status, "", "{}");
        true
    });
    let env = TestEnv::new();
    let config = json!({
        "gateway": {"auth": {"token": TOKEN}},
        "auth": {"cooldowns": cooldowns},
        "agents": {"defaults": {"model": {"primary": "anthropic/claude-opus-4-5"}}},
        "models": {"providers": {"anthropic": {"baseUrl": upstream.url(), "models": []}}},
    });
    env.file(CONFIG, config.to_string());
    env.profiles(json!({"anthropic:a": api_key("anthropic", "sk-ant-fails-a-0123456789")}));
    env.private();
    (env, upstream)
}

/// Asks at once, and again as soon as it may, and checks that it is left alone in between.
fn climb(env: &TestEnv, port: u16, upstream: &Upstream, status: u16, spans: &[i64]) {
    for span in spans {
        let before = upstream.came().len();
        assert_eq!(ask(port, false).status, status);
        assert_eq!(upstream.came().len(), before + 1, "{span}");
        env.pass(Duration::from_millis(u64::try_from(span - 1).unwrap()));
        let rests = ask(port, false);
        assert_eq!((rests.status, rests.header("retry-after")), (429, Some("1")), "{span}: {rests:?}");
        assert_eq!(upstream.came().len(), before + 1, "it was asked within its rest of {span} ms");
        env.pass(Duration::from_millis(1));
    }
}

#[test]
fn rests_follow_the_ladder_and_the_window_ends_them() {
    let (env, upstream) = alone(401, json!({}));
    let runtime = Runtime::start(&env);
    climb(&env, runtime.port, &upstream, 401, &[MINUTE, 5 * MINUTE, 25 * MINUTE, HOUR, HOUR]);
    // A day without a failure, and it begins anew.
    env.pass(Duration::from_millis(u64::try_from(DAY + 1).unwrap()));
    climb(&env, runtime.port, &upstream, 401, &[MINUTE, 5 * MINUTE]);
    runtime.stop();
}

#[test]
fn accounts_without_credit_rest_for_hours() {
    let (env, upstream) = alone(402, json!({}));
    let runtime = Runtime::start(&env);
    // Within the window each is twice the one before; 5 + 10 hours later the first is still counted.
    climb(&env, runtime.port, &upstream, 402, &[5 * HOUR, 10 * HOUR, 20 * HOUR, DAY]);
    runtime.stop();
}

#[test]
fn the_config_sets_how_long_accounts_rest() {
    let cooldowns = json!({"billingBackoffHours": 2, "billingBackoffHoursByProvider": {"Anthropic": 0.5}, "billingMaxHours": 1.5});
    let (env, upstream) = alone(402, cooldowns);
    let runtime = Runtime::start(&env);
    climb(&env, runtime.port, &upstream, 402, &[HOUR / 2, HOUR, HOUR + HOUR / 2, HOUR + HOUR / 2]);
    runtime.stop();
}
