//! Doctor beside a real systemd, in the container of `scripts/lab`.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::support::host::{codes, found};
use crate::support::{Outcome, has, is_root, outcome, skipped};

/// A container of its own, gone when the test ends.
pub(crate) struct Lab {
    dir: PathBuf,
}

impl Lab {
    /// Boots one; nothing where that is impossible.
    pub(crate) fn up(name: &str) -> Option<Self> {
        if !is_root() || !has("apt-get") {
            skipped("needs root on a Debian machine for a container with systemd");
            return None;
        }
        let lab = Self { dir: PathBuf::from(format!("/var/tmp/openclaw-lab-{name}-{}", std::process::id())) };
        let up = lab.run(&["up"]);
        assert_eq!(up.code, 0, "{up:?}");
        lab.ok(&["put", env!("CARGO_BIN_EXE_openclaw"), "/usr/local/bin/openclaw"]);
        Some(lab)
    }

    pub(crate) fn run(&self, args: &[&str]) -> Outcome {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/lab");
        outcome(Command::new(script).args(args).env("LAB_DIR", &self.dir))
    }

    /// Runs what must succeed.
    pub(crate) fn ok(&self, args: &[&str]) -> Outcome {
        let ran = self.run(args);
        assert_eq!(ran.code, 0, "{args:?}: {ran:?}");
        ran
    }

    /// A shell line of the user `op`.
    pub(crate) fn user(&self, line: &str) -> Outcome {
        self.run(&["user", "sh", "-c", line])
    }

    fn doctor(&self, args: &str) -> (u8, Value) {
        self.user(&format!("cd && openclaw doctor --json {args}")).pair()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.run(&["down"]);
    }
}

#[test]
fn a_real_systemd_shows_what_is_wrong_with_the_service() {
    let Some(lab) = Lab::up("doctor") else { return };
    let set_up = "umask 077; mkdir -p ~/.openclaw ~/.config/systemd/user
        printf '%s' \"{gateway: {mode: 'local', port: 1, auth: {token: '0123456789abcdef0123456789abcdef'}}, \
        agents: {defaults: {model: {primary: 'openai/gpt-5.2'}}}}\" >~/.openclaw/openclaw.json
        echo OPENAI_API_KEY=sk-new-0123456789abcdef >~/.openclaw/.env";
    assert_eq!(lab.user(set_up).code, 0);
    let (code, document) = lab.doctor("");
    assert_eq!((code, codes(&document)), (0, vec!["service-absent".to_owned()]), "{document:#}");

    // A unit that pins an older key, enabled and running.
    let unit = "printf '[Service]\\nEnvironment=OPENAI_API_KEY=sk-old-0123456789abcdef PATH=/usr/local/bin:/usr/bin:/bin\\n\
        ExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=default.target\\n' \
        >~/.config/systemd/user/openclaw-gateway.service
        systemctl --user daemon-reload && systemctl --user enable --now openclaw-gateway.service";
    let started = lab.user(unit);
    assert_eq!(started.code, 0, "{started:?}");
    let (code, document) = lab.doctor("");
    assert_eq!(code, 2, "{document:#}");
    let expected = ["linger-off", "service-env-differs", "service-process-stale", "service-secret-readable"];
    assert_eq!(codes(&document), expected, "{document:#}");
    let differs = found(&document, "service-env-differs");
    let (message, remedy) = (differs["message"].as_str().unwrap(), differs["remedy"].as_str().unwrap());
    assert!(
        message.contains("openclaw-gateway.service:2") && message.contains("~/.openclaw/.env:1"),
        "{message}"
    );
    assert!(remedy.contains("systemctl --user restart openclaw-gateway.service"), "{remedy}");

    // Lingering is found, switched on, and off again by undo.
    let linger = |lab: &Lab| lab.ok(&["exec", "sh", "-c", "ls /var/lib/systemd/linger"]).stdout;
    assert_eq!(linger(&lab), "");
    let sudo = "echo 'op ALL=(ALL) NOPASSWD: /usr/bin/loginctl' >/etc/sudoers.d/op";
    lab.ok(&["exec", "sh", "-c", sudo]);
    let (_, document) = lab.doctor("--fix --only linger-off");
    assert_eq!(found(&document, "linger-off")["fix"]["state"], "done", "{document:#}");
    assert_eq!(linger(&lab), "op\n");
    let (code, document) = lab.doctor("--fix --only linger-off");
    assert_eq!((code, codes(&document)), (0, vec![]), "{document:#}");
    let undone = lab.user("openclaw doctor --undo");
    assert_eq!((undone.code, linger(&lab).as_str()), (0, ""), "{undone:?}");

    // What the remedies say works: the key moves to .env, and the service is as this shell.
    let mend = "sed -i 's/OPENAI_API_KEY=[^ ]* //' ~/.config/systemd/user/openclaw-gateway.service
        systemctl --user daemon-reload && systemctl --user restart openclaw-gateway.service && loginctl enable-linger op || \
        sudo loginctl enable-linger op";
    assert_eq!(lab.user(mend).code, 0);
    let (code, document) = lab.doctor("");
    assert_eq!((code, codes(&document)), (0, vec![]), "{document:#}");

    // A unit that was stopped, and one that is not enabled.
    assert_eq!(lab.user("systemctl --user stop openclaw-gateway.service").code, 0);
    let (code, document) = lab.doctor("");
    assert_eq!((code, codes(&document)), (1, vec!["service-stopped".to_owned()]), "{document:#}");
    assert_eq!(lab.user("systemctl --user disable openclaw-gateway.service").code, 0);
    assert_eq!(codes(&lab.doctor("").1), ["service-disabled", "service-stopped"]);
}
