//! The status page, over bare HTTP and in a real browser.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use serde_json::{Value, json};

use crate::gateway::{Answer, Running, TOKEN, host};
use crate::support::browser::Browser;
use crate::support::provider::{Provider, Reply};
use crate::support::{
    DAY, HOUR, STORE, TestEnv, api_key, from_env, oauth, outcome, real_now_ms, skipped, token,
};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

fn sign_in(gateway: &Running, token: &str) -> Answer {
    gateway.send("POST", "/login", &[FORM], &format!("token={token}"))
}

/// The cookie of somebody who has signed in, and the proof that the page holds.
fn visitor(gateway: &Running) -> (String, String) {
    let answer = sign_in(gateway, TOKEN);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/")), "{answer:?}");
    let set = answer.header("set-cookie").unwrap();
    for attribute in ["httponly", "samesite=strict", "path=/", "max-age="] {
        assert!(set.contains(attribute), "{set}");
    }
    let cookie = set.split(';').next().unwrap().to_owned();
    let page = gateway.send("GET", "/", &[("cookie", &cookie)], "");
    let proof = page.body.split("data-csrf=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    (cookie, proof)
}

fn anthropic() -> Provider {
    Provider::knowing(&[]).scripted(|_| Some(Reply::json(200, json!({"answer": 42}))))
}

#[test]
fn nobody_sees_the_page_without_the_token() {
    let provider = anthropic();
    let env = host(&provider, json!({"anthropic:mine": api_key("anthropic", "sk-ant-0123456789abcdef")}));
    let gateway = Running::start(&env);
    let page = gateway.send("GET", "/", &[], "");
    assert!(page.status == 401 && page.body.contains("name=\"token\""), "{page:?}");
    assert!(!page.body.contains("anthropic:mine"), "{page:?}");
    for path in ["/live", "/events"] {
        assert_eq!(gateway.send("GET", path, &[], "").status, 401, "{path}");
        assert_eq!(gateway.send("GET", path, &[("cookie", "openclaw=x")], "").status, 401, "{path}");
    }
    let elsewhere = [FORM, ("origin", "https://evil.example")];
    assert_eq!(gateway.send("POST", "/login", &elsewhere, &format!("token={TOKEN}")).status, 403);

    let (cookie, proof) = visitor(&gateway);
    let page = gateway.send("GET", "/", &[("cookie", &cookie)], "");
    assert!(page.body.contains("anthropic:mine") && page.body.contains("sk-a...cdef"), "{page:?}");
    assert!(!page.body.contains(TOKEN) && !page.body.contains("0123456789ab"), "{page:?}");
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("cache-control"), Some("no-store"));

    // The cookie alone, as another page could make a browser send it, opens no API.
    let body = json!({"max_tokens": 5, "messages": [{"role": "user", "content": "ping"}]}).to_string();
    let ask = |headers: &[(&str, &str)]| gateway.send("POST", "/v1/messages", headers, &body).status;
    assert_eq!(ask(&[("cookie", &cookie)]), 401);
    assert_eq!(ask(&[("cookie", &cookie), ("x-openclaw-csrf", "x")]), 401);
    assert_eq!(ask(&[("x-openclaw-csrf", &proof)]), 401);
    assert_eq!(ask(&[("cookie", &cookie), ("x-openclaw-csrf", &proof)]), 200);

    let out = |proof: &str| {
        let form = format!("csrf={proof}");
        assert_eq!(gateway.send("POST", "/logout", &[FORM, ("cookie", &cookie)], &form).status, 303);
        gateway.send("GET", "/live", &[("cookie", &cookie)], "").status
    };
    assert_eq!(out("x"), 200);
    assert_eq!(out(&proof), 401);

    for _ in 0..10 {
        assert_eq!(sign_in(&gateway, "wrong").status, 401);
    }
    let refused = sign_in(&gateway, TOKEN);
    assert!(refused.status == 429 && refused.header("retry-after").is_some(), "{refused:?}");
    let (_, said) = gateway.stop();
    assert!(!said.contains(TOKEN), "{said}");
}

/// Forms of which only the beginning comes, or that are far too long, are answered before anything is waited for.
#[test]
fn a_form_that_never_ends_holds_nobody_up() {
    let provider = anthropic();
    let env = host(&provider, json!({}));
    let gateway = Running::start(&env);
    let begun = |path: &str, headers: &str, sent: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", gateway.port)).unwrap();
        stream.set_read_timeout(Some(std::time::Duration::from_mins(1))).unwrap();
        let head = format!("POST {path} HTTP/1.1\r\nhost: h\r\n{headers}content-length: 30000\r\n\r\n{sent}");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        Answer::of(&answer).status
    };
    assert_eq!(begun("/logout", "", "csrf="), 303);
    assert_eq!(begun("/login", "origin: https://evil.example\r\n", "token="), 403);
    assert_eq!(begun("/login", "", &format!("token={}", "x".repeat(5000))), 400);
    for _ in 0..10 {
        assert_eq!(sign_in(&gateway, "wrong").status, 401);
    }
    assert_eq!(begun("/login", "", "token="), 429);
}

#[test]
fn a_ticket_of_the_command_line_signs_in_once() {
    let provider = anthropic();
    let env = host(&provider, json!({}));
    let gateway = Running::start(&env);
    assert_eq!(gateway.send("POST", "/api/ticket", &[], "").status, 401);
    let bearer = format!("Bearer {TOKEN}");
    let made = gateway.send("POST", "/api/ticket", &[("authorization", &bearer)], "");
    let ticket = made.json()["ticket"].as_str().unwrap().to_owned();
    let path = format!("/login?ticket={ticket}");
    let first = gateway.send("GET", &path, &[], "");
    assert!(first.status == 303 && first.header("set-cookie").is_some(), "{first:?}");
    assert_eq!(gateway.send("GET", &path, &[], "").status, 401);

    let port = gateway.port.to_string();
    let told = outcome(env.command(&["dashboard"]).env("OPENCLAW_GATEWAY_PORT", &port));
    assert_eq!(
        (told.code, told.stdout.as_str()),
        (0, format!("http://127.0.0.1:{port}/\n").as_str()),
        "{told:?}"
    );
    gateway.stop();
    let told = outcome(env.command(&["dashboard"]).env("OPENCLAW_GATEWAY_PORT", &port));
    assert!(told.code == 1 && told.stderr.contains("openclaw gateway"), "{told:?}");
}

/// Profiles of every state, with two clocks where there are two.
fn profiles() -> Value {
    let now = real_now_ms();
    json!({
        "anthropic:team": oauth("anthropic", json!(now + 5 * HOUR)),
        "anthropic:work": token("anthropic", json!(now + 12 * DAY)),
        "openai:main": api_key("openai", "sk-proj-0123456789abcdefg"),
        "zai:old": token("zai", json!(now - 3 * DAY)),
    })
}

#[test]
fn what_had_to_serve_in_the_place_of_another_is_shown() {
    let provider = Provider::knowing(&[]).scripted(|seen| {
        let fails = seen.headers["x-api-key"].contains("-a-");
        Some(if fails { Reply::json(401, json!({})) } else { Reply::json(200, json!({"answer": 42})) })
    });
    let key = |name: &str| api_key("anthropic", &format!("sk-ant-{name}-0123456789"));
    let env = host(&provider, json!({"anthropic:a": key("a"), "anthropic:b": key("b")}));
    let mut store = env.read_json(STORE);
    store["order"] = json!({"anthropic": ["anthropic:a", "anthropic:b"]});
    env.file(STORE, store.to_string()).private();
    let gateway = Running::start(&env);
    let body = json!({"max_tokens": 5, "messages": [{"role": "user", "content": "ping"}]});
    assert_eq!(gateway.post("/v1/messages", &body).header("x-openclaw-profile"), Some("anthropic:b"));
    let (cookie, _) = visitor(&gateway);
    let page = gateway.send("GET", "/", &[("cookie", &cookie)], "");
    assert!(page.body.contains("from anthropic:a to anthropic:b"), "{page:?}");
    assert!(gateway.get("/metrics").body.contains("\nopenclaw_gateway_sessions 1\n"));
}

#[test]
fn a_thousand_profiles_make_no_heavy_page() {
    let provider = anthropic();
    let now = real_now_ms();
    let many: serde_json::Map<_, _> = (0..1000)
        .map(|n| (format!("anthropic:p{n}"), token("anthropic", json!(now + (n % 60) * DAY + HOUR))))
        .collect();
    let env = host(&provider, Value::Object(many));
    let gateway = Running::start(&env);
    let weight = ["/", "/style.css", "/page.js"].map(|path| gateway.get(path).body.len());
    assert!(weight.iter().sum::<usize>() < 100_000, "{weight:?}");
    let page = gateway.get("/");
    assert!(page.body.contains("Show the other 900"), "{page:?}");
    assert_eq!(gateway.get("/live?all").body.matches("<li class=\"card").count(), 1000);
}

#[test]
fn the_page_lives_in_a_browser() {
    let browser = match Browser::start() {
        Ok(browser) => browser,
        Err(why) => return skipped(&why),
    };
    let provider = anthropic();
    let env = host(&provider, profiles());
    let gateway = Running::start(&env);
    let address = format!("http://127.0.0.1:{}/", gateway.port);

    browser.open(&address);
    browser.type_into("#token", "wrong");
    browser.click("button");
    browser.wait("document.querySelector('[role=alert]')");
    browser.type_into("#token", TOKEN);
    browser.click("button");
    browser.wait("document.querySelector('#verdict')");
    assert_eq!(browser.run("return document.querySelector('#verdict').innerText"), "FAILING");
    browser.wait("document.querySelector('#connection').innerText == 'Live'");
    assert_eq!(browser.run("return document.cookie"), "", "a script can read the cookie");

    // Both clocks stand where they belong: 880 units are 30 days.
    let marks = browser.run(
        "return [...document.querySelectorAll('svg g.human path')].map(p => Number(p.getAttribute('d').slice(1).split(' ')[0]))",
    );
    let at: Vec<_> = marks.as_array().unwrap().iter().map(|x| x.as_i64().unwrap()).collect();
    assert!(at.contains(&10) && at.iter().any(|x| (360..=362).contains(x)), "{at:?}");

    // A change on the host shows without a hand.
    let mut store = env.read_json(STORE);
    store["profiles"]["groq:new"] = api_key("groq", "gsk-0123456789abcdefghij");
    store["profiles"].as_object_mut().unwrap().remove("zai:old");
    env.file(STORE, store.to_string()).private();
    browser.wait("document.body.innerText.includes('groq:new')");
    browser.wait("!document.body.innerText.includes('zai:old')");

    browser.type_into("#message", "/model status\n");
    browser.wait(
        "document.querySelector('#transcript .answered')?.innerText.includes('anthropic/claude-opus-4-5')",
    );
    browser.type_into("#message", "/model anthropic/claude-opus-4-5@anthropic:work\n");
    browser.wait("document.querySelector('table td:nth-of-type(2)')?.innerText == 'anthropic:work'");
    browser.wait("document.querySelector('table th[scope=row]')?.innerText.includes('dashboard')");

    faults_of_access(&browser);
    pictures(&browser);

    gateway.stop();
    browser.wait("document.body.classList.contains('stale')");
    assert!(
        browser
            .run("return document.querySelector('#connection').innerText")
            .as_str()
            .unwrap()
            .starts_with("Stale")
    );
}

/// What axe-core finds; `scripts/test` fetches it from npm.
fn faults_of_access(browser: &Browser) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/npm/node_modules/axe-core/axe.min.js");
    let Ok(axe) = fs_err::read_to_string(&script) else {
        return skipped("axe-core is not in target/npm: scripts/test puts it there");
    };
    for is_dark in [false, true] {
        browser.looks(390, 844, is_dark);
        browser.run(&format!("{axe}; window.axe = axe; return true"));
        let found = browser.run_async(
            "const done = arguments[arguments.length - 1];
             axe.run().then(r => done(r.violations.map(v => [v.id, v.impact, v.nodes.map(n => n.target.join(' ')).slice(0, 3)])), e => done(String(e)))",
        );
        assert_eq!(found, json!([]), "{found:#}");
    }
}

/// Pictures for the documents are taken only when they are asked for: they show the time.
fn pictures(browser: &Browser) {
    for (name, width, height, is_dark) in [
        ("page-desktop-light", 1200, 1400, false),
        ("page-desktop-dark", 1200, 1400, true),
        ("page-phone-light", 390, 844, false),
        ("page-phone-dark", 390, 844, true),
    ] {
        browser.looks(width, height, is_dark);
        assert_eq!(browser.run("return document.documentElement.scrollWidth <= innerWidth"), true, "{name}");
        let picture = browser.picture();
        assert!(picture.starts_with(b"\x89PNG"));
        if from_env("UPDATE_PICTURES").is_some() {
            fs_err::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/{name}.png")), picture)
                .unwrap();
        }
    }
}

#[test]
fn the_exporter_shows_the_page_when_it_is_asked_to() {
    let env = TestEnv::real_time();
    env.profiles(profiles());
    env.private();
    let exporter = crate::support::exporter::Exporter::start(&env, &["--page"]);
    let body = |path: &str| exporter.get(path).body;
    let page = body("/");
    assert!(page.contains("anthropic:team") && page.contains("data-news=\"ask\""), "{page}");
    assert!(!page.contains("id=\"chat\"") && !page.contains("data-csrf"), "{page}");
    assert!(body("/live").contains("id=\"verdict\""));
    assert!(body("/page.js").contains("fetchLive") && body("/style.css").contains(":root"));
    assert!(body("/?agent=nobody").contains("no report"));
}
