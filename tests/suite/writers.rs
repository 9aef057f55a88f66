//! Many writers of one store: nothing is lost, nothing is torn, a dead writer's lock is taken over.
//!
//! The writers are processes: this test binary starts itself again with a role in its environment. `SOAK_ROUNDS` and
//! `SOAK_KILLS` make the same tests long (`scripts/soak`).

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use openclaw::clock::Clock;
use openclaw::core::credential::{Credential, Expiry, Material};
use openclaw::core::secret::Secret;
use openclaw::sys::lock::Protocol;
use openclaw::workspace::store::{CredentialStore, UpdateError, Updated};
use serde_json::{Value, json};

use crate::support::{STORE, TestEnv, finding_codes, from_env, number_from_env, set_mtime, set_mtime_back};

const WRITERS: usize = 16;
/// Longer than any writer here may wait for the others.
const PATIENCE: Duration = Duration::from_mins(1);
const ROLE: &str = "OPENCLAW_TEST_WRITER";

fn token(number: usize) -> Credential {
    let material =
        Material::Token { token: Some(Secret::new(format!("token-{number}"))), expires: Expiry::Absent };
    Credential { provider: "test".to_owned(), email: None, material }
}

/// The directory that locks the store.
fn lock_of(env: &TestEnv) -> std::path::PathBuf {
    Protocol::of_store(&env.path(STORE).canonicalize().unwrap()).places.remove(0)
}

/// The child's part: writes its profiles one after the other, or sits on the lock as the Node program would.
#[test]
fn role_of_a_child() {
    let Some(role) = from_env(ROLE) else { return };
    let role: Value = serde_json::from_str(&role).unwrap();
    let dir = PathBuf::from(role["dir"].as_str().unwrap());
    let store = CredentialStore::in_dir(&dir);
    let (first, count) = (role["first"].as_u64().unwrap(), role["count"].as_u64().unwrap());
    for number in first..first + count {
        let number = usize::try_from(number).unwrap();
        let updated = store.update(&Clock::System, PATIENCE, |store| {
            store.upsert(&format!("test:{number}"), token(number));
            true
        });
        assert_eq!(updated.unwrap(), Updated::Written);
    }
}

fn spawn(role: &Value) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writers::role_of_a_child", "--nocapture", "--test-threads=1"])
        .env(ROLE, role.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn agent_dir(env: &TestEnv) -> PathBuf {
    env.path(STORE).parent().unwrap().to_owned()
}

fn profiles(path: &Path) -> Vec<String> {
    let store: Value = serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap();
    store["profiles"].as_object().unwrap().keys().cloned().collect()
}

#[test]
fn sixteen_processes_lose_no_update() {
    let rounds = number_from_env("SOAK_ROUNDS", 20);
    for round in 0..rounds {
        let env = TestEnv::new();
        env.file(
            STORE,
            json!({"version": 1, "profiles": {"kept:x": {"type": "weird"}}, "mine": [1.0]}).to_string(),
        );
        let children: Vec<_> = (0..WRITERS)
            .map(|at| spawn(&json!({"dir": agent_dir(&env), "first": at * 10, "count": 2})))
            .collect();
        for mut child in children {
            assert!(child.wait().unwrap().success(), "round {round}");
        }
        let mut found = profiles(&env.path(STORE));
        found.sort();
        let mut expected: Vec<_> = (0..WRITERS)
            .flat_map(|at| [at * 10, at * 10 + 1])
            .map(|number| format!("test:{number}"))
            .collect();
        expected.push("kept:x".to_owned());
        expected.sort();
        assert_eq!(found, expected, "round {round}");
        assert_eq!(env.read_json(STORE)["mine"], json!([1.0]));
    }
}

#[test]
fn a_killed_writer_leaves_the_old_or_the_new_store() {
    let kills = number_from_env("SOAK_KILLS", 20);
    let env = TestEnv::new();
    let filler: serde_json::Map<_, _> =
        (0..200).map(|at| (format!("fill:{at}"), json!({"type": "weird", "x": "y".repeat(500)}))).collect();
    env.file(STORE, json!({"version": 1, "profiles": filler}).to_string());
    let dir = agent_dir(&env);
    let lock = lock_of(&env);
    let mut next = 0;
    let mut mid_write = 0;
    for kill in 0..kills {
        let before = profiles(&env.path(STORE)).len();
        let mut child = spawn(&json!({"dir": dir, "first": next, "count": 1000}));
        // Kills land in every phase: the first write is under way, and then a little later each time.
        while profiles(&env.path(STORE)).len() == before {
            std::thread::yield_now();
        }
        for _ in 0..kill * 97 % 4_001 {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let found = profiles(&env.path(STORE));
        assert!(found.len() > before, "kill {kill}: nothing that was written is lost");
        assert_eq!(found.iter().filter(|id| id.starts_with("fill:")).count(), 200, "kill {kill}");
        for (at, id) in found.iter().filter(|id| id.starts_with("test:")).enumerate() {
            assert_eq!(*id, format!("test:{at}"), "kill {kill}: old or new, never a mixture");
        }
        next = found.len() - 200;
        if lock.exists() {
            mid_write += 1;
            set_mtime_back(&lock, Duration::from_secs(31));
        }
    }
    assert_eq!(
        CredentialStore::in_dir(&dir)
            .update(&Clock::System, PATIENCE, |store| {
                store.upsert("last:x", token(0));
                true
            })
            .unwrap(),
        Updated::Written
    );
    let left: Vec<_> = fs_err::read_dir(&dir).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["auth-profiles.json"], "what killed writers left is cleaned up");
    assert!(mid_write > 0 || kills < 10, "no kill of {kills} hit a writer that held the lock");
}

#[test]
fn a_lock_of_the_node_program_is_waited_for() {
    let env = TestEnv::new();
    env.profiles(json!({}));
    let lock = lock_of(&env);
    fs_err::create_dir(&lock).unwrap();
    let mut writers: Vec<_> =
        (0..4).map(|at| spawn(&json!({"dir": agent_dir(&env), "first": at, "count": 1}))).collect();
    // The holder changes the store in place, as the Node program does: who does not wait sees half a store, or is
    // overwritten.
    let held =
        json!({"version": 1, "profiles": {"node:x": {"type": "api_key", "provider": "p", "key": "k"}}})
            .to_string();
    for _ in 0..2_000 {
        env.file(STORE, &held[..held.len() / 2]);
        env.file(STORE, &held);
    }
    assert_eq!(profiles(&env.path(STORE)), ["node:x"], "nobody writes while the lock is held");
    fs_err::remove_dir(&lock).unwrap();
    for writer in &mut writers {
        assert!(writer.wait().unwrap().success());
    }
    let mut found = profiles(&env.path(STORE));
    found.sort();
    assert_eq!(found, ["node:x", "test:0", "test:1", "test:2", "test:3"], "what the holder wrote is kept");
}

#[test]
fn a_stale_lock_is_taken_over_even_when_something_is_in_it() {
    for with_content in [false, true] {
        let env = TestEnv::new();
        env.profiles(json!({}));
        let lock = lock_of(&env);
        fs_err::create_dir(&lock).unwrap();
        if with_content {
            fs_err::write(lock.join("x"), "x").unwrap();
        }
        let store = CredentialStore::in_dir(&agent_dir(&env));
        let write = || {
            store.update(&Clock::System, Duration::ZERO, |store| {
                store.upsert("test:0", token(0));
                true
            })
        };
        set_mtime(&lock, SystemTime::from(Clock::System.now()) + Duration::from_secs(20));
        assert!(matches!(write(), Err(UpdateError::Lock(_))), "a clock may differ by seconds");
        set_mtime(&lock, SystemTime::from(Clock::System.now()));
        set_mtime_back(&lock, Duration::from_secs(28));
        assert!(matches!(write(), Err(UpdateError::Lock(_))), "28 s old: alive");
        set_mtime_back(&lock, Duration::from_secs(3));
        assert_eq!(write().unwrap(), Updated::Written, "31 s old: dead");
        assert!(!lock.exists());
    }
}

#[test]
fn a_busy_store_costs_a_finding_and_not_the_report() {
    let env = TestEnv::with_default_key();
    env.profiles(json!({}));
    env.claude(3 * crate::support::DAY);
    let lock = lock_of(&env);
    fs_err::create_dir(&lock).unwrap();
    set_mtime(&lock, SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(env.now_ms()).unwrap()));
    let (code, document) = env.check();
    assert_eq!(code, 0);
    assert!(finding_codes(&document).contains(&"sync-not-saved"));
    assert_eq!(profiles(&env.path(STORE)), [""; 0]);
}

#[test]
fn a_writer_whose_lock_was_taken_writes_on_what_is_there_then() {
    let env = TestEnv::new();
    env.profiles(json!({}));
    let lock = lock_of(&env);
    let store = CredentialStore::in_dir(&agent_dir(&env));
    let mut runs = 0;
    let updated = store.update(&Clock::System, PATIENCE, |view| {
        runs += 1;
        if runs == 1 {
            // Another process takes us for dead, writes, and is done.
            fs_err::rename(&lock, lock.with_extension("gone")).unwrap();
            env.profiles(json!({"other:x": {"type": "api_key", "provider": "p", "key": "k"}}));
        }
        view.upsert("test:0", token(0));
        true
    });
    assert_eq!((updated.unwrap(), runs), (Updated::Written, 2));
    assert_eq!(profiles(&env.path(STORE)), ["other:x", "test:0"]);
}

#[test]
fn an_unreadable_store_is_never_replaced() {
    let env = TestEnv::new();
    env.file(STORE, "{ torn");
    let store = CredentialStore::in_dir(&agent_dir(&env));
    let error = store.update(&Clock::System, PATIENCE, |_| panic!("must not edit")).unwrap_err();
    assert!(matches!(error, UpdateError::Unreadable(..)), "{error}");
    assert_eq!(env.text(STORE), "{ torn");
}

#[test]
fn a_lock_from_the_future_is_a_lock_of_a_wrong_clock() {
    let env = TestEnv::new();
    env.profiles(json!({}));
    let lock = lock_of(&env);
    fs_err::create_dir(&lock).unwrap();
    set_mtime(&lock, SystemTime::from(Clock::System.now()) + Duration::from_mins(10));
    let store = CredentialStore::in_dir(&agent_dir(&env));
    let updated = store.update(&Clock::System, Duration::ZERO, |store| {
        store.upsert("test:0", token(0));
        true
    });
    assert_eq!(updated.unwrap(), Updated::Written);
}
