//! What a replay gives to the archive on its way, here or in a thread of its own.

use crossbeam::channel::{Receiver, Sender};
use rustc_hash::FxHashMap;
use suanpan_model::{Announced, Lsn, Order, OrderId};

use super::order_breaks;
use crate::codec::row_mark;
use crate::fault::EngineFault;
use crate::keeper::archive_batch;
use crate::messages::{AnnouncedRows, Finished, FinishedOrder};
use crate::statements::ChunkRow;
use crate::store::Store;

/// What the archive may lack.
#[derive(Default)]
pub(super) struct Feed {
    /// What malls are told.
    pub announced: Vec<Announced>,
    /// Orders that ended, each with the position of its last record.
    pub orders: Vec<(Order, Lsn)>,
    /// Position up to which they are complete.
    pub applied: Lsn,
    /// Statement lines, packed.
    pub statements: Vec<ChunkRow>,
}

impl Feed {
    /// Writes everything; the answer is what is wrong with the orders.
    ///
    /// # Errors
    /// When the store refuses.
    pub fn write(self, store: &Store) -> Result<Vec<String>, EngineFault> {
        // First, so that the archive never has an order of which the mall was not told.
        let announced: AnnouncedRows = self.announced.iter().collect();
        store.announce(announced.rows().collect())?;
        let known = self.known(store)?;
        let (mut breaks, mut buffer, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        let mut orders = Vec::new();
        for (order, changed) in &self.orders {
            breaks.extend(order_breaks(order));
            match known.get(&order.id) {
                // The row is as new as this; whether its key came in with it is not known.
                Some(applied) if applied >= changed => keys.push((order.terms.key(), order.id.0)),
                Some(_) | None => orders.push(FinishedOrder::new(order, self.applied, &mut buffer)),
            }
        }
        drop(self.orders);
        let mut batch = archive_batch(&[Finished { shard: 0, orders }], &[(0, 0, self.statements)]);
        batch.keys.extend(keys);
        if !batch.keys.is_empty() || !batch.statements.is_empty() {
            store.ingest(batch)?;
        }
        Ok(breaks)
    }

    /// Up to which position the archive's rows of these orders are complete, as far as it has them: the engine fed it before
    /// it ended, and reading a row costs a fraction of writing it. Numbers rise with time, so the rows lie together; where
    /// an old straggler is among the orders, the newest count.
    fn known(&self, store: &Store) -> Result<FxHashMap<OrderId, Lsn>, EngineFault> {
        let ids = self.orders.iter().map(|(order, _)| order.id);
        let (Some(first), Some(last)) = (ids.clone().min(), ids.max()) else {
            return Ok(FxHashMap::default());
        };
        let mut known = FxHashMap::default();
        store.for_orders_between(first.0, last.0, 2 * self.orders.len(), &mut |id, row| {
            if let Some(applied) = row_mark(row) {
                known.insert(OrderId(id), applied);
            }
        })?;
        Ok(known)
    }
}

/// What came of a feed.
pub(super) type Fed = Result<Vec<String>, EngineFault>;

/// A thread that feeds the archive.
struct Aside {
    /// Takes a feed when the one before it is done.
    feeds: Sender<Feed>,
    done: Receiver<Fed>,
    /// Feeds that it has not told of.
    under_way: usize,
}

/// Feeds the archive.
pub(super) struct Feeder<'a> {
    store: &'a Store,
    aside: Option<Aside>,
    breaks: Vec<String>,
}

impl<'a> Feeder<'a> {
    /// Feeds where it is called.
    pub const fn here(store: &'a Store) -> Self {
        Self { store, aside: None, breaks: Vec::new() }
    }

    /// Lets a thread feed that takes from the other end of `feeds` and tells through that of `done`.
    pub fn go_aside(&mut self, feeds: Sender<Feed>, done: Receiver<Fed>) {
        self.aside = Some(Aside { feeds, done, under_way: 0 });
    }

    /// Feeds the archive, or lets it be fed: [`Feeder::settle`] waits for it.
    ///
    /// # Errors
    /// When the store refused this feed, or one before it.
    pub fn feed(&mut self, feed: Feed) -> Result<(), EngineFault> {
        let Some(aside) = &mut self.aside else {
            self.breaks.extend(feed.write(self.store)?);
            return Ok(());
        };
        if aside.feeds.send(feed).is_ok() {
            aside.under_way += 1;
            while let Ok(fed) = aside.done.try_recv() {
                aside.under_way -= 1;
                self.breaks.extend(fed?);
            }
            return Ok(());
        }
        // It ends by itself only after a fault.
        self.settle()
    }

    /// Waits until the archive has everything that it was fed with.
    ///
    /// # Errors
    /// When the store refused a feed.
    pub fn settle(&mut self) -> Result<(), EngineFault> {
        let Some(aside) = &mut self.aside else { return Ok(()) };
        while aside.under_way > 0 {
            let ended = |_| EngineFault::Replay { lsn: 0, what: "the archive's thread ended".into() };
            let fed = aside.done.recv().map_err(ended)?;
            aside.under_way -= 1;
            self.breaks.extend(fed?);
        }
        Ok(())
    }

    /// What is wrong with orders that the archive was fed with.
    pub fn into_breaks(self) -> Vec<String> {
        self.breaks
    }
}
