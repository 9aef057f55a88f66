//! What doctor finds: nothing on a healthy host, and each thing that is broken on it.

use std::net::TcpListener;
use std::time::Duration;

use openclaw::core::finding::Code;
use serde_json::json;

use crate::support::host::{KEY, UNIT, codes, found, healthy, systemctl_says};
use crate::support::provider::{Provider, Reply};
use crate::support::{
    CLAUDE, CONFIG, DAY, HOUR, OPS, STORE, TestEnv, api_key, in_own_mounts, is_root, set_mtime_back, skipped,
};

/// Breaks one thing of a healthy host; gives everything that is to be found then, the meant code first.
type Break = fn(&TestEnv) -> &'static [&'static str];

/// One case for each code that a plain home folder can show.
const CASES: &[(&str, Break)] = &[
    ("agent-dir-legacy", |env| {
        env.file(".openclaw/agent/auth.json", "{}").private();
        &["agent-dir-legacy"]
    }),
    ("config-invalid", |env| {
        env.file(CONFIG, "{gateway: {mode: 'local', port: 1}, agents: {defaults: {model: 'x'}}}").private();
        &["config-invalid"]
    }),
    ("config-legacy-key", |env| {
        env.replace_in(CONFIG, "{gateway", "{agent: {model: 'openai/gpt-5.2', odd: 1}, gateway");
        env.private();
        &["config-legacy-key"]
    }),
    ("config-unknown-key", |env| {
        env.replace_in(CONFIG, "{gateway", "{auth: {profile: {}}, gateway").private();
        &["config-unknown-key"]
    }),
    ("credential-backup", |env| {
        env.file(".openclaw/openclaw.json.bak.1", format!("{{k: '{KEY}'}}")).private();
        &["credential-backup"]
    }),
    ("credential-cooldown", |env| {
        usage(env, &json!({"cooldownUntil": env.now_ms() + HOUR}));
        &["credential-cooldown"]
    }),
    ("credential-copy", |env| {
        env.file(".bash_history", format!("export OPENAI_API_KEY={KEY}\n"));
        &["credential-copy"]
    }),
    ("credential-damaged", |env| {
        env.change_profiles(|profiles| profiles["x:y"] = json!({"type": "api_key"})).private();
        &["credential-damaged"]
    }),
    ("credential-disabled", |env| {
        usage(env, &json!({"disabledUntil": env.now_ms() + HOUR, "disabledReason": "billing"}));
        &["credential-disabled"]
    }),
    ("credential-expired", |env| {
        let expires = env.now_ms() - HOUR;
        env.change_profiles(|profiles| profiles["zz:t"] = token(expires)).private();
        &["credential-expired"]
    }),
    ("credential-expiring", |env| {
        let expires = env.now_ms() + HOUR;
        env.change_profiles(|profiles| profiles["zz:t"] = token(expires)).private();
        &["credential-expiring"]
    }),
    ("credential-type-unknown", |env| {
        env.change_profiles(|profiles| profiles["x:y"] = json!({"type": "new", "provider": "x"})).private();
        &["credential-type-unknown"]
    }),
    ("credential-unusable", |env| {
        env.change_profiles(|profiles| profiles["openai:spare"]["key"] = json!(" ")).private();
        &["credential-unusable"]
    }),
    ("dotenv-ignored", |env| {
        env.file(".openclaw/.env", format!("OPENAI_API_KEY={KEY}\nHTTPS_PROXY=http://x\n")).private();
        &["dotenv-ignored"]
    }),
    ("dotenv-malformed", |env| {
        env.file(".openclaw/.env", format!("OPENAI_API_KEY={KEY}\nnonsense\n")).private();
        &["dotenv-malformed"]
    }),
    ("env-layers-disagree", |env| {
        env.replace_in(CONFIG, "{gateway", "{env: {OPENAI_API_KEY: 'sk-other-0123456789abcdef'}, gateway")
            .private();
        &["env-layers-disagree"]
    }),
    ("expires-implausible", |env| {
        env.change_profiles(|profiles| profiles["zz:t"] = token(99_999_999_999_999)).private();
        &["expires-implausible"]
    }),
    ("expires-unreadable", |env| {
        env.change_profiles(|profiles| {
            profiles["zz:t"] =
                json!({"type": "token", "provider": "zz", "token": "t0123456789", "expires": "soon"});
        });
        env.private();
        &["expires-unreadable"]
    }),
    ("gateway-bind-open", |env| {
        env.file(CONFIG, "{gateway: {mode: 'local', port: 1, bind: 'lan'}, agents: {defaults: {model: {primary: 'openai/gpt-5.2'}}}}");
        env.private();
        &["gateway-bind-open"]
    }),
    ("gateway-api-unsupported", |env| {
        let entry = "{models: {providers: {openai: {baseUrl: 'http://127.0.0.1:1', api: 'github-copilot', models: []}}}, gateway";
        env.replace_in(CONFIG, "{gateway", entry).private();
        &["gateway-api-unsupported"]
    }),
    ("gateway-mode-unset", |env| {
        env.replace_in(CONFIG, "mode: 'local', ", "").private();
        &["gateway-mode-unset"]
    }),
    ("gateway-token-missing", |env| {
        env.replace_in(CONFIG, ", auth: {token: '0123456789abcdef0123456789abcdef'}", "").private();
        &["gateway-token-missing"]
    }),
    ("gateway-token-weak", |env| {
        env.replace_in(CONFIG, "0123456789abcdef0123456789abcdef", "hunter2").private();
        &["gateway-token-weak"]
    }),
    ("legacy-state-dir", |env| {
        fs_err::rename(env.path(".openclaw"), env.path(".clawdbot")).unwrap();
        &["legacy-state-dir"]
    }),
    ("linger-off", |env| {
        env.file("linger", "no\n");
        &["linger-off"]
    }),
    ("lock-stale", |env| {
        for lock in [".openclaw/agents/main/agent/auth-profiles.json.lock", ".claude/.oauth_refresh.lock"] {
            fs_err::create_dir(env.path(lock)).unwrap();
            env.set_modified(lock, env.now_ms() - HOUR);
        }
        env.private();
        &["lock-stale"]
    }),
    ("login-ends-soon", |env| {
        let (then, soon) = ((env.now_ms() + 20 * DAY).to_string(), (env.now_ms() + 6 * DAY).to_string());
        let old = format!("\"refreshTokenExpiresAt\":{then}");
        env.replace_in(CLAUDE, &old, &format!("\"refreshTokenExpiresAt\":{soon}")).private();
        &["login-ends-soon"]
    }),
    ("login-incomplete", |env| {
        env.file(CLAUDE, r#"{"claudeAiOauth": {"accessToken": "", "refreshToken": "", "expiresAt": 0}}"#)
            .private();
        &["login-incomplete"]
    }),
    ("looks-like-seconds", |env| {
        let seconds = env.now_ms() / 1000 + 3600;
        env.change_profiles(|profiles| profiles["zz:t"] = token(seconds)).private();
        &["looks-like-seconds", "credential-expired"]
    }),
    ("mode-migrated", |env| {
        let entry =
            "{auth: {profiles: {'anthropic:claude-cli': {provider: 'anthropic', mode: 'token'}}}, gateway";
        env.replace_in(CONFIG, "{gateway", entry).private();
        &["mode-migrated"]
    }),
    ("model-without-provider", |env| {
        env.replace_in(CONFIG, "openai/gpt-5.2", "claude-opus-4-5").private();
        &["model-without-provider"]
    }),
    ("ops-invalid", |env| {
        env.file(OPS, "{check: {warnAftr: '1h'}}").private();
        &["ops-invalid"]
    }),
    ("permissions-open", |env| {
        env.mode(".openclaw/.env", 0o640);
        &["permissions-open"]
    }),
    ("profile-duplicate", |env| {
        let entry = r#""openai:spare":{"type":"api_key","provider":"openai","key":"first-0123456789"},"openai:spare""#;
        env.replace_in(STORE, "\"openai:spare\"", entry).private();
        &["profile-duplicate"]
    }),
    ("profile-id-outdated", |env| {
        let entry =
            "{auth: {profiles: {'anthropic:default': {provider: 'anthropic', mode: 'oauth'}}}, gateway";
        env.replace_in(CONFIG, "{gateway", entry).private();
        &["profile-id-outdated"]
    }),
    ("provider-missing", |env| {
        env.replace_in(CONFIG, "openai/gpt-5.2", "groq/llama").private();
        &["provider-missing"]
    }),
    ("refresh-unsupported", |env| {
        let expires = env.now_ms() + 20 * DAY;
        env.change_profiles(|profiles| {
            profiles["google-antigravity:x"] = json!({"type": "oauth", "provider": "google-antigravity",
                "access": "ya29-0123456789abcdef", "refresh": "1//0123456789abcdef", "expires": expires});
        });
        env.private();
        &["refresh-unsupported"]
    }),
    ("service-disabled", |env| {
        systemctl_says(env, "active", "disabled");
        &["service-disabled"]
    }),
    ("service-env-differs", |env| {
        let folder = ".config/environment.d/10.conf";
        env.file(folder, "OPENAI_API_KEY=sk-older-0123456789abcdef\n");
        &["service-env-differs"]
    }),
    ("service-env-file-missing", |env| {
        env.replace_in(UNIT, "ExecStart", "EnvironmentFile=/nowhere/keys.env\nExecStart");
        &["service-env-file-missing"]
    }),
    ("service-home-differs", |env| {
        let elsewhere = env.path(".openclaw-else").display().to_string();
        env.replace_in(UNIT, "ExecStart", &format!("Environment=OPENCLAW_STATE_DIR={elsewhere}\nExecStart"));
        &["service-home-differs"]
    }),
    ("service-manager-unreachable", |env| {
        env.script("bin/systemctl", "exit 1");
        &["service-manager-unreachable"]
    }),
    ("service-path-lacks", |env| {
        env.script("bin/claude", "exit 0");
        env.file(UNIT, "[Service]\nExecStart=/bin/true\n");
        &["service-path-lacks"]
    }),
    ("search-incomplete", |env| {
        // A file with a hole in it costs no disk.
        env.file(".openclaw/transcript.log", "");
        let file =
            std::fs::OpenOptions::new().write(true).open(env.path(".openclaw/transcript.log")).unwrap();
        file.set_len(60 * 1024 * 1024).unwrap();
        env.private();
        &["search-incomplete"]
    }),
    ("service-secret-readable", |env| {
        env.replace_in(UNIT, "ExecStart", &format!("Environment=OPENAI_API_KEY={KEY}\nExecStart"));
        &["service-secret-readable"]
    }),
    ("service-stopped", |env| {
        systemctl_says(env, "failed", "enabled");
        &["service-stopped"]
    }),
    ("shared-lineage", |env| {
        let expires = env.now_ms() + 20 * DAY;
        env.file(
            ".openclaw/agents/work/agent/auth-profiles.json",
            json!({"profiles": {"anthropic:work": {"type": "oauth", "provider": "anthropic", "access": "at-x",
                "refresh": "rt-0123456789abcdefghij", "expires": expires}}})
            .to_string(),
        );
        env.private();
        &["shared-lineage"]
    }),
    ("shell-env-failed", |env| {
        env.script("bad-shell", "exit 3");
        env.file(
            CONFIG,
            "{gateway: {mode: 'local', port: 1, auth: {token: '0123456789abcdef0123456789abcdef'}},
              env: {shellEnv: {enabled: true}}, agents: {defaults: {model: {primary: 'anthropic/claude-opus-4-5'}}}}",
        );
        fs_err::remove_file(env.path(".openclaw/.env")).unwrap();
        env.private();
        &["shell-env-failed"]
    }),
    ("source-unreadable", |env| {
        env.file(".qwen/oauth_creds.json", "{ torn").private();
        &["source-unreadable"]
    }),
    ("state-dirs-several", |env| {
        fs_err::create_dir(env.path(".clawdbot")).unwrap();
        env.private();
        &["state-dirs-several"]
    }),
    ("state-unreadable", |env| {
        env.file(".openclaw/ops-state.json", "{ torn").private();
        &["state-unreadable"]
    }),
    ("store-superseded", |env| {
        env.file(".openclaw/state/openclaw.sqlite", b"SQLite format 3\0rest").private();
        &["store-superseded"]
    }),
    ("sync-performed", |env| {
        env.change_profiles(forget_claude);
        env.private();
        &["sync-performed"]
    }),
    ("vendor-permissions-open", |env| {
        env.mode(CLAUDE, 0o644);
        &["vendor-permissions-open"]
    }),
];

/// Codes that need more than a home folder, and the test that shows each.
const ELSEWHERE: &[(&str, &str)] = &[
    ("channel-failing", "a_channel_that_does_not_deliver_is_named_with_what_tries_it"),
    ("channel-missing", "a_monitor_without_a_way_to_people_is_told"),
    ("check-timeout", "a_check_that_hangs_costs_itself_and_not_the_report"),
    ("clock-implausible", "a_wrong_clock_is_the_cause_of_what_it_makes_look_expired"),
    ("clock-skewed", "with_deep_the_network_is_asked_and_never_else"),
    ("desktop-unreachable", "a_monitor_without_a_way_to_people_is_told"),
    ("disk-full", "a_disk_without_room_is_told_before_a_login_is_lost"),
    ("disk-low", "a_disk_without_room_is_told_before_a_login_is_lost"),
    ("exporter-stopped", "an_exporter_that_does_not_serve_is_told"),
    ("monitor-failing", "a_monitor_that_does_not_look_is_told"),
    ("monitor-off", "a_monitor_that_does_not_look_is_told"),
    ("monitor-overdue", "a_monitor_that_has_not_looked_for_long_is_told"),
    ("mount-replaced", "mounts_that_lie_are_found"),
    ("owner-foreign", "files_of_another_user_are_told"),
    ("port-taken", "who_listens_on_the_port_of_the_gateway_is_named"),
    ("program-shadowed", "another_program_of_the_name_is_told"),
    ("provider-unreachable", "with_deep_the_network_is_asked_and_never_else"),
    ("refresh-failed", "the_memory_of_refreshes_is_told"),
    ("refresh-not-saved", "the_memory_of_refreshes_is_told"),
    ("service-absent", "a_real_systemd_shows_what_is_wrong_with_the_service"),
    ("service-process-older", "a_real_systemd_shows_what_is_wrong_with_the_service"),
    ("service-process-stale", "a_real_systemd_shows_what_is_wrong_with_the_service"),
    ("state-dir-unwritable", "mounts_that_lie_are_found"),
    ("sync-not-saved", "a_disk_without_room_is_told_before_a_login_is_lost"),
    ("termux-background", "a_phone_is_told_what_phones_need"),
    ("termux-boot-missing", "a_phone_is_told_what_phones_need"),
    ("timezone-unknown", "an_unknown_time_zone_is_told"),
    ("unit-program-gone", "a_unit_whose_program_is_gone_is_told_with_what_writes_it_anew"),
    ("vendor-login-read-only", "mounts_that_lie_are_found"),
];

fn forget_claude(profiles: &mut serde_json::Value) {
    profiles.as_object_mut().unwrap().remove("anthropic:claude-cli");
}

fn token(expires: i64) -> serde_json::Value {
    json!({"type": "token", "provider": "zz", "token": "t-0123456789abcdefghij", "expires": expires})
}

fn usage(env: &TestEnv, stats: &serde_json::Value) {
    let mut store = env.read_json(STORE);
    store["usageStats"] = json!({"openai:spare": stats});
    env.file(STORE, store.to_string()).private();
}

#[test]
fn on_a_healthy_host_nothing_is_found() {
    let (code, document) = healthy().doctor(&[]).pair();
    assert_eq!((code, codes(&document)), (0, vec![]), "{document:#}");
    assert_eq!(document["verdict"], "ok");
}

#[test]
fn each_broken_thing_is_found_and_nothing_beside_it() {
    for (code, break_it) in CASES {
        let mut env = healthy();
        if *code == "shell-env-failed" {
            let shell = env.path("bad-shell");
            env = env.var("SHELL", shell);
        }
        let expected = break_it(&env);
        let ran = env.doctor(&[]);
        let document = ran.json();
        let mut sorted: Vec<_> = expected.to_vec();
        sorted.sort_unstable();
        let open: Vec<_> = document["findings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|finding| finding["shadowedBy"].is_null())
            .collect();
        let mut open_codes: Vec<_> = open.iter().map(|finding| finding["code"].as_str().unwrap()).collect();
        open_codes.sort_unstable();
        open_codes.dedup();
        assert_eq!((expected[0], &open_codes), (*code, &sorted), "{document:#}");
        let worst = open
            .iter()
            .map(|finding| finding["severity"].as_str().unwrap())
            .min_by_key(|word| ["error", "warning", "advice"].iter().position(|known| known == word));
        let wanted = match worst {
            Some("error") => 1,
            Some("warning") => 2,
            _ => 0,
        };
        assert_eq!(ran.code, wanted, "{code}: {document:#}");
        assert_eq!(document["exitCode"], wanted);
        for secret in [KEY, "rt-0123456789abcdefghij", "0123456789abcdef0123456789abcdef"] {
            assert!(!ran.stdout.contains(secret) && !ran.stderr.contains(secret), "{code} shows a secret");
        }
        // The same is found when only that is looked for, and not when it is left out.
        assert!(codes(&env.doctor(&["--only", code]).json()).iter().all(|found| found == code), "{code}");
        assert!(!codes(&env.doctor(&["--skip", code]).json()).contains(&(*code).to_owned()), "{code}");
        let page = env.run(&["doctor"]).stdout;
        if *code != "sync-performed" {
            assert!(page.contains(&format!("[{code}]")), "{code}: {page}");
        }
    }
}

#[test]
fn every_code_has_a_case() {
    let sources =
        [include_str!("doctor_checks.rs"), include_str!("doctor_lab.rs"), include_str!("doctor_watch.rs")];
    let source = sources.concat();
    for code in Code::ALL {
        let name = code.name();
        let elsewhere = ELSEWHERE.iter().find(|(known, _)| *known == name);
        assert!(
            CASES.iter().any(|(known, _)| *known == name) != elsewhere.is_some(),
            "{name} has no case, or two"
        );
        if let Some((_, test)) = elsewhere {
            assert!(source.contains(&format!("fn {test}(")), "no test {test}");
        }
    }
}

#[test]
fn copies_are_found_wherever_they_lie_and_never_shown() {
    let env = healthy();
    let secrets =
        [KEY, "rt-0123456789abcdefghij", "at-0123456789abcdefghij", "sk-spare-0123456789abcdefghij"];
    let places = [
        ".openclaw/agents/main/agent/auth-profiles.json.old",
        ".openclaw/logs/2026-11.log",
        ".openclaw/agents/main/sessions/a.jsonl",
        ".claude/.credentials.json.bak",
        ".zsh_history",
        "keys.txt",
    ];
    for (at, place) in places.iter().enumerate() {
        env.file(place, format!("before {} after", secrets[at % secrets.len()])).mode(place, 0o640);
    }
    // Long files, folders far below and what is no copy cost nothing.
    env.file(".openclaw/large.log", vec![b'x'; 5 * 1024 * 1024]).mode(".openclaw/large.log", 0o600);
    let ran = env.doctor(&["--only", "credential-copy"]);
    let document = ran.json();
    let subjects: Vec<_> = document["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| found["subject"].as_str().unwrap())
        .collect();
    for place in places {
        assert!(subjects.contains(&format!("~/{place}").as_str()), "{place}: {subjects:?}");
    }
    assert_eq!((subjects.len(), ran.code), (places.len(), 2));
    assert!(document["findings"][0]["message"].as_str().unwrap().starts_with("mode 0640, holds "));
    assert!(secrets.iter().all(|secret| !ran.stdout.contains(&secret[3..])));
}

#[test]
fn consequences_are_not_told_beside_their_cause() {
    let env = healthy();
    env.file(CONFIG, "{ torn").private();
    let (code, document) = env.doctor(&[]).pair();
    assert_eq!((code, found(&document, "config-invalid")["severity"].as_str()), (1, Some("error")));
    let silenced = found(&document, "gateway-mode-unset");
    assert_eq!(silenced["shadowedBy"], "config-invalid", "{document:#}");
    let page = env.run(&["doctor"]).stdout;
    assert!(!page.contains("gateway-mode-unset") && page.contains("config-invalid"), "{page}");
}

#[test]
fn a_wrong_clock_is_the_cause_of_what_it_makes_look_expired() {
    let env = TestEnv::at("2012-01-01T00:00:00Z").var("OPENAI_API_KEY", "sk-0123456789abcdef");
    env.profiles(json!({"zz:t": token(1_325_000_000_000)}));
    let document = env.doctor(&[]).json();
    assert_eq!(found(&document, "clock-implausible")["severity"], "error", "{document:#}");
    assert_eq!(found(&document, "credential-expired")["shadowedBy"], "clock-implausible");
}

#[test]
fn an_unknown_time_zone_is_told() {
    for (zone, is_known) in [("Mars/Base", false), ("UTC", true), ("CET-1CEST", true)] {
        let env = healthy().var("TZ", zone);
        let expected: Vec<String> = if is_known { vec![] } else { vec!["timezone-unknown".to_owned()] };
        assert_eq!(codes(&env.doctor(&[]).json()), expected, "{zone}");
    }
}

#[test]
fn a_phone_is_told_what_phones_need() {
    let env = healthy().var("TERMUX_VERSION", "0.118.1");
    let (code, document) = env.doctor(&[]).pair();
    assert_eq!(
        (code, codes(&document)),
        (0, vec!["termux-background".to_owned(), "termux-boot-missing".to_owned()])
    );
    env.file(".termux/boot/start", "#!/bin/sh\n");
    assert_eq!(codes(&env.doctor(&[]).json()), ["termux-background"]);
}

#[test]
fn another_program_of_the_name_is_told() {
    let env = healthy().program("bin/openclaw");
    env.script("bin/openclaw", "exit 0");
    assert_eq!(codes(&env.doctor(&[]).json()), Vec::<String>::new());
    env.script("first/openclaw", "exit 1");
    let (first, second) = (env.path("first").display().to_string(), env.path("bin").display().to_string());
    let env = env.var("PATH", format!("{first}:{second}:/usr/bin:/bin"));
    let document = env.doctor(&["--only", "program-shadowed"]).json();
    assert_eq!(found(&document, "program-shadowed")["subject"], "~/first/openclaw", "{document:#}");
}

#[test]
fn who_listens_on_the_port_of_the_gateway_is_named() {
    let env = healthy();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    env.replace_in(CONFIG, "port: 1,", &format!("port: {port},")).private();
    // The process of this very test is a program of another name, unless it is ours.
    let document = env.doctor(&["--only", "port-taken"]).json();
    let finding = found(&document, "port-taken");
    let me = format!("process {}", std::process::id());
    let is_named_like_us = std::env::args().next().is_some_and(|name| name.contains("openclaw"));
    if is_named_like_us {
        assert!(finding.is_null(), "{document:#}");
    } else {
        assert!(finding["message"].as_str().unwrap().starts_with(&me), "{document:#}");
    }
    drop(listener);
    assert_eq!(codes(&env.doctor(&["--only", "port-taken"]).json()), Vec::<String>::new());
}

#[test]
fn the_memory_of_refreshes_is_told() {
    let expires = |env: &TestEnv| env.now_ms() - HOUR;
    let env = healthy();
    let provider =
        Provider::knowing(&[]).scripted(|_| Some(Reply::json(400, json!({"error": "invalid_grant"}))));
    env.file(OPS, provider.ops(&["openai-codex"]));
    let login = json!({"type": "oauth", "provider": "openai-codex", "access": "at-z", "refresh": "rt-zzzzzzzzzz",
        "expires": expires(&env)});
    env.change_profiles(|profiles| profiles["openai-codex:me"] = login).private();
    env.run(&["models", "auth", "refresh"]);
    let document = env.doctor(&[]).json();
    assert!(found(&document, "refresh-failed").is_object(), "{document:#}");
    // Tokens of a refresh that was killed before they were where they belong.
    let parked = json!({"version": 1, "provider": "openai-codex", "spent": "0123", "access": "at-new-0123456789",
        "refresh": "rt-new-0123456789", "expires": env.now_ms() + DAY});
    env.file(".openclaw/recovery/0123.json", parked.to_string()).private();
    let document = env.doctor(&["--only", "refresh-not-saved"]).json();
    assert!(found(&document, "refresh-not-saved").is_object(), "{document:#}");
}

#[test]
fn files_of_another_user_are_told() {
    if !is_root() {
        return skipped("needs root to give a file to somebody else");
    }
    let env = healthy();
    std::os::unix::fs::chown(env.path(".openclaw/.env"), Some(12_345), None).unwrap();
    let (code, document) = env.doctor(&[]).pair();
    assert_eq!((code, codes(&document)), (2, vec!["owner-foreign".to_owned()]), "{document:#}");
    assert!(
        found(&document, "owner-foreign")["remedy"]
            .as_str()
            .unwrap()
            .contains("sudo chown -h root ~/.openclaw/.env")
    );
}

#[test]
fn a_disk_without_room_is_told_before_a_login_is_lost() {
    for (size, code, word) in [("200m", 0, ""), ("50m", 2, "disk-low"), ("600k", 1, "disk-full")] {
        let env = healthy();
        let script = format!(
            "mkdir keep && cp -a .openclaw/. keep/ && mount -t tmpfs -o mode=700,size={size} tmpfs .openclaw && \
             cp -a keep/. .openclaw/ && exec $program doctor --json --only disk-full,disk-low"
        );
        let Some(ran) = in_own_mounts(&env, &script) else { return };
        let document = ran.json();
        let expected: Vec<String> = if word.is_empty() { vec![] } else { vec![word.to_owned()] };
        assert_eq!((ran.code, codes(&document)), (code, expected), "{document:#}");
    }
    // A sync that finds no room is silenced by the disk that is its cause.
    let env = healthy();
    env.change_profiles(forget_claude).private();
    let script = "mkdir keep && cp -a .openclaw/. keep/ && mount -t tmpfs -o mode=700,size=64k tmpfs .openclaw && \
                  cp -a keep/. .openclaw/ && ! cat /dev/zero >.openclaw/fill 2>/dev/null && \
                  exec $program doctor --json --only disk-full,sync-not-saved";
    let Some(ran) = in_own_mounts(&env, script) else { return };
    let document = ran.json();
    assert_eq!(found(&document, "sync-not-saved")["shadowedBy"], "disk-full", "{document:#}");
}

#[test]
fn mounts_that_lie_are_found() {
    let env = healthy();
    // The file is mounted, then replaced where it comes from.
    let script = "mkdir there && cp .openclaw/.env there/keys && mount --bind there/keys .openclaw/.env && \
                  echo new >there/new && mv there/new there/keys && exec $program doctor --json";
    let Some(ran) = in_own_mounts(&env, script) else { return };
    let document = ran.json();
    assert_eq!(
        (ran.code, found(&document, "mount-replaced")["subject"].as_str()),
        (1, Some("~/.openclaw/.env")),
        "{document:#}"
    );
    let env = healthy();
    let script =
        "mount --bind .claude .claude && mount -o remount,ro,bind .claude && exec $program doctor --json";
    let Some(ran) = in_own_mounts(&env, script) else { return };
    let document = ran.json();
    assert!(found(&document, "vendor-login-read-only").is_object(), "{document:#}");
    let env = healthy();
    let script = "mount --bind .openclaw .openclaw && mount -o remount,ro,bind .openclaw && exec $program doctor --json";
    let Some(ran) = in_own_mounts(&env, script) else { return };
    let document = ran.json();
    assert_eq!(
        (ran.code, found(&document, "state-dir-unwritable")["severity"].as_str()),
        (1, Some("error")),
        "{document:#}"
    );
}

#[test]
fn a_check_that_hangs_costs_itself_and_not_the_report() {
    let env = TestEnv::real_time();
    let bin = env.path("bin").display().to_string();
    let env = env.var("PATH", format!("{bin}:/usr/bin:/bin")).var("OPENAI_API_KEY", "sk-0123456789abcdefgh");
    env.file(UNIT, "[Service]\nExecStart=/bin/true\n");
    env.file(".openclaw/openclaw.json", "{agents: {defaults: {model: {primary: 'groq/x'}}}}");
    env.script("bin/systemctl", "exec sleep 600");
    env.script("bin/loginctl", "exec sleep 600");
    let document = env.doctor(&["--timeout", "500ms"]).json();
    // The rest of the report is there, and what hung is named.
    assert!(found(&document, "provider-missing").is_object(), "{document:#}");
    let hung = found(&document, "check-timeout");
    assert_eq!(
        (hung["subject"].as_str(), hung["message"].as_str()),
        (Some("openclaw-gateway.service"), Some("systemctl does not answer")),
        "{document:#}"
    );
}

#[test]
fn with_deep_the_network_is_asked_and_never_else() {
    let env = healthy();
    let date = |shift: i64| {
        let at = chrono::DateTime::from_timestamp_millis(healthy().now_ms() + shift).unwrap();
        at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
    };
    let far = date(10 * 60_000);
    let provider =
        Provider::knowing(&[]).scripted(move |_| Some(Reply::text(404, "no").header("Date", far.clone())));
    let config = |base: &str| {
        format!(
            "{{gateway: {{mode: 'local', port: 1, auth: {{token: '0123456789abcdef0123456789abcdef'}}}},
              agents: {{defaults: {{model: {{primary: 'openai/gpt-5.2'}}}}}},
              models: {{providers: {{openai: {{baseUrl: '{base}', models: []}}, anthropic: {{baseUrl: '{base}', models: []}}}}}}}}"
        )
    };
    env.file(CONFIG, config(&provider.url(""))).private();
    assert_eq!(codes(&env.doctor(&[]).json()), Vec::<String>::new());
    assert!(provider.seen().is_empty());
    let (code, document) = env.doctor(&["--deep"]).pair();
    assert_eq!((code, codes(&document)), (2, vec!["clock-skewed".to_owned()]), "{document:#}");
    assert!(found(&document, "clock-skewed")["message"].as_str().unwrap().contains("10m behind"));
    let seen = provider.seen();
    assert!(
        !seen.is_empty() && seen.iter().all(|seen| !seen.headers.contains_key("authorization")),
        "{seen:?}"
    );
    assert!(seen.iter().all(|seen| !seen.headers.contains_key("x-api-key")));
    drop(provider);
    // A port that nobody listens on any more.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    env.file(CONFIG, config(&format!("http://{gone}"))).private();
    let (code, document) = env.doctor(&["--deep", "--timeout", "3s"]).pair();
    assert_eq!((code, codes(&document)), (1, vec!["provider-unreachable".to_owned()]), "{document:#}");
}

#[test]
fn a_login_of_its_own_for_each_agent_is_no_shared_lineage() {
    let env = healthy();
    let expires = env.now_ms() + 20 * DAY;
    env.file(
        ".openclaw/agents/work/agent/auth-profiles.json",
        json!({"profiles": {"anthropic:work": {"type": "oauth", "provider": "anthropic", "access": "at-x",
            "refresh": "rt-another-0123456789", "expires": expires}, "openai:k": api_key("openai", "sk-0123456789abcdefg")}})
        .to_string(),
    );
    env.private();
    assert_eq!(codes(&env.doctor(&[]).json()), Vec::<String>::new());
    // A lock that somebody holds is none that was left.
    let lock = ".openclaw/agents/main/agent/auth-profiles.json.lock";
    fs_err::create_dir(env.path(lock)).unwrap();
    env.set_modified(lock, env.now_ms() - 5_000).mode(lock, 0o700);
    assert_eq!(codes(&env.doctor(&["--only", "lock-stale"]).json()), Vec::<String>::new());
    set_mtime_back(&env.path(lock), Duration::from_mins(5));
    assert_eq!(codes(&env.doctor(&["--only", "lock-stale"]).json()), ["lock-stale"]);
}
