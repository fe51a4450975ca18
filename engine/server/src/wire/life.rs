//! An order's whole life as the API tells it.

use std::collections::BTreeMap;

use serde::Serialize;
use suanpan_core::routing::{Router, explain};
use suanpan_model::order::{Attempt, AttemptState, Release, Step};
use suanpan_model::policy::Agreement;
use suanpan_model::{
    AccountId, Amount, ChannelId, CouponUse, Currency, Entry, Order, OrderTerms, Share, SplitRule,
};

use super::ActionOut;
use super::attributes::AttributesOut;
use super::money::{AccountOut, MoneyOut, SumOut};
use super::refund::RefundOut;
use crate::text::{percent_text, time_text};

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
    agreement: Agreement,
    money: MoneyOut,
    attempts: Vec<AttemptOut<'a>>,
    releases: Vec<ReleaseOut<'a>>,
    refunds: Vec<RefundOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dispute: Option<DisputeOut>,
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
    virtual_goods: bool,
    coupons: Vec<CouponOut>,
    sub_orders: Vec<SubOrderOut>,
    splits: Vec<SplitOut>,
    callback: &'a str,
    metadata: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<AttributesOut<'a>>,
}

/// A coupon, in the order in which they are applied.
#[derive(Debug, Serialize)]
struct CouponOut {
    campaign: u32,
    subsidy: String,
    /// Of each sub-order.
    shares: Vec<String>,
    funders: Vec<SumOut>,
}

#[derive(Debug, Serialize)]
struct SubOrderOut {
    merchant_account: String,
    amount: String,
}

#[derive(Debug, Serialize)]
struct SplitOut {
    #[serde(flatten)]
    receiver: AccountOut,
    #[serde(skip_serializing_if = "Option::is_none")]
    percent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fixed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tiers: Option<Vec<TierOut>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    remainder: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    within: Option<u8>,
}

#[derive(Debug, Serialize)]
struct TierOut {
    from: String,
    percent: String,
}

/// A release; without a number, the one of all that was left.
#[derive(Debug, Serialize)]
struct ReleaseOut<'a> {
    release_no: &'a str,
    amount: String,
}

/// A dispute that is open.
#[derive(Debug, Serialize)]
struct DisputeOut {
    before: &'static str,
    /// What is held of the money that receivers already got.
    held: Vec<SumOut>,
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
    /// Whether its payment is parked and waits for an operator.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    parked: bool,
    fee: String,
    rule: &'static str,
    rules_version: u32,
    because: Vec<String>,
    started_at: String,
    queries: u16,
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
    #[serde(flatten)]
    account: AccountOut,
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
            terms: TermsOut::new(&order.terms),
            agreement: order.agreement,
            money: MoneyOut::new(order),
            attempts: order.attempts.iter().map(|attempt| AttemptOut::new(order, attempt, router)).collect(),
            releases: order.releases.iter().map(|one| ReleaseOut::new(one, order.terms.currency)).collect(),
            refunds: order.refunds.iter().map(|one| RefundOut::new(order, one)).collect(),
            dispute: DisputeOut::new(order),
            contradictions: order.contradictions,
            steps: order.steps.iter().map(StepOut::new).collect(),
            entries: order.entries.iter().map(EntryOut::new).collect(),
        }
    }
}

impl<'a> TermsOut<'a> {
    fn new(terms: &'a OrderTerms) -> Self {
        let text = |amount: Amount| amount.to_text(terms.currency);
        let sub_orders = terms.sub_orders.iter().map(|sub_order| SubOrderOut {
            merchant_account: sub_order.merchant.raw().to_string(),
            amount: text(sub_order.amount),
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
            virtual_goods: terms.virtual_goods,
            coupons: terms.coupons.iter().map(|coupon| CouponOut::new(coupon, terms.currency)).collect(),
            sub_orders: sub_orders.collect(),
            splits: terms.splits.iter().map(|rule| SplitOut::new(rule, terms.currency)).collect(),
            callback: &terms.callback,
            metadata: terms.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect(),
            attributes: terms.attributes.as_deref().map(AttributesOut::new),
        }
    }
}

impl CouponOut {
    fn new(coupon: &CouponUse, currency: Currency) -> Self {
        let funder = |(account, amount): &(AccountId, Amount)| SumOut::new(*account, *amount, currency);
        Self {
            campaign: coupon.campaign.0,
            subsidy: coupon.subsidy.to_text(currency),
            shares: coupon.shares.iter().map(|share| share.to_text(currency)).collect(),
            funders: coupon.funders.iter().map(funder).collect(),
        }
    }
}

impl SplitOut {
    fn new(rule: &SplitRule, currency: Currency) -> Self {
        let receiver = AccountOut::new(rule.receiver);
        let mut split =
            Self { receiver, percent: None, fixed: None, tiers: None, remainder: false, within: rule.within };
        match &rule.share {
            Share::Bps(bps) => split.percent = Some(percent_text(*bps)),
            Share::Fixed(amount) => split.fixed = Some(amount.to_text(currency)),
            Share::Tiered(tiers) => {
                let tier = |tier: &suanpan_model::Tier| TierOut {
                    from: tier.from.to_text(currency),
                    percent: percent_text(tier.bps),
                };
                split.tiers = Some(tiers.iter().map(tier).collect());
            }
            Share::Remainder => split.remainder = true,
        }
        split
    }
}

impl<'a> ReleaseOut<'a> {
    fn new(release: &'a Release, currency: Currency) -> Self {
        Self { release_no: &release.release_no, amount: release.amount.to_text(currency) }
    }
}

impl DisputeOut {
    fn new(order: &Order) -> Option<Self> {
        let dispute = order.dispute.as_ref()?;
        let held = |hold: &suanpan_model::order::OrderHold| {
            SumOut::new(hold.account, hold.amount, order.terms.currency)
        };
        Some(Self { before: dispute.before.name(), held: dispute.holds.iter().map(held).collect() })
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
            parked: order.parked().any(|parked| parked.no == attempt.no),
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

impl StepOut {
    fn new(step: &Step) -> Self {
        Self { at: time_text(step.at), kind: step.kind.name(), status: step.status.name() }
    }
}

impl EntryOut {
    fn new(entry: &Entry) -> Self {
        let postings = entry.postings.iter().map(|posting| PostingOut {
            account: AccountOut::new(posting.account),
            side: posting.side.name(),
            amount: posting.amount.to_text(entry.currency),
        });
        Self { code: entry.code.name(), currency: entry.currency.code(), postings: postings.collect() }
    }
}
