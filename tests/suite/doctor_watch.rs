//! What doctor says of the services that watch. `service_lab` shows the same beside a real systemd.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::host::{codes, found, healthy, says_of};
use crate::support::{HOUR, OPS, TestEnv};

const UNITS: &str = ".config/systemd/user";
const STATE: &str = ".openclaw/monitor-state.json";
const TIMER: &str = "openclaw-auth-monitor.timer";
const SERVICE: &str = "openclaw-auth-monitor.service";

/// A healthy host with a monitor that has just looked, and a session bus.
fn watched() -> TestEnv {
    let env = healthy();
    let run = env.path("run").display().to_string();
    let env = env.var("XDG_RUNTIME_DIR", run);
    env.file("run/bus", "");
    env.file(&format!("{UNITS}/{SERVICE}"), "[Service]\nExecStart=/bin/true monitor --once\n");
    env.file(&format!("{UNITS}/{TIMER}"), "[Timer]\nOnCalendar=*:0/30\n");
    says_of(&env, TIMER, "active", "enabled");
    says_of(&env, SERVICE, "inactive", "static");
    looked(&env, env.now_ms());
    env.private();
    env
}

fn looked(env: &TestEnv, at: i64) {
    env.file(STATE, json!({"version": 1, "lastRun": at}).to_string()).private();
}

/// The findings of an agent's doctor, and the first of a code.
fn seen(env: &TestEnv, code: &str) -> (Vec<String>, Value) {
    let document = env.doctor(&[]).json();
    let open = document["findings"].as_array().unwrap().iter();
    let open: Vec<_> = open.filter(|finding| finding["shadowedBy"].is_null()).cloned().collect();
    (codes(&json!({"findings": open})), found(&document, code).clone())
}

#[test]
fn a_host_with_a_monitor_in_order_and_one_without_are_fine() {
    for env in [healthy(), watched()] {
        let (code, document) = env.doctor(&[]).pair();
        assert_eq!((code, codes(&document)), (0, vec![]), "{document:#}");
    }
}

#[test]
fn a_monitor_that_does_not_look_is_told() {
    let env = watched();
    says_of(&env, TIMER, "inactive", "disabled");
    let (codes, finding) = seen(&env, "monitor-off");
    assert_eq!((codes, &finding["subject"]), (vec!["monitor-off".to_owned()], &json!(TIMER)));
    assert_eq!(finding["remedy"], format!("`systemctl --user enable --now {TIMER}`"));
    says_of(&env, TIMER, "active", "enabled");
    says_of(&env, SERVICE, "failed", "static");
    let (codes, finding) = seen(&env, "monitor-failing");
    assert_eq!(codes, ["monitor-failing"]);
    assert!(
        finding["remedy"].as_str().unwrap().contains("journalctl --user -u openclaw-auth-monitor.service")
    );
}

#[test]
fn a_monitor_that_has_not_looked_for_long_is_told() {
    let env = watched();
    let overdue = |env: &TestEnv| codes(&env.doctor(&["--only", "monitor-overdue"]).json());
    // Long after the machine was started and the unit was written.
    env.pass(Duration::from_hours(24 * 365));
    looked(&env, env.now_ms() - HOUR);
    assert_eq!(overdue(&env), [""; 0], "two periods and a little are its time");
    looked(&env, env.now_ms() - 2 * HOUR);
    let document = env.doctor(&["--only", "monitor-overdue"]).json();
    let finding = found(&document, "monitor-overdue");
    assert_eq!(finding["message"], "looked last 2h ago");
    assert!(finding["remedy"].as_str().unwrap().starts_with("`systemctl --user start openclaw-auth-monitor"));
    env.file(OPS, "{monitor: {every: '3h'}}").private();
    assert_eq!(overdue(&env), [""; 0], "the settings say how often");
    fs_err::remove_file(env.path(STATE)).unwrap();
    let document = env.doctor(&["--only", "monitor-overdue"]).json();
    assert_eq!(found(&document, "monitor-overdue")["message"], "has never looked");
    // The state of the monitor that cannot be read hides nothing.
    env.file(STATE, "no JSON").private();
    let document = env.doctor(&["--only", "monitor-overdue"]).json();
    assert_eq!(found(&document, "monitor-overdue")["message"], "has never looked");
    // A machine that was just started is given its time: everything here is younger than the clock says.
    let env = watched();
    fs_err::remove_file(env.path(STATE)).unwrap();
    assert_eq!(overdue(&env), [""; 0]);
}

#[test]
fn a_monitor_without_a_way_to_people_is_told() {
    let env = watched();
    fs_err::remove_file(env.path("run/bus")).unwrap();
    let (codes, finding) = seen(&env, "channel-missing");
    assert_eq!(codes, ["channel-missing"]);
    assert!(finding["remedy"].as_str().unwrap().contains("openclaw monitor test"), "{finding}");
    env.file(OPS, "{monitor: {channels: {ping: {type: 'deadman', url: 'https://h.example/x'}}}}").private();
    assert_eq!(seen(&env, "").0, ["channel-missing"], "a dead man's switch brings no notice");
    env.file(OPS, "{monitor: {channels: {desk: {type: 'desktop'}}}}").private();
    let (codes, finding) = seen(&env, "desktop-unreachable");
    assert_eq!((codes, &finding["subject"]), (vec!["desktop-unreachable".to_owned()], &json!("desk")));
    assert!(finding["remedy"].as_str().unwrap().contains("`loginctl enable-linger "), "{finding}");
    env.file(OPS, "{monitor: {channels: {phone: {type: 'ntfy', topic: 't'}}}}").private();
    assert_eq!(seen(&env, "").0, [""; 0]);
}

#[test]
fn a_channel_that_does_not_deliver_is_named_with_what_tries_it() {
    let env = watched();
    let record = |name: &str, error: Value| json!({"name": name, "failed": 1, "lastError": error});
    let channels = json!([
        record("phone", json!("ntfy.example answered 500")),
        record("hook", Value::Null),
        record("of earlier days", json!("gone"))
    ]);
    let state = json!({"version": 1, "lastRun": env.now_ms(), "channels": channels});
    env.file(STATE, state.to_string());
    env.file(
        OPS,
        "{monitor: {channels: {phone: {type: 'ntfy', topic: 't'}, hook: {type: 'ntfy', topic: 'u'}}}}",
    )
    .private();
    let (codes, finding) = seen(&env, "channel-failing");
    assert_eq!((codes, &finding["subject"]), (vec!["channel-failing".to_owned()], &json!("phone")));
    assert_eq!(finding["message"], "ntfy.example answered 500");
    assert_eq!(finding["remedy"], "`openclaw monitor test phone` tries it");
}

#[test]
fn an_exporter_that_does_not_serve_is_told() {
    let env = healthy();
    let unit = "openclaw-exporter.service";
    env.file(&format!("{UNITS}/{unit}"), "[Service]\nExecStart=/bin/true exporter\n");
    says_of(&env, unit, "active", "enabled");
    assert_eq!(seen(&env, "").0, [""; 0]);
    says_of(&env, unit, "failed", "enabled");
    let (codes, finding) = seen(&env, "exporter-stopped");
    assert_eq!(codes, ["exporter-stopped"]);
    assert_eq!(
        finding["remedy"],
        "`systemctl --user enable --now openclaw-exporter.socket openclaw-exporter.service`"
    );
}

#[test]
fn a_unit_whose_program_is_gone_is_told_with_what_writes_it_anew() {
    let env = watched();
    env.file(&format!("{UNITS}/{SERVICE}"), "[Service]\nExecStart=/nowhere/openclaw monitor --once\n");
    says_of(&env, SERVICE, "failed", "static");
    let (codes, finding) = seen(&env, "unit-program-gone");
    assert_eq!(codes, ["unit-program-gone"], "what follows from it is not told beside it");
    assert_eq!(finding["message"], "starts /nowhere/openclaw, which is not there");
    assert_eq!(finding["remedy"], "`openclaw service install monitor` writes the unit anew");
}
