//! Services beside a real systemd, in one container of `scripts/lab`.

use std::time::Duration;

use openclaw::clock::{Clock, Deadline};
use serde_json::json;

use crate::doctor_lab::Lab;
use crate::support::Outcome;

/// How long a timer that fires every second, or a unit that is restarted, may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);

impl Lab {
    /// A shell line of root.
    fn root(&self, line: &str) -> Outcome {
        self.run(&["exec", "sh", "-c", line])
    }

    /// A shell line of the user that must succeed; what it prints.
    fn said(&self, line: &str) -> String {
        let ran = self.user(line);
        assert_eq!(ran.code, 0, "{line}: {ran:?}");
        ran.stdout
    }

    /// Waits until a shell line of root succeeds.
    fn until(&self, line: &str) {
        let limit = Deadline::after(PATIENCE);
        loop {
            let ran = self.root(line);
            if ran.code == 0 {
                return;
            }
            if limit.has_passed() {
                let journal = self.run(&["journal", "-n", "40", "-o", "cat"]).stdout;
                panic!("never: {line}: {ran:?}\n{journal}");
            }
            Clock::System.sleep(Duration::from_millis(200));
        }
    }

    /// Waits until the user was shown something.
    fn until_shown(&self, text: &str) {
        self.until(&format!("grep -q '{text}' /home/op/shown"));
    }

    fn set_up(&self) {
        for helper in ["notifications.pl", "sink.pl"] {
            let file = format!("{}/tests/suite/support/{helper}", env!("CARGO_MANIFEST_DIR"));
            self.ok(&["put", &file, "/usr/local/bin/"]);
        }
        self.said(
            "umask 077; mkdir -p ~/.openclaw/agents/main/agent ~/.config/systemd/user; cd ~/.config/systemd/user
            printf '%s' \"{gateway: {mode: 'local', port: 18789, auth: {token: '0123456789abcdef0123456789abcdef'}}, \
            agents: {defaults: {model: {primary: 'openai/gpt-5.2'}}}}\" >~/.openclaw/openclaw.json
            echo OPENAI_API_KEY=sk-new-0123456789abcdef >~/.openclaw/.env
            unit() { printf '[Service]\\nExecStart=/usr/bin/perl /usr/local/bin/%s\\n[Install]\\nWantedBy=default.target\\n' \"$2\" >$1.service; }
            unit recorder 'notifications.pl %h/shown'; unit sink 'sink.pl 8099'
            systemctl --user daemon-reload && systemctl --user enable --now recorder.service sink.service 2>/dev/null; touch ~/shown",
        );
        self.until(
            "setpriv --reuid=op --regid=op --init-groups env XDG_RUNTIME_DIR=/run/user/1000 \
             busctl --user status org.freedesktop.Notifications >/dev/null 2>&1",
        );
    }

    /// Gives the host a token that has ended, or one that has not.
    fn token(&self, expires: i64) {
        let profile =
            json!({"type": "token", "provider": "zz", "token": "t-0123456789abcdefghij", "expires": expires});
        let store = json!({"version": 1, "profiles": {"zz:a": profile}}).to_string();
        self.said(&format!(
            "umask 077; printf '%s' '{store}' >~/.openclaw/agents/main/agent/auth-profiles.json; : >~/shown"
        ));
    }
}

/// Lets the timer fire each second, by a drop-in.
fn hurry(folder: &str, systemctl: &str) -> String {
    format!(
        "mkdir -p {folder}/openclaw-auth-monitor.timer.d && printf '[Timer]\\nOnCalendar=\\nOnCalendar=*:*:*\\n\
         AccuracySec=1ms\\nRandomizedDelaySec=0\\n' >{folder}/openclaw-auth-monitor.timer.d/fast.conf && \
         {systemctl} daemon-reload && {systemctl} restart openclaw-auth-monitor.timer"
    )
}

const ENDED: i64 = 1_000_000_000_000;
const FAR: i64 = 4_000_000_000_000;
const ASLEEP: &str = "show openclaw-auth-monitor.service -p ActiveState,SubState,Result,ExecMainStatus";

#[test]
fn services_are_installed_fire_tell_survive_a_reboot_and_go_without_a_trace() {
    let Some(lab) = Lab::up("service") else { return };
    lab.set_up();
    let before = lab.said("find ~ -path '*/.openclaw' -prune -o -not -type d -print | sort");
    of_a_user(&lab);
    of_the_machine(&lab);
    the_exporter(&lab);
    the_gateway(&lab);
    assert_eq!(
        lab.said("find ~ -path '*/.openclaw' -prune -o -not -type d -print | sort"),
        before,
        "something stayed"
    );
    let units = "find /etc/systemd /run/systemd/transient /var/lib/systemd/timers -name '*openclaw*'";
    assert_eq!(lab.root(units).stdout, "");
}

fn of_a_user(lab: &Lab) {
    lab.token(ENDED);
    let installed = lab.said("openclaw service install monitor 2>&1");
    assert!(installed.contains("enabled openclaw-auth-monitor.timer"), "{installed}");
    assert!(installed.contains("`loginctl enable-linger op`"), "{installed}");
    let again = lab.user("openclaw service install monitor --json").json();
    assert_eq!((&again["result"], &again["changes"]), (&json!("already-installed"), &json!([])), "{again}");
    lab.ok(&["exec", "loginctl", "enable-linger", "op"]);

    // Doctor has nothing to say of it but what is true of the host: no gateway's service, a token that has ended.
    let found = lab.user("openclaw doctor --json").json();
    let expected = ["credential-expired", "service-absent"];
    assert_eq!(crate::support::host::codes(&found), expected, "{found:#}");

    // The timer fires by itself, the alarm is seen, and a verdict leaves no failed unit.
    lab.said("rm -f ~/.openclaw/monitor-state.json; : >~/shown");
    lab.said(&hurry("~/.config/systemd/user", "systemctl --user"));
    lab.until_shown("zz:a has ended");
    lab.said("systemctl --user stop openclaw-auth-monitor.timer");
    let state = lab
        .said(&format!("systemctl --user start openclaw-auth-monitor.service && systemctl --user {ASLEEP}"));
    for wanted in ["ActiveState=inactive", "SubState=dead", "Result=success", "ExecMainStatus=1"] {
        assert!(state.contains(wanted), "{state}");
    }

    // After a reboot it goes on by itself: the recovery is told.
    lab.token(FAR);
    lab.ok(&["reboot"]);
    lab.until_shown("zz:a is fine again");

    // Settings that are broken trip OnFailure=, and the way to people is still known.
    lab.said("rm -r ~/.config/systemd/user/openclaw-auth-monitor.timer.d; systemctl --user daemon-reload
        echo '{monitor: {host: \"pi\"}}' >~/.openclaw/ops.json; systemctl --user start openclaw-auth-monitor.service
        echo '{monitor: {hostt: \"pi\"}}' >~/.openclaw/ops.json; : >~/shown");
    assert_ne!(lab.user("systemctl --user start openclaw-auth-monitor.service").code, 0);
    lab.until_shown(
        "openclaw-auth-monitor.service failed, and nobody watches the credentials: exit status 78",
    );
    lab.said("rm ~/.openclaw/ops.json; : >~/shown; systemctl --user start openclaw-auth-monitor.service");
    lab.until_shown("openclaw-auth-monitor.service is fine again");

    let gone = lab.said("openclaw service uninstall monitor");
    assert!(gone.contains("removed /home/op/.config/systemd/user/openclaw-auth-monitor.timer"), "{gone}");
    assert_eq!(lab.user("systemctl --user list-units --all --plain --no-legend 'openclaw*'").stdout, "");
}

fn of_the_machine(lab: &Lab) {
    lab.token(ENDED);
    // A secret of a channel that only root can read comes through systemd.
    lab.said("echo '{monitor: {channels: {desk: {type: \"desktop\"}, hook: {type: \"webhook\", urlFile: \"hook-url\"}}}}' \
        >~/.openclaw/ops.json; rm -f ~/.openclaw/monitor-state.json; : >~/shown");
    let set_up = "mkdir -p /etc/credstore && chmod 700 /etc/credstore && echo http://127.0.0.1:8099/x >/etc/credstore/hook-url
        mkdir -p /opt/own && cp /usr/local/bin/openclaw /opt/own/ && /opt/own/openclaw service install monitor --run-as op";
    let ran = lab.root(set_up);
    assert_eq!(ran.code, 0, "{ran:?}");
    lab.until_shown("zz:a has ended");
    let state =
        lab.root(&format!("systemctl start openclaw-auth-monitor.service; systemctl {ASLEEP}")).stdout;
    assert!(state.contains("ActiveState=inactive") && state.contains("ExecMainStatus=1"), "{state}");
    let told = lab.user("openclaw monitor status --json").json();
    let channels = told["channels"].as_array().unwrap().iter();
    let hook = channels.clone().find(|channel| channel["name"] == "hook").unwrap();
    assert_eq!(hook["delivered"], 1, "the address was found and called: {told}");

    // It is back with the machine, and writes what it has to.
    lab.token(FAR);
    lab.ok(&["reboot"]);
    let fast = lab.root(&hurry("/run/systemd/system", "systemctl"));
    assert_eq!(fast.code, 0, "{fast:?}");
    lab.until_shown("zz:a is fine again");
    assert_eq!(lab.root("systemctl stop openclaw-auth-monitor.timer; rm -r /run/systemd/system/openclaw*; systemctl daemon-reload").code, 0);

    // A program that is gone cannot tell: the unit does, on the desktop and on every terminal.
    lab.said(": >~/shown");
    lab.root("rm /opt/own/openclaw; systemctl start openclaw-auth-monitor.service");
    lab.until_shown("openclaw-auth-monitor.service has failed, and the channels of the monitor too");
    lab.until("journalctl -q -p emerg -o cat | grep -q 'openclaw-auth-monitor.service has failed'");

    let found = lab.user("openclaw doctor --json --only unit-program-gone").json();
    let remedy = crate::support::host::found(&found, "unit-program-gone")["remedy"].clone();
    assert_eq!(remedy, "`sudo openclaw service install monitor --run-as op` writes the unit anew");

    let gone = lab.root("openclaw service uninstall monitor --run-as op; rm -r /opt/own /etc/credstore");
    assert_eq!(gone.code, 0, "{gone:?}");
    lab.said("rm ~/.openclaw/ops.json");
}

fn the_exporter(lab: &Lab) {
    let scraped = "curl -sf -m 10 http://127.0.0.1:9878/metrics | grep -q '^openclaw_'";
    lab.said("openclaw service install exporter");
    lab.until(scraped);
    lab.said("openclaw service status exporter && openclaw service uninstall exporter");
    let ran = lab.root(&format!("openclaw service install exporter --run-as op && {scraped} && openclaw service uninstall exporter --run-as op"));
    assert_eq!(ran.code, 0, "{ran:?}");
}

fn the_gateway(lab: &Lab) {
    let answers = "curl -sf -m 10 -H 'authorization: Bearer 0123456789abcdef0123456789abcdef' http://127.0.0.1:18789/v1/models | grep -q gpt-5.2";
    for (systemctl, as_root, scope) in [("systemctl --user", false, ""), ("systemctl", true, "--run-as op")] {
        let run = |line: &str| if as_root { lab.root(line) } else { lab.user(line) };
        let ran = run(&format!(
            "openclaw gateway install {scope} && ! grep -rq 0123456789abcdef {}",
            if as_root { "/etc/systemd/system" } else { "~/.config/systemd" }
        ));
        assert_eq!(ran.code, 0, "{ran:?}");
        lab.until(answers);
        let pid = || run(&format!("{systemctl} show openclaw-gateway -p MainPID --value")).stdout;
        let first = pid();
        // It survives what kills it, and is restarted when that is asked for.
        assert_eq!(run(&format!("kill -9 {first}")).code, 0);
        lab.until(&format!(
            "p=$(pgrep -f '[o]penclaw gateway run') && [ \"$p\" != {}  ] && {answers}",
            first.trim()
        ));
        let ran = run("openclaw gateway restart --json");
        assert_eq!(ran.json()["result"], "restarted");
        lab.until(answers);
        let ran =
            run(&format!("openclaw gateway uninstall {scope}; ! {systemctl} is-active -q openclaw-gateway"));
        assert_eq!(ran.code, 0, "{ran:?}");
    }
}
