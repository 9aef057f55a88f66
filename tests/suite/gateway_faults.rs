//! What breaks gateways, done to the real one: each time real requests go on, and nothing ends well that did not.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use openclaw::clock::{Clock, Deadline};
use openclaw::sys::daemon;
use serde_json::{Value, json};

use crate::gateway::{Answer, Running, TOKEN};
use crate::support::upstream::{Upstream, Visit};
use crate::support::{CONFIG, STORE, TestEnv, api_key, has, is_root, number_from_env, skipped};

/// Ten times what anything here takes on a busy machine.
const LIMIT: Duration = Duration::from_mins(1);

fn host(base: &str) -> TestEnv {
    let env = TestEnv::real_time();
    let config = json!({
        "gateway": {"auth": {"token": TOKEN}},
        "agents": {"defaults": {"model": {"primary": "anthropic/claude-opus-4-5"}}},
        "models": {"providers": {
            "anthropic": {"baseUrl": base, "models": []},
            "openai": {"baseUrl": format!("{base}/v1"), "models": []},
        }},
    });
    env.file(CONFIG, config.to_string());
    env.profiles(json!({
        "anthropic:a": api_key("anthropic", "sk-ant-a-0123456789"),
        "openai:a": api_key("openai", "sk-openai-0123456789"),
    }));
    env.private();
    env
}

fn ok(visit: &mut Visit) -> bool {
    visit.answer(200, "", r#"{"ok":true}"#);
    true
}

fn asking() -> Value {
    json!({"messages": []})
}

/// Waits for something that comes by itself.
fn soon(what: &str, mut is_so: impl FnMut() -> bool) {
    let limit = Deadline::after(LIMIT);
    while !is_so() {
        assert!(!limit.has_passed(), "never: {what}");
        Clock::System.sleep(Duration::from_millis(10));
    }
}

fn connect(gateway: &Running) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", gateway.port)).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

/// Sends a request and leaves the answer to whoever reads.
fn begin(gateway: &Running, path: &str, body: &str) -> TcpStream {
    let mut stream = connect(gateway);
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {TOKEN}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

fn rest_of(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    drop(stream.read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}

fn resident(gateway: &Running) -> u64 {
    let text = fs_err::read_to_string(format!("/proc/{}/statm", gateway.child.id())).unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

fn metric(gateway: &Running, series: &str) -> Option<f64> {
    crate::support::exporter::value(&gateway.get("/metrics").body, series)
}

#[test]
fn a_stream_whose_provider_dies_never_ends_well() {
    let upstream = Upstream::doing(|visit| {
        visit.begin_stream();
        visit.piece("data: {\"n\":1}\n\n");
        false
    });
    let env = host(&upstream.url());
    let gateway = Running::start(&env);
    let streamed = r#"{"stream":true,"messages":[]}"#;
    for (path, body, told) in [
        ("/v1/messages", streamed, "event: error\ndata: {\"type\":\"error\""),
        (
            "/v1/chat/completions",
            r#"{"model":"openai/gpt-5.2","stream":true}"#,
            "data: {\"error\":{\"message\"",
        ),
        (
            "/v1/responses",
            r#"{"model":"openai/gpt-5.2","stream":true}"#,
            "event: error\ndata: {\"type\":\"error\",\"code\"",
        ),
    ] {
        let answer = rest_of(begin(&gateway, path, body));
        assert!(answer.contains("\"n\":1") && answer.contains(told), "{path}: {answer}");
        assert!(!answer.ends_with("0\r\n\r\n"), "{path} ends as if it were whole: {answer}");
    }
    soon("the numbers", || {
        let series =
            "openclaw_gateway_requests_total{surface=\"messages\",provider=\"anthropic\",outcome=\"broken\"}";
        metric(&gateway, series) == Some(1.0)
    });
    let (_, said) = gateway.stop();
    assert!(said.contains("surface=messages") && said.contains("outcome=broken"), "{said}");
}

#[test]
fn an_answer_that_is_cut_off_is_not_whole() {
    let upstream = Upstream::doing(|visit| {
        visit.send(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"half\":",
        );
        false
    });
    let env = host(&upstream.url());
    let gateway = Running::start(&env);
    let answer = rest_of(begin(&gateway, "/v1/messages", r#"{"messages":[]}"#));
    assert!(answer.contains("content-length: 100") && answer.ends_with("{\"half\":"), "{answer}");
}

#[test]
fn five_hundred_clients_that_never_finish_their_request_keep_nobody_out() {
    let upstream = Upstream::doing(ok);
    let env = host(&upstream.url());
    let gateway = Running::start(&env);
    let halves: [&[u8]; 3] = [
        b"",
        b"POST /v1/messages HTTP/1.1\r\nhost: h\r\nx-half",
        b"POST /v1/messages HTTP/1.1\r\nhost: h\r\nx-api-key: wrong\r\ncontent-length: 10\r\n\r\n{",
    ];
    let held: Vec<_> = (0..500)
        .map(|at| {
            let mut stream = connect(&gateway);
            stream.write_all(halves[at % halves.len()]).unwrap();
            stream
        })
        .collect();
    for _ in 0..50 {
        assert_eq!(gateway.post("/v1/messages", &asking()).status, 200);
    }
    drop(held);
    assert_eq!(gateway.post("/v1/messages", &asking()).status, 200);
}

#[test]
fn where_there_is_no_room_who_only_holds_a_seat_leaves() {
    let upstream = Upstream::doing(ok);
    let env = host(&upstream.url());
    // Few files make few connections: 64.
    let gateway = Running::of(env.wrapped(&["prlimit", "--nofile=256"], &["gateway", "run", "--port", "0"]));
    let held: Vec<_> = (0..200).map(|_| connect(&gateway)).collect();
    for _ in 0..10 {
        assert_eq!(gateway.post("/v1/messages", &asking()).status, 200);
    }
    assert!(metric(&gateway, "openclaw_gateway_connections_cut_total") >= Some(100.0));
    assert!(metric(&gateway, "openclaw_gateway_connections") <= Some(64.0));
    drop(held);
}

#[test]
fn a_thousand_clients_at_once_are_all_served() {
    daemon::raise_file_limit();
    let upstream = Upstream::doing(ok);
    let env = host(&upstream.url());
    let gateway = Running::start(&env);
    // All of them have sent before the first is read.
    let streams: Vec<_> = (0..1_000).map(|_| begin(&gateway, "/v1/messages", r#"{"messages":[]}"#)).collect();
    let served = streams.into_iter().map(rest_of).filter(|answer| answer.contains("{\"ok\":true}")).count();
    assert_eq!(served, 1_000);
}

/// Whether the system asks the other end of a connection between two ports whether it is still there: the timer of the
/// connection in `/proc/net/tcp` is 2 then.
fn is_watched(local: u16, remote: u16) -> bool {
    let ends = |port: u16| format!(":{port:04X}");
    fs_err::read_to_string("/proc/net/tcp").unwrap().lines().any(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let is_it = fields[1].ends_with(&ends(local)) && fields[2].ends_with(&ends(remote));
        is_it && fields[5].starts_with("02:")
    })
}

#[test]
fn ends_that_say_nothing_are_asked_whether_they_are_there() {
    let upstream = Upstream::doing(|visit| {
        visit.begin_stream();
        visit.piece("data: {}\n\n");
        visit.is_left();
        false
    });
    let env = host(&upstream.url());
    let gateway = Running::start(&env);
    let mut client = begin(&gateway, "/v1/messages", r#"{"stream":true,"messages":[]}"#);
    client.read_exact(&mut [0; 100]).unwrap();
    let (own, there) = (client.local_addr().unwrap().port(), upstream.port());
    soon("the client is watched", || is_watched(gateway.port, own));
    let towards = || {
        let table = fs_err::read_to_string("/proc/net/tcp").unwrap();
        let fields = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let ours = table
            .lines()
            .map(fields)
            .find(|fields| fields[2].ends_with(&format!(":{there:04X}")) && fields[3] == "01")?;
        u16::from_str_radix(ours[1].rsplit_once(':')?.1, 16).ok()
    };
    soon("the provider is watched", || towards().is_some_and(|port| is_watched(port, there)));
}

#[test]
fn connections_that_the_provider_has_closed_are_not_used_again() {
    let upstream = Upstream::doing(|visit| {
        visit.answer(200, "", r#"{"ok":true}"#);
        // Closed without a word, right after an answer that promised more.
        false
    });
    let env = host(&upstream.url());
    let gateway = Running::start(&env);
    for _ in 0..20 {
        let answer = gateway.until("/v1/messages", &asking(), |answer| answer.status != 502);
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert!(upstream.connections() >= 20);
}

#[test]
fn requests_leave_no_memory_behind() {
    let upstream = Upstream::doing(|visit| {
        if visit.came.body.contains("stream") {
            visit.begin_stream();
            visit.piece("data: {}\n\n");
            visit.end_stream();
        } else {
            visit.answer(200, "", r#"{"ok":true}"#);
        }
        visit.forget();
        true
    });
    let env = host(&upstream.url());
    let gateway = Running::start(&env);
    let ask = |count: usize| {
        for number in 0..count {
            let body =
                if number % 2 == 0 { r#"{"messages":[]}"# } else { r#"{"stream":true,"messages":[]}"# };
            assert!(rest_of(begin(&gateway, "/v1/messages", body)).starts_with("HTTP/1.1 200"));
        }
    };
    ask(500);
    let before = resident(&gateway);
    ask(number_from_env("SOAK_GATEWAY_REQUESTS", 1_000));
    let after = resident(&gateway);
    assert!(after < before + (8 << 20), "{before} bytes have become {after}");
}

#[test]
fn what_happened_survives_a_kill() {
    let upstream = Upstream::doing(|visit| {
        let is_bad = visit.came.headers["x-api-key"].contains("-a-");
        visit.answer(if is_bad { 401 } else { 200 }, "", "{}");
        true
    });
    let env = host(&upstream.url());
    let keys = json!({"anthropic:a": api_key("anthropic", "sk-ant-a-0123456789"), "anthropic:b": api_key("anthropic", "sk-ant-b-0123456789")});
    env.file(
        STORE,
        json!({"version": 1, "profiles": keys, "order": {"anthropic": ["anthropic:a", "anthropic:b"]}})
            .to_string(),
    );
    env.private();
    let mut gateway = Running::start(&env);
    assert_eq!(gateway.post("/v1/messages", &asking()).header("x-openclaw-attempts"), Some("2"));
    soon("the store", || env.read_json(STORE)["usageStats"]["anthropic:a"]["cooldownUntil"].is_i64());
    kill(Pid::from_raw(i32::try_from(gateway.child.id()).unwrap()), Signal::SIGKILL).unwrap();
    gateway.child.wait().unwrap();
    // Its locks died with it.
    let gateway = Running::start(&env);
    let answer = gateway.post("/v1/messages", &asking());
    assert_eq!(
        (answer.header("x-openclaw-profile"), answer.header("x-openclaw-attempts")),
        (Some("anthropic:b"), Some("1"))
    );
}

#[test]
fn a_key_that_is_replaced_under_load_costs_no_stream_a_piece() {
    const STREAMS: usize = 100;
    const PIECES: usize = 20;
    // Each stream may go on when it has been told so, piece by piece.
    let gate = Arc::new((Mutex::new(1), std::sync::Condvar::new()));
    let inside = Arc::clone(&gate);
    let upstream = Upstream::doing(move |visit| {
        if !visit.came.body.contains("stream") {
            return ok(visit);
        }
        visit.begin_stream();
        for piece in 0..PIECES {
            let (open, opened) = &*inside;
            drop(opened.wait_while(open.lock().unwrap(), |open| *open <= piece).unwrap());
            visit.piece(&format!("data: {{\"n\":{piece}}}\n\n"));
        }
        visit.end_stream();
        true
    });
    let env = host(&upstream.url());
    let gateway = Running::start(&env);
    let open = |pieces: usize| {
        *gate.0.lock().unwrap() = pieces;
        gate.1.notify_all();
    };
    let streams: Vec<_> =
        (0..STREAMS).map(|_| begin(&gateway, "/v1/messages", r#"{"stream":true,"messages":[]}"#)).collect();
    soon("all streams", || upstream.came().len() == STREAMS);
    open(PIECES / 2);
    let mut store = env.read_json(STORE);
    store["profiles"]["anthropic:a"]["key"] = "sk-ant-a-newer-0123456789".into();
    env.file(".openclaw/new.json", store.to_string()).private();
    fs_err::rename(env.path(".openclaw/new.json"), env.path(STORE)).unwrap();
    let is_new =
        |_: &Answer| upstream.came().last().unwrap().headers["x-api-key"] == "sk-ant-a-newer-0123456789";
    gateway.until("/v1/messages", &asking(), is_new);
    assert_eq!(upstream.came().last().unwrap().headers["x-api-key"], "sk-ant-a-newer-0123456789");
    open(PIECES);
    for stream in streams {
        let answer = Answer::of(rest_of(stream).as_bytes());
        let wanted: Vec<_> = (0..PIECES).map(|piece| format!("data: {{\"n\":{piece}}}\n\n")).collect();
        assert_eq!(answer.body, wanted.concat());
    }
}

#[test]
fn a_provider_whose_name_nobody_knows_is_passed_over() {
    let upstream = Upstream::doing(ok);
    let env = host(&upstream.url());
    // A label of 70 letters is no name: the resolver says so without asking anybody.
    let unknown = format!("https://{}.invalid/v1", "x".repeat(70));
    let config = json!({
        "gateway": {"auth": {"token": TOKEN}},
        "agents": {"defaults": {"model": {"primary": "groq/m", "fallbacks": ["openai/gpt-5.2"]}}},
        "models": {"providers": {
            "groq": {"baseUrl": unknown, "apiKey": "gsk-0123456789", "models": []},
            "openai": {"baseUrl": upstream.url(), "models": []},
        }},
    });
    env.file(CONFIG, config.to_string()).private();
    let gateway = Running::start(&env);
    let answer = gateway.post("/v1/chat/completions", &asking());
    assert_eq!((answer.status, answer.header("x-openclaw-provider")), (200, Some("openai")), "{answer:?}");
    env.replace_in(CONFIG, "\"openai/gpt-5.2\"", "");
    let answer = gateway.until("/v1/chat/completions", &asking(), |answer| answer.status == 502);
    assert!(answer.status == 502 && answer.body.contains("cannot be reached"), "{answer:?}");
    assert!(metric(&gateway, "openclaw_gateway_failovers_total{reason=\"network\"}") >= Some(1.0));
}

#[test]
fn a_full_disk_stops_nobody_and_is_told_once() {
    if !is_root() || !has("unshare") {
        skipped("needs root and unshare for a disk of its own");
        return;
    }
    let upstream = Upstream::doing(|visit| {
        let is_bad = visit.came.headers["x-api-key"].contains("-a-");
        visit.answer(if is_bad { 401 } else { 200 }, "", "{}");
        true
    });
    let env = host(&upstream.url());
    let keys = json!({"anthropic:a": api_key("anthropic", "sk-ant-a-0123456789"), "anthropic:b": api_key("anthropic", "sk-ant-b-0123456789")});
    env.file(
        STORE,
        json!({"version": 1, "profiles": keys, "order": {"anthropic": ["anthropic:a", "anthropic:b"]}})
            .to_string(),
    );
    env.private();
    let script = "cp -a .openclaw full && mount -t tmpfs -o size=64k,mode=700 tmpfs .openclaw && cp -a full/. .openclaw/ \
                  && { dd if=/dev/zero of=.openclaw/filled bs=4k 2>/dev/null; exec \"$0\" \"$@\"; }";
    let mut command = env.wrapped(
        &["unshare", "-m", "--propagation", "private", "sh", "-c", script],
        &["gateway", "run", "--port", "0"],
    );
    command.current_dir(env.path(""));
    let gateway = Running::of(command);
    assert_eq!(gateway.post("/v1/messages", &asking()).header("x-openclaw-attempts"), Some("2"));
    soon("a word", || gateway.said.lock().unwrap().iter().any(|line| line.contains("could not be saved")));
    // What could not be saved is known all the same.
    for _ in 0..5 {
        let answer = gateway.post("/v1/messages", &asking());
        assert_eq!((answer.status, answer.header("x-openclaw-attempts")), (200, Some("1")));
    }
    soon("several tries", || metric(&gateway, "openclaw_gateway_store_write_failures_total") >= Some(2.0));
    let state = gateway.get("/api/gateway").json();
    assert!(
        state["unsaved"].as_str().unwrap().contains("auth-profiles.json") || state["unsaved"].is_string(),
        "{state}"
    );
    let (code, said) = gateway.stop();
    assert_eq!((code, said.matches("could not be saved").count()), (Some(0), 1), "{said}");
}

#[test]
fn a_client_that_reads_slowly_makes_its_provider_wait() {
    const PIECE: usize = 64 * 1024;
    const ALL: usize = 1 << 30;
    let (sent, is_done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let (counted, done) = (Arc::clone(&sent), Arc::clone(&is_done));
    let upstream = Upstream::doing(move |visit| {
        visit.begin_stream();
        let piece = "x".repeat(PIECE);
        while counted.load(Ordering::SeqCst) < ALL && visit.piece(&piece) {
            counted.fetch_add(PIECE, Ordering::SeqCst);
        }
        done.store(true, Ordering::SeqCst);
        false
    });
    let env = host(&upstream.url());
    let gateway = Running::start(&env);
    let mut stream = begin(&gateway, "/v1/messages", r#"{"stream":true,"messages":[]}"#);
    stream.read_exact(&mut [0; 100]).unwrap();
    // It goes on until every buffer on the way is full, and then no further.
    let mut before = 0;
    soon("a standstill", || {
        Clock::System.sleep(Duration::from_millis(200));
        let now = sent.load(Ordering::SeqCst);
        let stands = now == before && now > 0;
        before = now;
        stands
    });
    assert!(before < 64 << 20, "{before} bytes were taken for a client that reads nothing");
    assert!(resident(&gateway) < 100 << 20, "{}", resident(&gateway));
    assert!(!is_done.load(Ordering::SeqCst));
    assert_eq!(metric(&gateway, "openclaw_gateway_requests_in_flight"), Some(2.0));
    // Who goes away ends the provider's work.
    drop(stream);
    soon("the end of the provider", || is_done.load(Ordering::SeqCst));
}

#[test]
fn a_client_that_goes_away_ends_the_request_at_the_provider() {
    let is_left = Arc::new(AtomicUsize::new(0));
    let left = Arc::clone(&is_left);
    let upstream = Upstream::doing(move |visit| {
        if visit.came.body.contains("stream") {
            visit.begin_stream();
            visit.piece("data: {}\n\n");
        }
        if visit.is_left() {
            left.fetch_add(1, Ordering::SeqCst);
        }
        false
    });
    let env = host(&upstream.url());
    let gateway = Running::start(&env);
    // Before the answer has begun, and within it.
    let silent = begin(&gateway, "/v1/messages", r#"{"messages":[]}"#);
    let mut streaming = begin(&gateway, "/v1/messages", r#"{"stream":true,"messages":[]}"#);
    streaming.read_exact(&mut [0; 100]).unwrap();
    soon("both requests", || upstream.came().len() == 2);
    drop((silent, streaming));
    soon("the end of both", || is_left.load(Ordering::SeqCst) == 2);
    soon("the numbers", || metric(&gateway, "openclaw_gateway_requests_in_flight") == Some(1.0));
    let (_, said) = gateway.stop();
    assert_eq!(said.matches("outcome=cancelled").count(), 2, "{said}");
}

#[test]
fn a_second_gateway_does_not_start_on_the_same_state() {
    let upstream = Upstream::doing(ok);
    let env = host(&upstream.url()).var("TMPDIR", "/nowhere");
    let gateway = Running::start(&env);
    let pid = gateway.child.id();
    let ran = crate::support::outcome(&mut env.command(&["gateway", "run", "--port", "0"]));
    assert_eq!((ran.code, ran.stderr.contains(&format!("process {pid}"))), (1, true), "{ran:?}");
    let mut allowed = env.command(&["gateway", "run", "--port", "0"]);
    allowed.env("OPENCLAW_ALLOW_MULTI_GATEWAY", "1");
    let second = Running::of(allowed);
    assert_eq!(second.post("/v1/messages", &asking()).status, 200);
    drop(second);
    gateway.stop();
    assert_eq!(Running::start(&env).post("/v1/messages", &asking()).status, 200);
}
