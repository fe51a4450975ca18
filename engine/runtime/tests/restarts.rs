//! What was acknowledged survives: restarts with and without a checkpoint, with another number of shards, on a full
//! disk, and with calls under way.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{PLATFORM, channels, mall, mall_on, mall_with, run, world};
use suanpan_channels::Rate;
use suanpan_model::*;
use suanpan_runtime::api::StatementQuery;
use suanpan_runtime::journal::{FaultyStorage, JournalOptions, SegmentJournal};
use suanpan_runtime::{Command, Engine, EngineOptions, Reply};

#[test]
fn orders_and_balances_survive_a_restart_with_and_without_a_checkpoint() {
    for (checkpoint, shards) in [(false, 2), (true, 2), (true, 4), (false, 1)] {
        run(async {
            let dir = tempfile::tempdir().unwrap();
            let channels = channels(|_| {});
            let before = mall(dir.path(), &channels).await;
            let mut ids = Vec::new();
            for n in 0..20 {
                let order = before.create(&before.terms(&format!("A-{n}"))).await.unwrap();
                before.until_status(order.id, OrderStatus::Frozen).await;
                if n % 2 == 0 {
                    before.release(order.id).await.unwrap();
                }
                if n == 10 && checkpoint {
                    before.engine.checkpoint().await.unwrap();
                }
                ids.push(order.id);
            }
            let mut lives = Vec::new();
            for id in &ids {
                lives.push(before.life(*id).await);
            }
            let seller = before.posted(before.seller).await;
            // No shutdown: the engine is dropped as it stands.
            drop(before);
            let after =
                mall_with(EngineOptions { shards, ..EngineOptions::new(dir.path()) }, &channels).await;
            for life in lives {
                assert_eq!(*after.life(life.id).await, *life);
            }
            assert_eq!(after.posted(after.seller).await, seller);
            let again = after.create(&after.terms("A-4")).await.unwrap();
            assert!(again.repeat && again.id == ids[4]);
            after.release(ids[1]).await.unwrap();
            after.check_books().await;
            after.engine.shutdown().await.unwrap();
        });
    }
}

#[test]
fn a_clean_shutdown_leaves_nothing_to_replay() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let channels = channels(|_| {});
        let before = mall(dir.path(), &channels).await;
        let order = before.create(&before.terms("A-1")).await.unwrap();
        before.until_status(order.id, OrderStatus::Frozen).await;
        before.engine.shutdown().await.unwrap();
        drop(before);
        let engine = Engine::start(EngineOptions::new(dir.path()), world(&channels)).unwrap();
        assert_eq!(engine.stats().replayed, 0);
        assert_eq!(engine.stats().live_orders, 1);
    });
}

#[test]
fn calls_that_were_under_way_are_asked_about_never_made_again() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        // The channel books the payment and its answer gets lost; before it is asked, the engine restarts.
        let channels = channels(|behaviour| {
            behaviour.timeout_done = Rate::from_percent(100);
            behaviour.notice_lost = Rate::from_percent(100);
        });
        let before = mall(dir.path(), &channels).await;
        let terms =
            OrderTerms { kind: PayKind::QuickPay, agreement_no: "AGREE1".into(), ..before.terms("A-1") };
        let order = before.create(&terms).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(before);
        let after = mall(dir.path(), &channels).await;
        let frozen = after.until_status(order.id, OrderStatus::Frozen).await;
        assert_eq!(frozen.attempts.len(), 1);
        after.check_books().await;
    });
}

#[test]
fn a_full_disk_stops_acknowledging_and_loses_nothing() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let channels = channels(|_| {});
        let storage = FaultyStorage::new(1);
        let options = JournalOptions {
            segment_bytes: 64 << 10,
            prepare_in_background: false,
            ..JournalOptions::default()
        };
        let open = |storage: &FaultyStorage| {
            Box::new(SegmentJournal::open_in(Arc::new(storage.clone()), options.clone()).unwrap())
        };
        let mall = mall_on(open(&storage), dir.path(), &channels).await;
        let first = mall.create(&mall.terms("A-1")).await.unwrap();
        mall.until_status(first.id, OrderStatus::Frozen).await;
        storage.set_capacity(Some(0));
        // Without an answer nothing was promised; with room again the same request is answered.
        let mut acknowledged = 0;
        let mut stuck = None;
        for n in 0..2_000 {
            let terms = mall.terms(&format!("F-{n}"));
            match tokio::time::timeout(Duration::from_millis(500), mall.create(&terms)).await {
                Ok(Ok(_)) => acknowledged += 1,
                Ok(Err(reject)) => {
                    assert_eq!(reject.code, RejectCode::Unavailable);
                    break;
                }
                Err(_) => {
                    stuck.get_or_insert(n);
                    if mall.engine.stats().unavailable.is_some() {
                        break;
                    }
                }
            }
        }
        assert!(mall.engine.stats().unavailable.is_some(), "{acknowledged} were acknowledged on a full disk");
        let refused = mall.create(&mall.terms("G-1")).await.unwrap_err();
        assert_eq!(refused.code, RejectCode::Unavailable);
        storage.set_capacity(None);
        let mut waited = 0;
        while mall.engine.stats().unavailable.is_some() {
            waited += 1;
            assert!(waited < 200, "the engine takes requests again when there is room");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        if let Some(n) = stuck {
            let again = mall.create(&mall.terms(&format!("F-{n}"))).await.unwrap();
            assert!(again.repeat, "what waited for the disk was written after all");
        }
        mall.create(&mall.terms("G-1")).await.unwrap();
        let created = mall.engine.stats().created;
        drop(mall);
        let after = mall_on(open(&storage), dir.path(), &channels).await;
        assert_eq!(after.engine.stats().live_orders as u64, created);
        after.check_books().await;
    });
}

#[test]
fn two_engines_never_share_a_directory() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let channels = channels(|_| {});
        let _first = mall(dir.path(), &channels).await;
        let second = Engine::start(EngineOptions::new(dir.path()), world(&channels));
        let fault = second.err().expect("refused").to_string();
        assert!(fault.contains("use"), "{fault}");
        assert_eq!(PLATFORM.0, 9001);
    });
}

#[test]
fn checkpoints_taken_at_any_moment_come_back_to_the_same_state() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let channels = channels(|_| {});
        // A checkpoint after every few hundred records, while orders come, are paid, end and are archived.
        let options = || EngineOptions { checkpoint_every_bytes: 64 << 10, ..EngineOptions::new(dir.path()) };
        let mut known: Vec<OrderId> = Vec::new();
        for round in 0..4 {
            let mall = mall_with(options(), &channels).await;
            let creates = (0..1_500).map(|n| Command::Create(mall.terms(&format!("R{round}-{n}")).into()));
            let created = mall.engine.call_many(creates.collect()).await;
            for reply in created {
                let Ok(Reply::Order(told)) = reply else { panic!("refused: {reply:?}") };
                known.push(told.id);
            }
            mall.until_status(*known.last().unwrap(), OrderStatus::Frozen).await;
            // Two of three are released, some of them orders of earlier rounds.
            for id in known.iter().skip(round).step_by(3).chain(known.iter().skip(round + 1).step_by(3)) {
                if mall.life(*id).await.status == OrderStatus::Frozen {
                    mall.release(*id).await.unwrap();
                }
            }
            // On a busy machine the store is behind: orders come until it has two checkpoints.
            let began = std::time::Instant::now();
            while mall.engine.stats().checkpoints < 2 {
                assert!(began.elapsed() < Duration::from_secs(60), "{:?}", mall.engine.stats());
                let more = mall.create(&mall.terms(&format!("R{round}-more-{}", known.len()))).await.unwrap();
                mall.until_status(more.id, OrderStatus::Frozen).await;
                known.push(more.id);
            }
            let mut lives = Vec::new();
            for id in &known {
                lives.push(mall.life(*id).await);
            }
            let (seller, agent) = (mall.posted(mall.seller).await, mall.posted(mall.agent).await);
            drop(mall);
            let after = mall_with(options(), &channels).await;
            for life in lives {
                assert_eq!(*after.life(life.id).await, *life);
            }
            assert_eq!((after.posted(after.seller).await, after.posted(after.agent).await), (seller, agent));
            after.check_books().await;
        }
    });
}

#[test]
fn news_of_an_archived_order_counts_once_however_often_the_engine_restarts() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let channels = channels(|_| {});
        let before = mall(dir.path(), &channels).await;
        let order = before.create(&before.terms("A-1")).await.unwrap();
        let frozen = before.until_status(order.id, OrderStatus::Frozen).await;
        before.release(order.id).await.unwrap();
        before.until_archived().await;
        // From here on the log no longer tells how the order came about.
        before.engine.checkpoint().await.unwrap();
        let contradiction = ChannelReport {
            channel: frozen.attempts[0].channel(),
            order: order.id,
            attempt: AttemptNo(1),
            source: ReportSource::PayNotice,
            outcome: Outcome::Failed { kind: FailureKind::Channel, code: "LIE".into() },
        };
        before.order(order.id, OrderCommand::Report(contradiction)).await.unwrap();
        drop(before);
        for _ in 0..3 {
            let after = mall(dir.path(), &channels).await;
            let known = after.life(order.id).await;
            assert_eq!((known.contradictions, known.status), (1, OrderStatus::Settled));
            // Old news, twice: the order comes back from the archive and returns to it.
            for _ in 0..2 {
                assert!(after.release(order.id).await.unwrap().repeat);
                after.until_archived().await;
            }
            drop(after);
        }
    });
}

#[test]
fn statements_are_whole_from_every_cursor_after_crashes() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let channels = channels(|_| {});
        for round in 0..3 {
            let mall = mall(dir.path(), &channels).await;
            for n in 0..12 {
                let order = mall.create(&mall.terms(&format!("S{round}-{n}"))).await.unwrap();
                mall.until_status(order.id, OrderStatus::Frozen).await;
                mall.release(order.id).await.unwrap();
                if n % 4 == 3 {
                    // Long enough for the lines so far to be handed over and archived.
                    tokio::time::sleep(Duration::from_millis(1_200)).await;
                    mall.until_archived().await;
                }
            }
            drop(mall);
        }
        let mall = mall(dir.path(), &channels).await;
        tokio::time::sleep(Duration::from_millis(3_500)).await;
        let whole = StatementQuery {
            account: mall.seller,
            after: Lsn(0),
            from: TimestampMs(0),
            until: TimestampMs::NEVER,
            limit: 1_000,
        };
        let lines = mall.engine.statement(whole).await.unwrap();
        assert_eq!(lines.len(), 36);
        for (place, line) in lines.iter().enumerate() {
            let rest = mall.engine.statement(StatementQuery { after: line.lsn, ..whole }).await.unwrap();
            assert_eq!(rest, lines[place + 1..]);
        }
    });
}

#[test]
fn an_engine_whose_disk_is_full_can_be_stopped() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let channels = channels(|_| {});
        let storage = FaultyStorage::new(1);
        let options = JournalOptions {
            segment_bytes: 64 << 10,
            prepare_in_background: false,
            ..JournalOptions::default()
        };
        let journal = SegmentJournal::open_in(Arc::new(storage.clone()), options).unwrap();
        let mall = mall_on(Box::new(journal), dir.path(), &channels).await;
        storage.set_capacity(Some(0));
        let mut n = 0;
        while mall.engine.stats().unavailable.is_none() {
            let terms = mall.terms(&format!("F-{n}"));
            // Whoever asks gives up; nothing was promised.
            let _ = tokio::time::timeout(Duration::from_millis(20), mall.create(&terms)).await;
            n += 1;
            assert!(n < 5_000, "the disk fills up");
        }
        drop(mall);
    });
}
