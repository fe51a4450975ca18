//! Expected cents, worked by hand. Balances are on the account's normal side: clearing and fee expense grow by
//! debits, all others by credits. Channel fees are 0.6 % unless the channel says another.

use suanpan_model::policy::{FeeBearer, LatePayment};
use suanpan_model::{FailureKind, OrderTerms, Outcome, PayKind, ReportSource, TimestampMs};

use super::build::*;

fn released(life: &Life) -> Vec<u64> {
    life.order.parts.iter().map(|part| part.released.minor()).collect()
}

fn refunded(life: &Life) -> Vec<u64> {
    life.order.parts.iter().map(|part| part.refunded().minor()).collect()
}

#[track_caller]
fn expect(life: &Life, expected: &[(&str, i128)]) {
    let books: Vec<(String, i128)> = books(&life.order).into_iter().collect();
    let mut expected: Vec<(String, i128)> =
        expected.iter().map(|(account, balance)| ((*account).to_owned(), *balance)).collect();
    expected.sort();
    assert_eq!(books, expected, "{}", standing(&life.order));
}

/// The price is that of the sub-orders together.
fn cart(sub_orders: &[(u64, u64)], splits: &[suanpan_model::SplitRule]) -> OrderTerms {
    OrderTerms {
        amount: fen(sub_orders.iter().map(|(_, amount)| amount).sum()),
        sub_orders: sub_orders.iter().map(|(number, amount)| sold(*number, *amount)).collect(),
        splits: splits.iter().cloned().collect(),
        ..terms()
    }
}

fn back(amount: u64) -> Outcome {
    Outcome::Succeeded { channel_no: "C-R".into(), amount: fen(amount), fee: None }
}

/// Refunds `amount` and has the channel give back `to_payer`.
#[track_caller]
fn refund(life: &mut Life, refund_no: &str, amount: u64, to_payer: u64) {
    assert!(life.refunds(refund_no, amount).starts_with("refund_started"));
    let refund = life.order.refunds.last().unwrap();
    assert_eq!(refund.to_payer, fen(to_payer), "{refund_no}");
    if refund.state.is_alive() {
        let number = refund.no;
        assert!(life.hears_of_refund(number, back(to_payer)).starts_with("refund_succeeded"));
    }
}

/// 100.00 with a coupon of 10.00: the buyer pays 90.00, the channel takes 0.6 % of it, 0.54.
#[test]
fn payment_is_frozen_with_the_subsidy() {
    let life = Life::paid(less(1_000, terms()));
    expect(&life, &[("clearing 1", 9_000 - 54), ("fee expense 1", 54), ("fund", -1_000), ("escrow", 10_000)]);
}

/// Two merchants, 60.00 and 40.00. House 5 % = 5.00, agent 1 2.00 fixed. Fee 0.54. Merchants bear 7.54 at 60 : 40:
/// 4.524 and 3.016, floors 4.52 + 3.01 leave 0.01 for the larger remainder, .6 of merchant 2: 4.52 and 3.02.
#[test]
fn release_divides_the_whole() {
    let mut life =
        Life::paid(less(1_000, cart(&[(1, 6_000), (2, 4_000)], &[bps(house(), 500), fixed(agent(1), 200)])));
    assert_eq!(life.releases(None, None), "released + settled");
    let expected = [
        ("clearing 1", 8_946),
        ("fee expense 1", 54),
        ("fund", -1_000),
        ("house", 500),
        ("agent 1", 200),
        ("fees", 54),
        ("merchant 1", 6_000 - 452),
        ("merchant 2", 4_000 - 302),
    ];
    expect(&life, &expected);
}

/// A cent: 0.6 % of it rounds to nothing; house 30 % of a cent: .3 against .7, so nothing.
#[test]
fn one_cent() {
    let mut life = Life::paid(cart(&[(1, 1)], &[bps(house(), 3_000)]));
    expect(&life, &[("clearing 1", 1), ("escrow", 1)]);
    life.releases(None, None);
    expect(&life, &[("clearing 1", 1), ("merchant 1", 1)]);
    // The channel says that it took the cent: the merchant bears it.
    let mut life = Life::redirected(cart(&[(1, 1)], &[bps(house(), 3_000)]));
    let with_fee = Outcome::Succeeded { channel_no: "C".into(), amount: fen(1), fee: Some(fen(1)) };
    life.hears(1, ReportSource::PayNotice, with_fee);
    life.releases(None, None);
    expect(&life, &[("fee expense 1", 1), ("fees", 1)]);
}

/// 1.01 three ways at 33.33 %, above the usual cap, so by hand: 33.6633 each and .0101 for the merchant. Floors
/// 33 × 3 + 0 leave 2 cents: remainders .6633 three times tie, the first two declared get them.
#[test]
fn thirds_tie_in_declared_order() {
    let thirds = [bps(agent(1), 3_333), bps(agent(2), 3_333), bps(agent(3), 3_333)];
    let mut life = Life::paid(cart(&[(1, 101)], &thirds));
    // Fee 0.6 % of 1.01 = 0.00606, rounded to 0.01; nothing is left that could bear it.
    life.releases(None, None);
    let expected =
        [("clearing 1", 100), ("fee expense 1", 1), ("agent 1", 34), ("agent 2", 34), ("agent 3", 33)];
    expect(&life, &expected);
}

/// Primes: 9.97 + 0.07 + 20.03 = 30.07; house 7.77 % = 2.3364 → 2.34 (remainder .6439 > .3561), fee 0.6 % =
/// 0.18042 → 0.18. Of the 2.34 at 997 : 7 : 2003 = 77.58, 0.54, 155.87 the two missing cents go to .87 and .58: 78, 0,
/// 156; of the fee 5.97, 0.04, 11.99 to .99 and .97: 6, 0, 12.
#[test]
fn primes_add_up() {
    let mut life = Life::paid(cart(&[(1, 997), (2, 7), (3, 2_003)], &[bps(house(), 777)]));
    life.releases(None, None);
    let expected = [
        ("clearing 1", 2_989),
        ("fee expense 1", 18),
        ("house", 234),
        ("fees", 18),
        ("merchant 1", 997 - 84),
        ("merchant 2", 7),
        ("merchant 3", 2_003 - 168),
    ];
    expect(&life, &expected);
}

/// 10.00 to merchant 1: agent 1 fixed 2.50, fee 0.06, so 7.44 for the merchant. In parts, each up to the cumulative
/// target:
/// 1.00: 25 + 0.6 + 74.4, the missing cent to .6: 0.25, 0.01, 0.74.
/// 3.33: of 4.33 so far 108.25 + 2.598 + 322.152, the missing cent to .598: 1.08, 0.03, 3.22.
/// 5.67: everything: 2.50, 0.06, 7.44.
#[test]
fn partial_releases_close_to_the_cent() {
    let mut life = Life::paid(cart(&[(1, 1_000)], &[fixed(agent(1), 250)]));
    let paid = [("clearing 1", 994), ("fee expense 1", 6)];
    assert_eq!(life.releases(None, Some(100)), "released");
    expect(
        &life,
        &[&paid[..], &[("escrow", 900), ("agent 1", 25), ("fees", 1), ("merchant 1", 74)]].concat(),
    );
    assert_eq!(life.releases(Some(0), Some(333)), "released");
    expect(
        &life,
        &[&paid[..], &[("escrow", 567), ("agent 1", 108), ("fees", 3), ("merchant 1", 322)]].concat(),
    );
    assert_eq!(life.releases(None, None), "released + settled");
    expect(&life, &[&paid[..], &[("agent 1", 250), ("fees", 6), ("merchant 1", 744)]].concat());
}

/// 60.00 and 40.00; sub-order 1 alone, then a part of all: 10.00 over 60 : 0 left.
#[test]
fn sub_orders_are_released_one_by_one() {
    let mut life = Life::paid(cart(&[(1, 6_000), (2, 4_000)], &[]));
    life.releases(Some(1), None);
    assert_eq!(released(&life), [0, 4_000]);
    assert_eq!(life.releases(Some(1), None), "! exceeds_frozen");
    life.releases(None, Some(1_000));
    assert_eq!(released(&life), [1_000, 4_000]);
    // Fee 0.60: 0.24 with 40.00, 0.30 with 50.00 so far.
    let expected = [
        ("clearing 1", 9_940),
        ("fee expense 1", 60),
        ("escrow", 5_000),
        ("fees", 30),
        ("merchant 1", 1_000 - 6),
        ("merchant 2", 4_000 - 24),
    ];
    expect(&life, &expected);
}

/// 10.00, coupon 3.33, paid 6.67; fee 0.04002 → 0.04. Refunds of 3.33, 3.33, 3.34 give the payer up to the cumulative
/// targets of 66.7 %: 2.22(11), then 4.44(22) − 2.22, then 6.67 − 4.44 = 2.23; the fund 1.11 + 1.11 + 1.11.
#[test]
fn partial_refunds_close_to_the_cent() {
    let mut life = Life::paid(less(333, cart(&[(1, 1_000)], &[])));
    refund(&mut life, "R-1", 333, 222);
    refund(&mut life, "R-2", 333, 222);
    let before = [("clearing 1", 667 - 4 - 444), ("fee expense 1", 4), ("fund", -111), ("escrow", 334)];
    expect(&life, &before);
    refund(&mut life, "R-3", 334, 223);
    assert_eq!(standing(&life.order).split(',').next(), Some("refunded"));
    expect(&life, &[("clearing 1", -4), ("fee expense 1", 4)]);
}

/// A refund that failed counts for nothing: the next ones still close to the cent.
#[test]
fn a_failed_refund_leaves_no_cent_behind() {
    let mut life = Life::paid(less(333, cart(&[(1, 1_000)], &[])));
    life.refunds("R-1", 333);
    refund(&mut life, "R-2", 333, 222);
    life.hears_of_refund(1, refused(FailureKind::Channel));
    assert_eq!(life.order.frozen, fen(667));
    // 66.7 % of 3.34 = 2.2278, the missing cent to .78 (the fund's target is 1.1122).
    refund(&mut life, "R-3", 1, 1);
    refund(&mut life, "R-4", 666, 444);
    expect(&life, &[("clearing 1", -4), ("fee expense 1", 4)]);
}

/// Half released, half back: 60.00 + 40.00, coupon 10.00, fee 0.54, house 10 %. Sub-order 0 is released: house
/// 6.00, fee 0.324 → 0.32, merchant 53.68. Then 40.00 back: payer 36.00, fund 4.00. Fee 0.22 stays with us.
#[test]
fn release_and_refund_share_the_order() {
    let terms = less(1_000, cart(&[(1, 6_000), (2, 4_000)], &[bps(house(), 1_000)]));
    let mut life = Life::paid(terms);
    life.releases(Some(0), None);
    refund(&mut life, "R-1", 4_000, 3_600);
    assert_eq!(standing(&life.order).split(',').next(), Some("settled"));
    let expected = [
        ("clearing 1", 9_000 - 54 - 3_600),
        ("fee expense 1", 54),
        ("fund", -600),
        ("house", 600),
        ("fees", 32),
        ("merchant 1", 6_000 - 600 - 32),
    ];
    expect(&life, &expected);
}

/// 10.00 over 70 : 30 left, by the parts left: 7.00 and 3.00.
#[test]
fn a_refund_is_spread_over_the_sub_orders() {
    let mut life = Life::paid(cart(&[(1, 7_000), (2, 3_000)], &[]));
    life.refunds("R-1", 1_000);
    assert_eq!(refunded(&life), [700, 300]);
    assert_eq!(life.order.frozen, fen(9_000), "what goes back can no longer be released");
    assert_eq!(life.releases(None, Some(9_001)), "! exceeds_frozen");
    // 3 cents over 63.00 : 27.00: 2.1 and 0.9 of 3.
    life.refunds("R-2", 3);
    assert_eq!(refunded(&life), [702, 301]);
}

/// Without escrow everything is given at once; with the fee on the platform the merchant gets the full price.
#[test]
fn without_escrow_and_with_the_fee_on_the_platform() {
    let mut shop = Shop::default();
    shop.policy.agreement.fee_bearer = FeeBearer::Platform;
    let plain = OrderTerms { escrow: false, ..less(1_000, cart(&[(1, 10_000)], &[bps(agent(2), 100)])) };
    let mut life = Life::begin_in(shop, plain);
    let paid = paid_in_full(&life.order);
    assert_eq!(life.hears(1, ReportSource::PayAnswer, paid), "paid(1) + released + settled");
    let expected = [
        ("clearing 1", 8_946),
        ("fee expense 1", 54),
        ("fund", -1_000),
        ("agent 2", 100),
        ("merchant 1", 9_900),
    ];
    expect(&life, &expected);
}

/// From an e-account: no channel, no fee; refunds are there at once, the fund's part included.
#[test]
fn balance_payment() {
    let terms = OrderTerms {
        kind: PayKind::Balance,
        payer_account: Some(buyer(1)),
        ..less(1_000, cart(&[(1, 10_000)], &[bps(house(), 100)]))
    };
    let mut life = Life::begin(terms.clone());
    assert_eq!(standing(&life.order), "frozen");
    expect(&life, &[("buyer 1", -9_000), ("fund", -1_000), ("escrow", 10_000)]);
    refund(&mut life, "R-1", 2_500, 2_250);
    life.releases(None, None);
    // House 1 % of 75.00 = 0.75.
    expect(&life, &[("buyer 1", -6_750), ("fund", -750), ("house", 75), ("merchant 1", 7_425)]);
    let at_once = Life::begin(OrderTerms { escrow: false, ..terms });
    assert_eq!(standing(&at_once.order), "settled");
}

/// Late 90.00 (the coupon is long given back): into suspense, and back; the channel keeps its 0.54.
#[test]
fn late_payments_pass_through_suspense() {
    for (policy, suspense) in [(LatePayment::Refund, 0), (LatePayment::Park, 9_000)] {
        let mut shop = Shop::default();
        shop.policy.agreement.late_payment = policy;
        let mut life = Life::begin_in(shop, less(1_000, terms()));
        life.hears(1, ReportSource::PayAnswer, refused(FailureKind::Declined));
        let paid = paid_in_full(&life.order);
        life.hears(1, ReportSource::PayNotice, paid);
        expect(&life, &[("clearing 1", 8_946), ("fee expense 1", 54), ("suspense", 9_000)]);
        if policy == LatePayment::Refund {
            assert_eq!(life.hears_of_refund(1, back(9_000)), "refund_succeeded");
        }
        let mut expected = vec![("clearing 1", 8_946 - 9_000 + suspense), ("fee expense 1", 54)];
        expected.extend((suspense != 0).then_some(("suspense", suspense)));
        expect(&life, &expected);
        assert_eq!(life.order.next_due(), TimestampMs::NEVER, "nobody waits any more");
    }
}

/// The second of two payments goes back whole while the first is released.
#[test]
fn a_double_payment_goes_back_whole() {
    let mut life = Life::begin(terms());
    life.hears(1, ReportSource::PayAnswer, refused(FailureKind::Channel));
    let paid = paid_in_full(&life.order);
    assert_eq!(life.hears(1, ReportSource::PayNotice, paid.clone()), "paid(1) + frozen");
    assert_eq!(life.hears(2, ReportSource::PayAnswer, paid), "late_paid(2) + refund_started");
    life.does(&release("", None, None));
    assert_eq!(life.hears_of_refund(1, back(10_000)), "refund_succeeded");
    let expected = [
        ("clearing 1", 9_940),
        ("fee expense 1", 60),
        ("clearing 2", -60),
        ("fee expense 2", 60),
        ("fees", 60),
        ("merchant 1", 9_940),
    ];
    expect(&life, &expected);
}

/// The channel's word on its fee replaces the tariff's, and counts in full, as in the channel's own book: the merchant
/// bears it up to what was paid, the operator the rest.
#[test]
fn the_channels_own_fee_counts() {
    for (said, counted) in [(Some(7), 7), (None, 60), (Some(10_001), 10_001)] {
        let mut life = Life::redirected(cart(&[(1, 10_000)], &[]));
        let outcome = Outcome::Succeeded { channel_no: "C".into(), amount: fen(10_000), fee: said.map(fen) };
        life.hears(1, ReportSource::PayNotice, outcome);
        life.releases(None, None);
        let borne = counted.min(10_000);
        let mut expected =
            vec![("fee expense 1", counted), ("fees", borne), ("clearing 1", 10_000 - counted)];
        expected.extend((counted < 10_000).then_some(("merchant 1", 10_000 - counted)));
        expect(&life, &expected);
    }
}
