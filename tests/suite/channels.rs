//! What each channel really sends, to a real receiver.

use serde_json::json;

use crate::support::inbox::Inbox;
use crate::support::{HOUR, OPS, TestEnv, outcome, token};

/// Everything that goes out for a token that has ended.
fn sent(env: &TestEnv, inbox: &Inbox, channel: serde_json::Value) -> Vec<crate::support::inbox::Arrived> {
    env.file(
        OPS,
        json!({"monitor": {"host": "pi", "timezone": "UTC", "channels": {"c": channel}}}).to_string(),
    );
    env.profiles(json!({"anthropic:manual": token("anthropic", json!(env.now_ms() - HOUR))}));
    let ran = env.run(&["monitor", "--once"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    inbox.arrived()
}

#[test]
fn ntfy_gets_its_own_words_and_the_token_of_a_file() {
    let (inbox, env) = (Inbox::new(), TestEnv::with_default_key());
    env.file(".openclaw/ntfy.token", "tk_0123456789\n");
    let channel = json!({"type": "ntfy", "url": inbox.url("/"), "topic": "home", "tokenFile": "ntfy.token", "open": "ssh://pi"});
    let arrived = sent(&env, &inbox, channel);
    assert_eq!((arrived.len(), arrived[0].path.as_str()), (1, "/"));
    assert_eq!(arrived[0].headers["authorization"], "Bearer tk_0123456789");
    let body = arrived[0].json();
    assert_eq!((body["topic"].as_str(), body["click"].as_str()), (Some("home"), Some("ssh://pi")));
    assert!((2..=5).contains(&body["priority"].as_i64().unwrap()), "{body}");
    assert!(body["message"].as_str().unwrap().contains("openclaw models auth paste-token"), "{body}");
}

#[test]
fn a_webhook_is_signed_over_what_is_sent() {
    let (inbox, env) = (Inbox::new(), TestEnv::with_default_key());
    env.file(".openclaw/hook.key", "s3cret-key-0123456789");
    let channel = json!({"type": "webhook", "url": inbox.url("/h"), "secretFile": "hook.key"});
    let arrived = sent(&env, &inbox, channel);
    env.file("body", &arrived[0].body);
    // openssl is another one's HMAC.
    let mut command = std::process::Command::new("openssl");
    command.args(["dgst", "-sha256", "-hmac", "s3cret-key-0123456789"]).arg(env.path("body"));
    let told = outcome(&mut command);
    let wanted = told.stdout.trim().rsplit(' ').next().unwrap().to_owned();
    assert_eq!(arrived[0].headers["x-openclaw-signature"], format!("sha256={wanted}"), "{told:?}");
    for (format, member) in [("slack", "text"), ("discord", "content"), ("teams", "attachments")] {
        let (inbox, env) = (Inbox::new(), TestEnv::with_default_key());
        let channel = json!({"type": "webhook", "url": inbox.url("/h"), "format": format});
        let body = sent(&env, &inbox, channel)[0].json();
        assert!(body[member].to_string().contains("anthropic:manual has ended"), "{format}: {body}");
    }
}

#[test]
fn alertmanager_gets_an_alert_of_its_second_api() {
    let (inbox, env) = (Inbox::new(), TestEnv::with_default_key());
    let arrived = sent(&env, &inbox, json!({"type": "alertmanager", "url": inbox.url("/")}));
    assert_eq!(arrived[0].path, "/api/v2/alerts");
    // One alert for each level: the one that is open, and those that are over.
    let alerts = arrived[0].json();
    let open: Vec<_> =
        alerts.as_array().unwrap().iter().filter(|alert| alert["labels"]["severity"] == "critical").collect();
    assert_eq!(open.len(), 1, "{alerts}");
    assert_eq!(open[0]["labels"]["incident"], "anthropic:manual");
    assert!(
        open[0]["startsAt"].is_string() && open[0]["endsAt"].as_str() > Some("2026-11-22T09:00:00"),
        "{alerts}"
    );
}

#[test]
fn programs_get_the_notice_on_stdin_and_mail_goes_through_sendmail() {
    let (inbox, env) = (Inbox::new(), TestEnv::with_default_key());
    env.script("tell", "cat >\"$1\"");
    let (program, out) = (env.path("tell"), env.path("out"));
    sent(&env, &inbox, json!({"type": "command", "argv": [program, out]}));
    assert_eq!(env.read_json("out")["incident"]["subject"], "anthropic:manual");
    let env = TestEnv::with_default_key();
    env.script("sendmail", "cat >\"${0%/sendmail}/mail\"");
    let channel = json!({"type": "email", "to": ["me@example.com"], "sendmail": [env.path("sendmail")]});
    sent(&env, &inbox, channel);
    let mail = env.text("mail");
    assert!(mail.contains("To: me@example.com") && mail.contains("Subject: "), "{mail}");
    let body = mail.split("\n\n").nth(1).unwrap().replace('\n', "");
    let body =
        String::from_utf8(base64::Engine::decode(&base64::engine::general_purpose::STANDARD, body).unwrap())
            .unwrap();
    assert!(body.contains("openclaw models auth paste-token") && !body.contains("sk-ant-oat01"), "{body}");
}
