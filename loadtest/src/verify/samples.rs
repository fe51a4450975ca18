//! Orders picked from the whole run, looked up one by one.

use suanpan_model::command::OrderRef;
use suanpan_model::{AccountId, AccountType, Order, OrderStatus, PayKind, Side};
use suanpan_runtime::{Command, Reply};

use super::{Audit, Verdict};
use crate::driver::Finished;
use crate::expected::{self, Parts, net};
use crate::operation::Course;
use crate::workload::Template;
use crate::world::{CURRENCY, PLATFORM};

pub(super) async fn check(verdict: &mut Verdict, audit: &Audit<'_>) {
    let samples = audit.outcome.tally.samples();
    let query =
        |sample: &Finished| Command::Query { platform: Some(PLATFORM), order: OrderRef::Id(sample.order) };
    let lives = audit.engine.call_many(samples.iter().map(query).collect()).await;
    for (sample, life) in samples.iter().zip(lives) {
        let before = verdict.count;
        match life {
            Ok(Reply::Life(order)) => one(verdict, audit, sample, &order),
            Ok(other) => {
                verdict.differ(|| format!("asked for the life of order {}, got {other:?}", sample.order));
            }
            Err(reject) => verdict.differ(|| format!("order {}: {reject}", sample.order)),
        }
        verdict.sampled += u64::from(verdict.count == before);
    }
}

fn one(verdict: &mut Verdict, audit: &Audit<'_>, sample: &Finished, order: &Order) {
    let workload = audit.workload;
    let template = &workload.templates()[workload.template_of(sample.count)];
    let what = |part: &'static str| move || format!("order {}, {part}", sample.order);
    let parts = parts(audit, template, order);
    let net = net(parts, template.course);
    let status = match template.course {
        Course::RefundFrozen | Course::RefundReleased { part: None } => OrderStatus::Refunded,
        Course::Release | Course::Milestones { .. } | Course::RefundReleased { part: Some(_) } => {
            OrderStatus::Settled
        }
    };
    verdict.expect(what("terms"), &*workload.terms(sample.count), &*order.terms);
    verdict.expect(what("status"), &status, &order.status);
    verdict.expect(what("frozen"), &0, &order.frozen.minor());
    let has_paid = order.attempts.last().map(|attempt| attempt.channel());
    if workload.spec().is_settled() {
        verdict.expect(what("channel"), &template.channel, &has_paid);
    }
    let gained = |account: AccountId| -> i128 {
        let postings = order.entries.iter().flat_map(|entry| &entry.postings);
        let same = postings.filter(|posting| posting.account == account);
        same.map(|posting| match posting.side {
            Side::Credit => posting.amount.signed(),
            Side::Debit => -posting.amount.signed(),
        })
        .sum()
    };
    let internal = |kind| AccountId::internal(kind, PLATFORM.0, CURRENCY, order.id.stripe());
    verdict.expect(what("merchant"), &net.merchant, &gained(audit.cast.merchants[template.merchant]));
    verdict.expect(what("agent"), &net.agent, &gained(audit.cast.agents[template.agent]));
    verdict.expect(what("fee"), &net.fee_income, &gained(internal(AccountType::FeeIncome)));
    verdict.expect(what("commission"), &net.commission, &gained(internal(AccountType::CommissionIncome)));
    verdict.expect(what("coupon"), &-net.fund, &gained(internal(AccountType::CouponFund)));
}

/// What an order must come to at the channel that took it.
fn parts(audit: &Audit<'_>, template: &Template, order: &Order) -> Parts {
    let channel = order.attempts.last().map(|attempt| attempt.channel());
    if template.terms.kind == PayKind::Balance || channel == template.channel {
        return template.parts;
    }
    let taken = audit.descriptors.iter().find(|one| Some(one.capability.id) == channel);
    let fee = taken.map_or(0, |one| {
        expected::fee(&one.capability.tariff, template.parts.payable, template.terms.card_type)
    });
    let bps = [template.parts.commission, template.parts.agent];
    let Parts { amount, .. } = template.parts;
    Parts { fee, merchant: amount - bps[0] - bps[1] - fee, ..template.parts }
}
