//! What a run hands over: tables for people, JSON for the rest.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::driver::Tally;
use crate::http::echo::EchoReport;
use crate::latency::Percentiles;
use crate::machine::{self, Machine, MachineTime};
use crate::operation::Operation;
use crate::reading::ReadReport;
use crate::series::Point;

pub mod hgrm;
pub mod page;
mod plot;
pub mod table;

/// What no figure of a run contains.
pub const NOT_INCLUDED: [&str; 4] = [
    "networks and real channels: channels are simulated in the target's process and answer at once, unless the workload says otherwise",
    "in process, HTTP, signatures and JSON; over HTTP, the verification of answers' signatures by the mall, and TLS unless the address says https",
    "a second machine, unless --url leads to one: driver, target and channels share this one, and the driver takes CPU time from the target",
    "the archive's merging after the end of the run; its lag at the end of the window is shown",
];

/// Where a figure comes from.
#[derive(Clone, Debug, Serialize)]
pub struct Origin {
    /// The machine.
    pub machine: Machine,
    /// How the program was compiled.
    pub profile: &'static str,
    /// The commit.
    pub commit: Option<String>,
    /// The command line.
    pub command: String,
    /// Directory of journal and store, or the server's address.
    pub data: String,
    /// Tasks that wanted to run over the minute before, on average: somebody else's work, if above the run's own.
    pub load_average: f64,
    /// How CPU time and memory of the target are known.
    pub resources: Resources,
}

/// How CPU time and memory of the target are known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Resources {
    /// From the kernel of this machine.
    Kernel,
    /// From what the server tells in `GET /metrics`.
    Metrics,
    /// Not at all, for this reason; the figures are zero.
    Unknown(String),
}

impl Origin {
    /// This program, now, with its data in `data`.
    #[must_use]
    pub fn here(data: &Path) -> Self {
        Self {
            machine: Machine::this(),
            profile: machine::profile(),
            commit: machine::commit(),
            command: machine::command(),
            data: data.display().to_string(),
            load_average: machine::load_average(),
            resources: Resources::Kernel,
        }
    }
}

/// Latencies of one operation.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct OperationReport {
    /// How many were measured.
    pub count: u64,
    /// In microseconds.
    #[serde(flatten)]
    pub percentiles: Percentiles,
}

/// Latencies of every operation that took place, in microseconds.
pub type LatencyReport = BTreeMap<&'static str, OperationReport>;

/// The latencies of a tally.
#[must_use]
pub fn latencies(tally: &Tally) -> LatencyReport {
    let measured = Operation::ALL.into_iter().filter_map(|operation| {
        let latencies = tally.latencies(operation);
        let (count, percentiles) = (latencies.count(), latencies.percentiles());
        (count > 0).then_some((operation.name(), OperationReport { count, percentiles }))
    });
    measured.collect()
}

/// What is known of an engine in this process beside the driver's own view.
#[derive(Clone, Debug, Default, Serialize)]
pub struct EngineReport {
    /// Order shards.
    pub shards: usize,
    /// Bytes of log per order.
    pub log_bytes_per_order: f64,
    /// Log records per order.
    pub records_per_order: f64,
    /// Log records per group commit.
    pub records_per_group: f64,
    /// p50 and p99 of a group commit in microseconds.
    pub commit_us: (u64, u64),
    /// p50 and p99 of writing 4 KiB and fdatasync on the same disk before the run, in microseconds.
    pub disk_us: (u64, u64),
    /// Requests per submitted batch.
    pub requests_per_batch: f64,
    /// Finished orders that were not yet in the archive when the driver had ended.
    pub archive_lag: usize,
    /// From then until they were.
    pub archive_seconds: f64,
    /// Reports of channels that contradicted what was known.
    pub contradictions: u64,
}

/// A run of a workload.
#[derive(Clone, Debug, Serialize)]
pub struct RunReport {
    /// Name of the workload.
    pub workload: String,
    /// What it is.
    pub about: String,
    /// Seed.
    pub seed: u64,
    /// Where it comes from.
    #[serde(flatten)]
    pub origin: Origin,
    /// Seconds before the measured window.
    pub warmup_seconds: f64,
    /// Length of the measured window.
    pub seconds: f64,
    /// Orders kept under way, in a closed loop.
    pub in_flight: Option<usize>,
    /// Orders offered a second, in an open loop.
    pub rate: Option<u64>,
    /// Orders a request, over HTTP.
    pub batch: Option<usize>,
    /// Orders finished inside the window.
    pub orders: u64,
    /// The same a second.
    pub orders_per_second: f64,
    /// Orders acknowledged over the whole run.
    pub acknowledged: u64,
    /// Of these, how many the target has finished by its own count.
    pub verified: u64,
    /// Orders that failed or were closed because of their channels.
    pub unpaid: u64,
    /// Of these, how many their mall cancelled after a fault: whether their call had left nobody knew.
    pub cancelled: u64,
    /// Orders that were looked up one by one and are as expected.
    pub sampled: u64,
    /// Figures compared after the run.
    pub compared: u64,
    /// Figures that differ.
    pub differences: u64,
    /// Requests refused, by code.
    pub rejects: BTreeMap<&'static str, u64>,
    /// Requests refused because that is what the workload is about, by code.
    pub planned_rejects: BTreeMap<&'static str, u64>,
    /// Requests refused as busy and tried again.
    pub busy: u64,
    /// Requests that were recognised as repeats.
    pub repeats: u64,
    /// Latencies in microseconds.
    pub latency_us: LatencyReport,
    /// Orders finished in each second of the window.
    pub orders_by_second: Vec<u64>,
    /// From the first order until the last creation was acknowledged.
    pub acceptance_seconds: f64,
    /// From the end of the sending until every order had ended.
    pub drain_seconds: f64,
    /// Resident memory of the target after the drain, where that is known.
    pub rss_bytes: Option<u64>,
    /// CPU time of the target over warm-up, window and drain, where that is known.
    pub cpu_seconds: Option<f64>,
    /// How the whole machine spent that time; what is busy beyond `cpu_seconds` was somebody else.
    pub machine_seconds: MachineTime,
    /// How late a thread was woken that wanted nothing else, each millisecond, in microseconds.
    pub timer_late_us: Percentiles,
    /// CPU time of this process by thread.
    pub cpu_seconds_by_thread: BTreeMap<String, f64>,
    /// The engine's own view, when it is in this process.
    pub engine: Option<EngineReport>,
    /// What was read beside the orders.
    pub reading: Option<ReadReport>,
    /// The server beside a bare echo.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub echo: Option<EchoReport>,
    /// What happened to the target during the run, and when.
    pub incidents: Vec<Incident>,
    /// The run over time.
    pub points: Vec<Point>,
}

/// Something that was done to the target during a run.
#[derive(Clone, Debug, Serialize)]
pub struct Incident {
    /// What.
    pub what: String,
    /// When it began, in seconds after the first order.
    pub from_s: f64,
    /// When it was over.
    pub until_s: f64,
    /// The longest time around it in which no order was finished, in seconds; as fine as the points of the run.
    pub gap_s: f64,
    /// From its end until orders were finished again, in seconds.
    pub recovery_s: Option<f64>,
}

impl Incident {
    /// Something that lasted from `from_s` to `until_s`; the rest follows from the run's points.
    #[must_use]
    pub const fn new(what: String, from_s: f64, until_s: f64) -> Self {
        Self { what, from_s, until_s, gap_s: 0.0, recovery_s: None }
    }

    /// Works out from the points of the run how long no order was finished, and when orders were finished again.
    pub fn measure(&mut self, points: &[Point]) {
        let again = points.iter().find(|point| point.at_s >= self.until_s && point.per_second > 0.0);
        self.recovery_s = again.map(|point| (point.at_s - self.until_s).max(0.0));
        let mut last = 0.0;
        for (place, point) in points.iter().enumerate() {
            let is_silent = point.per_second <= 0.0;
            let ends = !is_silent || place + 1 == points.len();
            let was_silent = is_silent || place > 0 && points[place - 1].per_second <= 0.0;
            // A silence counts that had not ended when it began, and had begun before it was over for good.
            if ends
                && was_silent
                && point.at_s >= self.from_s
                && last <= again.map_or(f64::MAX, |one| one.at_s)
            {
                self.gap_s = self.gap_s.max(point.at_s - last);
            }
            if !is_silent {
                last = point.at_s;
            }
        }
    }
}

/// Writes a report as JSON.
///
/// # Errors
/// When the file cannot be written.
pub fn write(report: &impl Serialize, path: &Path) -> Result<()> {
    write_text(&(serde_json::to_string_pretty(report)? + "\n"), path)
}

/// Writes a text.
///
/// # Errors
/// When the file cannot be written.
pub fn write_text(text: &str, path: &Path) -> Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an incident from 1.0 to 2.0 s comes to with these orders a second in tenths of a second.
    fn measured(per_second: &[f64]) -> (f64, Option<f64>) {
        let points: Vec<Point> = per_second
            .iter()
            .zip(1_u32..)
            .map(|(rate, tenth)| Point {
                at_s: f64::from(tenth) / 10.0,
                per_second: *rate,
                ..Point::default()
            })
            .collect();
        let mut incident = Incident::new("a fault".to_owned(), 1.0, 2.0);
        incident.measure(&points);
        let tenths = |seconds: f64| (seconds * 10.0).round() / 10.0;
        (tenths(incident.gap_s), incident.recovery_s.map(tenths))
    }

    #[test]
    fn gap_and_recovery_are_told() {
        let run = |silent: std::ops::Range<usize>, tenths: usize| -> Vec<f64> {
            (0..tenths).map(|tenth| if silent.contains(&tenth) { 0.0 } else { 500.0 }).collect()
        };
        assert_eq!(measured(&run(0..0, 40)), (0.0, Some(0.0)), "nobody noticed");
        // Finished last by 1.1 s, again by 2.6 s.
        assert_eq!(measured(&run(11..25, 40)), (1.5, Some(0.6)));
        assert_eq!(measured(&run(11..40, 40)), (2.9, None), "it never came back");
        assert_eq!(measured(&run(2..6, 40)), (0.0, Some(0.0)), "a silence before it is another matter");
        assert_eq!(measured(&run(30..35, 40)), (0.0, Some(0.0)), "and one long after it");
        let mut twice = run(11..13, 40);
        twice[15..24].fill(0.0);
        assert_eq!(measured(&twice), (1.0, Some(0.5)), "the longest counts");
    }
}
