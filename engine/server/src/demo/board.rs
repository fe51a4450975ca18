//! What the mall has heard of its orders. The engine's feed stands for the callbacks that a mall will get.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use suanpan_model::event::EventKind;
use suanpan_model::{OrderId, OrderStatus};
use suanpan_runtime::Engine;
use suanpan_runtime::api::Notice;
use tokio::sync::{Notify, mpsc};

use super::mall::Mall;

/// Batches of notices by which the mall may lag before it is cut off; then it asks for its orders one by one.
const FEED_CAPACITY: usize = 100_000;

/// What was heard of one order.
#[derive(Debug)]
struct Entry {
    status: OrderStatus,
    last: EventKind,
    paid_at: Option<Instant>,
    /// Whether the feed told about it: it is never behind an answer for long, an answer may be behind it.
    is_heard: bool,
    news: Rc<Notify>,
}

/// What was heard of every order.
#[derive(Debug, Default)]
pub struct Board {
    entries: HashMap<OrderId, Entry>,
}

impl Board {
    fn entry(&mut self, order: OrderId) -> &mut Entry {
        self.entries.entry(order).or_insert_with(|| Entry {
            status: OrderStatus::Created,
            last: EventKind::Created,
            paid_at: None,
            is_heard: false,
            news: Rc::default(),
        })
    }

    fn hear(&mut self, at: Instant, notice: &Notice) {
        let entry = self.entry(notice.order);
        entry.status = notice.status;
        entry.last = notice.kind;
        entry.is_heard = true;
        if notice.kind == EventKind::Paid {
            entry.paid_at = Some(at);
        }
        entry.news.notify_one();
    }

    /// Notes what the engine answered when it was asked.
    pub fn learn(&mut self, order: OrderId, status: OrderStatus) {
        let entry = self.entry(order);
        if !entry.is_heard || status.is_final() {
            entry.status = status;
        }
    }

    /// Where an order stands, and what happened last.
    pub fn status(&mut self, order: OrderId) -> (OrderStatus, EventKind) {
        let entry = self.entry(order);
        (entry.status, entry.last)
    }

    /// When the payment was heard of.
    pub fn paid_at(&mut self, order: OrderId) -> Option<Instant> {
        self.entry(order).paid_at
    }

    /// Rings when there is news of an order.
    pub fn news(&mut self, order: OrderId) -> Rc<Notify> {
        Rc::clone(&self.entry(order).news)
    }

    /// How many orders are not final, by what they wait for.
    #[must_use]
    pub fn left(&self) -> BTreeMap<&'static str, usize> {
        let mut left = BTreeMap::new();
        for entry in self.entries.values().filter(|entry| !entry.status.is_final()) {
            *left.entry(why_left(entry.status, entry.last)).or_default() += 1;
        }
        left
    }
}

fn why_left(status: OrderStatus, last: EventKind) -> &'static str {
    match status {
        OrderStatus::Created | OrderStatus::Routing | OrderStatus::Pending => match last {
            EventKind::AttemptStarted | EventKind::Created => "call their channel",
            EventKind::AttemptInDoubt => "in doubt",
            EventKind::ClosingAdvanced => "being closed",
            _ => "wait for their payer",
        },
        OrderStatus::Frozen | OrderStatus::PartReleased | OrderStatus::Paid => match last {
            EventKind::RefundStarted | EventKind::RefundQueried => "being refunded",
            _ => "paid, to be confirmed",
        },
        OrderStatus::Disputed => "disputed",
        OrderStatus::Settled | OrderStatus::Failed | OrderStatus::Closed | OrderStatus::Refunded => "final",
    }
}

/// Takes the engine's feed to the mall for as long as the engine runs.
///
/// # Errors
/// When the operating system gives no thread.
pub fn listen(engine: &Engine, mall: &Rc<Mall>) -> std::io::Result<()> {
    let feed = engine.subscribe(FEED_CAPACITY);
    let (to, mut from) = mpsc::unbounded_channel::<(Instant, Arc<Vec<Notice>>)>();
    std::thread::Builder::new().name("demo-feed".to_owned()).spawn(move || {
        while let Ok(batch) = feed.recv() {
            if to.send((Instant::now(), batch)).is_err() {
                break;
            }
        }
    })?;
    let mall = Rc::clone(mall);
    actix_rt::spawn(async move {
        while let Some((at, batch)) = from.recv().await {
            let mut board = mall.board.borrow_mut();
            batch.iter().for_each(|notice| board.hear(at, notice));
        }
    });
    Ok(())
}
