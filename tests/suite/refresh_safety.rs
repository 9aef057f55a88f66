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

const CODEX: &str = ".codex/auth.json";
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

/// A recovery file, as a refresh that was interrupted leaves it.
fn park(env: &TestEnv, provider: &str, spent: &str, tokens: Value) {
    let digest = openclaw::core::secret::Secret::new(spent).digest();
    let mut parked = json!({"version": 1, "provider": provider, "spent": digest});
    parked.as_object_mut().unwrap().extend(tokens.as_object().unwrap().clone());
    env.file(&format!("{RECOVERY}/{digest}.json"), parked.to_string());
}

#[test]
fn parked_tokens_wait_for_a_store_that_cannot_be_read() {
    let provider = Provider::knowing(&["rt-next"]);
    let env = host(&provider);
    let tokens = json!({"access": "at-next", "refresh": "rt-next", "expires": real_now_ms() + HOUR});
    park(&env, "anthropic", "rt-BBBB", tokens);
    let work = ".openclaw/agents/work/agent/auth-profiles.json";
    let whole = env.text(STORE);
    env.file(work, &whole[..whole.len() - 9]);
    let ran = env.run(REFRESH);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.stderr.contains("still parked: not every place that may wait for them can be seen from here"),
        "{ran:?}"
    );
    assert_eq!((token_in_store(&env).as_str(), parked(&env)), ("rt-next", 1));
    env.file(work, &whole);
    assert_eq!(env.run(REFRESH).code, 0);
    assert_eq!(env.read_json(work)["profiles"]["anthropic:claude-cli"]["refresh"], "rt-next");
    assert_eq!((token_in_claude_file(&env).as_str(), parked(&env), provider.spent()), ("rt-next", 0, 0));
}

#[test]
fn parked_tokens_never_replace_newer_ones() {
    // The provider keeps its refresh token, so that only the expiry tells which access token is the newer one.
    let provider = Provider::knowing(&[])
        .scripted(|_| Some(Reply::json(200, json!({"access_token": "at-newest", "expires_in": 3600}))));
    let env = TestEnv::real_time();
    env.file(OPS, provider.ops(&["openai-codex"]));
    let login = |access: &str, expires: i64| {
        let mut login = oauth("openai-codex", json!(expires));
        login["access"] = json!(access);
        json!({"openai-codex:me": login})
    };
    let stored = |env: &TestEnv| env.read_json(STORE)["profiles"]["openai-codex:me"]["access"].clone();
    env.profiles(login("at-stored", real_now_ms() + 2 * HOUR));
    park(&env, "openai-codex", "rt-BBBB", json!({"access": "at-old", "expires": real_now_ms() + HOUR}));
    env.status(&[]);
    assert_eq!(stored(&env), "at-stored");
    // Nor do they stand in the way of a refresh.
    env.profiles(login("at-stored", real_now_ms() - HOUR));
    park(&env, "openai-codex", "rt-BBBB", json!({"access": "at-old", "expires": real_now_ms() - 2 * HOUR}));
    assert_eq!(env.run(REFRESH).code, 0);
    assert_eq!((stored(&env), parked(&env)), (json!("at-newest"), 0));
    env.profiles(login("at-stored", real_now_ms() - HOUR));
    park(&env, "openai-codex", "rt-BBBB", json!({"access": "at-next", "expires": real_now_ms() + HOUR}));
    env.status(&[]);
    assert_eq!(stored(&env), "at-next");
}

#[test]
fn parked_tokens_stay_while_nobody_is_seen_to_wait_for_them() {
    // They were parked by a run that saw another agent folder.
    let provider = Provider::knowing(&["rt-BBBB"]);
    let env = TestEnv::real_time();
    env.file(OPS, provider.ops(&["anthropic"]));
    let elsewhere = "elsewhere/auth-profiles.json";
    let expired = json!({"anthropic:a": oauth("anthropic", json!(real_now_ms() - HOUR))});
    env.file(elsewhere, json!({"version": 1, "profiles": expired}).to_string());
    park(
        &env,
        "anthropic",
        "rt-BBBB",
        json!({"access": "at-next", "refresh": "rt-next", "expires": real_now_ms() + HOUR}),
    );
    let ran = env.run(REFRESH);
    assert_eq!((ran.code, parked(&env)), (0, 1), "{ran:?}");
    assert!(ran.stderr.contains("still parked"), "{ran:?}");
    let there = env.path("elsewhere");
    let env = env.var("OPENCLAW_AGENT_DIR", there);
    assert_eq!(env.run(REFRESH).code, 0);
    assert_eq!(env.read_json(elsewhere)["profiles"]["anthropic:a"]["refresh"], "rt-next");
    assert_eq!((provider.seen().len(), parked(&env)), (0, 0));
}

#[test]
fn a_vendors_file_that_cannot_be_read_stops_the_refresh_of_its_login() {
    for setting in ["", r#","refresh": {"external": "never"}"#] {
        let provider = Provider::knowing(&["rt-BBBB"]);
        let env = host(&provider);
        let ops = provider.ops(&["anthropic"]);
        env.file(OPS, format!("{}{setting}}}", ops.strip_suffix('}').unwrap()));
        env.file(CLAUDE, r#"{"claudeAiOauth": {"acc"#).set_modified(CLAUDE, real_now_ms() - HOUR);
        let ran = env.run(REFRESH);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.stdout.contains("~/.claude/.credentials.json cannot be read"), "{ran:?}");
        assert_eq!(provider.seen().len(), 0);
    }
}

#[test]
fn what_waits_for_an_earlier_token_is_carried_on_whole() {
    // The vendor's file cannot be written during two refreshes; the second answer is shorter, or has no refresh token.
    for second in [
        json!({"access_token": "b", "refresh_token": "rt-2", "expires_in": 28800}),
        json!({"access_token": "b", "expires_in": 28800}),
    ] {
        let wanted = second.get("refresh_token").map_or("rt-1", |_| "rt-2");
        let long = "a".repeat(300);
        let mut answers =
            vec![second, json!({"access_token": long, "refresh_token": "rt-1", "expires_in": 28800})];
        let provider =
            Provider::knowing(&[]).scripted(move |_| Some(Reply::json(200, answers.pop().unwrap())));
        let env = host(&provider);
        let script = "mount --bind .claude/.credentials.json .claude/.credentials.json && \
                      mount -o remount,ro,bind .claude/.credentials.json && \
                      \"$program\" models auth refresh; \"$program\" models auth refresh --force; true";
        let Some(ran) = in_own_mounts(&env, script) else { return };
        assert_eq!(provider.seen().len(), 2, "{ran:?}");
        assert_eq!(token_in_claude_file(&env), "rt-BBBB");
        let ran = outcome(&mut env.command(REFRESH));
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(
            (token_in_store(&env).as_str(), token_in_claude_file(&env).as_str()),
            (wanted, wanted),
            "{ran:?}"
        );
        assert_eq!(
            (env.read_json(CLAUDE)["claudeAiOauth"]["accessToken"].as_str(), parked(&env)),
            (Some("b"), 0)
        );
    }
}

#[test]
fn two_names_of_one_store_are_one_store() {
    let provider = Provider::knowing(&["rt-BBBB"]);
    let env = host(&provider);
    let link = env.path(".openclaw/agents/work");
    fs_err::create_dir_all(&link).unwrap();
    std::os::unix::fs::symlink("../main/agent", link.join("agent")).unwrap();
    assert_eq!(env.run(&[REFRESH, &["--agent", "work"]].concat()).code, 0);
    assert_eq!((token_in_store(&env).as_str(), provider.spent()), ("rt-generation-1", 1));
}

#[test]
fn tokens_that_came_whole_count_although_the_connection_broke_off() {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    let body = r#"{"access_token":"at-whole","refresh_token":"rt-whole","expires_in":28800}"#;
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _read = stream.read(&mut [0; 4096]).unwrap();
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len() + 4).unwrap();
    });
    let env = host(&Provider::knowing(&[]));
    env.file(OPS, json!({"providers": {"anthropic": {"tokenUrl": url}}}).to_string());
    assert_eq!(env.run(REFRESH).code, 0);
    server.join().unwrap();
    assert_eq!(
        (token_in_store(&env).as_str(), token_in_claude_file(&env).as_str()),
        ("rt-whole", "rt-whole")
    );
}

#[test]
fn the_loser_of_a_race_waits_for_a_file_that_is_being_written() {
    let env = TestEnv::real_time();
    let file = env.path(CODEX);
    // {"exp":4000000000}
    let whole =
        json!({"tokens": {"access_token": "e30.eyJleHAiOjQwMDAwMDAwMDB9.s", "refresh_token": "rt-codex"}})
            .to_string();
    let writer = std::sync::Arc::new(std::sync::Mutex::new(None));
    let started = std::sync::Arc::clone(&writer);
    let provider = Provider::knowing(&[]).scripted(move |_| {
        fs_err::write(&file, &whole[..30]).unwrap();
        let (file, whole) = (file.clone(), whole.clone());
        // It is whole once somebody has had a look at the half of it.
        *started.lock().unwrap() = Some(std::thread::spawn(move || {
            Clock::System.sleep(Duration::from_millis(300));
            fs_err::write(&file, whole).unwrap();
        }));
        Some(Reply::json(401, json!({"error": {"code": "refresh_token_reused"}})))
    });
    env.file(CODEX, json!({"tokens": {"access_token": "at-AAAA", "refresh_token": "rt-BBBB"}}).to_string());
    env.set_modified(CODEX, real_now_ms() - 5 * HOUR).file(OPS, provider.ops(&["openai-codex"]));
    let ran = env.run(REFRESH);
    writer.lock().unwrap().take().unwrap().join().unwrap();
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(env.read_json(STORE)["profiles"]["openai-codex:codex-cli"]["refresh"], "rt-codex");
}

#[test]
fn a_token_that_lives_for_minutes_is_not_renewed_at_every_look() {
    let mut generation = 0;
    let provider = Provider::knowing(&[]).scripted(move |_| {
        generation += 1;
        Some(Reply::json(200, json!({"access_token": format!("at-{generation}"), "refresh_token": format!("rt-{generation}"), "expires_in": 600})))
    });
    let env = TestEnv::new();
    env.file(OPS, provider.ops(&["openai-codex"]));
    env.profiles(json!({"openai-codex:me": oauth("openai-codex", json!(env.now_ms() - HOUR))}));
    for _ in 0..3 {
        assert_eq!(env.run(REFRESH).code, 0);
    }
    assert_eq!(provider.seen().len(), 1);
    env.pass(Duration::from_secs(460));
    assert_eq!(env.run(REFRESH).code, 0);
    assert_eq!(provider.seen().len(), 2, "in the last quarter of its life");
}

#[test]
fn a_lock_that_is_taken_from_us_stops_the_request() {
    // While we wait for the second store, somebody breaks the lock of the first one.
    let provider = Provider::knowing(&["rt-BBBB"]);
    let env = host(&provider);
    let work = ".openclaw/agents/work/agent/auth-profiles.json";
    env.file(work, env.text(STORE));
    let (ours, other) = (locks(&env)[0].clone(), env.path(&format!("{work}.lock")));
    fs_err::create_dir(&other).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ours.exists() {
                std::thread::yield_now();
            }
            fs_err::remove_dir(&ours).unwrap();
            fs_err::create_dir(&ours).unwrap();
            fs_err::remove_dir(&other).unwrap();
        });
        let ran = outcome(&mut env.command(REFRESH));
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.stdout.contains("nothing was sent"), "{ran:?}");
    });
    assert_eq!((provider.seen().len(), parked(&env)), (0, 0));
    assert!(ours.exists(), "a lock of somebody else stays");
}

#[test]
fn two_agents_with_the_login_of_codex_spend_it_once() {
    for round in 0..5 {
        let provider = Provider::knowing(&["rt-BBBB"]);
        let env = TestEnv::real_time();
        env.file(OPS, provider.ops(&["openai-codex"]))
            .file(".openclaw/openclaw.json", "{agents: {list: [{id: 'main'}, {id: 'work'}]}}");
        let tokens = json!({"access_token": "at-AAAA", "refresh_token": "rt-BBBB"});
        env.file(CODEX, json!({ "tokens": tokens }).to_string())
            .set_modified(CODEX, real_now_ms() - 5 * HOUR);
        // One of them has taken the login over, the other one still has the one before.
        let old = oauth("openai-codex", json!(real_now_ms() - 20 * HOUR));
        let mut older = old.clone();
        older["refresh"] = json!("rt-before");
        let work = ".openclaw/agents/work/agent/auth-profiles.json";
        env.profiles(json!({"openai-codex:codex-cli": old}));
        env.file(work, json!({"version": 1, "profiles": {"openai-codex:codex-cli": older}}).to_string());
        std::thread::scope(|scope| {
            for agent in ["main", "work"] {
                let env = &env;
                scope.spawn(move || {
                    let ran = outcome(&mut env.command(&[REFRESH, &["--agent", agent]].concat()));
                    assert_eq!(ran.code, 0, "round {round}: {ran:?}");
                });
            }
        });
        assert_eq!((provider.spent(), provider.reused()), (1, 0), "round {round}");
        for store in [STORE, work] {
            let entry = &env.read_json(store)["profiles"]["openai-codex:codex-cli"];
            assert_eq!(entry["refresh"], "rt-generation-1", "round {round}: {store}");
        }
    }
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
