//! From what was recovered to shards that can work with it.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread::scope;

use suanpan_core::order::AccountFacts;

use crate::balance_shard::{BalanceShard, Restored};
use crate::fault::EngineFault;
use crate::order_shard::{OrderFacts, OrderShard};
use crate::recovery::{Recovered, RecoveredOrder, Survey};
use crate::shared::Shared;
use crate::store::KeyFilter;

/// Gives every shard its part of what was recovered, which `survey` is of.
///
/// # Errors
/// When the archive cannot be read.
pub fn shards(
    count: usize,
    shared: &Arc<Shared>,
    recovered: Recovered,
    survey: &Survey,
) -> Result<(Vec<OrderShard>, Vec<BalanceShard>), EngineFault> {
    let mut filters: Vec<KeyFilter> = (0..count).map(|_| KeyFilter::new()).collect();
    shared.store.for_each_key(&mut |key| filters[(key & 0xff) as usize & (count - 1)].insert(key))?;
    let Recovered { last_id, durable, mut orders, rows_to_delete, balances, campaigns, .. } = recovered;
    let empty = |(index, filter)| OrderShard::new(index, count, Arc::clone(shared), filter, last_id, durable);
    let shards = filters.into_iter().enumerate().map(empty);
    let mut parts: Vec<Part<'_>> = shards.map(|shard| Part { shard, orders: Vec::new() }).collect();
    for facts in &survey.facts {
        let known = orders.remove(&facts.id).map(|known| (facts, known));
        parts[facts.id.shard(count)].orders.extend(known);
    }
    let mut orders: Vec<OrderShard> = if survey.facts.len() < shared.limits.orders_for_threads {
        register(shared, &balances);
        parts.into_iter().map(Part::filled).collect()
    } else {
        scope(|scope| {
            let shards: Vec<_> = parts.into_iter().map(|part| scope.spawn(move || part.filled())).collect();
            register(shared, &balances);
            shards
                .into_iter()
                .map(|shard| shard.join().unwrap_or_else(|panic| resume_unwind(panic)))
                .collect()
        })
    };
    for id in rows_to_delete {
        orders[id.shard(count)].delete_row(id);
    }
    for (campaign, stock) in campaigns {
        shared.registry.insert_campaign(&campaign, stock);
    }
    let balances = balances
        .into_iter()
        .enumerate()
        .map(|(index, restored)| BalanceShard::new(index, count, Arc::clone(shared), restored))
        .collect();
    Ok((orders, balances))
}

/// A shard and its orders, ascending by number.
struct Part<'a> {
    shard: OrderShard,
    orders: Vec<(&'a OrderFacts, RecoveredOrder)>,
}

impl Part<'_> {
    fn filled(mut self) -> OrderShard {
        for (facts, known) in self.orders {
            let (has_row, dirty) = (known.has_row, known.dirty);
            self.shard.take_over(facts, known.into_kept(), has_row, dirty);
        }
        self.shard
    }
}

/// Makes accounts known by their names.
fn register(shared: &Shared, balances: &[Restored]) {
    for account in balances.iter().flat_map(|restored| restored.ledger.accounts()) {
        if !account.id.kind().is_internal() {
            let facts = AccountFacts { platform: account.platform, currency: account.currency };
            let name = (account.platform, account.id.kind(), account.reference.clone());
            shared.registry.insert(account.id, name, facts);
        }
    }
}
