//! Tests of the store.

mod archive;
mod backends;
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
    // Merging may remove a file between listing and copying it: then the copy is no moment's image, and is made anew.
    for _ in 0..50 {
        let copy = dir();
        match copy_files(live.path(), copy.path()) {
            Ok(()) => return copy,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => panic!("the store cannot be copied: {error}"),
        }
    }
    panic!("the store changes faster than it can be copied");
}

fn copy_files(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            std::fs::create_dir(&to)?;
            copy_files(&entry.path(), &to)?;
        } else {
            std::fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

/// A fingerprint as the caller makes them: noise.
fn fingerprint(n: u64) -> u128 {
    xxhash_rust::xxh3::xxh3_128(&n.to_le_bytes())
}

/// Orders `ids` with their keys and one chunk for account `id % 50` each; rows name the `version`.
fn batch(ids: std::ops::Range<u64>, version: &str) -> ArchiveBatch {
    ArchiveBatch {
        watermark: ids.end,
        orders: ids.clone().map(|id| (id, row(id, version).into())).collect(),
        keys: ids.clone().map(|id| (fingerprint(id), id)).collect(),
        index: ids.clone().map(|id| ((7, id), row(id, version).into())).collect(),
        statements: ids.map(|id| ((id % 50, id), row(id, version))).collect(),
    }
}

fn row(id: u64, version: &str) -> Vec<u8> {
    format!("order {id} {version}").into_bytes()
}
