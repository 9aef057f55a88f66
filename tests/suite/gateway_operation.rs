//! Operating the gateway: what it tells the service manager, its status, its numbers, its log, and what things cost.

use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use openclaw::clock::{Clock, Deadline};
use openclaw::core::failure::FailureClass;
use openclaw::metrics::gateway::METRICS;
use openclaw::sys::{instance, procfs};
use serde_json::{Value, json};

use crate::gateway::{Answer, Running, TOKEN};
use crate::support::exporter::value;
use crate::support::upstream::Upstream;
use crate::support::{CONFIG, HOUR, OPS, Outcome, STORE, TestEnv, api_key, outcome, real_now_ms, token};

const LIMIT: Duration = Duration::from_mins(1);

fn config(base: &str, gateway: Value) -> String {
    let mut section = json!({"auth": {"token": TOKEN}});
    for (name, value) in gateway.as_object().unwrap() {
        section[name] = value.clone();
    }
    json!({
        "gateway": section,
        "agents": {"defaults": {"model": {"primary": "anthropic/claude-opus-4-5"}}},
        "models": {"providers": {"anthropic": {"baseUrl": base, "models": []}}},
    })
    .to_string()
}

fn host(upstream: &Upstream) -> TestEnv {
    let env = TestEnv::real_time();
    env.file(CONFIG, config(&upstream.url(), json!({})));
    env.profiles(json!({"anthropic:a": api_key("anthropic", "sk-ant-a-0123456789")}));
    env.private();
    env
}

/// A provider that knows keys by a word in them: `dead` ones are refused.
fn provider() -> Upstream {
    Upstream::doing(|visit| {
        let headers = &visit.came.headers;
        let shown = headers.get("x-api-key").or_else(|| headers.get("authorization")).unwrap();
        if shown.contains("dead") {
            visit.answer(401, "", "{}");
        } else if visit.came.body.contains("\"stream\":true") {
            visit.begin_stream();
            visit.piece("event: message_start\ndata: {\"message\":{\"usage\":{\"input_tokens\":25,\"output_tokens\":1}}}\n\n");
            visit.piece("event: message_delta\ndata: {\"usage\":{\"output_tokens\":15}}\n\n");
            visit.end_stream();
        } else {
            visit.answer(200, "", r#"{"ok":true,"usage":{"input_tokens":400,"output_tokens":120}}"#);
        }
        true
    })
}

fn asking() -> Value {
    json!({"messages": []})
}

fn soon(what: &str, mut is_so: impl FnMut() -> bool) {
    let limit = Deadline::after(LIMIT);
    while !is_so() {
        assert!(!limit.has_passed(), "never: {what}");
        Clock::System.sleep(Duration::from_millis(10));
    }
}

fn pid(gateway: &Running) -> Pid {
    Pid::from_raw(i32::try_from(gateway.child.id()).unwrap())
}

/// The service manager's end.
struct Manager {
    socket: UnixDatagram,
}

impl Manager {
    fn new(env: &TestEnv) -> Self {
        let socket = UnixDatagram::bind(env.path("notify")).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        Self { socket }
    }

    fn told(&self) -> String {
        let mut text = [0; 4096];
        let length = self.socket.recv(&mut text).unwrap();
        String::from_utf8_lossy(&text[..length]).into_owned()
    }

    /// Waits for a word.
    fn until(&self, word: &str) -> String {
        let limit = Deadline::after(LIMIT);
        loop {
            let told = self.told();
            if told.contains(word) {
                return told;
            }
            assert!(!limit.has_passed(), "never told {word}");
        }
    }

    /// Forgets what was told so far; says whether there was such a word.
    fn drain(&self, word: &str) -> bool {
        self.socket.set_nonblocking(true).unwrap();
        let mut text = [0; 4096];
        let mut is_there = false;
        while let Ok(length) = self.socket.recv(&mut text) {
            is_there |= String::from_utf8_lossy(&text[..length]).contains(word);
        }
        self.socket.set_nonblocking(false).unwrap();
        is_there
    }
}

#[test]
fn the_service_manager_gets_to_know_when_it_is_up_alive_reloading_and_about_to_end() {
    let upstream = provider();
    let env = host(&upstream);
    let manager = Manager::new(&env);
    let mut command = env.command(&["gateway", "run", "--port", "0"]);
    command.env("NOTIFY_SOCKET", env.path("notify")).env("WATCHDOG_USEC", "600000");
    let gateway = Running::of(command);
    let first = manager.told();
    let status = format!("STATUS=serving http://127.0.0.1:{}; 1 model can be used", gateway.port);
    assert!(first.contains("READY=1") && first.contains(&status), "{first}");
    assert!(manager.told().contains("WATCHDOG=1") && manager.told().contains("WATCHDOG=1"));
    kill(pid(&gateway), Signal::SIGHUP).unwrap();
    let reloading = manager.until("RELOADING=1");
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    manager.until("READY=1");
    // Without files for new connections nobody is served, and no sign of life is given.
    let limit = |files: &str| {
        let pid = gateway.child.id().to_string();
        assert!(Command::new("prlimit").args(["--pid", &pid, files]).status().unwrap().success());
    };
    limit("--nofile=3:8192");
    soon("silence", || {
        manager.drain("");
        Clock::System.sleep(Duration::from_millis(700));
        !manager.drain("WATCHDOG=1")
    });
    limit("--nofile=8192:8192");
    manager.until("WATCHDOG=1");
    let (code, said) = gateway.stop();
    manager.until("STOPPING=1");
    assert!(code == Some(0) && said.contains("was not answered"), "{said}");
}

#[test]
fn the_sockets_of_the_service_manager_are_served() {
    let upstream = provider();
    let env = host(&upstream);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    fcntl(&listener, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    let script = format!("exec 3<&{0}; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$@\"", listener.as_raw_fd());
    let gateway =
        Running::of(env.wrapped(&["bash", "-c", &script, "bash"], &["gateway", "run", "--port", "1"]));
    assert_eq!(gateway.port, port);
    assert_eq!(gateway.post("/v1/messages", &asking()).status, 200);
    gateway.stop();
    // One that others can reach needs a token, whatever the bind mode says.
    env.file(CONFIG, "{}");
    let open = TcpListener::bind("0.0.0.0:0").unwrap();
    fcntl(&open, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    let script = format!("exec 3<&{0}; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$@\"", open.as_raw_fd());
    let ran = outcome(&mut env.wrapped(&["bash", "-c", &script, "bash"], &["gateway", "run"]));
    assert!(ran.code == 1 && ran.stderr.contains("without a token"), "{ran:?}");
}

fn status(env: &TestEnv, args: &[&str]) -> Outcome {
    let args: Vec<_> = ["gateway", "status"].into_iter().chain(args.iter().copied()).collect();
    outcome(&mut env.command(&args))
}

#[test]
fn the_status_says_whether_it_runs_and_what_is_wrong() {
    let upstream = provider();
    let env = host(&upstream);
    let ran = status(&env, &["--port", "1"]);
    assert!(ran.code == 1 && ran.stdout.contains("not running: nobody listens on 127.0.0.1:1"), "{ran:?}");
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap().port().to_string();
    let ran = status(&env, &["--port", &taken, "--timeout", "200ms"]);
    assert!(ran.code == 1 && ran.stdout.contains(&format!("process {}", std::process::id())), "{ran:?}");
    drop(other);
    let gateway = Running::start(&env);
    let address = format!("127.0.0.1:{}", gateway.port);
    let ran = status(&env, &[]);
    assert!(ran.code == 0 && ran.stdout.contains(&format!("ok: serving http://{address}\n")), "{ran:?}");
    let ran = status(&env, &["--json"]);
    let document = ran.json();
    assert_eq!(
        (ran.code, &document["running"], &document["ready"]),
        (0, &json!(true), &json!(true)),
        "{ran:?}"
    );
    assert_eq!((&document["address"], &document["pid"]), (&json!(address), &json!(gateway.child.id())));
    assert_eq!((&document["gateway"]["usableModels"], &document["problems"]), (&json!(1), &json!([])));
    let ran = outcome(&mut env.command(&["gateway", "health"]));
    assert_eq!((ran.code, ran.stdout), (0, format!("ok: serving http://{address}\n")));
    // A token that is not the gateway's, before and behind the word.
    env.file("other", "another-token-0123456789\n");
    for args in [&["gateway", "--token", "@other", "status"][..], &["gateway", "status", "--token", "@other"]]
    {
        let ran = outcome(&mut env.command(args));
        assert!(
            ran.code == 2 && ran.stdout.contains("degraded: the gateway that runs wants another token"),
            "{ran:?}"
        );
    }
    // What cannot be read is passed over, said once, and shown until it is mended.
    let good = env.text(CONFIG);
    env.file(CONFIG, "{ torn");
    soon("trouble", || status(&env, &[]).code == 2);
    let ran = status(&env, &[]);
    assert!(ran.stdout.contains("degraded: "), "{ran:?}");
    assert_eq!((gateway.get("/readyz").status, gateway.post("/v1/messages", &asking()).status), (200, 200));
    soon("the number", || value(&gateway.get("/metrics").body, "openclaw_gateway_config_valid") == Some(0.0));
    env.file(CONFIG, good);
    soon("the end of trouble", || status(&env, &[]).code == 0);
    // Nothing usable: it runs, and is not ready.
    env.profiles(json!({}));
    soon("nothing usable", || gateway.get("/readyz").status == 503);
    let ran = status(&env, &["--json"]);
    assert_eq!((ran.code, &ran.json()["ready"]), (2, &json!(false)), "{ran:?}");
    let (_, said) = gateway.stop();
    assert_eq!(said.matches("passed over").count(), 1, "{said}");
    assert!(said.contains("can be read again"), "{said}");
    assert_eq!(status(&env, &["--timeout", "1s"]).code, 1);
}

#[test]
fn the_token_cannot_be_taken_from_a_gateway_that_others_can_reach() {
    let upstream = provider();
    let env = host(&upstream);
    let mut command = env.command(&["gateway", "run", "--port", "0", "--bind", "lan"]);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    let port = lines.find_map(|line| {
        let line = line.unwrap();
        line.split("listening on http://0.0.0.0:").nth(1)?.trim().parse::<u16>().ok()
    });
    let port = port.unwrap();
    env.file(CONFIG, config(&upstream.url(), json!({"auth": {}})));
    let said = lines.find_map(|line| line.ok().filter(|line| line.contains("passed over"))).unwrap();
    assert!(said.contains("the token is gone"), "{said}");
    let answer = crate::support::exporter::get(&format!("127.0.0.1:{port}"), "/v1/models", "").unwrap();
    assert_eq!(answer.status, 401);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn what_cannot_work_is_refused_before_it_starts() {
    let upstream = provider();
    let env = host(&upstream);
    let base = upstream.url();
    for (gateway, args, code, told) in [
        (json!({"mode": "remote"}), &["gateway"][..], 1, "gateway.mode is \"remote\""),
        (json!({"bind": "custom"}), &["gateway"], 1, "gateway.customBindHost is not set"),
        (
            json!({"bind": "custom", "customBindHost": "192.0.2.1"}),
            &["gateway"],
            1,
            "no address of this host",
        ),
        (json!({"bind": "nowhere"}), &["gateway"], 64, "tailnet, auto, custom"),
        (json!({"auth": {"mode": "password"}}), &["gateway"], 1, "there is no password"),
        (json!({"auth": {}}), &["gateway", "--auth", "token"], 1, "OPENCLAW_GATEWAY_TOKEN"),
        (json!({"auth": {}}), &["gateway", "run", "--auth", "token"], 1, "there is no token"),
        (json!({"auth": {}}), &["gateway", "run", "--bind", "lan"], 1, "without a token or password"),
        (json!({}), &["gateway", "run", "--auth", "magic"], 64, "invalid value"),
        (json!({}), &["gateway", "run", "--log-format", "xml"], 64, "invalid value"),
    ] {
        env.file(CONFIG, config(&base, gateway));
        let ran = outcome(&mut env.command(args));
        assert!(ran.code == code && ran.stderr.contains(told), "{args:?}: {ran:?}");
    }
    env.file(
        CONFIG,
        config(&base, json!({"bind": "custom", "customBindHost": "127.0.0.1", "mode": "remote"})),
    );
    let gateway = Running::of(env.command(&["gateway", "--allow-unconfigured", "run", "--port", "0"]));
    assert_eq!(gateway.post("/v1/messages", &asking()).status, 200);
}

#[test]
fn a_gateway_of_the_node_program_keeps_ours_from_starting() {
    let upstream = provider();
    let env = host(&upstream);
    let env = {
        let temporary = env.path("tmp");
        env.var("TMPDIR", temporary)
    };
    let lock = instance::node_lock(&env.path("tmp"), &env.path(CONFIG));
    let me = i32::try_from(std::process::id()).unwrap();
    fs_err::create_dir_all(lock.parent().unwrap()).unwrap();
    let written = json!({"pid": me, "createdAt": "2026-01-01T00:00:00Z", "configPath": "x", "startTime": procfs::start_ticks(me)});
    fs_err::write(&lock, written.to_string()).unwrap();
    let ran = outcome(&mut env.command(&["gateway", "run", "--port", "0"]));
    assert!(
        ran.code == 1
            && ran.stderr.contains(&format!("gateway of the Node program already runs on it (process {me})")),
        "{ran:?}"
    );
    fs_err::write(&lock, json!({"pid": me, "startTime": 1}).to_string()).unwrap();
    let gateway = Running::start(&env);
    let ours: Value = serde_json::from_str(&fs_err::read_to_string(&lock).unwrap()).unwrap();
    assert_eq!(ours["pid"], gateway.child.id());
    gateway.stop();
    assert!(!lock.exists(), "it is left behind");
}

#[test]
fn numbers_and_log_tell_what_happened_and_nothing_else() {
    let upstream = provider();
    let env = host(&upstream);
    env.profiles(json!({"anthropic:a": api_key("anthropic", "sk-ant-dead-0123456789"), "anthropic:b": api_key("anthropic", "sk-ant-b-0123456789")}));
    let mut store = env.read_json(STORE);
    store["order"] = json!({"anthropic": ["anthropic:a", "anthropic:b"]});
    env.file(STORE, store.to_string()).private();
    let gateway = Running::of(env.command(&["gateway", "run", "--port", "0", "--log-format", "json"]));
    let first = gateway.get("/metrics").body;
    for metric in METRICS {
        // Those of providers begin with the first request.
        let is_of_provider =
            metric.labels.first() == Some(&"provider") || metric.labels.contains(&"provider");
        assert!(
            is_of_provider || first.contains(&format!("# TYPE {} {}\n", metric.name, metric.kind.word())),
            "{}",
            metric.name
        );
    }
    for class in FailureClass::ALL {
        let series = format!("openclaw_gateway_failovers_total{{reason=\"{}\"}}", class.word());
        assert_eq!(value(&first, &series), Some(0.0), "{series}");
    }
    let secret = "the words of the user";
    let body = json!({"messages": [{"role": "user", "content": secret}]});
    let answer = gateway.post("/v1/messages", &body);
    assert_eq!((answer.status, answer.header("x-openclaw-attempts")), (200, Some("2")));
    let id = answer.header("x-openclaw-request-id").unwrap().to_owned();
    assert_eq!(answer.header("x-request-id"), Some(id.as_str()));
    let streamed = gateway.post("/v1/messages", &json!({"stream": true, "messages": []}));
    assert!(streamed.body.contains("message_delta"), "{streamed:?}");
    assert_eq!(gateway.post("/v1/messages", &json!({"model": "nobodys"})).status, 400);
    assert_eq!(gateway.send("POST", "/v1/messages", &[], "{}").status, 401);
    let of = |outcome: &str, provider: &str| {
        format!(
            "openclaw_gateway_requests_total{{surface=\"messages\",provider=\"{provider}\",outcome=\"{outcome}\"}}"
        )
    };
    let text = gateway.get("/metrics").body;
    for (series, number) in [
        (of("answered", "anthropic").as_str(), 2.0),
        (&of("invalid", "none"), 1.0),
        (&of("denied", "none"), 1.0),
        ("openclaw_gateway_credential_failures_total{provider=\"anthropic\",class=\"auth\"}", 1.0),
        ("openclaw_gateway_failovers_total{reason=\"auth\"}", 1.0),
        ("openclaw_gateway_tokens_total{provider=\"anthropic\",direction=\"in\"}", 425.0),
        ("openclaw_gateway_tokens_total{provider=\"anthropic\",direction=\"out\"}", 135.0),
        ("openclaw_gateway_first_token_seconds_count{provider=\"anthropic\"}", 1.0),
        ("openclaw_gateway_upstream_duration_seconds_count{provider=\"anthropic\"}", 3.0),
        ("openclaw_gateway_request_duration_seconds_count{surface=\"messages\"}", 4.0),
        ("openclaw_gateway_requests_in_flight", 1.0),
        ("openclaw_gateway_log_lines_dropped_total", 0.0),
    ] {
        assert_eq!(value(&text, series), Some(number), "{series}");
    }
    assert!(
        text.contains(
            "openclaw_credential_status{agent=\"main\",provider=\"anthropic\",profile=\"anthropic:b\""
        ),
        "{text}"
    );
    assert!(value(&text, "process_resident_memory_bytes") > Some(1e6));
    let (_, said) = gateway.stop();
    let lines: Vec<Value> =
        said.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
    let request = lines.iter().find(|line| line["id"] == id.as_str()).unwrap();
    for (name, wanted) in [
        ("event", json!("request")),
        ("level", json!("info")),
        ("surface", json!("messages")),
        ("model", json!("claude-opus-4-5")),
        ("profile", json!("anthropic:b")),
        ("attempts", json!(2)),
        ("status", json!(200)),
        ("outcome", json!("answered")),
        ("bytes", json!(answer.body.len())),
        ("tokens_in", json!(400)),
        ("tokens_out", json!(120)),
    ] {
        assert_eq!(request[name], wanted, "{name}: {request}");
    }
    assert!(
        request["ms"].as_f64() >= request["first_ms"].as_f64() && request["first_ms"].as_f64() > Some(0.0),
        "{request}"
    );
    for hidden in [secret, "sk-ant", TOKEN] {
        assert!(!said.contains(hidden) && !text.contains(hidden), "{hidden}");
    }
}

/// A subscription that does not work, and a key that does.
fn with_subscription(upstream: &Upstream, metered: Option<&str>) -> TestEnv {
    let env = host(upstream);
    let mut subscription = token("anthropic", json!("absent"));
    subscription["token"] = "sk-ant-oat01-dead-0123456789".into();
    env.profiles(
        json!({"anthropic:key": api_key("anthropic", "sk-ant-b-0123456789"), "anthropic:sub": subscription}),
    );
    if let Some(word) = metered {
        env.file(OPS, json!({"gateway": {"metered": word}}).to_string());
    }
    env.private();
    env
}

#[test]
fn what_is_paid_by_use_serves_in_the_place_of_a_subscription_as_the_user_wants_it() {
    for (metered, status, told, decision) in [
        (None, 200, 1, "told"),
        (Some("notify"), 200, 1, "told"),
        (Some("allow"), 200, 0, "allowed"),
        (Some("deny"), 401, 0, "denied"),
    ] {
        let upstream = provider();
        let env = with_subscription(&upstream, metered);
        let gateway = Running::start(&env);
        let answer = gateway.post("/v1/messages", &asking());
        assert_eq!(answer.status, status, "{metered:?}: {answer:?}");
        let second = gateway.post("/v1/messages", &asking());
        if status == 200 {
            for answer in [&answer, &second] {
                assert_eq!(
                    answer.header("x-openclaw-metered"),
                    Some("anthropic:sub -> anthropic:key"),
                    "{answer:?}"
                );
            }
        } else {
            assert!(
                answer.body.contains("gateway.metered") && answer.body.contains("anthropic:key was not used"),
                "{answer:?}"
            );
            assert_eq!(second.status, 429);
            assert!(second.body.contains("gateway.metered"), "{second:?}");
            assert_eq!(upstream.came().len(), 1);
        }
        let series = format!("openclaw_gateway_metered_total{{decision=\"{decision}\"}}");
        assert_eq!(value(&gateway.get("/metrics").body, &series), Some(2.0), "{metered:?}");
        let (_, said) = gateway.stop();
        let ending = if status == 200 { "outcome=answered" } else { "outcome=failed" };
        assert_eq!(said.matches(ending).count(), 2, "{metered:?}: {said}");
        assert_eq!(said.matches("is paid by use").count(), told, "{metered:?}: {said}");
    }
}

#[test]
fn a_subscription_that_rests_is_crossed_too_and_one_that_comes_later_is_not() {
    let upstream = provider();
    let env = with_subscription(&upstream, None);
    let mut store = env.read_json(STORE);
    store["usageStats"] = json!({"anthropic:sub": {"errorCount": 1, "cooldownUntil": real_now_ms() + HOUR}});
    env.file(STORE, store.to_string()).private();
    let gateway = Running::start(&env);
    let answer = gateway.post("/v1/messages", &asking());
    assert_eq!(
        (answer.header("x-openclaw-metered"), answer.header("x-openclaw-attempts")),
        (Some("anthropic:sub -> anthropic:key"), Some("1"))
    );
    store["usageStats"] = json!({});
    store["order"] = json!({"anthropic": ["anthropic:key", "anthropic:sub"]});
    env.file(STORE, store.to_string()).private();
    let answer: Answer =
        gateway.until("/v1/messages", &asking(), |answer| answer.header("x-openclaw-metered").is_none());
    assert_eq!((answer.status, answer.header("x-openclaw-metered")), (200, None), "{answer:?}");
}
