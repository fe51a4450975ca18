//! What is read while orders come: statements and trial balances, from a thread of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;
use suanpan_model::{AccountId, Lsn, TimestampMs};
use suanpan_runtime::Engine;
use suanpan_runtime::api::StatementQuery;

use crate::latency::{Latencies, Percentiles};
use crate::random::Random;
use crate::workload::Reading;

/// Lines of one statement page.
const LINES: usize = 100;

/// What readers saw.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct ReadReport {
    /// Statements drawn.
    pub statements: u64,
    /// Trial balances drawn.
    pub trial_balances: u64,
    /// Of these, how many did not balance.
    pub unbalanced: u64,
    /// Reads that failed.
    pub failed: u64,
    /// Latency of a statement in microseconds.
    pub statement_us: Percentiles,
    /// Latency of a trial balance in microseconds.
    pub trial_balance_us: Percentiles,
}

/// A reader at work.
pub struct Reader {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<ReadReport>>,
}

impl Reader {
    /// Begins to read as `plan` says; nothing when it asks for nothing.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(engine: &Engine, accounts: &[AccountId], plan: Reading, seed: u64) -> Result<Option<Self>> {
        if plan.statements_per_s <= 0.0 && plan.trial_balances_per_s <= 0.0 {
            return Ok(None);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let (engine, accounts, told) = (engine.clone(), accounts.to_vec(), stop.clone());
        let thread = std::thread::Builder::new()
            .name("reader".to_owned())
            .spawn(move || read(&engine, &accounts, plan, Random::new(seed), &told))?;
        Ok(Some(Self { stop, thread }))
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// When the reader could not work at all.
    pub fn stop(self) -> Result<ReadReport> {
        self.stop.store(true, Ordering::Release);
        self.thread.join().ok().context("the reader panicked")?
    }
}

fn read(
    engine: &Engine,
    accounts: &[AccountId],
    plan: Reading,
    mut random: Random,
    stop: &AtomicBool,
) -> Result<ReadReport> {
    /// How often the reader looks at its schedule.
    const PAUSE: Duration = Duration::from_millis(2);
    let tokio = crate::run::runtime()?;
    let (mut statements, mut trials) = (Latencies::new()?, Latencies::new()?);
    let mut report = ReadReport::default();
    let begin = Instant::now();
    while !stop.load(Ordering::Acquire) {
        let elapsed = begin.elapsed().as_secs_f64();
        let is_due = |done: u64, per_s: f64| (done as f64) < elapsed * per_s;
        if is_due(report.statements, plan.statements_per_s) {
            let account = accounts[random.place(accounts.len())];
            let query = StatementQuery {
                account,
                after: Lsn(0),
                from: TimestampMs(0),
                until: TimestampMs::NEVER,
                limit: LINES,
            };
            let asked = Instant::now();
            let lines = tokio.block_on(engine.statement(query));
            statements.record(asked.elapsed());
            report.statements += 1;
            report.failed += u64::from(lines.is_err());
        } else if is_due(report.trial_balances, plan.trial_balances_per_s) {
            let asked = Instant::now();
            let trial = tokio.block_on(engine.trial_balance());
            trials.record(asked.elapsed());
            report.trial_balances += 1;
            report.unbalanced += u64::from(!trial.is_balanced());
        } else {
            std::thread::sleep(PAUSE);
        }
    }
    report.statement_us = statements.percentiles();
    report.trial_balance_us = trials.percentiles();
    Ok(report)
}
