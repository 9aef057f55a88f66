//! Input that no sane host has, and every host has one day.

use std::os::unix::fs::symlink;

use serde_json::json;

use crate::support::{CLAUDE, CONFIG, DAY, STORE, TestEnv, api_key, finding_codes, oauth, profile, token};

/// The store is unreadable for this reason, the file stays as it is, and the verdict is 1 although a key is there.
fn assert_unreadable(content: &[u8], message: &str) {
    let env = TestEnv::with_default_key();
    env.file(STORE, content);
    env.claude(3 * DAY);
    let (code, document) = env.check();
    assert_eq!(code, 1, "{message}");
    let source = &document["sources"]
        .as_array()
        .unwrap()
        .iter()
        .find(|source| source["role"] == "auth store")
        .unwrap();
    assert_eq!(source["state"], "unreadable", "{message}");
    assert_eq!(source["error"], message);
    assert_eq!(document["check"]["causes"][0]["reason"], "source-unreadable");
    assert_eq!(profile(&document, "anthropic:claude-cli")["status"], "ok", "the others are still shown");
    assert!(fs_err::read(env.path(STORE)).unwrap() == content, "{message}: the file was changed");
    assert!(env.status(&[]).stdout.contains("unreadable"), "{message}");
}

#[test]
fn a_store_that_does_not_parse_is_unreadable_and_left_alone() {
    for (content, message) in [
        (&b""[..], "is empty"),
        (b" \r\n", "is empty"),
        (b"{ \"version\": 1, \"profiles\": {", "EOF while parsing an object"),
        (b"[]", "is not a JSON object"),
        (b"null", "is not a JSON object"),
        (b"\xef\xbb\xbf{}", "starts with a byte order mark, which JSON does not allow"),
        (b"{\"profiles\": {\"a\": \"\xff\"}}", "is not UTF-8"),
        (b"{\"profiles\": 5}", "`profiles` is no object"),
        (b"{}\0", "trailing characters"),
        (b"\0\0\0\0", "expected value"),
        (b"{} {}", "trailing characters"),
    ] {
        assert_unreadable(content, message);
    }
    assert_unreadable("[".repeat(200_000).as_bytes(), "is not a JSON object");
    assert_unreadable(
        format!("{{\"profiles\":{}", "[".repeat(200_000)).as_bytes(),
        "EOF while parsing a list",
    );
}

#[test]
fn an_unreadable_store_says_where() {
    let env = TestEnv::new();
    env.file(STORE, "{\n  \"profiles\": {\n    broken\n  }\n}\n");
    let source = &env.status(&["--json"]).json()["sources"];
    let source =
        source.as_array().unwrap().iter().find(|source| source["role"] == "auth store").unwrap().clone();
    assert_eq!((&source["line"], &source["column"]), (&json!(3), &json!(5)));
    assert!(env.status(&[]).stdout.contains("at line 3, column 5"));
}

#[test]
fn an_empty_shape_is_a_store_without_profiles() {
    for content in [
        "{}",
        "{\"profiles\": null}",
        "{\"profiles\": []}",
        "{\r\n\"version\": 1,\r\n\"profiles\": {}\r\n}\r\n",
    ] {
        let env = TestEnv::with_default_key();
        env.file(STORE, content);
        assert_eq!(env.status(&["--check"]).code, 0, "{content:?}");
        assert_eq!(env.text(STORE), content);
    }
}

#[test]
fn valid_nesting_of_any_depth_is_kept_and_costs_only_its_own_entry() {
    let env = TestEnv::with_default_key();
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let content = format!(
        "{{\"profiles\": {{\"deep\": {deep}, \"openai:a\": {}}}, \"x\": {deep}}}",
        api_key("openai", "k")
    );
    env.file(STORE, &content);
    env.claude(3 * DAY);
    let (code, document) = env.check();
    assert_eq!(code, 0);
    assert_eq!(profile(&document, "openai:a")["status"], "static");
    assert!(finding_codes(&document).contains(&"credential-damaged"));
    assert_eq!(env.text(STORE).matches(&deep).count(), 2, "both survive the sync that wrote the file");
}

#[test]
fn wrong_types_in_every_field_cost_only_that_field() {
    let wrong =
        [json!(null), json!(5), json!(1.5), json!(true), json!([]), json!({}), json!("text"), json!(-1)];
    for member in ["type", "provider", "access", "refresh", "expires", "email", "accountId"] {
        for value in &wrong {
            let env = TestEnv::with_default_key();
            let mut odd = oauth("anthropic", json!(env.now_ms() + 3 * DAY));
            odd[member] = value.clone();
            let stats = json!({"odd": value, "good": {"cooldownUntil": value, "errorCount": value}});
            let store = json!({
                "version": value, "profiles": {"odd": odd, "good": token("anthropic", json!(null))},
                "order": value, "lastGood": value, "usageStats": stats,
            });
            env.file(STORE, store.to_string());
            let (_, document) = env.check();
            assert_eq!(profile(&document, "good")["status"], "static", "{member}: {value}");
        }
    }
}

#[test]
fn a_profile_that_stands_twice_is_told_and_the_last_one_counts() {
    let env = TestEnv::with_default_key();
    env.file(
        STORE,
        r#"{"profiles": {"a:x": {"type":"token","provider":"a","token":"t","expires":5},
                        "a:x": {"type":"token","provider":"a","token":"t"}}}"#,
    );
    let (code, document) = env.check();
    assert_eq!(code, 0);
    assert!(finding_codes(&document).contains(&"profile-duplicate"));
    assert_eq!(document["auth"]["oauth"]["profiles"].as_array().unwrap().len(), 1);
}

#[test]
fn hostile_profile_names_break_neither_text_nor_json_nor_the_terminal() {
    let long = "n".repeat(10_000);
    let marks = format!("z{}", "\u{301}".repeat(5_000));
    for id in [
        "a\nb",
        "\u{1b}[31mred\u{1b}[0m",
        &long,
        "🙂:é",
        "quo\"te's",
        "c1\u{9b}31m",
        "rtl\u{202e}x",
        "\u{7}\u{8}\r",
        "a\u{61c}b\u{e0041}",
        &marks,
    ] {
        let env = TestEnv::with_default_key();
        env.profiles(json!({ id: token("anthropic", json!(env.now_ms() + 5)) }));
        let (code, document) = env.check();
        assert_eq!(code, 2);
        assert_eq!(document["auth"]["oauth"]["profiles"][0]["profileId"], id);
        for outcome in [env.status(&["--check"]), env.status(&["--json"])] {
            let harmful =
                |c: char| c != '\n' && (c.is_control() || ['\u{202e}', '\u{61c}', '\u{e0041}'].contains(&c));
            assert!(!outcome.stdout.contains(harmful), "{id:?}: {outcome:?}");
        }
        let text = env.status(&[]).stdout;
        assert!(text.lines().filter(|line| line.contains("expiring")).count() >= 1, "{text}");
        assert!(text.lines().all(|line| line.chars().count() < 250), "{text}");
        let row = text.lines().find(|line| line.trim_start().starts_with("expiring")).unwrap();
        assert!(row.chars().count() < 200, "{row}");
    }
}

#[test]
fn files_of_other_kinds_and_broken_links_are_unreadable() {
    for (kind, message) in [
        ("directory", "is a directory"),
        ("fifo", "is not a regular file"),
        ("dangling", "is a symbolic link to a file that does not exist"),
        ("loop", "too many levels of symbolic links (os error 40)"),
        ("huge", "is larger than 64 MiB"),
    ] {
        let env = TestEnv::with_default_key();
        let store = env.path(STORE);
        fs_err::create_dir_all(store.parent().unwrap()).unwrap();
        match kind {
            "directory" => fs_err::create_dir(&store).unwrap(),
            "fifo" => nix::unistd::mkfifo(&store, nix::sys::stat::Mode::S_IRWXU).unwrap(),
            "dangling" => symlink("nowhere", &store).unwrap(),
            "loop" => symlink("auth-profiles.json", &store).unwrap(),
            _ => fs_err::File::create(&store).unwrap().set_len(200 * 1024 * 1024).unwrap(),
        }
        env.claude(3 * DAY);
        let (code, document) = env.check();
        assert_eq!(code, 1, "{kind}");
        let sources = document["sources"].as_array().unwrap();
        let source = sources.iter().find(|source| source["role"] == "auth store").unwrap();
        assert_eq!(source["error"], message, "{kind}");
    }
}

#[test]
fn a_link_to_a_store_is_followed_and_stays_a_link() {
    let env = TestEnv::with_default_key();
    env.file("elsewhere/store.json", json!({"version": 1, "profiles": {}, "mine": 1}).to_string());
    fs_err::create_dir_all(env.path(STORE).parent().unwrap()).unwrap();
    symlink(env.path("elsewhere/store.json"), env.path(STORE)).unwrap();
    env.claude(3 * DAY);
    assert_eq!(env.status(&["--check"]).code, 0);
    assert!(fs_err::symlink_metadata(env.path(STORE)).unwrap().is_symlink());
    let written = env.read_json("elsewhere/store.json");
    assert_eq!(
        (&written["mine"], &written["profiles"]["anthropic:claude-cli"]["access"]),
        (&json!(1), &json!("cli-at"))
    );
}

#[test]
fn a_torn_vendor_file_is_told_and_a_stored_login_stays() {
    let env = TestEnv::with_default_key();
    env.profiles(json!({"anthropic:claude-cli": oauth("anthropic", json!(env.now_ms() + 3 * DAY))}));
    env.file(CLAUDE, "{\"claudeAiOauth\": {\"accessToken\": \"x");
    let before = env.text(STORE);
    let (code, document) = env.check();
    assert_eq!(code, 1);
    assert_eq!(profile(&document, "anthropic:claude-cli")["status"], "ok");
    assert!(finding_codes(&document).contains(&"source-unreadable"));
    assert_eq!(env.text(STORE), before);
}

#[test]
fn a_blanked_vendor_login_is_told_and_never_taken() {
    let env = TestEnv::with_default_key();
    env.file(CLAUDE, r#"{"claudeAiOauth": {"accessToken": "", "refreshToken": "", "expiresAt": 0}}"#);
    let (_, document) = env.check();
    assert!(finding_codes(&document).contains(&"login-incomplete"));
    assert!(!env.exists(STORE));
}

#[test]
fn an_invalid_config_is_78_with_file_line_column_and_path_and_writes_nothing() {
    for (config, place) in [
        (
            "{\n  auth: {profiles: {'a:b': {provider: 'a', mode: 'x'}}}}",
            ":2:50: auth.profiles.a:b.mode: expected one of",
        ),
        ("{\n  agents: [}", ":2:12: <root>:"),
        ("", ":1:1: <root>: is empty"),
        ("{models: {providers: {p: {baseUrl: 'x', models: [], apiKey: '${NOPE}'}}}}", "\"NOPE\""),
        ("{$include: './nope.json5'}", "Failed to read include file: ./nope.json5"),
        ("{$include: 5}", "expected string or array of strings, got number"),
        ("{agents: {list: [{id: 'a', agentDir: '~/x'}, {id: 'b', agentDir: '~/x'}]}}", "Duplicate agentDir"),
    ] {
        let env = TestEnv::new();
        env.file(CONFIG, config);
        env.claude(3 * DAY);
        let before = crate::support::tree(&env.path(""));
        for args in [&["--json"][..], &["--check"], &["--plain"]] {
            let outcome = env.status(args);
            assert_eq!(outcome.code, 78, "{config}");
            assert_eq!(outcome.stdout, "", "{config}");
            assert!(outcome.stderr.contains(place), "{config}: {}", outcome.stderr);
        }
        assert_eq!(crate::support::tree(&env.path("")), before, "{config}");
    }
}

#[test]
fn an_invalid_ops_json_is_78_with_a_suggestion() {
    let env = TestEnv::new();
    env.file(".openclaw/ops.json", "{\n  check: {warnafter: '1h'}}");
    let outcome = env.status(&["--check"]);
    assert_eq!(outcome.code, 78);
    assert!(
        outcome
            .stderr
            .contains("~/.openclaw/ops.json:2:22: check.warnafter: unknown key; did you mean \"warnAfter\"?")
    );
}

#[test]
fn a_config_that_is_a_directory_is_an_io_error() {
    let env = TestEnv::new();
    fs_err::create_dir_all(env.path(CONFIG)).unwrap();
    let outcome = env.status(&["--check"]);
    assert_eq!(outcome.code, 74);
    assert_eq!(outcome.stderr, "error: failed to read ~/.openclaw/openclaw.json: is a directory\n");
}

#[test]
fn includes_in_a_circle_or_too_deep_are_told() {
    let env = TestEnv::new();
    env.file(CONFIG, "{$include: './a.json5'}");
    env.file(".openclaw/a.json5", "{$include: 'sub/../a.json5'}");
    let outcome = env.status(&[]);
    assert_eq!(outcome.code, 78);
    assert!(outcome.stderr.contains("Circular include detected: "), "{}", outcome.stderr);

    let env = TestEnv::new();
    env.file(CONFIG, "{$include: './0.json'}");
    for depth in 0..12 {
        env.file(&format!(".openclaw/{depth}.json"), format!("{{$include: './{}.json'}}", depth + 1));
    }
    assert!(env.status(&[]).stderr.contains("Maximum include depth (10) exceeded at: "));
}

#[test]
fn usage_errors_are_64_and_name_the_flag() {
    for (args, named) in [
        (&["models", "status", "--json", "--plain"][..], "--plain"),
        (&["models", "status", "--nope"], "--nope"),
        (&["models", "status", "extra"], "extra"),
        (&["models", "status", "--warn-after", "soon"], "--warn-after"),
        (&["models", "status", "--timeout", "0s"], "--timeout"),
        (&["models", "status", "--refreshable", "maybe"], "--refreshable"),
        (&["--dev", "--profile", "x", "models"], "--profile"),
        (&["--profile", "../x", "models"], "--profile"),
        (&["--profile"], "--profile"),
        (&["models", "--status-json", "--status-plain"], "--status-plain"),
        (&["models", "status", "--watch"], "--watch"),
        (&["nonsense"], "nonsense"),
        (&["models", "status", "--agent", "ghost"], "ghost"),
        (&[], "Usage"),
    ] {
        let outcome = TestEnv::new().run(args);
        assert_eq!(outcome.code, 64, "{args:?}");
        assert_eq!(outcome.stdout, "", "{args:?}");
        assert!(outcome.stderr.contains(named), "{args:?}: {}", outcome.stderr);
    }
}

#[test]
fn help_and_version_go_to_stdout() {
    for args in [&["--help"][..], &["models", "status", "--help"], &["-V"], &["-v"], &["--version"]] {
        let outcome = TestEnv::new().run(args);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{args:?}");
        assert!(outcome.stdout.contains(if args.len() == 1 && args[0] != "--help" {
            "0.1.0"
        } else {
            "Usage"
        }));
    }
}

#[test]
fn what_seems_to_be_missing_may_be_in_a_store_that_cannot_be_read() {
    let env = TestEnv::new();
    env.file(STORE, "{ torn");
    let (code, document) = env.check();
    assert_eq!(code, 1);
    let way = document["auth"]["missing"][0]["remedies"][0].as_str().unwrap();
    assert_eq!(
        way,
        "mend ~/.openclaw/agents/main/agent/auth-profiles.json first: the credential may be in it"
    );
}

#[test]
fn a_file_where_a_vendors_folder_would_be_is_no_login() {
    let env = TestEnv::with_default_key();
    env.file(".codex", "not a folder");
    assert_eq!(env.status(&["--check"]).code, 0);
}
