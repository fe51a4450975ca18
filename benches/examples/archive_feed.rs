//! What the archive costs: feeding it in batches, and reading it warm and cold.
//!
//! `cargo run --release -p suanpan-benches --example archive_feed -- [orders] [orders per batch]`
//!
//! One order is a row of 300 bytes, an order key and 8 postings packed into chunks per account.
//! Orders finish out of order, within a window of 50 000. CPU is of the whole process, merging
//! included, less the making of the data. Data goes under the target directory: a real disk.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use suanpan_runtime::store::{ArchiveBatch, Store, StoreOptions};

type Outcome<T> = Result<T, Box<dyn Error>>;

const ROW_BYTES: usize = 300;
const POSTING_BYTES: usize = 24;
const POSTINGS_PER_CHUNK: usize = 64;
const WINDOW: u64 = 50_000;
const BUYERS: u64 = 500_000;
const MERCHANTS: u64 = 5_000;
const STRIPES: u64 = 16;

fn main() -> Outcome<()> {
    let mut args = std::env::args().skip(1);
    let orders: u64 = args.next().map_or(Ok(1_000_000), |a| a.parse())?;
    let per_batch: u64 = args.next().map_or(Ok(50_000), |a| a.parse())?;
    let parent = target_dir()?;
    let dir = tempfile::Builder::new().prefix("archive_feed").tempdir_in(parent)?;
    let store = Store::open(dir.path(), StoreOptions::default())?;
    feed(&store, orders, per_batch)?;
    report_tables(&store);
    println!("\nreads, everything cached as it comes");
    reads(&store, orders)?;
    drop(store);

    let cold = forget_files(dir.path())?;
    let begun = Instant::now();
    let store = Store::open(dir.path(), StoreOptions::default())?;
    println!(
        "\nreopened in {:?}, {}",
        begun.elapsed(),
        if cold { "page cache cold" } else { "page cache as it was: no dd" }
    );
    cold_reads(&store, orders)?;
    let begun = Instant::now();
    let keys = store.for_each_key(&mut |_| {})?;
    println!("scan of {keys} keys: {:?}", begun.elapsed());
    Ok(())
}

fn feed(store: &Store, orders: u64, per_batch: u64) -> Outcome<()> {
    let mut maker = Maker::new();
    let cpu_before = cpu("/proc/self/stat")?;
    let mut making = Duration::ZERO;
    let mut feeding = Duration::ZERO;
    let mut slowest = Duration::ZERO;
    println!("fed      feed s  cpu us/order  tables  unmerged  MB    order read p50 us");
    for fed in (per_batch..=orders).step_by(usize::try_from(per_batch)?) {
        let before = cpu("/proc/thread-self/stat")?;
        let batch = maker.batch(per_batch);
        making += cpu("/proc/thread-self/stat")?.saturating_sub(before);
        let begun = Instant::now();
        store.ingest(batch)?;
        let took = begun.elapsed();
        feeding += took;
        slowest = slowest.max(took);
        if fed % (orders / 10).max(per_batch) < per_batch {
            let spent = cpu("/proc/self/stat")?.saturating_sub(cpu_before + making);
            let stats = store.stats();
            let archive = &stats.keyspaces[..3];
            let mut rng = Rng(fed | 1);
            let read = timed(1_000, || found(store.order(rng.below(fed))?))?;
            println!(
                "{fed:<8} {:<7.2} {:<13.2} {:<7} {:<9} {:<5} {:.1}",
                feeding.as_secs_f64(),
                per(spent, fed),
                archive.iter().map(|k| k.tables).sum::<usize>(),
                archive.iter().map(|k| k.unmerged_tables).sum::<usize>(),
                stats.table_bytes >> 20,
                read.0,
            );
        }
    }
    let begun = Instant::now();
    let mut seen = store.stats().merges_done;
    loop {
        std::thread::sleep(Duration::from_millis(200));
        let stats = store.stats();
        if stats.merges_running == 0 && stats.merges_done == seen {
            break;
        }
        seen = stats.merges_done;
    }
    let spent = cpu("/proc/self/stat")?.saturating_sub(cpu_before + making);
    println!(
        "fed {orders} orders in batches of {per_batch}: {:.2} us of CPU per order; merging took {:.2} us of time per order;",
        per(spent, orders),
        per(Duration::from_micros(store.stats().merging_us), orders),
    );
    println!(
        "{:.0} orders/s through ingest, slowest batch {slowest:?}, merging idle {:?} after the last",
        1e6 / per(feeding, orders),
        begun.elapsed()
    );
    Ok(())
}

fn report_tables(store: &Store) {
    for k in store.stats().keyspaces.iter().take(3) {
        println!(
            "{:<11} {:>4} tables, {:>2} unmerged, {:>10} rows, {:>6.1} MB",
            k.name,
            k.tables,
            k.unmerged_tables,
            k.rows_about,
            per(Duration::from_micros(k.table_bytes), 1) / 1e6
        );
    }
}

fn reads(store: &Store, orders: u64) -> Outcome<()> {
    let mut rng = Rng(7);
    show("order by id", timed(100_000, || found(store.order(rng.below(orders))?))?);
    show(
        "order id by key, there",
        timed(100_000, || found(store.order_id_by_key(key_of(rng.below(orders)))?))?,
    );
    show(
        "order id by key, not there",
        timed(100_000, || {
            let absent = key_of(u64::MAX - rng.below(orders));
            assert_eq!(store.order_id_by_key(absent)?, None);
            Ok(())
        })?,
    );
    show("statement of a buyer", timed(20_000, || statement(store, buyer(rng.below(BUYERS)), 0).map(drop))?);
    show(
        "50 rows of a merchant",
        timed(20_000, || {
            let from = rng.below(orders * 8);
            statement(store, merchant(rng.below(MERCHANTS)), from).map(drop)
        })?,
    );
    Ok(())
}

fn cold_reads(store: &Store, orders: u64) -> Outcome<()> {
    let mut rng = Rng(99);
    show("order by id, first 500", timed(500, || found(store.order(rng.below(orders))?))?);
    show(
        "order id by key, first 500",
        timed(500, || found(store.order_id_by_key(key_of(rng.below(orders)))?))?,
    );
    show(
        "50 rows of a merchant, first 500",
        timed(500, || {
            let from = rng.below(orders * 8);
            statement(store, merchant(rng.below(MERCHANTS)), from).map(drop)
        })?,
    );
    Ok(())
}

/// At least 50 postings, if there are as many.
fn statement(store: &Store, account: u64, from_lsn: u64) -> Outcome<usize> {
    let mut postings = 0;
    let mut from = from_lsn;
    while postings < 50 {
        let chunks = store.statement(account, from, u64::MAX, 4)?;
        postings += chunks.iter().map(|c| c.postings.len() / POSTING_BYTES).sum::<usize>();
        match chunks.last() {
            Some(last) if chunks.len() == 4 => from = last.first_lsn + 1,
            _ => break,
        }
    }
    Ok(postings)
}

/// Makes orders as they finish.
struct Maker {
    rng: Rng,
    live: Vec<u64>,
    next_id: u64,
    lsn: u64,
}

impl Maker {
    fn new() -> Maker {
        Maker { rng: Rng(0x5eed), live: (0..WINDOW).collect(), next_id: WINDOW, lsn: 0 }
    }

    fn batch(&mut self, orders: u64) -> ArchiveBatch {
        let mut batch = ArchiveBatch::default();
        let mut accounts: BTreeMap<u64, Vec<(u64, [u8; POSTING_BYTES])>> = BTreeMap::new();
        for _ in 0..orders {
            let at = usize::try_from(self.rng.below(WINDOW)).unwrap_or(0);
            let id = std::mem::replace(&mut self.live[at], self.next_id);
            self.next_id += 1;
            batch.orders.push((id, self.row(id).into()));
            batch.keys.push((key_of(id), id));
            batch.index.push(((9_001, id), vec![0_u8; 25].into()));
            let shop = merchant(self.rng.below(MERCHANTS).min(self.rng.below(MERCHANTS)));
            let payer = buyer(self.rng.below(BUYERS));
            let stripe = id % STRIPES;
            for account in [payer, payer, shop, shop, stripe, stripe, 100 + stripe, 200 + stripe] {
                self.lsn += 1;
                let posting = self.posting(id);
                accounts.entry(account).or_default().push((self.lsn, posting));
            }
        }
        for (account, postings) in accounts {
            for chunk in postings.chunks(POSTINGS_PER_CHUNK) {
                let packed = chunk.iter().flat_map(|(_, p)| *p).collect();
                batch.statements.push(((account, chunk[0].0), packed));
            }
        }
        batch.watermark = self.lsn;
        batch
    }

    /// Half text that repeats, half numbers: compresses about as encoded orders do.
    fn row(&mut self, id: u64) -> Vec<u8> {
        let mut row = format!(
            "CNY PAID ALIPAY_APP platform-{:03} merchant-{:05} goods/electronics/phone-case x{}",
            id % 40,
            id % 5_000,
            id % 3
        )
        .into_bytes();
        while row.len() < ROW_BYTES {
            row.extend_from_slice(&(self.rng.next() >> 24).to_le_bytes());
        }
        row.truncate(ROW_BYTES);
        row
    }

    /// Log position, order, amount in minor units; fixed width for the sake of counting.
    fn posting(&mut self, order: u64) -> [u8; POSTING_BYTES] {
        let mut bytes = [0; POSTING_BYTES];
        bytes[..8].copy_from_slice(&self.lsn.to_le_bytes());
        bytes[8..16].copy_from_slice(&order.to_le_bytes());
        bytes[16..].copy_from_slice(&self.rng.below(100_000).to_le_bytes());
        bytes
    }
}

fn buyer(n: u64) -> u64 {
    1 << 32 | n
}

fn merchant(n: u64) -> u64 {
    2 << 32 | n
}

/// Noise, as the hash of an order number is.
fn key_of(id: u64) -> u128 {
    let (a, b) = (Rng(id ^ 0xabcd).next(), Rng(id ^ 0x1234_5678).next());
    u128::from(a) << 64 | u128::from(b)
}

struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// Found or still in the window of unfinished orders; either way the tables were asked.
#[expect(clippy::unnecessary_wraps, reason = "stands at the end of a fallible closure")]
fn found<T>(row: Option<T>) -> Outcome<()> {
    std::hint::black_box(row);
    Ok(())
}

/// p50 and p99 in microseconds.
fn timed(times: usize, mut f: impl FnMut() -> Outcome<()>) -> Outcome<(f64, f64)> {
    let mut took = Vec::with_capacity(times);
    for _ in 0..times {
        let begun = Instant::now();
        f()?;
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    Ok((per(took[times / 2], 1), per(took[times * 99 / 100], 1)))
}

fn show(what: &str, (p50, p99): (f64, f64)) {
    println!("{what:<34} p50 {p50:>7.1} us  p99 {p99:>7.1} us");
}

/// Microseconds each.
#[expect(clippy::cast_precision_loss, reason = "a report, not money")]
fn per(time: Duration, count: u64) -> f64 {
    time.as_secs_f64() * 1e6 / count as f64
}

/// User and system time of a process or thread, to 10 ms.
fn cpu(stat: &str) -> Outcome<Duration> {
    let text = std::fs::read_to_string(stat)?;
    let after_name = text.rsplit_once(')').ok_or("no name in stat")?.1;
    let ticks = after_name.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(Duration::from_millis(ticks * 10))
}

/// Has the kernel drop its cache of these files, and of no others.
fn forget_files(dir: &Path) -> Outcome<bool> {
    let mut all = true;
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        all &= if path.is_dir() {
            forget_files(&path)?
        } else {
            let mut dd = std::process::Command::new("dd");
            dd.args(["iflag=nocache", "count=0", "status=none"]);
            dd.arg(format!("if={}", path.display())).status().is_ok_and(|s| s.success())
        };
    }
    Ok(all)
}

/// The target directory this program was built into.
fn target_dir() -> Outcome<PathBuf> {
    let program = std::env::current_exe()?;
    let parent = program.ancestors().nth(2).map(Path::to_path_buf);
    Ok(parent.ok_or("the program stands in no target directory")?)
}
