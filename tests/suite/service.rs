//! `openclaw service`: what it writes, what it refuses, and what it leaves. A real systemd runs it in `service_lab`.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::host::{KEY, UNIT, healthy};
use crate::support::inbox::Inbox;
use crate::support::{CONFIG, HOUR, OPS, Outcome, TestEnv, has, is_root, outcome, skipped, token};

const KINDS: &[&str] = &["exporter", "gateway", "monitor"];
/// A token of the gateway in the config of [`healthy`].
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A host whose program has a path that systemd would take apart.
fn odd_place() -> TestEnv {
    let env = TestEnv::with_default_key();
    env.script("my files/100%/$HOME/openclaw", "exit 0");
    let state = env.path("my state").display().to_string();
    fs_err::create_dir(env.path("my state")).unwrap();
    env.program("my files/100%/$HOME/openclaw").var("OPENCLAW_STATE_DIR", state)
}

/// The files that would be written, by name.
fn planned(env: &TestEnv, args: &[&str]) -> Vec<(String, String)> {
    let args: Vec<_> = args.iter().copied().chain(["--dry-run", "--json"]).collect();
    let ran = env.run(&args);
    assert_eq!(ran.code, 0, "{ran:?}");
    let document = ran.json();
    let files = document["files"].as_array().unwrap().iter();
    let name = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    let home = env.path("x").parent().unwrap().display().to_string();
    let real = |text: &str| text.replace("[HOME]", &home);
    files.map(|file| (name(file["path"].as_str().unwrap()), real(file["text"].as_str().unwrap()))).collect()
}

fn unit<'f>(files: &'f [(String, String)], name: &str) -> &'f str {
    let found = files.iter().find(|(known, _)| known == name);
    &found.unwrap_or_else(|| panic!("no {name}")).1
}

#[test]
fn systemd_takes_every_unit_and_those_of_the_machine_are_hardened() {
    if !has("systemd-analyze") {
        return skipped("systemd-analyze is not installed");
    }
    let env = odd_place();
    for kind in KINDS {
        for flavour in [&["--user"][..], &["--run-as", "root"]] {
            let socket = if *kind == "gateway" { &["--socket"][..] } else { &[] };
            let args = ["service", "install", kind].into_iter().chain(flavour.iter().chain(socket).copied());
            let args: Vec<_> = args.collect();
            let files = planned(&env, &args);
            let folder = tempfile::tempdir().unwrap();
            for (name, text) in &files {
                // A template is checked as one that was started.
                let name = name.replace("@.", "@openclaw-gateway.service.");
                fs_err::write(folder.path().join(name), text).unwrap();
            }
            for entry in fs_err::read_dir(folder.path()).unwrap().flatten() {
                let mut verify = Command::new("systemd-analyze");
                verify.args(["verify", "--recursive-errors=no"]).arg(entry.path());
                let ran = outcome(&mut verify);
                assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{kind} {flavour:?} {ran:?}");
                if flavour.len() == 2 && entry.path().extension().is_some_and(|kind| kind == "service") {
                    let mut security = Command::new("systemd-analyze");
                    security.args(["security", "--offline=true", "--threshold=20"]).arg(entry.path());
                    let ran = outcome(&mut security);
                    assert_eq!(ran.code, 0, "{kind}: {}", ran.stdout);
                }
            }
        }
    }
}

#[test]
fn a_unit_says_what_this_host_needs_and_no_secret() {
    let env = odd_place();
    let files = planned(&env, &["--profile", "work", "service", "install", "monitor", "--user"]);
    let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "openclaw-auth-monitor-work.timer",
            "openclaw-auth-monitor-work.service",
            "openclaw-onfailure-work@.service"
        ]
    );
    let service = unit(&files, "openclaw-auth-monitor-work.service");
    for wanted in [
        "/my files/100%%/$HOME/openclaw\" --profile work monitor --once\n",
        "OnFailure=openclaw-onfailure-work@%n.service\n",
        "SuccessExitStatus=1 2\n",
        "/my state\"\n",
    ] {
        assert!(service.contains(wanted), "{wanted}: {service}");
    }
    assert!(service.contains("\nEnvironment=\"OPENCLAW_STATE_DIR=/"), "{service}");
    let all: String = files.into_iter().map(|(_, text)| text).collect();
    assert!(!all.contains("sk-openai") && !all.contains("OPENAI_API_KEY"), "{all}");

    // The key of this shell is not copied, and that is said; the token of the config neither.
    let env = healthy().program("bin/openclaw").var("XAI_API_KEY", "xai-0123456789abcdefghij");
    let ran = env.run(&["gateway", "install", "--user", "--dry-run", "--port", "4711", "--force"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("/bin/openclaw gateway run --port 4711\n"), "{ran:?}");
    assert!(ran.stderr.contains("XAI_API_KEY of this shell is not copied"), "{ran:?}");
    assert!(!ran.stderr.contains("OPENAI_API_KEY"), "it stands in .env: {ran:?}");
    for secret in [TOKEN, KEY, "xai-0123456789abcdefghij"] {
        assert!(!ran.stdout.contains(secret) && !ran.stderr.contains(secret), "{secret}");
    }
    let ran = env.run(&["gateway", "install", "--user", "--token", "-", "--force"]);
    assert_eq!(ran.code, 64, "{ran:?}");
}

#[test]
fn the_machines_flavour_writes_where_it_has_to_and_takes_credentials_of_channels() {
    let env = odd_place();
    let ntfy = json!({"type": "ntfy", "topic": "t", "tokenFile": "ntfy-token"});
    let hook = json!({"type": "webhook", "urlFile": "~/hook"});
    let ops = json!({"monitor": {"every": "10m", "channels": {"phone": ntfy, "hook": hook}}});
    env.file("my state/ops.json", ops.to_string());
    let files = planned(&env, &["service", "install", "monitor", "--run-as", "root"]);
    let service = unit(&files, "openclaw-auth-monitor.service");
    let state = env.path("my state").display().to_string();
    let writable: Vec<_> = service.lines().filter(|line| line.starts_with("ReadWritePaths=")).collect();
    assert_eq!(writable, [format!("ReadWritePaths=\"-{state}\"")], "one that is gone stops nothing");
    let loaded: Vec<_> = service.lines().filter(|line| line.starts_with("LoadCredential=")).collect();
    assert_eq!(loaded, ["LoadCredential=ntfy-token:ntfy-token"]);
    assert!(service.contains("\nUser=root\n") && service.contains("\nProtectSystem=strict\n"), "{service}");
    assert!(unit(&files, "openclaw-auth-monitor.timer").contains("\nOnCalendar=*:0/10\n"));
    let told = unit(&files, "openclaw-onfailure@.service");
    assert!(told.contains("monitor failed --system %i"), "{told}");
    // Whoever installs what tells of failures writes the same.
    let of_gateway = planned(&env, &["service", "install", "gateway", "--run-as", "root"]);
    assert_eq!(unit(&of_gateway, "openclaw-onfailure@.service"), told);

    // What is told by no clock on the wall is not put off by each start of the machine.
    env.file("my state/ops.json", "{monitor: {every: '36h'}}");
    let files = planned(&env, &["service", "install", "monitor", "--user"]);
    let timer = unit(&files, "openclaw-auth-monitor.timer");
    assert!(timer.contains("\nOnActiveSec=2min\nOnUnitActiveSec=129600s\n"), "{timer}");
}

#[test]
fn a_gateway_that_hangs_at_each_start_reaches_its_limit() {
    let files = planned(&odd_place(), &["service", "install", "gateway", "--user"]);
    let text = unit(&files, "openclaw-gateway.service");
    let value = |key: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap();
        value.parse().map_or_else(|_| humantime::parse_duration(value).unwrap(), Duration::from_secs)
    };
    let slowest =
        value("TimeoutStartSec") + value("WatchdogSec") + value("TimeoutStopSec") + value("RestartSec");
    let starts: u32 = value("StartLimitBurst").as_secs().try_into().unwrap();
    assert!(starts * slowest < value("StartLimitIntervalSec"), "{slowest:?}");
}

#[test]
fn root_starts_no_login_shell_of_somebody_else() {
    if !is_root() {
        return skipped("needs root to give a folder away");
    }
    let env = TestEnv::new().program("openclaw").var("SUDO_USER", "daemon");
    env.script("shell", "touch \"$HOME/was-started\"; exec env -0");
    let shell = env.path("shell").display().to_string();
    let env = env.var("SHELL", shell);
    env.file(CONFIG, "{env: {shellEnv: {enabled: true}}}");
    let home = env.path(CONFIG).parent().unwrap().parent().unwrap().to_owned();
    assert_eq!(env.run(&["models", "status"]).code, 0);
    assert!(env.exists("was-started"), "root's own");
    fs_err::remove_file(env.path("was-started")).unwrap();
    std::os::unix::fs::chown(&home, Some(1), Some(1)).unwrap();
    let ran = env.run(&["models", "status", "--json"]);
    assert!(ran.stdout.contains("shell-env-failed"), "{ran:?}");
    for args in [&["--run-as", "daemon"][..], &["--user"], &["--system"]] {
        let args: Vec<_> =
            ["service", "install", "monitor", "--dry-run"].iter().chain(args).copied().collect();
        let ran = env.run(&args);
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    assert!(!env.exists("was-started"));
}

#[test]
fn what_somebody_else_has_written_is_left_alone_and_kept_when_it_is_replaced() {
    let env = healthy().program("bin/openclaw");
    env.script("bin/openclaw", "exit 0");
    let before = env.text(UNIT);
    for command in [&["gateway", "install", "--user"][..], &["gateway", "uninstall", "--user"]] {
        let ran = env.run(command);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.stderr.contains("was not written by this program"), "{ran:?}");
        assert!(ran.stderr.contains("--user --force"), "{ran:?}");
        assert_eq!(env.text(UNIT), before);
    }
    let refused = env.run(&["gateway", "install", "--user", "--json"]);
    let document = refused.json();
    assert_eq!((refused.code, &document["ok"], &document["action"]), (1, &json!(false), &json!("install")));

    let forced = env.run(&["gateway", "install", "--user", "--force", "--json"]);
    let document = forced.json();
    assert_eq!((forced.code, &document["result"]), (0, &json!("installed")), "{forced:?}");
    assert_eq!(document["service"]["label"], "openclaw-gateway.service");
    let kept = format!("{UNIT}.replaced");
    let mode = |file: &str| fs_err::metadata(env.path(file)).unwrap().permissions().mode() & 0o777;
    assert_eq!((env.text(&kept), mode(&kept), mode(UNIT)), (before, 0o600, 0o644), "units may hold secrets");
    let again = env.run(&["gateway", "install", "--user", "--json"]).json();
    assert_eq!((&again["result"], &again["changes"]), (&json!("already-installed"), &json!([])), "{again}");
    let gone = env.run(&["gateway", "uninstall", "--user", "--json"]).json();
    assert_eq!(gone["result"], "uninstalled", "{gone}");
    assert!(!env.exists(UNIT) && !env.exists(".config/systemd/user/openclaw-onfailure@.service"));
    assert_eq!(env.run(&["gateway", "uninstall", "--user", "--json"]).json()["result"], "not-loaded");

    // A mask is somebody's will too, and what was kept before is not written over.
    std::os::unix::fs::symlink("/dev/null", env.path(UNIT)).unwrap();
    assert_eq!(env.run(&["gateway", "install", "--user"]).code, 1);
    assert_eq!(env.run(&["gateway", "install", "--user", "--force"]).code, 0);
    assert!(env.text(&kept).contains("ExecStart=/bin/true") && env.exists(&format!("{kept}-2")));
}

#[test]
fn a_service_that_is_not_there_is_neither_started_nor_called_started() {
    let env = healthy().program("bin/openclaw");
    fs_err::remove_file(env.path(UNIT)).unwrap();
    for (verb, code) in [("start", 1), ("restart", 1), ("stop", 0)] {
        let (status, document) = env.run(&["gateway", verb, "--json"]).pair();
        assert_eq!((status, &document["result"]), (code, &json!("not-loaded")), "{verb}: {document}");
        assert!(document["warnings"].to_string().contains("openclaw gateway install"), "{document}");
    }
    env.file(UNIT, "[Service]\nExecStart=/bin/true\n");
    let (status, document) = env.run(&["gateway", "restart", "--json"]).pair();
    assert_eq!((status, &document["result"]), (0, &json!("restarted")), "{document}");
    let status = env.run(&["service", "status", "--json"]);
    let services = status.json()["services"].clone();
    assert_eq!(
        (&services[0]["kind"], &services[0]["ours"]),
        (&json!("gateway"), &json!(false)),
        "{status:?}"
    );
}

#[test]
fn only_root_changes_the_machine_and_is_told_what_to_type() {
    if !is_root() {
        return skipped("needs root to be somebody else");
    }
    let env = TestEnv::with_default_key();
    let mut command = env.command(&[
        "--profile",
        "work",
        "service",
        "install",
        "monitor",
        "--system",
        "--run-as",
        "daemon",
    ]);
    command.env("OPENCLAW_STATE_DIR", "/tmp/of it").uid(65_534).gid(65_534);
    let ran = outcome(&mut command);
    assert_eq!(ran.code, 1, "{ran:?}");
    let program = env!("CARGO_BIN_EXE_openclaw");
    let wanted = format!(
        "hint: sudo OPENCLAW_STATE_DIR='/tmp/of it' {program} --profile work service install monitor --system --run-as daemon"
    );
    assert!(ran.stderr.contains(&wanted), "{ran:?}");
    let mut command = env.command(&["--agent", "main", "service", "install", "monitor", "--system"]);
    let ran = outcome(command.uid(65_534).gid(65_534));
    let wanted = format!("{program} --agent main service install monitor --system --run-as nobody");
    assert!(ran.stderr.contains(&wanted), "{ran:?}");
    let ran = env.run(&["service", "install", "monitor", "--run-as", "nobody-of-this-name"]);
    assert_eq!(ran.code, 64, "{ran:?}");
}

fn lines(env: &TestEnv, file: &str) -> Vec<String> {
    if env.exists(file) { env.text(file).lines().map(str::to_owned).collect() } else { Vec::new() }
}

#[test]
fn a_phone_gets_a_service_of_runit() {
    let env = TestEnv::with_default_key().program("bin/openclaw");
    let prefix = env.path("usr");
    let path = format!("{}:/usr/bin:/bin", prefix.join("bin").display());
    let env = env.var("TERMUX_VERSION", "0.118").var("PREFIX", prefix).var("PATH", path);
    let refused = env.run(&["service", "install", "monitor"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    for hint in ["pkg install termux-services", "termux-job-scheduler"] {
        assert!(refused.stderr.contains(hint), "{refused:?}");
    }
    // The supervisor of the real package is runsv; these write down what they are told.
    for program in ["sv-enable", "sv-disable"] {
        env.script(&format!("usr/bin/{program}"), "echo \"${0##*/} $*\" >>\"$HOME/told\"");
    }
    env.script(
        "usr/bin/sv",
        "[ \"$1\" = status ] && cat \"$HOME/is\" && exit; echo \"sv $*\" >>\"$HOME/told\"",
    );
    env.file("is", "down: openclaw-monitor: 1s\n").file("usr/var/service/other/run", "");
    let (code, document) = env.run(&["service", "install", "monitor", "--json"]).pair();
    assert_eq!((code, &document["result"]), (0, &json!("installed")), "{document}");
    assert_eq!(lines(&env, "told"), ["sv-enable openclaw-monitor"]);
    let run = env.text("usr/var/service/openclaw-monitor/run");
    assert!(run.starts_with("#!") && run.contains("/bin/openclaw' 'monitor' 2>&1\n"), "{run}");
    assert!(!run.contains("sk-openai"), "{run}");
    let checked = outcome(Command::new("sh").arg("-n").arg(env.path("usr/var/service/openclaw-monitor/run")));
    assert_eq!(checked.code, 0, "{checked:?}");
    env.file("is", "run: openclaw-monitor: (pid 1) 1s\n");
    let again = env.run(&["service", "install", "monitor", "--json"]).json();
    assert_eq!((&again["result"], lines(&env, "told").len()), (&json!("already-installed"), 1), "{again}");
    assert_eq!(env.run(&["service", "status", "monitor"]).code, 0);
    assert_eq!(env.run(&["gateway", "start"]).code, 1);
    assert_eq!(env.run(&["service", "uninstall", "monitor"]).code, 0);
    assert_eq!(lines(&env, "told").last().unwrap(), "sv-disable openclaw-monitor");
    assert!(!env.exists("usr/var/service/openclaw-monitor") && env.exists("usr/var/service/other/run"));
}

#[test]
fn a_mac_gets_an_agent_of_launchd() {
    if !has("python3") {
        return skipped("python3 is not installed");
    }
    let env = TestEnv::with_default_key().program("a & b/openclaw").keychain("security");
    let bin = env.path("bin").display().to_string();
    let env = env.var("PATH", format!("{bin}:/usr/bin:/bin")).var("CODEX_HOME", "/codex <home>");
    env.script(
        "bin/launchctl",
        "echo \"$*\" >>\"$HOME/told\"\ncase $1 in\nprint) case $2 in */*/*) [ -e \"$HOME/loaded\" ] ;; esac ;;\n\
         bootstrap) touch \"$HOME/loaded\" ;;\nbootout) rm \"$HOME/loaded\" ;;\nesac",
    );
    let install = ["service", "install", "monitor", "--user", "--json"];
    assert_eq!(env.run(&install).json()["result"], "installed");
    assert_eq!(env.run(&install).json()["result"], "already-installed");
    let plist = "Library/LaunchAgents/ai.openclaw.monitor.plist";
    let mut python = Command::new("python3");
    python.args([
        "-c",
        "import json, plistlib, sys; print(json.dumps(plistlib.load(open(sys.argv[1], 'rb'))))",
    ]);
    let read: Value = outcome(python.arg(env.path(plist))).json();
    let program = env.path("a & b/openclaw").display().to_string();
    assert_eq!(read["ProgramArguments"], json!([program, "monitor", "--once"]));
    assert_eq!((&read["StartInterval"], &read["Label"]), (&json!(1800), &json!("ai.openclaw.monitor")));
    assert_eq!(read["EnvironmentVariables"]["CODEX_HOME"], "/codex <home>");
    assert_eq!(read["EnvironmentVariables"]["OPENAI_API_KEY"], Value::Null);
    let uid = nix::unistd::geteuid();
    let told = env.text("told");
    assert!(told.contains(&format!("bootstrap gui/{uid} {}", env.path(plist).display())), "{told}");
    assert_eq!(
        env.run(&["service", "uninstall", "monitor", "--user", "--json"]).json()["result"],
        "uninstalled"
    );
    assert!(!env.exists(plist) && !env.exists("loaded"));
    assert_eq!(env.run(&["service", "install", "monitor", "--system"]).code, 64);
}

fn watched(inbox: &Inbox) -> TestEnv {
    let env = TestEnv::with_default_key()
        .var("MONITOR_EXIT_STATUS", "78")
        .var("MONITOR_SERVICE_RESULT", "exit-code");
    let hook = json!({"type": "webhook", "url": inbox.url("/hook")});
    env.file(
        OPS,
        json!({"monitor": {"host": "pi", "timezone": "UTC", "channels": {"hook": hook}}}).to_string(),
    );
    env
}

fn failed(env: &TestEnv) -> Outcome {
    env.run(&["monitor", "failed", "openclaw-auth-monitor.service"])
}

#[test]
fn a_check_that_fails_is_told_once_also_when_its_settings_are_the_cause() {
    let inbox = Inbox::new();
    let env = watched(&inbox);
    env.profiles(json!({"anthropic:a": token("anthropic", json!(env.now_ms() - HOUR))}));
    assert_eq!(env.run(&["monitor", "--once"]).code, 1);
    assert_eq!(inbox.taken().len(), 1);
    let good = env.text(OPS);
    env.file(OPS, "{monitor: {channels: 1}}");
    assert_eq!(env.run(&["monitor", "--once"]).code, 78);
    for _ in 0..3 {
        let ran = failed(&env);
        assert_eq!(ran.code, 0, "{ran:?}");
        env.pass(Duration::from_mins(30));
    }
    let told = inbox.taken();
    assert_eq!(told.len(), 2, "{told:?}");
    let document = told[1].json();
    assert_eq!(
        document["title"],
        "openclaw-auth-monitor.service failed, and nobody watches the credentials: exit status 78, \
         `openclaw.json` or `ops.json` is invalid"
    );
    assert_eq!(document["command"], "journalctl --user -u openclaw-auth-monitor.service -n 20");
    // The next look that works ends it, and what was open before is neither told anew nor called over.
    env.file(OPS, good);
    assert_eq!(env.run(&["monitor", "--once"]).code, 1);
    let told = inbox.taken();
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(told[2].json()["title"], "openclaw-auth-monitor.service is fine again");
    let mode = fs_err::metadata(env.path(".openclaw/ops.last-good.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "settings may name a secret address");
}

#[test]
fn other_units_are_told_each_time_and_never_called_fine_unseen() {
    let inbox = Inbox::new();
    let env = watched(&inbox).var("MONITOR_SERVICE_RESULT", "start-limit-hit");
    let ran = env.run(&["monitor", "failed", "--system", "openclaw-gateway.service"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(env.run(&["monitor", "--once"]).code, 0);
    let told = inbox.taken();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].json()["title"], "openclaw-gateway.service failed: start-limit-hit");
    assert_eq!(told[0].json()["command"], "sudo journalctl -u openclaw-gateway.service -n 20");
}

#[test]
fn who_is_not_reached_is_an_error_so_that_the_unit_tries_another_way() {
    let inbox = Inbox::answering(|_, _| 500);
    let env = watched(&inbox);
    env.file(CONFIG, "{agents: {defaults: {model: {primary: 'openai/gpt-5.2'}}}}");
    let ran = failed(&env);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("no channel has delivered it"), "{ran:?}");
}
