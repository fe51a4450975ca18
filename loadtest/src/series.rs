//! A run over time: one point a tick.

use serde::Serialize;
use suanpan_runtime::EngineStats;

use crate::driver::Tick;
use crate::http::metrics::Watch;
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
    /// Messages that wait for the log writer.
    pub log_queue: usize,
    /// Messages that wait for the archive.
    pub keeper_queue: usize,
    /// Finished orders that are not yet in the archive.
    pub archive_lag: usize,
    /// Processors that the target kept busy, where that is known; in process that includes the driver.
    pub cpus: Option<f64>,
    /// Resident memory of the target in bytes, where that is known.
    pub rss_bytes: Option<u64>,
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

/// Where the points have CPU time and memory from.
#[derive(Clone, Debug)]
pub enum Source {
    /// The kernel.
    Kernel(Gauge),
    /// What a server tells of itself, queues included.
    Metrics(Watch),
    /// Nowhere.
    Unknown,
}

/// Gathers the points of a run.
#[derive(Debug)]
pub struct Series {
    source: Source,
    before: (f64, f64),
    points: Vec<Point>,
}

impl Series {
    /// No points yet; CPU time and memory are those of `gauge`.
    #[must_use]
    pub fn new(gauge: Gauge) -> Self {
        Self::of(Source::Kernel(gauge))
    }

    /// No points yet.
    #[must_use]
    pub fn of(source: Source) -> Self {
        let cpu = match &source {
            Source::Kernel(gauge) => gauge.cpu_seconds(),
            Source::Metrics(_) | Source::Unknown => 0.0,
        };
        Self { source, before: (0.0, cpu), points: Vec::new() }
    }

    /// Goes on with the CPU time and memory of another process, if it is another.
    pub fn watch(&mut self, gauge: Gauge) {
        let is_known = matches!(&self.source, Source::Kernel(known) if known.pid == gauge.pid);
        if !is_known {
            (self.source, self.before.1) = (Source::Kernel(gauge), gauge.cpu_seconds());
        }
    }

    /// Adds a point; of a target in this process with its counters.
    pub fn add(&mut self, tick: &Tick, stats: Option<&EngineStats>) -> Point {
        let at_s = tick.elapsed.as_secs_f64();
        let mut point = Point {
            at_s,
            per_second: tick.per_second,
            p50_us: tick.latency.p50,
            p99_us: tick.latency.p99,
            max_us: tick.latency.max,
            under_way: tick.under_way,
            in_flight: stats.map_or(0, |stats| stats.in_flight),
            log_queue: stats.map_or(0, |stats| stats.log_queue),
            keeper_queue: stats.map_or(0, |stats| stats.keeper_queue),
            archive_lag: stats.map_or(0, |stats| stats.archive_lag),
            cpus: None,
            rss_bytes: None,
        };
        match &self.source {
            Source::Kernel(gauge) => {
                let cpu = gauge.cpu_seconds();
                let (before_s, before_cpu) = std::mem::replace(&mut self.before, (at_s, cpu));
                point.cpus = Some((cpu - before_cpu).max(0.0) / (at_s - before_s).max(1e-3));
                point.rss_bytes = Some(gauge.rss_bytes());
            }
            Source::Metrics(watch) => {
                let standing = watch.latest();
                let told = standing.reading;
                (point.cpus, point.rss_bytes) = (Some(standing.cpus), Some(told.rss_bytes));
                (point.in_flight, point.archive_lag) = (told.in_flight, told.archive_lag);
                (point.log_queue, point.keeper_queue) = (told.log_queue, told.keeper_queue);
            }
            Source::Unknown => {}
        }
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
        "{:>5.1} s {} {:>8.0} orders/s  p50 {:>6} µs  p99 {:>7} µs  {:>6} under way  {:>6} queued  lag {:>7}  {:>4} CPUs  {:>5} MiB{}",
        point.at_s,
        if tick.measuring { " " } else { "~" },
        point.per_second,
        point.p50_us,
        point.p99_us,
        point.under_way,
        point.in_flight,
        point.archive_lag,
        point.cpus.map_or_else(|| "?".to_owned(), |cpus| format!("{cpus:.1}")),
        point.rss_bytes.map_or_else(|| "?".to_owned(), |bytes| (bytes >> 20).to_string()),
        unavailable.map_or_else(String::new, |why| format!("  UNAVAILABLE: {why}")),
    )
}
