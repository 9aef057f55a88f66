//! What an installation puts beside the program: completions that real shells load, and pages that real formatters take.

use std::process::Command;

use crate::support::{TestEnv, has, outcome, skipped, tree};

/// A host on whose PATH the program is.
fn env() -> TestEnv {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_openclaw"));
    let path = format!("{}:/usr/bin:/bin", program.parent().unwrap().display());
    TestEnv::new().var("PATH", path).var("TERM", "dumb")
}

#[test]
fn bash_completes_a_word_that_is_typed() {
    let steps: Vec<(&str, &[u8])> = vec![
        ("", b"exec bash --norc --noprofile -i\r"),
        ("bash", b"eval \"$(openclaw completions bash)\" && echo load''ed\r"),
        ("loaded", b"openclaw mod\t"),
        ("openclaw models ", b"stat\t"),
        ("status ", b"--refresha\t"),
        ("--refreshable ", b"len\t"),
        // Ctrl-U takes the line away again.
        ("lenient ", b"\x15exit\r"),
    ];
    let steps = steps
        .into_iter()
        .map(|(wanted, typed)| -> crate::support::Step<'_> { (wanted, Box::new(move |_| typed.to_vec())) });
    let (shown, _) = env().shell_at_a_terminal(steps.collect());
    assert!(!shown.contains("command not found"), "{shown}");
}

#[test]
fn fish_and_zsh_complete_too() {
    let env = env();
    if has("fish") {
        let script = "openclaw completions fish | source; complete -C 'openclaw mod'";
        let completed = outcome(&mut env.in_shell("fish", &["--no-config", "-c", script]));
        assert_eq!(
            completed.stdout, "models\tShow and judge the credentials of this host\n",
            "{completed:?}"
        );
    } else {
        skipped("fish is not installed");
    }
    if has("zsh") {
        let script = "autoload -U compinit && compinit -D -u && eval \"$(openclaw completions zsh)\" && \
                      print $_comps[openclaw] && whence -w _openclaw";
        let completed = outcome(&mut env.in_shell("zsh", &["-f", "-c", script]));
        assert_eq!(completed.stdout, "_openclaw\n_openclaw: function\n", "{completed:?}");
    } else {
        skipped("zsh is not installed");
    }
}

#[test]
fn every_command_has_a_page_that_formatters_take_without_a_word() {
    let env = TestEnv::new();
    let folder = env.path("share/man");
    let written = env.run(&["man", "--dir", folder.to_str().unwrap()]);
    assert_eq!(written.code, 0, "{written:?}");
    let names: Vec<_> = written.stdout.lines().collect();
    for name in
        ["openclaw.1", "openclaw-models-status.1", "openclaw-models-auth-order-set.1", "openclaw-monitor.1"]
    {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    assert!(!names.contains(&"openclaw-man.1"), "who types is not told of what packagers call");
    assert_eq!(tree(&folder).len(), names.len());
    let formatters: [(&str, &[&str]); 3] = [
        ("groff", &["-ww", "-man", "-Tutf8", "-z"]),
        ("mandoc", &["-T", "lint", "-W", "error"]),
        ("man", &["--warnings", "--local-file"]),
    ];
    for (formatter, words) in formatters {
        if !has(formatter) {
            skipped(&format!("{formatter} is not installed"));
            continue;
        }
        for name in &names {
            let mut command = Command::new(formatter);
            command.args(words).arg(folder.join(name)).env("MANWIDTH", "100").env("LC_ALL", "C.UTF-8");
            let shown = outcome(&mut command);
            assert_eq!((shown.code, shown.stderr.as_str()), (0, ""), "{formatter} {name}");
            if formatter == "mandoc" {
                assert_eq!(shown.stdout, "", "{name}");
            }
            if formatter == "man" && *name == "openclaw-monitor.1" {
                assert!(
                    shown.stdout.contains("EXIT STATUS") && shown.stdout.contains("--once"),
                    "{}",
                    shown.stdout
                );
            }
        }
    }
    let root = env.text("share/man/openclaw.1");
    assert!(root.contains("ENVIRONMENT") && root.contains("OPENCLAW_STATE_DIR"), "{root}");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let env = TestEnv::new();
    env.file("taken", "");
    let dir = env.path("taken");
    let refused = env.run(&["man", "--dir", dir.to_str().unwrap()]);
    assert_eq!(refused.code, 74, "{refused:?}");
    assert!(refused.stderr.contains("failed to write [HOME]/taken"), "{refused:?}");
}
