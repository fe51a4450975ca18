//! What an order must come to, in cents: worked out here once more, plainly, so that the engine is not checked
//! against itself.

use suanpan_model::{Amount, CardType, Tariff};

use crate::operation::Course;

/// The commission of the platform in basis points.
pub const COMMISSION_BPS: u32 = 500;
/// The share of the agent in basis points.
pub const AGENT_BPS: u32 = 200;

/// Who gets what of one order, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Price.
    pub amount: u64,
    /// Part of it that the coupon fund pays.
    pub subsidy: u64,
    /// Part of it that the payer pays.
    pub payable: u64,
    /// What the channel keeps; borne by the merchant.
    pub fee: u64,
    /// What the platform gets.
    pub commission: u64,
    /// What the agent gets.
    pub agent: u64,
    /// What the merchant gets.
    pub merchant: u64,
}

/// The parts of an order of `amount` with a coupon of `subsidy`, of which the channel keeps `fee`, with commissions of
/// platform and agent of `bps` basis points.
#[must_use]
pub fn parts(amount: u64, subsidy: u64, fee: u64, bps: [u32; 2]) -> Parts {
    let split = split(amount, &bps);
    let (commission, agent) = (split[0], split[1]);
    Parts {
        amount,
        subsidy,
        payable: amount - subsidy,
        fee,
        commission,
        agent,
        merchant: amount - commission - agent - fee,
    }
}

/// Divides `amount` among receivers of `bps` basis points each and, last, whoever gets the rest.
#[must_use]
pub fn split(amount: u64, bps: &[u32]) -> Vec<u64> {
    let mut weights: Vec<u64> = bps.iter().map(|part| u64::from(*part)).collect();
    weights.push(10_000 - weights.iter().sum::<u64>());
    by_weight(amount, &weights)
}

/// Divides `amount` in proportion to `weights`, which are not all zero: first everybody's whole cents, then one cent
/// each to those with the largest remainder, the earlier one first.
#[must_use]
pub fn by_weight(amount: u64, weights: &[u64]) -> Vec<u64> {
    let whole: u64 = weights.iter().sum();
    let mut cents: Vec<u64> = weights.iter().map(|weight| amount * weight / whole).collect();
    let mut remainders: Vec<u64> = weights.iter().map(|weight| amount * weight % whole).collect();
    while cents.iter().sum::<u64>() < amount {
        let mut largest = 0;
        for index in 0..remainders.len() {
            if remainders[index] > remainders[largest] {
                largest = index;
            }
        }
        cents[largest] += 1;
        remainders[largest] = 0;
    }
    cents
}

/// The fee of a payment by a channel's tariff: `fixed + amount × rate`, half a cent up, not below the floor, not above
/// the cap of the band.
#[must_use]
pub fn fee(tariff: &Tariff, amount: u64, card: Option<CardType>) -> u64 {
    let credit = card == Some(CardType::Credit) && !tariff.credit.is_empty();
    let bands = if credit { &tariff.credit } else { &tariff.debit };
    for (index, band) in bands.iter().enumerate() {
        let is_last = index + 1 == bands.len();
        let holds = band.up_to.is_none_or(|up_to| amount <= up_to.minor());
        if holds || is_last {
            let half_cents = 2 * amount * u64::from(band.rate_ppm) / 1_000_000;
            let fee = band.fixed.minor() + half_cents.div_ceil(2);
            let fee = if fee < band.floor.minor() { band.floor.minor() } else { fee };
            return match band.cap {
                Some(cap) if fee > cap.minor() => cap.minor(),
                Some(_) | None => fee,
            };
        }
    }
    0
}

/// What an order leaves behind once everything was done with it, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Net {
    /// What the merchant has more than before.
    pub merchant: i128,
    /// What the agent has more.
    pub agent: i128,
    /// What the platform earned.
    pub commission: i128,
    /// What merchants paid for channels.
    pub fee_income: i128,
    /// What the coupon fund paid.
    pub fund: i128,
    /// What the payer got back; nothing when nothing was given back.
    pub refunded: Option<u64>,
}

/// What is left of an order of `parts` after its `course`. A fee that was borne is not given back.
#[must_use]
pub fn net(parts: Parts, course: Course) -> Net {
    let Parts { amount, subsidy, payable, fee, commission, agent, merchant } = parts;
    let released = Net {
        merchant: i128::from(merchant),
        agent: i128::from(agent),
        commission: i128::from(commission),
        fee_income: i128::from(fee),
        fund: i128::from(subsidy),
        refunded: None,
    };
    match course {
        Course::Release | Course::Milestones { .. } => released,
        Course::RefundFrozen => Net { refunded: Some(payable), ..Net::default() },
        Course::RefundReleased { part } => {
            let part = part.map_or(amount, Amount::minor);
            // The merchant gives back its part and that of the channel's fee.
            let back = by_weight(part, &[commission, agent, merchant + fee]);
            let paid = by_weight(part, &[payable, subsidy]);
            Net {
                commission: released.commission - i128::from(back[0]),
                agent: released.agent - i128::from(back[1]),
                merchant: released.merchant - i128::from(back[2]),
                fee_income: released.fee_income,
                fund: released.fund - i128::from(paid[1]),
                refunded: Some(paid[0]),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use suanpan_model::TariffBand;

    use super::*;

    #[test]
    fn cents_by_hand() {
        let table = [
            // amount, subsidy, fee, [commission, agent, merchant]
            (100, 50, 2, [5, 2, 91]),
            (101, 50, 2, [5, 2, 92]), // 5.05 2.02 93.93: the rest has the largest remainder
            (110, 50, 10, [6, 2, 92]), // 5.50 2.20 102.30: one cent is missing, .50 gets it
            (130, 50, 0, [6, 3, 121]), // 6.50 2.60 120.90: two are missing, .90 and .60
            (199, 50, 12, [10, 4, 173]), // 9.95 3.98 185.07: .98 and .95
            (10_000, 500, 30, [500, 200, 9_270]), // exact
            (333_333, 2_000, 1_234, [16_666, 6_667, 308_766]), // 16 666.65 6 666.66 309 999.69: .69 and .66
            (500_000, 2_000, 0, [25_000, 10_000, 465_000]),
        ];
        for (amount, subsidy, fee, [commission, agent, merchant]) in table {
            let found = parts(amount, subsidy, fee, [COMMISSION_BPS, AGENT_BPS]);
            assert_eq!(found.commission + found.agent + found.merchant + found.fee, amount, "{amount}");
            assert_eq!(found.payable + found.subsidy, amount, "{amount}");
            assert_eq!(
                [found.commission, found.agent, found.merchant],
                [commission, agent, merchant],
                "{amount}"
            );
        }
    }

    #[test]
    fn what_is_left_by_hand() {
        // 100.00 with a coupon of 5.00, a fee of 0.30, commissions of 5 and 2 per cent.
        let parts = parts(10_000, 500, 30, [COMMISSION_BPS, AGENT_BPS]);
        let course = |part| Course::RefundReleased { part };
        let table = [
            // course, [merchant, agent, commission, fee income, fund], back to the payer
            (Course::Release, [9_270, 200, 500, 30, 500], None),
            (Course::Milestones { first: Amount::from_minor(1) }, [9_270, 200, 500, 30, 500], None),
            (Course::RefundFrozen, [0, 0, 0, 0, 0], Some(9_500)),
            (course(None), [-30, 0, 0, 30, 0], Some(9_500)),
            // Of 0.10: 0.005, 0.002 and 0.093, the first cent to the largest remainder; 0.095 and 0.005 of coupon.
            (course(Some(Amount::from_minor(10))), [9_261, 200, 499, 30, 500], Some(10)),
            (course(Some(Amount::from_minor(5_000))), [4_620, 100, 250, 30, 250], Some(4_750)),
        ];
        for (course, left, refunded) in table {
            let net = net(parts, course);
            let found = [net.merchant, net.agent, net.commission, net.fee_income, net.fund];
            assert_eq!((found, net.refunded), (left, refunded), "{course:?}");
            let everybody = net.merchant + net.agent + net.commission + net.fee_income - net.fund;
            let payer =
                if course == Course::RefundFrozen { 0 } else { 9_500 - i128::from(refunded.unwrap_or(0)) };
            assert_eq!(everybody, payer, "{course:?}: what the payer is out of pocket is somewhere");
        }
    }

    #[test]
    fn fees_by_hand() {
        let band = |up_to: Option<u64>, rate_ppm, fixed, floor, cap: Option<u64>| TariffBand {
            up_to: up_to.map(Amount::from_minor),
            rate_ppm,
            fixed: Amount::from_minor(fixed),
            floor: Amount::from_minor(floor),
            cap: cap.map(Amount::from_minor),
        };
        let tariff = Tariff {
            debit: vec![band(Some(100_000), 2_000, 0, 5, None), band(None, 1_800, 0, 0, Some(1_000))],
            credit: vec![band(None, 4_200, 10, 0, None)],
        };
        let (debit, credit) = (Some(CardType::Debit), Some(CardType::Credit));
        let table = [
            (50, debit, 5),          // 0.1, raised to the floor
            (100_000, debit, 200),   // the band's last cent
            (100_001, None, 180),    // 180.0018
            (900_000, debit, 1_000), // 1 620, lowered to the cap
            (119, credit, 10),       // 0.4998 and 10 fixed
            (120, credit, 11),       // 0.504 and 10 fixed
            (125, credit, 11),       // 0.525
            (10_000, credit, 52),
        ];
        for (amount, card, cents) in table {
            assert_eq!(fee(&tariff, amount, card), cents, "{amount} {card:?}");
        }
        let half = Tariff { debit: vec![band(None, 5_000, 0, 0, None)], credit: Vec::new() };
        assert_eq!([fee(&half, 100, None), fee(&half, 99, None), fee(&half, 300, credit)], [1, 0, 2]);
    }
}
