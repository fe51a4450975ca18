//! Recording an order: what is checked, what is held first, what happens at once.

use std::sync::Arc;

use smallvec::{SmallVec, smallvec};
use suanpan_model::order::{OrderHold, Share};
use suanpan_model::time::DurationMs;
use suanpan_model::{
    AccountId, AccountType, Amount, AttemptNo, Order, OrderEvent, OrderId, OrderTerms, PayKind,
    PlatformPolicy, Reject, RejectCode, TimestampMs,
};

use super::release::release_all;
use super::{Context, Directory, Events, apply, born, entries};
use crate::routing::{RouteRequest, Router};

/// How far ahead an order may expire.
const EXPIRY_MAX: DurationMs = DurationMs::from_days(90);

/// Number of the hold on the payer's e-account.
pub(super) const PAYER_HOLD: u8 = 1;
/// Number of the hold on the coupon fund.
pub(super) const COUPON_HOLD: u8 = 2;

/// Checks what a mall asks for against everything but balances; changes nothing.
///
/// # Errors
/// In the order of this function, which is the order of [`RejectCode`]: fields, accounts, bank, campaign, amounts,
/// expiry, account types, splits, coupon.
pub fn check(
    terms: &OrderTerms,
    now: TimestampMs,
    policy: &PlatformPolicy,
    router: &Router,
    directory: &dyn Directory,
) -> Result<(), Reject> {
    check_fields(terms)?;
    if let Some(bank) = terms.bank
        && !router.knows_bank(bank)
    {
        return Err(Reject::new(
            RejectCode::UnknownBank,
            "bank",
            "the code of a bank that some channel reaches",
        ));
    }
    check_amounts(terms)?;
    check_expiry(terms, now)?;
    check_accounts(terms, directory)?;
    check_splits(terms, policy)?;
    check_coupon(terms, now, directory)
}

fn check_fields(terms: &OrderTerms) -> Result<(), Reject> {
    let missing = |field, expected: &str| Err(Reject::new(RejectCode::MissingField, field, expected));
    if terms.order_no.is_empty() {
        return missing("order_no", "the platform's own number for the order");
    }
    if terms.sub_orders.is_empty() {
        return missing("sub_orders", "at least one merchant and amount");
    }
    if terms.kind == PayKind::Balance && terms.payer_account.is_none() {
        return missing("payer", "a payer with an e-account on this platform, for kind balance");
    }
    if terms.kind == PayKind::QuickPay && terms.agreement_no.is_empty() {
        return missing("agreement_no", "the number under which the card was bound, for kind quick_pay");
    }
    Ok(())
}

fn check_amounts(terms: &OrderTerms) -> Result<(), Reject> {
    if terms.amount.is_zero() {
        return Err(Reject::new(RejectCode::AmountZero, "amount", "an amount above zero"));
    }
    if terms.amount > Amount::MAX {
        return Err(Reject::new(RejectCode::AmountTooLarge, "amount", "an amount within the limit"));
    }
    let mut sum = Amount::ZERO;
    for sub_order in &terms.sub_orders {
        if sub_order.amount.is_zero() {
            return Err(Reject::new(RejectCode::AmountZero, "sub_orders.amount", "an amount above zero"));
        }
        sum = sum
            .checked_add(sub_order.amount)
            .filter(|sum| *sum <= terms.amount)
            .ok_or_else(|| mismatch("sub_orders"))?;
    }
    if sum == terms.amount { Ok(()) } else { Err(mismatch("sub_orders")) }
}

fn mismatch(field: &'static str) -> Reject {
    Reject::new(RejectCode::AmountMismatch, field, "sub-orders whose amounts add up to the order's amount")
}

fn check_expiry(terms: &OrderTerms, now: TimestampMs) -> Result<(), Reject> {
    if terms.expires_at <= now || terms.expires_at > now + EXPIRY_MAX {
        let expected = "a time in the future, at most 90 days ahead";
        return Err(Reject::new(RejectCode::InvalidExpiry, "expires_at", expected));
    }
    Ok(())
}

fn check_accounts(terms: &OrderTerms, directory: &dyn Directory) -> Result<(), Reject> {
    for sub_order in &terms.sub_orders {
        check_account(
            terms,
            sub_order.merchant,
            "sub_orders.merchant",
            directory,
            AccountType::may_receive_release,
        )?;
    }
    for rule in &terms.splits {
        check_account(terms, rule.receiver, "splits.receiver", directory, AccountType::may_receive_release)?;
    }
    match terms.payer_account {
        Some(payer) if terms.kind == PayKind::Balance => {
            check_account(terms, payer, "payer", directory, AccountType::may_pay_orders)
        }
        Some(_) | None => Ok(()),
    }
}

fn check_account(
    terms: &OrderTerms,
    account: AccountId,
    field: &'static str,
    directory: &dyn Directory,
    allowed: fn(AccountType) -> bool,
) -> Result<(), Reject> {
    let kind = account.kind();
    let (platform, currency) = match account.internal_currency() {
        Some(currency) => (account.owner(), currency),
        None => match directory.account(account) {
            Some(facts) => (facts.platform.0, facts.currency),
            None => return Err(unknown_account(field)),
        },
    };
    if platform != terms.platform.0 {
        return Err(unknown_account(field));
    }
    if currency != terms.currency {
        let expected = format!("an account in {}", terms.currency);
        return Err(Reject::new(RejectCode::CurrencyMismatch, field, expected));
    }
    if !allowed(kind) {
        let expected = format!("an account of another type than {}", kind.name());
        return Err(Reject::new(RejectCode::AccountTypeNotAllowed, field, expected));
    }
    Ok(())
}

fn unknown_account(field: &'static str) -> Reject {
    Reject::new(RejectCode::UnknownAccount, field, "an account that was opened on this platform")
}

fn check_splits(terms: &OrderTerms, policy: &PlatformPolicy) -> Result<(), Reject> {
    if terms.splits.len() > policy.split_receivers_max {
        let expected = format!("at most {} receivers", policy.split_receivers_max);
        return Err(Reject::new(RejectCode::SplitTooMany, "splits", expected));
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
        return Err(Reject::new(RejectCode::SplitOverWhole, "splits", expected));
    }
    if taken > u128::from(terms.amount.minor()) * u128::from(policy.split_cap_bps) {
        let expected = format!("receivers that together take at most {} basis points", policy.split_cap_bps);
        return Err(Reject::new(RejectCode::SplitOverCap, "splits", expected));
    }
    Ok(())
}

fn check_coupon(terms: &OrderTerms, now: TimestampMs, directory: &dyn Directory) -> Result<(), Reject> {
    let Some(coupon) = terms.coupon else { return Ok(()) };
    let campaign = directory
        .campaign(coupon.campaign)
        .filter(|campaign| campaign.platform == terms.platform)
        .ok_or_else(|| Reject::new(RejectCode::UnknownCampaign, "coupon", "a campaign of this platform"))?;
    if campaign.currency != terms.currency {
        let expected = format!("a campaign in {}", terms.currency);
        return Err(Reject::new(RejectCode::CurrencyMismatch, "coupon", expected));
    }
    if coupon.subsidy != campaign.face {
        return Err(Reject::new(RejectCode::AmountMismatch, "coupon", "the face value of the campaign"));
    }
    if now < campaign.valid_from || now >= campaign.valid_until {
        return Err(Reject::new(RejectCode::CouponExpired, "coupon", "a coupon that is valid now"));
    }
    if terms.amount < campaign.minimum_spend {
        let expected = format!("an order of at least {}", campaign.minimum_spend.to_text(terms.currency));
        return Err(Reject::new(RejectCode::CouponMinimumSpend, "coupon", expected));
    }
    if coupon.subsidy >= terms.amount {
        let expected = "an order that is worth more than the coupon";
        return Err(Reject::new(RejectCode::CouponOverPrice, "coupon", expected));
    }
    Ok(())
}

/// The holds that must be placed before an order with these terms is recorded.
#[must_use]
pub fn holds_needed(id: OrderId, terms: &OrderTerms) -> SmallVec<[OrderHold; 1]> {
    let mut holds = SmallVec::new();
    if let (PayKind::Balance, Some(account)) = (terms.kind, terms.payer_account) {
        holds.push(OrderHold { no: PAYER_HOLD, account, amount: terms.payable() });
    }
    if terms.coupon.is_some() {
        let account = entries::coupon_fund(id, terms);
        holds.push(OrderHold { no: COUPON_HOLD, account, amount: terms.subsidy() });
    }
    holds
}

/// Records an order whose terms were checked and whose holds were placed.
///
/// A balance payment is paid at once; any other gets its first attempt.
///
/// Returns the order as it stands after the events, so that the caller need not fold them again.
///
/// # Errors
/// `no_channel` when no channel is capable: the caller gives the holds back.
pub fn create(
    id: OrderId,
    terms: Arc<OrderTerms>,
    holds: SmallVec<[OrderHold; 1]>,
    context: &Context<'_>,
) -> Result<(Order, Events), Reject> {
    let policy = context.policy;
    let created = OrderEvent::Created {
        terms,
        holds,
        fee_bearer: policy.fee_bearer,
        late_payment: policy.late_payment,
    };
    let mut order = born(id, context.now, &created);
    let mut events: Events = smallvec![created];
    if order.terms.kind == PayKind::Balance {
        let entries = entries::balance_payment(&order);
        let paid =
            OrderEvent::Paid { attempt: AttemptNo(0), channel_no: "".into(), fee: Amount::ZERO, entries };
        push(&mut order, &mut events, context.now, paid);
        after_payment(&mut order, &mut events, context);
        return Ok((order, events));
    }
    let attempt = start_attempt(&order, context).map_err(|because| {
        Reject::new(RejectCode::NoChannel, "", format!("a payment that some channel takes; {because}"))
    })?;
    push(&mut order, &mut events, context.now, attempt);
    Ok((order, events))
}

/// Adds an event and folds it in, so that the next one can be decided.
pub(super) fn push(order: &mut Order, events: &mut Events, now: TimestampMs, event: OrderEvent) {
    apply(order, now, &event);
    events.push(event);
}

/// What follows a payment: the money is frozen, or given to its receivers at once.
pub(super) fn after_payment(order: &mut Order, events: &mut Events, context: &Context<'_>) {
    if order.terms.escrow {
        let due = context.now + context.policy.auto_release;
        push(order, events, context.now, OrderEvent::Frozen { due });
    } else {
        for event in release_all(order) {
            push(order, events, context.now, event);
        }
    }
}

/// Chooses a channel that was not tried yet; the reason in words when there is none.
pub(super) fn start_attempt(order: &Order, context: &Context<'_>) -> Result<OrderEvent, String> {
    let terms = &order.terms;
    let tried: SmallVec<[_; 4]> = order.attempts.iter().map(suanpan_model::order::Attempt::channel).collect();
    let request = RouteRequest {
        now: context.now,
        platform: terms.platform,
        kind: terms.kind,
        currency: terms.currency,
        bank: terms.bank,
        card_type: terms.card_type,
        amount: terms.payable(),
        tried: &tried,
    };
    let route = context.router.decide(&request, context.standing).map_err(|none| {
        let verdicts: Vec<String> = none
            .because
            .iter()
            .map(|candidate| {
                let name =
                    context.router.capability(candidate.channel).map_or("?", |known| known.name.as_str());
                format!("{name}: {}", candidate.verdict.name())
            })
            .collect();
        verdicts.join(", ")
    })?;
    let timeout = context
        .router
        .capability(route.channel)
        .map_or(DurationMs::from_secs(15), |known| known.call_timeout);
    Ok(OrderEvent::AttemptStarted { route: Arc::new(route), due: context.now + timeout })
}
