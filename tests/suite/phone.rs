//! The widgets, the boot script and the job for Termux, under the shells of a phone, with the real program; the programs
//! of Termux and ssh are stand-ins that record how they were called.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::support::{
    CONFIG, DAY, HOUR, Outcome, Step, TestEnv, has, outcome, real_now_ms, skipped, token, tree,
};

const TERMUX: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/termux");
const SHELLS: &[&[&str]] = &[&["dash"], &["bash", "--posix"], &["busybox", "sh"]];

/// What stands in for programs of others: each writes its name and its words to ~/calls, one call a line.
const RECORDED: &[&str] = &[
    "am",
    "termux-toast",
    "termux-vibrate",
    "termux-notification",
    "termux-notification-remove",
    "termux-open-url",
    "termux-job-scheduler",
];

struct Phone {
    env: TestEnv,
    shell: &'static [&'static str],
}

impl Phone {
    /// A phone whose PATH is empty: everything is below `$PREFIX`, as in Termux. There is no `/tmp` to write to.
    fn new(shell: &'static [&'static str]) -> Self {
        let env = TestEnv::real_time().without_var("SHELL");
        let prefix = env.path("usr");
        let env = env.var("PREFIX", &prefix).var("PATH", "").var("TMPDIR", "/nonexistent");
        env.file(CONFIG, "{agents: {defaults: {model: {primary: 'anthropic/claude-opus-4-5'}}}}");
        let phone = Self { env, shell };
        fs_err::create_dir_all(prefix.join("bin")).unwrap();
        for program in ["cat", "chmod", "cp", "mkdir", "mv", "rm", "rmdir", "dirname", "sh"] {
            phone.link(program, &format!("/usr/bin/{program}"));
        }
        phone.link("openclaw", env!("CARGO_BIN_EXE_openclaw"));
        for program in RECORDED {
            phone.stand_in(program, "echo noise");
        }
        phone.stand_in("termux-dialog", "printf '{\"code\": -1, \"text\": \"Dismiss\", \"index\": 2}\\n'");
        phone
    }

    fn link(&self, program: &str, target: &str) {
        let link = self.env.path(&format!("usr/bin/{program}"));
        let _ = fs_err::remove_file(&link);
        std::os::unix::fs::symlink(target, link).unwrap();
    }

    fn stand_in(&self, program: &str, more: &str) {
        // `[word]` for each word, so that what was one word is seen to have stayed one.
        let body = format!(
            "{{ printf '%s' {program}; printf ' [%s]' \"$@\"; printf '\\n'; }} >>\"$HOME/calls\"\n{more}"
        );
        self.env.script(&format!("usr/bin/{program}"), &body);
    }

    fn remove(&self, program: &str) {
        fs_err::remove_file(self.env.path(&format!("usr/bin/{program}"))).unwrap();
    }

    fn command(&self, script: &Path, args: &[&str]) -> Command {
        let mut command = self.env.in_shell(Path::new("/usr/bin").join(self.shell[0]), &self.shell[1..]);
        command.arg(script).args(args);
        command
    }

    fn install(&self, args: &[&str]) -> Outcome {
        outcome(&mut self.command(&Path::new(TERMUX).join("install"), args))
    }

    fn installed(args: &[&str], shell: &'static [&'static str]) -> Self {
        let phone = Self::new(shell);
        let done = phone.install(args);
        assert_eq!(done.code, 0, "{done:?}");
        let _ = fs_err::remove_file(phone.env.path("calls"));
        phone
    }

    /// Taps a widget; gives how it ended and what it called.
    fn tap(&self, script: &str) -> (Outcome, Vec<String>) {
        let _ = fs_err::remove_file(self.env.path("calls"));
        let ended = outcome(&mut self.command(&self.env.path(script), &[]));
        (ended, self.calls())
    }

    fn calls(&self) -> Vec<String> {
        if self.env.exists("calls") {
            self.env.text("calls").lines().map(str::to_owned).collect()
        } else {
            Vec::new()
        }
    }

    fn token(&self, left: i64) {
        self.env.profiles(json!({"anthropic:manual": token("anthropic", json!(real_now_ms() + left))}));
    }

    fn home(&self) -> String {
        self.env.path("").display().to_string().trim_end_matches('/').to_owned()
    }
}

const QUICK: &str = ".shortcuts/tasks/termux-quick-auth.sh";
const SYNC: &str = ".shortcuts/tasks/termux-sync-widget.sh";
const GUIDED: &str = ".shortcuts/termux-auth-widget.sh";
const REAUTH: &str = ".shortcuts/openclaw-reauth";

fn on_every_shell(test: impl Fn(&'static [&'static str])) {
    for shell in SHELLS {
        if has(shell[0]) {
            test(shell);
        } else {
            skipped(&format!("{} is not installed", shell[0]));
        }
    }
}

#[test]
fn a_tap_shows_the_state_and_shakes_as_hard_as_it_matters() {
    on_every_shell(|shell| {
        let phone = Phone::installed(&[], shell);
        for (left, code, shake, line) in [
            (90 * DAY + HOUR / 2, 0, "50", "OK: 1 profile; anthropic:manual needs a person in 90d"),
            (5 * HOUR + HOUR / 2, 2, "100", "EXPIRING: anthropic:manual ends in 5h 29m"),
            (-HOUR, 1, "300", "FAILING: anthropic:manual ended 1h ago"),
        ] {
            phone.token(left);
            let (ended, calls) = phone.tap(QUICK);
            assert_eq!(
                (ended.code, ended.stdout.as_str()),
                (code, format!("{line}\n").as_str()),
                "{ended:?}"
            );
            let mut expected =
                vec![format!("termux-vibrate [-d] [{shake}]"), format!("termux-toast [{line}]")];
            if code != 0 {
                expected.push(format!(
                    "termux-notification [--id] [openclaw-widget] [--title] [Model credentials] [--content] [{line}] \
                     [--button1] [Re-auth] [--button1-action] [sh ~/.shortcuts/openclaw-reauth]"
                ));
            }
            assert_eq!(calls, expected);
        }
    });
}

#[test]
fn a_tap_never_says_that_all_is_well_when_nothing_was_checked() {
    on_every_shell(|shell| {
        let phone = Phone::installed(&[], shell);
        phone.token(90 * DAY);
        phone.env.file(".openclaw/ops.json", "{ torn");
        let (ended, calls) = phone.tap(QUICK);
        assert_eq!(ended.code, 78, "{ended:?}");
        assert_eq!(calls[0], "termux-vibrate [-d] [300]");
        assert!(calls[1].starts_with("termux-toast [openclaw could not check (exit 78): "), "{calls:?}");
        // Another program of that name, which knows nothing of all this and is content.
        phone.remove("openclaw");
        phone.stand_in("openclaw", "echo fine");
        let (ended, calls) = phone.tap(QUICK);
        assert_eq!(ended.code, 70);
        assert_eq!(calls[2], "termux-toast [openclaw could not check (exit 0): fine]");
        phone.remove("openclaw");
        let (ended, calls) = phone.tap(QUICK);
        assert_eq!(ended.code, 69);
        assert!(calls[1].contains("openclaw is not on this phone"), "{calls:?}");
    });
}

#[test]
fn the_guided_widget_asks_and_does_what_was_answered() {
    on_every_shell(|shell| {
        let phone = Phone::installed(&[], shell);
        phone.token(90 * DAY);
        let (ended, calls) = phone.tap(GUIDED);
        assert_eq!((ended.code, calls.len()), (0, 2), "nothing is asked when nobody is needed: {calls:?}");
        phone.token(-HOUR);
        let line = "FAILING: anthropic:manual ended 1h ago";
        let asked = format!("termux-dialog [radio] [-t] [{line}] [-v] [Re-auth now,Later,Dismiss]");
        let (ended, calls) = phone.tap(GUIDED);
        assert_eq!((ended.code, &calls[2..]), (1, &[asked.clone()][..]));
        phone.stand_in("termux-dialog", "printf '{\"code\": -1, \"text\": \"Later\", \"index\": 1}\\n'");
        let (_, calls) = phone.tap(GUIDED);
        assert!(calls[3].starts_with("termux-notification [--id] [openclaw-widget]"), "{calls:?}");
        phone
            .stand_in("termux-dialog", "printf '{\"code\": -1, \"text\": \"Re-auth now\", \"index\": 0}\\n'");
        let (ended, calls) = phone.tap(GUIDED);
        assert_eq!(ended.code, 0, "{ended:?}");
        assert_eq!(calls[3], "termux-open-url [https://claude.ai/login]");
        // Without a terminal one is opened.
        assert_eq!(
            calls[4],
            format!(
                "am [startservice] [--user] [0] [-n] [com.termux/com.termux.app.TermuxService] [-a] \
                 [com.termux.service_execute] [-d] [com.termux.file:{}/{REAUTH}]",
                phone.home()
            )
        );
        phone.stand_in("am", "exit 1");
        let (ended, calls) = phone.tap(REAUTH);
        assert_eq!(ended.code, 1);
        assert_eq!(calls[1], "termux-toast [Open Termux and type: sh ~/.shortcuts/openclaw-reauth]");
    });
}

#[test]
fn the_button_of_a_notice_leads_to_a_login_on_the_terminal() {
    let phone = Phone::installed(&[], &["dash"]);
    let whole = format!("sk-ant-oat01-{}", "s".repeat(80));
    let login = json!({"claudeAiOauth": {"accessToken": whole, "expiresAt": real_now_ms() + 300 * DAY}});
    phone.stand_in("claude", &format!("mkdir -p ~/.claude\necho '{login}' > ~/.claude/.credentials.json"));
    phone.token(-HOUR);
    let reauth = format!("exec /usr/bin/dash {}\r", phone.env.path(REAUTH).display());
    let steps: Vec<Step<'_>> = vec![
        ("", Box::new(move |_| reauth.into_bytes())),
        ("Run `claude setup-token` now? [Y/n]", Box::new(|_| b"\r".to_vec())),
        ("Press Enter to close this.", Box::new(|_| b"\r".to_vec())),
    ];
    let (shown, code) = phone.env.var("PATH", "/usr/bin:/bin").shell_at_a_terminal(steps);
    // The old token is still there and has still ended.
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("Auth profile: anthropic:claude-cli"), "{shown}");
    assert!(shown.contains("models auth remove anthropic:manual"), "{shown}");
}

#[test]
fn the_sync_widget_takes_logins_over_and_tells_the_new_end() {
    on_every_shell(|shell| {
        let phone = Phone::installed(&[], shell);
        let login = json!({"accessToken": "a", "refreshToken": "r", "expiresAt": real_now_ms() + 8 * HOUR + HOUR / 2});
        phone.env.file(".claude/.credentials.json", json!({"claudeAiOauth": login}).to_string());
        let (_, calls) = phone.tap(QUICK);
        assert!(calls[1].starts_with("termux-toast [OK: 1 profile"), "{calls:?}");
        assert!(!phone.env.exists(crate::support::STORE), "a look takes nothing over");
        let (ended, calls) = phone.tap(SYNC);
        assert_eq!(ended.code, 0, "{ended:?}");
        assert_eq!(
            calls[1],
            "termux-toast [Synced. OK: 1 profile; anthropic:claude-cli renews itself in 8h 29m]"
        );
        assert_eq!(
            phone.env.read_json(crate::support::STORE)["profiles"]["anthropic:claude-cli"]["access"],
            "a"
        );
    });
}

#[test]
fn over_ssh_every_word_arrives_as_one_whatever_the_host_is_called() {
    on_every_shell(|shell| {
        let phone = Phone::installed(&["--server", "me@pi"], shell);
        // A host: a shell of its own that gets the command as one text, as sshd gives it.
        fs_err::create_dir_all(phone.env.path("there/.local/bin")).unwrap();
        std::os::unix::fs::symlink(
            env!("CARGO_BIN_EXE_openclaw"),
            phone.env.path("there/.local/bin/openclaw"),
        )
        .unwrap();
        phone.stand_in(
            "ssh",
            "for last; do :; done\nHOME=$HOME/there PATH=/usr/bin:/bin exec /bin/sh -c \"$last\"",
        );
        phone.remove("openclaw");
        let profiles = json!({"version": 1, "profiles":
            {"anthropic:it's": token("anthropic", json!(real_now_ms() - HOUR))}});
        phone.env.file("there/.openclaw/agents/main/agent/auth-profiles.json", profiles.to_string());
        let (ended, calls) = phone.tap(QUICK);
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(
            calls[0].starts_with(
                "ssh [-T] [-o] [ConnectTimeout=10] [-o] [BatchMode=yes] [--] [me@pi] [exec sh -c "
            ),
            "{calls:?}"
        );
        assert!(
            calls.contains(&"termux-toast [FAILING: anthropic:it's ended 1h ago]".to_owned()),
            "{calls:?}"
        );
        // Words with quotes, spaces and what a shell would run, whatever shell people have over there.
        let hostile = ["models", "auth", "remove", "it's $(touch ~/pwned) `id` \"x\" ;#", "--yes"];
        for login_shell in ["sh", "bash", "zsh", "fish"] {
            if !has(login_shell) {
                skipped(&format!("{login_shell} is not installed"));
                continue;
            }
            let there = "HOME=$HOME/there PATH=/usr/bin:/bin exec";
            phone.stand_in(
                "ssh",
                &format!("for last; do :; done\n{there} /usr/bin/{login_shell} -c \"$last\""),
            );
            let said =
                outcome(&mut phone.command(&phone.env.path(".local/share/openclaw/on-host"), &hostile));
            assert!(said.stderr.contains("it's $(touch ~/pwned) `id` \"x\" ;#"), "{login_shell}: {said:?}");
            assert!(!phone.env.exists("there/pwned") && !phone.env.exists("pwned"));
        }
        // The variable counts before the file.
        let on_host = phone.env.path(".local/share/openclaw/on-host");
        let _ = fs_err::remove_file(phone.env.path("calls"));
        outcome(phone.command(&on_host, &["-t", "--version"]).env("OPENCLAW_SERVER", "ssh://op@[::1]:22"));
        assert!(phone.calls()[0].starts_with("ssh [-t] [-o] [ConnectTimeout=10] [--] [ssh://op@[::1]:22] "));
        for host in ["-oProxyCommand=touch ~/pwned", "pi; touch ~/pwned", "$(id)", "a b", "'"] {
            let refused = outcome(phone.command(&on_host, &["--version"]).env("OPENCLAW_SERVER", host));
            assert_eq!(refused.code, 64, "{host}: {refused:?}");
        }
        // A host that cannot be reached is no verdict.
        phone.stand_in("ssh", "echo 'ssh: connect to host pi port 22: timed out' >&2\nexit 255");
        let (ended, calls) = phone.tap(SYNC);
        assert_eq!(ended.code, 255);
        assert!(calls[2].contains("openclaw could not check (exit 255): ssh: connect to host"), "{calls:?}");
    });
}

#[test]
fn the_job_tells_when_it_could_not_look() {
    on_every_shell(|shell| {
        let phone = Phone::installed(&[], shell);
        phone.token(-HOUR);
        let (ended, calls) = phone.tap(".local/share/openclaw/job");
        assert_eq!(ended.code, 0, "a verdict is no failure: {ended:?}");
        // The body of a notice has lines of its own.
        let told = calls.join("\n");
        assert!(told.contains("[--title] [anthropic:manual has ended"), "{told}");
        assert!(told.contains(&format!("[--button1-action] [sh {}/{REAUTH}]", phone.home())), "{told}");
        phone.env.file(".openclaw/ops.json", "{ torn");
        let (ended, calls) = phone.tap(".local/share/openclaw/job");
        assert_eq!(ended.code, 78);
        assert!(calls[0].contains("[--title] [openclaw could not look] [--content] [exit 78; "), "{calls:?}");
        fs_err::remove_file(phone.env.path(".openclaw/ops.json")).unwrap();
        phone.token(90 * DAY);
        let (ended, calls) = phone.tap(".termux/boot/openclaw");
        assert_eq!(ended.code, 0);
        assert_eq!(
            calls[0],
            format!(
                "termux-job-scheduler [--job-id] [18789] [--script] [{}/.local/share/openclaw/job] [--period-ms] \
                 [1800000] [--network] [none] [--battery-not-low] [false] [--persisted] [true]",
                phone.home()
            )
        );
    });
}

#[test]
fn installing_twice_is_installing_once_and_uninstalling_leaves_nothing() {
    on_every_shell(|shell| {
        let phone = Phone::new(shell);
        phone.token(90 * DAY);
        let before = tree(&phone.env.path(""));
        let said = phone.install(&["--dry-run"]);
        assert_eq!(said.code, 0, "{said:?}");
        assert!(said.stdout.contains("would run: mkdir -m 700 "), "{said:?}");
        assert_eq!(tree(&phone.env.path("")), before, "a dry run does nothing");
        assert_eq!(phone.install(&[]).code, 0);
        assert!(phone.calls()[0].starts_with("termux-job-scheduler [--job-id]"), "{:?}", phone.calls());
        let known = |phone: &Phone| {
            let mut files = tree(&phone.env.path(""));
            files.retain(|path, _| !path.ends_with("calls") && !path.to_string_lossy().contains(".openclaw"));
            files
        };
        let once = known(&phone);
        let again = phone.install(&[]);
        assert_eq!((again.code, again.stdout.as_str()), (0, ""), "{again:?}");
        assert_eq!(known(&phone), once);
        for file in [QUICK, SYNC, GUIDED, REAUTH, ".termux/boot/openclaw"] {
            assert!(phone.env.exists(file), "{file}");
        }
        // Going over to a host: the phone has nothing to watch any more.
        assert_eq!(phone.install(&["--server=pi"]).code, 0);
        assert!(
            !phone.env.exists(".termux/boot/openclaw") && phone.env.text(".config/openclaw/server") == "pi\n"
        );
        assert!(phone.calls().contains(&"termux-job-scheduler [--cancel] [--job-id] [18789]".to_owned()));
        assert_eq!(phone.install(&["uninstall"]).code, 0);
        let mut left = known(&phone);
        left.retain(|path, _| !before.contains_key(path));
        assert!(left.is_empty(), "{left:?}");
    });
}

#[test]
fn files_of_others_are_neither_replaced_nor_removed() {
    on_every_shell(|shell| {
        let phone = Phone::new(shell);
        phone.env.file(GUIDED, "#!/bin/sh\necho mine\n").file(".shortcuts/other", "other");
        let refused = phone.install(&[]);
        assert_eq!(refused.code, 1, "{refused:?}");
        assert!(
            refused.stderr.contains("is not ours; --force replaces it. Nothing was changed"),
            "{refused:?}"
        );
        assert!(!phone.env.exists(QUICK) && !phone.env.exists(".local"));
        phone.install(&["uninstall"]);
        assert_eq!(phone.env.text(GUIDED), "#!/bin/sh\necho mine\n");
        assert_eq!(phone.install(&["--force"]).code, 0);
        assert!(phone.env.text(GUIDED).contains("# Part of openclaw: "));
        assert_eq!(phone.install(&["uninstall"]).code, 0);
        assert!(!phone.env.exists(GUIDED) && phone.env.exists(".shortcuts/other"));
        for wrong in [&["--server"][..], &["--server", "-x"], &["--server", "a b"], &["instal"]] {
            assert_eq!(phone.install(wrong).code, 64, "{wrong:?}");
        }
    });
}

#[test]
fn every_file_for_phones_is_explained() {
    let guide = fs_err::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/termux.md")).unwrap();
    for entry in fs_err::read_dir(TERMUX).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        assert!(guide.contains(&format!("`{name}`")), "{name}");
    }
}
