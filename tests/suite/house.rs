//! The rules of the house, checked on the source itself.

use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Each layer and the ones that it may use beside itself and those that everybody may.
const LAYERS: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("clock", &[]),
    ("exit", &["core"]),
    ("process", &[]),
    ("format", &["core"]),
    ("sys", &["core", "clock"]),
    ("workspace", &["core", "format", "sys", "clock", "exit", "process"]),
    ("sync", &["workspace", "core", "format", "sys", "clock"]),
    ("login", &["refresh", "workspace", "core", "format", "sys", "clock", "process"]),
    (
        "monitor",
        &[
            "notify",
            "refresh",
            "schedule",
            "sync",
            "workspace",
            "core",
            "format",
            "sys",
            "clock",
            "exit",
            "process",
        ],
    ),
    ("notify", &["core", "format", "sys", "clock"]),
    ("probe", &["workspace", "core", "sys", "clock"]),
    ("refresh", &["workspace", "core", "format", "sys", "clock", "process"]),
    ("scan", &["workspace", "core", "format", "sys"]),
    ("usage", &["workspace", "core", "format", "sys", "clock"]),
    (
        "metrics",
        &["sync", "usage", "workspace", "render", "core", "format", "sys", "clock", "exit", "process"],
    ),
    ("schedule", &[]),
    ("service", &["workspace", "core", "format", "sys", "clock", "exit", "process"]),
    ("settings", &["core", "exit", "format"]),
    ("whereabouts", &["workspace", "core", "sys", "clock", "exit", "process"]),
    (
        "doctor",
        &["sync", "service", "whereabouts", "workspace", "core", "format", "sys", "clock", "exit", "process"],
    ),
    (
        "gateway",
        &[
            "metrics",
            "refresh",
            "sync",
            "usage",
            "workspace",
            "render",
            "core",
            "format",
            "sys",
            "clock",
            "exit",
            "process",
        ],
    ),
    ("render", &["core", "exit", "format"]),
    (
        "cli",
        &[
            "doctor",
            "gateway",
            "sync",
            "login",
            "metrics",
            "monitor",
            "probe",
            "refresh",
            "scan",
            "schedule",
            "service",
            "settings",
            "usage",
            "whereabouts",
            "sys",
            "workspace",
            "render",
            "core",
            "format",
            "clock",
            "exit",
            "process",
        ],
    ),
    ("main", &["cli", "clock", "process"]),
];

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs_err::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn layer_of(file: &Path) -> String {
    let relative = file.strip_prefix(Path::new(ROOT).join("src")).unwrap();
    let first = relative.components().next().unwrap().as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// Every layer that a file names, in `use` lines and in paths.
fn uses(text: &str) -> Vec<String> {
    let code: String =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let names = |marker: &str| -> Vec<String> {
        code.split(marker)
            .skip(1)
            .map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
            .collect()
    };
    let mut found = names("crate::");
    found.extend(names("openclaw::"));
    found.retain(|name| !name.is_empty());
    found
}

#[test]
fn dependencies_point_one_way() {
    for file in rust_files(&Path::new(ROOT).join("src")) {
        let layer = layer_of(&file);
        if layer == "lib" {
            continue;
        }
        let (_, allowed) = LAYERS
            .iter()
            .find(|(name, _)| *name == layer)
            .unwrap_or_else(|| panic!("{} is in no layer", file.display()));
        for used in uses(&fs_err::read_to_string(&file).unwrap()) {
            assert!(used == layer || allowed.contains(&used.as_str()), "{} uses {used}", file.display());
        }
    }
}

#[test]
fn the_layer_test_sees_a_break() {
    assert_eq!(uses("// crate::no\nuse crate::sys::files;\nlet x = crate::cli::run();"), ["sys", "cli"]);
}

#[test]
fn the_core_does_nothing_but_compute() {
    for file in rust_files(&Path::new(ROOT).join("src/core")) {
        let text = fs_err::read_to_string(&file).unwrap();
        for banned in
            ["std::fs", "fs_err", "std::io", "std::env", "std::net", "std::process", "std::thread", "tokio"]
        {
            assert!(!text.contains(banned), "{} names {banned}", file.display());
        }
    }
}

#[test]
fn every_test_file_is_declared() {
    let suite = Path::new(ROOT).join("tests/suite");
    let main = fs_err::read_to_string(suite.join("main.rs")).unwrap();
    for file in rust_files(&suite) {
        let relative = file.strip_prefix(&suite).unwrap();
        let name = relative.components().next().unwrap().as_os_str().to_string_lossy();
        let name = name.trim_end_matches(".rs");
        assert!(name == "main" || main.contains(&format!("mod {name};")), "{} is never run", file.display());
    }
}

#[test]
fn files_have_one_reason_to_exist() {
    for file in rust_files(&Path::new(ROOT).join("src")) {
        let lines = fs_err::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= 450, "{} has {lines} lines", file.display());
    }
}
