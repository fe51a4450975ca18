//! `loadtest recovery`: an engine at full load is killed, and started again.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Serialize;
use suanpan_model::command::OrderRef;
use suanpan_model::{AccountId, AccountType, Amount, OrderId, OrderStatus};
use suanpan_runtime::api::TopUp;
use suanpan_runtime::{Command, Engine, EngineOptions, Reply};

use crate::cli::{RecoveryArgs, VictimArgs};
use crate::clock::WallClock;
use crate::driver::{Pacing, Plan, drive};
use crate::report::{self, Origin};
use crate::run::{fresh_dir, options, runtime};
use crate::verify::{Verdict, books};
use crate::workload::{Ground, Spec, Workload};
use crate::world::{CURRENCY, PLATFORM};
use crate::{machine, setup, world};

/// Orders that the victim keeps under way.
const IN_FLIGHT: usize = 4_096;
/// How long recovered orders may take to reach their channels' truth.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Serialize)]
struct RecoveryReport {
    #[serde(flatten)]
    origin: Origin,
    /// Log records that were durable when the engine was killed, at least.
    records: u64,
    orders: u64,
    log_bytes: u64,
    write_seconds: f64,
    start_seconds: f64,
    records_per_second: f64,
    rss_bytes: u64,
    settle_seconds: f64,
    acknowledged_checked: usize,
    differences: u64,
}

/// The process that is killed: the canonical workload without a checkpoint. It tells every 100 ms how many records are
/// durable, how many orders are finished, and which was the last.
///
/// # Errors
/// As a run.
pub fn victim(args: &VictimArgs) -> Result<bool> {
    let tokio = runtime()?;
    let (now, seed) = (machine::now(), args.engine.seed);
    let spec = Spec::find("canonical")?;
    let stage = world::stage(&spec, seed, Some(&books_dir(&args.dir)?))?;
    let router = stage.world.router.clone();
    let engine = Engine::start(without_checkpoint(args, &args.dir), stage.world)?;
    let cast = tokio.block_on(setup::cast(&engine, &spec))?;
    let ground = Ground { cast: &cast, descriptors: &stage.descriptors, router: &router, now, seed };
    let workload = Workload::new(&spec, ground)?;
    let plan = Plan {
        pacing: Pacing::Closed { in_flight: IN_FLIGHT },
        warmup: Duration::ZERO,
        window: Duration::from_secs(24 * 3_600),
        orders_max: u64::MAX,
        patience: Duration::ZERO,
        tick: Duration::from_millis(100),
        rides_out: false,
    };
    drive(&engine, &workload, &plan, &WallClock::start(), &mut |tick| {
        let mut out = std::io::stdout().lock();
        let told = writeln!(out, "{} {} {}", engine.stats().durable_lsn, tick.finished, tick.last.0);
        told.and_then(|()| out.flush()).is_ok()
    })?;
    Ok(true)
}

fn without_checkpoint(args: &VictimArgs, dir: &Path) -> EngineOptions {
    let mut options = options(&args.engine, dir, IN_FLIGHT);
    options.checkpoint_every_bytes = u64::MAX;
    options
}

fn books_dir(dir: &Path) -> Result<std::path::PathBuf> {
    let books = dir.join("channels");
    fs::create_dir_all(&books)?;
    Ok(books)
}

/// Writes, kills, starts again, checks, reports. The answer is whether all is well.
///
/// # Errors
/// When the victim ends by itself, or the engine does not start.
pub fn run(args: &RecoveryArgs) -> Result<bool> {
    let dir = fresh_dir(&args.engine)?;
    let (seed, shards) = (args.engine.seed, args.engine.shards);
    let begin = Instant::now();
    let mut process = Process::new(std::env::current_exe()?);
    process.arg("victim").arg(&dir).args(["--seed", &seed.to_string()]);
    if let Some(shards) = shards {
        process.args(["--shards", &shards.to_string()]);
    }
    let mut child = process.stdout(Stdio::piped()).spawn().context("starting the process that is killed")?;
    let lived = watch(&mut child, args.events);
    // Killed in any case: SIGKILL, at full load.
    let _ = child.kill();
    child.wait()?;
    let life = lived?;
    let write_seconds = begin.elapsed().as_secs_f64();
    println!("killed after {} records and {} orders, {write_seconds:.1} s", life.records, life.finished);

    let tokio = runtime()?;
    let world = world::stage(&Spec::find("canonical")?, seed, Some(&books_dir(&dir)?))?.world;
    let victim = VictimArgs { dir: dir.clone(), engine: args.engine.clone() };
    let begin = Instant::now();
    let engine = Engine::start(without_checkpoint(&victim, &dir), world)?;
    let start_seconds = begin.elapsed().as_secs_f64();
    let rss_bytes = machine::rss_bytes();
    let begin = Instant::now();
    let mut verdict = Verdict::default();
    let recovered = tokio.block_on(length(&engine, &mut verdict));
    println!(
        "started in {start_seconds:.2} s: {recovered} records, {:.0} records/s, {} MiB resident",
        recovered as f64 / start_seconds,
        rss_bytes >> 20
    );
    tokio.block_on(check(&engine, &life, recovered, &mut verdict));
    let settle_seconds = begin.elapsed().as_secs_f64();
    for difference in &verdict.differences {
        println!("DIFFERENCE {difference}");
    }
    println!("{} differences, {} acknowledged orders looked up", verdict.count, life.acknowledged.len());
    let report = RecoveryReport {
        origin: Origin::here(&dir),
        records: recovered,
        orders: life.finished,
        log_bytes: bytes_below(&dir)?,
        write_seconds,
        start_seconds,
        records_per_second: recovered as f64 / start_seconds,
        rss_bytes,
        settle_seconds,
        acknowledged_checked: life.acknowledged.len(),
        differences: verdict.count,
    };
    if let Some(path) = &args.json {
        report::write(&report, path)?;
    }
    tokio.block_on(engine.shutdown())?;
    // The store merges on until nobody holds it.
    drop(engine);
    if verdict.count == 0 {
        fs::remove_dir_all(&dir)?;
    } else {
        println!("the run's directory is kept: {}", dir.display());
    }
    Ok(verdict.count == 0)
}

/// What the victim told before it was killed.
#[derive(Debug, Default)]
struct Life {
    records: u64,
    finished: u64,
    /// Orders whose release it saw acknowledged.
    acknowledged: Vec<OrderId>,
}

fn watch(child: &mut Child, records: u64) -> Result<Life> {
    let output = child.stdout.take().context("the process that is killed has no output")?;
    let mut life = Life::default();
    for line in BufReader::new(output).lines() {
        let line = line?;
        let numbers: Vec<u64> = line.split(' ').filter_map(|number| number.parse().ok()).collect();
        let [durable, finished, last] = numbers[..] else {
            bail!("the process that is killed said {line:?}")
        };
        (life.records, life.finished) = (durable, finished);
        if last != 0 {
            life.acknowledged.push(OrderId(last));
        }
        if durable >= records {
            return Ok(life);
        }
    }
    bail!("the process that was to be killed ended by itself after {} records", life.records)
}

/// How long the log is: one more record is written, and tells its position.
async fn length(engine: &Engine, verdict: &mut Verdict) -> u64 {
    let top_up = TopUp {
        platform: PLATFORM,
        account: AccountId::internal(AccountType::CouponFund, PLATFORM.0, CURRENCY, 0),
        amount: Amount::from_minor(1_600),
        currency: CURRENCY,
        reference: "after-recovery".into(),
    };
    if let Err(reject) = engine.top_up(top_up).await {
        verdict.differ(|| format!("the first top-up after the recovery: {reject}"));
    }
    engine.stats().durable_lsn
}

async fn check(engine: &Engine, life: &Life, recovered: u64, verdict: &mut Verdict) {
    if recovered < life.records {
        verdict.differ(|| format!("{} records were durable, {recovered} are left", life.records));
    }
    let query = |order: &OrderId| Command::Query { platform: Some(PLATFORM), order: OrderRef::Id(*order) };
    let lives = engine.call_many(life.acknowledged.iter().map(query).collect()).await;
    for (order, life) in life.acknowledged.iter().zip(lives) {
        match life {
            Ok(Reply::Life(life)) => {
                verdict.expect(|| format!("status of {order}"), &OrderStatus::Settled, &life.status);
            }
            Ok(other) => verdict.differ(|| format!("asked for the life of {order}, got {other:?}")),
            Err(reject) => verdict.differ(|| format!("order {order}: {reject}")),
        }
    }
    // What was under way with a channel is asked about; the books agree once the channels have answered.
    let begin = Instant::now();
    loop {
        let mut now = Verdict::default();
        books(&mut now, engine).await;
        let trial = engine.trial_balance().await;
        now.expect(|| "trial balance".to_owned(), &true, &trial.is_balanced());
        if now.count == 0 || begin.elapsed() > PATIENCE {
            verdict.count += now.count;
            verdict.compared += now.compared;
            verdict.differences.extend(now.differences);
            verdict.differences.extend(trial.breaks);
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn bytes_below(dir: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let about = entry.metadata()?;
        sum += if about.is_dir() { bytes_below(&entry.path())? } else { about.len() };
    }
    Ok(sum)
}
