//! The keyspaces of the store and how each is laid out on disk.
//!
//! Block size, filter and compression are chosen per keyspace by how it is read;
//! `cargo run --release -p suanpan-benches --example archive_feed` measures them. Options take
//! effect when a keyspace is created; an existing one keeps what it was made with.

use std::sync::Arc;

use fjall::compaction::Leveled;
use fjall::config::{
    BlockSizePolicy, BloomConstructionPolicy, CompressionPolicy, FilterPolicy, FilterPolicyEntry,
};
use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions};

use super::checkpoint::Table;

const KIB: u32 = 1024;
const MIB: u64 = 1024 * 1024;

/// Tables in level 0 that start a merge. Random keys overlap everything below, so each merge
/// rewrites the next level: fewer, larger merges are cheaper, and a lookup in one more table costs one
/// more filter probe.
const MERGE_AT_TABLES: u8 = 16;

pub(super) struct Keyspaces {
    pub orders: Keyspace,
    pub keys: Keyspace,
    pub statements: Keyspace,
    pub meta: Keyspace,
    checkpoint: [Keyspace; Table::ALL.len()],
}

impl Keyspaces {
    pub fn open(db: &Database) -> fjall::Result<Keyspaces> {
        let checkpoint = |table: Table| db.keyspace(table.name(), rows);
        Ok(Keyspaces {
            orders: db.keyspace("orders", orders)?,
            keys: db.keyspace("keys", keys)?,
            statements: db.keyspace("statements", statements)?,
            meta: db.keyspace("meta", meta)?,
            checkpoint: [
                checkpoint(Table::Accounts)?,
                checkpoint(Table::Holds)?,
                checkpoint(Table::LiveOrders)?,
                checkpoint(Table::Directory)?,
            ],
        })
    }

    pub fn table(&self, table: Table) -> &Keyspace {
        match table {
            Table::Accounts => &self.checkpoint[0],
            Table::Holds => &self.checkpoint[1],
            Table::LiveOrders => &self.checkpoint[2],
            Table::Directory => &self.checkpoint[3],
        }
    }

    pub fn archive(&self) -> [&Keyspace; 3] {
        [&self.orders, &self.keys, &self.statements]
    }

    pub fn all(&self) -> impl Iterator<Item = &Keyspace> {
        self.archive().into_iter().chain([&self.meta]).chain(&self.checkpoint)
    }
}

/// One row an order, read by id. Rows compress well; a block of 8 KiB is some 25 rows, enough for
/// the compressor and cheap to unpack.
fn orders() -> KeyspaceCreateOptions {
    base(8 * KIB, CompressionType::Lz4, bits_per_key(10.0), 64 * MIB)
}

/// Fingerprint to order id: 24 bytes of noise, so no compression. The filter is the point: nearly
/// every lookup that gets past the filter in memory is for a key that is there, in one of many
/// tables.
fn keys() -> KeyspaceCreateOptions {
    base(4 * KIB, CompressionType::None, bits_per_key(10.0), 16 * MIB)
}

/// Read by range only, so a filter would be dead weight.
fn statements() -> KeyspaceCreateOptions {
    base(16 * KIB, CompressionType::Lz4, FilterPolicy::disabled(), 64 * MIB)
}

/// Checkpoint rows: overwritten often, read in one scan at start.
fn rows() -> KeyspaceCreateOptions {
    base(16 * KIB, CompressionType::Lz4, FilterPolicy::disabled(), 32 * MIB).max_memtable_size(16 * MIB)
}

/// A handful of rows. The small memtable keeps it from holding old journals alive.
fn meta() -> KeyspaceCreateOptions {
    base(4 * KIB, CompressionType::None, bits_per_key(10.0), MIB).max_memtable_size(256 * 1024)
}

fn base(
    block_bytes: u32,
    compression: CompressionType,
    filter: FilterPolicy,
    table_bytes: u64,
) -> KeyspaceCreateOptions {
    let merging = Leveled::default().with_l0_threshold(MERGE_AT_TABLES).with_table_target_size(table_bytes);
    KeyspaceCreateOptions::default()
        .data_block_size_policy(BlockSizePolicy::all(block_bytes))
        .data_block_compression_policy(CompressionPolicy::all(compression))
        .filter_policy(filter)
        .compaction_strategy(Arc::new(merging))
        .manual_journal_persist(true)
}

fn bits_per_key(bits: f32) -> FilterPolicy {
    FilterPolicy::all(FilterPolicyEntry::Bloom(BloomConstructionPolicy::BitsPerKey(bits)))
}
