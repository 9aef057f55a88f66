//! Each channel against a real other side.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use openclaw::clock::{Clock, Deadline};
use serde_json::{Value, json};

use crate::support::inbox::{Arrived, Inbox};
use crate::support::{HOUR, OPS, TestEnv, has, outcome, real_now_ms, skipped, token};

const ID: &str = "anthropic:it's mine";

/// A host with a dead token whose notices go to one channel.
fn host(channel: Value) -> TestEnv {
    let env = TestEnv::with_default_key();
    env.file(
        OPS,
        json!({"monitor": {"host": "pi", "timezone": "UTC", "channels": {"c": channel}}}).to_string(),
    );
    env.profiles(json!({ID: token("anthropic", json!(env.now_ms() - HOUR))}));
    env
}

fn told(env: &TestEnv) {
    let outcome = env.run(&["monitor", "--once"]);
    assert!(outcome.code == 1 && !outcome.stderr.contains("warning"), "{outcome:?}");
}

fn recovered(env: &TestEnv) {
    env.profiles(json!({ID: token("anthropic", json!(env.now_ms() + 9000 * HOUR))}));
    assert_eq!(env.run(&["monitor", "--once"]).code, 0);
}

fn one(inbox: &Inbox) -> Arrived {
    let arrived = inbox.arrived();
    assert_eq!(arrived.len(), 1, "{arrived:?}");
    arrived[0].clone()
}

#[test]
fn ntfy_gets_title_priority_tags_actions_and_the_token() {
    let inbox = Inbox::new();
    let env = host(
        json!({"type": "ntfy", "url": inbox.url("/"), "topic": "mine", "tokenFile": "ntfy-token", "open": "ssh://me@pi"}),
    );
    env.file(".openclaw/ntfy-token", "tk_secret\n");
    told(&env);
    let arrived = one(&inbox);
    assert_eq!(arrived.headers["authorization"], "Bearer tk_secret");
    let message = arrived.json();
    assert_eq!((&message["topic"], &message["priority"]), (&json!("mine"), &json!(5)));
    assert_eq!(message["tags"], json!(["rotating_light", "ended", "pi"]));
    assert_eq!(message["actions"], json!([{"action": "view", "label": "Open pi", "url": "ssh://me@pi"}]));
    assert!(
        message["message"].as_str().unwrap().contains(r"--profile-id 'anthropic:it'\''s mine'"),
        "{message}"
    );
    recovered(&env);
    assert_eq!(inbox.arrived()[1].json()["tags"][0], "white_check_mark");
    // The token is rotated, and goes missing.
    fs_err::remove_file(env.path(".openclaw/ntfy-token")).unwrap();
    let outcome = env.run(&["monitor", "test"]);
    assert!(outcome.stdout.contains("ntfy-token: does not exist"), "{outcome:?}");
    let flag = env.run(&["monitor", "test", "c"]);
    assert!(!flag.stdout.contains("tk_secret"));
}

#[test]
fn a_webhook_is_signed_and_speaks_as_its_receiver_wants() {
    let inbox = Inbox::new();
    let env = host(json!({"type": "webhook", "url": inbox.url("/"), "secretFile": "~/key"}));
    env.file("key", "Jefe");
    told(&env);
    let arrived = one(&inbox);
    let mut openssl = Command::new("openssl");
    if has("openssl") {
        openssl.args(["dgst", "-sha256", "-hmac", "Jefe"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = openssl.spawn().unwrap();
        child.stdin.take().unwrap().write_all(arrived.body.as_bytes()).unwrap();
        let digest = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        let digest = digest.trim().rsplit(' ').next().unwrap().to_owned();
        assert_eq!(arrived.headers["x-openclaw-signature"], format!("sha256={digest}"));
    } else {
        skipped("needs openssl");
    }
    for (format, more, member) in [
        ("slack", json!({}), "/text"),
        ("discord", json!({}), "/content"),
        ("telegram", json!({"chatId": "42"}), "/text"),
        ("teams", json!({}), "/attachments/0/content/body/0/text"),
    ] {
        let inbox = Inbox::new();
        let mut channel = json!({"type": "webhook", "urlFile": "hook-url", "format": format});
        channel.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let env = host(channel);
        env.file(".openclaw/hook-url", inbox.url("/secret/path"));
        told(&env);
        let arrived = one(&inbox);
        assert_eq!(arrived.path, "/secret/path");
        let text = arrived.json().pointer(member).unwrap().as_str().unwrap().to_owned();
        assert!(text.contains("has ended"), "{format}: {text}");
        if format == "telegram" {
            assert_eq!(arrived.json()["chat_id"], "42");
        }
        assert!(!env.text(".openclaw/monitor-state.json").contains("secret/path"));
    }
}

#[test]
fn a_command_gets_json_and_variables_and_no_shell() {
    let env = host(json!({"type": "command", "argv": ["[HOME]"]}));
    let program = env.path("hook").display().to_string();
    let channel = json!({"type": "command", "argv": [program, "$(touch owned)"]});
    env.file(OPS, json!({"monitor": {"channels": {"c": channel}}}).to_string());
    env.script("hook", "cat >\"$HOME/stdin\"; printf '%s|%s|%s' \"$1\" \"$OPENCLAW_ALERT_LEVEL\" \"$OPENCLAW_ALERT_COMMAND\" >\"$HOME/seen\"");
    told(&env);
    assert_eq!(env.read_json("stdin")["incident"]["id"], ID);
    let seen = env.text("seen");
    assert!(seen.starts_with("$(touch owned)|critical|openclaw models auth paste-token"), "{seen}");
    assert!(!env.exists("owned"));
    env.script("hook", "exit 3");
    let outcome = env.run(&["monitor", "test"]);
    assert!(outcome.code == 1 && outcome.stdout.contains("ended with exit code 3"), "{outcome:?}");
    // The flag does the same without settings.
    env.file(OPS, "{}");
    env.script("hook", "cat >\"$HOME/flag\"");
    fs_err::remove_file(env.path(".openclaw/monitor-state.json")).unwrap();
    let program = env.path("hook").display().to_string();
    assert_eq!(env.run(&["monitor", "--once", "--exec", &program]).code, 1);
    assert_eq!(env.read_json("flag")["why"], "first");
}

/// A mail server that takes one mail and gives it.
fn smtp_sink() -> (u16, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let (mut write, mut lines) = (stream.try_clone().unwrap(), BufReader::new(stream).lines());
        let (mut mail, mut is_data) = (String::new(), false);
        write.write_all(b"220 sink\r\n").unwrap();
        while let Some(Ok(line)) = lines.next() {
            mail.push_str(&line);
            mail.push('\n');
            let answer: &[u8] = match line.as_str() {
                "." if is_data => {
                    is_data = false;
                    b"250 taken\r\n"
                }
                _ if is_data => continue,
                "DATA" => {
                    is_data = true;
                    b"354 go on\r\n"
                }
                "QUIT" => {
                    write.write_all(b"221 bye\r\n").unwrap();
                    break;
                }
                _ => b"250 yes\r\n",
            };
            write.write_all(answer).unwrap();
        }
        mail
    });
    (port, thread)
}

#[test]
fn mail_goes_through_sendmail_to_a_mail_server() {
    if !has("msmtp") {
        return skipped("needs msmtp as a sendmail");
    }
    let (port, sink) = smtp_sink();
    let (host_flag, port_flag) = ("--host=127.0.0.1".to_owned(), format!("--port={port}"));
    let sendmail = json!(["msmtp", host_flag, port_flag, "--tls=off"]);
    let env = host(
        json!({"type": "email", "to": ["me@example.com", "you@example.com"], "from": "pi@example.com", "sendmail": sendmail}),
    );
    told(&env);
    let mail = sink.join().unwrap();
    assert!(
        mail.contains("RCPT TO:<me@example.com>") && mail.contains("RCPT TO:<you@example.com>"),
        "{mail}"
    );
    assert!(mail.contains("MAIL FROM:<pi@example.com>"), "{mail}");
    let body: String = mail.split("\n\n").nth(1).unwrap().lines().take_while(|line| *line != ".").collect();
    let text = String::from_utf8(base64_decoded(&body)).unwrap();
    assert!(text.starts_with("anthropic:it's mine has ended"), "{text}");
    assert!(text.contains("-> `openclaw models auth paste-token"), "{text}");
}

fn base64_decoded(text: &str) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

#[test]
fn alertmanager_holds_one_alert_of_the_right_severity_and_ends_it() {
    if !has("prometheus-alertmanager") {
        return skipped("needs prometheus-alertmanager");
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let env = host(json!({"type": "alertmanager", "url": format!("http://127.0.0.1:{port}")}));
    env.file("am.yml", "route: {receiver: none}\nreceivers: [{name: none}]\n");
    let mut server = Command::new("prometheus-alertmanager")
        .arg(format!("--config.file={}", env.path("am.yml").display()))
        .arg(format!("--storage.path={}", env.path("am").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--cluster.listen-address=")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let limit = Deadline::after(Duration::from_mins(1));
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(!limit.has_passed());
        Clock::System.sleep(Duration::from_millis(50));
    }
    // Its clock is the machine's.
    let real = |expires: i64| env.profiles(json!({ID: token("anthropic", json!(real_now_ms() + expires))}));
    let severities = || -> Vec<String> {
        let mut curl = Command::new("curl");
        curl.args(["-sS", &format!("http://127.0.0.1:{port}/api/v2/alerts")]);
        let alerts = outcome(&mut curl).json();
        let alerts = alerts.as_array().unwrap().iter();
        alerts.map(|alert| alert["labels"]["severity"].as_str().unwrap().to_owned()).collect()
    };
    real(HOUR);
    assert_eq!(outcome(&mut env.command(&["monitor", "--once"])).code, 2);
    assert_eq!(severities(), ["urgent"]);
    real(-HOUR);
    assert_eq!(outcome(&mut env.command(&["monitor", "--once"])).code, 1);
    assert_eq!(severities(), ["critical"]);
    real(9000 * HOUR);
    // Twice was told within the hour; the end is told when the hour is over.
    let mut state = env.read_json(".openclaw/monitor-state.json");
    state["incidents"][0]["messages"] = json!([]);
    env.file(".openclaw/monitor-state.json", state.to_string());
    assert_eq!(outcome(&mut env.command(&["monitor", "--once"])).code, 0);
    assert_eq!(severities(), [""; 0]);
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn a_phone_gets_one_notice_with_buttons_for_each_incident() {
    let env = host(json!({"type": "termux"}));
    env.script(
        "bin/termux-notification",
        "printf '%s\\n' \"$@\" >>\"$HOME/seen\"; echo --- >>\"$HOME/seen\"",
    );
    env.file(".shortcuts/openclaw-reauth", "#!/bin/sh\n");
    let path = format!("{}:/usr/bin:/bin", env.path("bin").display());
    let env = env.var("PATH", path);
    told(&env);
    recovered(&env);
    let seen = env.text("seen");
    let notices: Vec<Vec<&str>> = seen.split("---\n").map(|notice| notice.lines().collect()).collect();
    let after = |notice: &[&str], flag: &str| {
        notice.iter().position(|word| *word == flag).map(|place| notice[place + 1].to_owned())
    };
    assert_eq!(after(&notices[0], "--priority").as_deref(), Some("max"));
    assert!(after(&notices[0], "--button1-action").unwrap().ends_with(".shortcuts/openclaw-reauth"));
    assert_eq!(
        after(&notices[0], "--button2-action").as_deref(),
        Some(r"openclaw monitor snooze 'anthropic:it'\''s mine' 2d")
    );
    assert_eq!(
        after(&notices[0], "--id"),
        after(&notices[1], "--id"),
        "the end takes the place of the alarm"
    );
    assert_eq!(after(&notices[1], "--button1"), None);
}

#[cfg(feature = "desktop")]
#[test]
fn a_desktop_shows_it_and_the_next_notice_takes_its_place() {
    if !has("dunst") || !has("Xvfb") || !has("dbus-run-session") {
        return skipped("needs dunst, Xvfb and dbus-run-session");
    }
    let env = host(json!({"type": "desktop"}));
    env.profiles(json!({ID: token("anthropic", json!(real_now_ms() + HOUR))}));
    let (program, ended) = (env!("CARGO_BIN_EXE_openclaw"), real_now_ms() - 2 * HOUR);
    // No gateway runs here and there is no network: the desktop alone tells.
    let script = format!(
        r#"set -eu
        Xvfb -displayfd 3 -screen 0 800x600x24 -nolisten tcp 3>display 2>/dev/null & x=$!
        until [ -s display ]; do kill -0 $x; sleep 0.05; done
        DISPLAY=:$(cat display); export DISPLAY
        dunst -print >shown 2>dunst.log & d=$!
        trap 'kill $d $x' EXIT
        until dbus-send --session --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner string:org.freedesktop.Notifications | grep -q 'boolean true'; do kill -0 $d; sleep 0.05; done
        code=0; {program} monitor --once 2>once.log || code=$?; echo $code >code
        sed -i 's/"expires":[0-9]*/"expires":{ended}/' .openclaw/agents/main/agent/auth-profiles.json
        {program} monitor --once 2>>once.log || true
        if [ -n "${{SCREENSHOT:-}}" ]; then import -window root -crop 340x280+460+45 +repage "$SCREENSHOT"; fi
        cat .openclaw/monitor-state.json >state
        "#
    );
    env.file("script", script);
    let mut session = Command::new("dbus-run-session");
    session.args(["--", "sh", "script"]).env_clear().current_dir(env.path(""));
    session
        .env("HOME", env.path(""))
        .env("PATH", "/usr/bin:/bin")
        .env("OPENAI_API_KEY", "sk-openai-0123456789abcdef");
    if let Some(file) = crate::support::from_env("SCREENSHOT") {
        session.env("SCREENSHOT", file);
    }
    let ran = outcome(&mut session);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(env.text("code"), "2\n", "{}", env.text("once.log"));
    let state = env.read_json("state");
    assert_eq!(state["channels"][0]["delivered"], 2, "{state} {}", env.text("once.log"));
    let shown = env.text("shown");
    assert!(shown.contains("ends within") && shown.contains("urgency: NORMAL"), "{shown}");
    assert!(shown.contains("has ended") && shown.contains("urgency: CRITICAL"), "{shown}");
    let ids: Vec<_> = shown.lines().filter(|line| line.trim().starts_with("id:")).collect();
    assert!(ids.len() == 2 && ids[0] == ids[1], "{shown}");
}

#[cfg(feature = "desktop")]
#[test]
fn without_network_and_gateway_the_desktop_tells_within_one_look() {
    use crate::support::{STORE, is_root};
    if !is_root() || !has("unshare") || !has("dbus-run-session") || !has("perl") {
        return skipped("needs root, unshare, dbus-run-session and perl");
    }
    let env = TestEnv::with_default_key();
    let phone = json!({"type": "ntfy", "topic": "t", "url": "https://ntfy.example"});
    let channels = json!({"phone": phone, "desk": {"type": "desktop"}});
    env.file(OPS, json!({"monitor": {"every": "3s", "channels": channels}}).to_string());
    let expires = |at: i64| env.profiles(json!({ID: token("anthropic", json!(at))})).text(STORE);
    let ended = expires(real_now_ms() - HOUR);
    env.file("ended", ended);
    expires(real_now_ms() + 9000 * HOUR);
    let program = env!("CARGO_BIN_EXE_openclaw");
    let recorder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/support/notifications.pl");
    // Not even loopback is up in there. The token ends behind the first look.
    let script = format!(
        r#"set -eu
        until_seen() {{ for i in $(seq 300); do if grep -q "$1" "$2" 2>/dev/null; then return; fi; sleep 0.1; done; cat log >&2; exit 1; }}
        touch shown; perl {recorder} shown & r=$!
        {program} monitor 2>log & m=$!
        trap 'kill $r $m' EXIT
        until_seen lastRun .openclaw/monitor-state.json
        [ ! -s shown ]
        cp ended {STORE}
        until_seen 'has ended' shown
        cp .openclaw/monitor-state.json seen
        "#
    );
    env.file("script", script);
    let mut cut = Command::new("unshare");
    cut.args(["-n", "--", "dbus-run-session", "--", "sh", "script"]).env_clear().current_dir(env.path(""));
    cut.env("HOME", env.path("")).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    cut.env("OPENAI_API_KEY", "sk-openai-0123456789abcdef");
    let ran = outcome(&mut cut);
    assert_eq!(ran.code, 0, "{ran:?}");
    let state = env.read_json("seen");
    let incident = &state["incidents"][0];
    assert_eq!(
        incident["lastTold"], state["lastRun"],
        "shown before the look after the one that saw it: {state}"
    );
    let record = |name: &str| {
        let channels = state["channels"].as_array().unwrap().iter();
        channels.clone().find(|channel| channel["name"] == name).cloned().unwrap_or_default()
    };
    assert_eq!(record("phone")["delivered"].as_u64().unwrap_or_default(), 0, "there is no network: {state}");
    assert_eq!(env.text("shown").lines().count(), 1, "told once: {}", env.text("shown"));
}

#[test]
fn a_desktop_that_is_not_there_is_an_error_and_not_the_end() {
    let env = host(json!({"type": "desktop"})).var("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus");
    let outcome = outcome(&mut env.command(&["monitor", "test"]));
    assert_eq!(outcome.code, 1);
    assert!(outcome.stdout.starts_with("c: failed"), "{outcome:?}");
}
