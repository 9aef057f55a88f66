//! What doctor must never do: touch what is not its business, lose what it may need, show what it saw, or cry wolf.

use std::ffi::OsStr;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Stdio;

use serde_json::json;

use crate::support::host::{KEY, UNIT, codes, found, healthy};
use crate::support::{CLAUDE, CONFIG, DAY, STORE, TestEnv, has, in_own_mounts, outcome, skipped};

fn mode(path: &std::path::Path) -> u32 {
    fs_err::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn links_out_of_the_home_and_what_is_no_file_are_left_alone() {
    let env = healthy();
    let elsewhere = tempfile::tempdir().unwrap();
    let target = elsewhere.path().join("theirs");
    fs_err::write(&target, "theirs").unwrap();
    fs_err::set_permissions(&target, std::fs::Permissions::from_mode(0o644)).unwrap();
    symlink(&target, env.path(".openclaw/openclaw.json.bak.1")).unwrap();
    fs_err::remove_file(env.path(".openclaw/.env")).unwrap();
    symlink(&target, env.path(".openclaw/.env")).unwrap();
    // In the home a link is followed: dotfiles are kept like that.
    env.file("dotfiles/openclaw.json", env.text(CONFIG)).mode("dotfiles/openclaw.json", 0o644);
    fs_err::remove_file(env.path(CONFIG)).unwrap();
    symlink(env.path("dotfiles/openclaw.json"), env.path(CONFIG)).unwrap();
    env.run(&["doctor", "--yes", "--force"]);
    assert_eq!((mode(&target), mode(&env.path("dotfiles/openclaw.json"))), (0o644, 0o600));
    assert!(env.path(CONFIG).is_symlink());
}

#[test]
fn only_what_others_have_is_taken_from_a_mode() {
    let env = healthy();
    env.mode(".openclaw", 0o2775);
    env.run(&["doctor", "--fix"]);
    assert_eq!(mode(&env.path(".openclaw")), 0o2700);
    // A folder that lies elsewhere may be shared on purpose: it is asked about.
    let shared = tempfile::tempdir().unwrap();
    fs_err::set_permissions(shared.path(), std::fs::Permissions::from_mode(0o770)).unwrap();
    let env = healthy().var("OPENCLAW_STATE_DIR", shared.path());
    env.run(&["doctor", "--fix"]);
    assert_eq!(mode(shared.path()), 0o770);
}

#[test]
fn files_that_a_unit_names_are_judged_by_the_secrets_in_them() {
    let env = healthy();
    let (plain, secret) = (env.path("plain.env"), env.path("secret.env"));
    env.file("plain.env", "LANG=C\n").file("secret.env", format!("OPENAI_API_KEY={KEY}\n"));
    let lines =
        format!("EnvironmentFile={}\nEnvironmentFile={}\nExecStart", plain.display(), secret.display());
    env.replace_in(UNIT, "ExecStart", &lines);
    let document = env.doctor(&["--only", "permissions-open"]).json();
    assert_eq!(document["findings"].as_array().unwrap().len(), 1, "{document:#}");
    assert_eq!(found(&document, "permissions-open")["subject"], "~/secret.env");
    env.run(&["doctor", "--fix"]);
    assert_eq!((mode(&plain), mode(&secret)), (0o644, 0o600));
}

#[test]
fn a_name_that_is_no_text_costs_its_own_fix_and_not_the_journal() {
    let env = healthy();
    env.mode(".openclaw/.env", 0o644);
    env.run(&["doctor", "--fix"]);
    let journal = env.text(".openclaw/doctor-journal.json");
    let odd = env.path(".openclaw").join(OsStr::from_bytes(b"openclaw.json.\xfe"));
    fs_err::write(&odd, "{}").unwrap();
    let ran = env.run(&["doctor", "--fix"]);
    assert!(ran.stdout.contains("could not be written down"), "{ran:?}");
    assert_eq!((env.text(".openclaw/doctor-journal.json"), mode(&odd)), (journal, 0o644));
    assert!(env.run(&["doctor", "--undo"]).stdout.contains("has the mode 0644 again"));
}

#[test]
fn a_folder_that_a_unit_or_the_config_names_is_not_renamed() {
    for break_it in [
        |env: &TestEnv| {
            env.replace_in(UNIT, "ExecStart", "EnvironmentFile=%h/.clawdbot/.env\nExecStart").path("")
        },
        |env: &TestEnv| {
            env.replace_in(
                CONFIG,
                "defaults: {",
                "list: [{id: 'main', agentDir: '${HOME}/.clawdbot/agents/main/agent'}], defaults: {",
            )
            .path("")
        },
    ] {
        let env = healthy();
        break_it(&env);
        fs_err::rename(env.path(".openclaw"), env.path(".clawdbot")).unwrap();
        let ran = env.run(&["doctor", "--fix"]);
        assert!(ran.stdout.contains("the config or the unit names paths in it"), "{ran:?}");
        assert!(env.exists(".clawdbot") && !env.exists(".openclaw"));
    }
}

#[test]
fn a_run_and_its_undo_leave_the_backups_of_the_user() {
    let env = healthy();
    for name in ["bak", "bak.1", "bak.2"] {
        env.file(&format!(".openclaw/openclaw.json.{name}"), format!("// {name}"));
    }
    let token = ", auth: {token: '0123456789abcdef0123456789abcdef'}";
    env.replace_in(CONFIG, token, "").replace_in(
        CONFIG,
        "{gateway",
        "{agent: {model: 'openai/gpt-5.2'}, gateway",
    );
    env.replace_in(CONFIG, "model: {primary: 'openai/gpt-5.2'}", "").private();
    assert_eq!(env.run(&["doctor", "--yes"]).code, 0);
    assert_eq!(env.run(&["doctor", "--undo"]).code, 0);
    let kept = ["bak.2", "bak.3", "bak.4"].map(|name| env.text(&format!(".openclaw/openclaw.json.{name}")));
    assert_eq!(kept, ["// bak", "// bak.1", "// bak.2"]);
}

#[test]
fn an_undo_that_fails_can_be_tried_again() {
    let env = healthy();
    let entry =
        "{auth: {profiles: {'anthropic:claude-cli': {provider: 'anthropic', mode: 'token'}}}, gateway";
    env.replace_in(CONFIG, "{gateway", entry).private();
    assert_eq!(env.run(&["doctor", "--fix"]).code, 0);
    let mended = env.text(CONFIG);
    env.file(CONFIG, "{ somebody is editing");
    let undone = env.run(&["doctor", "--undo"]);
    assert!(
        undone.code == 74 && undone.stdout.contains("`openclaw doctor --undo` tries again"),
        "{undone:?}"
    );
    env.file(CONFIG, mended);
    let undone = env.run(&["doctor", "--undo"]);
    assert!(undone.code == 0 && env.text(CONFIG).contains("mode: 'token'"), "{undone:?}");
}

#[test]
fn what_a_program_was_started_with_is_not_shown() {
    if !has("python3") {
        return skipped("python3 is not installed");
    }
    let env = healthy();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let listen = format!(
        "import socket, sys\ns = socket.create_server(('127.0.0.1', {port}))\nprint('up', flush=True)\nsys.stdin.read()"
    );
    let mut child = std::process::Command::new("python3")
        .args(["-c", &listen, "--api-key=sk-argument-0123456789"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut up = [0; 3];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut up).unwrap();
    env.replace_in(CONFIG, "port: 1,", &format!("port: {port},")).private();
    let ran = env.doctor(&["--only", "port-taken"]);
    env.replace_in(CONFIG, "mode: 'local'", "mode: 'remote'").private();
    let remote = env.doctor(&["--only", "port-taken"]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(ran.stdout.contains(&format!("process {} (python3", child.id())), "{ran:?}");
    assert!(!ran.stdout.contains("sk-argument"));
    assert_eq!(codes(&remote.json()), Vec::<String>::new(), "a tunnel to another machine");
}

#[test]
fn places_where_a_secret_has_to_be_are_no_copies() {
    let env = healthy();
    env.file(".openclaw/keys.json5", format!("{{env: {{GROQ_API_KEY: '{KEY}'}}}}"));
    env.replace_in(CONFIG, "{gateway", "{$include: './keys.json5', gateway").private();
    for settings in [".claude.json", ".claude/settings.json"] {
        env.file(settings, format!("{{\"env\": {{\"K\": \"{KEY}\"}}}}"));
    }
    env.private();
    assert_eq!(codes(&env.doctor(&["--only", "credential-copy"]).json()), Vec::<String>::new());
    env.mode(".openclaw/keys.json5", 0o644);
    let document = env.doctor(&["--only", "permissions-open"]).json();
    assert_eq!(found(&document, "permissions-open")["subject"], "~/.openclaw/keys.json5", "{document:#}");
    // A transcript is not to be thrown away for it, a large one is searched when there is time, and the gateway's token is
    // a secret too.
    env.file(".openclaw/agents/main/sessions/s.jsonl", format!("{}{KEY}", "x".repeat(5 * 1024 * 1024)));
    env.file(".openclaw/notes.txt", "0123456789abcdef0123456789abcdef");
    let document = env.doctor(&["--only", "credential-copy"]).json();
    let remedies: Vec<_> = document["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| found["remedy"].as_str().unwrap())
        .collect();
    assert_eq!(remedies.len(), 2, "{document:#}");
    assert!(
        remedies[0].starts_with("take it out of the file") && remedies[1].starts_with("`rm "),
        "{remedies:?}"
    );
}

#[test]
fn a_store_that_cannot_be_saved_is_found_wherever_it_lies() {
    let env = healthy();
    let script = "mount --bind .openclaw/agents .openclaw/agents && mount -o remount,ro,bind .openclaw/agents && \
                  exec $program doctor --json --only state-dir-unwritable";
    let Some(ran) = in_own_mounts(&env, script) else { return };
    assert_eq!((ran.code, codes(&ran.json())), (1, vec!["state-dir-unwritable".to_owned()]), "{ran:?}");
    let env = healthy();
    let script = "mkdir keep && cp -a .openclaw/agents/. keep/ && mount -t tmpfs -o mode=700,size=600k tmpfs .openclaw/agents && \
                  cp -a keep/. .openclaw/agents/ && exec $program doctor --json --only disk-full";
    let Some(ran) = in_own_mounts(&env, script) else { return };
    assert_eq!((ran.code, codes(&ran.json())), (1, vec!["disk-full".to_owned()]), "{ran:?}");
}

#[test]
fn nothing_looked_at_is_not_nothing_wrong() {
    let env = healthy();
    for args in [&["--only", "clock-skewed"][..], &["--only", "linger-off", "--skip", "linger-off"]] {
        let ran = env.doctor(args);
        assert_eq!((ran.code, ran.stdout.as_str()), (64, ""), "{ran:?}");
    }
    let part = env.run(&["doctor", "--only", "linger-off"]);
    assert!(part.stdout.contains("other things were not looked for"), "{part:?}");
}

#[test]
fn a_vendors_login_in_another_profile_is_one_login_too_many() {
    let env = healthy();
    let expires = env.now_ms() + 20 * DAY;
    env.change_profiles(|profiles| {
        profiles["anthropic:me"] = json!({"type": "oauth", "provider": "anthropic", "access": "at-x",
            "refresh": "rt-0123456789abcdefghij", "expires": expires});
        profiles.as_object_mut().unwrap().remove("anthropic:claude-cli");
    });
    env.private();
    // The sync makes the mirror, which is fine by itself; the third place is not.
    let document = env.doctor(&["--only", "shared-lineage"]).json();
    let message = found(&document, "shared-lineage")["message"].as_str().unwrap();
    assert!(
        message.contains("anthropic:me in ") && message.contains("Claude Code in ~/.claude/"),
        "{message}"
    );
}

#[test]
fn odd_units_are_read_as_systemd_reads_them() {
    let env = healthy();
    env.file("my node/bin/node", "").file("keys.d/a.env", "");
    let program = env.path("my node/bin/node").display().to_string();
    let pattern = env.path("keys.d").display().to_string();
    env.replace_in(
        UNIT,
        "ExecStart=/bin/true",
        &format!("EnvironmentFile={pattern}/*.env\nExecStart=\"{program}\" x"),
    );
    env.file(".config/environment.d/p.conf", "PATH=${HOME}/bin:$PATH\n");
    // Keys of the shell for providers that no model uses are nobody's business.
    let env = env.var("GITHUB_TOKEN", "ghp_0123456789abcdefghij");
    assert_eq!(codes(&env.doctor(&[]).json()), Vec::<String>::new());
}

#[test]
fn a_gateway_that_no_service_started_is_looked_at_too() {
    let env = TestEnv::real_time().var("OPENAI_API_KEY", "sk-old-0123456789abcdef");
    env.file(CONFIG, "{gateway: {auth: {token: '0123456789abcdef0123456789abcdef'}}, agents: {defaults: {model: {primary: 'openai/gpt-5.2'}}}}");
    env.file(CLAUDE, "{}").file(STORE, "{}").private();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let mut gateway =
        env.command(&["gateway", "run", "--port", &port]).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(gateway.stderr.as_mut().unwrap()), &mut said)
        .unwrap();
    assert!(said.contains("listening"), "{said}");
    let env = env.without_var("OPENAI_API_KEY").var("OPENCLAW_GATEWAY_PORT", &port);
    env.file(".openclaw/.env", "OPENAI_API_KEY=sk-new-0123456789abcdef\n").private();
    let ran = outcome(&mut env.command(&["where", "OPENAI_API_KEY", "--json"]));
    let doctor = outcome(&mut env.command(&["doctor", "--json", "--only", "service-process-stale"]));
    gateway.kill().unwrap();
    gateway.wait().unwrap();
    assert_eq!((ran.code, ran.json()["differences"][0]["who"].as_str()), (1, Some("process")), "{ran:?}");
    assert_eq!(
        (doctor.code, codes(&doctor.json())),
        (2, vec!["service-process-stale".to_owned()]),
        "{doctor:?}"
    );
}
