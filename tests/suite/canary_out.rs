//! Secrets that go out to a provider or come in from one: they are in the request, in the stores, and nowhere else. Not
//! in what is printed, not in our memory, not in the arguments of any process.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::canary::{assert_silent, canary};
use crate::support::provider::{Provider, Reply, Seen};
use crate::support::{CLAUDE, CONFIG, HOUR, OPS, Outcome, Step, TestEnv, outcome, real_now_ms};

const STATE: &str = ".openclaw/ops-state.json";

fn secrets(numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers.map(canary).collect()
}

/// Fails when a piece of a secret stands among the arguments of any process.
fn no_argument_holds(secrets: &[String]) {
    for entry in fs_err::read_dir("/proc").unwrap().flatten() {
        let Ok(arguments) = fs_err::read(entry.path().join("cmdline")) else { continue };
        let pieces: HashSet<&[u8]> = arguments.windows(8).collect();
        for piece in secrets.iter().flat_map(|secret| secret.as_bytes().windows(8)) {
            assert!(!pieces.contains(piece), "{}", String::from_utf8_lossy(&arguments));
        }
    }
}

/// Looks at every process while the program waits for the answer, and then answers.
fn watched(secrets: Vec<String>, mut answer: impl FnMut(&Seen) -> Reply + Send + 'static) -> Provider {
    Provider::knowing(&[]).scripted(move |seen| {
        no_argument_holds(&secrets);
        Some(answer(seen))
    })
}

fn text_of(outcome: &Outcome) -> String {
    format!("{}{}", outcome.stdout, outcome.stderr)
}

#[test]
fn a_refresh_shows_neither_the_old_nor_the_new_tokens() {
    let planted = secrets(100..106);
    let s = |at: usize| planted[at].as_str();
    let good = json!({"access_token": s(2), "refresh_token": s(3), "expires_in": 3600});
    for (reply, wanted) in [
        (Reply::json(200, good.clone()), "renewed"),
        (Reply::json(200, json!({"refresh_token": s(3)})), "not one of this provider"),
        (Reply::json(400, json!({"error": "invalid_grant", "error_description": s(1)})), "no longer accepts"),
        (Reply::json(403, json!({"error": s(1), "message": s(0)})), "does not say why"),
        (Reply::text(500, s(1)), "a failure of its own"),
        (
            Reply::text(307, s(1)).header("Location", format!("http://other.example/{}", s(1))),
            "other.example",
        ),
    ] {
        for args in [&["models", "auth", "refresh"][..], &["models", "auth", "refresh", "--json", "--force"]]
        {
            let reply = reply.clone();
            let provider = watched(planted.clone(), move |_| reply.clone());
            let env = TestEnv::real_time();
            let expires = real_now_ms() - HOUR;
            let login = json!({"accessToken": s(0), "refreshToken": s(1), "expiresAt": expires});
            env.file(CLAUDE, json!({ "claudeAiOauth": login }).to_string())
                .file(OPS, provider.ops(&["anthropic"]));
            let ran = outcome(&mut env.command(args));
            assert!(text_of(&ran).contains(wanted) || args.contains(&"--json"), "{ran:?}");
            assert_silent(&ran, &planted, wanted);
            assert_silent(&env.status(&["--json"]), &planted, wanted);
            assert_eq!(provider.seen()[0].members["refresh_token"], s(1), "it was really sent");
            let memory = Outcome { code: 0, stdout: env.text(STATE), stderr: String::new() };
            assert_silent(&memory, &planted, "our own memory");
        }
    }
}

#[test]
fn what_a_full_disk_leaves_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let planted = secrets(110..114);
    let answer = json!({"access_token": planted[2], "refresh_token": planted[3], "expires_in": 3600});
    let provider = watched(planted.clone(), move |_| Reply::json(200, answer.clone()));
    let env = TestEnv::real_time();
    let login =
        json!({"accessToken": planted[0], "refreshToken": planted[1], "expiresAt": real_now_ms() - HOUR});
    env.file(CLAUDE, json!({ "claudeAiOauth": login }).to_string()).file(OPS, provider.ops(&["anthropic"]));
    let script = "mount --bind .claude/.credentials.json .claude/.credentials.json && \
                  mount -o remount,ro,bind .claude/.credentials.json && \"$program\" models auth refresh; \"$program\" models status --json";
    let Some(ran) = crate::support::in_own_mounts(&env, script) else { return };
    assert!(text_of(&ran).contains("safe in"), "{ran:?}");
    assert_silent(&ran, &planted, "a parked login");
    let folder = env.path(".openclaw/recovery");
    let mode = |path: &std::path::Path| fs_err::metadata(path).unwrap().permissions().mode() & 0o777;
    let files: Vec<_> = fs_err::read_dir(&folder).unwrap().flatten().collect();
    assert_eq!((files.len(), mode(&folder), mode(&files[0].path())), (1, 0o700, 0o600));
    assert!(!files[0].file_name().to_string_lossy().contains(&planted[1][..8]));
}

#[test]
fn programs_that_we_run_get_no_secret_as_an_argument() {
    let planted = secrets(120..124);
    let env = TestEnv::real_time();
    let login =
        json!({"accessToken": planted[0], "refreshToken": planted[1], "expiresAt": real_now_ms() - HOUR});
    env.file(CLAUDE, json!({ "claudeAiOauth": login }).to_string());
    env.file(OPS, r#"{"refresh": {"external": "delegate"}}"#);
    env.script("bin/claude", "echo \"$@\" >> \"$HOME/arguments\"");
    let path = format!("{}:/usr/bin:/bin", env.path("bin").display());
    let env = env.var("PATH", path);
    let ran = outcome(&mut env.command(&["models", "auth", "refresh"]));
    assert_silent(&ran, &planted, "delegate");
    assert_eq!(env.text("arguments"), "-p Reply with OK.\n");
}

#[test]
fn a_login_shows_neither_its_code_nor_its_tokens() {
    let planted = secrets(130..135);
    let s = |at: usize| planted[at].clone();
    let (code, access, refresh) = (s(0), s(1), s(2));
    let id_token = format!("e30.{}.{}", URL_SAFE_NO_PAD.encode(r#"{"email":"me@x.com"}"#), s(3));
    let answer =
        json!({"access_token": access, "refresh_token": refresh, "id_token": id_token, "expires_in": 3600});
    for reply in [
        Reply::json(200, answer),
        Reply::json(400, json!({"error": "invalid_grant", "error_description": code})),
        Reply::json(200, json!({"access_token": s(1), "expires_in": 3600})),
    ] {
        let provider = watched(planted.clone(), move |_| reply.clone());
        let env = TestEnv::real_time()
            .var("CHUTES_CLIENT_ID", "cid")
            .var("CHUTES_OAUTH_REDIRECT_URI", "https://far.example/x");
        env.file(OPS, provider.ops(&["chutes"]));
        let typed = format!("{code}\r");
        let steps: Vec<Step<'_>> = vec![("nothing is shown", Box::new(move |_| typed.into_bytes()))];
        let (shown, _) = env.at_a_terminal(&["models", "auth", "login", "--provider", "chutes"], steps);
        let verifier = provider.seen()[0].members["code_verifier"].clone();
        let mut inside = planted.clone();
        inside.push(verifier);
        assert_silent(&Outcome { code: 0, stdout: shown, stderr: String::new() }, &inside, "login");
        assert_silent(&env.status(&["--json"]), &inside, "the status behind it");
        assert_eq!(provider.seen()[0].members["code"], code);
    }
}

#[test]
fn probes_and_scans_show_no_key() {
    let planted = secrets(140..142);
    let key = planted[0].clone();
    for status in [200, 401, 500] {
        let body = json!({"error": key});
        let provider = watched(planted.clone(), move |_| Reply::json(status, body.clone()));
        let env = TestEnv::real_time().var("OPENROUTER_API_KEY", key.as_str());
        env.file(OPS, provider.ops(&["openrouter"]));
        let ran = outcome(&mut env.command(&[
            "onboard",
            "--non-interactive",
            "--accept-risk",
            "--auth-choice",
            "openrouter-api-key",
            "--probe",
        ]));
        assert!(ran.stderr.contains("probe: openrouter"), "{ran:?}");
        assert_silent(&ran, &planted, "probe");
        env.file(
            CONFIG,
            format!(
                "{{models: {{providers: {{openrouter: {{baseUrl: '{}', models: []}}}}}}}}",
                provider.url("")
            ),
        );
        let ran = outcome(&mut env.command(&["models", "scan", "--yes"]));
        assert_ne!(ran.code, 0, "{ran:?}");
        assert_silent(&ran, &planted, "scan");
        assert!(provider.seen().iter().all(|seen| seen.headers["authorization"] == format!("Bearer {key}")));
        assert_eq!(provider.seen().len(), 2);
    }
}

#[test]
fn debug_of_what_is_sent_and_received_is_silent() {
    use openclaw::core::oauth::{Parked, Tokens};
    use openclaw::core::secret::Secret;
    use openclaw::sys::http_client::Request;
    let secret = canary(150);
    let hidden = || Secret::new(secret.clone());
    let tokens = Tokens {
        access: hidden(),
        refresh: Some(hidden()),
        expires: 5,
        account_id: None,
        email: None,
        id_token: Some(hidden()),
        resource_url: None,
    };
    let parked = Parked { provider: "p".to_owned(), spent: "d".to_owned(), tokens: tokens.clone() };
    let url = url::Url::parse("https://x.example/t").unwrap();
    let request = Request::post(url, "text/plain", hidden()).header("authorization", hidden());
    let shown = format!("{tokens:?} {parked:?} {request:?}");
    assert!(!shown.contains(&secret[..8]), "{shown}");
}
