//! Progress on standard error: a bar on a terminal, a line every few seconds elsewhere.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Progress of a run.
pub struct Progress {
    bar: ProgressBar,
    orders: usize,
    submitted: Cell<u64>,
    is_terminal: bool,
    told: Cell<Instant>,
}

impl Progress {
    /// Nothing done of `orders`.
    #[must_use]
    pub fn new(orders: usize) -> Self {
        let bar = ProgressBar::new(orders as u64);
        let style =
            ProgressStyle::with_template("{msg:<10} {bar:40} {pos}/{len} orders, {per_sec}, {elapsed}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.set_message("submitted");
        let is_terminal = std::io::stderr().is_terminal();
        Self { bar, orders, submitted: Cell::new(0), is_terminal, told: Cell::new(Instant::now()) }
    }

    /// So many more orders were submitted.
    pub fn submitted(&self, more: u64) {
        self.bar.inc(more);
        self.submitted.set(self.submitted.get() + more);
        self.line(|| format!("{} of {} orders submitted", self.submitted.get(), self.orders));
    }

    /// So many orders have not ended, and why.
    pub fn left(&self, left: usize, why: &BTreeMap<&'static str, usize>) {
        let ended = self.orders.saturating_sub(left);
        if let Ok(style) = ProgressStyle::with_template("ended      {bar:40} {pos}/{len} orders; {msg}") {
            self.bar.set_style(style);
        }
        self.bar.set_position(ended as u64);
        self.bar.set_message(self::why(why));
        self.line(|| format!("{left} orders are left: {}", self::why(why)));
    }

    fn line(&self, text: impl FnOnce() -> String) {
        if !self.is_terminal && self.told.get().elapsed() > LINE_EVERY {
            self.told.set(Instant::now());
            eprintln!("{}", text());
        }
    }

    /// The end.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// What unfinished orders wait for, in words.
#[must_use]
pub fn why(left: &BTreeMap<&'static str, usize>) -> String {
    let parts: Vec<String> = left.iter().map(|(why, count)| format!("{count} {why}")).collect();
    parts.join(", ")
}
