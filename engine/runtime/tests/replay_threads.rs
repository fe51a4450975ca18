//! A replay in three threads comes to what a replay in one comes to: the same state, the same archive.
#![expect(clippy::unwrap_used, reason = "test code: a panic is the report")]

mod common;

use std::ops::ControlFlow;
use std::path::Path;

use common::{PLATFORM, channels, mall, run};
use rustc_hash::FxHashMap;
use suanpan_model::{Order, OrderId, OrderStatus, PlatformPolicy};
use suanpan_runtime::journal::{JournalOptions, SegmentJournal};
use suanpan_runtime::limits::Limits;
use suanpan_runtime::recovery::{Purpose, Settings, Threads, recover_with};
use suanpan_runtime::store::{Store, StoreOptions};

const ORDERS: usize = 24;

/// What a replay of the log in `dir` into the empty store `store` comes to, in words that can be compared.
fn replayed(dir: &Path, store: &Path, threads: Threads) -> (Vec<String>, FxHashMap<OrderId, Order>) {
    let store = Store::open(store, StoreOptions::default()).unwrap();
    let journal = SegmentJournal::open(&dir.join("journal"), JournalOptions::default()).unwrap();
    let mut policy = PlatformPolicy::defaults(PLATFORM);
    policy.announces = true;
    let settings = Settings {
        // Fed many times, so that orders are told about again while they are on their way into the archive.
        limits: Limits { replay_orders: 2, replay_lines: 50, ..Limits::USUAL },
        conditions: &FxHashMap::default(),
        policies: &[policy],
        threads,
    };
    let found = recover_with(settings, &store, &journal, 2, Purpose::Start).unwrap();
    let mut told = vec![
        format!("{} records up to {:?}, last order {}", found.replayed, found.durable, found.last_id),
        format!("{:?}", found.breaks),
        format!("{:?}", found.rows_to_delete),
    ];
    let mut accounts: Vec<String> = Vec::new();
    for restored in &found.balances {
        for account in restored.ledger.accounts() {
            let chunks = store.statement(account.id.raw(), 0, u64::MAX, usize::MAX).unwrap();
            accounts.push(format!("{account:?} {chunks:?} {:?}", restored.statements.pending(account.id)));
        }
    }
    accounts.sort_unstable();
    told.extend(accounts);
    store
        .for_each_order(&mut |id, row| {
            told.push(format!("archived {id} {row:?}"));
            ControlFlow::Continue(())
        })
        .unwrap();
    for (key, row) in store.announcements(PLATFORM.0, (0, 0), usize::MAX).unwrap() {
        told.push(format!("announced {key:?} {row:?}"));
    }
    let orders =
        found.orders.into_iter().map(|(id, known)| (id, known.look().unwrap().into_owned())).collect();
    (told, orders)
}

#[test]
fn threads_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    run(async {
        let channels = channels(|_| {});
        let mall = mall(dir.path(), &channels).await;
        let mut ids = Vec::new();
        for n in 0..ORDERS {
            let order = mall.create(&mall.terms(&format!("A-{n}"))).await.unwrap();
            mall.until_status(order.id, OrderStatus::Frozen).await;
            if n % 4 > 0 {
                mall.release(order.id).await.unwrap();
                ids.push(order.id);
            }
        }
        // Told about again, long after the replay has handed them to the archive.
        for id in ids.iter().step_by(2) {
            mall.refund(*id, "late", Some(1_000)).await.unwrap();
            mall.until(*id, |order| order.refunds.iter().all(|refund| !refund.state.is_open())).await;
        }
        // No shutdown and no checkpoint: all of it is in the log.
    });
    let stores = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let (one, orders) = replayed(dir.path(), stores[0].path(), Threads::One);
    let (several, the_same) = replayed(dir.path(), stores[1].path(), Threads::Several);
    assert!(one.iter().filter(|line| line.starts_with("archived")).count() > ORDERS / 2, "{one:#?}");
    assert!(one.iter().filter(|line| line.starts_with("announced")).count() > 3 * ORDERS, "{one:#?}");
    assert_eq!(one, several);
    assert_eq!(orders, the_same);
    // A log that the archive has already is not fed again, and nothing is lost by it.
    let (again, orders) = replayed(dir.path(), stores[1].path(), Threads::Several);
    let archive = |lines: &[String]| -> Vec<String> {
        let is_archive = |line: &&String| line.starts_with("archived") || line.starts_with("announced");
        lines.iter().filter(is_archive).cloned().collect()
    };
    assert_eq!(archive(&again), archive(&one));
    assert_eq!(orders, the_same);
}
