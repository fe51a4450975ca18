//! Reports as text.

use std::fmt::Write as _;

use super::{Incident, NOT_INCLUDED, Resources, RunReport};
use crate::latency::Percentiles;
use crate::machine::MachineTime;
use crate::operation::Operation;
use crate::runs::Median;

/// How orders were sent, in words.
#[must_use]
pub fn pace(report: &RunReport) -> String {
    match (report.rate, report.in_flight) {
        (Some(rate), _) => format!("{rate}/s"),
        (None, Some(in_flight)) => format!("{in_flight} in flight"),
        (None, None) => "one by one".to_owned(),
    }
}

/// How the orders of several runs were sent, in words.
#[must_use]
pub fn offered(median: &Median) -> String {
    match (median.rate, median.in_flight) {
        (Some(rate), _) => format!("{rate}/s"),
        (None, in_flight) => format!("{} in flight", in_flight.unwrap_or(1)),
    }
}

/// How long no order was finished around an incident, in words.
#[must_use]
pub fn gap(incident: &Incident) -> String {
    if incident.gap_s > 0.0 { format!("{:.2} s", incident.gap_s) } else { "–".to_owned() }
}

/// Everything about one run.
#[must_use]
pub fn details(report: &RunReport) -> String {
    let mut text = String::new();
    let machine = &report.origin.machine;
    let _ = writeln!(
        text,
        "{} at {}, seed {}, on {} × {} (load {:.1} before)",
        report.workload,
        pace(report),
        report.seed,
        machine.cores,
        machine.cpu,
        report.origin.load_average
    );
    let mut row = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<32}{value:>28}");
    };
    row("orders/s", format!("{:.0}", report.orders_per_second));
    row("orders", format!("{} in {:.1} s", report.orders, report.seconds));
    row("warm-up, not counted", format!("{:.1} s", report.warmup_seconds));
    row("acknowledged / finished / unpaid", {
        format!("{} / {} / {}", report.acknowledged, report.verified, report.unpaid)
    });
    if report.cancelled > 0 {
        row("in doubt, cancelled by the mall", report.cancelled.to_string());
    }
    let planned: u64 = report.planned_rejects.values().sum();
    row("refused / as planned / busy", {
        format!("{} / {planned} / {}", report.rejects.values().sum::<u64>(), report.busy)
    });
    row("all accepted after", format!("{:.2} s", report.acceptance_seconds));
    row("drained after another", format!("{:.2} s", report.drain_seconds));
    let resources = &report.origin.resources;
    row("CPU and memory of the target", self::resources(resources));
    if let Some(bytes) = report.rss_bytes {
        row("resident memory", format!("{} MiB", bytes >> 20));
    }
    if let Some(engine) = &report.engine {
        row("log per order", {
            format!("{:.0} B, {:.2} records", engine.log_bytes_per_order, engine.records_per_order)
        });
        row("group commit", format!("{:.0} records", engine.records_per_group));
        row("commit p50 / p99", format!("{} / {} µs", engine.commit_us.0, engine.commit_us.1));
        row("disk p50 / p99 before", format!("{} / {} µs", engine.disk_us.0, engine.disk_us.1));
        row("requests per batch", format!("{:.0}", engine.requests_per_batch));
        row("archive lag at the end", {
            format!("{} orders, {:.2} s", engine.archive_lag, engine.archive_seconds)
        });
        if engine.contradictions > 0 {
            row("contradictions of channels", engine.contradictions.to_string());
        }
    }
    if let Some(read) = &report.reading {
        row("statements, p99", format!("{}, {} µs", read.statements, read.statement_us.p99));
        row("trial balances, p99", format!("{}, {} µs", read.trial_balances, read.trial_balance_us.p99));
    }
    if let Some(echo) = &report.echo {
        let line = |one: &crate::http::hammer::Hammered| {
            format!("{:.0} orders/s, p99 {} µs", one.orders_per_second, one.request_us.p99)
        };
        row(&format!("server, {} orders a request", echo.batch), line(&echo.server));
        row("bare echo of the same bodies", line(&echo.echo));
        row("server / echo", format!("{:.2}", echo.ratio));
    }
    let each = 1e6 / report.acknowledged.max(1) as f64;
    if let Some(seconds) = report.cpu_seconds {
        row("CPU", format!("{seconds:.1} s, {:.2} µs/order", seconds * each));
    }
    let MachineTime { busy, idle, disk, stolen } = report.machine_seconds;
    // Only of a target that is certainly here can it be told what others did.
    let (who, busy) = match resources {
        Resources::Kernel => ("others", (busy - report.cpu_seconds.unwrap_or(0.0)).max(0.0)),
        Resources::Metrics | Resources::Unknown(_) => ("busy here", busy),
    };
    row(
        &format!("{who} / idle / disk / stolen"),
        format!("{busy:.1} / {idle:.1} / {disk:.1} / {stolen:.1} s"),
    );
    let late = report.timer_late_us;
    row("a bare timer late by p50 / p99", format!("{} / {} µs, max {}", late.p50, late.p99, late.max));
    for (thread, seconds) in &report.cpu_seconds_by_thread {
        row(&format!("  {thread}"), format!("{seconds:.2} s, {:.2} µs/order", seconds * each));
    }
    for incident in &report.incidents {
        let again = incident.recovery_s.map_or("never".to_owned(), |after| format!("{after:.2} s"));
        let what = format!("{} at {:.1} s", incident.what, incident.from_s);
        row(&what, format!("for {:.2} s", incident.until_s - incident.from_s));
        row("  no order finished for", gap(incident));
        row("  recovered after its end", again);
    }
    let _ = writeln!(
        text,
        "  compared {} figures and {} orders: {} differences",
        report.compared, report.sampled, report.differences
    );
    text
}

/// How CPU time and memory of the target are known, in words.
#[must_use]
pub fn resources(resources: &Resources) -> String {
    match resources {
        Resources::Kernel => "told by the kernel".to_owned(),
        Resources::Metrics => "told by the server".to_owned(),
        Resources::Unknown(why) => format!("not known: {why}"),
    }
}

/// Rate × percentiles, a row for each operation of each run.
#[must_use]
pub fn latencies(reports: &[RunReport]) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{:<20} {:>14} {:>9}  {:<8} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}  µs",
        "workload", "offered", "orders/s", "what", "count", "p50", "p90", "p99", "p99.9", "p99.99", "max"
    );
    for report in reports {
        for operation in Operation::ALL {
            let Some(one) = report.latency_us.get(operation.name()) else { continue };
            let Percentiles { p50, p90, p99, p99_9, p99_99, max } = one.percentiles;
            let _ = writeln!(
                text,
                "{:<20} {:>14} {:>9.0}  {:<8} {:>9} {p50:>8} {p90:>8} {p99:>8} {p99_9:>8} {p99_99:>8} {max:>8}",
                report.workload,
                pace(report),
                report.orders_per_second,
                operation.name(),
                one.count,
            );
        }
    }
    text
}

/// Medians of several runs, a row for each operation.
#[must_use]
pub fn medians(medians: &[Median]) -> String {
    let mut text = String::new();
    for median in medians {
        let offered = offered(median);
        let (least, most) = median.spread;
        let _ = writeln!(
            text,
            "{:<20} {offered:>14} {:>9.0} orders/s ({least:.0} to {most:.0} in {} runs), {} differences",
            median.workload, median.orders_per_second, median.runs, median.differences
        );
        for (name, one) in &median.latency_us {
            let Percentiles { p50, p90, p99, p99_9, p99_99, max } = one.percentiles;
            let _ = writeln!(
                text,
                "{:46} {name:<8} {:>9} {p50:>8} {p90:>8} {p99:>8} {p99_9:>8} {p99_99:>8} {max:>8}",
                "", one.count
            );
        }
    }
    text
}

/// What is not in the figures.
#[must_use]
pub fn not_included() -> String {
    let mut text = "not included:\n".to_owned();
    for line in NOT_INCLUDED {
        let _ = writeln!(text, "  - {line}");
    }
    text
}
