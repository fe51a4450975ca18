//! Receivers and their shares, of an order or of one release.

use suanpan_model::{AccountId, AccountType, Currency, PlatformId, RejectCode, Share, SplitRule, Tier};

use super::forms::{Checked, Refusal, account_kind, amount, positive_amount, reference};
use super::order::{AccountRef, ReceiverIn, SplitIn, TierIn};
use super::{Lookup, Object};
use crate::text::parse_percent;

/// Most receivers that are read; the platform's own limit is lower.
pub const SPLITS_MAX: usize = 100;
/// Most tiers of one share.
pub const TIERS_MAX: usize = 20;

/// Names of one platform in one currency.
pub struct Names<'a> {
    /// The platform.
    pub platform: PlatformId,
    /// The currency.
    pub currency: Currency,
    /// The names.
    pub lookup: &'a dyn Lookup,
}

impl Names<'_> {
    /// The account that the platform knows under `name`.
    pub(super) fn account(&self, kind: AccountType, name: &str, field: &'static str) -> Checked<AccountId> {
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

/// Reads receivers; `field` is what their list is called.
///
/// # Errors
/// `split_too_many`; of each receiver share, place and name.
pub fn split_rules(
    rules: &[Object<SplitIn<'_>>],
    field: &'static str,
    names: &Names<'_>,
) -> Checked<Vec<SplitRule>> {
    if rules.len() > SPLITS_MAX {
        let expected = format!("at most {SPLITS_MAX} receivers");
        return Err(Refusal::new(RejectCode::SplitTooMany, field, expected));
    }
    let read = |(place, rule): (usize, &Object<SplitIn<'_>>)| {
        split_rule(rule, place, names).map_err(|refusal| refusal.inside(format!("{field}[{place}]")))
    };
    rules.iter().enumerate().map(read).collect()
}

fn split_rule(rule: &SplitIn<'_>, place: usize, names: &Names<'_>) -> Checked<SplitRule> {
    let share = share(rule, names.currency)?;
    if rule.within.is_some_and(|within| usize::from(within) >= place) {
        let expected = "the place of an earlier receiver, counted from 0";
        return Err(Refusal::new(RejectCode::InvalidField, "within", expected));
    }
    Ok(SplitRule { receiver: names.receiver(&rule.receiver)?, share, within: rule.within })
}

fn share(rule: &SplitIn<'_>, currency: Currency) -> Checked<Share> {
    const FORMS: &str = "one of percent, fixed, tiers and remainder";
    match (&rule.percent, &rule.fixed, &rule.tiers, rule.remainder.unwrap_or(false)) {
        (Some(text), None, None, false) => {
            let points = parse_percent(text).filter(|points| *points > 0).ok_or_else(|| {
                let expected = "a percentage from \"0.01\" to \"100\" with at most two decimals";
                Refusal::new(RejectCode::InvalidField, "percent", expected)
            })?;
            Ok(Share::Bps(points))
        }
        (None, Some(text), None, false) => Ok(Share::Fixed(positive_amount("fixed", text, currency)?)),
        (None, None, Some(tiers), false) => read_tiers(tiers, currency),
        (None, None, None, true) => Ok(Share::Remainder),
        (None, None, None, false) => Err(Refusal::new(RejectCode::MissingField, "percent", FORMS)),
        (_, _, _, true) => Err(Refusal::new(RejectCode::InvalidField, "remainder", FORMS)),
        (Some(_), _, _, false) => Err(Refusal::new(RejectCode::InvalidField, "percent", FORMS)),
        (None, Some(_), Some(_), false) => Err(Refusal::new(RejectCode::InvalidField, "fixed", FORMS)),
    }
}

fn read_tiers(tiers: &[Object<TierIn<'_>>], currency: Currency) -> Checked<Share> {
    if tiers.is_empty() || tiers.len() > TIERS_MAX {
        let expected = format!("1 to {TIERS_MAX} tiers");
        return Err(Refusal::new(RejectCode::InvalidField, "tiers", expected));
    }
    let tier = |tier: &TierIn<'_>| -> Checked<Tier> {
        let bps = parse_percent(&tier.percent).ok_or_else(|| {
            let expected = "a percentage from \"0\" to \"100\" with at most two decimals";
            Refusal::new(RejectCode::InvalidField, "percent", expected)
        })?;
        Ok(Tier { from: amount("from", &tier.from, currency)?, bps })
    };
    let mut read: Vec<Tier> = Vec::with_capacity(tiers.len());
    for (place, one) in tiers.iter().enumerate() {
        let inside = |refusal: Refusal| refusal.inside(format!("tiers[{place}]"));
        let tier = tier(one).map_err(inside)?;
        if read.last().is_some_and(|last| last.from >= tier.from) {
            let expected = "more than the tier before it is for";
            return Err(inside(Refusal::new(RejectCode::InvalidField, "from", expected)));
        }
        read.push(tier);
    }
    Ok(Share::Tiered(read.into()))
}
