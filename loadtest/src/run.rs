//! One run in process, from empty directory to verdict.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use suanpan_runtime::journal::Journal;
use suanpan_runtime::{Engine, EngineOptions, EngineStats};

use crate::cli::EngineArgs;
use crate::clock::WallClock;
use crate::driver::{Outcome, Pacing, Plan, Tally, Tick, drive};
use crate::latency::Percentiles;
use crate::machine::MachineTime;
use crate::reading::Reader;
use crate::report::{EngineReport, Incident, Origin, RunReport, latencies};
use crate::series::{Gauge, Series, progress};
use crate::timer::Timer;
use crate::verify::{Audit, Verdict};
use crate::workload::{Ground, Outage, Spec, Workload};
use crate::world::Stage;
use crate::{disk, machine, setup, world};

/// How long the last orders may take after the window.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Writes by which the disk is measured before a run.
const DISK_WRITES: u32 = 100;

/// What a run is to be.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The workload.
    pub spec: Spec,
    /// When orders are sent.
    pub pacing: Pacing,
    /// Time before the measured window.
    pub warmup: Duration,
    /// The measured window.
    pub window: Duration,
    /// How many orders are sent at the most.
    pub orders_max: u64,
    /// The engine.
    pub engine: EngineArgs,
}

/// Something done to the engine while it works.
pub trait Disturbance {
    /// The log that the engine runs on, instead of its own; asked for once.
    ///
    /// # Errors
    /// When it cannot be opened.
    fn journal(&mut self, dir: &Path) -> Result<Option<Box<dyn Journal>>>;

    /// Hears how the run stands, many times a second.
    fn at(&mut self, tick: &Tick);

    /// What was done.
    fn incidents(&self) -> Vec<Incident>;
}

/// What a run came to.
#[derive(Debug)]
pub struct Played {
    /// Its figures.
    pub report: RunReport,
    /// Whether they are worth anything.
    pub verdict: Verdict,
    /// Its counts and histograms.
    pub tally: Tally,
}

/// A new directory below that of the arguments.
///
/// # Errors
/// When it cannot be made.
pub fn fresh_dir(args: &EngineArgs) -> Result<PathBuf> {
    let base = args.data.join(format!("run-{}-{}", machine::now().0, std::process::id()));
    let tries = (1..).map(|number| base.with_extension(number.to_string()));
    for dir in std::iter::once(base.clone()).chain(tries) {
        fs::create_dir_all(&args.data).with_context(|| format!("making {}", args.data.display()))?;
        match fs::create_dir(&dir) {
            Ok(()) => return Ok(dir),
            Err(fault) if fault.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(fault) => return Err(fault).with_context(|| format!("making {}", dir.display())),
        }
    }
    Ok(base)
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

impl Settings {
    /// The plan of the driver.
    #[must_use]
    pub fn plan(&self) -> Plan {
        /// Points of a run over time, at the most.
        const POINTS: f64 = 600.0;
        let tick = ((self.warmup + self.window).as_secs_f64() / POINTS).clamp(0.1, 60.0);
        Plan {
            pacing: self.pacing,
            warmup: self.warmup,
            window: self.window,
            orders_max: self.orders_max,
            patience: PATIENCE,
            tick: Duration::from_secs_f64(tick),
            rides_out: false,
        }
    }
}

/// Plays in the empty directory `dir` and checks the books.
///
/// # Errors
/// When the run cannot be made or gave up; differences are no error.
pub fn play(settings: &Settings, dir: &Path, disturbance: Option<&mut dyn Disturbance>) -> Result<Played> {
    let tokio = runtime()?;
    let now = machine::now();
    let (spec, seed) = (&settings.spec, settings.engine.seed);
    let disk = disk::measure(dir, 4 << 10, DISK_WRITES)?.append_us;
    let Stage { world, adapters, descriptors, outage } = world::stage(spec, seed, None)?;
    let router = world.router.clone();
    let in_flight = if let Pacing::Closed { in_flight } = settings.pacing { in_flight } else { 0 };
    let options = options(&settings.engine, dir, in_flight);
    let shards = options.shards;
    let mut disturbance = disturbance;
    let engine = match disturbance.as_mut().map(|one| one.journal(dir)).transpose()?.flatten() {
        Some(journal) => Engine::start_on(journal, options, world)?,
        None => Engine::start(options, world)?,
    };
    let cast = tokio.block_on(setup::cast(&engine, spec))?;
    let ground = Ground { cast: &cast, descriptors: &descriptors, router: &router, now, seed };
    let workload = Workload::new(spec, ground)?;

    let before = Before::now(&engine);
    let origin = Origin::here(dir);
    let mut series = Series::new(Gauge { pid: None });
    let mut told_s = 0;
    let reader = Reader::start(&engine, &cast.merchants, spec.reading, seed)?;
    let plan = Plan { rides_out: disturbance.is_some(), ..settings.plan() };
    let timer = Timer::start()?;
    let outcome = drive(&engine, &workload, &plan, &WallClock::start(), &mut |tick| {
        let stats = engine.stats();
        let point = series.add(tick, Some(&stats));
        if let Some(out) = &spec.outage {
            outage.set(is_out(out, tick.elapsed));
        }
        if let Some(disturbance) = disturbance.as_mut() {
            disturbance.at(tick);
        }
        if tick.elapsed.as_secs() > told_s {
            told_s = tick.elapsed.as_secs();
            eprintln!("{}", progress(tick, &point, stats.unavailable.as_deref()));
        }
        true
    })?;
    outage.set(false);
    let reading = reader.map(Reader::stop).transpose()?;
    let mut report = report(settings, origin, &outcome);
    report.timer_late_us = timer.stop()?;
    before.add_to(&mut report);
    let mut engine_report = before.engine(&engine, &outcome);
    (engine_report.shards, engine_report.disk_us) = (shards, (disk.p50, disk.p99));
    report.incidents = disturbance.map_or_else(Vec::new, |one| one.incidents());
    if let Some(out) = &spec.outage {
        let (what, from_s) = (format!("outage of {}", out.channels.join(", ")), out.after_s);
        report.incidents.push(Incident::new(what, from_s, from_s + out.for_s));
    }
    report.points = series.into_points();
    recoveries(&mut report);
    engine_report.archive_seconds = archived(&engine);
    let mut verdict = tokio.block_on(async {
        let is_quiet = engine.drain(PATIENCE).await;
        let audit = Audit {
            engine: &engine,
            adapters: &adapters,
            descriptors: &descriptors,
            workload: &workload,
            cast: &cast,
            outcome: &outcome,
        };
        let mut verdict = audit.verify().await;
        verdict.expect(|| "the engine comes to rest".to_owned(), &true, &is_quiet);
        verdict
    });
    if let Some(read) = &reading {
        verdict.expect(|| "trial balances that did not balance".to_owned(), &0, &read.unbalanced);
        verdict.expect(|| "statements that were refused".to_owned(), &0, &read.failed);
    }
    let stats = engine.stats();
    // An order that is touched again after its end is counted as finished again.
    let ended = stats.created.min(stats.finished).saturating_sub(stats.live_orders as u64);
    report.verified = ended.saturating_sub(outcome.tally.unpaid);
    engine_report.contradictions = stats.contradictions;
    if let Err(fault) = tokio.block_on(engine.shutdown()) {
        verdict.differ(|| format!("shutdown: {fault}"));
    }
    report.reading = reading;
    report.engine = Some(engine_report);
    (report.sampled, report.compared, report.differences) =
        (verdict.sampled, verdict.compared, verdict.count);
    Ok(Played { report, verdict, tally: outcome.tally })
}

fn is_out(outage: &Outage, elapsed: Duration) -> bool {
    let at_s = elapsed.as_secs_f64();
    outage.after_s <= at_s && at_s < outage.after_s + outage.for_s
}

/// Waits for the archive to catch up; how long it took, in seconds.
fn archived(engine: &Engine) -> f64 {
    let begin = Instant::now();
    while engine.stats().archive_lag > 0 && begin.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(5));
    }
    begin.elapsed().as_secs_f64()
}

/// How long no order was finished around each incident, and when orders were finished again.
pub fn recoveries(report: &mut RunReport) {
    let points = &report.points;
    report.incidents.iter_mut().for_each(|incident| incident.measure(points));
}

/// How things stood when the run began.
struct Before {
    stats: EngineStats,
    cpu: f64,
    threads: BTreeMap<String, u64>,
    machine: MachineTime,
}

impl Before {
    fn now(engine: &Engine) -> Self {
        Self {
            stats: engine.stats(),
            cpu: machine::cpu_seconds(),
            threads: machine::cpu_ticks_by_thread(),
            machine: MachineTime::now(),
        }
    }

    fn add_to(&self, report: &mut RunReport) {
        let threads = machine::cpu_ticks_by_thread().into_iter().map(|(name, ticks)| {
            let used = ticks.saturating_sub(self.threads.get(&name).copied().unwrap_or(0));
            (name, used as f64 / machine::TICKS_PER_SECOND)
        });
        report.cpu_seconds_by_thread = threads.filter(|(_, seconds)| *seconds > 0.0).collect();
        report.cpu_seconds = Some(machine::cpu_seconds() - self.cpu);
        report.machine_seconds = MachineTime::now().since(self.machine);
        report.rss_bytes = Some(machine::rss_bytes());
    }

    fn engine(&self, engine: &Engine, outcome: &Outcome) -> EngineReport {
        let (tally, after) = (&outcome.tally, engine.stats());
        let per = |whole: u64, parts: u64| whole as f64 / parts.max(1) as f64;
        let records = after.records - self.stats.records;
        EngineReport {
            log_bytes_per_order: per(after.log_bytes - self.stats.log_bytes, tally.acknowledged),
            records_per_order: per(records, tally.acknowledged),
            records_per_group: per(records, after.groups - self.stats.groups),
            commit_us: after.commit_micros,
            requests_per_batch: per(tally.sent + tally.acknowledged + tally.busy, outcome.batches),
            archive_lag: after.archive_lag,
            ..EngineReport::default()
        }
    }
}

/// A report with what the driver saw; the rest is zero.
#[must_use]
pub fn report(settings: &Settings, origin: Origin, outcome: &Outcome) -> RunReport {
    let tally = &outcome.tally;
    let seconds = outcome.window.as_secs_f64();
    let (in_flight, rate) = match settings.pacing {
        Pacing::Closed { in_flight } => (Some(in_flight), None),
        Pacing::Open { per_second } => (None, Some(per_second)),
    };
    RunReport {
        workload: settings.spec.name.clone(),
        about: settings.spec.about.clone(),
        seed: settings.engine.seed,
        origin,
        warmup_seconds: settings.warmup.as_secs_f64(),
        seconds,
        in_flight,
        rate,
        batch: None,
        orders: outcome.orders,
        orders_per_second: if seconds > 0.0 { outcome.orders as f64 / seconds } else { 0.0 },
        acknowledged: tally.acknowledged,
        verified: 0,
        unpaid: tally.unpaid,
        cancelled: 0,
        sampled: 0,
        compared: 0,
        differences: 0,
        rejects: tally.rejects.clone(),
        planned_rejects: tally.planned_rejects.clone(),
        busy: tally.busy,
        repeats: tally.repeats,
        latency_us: latencies(tally),
        orders_by_second: tally.by_second.clone(),
        acceptance_seconds: outcome.acceptance.as_secs_f64(),
        drain_seconds: outcome.drain.as_secs_f64(),
        rss_bytes: None,
        cpu_seconds: None,
        machine_seconds: MachineTime::default(),
        timer_late_us: Percentiles::default(),
        cpu_seconds_by_thread: BTreeMap::new(),
        engine: None,
        reading: None,
        echo: None,
        incidents: Vec::new(),
        points: Vec::new(),
    }
}
