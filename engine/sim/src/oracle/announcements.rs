//! What malls are told, beside what the log says.

use std::collections::BTreeMap;

use suanpan_core::invariants::Invariant;
use suanpan_model::{Announcement, OrderEvent, OrderId, Record};
use suanpan_runtime::codec::{decode_records, decode_row};
use suanpan_runtime::store::Store;

use crate::plan::PLATFORM;
use crate::tap::Written;

/// Position, place in the record, number of the order, number under it, what happened.
type Told = (u64, u8, OrderId, u32, &'static str);

/// Compares what the store has for the mall with what the acknowledged log says.
pub fn compare(store: &Store, acknowledged: &[Written], breaks: &mut Vec<String>) {
    let mut expected = expected(acknowledged);
    let expired = match store.announcements_expired(PLATFORM.0) {
        Ok(expired) => expired,
        Err(fault) => {
            breaks.push(Invariant::MallsTold.broken(format_args!("what expired cannot be read: {fault}")));
            return;
        }
    };
    // Of what expired there is what lists are made of; of the latest of it, a crash may have kept the rest.
    expected.retain(|told| (told.0, told.1) > expired.upto || is_listed(told.4));
    let rows = match store.announcements(PLATFORM.0, (0, 0), usize::MAX) {
        Ok(rows) => rows,
        Err(fault) => {
            breaks.push(Invariant::MallsTold.broken(format_args!("they cannot be read: {fault}")));
            return;
        }
    };
    let mut found: Vec<Told> = rows
        .iter()
        .filter_map(|((_, lsn, place), row)| {
            let told: Announcement = decode_row(row).ok()?;
            Some((*lsn, *place, told.order, told.sequence, told.kind.name()))
        })
        .collect();
    let read = found.len();
    found.retain(|told| {
        let at = (told.0, told.1);
        at <= expired.removed || at > expired.upto || is_listed(told.4)
    });
    if read != rows.len() {
        let what = format_args!("{} of {} rows cannot be read", rows.len() - read, rows.len());
        breaks.push(Invariant::MallsTold.broken(what));
    }
    if let Some(place) = (0..expected.len().max(found.len())).find(|at| expected.get(*at) != found.get(*at)) {
        let what = format_args!(
            "{} are kept, the log has {}; at {place}: {:?}, by the log {:?}",
            found.len(),
            expected.len(),
            found.get(place),
            expected.get(place)
        );
        breaks.push(Invariant::MallsTold.broken(what));
    }
}

/// What the log says, with numbers that are simply counted.
fn expected(acknowledged: &[Written]) -> Vec<Told> {
    let mut counts: BTreeMap<OrderId, u32> = BTreeMap::new();
    let mut expected = Vec::new();
    for (first, _, payload) in acknowledged {
        let mut lsn = *first;
        // Groups that cannot be read are told of by the tap.
        let _ = decode_records(payload, |record| {
            if let Record::Order { order, events, .. } = &record {
                for (place, event) in (0..).zip(events.iter()).filter(|(_, event)| is_told(event)) {
                    let count = counts.entry(*order).or_default();
                    *count += 1;
                    expected.push((lsn, place, *order, *count, event.kind().name()));
                }
            }
            lsn += 1;
        });
    }
    expected
}

/// Whether money came, moved on or went back, or somebody has to see to it.
fn is_told(event: &OrderEvent) -> bool {
    let name = event.kind().name();
    let how_it_is_asked = ["refund_queried", "reopening_planned", "contradicted", "created", "frozen"];
    let on_the_way = ["attempt_", "sms_", "closing_"];
    !how_it_is_asked.contains(&name) && !on_the_way.iter().any(|start| name.starts_with(start))
}

/// Whether a list of releases, refunds or disputes has a line for it.
fn is_listed(name: &str) -> bool {
    ["released", "refund_started", "dispute_opened"].contains(&name)
}
