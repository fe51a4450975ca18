//! An order's whole life as the API tells it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use suanpan_core::routing::{Router, explain};
use suanpan_model::order::{Attempt, AttemptState, Release, Step};
use suanpan_model::policy::Agreement;
use suanpan_model::{
    AccountId, Amount, ChannelId, CouponUse, Currency, Entry, Order, OrderTerms, Share, SplitRule,
};

use super::attributes::AttributesOut;
use super::money::{AccountOut, MoneyOut, SumOut};
use super::refund::RefundOut;
use super::{ActionOut, schema};
use crate::text::{percent_text, time_text};

/// The whole life.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Order")]
pub struct LifeOut<'a> {
    #[schemars(with = "schema::Number")]
    order: String,
    #[schemars(with = "schema::Number")]
    platform: String,
    order_no: &'a str,
    #[schemars(with = "schema::OrderStatusName")]
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed: Option<&'static str>,
    #[schemars(with = "schema::ToldInstant")]
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::ToldInstant>")]
    release_at: Option<String>,
    terms: TermsOut<'a>,
    #[schemars(with = "schema::AgreementTerms")]
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

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OrderTerms")]
struct TermsOut<'a> {
    payer: &'a str,
    #[schemars(with = "schema::AmountText")]
    amount: String,
    #[schemars(with = "schema::CurrencyCode")]
    currency: &'static str,
    #[schemars(with = "schema::PayKindName")]
    kind: &'static str,
    #[schemars(with = "Option<schema::BankCode>")]
    bank: Option<String>,
    #[schemars(with = "Option<schema::CardTypeName>")]
    card_type: Option<&'static str>,
    description: &'a str,
    #[schemars(with = "schema::ToldInstant")]
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
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "UsedCoupon")]
struct CouponOut {
    campaign: u32,
    #[schemars(with = "schema::AmountText")]
    subsidy: String,
    /// Of each sub-order.
    #[schemars(with = "Vec<schema::AmountText>")]
    shares: Vec<String>,
    funders: Vec<SumOut>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RecordedSubOrder")]
struct SubOrderOut {
    #[schemars(with = "schema::Number")]
    merchant_account: String,
    #[schemars(with = "schema::AmountText")]
    amount: String,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RecordedSplit")]
struct SplitOut {
    #[serde(flatten)]
    receiver: AccountOut,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::Percent>")]
    percent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::AmountText>")]
    fixed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tiers: Option<Vec<TierOut>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    remainder: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    within: Option<u8>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RecordedTier")]
struct TierOut {
    #[schemars(with = "schema::AmountText")]
    from: String,
    #[schemars(with = "schema::Percent")]
    percent: String,
}

/// A release; without a number, the one of all that was left.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Release")]
pub(super) struct ReleaseOut<'a> {
    release_no: &'a str,
    #[schemars(with = "schema::AmountText")]
    amount: String,
}

/// A dispute that is open.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Dispute")]
pub(super) struct DisputeOut {
    #[schemars(with = "schema::OrderStatusName")]
    before: &'static str,
    /// What is held of the money that receivers already got.
    held: Vec<SumOut>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Attempt")]
struct AttemptOut<'a> {
    no: u8,
    #[schemars(with = "schema::PaymentNo")]
    payment_no: String,
    channel: String,
    channel_no: &'a str,
    #[schemars(with = "schema::AttemptStateName")]
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<ActionOut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Whether its payment is parked and waits for an operator.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    parked: bool,
    #[schemars(with = "schema::AmountText")]
    fee: String,
    rule: &'static str,
    rules_version: u32,
    because: Vec<String>,
    #[schemars(with = "schema::ToldInstant")]
    started_at: String,
    queries: u16,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Step")]
struct StepOut {
    #[schemars(with = "schema::ToldInstant")]
    at: String,
    #[schemars(with = "schema::EventName")]
    kind: &'static str,
    #[schemars(with = "schema::OrderStatusName")]
    status: &'static str,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Entry")]
struct EntryOut {
    #[schemars(with = "schema::EntryCodeName")]
    code: &'static str,
    #[schemars(with = "schema::Unit")]
    currency: &'static str,
    postings: Vec<PostingOut>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Posting")]
struct PostingOut {
    #[serde(flatten)]
    account: AccountOut,
    #[schemars(with = "schema::SideName")]
    side: &'static str,
    #[schemars(with = "schema::AmountText")]
    amount: String,
}

/// The attempts of an order, oldest first.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Attempts")]
pub struct AttemptsOut<'a> {
    #[schemars(with = "schema::Number")]
    order: String,
    #[schemars(with = "schema::CurrencyCode")]
    currency: &'static str,
    attempts: Vec<AttemptOut<'a>>,
}

impl<'a> AttemptsOut<'a> {
    /// Of `order`.
    #[must_use]
    pub fn new(order: &'a Order, router: &Router) -> Self {
        Self {
            order: order.id.to_string(),
            currency: order.terms.currency.code(),
            attempts: order.attempts.iter().map(|one| AttemptOut::new(order, one, router)).collect(),
        }
    }
}

/// The releases of an order, oldest first.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Releases")]
pub struct ReleasesOut<'a> {
    #[schemars(with = "schema::Number")]
    order: String,
    #[schemars(with = "schema::CurrencyCode")]
    currency: &'static str,
    releases: Vec<ReleaseOut<'a>>,
}

impl<'a> ReleasesOut<'a> {
    /// Of `order`.
    #[must_use]
    pub fn new(order: &'a Order) -> Self {
        let currency = order.terms.currency;
        Self {
            order: order.id.to_string(),
            currency: currency.code(),
            releases: order.releases.iter().map(|one| ReleaseOut::new(one, currency)).collect(),
        }
    }
}

/// The refunds of an order, oldest first.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Refunds")]
pub struct RefundsOut<'a> {
    #[schemars(with = "schema::Number")]
    order: String,
    #[schemars(with = "schema::CurrencyCode")]
    currency: &'static str,
    refunds: Vec<RefundOut<'a>>,
}

impl<'a> RefundsOut<'a> {
    /// Of `order`.
    #[must_use]
    pub fn new(order: &'a Order) -> Self {
        Self {
            order: order.id.to_string(),
            currency: order.terms.currency.code(),
            refunds: order.refunds.iter().map(|one| RefundOut::new(order, one)).collect(),
        }
    }
}

/// The dispute of an order.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OpenDispute")]
pub struct DisputesOut {
    #[schemars(with = "schema::Number")]
    order: String,
    #[schemars(with = "schema::OrderStatusName")]
    status: &'static str,
    #[schemars(with = "schema::CurrencyCode")]
    currency: &'static str,
    /// The one that is open; null when there is none.
    dispute: Option<DisputeOut>,
}

impl DisputesOut {
    /// Of `order`.
    #[must_use]
    pub fn new(order: &Order) -> Self {
        Self {
            order: order.id.to_string(),
            status: order.status.name(),
            currency: order.terms.currency.code(),
            dispute: DisputeOut::new(order),
        }
    }
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
    pub(super) fn new(release: &'a Release, currency: Currency) -> Self {
        Self { release_no: &release.release_no, amount: release.amount.to_text(currency) }
    }
}

impl DisputeOut {
    pub(super) fn new(order: &Order) -> Option<Self> {
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
