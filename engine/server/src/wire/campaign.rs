//! Coupon campaigns as they are written, in the API and in the configuration, and as they are told.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use smol_str::SmolStr;
use suanpan_model::{
    AccountId, AccountType, Amount, Campaign, CampaignId, Currency, Funder, PlatformId, RejectCode,
    TimestampMs, Worth,
};
use suanpan_runtime::{CampaignState, CustomerCoupons};

use super::forms::{Checked, Refusal, account_kind, amount, currency, positive_amount, reference};
use super::order::{AccountRef, ReceiverIn};
use super::{Lookup, Object, Text, schema};
use crate::text::{parse_percent, parse_time, percent_text, time_text};

/// Most funders of one campaign.
pub const FUNDERS_MAX: usize = 10;
/// Most merchants that a campaign names.
pub const MERCHANTS_MAX: usize = 1_000;

/// A campaign.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewCampaign")]
pub struct CampaignIn<'a> {
    /// Its number, unique in the engine.
    #[schemars(required)]
    pub id: Option<u32>,
    /// Currency of the amounts; CNY when absent.
    #[serde(borrow)]
    #[schemars(with = "Option<schema::CurrencyCode>")]
    pub currency: Option<Text<'a>>,
    /// What a coupon takes off the price: a sum, or else `percent`.
    #[serde(borrow)]
    #[schemars(with = "Option<schema::PositiveAmount>")]
    pub face: Option<Text<'a>>,
    /// Percentage of the eligible price that a coupon takes off.
    #[serde(borrow)]
    #[schemars(with = "Option<schema::PositivePercent>")]
    pub percent: Option<Text<'a>>,
    /// The most that `percent` takes off; no limit when absent.
    #[serde(borrow)]
    #[schemars(with = "Option<schema::PositiveAmount>")]
    pub cap: Option<Text<'a>>,
    /// Smallest eligible price; zero when absent.
    #[serde(borrow)]
    #[schemars(with = "Option<schema::AmountText>")]
    pub minimum_spend: Option<Text<'a>>,
    /// First instant at which a coupon can be used.
    #[serde(borrow)]
    #[schemars(with = "schema::Instant")]
    pub valid_from: Option<Text<'a>>,
    /// First instant at which it can no longer be used.
    #[serde(borrow)]
    #[schemars(with = "schema::Instant")]
    pub valid_until: Option<Text<'a>>,
    /// Who pays; the platform's coupon fund alone when absent.
    #[serde(borrow)]
    #[schemars(length(min = 1, max = 10))]
    pub funders: Option<Vec<Object<FunderIn<'a>>>>,
    /// References of the settlement accounts of the merchants that it is for; all when absent.
    #[serde(borrow)]
    #[schemars(with = "Option<Vec<schema::Reference>>", length(max = 1000))]
    pub merchants: Option<Vec<Text<'a>>>,
    /// How many coupons there are; no limit when absent.
    #[schemars(range(min = 1))]
    pub stock: Option<u32>,
    /// How many coupons one customer can get; no limit when absent.
    #[schemars(range(min = 1))]
    pub per_customer: Option<u32>,
    /// Whether it can be used together with other coupons; no when absent.
    pub stackable: Option<bool>,
    /// Lower ranks are applied first; 0 when absent.
    pub rank: Option<u16>,
    /// Whether an order may take a coupon that was not issued; yes when absent.
    pub claimable: Option<bool>,
}

/// Who pays which part of a subsidy.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Funder")]
pub struct FunderIn<'a> {
    /// `platform` for its coupon fund, or an account.
    #[serde(borrow)]
    pub account: ReceiverIn<'a>,
    /// Its part, at most two decimals.
    #[serde(borrow)]
    #[schemars(with = "schema::PositivePercent")]
    pub percent: Text<'a>,
}

/// Coupons for a customer.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewCoupons")]
pub struct IssueIn<'a> {
    /// Who gets them, as the platform names payers.
    #[serde(borrow)]
    #[schemars(with = "schema::Reference")]
    pub customer: Text<'a>,
    /// How many; one when absent.
    #[schemars(range(min = 1))]
    pub count: Option<u32>,
    /// The platform's number for it; repeats are recognised by it.
    #[serde(borrow)]
    #[schemars(with = "schema::Reference")]
    pub reference: Text<'a>,
}

/// The account of a funder, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Payer {
    CouponFund,
    Account(AccountType, SmolStr),
}

/// A campaign whose values were checked and whose accounts are still names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedCampaign {
    campaign: Campaign,
    funders: Vec<(Payer, u32)>,
    merchants: Vec<SmolStr>,
}

/// Reads a campaign of `platform`.
///
/// # Errors
/// Of the fields in this order, the first that is missing, malformed or out of bounds: id, currency, face, percent and cap,
/// minimum_spend, valid_from, valid_until, funders, merchants, stock, per_customer.
pub fn campaign(written: &CampaignIn<'_>, platform: PlatformId) -> Checked<NamedCampaign> {
    let missing = |field, expected| Refusal::new(RejectCode::MissingField, field, expected);
    let id = written.id.ok_or_else(|| missing("id", "a number that no other campaign has"))?;
    let currency =
        written.currency.as_deref().map_or(Ok(Currency::Cny), |code| currency("currency", code))?;
    let worth = worth(written, currency)?;
    let minimum_spend = written
        .minimum_spend
        .as_deref()
        .map_or(Ok(Amount::ZERO), |text| amount("minimum_spend", text, currency))?;
    let instant = |field: &'static str, text: &Option<Text<'_>>| -> Checked<TimestampMs> {
        let text = text.as_deref().ok_or_else(|| missing(field, TIME))?;
        parse_time(text).ok_or_else(|| Refusal::new(RejectCode::InvalidField, field, TIME))
    };
    let valid_from = instant("valid_from", &written.valid_from)?;
    let valid_until = instant("valid_until", &written.valid_until)?;
    if valid_until <= valid_from {
        return Err(Refusal::new(RejectCode::InvalidField, "valid_until", "a time after valid_from"));
    }
    let funders = funders(written.funders.as_deref())?;
    let merchants = merchants(written.merchants.as_deref().unwrap_or_default())?;
    for (field, limit) in [("stock", written.stock), ("per_customer", written.per_customer)] {
        if limit == Some(0) {
            return Err(Refusal::new(RejectCode::InvalidField, field, "at least 1, or nothing for no limit"));
        }
    }
    let campaign = Campaign {
        id: CampaignId(id),
        platform,
        currency,
        worth,
        minimum_spend,
        valid_from,
        valid_until,
        funders: SmallVec::new(),
        merchants: Vec::new(),
        stock: written.stock,
        per_customer: written.per_customer,
        stackable: written.stackable.unwrap_or(false),
        rank: written.rank.unwrap_or(0),
        claimable: written.claimable.unwrap_or(true),
    };
    Ok(NamedCampaign { campaign, funders, merchants })
}

const TIME: &str = "a time of RFC 3339 such as 2026-01-01T00:00:00+08:00";

fn worth(written: &CampaignIn<'_>, currency: Currency) -> Checked<Worth> {
    const FORMS: &str = "either face, or percent with or without cap";
    match (&written.face, &written.percent, &written.cap) {
        (Some(face), None, None) => Ok(Worth::Face(positive_amount("face", face, currency)?)),
        (None, Some(percent), cap) => {
            let bps = part("percent", percent)?;
            let cap = cap.as_deref().map(|cap| positive_amount("cap", cap, currency)).transpose()?;
            Ok(Worth::Percent { bps, cap })
        }
        (Some(_), Some(_), _) => Err(Refusal::new(RejectCode::InvalidField, "percent", FORMS)),
        (_, None, Some(_)) => Err(Refusal::new(RejectCode::InvalidField, "cap", FORMS)),
        (None, None, None) => Err(Refusal::new(RejectCode::MissingField, "face", FORMS)),
    }
}

fn part(field: &'static str, text: &str) -> Checked<u32> {
    parse_percent(text).filter(|bps| *bps > 0).ok_or_else(|| {
        let expected = "a percentage from \"0.01\" to \"100\" with at most two decimals";
        Refusal::new(RejectCode::InvalidField, field, expected)
    })
}

fn funders(written: Option<&[Object<FunderIn<'_>>]>) -> Checked<Vec<(Payer, u32)>> {
    let Some(written) = written else { return Ok(vec![(Payer::CouponFund, 10_000)]) };
    if written.is_empty() || written.len() > FUNDERS_MAX {
        let expected = format!("1 to {FUNDERS_MAX} funders");
        return Err(Refusal::new(RejectCode::InvalidField, "funders", expected));
    }
    let read = |(place, funder): (usize, &Object<FunderIn<'_>>)| {
        let inside = |refusal: Refusal| refusal.inside(format!("funders[{place}]"));
        let payer = payer(&funder.account).map_err(inside)?;
        Ok((payer, part("percent", &funder.percent).map_err(inside)?))
    };
    written.iter().enumerate().map(read).collect()
}

fn payer(account: &ReceiverIn<'_>) -> Checked<Payer> {
    match account {
        ReceiverIn::Named(name) if &**name == "platform" => Ok(Payer::CouponFund),
        ReceiverIn::Named(_) => {
            let expected = "\"platform\" or an object with kind and reference";
            Err(Refusal::new(RejectCode::InvalidField, "account", expected))
        }
        ReceiverIn::Account(AccountRef { kind, reference: name }) => {
            let kind = account_kind("account.kind", kind)?;
            Ok(Payer::Account(kind, reference("account.reference", name)?.into()))
        }
    }
}

fn merchants(written: &[Text<'_>]) -> Checked<Vec<SmolStr>> {
    if written.len() > MERCHANTS_MAX {
        let expected = format!("at most {MERCHANTS_MAX} merchants");
        return Err(Refusal::new(RejectCode::InvalidField, "merchants", expected));
    }
    written.iter().map(|name| reference("merchants", name).map(SmolStr::from)).collect()
}

impl NamedCampaign {
    /// Its number.
    #[must_use]
    pub const fn id(&self) -> CampaignId {
        self.campaign.id
    }

    /// Its platform.
    #[must_use]
    pub const fn platform(&self) -> PlatformId {
        self.campaign.platform
    }

    /// The campaign with accounts in the place of names.
    ///
    /// # Errors
    /// `unknown_account` of funders, then of merchants.
    pub fn resolve(&self, lookup: &dyn Lookup) -> Checked<Campaign> {
        let unknown = |kind: AccountType, field: String| {
            let expected = format!("a {} account that was opened on this platform", kind.name());
            Refusal::new(RejectCode::UnknownAccount, field, expected)
        };
        let mut campaign = self.campaign.clone();
        for (place, (payer, bps)) in self.funders.iter().enumerate() {
            let account = match payer {
                Payer::CouponFund => {
                    let owner = campaign.platform.0;
                    AccountId::internal(AccountType::CouponFund, owner, campaign.currency, 0)
                }
                Payer::Account(kind, name) => lookup
                    .account(*kind, name)
                    .ok_or_else(|| unknown(*kind, format!("funders[{place}].account")))?,
            };
            campaign.funders.push(Funder { account, bps: *bps });
        }
        for (place, name) in self.merchants.iter().enumerate() {
            let kind = AccountType::Settlement;
            let merchant = lookup.account(kind, name);
            campaign.merchants.push(merchant.ok_or_else(|| unknown(kind, format!("merchants[{place}]")))?);
        }
        Ok(campaign)
    }
}

/// A campaign.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Campaign")]
pub struct CampaignOut {
    id: u32,
    #[schemars(with = "schema::CurrencyCode")]
    currency: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::PositiveAmount>")]
    face: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::PositivePercent>")]
    percent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::PositiveAmount>")]
    cap: Option<String>,
    #[schemars(with = "schema::AmountText")]
    minimum_spend: String,
    #[schemars(with = "schema::ToldInstant")]
    valid_from: String,
    #[schemars(with = "schema::ToldInstant")]
    valid_until: String,
    funders: Vec<FunderOut>,
    #[schemars(with = "Vec<schema::Number>")]
    merchant_accounts: Vec<String>,
    stock: Option<u32>,
    per_customer: Option<u32>,
    stackable: bool,
    rank: u16,
    claimable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<StateOut>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CampaignFunder")]
struct FunderOut {
    #[schemars(with = "schema::Number")]
    account: String,
    #[schemars(with = "schema::AccountKind")]
    account_kind: &'static str,
    #[schemars(with = "schema::PositivePercent")]
    percent: String,
}

/// Where a campaign's coupons are.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CouponState")]
struct StateOut {
    /// Left the stock and did not come back.
    taken: u64,
    /// Of the stock, locked for orders.
    locked: u64,
    /// In customers' hands.
    outstanding: u64,
    /// Can still be taken; null without a limit.
    left: Option<u64>,
}

impl CampaignOut {
    /// Properties, and where the coupons are when that is known.
    #[must_use]
    pub fn new(campaign: &Campaign, state: Option<&CampaignState>) -> Self {
        let text = |amount: Amount| amount.to_text(campaign.currency);
        let (face, percent, cap) = match campaign.worth {
            Worth::Face(face) => (Some(text(face)), None, None),
            Worth::Percent { bps, cap } => (None, Some(percent_text(bps)), cap.map(text)),
        };
        let funder = |funder: &Funder| FunderOut {
            account: funder.account.raw().to_string(),
            account_kind: funder.account.kind().name(),
            percent: percent_text(funder.bps),
        };
        Self {
            id: campaign.id.0,
            currency: campaign.currency.code(),
            face,
            percent,
            cap,
            minimum_spend: text(campaign.minimum_spend),
            valid_from: time_text(campaign.valid_from),
            valid_until: time_text(campaign.valid_until),
            funders: campaign.funders.iter().map(funder).collect(),
            merchant_accounts: campaign.merchants.iter().map(|account| account.raw().to_string()).collect(),
            stock: campaign.stock,
            per_customer: campaign.per_customer,
            stackable: campaign.stackable,
            rank: campaign.rank,
            claimable: campaign.claimable,
            state: state.map(|state| StateOut {
                taken: state.taken,
                locked: state.locked,
                outstanding: state.outstanding,
                left: state.left,
            }),
        }
    }
}

/// Coupons that were issued, as they were asked for.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "IssuedCoupons")]
pub struct IssuedOut<'a> {
    /// The campaign.
    pub campaign: u32,
    /// Who got them.
    pub customer: &'a str,
    /// How many.
    pub count: u32,
    /// The platform's number for it.
    pub reference: &'a str,
}

/// The coupons of one customer in one campaign.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CustomerCoupons")]
pub struct CustomerOut<'a> {
    campaign: u32,
    customer: &'a str,
    /// In the customer's hands, locked ones included.
    held: u64,
    /// Of these, locked for orders.
    locked: u64,
    /// What the customer may still get; null without a limit.
    allowance: Option<u64>,
}

impl<'a> CustomerOut<'a> {
    /// As the engine has it.
    #[must_use]
    pub const fn new(campaign: CampaignId, customer: &'a str, coupons: &CustomerCoupons) -> Self {
        let CustomerCoupons { held, locked, allowance } = *coupons;
        Self { campaign: campaign.0, customer, held, locked, allowance }
    }
}
