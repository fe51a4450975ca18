//! One run against a server, from accounts to verdict.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::bodies::Bodies;
use super::echo::{Echo, EchoReport};
use super::entrance::Entrance;
use super::hammer::Hammer;
use super::in_doubt;
use super::mall::{Balances, Mall};
use super::metrics::Watch;
use super::pool::{Door, Pool};
use super::spawn::{Access, Server, program};
use super::target::HttpTarget;
use super::tls::TlsFiles;
use crate::cli::{PlayArgs, ServerArgs};
use crate::clock::WallClock;
use crate::driver::{Outcome, Plan, Tick, drive};
use crate::machine::{self, MachineTime};
use crate::report::{Incident, Origin, Resources};
use crate::run::{Played, Settings, fresh_dir, recoveries, report, runtime};
use crate::runs::tell;
use crate::series::{Gauge, Series, Source, progress};
use crate::timer::Timer;
use crate::verify::{Sums, Verdict};
use crate::workload::{Cast, Ground, Spec, Workload};
use crate::world;

/// How long the books may take to agree after the last order.
const BOOKS_PATIENCE: Duration = Duration::from_secs(60);
/// How long a server may take to start, in seconds.
const START_S: u64 = 120;
/// How long one that runs already may take to answer; what was signed before it started it refuses for a second or two.
const FOREIGN_START_S: u64 = 10;
/// How long the last orders may take after a disturbance before those whose payment nobody knows are cancelled: a few
/// rounds of asking the channel.
const IN_DOUBT_PATIENCE: Duration = Duration::from_secs(25);
/// How many orders are looked up after the run.
const SAMPLES: usize = 500;
/// How long server and echo are hammered each.
const ECHO_LASTS: Duration = Duration::from_secs(5);

/// Something done to a server of our own while it works.
pub trait ServerDisturbance {
    /// Hears how the run stands, many times a second.
    ///
    /// # Errors
    /// When it cannot do its work.
    fn at(&mut self, tick: &Tick, server: &mut Server) -> Result<()>;

    /// What was done.
    fn incidents(&self) -> Vec<Incident>;
}

/// One run, told of when it is over.
///
/// # Errors
/// When the server cannot be started or reached, or refuses too much.
pub fn once(
    args: &PlayArgs,
    at: &ServerArgs,
    settings: &Settings,
    disturbance: Option<&mut dyn ServerDisturbance>,
) -> Result<Played> {
    let dir = fresh_dir(&args.engine)?;
    let played = play(at, settings, &dir.canonicalize()?, disturbance)?;
    tell(args, &played, &dir)?;
    Ok(played)
}

fn play(
    at: &ServerArgs,
    settings: &Settings,
    dir: &Path,
    disturbance: Option<&mut dyn ServerDisturbance>,
) -> Result<Played> {
    let now = machine::now();
    let (spec, seed) = (&settings.spec, settings.engine.seed);
    let (mut server, entrance) = match &at.url {
        Some(url) => (None, Entrance::to(url, at)?),
        None => {
            let program = program(at.program.as_deref())?;
            let access = Access {
                signing: at.sign,
                tls: at.tls.then(|| TlsFiles::make(&program, dir)).transpose()?,
                signature_and_certificate: at.signature_and_certificate,
            };
            let server = Server::start(program, spec, dir, seed, &access)?;
            let entrance = Entrance::to_own(&server, dir, &access)?;
            (Some(server), entrance)
        }
    };
    // One that runs already has no start to wait for.
    let start_s = if server.is_some() { START_S } else { FOREIGN_START_S };
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let guard = tokio.enter();
    let pool = Pool::new(&entrance.front, at.connections);
    let mall = Mall::with_house(pool.clone(), Pool::new(&entrance.house, at.connections));
    let watching = Pool::new(&entrance.house, 1);
    drop(guard);
    let (cast, names, before) = tokio.block_on(async {
        if server.is_none() {
            entrance.knock().await?;
        }
        mall.ready(start_s).await?;
        let (cast, names) = mall.cast(spec).await?;
        let before = mall.balances(spec).await?;
        Ok::<_, anyhow::Error>((cast, names, before))
    })?;
    let descriptors = world::descriptors(spec)?;
    let router = world::router(&descriptors)?;
    let ground = Ground { cast: &cast, descriptors: &descriptors, router: &router, now, seed };
    let workload = Workload::new(spec, ground)?;
    let target = HttpTarget::new(tokio.handle().clone(), pool, names.clone(), at.batch);

    let (source, resources) = match &server {
        Some(server) => (Source::Kernel(Gauge { pid: Some(server.pid()) }), Resources::Kernel),
        None => match tokio.block_on(Watch::start(watching)) {
            Ok(watch) => (Source::Metrics(watch), Resources::Metrics),
            Err(fault) => (Source::Unknown, Resources::Unknown(format!("{fault:#}"))),
        },
    };
    let (cpu, time) = (cpu_and_memory(&tokio, &source).0, MachineTime::now());
    let mut origin = Origin::here(dir);
    origin.data.clone_from(&entrance.url);
    origin.resources = resources;
    let mut series = Series::of(source.clone());
    let mut disturbance = disturbance;
    let mut told_s = 0;
    let mut trouble = None;
    let mut plan = Plan { rides_out: disturbance.is_some(), ..settings.plan() };
    if plan.rides_out {
        plan.patience = IN_DOUBT_PATIENCE;
    }
    let timer = Timer::start()?;
    let mut outcome = drive(&target, &workload, &plan, &WallClock::start(), &mut |tick| {
        let point = series.add(tick, None);
        if let (Some(disturbance), Some(server)) = (disturbance.as_mut(), server.as_mut()) {
            trouble = trouble.take().or_else(|| disturbance.at(tick, server).err());
            series.watch(Gauge { pid: Some(server.pid()) });
        }
        if tick.elapsed.as_secs() > told_s {
            told_s = tick.elapsed.as_secs();
            eprintln!("{}", progress(tick, &point, None));
        }
        trouble.is_none()
    })?;
    if let Some(trouble) = trouble {
        return Err(trouble);
    }
    let mut run = report(settings, origin, &outcome);
    run.batch = Some(at.batch);
    let source = match &server {
        // It may be another process than at the start.
        Some(server) => Source::Kernel(Gauge { pid: Some(server.pid()) }),
        None => source,
    };
    let (cpu_then, rss_bytes) = cpu_and_memory(&tokio, &source);
    run.cpu_seconds = cpu_then.zip(cpu).map(|(then, before)| (then - before).max(0.0));
    run.machine_seconds = MachineTime::now().since(time);
    run.timer_late_us = timer.stop()?;
    run.rss_bytes = rss_bytes;
    run.points = series.into_points();
    run.incidents = disturbance.map_or_else(Vec::new, |one| one.incidents());
    recoveries(&mut run);
    if plan.rides_out {
        let cancelled = tokio.block_on(in_doubt::cancel(&mall, &mut outcome))?;
        run.cancelled += cancelled;
        run.unpaid += cancelled;
    }
    let verdict = tokio.block_on(verify(&mall, spec, &workload, &cast, &outcome, &before))?;
    run.verified = outcome.tally.finished;
    (run.sampled, run.compared, run.differences) = (verdict.sampled, verdict.compared, verdict.count);
    if at.echo {
        let from = outcome.tally.sent;
        let hammer = Hammer {
            bodies: &Bodies::new(&workload, &names),
            batch: at.batch,
            connections: at.connections,
            lasts: ECHO_LASTS,
            signed_before: None,
        };
        run.echo = Some(beside_echo(&hammer, &entrance.front, server.as_ref().map(Server::pid), from)?);
    }
    Ok(Played { report: run, verdict, tally: outcome.tally })
}

/// CPU time in seconds and resident memory in bytes of the target now, where they are known.
fn cpu_and_memory(tokio: &tokio::runtime::Runtime, source: &Source) -> (Option<f64>, Option<u64>) {
    match source {
        Source::Kernel(gauge) => (Some(gauge.cpu_seconds()), Some(gauge.rss_bytes())),
        Source::Metrics(watch) => {
            // Whoever does not answer now has told enough.
            let standing = tokio.block_on(watch.now()).unwrap_or_else(|_| watch.latest());
            (Some(standing.cpu_seconds), Some(standing.reading.rss_bytes))
        }
        Source::Unknown => (None, None),
    }
}

/// The server and a bare echo, each asked as fast as the connections allow, one after the other.
fn beside_echo(hammer: &Hammer<'_>, door: &Door, server: Option<u32>, from: u64) -> Result<EchoReport> {
    runtime()?.block_on(async {
        let (batch, connections) = (hammer.batch, hammer.connections);
        let server = hammer.strike(door, from, server).await?;
        let bare = Echo::start()?;
        let door = Door::plain(bare.authority(), door.signer.clone());
        Mall::new(Pool::new(&door, 1)).ready(START_S).await.context("the echo")?;
        let echo = hammer.strike(&door, from, Some(bare.pid())).await?;
        let ratio = server.orders_per_second / echo.orders_per_second.max(1.0);
        Ok(EchoReport { batch, connections, server, echo, ratio })
    })
}

async fn verify(
    mall: &Mall,
    spec: &Spec,
    workload: &Workload,
    cast: &Cast,
    outcome: &Outcome,
    before: &Balances,
) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    let tally = &outcome.tally;
    let what = |text: &'static str| move || text.to_owned();
    let open = tally.acknowledged - tally.finished - tally.unpaid;
    verdict.expect(what("acknowledged orders that did not end"), &0, &open);
    verdict.expect(what("orders under way after the drain"), &0, &outcome.unfinished);
    verdict.expect(what("requests refused"), &0, &tally.rejected());
    verdict.expect(what("answers and notices out of place"), &0, &tally.strange);
    for example in &tally.examples {
        verdict.differ(|| example.clone());
    }
    let begin = Instant::now();
    let (compared, differ) = loop {
        let (compared, differ) = mall.books().await?;
        if differ.is_empty() || begin.elapsed() > BOOKS_PATIENCE {
            break (compared, differ);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    verdict.compared += compared;
    for told in differ.into_iter().chain(mall.trial_balance().await?) {
        verdict.differ(|| told);
    }
    verdict.compared += 1;
    let after = mall.balances(spec).await?;
    let sums = Sums::of(workload, cast, &tally.by_template);
    let agents: Vec<i128> = after.agents.iter().zip(&before.agents).map(|(now, then)| now - then).collect();
    verdict.expect(what("what each agent got"), &sums.agents, &agents);
    verdict.expect(
        what("commission of the platform"),
        &sums.commission,
        &(after.commission - before.commission),
    );
    verdict.expect(what("what the coupon fund paid"), &sums.fund, &(before.fund - after.fund));
    verdict.expect(what("what buyers paid out of accounts"), &sums.cash, &(before.cash - after.cash));
    let whole = sums.merchants.iter().sum::<i128>() + sums.fee_income;
    let got = after.merchants - before.merchants + after.fee_income - before.fee_income;
    verdict.expect(what("what merchants got and bore of fees"), &whole, &got);
    let every = tally.samples().len().div_ceil(SAMPLES).max(1);
    for sample in tally.samples().iter().step_by(every) {
        let status = mall.status(sample.order).await.unwrap_or_else(|fault| format!("{fault:#}"));
        let is_well = ["settled", "refunded"].contains(&status.as_str());
        verdict.expect(|| format!("order {} is {status}", sample.order), &true, &is_well);
        verdict.sampled += u64::from(is_well);
    }
    Ok(verdict)
}
