use std::path::Path;
use std::sync::Mutex;

use arc_swap::ArcSwap;
use suanpan_channels::{Adapter, BUILTIN_CHANNELS, Simulator, load_descriptors};
use suanpan_core::routing::{Router, RoutingRules};
use suanpan_model::PlatformPolicy;

use super::*;
use crate::Limits;
use crate::clock::SystemClock;
use crate::learner::{Folded, Learner};
use crate::messages::Source;
use crate::order_shard::any_order;
use crate::registry::Registry;
use crate::rulebook::RuleBook;
use crate::shared::{Counters, Feed, Gate, Tidings};
use crate::store::{MemoryTables, StoreOptions};

const PARTS: usize = 2;

#[derive(Default)]
struct Heard(Mutex<Vec<OrderId>>);

impl Listeners for Arc<Heard> {
    fn archived(&self, _: usize, orders: Vec<FinishedOrder>) {
        self.0.lock().expect("one thread").extend(orders.iter().map(|order| order.id));
    }
    fn statements_archived(&self, _: usize, _: u64) {}
}

struct World {
    keeper: Keeper<Arc<Heard>>,
    store: Store,
    tables: MemoryTables,
    heard: Arc<Heard>,
}

fn world(rows_gathered: usize) -> World {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let tables = MemoryTables::new();
    let store = Store::open_on(Box::new(tables.clone()), Path::new("memory"), StoreOptions::default());
    let store = store.expect("a store in memory");
    let descriptors = load_descriptors(BUILTIN_CHANNELS).expect("the built-in channels");
    let adapters: Vec<_> = descriptors.into_iter().map(|one| Simulator::new(one, 1)).collect();
    let capabilities = adapters.iter().map(|adapter| adapter.capability().clone()).collect();
    let router = Router::new(capabilities, RoutingRules::default(), vec![]).expect("no rules");
    let shared = Arc::new(Shared {
        clock: Arc::new(SystemClock::default()),
        announced: Tidings::default(),
        registry: Registry::new(Vec::<PlatformPolicy>::new()),
        learner: Learner::new(router.capabilities(), Folded::default()),
        rules: RuleBook::open(&dir.path().join("routing")).expect("a folder of rules"),
        router: ArcSwap::from_pointee(router),
        gate: Gate::new(100, 100, 100),
        feed: Feed::default(),
        counters: Counters::default(),
        store: store.clone(),
        limits: Limits { rows_gathered, ..Limits::USUAL },
    });
    let (log, _) = crossbeam::channel::unbounded();
    let heard = Arc::new(Heard::default());
    World { keeper: Keeper::new(shared, Arc::clone(&heard), log, PARTS), store, tables, heard }
}

fn part(number: usize, is_last: bool, tables: Vec<CheckpointRows>) -> KeeperMessage {
    KeeperMessage::Checkpoint(Rows {
        source: Source::Orders(number),
        epoch: 1,
        tables,
        is_last,
        waits_for_archive: true,
        replay_from: Lsn(100),
        last_id: OrderId(7),
    })
}

fn live_orders(keys: std::ops::Range<u64>) -> CheckpointRows {
    let mut rows = CheckpointRows::new(Table::LiveOrders);
    keys.for_each(|key| rows.upsert(key.to_be_bytes(), b"row".as_slice()));
    rows
}

fn count(store: &Store) -> u64 {
    store.load_rows(Table::LiveOrders, |_, _| Ok::<(), StoreFault>(())).expect("rows")
}

/// The log is released up to where a checkpoint is complete: what ended before must be in the archive by then, whether or not the
/// checkpoint has a row.
#[test]
fn what_ended_is_in_the_archive_before_a_checkpoint_is_sealed() {
    for tables in [vec![], vec![live_orders(0..1)]] {
        let World { mut keeper, store, heard, .. } = world(1);
        let order = any_order(5);
        // The shard of orders hands over rows first, then an order ends, and there is nothing more for the checkpoint.
        keeper.take(part(0, false, tables));
        assert_eq!(keeper.step(), Step::Done);
        let orders = vec![FinishedOrder::new(&order, Lsn(90), &mut Vec::new())];
        keeper.take(KeeperMessage::Finished(Finished { shard: 0, orders }));
        assert_eq!(keeper.step(), Step::Done);
        for number in 0..PARTS {
            assert!(store.checkpoint_meta().expect("a meta row").is_none());
            keeper.take(part(number, true, vec![]));
            assert_eq!(keeper.step(), Step::Done);
        }
        assert!(store.checkpoint_meta().expect("a meta row").is_some(), "every part is there");
        assert!(store.order(order.id.0).expect("an archive").is_some(), "the log has it no more");
        assert_eq!(*heard.0.lock().expect("one thread"), [order.id]);
    }
}

#[test]
fn rows_are_written_once_there_are_enough_and_the_rest_before_the_seal() {
    let World { mut keeper, store, .. } = world(10);
    for (first, written) in [(0, 0), (6, 12), (12, 12)] {
        keeper.take(part(0, false, vec![live_orders(first..first + 6)]));
        assert_eq!(keeper.step(), Step::Done);
        assert_eq!(count(&store), written, "after those from {first} on");
    }
    for number in 0..PARTS {
        assert_eq!(count(&store), 12);
        keeper.take(part(number, true, vec![]));
        assert_eq!(keeper.step(), Step::Done);
    }
    assert_eq!(count(&store), 18);
}

#[test]
fn rows_that_the_store_refuses_are_written_when_it_takes_them() {
    let World { mut keeper, store, tables, .. } = world(4);
    tables.fail_writes(0, std::io::ErrorKind::StorageFull);
    keeper.take(part(0, false, vec![live_orders(0..6)]));
    assert_eq!(keeper.step(), Step::Refused);
    assert_eq!(count(&store), 0);
    tables.accept();
    assert_eq!(keeper.step(), Step::Done);
    assert_eq!(count(&store), 6);
}
