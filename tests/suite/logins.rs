//! Logging in on a real terminal at a provider on loopback.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openclaw::core::secret::Secret;
use serde_json::{Value, json};
use url::Url;

use crate::support::provider::{Provider, Reply};
use crate::support::{CLAUDE, CONFIG, HOUR, OPS, STORE, Step, TestEnv, Typed, real_now_ms};

const LOGIN: &[&str] = &["models", "auth", "login", "--provider"];
const WAITING: &str = "nothing is shown";
const CTRL_C: &[u8] = &[3];

/// The address of a Codex login is fixed: one test at a time may wait there.
static CODEX_PORT: Mutex<()> = Mutex::new(());

fn codex_port() -> MutexGuard<'static, ()> {
    CODEX_PORT.lock().unwrap_or_else(PoisonError::into_inner)
}

fn jwt(claims: Value) -> String {
    format!("e30.{}.s", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

/// The page that the program shows.
fn page(shown: &str) -> Url {
    let start = shown.find("http").unwrap();
    Url::parse(shown[start..].split_whitespace().next().unwrap()).unwrap()
}

fn parameter(page: &Url, name: &str) -> String {
    page.query_pairs().find(|(known, _)| known == name).unwrap().1.into_owned()
}

/// The browser's part: a request to the redirect address, and its answer.
fn visit(page: &Url, query: &str) -> String {
    let redirect = Url::parse(&parameter(page, "redirect_uri")).unwrap();
    get(redirect.port().unwrap(), &format!("{}?{query}", redirect.path()))
}

fn get(port: u16, target: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn good(page: &Url) -> String {
    format!("code=the-code&state={}", parameter(page, "state"))
}

/// A provider that changes `the-code` for a login.
fn provider() -> Provider {
    Provider::knowing(&[]).scripted(|seen| {
        let members = &seen.members;
        match (seen.path.as_str(), members.get("grant_type").map(String::as_str)) {
            ("/userinfo", _) => Some(Reply::json(200, json!({"username": "fritz", "sub": "user-7"}))),
            ("/token", Some("authorization_code")) if members["code"] == "the-code" => Some(Reply::json(
                200,
                json!({
                    "access_token": jwt(json!({"https://api.openai.com/auth": {"chatgpt_account_id": "acc-1"}})),
                    "refresh_token": "rt-login",
                    "id_token": jwt(json!({"email": "me@example.com"})),
                    "expires_in": 3600,
                }),
            )),
            _ => Some(Reply::json(400, json!({"error": "invalid_grant"}))),
        }
    })
}

fn host(provider_id: &str, provider: &Provider) -> TestEnv {
    let env = TestEnv::real_time();
    env.file(OPS, provider.ops(&[provider_id]))
        .file(CONFIG, "{\n  // mine\n  gateway: { mode: 'local' },\n}\n");
    env
}

fn login(env: &TestEnv, provider_id: &str, more: &[&str], steps: Vec<Step<'_>>) -> (String, Option<i32>) {
    let args: Vec<_> = LOGIN.iter().copied().chain([provider_id]).chain(more.iter().copied()).collect();
    env.at_a_terminal(&args, steps)
}

fn nothing_was_stored(env: &TestEnv, config_before: &str) {
    assert!(!env.exists(STORE) || env.read_json(STORE)["profiles"] == json!({}), "{}", env.text(STORE));
    assert_eq!(env.text(CONFIG), config_before);
}

#[test]
fn a_codex_login_comes_back_through_the_browser() {
    let _port = codex_port();
    let provider = provider();
    let env = host("openai-codex", &provider);
    let mut seen_page = None;
    let browser = |shown: &str| {
        let page = page(shown);
        assert!(get(1455, "/favicon.ico").starts_with("HTTP/1.1 404"));
        assert!(get(1455, "/auth/other?code=x").starts_with("HTTP/1.1 404"));
        let answer = visit(&page, &good(&page));
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("go back to the terminal"), "{answer}");
        assert!(!answer.contains("the-code"));
        seen_page = Some(page);
        Vec::new()
    };
    let (shown, code) = login(&env, "openai-codex", &["--set-default"], vec![(WAITING, Box::new(browser))]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("Auth profile: openai-codex:me@example.com (openai-codex/oauth)"), "{shown}");
    assert!(TcpStream::connect(("127.0.0.1", 1455)).is_err(), "nobody listens any more");

    let page = seen_page.unwrap();
    assert!(page.as_str().starts_with(&provider.url("/authorize")));
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "app_EMoamEEZ73f0CkXaXp7hrann"),
        ("redirect_uri", "http://localhost:1455/auth/callback"),
        ("scope", "openid profile email offline_access"),
        ("code_challenge_method", "S256"),
        ("originator", "openclaw"),
    ] {
        assert_eq!(parameter(&page, name), value);
    }
    assert!(parameter(&page, "state").len() >= 32);
    let seen = &provider.seen()[0].members;
    let verifier = Secret::new(seen["code_verifier"].as_str());
    assert_eq!(parameter(&page, "code_challenge"), URL_SAFE_NO_PAD.encode(verifier.sha256()));
    assert_eq!(
        (seen["code"].as_str(), seen["redirect_uri"].as_str()),
        ("the-code", "http://localhost:1455/auth/callback")
    );

    let entry = &env.read_json(STORE)["profiles"]["openai-codex:me@example.com"];
    assert_eq!((entry["type"].as_str(), entry["refresh"].as_str()), (Some("oauth"), Some("rt-login")));
    assert_eq!(
        (entry["accountId"].as_str(), entry["email"].as_str()),
        (Some("acc-1"), Some("me@example.com"))
    );
    assert!(entry.get("clientId").is_none());
    assert!((entry["expires"].as_i64().unwrap() - real_now_ms() - HOUR).abs() < 60_000);
    let config = env.text(CONFIG);
    assert!(config.contains("// mine") && config.contains("openai-codex/gpt-5.2"), "{config}");
    assert!(
        config.contains("openai-codex:me@example.com") && config.contains("\"mode\": \"oauth\""),
        "{config}"
    );
    // And it can be renewed, with the client that it was issued to.
    let (code, document) = env.check();
    assert_eq!((code, document["defaultModel"].as_str()), (2, Some("openai-codex/gpt-5.2")), "{document}");
}

#[test]
fn what_comes_back_wrong_stores_nothing() {
    let _port = codex_port();
    let provider = provider();
    let env = host("openai-codex", &provider);
    let before = env.text(CONFIG);
    let by_browser = |query: fn(&Url) -> String| -> Vec<Step<'static>> {
        let visited = move |shown: &str| {
            let page = page(shown);
            visit(&page, &query(&page));
            Vec::new()
        };
        vec![(WAITING, Box::new(visited))]
    };
    let denied = |page: &Url| {
        format!("error=access_denied&error_description=No%1b[31m&state={}", parameter(page, "state"))
    };
    for (steps, wanted) in [
        (by_browser(denied), "the provider refused: access_denied (No\\u{1b}[31m)"),
        (
            by_browser(|page| format!("code=other&state={}", parameter(page, "state"))),
            "no longer accepts this login",
        ),
    ] {
        let (shown, code) = login(&env, "openai-codex", &[], steps);
        assert_eq!(code, Some(1), "{shown}");
        assert!(shown.contains(wanted) && shown.contains("nothing was stored"), "{wanted}: {shown}");
        nothing_was_stored(&env, &before);
    }
    assert_eq!(provider.seen().len(), 1, "only the code that nobody knows was ever sent");
}

#[test]
fn what_does_not_belong_to_the_login_does_not_end_it() {
    let _port = codex_port();
    let provider = provider();
    let env = host("openai-codex", &provider);
    let strangers = |shown: &str| {
        let page = page(shown);
        for query in ["code=the-code&state=guessed", "code=the-code", "error=access_denied", ""] {
            assert!(visit(&page, query).starts_with("HTTP/1.1 400"), "{query}");
        }
        assert!(visit(&page, &format!("state={}", parameter(&page, "state"))).starts_with("HTTP/1.1 400"));
        b"the-code#guessed\r".to_vec()
    };
    let typed = |text: &'static str| -> Typed<'static> { Box::new(move |_| text.as_bytes().to_vec()) };
    let finally = |shown: &str| {
        let page = page(shown);
        visit(&page, &good(&page));
        Vec::new()
    };
    let steps: Vec<Step<'_>> = vec![
        (WAITING, Box::new(strangers)),
        (
            "its state differs; try again",
            typed("http://localhost:1455/auth/callback?code=the-code&state=guessed\r"),
        ),
        ("its state differs; try again", typed("\r")),
        ("nothing was pasted; try again", typed("the\rcode\r")),
        ("the paste was broken into lines; try again", typed("http://localhost:1455/auth/callback\r")),
        ("the address has no code; try again", Box::new(finally)),
    ];
    let (shown, code) = login(&env, "openai-codex", &[], steps);
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(provider.seen().len(), 1);
}

#[test]
fn a_login_that_the_config_cannot_name_is_not_begun() {
    let _port = codex_port();
    let provider = provider();
    let env = host("openai-codex", &provider);
    env.file(CONFIG, "{$include: './more.json5', gateway: {mode: 'local'}}");
    env.file(".openclaw/more.json5", "{auth: {order: {'openai-codex': ['openai-codex:old']}}}");
    let (shown, code) = login(&env, "openai-codex", &[], Vec::new());
    assert_ne!(code, Some(0), "{shown}");
    assert!(shown.contains("auth.order.openai-codex") && !shown.contains("Open this page"), "{shown}");
    env.file(CONFIG, "{}")
        .profiles(json!({"anthropic:a": {"type": "api_key", "provider": "anthropic", "key": "precious"}}));
    let (shown, code) = login(&env, "openai-codex", &["--profile-id", "anthropic:a"], Vec::new());
    assert_eq!(code, Some(64), "{shown}");
    assert!(shown.contains("holds a credential of anthropic, not of openai-codex"), "{shown}");
    assert_eq!(env.read_json(STORE)["profiles"]["anthropic:a"]["key"], "precious");
}

#[test]
fn an_interrupt_while_the_code_is_changed_waits_until_the_login_is_stored() {
    let _port = codex_port();
    let interrupting = std::sync::Arc::new(Mutex::new(None::<i32>));
    let target = std::sync::Arc::clone(&interrupting);
    let tokens = json!({"access_token": "at-login", "refresh_token": "rt-login", "expires_in": 3600});
    let provider = Provider::knowing(&[]).scripted(move |_| {
        // The provider answers only after the program was told to end.
        let pid = target.lock().unwrap().unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM).unwrap();
        Some(Reply::json(200, tokens.clone()))
    });
    let env = host("openai-codex", &provider);
    let steps: Vec<Step<'_>> = vec![(
        WAITING,
        Box::new(|shown: &str| {
            *interrupting.lock().unwrap() = Some(pid_of_login(&env));
            let page = page(shown);
            visit(&page, &good(&page));
            Vec::new()
        }),
    )];
    let (shown, _) = login(&env, "openai-codex", &[], steps);
    assert!(shown.contains("the login was stored before the interrupt"), "{shown}");
    assert_eq!(env.read_json(STORE)["profiles"]["openai-codex:default"]["refresh"], "rt-login");
}

/// The process of this home that is logging in.
fn pid_of_login(env: &TestEnv) -> i32 {
    let home = format!("HOME={}", env.path("").display());
    let home = home.trim_end_matches('/');
    let is_ours = |pid: &str| {
        let read = |file: &str| fs_err::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let has =
            |text: &[u8], wanted: &str| text.split(|byte| *byte == 0).any(|part| part == wanted.as_bytes());
        let arguments = read("cmdline");
        has(&read("environ"), home) && has(&arguments, "login") && !arguments.starts_with(b"setsid")
    };
    let entries = fs_err::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().into_string().ok());
    pids.filter(|pid| is_ours(pid)).find_map(|pid| pid.parse().ok()).unwrap()
}

#[test]
fn a_signal_gives_the_terminal_its_echo_back_and_the_rest_of_a_paste_is_not_run() {
    // The shell is the one that is left on the terminal.
    let env = TestEnv::real_time().var("PS1", "ready> ");
    let program = env!("CARGO_BIN_EXE_openclaw");
    let typed = |text: String| -> Typed<'static> { Box::new(move |_| text.into_bytes()) };
    let paste = format!("{program} models auth paste-token --provider a\r");
    let steps: Vec<Step<'_>> = vec![
        ("ready> ", typed(paste.clone())),
        (WAITING, typed("FIRSTHALF\rSECONDHALF\r".to_owned())),
        ("broken into lines", typed("stty -a | grep -o ' echo '\r".to_owned())),
        (" echo ", typed(format!("timeout --foreground 0.3 {paste}"))),
        (WAITING, typed(String::new())),
        ("ready> ", typed("stty -a | grep -o ' echo ' && exit 7\r".to_owned())),
    ];
    let (shown, code) = env.shell_at_a_terminal(steps);
    assert_eq!(code, Some(7), "{shown}");
    assert!(!shown.contains("SECONDHALF") && !shown.contains("FIRSTHALF"), "{shown}");
    assert!(!env.exists(STORE));
}

#[test]
fn a_login_that_nobody_finishes_leaves_nothing_behind() {
    let _port = codex_port();
    let provider = provider();
    let env = host("openai-codex", &provider);
    let before = env.text(CONFIG);
    let (shown, code) = login(&env, "openai-codex", &["--timeout", "300ms"], Vec::new());
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("nobody logged in in time"), "{shown}");
    let (shown, code) = login(&env, "openai-codex", &[], vec![(WAITING, Box::new(|_| CTRL_C.to_vec()))]);
    assert_eq!(code, Some(130), "{shown}");
    nothing_was_stored(&env, &before);
    assert!(TcpStream::connect(("127.0.0.1", 1455)).is_err());
    assert_eq!(provider.seen().len(), 0);
}

#[test]
fn a_paste_does_where_no_browser_comes_back() {
    let _port = codex_port();
    let occupied = TcpListener::bind("127.0.0.1:1455").unwrap();
    for pasted in [
        |page: &Url| format!("http://localhost:1455/auth/callback?{}", good(page)),
        |page: &Url| good(page),
        |page: &Url| format!("the-code#{}", parameter(page, "state")),
        |_: &Url| "  the-code  ".to_owned(),
    ] {
        let provider = provider();
        let env = host("openai-codex", &provider);
        let steps: Vec<Step<'_>> =
            vec![(WAITING, Box::new(move |shown: &str| format!("{}\r", pasted(&page(shown))).into_bytes()))];
        let (shown, code) = login(&env, "openai-codex", &["--profile-id", "openai-codex:work"], steps);
        assert_eq!(code, Some(0), "{shown}");
        assert!(shown.contains("port 1455 cannot be listened on"), "{shown}");
        assert!(!shown.contains("the-code"), "a pasted code is not shown: {shown}");
        assert_eq!(env.read_json(STORE)["profiles"]["openai-codex:work"]["refresh"], "rt-login");
    }
    drop(occupied);
}

#[test]
fn a_browser_that_is_there_is_opened() {
    let provider = provider();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let redirect = format!("http://127.0.0.1:{port}/oauth-callback");
    let env = host("chutes", &provider);
    // The browser of this desktop: it logs in at once and goes where the page sends it.
    env.script(
        "bin/xdg-open",
        "state=$(printf %s \"$1\" | sed 's/.*state=\\([0-9a-f]*\\).*/\\1/'); printf %s \"$1\" > \"$HOME/opened\"; \
         exec 3<>/dev/tcp/127.0.0.1/$PORT; printf 'GET /oauth-callback?code=the-code&state=%s HTTP/1.0\\r\\n\\r\\n' \"$state\" >&3; cat <&3 > \"$HOME/answer\"",
    );
    let script = env.text("bin/xdg-open").replace("#!/bin/sh", "#!/bin/bash");
    env.file("bin/xdg-open", script).mode("bin/xdg-open", 0o755);
    let path = format!("{}:/usr/bin:/bin", env.path("bin").display());
    let env = env
        .var("PATH", path)
        .var("DISPLAY", ":0")
        .var("PORT", port.to_string())
        .var("CHUTES_OAUTH_REDIRECT_URI", redirect.as_str())
        .var("CHUTES_OAUTH_SCOPES", "openid")
        .var("CHUTES_CLIENT_SECRET", "hush");
    let asked: Vec<Step<'_>> = vec![("OAuth client id for chutes?", Box::new(|_| b"cid_mine\r".to_vec()))];
    let (shown, code) = login(&env, "chutes", &[], asked);
    assert_eq!(code, Some(0), "{shown}");
    let opened = Url::parse(&env.text("opened")).unwrap();
    assert_eq!(
        (parameter(&opened, "scope").as_str(), parameter(&opened, "redirect_uri")),
        ("openid", redirect)
    );
    let entry = &env.read_json(STORE)["profiles"]["chutes:me@example.com"];
    assert_eq!((entry["clientId"].as_str(), entry["accountId"].as_str()), (Some("cid_mine"), Some("acc-1")));
    let seen = provider.seen();
    assert_eq!(
        (seen[0].members["client_id"].as_str(), seen[0].members["client_secret"].as_str()),
        ("cid_mine", "hush")
    );
    assert_eq!(seen[1].path, "/userinfo");
    assert!(seen[1].headers["authorization"].starts_with("Bearer e30."));
}

/// A provider of device codes that answers polls one after the other.
fn devices(polls: Vec<Reply>) -> Provider {
    let mut polls = polls.into_iter();
    Provider::knowing(&[]).scripted(move |seen| {
        if seen.path != "/device" {
            assert_eq!(seen.members["grant_type"], "urn:ietf:params:oauth:grant-type:device_code");
            assert_eq!(seen.members["device_code"], "device-1");
            return polls.next();
        }
        assert_eq!(seen.members["scope"], "openid profile email model.completion");
        assert_eq!(seen.members["code_challenge_method"], "S256");
        assert!(seen.headers.contains_key("x-request-id"));
        Some(Reply::json(
            200,
            json!({
                "device_code": "device-1", "user_code": "ABCD-1234", "interval": 0.02, "expires_in": 900,
                "verification_uri": "https://chat.qwen.ai/authorize",
                "verification_uri_complete": "https://chat.qwen.ai/authorize?user_code=ABCD-1234",
            }),
        ))
    })
}

fn error(code: &str) -> Reply {
    Reply::json(400, json!({"error": code}))
}

#[test]
fn a_qwen_login_waits_for_its_code_to_be_typed() {
    let tokens = json!({"access_token": "at-qwen", "refresh_token": "rt-qwen", "expires_in": 21600, "resource_url": "portal.qwen.example"});
    let provider = devices(vec![
        error("authorization_pending"),
        error("slow_down"),
        Reply::text(502, "<html>"),
        Reply::json(200, tokens),
    ]);
    let env = host("qwen-portal", &provider);
    let (shown, code) = login(&env, "qwen-portal", &[], Vec::new());
    assert_eq!(code, Some(0), "{shown}");
    for wanted in [
        "https://chat.qwen.ai/authorize?user_code=ABCD-1234",
        "Code: ABCD-1234",
        "Auth profile: qwen-portal:default (qwen-portal/oauth)",
        "Default model available: qwen-portal/coder-model (use --set-default to apply)",
    ] {
        assert!(shown.contains(wanted), "{wanted}: {shown}");
    }
    let seen = provider.seen();
    let verifier = Secret::new(seen[1].members["code_verifier"].as_str());
    assert_eq!(seen[0].members["code_challenge"], URL_SAFE_NO_PAD.encode(verifier.sha256()));
    let entry = &env.read_json(STORE)["profiles"]["qwen-portal:default"];
    assert_eq!((entry["access"].as_str(), entry["refresh"].as_str()), (Some("at-qwen"), Some("rt-qwen")));
    let config = env.text(CONFIG);
    assert!(
        config.contains("\"baseUrl\": \"https://portal.qwen.example/v1\"")
            && config.contains("\"vision-model\""),
        "{config}"
    );
    // The marker in the config is no key: without the login there is nothing.
    assert_eq!(env.run(&["models", "auth", "remove", "qwen-portal:default", "--yes"]).code, 0);
    env.run(&["models", "set", "qwen-portal/coder-model"]);
    let (code, document) = env.check();
    assert_eq!((code, &document["auth"]["missingProvidersInUse"]), (1, &json!(["qwen-portal"])));
}

#[test]
fn a_device_login_that_is_refused_ends_or_is_interrupted_stores_nothing() {
    for (polls, wanted) in [
        (vec![error("access_denied")], "the provider refused: access_denied"),
        (vec![error("authorization_pending"), error("expired_token")], "the code has ended"),
        (vec![error("invalid_client")], "refuses the OAuth client"),
    ] {
        let provider = devices(polls);
        let env = host("qwen-portal", &provider);
        let before = env.text(CONFIG);
        let (shown, code) = login(&env, "qwen-portal", &[], Vec::new());
        assert_eq!(code, Some(1), "{shown}");
        assert!(shown.contains(wanted), "{shown}");
        nothing_was_stored(&env, &before);
    }
    let provider = devices(vec![error("authorization_pending"); 1000]);
    let env = host("qwen-portal", &provider);
    let before = env.text(CONFIG);
    let (shown, code) = login(&env, "qwen-portal", &["--timeout", "200ms"], Vec::new());
    assert_eq!((code, shown.contains("nobody logged in in time")), (Some(1), true), "{shown}");
    let (shown, code) =
        login(&env, "qwen-portal", &[], vec![("Ctrl-C ends it", Box::new(|_| CTRL_C.to_vec()))]);
    assert_eq!(code, Some(130), "{shown}");
    nothing_was_stored(&env, &before);
    let provider = Provider::knowing(&[]).scripted(|_| Some(Reply::text(200, "<html>")));
    let env = host("qwen-portal", &provider);
    let (shown, code) = login(&env, "qwen-portal", &[], Vec::new());
    assert_eq!((code, shown.contains("gave no usable code")), (Some(1), true), "{shown}");
}

#[test]
fn where_there_is_no_login_the_way_to_a_credential_is_named() {
    let env = TestEnv::real_time();
    let piped = env.run(&["models", "auth", "login"]);
    assert_eq!(piped.code, 64);
    assert!(piped.stderr.contains("models auth login requires an interactive TTY."), "{piped:?}");
    for (provider, wanted) in [
        ("anthropic", "claude auth login"),
        ("github-copilot", "paste-token --provider github-copilot"),
        ("groq", "GROQ_API_KEY"),
        ("my-own", "logins are offered for chutes, openai-codex and qwen-portal"),
        ("openai-codx", "did you mean openai-codex?"),
    ] {
        let (shown, code) = login(&env, provider, &[], Vec::new());
        assert_eq!(code, Some(64), "{shown}");
        assert!(shown.contains(wanted), "{shown}");
    }
    env.file(CLAUDE, "{}");
    let steps: Vec<Step<'_>> = vec![("[1-3]", Box::new(|_| b"9\r".to_vec()))];
    let (shown, code) = env.at_a_terminal(&["models", "auth", "login"], steps);
    assert_eq!((code, shown.contains("none of the choices")), (Some(64), true), "{shown}");
}
