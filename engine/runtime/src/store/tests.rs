//! Tests of the store.

mod archive;
mod checkpoint;
mod disk_full;
mod key_filter;
mod open;

use std::path::Path;

use tempfile::TempDir;

use super::{ArchiveBatch, Store, StoreOptions};

fn dir() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn open(dir: &Path) -> Store {
    Store::open(dir, StoreOptions::default()).unwrap()
}

/// What a killed process leaves: the files of a store that is still open, as they are now.
fn crashed(live: &Store) -> TempDir {
    let copy = dir();
    copy_files(live.path(), copy.path());
    copy
}

fn copy_files(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&to).unwrap();
            copy_files(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// A fingerprint as the caller makes them: noise.
fn fingerprint(n: u64) -> u128 {
    xxhash_rust::xxh3::xxh3_128(&n.to_le_bytes())
}

/// Orders `ids` with their keys and one chunk for account `id % 50` each; rows name the `version`.
fn batch(ids: std::ops::Range<u64>, version: &str) -> ArchiveBatch {
    ArchiveBatch {
        watermark: ids.end,
        orders: ids.clone().map(|id| (id, row(id, version))).collect(),
        keys: ids.clone().map(|id| (fingerprint(id), id)).collect(),
        statements: ids.map(|id| ((id % 50, id), row(id, version))).collect(),
    }
}

fn row(id: u64, version: &str) -> Vec<u8> {
    format!("order {id} {version}").into_bytes()
}
