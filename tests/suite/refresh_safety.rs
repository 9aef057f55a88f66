//! No login is lost and no refresh token is spent twice: races with vendor programs, kills at every step, full disks.

use std::path::PathBuf;
use std::time::Duration;

use openclaw::clock::Clock;
use openclaw::sys::lock::{self, Protocol};
use serde_json::{Value, json};

use crate::support::provider::{Provider, Reply};
use crate::support::{
    CLAUDE, HOUR, OPS, STORE, TestEnv, finding_codes, has, in_own_mounts, number_from_env, oauth, outcome,
    real_now_ms, set_mtime_back, skipped,
};

const QWEN: &str = ".qwen/oauth_creds.json";
const RECOVERY: &str = ".openclaw/recovery";
const REFRESH: &[&str] = &["models", "auth", "refresh"];
/// What a step of a refresh is to the kernel.
const STEPS: &[&str] = &[
    "mkdir",
    "rmdir",
    "flock",
    "connect",
    "writev",
    "recvfrom",
    "write",
    "pwrite64",
    "fsync",
    "fdatasync",
    "renameat",
    "unlink",
];

fn claude_file(at: &str, rt: &str, expires: i64) -> String {
    json!({"claudeAiOauth": {"accessToken": at, "refreshToken": rt, "expiresAt": expires}, "mine": [1.0]})
        .to_string()
}

/// A host on which the login of Claude Code has expired, in its file and in the store.
fn host(provider: &Provider) -> TestEnv {
    let env = TestEnv::real_time();
    let expires = real_now_ms() - HOUR;
    env.file(CLAUDE, claude_file("at-AAAA", "rt-BBBB", expires));
    env.profiles(json!({"anthropic:claude-cli": oauth("anthropic", json!(expires))}));
    env.file(OPS, provider.ops(&["anthropic"]));
    env
}

fn token_in_store(env: &TestEnv) -> String {
    env.read_json(STORE)["profiles"]["anthropic:claude-cli"]["refresh"].as_str().unwrap().to_owned()
}

fn token_in_claude_file(env: &TestEnv) -> String {
    env.read_json(CLAUDE)["claudeAiOauth"]["refreshToken"].as_str().unwrap().to_owned()
}

/// Every lock directory that a refresh of this host may leave behind.
fn locks(env: &TestEnv) -> Vec<PathBuf> {
    let store = env.path(STORE).canonicalize().unwrap();
    let mut locks = Protocol::of_store(&store).places;
    locks.extend(Protocol::of_claude_code(&env.path(CLAUDE)).places);
    locks
}

/// What a refresh has left for later: files with content in the recovery folder.
fn parked(env: &TestEnv) -> usize {
    let entries = fs_err::read_dir(env.path(RECOVERY)).into_iter().flatten().flatten();
    entries.filter(|entry| !fs_err::read_to_string(entry.path()).unwrap().trim().is_empty()).count()
}

#[test]
fn claude_code_and_we_renew_at_the_same_time_and_one_of_us_adopts() {
    for round in 0..10 {
        let provider = Provider::knowing(&["rt-BBBB"]);
        let env = host(&provider);
        let file = env.path(CLAUDE);
        std::thread::scope(|scope| {
            // Claude Code's side, by its own protocol: both locks, look again, spend, write, release.
            scope.spawn(|| {
                let protocol = Protocol::of_claude_code(&file);
                let held =
                    lock::acquire(&protocol, &Clock::System, Duration::from_secs(20), &|| false).unwrap();
                let login = env.read_json(CLAUDE)["claudeAiOauth"].clone();
                if login["expiresAt"].as_i64().unwrap() < real_now_ms() {
                    let tokens = provider.spend(login["refreshToken"].as_str().unwrap()).unwrap();
                    let (at, rt) =
                        (tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str().unwrap());
                    let temporary = file.with_extension("new");
                    fs_err::write(&temporary, claude_file(at, rt, real_now_ms() + 8 * HOUR)).unwrap();
                    fs_err::rename(&temporary, &file).unwrap();
                }
                drop(held);
            });
            scope.spawn(|| {
                let ran = outcome(&mut env.command(REFRESH));
                assert_eq!(ran.code, 0, "round {round}: {ran:?}");
            });
        });
        assert_eq!(provider.reused(), 0, "round {round}");
        assert!(provider.is_live("rt-generation-1"), "round {round}: one spend");
        assert_eq!(token_in_store(&env), "rt-generation-1", "round {round}");
        assert_eq!(token_in_claude_file(&env), "rt-generation-1", "round {round}");
        assert!(locks(&env).iter().all(|lock| !lock.exists()), "round {round}");
    }
}

#[test]
fn qwen_code_and_we_renew_at_the_same_time_and_one_of_us_adopts() {
    for round in 0..5 {
        let provider = Provider::knowing(&["rt-BBBB"]);
        let env = TestEnv::real_time();
        let login = |at: &str, rt: &str, expires: i64| {
            json!({"access_token": at, "refresh_token": rt, "expiry_date": expires, "resource_url": "x"})
                .to_string()
        };
        env.file(QWEN, login("at-AAAA", "rt-BBBB", real_now_ms() - HOUR))
            .file(OPS, provider.ops(&["qwen-portal"]));
        let lock = env.path(QWEN).with_file_name("oauth_creds.lock");
        std::thread::scope(|scope| {
            // Qwen Code's side: a file made exclusively, look again, spend, write in place, remove the file.
            scope.spawn(|| {
                while fs_err::File::create_new(&lock).is_err() {
                    std::thread::yield_now();
                }
                let tokens = env.read_json(QWEN);
                if tokens["expiry_date"].as_i64().unwrap() < real_now_ms() {
                    let new = provider.spend(tokens["refresh_token"].as_str().unwrap()).unwrap();
                    let (at, rt) =
                        (new["access_token"].as_str().unwrap(), new["refresh_token"].as_str().unwrap());
                    env.file(QWEN, login(at, rt, real_now_ms() + 6 * HOUR));
                }
                fs_err::remove_file(&lock).unwrap();
            });
            scope.spawn(|| {
                let ran = outcome(&mut env.command(REFRESH));
                assert_eq!(ran.code, 0, "round {round}: {ran:?}");
            });
        });
        let stored = env.read_json(STORE)["profiles"]["qwen-portal:qwen-cli"]["refresh"].clone();
        assert_eq!((provider.reused(), stored.as_str()), (0, Some("rt-generation-1")), "round {round}");
        assert_eq!(env.read_json(QWEN)["refresh_token"], "rt-generation-1", "round {round}");
        assert!(!lock.exists(), "round {round}");
    }
    let provider = Provider::knowing(&["rt-BBBB"]);
    let env = TestEnv::real_time();
    env.file(QWEN, json!({"access_token": "a", "refresh_token": "rt-BBBB", "expiry_date": 5}).to_string());
    env.file(OPS, provider.ops(&["qwen-portal"])).file(".qwen/oauth_creds.lock", "left by a dead one");
    set_mtime_back(&env.path(".qwen/oauth_creds.lock"), Duration::from_secs(11));
    assert_eq!(env.run(REFRESH).code, 0);
    assert!(!env.exists(".qwen/oauth_creds.lock"));
}

#[test]
fn a_lock_that_claude_code_left_is_broken_by_its_own_rule() {
    let provider = Provider::knowing(&["rt-BBBB"]);
    let env = host(&provider);
    let left = &Protocol::of_claude_code(&env.path(CLAUDE)).places[0];
    fs_err::create_dir(left).unwrap();
    set_mtime_back(left, Duration::from_secs(61));
    assert_eq!(env.run(REFRESH).code, 0);
    assert!(!left.exists());

    // One that is younger belongs to somebody: we wait, and then say whose it is and spend nothing.
    let provider = Provider::knowing(&["rt-BBBB"]);
    let env = TestEnv::new();
    env.file(CLAUDE, claude_file("at-AAAA", "rt-BBBB", env.now_ms() - HOUR))
        .file(OPS, provider.ops(&["anthropic"]));
    let young = Protocol::of_claude_code(&env.path(CLAUDE)).places[1].clone();
    fs_err::create_dir(&young).unwrap();
    env.set_modified(".claude.lock", env.now_ms() + 50_000);
    let ran = env.run(REFRESH);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stdout.contains("Claude Code holds its lock ~/.claude.lock"), "{ran:?}");
    assert_eq!(provider.spent(), 0);
    assert!(!Protocol::of_claude_code(&env.path(CLAUDE)).places[0].exists());
}

/// What one kill came to.
#[derive(Debug, PartialEq)]
enum Killed {
    /// It ended before its step came.
    TooLate,
    /// Between the request and the recovery file: the one window that nothing can close.
    InTheWindow,
    /// Anywhere else, and everything was mended by the next run.
    Mended,
}

/// Kills a refresh at the nth of some system call.
fn kill_at(call: &str, nth: usize) -> Killed {
    let provider = Provider::knowing(&["rt-BBBB"]);
    let env = host(&provider);
    let step = format!("{call} {nth}");
    let inject = format!("inject={call}:signal=KILL:when={nth}");
    let trace = format!("trace={call}");
    let before = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
    let ran = env.wrapped(&before, REFRESH).stdin(std::process::Stdio::null()).output().unwrap();
    let is_complete = ran.status.success();
    // Whatever was there can be read, whenever it ended.
    let (store, file) = (token_in_store(&env), token_in_claude_file(&env));
    let in_window = provider.spent() == 1 && parked(&env) == 0 && store == "rt-BBBB";
    for lock in locks(&env).iter().filter(|lock| lock.exists()) {
        set_mtime_back(lock, Duration::from_mins(2));
    }
    if is_complete {
        assert_eq!((store.as_str(), file.as_str()), ("rt-generation-1", "rt-generation-1"));
        return Killed::TooLate;
    }
    if in_window {
        return Killed::InTheWindow;
    }
    let again = outcome(&mut env.command(REFRESH));
    assert_eq!(again.code, 0, "killed at step {step}: {again:?}");
    assert_eq!((provider.spent(), provider.reused()), (1, 0), "killed at step {step}");
    assert_eq!(token_in_store(&env), "rt-generation-1", "killed at step {step}");
    assert_eq!(token_in_claude_file(&env), "rt-generation-1", "killed at step {step}: {again:?}");
    assert_eq!(env.read_json(CLAUDE)["mine"], json!([1.0]));
    assert_eq!(parked(&env), 0, "killed at step {step}");
    Killed::Mended
}

#[test]
fn a_kill_at_any_step_loses_no_login_and_spends_no_token_twice() {
    if !has("strace") {
        return skipped("strace is not installed");
    }
    let mut steps = Vec::new();
    let mut window = Vec::new();
    for &call in STEPS {
        let before = steps.len();
        for nth in 1.. {
            match kill_at(call, nth) {
                Killed::TooLate => break,
                Killed::InTheWindow => window.push(format!("{call} {nth}")),
                Killed::Mended => {}
            }
            steps.push((call, nth));
        }
        assert!(steps.len() > before, "a refresh does {call}");
    }
    assert!(steps.len() > 30, "{steps:?}");
    // Receiving the answer, writing it and making that durable; nothing else.
    assert!(
        window
            .iter()
            .all(|step| ["recvfrom", "pwrite64", "fdatasync"].iter().any(|call| step.starts_with(call))),
        "{window:?}"
    );
    assert!((1..=5).contains(&window.len()), "{window:?}");
    for round in 0..number_from_env("SOAK_REFRESH_KILLS", 0) {
        let (call, nth) = steps[round % steps.len()];
        kill_at(call, nth);
    }
}

#[test]
fn tokens_that_a_disk_does_not_take_are_parked_and_the_next_run_stores_them() {
    let provider = Provider::knowing(&["rt-BBBB"]);
    let env = host(&provider);
    let script = "mkdir full && mount -t tmpfs -o size=64k tmpfs full && cp .openclaw/agents/main/agent/auth-profiles.json full/ && \
                  { cat /dev/zero > full/filler 2>/dev/null || true; } && \
                  export OPENCLAW_AGENT_DIR=$PWD/full && { \"$program\" models auth refresh; echo $?; \
                  \"$program\" models status --json > during.json; rm full/filler; \"$program\" models status --json > after.json; \
                  cat full/auth-profiles.json > stored.json; \"$program\" models auth refresh; }";
    let Some(ran) = in_own_mounts(&env, script) else { return };
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.stderr.contains("trying again") && ran.stderr.contains("no space left on the disk"),
        "{ran:?}"
    );
    let safe = "The new tokens are safe in ~/.openclaw/recovery/";
    assert!(ran.stdout.contains(safe) && ran.stdout.contains("\n74\n"), "{ran:?}");
    let during: Value = serde_json::from_str(&env.text("during.json")).unwrap();
    assert!(finding_codes(&during).contains(&"refresh-not-saved"), "{}", during["findings"]);
    let after: Value = serde_json::from_str(&env.text("after.json")).unwrap();
    assert!(finding_codes(&after).contains(&"sync-performed"), "{}", after["findings"]);
    assert!(env.text("stored.json").contains("rt-generation-1"));
    assert_eq!(token_in_claude_file(&env), "rt-generation-1", "{ran:?}");
    assert_eq!((provider.spent(), provider.reused(), parked(&env)), (1, 0, 0));
}

#[test]
fn nothing_is_spent_when_there_is_no_room_for_the_answer() {
    let provider = Provider::knowing(&["rt-BBBB"]);
    let env = host(&provider);
    let script = "mkdir .openclaw/recovery && mount -t tmpfs -o size=4k tmpfs .openclaw/recovery && \
                  \"$program\" models auth refresh --json";
    let Some(ran) = in_own_mounts(&env, script) else { return };
    assert_eq!(ran.code, 1, "{ran:?}");
    let login = &ran.json()["logins"][0];
    assert_eq!(login["outcome"], "unready");
    assert!(login["message"].as_str().unwrap().contains("no room to keep new tokens"), "{login}");
    assert_eq!(provider.seen().len(), 0);
}

#[test]
fn a_vendors_file_that_cannot_be_written_gets_its_tokens_later() {
    let provider = Provider::knowing(&["rt-BBBB"]);
    let env = host(&provider);
    let script = "mount --bind .claude .claude && mount -o remount,ro,bind .claude && \"$program\" models auth refresh; echo $?";
    let Some(ran) = in_own_mounts(&env, script) else { return };
    assert!(ran.stdout.contains("read-only"), "{ran:?}");
    assert_eq!(token_in_claude_file(&env), "rt-BBBB");
    // A login whose locks cannot be taken is not touched at all.
    assert_eq!((provider.spent(), token_in_store(&env).as_str()), (0, "rt-BBBB"));

    let script = "mount --bind .claude/.credentials.json .claude/.credentials.json && \
                  mount -o remount,ro,bind .claude/.credentials.json && \"$program\" models auth refresh; echo $?";
    let Some(ran) = in_own_mounts(&env, script) else { return };
    assert!(ran.stdout.contains("The new tokens are safe in") && ran.stdout.ends_with("\n74\n"), "{ran:?}");
    assert_eq!((token_in_store(&env).as_str(), parked(&env)), ("rt-generation-1", 1));
    // The program may be asked again and again meanwhile; once the file can be written it gets the newest tokens.
    let ran = outcome(&mut env.command(REFRESH));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!((token_in_claude_file(&env).as_str(), parked(&env)), ("rt-generation-1", 0));
    assert_eq!((provider.spent(), provider.reused()), (1, 0));
}

#[test]
fn status_renews_first_when_it_is_told_to_and_never_else() {
    let provider = Provider::knowing(&["rt-BBBB"]);
    let env = host(&provider);
    assert_eq!(env.status(&["--check", "--warn-after", "1h"]).code, 1);
    assert_eq!(provider.seen().len(), 0);
    let ran = env.status(&["--json", "--check", "--warn-after", "1h", "--refresh"]);
    assert_eq!((ran.code, ran.json()["check"]["verdict"].as_str()), (0, Some("ok")), "{ran:?}");
    assert_eq!(provider.spent(), 1);
    assert_eq!(env.status(&["--refresh", "--no-sync"]).code, 64);

    let provider = Provider::knowing(&[]).scripted(|_| Some(Reply::text(500, "")));
    let env = host(&provider);
    let ran = env.status(&["--check", "--refresh"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.stderr.contains("note: anthropic:claude-cli: 127.0.0.1") && ran.stdout.contains("server_error"),
        "{ran:?}"
    );
}
