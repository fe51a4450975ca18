//! `cargo sim -- --seeds 1000 --from 1` lives a thousand lives; `cargo sim -- --seed 7` lives one again and tells it.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use clap::Parser;
use suanpan_model::Order;
use suanpan_sim::oracle::coverage::Coverage;
use suanpan_sim::{Plan, Report, live};

/// Deterministic simulation: one seed is one life of the engine, its disks, its channels and its malls.
#[derive(Debug, Parser)]
#[command(name = "sim")]
struct Arguments {
    /// How many seeds to live.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first one.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Lives this one seed and tells what happened.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// How many lives at once; as many as there are processors when absent.
    #[arg(long)]
    jobs: Option<usize>,
    /// Goes on after a life that failed, up to this many.
    #[arg(long, default_value_t = 5)]
    failures: u64,
    /// Tells no coverage at the end.
    #[arg(long)]
    brief: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.seed {
        Some(seed) => one(seed),
        None => {
            // A shard that panics is a finding, told with its seed; lived again, the life says where it was.
            std::panic::set_hook(Box::new(|_| {}));
            many(&arguments)
        }
    }
}

fn one(seed: u64) -> ExitCode {
    let mut out = std::io::stdout().lock();
    let report = live(seed, true);
    let mut say = |text: String| writeln!(out, "{text}").is_ok();
    say(format!("{:#?}", Summary::of(&Plan::of(seed))));
    for line in &report.story {
        say(line.clone());
    }
    let is_told = |order: &&Arc<Order>| {
        let id = order.id.to_string();
        report.breaks.iter().any(|broken| broken.contains(&id))
    };
    for order in report.lives.iter().filter(is_told) {
        say(format!("order {} ({}), {:?}", order.id, order.terms.order_no, order.agreement));
        for step in &order.steps {
            say(format!("  {:>16} {} -> {}", step.at.0, step.kind.name(), step.status));
        }
        for refund in &order.refunds {
            let (no, name) = (refund.no, refund.state.name());
            say(format!(
                "  refund {no} {}: {} to payer, {name} {}",
                refund.refund_no,
                refund.to_payer.minor(),
                refund.note
            ));
        }
    }
    say(report.coverage.to_string());
    say(told(&report));
    if report.breaks.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What a plan comes to, without the channels' tariffs.
#[derive(Debug)]
#[expect(dead_code, reason = "printed")]
struct Summary {
    plan: Plan,
}

impl Summary {
    fn of(plan: &Plan) -> Self {
        Self { plan: Plan { channels: Vec::new(), ..plan.clone() } }
    }
}

fn told(report: &Report) -> String {
    let Report { seed, steps, millis, orders, records, hash, breaks, .. } = report;
    let mut text = format!(
        "seed {seed}: {orders} orders, {records} records, {steps} steps, {} simulated seconds, hash {hash:016x}",
        millis / 1_000
    );
    if breaks.is_empty() {
        text.push_str("\nall is well");
    }
    for broken in breaks.iter().take(20) {
        text.push_str("\n  BROKEN ");
        text.push_str(broken);
    }
    text
}

#[derive(Default)]
struct Totals {
    coverage: Coverage,
    steps: u64,
    orders: u64,
    records: u64,
    millis: u64,
}

fn many(arguments: &Arguments) -> ExitCode {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = arguments.jobs.unwrap_or(processors).max(1);
    let (next, done, failed) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let totals = Mutex::new(Totals::default());
    let finished = AtomicBool::new(false);
    let began = Instant::now();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs)
            .map(|_| {
                scope.spawn(|| {
                    loop {
                        let place = next.fetch_add(1, Ordering::Relaxed);
                        if place >= arguments.seeds || failed.load(Ordering::Relaxed) >= arguments.failures {
                            return;
                        }
                        let report = live(arguments.from + place, false);
                        note(&report, &totals, &failed);
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        scope.spawn(|| show_progress(arguments, &done, &failed, &totals, &finished, began));
        for worker in workers {
            drop(worker.join());
        }
        finished.store(true, Ordering::Release);
    });
    let (done, failed) = (done.into_inner(), failed.into_inner());
    let totals = totals.into_inner().unwrap_or_default();
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{done} seeds from {} in {seconds:.1} s ({:.0} seeds/s), {failed} failed; {} orders, {} records, {} steps, \
         {:.1} simulated days, {} faults and turns of fate",
        arguments.from,
        done as f64 / seconds,
        totals.orders,
        totals.records,
        totals.steps,
        totals.millis as f64 / 86_400_000.0,
        totals.coverage.injected(),
    );
    if !arguments.brief {
        print!("{}", totals.coverage);
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn note(report: &Report, totals: &Mutex<Totals>, failed: &AtomicU64) {
    if !report.breaks.is_empty() {
        failed.fetch_add(1, Ordering::Relaxed);
        println!("{}\n  again: cargo sim -- --seed {}", told(report), report.seed);
    }
    if let Ok(mut totals) = totals.lock() {
        totals.coverage.add(&report.coverage);
        totals.steps += report.steps;
        totals.orders += report.orders;
        totals.records += report.records;
        totals.millis += report.millis;
    }
}

/// A line a second on a terminal, one in ten seconds elsewhere.
fn show_progress(
    arguments: &Arguments,
    done: &AtomicU64,
    failed: &AtomicU64,
    totals: &Mutex<Totals>,
    finished: &AtomicBool,
    began: Instant,
) {
    let terminal = std::io::stderr().is_terminal();
    let every = Duration::from_secs(if terminal { 1 } else { 10 });
    let mut told_at = began;
    while !finished.load(Ordering::Acquire) {
        std::thread::sleep(Duration::from_millis(50));
        if told_at.elapsed() < every {
            continue;
        }
        told_at = Instant::now();
        let done = done.load(Ordering::Relaxed);
        let (faults, moves) =
            totals.lock().map_or((0, 0), |totals| (totals.coverage.injected(), totals.coverage.moves.len()));
        let rate = done as f64 / began.elapsed().as_secs_f64();
        let possible = Coverage::possible().len();
        let line = format!(
            "{done} of {} seeds, {rate:.0} seeds/s, {faults} faults injected, {moves} of {possible} states × events, {} failed",
            arguments.seeds,
            failed.load(Ordering::Relaxed),
        );
        let (before, after) = if terminal { ("\r\x1b[K", "") } else { ("", "\n") };
        // Nobody may be there to read it.
        drop(write!(std::io::stderr(), "{before}{line}{after}"));
    }
    if terminal {
        drop(writeln!(std::io::stderr()));
    }
}
