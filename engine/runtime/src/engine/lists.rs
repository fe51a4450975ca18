//! Lists: orders of a platform, and what happened to them by kind. Newest first, so that what comes meanwhile lies before
//! the first page.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use suanpan_model::command::OrderRef;
use suanpan_model::event::EventKind;
use suanpan_model::{
    Announced, AnnouncementId, DurationMs, Lsn, Order, OrderId, PlatformId, Reject, RejectCode, TimestampMs,
};
use tokio::sync::oneshot;

use super::{Engine, ended};
use crate::actors::{Holding, Listing};
use crate::api::{Command, Reply};
use crate::codec::decode_order_row;
use crate::engine::announcements::read_announcement;
use crate::fault::EngineFault;
use crate::order_list::{Indexed, OrderQuery};
use crate::store::Store;

/// Rows of the index, or announcements, that are looked at for one page: some milliseconds.
const LOOKED_AT_MAX: usize = 5_000;

/// By how much the times of announcements may lie against their order in the log: shards decide side by side.
const DISORDER: DurationMs = DurationMs::from_secs(60);

/// A page of a list, newest first.
#[derive(Clone, Debug)]
pub struct Page<T, C> {
    /// What is on it; may be less than the limit, or nothing, with more to come.
    pub items: Vec<T>,
    /// The cursor of the next page; nothing at the end.
    pub next: Option<C>,
}

/// What there are lists of. The announcements that they are made of are kept for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Releases.
    Releases,
    /// Refunds.
    Refunds,
    /// Disputes.
    Disputes,
}

impl Listed {
    /// Every list.
    pub const ALL: [Self; 3] = [Self::Releases, Self::Refunds, Self::Disputes];

    /// What is announced of each line.
    #[must_use]
    pub const fn kind(self) -> EventKind {
        match self {
            Self::Releases => EventKind::Released,
            Self::Refunds => EventKind::RefundStarted,
            Self::Disputes => EventKind::DisputeOpened,
        }
    }
}

/// Which announcements a list has.
#[derive(Clone, Debug)]
pub struct AnnouncedQuery {
    /// Whose.
    pub platform: PlatformId,
    /// What happened.
    pub listed: Listed,
    /// Only earlier ones: the cursor.
    pub before: Option<AnnouncementId>,
    /// Only of what happened at or after this instant.
    pub from: TimestampMs,
    /// Only of what happened before this instant.
    pub until: TimestampMs,
    /// Most of a page.
    pub limit: usize,
}

impl Engine {
    /// A page of a platform's orders, live and archived, newest first. What one page costs is bounded, whatever it asks for:
    /// where few orders are wanted among many, pages are short.
    ///
    /// # Errors
    /// `busy`; `unavailable` when the archive cannot be read or the engine is ending.
    pub async fn orders(&self, query: OrderQuery) -> Result<Page<Arc<Order>, OrderId>, Reject> {
        let query = Arc::new(query);
        let mut asked = Vec::new();
        for address in &self.running.wiring().orders {
            let (to, answer) = oneshot::channel();
            address.do_send(Listing { query: Arc::clone(&query), to });
            asked.push(answer);
        }
        let (mut in_memory, mut down_to) = (FxHashMap::default(), OrderId(0));
        for answer in asked {
            let shard = answer.await.map_err(|_| ended())?;
            down_to = down_to.max(shard.down_to.unwrap_or_default());
            in_memory.extend(shard.orders);
        }
        let (store, asked) = (self.shared().store.clone(), Arc::clone(&query));
        let page = blocking(move || page(&store, &asked, &in_memory, down_to)).await?;
        let mut orders = self.load(query.platform, page.items).await?;
        orders.retain(|order| query.takes(order));
        Ok(Page { items: orders, next: page.next })
    }

    /// The orders with these numbers, in their order; what is not there, or is another platform's, is left out.
    ///
    /// # Errors
    /// As [`Engine::orders`].
    pub async fn lives(&self, platform: PlatformId, ids: &[OrderId]) -> Result<Vec<Arc<Order>>, Reject> {
        let addresses = &self.running.wiring().orders;
        let mut by_shard = vec![Vec::new(); addresses.len()];
        for id in ids {
            by_shard[id.shard(addresses.len())].push(*id);
        }
        let mut held = FxHashSet::default();
        for (address, ids) in addresses.iter().zip(by_shard) {
            if !ids.is_empty() {
                let (to, answer) = oneshot::channel();
                address.do_send(Holding { ids, to });
                held.extend(answer.await.map_err(|_| ended())?);
            }
        }
        self.load(platform, ids.iter().map(|id| (*id, held.contains(id))).collect()).await
    }

    /// Orders by number: those in memory are asked for, so that nothing is told before it is durable; the others are read
    /// from the archive without troubling a shard.
    async fn load(&self, platform: PlatformId, ids: Vec<(OrderId, bool)>) -> Result<Vec<Arc<Order>>, Reject> {
        let held = ids.iter().filter(|(_, in_memory)| *in_memory).map(|(id, _)| *id);
        let query = |id| Command::Query { platform: Some(platform), order: OrderRef::Id(id) };
        let answers = self.call_many(held.map(query).collect()).await;
        let store = self.shared().store.clone();
        let order = ids.clone();
        let mut orders = blocking(move || {
            let archived = ids.into_iter().filter(|(_, in_memory)| !in_memory);
            let read = archived.map(|(id, _)| archived_order(&store, id)).collect::<Result<Vec<_>, _>>()?;
            Ok(read
                .into_iter()
                .flatten()
                .map(|order| (order.id, Arc::new(order)))
                .collect::<FxHashMap<_, _>>())
        })
        .await?;
        for answer in answers {
            match answer {
                Ok(Reply::Life(order)) => drop(orders.insert(order.id, order)),
                Ok(Reply::Order(_)) => {}
                Err(reject) if reject.code == RejectCode::UnknownOrder => {}
                Err(reject) => return Err(reject),
            }
        }
        let own = |id: &OrderId| orders.get(id).filter(|order| order.terms.platform == platform).cloned();
        Ok(order.iter().filter_map(|(id, _)| own(id)).collect())
    }

    /// A page of what happened to a platform's orders, of one kind, newest first; as bounded as [`Engine::orders`].
    ///
    /// # Errors
    /// `unavailable` when the announcements cannot be read.
    pub async fn announced_as(
        &self,
        query: AnnouncedQuery,
    ) -> Result<Page<Announced, AnnouncementId>, Reject> {
        let store = self.shared().store.clone();
        blocking(move || announced_page(&store, &query)).await
    }
}

/// Numbers of a page, and whether each is in memory.
fn page(
    store: &Store,
    query: &OrderQuery,
    in_memory: &FxHashMap<OrderId, bool>,
    mut down_to: OrderId,
) -> Result<Page<(OrderId, bool), OrderId>, EngineFault> {
    let (from, before) = query.numbers();
    let mut wanted: Vec<(OrderId, bool)> =
        in_memory.iter().filter(|(_, fits)| **fits).map(|(id, _)| (*id, true)).collect();
    let mut archived = 0;
    let rows = store.indexed_orders(query.platform.0, from.max(down_to).0, before.0);
    for (place, row) in rows.enumerate() {
        let (id, row) = row?;
        let id = OrderId(id);
        // An order that came back into memory is known better there.
        if !in_memory.contains_key(&id) {
            let indexed = Indexed::read(&row).map_err(|fault| EngineFault::Replay {
                lsn: 0,
                what: format!("order {id} cannot be read in the index: {fault}"),
            })?;
            if query.fits(&indexed) {
                wanted.push((id, false));
                archived += 1;
            }
        }
        if archived == query.limit || place + 1 == LOOKED_AT_MAX {
            down_to = id;
            break;
        }
    }
    // Below the place to which everybody has looked there may be more that comes before what is known there.
    wanted.retain(|(id, _)| *id >= down_to);
    wanted.sort_unstable_by(|one, other| other.cmp(one));
    let next = if wanted.len() > query.limit {
        wanted.truncate(query.limit);
        wanted.last().map(|(id, _)| *id)
    } else {
        (down_to > from).then_some(down_to)
    };
    Ok(Page { items: wanted, next })
}

fn archived_order(store: &Store, id: OrderId) -> Result<Option<Order>, EngineFault> {
    let Some(row) = store.order(id.0)? else { return Ok(None) };
    let read = decode_order_row(&row).map_err(|fault| EngineFault::Replay {
        lsn: 0,
        what: format!("order {id} cannot be read in the archive: {fault}"),
    });
    read.map(|(_, order)| Some(order))
}

fn announced_page(
    store: &Store,
    query: &AnnouncedQuery,
) -> Result<Page<Announced, AnnouncementId>, EngineFault> {
    let newest = store.newest_announcement(query.platform.0)?.map_or(0, |(_, lsn, _)| lsn);
    let late = query.until.0.saturating_add(DISORDER.0);
    let from_time = AnnouncementId { lsn: Lsn(first_at(store, query.platform, late, newest)?), place: 0 };
    let before = query.before.map_or(from_time, |before| before.min(from_time));
    let early = TimestampMs(query.from.0.saturating_sub(DISORDER.0));
    let mut page = Page { items: Vec::new(), next: None };
    let rows = store.announcements_before(query.platform.0, (before.lsn.0, before.place));
    for (place, row) in rows.enumerate() {
        let (key, row) = row?;
        let announced = read_announcement(key, &row)?;
        let (id, at) = (announced.id, announced.announcement.at);
        if at < early {
            break;
        }
        if announced.announcement.kind == query.listed.kind() && at >= query.from && at < query.until {
            page.items.push(announced);
        }
        if page.items.len() == query.limit || place + 1 == LOOKED_AT_MAX {
            page.next = Some(id);
            break;
        }
    }
    Ok(page)
}

/// A log position before which everything was announced for a time before `at_ms`, give or take some disorder; found by
/// halving the log.
fn first_at(store: &Store, platform: PlatformId, at_ms: u64, newest: u64) -> Result<u64, EngineFault> {
    let (mut low, mut high) = (0, newest.saturating_add(1));
    if at_ms == u64::MAX {
        return Ok(high);
    }
    while low < high {
        let middle = low + (high - low) / 2;
        let next = store.announcements(platform.0, (middle.saturating_sub(1), u8::MAX), 1)?;
        let is_before = match next.first() {
            Some((key, row)) => read_announcement(*key, row)?.announcement.at.0 < at_ms,
            None => false,
        };
        if is_before { low = middle + 1 } else { high = middle }
    }
    Ok(low)
}

/// Reads off the caller's thread, which serves others meanwhile.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, EngineFault> + Send + 'static,
) -> Result<T, Reject> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(fault)) => {
            tracing::error!(%fault, "a list cannot be read");
            Err(Reject::new(RejectCode::Unavailable, "", "an archive that can be read; try again later"))
        }
        Err(_) => Err(ended()),
    }
}
