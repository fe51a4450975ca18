//! `loadtest run`: one workload from empty directory to verdict.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use suanpan_runtime::{Engine, EngineOptions, EngineStats};

use crate::cli::{EngineArgs, RunArgs};
use crate::driver::{Outcome, Pacing, Plan, Tick, drive};
use crate::machine::MachineTime;
use crate::report::{LatencyReport, Origin, RunReport};
use crate::verify::{Verdict, verify};
use crate::workload::Workload;
use crate::{machine, report, setup, world};

/// How long the last orders may take after the window.
const PATIENCE: Duration = Duration::from_secs(60);

/// A new directory below that of the arguments.
///
/// # Errors
/// When it cannot be made.
pub fn fresh_dir(args: &EngineArgs) -> Result<PathBuf> {
    let dir = args.data.join(format!("run-{}-{}", machine::now().0, std::process::id()));
    fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
    Ok(dir)
}

/// The engine's settings for `dir`, with room for `in_flight` orders.
#[must_use]
pub fn options(args: &EngineArgs, dir: &Path, in_flight: usize) -> EngineOptions {
    let mut options = EngineOptions::new(dir);
    if let Some(shards) = args.shards {
        options.shards = shards;
    }
    if let Some(mib) = args.checkpoint_mib {
        options.checkpoint_every_bytes = mib << 20;
    }
    options.in_flight_max = options.in_flight_max.max(2 * in_flight);
    options
}

/// A runtime for the engine's few asynchronous calls.
///
/// # Errors
/// When the system refuses it.
pub fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// Plays the workload, checks the books, reports. The answer is whether all is well.
///
/// # Errors
/// When the run cannot be made or gave up; differences are no error.
pub fn run(args: &RunArgs) -> Result<bool> {
    let dir = fresh_dir(&args.engine)?;
    let (report, verdict) = run_in(args, &dir)?;
    report.print();
    for difference in &verdict.differences {
        println!("DIFFERENCE {difference}");
    }
    if let Some(path) = &args.json {
        report::write(&report, path)?;
    }
    let is_well = verdict.count == 0;
    if is_well && !args.keep {
        fs::remove_dir_all(&dir).with_context(|| format!("removing {}", dir.display()))?;
    } else {
        println!("the run's directory is kept: {}", dir.display());
    }
    Ok(is_well)
}

/// Plays the workload in the empty directory `dir` and checks the books.
///
/// # Errors
/// As [`run`].
pub fn run_in(args: &RunArgs, dir: &Path) -> Result<(RunReport, Verdict)> {
    let tokio = runtime()?;
    let now = machine::now();
    let seed = args.engine.seed;
    let (world, adapters) = world::world(seed, None)?;
    let router = world.router.clone();
    let in_flight = if args.rate.is_some() { 0 } else { args.in_flight };
    let engine = Engine::start(options(&args.engine, dir, in_flight), world)?;
    let cast = tokio.block_on(setup::cast(&engine, args.buyers, args.merchants))?;
    let workload = Workload::of(args.workload, &cast, &world::descriptors()?, &router, now, seed)?;

    let before = Before {
        stats: engine.stats(),
        cpu: machine::cpu_seconds(),
        threads: machine::cpu_ticks_by_thread(),
        machine: MachineTime::now(),
    };
    let pacing = match args.rate {
        Some(per_second) => Pacing::Open { per_second },
        None => Pacing::Closed { in_flight: args.in_flight },
    };
    let plan = Plan {
        pacing,
        warmup: Duration::try_from_secs_f64(args.warmup)?,
        window: Duration::try_from_secs_f64(args.seconds)?,
        orders_max: args.orders,
        patience: PATIENCE,
        tick: Duration::from_secs(1),
    };
    let outcome = drive(&engine, &workload, &plan, &mut |tick| {
        eprintln!("{}", progress(tick, &engine));
        true
    })?;
    let mut report = assemble(args, dir, &engine, &outcome, &before);
    let mut verdict = tokio.block_on(async {
        let is_quiet = engine.drain(PATIENCE).await;
        let mut verdict = verify(&engine, &adapters, &workload, &cast, &outcome).await;
        verdict.expect(|| "the engine comes to rest".to_owned(), &true, &is_quiet);
        verdict
    });
    report.verified = engine.stats().finished;
    if let Err(fault) = tokio.block_on(engine.shutdown()) {
        verdict.differ(|| format!("shutdown: {fault}"));
    }
    (report.sampled, report.compared, report.differences) =
        (verdict.sampled, verdict.compared, verdict.count);
    Ok((report, verdict))
}

/// How things stood when the run began.
struct Before {
    stats: EngineStats,
    cpu: f64,
    threads: BTreeMap<String, u64>,
    machine: MachineTime,
}

/// One line of progress.
#[must_use]
pub fn progress(tick: &Tick, engine: &Engine) -> String {
    let stats = engine.stats();
    format!(
        "{:>5.1} s {} {:>8.0} orders/s  p50 {:>6} µs  p99 {:>7} µs  {:>6} under way  lag {:>8}  rss {:>5} MiB{}",
        tick.elapsed.as_secs_f64(),
        if tick.measuring { " " } else { "~" },
        tick.per_second,
        tick.latency.p50,
        tick.latency.p99,
        tick.under_way,
        stats.archive_lag,
        machine::rss_bytes() >> 20,
        stats.unavailable.map_or_else(String::new, |why| format!("  UNAVAILABLE: {why}")),
    )
}

fn assemble(args: &RunArgs, dir: &Path, engine: &Engine, outcome: &Outcome, before: &Before) -> RunReport {
    let (tally, after) = (&outcome.tally, engine.stats());
    let per = |whole: u64, parts: u64| whole as f64 / parts.max(1) as f64;
    let records = after.records - before.stats.records;
    let seconds = outcome.window.as_secs_f64();
    let requests = tally.sent + tally.acknowledged + tally.busy;
    let threads = machine::cpu_ticks_by_thread().into_iter().map(|(name, ticks)| {
        let used = ticks.saturating_sub(before.threads.get(&name).copied().unwrap_or(0));
        (name, used as f64 / machine::TICKS_PER_SECOND)
    });
    RunReport {
        workload: args.workload.name(),
        seed: args.engine.seed,
        origin: Origin::here(dir),
        shards: options(&args.engine, dir, 0).shards,
        seconds,
        in_flight: args.rate.is_none().then_some(args.in_flight),
        rate: args.rate,
        orders: outcome.orders,
        orders_per_second: if seconds > 0.0 { outcome.orders as f64 / seconds } else { 0.0 },
        acknowledged: tally.acknowledged,
        verified: 0,
        sampled: 0,
        compared: 0,
        differences: 0,
        rejects: tally.rejects.clone(),
        busy: tally.busy,
        latency_us: LatencyReport {
            create_ack: tally.create_ack.percentiles(),
            order: tally.order.percentiles(),
        },
        orders_by_second: tally.by_second.clone(),
        rss_bytes: machine::rss_bytes(),
        cpu_seconds: machine::cpu_seconds() - before.cpu,
        machine_seconds: MachineTime::now().since(before.machine),
        cpu_seconds_by_thread: threads.filter(|(_, seconds)| *seconds > 0.0).collect(),
        log_bytes_per_order: per(after.log_bytes - before.stats.log_bytes, tally.acknowledged),
        records_per_order: per(records, tally.acknowledged),
        records_per_group: per(records, after.groups - before.stats.groups),
        commit_us: after.commit_micros,
        requests_per_batch: per(requests, outcome.batches),
        archive_lag: after.archive_lag,
        drain_seconds: outcome.drain.as_secs_f64(),
    }
}
