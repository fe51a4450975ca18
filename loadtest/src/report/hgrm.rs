//! Percentile distributions in the text form that HdrHistogram's own plotters read (`.hgrm`).

use std::fmt::Write as _;

use crate::latency::Latencies;

/// Steps for each halving of the distance to 100 %.
const TICKS: u32 = 5;

/// The distribution of `latencies`, in milliseconds.
#[must_use]
pub fn text(latencies: &Latencies) -> String {
    let mut text = "       Value     Percentile TotalCount 1/(1-Percentile)\n\n".to_owned();
    let ms = |us: f64| us / 1_000.0;
    for (quantile, us, count) in latencies.distribution(TICKS) {
        let value = ms(us as f64);
        // Writing to a string does not fail.
        let _ = match quantile < 1.0 {
            true => writeln!(text, "{value:12.3} {quantile:.12} {count:10} {:14.2}", 1.0 / (1.0 - quantile)),
            false => writeln!(text, "{value:12.3} {quantile:.12} {count:10}            inf"),
        };
    }
    let (mean, deviation) = latencies.mean_and_deviation_us();
    let _ = writeln!(text, "#[Mean    = {:12.3}, StdDeviation   = {:12.3}]", ms(mean), ms(deviation));
    let max = ms(latencies.max_us() as f64);
    let _ = writeln!(text, "#[Max     = {max:12.3}, Total count    = {:12}]", latencies.count());
    let _ = writeln!(text, "#[Buckets = auto, SubBuckets = 2048]");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_that_of_the_plotters() {
        let mut latencies = Latencies::new().unwrap();
        for us in 1..=1_000 {
            latencies.record_ns(us * 1_000);
        }
        let text = text(&latencies);
        let rows: Vec<Vec<&str>> = text
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(rows[0], ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]);
        let half = rows.iter().find(|row| row[1].starts_with("0.5000")).unwrap();
        assert_eq!((half[0], half[2], half[3]), ("0.500", "500", "2.00"));
        let last = rows.last().unwrap();
        assert_eq!((last[0], last[2], last[3]), ("1.000", "1000", "inf"));
        assert!(text.contains("Total count    =         1000]"), "{text}");
    }
}
