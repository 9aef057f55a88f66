//! What breaks exporters, done to the real one; after each a normal scrape works within two seconds.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use nix::sys::signal::Signal;
use openclaw::clock::{Clock, Deadline};
use openclaw::metrics::collector::Labels;
use openclaw::metrics::host::{Agents, Host};
use openclaw::metrics::server::{self, Options};
use openclaw::process::{FakeProcess, Process};
use openclaw::sys::daemon::Wishes;
use openclaw::workspace::paths::Installation;
use serde_json::json;

use crate::support::exporter::{Exporter, get, value};
use crate::support::{DAY, STORE, TestEnv, api_key, has, oauth, outcome, real_now_ms, skipped};

fn host() -> TestEnv {
    let env = TestEnv::real_time();
    env.profiles(json!({"anthropic:a": oauth("anthropic", json!(real_now_ms() + DAY)), "openai:k": api_key("openai", "k")}));
    env
}

fn large_host() -> TestEnv {
    let env = TestEnv::real_time();
    let profiles: serde_json::Map<_, _> = (0..3_000)
        .map(|at| (format!("anthropic:p{at}"), oauth("anthropic", json!(real_now_ms() + DAY))))
        .collect();
    env.profiles(profiles.into());
    env
}

#[test]
fn two_hundred_half_sent_requests() {
    let env = host();
    let exporter = Exporter::start(&env, &[]);
    let half: Vec<_> = (0..200)
        .map(|_| {
            let mut stream = exporter.connect();
            stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Half").unwrap();
            stream
        })
        .collect();
    exporter.works_soon();
    // They are not kept for ever either.
    for mut stream in half {
        let mut rest = Vec::new();
        drop(stream.read_to_end(&mut rest));
        assert!(rest.is_empty(), "{rest:?}");
    }
    let cut = exporter.works_soon().value("openclaw_exporter_connections_cut_total");
    assert!(cut >= Some(200.0), "{cut:?}");
}

#[test]
fn five_hundred_idle_connections() {
    let env = host();
    let exporter = Exporter::start(&env, &[]);
    let idle: Vec<_> = (0..500).map(|_| exporter.connect()).collect();
    exporter.works_soon();
    for mut stream in idle {
        assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0, "it is ended");
    }
    exporter.works_soon();
}

#[test]
fn slow_readers() {
    let env = large_host();
    let exporter = Exporter::start(&env, &[]);
    let slow: Vec<_> = (0..40)
        .map(|_| {
            let mut stream = exporter.connect();
            stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            // One that was ended to make room reads nothing.
            drop(stream.read(&mut [0]));
            stream
        })
        .collect();
    exporter.works_soon();
    drop(slow);
    exporter.works_soon();
}

#[test]
fn huge_headers() {
    let env = host();
    let exporter = Exporter::start(&env, &[]);
    let large = exporter.try_get("/metrics", &format!("X-Large: {}\r\n", "x".repeat(100_000))).unwrap();
    assert_eq!(large.status, 431, "{large:?}");
    // One without an end is cut off before it takes the memory of the host.
    let mut endless = exporter.connect();
    endless.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
    endless.write_all(b"GET /metrics HTTP/1.1\r\nX-Endless: ").unwrap();
    let chunk = vec![b'x'; 1 << 20];
    let sent = (0..2_000).take_while(|_| endless.write_all(&chunk).is_ok()).count();
    assert!(sent < 2_000, "{sent} MiB were taken");
    let resident = exporter.works_soon().value("process_resident_memory_bytes").unwrap();
    assert!(resident < 64e6, "{resident} bytes are kept");
}

#[test]
fn junk_of_other_protocols() {
    let env = host();
    let exporter = Exporter::start(&env, &[]);
    for junk in [
        &b"GET /metrics\r\n"[..],
        b"GET /metrics HTTP/0.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\0\0\0\0\r\n\r\n",
        b"GET  HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"GET /metrics HTTP/1.1\r\nNo Colon\r\n\r\n",
        b"\xff\xfe GET / HTTP/1.1\r\n\r\n",
    ] {
        let mut stream = exporter.connect();
        stream.write_all(junk).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer));
        exporter.works_soon();
    }
    assert_eq!(exporter.get("/metrics/../etc/passwd").status, 404);
    let mut stream = exporter.connect();
    stream.write_all(b"DELETE /metrics HTTP/1.1\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("Allow: GET, HEAD"), "{answer}");
}

#[test]
fn a_port_that_is_taken_is_told_with_whom() {
    let env = host();
    let first = Exporter::start(&env, &[]);
    let ran = outcome(&mut env.command(&["exporter", "--listen", &first.address]));
    assert_eq!(ran.code, 74, "{ran:?}");
    let by = format!("the port is taken by process {} (openclaw)", first.pid());
    assert!(ran.stderr.contains(&by), "{ran:?}");
    assert!(ran.stderr.contains("--listen 127.0.0.1:PORT"), "{ran:?}");
    first.works_soon();
}

#[test]
fn a_store_that_becomes_unreadable_is_told_and_survived() {
    let env = host();
    let exporter = Exporter::start(&env, &[]);
    let readable = "openclaw_source_readable{agent=\"main\",source=\"auth_store\"}";
    let errors = "openclaw_source_read_errors_total{agent=\"main\",source=\"auth_store\",reason=\"invalid\"}";
    let before = exporter.metrics();
    assert_eq!((before.value(readable), before.value(errors)), (Some(1.0), Some(0.0)));
    assert!(before.body.contains("profile=\"openai:k\""));
    let good = env.text(STORE);
    env.file(STORE, &good[..good.len() / 2]);
    let torn = exporter.works_soon();
    assert_eq!(torn.value(readable), Some(0.0), "{}", torn.body);
    assert!(torn.value(errors) >= Some(1.0));
    let strict = "openclaw_check_status{agent=\"main\",policy=\"strict\"}";
    assert_eq!(torn.value(strict), Some(1.0), "what cannot be read is never ok");
    assert!(!torn.body.contains("profile=\"openai:k\""));
    env.file(STORE, good);
    let mended = exporter.works_soon();
    assert_eq!(mended.value(readable), Some(1.0));
    assert!(mended.body.contains("profile=\"openai:k\""));
    fs_err::remove_file(env.path(STORE)).unwrap();
    fs_err::create_dir(env.path(STORE)).unwrap();
    let folder = exporter.works_soon();
    assert_eq!(folder.value(&errors.replace("invalid", "not_a_file")), Some(1.0), "{}", folder.body);
}

#[test]
fn a_clock_that_jumps() {
    let env = TestEnv::real_time();
    let now = real_now_ms();
    env.profiles(json!({"anthropic:a": oauth("anthropic", json!(now + DAY / 2))}));
    let clock = Clock::fixed(chrono::DateTime::from_timestamp_millis(now).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let wishes = Wishes::default();
    std::thread::scope(|scope| {
        let (served, stop) = (clock.clone(), wishes.clone());
        let home = env.path("");
        scope.spawn(move || {
            let variables = [("HOME".into(), home.clone().into())].into_iter().collect();
            let process =
                Process::Fake(Box::new(FakeProcess { variables, cwd: home, ..FakeProcess::default() }));
            let mut host = Host::new(&process, &served, Installation::default(), Agents::Default);
            let options = Options {
                page: None,
                listener,
                token: None,
                interval: Duration::from_secs(30),
                labels: Labels::Minimal,
                owns_process: false,
            };
            server::serve(&mut host, &options, &stop, &|_| {}).unwrap();
        });
        let status = |word: &str| {
            let series = format!(
                "openclaw_credential_status{{agent=\"main\",provider=\"anthropic\",profile=\"anthropic:a\",type=\"oauth\",status=\"{word}\"}}"
            );
            value(&get(&address, "/metrics", "").unwrap().body, &series)
        };
        assert_eq!(status("expiring"), Some(1.0));
        // A year ahead, then two back.
        let Clock::Fixed(hands) = &clock else { unreachable!() };
        hands.store(now + 365 * DAY, std::sync::atomic::Ordering::SeqCst);
        assert_eq!(status("expired"), Some(1.0));
        hands.store(now - 365 * DAY, std::sync::atomic::Ordering::SeqCst);
        assert_eq!(status("ok"), Some(1.0));
        hands.store(now, std::sync::atomic::Ordering::SeqCst);
        assert_eq!(status("expiring"), Some(1.0));
        assert_eq!(get(&address, "/readyz", "").unwrap().status, 200);
        wishes.stop();
    });
}

#[test]
fn file_descriptors_that_are_exhausted() {
    if !has("prlimit") {
        skipped("prlimit is not installed");
        return;
    }
    let env = host();
    let exporter = Exporter::behind(&env, &["prlimit", "--nofile=40:40"], &[]);
    let crowd: Vec<_> = (0..60).filter_map(|_| TcpStream::connect(&exporter.address).ok()).collect();
    assert!(crowd.len() > 40, "more than it has room for");
    // However long they stay: those that are let in are ended, and so make room.
    let limit = Deadline::after(Duration::from_secs(20));
    let mut answered = None;
    while answered.is_none() && !limit.has_passed() {
        answered = exporter.try_get("/metrics", "").ok().filter(|answer| answer.status == 200);
    }
    drop(crowd);
    let after = exporter.works_soon();
    assert!(after.value("openclaw_exporter_server_rebuilds_total") >= Some(1.0), "{}", after.body);
    let said = exporter.has_said();
    assert!(said.contains("building it anew") || said.contains("building the server anew"), "{said}");
    assert!(!said.contains("internal error"), "{said}");
}

#[test]
fn sigterm_ends_it_cleanly() {
    let env = host();
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut exporter = Exporter::start(&env, &[]);
        exporter.works_soon();
        let _half = exporter.connect();
        exporter.signal(signal);
        assert_eq!(exporter.ended().code(), Some(0));
        let refused = TcpStream::connect(&exporter.address).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    }
}

#[test]
fn sighup_reads_everything_again() {
    let env = host();
    let exporter = Exporter::start(&env, &[]);
    let reads = || exporter.works_soon().value("openclaw_exporter_source_reads_total").unwrap();
    let before = reads();
    exporter.signal(Signal::SIGHUP);
    exporter.says("read again");
    assert!(reads() > before);
}
