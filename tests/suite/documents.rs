//! Documents that are generated from the code, and the README's promises.
//!
//! `UPDATE_DOCS=1 cargo test documents` writes them anew.

use std::ffi::OsStr;
use std::fmt::Write;

use openclaw::core::chat_command::HELP;
use openclaw::core::credential::Material;
use openclaw::core::failure::FailureClass;
use openclaw::core::finding::Code;
use openclaw::core::oauth::{self, LoginFlow};
use openclaw::core::probe;
use openclaw::core::provider::PROVIDERS;
use openclaw::core::read_error::ReadError;
use openclaw::core::upstream::{ApiKind, Surface};
use openclaw::doctor::CHECKS;
use openclaw::exit::ExitStatus;
use openclaw::format::dialect::rules::{self, Rule};
use openclaw::metrics::catalogue::{METRICS, Metric};
use openclaw::metrics::collector::MOST_PROFILES;
use openclaw::metrics::gateway;
use openclaw::metrics::label::LONGEST;
use openclaw::process::{ENV_VARS, Process};
use openclaw::usage;

use crate::support::TestEnv;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn assert_current(relative: &str, current: &str) {
    let path = std::path::Path::new(ROOT).join(relative);
    if Process::os().variables().contains_key(OsStr::new("UPDATE_DOCS")) {
        fs_err::write(&path, current).unwrap();
    }
    let written = fs_err::read_to_string(&path).unwrap_or_default();
    assert!(written == current, "{relative} is stale: UPDATE_DOCS=1 cargo test documents");
}

/// Keeps the part of a document current that stands between two comments, the first of which begins with a name.
fn assert_part_current(relative: &str, name: &str, current: &str) {
    let path = std::path::Path::new(ROOT).join(relative);
    let text = fs_err::read_to_string(&path).unwrap();
    let comment = text.find(&format!("<!-- {name}:")).unwrap();
    let begin = comment + text[comment..].find('\n').unwrap() + 1;
    let end = begin + text[begin..].find("<!-- end -->").unwrap();
    assert_current(relative, &format!("{}\n{current}\n{}", &text[..begin], &text[end..]));
}

#[test]
fn the_commands_of_the_chat_are_documented() {
    let mut table = String::from("| message | what it does |\n| --- | --- |\n");
    for (form, text) in HELP {
        let _ = writeln!(table, "| `{form}` | {text} |");
    }
    assert_part_current("docs/gateway.md", "commands", &table);
}

fn interface() -> String {
    let mut text = String::from(
        "# Interface\n\nGenerated from the code by the test suite; edit the code, not this file.\n\n## Exit codes\n\n\
         Any code that is not in this table is a failure too.\n\n| code | meaning |\n| --- | --- |\n",
    );
    for (status, meaning) in ExitStatus::ALL {
        let _ = writeln!(text, "| {} | {meaning} |", status.code());
    }
    text.push_str("\n## Variables\n\nEmpty counts as unset.\n\n| variable | effect |\n| --- | --- |\n");
    for variable in ENV_VARS {
        let legacy = variable.legacy.map_or_else(String::new, |name| format!(", then `{name}`"));
        let _ = writeln!(text, "| `{}`{legacy} | {} |", variable.name, variable.help);
    }
    text.push_str(
        "\n## Credentials of the environment\n\nThe first variable that is not blank wins. Layers, highest first: process, \
         `$CREDENTIALS_DIRECTORY`, `.env` of the working directory, `.env` of the state folder, `env` of the config, login \
         shell. An empty variable of the process or of a `.env` file shadows the `.env` files below it, not the config.\n\n\
         | provider | variables | counts when no config names the provider |\n| --- | --- | --- |\n",
    );
    for provider in PROVIDERS.iter().filter(|provider| !provider.env.is_empty()) {
        let names: Vec<_> = provider.env.iter().map(|name| format!("`{name}`")).collect();
        let always = if provider.always_probed { "yes" } else { "no" };
        let _ = writeln!(text, "| {} | {} | {always} |", provider.id, names.join(", "));
    }
    text.push_str("\n## Findings\n\n| code | severity | title |\n| --- | --- | --- |\n");
    for code in Code::ALL {
        let _ = writeln!(text, "| `{}` | {} | {} |", code.name(), code.severity().word(), code.title());
    }
    for command in [
        &["--help"][..],
        &["models", "--help"],
        &["models", "status", "--help"],
        &["models", "auth", "--help"],
        &["models", "auth", "login", "--help"],
        &["models", "auth", "refresh", "--help"],
        &["models", "auth", "reauth", "--help"],
        &["models", "auth", "claude-status", "--help"],
        &["models", "scan", "--help"],
        &["exporter", "--help"],
        &["monitor", "--help"],
        &["monitor", "simulate", "--help"],
        &["monitor", "drill", "--help"],
        &["onboard", "--help"],
        &["doctor", "--help"],
        &["gateway", "--help"],
        &["gateway", "status", "--help"],
        &["chat", "--help"],
        &["agent", "--help"],
        &["monitor", "--help"],
        &["service", "--help"],
        &["service", "install", "--help"],
        &["service", "status", "--help"],
        &["where", "--help"],
        &["completions", "--help"],
    ] {
        let help = TestEnv::new().run(command).stdout;
        let words = command[..command.len() - 1].join(" ");
        let _ = write!(text, "\n## `openclaw {words}`\n\n```text\n{}\n```\n", help.trim_end());
    }
    text.replace("## `openclaw `", "## `openclaw`")
}

#[test]
fn the_interface_reference_is_current() {
    assert_current("docs/interface.md", &interface());
}

fn providers() -> String {
    let mut text = String::from(
        "# Providers\n\nGenerated from the code by the test suite; edit the code, not this file.\n\n\
         A provider that is not here works too: name it in `models.providers` of `openclaw.json`. Every endpoint can be \
         replaced in [`ops.json`](ops.md).\n\n\
         | provider | variables | more keys | logins are made and renewed at | cheap probe | `--probe=model` | `--usage` |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    let key = Material::ApiKey { key: None };
    for provider in PROVIDERS {
        let names: Vec<_> = provider.env.iter().map(|name| format!("`{name}`")).collect();
        let more = provider.env.iter().find(|name| name.ends_with("_API_KEY"));
        let more = more.map_or_else(String::new, |name| format!("`{name}S`, `{name}_*`"));
        let login = oauth::find(provider.id).map_or_else(String::new, |oauth| {
            let how = match oauth.login {
                Some(LoginFlow::Browser(_)) => "; login in the browser",
                Some(LoginFlow::Device(_)) => "; login with a code",
                None if !oauth.renews_by_itself() => "; with a client of your own",
                None => "",
            };
            format!("{}{how}", oauth.token_url)
        });
        let cheap = probe::of(provider.id, &key);
        let cheap = cheap.map_or_else(|| "–".to_owned(), |cheap| format!("GET {}{}", cheap.base, cheap.path));
        let model = probe::model_api(provider.id).map_or("–", |_| "yes");
        let usage = if usage::is_told_by(provider.id) { "yes" } else { "–" };
        let _ = writeln!(
            text,
            "| {} | {} | {more} | {login} | {cheap} | {model} | {usage} |",
            provider.id,
            names.join(", ")
        );
    }
    text.push_str(
        "\nA subscription of Anthropic (a login or a setup token) is tried at `/api/oauth/profile`.\n\n## What failures mean\n\n\
         | class | meaning | a person is needed | what to do |\n| --- | --- | --- | --- |\n",
    );
    for class in FailureClass::ALL {
        let (word, human, meaning) = class.entry();
        let human = if human { "yes" } else { "no" };
        let _ = writeln!(
            text,
            "| `{word}` | {meaning} | {human} | {} |",
            class.remedy().unwrap_or("wait, or try again")
        );
    }
    text
}

#[test]
fn the_provider_reference_is_current() {
    assert_current("docs/providers.md", &providers());
}

fn doctor() -> String {
    let mut text = String::from(
        "# What `openclaw doctor` finds\n\nGenerated from the code by the test suite; edit the code, not this file.\n\n\
         The exit code is 1 when an error is found, 2 for a warning, 0 for advice or nothing. `--fix` mends what is marked \
         so, `--undo` takes that back. `--only CODE` and `--skip CODE` choose.\n",
    );
    for check in CHECKS {
        let deep = if check.is_deep { ", with `--deep` only: it asks the network" } else { "" };
        let _ = write!(
            text,
            "\n## {}{deep}\n\n| code | severity | what | why it matters | mended by | untold when there is |\n\
             | --- | --- | --- | --- | --- | --- |\n",
            check.name
        );
        for code in check.codes {
            let entry = code.entry();
            let fix = match (check.mends.contains(code), code) {
                (false, _) => "",
                (true, Code::VendorPermissionsOpen) => "`--fix --force`",
                (true, Code::GatewayBindOpen | Code::GatewayTokenMissing) => {
                    "`--generate-gateway-token`, `--yes`"
                }
                (true, _) => "`--fix`",
            };
            let causes: Vec<_> =
                entry.shadowed_by.iter().map(|cause| format!("`{}`", cause.name())).collect();
            let _ = writeln!(
                text,
                "| `{}` | {} | {} | {} | {fix} | {} |",
                entry.name,
                entry.severity.word(),
                entry.title,
                entry.why,
                causes.join(", ")
            );
        }
    }
    let timeout = Code::CheckTimeout.entry();
    let _ = write!(
        text,
        "\nAny check may end as `{}` ({}): {}\n",
        timeout.name,
        timeout.severity.word(),
        timeout.why
    );
    text
}

fn metrics() -> String {
    let mut text = String::from(
        "# Metrics\n\nGenerated from the code by the test suite; edit the code, not this file.\n\n\
         What `openclaw exporter` serves at `/metrics`. Rules, a dashboard and examples are in [monitoring/](monitoring/).\n\n\
         - Instants are seconds since the epoch, not countdowns: `… - time()` is what is left.\n\
         - A sample that would say nothing is absent: a key that does not expire has no expiry. A profile that was removed \
         is gone with the next scrape.\n\
         - E-mail addresses and paths are told with `--labels full` only. A label value has at most ",
    );
    let _ = writeln!(
        text,
        "{LONGEST} characters; a longer one ends with a part of its digest.\n\
         - At most {MOST_PROFILES} profiles are shown; `openclaw_exporter_dropped_profiles_total` counts the others.\n\
         - `openclaw_exporter_*` and `process_*` are of the process itself: `--stdout` and `--textfile` have none.\n\n\
         | metric | type | labels | meaning |\n| --- | --- | --- | --- |"
    );
    metric_rows(&mut text, METRICS);
    text.push_str(
        "\n## The gateway\n\n`openclaw gateway` serves all of the above but `openclaw_exporter_*` at its own `/metrics`, behind its \
         token, and these. What counts by provider is there from the first request for a provider on; everything else, and \
         every reason, is there at zero before it happens.\n\n| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n",
    );
    metric_rows(&mut text, gateway::METRICS);
    text.push_str("\n## Reasons of read errors\n\nEach is there at zero before it happens.\n\n");
    for reason in ReadError::ALL {
        let _ = writeln!(text, "- `{}`", reason.word());
    }
    text.push_str("\n## Classes of refresh failures\n\n");
    for class in FailureClass::ALL {
        let _ = writeln!(text, "- `{}`: {}", class.word(), class.entry().2);
    }
    text
}

fn metric_rows(text: &mut String, metrics: &[&Metric]) {
    let mut sorted: Vec<_> = metrics.iter().collect();
    sorted.sort_by_key(|metric| metric.name);
    for metric in sorted {
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let labels = labels.join(", ");
        let _ = writeln!(text, "| `{}` | {} | {labels} | {} |", metric.name, metric.kind.word(), metric.help);
    }
}

fn gateway_apis() -> String {
    let mut text = String::from(include_str!("gateway_apis.md"));
    text.push_str("\n## Who reaches whom\n\n| model speaks |");
    let surfaces = [Surface::ChatCompletions, Surface::Messages, Surface::CountTokens, Surface::Responses];
    for surface in surfaces {
        let _ = write!(text, " `{}` |", surface.path());
    }
    text.push_str("\n| --- | --- | --- | --- | --- |\n");
    for kind in ApiKind::ALL {
        let _ = write!(text, "| `{}` |", kind.name());
        for surface in surfaces {
            let how = match (kind.speaks(surface), surface.is_translated()) {
                (true, _) => "passed on",
                (false, true) => "translated",
                (false, false) => "501",
            };
            let _ = write!(text, " {how} |");
        }
        text.push('\n');
    }
    for surface in [Surface::ChatCompletions, Surface::Messages] {
        let kinds = rules::kinds(surface);
        let _ = write!(text, "\n## Fields of `{}`\n\n| field |", surface.path());
        for kind in kinds {
            let _ = write!(text, " `{}` |", kind.name());
        }
        text.push_str("\n| --- | --- | --- | --- | --- |\n");
        for (name, rules) in rules::fields(surface) {
            let _ = write!(text, "| `{name}` |");
            for rule in rules {
                let _ = match rule {
                    Rule::Dropped(why) => write!(text, " left out: {why} |"),
                    Rule::Only(values) => write!(text, " only `{}` |", values.join("` or `")),
                    Rule::Refused => write!(text, " 400 |"),
                    Rule::Translated => write!(text, " yes |"),
                };
            }
            text.push('\n');
        }
    }
    text
}

#[test]
fn the_reference_of_the_apis_is_current() {
    assert_current("docs/gateway-apis.md", &gateway_apis());
}

#[test]
fn the_doctor_reference_is_current_and_knows_every_finding() {
    assert_current("docs/doctor.md", &doctor());
    let mut found: Vec<Code> = CHECKS.iter().flat_map(|check| check.codes).copied().collect();
    found.push(Code::CheckTimeout);
    found.sort();
    found.dedup();
    assert_eq!(found, Code::ALL);
    for check in CHECKS {
        assert!(check.mends.iter().all(|code| check.codes.contains(code)), "{}", check.name);
    }
}

#[test]
fn the_metrics_reference_is_current() {
    assert_current("docs/metrics.md", &metrics());
}

#[test]
fn variables_are_sorted() {
    assert!(ENV_VARS.is_sorted_by_key(|variable| variable.name));
}

#[test]
fn compatibility_names_only_cases_that_a_test_of_ours_covers() {
    let text = fs_err::read_to_string(format!("{ROOT}/docs/compatibility.md")).unwrap();
    let suite: String = fs_err::read_dir(format!("{ROOT}/tests/suite"))
        .unwrap()
        .flatten()
        .filter_map(|entry| fs_err::read_to_string(entry.path()).ok())
        .collect();
    let rows: Vec<_> =
        text.lines().filter(|line| line.starts_with("| ") && line.contains("`suite:")).collect();
    assert!(rows.len() >= 8, "{}", rows.len());
    for row in rows {
        let name = row.split("`suite:").nth(1).and_then(|rest| rest.split('`').next()).unwrap();
        assert!(suite.contains(&format!("fn {name}(")), "no test {name}");
    }
}

#[test]
fn every_key_of_ops_json_is_documented() {
    let readme = fs_err::read_to_string(format!("{ROOT}/docs/ops.md")).unwrap();
    for key in [
        "check.warnAfter",
        "check.refreshable",
        "exporter.agents",
        "exporter.labels",
        "exporter.listen",
        "gateway.metered",
        "refresh.external",
    ] {
        assert!(readme.contains(&format!("`{key}`")), "{key}");
    }
}

#[test]
fn the_repository_names_no_machine() {
    let readme = fs_err::read_to_string(format!("{ROOT}/README.md")).unwrap();
    for command in ["cargo run --release --locked -- models status", "scripts/test"] {
        assert!(readme.contains(command), "{command}");
    }
    assert!(!readme.contains(concat!("/wo", "rk/")));
}
