//! What is checked before an order is recorded, in the precedence of [`RejectCode`].

use suanpan_model::order::Share;
use suanpan_model::time::DurationMs;
use suanpan_model::{
    AccountId, AccountType, Amount, Campaign, CouponUse, OrderTerms, PayKind, PlatformPolicy, Reject,
    RejectCode, TimestampMs,
};

use super::Directory;
use crate::routing::Router;

/// How far ahead an order may expire.
const EXPIRY_MAX: DurationMs = DurationMs::from_days(90);

/// The reject that is told: of all that apply the first in precedence, and of equals the first found.
#[derive(Default)]
struct Verdict(Option<Reject>);

impl Verdict {
    fn reject(&mut self, code: RejectCode, field: &'static str, expected: impl Into<String>) {
        if self.0.as_ref().is_none_or(|known| code < known.code) {
            self.0 = Some(Reject::new(code, field, expected));
        }
    }
}

/// Checks what a mall asks for against everything but balances; changes nothing.
///
/// # Errors
/// When several apply, the first in the order of [`RejectCode`]: missing fields, unknown account, bank, campaign,
/// amounts, currencies, expiry, account types, splits, coupon.
pub fn check(
    terms: &OrderTerms,
    now: TimestampMs,
    policy: &PlatformPolicy,
    router: &Router,
    directory: &dyn Directory,
) -> Result<(), Reject> {
    let mut verdict = Verdict::default();
    check_fields(&mut verdict, terms);
    if terms.bank.is_some_and(|bank| !router.knows_bank(bank)) {
        verdict.reject(RejectCode::UnknownBank, "bank", "the code of a bank that some channel reaches");
    }
    check_amounts(&mut verdict, terms);
    if terms.expires_at <= now || terms.expires_at > now + EXPIRY_MAX {
        let expected = "a time in the future, at most 90 days ahead";
        verdict.reject(RejectCode::InvalidExpiry, "expires_at", expected);
    }
    check_accounts(&mut verdict, terms, directory);
    check_splits(&mut verdict, terms, policy);
    if let Some(coupon) = terms.coupon {
        match directory.campaign(coupon.campaign).filter(|campaign| campaign.platform == terms.platform) {
            Some(campaign) => check_coupon(&mut verdict, terms, coupon, &campaign, now),
            None => verdict.reject(RejectCode::UnknownCampaign, "coupon", "a campaign of this platform"),
        }
    }
    verdict.0.map_or(Ok(()), Err)
}

fn check_fields(verdict: &mut Verdict, terms: &OrderTerms) {
    let mut missing = |field, expected| verdict.reject(RejectCode::MissingField, field, expected);
    if terms.order_no.is_empty() {
        missing("order_no", "the platform's own number for the order");
    }
    if terms.sub_orders.is_empty() {
        missing("sub_orders", "at least one merchant and amount");
    }
    if terms.kind == PayKind::Balance && terms.payer_account.is_none() {
        missing("payer", "a payer with an e-account on this platform, for kind balance");
    }
    if terms.kind == PayKind::QuickPay && terms.agreement_no.is_empty() {
        missing("agreement_no", "the number under which the card was bound, for kind quick_pay");
    }
}

fn check_amounts(verdict: &mut Verdict, terms: &OrderTerms) {
    if terms.amount.is_zero() {
        verdict.reject(RejectCode::AmountZero, "amount", "an amount above zero");
    }
    if terms.sub_orders.iter().any(|sub_order| sub_order.amount.is_zero()) {
        verdict.reject(RejectCode::AmountZero, "sub_orders.amount", "an amount above zero");
    }
    if terms.amount > Amount::MAX {
        verdict.reject(RejectCode::AmountTooLarge, "amount", "an amount within the limit");
    }
    let sum: u128 = terms.sub_orders.iter().map(|sub_order| u128::from(sub_order.amount.minor())).sum();
    if sum != u128::from(terms.amount.minor()) {
        let expected = "sub-orders whose amounts add up to the order's amount";
        verdict.reject(RejectCode::AmountMismatch, "sub_orders", expected);
    }
}

fn check_accounts(verdict: &mut Verdict, terms: &OrderTerms, directory: &dyn Directory) {
    let mut check =
        |account, field, allowed| check_account(verdict, terms, account, field, directory, allowed);
    for sub_order in &terms.sub_orders {
        check(sub_order.merchant, "sub_orders.merchant", AccountType::may_receive_release);
    }
    for rule in &terms.splits {
        check(rule.receiver, "splits.receiver", AccountType::may_receive_release);
    }
    if let (PayKind::Balance, Some(payer)) = (terms.kind, terms.payer_account) {
        check(payer, "payer", AccountType::may_pay_orders);
    }
}

fn check_account(
    verdict: &mut Verdict,
    terms: &OrderTerms,
    account: AccountId,
    field: &'static str,
    directory: &dyn Directory,
    allowed: fn(AccountType) -> bool,
) {
    let known = match account.internal_currency() {
        Some(currency) => Some((account.owner(), currency)),
        None => directory.account(account).map(|facts| (facts.platform.0, facts.currency)),
    };
    let Some((_, currency)) = known.filter(|(platform, _)| *platform == terms.platform.0) else {
        let expected = "an account that was opened on this platform";
        return verdict.reject(RejectCode::UnknownAccount, field, expected);
    };
    if currency != terms.currency {
        let expected = format!("an account in {}", terms.currency);
        verdict.reject(RejectCode::CurrencyMismatch, field, expected);
    }
    let kind = account.kind();
    if !allowed(kind) {
        let expected = format!("an account of another type than {}", kind.name());
        verdict.reject(RejectCode::AccountTypeNotAllowed, field, expected);
    }
}

fn check_splits(verdict: &mut Verdict, terms: &OrderTerms, policy: &PlatformPolicy) {
    if terms.splits.len() > policy.split_receivers_max {
        let expected = format!("at most {} receivers", policy.split_receivers_max);
        verdict.reject(RejectCode::SplitTooMany, "splits", expected);
    }
    // In ten-thousandths of a minor unit, so that basis points stay exact.
    let whole = u128::from(terms.amount.minor()) * 10_000;
    let mut bps_sum: u64 = 0;
    let mut taken: u128 = 0;
    for rule in &terms.splits {
        match rule.share {
            Share::Bps(bps) => {
                bps_sum += u64::from(bps);
                taken += u128::from(terms.amount.minor()) * u128::from(bps);
            }
            Share::Fixed(amount) => taken += u128::from(amount.minor()) * 10_000,
        }
    }
    if bps_sum > 10_000 || taken > whole {
        let expected = "receivers that together take no more than the order's amount";
        verdict.reject(RejectCode::SplitOverWhole, "splits", expected);
    }
    if taken > u128::from(terms.amount.minor()) * u128::from(policy.split_cap_bps) {
        let expected = format!("receivers that together take at most {} basis points", policy.split_cap_bps);
        verdict.reject(RejectCode::SplitOverCap, "splits", expected);
    }
}

fn check_coupon(
    verdict: &mut Verdict,
    terms: &OrderTerms,
    coupon: CouponUse,
    campaign: &Campaign,
    now: TimestampMs,
) {
    if campaign.currency != terms.currency {
        let expected = format!("a campaign in {}", terms.currency);
        return verdict.reject(RejectCode::CurrencyMismatch, "coupon", expected);
    }
    if coupon.subsidy != campaign.face {
        verdict.reject(RejectCode::AmountMismatch, "coupon", "the face value of the campaign");
    }
    if now < campaign.valid_from || now >= campaign.valid_until {
        verdict.reject(RejectCode::CouponExpired, "coupon", "a coupon that is valid now");
    }
    if terms.amount < campaign.minimum_spend {
        let expected = format!("an order of at least {}", campaign.minimum_spend.to_text(terms.currency));
        verdict.reject(RejectCode::CouponMinimumSpend, "coupon", expected);
    }
    if coupon.subsidy >= terms.amount {
        let expected = "an order that is worth more than the coupon";
        verdict.reject(RejectCode::CouponOverPrice, "coupon", expected);
    }
}
