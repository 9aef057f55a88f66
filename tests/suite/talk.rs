//! `chat` and `agent` against a gateway that runs.

use serde_json::{Value, json};

use crate::gateway::{Running, TOKEN, streaming};
use crate::support::provider::{Provider, Reply};
use crate::support::{CONFIG, TestEnv, api_key, outcome};

/// What the editor sends when it begins to read a line: only then is what is typed its business.
const PROMPT: &str = "\x1b[?2004h";

/// A provider that answers with the number of messages that it got, and with something for a terminal to choke on.
fn provider() -> Provider {
    Provider::knowing(&[]).scripted(|seen| {
        let messages: Value = serde_json::from_str(&seen.body).unwrap_or_default();
        let said = messages["messages"].as_array().cloned().unwrap_or_default();
        let last = said
            .last()
            .map(|last| last["content"].as_str().unwrap_or_default().to_owned())
            .unwrap_or_default();
        if last == "refuse" {
            return Some(Reply::json(
                400,
                json!({"error": {"type": "invalid_request_error", "message": "no\u{1b}[2J such thing"}}),
            ));
        }
        let text = format!(
            "{} of {}: \u{1b}]0;owned\u{7}{last}\u{1b}[31m!",
            messages["model"].as_str().unwrap_or_default(),
            said.len()
        );
        Some(if messages["stream"] == json!(true) {
            let (first, rest) = text.split_at(3);
            let chunk = |text: &str| {
                format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": {"content": text}}]}))
            };
            Reply::text(200, &format!("{}{}data: [DONE]\n\n", chunk(first), chunk(rest)))
                .header("content-type", "text/event-stream")
        } else {
            Reply::json(200, json!({"choices": [{"message": {"role": "assistant", "content": text}}]}))
        })
    })
}

fn host(base: &str) -> TestEnv {
    let env = TestEnv::real_time().var("TERM", "xterm");
    let config = json!({
        "gateway": {"auth": {"token": TOKEN}},
        "agents": {"defaults": {"model": {"primary": "openai/gpt-5.2"}}},
        "models": {"providers": {"openai": {"baseUrl": base, "models": []}}},
    });
    env.file(CONFIG, config.to_string());
    env.profiles(json!({"openai:k": api_key("openai", "sk-openai-0123456789-KKKK")}));
    env.private();
    env
}

/// A gateway and the host on which its clients find it.
fn started(env: TestEnv) -> (Running, TestEnv) {
    let gateway = Running::start(&env);
    let port = gateway.port.to_string();
    (gateway, env.var("OPENCLAW_GATEWAY_PORT", port))
}

#[test]
fn one_turn_is_for_scripts() {
    let provider = provider();
    let (_gateway, env) = started(host(&provider.url("/v1")));
    let said = outcome(&mut env.command(&["agent", "--message", "hello"]));
    assert_eq!(
        (said.code, said.stdout.as_str(), said.stderr.as_str()),
        (0, "gpt-5.2 of 1: hello!\n", ""),
        "{said:?}"
    );
    let json = outcome(&mut env.command(&["agent", "-m", "hello", "--json", "--model", "gpt-5-mini"]));
    let document: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(
        (&document["model"], &document["profile"], &document["attempts"], &document["isCommand"]),
        (&json!("openai/gpt-5-mini"), &json!("openai:k"), &json!(1), &json!(false))
    );
    assert!(!json.stdout.contains('\u{1b}') && document["text"].as_str().unwrap().contains('\u{1b}'));
    // A command is one turn like any other, and what it chooses is remembered for the session.
    for (args, code, stdout) in [
        (&["agent", "--message", "/model gpt-5-mini"][..], 0, "Model set to openai/gpt-5-mini.\n"),
        (&["agent", "--message", "hi"], 0, "gpt-5-mini of 1: hi!\n"),
        (&["agent", "--message", "hi", "--session", "other"], 0, "gpt-5.2 of 1: hi!\n"),
        (&["agent", "--message", "/model nonsense"], 1, ""),
        (&["agent", "--message", "refuse"], 1, ""),
        (&["agent", "--message", " "], 64, ""),
        (&["agent"], 64, ""),
        (&["--agent", "ghost", "agent", "--message", "hi"], 64, ""),
        (&["agent", "--message", "hi", "--session", "caf\u{e9}"], 64, ""),
        (&["agent", "--message", "hi", "--url", "http://example.com"], 64, ""),
        (&["agent", "--message", "hi", "--url", "http://127.0.0.1:1"], 74, ""),
        (&["agent", "--message", "-", "--token", "-"], 64, ""),
    ] {
        let said = outcome(&mut env.command(args));
        assert_eq!((said.code, said.stdout.as_str()), (code, stdout), "{args:?}: {said:?}");
        assert!(code == 0 || said.stderr.contains("error: "), "{said:?}");
        assert!(!said.stderr.contains('\u{1b}'), "{said:?}");
    }
    let refused = outcome(&mut env.command(&["agent", "--message", "hi", "--url", "http://127.0.0.1:1"]));
    assert!(refused.stderr.contains("`openclaw gateway` starts it"), "{refused:?}");
    let wrong = env.run_with_stdin(&["agent", "--message", "hi", "--token", "-"], "wrong\n");
    assert!(wrong.code == 1 && wrong.stderr.contains("gateway.auth.token"), "{wrong:?}");
    let piped = env.run_with_stdin(&["agent", "--message", "-"], "two\nlines\n");
    assert_eq!((piped.code, piped.stdout.as_str()), (0, "gpt-5-mini of 1: two\nlines\n!\n"), "{piped:?}");
    assert!(provider.seen().iter().all(|seen| !seen.body.contains(TOKEN)));
}

#[test]
fn lines_of_a_pipe_are_a_conversation() {
    let provider = provider();
    let (_gateway, env) = started(host(&provider.url("/v1")));
    let said = env.run_with_stdin(
        &["chat", "--session", "pipe"],
        "one\n\n/model gpt-5-mini\ntwo\nrefuse\nthree\n/new\nfour",
    );
    assert_eq!(
        said.stdout,
        "gpt-5.2 of 1: one!\nModel set to openai/gpt-5-mini.\ngpt-5-mini of 3: two!\ngpt-5-mini of 5: three!\n\
         New session. Model openai/gpt-5-mini. The gateway keeps no messages: what your client sends is what the model \
         sees.\ngpt-5-mini of 1: four!\n"
    );
    assert_eq!(said.code, 1, "{said:?}");
    for part in ["[openai/gpt-5.2 with openai:k]", "[openai/gpt-5-mini with openai:k]", "such thing"] {
        assert!(said.stderr.contains(part), "{said:?}");
    }
    // A model of the command line counts until another one is chosen.
    let said = env.run_with_stdin(
        &["chat", "--model", "gpt-5.2", "--session", "pipe"],
        "a\n/model list\nb\n/model gpt-5-mini\nc\n",
    );
    assert!(
        said.code == 0
            && said.stdout.contains("gpt-5.2 of 3: b!\n")
            && said.stdout.contains("gpt-5-mini of 5: c!\n"),
        "{said:?}"
    );
    drop(provider);
}

#[test]
fn a_person_edits_completes_and_calls_up_lines() {
    let provider = provider();
    let (_gateway, env) = started(host(&provider.url("/v1")));
    let (shown, code) = env.on_a_terminal(
        &["chat", "--session", "tty"],
        &[
            (PROMPT, b"helo\x1b[D\x1b[Dl\r"),
            (PROMPT, b"/mod\t\t\x15/model gpt-5-m\t\r"),
            (PROMPT, b"/model@x\r"),
            (PROMPT, b"\x1b[A\x1b[A\x1b[A\r"),
            (PROMPT, b"dropped\x03"),
            (PROMPT, b"\x04"),
        ],
    );
    assert_eq!(code, Some(0), "{shown}");
    for part in [
        "gpt-5.2 of 1: hello!",
        "[openai/gpt-5.2 with openai:k]",
        "/models",
        "Model set to openai/gpt-5-mini.",
        "requires a model selection",
        "gpt-5-mini of 3: hello!",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert_eq!(shown.matches("Ctrl-D ends").count(), 2, "{shown}");
    assert!(!shown.contains("]0;owned") && !shown.contains("[31m"), "{shown:?}");
    let asked = provider.seen();
    assert!(
        asked.iter().all(|seen| !seen.body.contains("dropped") && !seen.body.contains("/model")),
        "{asked:?}"
    );
}

#[test]
fn ctrl_c_stops_an_answer_and_not_the_program() {
    const PIECES: &[&str] =
        &["data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"begins\"}}]}\n\n", "data: [DONE]\n\n"];
    let (address, _never) = streaming(PIECES);
    let (_gateway, env) = started(host(&address));
    let (shown, code) = env.on_a_terminal(
        &["chat"],
        &[(PROMPT, b"go on for ever\r"), ("begins", b"\x03"), (PROMPT, b"/status\r"), (PROMPT, b"\x04")],
    );
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("stopped") && shown.contains("Session: agent:main:cli"), "{shown}");
}
