//! What malls were told, and whether it is so.

use suanpan_core::invariants::Invariant;
use suanpan_model::order::AttemptState;
use suanpan_model::refund::FinishWay;
use suanpan_model::refund::RefundState;
use suanpan_model::{Order, RejectCode};
use suanpan_runtime::api::{Answer, Reply};

use super::ledger::{Heard, NaiveLedger};
use crate::mall::{Asked, Intent, Mall, Placed};

/// A request has reached the engine.
pub fn delivered(mall: &mut Mall, ticket: u64) {
    let Some(Asked { order, intent }) = asked(mall, ticket) else { return };
    let placed = &mut mall.orders[order];
    if matches!(intent, Intent::Create | Intent::CreateOther) {
        placed.creations.delivered += 1;
    }
    if let Some(no) = intent.refund_no() {
        placed.refunds.entry(no.clone()).or_default().delivered += 1;
    }
    if let Some(no) = intent.release_no() {
        placed.releases.entry(no.clone()).or_default().delivered += 1;
    }
}

fn asked(mall: &Mall, ticket: u64) -> Option<Asked> {
    mall.asked.get(usize::try_from(ticket).ok()?).cloned()
}

/// The engine lets an answer go: everything that it tells must stand in the acknowledged log.
pub fn let_go(mall: &mut Mall, log: &NaiveLedger, answer: &Answer, breaks: &mut Vec<String>) {
    let Some(Asked { order, intent }) = asked(mall, answer.ticket.0) else { return };
    let placed = &mut mall.orders[order];
    let no = placed.terms.order_no.to_string();
    let mut early = |what: String| breaks.push(Invariant::AnsweredIsDurable.broken(what));
    match (&intent, &answer.result) {
        (Intent::Create | Intent::CreateOther, Ok(Reply::Order(told))) => {
            placed.creations.promised += 1;
            if log.by_no.get(&no) != Some(&told.id) {
                early(format!("order {no} was acknowledged as {} and is not in the log", told.id));
            }
            if placed.id.is_some_and(|known| known != told.id) {
                let what = format!("order {no} was acknowledged under two numbers");
                breaks.push(Invariant::OneEffect.broken(what));
            }
            placed.id = Some(told.id);
            let terms = if intent == Intent::Create { &placed.terms } else { &placed.other };
            if placed.acknowledged.as_ref().is_some_and(|known| known != terms) {
                let what = format!("order {no} was acknowledged with two contents");
                breaks.push(Invariant::OneEffect.broken(what));
            }
            placed.acknowledged = Some(terms.clone());
        }
        (Intent::Create | Intent::CreateOther, Err(_)) => placed.creations.refused += 1,
        (Intent::Query, Ok(Reply::Life(life))) => told_life(log, life, &mut early),
        (Intent::Create | Intent::CreateOther, Ok(Reply::Life(_))) | (Intent::Query, Ok(Reply::Order(_))) => {
            early(format!("order {no}: an answer of the wrong kind"));
        }
        (Intent::Query, Err(_)) => {}
        (_, Err(_)) => {
            if let Some(number) = intent.refund_no() {
                placed.refunds.entry(number.clone()).or_default().refused += 1;
            }
            if let Some(number) = intent.release_no() {
                placed.releases.entry(number.clone()).or_default().refused += 1;
            }
        }
        (_, Ok(_)) => done(placed, log, &intent, &no, &mut early),
    }
}

/// A command was carried out, or had been: that it was must stand in the acknowledged log.
fn done(placed: &mut Placed, log: &NaiveLedger, intent: &Intent, no: &str, early: &mut impl FnMut(String)) {
    let nothing = Heard::default();
    let known = log.by_no.get(no).and_then(|id| log.orders.get(id)).unwrap_or(&nothing);
    if let Some(number) = intent.refund_no() {
        placed.refunds.entry(number.clone()).or_default().promised += 1;
        if !known.refunds.iter().any(|known| known == number.as_str()) {
            early(format!("refund {number} of order {no} was acknowledged and is not in the log"));
        }
    }
    if let Some(number) = intent.release_no() {
        placed.releases.entry(number.clone()).or_default().promised += 1;
        if !known.release_nos.contains(number.as_str()) {
            early(format!("release {number} of order {no} was acknowledged and is not in the log"));
        }
    }
    let stands = match intent {
        Intent::Release(..) => {
            placed.released = true;
            known.releases > 0
        }
        Intent::Close => {
            placed.closing = true;
            known.closes
        }
        Intent::OpenDispute => known.disputes.0 > 0,
        Intent::ResolveDispute(_) => known.disputes.1 > 0 || intent.refund_no().is_some(),
        Intent::ReturnParked(attempt) => {
            placed.returned.insert(*attempt);
            known.returns.contains(attempt)
        }
        Intent::Reopen(attempt) => {
            placed.reopened = Some(*attempt);
            known.reopened.contains(attempt) || known.payments.contains(attempt)
        }
        Intent::FinishRefund(refund, FinishWay::ToAccount(_) | FinishWay::Outside) => {
            placed.finished.insert(*refund);
            known.finished.contains(refund)
        }
        Intent::FinishRefund(..)
        | Intent::Refund(_)
        | Intent::ConfirmSms(_)
        | Intent::Create
        | Intent::CreateOther
        | Intent::Query => true,
    };
    if !stands {
        early(format!("order {no}: {intent:?} was acknowledged and is not in the log"));
    }
}

fn told_life(log: &NaiveLedger, life: &Order, early: &mut impl FnMut(String)) {
    let Some(known) = log.orders.get(&life.id) else {
        return early(format!("the life of order {} was told and is not in the log", life.id));
    };
    let paid = life.attempts.iter().filter(|attempt| attempt.state == AttemptState::Succeeded);
    for attempt in paid.filter(|attempt| !known.payments.contains(&attempt.no)) {
        early(format!(
            "order {}: the payment of attempt {} was told and is not in the log",
            life.id, attempt.no
        ));
    }
    for refund in life.refunds.iter().filter(|refund| !refund.refund_no.is_empty()) {
        if !known.refunds.iter().any(|known| known == refund.refund_no.as_str()) {
            early(format!("order {}: refund {} was told and is not in the log", life.id, refund.refund_no));
        }
    }
}

/// Whether an order's life keeps what the mall was promised.
pub fn kept(placed: &Placed, life: Result<&Order, RejectCode>, breaks: &mut Vec<String>) {
    let no = &placed.terms.order_no;
    let mut lost = |what: String| breaks.push(Invariant::AnsweredIsDurable.broken(what));
    let Some(terms) = &placed.acknowledged else { return };
    let life = match life {
        Ok(life) => life,
        // The archive may not be readable just now.
        Err(RejectCode::Unavailable) => return,
        Err(code) => return lost(format!("order {no} was acknowledged and is now {}", code.code())),
    };
    if Some(life.id) != placed.id || life.terms != *terms {
        lost(format!("order {no} was acknowledged as {:?} and is now another", placed.id));
    }
    for (number, tally) in placed.refunds.iter().filter(|(_, tally)| tally.promised > 0) {
        let times = life.refunds.iter().filter(|refund| refund.refund_no == *number).count();
        if times != 1 {
            lost(format!(
                "refund {number} of order {no} was acknowledged and is there {times} times ({tally:?})"
            ));
        }
    }
    for (number, tally) in placed.releases.iter().filter(|(_, tally)| tally.promised > 0) {
        let times = life.releases.iter().filter(|release| release.release_no == *number).count();
        if times != 1 {
            lost(format!(
                "release {number} of order {no} was acknowledged and is there {times} times ({tally:?})"
            ));
        }
    }
    for attempt in &placed.returned {
        if !life.refunds.iter().any(|refund| refund.attempt == *attempt && refund.unwinding.is_none()) {
            lost(format!("order {no}: the return of attempt {attempt} was acknowledged and is not there"));
        }
    }
    if placed.reopened.is_some() && life.paid_by != placed.reopened {
        lost(format!(
            "order {no}: it was reopened by {:?} and is paid by {:?}",
            placed.reopened, life.paid_by
        ));
    }
    for number in &placed.finished {
        if life.refund(*number).is_none_or(|refund| refund.state != RefundState::Finished) {
            lost(format!(
                "order {no}: that refund number {number} is finished was acknowledged and is not so"
            ));
        }
    }
    if placed.released && life.released().is_zero() {
        lost(format!("the release of order {no} was acknowledged and is not there"));
    }
    if placed.closing && life.closing.is_none() && life.status.is_unpaid() {
        lost(format!("the close of order {no} was acknowledged and is not there"));
    }
}

/// What was refused every time did not happen.
pub fn refused_is_nothing(mall: &Mall, log: &NaiveLedger, breaks: &mut Vec<String>) {
    for placed in &mall.orders {
        let no = placed.terms.order_no.to_string();
        let known = log.by_no.get(&no);
        let creations = placed.creations;
        if known.is_some() && creations.delivered == creations.refused {
            let what = format!("order {no} was refused every time and is recorded");
            breaks.push(Invariant::RejectChangesNothing.broken(what));
        }
        let Some(heard) = known.and_then(|id| log.orders.get(id)) else { continue };
        let refunds = heard.refunds.iter().map(|no| ("refund", no, placed.refunds.get(no.as_str())));
        let releases = heard.release_nos.iter().map(|no| ("release", no, placed.releases.get(no.as_str())));
        for (what, number, tally) in refunds.chain(releases) {
            let tally = tally.copied().unwrap_or_default();
            if tally.delivered == tally.refused {
                let what = format!("{what} {number} of order {no} was refused every time and was made");
                breaks.push(Invariant::RejectChangesNothing.broken(what));
            }
        }
    }
}
