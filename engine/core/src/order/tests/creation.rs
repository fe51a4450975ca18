//! What `check` refuses: one row per code, then which code is told when several apply.

use smallvec::smallvec;
use suanpan_model::{
    AccountId, AccountType, Amount, Bank, Campaign, CampaignId, Currency, DurationMs, OrderTerms, PayKind,
    PlatformId, RejectCode, Share, SplitRule, SubOrder, Tier, TimestampMs,
};

use super::build::*;
use crate::order::{Directory, HoldNeed, check, holds_needed};

type Change = fn(&mut OrderTerms);

const OTHER_PLATFORM: PlatformId = PlatformId(8);
const STRANGER: u64 = 40;
const DOLLARS: u64 = 41;
const CAMPAIGN_OF_OTHERS: CampaignId = CampaignId(6);
const CAMPAIGN_IN_DOLLARS: CampaignId = CampaignId(7);
const CAMPAIGN_OVER: CampaignId = CampaignId(8);
const CAMPAIGN_TO_COME: CampaignId = CampaignId(9);
const CAMPAIGN_ELSEWHERE: CampaignId = CampaignId(10);
const STACKED: CampaignId = CampaignId(11);
const STACKED_TOO: CampaignId = CampaignId(12);

fn town() -> Town {
    let of = |id, change: fn(&mut Campaign)| {
        let mut known = Campaign { id, ..campaign() };
        change(&mut known);
        known
    };
    Town::usual()
        .with(merchant(STRANGER), OTHER_PLATFORM, Currency::Cny)
        .with(buyer(STRANGER), OTHER_PLATFORM, Currency::Cny)
        .with(merchant(DOLLARS), PLATFORM, Currency::Usd)
        .with(AccountId::opened(AccountType::Deposit, 1, 3), PLATFORM, Currency::Cny)
        .with_campaign(of(CAMPAIGN_OF_OTHERS, |campaign| campaign.platform = OTHER_PLATFORM))
        .with_campaign(of(CAMPAIGN_IN_DOLLARS, |campaign| campaign.currency = Currency::Usd))
        .with_campaign(of(CAMPAIGN_OVER, |campaign| campaign.valid_until = NOW))
        .with_campaign(of(CAMPAIGN_TO_COME, |campaign| campaign.valid_from = NOW + DurationMs(1)))
        .with_campaign(of(CAMPAIGN_ELSEWHERE, |campaign| campaign.merchants = vec![merchant(3)]))
        .with_campaign(of(STACKED, |campaign| campaign.stackable = true))
        .with_campaign(of(STACKED_TOO, |campaign| campaign.stackable = true))
}

fn answer(change: Change) -> Result<(), (RejectCode, &'static str)> {
    let mut terms = terms();
    change(&mut terms);
    let shop = Shop::default();
    check(&terms, NOW, &shop.policy, &shop.router, &town()).map_err(|reject| (reject.code, reject.field))
}

fn sells(terms: &mut OrderTerms, merchant: AccountId) {
    terms.sub_orders[0].merchant = merchant;
}

fn costs(terms: &mut OrderTerms, amount: u64) {
    terms.amount = fen(amount);
    terms.sub_orders = smallvec![sold(1, amount)];
}

/// As the mall would price it; a campaign that nobody knows like the usual one.
fn uses(terms: &mut OrderTerms, campaign: CampaignId) {
    uses_all(terms, &[campaign]);
}

fn uses_all(terms: &mut OrderTerms, campaigns: &[CampaignId]) {
    let known = |id: &CampaignId| match town().campaign(*id) {
        Some(known) => Campaign::clone(&known),
        None => Campaign { id: *id, ..campaign() },
    };
    let campaigns: Vec<Campaign> = campaigns.iter().map(known).collect();
    let campaigns: Vec<&Campaign> = campaigns.iter().collect();
    terms.coupons = with_coupons(&campaigns, terms.clone()).coupons;
}

fn splits(rules: &[SplitRule]) -> smallvec::SmallVec<[SplitRule; 2]> {
    rules.iter().cloned().collect()
}

fn remainder(number: u64) -> SplitRule {
    SplitRule::new(agent(number), Share::Remainder)
}

fn within(rule: SplitRule, place: u8) -> SplitRule {
    SplitRule { within: Some(place), ..rule }
}

fn tiered(number: u64, tiers: &[(u64, u32)]) -> SplitRule {
    let tiers = tiers.iter().map(|(from, bps)| Tier { from: fen(*from), bps: *bps }).collect();
    SplitRule::new(agent(number), Share::Tiered(tiers))
}

fn foreign_house() -> AccountId {
    AccountId::internal(AccountType::CommissionIncome, OTHER_PLATFORM.0, Currency::Cny, 0)
}

fn many(count: u64) -> smallvec::SmallVec<[SplitRule; 2]> {
    (0..count).map(|_| fixed(agent(1), 1)).collect()
}

#[test]
fn good_terms_pass() {
    let table: &[(&str, Change)] = &[
        ("plain", |_| {}),
        ("one cent", |terms| costs(terms, 1)),
        ("the largest amount", |terms| costs(terms, Amount::MAX.minor())),
        ("quick pay", |terms| {
            terms.kind = PayKind::QuickPay;
            terms.agreement_no = "AG".into();
        }),
        ("balance", |terms| {
            terms.kind = PayKind::Balance;
            terms.payer_account = Some(buyer(1));
        }),
        ("a stranger's account that nobody reads", |terms| terms.payer_account = Some(buyer(STRANGER))),
        ("a bank that a channel lists", |terms| terms.bank = Bank::from_code("ICBC")),
        ("the last moment", |terms| terms.expires_at = NOW + DurationMs::from_days(90)),
        ("the next moment", |terms| terms.expires_at = NOW + DurationMs(1)),
        ("splits at the cap", |terms| terms.splits = smallvec![bps(agent(1), 2_900), fixed(house(), 100)]),
        ("as many receivers as allowed", |terms| terms.splits = many(50)),
        ("coupon at its minimum", |terms| {
            costs(terms, 5_000);
            uses(terms, COUPON);
        }),
        ("two coupons that may be stacked", |terms| uses_all(terms, &[STACKED, STACKED_TOO])),
        ("levels within the cap", |terms| {
            terms.splits =
                splits(&[bps(agent(1), 3_000), within(bps(agent(2), 10_000), 0), within(remainder(3), 1)]);
        }),
        ("tiers", |terms| terms.splits = splits(&[tiered(1, &[(0, 100), (5_000, 3_000)])])),
        ("sold by the platform itself", |terms| sells(terms, house())),
        ("sold by a person", |terms| sells(terms, buyer(1))),
    ];
    for (name, change) in table {
        assert_eq!(answer(*change), Ok(()), "{name}");
    }
}

#[test]
fn every_fault_has_its_code() {
    use RejectCode as R;
    let table: &[(&str, Change, RejectCode, &str)] = &[
        ("no number", |terms| terms.order_no = "".into(), R::MissingField, "order_no"),
        ("no seller", |terms| terms.sub_orders.clear(), R::MissingField, "sub_orders"),
        ("balance of nobody", |terms| terms.kind = PayKind::Balance, R::MissingField, "payer"),
        ("no agreement", |terms| terms.kind = PayKind::QuickPay, R::MissingField, "agreement_no"),
        ("unknown merchant", |terms| sells(terms, merchant(9)), R::UnknownAccount, "sub_orders.merchant"),
        ("other mall's", |terms| sells(terms, merchant(STRANGER)), R::UnknownAccount, "sub_orders.merchant"),
        (
            "other mall itself",
            |terms| sells(terms, foreign_house()),
            R::UnknownAccount,
            "sub_orders.merchant",
        ),
        (
            "unknown agent",
            |terms| terms.splits = smallvec![bps(agent(9), 1)],
            R::UnknownAccount,
            "splits.receiver",
        ),
        (
            "other mall's buyer",
            |terms| {
                terms.kind = PayKind::Balance;
                terms.payer_account = Some(buyer(STRANGER));
            },
            R::UnknownAccount,
            "payer",
        ),
        ("unknown bank", |terms| terms.bank = Bank::from_code("NOBANK"), R::UnknownBank, "bank"),
        ("unknown campaign", |terms| uses(terms, CampaignId(99)), R::UnknownCampaign, "coupons"),
        ("other mall's campaign", |terms| uses(terms, CAMPAIGN_OF_OTHERS), R::UnknownCampaign, "coupons"),
        ("costs nothing", |terms| costs(terms, 0), R::AmountZero, "amount"),
        (
            "a part costs nothing",
            |terms| terms.sub_orders.push(sold(2, 0)),
            R::AmountZero,
            "sub_orders.amount",
        ),
        ("too dear", |terms| costs(terms, Amount::MAX.minor() + 1), R::AmountTooLarge, "amount"),
        (
            "parts below",
            |terms| terms.sub_orders = smallvec![sold(1, 9_999)],
            R::AmountMismatch,
            "sub_orders",
        ),
        ("parts above", |terms| terms.sub_orders.push(sold(2, 1)), R::AmountMismatch, "sub_orders"),
        (
            "parts beyond 64 bits",
            |terms| {
                terms.sub_orders = smallvec![sold(1, u64::MAX), sold(2, 10_001)];
            },
            R::AmountMismatch,
            "sub_orders",
        ),
        ("other face value", |terms| *terms = less(999, terms.clone()), R::AmountMismatch, "coupons"),
        (
            "other funders",
            |terms| {
                uses(terms, COUPON);
                terms.coupons[0].funders[0].0 = house();
            },
            R::AmountMismatch,
            "coupons",
        ),
        (
            "merchant in dollars",
            |terms| sells(terms, merchant(DOLLARS)),
            R::CurrencyMismatch,
            "sub_orders.merchant",
        ),
        ("order in euro", |terms| terms.currency = Currency::Eur, R::CurrencyMismatch, "sub_orders.merchant"),
        ("campaign in dollars", |terms| uses(terms, CAMPAIGN_IN_DOLLARS), R::CurrencyMismatch, "coupons"),
        ("already over", |terms| terms.expires_at = NOW, R::InvalidExpiry, "expires_at"),
        (
            "too far ahead",
            |terms| {
                terms.expires_at = NOW + DurationMs::from_days(90) + DurationMs(1);
            },
            R::InvalidExpiry,
            "expires_at",
        ),
        ("never", |terms| terms.expires_at = TimestampMs::NEVER, R::InvalidExpiry, "expires_at"),
        (
            "into a deposit",
            |terms| {
                sells(terms, AccountId::opened(AccountType::Deposit, 1, 3));
            },
            R::AccountTypeNotAllowed,
            "sub_orders.merchant",
        ),
        (
            "into escrow",
            |terms| {
                sells(terms, AccountId::internal(AccountType::Escrow, PLATFORM.0, Currency::Cny, 0));
            },
            R::AccountTypeNotAllowed,
            "sub_orders.merchant",
        ),
        (
            "paid by a merchant",
            |terms| {
                terms.kind = PayKind::Balance;
                terms.payer_account = Some(merchant(1));
            },
            R::AccountTypeNotAllowed,
            "payer",
        ),
        ("51 receivers", |terms| terms.splits = many(51), R::SplitTooMany, "splits"),
        (
            "over 100 %",
            |terms| {
                terms.splits = smallvec![bps(agent(1), 10_000), bps(agent(2), 1)];
            },
            R::SplitOverWhole,
            "splits",
        ),
        (
            "over the whole in sums",
            |terms| terms.splits = smallvec![fixed(agent(1), 10_001)],
            R::SplitOverWhole,
            "splits",
        ),
        (
            "beyond 64 bits",
            |terms| {
                terms.splits = smallvec![fixed(agent(1), u64::MAX), fixed(agent(2), u64::MAX)];
            },
            R::SplitOverWhole,
            "splits",
        ),
        (
            "a share above all shares",
            |terms| terms.splits = smallvec![bps(agent(1), u32::MAX)],
            R::SplitOverWhole,
            "splits",
        ),
        (
            "a cent over the cap",
            |terms| {
                terms.splits = smallvec![bps(agent(1), 2_900), fixed(house(), 101)];
            },
            R::SplitOverCap,
            "splits",
        ),
        ("all of it to an agent", |terms| terms.splits = splits(&[remainder(1)]), R::SplitOverCap, "splits"),
        (
            "a tier above the cap",
            |terms| terms.splits = splits(&[tiered(1, &[(0, 100), (5_000, 3_001)])]),
            R::SplitOverCap,
            "splits",
        ),
        (
            "more than its agent has",
            |terms| terms.splits = splits(&[bps(agent(1), 1_000), within(fixed(agent(2), 1_001), 0)]),
            R::SplitOverWhole,
            "splits",
        ),
        (
            "within a later one",
            |terms| terms.splits = splits(&[within(bps(agent(1), 1), 1), bps(agent(2), 1)]),
            R::InvalidField,
            "splits",
        ),
        (
            "two remainders",
            |terms| {
                terms.splits = splits(&[bps(agent(1), 1), within(remainder(2), 0), within(remainder(3), 0)])
            },
            R::InvalidField,
            "splits",
        ),
        (
            "tiers in disorder",
            |terms| terms.splits = splits(&[tiered(1, &[(5_000, 1), (0, 2)])]),
            R::InvalidField,
            "splits",
        ),
        (
            "coupons that go alone",
            |terms| uses_all(terms, &[COUPON, STACKED]),
            R::CouponNotStackable,
            "coupons",
        ),
        (
            "two of one campaign",
            |terms| {
                uses(terms, STACKED);
                terms.coupons.push(terms.coupons[0].clone());
            },
            R::InvalidField,
            "coupons",
        ),
        ("coupon for other merchants", |terms| uses(terms, CAMPAIGN_ELSEWHERE), R::CouponMerchant, "coupons"),
        ("coupon of yesterday", |terms| uses(terms, CAMPAIGN_OVER), R::CouponExpired, "coupons"),
        ("coupon of tomorrow", |terms| uses(terms, CAMPAIGN_TO_COME), R::CouponExpired, "coupons"),
        (
            "spends too little",
            |terms| {
                costs(terms, 4_999);
                uses(terms, COUPON);
            },
            R::CouponMinimumSpend,
            "coupons",
        ),
    ];
    for (name, change, code, field) in table {
        assert_eq!(answer(*change), Err((*code, *field)), "{name}");
    }
}

#[test]
fn a_coupon_never_pays_the_whole_price() {
    let shop = Shop::default();
    let town = Town::usual().with_campaign(Campaign { minimum_spend: fen(1), ..campaign() });
    for (amount, expected) in
        [(1_001, None), (1_000, Some(RejectCode::CouponOverPrice)), (999, Some(RejectCode::CouponOverPrice))]
    {
        let mut terms = terms();
        costs(&mut terms, amount);
        uses(&mut terms, COUPON);
        let answer = check(&terms, NOW, &shop.policy, &shop.router, &town);
        assert_eq!(answer.err().map(|reject| reject.code), expected, "{amount}");
    }
}

/// Every fault at once; then the first is mended, and the next in precedence is told.
#[test]
fn the_first_code_in_precedence_is_told() {
    let mends: &[(&str, Change)] = &[
        ("number", |terms| terms.order_no = "A-1".into()),
        ("known seller", |terms| sells(terms, AccountId::opened(AccountType::Deposit, 1, 3))),
        ("bank", |terms| terms.bank = None),
        ("campaign", |terms| uses(terms, CAMPAIGN_OVER)),
        ("part", |terms| _ = terms.sub_orders.pop()),
        ("size", |terms| terms.amount = fen(2_000)),
        ("sum", |terms| terms.sub_orders[0].amount = fen(2_000)),
        ("currency", |terms| _ = terms.splits.pop()),
        ("expiry", |terms| terms.expires_at = NOW + TTL),
        ("type", |terms| sells(terms, merchant(1))),
        ("count", |terms| terms.splits.truncate(3)),
        ("whole", |terms| _ = terms.splits.remove(0)),
        ("cap", |terms| _ = terms.splits.remove(0)),
        ("time", |terms| uses(terms, COUPON)),
        ("spend", |terms| costs(terms, 5_000)),
    ];
    let mut terms = terms();
    terms.order_no = "".into();
    terms.bank = Bank::from_code("NOBANK");
    terms.expires_at = NOW;
    terms.amount = fen(Amount::MAX.minor() + 1);
    terms.sub_orders = smallvec![
        SubOrder { merchant: merchant(99), amount: fen(9_999) },
        SubOrder { merchant: merchant(1), amount: fen(0) },
    ];
    terms.splits = many(51);
    terms.splits.insert(0, bps(agent(1), 9_000));
    terms.splits.insert(0, bps(agent(1), 9_000));
    terms.splits.push(bps(merchant(DOLLARS), 1));
    uses(&mut terms, CampaignId(99));
    let shop = Shop::default();
    let mut told = Vec::new();
    for (_, mend) in mends {
        // The mall prices its coupon anew each time.
        let campaign = terms.coupons[0].campaign;
        uses(&mut terms, campaign);
        let code = check(&terms, NOW, &shop.policy, &shop.router, &town()).unwrap_err().code;
        told.push(code.code());
        mend(&mut terms);
    }
    uses(&mut terms, COUPON);
    let expected = [
        "missing_field",
        "unknown_account",
        "unknown_bank",
        "unknown_campaign",
        "amount_zero",
        "amount_too_large",
        "amount_mismatch",
        "currency_mismatch",
        "invalid_expiry",
        "account_type_not_allowed",
        "split_too_many",
        "split_over_whole",
        "split_over_cap",
        "coupon_expired",
        "coupon_minimum_spend",
    ];
    assert_eq!(told, expected);
    assert_eq!(check(&terms, NOW, &shop.policy, &shop.router, &town()), Ok(()));
}

#[test]
fn holds_are_what_the_payer_and_the_fund_give() {
    let id = suanpan_model::OrderId::following(suanpan_model::OrderId(0), NOW, 0x13);
    let holds = |terms: &OrderTerms| -> Vec<_> {
        holds_needed(id, terms)
            .iter()
            .map(|need| match need {
                HoldNeed::Money { hold, whole: true } => {
                    (hold.no, hold.account.kind(), hold.account.bucket(), hold.amount.minor())
                }
                other => panic!("{other:?}"),
            })
            .collect()
    };
    let balance = OrderTerms { kind: PayKind::Balance, payer_account: Some(buyer(1)), ..terms() };
    let both = less(1_000, balance.clone());
    let fund = less(1_000, terms());
    assert_eq!(holds(&terms()), []);
    assert_eq!(holds(&balance), [(1, AccountType::Cash, 3, 10_000)]);
    // The fund's stripe is the order's: 0x13 & 15.
    assert_eq!(holds(&fund), [(2, AccountType::CouponFund, 3, 1_000)]);
    assert_eq!(holds(&both), [(1, AccountType::Cash, 3, 9_000), (2, AccountType::CouponFund, 3, 1_000)]);
}
