//! A run over time: one point a tick.

use serde::Serialize;
use suanpan_runtime::EngineStats;

use crate::driver::Tick;
use crate::machine;

/// How a run stood at one time.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Point {
    /// Seconds since the first order.
    pub at_s: f64,
    /// Orders finished a second since the last point.
    pub per_second: f64,
    /// Median latency of whole orders since the last point, in microseconds.
    pub p50_us: u64,
    /// 99th percentile of the same.
    pub p99_us: u64,
    /// The longest.
    pub max_us: u64,
    /// Orders under way, as the driver sees it.
    pub under_way: usize,
    /// Requests that the engine has not answered.
    pub in_flight: usize,
    /// Finished orders that are not yet in the archive.
    pub archive_lag: usize,
    /// Processors that the target kept busy; in process that includes the driver.
    pub cpus: f64,
    /// Resident memory of the target in bytes.
    pub rss_bytes: u64,
}

/// CPU time and memory of a process.
#[derive(Clone, Copy, Debug)]
pub struct Gauge {
    /// The process; this one when absent.
    pub pid: Option<u32>,
}

impl Gauge {
    /// CPU time used so far, in seconds.
    #[must_use]
    pub fn cpu_seconds(self) -> f64 {
        self.pid.map_or_else(machine::cpu_seconds, machine::cpu_seconds_of)
    }

    /// Resident memory in bytes.
    #[must_use]
    pub fn rss_bytes(self) -> u64 {
        self.pid.map_or_else(machine::rss_bytes, machine::rss_bytes_of)
    }
}

/// Gathers the points of a run.
#[derive(Debug)]
pub struct Series {
    gauge: Gauge,
    before: (f64, f64),
    points: Vec<Point>,
}

impl Series {
    /// No points yet; CPU time and memory are those of `gauge`.
    #[must_use]
    pub fn new(gauge: Gauge) -> Self {
        Self { gauge, before: (0.0, gauge.cpu_seconds()), points: Vec::new() }
    }

    /// Goes on with the CPU time and memory of another process, if it is another.
    pub fn watch(&mut self, gauge: Gauge) {
        if gauge.pid != self.gauge.pid {
            (self.gauge, self.before.1) = (gauge, gauge.cpu_seconds());
        }
    }

    /// Adds a point; of a target in this process with its counters.
    pub fn add(&mut self, tick: &Tick, stats: Option<&EngineStats>) -> Point {
        let (at_s, cpu) = (tick.elapsed.as_secs_f64(), self.gauge.cpu_seconds());
        let (before_s, before_cpu) = std::mem::replace(&mut self.before, (at_s, cpu));
        let point = Point {
            at_s,
            per_second: tick.per_second,
            p50_us: tick.latency.p50,
            p99_us: tick.latency.p99,
            max_us: tick.latency.max,
            under_way: tick.under_way,
            in_flight: stats.map_or(0, |stats| stats.in_flight),
            archive_lag: stats.map_or(0, |stats| stats.archive_lag),
            cpus: (cpu - before_cpu).max(0.0) / (at_s - before_s).max(1e-3),
            rss_bytes: self.gauge.rss_bytes(),
        };
        self.points.push(point);
        point
    }

    /// The points.
    #[must_use]
    pub fn into_points(self) -> Vec<Point> {
        self.points
    }
}

/// One line of progress.
#[must_use]
pub fn progress(tick: &Tick, point: &Point, unavailable: Option<&str>) -> String {
    format!(
        "{:>5.1} s {} {:>8.0} orders/s  p50 {:>6} µs  p99 {:>7} µs  {:>6} under way  {:>6} queued  lag {:>7}  {:>4.1} CPUs  {:>5} MiB{}",
        point.at_s,
        if tick.measuring { " " } else { "~" },
        point.per_second,
        point.p50_us,
        point.p99_us,
        point.under_way,
        point.in_flight,
        point.archive_lag,
        point.cpus,
        point.rss_bytes >> 20,
        unavailable.map_or_else(String::new, |why| format!("  UNAVAILABLE: {why}")),
    )
}
