//! What was learned about channels is a fold over the log: a crash and a restart leave it as it was.

mod common;

use std::sync::Arc;

use common::{PLATFORM, channels, mall, mall_with, run};
use suanpan_channels::Rate;
use suanpan_core::routing::{RoutingRules, Rule, Strategy};
use suanpan_model::*;
use suanpan_runtime::rulebook::PutFault;
use suanpan_runtime::{Command, EngineOptions};

#[test]
fn what_was_learned_survives_a_crash_with_and_without_a_checkpoint() {
    for (checkpoint, shards) in [(false, 2), (true, 2), (true, 4), (false, 1)] {
        run(async {
            let dir = tempfile::tempdir().unwrap();
            let channels = channels(|behaviour| {
                behaviour.failures[4] = Rate::from_percent(25);
                behaviour.failures[0] = Rate::from_percent(10);
                behaviour.timeout_done = Rate::from_percent(5);
            });
            let before = mall(dir.path(), &channels).await;
            let mut ids = Vec::new();
            for n in 0..60 {
                let kind = if n % 3 == 0 { PayKind::QuickPay } else { PayKind::Gateway };
                let terms =
                    OrderTerms { kind, agreement_no: "AGREE1".into(), ..before.terms(&format!("A-{n}")) };
                ids.push(before.create(&terms).await.unwrap().id);
                if checkpoint && n % 20 == 10 {
                    before.engine.checkpoint().await.unwrap();
                }
            }
            for id in ids {
                before.until(id, |order| !order.status.is_unpaid() && order.alive().is_none()).await;
            }
            let learned = before.engine.learning();
            let results: u32 = learned.windows().map(|(.., window)| u32::from(window.results())).sum();
            assert!(results > 60, "something was learned: {learned:?}");
            // No shutdown: the engine is dropped as it stands.
            drop(before);
            let options = EngineOptions { shards, ..EngineOptions::new(dir.path()) };
            let after = mall_with(options, &channels).await;
            assert_eq!(after.engine.learning(), learned, "checkpoint {checkpoint}, {shards} shards");
            after.engine.shutdown().await.unwrap();
            drop(after);
            let again = mall(dir.path(), &channels).await;
            assert_eq!(again.engine.stats().replayed, 0);
            assert_eq!(again.engine.learning(), learned, "after a clean stop");
        });
    }
}

#[test]
fn a_daily_quota_is_kept_over_a_crash() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let channels = channels(|_| {});
        let world = |channels: &common::Channels| {
            let mut world = common::world(channels);
            let mut capabilities = world.router.capabilities().to_vec();
            for one in &mut capabilities {
                // Two orders of 123.00 fit.
                one.daily_quota = Some(Amount::from_minor(30_000));
            }
            let rules = RoutingRules { order: vec![Strategy::Cost], ..RoutingRules::default() };
            world.router = suanpan_core::routing::Router::new(capabilities, rules, vec![]).unwrap();
            world
        };
        let options = || EngineOptions::new(dir.path());
        let before = common::mall_in(options(), world(&channels)).await;
        let first = before.create(&before.terms("A-1")).await.unwrap();
        let second = before.create(&before.terms("A-2")).await.unwrap();
        let mut used = Vec::new();
        for id in [first.id, second.id] {
            let life = before.until_status(id, OrderStatus::Frozen).await;
            used.push(life.attempts[0].channel());
        }
        assert_eq!(used[0], used[1]);
        drop(before);
        let after = common::mall_in(options(), world(&channels)).await;
        let third = after.create(&after.terms("A-3")).await.unwrap();
        let life = after.until_status(third.id, OrderStatus::Frozen).await;
        assert_ne!(life.attempts[0].channel(), used[0], "its quota is used up");
        // Many at once: together they never take more than there is.
        let orders = (0..200).map(|n| Command::Create(Arc::new(after.terms(&format!("B-{n}"))))).collect();
        let taken = after.engine.call_many(orders).await.into_iter().filter(Result::is_ok).count();
        let day = after.engine.now().beijing_day();
        let learned = after.engine.learning();
        let totals: Vec<u64> =
            channels.iter().map(|one| learned.day_used(one.capability().id, day).minor()).collect();
        assert!(totals.iter().all(|total| *total <= 30_000), "{totals:?}");
        assert!(taken > 0 && taken < 200, "{taken} of 200");
    });
}

#[test]
fn rules_that_were_put_are_in_force_after_a_restart() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let channels = channels(|_| {});
        let before = mall(dir.path(), &channels).await;
        let wechat = before.engine.router().channel_by_name("wechat").unwrap();
        let rule = Rule {
            name: "all".into(),
            output: Some(suanpan_core::routing::Output::Channel(wechat)),
            ..Rule::default()
        };
        let rules = RoutingRules {
            version: 2,
            order: vec![Strategy::Rules],
            rules: vec![rule],
            ..RoutingRules::default()
        };
        assert!(!before.engine.put_rules(PLATFORM, rules.clone()).unwrap().repeat);
        assert!(before.engine.put_rules(PLATFORM, rules.clone()).unwrap().repeat);
        let other = RoutingRules { order: vec![Strategy::Cost], ..rules.clone() };
        assert!(matches!(before.engine.put_rules(PLATFORM, other), Err(PutFault::Version { current: 2 })));
        let nowhere = RoutingRules { version: 3, priority: vec![ChannelId(999)], ..rules.clone() };
        assert!(matches!(before.engine.put_rules(PLATFORM, nowhere), Err(PutFault::Rules(_))));
        drop(before);
        let after = mall(dir.path(), &channels).await;
        assert_eq!(*after.engine.router().rules(PLATFORM), rules);
        let order = after.create(&after.terms("A-1")).await.unwrap();
        let life = after.until_status(order.id, OrderStatus::Frozen).await;
        let route = &life.attempts[0].route;
        assert_eq!((route.channel, route.rules_version, route.trace.rule_no), (wechat, 2, 1));
    });
}
