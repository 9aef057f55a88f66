//! `openclaw monitor`: the whole path from a host to what people get.

use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use openclaw::clock::{Clock, Deadline};
use openclaw::core::alerting::Level;
use openclaw::format::monitor_state::{LONGEST_QUEUE, MonitorState};
use serde_json::{Value, json};

use crate::support::inbox::Inbox;
use crate::support::provider::Provider;
use crate::support::{CONFIG, DAY, HOUR, OPS, STORE, TestEnv, api_key, oauth, outcome, real_now_ms, token};

const STATE: &str = ".openclaw/monitor-state.json";
const ID: &str = "anthropic:manual";

fn webhook(inbox: &Inbox) -> Value {
    json!({"type": "webhook", "url": inbox.url("/hook")})
}

fn ops(env: &TestEnv, monitor: Value) {
    env.file(OPS, json!({"monitor": monitor}).to_string());
}

/// A host in order whose notices go to an inbox.
fn host(inbox: &Inbox) -> TestEnv {
    let env = TestEnv::with_default_key();
    ops(&env, json!({"host": "pi", "timezone": "UTC", "channels": {"hook": webhook(inbox)}}));
    env
}

fn dead_token(env: &TestEnv) {
    env.profiles(json!({ID: token("anthropic", json!(env.now_ms() - HOUR))}));
}

fn good_token(env: &TestEnv) {
    env.profiles(json!({ID: token("anthropic", json!(env.now_ms() + 90 * DAY))}));
}

#[test]
fn a_token_that_ends_is_told_once_and_its_recovery_once() {
    let inbox = Inbox::new();
    let env = host(&inbox);
    good_token(&env);
    let outcome = env.run(&["monitor", "--once"]);
    assert_eq!((outcome.code, inbox.arrived().len()), (0, 0), "{outcome:?}");
    dead_token(&env);
    for _ in 0..3 {
        let outcome = env.run(&["monitor", "--once"]);
        assert_eq!(outcome.code, 1, "{outcome:?}");
        env.pass(Duration::from_mins(30));
    }
    let told = inbox.arrived();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].headers["content-type"], "application/json");
    let document = told[0].json();
    let schema: Value = serde_json::from_str(
        &fs_err::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/monitor-webhook.schema.json"))
            .unwrap(),
    )
    .unwrap();
    assert!(jsonschema::is_valid(&schema, &document), "{document}");
    assert_eq!(document["title"], "anthropic:manual has ended; nothing else serves anthropic");
    assert_eq!(document["incident"]["since"], "2026-11-22T08:00:00Z");
    assert_eq!(
        document["command"],
        "openclaw models auth paste-token --provider anthropic --profile-id anthropic:manual"
    );
    assert!(document["body"].as_str().unwrap().contains("on pi, agent main"), "{document}");
    good_token(&env);
    assert_eq!(env.run(&["monitor", "--once"]).code, 0);
    assert_eq!(env.run(&["monitor", "--once"]).code, 0);
    let told = inbox.arrived();
    assert_eq!(told.len(), 2);
    assert_eq!(told[1].json()["state"], "over");
}

#[test]
fn no_secret_leaves_the_host_and_none_is_remembered() {
    let inbox = Inbox::new();
    let env = host(&inbox);
    dead_token(&env);
    let outcome = env.run(&["monitor", "--once"]);
    let everything = format!(
        "{outcome:?}{:?}{}{}",
        inbox.arrived(),
        env.text(STATE),
        env.text(".openclaw/ops-state.json")
    );
    assert!(!everything.contains("TTTTTTTT"), "{everything}");
    assert!(!everything.contains("sk-openai-0123456789"), "{everything}");
    let mode = |file: &str| {
        use std::os::unix::fs::PermissionsExt;
        fs_err::metadata(env.path(file)).unwrap().permissions().mode() & 0o777
    };
    assert_eq!((mode(STATE), mode(".openclaw/monitor-state.lock")), (0o600, 0o600));
}

#[test]
fn three_refusals_and_then_it_is_delivered_exactly_once() {
    let inbox = Inbox::answering(|number, _| if number < 3 { 500 } else { 200 });
    let env = host(&inbox);
    dead_token(&env);
    assert_eq!(env.run(&["monitor", "--once"]).code, 1);
    assert_eq!(env.run(&["monitor", "--once"]).code, 1);
    assert_eq!((inbox.arrived().len(), inbox.taken().len()), (4, 1));
    let status = env.run(&["monitor", "status", "--json"]).json();
    let channel = &status["channels"][0];
    assert_eq!(
        (&channel["delivered"], &channel["failed"], &channel["waiting"]),
        (&json!(1), &json!(3), &json!(0))
    );
}

#[test]
fn what_never_got_through_waits_and_a_broken_channel_delays_no_other() {
    let (broken, fine) = (Inbox::answering(|number, _| if number < 30 { 503 } else { 200 }), Inbox::new());
    let env = TestEnv::with_default_key();
    ops(&env, json!({"channels": {"a": webhook(&broken), "b": webhook(&fine)}}));
    dead_token(&env);
    let first = env.run(&["monitor", "--once"]);
    assert!(first.stderr.contains("channel a: 127.0.0.1"), "{first:?}");
    assert_eq!((fine.taken().len(), broken.taken().len()), (1, 0));
    let status = env.run(&["monitor", "status"]);
    assert!(status.stdout.contains("waiting 1"), "{status:?}");
    for _ in 0..20 {
        env.pass(Duration::from_hours(1));
        env.run(&["monitor", "--once"]);
    }
    assert_eq!((fine.taken().len(), broken.taken().len()), (1, 1), "at last, and once");
}

#[test]
fn killed_between_sending_and_remembering_it_is_sent_at_most_twice_and_never_lost() {
    let child: Arc<Mutex<Option<i32>>> = Arc::default();
    let victim = Arc::clone(&child);
    // The notice has arrived when the monitor dies.
    let inbox = Inbox::answering(move |number, _| {
        let pid = *victim.lock().unwrap();
        if let (0, Some(pid)) = (number, pid) {
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL)
                .unwrap();
        }
        200
    });
    let env = host(&inbox);
    env.profiles(json!({ID: token("anthropic", json!(real_now_ms() - HOUR))}));
    let mut guard = child.lock().unwrap();
    let mut killed = env.command(&["monitor", "--once"]).stdin(Stdio::null()).spawn().unwrap();
    *guard = Some(i32::try_from(killed.id()).unwrap());
    drop(guard);
    assert_eq!(killed.wait().unwrap().code(), None, "it was killed");
    for _ in 0..2 {
        assert_eq!(outcome(&mut env.command(&["monitor", "--once"])).code, 1);
    }
    let ids: Vec<_> = inbox.taken().iter().map(|arrived| arrived.json()["id"].clone()).collect();
    assert_eq!(ids.len(), 2, "{ids:?}");
    assert_eq!(ids[0], ids[1], "a receiver can tell the double");
}

#[test]
fn ten_thousand_notices_are_bounded_and_the_worst_stay() {
    let inbox = Inbox::answering(|_, _| 500);
    let env = host(&inbox);
    dead_token(&env);
    env.run(&["monitor", "--once"]);
    let mut state = MonitorState::parse(env.text(STATE).as_bytes()).unwrap();
    let message = state.queue[0].message.clone();
    let floors = [("hook".to_owned(), Level::Notice)];
    for number in 0..10_000 {
        let mut next = message.clone();
        next.id = format!("{number}");
        next.incident.level = if number == 5 { Level::Critical } else { Level::Notice };
        state.enqueue(&next, &floors);
    }
    assert_eq!(state.queue.len(), LONGEST_QUEUE);
    assert!(state.queue.iter().any(|queued| queued.message.id == "5"));
    assert_eq!(state.channel("hook").dropped, 10_001 - LONGEST_QUEUE as u64);
    assert!(state.write().len() < 1024 * 1024);
    let below = [("hook".to_owned(), Level::Urgent)];
    let mut empty = MonitorState::default();
    let mut notice = message;
    notice.incident.level = Level::Warning;
    empty.enqueue(&notice, &below);
    assert!(empty.queue.is_empty(), "below the floor of the channel");
}

#[test]
fn the_dead_mans_switch_hears_of_each_look_and_of_none_after_a_kill() {
    let inbox = Inbox::new();
    let env = TestEnv::with_default_key();
    ops(&env, json!({"channels": {"dm": {"type": "deadman", "url": inbox.url("/ping/x")}}}));
    let mut running = env
        .command(&["monitor", "--every", "1s"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let limit = Deadline::after(Duration::from_secs(30));
    let pings = |path: &str| inbox.arrived().iter().filter(|arrived| arrived.path == path).count();
    while pings("/ping/x") < 2 {
        assert!(!limit.has_passed(), "{:?}", inbox.arrived());
        Clock::System.sleep(Duration::from_millis(20));
    }
    assert!(pings("/ping/x/start") >= 2);
    running.kill().unwrap();
    running.wait().unwrap();
    let (before, periods) = (inbox.arrived().len(), Duration::from_secs(2));
    Clock::System.sleep(periods);
    assert_eq!(inbox.arrived().len(), before, "two periods without a word");
}

#[test]
fn a_check_that_fails_is_no_verdict() {
    let inbox = Inbox::new();
    let env = TestEnv::with_default_key();
    ops(&env, json!({"channels": {"dm": {"type": "deadman", "url": inbox.url("/p")}}}));
    fs_err::create_dir(env.path(STATE)).unwrap();
    let outcome = env.run(&["monitor", "--once"]);
    assert_eq!(outcome.code, 74, "{outcome:?}");
    assert!(inbox.arrived().iter().any(|arrived| arrived.path == "/p/fail"));
    env.file(OPS, "{monitor: {evry: '1h'}}");
    let outcome = env.run(&["monitor", "--once"]);
    assert_eq!(outcome.code, 78);
    assert!(outcome.stderr.contains("did you mean \"every\"?"), "{outcome:?}");
}

#[test]
fn a_broken_config_is_told_and_the_rest_goes_on() {
    let inbox = Inbox::new();
    let env = host(&inbox);
    dead_token(&env);
    env.file(CONFIG, "{agents: ");
    assert_eq!(env.run(&["monitor", "--once"]).code, 1);
    let ids: Vec<_> =
        inbox.arrived().iter().map(|arrived| arrived.json()["incident"]["id"].clone()).collect();
    assert_eq!(ids, [json!(ID), json!("host/config")]);
}

#[test]
fn a_memory_that_is_damaged_is_moved_aside() {
    let inbox = Inbox::new();
    let env = host(&inbox);
    dead_token(&env);
    env.file(STATE, "{\"incidents\": 5");
    assert_eq!(env.run(&["monitor", "status"]).code, 74);
    assert_eq!(env.run(&["monitor", "--once"]).code, 1);
    assert_eq!(inbox.taken().len(), 1);
    assert_eq!(env.text(".openclaw/monitor-state.json.unreadable"), "{\"incidents\": 5");
}

#[test]
fn what_vanishes_is_missed_and_what_was_removed_on_purpose_is_not() {
    let inbox = Inbox::new();
    let env = host(&inbox);
    let two = json!({"openai:a": api_key("openai", "sk-aaaaaaaaaaaaaaaa"), "openai:b": api_key("openai", "sk-bbbbbbbbbbbbbbbb")});
    env.profiles(two);
    env.run(&["monitor", "--once"]);
    let removed = env.run(&["models", "auth", "remove", "openai:a", "--yes"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    env.run(&["monitor", "--once"]);
    assert!(inbox.arrived().is_empty(), "{:?}", inbox.arrived());
    env.file(STORE, r#"{"version": 1, "profiles": {}}"#);
    env.run(&["monitor", "--once"]);
    let kinds: Vec<_> =
        inbox.arrived().iter().map(|arrived| arrived.json()["incident"]["kind"].clone()).collect();
    assert_eq!(kinds, ["vanished"]);
    env.file(STORE, "{\"version\": 1, \"profi");
    env.run(&["monitor", "--once"]);
    let last = inbox.arrived().last().unwrap().json();
    assert_eq!(last["incident"]["kind"], "source-unreadable", "a torn store is not an empty one");
}

#[test]
fn a_snooze_holds_until_it_gets_worse() {
    let inbox = Inbox::new();
    let env = host(&inbox);
    env.profiles(json!({ID: token("anthropic", json!(env.now_ms() + 5 * HOUR))}));
    assert_eq!(env.run(&["monitor", "--once"]).code, 2);
    assert_eq!(env.run(&["monitor", "snooze", "anthropic:nobody", "2d"]).code, 1);
    let snoozed = env.run(&["monitor", "snooze", ID, "2d"]);
    assert!(snoozed.stdout.contains("2026-11-24 09:00 UTC"), "{snoozed:?}");
    env.pass(Duration::from_hours(1));
    env.run(&["monitor", "--once"]);
    assert_eq!(inbox.taken().len(), 1);
    env.pass(Duration::from_hours(5));
    env.run(&["monitor", "--once"]);
    assert_eq!(inbox.taken().len(), 2, "it has ended: that is another matter");
    assert_eq!(env.run(&["monitor", "snooze", ID, "off"]).code, 0);
    assert_eq!(env.run(&["monitor", "snooze", ID, "soon"]).code, 64);
}

#[test]
fn quiet_hours_wait_for_the_morning() {
    let inbox = Inbox::new();
    let env = TestEnv::at("2026-11-22T23:00:00Z").var("OPENAI_API_KEY", "sk-openai-0123456789abcdef");
    env.file(CONFIG, "{agents: {defaults: {model: {primary: 'openai/gpt-5.2'}}}}");
    let quiet = json!({"from": "22:00", "to": "07:00"});
    ops(
        &env,
        json!({"timezone": "Europe/Berlin", "quietHours": quiet, "channels": {"hook": webhook(&inbox)}}),
    );
    env.profiles(json!({ID: token("anthropic", json!(env.now_ms() + 20 * HOUR))}));
    assert_eq!(env.run(&["monitor", "--once"]).code, 2);
    assert_eq!(inbox.taken().len(), 0);
    env.pass(Duration::from_hours(7));
    env.run(&["monitor", "--once"]);
    assert_eq!(inbox.taken().len(), 1, "seven in Berlin");
}

#[test]
fn a_login_is_renewed_before_it_ends_and_nobody_is_told() {
    let (provider, inbox) = (Provider::knowing(&["rt-BBBB"]), Inbox::new());
    let env = TestEnv::with_default_key();
    let mut settings: Value = serde_json::from_str(&provider.ops(&["openai-codex"])).unwrap();
    settings["monitor"] = json!({"channels": {"hook": webhook(&inbox)}});
    env.file(OPS, settings.to_string());
    env.profiles(json!({"openai-codex:me": oauth("openai-codex", json!(env.now_ms() + 25 * 60_000))}));
    assert_eq!(env.run(&["monitor", "--once"]).code, 0, "without --refresh nothing is sent");
    assert_eq!(provider.spent(), 0);
    for _ in 0..3 {
        let outcome = env.run(&["monitor", "--once", "--refresh"]);
        assert_eq!(outcome.code, 0, "{outcome:?}");
    }
    assert_eq!((provider.spent(), provider.reused()), (1, 0), "it would have ended before the next look");
    assert!(inbox.arrived().is_empty());
}

#[test]
fn every_channel_is_tested_and_a_broken_one_is_named() {
    let (broken, fine) = (Inbox::answering(|_, _| 401), Inbox::new());
    let env = TestEnv::with_default_key();
    assert_eq!(env.run(&["monitor", "test"]).code, 1, "no channel at all");
    ops(&env, json!({"channels": {"a": webhook(&broken), "b": webhook(&fine)}}));
    let outcome = env.run(&["monitor", "test"]);
    assert_eq!(outcome.code, 1);
    assert!(
        outcome.stdout.contains("answered 401") && outcome.stdout.contains("b: sent (webhook)"),
        "{outcome:?}"
    );
    assert!(fine.taken()[0].json()["title"].as_str().unwrap().starts_with("[TEST] "));
    assert_eq!(env.run(&["monitor", "test", "b"]).code, 0);
    let outcome = env.run(&["monitor", "test", "c"]);
    assert!(outcome.code == 64 && outcome.stderr.contains("channels: a, b"), "{outcome:?}");
}

#[test]
fn a_drill_goes_the_whole_way_and_leaves_nothing_behind() {
    let inbox = Inbox::new();
    let env = host(&inbox);
    good_token(&env);
    let scenes = [
        ("expired", "ended"),
        ("expiring", "ending"),
        ("login-ending", "login-ending"),
        ("refresh-failed", "refresh-failed"),
        ("vanished", "vanished"),
    ];
    for (scene, _) in scenes {
        let outcome = env.run(&["monitor", "drill", scene, "--profile-id", ID]);
        assert!(outcome.code == 0 && outcome.stdout.starts_with("[DRILL] "), "{outcome:?}");
        env.pass(Duration::from_secs(1));
    }
    let told: Vec<_> = inbox.taken().iter().map(crate::support::inbox::Arrived::json).collect();
    let kinds: Vec<_> = told.iter().map(|document| document["incident"]["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, scenes.map(|(_, kind)| kind));
    assert!(told.iter().all(|document| document["why"] == "drill"));
    assert_eq!(env.run(&["monitor", "--once"]).code, 0);
    assert_eq!(inbox.taken().len(), 5, "the real state was not touched");
    assert_eq!(env.run(&["monitor", "drill", "expired", "--profile-id", "x:y"]).code, 1);
}

#[test]
fn the_time_machine_tells_what_would_be_sent() {
    let env = TestEnv::with_default_key();
    env.file(
        "scenario.json5",
        "{profiles: [{id: 'anthropic:claude-cli', lifetime: '8h', loginEndsIn: '41d'}],
          events: [{profile: 'anthropic:claude-cli', from: '12d', until: '13d', what: 'invalid_grant'}]}",
    );
    let scenario = env.path("scenario.json5").display().to_string();
    let run = |extra: &[&str]| {
        let args = ["monitor", "simulate", "--days", "30", "--every", "1h", "--json"];
        env.run(&[&args[..], extra].concat()).json()
    };
    let sent = run(&["--scenario", &scenario])["sent"].clone();
    let start = env.now_ms();
    let told: Vec<_> = sent
        .as_array()
        .unwrap()
        .iter()
        .map(|m| (m["at"].as_i64().unwrap() - start, m["why"].as_str().unwrap()))
        .collect();
    assert_eq!(told, [(12 * DAY, "first"), (13 * DAY, "recovered")]);
    // This host: a token that ends in five days.
    env.profiles(json!({ID: token("anthropic", json!(start + 5 * DAY))}));
    let sent = run(&[])["sent"].clone();
    let told: Vec<_> = sent
        .as_array()
        .unwrap()
        .iter()
        .map(|m| (m["at"].as_i64().unwrap() - start, m["level"].as_str().unwrap()))
        .collect();
    assert_eq!(told, [(4 * DAY, "urgent"), (5 * DAY, "critical")]);
    assert!(!env.exists(STATE) && !env.exists(".openclaw/ops-state.json"), "nothing was written");
    let text = env.run(&["monitor", "simulate", "--days", "6"]).stdout;
    assert!(text.ends_with("2 messages in 6 days, looking every 30m\n"), "{text}");
    env.file("scenario.json5", "{events: [{profile: 'x', from: '1d', what: 'boom'}]}");
    assert_eq!(env.run(&["monitor", "simulate", "--scenario", &scenario]).code, 78);
}

#[test]
fn two_monitors_do_not_tell_twice() {
    let inbox = Inbox::new();
    let env = host(&inbox);
    env.profiles(json!({ID: token("anthropic", json!(real_now_ms() - HOUR))}));
    let mut first = env
        .command(&["monitor", "--every", "1h"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let limit = Deadline::after(Duration::from_secs(30));
    while inbox.taken().is_empty() {
        assert!(!limit.has_passed());
        Clock::System.sleep(Duration::from_millis(20));
    }
    let once = outcome(&mut env.command(&["monitor", "--once"]));
    assert!(once.code == 1 && once.stderr.contains("another monitor runs"), "{once:?}");
    assert_eq!(outcome(&mut env.command(&["monitor"])).code, 1);
    let status = outcome(&mut env.command(&["monitor", "status", "--json"])).json();
    assert_eq!(status["running"], true);
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(inbox.taken().len(), 1);
}

#[test]
fn flags_that_mean_nothing_are_refused() {
    let env = TestEnv::with_default_key();
    for args in [
        &["--cron", "0 0 30 2 *"][..],
        &["--every", "0s"],
        &["--timezone", "Mars/Olympus", "--once"],
        &["--once", "--every", "1h"],
        &["--ntfy", "http://example.com/x", "--once"],
    ] {
        let outcome = env.run(&[&["monitor"], args].concat());
        assert!([64, 78].contains(&outcome.code), "{args:?} {outcome:?}");
    }
}

#[test]
fn what_cannot_be_remembered_is_told_all_the_same() {
    let inbox = Inbox::new();
    let env = host(&inbox);
    dead_token(&env);
    fs_err::create_dir_all(env.path(STATE)).unwrap();
    let outcome = env.run(&["monitor", "--once"]);
    assert_eq!(outcome.code, 74, "{outcome:?}");
    let told = inbox.arrived();
    assert_eq!(told.len(), 1, "{outcome:?}");
    assert_eq!(told[0].json()["title"], "anthropic:manual has ended; nothing else serves anthropic");
}

#[test]
fn a_file_that_cannot_be_read_hides_no_recovery_of_others() {
    let inbox = Inbox::new();
    let env = host(&inbox);
    dead_token(&env);
    env.run(&["monitor", "--once"]);
    env.file(".codex/auth.json", "{ torn");
    good_token(&env);
    let outcome = env.run(&["monitor", "--once"]);
    let titles: Vec<_> = inbox.arrived().iter().map(|told| told.json()["title"].clone()).collect();
    assert!(titles.contains(&json!("anthropic:manual is fine again")), "{titles:?} {outcome:?}");
    // What ends again is told again, once it no longer counts as coming and going.
    env.pass(Duration::from_hours(2));
    dead_token(&env);
    env.run(&["monitor", "--once"]);
    let ended = json!("anthropic:manual has ended; nothing else serves anthropic");
    let told = inbox.arrived();
    assert_eq!(told.iter().filter(|told| told.json()["title"] == ended).count(), 2, "{titles:?}");
}

#[test]
fn nobody_to_tell_of_a_unit_that_failed_is_a_failure() {
    let env = TestEnv::with_default_key();
    let outcome = env.run(&["monitor", "failed", "openclaw-auth-monitor.service"]);
    assert!(outcome.code == 1 && outcome.stderr.contains("no channel"), "{outcome:?}");
}
