//! Coupons: what they take off a price, who pays for it, and when they may be used.

use smallvec::{SmallVec, smallvec};
use suanpan_model::{
    AccountId, Amount, Campaign, CouponUse, Currency, Reject, RejectCode, SubOrder, TimestampMs, Worth,
};

use crate::split::{allocate, sum};

/// Most coupons that one order can use.
pub const COUPONS_MAX: usize = 10;

/// What the coupons of these campaigns take off these sub-orders, in the order in which they are applied: by rank,
/// then by number. Each works on what the ones before it left of the sub-orders that it is for; its shares follow
/// that by largest remainder, and so do the funders' parts. Source: domain.md, Coupons.
#[must_use]
pub fn uses(campaigns: &[&Campaign], sub_orders: &[SubOrder]) -> Vec<CouponUse> {
    let mut campaigns: SmallVec<[&Campaign; 4]> = campaigns.iter().copied().collect();
    campaigns.sort_by_key(|campaign| (campaign.rank, campaign.id));
    let mut left: SmallVec<[Amount; 4]> = sub_orders.iter().map(|sub_order| sub_order.amount).collect();
    let mut uses = Vec::with_capacity(campaigns.len());
    for campaign in campaigns {
        let base: SmallVec<[u64; 8]> = sub_orders
            .iter()
            .zip(&left)
            .map(|(sub_order, left)| if campaign.is_for(sub_order.merchant) { left.minor() } else { 0 })
            .collect();
        let total = Amount::from_minor(base.iter().sum());
        let subsidy = worth(campaign.worth, total);
        let shares: SmallVec<[Amount; 1]> = match base.len() {
            0 => SmallVec::new(),
            1 => smallvec![subsidy],
            _ => allocate(subsidy, &base).into_iter().collect(),
        };
        for (left, share) in left.iter_mut().zip(&shares) {
            *left = left.minor().checked_sub(share.minor()).map_or(Amount::ZERO, Amount::from_minor);
        }
        uses.push(CouponUse {
            campaign: campaign.id,
            subsidy,
            funders: funders(campaign, subsidy),
            shares,
            valid_until: campaign.valid_until,
            counted: campaign.is_counted(),
        });
    }
    uses
}

fn worth(worth: Worth, base: Amount) -> Amount {
    match worth {
        Worth::Face(face) => face.min(base),
        Worth::Percent { bps, cap } => {
            let part = u128::from(base.minor()) * u128::from(bps.min(10_000)) / 10_000;
            let part = Amount::from_minor(u64::try_from(part).expect("a part is no larger than the whole"));
            cap.map_or(part, |cap| part.min(cap))
        }
    }
}

fn funders(campaign: &Campaign, subsidy: Amount) -> SmallVec<[(AccountId, Amount); 1]> {
    if let [one] = campaign.funders[..] {
        return smallvec![(one.account, subsidy)];
    }
    let weights: SmallVec<[u64; 8]> = campaign.funders.iter().map(|funder| u64::from(funder.bps)).collect();
    if weights.is_empty() {
        return SmallVec::new();
    }
    let parts = allocate(subsidy, &weights);
    campaign.funders.iter().zip(parts).map(|(funder, part)| (funder.account, part)).collect()
}

/// Says of one coupon of an order why it cannot be used now; `together` tells whether there are others.
///
/// # Errors
/// In precedence: `currency_mismatch`, `coupon_not_stackable`, `coupon_merchant`, `coupon_expired`,
/// `coupon_minimum_spend`.
pub fn check_use(
    campaign: &Campaign,
    coupon: &CouponUse,
    sub_orders: &[SubOrder],
    currency: Currency,
    together: bool,
    now: TimestampMs,
) -> Result<(), Reject> {
    let refuse = |code, expected: String| Err(Reject::new(code, "coupons", expected));
    if campaign.currency != currency {
        return refuse(RejectCode::CurrencyMismatch, format!("a campaign in {currency}"));
    }
    if together && !campaign.stackable {
        let expected = format!("campaign {} alone: its coupons cannot be used with others", campaign.id);
        return refuse(RejectCode::CouponNotStackable, expected);
    }
    let eligible: SmallVec<[Amount; 4]> = sub_orders
        .iter()
        .filter(|sub_order| campaign.is_for(sub_order.merchant))
        .map(|sub_order| sub_order.amount)
        .collect();
    if eligible.is_empty() {
        return refuse(
            RejectCode::CouponMerchant,
            "a sub-order of a merchant that the campaign is for".into(),
        );
    }
    if now < campaign.valid_from || now >= campaign.valid_until {
        return refuse(RejectCode::CouponExpired, "a coupon that is valid now".into());
    }
    if sum(&eligible) < campaign.minimum_spend {
        let spend = campaign.minimum_spend.to_text(currency);
        return refuse(RejectCode::CouponMinimumSpend, format!("eligible sub-orders of at least {spend}"));
    }
    if coupon.subsidy.is_zero() {
        let expected = "sub-orders on which the coupon is worth something".into();
        return refuse(RejectCode::CouponMinimumSpend, expected);
    }
    Ok(())
}

/// Says why a campaign cannot be recorded as it is. Whether its accounts exist is for the caller to know.
///
/// # Errors
/// In precedence: `amount_zero`, `amount_too_large`, `invalid_field`, `currency_mismatch`, `account_type_not_allowed`,
/// `invalid_funder`.
pub fn check_campaign(campaign: &Campaign) -> Result<(), Reject> {
    let refuse = |code, field, expected: &str| Err(Reject::new(code, field, expected));
    let worthless = match campaign.worth {
        Worth::Face(face) => face.is_zero(),
        Worth::Percent { bps, cap } => bps == 0 || cap.is_some_and(Amount::is_zero),
    };
    if worthless {
        return refuse(RejectCode::AmountZero, "worth", "a coupon that is worth something");
    }
    let too_large = match campaign.worth {
        Worth::Face(face) => face > Amount::MAX,
        Worth::Percent { bps, cap } => bps > 10_000 || cap.is_some_and(|cap| cap > Amount::MAX),
    };
    if too_large || campaign.minimum_spend > Amount::MAX {
        return refuse(RejectCode::AmountTooLarge, "worth", "at most 100 % and amounts within the limit");
    }
    if campaign.valid_until <= campaign.valid_from {
        return refuse(RejectCode::InvalidField, "valid_until", "a time after valid_from");
    }
    if campaign.stock == Some(0) || campaign.per_customer == Some(0) {
        return refuse(RejectCode::InvalidField, "stock", "at least one coupon, or no limit");
    }
    if let Some(funder) = campaign.funders.iter().find(|funder| !funder.account.kind().may_fund_coupons()) {
        let expected = format!("a coupon fund or marketing account, not {}", funder.account.kind().name());
        return Err(Reject::new(RejectCode::AccountTypeNotAllowed, "funders", expected));
    }
    let total: u64 = campaign.funders.iter().map(|funder| u64::from(funder.bps)).sum();
    if total != 10_000 || campaign.funders.iter().any(|funder| funder.bps == 0) {
        return refuse(RejectCode::InvalidFunder, "funders", "parts above zero that add up to 100 %");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use smallvec::smallvec;
    use suanpan_model::{AccountType, CampaignId, Funder, PlatformId};

    use super::*;

    fn fen(minor: u64) -> Amount {
        Amount::from_minor(minor)
    }

    fn merchant(number: u64) -> AccountId {
        AccountId::opened(AccountType::Settlement, number, 0)
    }

    fn fund() -> AccountId {
        AccountId::internal(AccountType::CouponFund, 7, Currency::Cny, 0)
    }

    fn campaign(id: u32, worth: Worth) -> Campaign {
        Campaign {
            id: CampaignId(id),
            platform: PlatformId(7),
            currency: Currency::Cny,
            worth,
            minimum_spend: fen(0),
            valid_from: TimestampMs(100),
            valid_until: TimestampMs(200),
            funders: smallvec![Funder { account: fund(), bps: 10_000 }],
            merchants: Vec::new(),
            stock: None,
            per_customer: None,
            stackable: true,
            rank: 0,
            claimable: true,
        }
    }

    fn cart(amounts: &[u64]) -> Vec<SubOrder> {
        let one = |(place, amount): (usize, &u64)| SubOrder {
            merchant: merchant(place as u64 + 1),
            amount: fen(*amount),
        };
        amounts.iter().enumerate().map(one).collect()
    }

    fn told(uses: &[CouponUse]) -> Vec<(u32, u64, Vec<u64>)> {
        let shares = |coupon: &CouponUse| coupon.shares.iter().map(|share| share.minor()).collect();
        uses.iter().map(|coupon| (coupon.campaign.0, coupon.subsidy.minor(), shares(coupon))).collect()
    }

    #[test]
    fn worth_and_shares_by_hand() {
        // 10.00 over 33.33 + 66.67: exact 3.333 and 6.667: floors 3.33 + 6.66, the cent to .7.
        let ten = campaign(1, Worth::Face(fen(1_000)));
        assert_eq!(told(&uses(&[&ten], &cart(&[3_333, 6_667]))), [(1, 1_000, vec![333, 667])]);
        // 0.01 over three equals: the first declared.
        let cent = campaign(1, Worth::Face(fen(1)));
        assert_eq!(told(&uses(&[&cent], &cart(&[5, 5, 5]))), [(1, 1, vec![1, 0, 0])]);
        // 15 % of 0.99 is 0.1485, rounded down.
        let percent = campaign(1, Worth::Percent { bps: 1_500, cap: None });
        assert_eq!(told(&uses(&[&percent], &cart(&[99]))), [(1, 14, vec![14])]);
        // 15 % of 200.00 is 30.00, capped at 20.00.
        let capped = campaign(1, Worth::Percent { bps: 1_500, cap: Some(fen(2_000)) });
        assert_eq!(told(&uses(&[&capped], &cart(&[20_000]))), [(1, 2_000, vec![2_000])]);
        // Never more than the eligible price.
        assert_eq!(told(&uses(&[&ten], &cart(&[700]))), [(1, 700, vec![700])]);
    }

    #[test]
    fn the_order_of_application_counts() {
        let face = campaign(1, Worth::Face(fen(1_000)));
        let half = campaign(2, Worth::Percent { bps: 5_000, cap: None });
        // By number: 10.00 off 30.00, then half of 20.00.
        let by_number = uses(&[&half, &face], &cart(&[3_000]));
        assert_eq!(told(&by_number), [(1, 1_000, vec![1_000]), (2, 1_000, vec![1_000])]);
        // By rank: half of 30.00 first, then 10.00.
        let first = Campaign { rank: 0, ..half };
        let later = Campaign { rank: 1, ..face };
        let by_rank = uses(&[&later, &first], &cart(&[3_000]));
        assert_eq!(told(&by_rank), [(2, 1_500, vec![1_500]), (1, 1_000, vec![1_000])]);
    }

    #[test]
    fn only_eligible_merchants_and_declared_funders() {
        let mut shared = campaign(1, Worth::Face(fen(1_001)));
        shared.merchants = vec![merchant(2)];
        let marketing = AccountId::opened(AccountType::Marketing, 9, 0);
        shared.funders =
            smallvec![Funder { account: fund(), bps: 3_333 }, Funder { account: marketing, bps: 6_667 }];
        let used = uses(&[&shared], &cart(&[5_000, 4_000]));
        assert_eq!(told(&used), [(1, 1_001, vec![0, 1_001])]);
        // 10.01 × 33.33 % = 3.336, 66.67 % = 6.673: floors 3.33 + 6.67 leave a cent, .6 > .3.
        assert_eq!(used[0].funders[..], [(fund(), fen(334)), (marketing, fen(667))]);
    }

    #[test]
    fn uses_are_refused_for_a_reason() {
        let usual = campaign(1, Worth::Face(fen(100)));
        let code = |campaign: &Campaign, together, now| {
            let cart = cart(&[1_000]);
            let used = uses(&[campaign], &cart);
            check_use(campaign, &used[0], &cart, Currency::Cny, together, TimestampMs(now))
                .map_err(|reject| reject.code)
        };
        assert_eq!(code(&usual, false, 150), Ok(()));
        assert_eq!(code(&usual, false, 99), Err(RejectCode::CouponExpired));
        assert_eq!(code(&usual, false, 100), Ok(()));
        assert_eq!(code(&usual, false, 199), Ok(()));
        assert_eq!(code(&usual, false, 200), Err(RejectCode::CouponExpired));
        let alone = Campaign { stackable: false, ..usual.clone() };
        assert_eq!(code(&alone, true, 150), Err(RejectCode::CouponNotStackable));
        assert_eq!(code(&alone, false, 150), Ok(()));
        let elsewhere = Campaign { merchants: vec![merchant(9)], ..usual.clone() };
        assert_eq!(code(&elsewhere, false, 150), Err(RejectCode::CouponMerchant));
        let large = Campaign { minimum_spend: fen(1_001), ..usual.clone() };
        assert_eq!(code(&large, false, 150), Err(RejectCode::CouponMinimumSpend));
        let nothing = Campaign { worth: Worth::Percent { bps: 1, cap: None }, ..usual };
        assert_eq!(code(&nothing, false, 150), Err(RejectCode::CouponMinimumSpend));
    }
}
