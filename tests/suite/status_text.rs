//! The page for a person.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{CONFIG, DAY, HOUR, MINUTE, STORE, TestEnv, api_key, oauth, token};

fn busy_host() -> TestEnv {
    let env = TestEnv::new().var("ANTHROPIC_OAUTH_TOKEN", "sk-ant-oat01-0123456789abcdef");
    let now = env.now_ms();
    env.file(CONFIG, "{agents: {defaults: {model: {primary: 'groq/llama', fallbacks: ['openai/gpt-5.2']}}}}");
    let login = json!({"accessToken": "at-AAAA", "refreshToken": "rt-BBBB", "expiresAt": now - 3 * HOUR,
        "refreshTokenExpiresAt": now + 20 * DAY, "subscriptionType": "max"});
    env.file(crate::support::CLAUDE, json!({ "claudeAiOauth": login }).to_string());
    let store = json!({"profiles": {
        "openai:default": api_key("openai", "sk-proj-0123456789abcdef"),
        "anthropic:claude-cli": oauth("anthropic", json!(now - 3 * HOUR)),
        "anthropic:manual": token("anthropic", json!(now + 5 * HOUR + 30 * MINUTE)),
        "chutes:default": oauth("chutes", json!(now + 9 * DAY)),
    }, "usageStats": {
        "openai:default": {"disabledUntil": now + 2 * HOUR, "disabledReason": "billing"},
        "gone:x": {"cooldownUntil": now + 5 * MINUTE},
    }});
    env.file(STORE, store.to_string());
    env
}

#[test]
fn the_worst_comes_first_with_what_mends_it() {
    assert_snapshot!(busy_host().status(&["--check"]).shown());
}

#[test]
fn a_host_without_anything_says_what_is_missing_and_how_to_get_it() {
    assert_snapshot!(TestEnv::new().status(&["--check"]).shown());
}

#[test]
fn a_host_in_order_says_so() {
    let env = TestEnv::with_default_key();
    env.profiles(json!({"anthropic:x": token("anthropic", json!(env.now_ms() + 100 * DAY))}));
    assert_snapshot!(env.status(&["--check"]).shown());
}

#[test]
fn an_unreadable_store_is_the_headline() {
    let env = TestEnv::with_default_key();
    env.file(STORE, "{ torn");
    assert_snapshot!(env.status(&["--check"]).shown());
}

#[test]
fn lines_fit_the_terminal() {
    for width in [40, 60, 80, 100, 200] {
        let env = busy_host().width(width).var("NO_COLOR", "1");
        let text = env.status(&[]).stdout;
        for line in text.lines() {
            let longest = line.split(' ').map(str::len).max().unwrap_or_default();
            assert!(line.chars().count() <= width.max(12 + longest), "{width}: {line:?}");
        }
    }
    assert_snapshot!(busy_host().width(60).var("NO_COLOR", "1").status(&[]).stdout);
}

#[test]
fn colour_is_only_for_terminals_and_only_when_wanted() {
    let coloured = |env: &TestEnv, args: &[&str]| env.run(args).stdout.contains('\u{1b}');
    let status = ["models", "status"];
    assert!(!coloured(&busy_host(), &status));
    assert!(coloured(&busy_host().width(80), &status));
    assert!(!coloured(&busy_host().width(80).var("NO_COLOR", "1"), &status));
    assert!(!coloured(&busy_host().width(80), &["models", "status", "--no-color"]));
    assert!(!coloured(&busy_host().width(80), &["--no-color", "models", "status"]));
    assert!(!coloured(&busy_host().width(80), &["models", "status", "--json"]));
}

#[test]
fn watch_redraws_on_a_real_terminal_until_interrupted() {
    let env = TestEnv::with_default_key();
    let pty = nix::pty::openpty(None, None).unwrap();
    let side = || Stdio::from(pty.slave.try_clone().unwrap());
    let mut command = env.command(&["models", "status", "--watch", "10ms"]);
    let mut child = command.stdin(side()).stdout(side()).stderr(side()).spawn().unwrap();
    drop(command);
    let mut terminal = fs_err::File::from_parts(std::fs::File::from(pty.master.try_clone().unwrap()), "pty");
    let (mut seen, mut chunk) = (String::new(), [0; 4096]);
    while seen.matches("\u{1b}[2J\u{1b}[H").count() < 3 {
        let count = terminal.read(&mut chunk).unwrap();
        seen.push_str(&String::from_utf8_lossy(&chunk[..count]));
    }
    assert!(seen.contains("no credential has ended or is missing"), "{seen}");

    env.file(CONFIG, "{ half an edit");
    while !seen.contains("invalid config: ") {
        let count = terminal.read(&mut chunk).unwrap();
        seen.push_str(&String::from_utf8_lossy(&chunk[..count]));
    }
    assert!(child.try_wait().unwrap().is_none(), "a half-made edit does not end the watch");
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.signal(), Some(2), "a shell shows this as 130");
}
