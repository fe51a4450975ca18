//! Rules of the repository: which crate may use which, and what the pure crates must not contain.

#![allow(clippy::unwrap_used, reason = "test code: a panic is the report")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A crate of the workspace, its folder, and the crates of the workspace that it may use.
const DIRECTION: [(&str, &str, &[&str]); 10] = [
    ("suanpan-model", "engine/model", &[]),
    ("suanpan-core", "engine/core", &["suanpan-model"]),
    ("suanpan-channels", "channels", &["suanpan-model"]),
    ("suanpan-runtime", "engine/runtime", &["suanpan-model", "suanpan-core", "suanpan-channels"]),
    (
        "suanpan-server",
        "engine/server",
        &[
            "suanpan-model",
            "suanpan-core",
            "suanpan-channels",
            "suanpan-runtime",
            "suanpan-signing",
            "suanpan-client",
        ],
    ),
    ("suanpan-signing", "engine/signing", &[]),
    ("suanpan-client", "engine/client", &["suanpan-signing"]),
    ("suanpan-sim", "engine/sim", &["suanpan-model", "suanpan-core", "suanpan-channels", "suanpan-runtime"]),
    (
        "loadtest",
        "loadtest",
        &["suanpan-model", "suanpan-core", "suanpan-channels", "suanpan-runtime", "suanpan-signing"],
    ),
    ("suanpan-benches", "benches", &["suanpan-model", "suanpan-core", "suanpan-channels", "suanpan-runtime"]),
];

/// What the pure crates may use from outside: no IO, no clock, no randomness, no async.
const PURE: [(&str, &[&str]); 2] = [
    (
        "engine/model",
        &["postcard", "rust_decimal", "serde", "smallvec", "smol_str", "thiserror", "xxhash-rust"],
    ),
    (
        "engine/core",
        &["hashbrown", "rust_decimal", "rustc-hash", "serde", "smallvec", "smol_str", "thiserror"],
    ),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn dependencies(folder: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
    let manifest: BTreeMap<String, toml::Value> = toml::from_str(&text).unwrap();
    manifest["dependencies"].as_table().unwrap().keys().cloned().collect()
}

fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn crates_depend_in_one_direction() {
    let names: Vec<&str> = DIRECTION.iter().map(|(name, _, _)| *name).collect();
    for (name, folder, allowed) in DIRECTION {
        for dependency in dependencies(folder) {
            let ours = names.contains(&dependency.as_str());
            assert!(!ours || allowed.contains(&dependency.as_str()), "{name} must not use {dependency}");
        }
    }
    for (folder, allowed) in PURE {
        for dependency in dependencies(folder) {
            let ours = names.contains(&dependency.as_str());
            assert!(
                ours || allowed.contains(&dependency.as_str()),
                "{folder} is pure: {dependency} is too much"
            );
        }
    }
}

#[test]
fn pure_crates_know_no_float_no_clock_no_thread() {
    let forbidden =
        ["f32", "f64", "SystemTime", "Instant::now", "std::thread", "std::fs", "std::net", "async fn"];
    for path in sources("engine/model/src").into_iter().chain(sources("engine/core/src")) {
        let text = fs::read_to_string(&path).unwrap();
        for word in forbidden {
            let found = text.lines().find(|line| !line.trim_start().starts_with("//") && line.contains(word));
            assert!(found.is_none(), "{}: {word} in a pure crate: {found:?}", path.display());
        }
    }
}

#[test]
fn one_file_reads_the_clock() {
    for path in sources("engine/runtime/src").into_iter().chain(sources("channels/src")) {
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            !text.contains("SystemTime::now") || path.ends_with("clock.rs"),
            "{} reads the clock",
            path.display()
        );
    }
}

#[test]
fn versions_stand_in_one_place() {
    for (_, folder, _) in DIRECTION {
        let text = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
        let named = text.lines().find(|line| line.contains("version = \""));
        assert!(
            named.is_none(),
            "{folder}/Cargo.toml names a version ({named:?}); it belongs to the workspace"
        );
    }
}
