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

use super::backend::Space;
use super::checkpoint::Table;

const KIB: u32 = 1024;
const MIB: u64 = 1024 * 1024;

/// Tables in level 0 that start a merge. Each merge rewrites what overlaps below: fewer, larger
/// merges are cheaper, while a range read has one more run to look into (some 10 µs each).
const MERGE_AT_TABLES: u8 = 16;
/// A lookup by key costs one more filter probe per table, next to nothing, and random keys overlap
/// everything below, so here merges may wait longer.
const MERGE_KEYS_AT_TABLES: u8 = 32;

pub(super) struct Keyspaces {
    orders: Keyspace,
    keys: Keyspace,
    order_index: Keyspace,
    statements: Keyspace,
    announcements: Keyspace,
    deliveries: Keyspace,
    meta: Keyspace,
    checkpoint: [Keyspace; Table::ALL.len()],
}

impl Keyspaces {
    pub fn open(db: &Database) -> fjall::Result<Keyspaces> {
        let checkpoint = |table: Table| db.keyspace(table.name(), rows);
        Ok(Keyspaces {
            orders: db.keyspace("orders", orders)?,
            keys: db.keyspace("keys", keys)?,
            order_index: db.keyspace("order_index", order_index)?,
            statements: db.keyspace("statements", statements)?,
            announcements: db.keyspace("announcements", announcements)?,
            deliveries: db.keyspace("deliveries", rows)?,
            meta: db.keyspace("meta", meta)?,
            checkpoint: [
                checkpoint(Table::Accounts)?,
                checkpoint(Table::Holds)?,
                checkpoint(Table::LiveOrders)?,
                checkpoint(Table::Directory)?,
                checkpoint(Table::Campaigns)?,
            ],
        })
    }

    fn table(&self, table: Table) -> &Keyspace {
        match table {
            Table::Accounts => &self.checkpoint[0],
            Table::Holds => &self.checkpoint[1],
            Table::LiveOrders => &self.checkpoint[2],
            Table::Directory => &self.checkpoint[3],
            Table::Campaigns => &self.checkpoint[4],
        }
    }

    pub fn of(&self, space: Space) -> &Keyspace {
        match space {
            Space::Orders => &self.orders,
            Space::Keys => &self.keys,
            Space::OrderIndex => &self.order_index,
            Space::Statements => &self.statements,
            Space::Announcements => &self.announcements,
            Space::Deliveries => &self.deliveries,
            Space::Meta => &self.meta,
            Space::Checkpoint(table) => self.table(table),
        }
    }

    pub fn archive(&self) -> [&Keyspace; 5] {
        [&self.orders, &self.keys, &self.order_index, &self.statements, &self.announcements]
    }

    pub fn all(&self) -> impl Iterator<Item = &Keyspace> {
        self.archive().into_iter().chain([&self.deliveries, &self.meta]).chain(&self.checkpoint)
    }
}

/// One row an order, read by id. Rows compress well; a block of 8 KiB is some 25 rows, enough for
/// the compressor and cheap to unpack. Ids rise with time, so a merge touches only the newest
/// tables: small ones keep the untouched part of them small (64 MiB: a fifth more CPU per order).
fn orders() -> KeyspaceCreateOptions {
    let filter = bits_per_key(10.0);
    base(8 * KIB, CompressionType::Lz4, filter).compaction_strategy(merging(MERGE_AT_TABLES, 8 * MIB))
}

/// Fingerprint to order id: 24 bytes of noise, so no compression. The filter spares the tables
/// that do not have the key.
fn keys() -> KeyspaceCreateOptions {
    let filter = bits_per_key(10.0);
    base(4 * KIB, CompressionType::None, filter).compaction_strategy(merging(MERGE_KEYS_AT_TABLES, 4 * MIB))
}

/// Some 25 bytes an order, read by range. Like [`orders`], a platform's rows rise with time.
fn order_index() -> KeyspaceCreateOptions {
    let filter = FilterPolicy::disabled();
    base(8 * KIB, CompressionType::Lz4, filter).compaction_strategy(merging(MERGE_AT_TABLES, 8 * MIB))
}

/// Read by range only, so a filter would be dead weight.
fn statements() -> KeyspaceCreateOptions {
    let filter = FilterPolicy::disabled();
    base(16 * KIB, CompressionType::Lz4, filter).compaction_strategy(merging(MERGE_AT_TABLES, 16 * MIB))
}

/// Read by range in the order in which they were written, mostly the newest. A run may come every two seconds, and
/// its rows lie behind all others of their platform.
fn announcements() -> KeyspaceCreateOptions {
    let filter = FilterPolicy::disabled();
    base(16 * KIB, CompressionType::Lz4, filter)
        .compaction_strategy(merging(MERGE_AT_TABLES, 16 * MIB))
        .max_memtable_size(8 * MIB)
}

/// Checkpoint rows: overwritten often, read in one scan at start. Merged early, for the sake of
/// that scan and of the space that overwritten rows take.
fn rows() -> KeyspaceCreateOptions {
    let filter = FilterPolicy::disabled();
    base(16 * KIB, CompressionType::Lz4, filter)
        .compaction_strategy(merging(4, 32 * MIB))
        .max_memtable_size(16 * MIB)
}

/// A handful of rows. The small memtable keeps it from holding old journals alive.
fn meta() -> KeyspaceCreateOptions {
    let filter = bits_per_key(10.0);
    base(4 * KIB, CompressionType::None, filter)
        .compaction_strategy(merging(4, MIB))
        .max_memtable_size(256 * 1024)
}

/// What is new lies in the first two levels as it is and is compressed when it comes further down: it is rewritten several times
/// on its way, and to compress it each time was half of what the archive costs.
fn base(block_bytes: u32, compression: CompressionType, filter: FilterPolicy) -> KeyspaceCreateOptions {
    let compression = CompressionPolicy::new([CompressionType::None, CompressionType::None, compression]);
    KeyspaceCreateOptions::default()
        .data_block_size_policy(BlockSizePolicy::all(block_bytes))
        .data_block_compression_policy(compression)
        .filter_policy(filter)
        .manual_journal_persist(true)
}

/// Only the leveled strategy: fjall keeps no other across a restart but the one that forgets.
fn merging(at_tables: u8, table_bytes: u64) -> Arc<Leveled> {
    let strategy = Leveled::default().with_l0_threshold(at_tables);
    Arc::new(strategy.with_table_target_size(table_bytes))
}

fn bits_per_key(bits: f32) -> FilterPolicy {
    FilterPolicy::all(FilterPolicyEntry::Bloom(BloomConstructionPolicy::BitsPerKey(bits)))
}
