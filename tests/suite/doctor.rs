//! What doctor does: its modes, what it mends, and how that is taken back.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::support::host::{codes, found, healthy};
use crate::support::{CLAUDE, CONFIG, DAY, STORE, TestEnv, finding_codes, tree};

const JOURNAL: &str = ".openclaw/doctor-journal.json";

/// Something that doctor mends: the code, how it is broken, the flags with which it is mended, and what must hold then.
struct Mend {
    code: &'static str,
    break_it: fn(&TestEnv),
    flags: &'static [&'static str],
    is_mended: fn(&TestEnv) -> bool,
}

const MENDS: &[Mend] = &[
    Mend {
        code: "agent-dir-legacy",
        break_it: |env| {
            let agents = env.path(".openclaw/agents");
            fs_err::rename(agents.join("main/agent"), env.path(".openclaw/agent")).unwrap();
            fs_err::remove_dir_all(agents).unwrap();
        },
        flags: &["--fix"],
        is_mended: |env| env.exists(STORE) && !env.exists(".openclaw/agent"),
    },
    Mend {
        code: "config-legacy-key",
        break_it: |env| {
            let new = "auth: {token: '0123456789abcdef0123456789abcdef'}";
            env.replace_in(CONFIG, new, "token: '${TOKEN_OF_IT}' /* kept? */")
                .file(
                    ".openclaw/.env",
                    format!("{}TOKEN_OF_IT=0123456789abcdef0123\n", env.text(".openclaw/.env")),
                )
                .private();
        },
        flags: &["--fix"],
        is_mended: |env| env.text(CONFIG).contains("${TOKEN_OF_IT}") && env.text(CONFIG).contains("\"auth\""),
    },
    Mend {
        code: "gateway-bind-open",
        break_it: |env| {
            let token = ", auth: {token: '0123456789abcdef0123456789abcdef'}";
            env.replace_in(CONFIG, token, ", bind: 'lan'").private();
        },
        flags: &["--yes"],
        is_mended: |env| gateway_token(env).is_some_and(|token| token.len() == 48),
    },
    Mend {
        code: "gateway-token-missing",
        break_it: |env| {
            env.replace_in(CONFIG, ", auth: {token: '0123456789abcdef0123456789abcdef'}", "").private();
        },
        flags: &["--non-interactive", "--generate-gateway-token"],
        is_mended: |env| gateway_token(env).is_some_and(|token| token.len() == 48),
    },
    Mend {
        code: "legacy-state-dir",
        break_it: |env| fs_err::rename(env.path(".openclaw"), env.path(".clawdbot")).unwrap(),
        flags: &["--fix"],
        is_mended: |env| env.exists(STORE) && !env.exists(".clawdbot"),
    },
    Mend {
        code: "linger-off",
        break_it: |env| {
            env.file("linger", "no\n");
        },
        flags: &["--fix"],
        is_mended: |env| env.text("linger") == "yes\n",
    },
    Mend {
        code: "mode-migrated",
        break_it: |env| {
            let entry = "{auth: {profiles: {'anthropic:claude-cli': {provider: 'anthropic', mode: 'token'}}}, gateway";
            env.replace_in(CONFIG, "{gateway", entry).private();
        },
        flags: &["--fix"],
        is_mended: |env| env.text(CONFIG).contains("mode: 'oauth'"),
    },
    Mend {
        code: "permissions-open",
        break_it: |env| {
            env.mode(".openclaw", 0o755).mode(CONFIG, 0o644).mode(STORE, 0o664);
        },
        flags: &["--fix"],
        is_mended: |env| {
            [mode(env, ".openclaw"), mode(env, CONFIG), mode(env, STORE)] == [0o700, 0o600, 0o600]
        },
    },
    Mend {
        code: "profile-id-outdated",
        break_it: |env| {
            let entry = "{auth: {order: {anthropic: ['anthropic:default', 'anthropic:x']},
                profiles: {'anthropic:default': {provider: 'anthropic', mode: 'oauth'}}}, gateway";
            env.replace_in(CONFIG, "{gateway", entry);
            env.change_profiles(|profiles| {
                let mut login = profiles.as_object_mut().unwrap().remove("anthropic:claude-cli").unwrap();
                login["email"] = json!("me@x.com");
                profiles["anthropic:me@x.com"] = login;
            });
            fs_err::remove_file(env.path(CLAUDE)).unwrap();
            env.private();
        },
        flags: &["--fix"],
        is_mended: |env| {
            let config = env.text(CONFIG);
            !config.contains("anthropic:default")
                && config.contains("me@x.com")
                && config.contains("anthropic:x")
        },
    },
    Mend {
        code: "vendor-permissions-open",
        break_it: |env| {
            env.mode(CLAUDE, 0o644);
        },
        flags: &["--fix", "--force"],
        is_mended: |env| mode(env, CLAUDE) == 0o600,
    },
];

fn mode(env: &TestEnv, relative: &str) -> u32 {
    fs_err::metadata(env.path(relative)).unwrap().permissions().mode() & 0o7777
}

fn gateway_token(env: &TestEnv) -> Option<String> {
    let text = env.text(CONFIG);
    let rest = text.split("\"token\": \"").nth(1).or_else(|| text.split("token: \"").nth(1))?;
    rest.split('"').next().map(str::to_owned)
}

/// Content and mode of everything that is not our own book-keeping.
fn state(env: &TestEnv) -> Vec<(String, Vec<u8>, u32)> {
    let ours = ["doctor-journal", "ops-state", ".bak"];
    tree(&env.path(""))
        .into_iter()
        .filter(|(path, _)| !ours.iter().any(|name| path.to_string_lossy().contains(name)))
        .map(|(path, content)| {
            let mode = fs_err::symlink_metadata(&path).unwrap().permissions().mode();
            (path.strip_prefix(env.path("")).unwrap().display().to_string(), content, mode)
        })
        .collect()
}

/// A config in the words of its values, whatever its layout.
fn meaning(env: &TestEnv, relative: &str) -> Vec<String> {
    let text = env.text(relative);
    let words = text.split(|c: char| !(c.is_alphanumeric() || "_-:.@/${}".contains(c)));
    let mut words: Vec<_> = words.map(|word| word.trim_matches(['{', '}', ':', '/']).to_owned()).collect();
    words.retain(|word| !word.is_empty() && word != "kept");
    words.sort();
    words
}

#[test]
fn every_fix_mends_once_and_is_taken_back() {
    for Mend { code, break_it, flags, is_mended } in MENDS {
        let env = healthy();
        break_it(&env);
        let before = state(&env);
        let config = if env.exists(CONFIG) { CONFIG } else { ".clawdbot/openclaw.json" };
        let said = meaning(&env, config);
        assert!(!is_mended(&env), "{code}");

        // Headless without flags nothing of it is touched.
        let looked = env.run(&["doctor", "--non-interactive"]);
        assert!(looked.stdout.contains(&format!("[{code}]")), "{code}: {looked:?}");
        assert_eq!(state(&env), before, "{code}");

        let args: Vec<_> = ["doctor", "--json"].iter().chain(*flags).copied().collect();
        let (status, document) = env.run(&args).pair();
        assert_eq!(
            (status, found(&document, code)["fix"]["state"].as_str()),
            (0, Some("done")),
            "{code}: {document:#}"
        );
        assert!(is_mended(&env), "{code}: {}", env.text(CONFIG));
        let mended = state(&env);
        let (status, document) = env.run(&args).pair();
        assert_eq!((status, codes(&document)), (0, vec![]), "{code}: {document:#}");
        assert_eq!(state(&env), mended, "{code}: the second run changes nothing");

        let undone = env.run(&["doctor", "--undo"]);
        assert!(
            undone.stdout.starts_with("undone: ") && !undone.stdout.contains("left alone"),
            "{code}: {undone:?}"
        );
        assert!(!is_mended(&env), "{code}");
        assert_eq!(meaning(&env, config), said, "{code}");
        let names = |state: &[(String, Vec<u8>, u32)]| {
            state.iter().map(|(path, _, mode)| (path.clone(), *mode)).collect::<Vec<_>>()
        };
        if *code != "agent-dir-legacy" {
            assert_eq!(names(&state(&env)), names(&before), "{code}");
        }
        let again = env.run(&["doctor", "--undo"]);
        assert_eq!(
            (again.code, again.stdout.as_str()),
            (0, "doctor has changed nothing that could be undone\n")
        );
    }
}

#[test]
fn every_fix_has_a_case() {
    let mut mended: Vec<_> =
        openclaw::doctor::CHECKS.iter().flat_map(|check| check.mends).map(|code| code.name()).collect();
    mended.sort_unstable();
    assert_eq!(MENDS.iter().map(|mend| mend.code).collect::<Vec<_>>(), mended);
}

#[test]
fn what_was_changed_since_is_left_alone() {
    let env = healthy();
    env.mode(CONFIG, 0o644).mode(".openclaw/.env", 0o644);
    let entry =
        "{auth: {profiles: {'anthropic:claude-cli': {provider: 'anthropic', mode: 'token'}}}, gateway";
    env.replace_in(CONFIG, "{gateway", entry);
    assert_eq!(env.run(&["doctor", "--fix"]).code, 0);
    // The mode is tighter than we left it, and the value another one.
    env.mode(".openclaw/.env", 0o400).replace_in(CONFIG, "'oauth'", "'api_key'");
    let undone = env.run(&["doctor", "--undo"]);
    assert!(
        undone.stdout.contains("left alone: the mode of ~/.openclaw/.env was changed since"),
        "{undone:?}"
    );
    assert!(undone.stdout.contains("left alone: auth.profiles.anthropic:claude-cli.mode was changed since"));
    assert!(env.text(CONFIG).contains("'api_key'"));
    assert_eq!(mode(&env, ".openclaw/.env"), 0o400);
}

#[test]
fn no_secret_is_written_down_for_undo() {
    let env = healthy();
    env.replace_in(CONFIG, "auth: {token: ", "token: ").replace_in(CONFIG, "abcdef'}}", "abcdef'}").private();
    env.run(&["doctor", "--fix"]);
    assert!(env.text(CONFIG).contains("0123456789abcdef0123456789abcdef"));
    let journal = env.text(JOURNAL);
    assert!(journal.contains("config-rename") && !journal.contains("0123456789abcdef0123"), "{journal}");
    assert_eq!(mode(&env, JOURNAL), 0o600);
    // A token of our own making is told nobody, and its undo needs no copy of it.
    let env = healthy();
    env.replace_in(CONFIG, ", auth: {token: '0123456789abcdef0123456789abcdef'}", "").private();
    let ran = env.run(&["doctor", "--generate-gateway-token"]);
    let token = gateway_token(&env).unwrap();
    assert!([ran.stdout, ran.stderr, env.text(JOURNAL)].iter().all(|text| !text.contains(&token[4..])));
    let again = env.run(&["doctor", "--generate-gateway-token"]);
    assert!(again.stderr.contains("the gateway needs no token"), "{again:?}");
    assert_eq!(gateway_token(&env).unwrap(), token);
}

#[test]
fn what_could_not_be_parsed_is_not_touched() {
    for (file, content) in [
        (CONFIG, "{ gateway: { mode: \"local\" } oops"),
        (STORE, "{ torn"),
        (".openclaw/ops-state.json", "["),
    ] {
        let env = healthy();
        env.file(file, content).mode(file, 0o644);
        let ran = env.run(&["doctor", "--yes", "--force"]);
        assert!(ran.code == 1 || (file.contains("ops-state") && ran.code == 2), "{file}: {ran:?}");
        assert_eq!(env.text(file), content);
        if !file.contains("ops-state") {
            assert_eq!(mode(&env, file), 0o644, "{file}");
            assert!(ran.stdout.contains("`chmod 600 ~/"), "{ran:?}");
        }
    }
    // Where changes cannot be written down, none is made.
    let env = healthy();
    env.file(JOURNAL, "{ torn").private();
    env.mode(".openclaw/.env", 0o644);
    let ran = env.run(&["doctor", "--fix"]);
    assert!(
        ran.code == 2 && ran.stdout.contains("failed: sets the mode 0600: it could not be written down"),
        "{ran:?}"
    );
    assert_eq!((mode(&env, ".openclaw/.env"), env.text(JOURNAL).as_str()), (0o644, "{ torn"));
    let undone = env.run(&["doctor", "--undo"]);
    assert_eq!((undone.code, undone.stdout.as_str()), (74, ""), "{undone:?}");
}

#[test]
fn a_missing_include_is_neither_dropped_nor_written_over() {
    let env = healthy();
    let text = "{ $include: './nope.json5', gateway: { mode: 'local' } }";
    env.file(CONFIG, text).private();
    let ran = env.run(&["doctor", "--fix"]);
    assert_eq!((ran.code, env.text(CONFIG).as_str()), (1, text), "{ran:?}");
    assert!(ran.stdout.contains("nope.json5"), "{ran:?}");
}

#[test]
fn unknown_keys_and_the_agents_of_a_headless_run_are_left_where_they_are() {
    let env = healthy();
    env.replace_in(CONFIG, "{gateway", "{foo: 1, gateway").private();
    assert_eq!(env.run(&["doctor", "--fix"]).code, 0);
    assert!(env.text(CONFIG).contains("foo: 1"));
    // The folder of an earlier release moves only when somebody says so; what is in both places never does.
    env.file(".openclaw/agent/auth-profiles.json", "{}").private();
    let ran = env.run(&["doctor", "--fix"]);
    assert!(ran.code == 2 && ran.stdout.contains("auth-profiles.json is in both"), "{ran:?}");
    assert!(env.exists(".openclaw/agent/auth-profiles.json"));
}

#[test]
fn paths_that_the_config_names_keep_the_folder_where_it_is() {
    let env = healthy();
    let elsewhere = env.path(".clawdbot/agents/main/agent").display().to_string();
    env.replace_in(
        CONFIG,
        "defaults: {",
        &format!("list: [{{id: 'main', agentDir: '{elsewhere}'}}], defaults: {{"),
    );
    fs_err::rename(env.path(".openclaw"), env.path(".clawdbot")).unwrap();
    env.private();
    let ran = env.run(&["doctor", "--fix"]);
    assert!(ran.code == 0 && ran.stdout.contains("the config or the unit names paths in it"), "{ran:?}");
    assert!(env.exists(".clawdbot") && !env.exists(".openclaw"));
}

#[test]
fn at_a_terminal_every_fix_is_asked_for() {
    let env = healthy();
    env.mode(".openclaw/.env", 0o644).mode(CLAUDE, 0o644);
    let (shown, code) = env.on_a_terminal(&["doctor", "--skip", "linger-off"], &[("Do it? [Y/n]", b"n\n")]);
    assert_eq!((code, mode(&env, ".openclaw/.env")), (Some(2), 0o644), "{shown}");
    let (shown, code) = env.on_a_terminal(&["doctor", "--skip", "linger-off"], &[("Do it? [Y/n]", b"\n")]);
    // A vendor's file is touched with --force only.
    assert_eq!((code, mode(&env, ".openclaw/.env"), mode(&env, CLAUDE)), (Some(2), 0o600, 0o644), "{shown}");
    assert!(shown.contains("other users can read secrets"), "{shown}");
    let (shown, _) = env.on_a_terminal(&["doctor", "--force"], &[("Do it? [Y/n]", b"y\n")]);
    assert_eq!(mode(&env, CLAUDE), 0o600, "{shown}");
}

#[test]
fn a_vendor_login_is_synced_and_never_refreshed() {
    let env = healthy();
    let expired = env.now_ms() - DAY;
    env.change_profiles(|profiles| profiles["anthropic:claude-cli"]["expires"] = json!(expired)).private();
    let newer = env.text(CLAUDE);
    let (code, document) = env.doctor(&["--non-interactive"]).pair();
    assert_eq!((code, finding_codes(&document)), (0, vec!["sync-performed"]), "{document:#}");
    assert!(env.read_json(STORE)["profiles"]["anthropic:claude-cli"]["expires"].as_i64() > Some(expired));
    assert_eq!(env.text(CLAUDE), newer);
    assert_eq!(codes(&env.doctor(&[]).json()), Vec::<String>::new());
}

#[test]
fn the_list_and_wrong_questions() {
    let env = healthy();
    let listed = env.run(&["doctor", "--list"]);
    assert_eq!(listed.code, 0);
    assert!(
        listed.stdout.contains("linger-off ") && listed.stdout.contains("(can be mended)"),
        "{}",
        listed.stdout
    );
    let rows: Value = env.run(&["doctor", "--list", "--json"]).json();
    assert!(rows.as_array().unwrap().iter().any(|row| row["code"] == "clock-skewed" && row["deep"] == true));
    for (args, word) in [
        (&["doctor", "--only", "linger-of"][..], "did you mean \"linger-off\"?"),
        (&["doctor", "--undo", "--fix"], "cannot be used with"),
        (&["doctor", "--timeout", "0s"], "--timeout"),
        (&["doctor", "--agent", "nobody"], "unknown agent"),
    ] {
        let ran = env.run(args);
        assert_eq!((ran.code, ran.stdout.as_str()), (64, ""), "{ran:?}");
        assert!(ran.stderr.contains(word), "{ran:?}");
    }
}

#[test]
fn the_policy_is_that_of_the_status() {
    let env = healthy();
    let soon = env.now_ms() + DAY / 2;
    env.change_profiles(|profiles| {
        profiles["chutes:me"] = json!({"type": "oauth", "provider": "chutes", "access": "at-c-0123456789",
            "refresh": "rt-c-0123456789", "expires": soon});
    });
    env.private();
    assert_eq!(env.doctor(&[]).code, 2);
    assert_eq!(env.doctor(&["--refreshable", "lenient"]).code, 0);
    assert_eq!(env.doctor(&["--warn-after", "1h"]).code, 0);
}

#[test]
fn the_document_fits_its_schema() {
    let text =
        fs_err::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/doctor.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap();
    let env = healthy();
    env.mode(".openclaw/.env", 0o644).mode(CLAUDE, 0o644).file(".bash_history", crate::support::host::KEY);
    env.file(JOURNAL, "{ torn");
    for args in [&[][..], &["--fix"], &["--yes", "--force"]] {
        let document = env.doctor(args).json();
        let errors: Vec<_> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}\n{document:#}");
    }
}
