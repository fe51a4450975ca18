//! Counts and latencies in the text format of Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use suanpan_core::routing::Router;
use suanpan_core::routing::learning::{Circuit, Learning};
use suanpan_model::{Capability, PlatformId, TimestampMs};
use suanpan_runtime::engine::Durations;
use suanpan_runtime::{Engine, EngineStats};

use crate::endpoint::Endpoint;
use crate::notify::{Counts, Notifier, TryResult};
use crate::traces::TraceCounts;

mod process;

pub use process::write_process;

/// The content type of the format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Upper bounds of the latency buckets in microseconds.
const BOUNDS_US: [u64; 12] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 500_000, 2_500_000];

/// Statuses that are counted by themselves; every other one counts as the last.
const STATUSES: [u16; 16] = [200, 201, 400, 401, 403, 404, 405, 408, 409, 413, 415, 422, 429, 500, 503, 0];

/// Requests of one endpoint in one worker.
#[derive(Debug, Default)]
struct EndpointStats {
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    micros: AtomicU64,
    statuses: [AtomicU64; STATUSES.len()],
}

/// Requests of one worker, so that workers do not contend for the same counters.
#[derive(Debug)]
pub struct WorkerMetrics {
    /// By [`Endpoint::index`]; the last is for paths that do not exist.
    endpoints: Vec<EndpointStats>,
    /// Refusals by code. Only this worker and whoever reads take the lock, and only where something is refused.
    refusals: Mutex<BTreeMap<&'static str, u64>>,
}

impl WorkerMetrics {
    /// Counts a request of the endpoint with this index (`None`: no such path).
    pub fn count(&self, endpoint: Option<usize>, status: u16, took: Duration) {
        let Some(stats) = self.endpoints.get(endpoint.unwrap_or(Endpoint::ALL.len())) else { return };
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_US.partition_point(|bound| *bound < micros);
        let known = STATUSES.iter().position(|known| *known == status).unwrap_or(STATUSES.len() - 1);
        stats.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        stats.micros.fetch_add(micros, Ordering::Relaxed);
        stats.statuses[known].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a refusal with this code.
    pub fn refused(&self, code: &'static str) {
        *self.refusals.lock().unwrap_or_else(PoisonError::into_inner).entry(code).or_default() += 1;
    }
}

/// Requests of all workers.
#[derive(Debug, Default)]
pub struct Metrics {
    workers: Mutex<Vec<Arc<WorkerMetrics>>>,
}

impl Metrics {
    /// The counters of one more worker.
    #[must_use]
    pub fn worker(&self) -> Arc<WorkerMetrics> {
        let endpoints =
            std::iter::repeat_with(EndpointStats::default).take(Endpoint::ALL.len() + 1).collect();
        let worker = Arc::new(WorkerMetrics { endpoints, refusals: Mutex::default() });
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&worker));
        worker
    }

    /// Everything as text: the engine's numbers, then HTTP.
    #[must_use]
    pub fn text(&self, engine: &EngineStats) -> String {
        let mut out = String::with_capacity(16_384);
        write_engine(&mut out, engine);
        self.write_http(&mut out);
        out
    }

    fn write_http(&self, out: &mut String) {
        let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = |read: &dyn Fn(&WorkerMetrics) -> &AtomicU64| -> u64 {
            workers.iter().map(|worker| read(worker).load(Ordering::Relaxed)).sum()
        };
        let paths = Endpoint::ALL.iter().map(|endpoint| (endpoint.method, endpoint.path));
        let paths: Vec<_> = paths.chain(std::iter::once(("", "unmatched"))).collect();
        head(out, "suanpan_http_requests_total", "counter", "requests by route and status");
        for (index, (method, path)) in paths.iter().enumerate() {
            for (place, status) in STATUSES.iter().enumerate() {
                let count = sum(&|worker| &worker.endpoints[index].statuses[place]);
                if count > 0 {
                    let status = if *status == 0 { "other".to_owned() } else { status.to_string() };
                    let labels = format!("method=\"{method}\",route=\"{path}\",status=\"{status}\"");
                    line(out, "suanpan_http_requests_total", &labels, &count.to_string());
                }
            }
        }
        let mut refusals: BTreeMap<&str, u64> = BTreeMap::new();
        for worker in workers.iter() {
            for (code, count) in worker.refusals.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                *refusals.entry(code).or_default() += count;
            }
        }
        head(out, "suanpan_http_refusals_total", "counter", "refused requests by code");
        for (code, count) in refusals {
            line(out, "suanpan_http_refusals_total", &format!("code=\"{code}\""), &count.to_string());
        }
        let name = "suanpan_http_request_seconds";
        head(out, name, "histogram", "time from the whole head of a request to its answer");
        for (index, (method, path)) in paths.iter().enumerate() {
            let labels = format!("method=\"{method}\",route=\"{path}\"");
            let mut so_far = 0;
            let counts: Vec<u64> = (0..=BOUNDS_US.len())
                .map(|place| sum(&|worker| &worker.endpoints[index].buckets[place]))
                .collect();
            if counts.iter().all(|count| *count == 0) {
                continue;
            }
            for (place, count) in counts.iter().enumerate() {
                so_far += count;
                let bound = BOUNDS_US.get(place).map_or_else(|| "+Inf".to_owned(), |bound| seconds(*bound));
                line(
                    out,
                    &format!("{name}_bucket"),
                    &format!("{labels},le=\"{bound}\""),
                    &so_far.to_string(),
                );
            }
            let micros = sum(&|worker| &worker.endpoints[index].micros);
            line(out, &format!("{name}_sum"), &labels, &seconds(micros));
            line(out, &format!("{name}_count"), &labels, &so_far.to_string());
        }
    }
}

fn write_engine(out: &mut String, stats: &EngineStats) {
    let counters = [
        ("suanpan_orders_created_total", "orders recorded", stats.created),
        ("suanpan_orders_finished_total", "orders settled, failed, closed or refunded", stats.finished),
        ("suanpan_log_records_total", "log records written", stats.records),
        ("suanpan_log_groups_total", "group commits", stats.groups),
        ("suanpan_log_bytes_total", "bytes written to the log", stats.log_bytes),
        ("suanpan_checkpoints_total", "checkpoints that are complete", stats.checkpoints),
        (
            "suanpan_unmatched_reports_total",
            "reports of channels that belong to nothing",
            stats.unmatched_reports,
        ),
        (
            "suanpan_contradictions_total",
            "reports of channels that contradict what is known",
            stats.contradictions,
        ),
    ];
    for (name, help, value) in counters {
        head(out, name, "counter", help);
        line(out, name, "", &value.to_string());
    }
    let gauges = [
        ("suanpan_durable_position", "last durable log position", stats.durable_lsn.to_string()),
        ("suanpan_requests_in_flight", "requests under way in the engine", stats.in_flight.to_string()),
        ("suanpan_orders_live", "orders in memory", stats.live_orders.to_string()),
        ("suanpan_archive_lag_orders", "finished orders not yet archived", stats.archive_lag.to_string()),
        ("suanpan_log_queue", "messages that wait for the log writer", stats.log_queue.to_string()),
        ("suanpan_keeper_queue", "messages that wait for the archive", stats.keeper_queue.to_string()),
        (
            "suanpan_available",
            "1 while work can be made durable",
            u8::from(stats.unavailable.is_none()).to_string(),
        ),
    ];
    for (name, help, value) in gauges {
        head(out, name, "gauge", help);
        line(out, name, "", &value);
    }
    let name = "suanpan_orders_ended_total";
    head(out, name, "counter", "orders that ended, by how they ended");
    for (status, many) in &stats.ended {
        line(out, name, &format!("status=\"{}\"", status.name()), &many.to_string());
    }
    let name = "suanpan_commit_seconds";
    head(out, name, "histogram", "time of a group commit: write and sync of the journal");
    write_durations(out, name, "", &stats.commits);
}

/// A histogram of durations with these labels.
fn write_durations(out: &mut String, name: &str, labels: &str, durations: &Durations) {
    let comma = if labels.is_empty() { "" } else { "," };
    for (bound_us, many) in &durations.at_most {
        let labels = format!("{labels}{comma}le=\"{}\"", seconds(*bound_us));
        line(out, &format!("{name}_bucket"), &labels, &many.to_string());
    }
    line(
        out,
        &format!("{name}_bucket"),
        &format!("{labels}{comma}le=\"+Inf\""),
        &durations.count.to_string(),
    );
    line(out, &format!("{name}_sum"), labels, &seconds(durations.sum_us));
    line(out, &format!("{name}_count"), labels, &durations.count.to_string());
}

/// What was learned about each channel: whether its circuit lets payments through, how often it opened, its latency, how
/// often it succeeds, what it took.
pub fn write_channels(out: &mut String, router: &Router, learning: &Learning, now: TimestampMs) {
    type Read<'a> = &'a dyn Fn(&Capability) -> Option<String>;
    let health = |one: &Capability| learning.channel(one.id).map(|known| known.health);
    let healthy = |one: &Capability| learning.is_healthy(one.id, &one.conditions, now);
    let closed = |one: &Capability| health(one).is_none_or(|known| known.circuit == Circuit::Closed);
    let ppm = |ppm: u32| format!("{}.{:06}", ppm / 1_000_000, ppm % 1_000_000);
    let results = |one: &Capability| learning.window(one.id, None, None).copied();
    let gauges: [(&str, &str, Read<'_>); 7] = [
        ("suanpan_channel_healthy", "1 while the circuit lets payments or probes through", &|one| {
            Some(u8::from(healthy(one)).to_string())
        }),
        ("suanpan_channel_circuit_closed", "1 while every payment passes", &|one| {
            Some(u8::from(closed(one)).to_string())
        }),
        ("suanpan_channel_latency_ms", "moving average of the time to the first answer", &|one| {
            health(one)?.latency_ms().map(|latency| latency.to_string())
        }),
        ("suanpan_channel_success_ratio", "how often it succeeds at the least (95 % confidence)", &|one| {
            results(one)?.success().map(|success| ppm(success.ppm()))
        }),
        ("suanpan_channel_results", "results that the success ratio stands on", &|one| {
            Some(results(one)?.results().to_string())
        }),
        ("suanpan_channel_taken_today_minor", "taken on this day in Beijing, in minor units", &|one| {
            Some(learning.day_used(one.id, now.beijing_day()).minor().to_string())
        }),
        ("suanpan_channel_taken_month_minor", "taken in this month in Beijing, in minor units", &|one| {
            Some(learning.month_used(one.id, now.beijing_month().0).minor().to_string())
        }),
    ];
    for (name, help, read) in gauges {
        head(out, name, "gauge", help);
        for one in router.capabilities() {
            if let Some(value) = read(one) {
                line(out, name, &format!("channel=\"{}\"", one.name), &value);
            }
        }
    }
    let name = "suanpan_channel_circuit_opened_total";
    head(out, name, "counter", "how often the circuit opened");
    for one in router.capabilities() {
        let opened = health(one).map_or(0, |known| known.opened);
        line(out, name, &format!("channel=\"{}\"", one.name), &opened.to_string());
    }
}

/// What became of attempts at each channel since the start, and how long its first answers took.
pub fn write_attempts(out: &mut String, engine: &Engine) {
    let router = engine.router();
    let tallies: Vec<_> = router
        .capabilities()
        .iter()
        .filter_map(|one| Some((format!("channel=\"{}\"", one.name), engine.channel_tally(one.id)?)))
        .collect();
    let name = "suanpan_channel_attempts_total";
    head(out, name, "counter", "attempts at channels by what happened to them");
    for (labels, tally) in &tallies {
        for (outcome, many) in tally.outcomes() {
            line(out, name, &format!("{labels},outcome=\"{outcome}\""), &many.to_string());
        }
    }
    let name = "suanpan_channel_answer_seconds";
    head(out, name, "histogram", "time from the start of an attempt to the first answer of its channel");
    for (labels, tally) in &tallies {
        write_durations(out, name, labels, &tally.answers());
    }
}

/// How malls are told: what is pending and how old it is, what they took, every try by its result, how long they took.
pub fn write_notifications(out: &mut String, notifier: &Notifier, now: TimestampMs) {
    let mut platforms: Vec<_> = notifier.counts().collect();
    platforms.sort_by_key(|(platform, _)| *platform);
    let labels = |platform: PlatformId| format!("platform=\"{platform}\"");
    let read = |count: &AtomicU64| count.load(Ordering::Relaxed).to_string();
    type Read<'a> = &'a dyn Fn(PlatformId, &Counts) -> Option<String>;
    let families: [(&str, &str, &str, Read<'_>); 4] = [
        (
            "suanpan_notifications_pending",
            "gauge",
            "notifications taken up and not delivered",
            &|_, counts| Some(read(&counts.pending)),
        ),
        (
            "suanpan_notification_lag_seconds",
            "gauge",
            "age of the oldest event of which the mall was not told; 0 where there is none",
            // Milliseconds, so that no float is needed. What cannot be read is left out.
            &|platform, _| {
                notifier.lag_ms(platform, now).ok().map(|lag_ms| seconds(lag_ms.saturating_mul(1_000)))
            },
        ),
        (
            "suanpan_notifications_delivered_total",
            "counter",
            "notifications that malls took",
            &|_, counts| Some(read(&counts.delivered)),
        ),
        ("suanpan_notifications_dead_total", "counter", "notifications that were given up", &|_, counts| {
            Some(read(&counts.dead))
        }),
    ];
    for (name, kind, help, read) in families {
        head(out, name, kind, help);
        for (platform, counts) in &platforms {
            if let Some(value) = read(*platform, counts) {
                line(out, name, &labels(*platform), &value);
            }
        }
    }
    let name = "suanpan_notification_tries_total";
    head(out, name, "counter", "tries to tell a mall, by what it answered");
    for (platform, counts) in &platforms {
        for (result, count) in TryResult::ALL.into_iter().zip(&counts.tries) {
            let labels = format!("{},result=\"{}\"", labels(*platform), result.name());
            line(out, name, &labels, &read(count));
        }
    }
    type Histogram<'a> = (&'a str, &'a str, fn(&Counts) -> Durations);
    let histograms: [Histogram<'_>; 2] = [
        ("suanpan_notification_try_seconds", "time that malls took to answer", |counts| {
            counts.answers.durations()
        }),
        (
            "suanpan_notification_delivery_seconds",
            "time from an event to the mall having taken it",
            |counts| counts.deliveries.durations(),
        ),
    ];
    for (name, help, read) in histograms {
        head(out, name, "histogram", help);
        for (platform, counts) in &platforms {
            write_durations(out, name, &labels(*platform), &read(counts));
        }
    }
}

/// Spans that were sent to the collector of traces, and those that were not.
pub fn write_traces(out: &mut String, counts: &TraceCounts) {
    let name = "suanpan_trace_spans_total";
    head(out, name, "counter", "spans of requests by what became of them");
    for (result, count) in [("sent", &counts.sent), ("dropped", &counts.dropped)] {
        let count = count.load(Ordering::Relaxed).to_string();
        line(out, name, &format!("result=\"{result}\""), &count);
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn line(out: &mut String, name: &str, labels: &str, value: &str) {
    let _ = match labels {
        "" => writeln!(out, "{name} {value}"),
        labels => writeln!(out, "{name}{{{labels}}} {value}"),
    };
}

/// Microseconds as seconds, exactly.
fn seconds(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_route_status_and_time() {
        let metrics = Metrics::default();
        let (first, second) = (metrics.worker(), metrics.worker());
        first.count(Some(crate::endpoint::ORDERS.index), 201, Duration::from_micros(250));
        second.count(Some(crate::endpoint::ORDERS.index), 201, Duration::from_micros(251));
        second.count(None, 418, Duration::from_secs(60));
        first.refused("busy");
        second.refused("busy");
        let text = metrics.text(&EngineStats { created: 7, ..EngineStats::default() });
        let route = "method=\"POST\",route=\"/v1/platforms/{platform}/orders\"";
        for expected in [
            "suanpan_orders_created_total 7".to_owned(),
            format!("suanpan_http_requests_total{{{route},status=\"201\"}} 2"),
            format!("suanpan_http_request_seconds_bucket{{{route},le=\"0.000250\"}} 1"),
            format!("suanpan_http_request_seconds_bucket{{{route},le=\"0.000500\"}} 2"),
            format!("suanpan_http_request_seconds_bucket{{{route},le=\"+Inf\"}} 2"),
            format!("suanpan_http_request_seconds_sum{{{route}}} 0.000501"),
            "suanpan_http_requests_total{method=\"\",route=\"unmatched\",status=\"other\"} 1".to_owned(),
            "suanpan_http_refusals_total{code=\"busy\"} 2".to_owned(),
            "suanpan_available 1".to_owned(),
        ] {
            assert!(text.lines().any(|line| line == expected), "no line {expected:?} in\n{text}");
        }
    }
}
