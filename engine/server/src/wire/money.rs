//! An order's money by part: what is where, who paid it and who got it.

use schemars::JsonSchema;
use serde::Serialize;
use suanpan_model::money::signed_text;
use suanpan_model::refund::{Refund, RefundState};
use suanpan_model::{AccountId, AccountType, Amount, Entry, EntryCode, Order, Posting, Side};

use super::schema;

/// An account: its number, which `GET /v1/accounts/{account}` tells more about, and its type.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AccountNamed")]
pub struct AccountOut {
    #[schemars(with = "schema::Number")]
    account: String,
    #[schemars(with = "schema::AccountKind")]
    account_kind: &'static str,
}

impl AccountOut {
    /// Number and type.
    #[must_use]
    pub fn new(account: AccountId) -> Self {
        Self { account: account.raw().to_string(), account_kind: account.kind().name() }
    }
}

/// A sum on an account.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Sum")]
pub struct SumOut {
    #[serde(flatten)]
    account: AccountOut,
    #[schemars(with = "schema::AmountText")]
    amount: String,
}

impl SumOut {
    /// So much there.
    #[must_use]
    pub fn new(account: AccountId, amount: Amount, currency: suanpan_model::Currency) -> Self {
        Self { account: AccountOut::new(account), amount: amount.to_text(currency) }
    }
}

/// The order's money by part; `refunding` is on its way back, or waits for an operator.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Money")]
pub struct MoneyOut {
    #[schemars(with = "schema::SignedAmount")]
    payable: String,
    #[schemars(with = "schema::SignedAmount")]
    subsidy: String,
    #[schemars(with = "schema::SignedAmount")]
    frozen: String,
    #[schemars(with = "schema::SignedAmount")]
    released: String,
    #[schemars(with = "schema::SignedAmount")]
    refunded: String,
    #[schemars(with = "schema::SignedAmount")]
    refunding: String,
    #[schemars(with = "schema::SignedAmount")]
    refunded_to_payer: String,
    #[schemars(with = "schema::SignedAmount")]
    fee: String,
    #[schemars(with = "schema::SignedAmount")]
    fee_taken_from_merchants: String,
    payer: PayerOut,
    funders: Vec<FunderOut>,
    sub_orders: Vec<PartOut>,
    receivers: Vec<ReceiverOut>,
}

/// What left the payer and what came back, as the entries have it; with payments that were parked.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PayerMoney")]
struct PayerOut {
    #[schemars(with = "schema::SignedAmount")]
    paid: String,
    #[schemars(with = "schema::SignedAmount")]
    given_back: String,
}

/// Who paid a part of a coupon.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "FunderMoney")]
struct FunderOut {
    campaign: u32,
    #[serde(flatten)]
    account: AccountOut,
    #[schemars(with = "schema::AmountText")]
    paid: String,
    #[schemars(with = "schema::AmountText")]
    given_back: String,
}

/// A sub-order; what is refunded counts what is on its way.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SubOrderMoney")]
struct PartOut {
    #[schemars(with = "schema::Number")]
    merchant_account: String,
    #[schemars(with = "schema::AmountText")]
    price: String,
    #[schemars(with = "schema::AmountText")]
    frozen: String,
    #[schemars(with = "schema::AmountText")]
    released: String,
    #[schemars(with = "schema::AmountText")]
    refunded: String,
}

/// Who was given a part of a sub-order; what is taken back counts what is on its way.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ReceiverMoney")]
struct ReceiverOut {
    sub_order: usize,
    #[schemars(extend("enum" = ["split", "fee", "merchant", "payee"]))]
    role: &'static str,
    #[serde(flatten)]
    account: AccountOut,
    #[schemars(with = "schema::AmountText")]
    given: String,
    #[schemars(with = "schema::AmountText")]
    taken_back: String,
}

impl MoneyOut {
    /// The money of `order`.
    #[must_use]
    pub fn new(order: &Order) -> Self {
        let text = |amount: Amount| amount.to_text(order.terms.currency);
        let sum = |amounts: &mut dyn Iterator<Item = Amount>| {
            signed_text(amounts.map(Amount::signed).sum(), order.terms.currency)
        };
        let of_order = || order.refunds.iter().filter(|refund| refund.unwinding.is_some());
        let done = || of_order().filter(|refund| is_unwound(refund));
        let open = || of_order().filter(|refund| refund.state.is_open());
        let paid_by = order.paid_by.and_then(|no| order.attempt(no));
        let stakes = order.parts.iter().flat_map(|part| &part.stakes);
        let fees = stakes.filter(|stake| stake.account.kind() == AccountType::FeeIncome);
        Self {
            payable: text(order.terms.payable()),
            subsidy: text(order.terms.subsidy()),
            frozen: text(order.frozen),
            released: text(order.released()),
            refunded: sum(&mut done().map(|refund| refund.amount)),
            refunding: sum(&mut open().map(|refund| refund.amount)),
            refunded_to_payer: sum(&mut done().map(|refund| refund.to_payer)),
            fee: text(paid_by.map_or(Amount::ZERO, |attempt| attempt.fee)),
            fee_taken_from_merchants: sum(&mut fees.map(|stake| stake.given)),
            payer: PayerOut::new(order),
            funders: funders(order),
            sub_orders: sub_orders(order),
            receivers: receivers(order),
        }
    }
}

/// Whether the order was undone by it; what became of the payer's part since is another matter.
const fn is_unwound(refund: &Refund) -> bool {
    matches!(refund.state, RefundState::Succeeded | RefundState::Bounced | RefundState::Finished)
}

impl PayerOut {
    fn new(order: &Order) -> Self {
        let (mut paid, mut given_back) = (0, 0);
        for entry in &order.entries {
            let moved = outside(entry);
            match entry.code {
                EntryCode::Payment | EntryCode::BalancePayment | EntryCode::LatePayment => paid += moved,
                EntryCode::Refund
                | EntryCode::LateRefund
                | EntryCode::RefundBounced
                | EntryCode::BouncedRefund => given_back -= moved,
                EntryCode::ChannelFee
                | EntryCode::Release
                | EntryCode::TopUp
                | EntryCode::Transfer
                | EntryCode::Reopening
                | EntryCode::Recovery
                | EntryCode::CouponGranted
                | EntryCode::CouponUsed
                | EntryCode::CouponReturned => {}
            }
        }
        let text = |minor| signed_text(minor, order.terms.currency);
        Self { paid: text(paid), given_back: text(given_back) }
    }
}

/// Debits less credits of an entry where payers' money comes from and goes to: channels and e-accounts. Receivers of a
/// refunded order may have e-accounts too; those are debited and say nothing about the payer.
fn outside(entry: &Entry) -> i128 {
    let is_payers = |posting: &&Posting| {
        let may_be = matches!(posting.account.kind(), AccountType::ChannelClearing | AccountType::Cash);
        may_be && (entry.code != EntryCode::Refund || posting.side == Side::Credit)
    };
    let signed = |posting: &Posting| match posting.side {
        Side::Debit => posting.amount.signed(),
        Side::Credit => -posting.amount.signed(),
    };
    entry.postings.iter().filter(is_payers).map(signed).sum()
}

/// One line for each funder of each coupon. Column 0 of an unwinding's rows is the payer's, the funders' follow.
fn funders(order: &Order) -> Vec<FunderOut> {
    let terms = &order.terms;
    let text = |amount: Amount| amount.to_text(terms.currency);
    let columns = 1 + terms.coupons.iter().map(|coupon| coupon.funders.len()).sum::<usize>();
    let unwound = || {
        let done = order.refunds.iter().filter(|refund| is_unwound(refund));
        done.filter_map(|refund| refund.unwinding.as_ref())
    };
    let all = terms.coupons.iter().flat_map(|coupon| {
        coupon.funders.iter().map(move |(account, part)| (coupon.campaign, *account, *part))
    });
    let line =
        |(place, (campaign, account, part)): (usize, (suanpan_model::CampaignId, AccountId, Amount))| {
            let back = unwound().flat_map(|one| one.undone.iter().skip(place + 1).step_by(columns));
            FunderOut {
                campaign: campaign.0,
                account: AccountOut::new(account),
                paid: text(if order.paid_by.is_some() { part } else { Amount::ZERO }),
                given_back: text(back.fold(Amount::ZERO, |sum, amount| sum.plus(*amount))),
            }
        };
    all.enumerate().map(line).collect()
}

fn sub_orders(order: &Order) -> Vec<PartOut> {
    let text = |amount: Amount| amount.to_text(order.terms.currency);
    let part = |(place, sub_order): (usize, &suanpan_model::SubOrder)| PartOut {
        merchant_account: sub_order.merchant.raw().to_string(),
        price: text(sub_order.amount),
        frozen: text(order.frozen_of(place)),
        released: text(order.part(place).map_or(Amount::ZERO, |part| part.released)),
        refunded: text(order.part(place).map_or(Amount::ZERO, suanpan_model::order::Part::refunded)),
    };
    order.terms.sub_orders.iter().enumerate().map(part).collect()
}

/// Those who were given something.
fn receivers(order: &Order) -> Vec<ReceiverOut> {
    let text = |amount: Amount| amount.to_text(order.terms.currency);
    let splits = order.terms.splits.len();
    let role = |column: usize, account: AccountId| match column.checked_sub(splits) {
        None => "split",
        _ if account.kind() == AccountType::FeeIncome => "fee",
        Some(1) => "merchant",
        Some(_) => "payee",
    };
    let of_part = |(sub_order, part): (usize, &suanpan_model::order::Part)| -> Vec<ReceiverOut> {
        let given = part.stakes.iter().enumerate().filter(|(_, stake)| !stake.given.is_zero());
        let line = given.map(|(column, stake)| ReceiverOut {
            sub_order,
            role: role(column, stake.account),
            account: AccountOut::new(stake.account),
            given: text(stake.given),
            taken_back: text(stake.taken),
        });
        line.collect()
    };
    order.parts.iter().enumerate().flat_map(of_part).collect()
}
