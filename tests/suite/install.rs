//! `scripts/install.sh`, into a prefix of its own.

use std::os::unix::fs::PermissionsExt;

use crate::support::{Outcome, TestEnv, has, outcome, skipped, tree};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/install.sh");
const LIST: &str = "my prefix/share/openclaw/installed";

fn host() -> TestEnv {
    TestEnv::new().var("PATH", "/usr/bin:/bin")
}

fn install(env: &TestEnv, more: &[&str]) -> Outcome {
    install_with(env, "dash", env!("CARGO_BIN_EXE_openclaw"), more)
}

fn install_with(env: &TestEnv, shell: &str, binary: &str, more: &[&str]) -> Outcome {
    let prefix = format!("--prefix={}", env.path("my prefix").display());
    let binary = format!("--binary={binary}");
    let words = [&[SCRIPT, prefix.as_str(), binary.as_str()], more].concat();
    outcome(&mut env.in_shell(shell, &words))
}

#[test]
fn twice_is_once_and_uninstalling_leaves_nothing() {
    for shell in ["dash", "bash", "busybox"] {
        if !has(shell) {
            skipped(&format!("{shell} is not installed"));
            continue;
        }
        let env = host();
        let run = |more: &[&str]| {
            let prefix = format!("--prefix={}", env.path("my prefix").display());
            let binary = format!("--binary={}", env!("CARGO_BIN_EXE_openclaw"));
            let words = [&[SCRIPT, prefix.as_str(), binary.as_str()], more].concat();
            let words = if shell == "busybox" { [&["sh"], words.as_slice()].concat() } else { words };
            outcome(&mut env.in_shell(shell, &words))
        };
        let dry = run(&["--dry-run"]);
        assert_eq!(dry.code, 0, "{dry:?}");
        assert!(dry.stdout.contains("would write ") && !env.exists("my prefix"), "{dry:?}");
        let first = run(&[]);
        assert_eq!(first.code, 0, "{first:?}");
        assert!(first.stdout.contains("is not on your PATH yet"), "{first:?}");
        let once: Vec<_> = tree(&env.path("my prefix")).into_keys().collect();
        let listed = env.text(LIST);
        assert_eq!(run(&[]).code, 0);
        assert_eq!(tree(&env.path("my prefix")).into_keys().collect::<Vec<_>>(), once);
        assert_eq!(env.text(LIST), listed);
        for (file, mode) in [
            ("bin/openclaw", 0o755),
            ("share/bash-completion/completions/openclaw", 0o644),
            ("share/fish/vendor_completions.d/openclaw.fish", 0o644),
            ("share/zsh/site-functions/_openclaw", 0o644),
            ("share/man/man1/openclaw.1", 0o644),
            ("share/man/man1/openclaw-models-status.1", 0o644),
        ] {
            let metadata = fs_err::metadata(env.path("my prefix").join(file)).unwrap();
            assert_eq!(metadata.permissions().mode() & 0o777, mode, "{file}");
        }
        let program = env.path("my prefix/bin/openclaw");
        assert!(outcome(&mut env.in_shell(program, &["--version"])).stdout.starts_with("openclaw "));
        let gone = run(&["uninstall"]);
        assert_eq!(gone.code, 0, "{gone:?}");
        assert!(!env.exists("my prefix"), "{:?}", tree(&env.path("my prefix")).keys());
        assert_eq!(run(&["uninstall"]).code, 1);
    }
}

#[test]
fn files_of_others_stay_and_folders_that_were_there_too() {
    let env = host();
    env.file("my prefix/share/man/man1/other.1", "other");
    env.file("my prefix/share/man/man1/openclaw-where.1", "mine");
    let refused = install(&env, &[]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("openclaw-where.1 is not ours"), "{refused:?}");
    assert!(!env.exists("my prefix/bin") && !env.exists("my prefix/share/openclaw"), "nothing was installed");
    assert_eq!(env.text("my prefix/share/man/man1/openclaw-where.1"), "mine");
    assert_eq!(install(&env, &["--force"]).code, 0);
    // What an earlier release wrote and this one does not.
    let old = env.path("my prefix/share/man/man1/openclaw-old.1");
    fs_err::write(&old, "").unwrap();
    env.file(LIST, format!("{}f {}\n", env.text(LIST), old.display()));
    assert_eq!(install(&env, &[]).code, 0);
    assert!(!old.exists() && !env.text(LIST).contains("openclaw-old"));
    assert_eq!(install(&env, &["uninstall"]).code, 0);
    let left: Vec<_> = tree(&env.path("my prefix")).into_keys().filter(|path| path.is_file()).collect();
    assert_eq!(left, [env.path("my prefix/share/man/man1/other.1")]);
}

#[test]
fn an_installation_that_was_killed_is_finished_by_the_next() {
    let env = host();
    assert_eq!(install(&env, &[]).code, 0);
    // As a kill leaves it: the list has what was written so far.
    let list = env.text(LIST);
    let half: String = list.split_inclusive('\n').take(list.lines().count() / 2).collect();
    env.file(LIST, &half);
    for line in list.lines().skip(half.lines().count()) {
        if let Some(file) = line.strip_prefix("f ") {
            fs_err::remove_file(file).unwrap();
        }
    }
    assert_eq!(install(&env, &[]).code, 0);
    assert_eq!(install(&env, &["uninstall"]).code, 0);
    assert!(tree(&env.path("my prefix")).keys().all(|path| path.is_dir()));
}

#[test]
fn services_are_installed_only_when_asked_for_and_go_first() {
    let env = host();
    // The real program but for `service`, which is somebody else's to test.
    env.script(
        "wrapped",
        &format!(
            "case $1 in service) echo \"$@\" >>\"$HOME/calls\" ;; *) exec {} \"$@\" ;; esac",
            env!("CARGO_BIN_EXE_openclaw")
        ),
    );
    let wrapped = env.path("wrapped").display().to_string();
    let run = |more: &[&str]| install_with(&env, "dash", &wrapped, more);
    assert_eq!(run(&[]).code, 0);
    assert!(!env.exists("calls"));
    let dry = run(&["--units", "monitor,exporter", "--dry-run"]);
    assert!(dry.stdout.contains("service install monitor --") && !env.exists("calls"), "{dry:?}");
    assert_eq!(run(&["--units", "monitor,exporter"]).code, 0);
    assert_eq!(run(&["--units", "monitor"]).code, 0);
    let flavour = if crate::support::is_root() { "--system" } else { "--user" };
    let words = |verb: &str, unit: &str| format!("service {verb} {unit} {flavour}\n");
    let mut expected =
        words("install", "monitor") + &words("install", "exporter") + &words("install", "monitor");
    assert_eq!(env.text("calls"), expected);
    assert_eq!(run(&["uninstall"]).code, 0);
    expected += &(words("uninstall", "monitor") + &words("uninstall", "exporter"));
    assert_eq!(env.text("calls"), expected);
    assert!(!env.exists("my prefix"));
    assert_eq!(run(&["--units", "mail"]).code, 64);
}

#[test]
fn what_is_wrong_is_said_before_anything_is_done() {
    let env = host();
    for (words, code, said) in [
        (&["--prefix"][..], 64, "--prefix needs a value"),
        (&["--prefix", "relative"], 64, "the prefix must begin at the root"),
        (&["--verbose"], 64, "unknown word: --verbose"),
        (&["--binary", "/nonexistent/openclaw"], 66, "there is no file /nonexistent/openclaw"),
    ] {
        let refused = install(&env, words);
        assert_eq!(refused.code, code, "{refused:?}");
        assert!(refused.stderr.contains(said), "{refused:?}");
    }
    assert!(!env.exists("my prefix"));
    let help = install(&env, &["--help"]);
    assert!(help.stdout.contains("--units LIST") && !help.stdout.contains("set -u"), "{help:?}");
}
