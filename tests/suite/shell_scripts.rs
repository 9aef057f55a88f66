//! The scripts that people have in timers, run by the shells that people have, with the real program.

use std::process::Command;

use serde_json::json;

use crate::support::inbox::Inbox;
use crate::support::{
    CLAUDE, CONFIG, DAY, HOUR, Outcome, STORE, TestEnv, has, outcome, real_now_ms, skipped, token,
};

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts");
const SHELLS: &[&[&str]] = &[&["dash"], &["bash", "--posix"], &["busybox", "sh"]];

/// A host whose default model has a key, with the program in `~/.local/bin` and nothing else on the PATH.
fn host() -> TestEnv {
    let env = TestEnv::real_time().var("OPENAI_API_KEY", "sk-openai-0123456789abcdef").var("PATH", "");
    env.file(CONFIG, "{agents: {defaults: {model: {primary: 'openai/gpt-5.2'}}}}");
    fs_err::create_dir_all(env.path(".local/bin")).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_openclaw"), env.path(".local/bin/openclaw")).unwrap();
    env
}

fn command(env: &TestEnv, shell: &[&str], script: &str, args: &[&str]) -> Command {
    let program = std::path::Path::new("/usr/bin").join(shell[0]);
    let words: Vec<_> = shell[1..].iter().copied().map(str::to_owned).collect();
    let mut command = env.in_shell(program, &[]);
    command.args(words).arg(format!("{SCRIPTS}/{script}")).args(args);
    command
}

/// Runs a script under every shell that is here; all must agree.
fn run(env: &TestEnv, script: &str, args: &[&str]) -> Outcome {
    let mut outcomes = Vec::new();
    for shell in SHELLS {
        if has(shell[0]) {
            outcomes.push(outcome(&mut command(env, shell, script, args)));
        } else {
            skipped(&format!("{} is not installed", shell[0]));
        }
    }
    let first = outcomes.remove(0);
    for other in outcomes {
        assert_eq!((other.code, &other.stdout), (first.code, &first.stdout), "{script}: {}", other.stderr);
    }
    first
}

fn claude(env: &TestEnv, left: i64) {
    let login = json!({"accessToken": "a", "refreshToken": "r", "expiresAt": real_now_ms() + left});
    env.file(CLAUDE, json!({"claudeAiOauth": login}).to_string());
}

#[test]
fn claude_auth_status_says_one_word_and_exits_with_it() {
    const SCRIPT: &str = "claude-auth-status.sh";
    for (left, word, code) in [
        (Some(8 * HOUR + HOUR / 2), "OK", 0),
        (Some(HOUR / 2), "CLAUDE_EXPIRING", 2),
        (Some(-HOUR), "CLAUDE_EXPIRED", 1),
        (None, "CLAUDE_EXPIRED", 1),
    ] {
        let env = host();
        if let Some(left) = left {
            claude(&env, left);
        }
        let simple = run(&env, SCRIPT, &["simple"]);
        assert_eq!((simple.stdout, simple.code), (format!("{word}\n"), code));
        let document = run(&env, SCRIPT, &["json"]);
        assert_eq!((document.code, &document.json()["needs_reauth"]), (0, &json!(code != 0)));
        let full = run(&env, SCRIPT, &[]);
        assert_eq!(full.code, 0);
        for block in ["Claude Code (~/.claude/.credentials.json):", "OpenClaw Auth (~/", "OpenClaw service: "]
        {
            assert!(full.stdout.contains(block), "{block}: {full:?}");
        }
    }
    let env = host();
    claude(&env, 8 * HOUR);
    env.profiles(json!({"anthropic:claude-cli": token("anthropic", json!(real_now_ms() + HOUR / 2))}));
    // The sync brings the longer one in; what stays short is one of ours.
    env.file(CLAUDE, "{}");
    env.profiles(json!({"anthropic:manual": token("anthropic", json!(real_now_ms() + HOUR / 2))}));
    assert_eq!(run(&env, SCRIPT, &["json"]).json()["claude_code"]["status"], "MISSING");
    assert_eq!(run(&env, SCRIPT, &["nonsense"]).code, 64);
}

#[test]
fn without_the_program_no_script_says_anything_that_reads_as_fine() {
    let env = TestEnv::real_time().var("PATH", "/usr/bin:/bin");
    claude(&env, 8 * HOUR);
    for (script, args, code) in [
        ("claude-auth-status.sh", &["simple"][..], 69),
        ("claude-auth-status.sh", &["json"], 69),
        ("claude-auth-status.sh", &[], 69),
        ("auth-monitor.sh", &[], 69),
        ("mobile-reauth.sh", &[], 1),
    ] {
        let said = run(&env, script, args);
        assert_eq!((said.code, said.stdout.as_str()), (code, ""), "{script}");
        assert!(said.stderr.contains("openclaw is not on the PATH"), "{said:?}");
    }
}

#[test]
fn auth_monitor_tells_by_ntfy_once_and_exits_as_it_always_did() {
    let inbox = Inbox::new();
    let topic = inbox.url("/credentials");
    let env = host().var("NOTIFY_NTFY", topic);
    let manual = |left: i64| {
        env.profiles(json!({"anthropic:manual": token("anthropic", json!(real_now_ms() + left))}));
    };
    manual(90 * DAY);
    assert_eq!((run(&env, "auth-monitor.sh", &[]).code, inbox.arrived().len()), (0, 0));
    manual(HOUR);
    assert_eq!(
        (run(&env, "auth-monitor.sh", &[]).code, inbox.arrived().len()),
        (0, 1),
        "soon is told, and is 0"
    );
    // What is worse is told although something was told within the hour.
    manual(-HOUR);
    assert_eq!((run(&env, "auth-monitor.sh", &[]).code, inbox.arrived().len()), (1, 2));
    assert_eq!((run(&env, "auth-monitor.sh", &[]).code, inbox.arrived().len()), (1, 2));
}

#[test]
fn auth_monitor_takes_its_hours_and_passes_over_the_phone() {
    let env = host();
    env.profiles(json!({"anthropic:manual": token("anthropic", json!(real_now_ms() + 5 * HOUR))}));
    let told = |outcome: &Outcome| outcome.stderr.contains("anthropic:manual");
    let quiet = run(&env, "auth-monitor.sh", &[]);
    assert_eq!((quiet.code, told(&quiet)), (0, false), "two hours by themselves: {quiet:?}");
    let wider = outcome(command(&env, SHELLS[0], "auth-monitor.sh", &[]).env("WARN_HOURS", "6"));
    assert_eq!((wider.code, told(&wider)), (0, true), "{wider:?}");
    for hours in ["2h", "-1", "1.5", "; rm -rf ~"] {
        let refused = outcome(command(&env, SHELLS[0], "auth-monitor.sh", &[]).env("WARN_HOURS", hours));
        assert_eq!(refused.code, 64, "{refused:?}");
    }
    let phone =
        outcome(command(&env, SHELLS[0], "auth-monitor.sh", &[]).env("NOTIFY_PHONE", "+491700000000"));
    assert_eq!(phone.code, 0);
    assert!(
        phone.stderr.contains("NOTIFY_PHONE is passed over") && !phone.stderr.contains("+49170"),
        "{phone:?}"
    );
    // A check that failed is no verdict.
    env.file(".openclaw/ops.json", "{ torn");
    assert_eq!(run(&env, "auth-monitor.sh", &[]).code, 78);
}

#[test]
fn mobile_reauth_stops_when_nobody_is_needed_and_fails_with_one() {
    let env = host();
    env.profiles(json!({"anthropic:manual": token("anthropic", json!(real_now_ms() + 90 * DAY))}));
    let fine = run(&env, "mobile-reauth.sh", &[]);
    assert_eq!(fine.code, 0, "{fine:?}");
    assert!(fine.stdout.contains("OpenClaw Auth (~/") && fine.stdout.ends_with("Nobody is needed.\n"));
    env.profiles(json!({"anthropic:manual": token("anthropic", json!(real_now_ms() - HOUR))}));
    let blind = run(&env, "mobile-reauth.sh", &[]);
    assert_eq!(blind.code, 1, "{blind:?}");
    assert!(env.exists(STORE));
}
