//! A draft rule set against recorded orders, told line by line: progress, orders that change, and the sums at the end.

use std::io::BufRead;
use std::ops::ControlFlow;

use serde_json::{Value, json};
use suanpan_core::routing::Router;
use suanpan_core::routing::backtest::{BackTest, Recorded};
use suanpan_model::{Order, PlatformId, TimestampMs};

use crate::wire::{RecordedLine, changed, summary};

/// After how many orders progress is told.
const PROGRESS_EVERY: u64 = 100_000;

/// Which orders are looked at, and how much is told.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// The mall.
    pub platform: PlatformId,
    /// Orders routed at or after this instant.
    pub from: TimestampMs,
    /// Orders routed before this instant.
    pub until: TimestampMs,
    /// Most changed orders that are told one by one.
    pub changes_max: u64,
}

/// A back-test under way that tells its lines to `tell`; when that breaks off, nobody listens any more.
pub struct Telling<'a, F> {
    test: BackTest<'a>,
    router: &'a Router,
    scope: Scope,
    told: u64,
    tell: F,
}

impl<'a, F: FnMut(Value) -> ControlFlow<()>> Telling<'a, F> {
    /// A back-test of the rules that `router` holds.
    pub fn new(router: &'a Router, scope: Scope, tell: F) -> Self {
        Self { test: BackTest::new(router), router, scope, told: 0, tell }
    }

    /// Takes one order.
    pub fn take(&mut self, order: &Recorded) -> ControlFlow<()> {
        let Scope { platform, from, until, changes_max } = self.scope;
        if order.platform != platform || order.at < from || order.at >= until {
            return ControlFlow::Continue(());
        }
        let step = self.test.step(order);
        if self.told < changes_max
            && let Some(line) = changed(order, &step, self.router)
        {
            self.told += 1;
            (self.tell)(json!({ "change": line }))?;
        }
        let orders = self.test.summary().orders;
        if orders.is_multiple_of(PROGRESS_EVERY) {
            (self.tell)(json!({ "progress": { "orders": orders } }))?;
        }
        ControlFlow::Continue(())
    }

    /// Takes an order of the archive.
    pub fn take_order(&mut self, order: &Order) -> ControlFlow<()> {
        // Payments from an e-account go through no channel.
        Recorded::of(order).map_or(ControlFlow::Continue(()), |recorded| self.take(&recorded))
    }

    /// Takes lines of JSON, one recorded order each; the error names the line.
    ///
    /// # Errors
    /// The first line that cannot be read.
    pub fn take_lines(&mut self, lines: impl BufRead) -> Result<ControlFlow<()>, String> {
        for (place, line) in lines.lines().enumerate() {
            let place = place + 1;
            let line = line.map_err(|error| format!("line {place}: {error}"))?;
            if line.trim().is_empty() {
                continue;
            }
            let raw: RecordedLine =
                serde_json::from_str(&line).map_err(|error| format!("line {place}: {error}"))?;
            let recorded = raw
                .read(self.scope.platform, self.router)
                .map_err(|expected| format!("line {place}: {expected}"))?;
            if self.take(&recorded).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Tells the sums.
    pub fn finish(mut self) -> ControlFlow<()> {
        let line = json!({ "summary": summary(self.test.summary(), self.router) });
        (self.tell)(line)
    }
}
