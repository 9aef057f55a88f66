//! Machines in trouble: no permission, read-only, full, mounted over, hung.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use serde_json::json;

use crate::support::{
    CLAUDE, DAY, HOUR, Outcome, STORE, TestEnv, finding_codes, in_own_mounts, is_root, oauth, outcome,
    profile, real_now_ms, skipped,
};

/// The user `nobody`, whom permissions hold back.
const NOBODY: u32 = 65_534;

fn claude_login(env: &TestEnv) {
    let login =
        json!({"accessToken": "cli-at", "refreshToken": "cli-rt", "expiresAt": real_now_ms() + 3 * DAY});
    env.file(CLAUDE, json!({ "claudeAiOauth": login }).to_string());
}

/// Gives the whole home to a user without rights and runs the program as that user; as it is when not root.
fn as_nobody(env: &TestEnv, args: &[&str]) -> Outcome {
    let mut command = env.command(args);
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    outcome(&mut command)
}

fn hand_over(env: &TestEnv) {
    if is_root() {
        let home = env.path("");
        assert!(
            Command::new("chown")
                .arg("-R")
                .arg(format!("{NOBODY}:{NOBODY}"))
                .arg(&home)
                .status()
                .unwrap()
                .success()
        );
    }
}

fn check(env: &TestEnv) -> (u8, serde_json::Value) {
    let outcome = as_nobody(env, &["models", "status", "--json", "--check"]);
    (outcome.code, outcome.json())
}

#[test]
fn a_store_without_permission_is_unreadable_and_the_rest_is_shown() {
    let env = TestEnv::with_default_key();
    env.profiles(json!({"openai:a": {"type": "api_key", "provider": "openai", "key": "k"}}));
    claude_login(&env);
    env.mode(STORE, 0o000);
    hand_over(&env);
    let (code, document) = check(&env);
    assert_eq!(code, 1);
    let source =
        document["sources"].as_array().unwrap().iter().find(|source| source["role"] == "auth store").unwrap();
    assert_eq!(source["error"], "permission denied");
    assert_eq!(profile(&document, "anthropic:claude-cli")["status"], "ok");
}

#[test]
fn a_folder_without_permission_is_not_taken_for_an_absent_store() {
    let env = TestEnv::with_default_key();
    env.profiles(json!({"openai:a": {"type": "api_key", "provider": "openai", "key": "k"}}));
    hand_over(&env);
    env.mode(".openclaw/agents/main", 0o000);
    let (code, document) = check(&env);
    env.mode(".openclaw/agents/main", 0o700);
    assert_eq!(code, 1);
    assert!(finding_codes(&document).contains(&"source-unreadable"));
}

#[test]
fn a_read_only_home_costs_a_finding_and_not_the_report() {
    let env = TestEnv::with_default_key();
    env.profiles(json!({}));
    claude_login(&env);
    hand_over(&env);
    let folder = ".openclaw/agents/main/agent";
    env.mode(folder, 0o500);
    let before = env.text(STORE);
    let (code, document) = check(&env);
    env.mode(folder, 0o700);
    assert_eq!(code, 0);
    assert_eq!(profile(&document, "anthropic:claude-cli")["status"], "ok");
    assert!(finding_codes(&document).contains(&"sync-not-saved"));
    assert_eq!(env.text(STORE), before);
}

#[test]
fn root_leaves_the_store_to_its_owner() {
    if !is_root() {
        return skipped("only root can give files away");
    }
    let env = TestEnv::with_default_key();
    env.profiles(json!({}));
    claude_login(&env);
    hand_over(&env);
    assert_eq!(outcome(&mut env.command(&["models", "status", "--check"])).code, 0);
    let store = fs_err::metadata(env.path(STORE)).unwrap();
    assert_eq!((store.uid(), store.gid(), store.mode() & 0o777), (NOBODY, NOBODY, 0o600));
    assert!(env.text(STORE).contains("cli-at"));

    let env = TestEnv::with_default_key();
    claude_login(&env);
    hand_over(&env);
    outcome(&mut env.command(&["models", "status"]));
    for path in [STORE, ".openclaw/agents", ".openclaw/agents/main/agent"] {
        assert_eq!(fs_err::metadata(env.path(path)).unwrap().uid(), NOBODY, "{path}");
    }
}

#[test]
fn a_full_disk_keeps_the_old_store_whole() {
    let env = TestEnv::with_default_key();
    env.profiles(json!({"keep:x": oauth("keep", json!(real_now_ms() + 3 * DAY))}));
    claude_login(&env);
    let script = "mkdir full && mount -t tmpfs -o size=64k tmpfs full && cp .openclaw/agents/main/agent/auth-profiles.json full/ && \
                  before=$(cat full/auth-profiles.json) && { cat /dev/zero > full/filler 2>/dev/null || true; } && \
                  export OPENCLAW_AGENT_DIR=$PWD/full && code=0 && \"$program\" models status --json --check || code=$?; \
                  [ \"$before\" = \"$(cat full/auth-profiles.json)\" ] || exit 99; ls -A full >&2; exit ${code:-0}";
    let Some(ran) = in_own_mounts(&env, script) else { return };
    assert_eq!(ran.code, 0, "{ran:?}");
    let document = ran.json();
    assert_eq!(profile(&document, "anthropic:claude-cli")["status"], "ok");
    let findings = document["findings"].to_string();
    assert!(
        findings.contains("sync-not-saved") && findings.contains("no space left on the disk"),
        "{findings}"
    );
    assert_eq!(ran.stderr, "auth-profiles.json\nfiller\n", "no lock and no temporary file stays");
}

#[test]
fn a_store_that_is_a_mount_point_is_written_in_place_and_told() {
    let env = TestEnv::with_default_key();
    env.profiles(json!({"keep:x": oauth("keep", json!(real_now_ms() + 3 * DAY))}));
    env.file("outside.json", env.text(STORE));
    claude_login(&env);
    let script = "mount --bind outside.json .openclaw/agents/main/agent/auth-profiles.json && \"$program\" models status --json --check";
    let Some(ran) = in_own_mounts(&env, script) else { return };
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.json()["findings"].to_string().contains("written in place"));
    let written = env.read_json("outside.json");
    assert_eq!(written["profiles"]["anthropic:claude-cli"]["access"], "cli-at");
    assert!(written["profiles"]["keep:x"].is_object());
    let left = fs_err::read_dir(env.path(".openclaw/agents/main/agent")).unwrap().count();
    assert_eq!(left, 1, "no copy stays");
}

#[test]
fn a_failed_write_in_place_puts_the_old_content_back() {
    let env = TestEnv::with_default_key();
    env.profiles(json!({"keep:x": {"type": "api_key", "provider": "keep", "key": "k".repeat(3_900)}}));
    claude_login(&env);
    // The store lives on a disk of one page: the new content does not fit, the old one does.
    let script = "mkdir full && mount -t tmpfs -o size=4k tmpfs full && cp .openclaw/agents/main/agent/auth-profiles.json full/s && \
                  mount --bind full/s .openclaw/agents/main/agent/auth-profiles.json && \
                  \"$program\" models status --json --check; code=$?; cmp full/s before >&2; ls -A .openclaw/agents/main/agent >&2; exit $code";
    env.file("before", env.text(STORE));
    let Some(ran) = in_own_mounts(&env, &script.replace("set -e; ", "")) else { return };
    assert!(ran.json()["findings"].to_string().contains("no space left on the disk"), "{ran:?}");
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (0, "auth-profiles.json\n"),
        "as it was, and nothing left beside it"
    );
}

#[test]
fn a_hung_mount_costs_its_own_file_and_the_command_ends_in_time() {
    let env = TestEnv::with_default_key();
    env.profiles(json!({"keep:x": oauth("keep", json!(real_now_ms() + 3 * DAY))}));
    fs_err::create_dir(env.path(".claude")).unwrap();
    // A FUSE mount whose server never answers: every open of it waits for ever.
    let script = "exec 9<>/dev/fuse && mount -i -t fuse -o fd=9,rootmode=40000,user_id=0,group_id=0 hung .claude && \
                  \"$program\" models status --json --check --timeout 3s 9<&-";
    if !std::path::Path::new("/dev/fuse").exists() {
        return skipped("there is no /dev/fuse");
    }
    let Some(ran) = in_own_mounts(&env, script) else { return };
    assert_eq!(ran.code, 1, "{ran:?}");
    let document = ran.json();
    assert_eq!(profile(&document, "keep:x")["status"], "ok", "what was read before is shown");
    let sources = document["sources"].as_array().unwrap();
    let hung = sources.iter().find(|source| source["role"] == "Claude Code login").unwrap();
    assert_eq!(hung["error"], "could not be read in time");
}

#[test]
fn a_full_stdout_is_an_io_error_and_a_closed_one_is_none() {
    let env = TestEnv::with_default_key();
    let full = fs_err::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = env.command(&["models", "status", "--check"]);
    let status = command.stdout(full.into_file()).stderr(std::process::Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(74));

    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = env.command(&["models", "status", "--check"]);
    let output = command
        .stdout(writer)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap()
        .wait_with_output()
        .unwrap();
    assert_eq!(
        (output.status.code(), output.stderr.as_slice()),
        (Some(0), &b""[..]),
        "the verdict still counts"
    );
}

#[test]
fn the_real_program_judges_by_the_machines_clock() {
    let env = TestEnv::with_default_key();
    let now = real_now_ms();
    for (expires, code) in [(now + 3 * DAY, 0), (now + HOUR, 2), (now - HOUR, 1)] {
        env.profiles(json!({"a:x": {"type": "token", "provider": "a", "token": "t", "expires": expires}}));
        assert_eq!(outcome(&mut env.command(&["models", "status", "--check"])).code, code);
    }
}
