//! `loadtest peers`: the canonical order on what a team would take instead, side by side with the engine in one run.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;
use suanpan_model::AccountId;

use crate::cli::{Peer, PeersArgs};
use crate::driver::Pacing;
use crate::latency::Percentiles;
use crate::report::{self, RunReport, page};
use crate::run::{Played, fresh_dir, runtime};
use crate::runs::{IN_FLIGHT, medians, once, settings, write_hgrm};
use crate::workload::{Cast, Ground, Spec, Workload};
use crate::{machine, world};

pub mod cluster;
pub mod postgres;
mod table;
pub mod tigerbeetle;

use cluster::Cluster;
use tigerbeetle::server::{Program, Version};

/// Orders on a peer.
#[derive(Clone, Debug, Serialize)]
pub struct PeerLine {
    /// The peer, and how it was used.
    pub system: String,
    /// Orders under way.
    pub under_way: usize,
    /// Orders finished a second.
    pub orders_per_second: f64,
    /// Orders finished.
    pub orders: u64,
    /// From the start of the creation to the end of the release, in microseconds.
    pub order_us: Percentiles,
    /// Figures that differ afterwards.
    pub differences: u64,
}

/// The engine and a peer in one run.
#[derive(Debug, Serialize)]
pub struct PeersReport {
    /// The engine's runs; where the figures come from stands there.
    pub engine: Vec<RunReport>,
    /// What the peer calls itself.
    pub peer: String,
    /// How it is set.
    pub peer_settings: String,
    /// Seconds before the measured window of each line.
    pub warmup_seconds: f64,
    /// Length of that window.
    pub seconds: f64,
    /// The peer's measurements.
    pub lines: Vec<PeerLine>,
}

/// What is played on a peer.
pub struct Stage<'a> {
    /// The orders.
    pub workload: &'a Workload,
    /// Who takes part.
    pub cast: &'a Cast,
    /// Time that is not counted.
    pub warmup: Duration,
    /// The measured window.
    pub window: Duration,
}

/// Measures both, prints the table, reports. The answer is whether no figure differs.
///
/// # Errors
/// When the peer is missing, or a run cannot be made.
pub fn run(args: &PeersArgs) -> Result<bool> {
    let spec = Spec::find("canonical")?;
    // A program that cannot be used is told before anything is measured.
    let program = program(args)?;
    let under_way = match args.peer {
        Peer::Postgres => {
            let connections = args.connections.iter().copied().max();
            connections.into_iter().filter(|most| *most != IN_FLIGHT).chain([IN_FLIGHT]).collect()
        }
        Peer::Tigerbeetle => args.in_flight.clone(),
    };
    let mut engine = Vec::new();
    for in_flight in under_way {
        let pacing = Pacing::Closed { in_flight };
        engine.push(once(
            &args.play,
            &settings(&args.play, spec.clone(), pacing, args.play.engine.seed)?,
            None,
        )?);
    }
    let report = beside(args, &spec, program.as_ref(), &engine)?;
    print!("{}", table::markdown(&report));
    println!("\n{}", report::table::not_included());
    write_hgrm(&args.play, &engine)?;
    if let Some(path) = &args.play.html {
        let reports: Vec<RunReport> = engine.iter().map(|one| one.report.clone()).collect();
        let text = page::html(&engine, &medians(&reports), Some(&table::html(&report)));
        report::write_text(&text, path)?;
        println!("page: {}", path.display());
    }
    if let Some(path) = &args.play.json {
        report::write(&report, path)?;
    }
    let differences = report.lines.iter().map(|line| line.differences).sum::<u64>()
        + report.engine.iter().map(|run| run.differences).sum::<u64>();
    Ok(differences == 0)
}

/// The program of a peer that is given as one.
fn program(args: &PeersArgs) -> Result<Option<Program>> {
    if args.peer == Peer::Postgres {
        return Ok(None);
    }
    tigerbeetle::is_built_in()?;
    let path = args.binary.as_deref().context("--binary is to name the server program of TigerBeetle")?;
    let client = Version::of_client().context("the version of TigerBeetle's client is not known")?;
    Ok(Some(Program::at(path, client)?))
}

fn beside(
    args: &PeersArgs,
    spec: &Spec,
    program: Option<&Program>,
    engine: &[Played],
) -> Result<PeersReport> {
    let descriptors = world::descriptors(spec)?;
    let router = world::router(&descriptors)?;
    let (now, seed) = (machine::now(), args.play.engine.seed);
    let parties = |given: Option<u64>, usual| given.unwrap_or(usual);
    let cast = cast(
        parties(args.play.merchants, spec.parties.merchants),
        parties(args.play.buyers, spec.parties.buyers),
    );
    let ground = Ground { cast: &cast, descriptors: &descriptors, router: &router, now, seed };
    let workload = Workload::new(spec, ground)?;
    let stage = Stage {
        workload: &workload,
        cast: &cast,
        warmup: Duration::try_from_secs_f64(args.play.warmup)?,
        window: Duration::try_from_secs_f64(args.play.seconds)?,
    };
    let (peer, peer_settings, lines) = match program {
        None => postgres_lines(args, &stage)?,
        Some(program) => tigerbeetle::lines(args, program, &stage)?,
    };
    Ok(PeersReport {
        engine: engine.iter().map(|one| one.report.clone()).collect(),
        peer,
        peer_settings,
        warmup_seconds: args.play.warmup,
        seconds: args.play.seconds,
        lines,
    })
}

fn postgres_lines(args: &PeersArgs, stage: &Stage<'_>) -> Result<(String, String, Vec<PeerLine>)> {
    let tokio = runtime()?;
    let dir = fresh_dir(&args.play.engine)?;
    let cluster = Cluster::start(&dir)?;
    let mut lines = Vec::new();
    for hot in [true, false] {
        for connections in &args.connections {
            let (warmup, window) = (stage.warmup, stage.window);
            let load = postgres::Load { connections: *connections, hot, warmup, window };
            let line = tokio.block_on(postgres::measure(&cluster, stage.workload, stage.cast, load))?;
            eprintln!("{}, {connections} connections: {:.0} orders/s", line.system, line.orders_per_second);
            lines.push(line);
        }
    }
    let version = cluster.version().to_owned();
    drop(cluster);
    fs::remove_dir_all(&dir)?;
    Ok((version, Cluster::settings(), lines))
}

/// Merchants and agents of a peer, which has no numbers of the engine's.
#[must_use]
pub fn cast(merchants: u64, buyers: u64) -> Cast {
    use suanpan_model::AccountType::{Cash, Commission, Settlement};
    let open = |kind, count: u64| (0..count).map(|number| AccountId::opened(kind, number, 0)).collect();
    Cast {
        merchants: open(Settlement, merchants),
        agents: open(Commission, crate::setup::AGENTS),
        buyers: open(Cash, buyers),
    }
}
