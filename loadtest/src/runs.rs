//! `loadtest run`: workloads at one or several rates, each played once or several times; tables, JSON and a page.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::cli::{PlayArgs, RunArgs};
use crate::driver::Pacing;
use crate::http;
use crate::latency::Percentiles;
use crate::operation::Operation;
use crate::report::{self, LatencyReport, OperationReport, RunReport, hgrm, page, table};
use crate::run::{Disturbance, Played, Settings, fresh_dir, play};
use crate::workload::{BUILTIN, Spec};

/// Orders kept under way when nobody says otherwise.
pub const IN_FLIGHT: usize = 4_096;

/// Several runs of one workload at one pace: medians.
#[derive(Clone, Debug, Serialize)]
pub struct Median {
    /// The workload.
    pub workload: String,
    /// Orders offered a second, in an open loop.
    pub rate: Option<u64>,
    /// Orders kept under way, in a closed loop.
    pub in_flight: Option<usize>,
    /// How many runs.
    pub runs: usize,
    /// Orders finished a second.
    pub orders_per_second: f64,
    /// Least and most of the same.
    pub spread: (f64, f64),
    /// Latencies in microseconds.
    pub latency_us: LatencyReport,
    /// Figures that differ, of all runs.
    pub differences: u64,
}

/// Everything that was played.
#[derive(Debug, Serialize)]
struct WholeReport<'a> {
    /// The run in the middle: the fields of one run stand at the top.
    #[serde(flatten)]
    run: &'a RunReport,
    /// Medians, when something was played several times or at several rates.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    medians: Vec<Median>,
    /// Every run, when there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    runs: Option<&'a [RunReport]>,
}

/// Lists the workloads.
#[must_use]
pub fn list() -> bool {
    for (name, text) in BUILTIN {
        let about = Spec::read(name, text).map_or_else(|fault| format!("{fault:#}"), |spec| spec.about);
        println!("{name:<20} {about}");
    }
    true
}

/// Plays, checks the books, reports. The answer is whether all is well.
///
/// # Errors
/// When a run cannot be made or gave up; differences are no error.
pub fn run(args: &RunArgs) -> Result<bool> {
    let mut all = Vec::new();
    let specs = args.workloads.iter().map(|name| Spec::find(name)).collect::<Result<Vec<_>>>()?;
    for spec in specs {
        let paces: Vec<Pacing> = match args.steps.is_empty() {
            true => vec![pacing(&spec, args.rate, args.in_flight)],
            false => args.steps.iter().map(|rate| Pacing::Open { per_second: *rate }).collect(),
        };
        for pacing in paces {
            for turn in 0..args.runs {
                // Each run has a seed of its own, so that none repeats the accidents of another.
                let seed = args.play.engine.seed + turn as u64;
                let settings = settings(&args.play, spec.clone(), pacing, seed)?;
                all.push(match args.server.url.is_some() || args.server.serve {
                    true => http::run::once(&args.play, &args.server, &settings, None)?,
                    false => once(&args.play, &settings, None)?,
                });
            }
        }
    }
    hand_over(&args.play, &all)
}

/// When orders are sent: what the command line says, else what the workload says.
#[must_use]
pub fn pacing(spec: &Spec, rate: Option<u64>, in_flight: Option<usize>) -> Pacing {
    match (rate, in_flight, spec.pace.rate) {
        (Some(per_second), _, _) | (None, None, Some(per_second)) => Pacing::Open { per_second },
        (None, in_flight, _) => {
            Pacing::Closed { in_flight: in_flight.or(spec.pace.in_flight).unwrap_or(IN_FLIGHT) }
        }
    }
}

/// The settings of one run.
///
/// # Errors
/// When the times are no times.
pub fn settings(args: &PlayArgs, mut spec: Spec, pacing: Pacing, seed: u64) -> Result<Settings> {
    spec.parties.buyers = args.buyers.unwrap_or(spec.parties.buyers);
    spec.parties.merchants = args.merchants.unwrap_or(spec.parties.merchants);
    let span = |what: &str, seconds: f64| {
        std::time::Duration::try_from_secs_f64(seconds).with_context(|| format!("{what} {seconds}"))
    };
    let mut engine = args.engine.clone();
    engine.seed = seed;
    Ok(Settings {
        spec,
        pacing,
        warmup: span("--warmup", args.warmup)?,
        window: span("--seconds", args.seconds)?,
        orders_max: args.orders,
        engine,
    })
}

/// One run in a directory of its own, told of when it is over; the directory stays if something differs.
///
/// # Errors
/// As [`play`].
pub fn once(
    args: &PlayArgs,
    settings: &Settings,
    disturbance: Option<&mut dyn Disturbance>,
) -> Result<Played> {
    let dir = fresh_dir(&args.engine)?;
    let played = play(settings, &dir, disturbance)?;
    tell(args, &played, &dir)?;
    Ok(played)
}

/// Prints what a run came to; its directory stays if something differs.
///
/// # Errors
/// When the directory cannot be removed.
pub fn tell(args: &PlayArgs, played: &Played, dir: &Path) -> Result<()> {
    print!("{}", table::details(&played.report));
    for difference in &played.verdict.differences {
        println!("DIFFERENCE {difference}");
    }
    if played.verdict.count == 0 && !args.keep {
        fs::remove_dir_all(dir).with_context(|| format!("removing {}", dir.display()))?;
    } else {
        println!("the run's directory is kept: {}", dir.display());
    }
    Ok(())
}

/// Prints the table and writes what was asked for. The answer is whether nothing differs.
///
/// # Errors
/// When a file cannot be written.
pub fn hand_over(args: &PlayArgs, played: &[Played]) -> Result<bool> {
    write_hgrm(args, played)?;
    let reports: Vec<RunReport> = played.iter().map(|one| one.report.clone()).collect();
    let medians = medians(&reports);
    println!();
    print!("{}", table::latencies(&reports));
    if medians.len() < reports.len() {
        println!("\nmedians");
        print!("{}", table::medians(&medians));
    }
    println!("\n{}", table::not_included());
    if let Some(path) = &args.html {
        report::write_text(&page::html(played, &medians, None), path)?;
        println!("page: {}", path.display());
    }
    let differences: u64 = reports.iter().map(|report| report.differences).sum();
    if let (Some(path), Some(run)) = (&args.json, middle(&reports)) {
        let several = reports.len() > 1;
        let medians = if several { medians } else { Vec::new() };
        report::write(&WholeReport { run, medians, runs: several.then_some(&reports) }, path)?;
    }
    match differences {
        0 => println!("all is well: every book agrees in every run"),
        count => println!("{count} FIGURES DIFFER: the figures of such a run are worth nothing"),
    }
    Ok(differences == 0)
}

/// Writes the latency distributions, if they are asked for.
///
/// # Errors
/// When a file cannot be written.
pub fn write_hgrm(args: &PlayArgs, played: &[Played]) -> Result<()> {
    let Some(folder) = &args.hgrm else { return Ok(()) };
    for (number, Played { report, tally, .. }) in played.iter().enumerate() {
        for operation in Operation::ALL {
            let latencies = tally.latencies(operation);
            if latencies.count() > 0 {
                let name = format!("{}-{}-{}.hgrm", number + 1, report.workload, operation.name());
                report::write_text(&hgrm::text(latencies), &folder.join(name))?;
            }
        }
    }
    Ok(())
}

/// The run whose throughput is the median; one that differs comes before all others.
fn middle(reports: &[RunReport]) -> Option<&RunReport> {
    let mut order: Vec<&RunReport> = reports.iter().collect();
    order.sort_by(|one, other| one.orders_per_second.total_cmp(&other.orders_per_second));
    let differs = order.iter().find(|report| report.differences > 0).copied();
    differs.or_else(|| order.get(order.len() / 2).copied())
}

/// Medians of runs of the same workload at the same pace, in the order in which they were played.
#[must_use]
pub fn medians(reports: &[RunReport]) -> Vec<Median> {
    let mut groups: Vec<Vec<&RunReport>> = Vec::new();
    for report in reports {
        let same = |group: &&mut Vec<&RunReport>| {
            let first = group[0];
            (&first.workload, first.rate, first.in_flight)
                == (&report.workload, report.rate, report.in_flight)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(report),
            None => groups.push(vec![report]),
        }
    }
    groups.iter().map(|group| median(group)).collect()
}

fn median(group: &[&RunReport]) -> Median {
    let mut speeds: Vec<f64> = group.iter().map(|report| report.orders_per_second).collect();
    speeds.sort_by(f64::total_cmp);
    let latency_us = Operation::ALL.into_iter().filter_map(|operation| {
        let name = operation.name();
        let runs: Vec<OperationReport> =
            group.iter().filter_map(|report| report.latency_us.get(name).copied()).collect();
        let middle = |pick: fn(&Percentiles) -> u64| {
            let mut values: Vec<u64> = runs.iter().map(|run| pick(&run.percentiles)).collect();
            values.sort_unstable();
            values.get(values.len() / 2).copied().unwrap_or(0)
        };
        let percentiles = Percentiles {
            p50: middle(|at| at.p50),
            p90: middle(|at| at.p90),
            p99: middle(|at| at.p99),
            p99_9: middle(|at| at.p99_9),
            p99_99: middle(|at| at.p99_99),
            max: middle(|at| at.max),
        };
        let count = runs.iter().map(|run| run.count).sum();
        (!runs.is_empty()).then_some((name, OperationReport { count, percentiles }))
    });
    Median {
        workload: group[0].workload.clone(),
        rate: group[0].rate,
        in_flight: group[0].in_flight,
        runs: group.len(),
        orders_per_second: speeds[speeds.len() / 2],
        spread: (speeds[0], speeds[speeds.len() - 1]),
        latency_us: latency_us.collect(),
        differences: group.iter().map(|report| report.differences).sum(),
    }
}
