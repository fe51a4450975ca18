//! An order's whole life as the API tells it.

use std::collections::BTreeMap;

use serde::Serialize;
use suanpan_core::routing::{Router, explain};
use suanpan_model::order::{Attempt, AttemptState, Refund, RefundState, Share, Step};
use suanpan_model::{Amount, ChannelId, Currency, Entry, Order, OrderTerms};

use super::ActionOut;
use super::attributes::AttributesOut;
use crate::text::time_text;

/// The whole life.
#[derive(Debug, Serialize)]
pub struct LifeOut<'a> {
    order: String,
    platform: String,
    order_no: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed: Option<&'static str>,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    release_at: Option<String>,
    terms: TermsOut<'a>,
    money: MoneyOut,
    attempts: Vec<AttemptOut<'a>>,
    refunds: Vec<RefundOut<'a>>,
    contradictions: u16,
    steps: Vec<StepOut>,
    entries: Vec<EntryOut>,
}

#[derive(Debug, Serialize)]
struct TermsOut<'a> {
    payer: &'a str,
    amount: String,
    currency: &'static str,
    kind: &'static str,
    bank: Option<String>,
    card_type: Option<&'static str>,
    description: &'a str,
    expires_at: String,
    escrow: bool,
    coupon: Option<CouponOut>,
    sub_orders: Vec<SubOrderOut>,
    splits: Vec<SplitOut>,
    callback: &'a str,
    metadata: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<AttributesOut<'a>>,
}

#[derive(Debug, Serialize)]
struct CouponOut {
    campaign: String,
    subsidy: String,
}

#[derive(Debug, Serialize)]
struct SubOrderOut {
    merchant_account: String,
    amount: String,
    released: String,
    refunded: String,
}

#[derive(Debug, Serialize)]
struct SplitOut {
    account: String,
    account_kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    percent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fixed: Option<String>,
}

/// The order's money by part; `refunding` is on its way back.
#[derive(Debug, Serialize)]
struct MoneyOut {
    payable: String,
    subsidy: String,
    frozen: String,
    released: String,
    refunded: String,
    refunding: String,
    refunded_to_payer: String,
    fee: String,
    fee_taken_from_merchants: String,
}

#[derive(Debug, Serialize)]
struct AttemptOut<'a> {
    no: u8,
    payment_no: String,
    channel: String,
    channel_no: &'a str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<ActionOut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    fee: String,
    rule: &'static str,
    rules_version: u32,
    because: Vec<String>,
    started_at: String,
    queries: u16,
}

#[derive(Debug, Serialize)]
struct RefundOut<'a> {
    no: u8,
    refund_no: &'a str,
    attempt: u8,
    state: &'static str,
    amount: String,
    to_payer: String,
}

#[derive(Debug, Serialize)]
struct StepOut {
    at: String,
    kind: &'static str,
    status: &'static str,
}

#[derive(Debug, Serialize)]
struct EntryOut {
    code: &'static str,
    currency: &'static str,
    postings: Vec<PostingOut>,
}

#[derive(Debug, Serialize)]
struct PostingOut {
    account: String,
    account_kind: &'static str,
    side: &'static str,
    amount: String,
}

impl<'a> LifeOut<'a> {
    /// The life of `order`, its channels named as `router` names them.
    #[must_use]
    pub fn new(order: &'a Order, router: &Router) -> Self {
        let frozen = !order.frozen.is_zero();
        Self {
            order: order.id.to_string(),
            platform: order.terms.platform.to_string(),
            order_no: &order.terms.order_no,
            status: order.status.name(),
            failure: order.failure.map(|failure| failure.name()),
            closed: order.closed.map(|reason| reason.name()),
            created_at: time_text(order.created_at()),
            release_at: frozen.then(|| time_text(order.release_at)),
            terms: TermsOut::new(order),
            money: MoneyOut::new(order),
            attempts: order.attempts.iter().map(|attempt| AttemptOut::new(order, attempt, router)).collect(),
            refunds: order.refunds.iter().map(|one| RefundOut::new(one, order.terms.currency)).collect(),
            contradictions: order.contradictions,
            steps: order.steps.iter().map(StepOut::new).collect(),
            entries: order.entries.iter().map(EntryOut::new).collect(),
        }
    }
}

fn sum(amounts: impl Iterator<Item = Amount>, currency: Currency) -> String {
    suanpan_model::money::signed_text(amounts.map(Amount::signed).sum(), currency)
}

impl<'a> TermsOut<'a> {
    fn new(order: &'a Order) -> Self {
        let terms: &OrderTerms = &order.terms;
        let text = |amount: Amount| amount.to_text(terms.currency);
        let part = |amounts: &[Amount], place: usize| text(amounts.get(place).copied().unwrap_or_default());
        let sub_orders = terms.sub_orders.iter().enumerate().map(|(place, sub_order)| SubOrderOut {
            merchant_account: sub_order.merchant.raw().to_string(),
            amount: text(sub_order.amount),
            released: part(&order.released, place),
            refunded: part(&order.refunded, place),
        });
        let splits = terms.splits.iter().map(|rule| {
            let (percent, fixed) = match rule.share {
                Share::Bps(points) => (Some(format!("{}.{:02}", points / 100, points % 100)), None),
                Share::Fixed(amount) => (None, Some(text(amount))),
            };
            let account = rule.receiver.raw().to_string();
            SplitOut { account, account_kind: rule.receiver.kind().name(), percent, fixed }
        });
        Self {
            payer: &terms.payer,
            amount: text(terms.amount),
            currency: terms.currency.code(),
            kind: terms.kind.name(),
            bank: terms.bank.map(|bank| bank.code().to_string()),
            card_type: terms.card_type.map(|card_type| card_type.name()),
            description: &terms.description,
            expires_at: time_text(terms.expires_at),
            escrow: terms.escrow,
            coupon: terms.coupon.map(|coupon| CouponOut {
                campaign: coupon.campaign.to_string(),
                subsidy: text(coupon.subsidy),
            }),
            sub_orders: sub_orders.collect(),
            splits: splits.collect(),
            callback: &terms.callback,
            metadata: terms.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect(),
            attributes: terms.attributes.as_deref().map(AttributesOut::new),
        }
    }
}

impl MoneyOut {
    fn new(order: &Order) -> Self {
        let currency = order.terms.currency;
        let text = |amount: Amount| amount.to_text(currency);
        let refunds = |alive: bool| {
            let done = move |refund: &&Refund| {
                if alive { refund.state.is_alive() } else { refund.state == RefundState::Succeeded }
            };
            order.refunds.iter().filter(done)
        };
        let paid_by = order.paid_by.and_then(|no| order.attempt(no));
        Self {
            payable: text(order.terms.payable()),
            subsidy: text(order.terms.subsidy()),
            frozen: text(order.frozen),
            released: sum(order.released.iter().copied(), currency),
            refunded: sum(refunds(false).map(|refund| refund.amount), currency),
            refunding: sum(refunds(true).map(|refund| refund.amount), currency),
            refunded_to_payer: sum(refunds(false).map(|refund| refund.to_payer), currency),
            fee: text(paid_by.map_or(Amount::ZERO, |attempt| attempt.fee)),
            fee_taken_from_merchants: text(order.fee_taken),
        }
    }
}

impl<'a> AttemptOut<'a> {
    fn new(order: &Order, attempt: &'a Attempt, router: &Router) -> Self {
        let currency = order.terms.currency;
        let (action, reason) = match &attempt.state {
            AttemptState::Waiting { action } => (action.as_ref().map(ActionOut::new), None),
            AttemptState::InDoubt(why) => (None, Some(why.name().to_owned())),
            AttemptState::Failed { kind, code } => (None, Some(format!("{}: {code}", kind.name()))),
            AttemptState::NotSent(why) => (None, Some(why.name().to_owned())),
            AttemptState::Calling | AttemptState::Succeeded | AttemptState::Closed => (None, None),
        };
        Self {
            no: attempt.no.0,
            payment_no: order.id.payment_no(attempt.no),
            channel: channel_name(router, attempt.channel()),
            channel_no: &attempt.channel_no,
            state: attempt.state.name(),
            action,
            reason,
            fee: attempt.fee.to_text(currency),
            rule: attempt.route.rule.name(),
            rules_version: attempt.route.rules_version,
            because: explain(router, &attempt.route, currency),
            started_at: time_text(attempt.started_at),
            queries: attempt.queries,
        }
    }
}

/// The channel's name; its number when the configuration no longer has it.
pub(super) fn channel_name(router: &Router, channel: ChannelId) -> String {
    router.capability(channel).map_or_else(|| channel.to_string(), |known| known.name.to_string())
}

impl<'a> RefundOut<'a> {
    fn new(refund: &'a Refund, currency: Currency) -> Self {
        Self {
            no: refund.no,
            refund_no: &refund.refund_no,
            attempt: refund.attempt.0,
            state: refund.state.name(),
            amount: refund.amount.to_text(currency),
            to_payer: refund.to_payer.to_text(currency),
        }
    }
}

impl StepOut {
    fn new(step: &Step) -> Self {
        Self { at: time_text(step.at), kind: step.kind.name(), status: step.status.name() }
    }
}

impl EntryOut {
    fn new(entry: &Entry) -> Self {
        let postings = entry.postings.iter().map(|posting| PostingOut {
            account: posting.account.raw().to_string(),
            account_kind: posting.account.kind().name(),
            side: posting.side.name(),
            amount: posting.amount.to_text(entry.currency),
        });
        Self { code: entry.code.name(), currency: entry.currency.code(), postings: postings.collect() }
    }
}
