//! `loadtest memory`: what an account and a live order cost.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde::Serialize;
use smol_str::SmolStr;
use suanpan_channels::{Adapter, BookTotals, ReportSink};
use suanpan_model::{
    Capability, ChannelOp, ChannelReport, ChannelRequest, DurationMs, Outcome, PayKind, PayerAction,
    ReportSource, TimestampMs,
};
use suanpan_runtime::{Command, Engine, Reply, World};

use crate::cli::MemoryArgs;
use crate::order_no::payer;
use crate::report::{self, Origin};
use crate::run::{fresh_dir, options, runtime};
use crate::workload::{Cast, Ground, Spec, TEMPLATES, Workload};
use crate::{machine, setup, world};

/// Orders that are created at once.
const BATCH: usize = 4_096;
/// Merchants among the accounts.
const MERCHANTS: u64 = 1_000;

/// A channel whose payers never pay and that keeps nothing, so that what is measured is the engine.
struct Silent(Capability);

impl Adapter for Silent {
    fn capability(&self) -> &Capability {
        &self.0
    }

    fn perform(&self, _now: TimestampMs, calls: Vec<ChannelRequest>, sink: &Arc<dyn ReportSink>) {
        let answer = |call: &ChannelRequest| {
            let source = match call.op {
                ChannelOp::Pay | ChannelOp::Confirm { .. } => ReportSource::PayAnswer,
                ChannelOp::Query => ReportSource::QueryAnswer,
                ChannelOp::Close => ReportSource::CloseAnswer,
                ChannelOp::Refund { refund } | ChannelOp::QueryRefund { refund } => {
                    ReportSource::Refund { refund }
                }
            };
            let channel_no = SmolStr::from(call.order.payment_no(call.attempt));
            let address = format!("https://{}.pay.example/{channel_no}", self.0.name);
            let action = Some(PayerAction::Redirect(address.into()));
            let outcome = Outcome::Accepted { channel_no, action };
            ChannelReport { channel: call.channel, order: call.order, attempt: call.attempt, source, outcome }
        };
        sink.deliver(calls.iter().map(answer).collect());
    }

    fn advance(&self, _now: TimestampMs, _sink: &Arc<dyn ReportSink>) -> Option<TimestampMs> {
        None
    }

    fn book(&self) -> Option<BookTotals> {
        None
    }
}

#[derive(Serialize)]
struct MemoryReport {
    #[serde(flatten)]
    origin: Origin,
    accounts: u64,
    orders: u64,
    rss_empty_bytes: u64,
    rss_accounts_bytes: u64,
    rss_orders_bytes: u64,
    bytes_per_account: f64,
    bytes_per_order: f64,
    live_orders: usize,
    seconds_accounts: f64,
    seconds_orders: f64,
    /// To stop, with a checkpoint.
    seconds_shutdown: f64,
    /// To start again from the checkpoint.
    seconds_start: f64,
    rss_stopped_bytes: u64,
    rss_started_bytes: u64,
}

/// Measures, prints, reports. The answer is whether the engine holds what it was given.
///
/// # Errors
/// When the engine refuses something.
pub fn run(args: &MemoryArgs) -> Result<bool> {
    let dir = fresh_dir(&args.engine)?;
    let tokio = runtime()?;
    let mut spec = Spec::find("canonical")?;
    spec.parties.merchants = MERCHANTS;
    spec.parties.buyers = args.accounts.saturating_sub(MERCHANTS + setup::AGENTS).max(1);
    let mut descriptors = world::descriptors(&spec)?;
    for descriptor in &mut descriptors {
        // Nobody is asked while it is measured.
        descriptor.capability.query_ladder = vec![DurationMs::from_days(1)];
    }
    let now = machine::now();
    let router = world::router(&descriptors)?;
    let silent = |capability: &Capability| Arc::new(Silent(capability.clone())) as Arc<dyn Adapter>;
    let world = || {
        let adapters = router.capabilities().iter().map(silent).collect();
        let instant = world::stage(&spec, args.engine.seed, None)?.world;
        Ok::<_, anyhow::Error>(World { router: router.clone(), adapters, ..instant })
    };
    let mut options = options(&args.engine, &dir, BATCH);
    options.live_orders_max = options.live_orders_max.max(usize::try_from(args.orders)? + 1);
    let engine = Engine::start(options.clone(), world()?)?;

    let rss_empty = machine::rss_bytes();
    let begin = Instant::now();
    let cast = tokio.block_on(setup::cast(&engine, &spec))?;
    settle(&tokio, &engine);
    let (rss_accounts, seconds_accounts) = (machine::rss_bytes(), begin.elapsed());
    println!("{} accounts: {} MiB -> {} MiB", args.accounts, rss_empty >> 20, rss_accounts >> 20);

    let ground =
        Ground { cast: &cast, descriptors: &descriptors, router: &router, now, seed: args.engine.seed };
    let workload = Workload::new(&spec, ground)?;
    let begin = Instant::now();
    tokio.block_on(create(&engine, &workload, &cast, args.orders))?;
    settle(&tokio, &engine);
    let (rss_orders, seconds_orders) = (machine::rss_bytes(), begin.elapsed());
    println!("{} orders: {} MiB -> {} MiB", args.orders, rss_accounts >> 20, rss_orders >> 20);

    let balanced = tokio.block_on(engine.trial_balance()).is_balanced();
    let live_orders = engine.stats().live_orders;
    let begin = Instant::now();
    tokio.block_on(engine.shutdown())?;
    drop(engine);
    let (seconds_shutdown, rss_stopped) = (begin.elapsed(), machine::rss_bytes());
    let begin = Instant::now();
    let engine = Engine::start(options, world()?)?;
    let (seconds_start, rss_started) = (begin.elapsed(), machine::rss_bytes());
    println!(
        "stopped with a checkpoint in {:.1} s, {} MiB then; started from it in {:.1} s: {} MiB",
        seconds_shutdown.as_secs_f64(),
        rss_stopped >> 20,
        seconds_start.as_secs_f64(),
        rss_started >> 20
    );

    let per = |from: u64, to: u64, count: u64| (to as f64 - from as f64) / count.max(1) as f64;
    let report = MemoryReport {
        origin: Origin::here(&dir),
        accounts: args.accounts,
        orders: args.orders,
        rss_empty_bytes: rss_empty,
        rss_accounts_bytes: rss_accounts,
        rss_orders_bytes: rss_orders,
        bytes_per_account: per(rss_empty, rss_accounts, args.accounts),
        bytes_per_order: per(rss_accounts, rss_orders, args.orders),
        live_orders,
        seconds_accounts: seconds_accounts.as_secs_f64(),
        seconds_orders: seconds_orders.as_secs_f64(),
        seconds_shutdown: seconds_shutdown.as_secs_f64(),
        seconds_start: seconds_start.as_secs_f64(),
        rss_stopped_bytes: rss_stopped,
        rss_started_bytes: rss_started,
    };
    println!(
        "{:.0} bytes per account, {:.0} bytes per live order",
        report.bytes_per_account, report.bytes_per_order
    );
    if let Some(path) = &args.json {
        report::write(&report, path)?;
    }
    let holds_all = [live_orders, engine.stats().live_orders].iter().all(|live| *live as u64 == args.orders);
    let balanced = balanced && tokio.block_on(engine.trial_balance()).is_balanced();
    if !balanced || !holds_all {
        let again = engine.stats().live_orders;
        println!("DIFFERENCE live orders {live_orders}, after the start {again}, trial balance {balanced}");
    }
    tokio.block_on(engine.shutdown())?;
    // The store merges on until nobody holds it.
    drop(engine);
    fs::remove_dir_all(&dir)?;
    Ok(balanced && holds_all)
}

/// Lets the engine come to rest, so that no buffer of work under way is measured.
fn settle(tokio: &tokio::runtime::Runtime, engine: &Engine) {
    tokio.block_on(engine.drain(Duration::from_secs(60)));
    std::thread::sleep(Duration::from_secs(2));
}

async fn create(engine: &Engine, workload: &Workload, cast: &Cast, orders: u64) -> Result<()> {
    // Only gateway orders wait for a payer; the pool is walked for those.
    let is_gateway =
        |count: &u64| workload.templates()[workload.template_of(*count)].terms.kind == PayKind::Gateway;
    let share = (0..TEMPLATES as u64).filter(is_gateway).count();
    ensure!(share > 0, "the workload has no gateway orders");
    let mut counts = (0..).filter(is_gateway).take(usize::try_from(orders)?);
    let mut made: u64 = 0;
    loop {
        let commands: Vec<Command> = counts
            .by_ref()
            .take(BATCH)
            .map(|count| {
                let mut terms = workload.terms(count);
                if let Some(terms) = Arc::get_mut(&mut terms) {
                    terms.payer = payer(made % cast.buyers.len() as u64);
                }
                made += 1;
                Command::Create(terms)
            })
            .collect();
        if commands.is_empty() {
            return Ok(());
        }
        for answer in engine.call_many(commands).await {
            ensure!(matches!(answer?, Reply::Order(_)), "an order is answered with where it stands");
        }
    }
}
