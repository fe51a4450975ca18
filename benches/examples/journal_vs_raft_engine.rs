//! The segment journal beside `raft-engine`, in one run and on one disk.
//!
//! Groups of 300-byte records are appended one after the other by one thread, each made durable before the next, as
//! the journal writer of a partition does. Contenders take turns, so that a slow minute of the machine meets all.
//! Each is warmed up until it reuses its files, and releases old groups while it is measured. Record bytes are
//! ready beforehand: what is measured is the log alone.
//!
//! `cargo run --release -p suanpan-benches --features raft-engine --example journal_vs_raft_engine [-- MIB_PER_RUN]`

use std::path::Path;
use std::time::{Duration, Instant};

use raft_engine::{Config, Engine, LogBatch, ReadableSize};
use suanpan_runtime::journal::{Journal, JournalOptions, SegmentJournal};

const RECORD_BYTES: usize = 300;
const RUNS: usize = 3;
const WARM_UP_BYTES: usize = 320 << 20;
const FILE_BYTES: u64 = 64 << 20;
/// How much of the log is held before older groups are released.
const HELD_BYTES: usize = 64 << 20;

type Failure = Box<dyn std::error::Error>;

/// A log that takes groups.
trait Contender {
    /// Appends a group durably.
    fn append(&mut self, records: u32, payload: &[u8]) -> Result<(), Failure>;
    /// Releases all groups but the last `groups`, as far as the log likes.
    fn release_all_but(&mut self, groups: u64) -> Result<(), Failure>;
}

struct Ours {
    journal: SegmentJournal,
}

impl Contender for Ours {
    fn append(&mut self, records: u32, payload: &[u8]) -> Result<(), Failure> {
        self.journal.append(records, payload)?;
        Ok(())
    }

    fn release_all_but(&mut self, _groups: u64) -> Result<(), Failure> {
        // Segments that are closed; the active one always stays.
        Ok(self.journal.release_before(self.journal.next_lsn())?)
    }
}

struct Raft {
    engine: Engine,
    batch: LogBatch,
    next: u64,
    oldest: u64,
}

impl Raft {
    fn open(dir: &Path, compressed: bool) -> Result<Self, Failure> {
        let mut config = Config {
            dir: dir.display().to_string(),
            target_file_size: ReadableSize(FILE_BYTES),
            purge_threshold: ReadableSize(2 * FILE_BYTES),
            enable_log_recycle: true,
            prefill_for_recycle: true,
            ..Config::default()
        };
        if !compressed {
            config.batch_compression_threshold = ReadableSize(0);
        }
        Ok(Self { engine: Engine::open(config)?, batch: LogBatch::default(), next: 1, oldest: 1 })
    }
}

impl Contender for Raft {
    fn append(&mut self, _records: u32, payload: &[u8]) -> Result<(), Failure> {
        self.batch.put(1, self.next.to_be_bytes().to_vec(), payload.to_vec())?;
        self.engine.write(&mut self.batch, true)?;
        self.next += 1;
        Ok(())
    }

    fn release_all_but(&mut self, groups: u64) -> Result<(), Failure> {
        while self.oldest + groups < self.next {
            self.batch.delete(1, self.oldest.to_be_bytes().to_vec());
            self.oldest += 1;
        }
        self.engine.write(&mut self.batch, false)?;
        self.engine.purge_expired_files()?;
        Ok(())
    }
}

struct Measured {
    records_per_s: f64,
    p50: Duration,
    p99: Duration,
    worst: Duration,
}

/// Records about as compressible as ours: ids, amounts and times that differ, names that repeat.
fn group(bytes: usize) -> (u32, Vec<u8>) {
    let (mut payload, mut records, mut state) = (Vec::with_capacity(bytes), 0, 1_u64);
    while payload.len() + RECORD_BYTES <= bytes {
        for word in 0..RECORD_BYTES / 4 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let [.., a, b, c, d] = state.to_le_bytes();
            payload.extend_from_slice(&if word % 3 == 0 { [a, b, c, d] } else { *b"CNY " });
        }
        records += 1;
    }
    (records, payload)
}

fn measure(log: &mut dyn Contender, group_bytes: usize, run_bytes: usize) -> Result<Measured, Failure> {
    let (records, payload) = group(group_bytes);
    let held = (HELD_BYTES / group_bytes) as u64;
    let mut latencies = Vec::with_capacity(run_bytes / group_bytes);
    let mut start = Instant::now();
    for n in 0..(WARM_UP_BYTES + run_bytes) / group_bytes {
        let warm = n >= WARM_UP_BYTES / group_bytes;
        if n == WARM_UP_BYTES / group_bytes {
            start = Instant::now();
        }
        let begun = Instant::now();
        log.append(records, &payload)?;
        if warm {
            latencies.push(begun.elapsed());
        }
        if n % (HELD_BYTES / group_bytes) == 0 {
            log.release_all_but(held)?;
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let at = |per_mille: usize| latencies[(latencies.len() - 1) * per_mille / 1000];
    let measured_records = f64::from(records) * (run_bytes / group_bytes) as f64;
    Ok(Measured { records_per_s: measured_records / seconds, p50: at(500), p99: at(990), worst: at(1000) })
}

fn open(contender: &str, dir: &Path) -> Result<Box<dyn Contender>, Failure> {
    Ok(match contender {
        "segment journal" => {
            let options = JournalOptions { segment_bytes: FILE_BYTES, ..JournalOptions::default() };
            Box::new(Ours { journal: SegmentJournal::open(dir, options)? })
        }
        "raft-engine" => Box::new(Raft::open(dir, true)?),
        _ => Box::new(Raft::open(dir, false)?),
    })
}

fn main() -> Result<(), Failure> {
    let mib: usize = std::env::args().nth(1).map_or(Ok(256), |arg| arg.parse())?;
    // Below the target directory: a real disk, where a temporary directory may be memory.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    println!(
        "{:<20} {:>7} {:>12} {:>9} {:>9} {:>9}",
        "log", "group", "records/s", "p50 ms", "p99 ms", "worst ms"
    );
    for group_bytes in [64 << 10, 256 << 10] {
        for _ in 0..RUNS {
            for contender in ["segment journal", "raft-engine", "raft-engine, no LZ4"] {
                let dir = tempfile::Builder::new().prefix("journal-bench-").tempdir_in(&root)?;
                let mut log = open(contender, &dir.path().join("log"))?;
                let Measured { records_per_s, p50, p99, worst } = measure(&mut *log, group_bytes, mib << 20)?;
                let ms = |latency: Duration| latency.as_secs_f64() * 1e3;
                println!(
                    "{contender:<20} {:>3} KiB {records_per_s:>12.0} {:>9.2} {:>9.2} {:>9.2}",
                    group_bytes >> 10,
                    ms(p50),
                    ms(p99),
                    ms(worst)
                );
            }
        }
    }
    Ok(())
}
