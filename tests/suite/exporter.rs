//! `openclaw exporter`: what it says, to whom, and how it lives with systemd.

use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use openclaw::clock::Deadline;
use openclaw::metrics::catalogue::METRICS;
use openclaw::metrics::label::LONGEST;
use serde_json::{Value, json};

use crate::canary::{assert_silent, canary};
use crate::support::exporter::{Exporter, value};
use crate::support::provider::{Provider, Reply};
use crate::support::{
    CLAUDE, CONFIG, DAY, HOUR, OPS, STORE, TestEnv, api_key, has, oauth, outcome, real_now_ms, skipped,
    token, tree,
};

const MEMORY: &str = ".openclaw/ops-state.json";

/// A host with a login in every state.
fn full_host() -> TestEnv {
    let env = TestEnv::new();
    let now = env.now_ms();
    env.file(
        CONFIG,
        "{agents: {defaults: {model: {primary: 'anthropic/claude-opus-4-5', fallbacks: ['groq/x']}}}}",
    );
    let login = json!({"accessToken": "cli-at", "refreshToken": "cli-rt", "expiresAt": now - HOUR, "refreshTokenExpiresAt": now + 9 * DAY});
    env.file(CLAUDE, json!({ "claudeAiOauth": login }).to_string());
    env.file(
        STORE,
        json!({
            "version": 1,
            "profiles": {
                "anthropic:default": {"type": "oauth", "provider": "anthropic", "access": "a", "refresh": "r", "expires": now + 2 * HOUR, "email": "me@example.com"},
                "anthropic:over": token("anthropic", json!(now - DAY)),
                "openai:k": api_key("openai", "k"),
            },
            "usageStats": {
                "openai:k": {"disabledUntil": now + HOUR, "disabledReason": "billing", "errorCount": 3, "lastUsed": now - DAY},
                "anthropic:default": {"cooldownUntil": now + HOUR / 2, "lastUsed": now - HOUR},
            },
        })
        .to_string(),
    );
    env
}

fn exposition(env: &TestEnv, args: &[&str]) -> String {
    let args: Vec<_> = ["exporter", "--stdout"].into_iter().chain(args.iter().copied()).collect();
    let ran = env.run(&args);
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.stdout
}

fn series(metric: &str, provider: &str, profile: &str, kind: &str, more: &str) -> String {
    format!("{metric}{{agent=\"main\",provider=\"{provider}\",profile=\"{profile}\",type=\"{kind}\"{more}}}")
}

#[expect(clippy::cast_precision_loss, reason = "exact for instants")]
#[expect(clippy::unnecessary_wraps, reason = "it is compared with what may be absent")]
fn seconds(ms: i64) -> Option<f64> {
    Some(ms as f64 / 1000.0)
}

#[test]
fn every_fact_of_a_profile_is_told() {
    let env = full_host();
    let now = env.now_ms();
    let text = exposition(&env, &[]);
    let of = |metric: &str, profile: &str, kind: &str, more: &str| {
        let provider = profile.split(':').next().unwrap();
        value(&text, &series(metric, provider, profile, kind, more))
    };
    assert_eq!(
        of("openclaw_credential_expires_timestamp_seconds", "anthropic:default", "oauth", ""),
        seconds(now + 2 * HOUR)
    );
    assert_eq!(of("openclaw_credential_expires_timestamp_seconds", "openai:k", "api_key", ""), None);
    assert_eq!(
        of("openclaw_credential_login_deadline_timestamp_seconds", "anthropic:claude-cli", "oauth", ""),
        seconds(now + 9 * DAY)
    );
    assert_eq!(
        of("openclaw_credential_human_needed_timestamp_seconds", "anthropic:claude-cli", "oauth", ""),
        seconds(now + 9 * DAY)
    );
    assert_eq!(
        of("openclaw_credential_human_needed_timestamp_seconds", "anthropic:over", "token", ""),
        seconds(now - DAY)
    );
    for (profile, kind, status) in [
        ("anthropic:default", "oauth", "expiring"),
        ("anthropic:over", "token", "expired"),
        ("openai:k", "api_key", "static"),
    ] {
        for word in ["expired", "expiring", "missing", "ok", "static"] {
            let expected = Some(f64::from(u8::from(word == status)));
            assert_eq!(
                of("openclaw_credential_status", profile, kind, &format!(",status=\"{word}\"")),
                expected,
                "{profile} {word}"
            );
        }
    }
    assert_eq!(of("openclaw_credential_refreshable", "anthropic:default", "oauth", ""), Some(1.0));
    assert_eq!(of("openclaw_credential_refreshable", "anthropic:over", "token", ""), Some(0.0));
    let unusable = "openclaw_credential_unusable_until_timestamp_seconds";
    assert_eq!(of(unusable, "openai:k", "api_key", ",reason=\"billing\""), seconds(now + HOUR));
    assert_eq!(of(unusable, "anthropic:default", "oauth", ",reason=\"cooldown\""), seconds(now + HOUR / 2));
    assert_eq!(
        of("openclaw_credential_last_used_timestamp_seconds", "openai:k", "api_key", ""),
        seconds(now - DAY)
    );
    assert_eq!(of("openclaw_credential_errors", "openai:k", "api_key", ""), Some(3.0));
    assert_eq!(value(&text, "openclaw_provider_missing{agent=\"main\",provider=\"groq\"}"), Some(1.0));
    assert_eq!(value(&text, "openclaw_provider_missing{agent=\"main\",provider=\"anthropic\"}"), Some(0.0));
    assert_eq!(value(&text, "openclaw_provider_profiles{agent=\"main\",provider=\"anthropic\"}"), Some(3.0));
    assert_eq!(
        value(&text, "openclaw_provider_usable_profiles{agent=\"main\",provider=\"anthropic\"}"),
        Some(1.0)
    );
    assert_eq!(
        value(&text, "openclaw_provider_usable_profiles{agent=\"main\",provider=\"openai\"}"),
        Some(0.0)
    );
    assert_eq!(
        value(&text, "openclaw_provider_status{agent=\"main\",provider=\"anthropic\",status=\"expired\"}"),
        Some(1.0)
    );
    assert_eq!(value(&text, "openclaw_check_status{agent=\"main\",policy=\"strict\"}"), Some(1.0));
    assert_eq!(value(&text, "openclaw_check_last_success_timestamp_seconds{agent=\"main\"}"), seconds(now));
    assert_eq!(
        value(&text, "openclaw_source_present{agent=\"main\",source=\"claude_code_login\"}"),
        Some(1.0)
    );
    assert_eq!(value(&text, "openclaw_source_present{agent=\"main\",source=\"codex_login\"}"), Some(0.0));
    assert_eq!(
        value(&text, "openclaw_source_last_read_timestamp_seconds{agent=\"main\",source=\"auth_store\"}"),
        seconds(now)
    );
    for reason in ["invalid", "io", "not_a_file", "permission", "timeout", "too_large"] {
        let counter = format!(
            "openclaw_source_read_errors_total{{agent=\"main\",source=\"codex_login\",reason=\"{reason}\"}}"
        );
        assert_eq!(value(&text, &counter), Some(0.0), "{reason} is there before it happens");
    }
    assert!(!text.contains("me@example.com") && !text.contains(".openclaw"), "{text}");
    let full = exposition(&env, &["--labels", "full"]);
    assert!(
        full.contains(
            "email=\"me@example.com\",store=\"~/.openclaw/agents/main/agent/auth-profiles.json\"} 1"
        ),
        "{full}"
    );
    assert!(full.contains("openclaw_source_info{agent=\"main\",source=\"claude_code_login\",path=\"~/.claude/.credentials.json\"} 1"));
}

#[test]
fn both_policies_have_their_verdict() {
    let env = TestEnv::with_default_key();
    let status = |policy: &str| {
        value(&exposition(&env, &[]), &format!("openclaw_check_status{{agent=\"main\",policy=\"{policy}\"}}"))
    };
    assert_eq!((status("strict"), status("lenient")), (Some(0.0), Some(0.0)));
    for (expires, strict, code) in [(HOUR, 2.0, 2), (-HOUR, 1.0, 1), (3 * DAY, 0.0, 0)] {
        env.profiles(json!({"anthropic:a": oauth("anthropic", json!(env.now_ms() + expires))}));
        assert_eq!((status("strict"), status("lenient")), (Some(strict), Some(0.0)), "it renews itself");
        assert_eq!(env.status(&["--check"]).code, code, "the same as the exit code");
    }
    env.file(STORE, "{");
    assert_eq!((status("strict"), status("lenient")), (Some(1.0), Some(1.0)));
    env.profiles(json!({})).file(CONFIG, "{");
    assert_eq!(
        (status("strict"), status("lenient")),
        (Some(1.0), Some(1.0)),
        "a broken config is told, not died of"
    );
}

#[test]
fn refreshes_and_usage_are_told_as_they_are_remembered() {
    let env = TestEnv::new();
    let now = env.now_ms();
    env.profiles(json!({"anthropic:a": oauth("anthropic", json!(now + DAY))}));
    let provider = Provider::knowing(&[]).scripted(|seen| {
        let windows = json!({"five_hour": {"utilization": 95.0, "resets_at": "2026-11-22T11:29:00Z"}, "seven_day": {"utilization": 40, "resets_at": null}});
        Some(if seen.path == "/usage" {
            Reply::json(200, windows)
        } else {
            Reply::json(503, json!({}))
        })
    });
    let entry = json!({"usageUrl": provider.url("/usage"), "tokenUrl": provider.url("/token")});
    env.file(OPS, json!({"providers": {"anthropic": entry}}).to_string());
    assert!(!exposition(&env, &[]).contains("openclaw_usage_"));
    env.status(&["--usage"]);
    env.run(&["models", "auth", "refresh", "--force"]);
    assert!(env.exists(MEMORY));
    let asked = provider.seen().len();
    let text = exposition(&env, &[]);
    let of =
        |metric: &str, more: &str| value(&text, &series(metric, "anthropic", "anthropic:a", "oauth", more));
    assert_eq!(of("openclaw_usage_used_ratio", ",window=\"5h\""), Some(0.95));
    assert_eq!(of("openclaw_usage_used_ratio", ",window=\"Week\""), Some(0.4));
    assert_eq!(
        of("openclaw_usage_reset_timestamp_seconds", ",window=\"5h\""),
        seconds(now + 2 * HOUR + 29 * 60_000)
    );
    assert_eq!(
        (of("openclaw_usage_fetched_timestamp_seconds", ""), of("openclaw_usage_stale", "")),
        (seconds(now), Some(0.0))
    );
    assert_eq!(of("openclaw_credential_refresh_failures", ""), Some(1.0));
    assert_eq!(
        of("openclaw_credential_refresh_failure_timestamp_seconds", ",class=\"server_error\""),
        seconds(now)
    );
    assert_eq!(provider.seen().len(), asked, "a scrape asks nobody");
}

#[test]
fn a_removed_profile_leaves_with_the_next_scrape_and_files_are_read_only_when_they_change() {
    let env = TestEnv::real_time();
    let now = real_now_ms();
    env.profiles(
        json!({"anthropic:a": oauth("anthropic", json!(now + DAY)), "openai:k": api_key("openai", "k")}),
    );
    let exporter = Exporter::start(&env, &[]);
    assert!(exporter.metrics().body.contains("profile=\"openai:k\""));
    env.profiles(json!({"anthropic:a": oauth("anthropic", json!(now + DAY))}));
    let after = exporter.metrics().body;
    assert!(!after.contains("openai:k") && after.contains("profile=\"anthropic:a\""));
    // Files that were just written are read again until their time stamps can be trusted.
    let reads = || exporter.metrics().value("openclaw_exporter_source_reads_total").unwrap();
    let limit = Deadline::after(Duration::from_secs(15));
    let mut last = reads();
    loop {
        let next = reads();
        if (next - last).abs() < f64::EPSILON {
            break;
        }
        assert!(!limit.has_passed(), "they are read again and again");
        last = next;
    }
    let settled = reads();
    for _ in 0..20 {
        assert!((reads() - settled).abs() < f64::EPSILON);
    }
    env.file(".openclaw/.env", "GROQ_API_KEY=x\n");
    assert!(reads() > settled, "a file that was not there counts too");
}

#[test]
fn hostile_names_give_a_valid_exposition_with_bounded_labels() {
    let env = TestEnv::new();
    let mut profiles = serde_json::Map::new();
    let huge = "x".repeat(10_000);
    for (at, name) in [
        "a\"b",
        "a\nb",
        "a\\",
        "\\\"\n",
        "{}",
        "a\u{1b}[31mb",
        "a\u{0}b",
        "é\u{202e}x",
        "# HELP x",
        "} 1\nfake_metric 1",
        &huge,
        &format!("{huge}y"),
        "",
    ]
    .iter()
    .enumerate()
    {
        profiles.insert((*name).to_owned(), oauth(&format!("p{at}{name}"), json!(env.now_ms() + DAY)));
    }
    let count = profiles.len();
    env.profiles(Value::Object(profiles));
    let text = exposition(&env, &["--labels", "full"]);
    let rows: Vec<_> =
        text.lines().filter(|line| line.starts_with("openclaw_credential_refreshable{")).collect();
    assert_eq!(rows.len(), count, "{text}");
    assert!(!text.lines().any(|line| line.starts_with("fake_metric")));
    assert!(text.lines().all(|line| line.len() < 8 * LONGEST), "no label is longer than it may be");
    assert!(!text.contains(['\u{0}', '\u{1b}']));
    let distinct: std::collections::HashSet<_> = rows.iter().collect();
    assert_eq!(distinct.len(), count, "no two series are the same");
    promtool_accepts(&text);
}

#[test]
fn there_is_a_limit_to_what_is_shown_and_the_rest_is_counted() {
    let env = TestEnv::real_time();
    let profiles: serde_json::Map<_, _> =
        (0..10_050).map(|at| (format!("groq:{at}"), api_key("groq", "k"))).collect();
    env.profiles(profiles.into());
    let exporter = Exporter::start(&env, &[]);
    let body = exporter.metrics();
    let shown = body.body.lines().filter(|line| line.starts_with("openclaw_credential_refreshable{")).count();
    assert_eq!(shown, 10_000);
    assert!(body.value("openclaw_exporter_dropped_profiles_total") >= Some(50.0));
}

/// Runs `promtool check metrics`, which must say nothing at all.
fn promtool_accepts(text: &str) {
    if !has("promtool") {
        skipped("promtool is not installed");
        return;
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    fs_err::write(file.path(), text).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "promtool check metrics < \"$1\"", "sh"]).arg(file.path());
    let ran = outcome(&mut command);
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (0, "", ""), "{text}");
}

#[test]
fn promtool_has_nothing_to_say_about_the_metrics() {
    let env = full_host();
    promtool_accepts(&exposition(&env, &["--labels", "full"]));
    let real = TestEnv::real_time();
    real.profiles(json!({"anthropic:a": oauth("anthropic", json!(real_now_ms() + DAY))}));
    promtool_accepts(&Exporter::start(&real, &[]).metrics().body);
}

#[test]
fn what_is_declared_is_what_is_exported() {
    let env = TestEnv::real_time();
    env.profiles(json!({"anthropic:a": oauth("anthropic", json!(real_now_ms() + DAY))}));
    let body = Exporter::start(&env, &[]).metrics().body;
    for line in body.lines().filter(|line| line.starts_with("# TYPE ")) {
        let mut words = line.split(' ').skip(2);
        let (name, kind) = (words.next().unwrap(), words.next().unwrap());
        let metric = METRICS.iter().find(|metric| metric.name == name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(metric.kind.word(), kind, "{name}");
        assert!(body.contains(&format!("# HELP {name} {}", metric.help)), "{name}");
    }
    let mut names: Vec<_> = METRICS.iter().map(|metric| metric.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), METRICS.len());
}

#[test]
fn several_agents_are_shown_side_by_side() {
    let env = TestEnv::new();
    env.file(CONFIG, "{agents: {list: [{id: 'main'}, {id: 'work'}]}}");
    env.profiles(json!({"openai:k": api_key("openai", "k")}));
    env.file(
        ".openclaw/agents/work/agent/auth-profiles.json",
        json!({"version": 1, "profiles": {"groq:w": api_key("groq", "w")}}).to_string(),
    );
    let shown = |args: &[&str]| {
        let text = exposition(&env, args);
        ["main", "work"].map(|agent| text.contains(&format!("openclaw_check_status{{agent=\"{agent}\"")))
    };
    assert_eq!(shown(&[]), [true, false]);
    assert_eq!(shown(&["--agent", "work"]), [false, true]);
    assert_eq!(shown(&["--agent", "main,work"]), [true, true]);
    assert_eq!(shown(&["--agent", "work,WORK"]), [false, true]);
    assert_eq!(shown(&["--all-agents"]), [true, true]);
    env.file(OPS, "{exporter: {agents: 'all'}}");
    assert_eq!(shown(&[]), [true, true]);
    env.file(OPS, "{exporter: {agents: ['work']}}");
    assert_eq!(shown(&[]), [false, true]);
    let unknown = env.run(&["exporter", "--stdout", "--agent", "nobody"]);
    assert_eq!(unknown.code, 64, "{unknown:?}");
}

#[test]
fn the_settings_count_where_no_flag_does() {
    let env = full_host();
    env.file(OPS, "{exporter: {labels: 'full', listen: '127.0.0.1:0'}}");
    assert!(exposition(&env, &[]).contains("me@example.com"));
    assert!(!exposition(&env, &["--labels", "minimal"]).contains("me@example.com"));
    env.file(OPS, "{exporter: {listne: 1, labels: 'all', agents: 5}}");
    let ran = env.status(&[]);
    assert_eq!(ran.code, 78);
    for said in [
        "exporter.listne: unknown key; did you mean \"listen\"?",
        "exporter.labels: expected one of",
        "exporter.agents: expected array",
    ] {
        assert!(ran.stderr.contains(said), "{ran:?}");
    }
}

#[test]
fn a_textfile_is_whole_and_readable_by_everybody() {
    use std::os::unix::fs::PermissionsExt;
    let env = full_host();
    fs_err::create_dir_all(env.path("collect")).unwrap();
    let folder = env.path("collect");
    let folder = folder.to_str().unwrap();
    let ran = env.run(&["exporter", "--textfile", folder]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{ran:?}");
    let written = env.text("collect/openclaw.prom");
    assert!(
        written.contains("openclaw_check_status")
            && !written.contains("process_")
            && !written.contains("openclaw_exporter_")
    );
    promtool_accepts(&written);
    let mode = fs_err::metadata(env.path("collect/openclaw.prom")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    env.run(&["--profile", "x", "exporter", "--textfile", folder]);
    let names: Vec<_> = tree(&env.path("collect")).into_keys().collect();
    assert_eq!(
        names,
        [env.path("collect/openclaw-x.prom"), env.path("collect/openclaw.prom")],
        "nothing temporary is left"
    );
    let missing = env.run(&["exporter", "--textfile", "/nonexistent/x"]);
    assert_eq!(missing.code, 74, "{missing:?}");
    assert!(missing.stderr.contains("--collector.textfile.directory"));
}

#[test]
fn an_export_writes_nothing_and_shows_no_secret() {
    let planted: Vec<_> = (200..206).map(canary).collect();
    let env = TestEnv::new().var("GROQ_API_KEY", planted[5].as_str());
    let login =
        json!({"accessToken": planted[0], "refreshToken": planted[1], "expiresAt": env.now_ms() + HOUR});
    env.file(CLAUDE, json!({ "claudeAiOauth": login }).to_string());
    let mut own = oauth("anthropic", json!(env.now_ms() + DAY));
    own["access"] = json!(planted[2]);
    own["refresh"] = json!(planted[3]);
    env.profiles(json!({"anthropic:a": own, "openai:k": api_key("openai", &planted[4])}));
    let before = tree(&env.path(""));
    for args in [&["exporter", "--stdout"][..], &["exporter", "--stdout", "--labels", "full"]] {
        let ran = env.run(args);
        assert!(ran.stdout.contains("profile=\"anthropic:claude-cli\""), "the vendor's login counts");
        assert_silent(&ran, &planted, "metrics");
    }
    assert_eq!(tree(&env.path("")), before);
}

#[test]
fn only_who_may_is_served() {
    let env = TestEnv::real_time();
    for (address, said) in [
        ("8.8.8.8:1", "not an address of a private network"),
        ("0.0.0.0:9878", "not an address of a private network"),
        ("10.1.2.3:9878", "--auth-file"),
    ] {
        let ran = env.run(&["exporter", "--listen", address]);
        assert_eq!(ran.code, 64, "{ran:?}");
        assert!(ran.stderr.contains(said), "{ran:?}");
    }
    assert!(env.run(&["exporter", "--listen", "8.8.8.8:1"]).stderr.contains("gateway"));
    let file = env.path("token");
    let file = file.to_str().unwrap();
    assert_eq!(env.run(&["exporter", "--auth-file", file]).code, 74);
    env.file("token", "short\n");
    assert_eq!(env.run(&["exporter", "--auth-file", file]).code, 64);
    env.file("token", "0123456789abcdef0123\n");
    let exporter = Exporter::start(&env, &["--auth-file", file]);
    for (header, status) in [
        ("", 401),
        ("Authorization: Bearer wrong\r\n", 401),
        ("Authorization: Basic 0123456789abcdef0123\r\n", 401),
        ("Authorization: Bearer 0123456789abcdef0123\r\n", 200),
    ] {
        assert_eq!(exporter.try_get("/metrics", header).unwrap().status, status, "{header}");
    }
    assert!(exporter.get("/").head.contains("WWW-Authenticate: Bearer"));
    assert_eq!((exporter.get("/healthz").status, exporter.get("/nowhere").status), (200, 401));
}

#[test]
fn the_pages_are_there() {
    let env = TestEnv::real_time();
    let exporter = Exporter::start(&env, &[]);
    let page = exporter.get("/");
    assert!(page.status == 200 && page.head.contains("text/html"), "{page:?}");
    for path in ["/metrics", "/healthz", "/readyz"] {
        assert!(page.body.contains(&format!("href={path}")));
    }
    assert_eq!(exporter.get("/healthz").body, "ok\n");
    exporter.metrics();
    assert_eq!((exporter.get("/readyz").status, exporter.get("/readyz?x=1").status), (200, 200));
    assert!(exporter.metrics().head.contains("text/plain; version=0.0.4"));
    assert_eq!(exporter.get("/metric").status, 404);
}

/// Starts the exporter as systemd would: with a socket on descriptor 3 and somebody to tell.
fn as_a_service(env: &TestEnv, notify: &str, watchdog: Option<Duration>) -> (Exporter, std::net::SocketAddr) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // It must outlive the exec, and stand at number 3: the shell puts it there.
    fcntl(&listener, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    let script = format!("exec 3<&{0}; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$@\"", listener.as_raw_fd());
    let program = env!("CARGO_BIN_EXE_openclaw");
    let mut command = env.wrapped(&["bash", "-c", &script, "bash"], &["exporter"]);
    assert!(command.get_args().any(|arg| arg == program));
    command.env("NOTIFY_SOCKET", notify).process_group(0);
    if let Some(limit) = watchdog {
        command.env("WATCHDOG_USEC", limit.as_micros().to_string());
    }
    let exporter = Exporter::of(&mut command);
    (exporter, address)
}

#[test]
fn systemd_gets_to_know_when_it_is_up_alive_and_about_to_end() {
    let env = TestEnv::real_time();
    let path = env.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let (mut exporter, address) = as_a_service(&env, path.to_str().unwrap(), Some(Duration::from_secs(3)));
    assert_eq!(exporter.address, address.to_string(), "the socket of systemd is the one that is served");
    let told = || {
        let mut text = [0; 4096];
        let length = socket.recv(&mut text).unwrap();
        String::from_utf8_lossy(&text[..length]).into_owned()
    };
    let first = told();
    assert!(
        first.contains("READY=1") && first.contains(&format!("STATUS=serving http://{address}/metrics")),
        "{first}"
    );
    // The watchdog is fed because scrapes of itself work, again and again.
    assert!(told().contains("WATCHDOG=1"));
    assert!(told().contains("WATCHDOG=1"));
    exporter.works_soon();
    exporter.signal(nix::sys::signal::Signal::SIGTERM);
    let mut last = told();
    while !last.contains("STOPPING=1") {
        last = told();
    }
    assert_eq!(exporter.ended().code(), Some(0));
}
