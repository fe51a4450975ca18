//! The charts of one run.

use super::{Axis, Chart, Line, Scale, micros, percent, short};
use crate::operation::Operation;
use crate::report::plot::Span;
use crate::report::{Resources, RunReport};
use crate::run::Played;
use crate::series::Point;

/// Steps of a distribution for each halving of the distance to 100 %.
const TICKS: u32 = 8;

/// All charts of a run.
pub(super) fn all(played: &Played) -> Vec<Chart> {
    let report = &played.report;
    let mut charts = vec![
        by_percentile(played),
        over_time(
            report,
            "Latency of whole orders over time",
            Axis { label: "latency".to_owned(), scale: Scale::Log, text: micros },
            &[
                ("max", false, |point| point.max_us as f64),
                ("p99", false, |point| point.p99_us as f64),
                ("p50", false, |point| point.p50_us as f64),
            ],
            |point| point.p50_us > 0,
        ),
        over_time(
            report,
            "Throughput over time",
            linear("orders finished/s", short),
            &[("finished", true, |point| point.per_second)],
            |_| true,
        ),
    ];
    let is_told = report.engine.is_some() || report.origin.resources == Resources::Metrics;
    let queues: &[Reading] = match is_told {
        true => &[
            ("orders under way", true, |point| point.under_way as f64),
            ("requests in the engine", false, |point| point.in_flight as f64),
            ("messages to the log writer", false, |point| point.log_queue as f64),
            ("messages to the archive", false, |point| point.keeper_queue as f64),
        ],
        false => &[("orders under way", true, |point| point.under_way as f64)],
    };
    charts.push(over_time(report, "Queue depth over time", linear("waiting", short), queues, |_| true));
    match report.origin.resources {
        Resources::Unknown(_) => {}
        Resources::Kernel | Resources::Metrics => charts.extend([
            over_time(
                report,
                "CPU over time",
                linear("processors kept busy", short),
                &[("target", true, |point| point.cpus.unwrap_or(0.0))],
                |point| point.cpus.is_some(),
            ),
            over_time(
                report,
                "Memory over time",
                linear("resident, MiB", short),
                &[("target", true, |point| point.rss_bytes.unwrap_or(0) as f64 / f64::from(1 << 20))],
                |point| point.rss_bytes.is_some(),
            ),
        ]),
    }
    if is_told {
        charts.push(over_time(
            report,
            "Archive over time",
            linear("finished, not yet archived", short),
            &[("orders", true, |point| point.archive_lag as f64)],
            |_| true,
        ));
    }
    charts
}

/// A line over time: its name, whether it is filled, and what it reads.
type Reading = (&'static str, bool, fn(&Point) -> f64);

fn linear(label: &str, text: fn(f64) -> String) -> Axis {
    Axis { label: label.to_owned(), scale: Scale::Linear, text }
}

fn by_percentile(played: &Played) -> Chart {
    let measured = Operation::ALL.into_iter().filter(|one| played.tally.latencies(*one).count() > 0);
    let line = |operation: Operation| {
        let latencies = played.tally.latencies(operation);
        // Where fewer than one in so many can lie there is nothing to see.
        let last = 1.0 - 1.0 / (latencies.count() as f64 + 1.0);
        let steps = latencies.distribution(TICKS).into_iter().filter(|(quantile, ..)| *quantile < 1.0);
        let mut points: Vec<(f64, f64)> = steps
            .filter(|(quantile, ..)| *quantile <= last)
            .map(|(at, us, _)| (at, us.max(1) as f64))
            .collect();
        points.push((last, latencies.max_us().max(1) as f64));
        Line { name: operation.name().to_owned(), points, filled: false }
    };
    Chart {
        title: "Latency by percentile".to_owned(),
        note: match played.report.rate {
            Some(_) => {
                "Open loop: submit, pay and order count from the planned time, so waiting is not hidden."
            }
            None => {
                "Closed loop: a slow target is asked less; for what callers wait, look at a run at a rate."
            }
        }
        .to_owned(),
        x: Axis { label: "percentile".to_owned(), scale: Scale::Quantile, text: percent },
        y: Axis { label: "latency".to_owned(), scale: Scale::Log, text: micros },
        lines: measured.map(line).collect(),
        spans: Vec::new(),
    }
}

fn over_time(
    report: &RunReport,
    title: &str,
    y: Axis,
    readings: &[Reading],
    counts: fn(&Point) -> bool,
) -> Chart {
    let line = |(name, filled, read): &Reading| Line {
        name: (*name).to_owned(),
        filled: *filled,
        points: read_points(&report.points, *read, counts),
    };
    let mut spans = Vec::new();
    if report.warmup_seconds > 0.0 {
        let until = report.warmup_seconds;
        spans.push(Span { what: "warm-up".to_owned(), from: 0.0, until, is_fault: false });
    }
    for incident in &report.incidents {
        let (from, until) = (incident.from_s, incident.until_s);
        spans.push(Span { what: incident.what.clone(), from, until, is_fault: true });
    }
    Chart {
        title: title.to_owned(),
        note: String::new(),
        x: linear("seconds since the first order", short),
        y,
        lines: readings.iter().map(line).collect(),
        spans,
    }
}

/// A line over time. A point that does not count is left out; where several in a row do not, the line is broken: nothing
/// is known there.
fn read_points(points: &[Point], read: fn(&Point) -> f64, counts: fn(&Point) -> bool) -> Vec<(f64, f64)> {
    let mut line = Vec::with_capacity(points.len());
    let mut was_left_out = false;
    for point in points {
        match (counts(point), was_left_out) {
            (true, _) => line.push((point.at_s, read(point))),
            (false, true) => line.push((point.at_s, f64::NAN)),
            (false, false) => {}
        }
        was_left_out = !counts(point);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_breaks_the_line() {
        let at = |at_s: f64, p50_us: u64| Point { at_s, p50_us, ..Point::default() };
        let points = [at(1.0, 5), at(2.0, 0), at(3.0, 6), at(4.0, 0), at(5.0, 0), at(6.0, 7)];
        let line = read_points(&points, |point| point.p50_us as f64, |point| point.p50_us > 0);
        let seen: Vec<(f64, bool)> = line.iter().map(|(at, us)| (*at, us.is_finite())).collect();
        assert_eq!(seen, [(1.0, true), (3.0, true), (5.0, false), (6.0, true)]);
    }
}
