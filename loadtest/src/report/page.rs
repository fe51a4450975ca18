//! One self-contained page: verdict, plots, tables, and where the figures come from.

use std::fmt::Write as _;

use super::plot::{Axis, Chart, Line, Scale, percent, short};
pub use super::plot::{escape, micros};
use super::{LatencyReport, NOT_INCLUDED, Resources, RunReport, table};
use crate::operation::Operation;
use crate::run::Played;
use crate::runs::Median;

mod charts;

const STYLE: &str = include_str!("page.css");

/// The page of all runs; `beside` is what else is to stand on it.
#[must_use]
pub fn html(played: &[Played], medians: &[Median], beside: Option<&str>) -> String {
    let mut names: Vec<&str> = played.iter().map(|one| one.report.workload.as_str()).collect();
    names.dedup();
    let title = format!("Load test: {}", names.join(", "));
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{0}</title><style>{STYLE}</style></head><body><main><h1>{0}</h1>",
        escape(&title)
    );
    if let Some(first) = played.first() {
        let _ = write!(page, "<p class=\"soft\">{}</p>", escape(&first.report.about));
    }
    page.push_str(&verdict(played));
    page.push_str(beside.unwrap_or_default());
    if medians.len() > 1 {
        page.push_str(&by_rate(medians));
    }
    if medians.len() < played.len() {
        let _ = write!(page, "<h2>Medians</h2>{}<h2>Every run</h2>", latency_table(&of_medians(medians)));
    }
    page.push_str(&latency_table(&of_runs(played)));
    for one in played {
        page.push_str(&section(one, played.len() > 1));
    }
    page.push_str("<h2>What is not included</h2><ul>");
    for line in NOT_INCLUDED {
        let _ = write!(page, "<li>{}</li>", escape(line));
    }
    page.push_str("</ul>");
    if let Some(first) = played.first() {
        page.push_str(&origin(&first.report));
    }
    page + "</main></body></html>\n"
}

fn verdict(played: &[Played]) -> String {
    let differences: Vec<&String> = played.iter().flat_map(|one| &one.verdict.differences).collect();
    let count: u64 = played.iter().map(|one| one.verdict.count).sum();
    let compared: u64 = played.iter().map(|one| one.verdict.compared).sum();
    let sampled: u64 = played.iter().map(|one| one.verdict.sampled).sum();
    let acknowledged: u64 = played.iter().map(|one| one.report.acknowledged).sum();
    if count == 0 {
        return format!(
            "<p class=\"verdict\">All is well: {} acknowledged orders ended as they must, {} figures and {} orders \
             compared with the channels' books and the driver's own record, 0 differences.</p>",
            grouped(acknowledged),
            grouped(compared),
            grouped(sampled)
        );
    }
    let mut text = format!(
        "<div class=\"verdict bad\">{count} figures differ: the speed of such a run is worth nothing.<ul>"
    );
    for difference in differences {
        let _ = write!(text, "<li>{}</li>", escape(difference));
    }
    text + "</ul></div>"
}

/// Latency and throughput over the offered rate.
fn by_rate(medians: &[Median]) -> String {
    let mut rates: Vec<&Median> = medians.iter().filter(|median| median.rate.is_some()).collect();
    rates.sort_by_key(|median| median.rate);
    let same = rates.windows(2).all(|pair| pair[0].workload == pair[1].workload);
    if rates.len() < 2 || !same {
        return String::new();
    }
    let at = |median: &Median| median.rate.unwrap_or(0) as f64;
    let order = |pick: fn(&crate::latency::Percentiles) -> u64, name: &str| Line {
        name: name.to_owned(),
        filled: false,
        points: rates
            .iter()
            .filter_map(|median| {
                let order = median.latency_us.get(Operation::Order.name())?;
                Some((at(median), pick(&order.percentiles) as f64))
            })
            .collect(),
    };
    let offered = Axis { label: "offered, orders/s".to_owned(), scale: Scale::Linear, text: short };
    let latency = Chart {
        title: "Latency of whole orders by rate".to_owned(),
        note: "Counted from the planned time of each order.".to_owned(),
        x: offered.clone(),
        y: Axis { label: "latency".to_owned(), scale: Scale::Log, text: micros },
        lines: vec![
            order(|at| at.p50, "p50"),
            order(|at| at.p99, "p99"),
            order(|at| at.p99_9, "p99.9"),
            order(|at| at.max, "max"),
        ],
        spans: Vec::new(),
    };
    let done = Line {
        name: "finished".to_owned(),
        filled: true,
        points: rates.iter().map(|median| (at(median), median.orders_per_second)).collect(),
    };
    let throughput = Chart {
        title: "Finished by rate".to_owned(),
        note: "Where the line leaves the diagonal the target no longer follows.".to_owned(),
        x: offered,
        y: Axis { label: "finished, orders/s".to_owned(), scale: Scale::Linear, text: short },
        lines: vec![done],
        spans: Vec::new(),
    };
    format!("<div class=\"charts\">{}{}</div>", latency.figure(), throughput.figure())
}

/// A row of the table: workload, pace, orders a second; then the latencies of each operation.
type Row<'a> = ([String; 3], &'a LatencyReport);

fn of_runs(played: &[Played]) -> Vec<Row<'_>> {
    let row = |one: &'_ Played| {
        let report = &one.report;
        [report.workload.clone(), table::pace(report), grouped_f(report.orders_per_second)]
    };
    played.iter().map(|one| (row(one), &one.report.latency_us)).collect()
}

fn of_medians(medians: &[Median]) -> Vec<Row<'_>> {
    let row = |one: &Median| {
        let (least, most) = (grouped_f(one.spread.0), grouped_f(one.spread.1));
        let speed = format!("{} ({least} to {most})", grouped_f(one.orders_per_second));
        [one.workload.clone(), format!("{}, {} runs", table::offered(one), one.runs), speed]
    };
    medians.iter().map(|one| (row(one), &one.latency_us)).collect()
}

fn latency_table(rows: &[Row<'_>]) -> String {
    let mut text = "<div class=\"wide\"><table><thead><tr><th>workload</th><th>offered</th><th>orders/s</th>\
                    <th class=\"text\">operation</th><th>count</th><th>p50</th><th>p90</th><th>p99</th><th>p99.9</th>\
                    <th>p99.99</th><th>max</th></tr></thead><tbody>"
        .to_owned();
    for (head, latencies) in rows {
        let mut is_first = true;
        for operation in Operation::ALL {
            let Some(found) = latencies.get(operation.name()) else { continue };
            let at = found.percentiles;
            let cells = [at.p50, at.p90, at.p99, at.p99_9, at.p99_99, at.max]
                .map(|us| format!("<td>{}</td>", micros(us as f64)))
                .concat();
            let class = if is_first { " class=\"first\"" } else { "" };
            let head = head
                .each_ref()
                .map(|cell| format!("<td>{}</td>", if is_first { escape(cell) } else { String::new() }));
            is_first = false;
            let _ = write!(
                text,
                "<tr{class}>{}<td class=\"text\">{}</td><td>{}</td>{cells}</tr>",
                head.concat(),
                operation.name(),
                grouped(found.count)
            );
        }
    }
    text + "</tbody></table></div>"
}

fn section(played: &Played, is_one_of_many: bool) -> String {
    let report = &played.report;
    let heading = format!("{} at {}", report.workload, table::pace(report));
    let mut text = String::new();
    if is_one_of_many {
        let _ = write!(text, "<h2>{}</h2><p class=\"soft\">{}</p>", escape(&heading), escape(&report.about));
    }
    let order = report.latency_us.get(Operation::Order.name()).map(|order| order.percentiles);
    let at = |us: Option<u64>| us.map_or("–".to_owned(), |us| micros(us as f64));
    let cards = [
        (grouped_f(report.orders_per_second), "orders/s finished"),
        (at(order.map(|at| at.p50)), "order p50"),
        (at(order.map(|at| at.p99)), "order p99"),
        (at(order.map(|at| at.p99_9)), "order p99.9"),
        (format!("{:.1} s", report.acceptance_seconds), "until all were accepted"),
        (format!("{:.1} s", report.drain_seconds), "then until all had ended"),
        (grouped(report.acknowledged), "acknowledged"),
        (grouped(report.differences), "differences"),
    ];
    text.push_str("<div class=\"cards\">");
    for (value, what) in cards {
        let _ = write!(text, "<div><b>{value}</b><span>{what}</span></div>");
    }
    text.push_str("</div>");
    if let Resources::Unknown(why) = &report.origin.resources {
        let _ = write!(
            text,
            "<p class=\"soft\">CPU time, memory and queues of the server are not known: {}.</p>",
            escape(why)
        );
    }
    text.push_str(&incidents(report));
    text.push_str("<div class=\"charts\">");
    for chart in charts::all(played) {
        text.push_str(&chart.figure());
    }
    text.push_str("</div>");
    let _ = write!(
        text,
        "<details><summary>All figures of this run</summary><pre><code>{}</code></pre></details>",
        escape(&table::details(report))
    );
    text
}

fn incidents(report: &RunReport) -> String {
    if report.incidents.is_empty() {
        return String::new();
    }
    let mut text =
        "<table><thead><tr><th>what happened</th><th>at</th><th>lasted</th><th>no order finished for</th>\
                    <th>recovered after</th></tr></thead><tbody>"
            .to_owned();
    for incident in &report.incidents {
        let again = incident.recovery_s.map_or("never".to_owned(), |after| format!("{after:.2} s"));
        let _ = write!(
            text,
            "<tr><td class=\"text\">{}</td><td>{:.2} s</td><td>{:.2} s</td><td>{}</td><td>{again}</td></tr>",
            escape(&incident.what),
            incident.from_s,
            incident.until_s - incident.from_s,
            table::gap(incident)
        );
    }
    text + "</tbody></table>"
}

fn origin(report: &RunReport) -> String {
    let origin = &report.origin;
    let machine = &origin.machine;
    let mut text = "<h2>Where the figures come from</h2><dl>".to_owned();
    let rows = [
        ("machine", format!("{} × {}", machine.cores, machine.cpu)),
        ("memory", format!("{:.1} GiB", machine.memory_bytes as f64 / f64::from(1 << 30))),
        ("kernel", machine.kernel.clone()),
        ("load before", format!("{:.2} tasks (one minute)", origin.load_average)),
        ("commit", origin.commit.clone().unwrap_or_else(|| "unknown".to_owned())),
        ("profile", origin.profile.to_owned()),
        ("seed", report.seed.to_string()),
        ("warm-up", format!("{:.1} s, not counted", report.warmup_seconds)),
        ("data", origin.data.clone()),
        ("CPU and memory", table::resources(&origin.resources)),
    ];
    for (name, value) in rows {
        let _ = write!(text, "<dt>{name}</dt><dd>{}</dd>", escape(&value));
    }
    let _ = write!(text, "<dt>command</dt><dd><code>{}</code></dd></dl>", escape(&origin.command));
    text
}

/// A count with its thousands apart.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A number without its fraction, thousands apart.
#[must_use]
pub fn grouped_f(value: f64) -> String {
    format!("{value:.0}").parse().map_or_else(|_| "–".to_owned(), grouped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        assert_eq!([grouped(0), grouped(999), grouped(1_234_567)], ["0", "999", "1\u{202f}234\u{202f}567"]);
        assert_eq!(grouped_f(1_999.6), "2\u{202f}000");
        assert_eq!(percent(0.999), "99.9 %");
    }
}
