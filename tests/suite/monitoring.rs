//! What is shipped for Prometheus, tried with the real one.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use openclaw::clock::Deadline;
use openclaw::metrics::catalogue::METRICS;
use serde_json::{Value, json};

use crate::support::exporter::{Exporter, get};
use crate::support::{
    CONFIG, DAY, HOUR, STORE, TestEnv, api_key, has, oauth, outcome, real_now_ms, skipped, token,
};

fn shipped(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/monitoring").join(relative)
}

fn text(relative: &str) -> String {
    fs_err::read_to_string(shipped(relative)).unwrap()
}

fn succeeds(program: &str, args: &[&str], file: &str) {
    if !has(program) {
        skipped(&format!("{program} is not installed"));
        return;
    }
    let ran = outcome(Command::new(program).args(args).arg(shipped(file)));
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn the_rules_are_valid_and_each_fires_rests_and_recovers() {
    succeeds("promtool", &["check", "rules"], "rules/openclaw.yml");
    succeeds("promtool", &["check", "rules"], "rules/openclaw-strict.yml");
    succeeds("promtool", &["test", "rules"], "rules/openclaw.test.yml");
}

#[test]
fn the_examples_are_valid() {
    succeeds("promtool", &["check", "config", "--syntax-only"], "examples/prometheus.yml");
    succeeds("amtool", &["check-config"], "examples/alertmanager.yml");
    let hosts: Value = serde_json::from_str(&text("examples/hosts/agents.json")).unwrap();
    assert!(hosts.as_array().unwrap().iter().all(|group| group["targets"].is_array()));
    if has("systemd-analyze") {
        let folder = tempfile::tempdir().unwrap();
        for unit in ["openclaw-textfile.service", "openclaw-textfile.timer"] {
            let known = text(&format!("examples/{unit}"))
                .replace("/usr/local/bin/openclaw", "/bin/true")
                .replace("User=agent\n", "");
            fs_err::write(folder.path().join(unit), known).unwrap();
        }
        let ran = outcome(
            Command::new("systemd-analyze").arg("verify").arg(folder.path().join("openclaw-textfile.timer")),
        );
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    } else {
        skipped("systemd-analyze is not installed");
    }
}

/// The names behind `marker` in a text.
fn names(text: &str, marker: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(marker)
        .skip(1)
        .map(|rest| rest.chars().take_while(|c| is_name(*c)).collect())
        .filter(|name: &String| !name.is_empty())
        .collect()
}

#[test]
fn every_alert_has_its_tests_its_runbook_and_a_command() {
    let tests = text("rules/openclaw.test.yml");
    let runbook = text("runbook.md");
    for file in ["rules/openclaw.yml", "rules/openclaw-strict.yml"] {
        let rules = text(file);
        let alerts = names(&rules, "- alert: ");
        assert!(!alerts.is_empty());
        for alert in &alerts {
            assert!(tests.contains(&format!("alertname: {alert}\n")), "{alert} is never seen to fire");
            let rests = tests.contains(&format!("alertname: {alert}, exp_alerts: []"));
            assert!(rests || alert == "OpenclawDeadMan", "{alert} is never seen to rest");
            assert!(runbook.contains(&format!("\n## {alert}\n")), "{alert} has no section in the runbook");
            assert!(
                rules.contains(&format!("runbook.md#{}\"", alert.to_lowercase())),
                "{alert} links elsewhere"
            );
        }
        for wanted in ["summary:", "description:", "command:", "runbook_url:", "severity:"] {
            assert_eq!(rules.matches(wanted).count(), alerts.len(), "{file}: {wanted}");
        }
    }
}

#[test]
fn rules_and_dashboard_name_only_metrics_that_there_are() {
    let known: BTreeSet<_> = METRICS.iter().map(|metric| metric.name).collect();
    for file in
        ["rules/openclaw.yml", "rules/openclaw-strict.yml", "rules/openclaw.test.yml", "dashboard.json"]
    {
        for name in names(&text(file), "openclaw_") {
            assert!(known.contains(format!("openclaw_{name}").as_str()), "{file}: openclaw_{name}");
        }
    }
}

/// A Prometheus of our own: a loopback port, a folder that goes with it.
struct Prometheus {
    child: Child,
    address: String,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    fn scraping(target: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let rules = ["openclaw.yml", "openclaw-strict.yml"].map(|file| shipped(&format!("rules/{file}")));
        let config = json!({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": rules,
            "scrape_configs": [{"job_name": "openclaw", "static_configs": [{"targets": [target]}]}],
        });
        let file = folder.path().join("prometheus.yml");
        fs_err::write(&file, config.to_string()).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, address, _folder: folder }
    }

    fn try_api(&self, path: &str) -> Option<Value> {
        let answer = get(&self.address, &format!("/api/v1/{path}"), "Accept-Encoding: identity\r\n").ok()?;
        // A body without a length comes in chunks; the document is what stands between the braces.
        let body = &answer.body[answer.body.find('{')?..=answer.body.rfind('}')?];
        serde_json::from_str(body).ok().or_else(|| serde_json::from_str(&unchunked(&answer.body)).ok())
    }

    fn query(&self, expression: &str) -> Value {
        let query: String =
            url::form_urlencoded::Serializer::new(String::new()).append_pair("query", expression).finish();
        self.try_api(&format!("query?{query}")).unwrap_or_else(|| panic!("no answer to {expression}"))
    }

    /// Waits until a query has a result.
    fn result(&self, expression: &str) -> Value {
        let limit = Deadline::after(Duration::from_secs(40));
        loop {
            let query: String = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("query", expression)
                .finish();
            let answer = self.try_api(&format!("query?{query}")).unwrap_or_default();
            if answer["data"]["result"].as_array().is_some_and(|result| !result.is_empty()) {
                return answer["data"]["result"].clone();
            }
            assert!(!limit.has_passed(), "{expression}: {answer}");
            std::thread::yield_now();
        }
    }
}

fn unchunked(body: &str) -> String {
    let (mut whole, mut rest) = (String::new(), body);
    while let Some((size, after)) = rest.split_once("\r\n") {
        let Ok(size) = usize::from_str_radix(size.trim(), 16) else { break };
        if size == 0 || after.len() < size {
            break;
        }
        whole.push_str(&after[..size]);
        rest = after[size..].trim_start_matches("\r\n");
    }
    whole
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn a_real_prometheus_scrapes_it_loads_the_rules_and_answers_the_dashboard() {
    if !has("prometheus") {
        skipped("prometheus is not installed");
        return;
    }
    let env = TestEnv::real_time();
    let now = real_now_ms();
    env.file(
        CONFIG,
        "{agents: {defaults: {model: {primary: 'anthropic/claude-opus-4-5', fallbacks: ['groq/x']}}}}",
    );
    env.file(
        STORE,
        json!({
            "version": 1,
            "profiles": {
                "anthropic:me": oauth("anthropic", json!(now + DAY)),
                "anthropic:over": token("anthropic", json!(now - DAY)),
                "anthropic:soon": token("anthropic", json!(now + 5 * HOUR)),
                "openai:k": api_key("openai", "k"),
            },
            "usageStats": {"openai:k": {"disabledUntil": now + HOUR, "disabledReason": "billing"}},
        })
        .to_string(),
    );
    let exporter = Exporter::start(&env, &["--labels", "full"]);
    let prometheus = Prometheus::scraping(&exporter.address);
    prometheus.result("up{job=\"openclaw\"} == 1");
    let expired = prometheus.result("openclaw_credential_human_needed_timestamp_seconds <= time()");
    assert_eq!(expired[0]["metric"]["profile"], "anthropic:over");
    prometheus.result("ALERTS{alertname=\"OpenclawCredentialExpired\",profile=\"anthropic:over\"}");
    prometheus.result("ALERTS{alertname=\"OpenclawDeadMan\",alertstate=\"firing\"}");

    let rules = prometheus.try_api("rules").unwrap();
    let rules: Vec<&Value> = rules["data"]["groups"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|group| group["rules"].as_array().unwrap())
        .collect();
    let shipped_alerts =
        names(&(text("rules/openclaw.yml") + &text("rules/openclaw-strict.yml")), "- alert: ");
    assert_eq!(rules.len(), shipped_alerts.len());
    for rule in rules {
        assert_eq!(rule["health"], "ok", "{rule}");
    }

    let dashboard: Value = serde_json::from_str(&text("dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() >= 12);
    let mut with_data = 0;
    for panel in panels {
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
            let expression = target["expr"].as_str().unwrap();
            let expression = expression
                .replace("$instance", ".*")
                .replace("$agent", ".*")
                .replace("$__rate_interval", "1m");
            assert!(!expression.contains("=~\"$"), "{expression}");
            let answer = prometheus.query(&expression);
            assert_eq!(answer["status"], "success", "{}: {answer}", panel["title"]);
            with_data += usize::from(!answer["data"]["result"].as_array().unwrap().is_empty());
        }
    }
    assert!(with_data >= 8, "{with_data} panels show something");
    for variable in &dashboard["templating"]["list"].as_array().unwrap()[1..] {
        let query = variable["query"]["query"].as_str().unwrap();
        let series = query.strip_prefix("label_values(").unwrap().rsplit_once(',').unwrap().0;
        prometheus.result(&series.replace("$instance", ".*"));
    }
    let annotation = dashboard["annotations"]["list"][0]["expr"].as_str().unwrap().replace("$instance", ".*");
    assert_eq!(prometheus.query(&annotation)["status"], "success");
}
