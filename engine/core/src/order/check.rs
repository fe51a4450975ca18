//! What is checked before an order is recorded, in the precedence of [`RejectCode`].

use suanpan_model::time::DurationMs;
use suanpan_model::{
    AccountId, AccountType, Amount, Campaign, CouponUse, OrderTerms, PayKind, PlatformPolicy, Reject,
    RejectCode, Share, SplitRule, TimestampMs,
};

use super::{Context, Directory};
use crate::coupon::{self, COUPONS_MAX};
use crate::routing::Router;
use crate::split::{bps_of, divide};

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
    check_splits(&mut verdict, "splits", &terms.splits, terms.amount, policy);
    check_coupons(&mut verdict, terms, directory, now);
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

/// Checks receivers that a release of `amount` names.
///
/// # Errors
/// As for the splits of an order.
pub(super) fn check_receivers(
    rules: &[SplitRule],
    field: &'static str,
    amount: Amount,
    terms: &OrderTerms,
    context: &Context<'_>,
) -> Result<(), Reject> {
    let mut verdict = Verdict::default();
    for rule in rules {
        let allowed = AccountType::may_receive_release;
        check_account(&mut verdict, terms, rule.receiver, field, context.directory, allowed);
    }
    check_splits(&mut verdict, field, rules, amount, context.policy);
    verdict.0.map_or(Ok(()), Err)
}

fn check_splits(
    verdict: &mut Verdict,
    field: &'static str,
    rules: &[SplitRule],
    amount: Amount,
    policy: &PlatformPolicy,
) {
    if rules.len() > policy.split_receivers_max {
        let expected = format!("at most {} receivers", policy.split_receivers_max);
        verdict.reject(RejectCode::SplitTooMany, field, expected);
    }
    for (place, rule) in rules.iter().enumerate() {
        if rule.within.is_some_and(|within| usize::from(within) >= place) {
            verdict.reject(RejectCode::InvalidField, field, "a share within that of an earlier receiver");
        }
        let on_level = |other: &&SplitRule| other.within == rule.within && other.share == Share::Remainder;
        if rule.share == Share::Remainder && rules.iter().filter(on_level).count() > 1 {
            verdict.reject(RejectCode::InvalidField, field, "one remainder on each level");
        }
        if let Share::Tiered(tiers) = &rule.share
            && !tiers.windows(2).all(|pair| pair[0].from < pair[1].from)
        {
            verdict.reject(RejectCode::InvalidField, field, "tiers by growing amount");
        }
    }
    if divide(amount, rules).is_none() {
        let expected = "receivers that on no level take more than there is";
        verdict.reject(RejectCode::SplitOverWhole, field, expected);
    }
    // In ten-thousandths of a minor unit, so that basis points stay exact.
    let whole = u128::from(amount.minor()) * 10_000;
    let top = || rules.iter().filter(|rule| rule.within.is_none());
    let of = |rule: &SplitRule| match rule.share {
        Share::Bps(_) | Share::Tiered(_) => {
            u128::from(amount.minor()) * u128::from(bps_of(&rule.share, amount))
        }
        Share::Fixed(fixed) => u128::from(fixed.minor()) * 10_000,
        Share::Remainder => 0,
    };
    let taken = if top().any(|rule| rule.share == Share::Remainder) { whole } else { top().map(of).sum() };
    if taken > u128::from(amount.minor()) * u128::from(policy.split_cap_bps) {
        let (percent, part) = (policy.split_cap_bps / 100, policy.split_cap_bps % 100);
        let expected = format!("receivers that together take at most {percent}.{part:02} %");
        verdict.reject(RejectCode::SplitOverCap, field, expected);
    }
}

fn check_coupons(verdict: &mut Verdict, terms: &OrderTerms, directory: &dyn Directory, now: TimestampMs) {
    let coupons = &terms.coupons;
    if coupons.is_empty() {
        return;
    }
    if coupons.len() > COUPONS_MAX {
        verdict.reject(RejectCode::InvalidField, "coupons", format!("at most {COUPONS_MAX} coupons"));
    }
    let repeated = |(place, coupon): (usize, &CouponUse)| {
        coupons[..place].iter().any(|other| other.campaign == coupon.campaign)
    };
    if coupons.iter().enumerate().any(repeated) {
        verdict.reject(RejectCode::InvalidField, "coupons", "one coupon of each campaign");
    }
    let mut campaigns = Vec::with_capacity(coupons.len());
    for coupon in coupons {
        match directory.campaign(coupon.campaign).filter(|campaign| campaign.platform == terms.platform) {
            Some(campaign) => campaigns.push(campaign),
            None => {
                return verdict.reject(RejectCode::UnknownCampaign, "coupons", "campaigns of this platform");
            }
        }
    }
    for (campaign, coupon) in campaigns.iter().zip(coupons) {
        let together = coupons.len() > 1;
        if let Err(Reject { code, field, expected }) =
            coupon::check_use(campaign, coupon, &terms.sub_orders, terms.currency, together, now)
        {
            verdict.reject(code, field, expected);
        }
    }
    let references: Vec<&Campaign> = campaigns.iter().map(|campaign| &**campaign).collect();
    if *coupons != coupon::uses(&references, &terms.sub_orders) {
        verdict.reject(RejectCode::AmountMismatch, "coupons", "what the campaigns take off the price");
    }
    let off: u128 = coupons.iter().map(|coupon| u128::from(coupon.subsidy.minor())).sum();
    if off >= u128::from(terms.amount.minor()) {
        let expected = "an order that is worth more than its coupons";
        verdict.reject(RejectCode::CouponOverPrice, "coupons", expected);
    }
}
