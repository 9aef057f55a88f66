//! What a status run does to the machine, seen by the kernel.

use std::path::Path;

use serde_json::json;

use crate::support::host::healthy;
use crate::support::{CONFIG, DAY, HOUR, STORE, TestEnv, has, oauth, outcome, real_now_ms, skipped};

/// System calls that change something or reach out.
const TRACED: &str = "trace=openat,open,creat,openat2,socket,connect,mkdir,mkdirat,rename,renameat,renameat2,unlink,\
                      unlinkat,rmdir,link,linkat,symlink,symlinkat,truncate,ftruncate,chmod,fchmod,fchmodat,chown,fchown,\
                      fchownat,lchown,utimensat,utimes,execve,setxattr,fsetxattr";

struct Call {
    line: String,
}

impl Call {
    fn is_write(&self) -> bool {
        let opens = self.line.starts_with("open") || self.line.starts_with("creat");
        let reads = ["openat(", "open(", "openat2("].iter().any(|name| self.line.starts_with(name))
            && !["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"].iter().any(|flag| self.line.contains(flag));
        let reaches = self.line.starts_with("socket") || self.line.starts_with("connect");
        (!opens || !reads)
            && !reaches
            && !self.line.starts_with("execve")
            && !self.line.contains("\"/dev/null\"")
    }

    fn reaches_out(&self) -> bool {
        self.line.starts_with("socket") || self.line.starts_with("connect")
    }
}

fn traced(env: &TestEnv, args: &[&str]) -> Option<Vec<Call>> {
    if !has("strace") {
        skipped("strace is not installed");
        return None;
    }
    let log = env.path("trace.log");
    let before = ["strace", "-f", "-qq", "-e", TRACED, "-o", log.to_str().unwrap()];
    let ran = outcome(&mut env.wrapped(&before, args));
    assert!(ran.code <= 2, "{ran:?}");
    let text = fs_err::read_to_string(&log).unwrap();
    fs_err::remove_file(&log).unwrap();
    let calls: Vec<_> = text
        .lines()
        .filter_map(|line| line.split_once(' ').map(|(_, call)| Call { line: call.trim_start().to_owned() }))
        .collect();
    assert!(
        calls.iter().any(|call| call.line.contains("auth-profiles.json")),
        "the trace saw the program: {text}"
    );
    Some(calls)
}

fn host() -> TestEnv {
    let env = TestEnv::new().var("OPENAI_API_KEY", "k");
    let now = real_now_ms();
    let login = json!({"accessToken": "a", "refreshToken": "r", "expiresAt": now + 5 * HOUR});
    env.file(crate::support::CLAUDE, json!({ "claudeAiOauth": login }).to_string());
    env.file(".codex/auth.json", json!({"tokens": {"access_token": "a", "refresh_token": "r"}}).to_string());
    env.profiles(json!({"anthropic:x": oauth("anthropic", json!(now + 3 * DAY))}));
    env
}

#[test]
fn without_sync_nothing_is_opened_for_writing_and_no_socket_is_made() {
    let env = host();
    let before = crate::support::tree(&env.path(""));
    for args in [
        &["models", "status", "--no-sync"][..],
        &["models", "status", "--no-sync", "--json", "--check"],
        &["exporter", "--stdout"],
    ] {
        let Some(calls) = traced(&env, args) else { return };
        for call in &calls {
            assert!(!call.is_write() && !call.reaches_out(), "{}", call.line);
        }
        assert_eq!(
            calls.iter().filter(|call| call.line.starts_with("execve")).count(),
            1,
            "no child program"
        );
    }
    assert_eq!(crate::support::tree(&env.path("")), before);
}

#[test]
fn with_sync_only_the_agent_folder_is_written_and_vendor_files_are_read_only() {
    let env = host();
    let vendor = (env.text(crate::support::CLAUDE), env.text(".codex/auth.json"));
    let Some(calls) = traced(&env, &["models", "status"]) else { return };
    let folder = env.path(STORE).parent().unwrap().display().to_string();
    let mut writes = 0;
    for call in &calls {
        assert!(!call.reaches_out(), "{}", call.line);
        if call.is_write() {
            writes += 1;
            let by_handle = call.line.starts_with("fchmod(")
                || call.line.starts_with("fchown(")
                || call.line.starts_with("ftruncate(");
            assert!(by_handle || call.line.contains(&folder), "{}", call.line);
        }
    }
    assert!(writes >= 4, "lock, temporary file, rename, unlock");
    assert_eq!((env.text(crate::support::CLAUDE), env.text(".codex/auth.json")), vendor);
    assert!(env.read_json(STORE)["profiles"]["anthropic:claude-cli"].is_object());
    assert!(!Path::new(&format!("{folder}/auth-profiles.json.lock")).exists());
    let left: Vec<_> = fs_err::read_dir(&folder).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["auth-profiles.json"]);
}

#[test]
fn a_doctor_asks_nobody_on_the_network_and_changes_only_what_it_says() {
    let env = healthy();
    env.mode(CONFIG, 0o644).mode(".openclaw/.env", 0o644);
    for args in [&["doctor", "--non-interactive"][..], &["doctor", "--fix"], &["where"]] {
        let Some(calls) = traced(&env, args) else { return };
        let state = env.path(".openclaw").display().to_string();
        let relative = |line: &str| line.contains(&state) || !line.contains('"');
        for call in &calls {
            assert!(!call.line.contains("AF_INET"), "{}", call.line);
            // What a program that was asked writes for itself is its own business.
            assert!(!call.is_write() || relative(&call.line), "{args:?}: {}", call.line);
        }
    }
    assert!(env.text(".openclaw/doctor-journal.json").contains("openclaw.json"));
}
