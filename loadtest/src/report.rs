//! What a run hands over: a table for people, JSON for the rest.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::latency::Percentiles;
use crate::machine::{self, Machine, MachineTime};

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
    /// Directory of journal and store.
    pub data: String,
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
        }
    }
}

/// Latencies of a run in microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LatencyReport {
    /// From submission to the acknowledgement of the creation.
    pub create_ack: Percentiles,
    /// From submission to the acknowledgement of the release.
    pub order: Percentiles,
}

/// A run of a workload.
#[derive(Clone, Debug, Serialize)]
pub struct RunReport {
    /// Name of the workload.
    pub workload: &'static str,
    /// Seed.
    pub seed: u64,
    /// Where it comes from.
    #[serde(flatten)]
    pub origin: Origin,
    /// Order shards of the engine.
    pub shards: usize,
    /// Length of the measured window.
    pub seconds: f64,
    /// Orders kept under way, in a closed loop.
    pub in_flight: Option<usize>,
    /// Orders offered a second, in an open loop.
    pub rate: Option<u64>,
    /// Orders finished inside the window.
    pub orders: u64,
    /// The same a second.
    pub orders_per_second: f64,
    /// Orders acknowledged over the whole run.
    pub acknowledged: u64,
    /// Of these, how many the engine has finished by its own count.
    pub verified: u64,
    /// Orders that were looked up one by one and are as expected.
    pub sampled: u64,
    /// Figures compared after the run.
    pub compared: u64,
    /// Figures that differ.
    pub differences: u64,
    /// Requests refused, by code.
    pub rejects: BTreeMap<&'static str, u64>,
    /// Requests refused as busy and tried again.
    pub busy: u64,
    /// Latencies.
    pub latency_us: LatencyReport,
    /// Orders finished in each second of the window.
    pub orders_by_second: Vec<u64>,
    /// Resident memory after the drain.
    pub rss_bytes: u64,
    /// CPU time over warm-up, window and drain.
    pub cpu_seconds: f64,
    /// How the whole machine spent that time; what is busy beyond `cpu_seconds` was somebody else.
    pub machine_seconds: MachineTime,
    /// CPU time of this process by thread.
    pub cpu_seconds_by_thread: BTreeMap<String, f64>,
    /// Bytes of log per order.
    pub log_bytes_per_order: f64,
    /// Log records per order.
    pub records_per_order: f64,
    /// Log records per group commit.
    pub records_per_group: f64,
    /// p50 and p99 of a group commit in microseconds.
    pub commit_us: (u64, u64),
    /// Requests per submitted batch.
    pub requests_per_batch: f64,
    /// Finished orders that were not yet in the archive when the window closed.
    pub archive_lag: usize,
    /// From the end of the window until nothing was under way.
    pub drain_seconds: f64,
}

impl RunReport {
    /// Prints the table.
    pub fn print(&self) {
        println!(
            "{} seed {} on {} × {}",
            self.workload, self.seed, self.origin.machine.cores, self.origin.machine.cpu
        );
        let row = |name: &str, value: String| println!("  {name:<32}{value:>24}");
        row("orders/s", format!("{:.0}", self.orders_per_second));
        row("orders", format!("{} in {:.1} s", self.orders, self.seconds));
        row("acknowledged / finished", format!("{} / {}", self.acknowledged, self.verified));
        row("refused / busy", format!("{} / {}", self.rejects.values().sum::<u64>(), self.busy));
        let mib = |bytes: u64| format!("{} MiB", bytes >> 20);
        row("resident memory", mib(self.rss_bytes));
        row(
            "log per order",
            format!("{:.0} B, {:.2} records", self.log_bytes_per_order, self.records_per_order),
        );
        row("group commit", format!("{:.0} records", self.records_per_group));
        row("commit p50 / p99", format!("{} / {} µs", self.commit_us.0, self.commit_us.1));
        row("requests per batch", format!("{:.0}", self.requests_per_batch));
        row("archive lag", format!("{} orders", self.archive_lag));
        row("drain", format!("{:.2} s", self.drain_seconds));
        let MachineTime { busy, idle, disk, stolen } = self.machine_seconds;
        let acknowledged = self.acknowledged.max(1) as f64;
        let each = self.cpu_seconds * 1e6 / acknowledged;
        row("CPU", format!("{:.1} s, {each:.2} µs/order", self.cpu_seconds));
        let others = (busy - self.cpu_seconds).max(0.0);
        row("others / idle / disk / stolen", format!("{others:.1} / {idle:.1} / {disk:.1} / {stolen:.1} s"));
        for (thread, seconds) in &self.cpu_seconds_by_thread {
            let share = format!("{seconds:.2} s, {:.2} µs/order", seconds * 1e6 / acknowledged);
            println!("    {thread:<30}{share:>24}");
        }
        println!(
            "  latency in µs {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
            "p50", "p90", "p99", "p99.9", "p99.99", "max"
        );
        for (name, at) in [("create_ack", self.latency_us.create_ack), ("order", self.latency_us.order)] {
            println!(
                "    {name:<11} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
                at.p50, at.p90, at.p99, at.p99_9, at.p99_99, at.max
            );
        }
        println!(
            "  compared {} figures and {} orders: {} differences",
            self.compared, self.sampled, self.differences
        );
    }
}

/// Writes a report as JSON.
///
/// # Errors
/// When the file cannot be written.
pub fn write(report: &impl Serialize, path: &Path) -> Result<()> {
    let text = serde_json::to_string_pretty(report)?;
    fs::write(path, text + "\n").with_context(|| format!("writing {}", path.display()))
}
