//! Small runs against a real engine in a temporary directory; and the checks find what is wrong.
#![expect(clippy::unwrap_used, reason = "test code: a panic is the report")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender};
use loadtest::cli::{Action, Cli, RunArgs};
use loadtest::clock::WallClock;
use loadtest::driver::{Outcome, Pacing, Plan, drive};
use loadtest::run::{Played, options, play, runtime};
use loadtest::target::Target;
use loadtest::verify::Audit;
use loadtest::workload::{BUILTIN, Cast, Ground, Spec, Workload};
use loadtest::world::Stage;
use loadtest::{machine, report, runs, setup, world};
use suanpan_model::event::EventKind;
use suanpan_model::{Lsn, OrderCommand, OrderId, OrderStatus, TimestampMs};
use suanpan_runtime::api::{Notice, OrderSummary};
use suanpan_runtime::{Answer, AnswerSink, Command, Engine, Reply, Request};

fn args(more: &[&str]) -> RunArgs {
    let line = ["loadtest", "run", "--warmup", "0", "--buyers", "200", "--merchants", "20"];
    match clap::Parser::parse_from(line.iter().chain(more)) {
        Cli { action: Action::Run(args) } => args,
        Cli { action } => panic!("{action:?} is no run"),
    }
}

fn play_one(more: &[&str]) -> Played {
    let dir = tempfile::tempdir().unwrap();
    let args = args(more);
    let spec = Spec::find(&args.workloads[0]).unwrap();
    let pacing = runs::pacing(&spec, args.rate, args.in_flight);
    let is_sale = spec.flash_sale.is_some();
    let mut settings = runs::settings(&args.play, spec, pacing, 1).unwrap();
    if is_sale {
        settings.spec.parties.buyers = 5_000;
    }
    play(&settings, dir.path(), None).unwrap()
}

#[test]
fn five_hundred_orders_and_every_cent() {
    for pace in [["--in-flight", "64"], ["--rate", "2000"]] {
        let Played { report, verdict, .. } =
            play_one(&["canonical", pace[0], pace[1], "--orders", "500", "--seconds", "60"]);
        assert_eq!(verdict.count, 0, "{:#?}", verdict.differences);
        assert_eq!((report.acknowledged, report.verified, report.sampled), (500, 500, 500));
        assert_eq!(report.orders, 500);
        let text = serde_json::to_string(&report).unwrap();
        for field in ["\"orders_per_second\"", "\"p99_99\"", "\"cpu\"", "\"differences\":0"] {
            assert!(text.contains(field), "{field} in {text}");
        }
    }
}

#[test]
fn every_workload_ends_with_agreeing_books() {
    for (name, _) in BUILTIN {
        let orders = match name {
            "flash_sale_coupons" => "6000",
            // One round of payers who take their time.
            "payers_later" => "256",
            _ => "2000",
        };
        let played = play_one(&[name, "--in-flight", "256", "--orders", orders, "--seconds", "120"]);
        let (report, verdict) = (&played.report, &played.verdict);
        assert_eq!(verdict.count, 0, "{name}: {:#?}", verdict.differences);
        let planned: u64 = report.planned_rejects.values().sum();
        assert_eq!(report.acknowledged + planned, orders.parse::<u64>().unwrap(), "{name}");
        assert_eq!(report.verified + report.unpaid, report.acknowledged, "{name}");
        assert!(report.sampled >= report.verified.min(900), "{name}: {}", report.sampled);
        let has = |operation: &str| report.latency_us.contains_key(operation);
        match name {
            "refund_storm" | "month_end" => assert!(has("refund") && has("release"), "{name}"),
            "flash_sale_coupons" => {
                let codes: Vec<&str> = report.planned_rejects.keys().copied().collect();
                assert_eq!(codes, ["coupon_limit", "coupon_sold_out"]);
            }
            "lying_channel" => {
                assert!(report.engine.as_ref().unwrap().contradictions > 0, "nobody lied");
            }
            _ => assert!(!has("refund") && report.unpaid == 0, "{name}"),
        }
    }
}

#[test]
fn an_outage_is_felt_and_over() {
    let dir = tempfile::tempdir().unwrap();
    let args = args(&["channel_outage", "--rate", "1000", "--seconds", "3"]);
    let mut spec = Spec::find("channel_outage").unwrap();
    if let Some(outage) = &mut spec.outage {
        (outage.after_s, outage.for_s) = (0.5, 1.0);
    }
    let settings = runs::settings(&args.play, spec, Pacing::Open { per_second: 1_000 }, 1).unwrap();
    let played = play(&settings, dir.path(), None).unwrap();
    assert_eq!(played.verdict.count, 0, "{:#?}", played.verdict.differences);
    let attempts_failed = played.report.engine.as_ref().unwrap().records_per_order;
    assert!(attempts_failed > 0.0);
    assert_eq!(played.report.incidents.len(), 1);
    assert!(played.report.incidents[0].recovery_s.is_some());
}

/// A run that a test can look into.
struct Bench {
    engine: Engine,
    stage: Option<Stage>,
    cast: Cast,
    workload: Workload,
    tokio: tokio::runtime::Runtime,
}

fn bench(dir: &std::path::Path) -> Bench {
    let (now, args) = (machine::now(), args(&["canonical"]));
    let mut spec = Spec::find("canonical").unwrap();
    (spec.parties.buyers, spec.parties.merchants) = (200, 20);
    let Stage { world, adapters, descriptors, outage } = world::stage(&spec, 1, None).unwrap();
    let router = world.router.clone();
    let again = world::stage(&spec, 1, None).unwrap().world;
    let engine = Engine::start(options(&args.play.engine, dir, 64), world).unwrap();
    let tokio = runtime().unwrap();
    let cast = tokio.block_on(setup::cast(&engine, &spec)).unwrap();
    let ground = Ground { cast: &cast, descriptors: &descriptors, router: &router, now, seed: 1 };
    let workload = Workload::new(&spec, ground).unwrap();
    let stage = Some(Stage { world: again, adapters, descriptors, outage });
    Bench { engine, stage, cast, workload, tokio }
}

const PLAN: Plan = Plan {
    pacing: Pacing::Closed { in_flight: 64 },
    warmup: Duration::ZERO,
    window: Duration::from_secs(60),
    orders_max: 300,
    patience: Duration::from_secs(30),
    tick: Duration::from_secs(1),
    rides_out: false,
};

impl Bench {
    fn differences(&self, outcome: &Outcome) -> Vec<String> {
        let stage = self.stage.as_ref().unwrap();
        let audit = Audit {
            engine: &self.engine,
            adapters: &stage.adapters,
            descriptors: &stage.descriptors,
            workload: &self.workload,
            cast: &self.cast,
            outcome,
        };
        self.tokio.block_on(audit.verify()).differences
    }
}

#[test]
fn a_wrong_cent_and_a_lost_order_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let bench = bench(dir.path());
    let mut outcome =
        drive(&bench.engine, &bench.workload, &PLAN, &WallClock::start(), &mut |_| true).unwrap();
    assert_eq!(bench.differences(&outcome), Vec::<String>::new());
    outcome.tally.by_template[0] -= 1;
    let wrong = bench.differences(&outcome);
    assert!(wrong.iter().any(|text| text.contains("balance of settlement-")), "{wrong:#?}");
    assert!(wrong.iter().any(|text| text.contains("book of channel")), "{wrong:#?}");
    outcome.tally.by_template[0] += 1;
    outcome.tally.acknowledged += 1;
    let lost = bench.differences(&outcome);
    assert_eq!(lost.len(), 3, "not finished, not recorded, not finished by the engine: {lost:#?}");
    bench.tokio.block_on(bench.engine.shutdown()).unwrap();
}

/// An engine that acknowledges one order, its freezing and its release without ever having it.
struct Liar {
    engine: Engine,
    has_lied: AtomicBool,
    say: Sender<Arc<Vec<Notice>>>,
    heard: Receiver<Arc<Vec<Notice>>>,
}

const MADE_UP: OrderId = OrderId(77);

impl Target for Liar {
    fn submit(&self, requests: Vec<Request>, sink: &Arc<dyn AnswerSink>) {
        let mut honest = Vec::new();
        for request in requests {
            let status = match &request.command {
                Command::Create(_) if !self.has_lied.swap(true, Ordering::Relaxed) => OrderStatus::Routing,
                Command::Order { order, command: OrderCommand::Release { .. }, .. }
                    if *order == suanpan_model::command::OrderRef::Id(MADE_UP) =>
                {
                    OrderStatus::Settled
                }
                _ => {
                    honest.push(request);
                    continue;
                }
            };
            let summary = OrderSummary { id: MADE_UP, status, repeat: false, action: None };
            sink.deliver(vec![Answer { ticket: request.ticket, result: Ok(Reply::Order(summary)) }]);
            let frozen = Notice {
                lsn: Lsn(1),
                at: TimestampMs(0),
                order: MADE_UP,
                platform: world::PLATFORM,
                kind: EventKind::Frozen,
                status: OrderStatus::Frozen,
            };
            self.say.send(Arc::new(vec![frozen])).unwrap();
        }
        if !honest.is_empty() {
            self.engine.submit(honest, sink);
        }
    }

    fn subscribe(&self, capacity: usize) -> Receiver<Arc<Vec<Notice>>> {
        let (honest, sender) = (self.engine.subscribe(capacity), self.say.clone());
        std::thread::spawn(move || {
            while let Ok(batch) = honest.recv() {
                if sender.send(batch).is_err() {
                    return;
                }
            }
        });
        self.heard.clone()
    }
}

#[test]
fn an_order_that_was_acknowledged_and_is_not_there_fails_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let bench = bench(dir.path());
    let (say, heard) = crossbeam::channel::unbounded();
    let liar = Liar { engine: bench.engine.clone(), has_lied: AtomicBool::new(false), say, heard };
    let outcome = drive(&liar, &bench.workload, &PLAN, &WallClock::start(), &mut |_| true).unwrap();
    assert_eq!((outcome.tally.acknowledged, outcome.tally.finished), (300, 300), "the driver believes it");
    let lost = bench.differences(&outcome);
    for told in ["orders that the engine recorded", "balance of settlement-", "book of channel", "order 77"] {
        assert!(lost.iter().any(|text| text.contains(told)), "{told} in {lost:#?}");
    }
    bench.tokio.block_on(bench.engine.shutdown()).unwrap();
}

#[test]
fn several_runs_and_steps_are_handed_over_in_files() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let (json, html, hgrm, data) = (path("a.json"), path("a.html"), path("hgrm"), path("data"));
    let args = args(&[
        "plain",
        "--steps",
        "500,1000",
        "--runs",
        "2",
        "--seconds",
        "0.4",
        "--json",
        &json,
        "--html",
        &html,
        "--hgrm",
        &hgrm,
        "--data",
        &data,
    ]);
    assert!(runs::run(&args).unwrap());
    let whole: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&json).unwrap()).unwrap();
    assert_eq!((whole["runs"].as_array().unwrap().len(), whole["medians"].as_array().unwrap().len()), (4, 2));
    assert_eq!((&whole["differences"], &whole["workload"]), (&0.into(), &"plain".into()));
    assert_eq!(std::fs::read_dir(&hgrm).unwrap().count(), 4 * 4, "submit, pay, release, order");
    let page = std::fs::read_to_string(&html).unwrap();
    for part in ["<svg", "Latency by percentile", "What is not included", "plain"] {
        assert!(page.contains(part), "{part}");
    }
    for outside in ["http://", "https://", "<script src", "@import"] {
        assert!(!page.contains(outside), "{outside}: the page stands alone");
    }
    assert!(!report::NOT_INCLUDED.is_empty());
}
