//! A tiny run against a real engine in a temporary directory; and the checks find what is wrong.

use std::time::Duration;

use loadtest::cli::{Action, Cli, RunArgs};
use loadtest::driver::{Pacing, Plan, drive};
use loadtest::run::{options, run_in, runtime};
use loadtest::verify::verify;
use loadtest::workload::Workload;
use loadtest::{machine, setup, world};
use suanpan_runtime::Engine;

fn args(more: &[&str]) -> RunArgs {
    let line = ["loadtest", "run", "canonical", "--warmup", "0", "--buyers", "200", "--merchants", "20"];
    match clap::Parser::parse_from(line.iter().chain(more)) {
        Cli { action: Action::Run(args) } => args,
        Cli { action } => panic!("{action:?} is no run"),
    }
}

#[test]
fn five_hundred_orders_and_every_cent() {
    for pace in [["--in-flight", "64"], ["--rate", "2000"]] {
        let dir = tempfile::tempdir().unwrap();
        let args = args(&[pace[0], pace[1], "--orders", "500", "--seconds", "60"]);
        let (report, verdict) = run_in(&args, dir.path()).unwrap();
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
fn a_wrong_cent_and_a_lost_order_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let (now, args) = (machine::now(), args(&[]));
    let (world, adapters) = world::world(1, None).unwrap();
    let router = world.router.clone();
    let engine = Engine::start(options(&args.engine, dir.path(), 64), world).unwrap();
    let tokio = runtime().unwrap();
    let cast = tokio.block_on(setup::cast(&engine, 200, 20)).unwrap();
    let descriptors = world::descriptors().unwrap();
    let workload = Workload::canonical(&cast, &descriptors, &router, now, 1).unwrap();
    let plan = Plan {
        pacing: Pacing::Closed { in_flight: 64 },
        warmup: Duration::ZERO,
        window: Duration::from_secs(60),
        orders_max: 300,
        patience: Duration::from_secs(30),
        tick: Duration::from_secs(1),
    };
    let mut outcome = drive(&engine, &workload, &plan, &mut |_| true).unwrap();
    let mut differences = |change: fn(&mut loadtest::driver::Outcome)| {
        change(&mut outcome);
        tokio.block_on(verify(&engine, &adapters, &workload, &cast, &outcome)).differences
    };
    assert_eq!(differences(|_| {}), Vec::<String>::new());
    let wrong = differences(|outcome| outcome.tally.by_template[0] -= 1);
    assert!(wrong.iter().any(|text| text.contains("balance of settlement-")), "{wrong:#?}");
    assert!(wrong.iter().any(|text| text.contains("book of channel")), "{wrong:#?}");
    let lost = differences(|outcome| {
        outcome.tally.by_template[0] += 1;
        outcome.tally.acknowledged += 1;
    });
    assert_eq!(lost.len(), 3, "not finished, not recorded, not finished by the engine: {lost:#?}");
    tokio.block_on(engine.shutdown()).unwrap();
}
