//! Engine and peer as a table.

use std::fmt::Write as _;

use super::PeersReport;
use crate::latency::Percentiles;
use crate::operation::Operation;
use crate::report::page::{escape, grouped_f, micros};

const HEADINGS: [&str; 10] =
    ["system", "under way", "orders/s", "order p50", "p90", "p99", "p99.9", "p99.99", "max", "differences"];

/// A row: the system, orders under way, orders a second, percentiles, differences.
type Row<'a> = (&'a str, usize, f64, Percentiles, u64);

fn rows(report: &PeersReport) -> Vec<Row<'_>> {
    let order = Operation::Order.name();
    let engine = report.engine.iter().map(|run| {
        let at = run.latency_us.get(order).copied().unwrap_or_default().percentiles;
        ("Suanpan, in process", run.in_flight.unwrap_or(0), run.orders_per_second, at, run.differences)
    });
    let peer = report.lines.iter().map(|line| {
        (&line.system[..], line.under_way, line.orders_per_second, line.order_us, line.differences)
    });
    engine.chain(peer).collect()
}

fn cells((system, under_way, rate, at, differences): Row<'_>) -> [String; 10] {
    let time = |us: u64| micros(us as f64);
    [
        system.to_owned(),
        under_way.to_string(),
        format!("{rate:.0}"),
        time(at.p50),
        time(at.p90),
        time(at.p99),
        time(at.p99_9),
        time(at.p99_99),
        time(at.max),
        differences.to_string(),
    ]
}

/// What stands above the table.
fn heading(report: &PeersReport) -> String {
    let mut text = String::new();
    if let Some(run) = report.engine.first() {
        let machine = &run.origin.machine;
        let commit = run.origin.commit.as_deref().unwrap_or("unknown");
        let _ = write!(
            text,
            "{} × {}, kernel {}, load {:.1} before, commit {commit}, profile {}, seed {}; ",
            machine.cores, machine.cpu, machine.kernel, run.origin.load_average, run.origin.profile, run.seed
        );
    }
    let (peer, settings) = (&report.peer, &report.peer_settings);
    let (seconds, warmup) = (report.seconds, report.warmup_seconds);
    let _ = write!(text, "{seconds:.0} s each after {warmup:.0} s of warm-up; {peer}; {settings}");
    text
}

/// The table in Markdown.
#[must_use]
pub fn markdown(report: &PeersReport) -> String {
    let mut text = format!("\n{}\n\n| {} |\n", heading(report), HEADINGS.join(" | "));
    let _ = writeln!(text, "|{}", "---|".repeat(HEADINGS.len()));
    for row in rows(report) {
        let _ = writeln!(text, "| {} |", cells(row).join(" | "));
    }
    if let Some(run) = report.engine.first() {
        let _ = writeln!(text, "\n`{}`", run.origin.command);
    }
    text
}

/// The same as part of a page.
#[must_use]
pub fn html(report: &PeersReport) -> String {
    let mut text = format!("<h2>Side by side</h2><p class=\"soft\">{}</p>", escape(&heading(report)));
    text.push_str("<div class=\"wide\"><table><thead><tr>");
    for heading in HEADINGS {
        let _ = write!(text, "<th>{heading}</th>");
    }
    text.push_str("</tr></thead><tbody>");
    for row in rows(report) {
        text.push_str("<tr>");
        let mut cells = cells(row);
        cells[2] = grouped_f(row.2);
        for cell in cells {
            let _ = write!(text, "<td>{}</td>", escape(&cell));
        }
        text.push_str("</tr>");
    }
    text + "</tbody></table></div>"
}
