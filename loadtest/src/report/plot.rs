//! Line charts as inline SVG; colours come from the page's style.

use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 46.0;

/// How values become places on an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// In proportion, from zero.
    Linear,
    /// By logarithm.
    Log,
    /// Quantiles below one, by the logarithm of their distance to one.
    Quantile,
}

/// An axis.
#[derive(Clone, Debug)]
pub struct Axis {
    /// What it shows, with its unit.
    pub label: String,
    /// How values become places.
    pub scale: Scale,
    /// How a value is written at its tick.
    pub text: fn(f64) -> String,
}

/// A line of a chart.
#[derive(Clone, Debug)]
pub struct Line {
    /// What it shows.
    pub name: String,
    /// Its points, in the order of x; where y is no number the line is broken.
    pub points: Vec<(f64, f64)>,
    /// Whether the area under it is filled.
    pub filled: bool,
}

/// A span of x that is marked.
#[derive(Clone, Debug)]
pub struct Span {
    /// What happened.
    pub what: String,
    /// Its begin and end.
    pub from: f64,
    /// Its end.
    pub until: f64,
    /// Whether it is a fault, not a phase.
    pub is_fault: bool,
}

/// A chart.
#[derive(Clone, Debug)]
pub struct Chart {
    /// Its title.
    pub title: String,
    /// What a reader should know beside it.
    pub note: String,
    /// Across.
    pub x: Axis,
    /// Up.
    pub y: Axis,
    /// Its lines.
    pub lines: Vec<Line>,
    /// Marked spans.
    pub spans: Vec<Span>,
}

/// Values from the first to the last tick.
struct Range {
    scale: Scale,
    low: f64,
    high: f64,
    ticks: Vec<f64>,
}

impl Range {
    fn of(scale: Scale, values: impl Iterator<Item = f64>) -> Self {
        let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| value.is_finite()) {
            (least, most) = (least.min(value), most.max(value));
        }
        if least > most {
            (least, most) = (0.0, 1.0);
        }
        match scale {
            Scale::Linear => Self::linear(most),
            Scale::Log => Self::log(least.max(1e-9), most.max(1e-9)),
            Scale::Quantile => {
                let all = [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999_999];
                let high = most.clamp(0.9, 0.999_999);
                let ticks = all.into_iter().filter(|tick| *tick <= high).collect();
                Self { scale, low: 0.0, high, ticks }
            }
        }
    }

    fn linear(most: f64) -> Self {
        let rough = (most / 5.0).max(1e-9);
        let magnitude = 10_f64.powf(rough.log10().floor());
        let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|step| step * magnitude);
        let step = steps.into_iter().find(|step| *step >= rough).unwrap_or(rough);
        let mut ticks = vec![0.0];
        while ticks[ticks.len() - 1] < most {
            ticks.push(ticks[ticks.len() - 1] + step);
        }
        if ticks.len() == 1 {
            ticks.push(step);
        }
        Self { scale: Scale::Linear, low: 0.0, high: ticks[ticks.len() - 1], ticks }
    }

    /// The same, but ending where the values end: for an axis across.
    fn tight(mut self, values: impl Iterator<Item = f64>) -> Self {
        let most = values.fold(0.0, f64::max);
        if self.scale == Scale::Linear && most > 0.0 {
            self.high = most;
            self.ticks.retain(|tick| *tick <= most);
        }
        self
    }

    fn log(least: f64, most: f64) -> Self {
        let low = 10_f64.powf(least.log10().floor());
        let mut ticks = vec![low];
        while ticks[ticks.len() - 1] < most || ticks.len() == 1 {
            ticks.push(ticks[ticks.len() - 1] * 10.0);
        }
        Self { scale: Scale::Log, low, high: ticks[ticks.len() - 1], ticks }
    }

    /// Where a value lies between the ends, from 0 to 1.
    fn place(&self, value: f64) -> f64 {
        let on = |value: f64| match self.scale {
            Scale::Linear => value,
            Scale::Log => value.max(self.low).log10(),
            Scale::Quantile => -(1.0 - value.min(0.999_999_9)).log10(),
        };
        ((on(value) - on(self.low)) / (on(self.high) - on(self.low))).clamp(0.0, 1.0)
    }
}

impl Chart {
    /// The chart as a figure of a page.
    #[must_use]
    pub fn figure(&self) -> String {
        let mut svg = String::new();
        let of = |pick: fn(&(f64, f64)) -> f64| {
            self.lines.iter().flat_map(move |line| line.points.iter().map(pick))
        };
        let across = Range::of(self.x.scale, of(|at| at.0)).tight(of(|at| at.0));
        let up = Range::of(self.y.scale, of(|at| at.1));
        let x = |value: f64| LEFT + across.place(value) * (WIDTH - LEFT - RIGHT);
        let y = |value: f64| HEIGHT - BOTTOM - up.place(value) * (HEIGHT - TOP - BOTTOM);
        let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
        let title = escape(&self.title);
        let _ = write!(svg, "<figure><figcaption><h3>{title}</h3>{}</figcaption>", self.legend());
        let _ = write!(svg, "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">");
        for span in &self.spans {
            let (from, until) = (x(span.from), x(span.until));
            let class = if span.is_fault { "fault" } else { "phase" };
            let _ = write!(
                svg,
                "<rect class=\"{class}\" x=\"{from:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\"/>\
                 <text class=\"span\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                (until - from).max(1.5),
                bottom - TOP,
                from + 4.0,
                TOP + 12.0,
                escape(&span.what)
            );
        }
        for tick in &up.ticks {
            let at = y(*tick);
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
                 <text class=\"tick\" text-anchor=\"end\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                LEFT - 8.0,
                at + 4.0,
                escape(&(self.y.text)(*tick))
            );
        }
        for tick in &across.ticks {
            let at = x(*tick);
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>\
                 <text class=\"tick\" text-anchor=\"middle\" x=\"{at:.1}\" y=\"{:.1}\">{}</text>",
                bottom + 16.0,
                escape(&(self.x.text)(*tick))
            );
        }
        let _ = write!(
            svg,
            "<text class=\"label\" text-anchor=\"middle\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\
             <text class=\"label\" text-anchor=\"middle\" transform=\"translate(14 {:.1}) rotate(-90)\">{}</text>",
            (LEFT + right) / 2.0,
            HEIGHT - 8.0,
            escape(&self.x.label),
            (TOP + bottom) / 2.0,
            escape(&self.y.label)
        );
        for (number, line) in self.lines.iter().enumerate() {
            let name = escape(&line.name);
            for piece in line.points.split(|at| !at.1.is_finite()) {
                let (Some(first), Some(last)) = (piece.first(), piece.last()) else { continue };
                let path: Vec<String> =
                    piece.iter().map(|at| format!("{:.1},{:.1}", x(at.0), y(at.1))).collect();
                let path = path.join(" ");
                if line.filled {
                    let (left, right) = (x(first.0), x(last.0));
                    let _ = write!(
                        svg,
                        "<polygon class=\"area c{number}\" points=\"{left:.1},{bottom} {path} {right:.1},{bottom}\"/>"
                    );
                }
                let _ = write!(
                    svg,
                    "<polyline class=\"line c{number}\" points=\"{path}\"><title>{name}</title></polyline>"
                );
            }
        }
        svg.push_str("</svg>");
        if !self.note.is_empty() {
            let _ = write!(svg, "<p class=\"note\">{}</p>", escape(&self.note));
        }
        svg.push_str("</figure>");
        svg
    }

    fn legend(&self) -> String {
        let mut text = "<ul class=\"legend\">".to_owned();
        for (number, line) in self.lines.iter().enumerate() {
            let _ = write!(text, "<li><i class=\"c{number}\"></i>{}</li>", escape(&line.name));
        }
        text + "</ul>"
    }
}

/// Text that means itself in a page.
#[must_use]
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Microseconds in the unit that suits them.
#[must_use]
pub fn micros(us: f64) -> String {
    match us {
        _ if us >= 1e6 => format!("{} s", short(us / 1e6)),
        _ if us >= 1e3 => format!("{} ms", short(us / 1e3)),
        _ => format!("{} µs", short(us)),
    }
}

/// A number with as many digits as help.
#[must_use]
pub fn short(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if size >= 1e7 => format!("{:.0} M", value / 1e6),
        _ if size >= 1e6 => format!("{:.1} M", value / 1e6),
        _ if size >= 1e4 => format!("{:.0} k", value / 1e3),
        _ if size >= 100.0 || (value - value.round()).abs() < 1e-9 => format!("{value:.0}"),
        _ if size >= 10.0 || (value * 10.0 - (value * 10.0).round()).abs() < 1e-9 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// A quantile in percent.
#[must_use]
pub fn percent(quantile: f64) -> String {
    let text = format!("{:.4}", quantile * 100.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_round_ticks_and_hold_every_value() {
        assert_eq!(
            Range::of(Scale::Linear, [3.0, 47.0].into_iter()).ticks,
            [0.0, 10.0, 20.0, 30.0, 40.0, 50.0]
        );
        assert_eq!(Range::of(Scale::Log, [120.0, 4_000.0].into_iter()).ticks, [100.0, 1_000.0, 10_000.0]);
        assert_eq!(Range::of(Scale::Quantile, [0.995].into_iter()).ticks, [0.0, 0.5, 0.9, 0.99]);
        let time = Range::of(Scale::Linear, [8.1].into_iter()).tight([8.1].into_iter());
        assert_eq!((time.ticks, time.high), (vec![0.0, 2.0, 4.0, 6.0, 8.0], 8.1));
        let nothing = Range::of(Scale::Linear, std::iter::empty());
        assert!(nothing.ticks.len() > 1 && nothing.place(0.5).is_finite());
        let zero = Range::of(Scale::Linear, [0.0].into_iter());
        assert!(zero.place(0.0).is_finite());
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([micros(950.0), micros(1_500.0), micros(2e6)], ["950 µs", "1.5 ms", "2 s"]);
        assert_eq!([short(120_000.0), short(0.25), short(12.34)], ["120 k", "0.25", "12.3"]);
        assert_eq!([percent(0.5), percent(0.9999), percent(0.0)], ["50 %", "99.99 %", "0 %"]);
    }
}
