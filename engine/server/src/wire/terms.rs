//! From an order as it is written to the terms that the engine records.

use std::sync::Arc;

use smallvec::{SmallVec, smallvec};
use smol_str::SmolStr;
use suanpan_core::coupon::{COUPONS_MAX, uses};
use suanpan_model::{
    AccountId, AccountType, Amount, Bank, Campaign, CampaignId, CardType, CouponUse, Currency, DurationMs,
    OrderTerms, PayKind, PlatformId, RejectCode, SubOrder, TimestampMs,
};

use super::attributes::attributes;
use super::forms::{Checked, Refusal, currency, is_reference, line, pay_kind, positive_amount};
use super::order::{CouponIn, OrderIn, Pairs};
use super::splits::{Names, split_rules};
use super::{Object, Text, card_type, reference};
use crate::text::parse_time;

/// Most sub-orders of one order; a release names one of them with a byte.
pub const SUB_ORDERS_MAX: usize = 100;
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
    fn campaign(&self, id: CampaignId) -> Option<Arc<Campaign>>;
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
/// currency, kind, amount, merchant and sub_orders, splits, coupons, bank, card_type, agreement_no, description, expires_at,
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
    let sub_orders = sub_orders(order, amount, &names)?;
    let splits = split_rules(order.splits.as_deref().unwrap_or_default(), "splits", &names)?;
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
            coupons: coupons(order.coupons.as_deref().unwrap_or_default(), &sub_orders, context.lookup)?,
            sub_orders,
            splits: splits.into(),
            bank: order.bank.as_deref().map(bank).transpose()?,
            card_type: order.card_type.as_deref().map(read_card_type).transpose()?,
            agreement_no: line("agreement_no", order.agreement_no.as_deref(), super::forms::REFERENCE_MAX)?,
            description: line("description", order.description.as_deref(), DESCRIPTION_MAX)?,
            expires_at: expires_at.unwrap_or(context.now + context.order_ttl),
            escrow: order.escrow.unwrap_or(true),
            virtual_goods: order.virtual_goods.unwrap_or(false),
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

/// What the campaigns that are named take off. Whether they may be used is for the engine to say, which first sees
/// whether the order is known: a repeat may come after a campaign ended.
fn coupons(
    named: &[Object<CouponIn>],
    sub_orders: &[SubOrder],
    lookup: &dyn Lookup,
) -> Checked<Vec<CouponUse>> {
    if named.len() > COUPONS_MAX {
        let expected = format!("at most {COUPONS_MAX} coupons");
        return Err(Refusal::new(RejectCode::InvalidField, "coupons", expected));
    }
    let campaign = |(place, coupon): (usize, &Object<CouponIn>)| {
        lookup.campaign(CampaignId(coupon.campaign)).ok_or_else(|| {
            let field = format!("coupons[{place}].campaign");
            Refusal::new(RejectCode::UnknownCampaign, field, "a campaign of this platform")
        })
    };
    let campaigns = named.iter().enumerate().map(campaign).collect::<Checked<Vec<Arc<Campaign>>>>()?;
    let campaigns: Vec<&Campaign> = campaigns.iter().map(|campaign| &**campaign).collect();
    Ok(uses(&campaigns, sub_orders))
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
