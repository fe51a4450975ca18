//! Which requests are let in, before any mailbox, and to which shard each goes.

use std::sync::Arc;

use suanpan_model::Reject;

use crate::api::{Answer, AnswerSink, Command, Request};
use crate::shared::{Gate, busy};

/// Lets in what there is room for, counted at the gate, and refuses the rest at `sink`. Creations leave a quarter of
/// the places to commands for orders that exist.
#[must_use]
pub fn admit(gate: &Gate, mut requests: Vec<Request>, sink: &Arc<dyn AnswerSink>) -> Vec<Request> {
    let refuse = |requests: Vec<Request>, reject: &Reject| {
        let answer = |request: Request| Answer { ticket: request.ticket, result: Err(reject.clone()) };
        sink.deliver(requests.into_iter().map(answer).collect());
    };
    let mut room = gate.room_for_creations();
    let is_creation = |request: &Request| matches!(request.command, Command::Create(_));
    if room < requests.len() {
        let mut fits = |request: &Request| {
            let has_room = room > 0 || !is_creation(request);
            room = room.saturating_sub(usize::from(is_creation(request)));
            has_room
        };
        let (fitting, beyond): (Vec<_>, Vec<_>) = requests.into_iter().partition(|request| fits(request));
        requests = fitting;
        if !beyond.is_empty() {
            refuse(beyond, &busy());
        }
    }
    let admitted = match gate.admit(requests.len()) {
        Ok(admitted) => admitted,
        Err(reject) => {
            refuse(requests, &reject);
            return Vec::new();
        }
    };
    if admitted < requests.len() {
        refuse(requests.split_off(admitted), &busy());
    }
    requests
}

/// The requests of each of `shards` shards.
#[must_use]
pub fn by_shard(requests: Vec<Request>, shards: usize) -> Vec<Vec<Request>> {
    let mut by_shard: Vec<Vec<Request>> =
        (0..shards).map(|_| Vec::with_capacity(requests.len() * 5 / 4 / shards + 1)).collect();
    for request in requests {
        let bucket = match &request.command {
            Command::Create(terms) => (terms.key() & 0xff) as usize,
            Command::Order { order, .. } | Command::Query { order, .. } => usize::from(order.bucket()),
        };
        by_shard[bucket & (shards - 1)].push(request);
    }
    by_shard
}
