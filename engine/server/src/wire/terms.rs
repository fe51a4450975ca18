//! From an order as it is written to the terms that the engine records.

use smallvec::{SmallVec, smallvec};
use smol_str::SmolStr;
use suanpan_model::order::Share;
use suanpan_model::{
    AccountId, AccountType, Amount, Bank, Campaign, CampaignId, CardType, CouponUse, Currency, DurationMs,
    OrderTerms, PayKind, PlatformId, RejectCode, SplitRule, SubOrder, TimestampMs,
};

use super::attributes::attributes;
use super::forms::{Checked, Refusal, currency, is_line, is_reference, pay_kind, positive_amount};
use super::order::{AccountRef, OrderIn, Pairs, ReceiverIn, SplitIn};
use super::{Text, account_kind, card_type, reference};
use crate::text::{parse_percent, parse_time};

/// Most sub-orders of one order; a release names one of them with a byte.
pub const SUB_ORDERS_MAX: usize = 100;
/// Most receivers that are read; the platform's own limit is lower.
pub const SPLITS_MAX: usize = 100;
/// Longest description in characters.
pub const DESCRIPTION_MAX: usize = 256;
/// Longest callback in characters.
pub const CALLBACK_MAX: usize = 512;
/// Most pairs of metadata.
pub const METADATA_MAX: usize = 20;
/// Longest key of metadata in characters.
pub const METADATA_KEY_MAX: usize = 64;
/// Longest value of metadata in characters.
pub const METADATA_VALUE_MAX: usize = 256;

/// Where names become numbers.
pub trait Lookup {
    /// The account that the platform knows under `reference`.
    fn account(&self, kind: AccountType, reference: &str) -> Option<AccountId>;
    /// A campaign of the platform.
    fn campaign(&self, id: CampaignId) -> Option<Campaign>;
}

/// What an order is read against.
pub struct OrderContext<'a> {
    /// Whose order it is.
    pub platform: PlatformId,
    /// The time.
    pub now: TimestampMs,
    /// How long an order lives that does not say.
    pub order_ttl: DurationMs,
    /// Names.
    pub lookup: &'a dyn Lookup,
}

/// An order that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// Its terms.
    pub terms: OrderTerms,
    /// Whether it left the expiry to the platform's default: a repeat then agrees with what was recorded.
    pub default_expiry: bool,
}

/// Reads an order.
///
/// # Errors
/// Of the fields in this order, the first that is missing, malformed, unknown or out of bounds: order_no, payer,
/// currency, kind, amount, merchant and sub_orders, splits, coupon, bank, card_type, agreement_no, description, expires_at,
/// callback, metadata, payer_attributes, category, holder. What needs the engine's state (limits of the platform, balances, channels) is checked there.
pub fn terms(order: &OrderIn<'_>, context: &OrderContext<'_>) -> Checked<Parsed> {
    let order_no =
        reference("order_no", required("order_no", order.order_no.as_ref(), "1 to 64 characters")?)?;
    let payer =
        reference("payer", required("payer", order.payer.as_ref(), "the platform's name for the payer")?)?;
    let currency = order.currency.as_deref().map_or(Ok(Currency::Cny), |code| currency("currency", code))?;
    let kind = required("kind", order.kind.as_ref(), "gateway, quick_pay or balance")?;
    let kind = pay_kind("kind", kind)?;
    let amount = required("amount", order.amount.as_ref(), "the full price, such as \"12.34\"")?;
    let amount = positive_amount("amount", amount, currency)?;
    let names = Names { platform: context.platform, currency, lookup: context.lookup };
    let payer_account = match kind {
        PayKind::Balance => Some(names.account(AccountType::Cash, payer, "payer")?),
        PayKind::Gateway | PayKind::QuickPay => None,
    };
    let expires_at = order.expires_at.as_deref().map(expiry).transpose()?;
    Ok(Parsed {
        default_expiry: expires_at.is_none(),
        terms: OrderTerms {
            platform: context.platform,
            order_no: order_no.into(),
            payer: payer.into(),
            payer_account,
            amount,
            currency,
            kind,
            sub_orders: sub_orders(order, amount, &names)?,
            splits: splits(order.splits.as_deref().unwrap_or_default(), &names)?,
            coupon: coupon(order, context.lookup)?,
            bank: order.bank.as_deref().map(bank).transpose()?,
            card_type: order.card_type.as_deref().map(read_card_type).transpose()?,
            agreement_no: line("agreement_no", order.agreement_no.as_deref(), super::forms::REFERENCE_MAX)?,
            description: line("description", order.description.as_deref(), DESCRIPTION_MAX)?,
            expires_at: expires_at.unwrap_or(context.now + context.order_ttl),
            escrow: order.escrow.unwrap_or(true),
            callback: callback(order.callback.as_deref())?,
            metadata: order.metadata.as_ref().map_or(Ok(Vec::new()), metadata)?,
            attributes: attributes(
                order.category.as_ref(),
                order.holder.as_ref(),
                order.payer_attributes.as_ref().map_or(Ok(Vec::new()), payer_attributes)?,
            )?,
        },
    })
}

fn required<'a>(field: &'static str, text: Option<&'a Text<'_>>, expected: &'static str) -> Checked<&'a str> {
    text.map(|text| &**text).ok_or_else(|| Refusal::new(RejectCode::MissingField, field, expected))
}

/// Names of one platform in one currency.
struct Names<'a> {
    platform: PlatformId,
    currency: Currency,
    lookup: &'a dyn Lookup,
}

impl Names<'_> {
    fn account(&self, kind: AccountType, name: &str, field: &'static str) -> Checked<AccountId> {
        self.lookup.account(kind, name).ok_or_else(|| {
            let expected = format!("a {} account that was opened on this platform", kind.name());
            Refusal::new(RejectCode::UnknownAccount, field, expected)
        })
    }

    fn receiver(&self, receiver: &ReceiverIn<'_>) -> Checked<AccountId> {
        match receiver {
            ReceiverIn::Named(name) if &**name == "platform" => {
                Ok(AccountId::internal(AccountType::CommissionIncome, self.platform.0, self.currency, 0))
            }
            ReceiverIn::Named(_) => {
                let expected = "\"platform\" or an object with kind and reference";
                Err(Refusal::new(RejectCode::InvalidField, "receiver", expected))
            }
            ReceiverIn::Account(AccountRef { kind, reference: name }) => {
                let kind = account_kind("receiver.kind", kind)?;
                let name = reference("receiver.reference", name)?;
                self.account(kind, name, "receiver.reference")
            }
        }
    }
}

fn sub_orders(order: &OrderIn<'_>, whole: Amount, names: &Names<'_>) -> Checked<SmallVec<[SubOrder; 1]>> {
    let parts = match (&order.merchant, &order.sub_orders) {
        (Some(name), None) => {
            let merchant =
                names.account(AccountType::Settlement, reference("merchant", name)?, "merchant")?;
            return Ok(smallvec![SubOrder { merchant, amount: whole }]);
        }
        (None, Some(parts)) => parts,
        (Some(_), Some(_)) => {
            let expected = "either merchant or sub_orders";
            return Err(Refusal::new(RejectCode::InvalidField, "merchant", expected));
        }
        (None, None) => {
            let expected = "merchant, or sub_orders with merchant and amount of each";
            return Err(Refusal::new(RejectCode::MissingField, "merchant", expected));
        }
    };
    if parts.is_empty() || parts.len() > SUB_ORDERS_MAX {
        let expected = format!("1 to {SUB_ORDERS_MAX} sub-orders");
        return Err(Refusal::new(RejectCode::InvalidField, "sub_orders", expected));
    }
    let mut read: SmallVec<[SubOrder; 1]> = SmallVec::with_capacity(parts.len());
    let mut sum = Amount::ZERO;
    for (place, part) in parts.iter().enumerate() {
        let inside = |refusal: Refusal| refusal.inside(format!("sub_orders[{place}]"));
        let name = reference("merchant", &part.merchant).map_err(inside)?;
        let merchant = names.account(AccountType::Settlement, name, "merchant").map_err(inside)?;
        let amount = positive_amount("amount", &part.amount, names.currency).map_err(inside)?;
        sum = sum.plus(amount); // at most a hundred amounts within the limit
        read.push(SubOrder { merchant, amount });
    }
    if sum != whole {
        let expected = format!(
            "sub-orders that add up to the amount, {}; these make {}",
            whole.to_text(names.currency),
            sum.to_text(names.currency)
        );
        return Err(Refusal::new(RejectCode::AmountMismatch, "sub_orders", expected));
    }
    Ok(read)
}

fn splits(rules: &[SplitIn<'_>], names: &Names<'_>) -> Checked<SmallVec<[SplitRule; 2]>> {
    if rules.len() > SPLITS_MAX {
        let expected = format!("at most {SPLITS_MAX} receivers");
        return Err(Refusal::new(RejectCode::SplitTooMany, "splits", expected));
    }
    let read = |(place, rule): (usize, &SplitIn<'_>)| {
        split(rule, names).map_err(|refusal| refusal.inside(format!("splits[{place}]")))
    };
    rules.iter().enumerate().map(read).collect()
}

fn split(rule: &SplitIn<'_>, names: &Names<'_>) -> Checked<SplitRule> {
    let share = match (&rule.percent, &rule.fixed) {
        (Some(text), None) => {
            let points = parse_percent(text).filter(|points| *points > 0).ok_or_else(|| {
                let expected = "a percentage from \"0.01\" to \"100\" with at most two decimals";
                Refusal::new(RejectCode::InvalidField, "percent", expected)
            })?;
            Share::Bps(points)
        }
        (None, Some(text)) => Share::Fixed(positive_amount("fixed", text, names.currency)?),
        (Some(_), Some(_)) => {
            return Err(Refusal::new(RejectCode::InvalidField, "percent", "either percent or fixed"));
        }
        (None, None) => return Err(Refusal::new(RejectCode::MissingField, "percent", "percent or fixed")),
    };
    Ok(SplitRule { receiver: names.receiver(&rule.receiver)?, share })
}

fn coupon(order: &OrderIn<'_>, lookup: &dyn Lookup) -> Checked<Option<CouponUse>> {
    let Some(coupon) = &order.coupon else { return Ok(None) };
    let campaign = lookup.campaign(CampaignId(coupon.campaign)).ok_or_else(|| {
        Refusal::new(RejectCode::UnknownCampaign, "coupon.campaign", "a campaign of this platform")
    })?;
    Ok(Some(CouponUse { campaign: campaign.id, subsidy: campaign.face }))
}

fn bank(code: &str) -> Checked<Bank> {
    Bank::from_code(code).ok_or_else(|| {
        let expected = "the code of a bank, two to eight capital letters or digits, such as ICBC";
        Refusal::new(RejectCode::UnknownBank, "bank", expected)
    })
}

fn read_card_type(name: &str) -> Checked<CardType> {
    card_type(name).ok_or_else(|| Refusal::new(RejectCode::InvalidField, "card_type", "debit or credit"))
}

fn line(field: &'static str, text: Option<&str>, most: usize) -> Checked<SmolStr> {
    let text = text.unwrap_or_default();
    if !is_line(text, most) {
        let expected = format!("at most {most} characters without control characters");
        return Err(Refusal::new(RejectCode::InvalidField, field, expected));
    }
    Ok(text.into())
}

fn expiry(text: &str) -> Checked<TimestampMs> {
    parse_time(text).ok_or_else(|| {
        let expected = "a time of RFC 3339 such as 2026-01-01T00:00:00+08:00";
        Refusal::new(RejectCode::InvalidExpiry, "expires_at", expected)
    })
}

fn callback(text: Option<&str>) -> Checked<SmolStr> {
    let address = line("callback", text, CALLBACK_MAX)?;
    let host = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://"));
    let has_host = host.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
    if (has_host && !address.contains(char::is_whitespace)) || address.is_empty() {
        return Ok(address);
    }
    Err(Refusal::new(RejectCode::InvalidField, "callback", "an address that begins with https:// or http://"))
}

/// Attributes of the payer, of the same form as metadata.
pub(super) fn payer_attributes(pairs: &Pairs<'_>) -> Checked<Vec<(SmolStr, SmolStr)>> {
    metadata(pairs).map_err(|refusal| Refusal { field: "payer_attributes".into(), ..refusal })
}

/// Sorted by key: an object has no order, so a repeat may write it in another one.
pub(super) fn metadata(pairs: &Pairs<'_>) -> Checked<Vec<(SmolStr, SmolStr)>> {
    let refused = |expected: String| Err(Refusal::new(RejectCode::InvalidField, "metadata", expected));
    if pairs.0.len() > METADATA_MAX {
        return refused(format!("at most {METADATA_MAX} pairs"));
    }
    let mut read: Vec<(SmolStr, SmolStr)> = Vec::with_capacity(pairs.0.len());
    for (key, value) in &pairs.0 {
        if !is_reference(key) || value.chars().take(METADATA_VALUE_MAX + 1).count() > METADATA_VALUE_MAX {
            return refused(format!(
                "keys of 1 to {METADATA_KEY_MAX} and values of at most {METADATA_VALUE_MAX} characters"
            ));
        }
        read.push(((&**key).into(), (&**value).into()));
    }
    read.sort_unstable();
    if read.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return refused("every key once".to_owned());
    }
    Ok(read)
}
