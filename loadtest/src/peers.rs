//! `loadtest peers`: the canonical order on what a team would take instead, side by side with the engine in one run.

use std::fs;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use crate::cli::{PeersArgs, PlayArgs};
use crate::driver::Pacing;
use crate::report::{self, RunReport};
use crate::run::{fresh_dir, runtime};
use crate::runs::{IN_FLIGHT, once, settings};
use crate::workload::{Ground, Spec, Workload};
use crate::{machine, world};

pub mod cluster;
pub mod postgres;

use cluster::Cluster;
use postgres::{PeerLine, cast, measure};

#[derive(Serialize)]
struct PeersReport {
    /// The engine's run; where it comes from stands there.
    engine: RunReport,
    postgres: String,
    postgres_settings: String,
    lines: Vec<PeerLine>,
}

/// Measures both, prints the table, reports. The answer is whether no figure differs.
///
/// # Errors
/// When PostgreSQL is missing, or a run cannot be made.
pub fn run(args: &PeersArgs) -> Result<bool> {
    let spec = Spec::find("canonical")?;
    let pacing = Pacing::Closed { in_flight: IN_FLIGHT };
    let settings = settings(&args.play, spec, pacing, args.play.engine.seed)?;
    let engine = once(&args.play, &settings, None)?;
    let dir = fresh_dir(&args.play.engine)?;
    let (lines, version) = postgres_lines(args, &settings.spec, &dir)?;
    fs::remove_dir_all(&dir)?;
    let report = PeersReport {
        engine: engine.report,
        postgres: version,
        postgres_settings: Cluster::settings(),
        lines,
    };
    print!("{}", table(&report, &args.play));
    if let Some(path) = &args.play.json {
        report::write(&report, path)?;
    }
    let differences: u64 = report.lines.iter().map(|line| line.differences).sum();
    Ok(differences + report.engine.differences == 0)
}

fn postgres_lines(args: &PeersArgs, spec: &Spec, dir: &std::path::Path) -> Result<(Vec<PeerLine>, String)> {
    let tokio = runtime()?;
    let descriptors = world::descriptors(spec)?;
    let router = world::router(&descriptors)?;
    let (now, seed) = (machine::now(), args.play.engine.seed);
    let cast = cast(spec.parties.merchants, spec.parties.buyers);
    let ground = Ground { cast: &cast, descriptors: &descriptors, router: &router, now, seed };
    let workload = Workload::new(spec, ground)?;
    let cluster = Cluster::start(dir)?;
    let lasts = Duration::try_from_secs_f64(args.play.seconds)?;
    let mut lines = Vec::new();
    for hot in [true, false] {
        for connections in &args.connections {
            let line = tokio.block_on(measure(&cluster, &workload, &cast, *connections, hot, lasts))?;
            eprintln!(
                "PostgreSQL, {connections} connections, hot {hot}: {:.0} orders/s",
                line.orders_per_second
            );
            lines.push(line);
        }
    }
    Ok((lines, cluster.version().to_owned()))
}

/// The lines of a table in Markdown.
fn table(report: &PeersReport, args: &PlayArgs) -> String {
    use std::fmt::Write as _;
    let origin = &report.engine.origin;
    let mut text = format!(
        "\n{} × {}, load {:.1} before, profile {}, {:.0} s each, {}; {}\n\n\
         | system | under way | orders/s | order p50 | p99 | p99.9 | differences |\n|---|---|---|---|---|---|---|\n",
        origin.machine.cores,
        origin.machine.cpu,
        origin.load_average,
        origin.profile,
        args.seconds,
        report.postgres,
        report.postgres_settings
    );
    let ms = |us: u64| format!("{:.1} ms", us as f64 / 1_000.0);
    let mut row =
        |system: &str, under_way: usize, rate: f64, at: crate::latency::Percentiles, differences: u64| {
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "| {system} | {under_way} | {rate:.0} | {} | {} | {} | {differences} |",
                ms(at.p50),
                ms(at.p99),
                ms(at.p99_9)
            );
        };
    let engine = &report.engine;
    let order = engine.latency_us.get("order").copied().unwrap_or_default();
    row("Suanpan, in process", IN_FLIGHT, engine.orders_per_second, order.percentiles, engine.differences);
    for line in &report.lines {
        let system =
            if line.hot { "PostgreSQL, hot accounts" } else { "PostgreSQL, hot accounts in 64 rows" };
        row(system, line.connections, line.orders_per_second, line.order_us, line.differences);
    }
    text
}
