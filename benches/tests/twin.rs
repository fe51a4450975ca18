//! The naive twin and the pure core come to the same cents.

use suanpan_benches::core_world::{AGENTS, CoreWorld, MERCHANTS, PLATFORM, agent, merchant, terms};
use suanpan_benches::twin::{House, Twin};
use suanpan_model::{AccountId, AccountType, Amount, Currency, OrderStatus};

const ORDERS: u64 = 5_000;

#[test]
fn the_twin_and_the_core_agree_on_every_account() {
    let (mut world, twin) = (CoreWorld::new(), Twin::default());
    for number in 0..ORDERS {
        let order = world.whole(number);
        assert_eq!(order.status, OrderStatus::Settled);
        let fee = order.attempts[0].route.fee.minor();
        let terms = terms(number);
        assert!(twin.pay(&terms, fee) && !twin.pay(&terms, fee), "taken once");
        assert!(twin.release(&terms) && !twin.release(&terms), "released once");
    }
    let posted = |account: AccountId| world.ledger.account(account).map_or(0, |account| account.posted);
    for number in 0..MERCHANTS {
        assert_eq!(posted(merchant(number)), twin.balance(merchant(number).raw()), "merchant {number}");
    }
    for number in 0..AGENTS {
        assert_eq!(posted(agent(number)), twin.balance(agent(number).raw()), "agent {number}");
    }
    let stripes = |kind, owner| -> i128 {
        let stripe = |stripe| AccountId::internal(kind, owner, Currency::Cny, stripe);
        (0..suanpan_model::ids::STRIPES).map(|number| posted(stripe(number))).sum()
    };
    let fund = i128::from(suanpan_model::ids::STRIPES) * Amount::MAX.signed();
    for (kind, house, before) in [
        (AccountType::CommissionIncome, House::Commission, 0),
        (AccountType::FeeIncome, House::FeeIncome, 0),
        (AccountType::Escrow, House::Escrow, 0),
        (AccountType::CouponFund, House::Fund, fund),
    ] {
        assert_eq!(stripes(kind, PLATFORM.0) - before, twin.balance(house as u64), "{house:?}");
    }
    assert_eq!(twin.sum(), 0);
}
