//! Expected cents of milestones, refunds after release, debts, disputes and coupons, worked by hand. Balances are on the
//! account's normal side, as in the other table of cents.

use smallvec::smallvec;
use suanpan_model::policy::{Agreement, LatePayment, RefundedFee, Shortfall};
use suanpan_model::refund::{FinishWay, RefundState};
use suanpan_model::{
    AttemptNo, Campaign, DurationMs, FailureKind, Funder, OrderCommand, OrderStatus, OrderTerms, Outcome,
    PayKind, ReportSource, SplitRule, Worth,
};

use super::build::*;

#[track_caller]
fn expect(life: &Life, expected: &[(&str, i128)]) {
    let books: Vec<(String, i128)> = books(&life.order).into_iter().collect();
    let mut expected: Vec<(String, i128)> =
        expected.iter().map(|(account, balance)| ((*account).to_owned(), *balance)).collect();
    expected.sort();
    assert_eq!(books, expected, "{}", standing(&life.order));
}

fn sold_with(splits: &[SplitRule]) -> OrderTerms {
    OrderTerms { splits: splits.iter().cloned().collect(), ..terms() }
}

fn shop(change: impl FnOnce(&mut Agreement)) -> Shop {
    let mut shop = Shop::default();
    change(&mut shop.policy.agreement);
    shop
}

/// Paid, and the money is with its receivers.
fn settled(shop: Shop, terms: OrderTerms) -> Life {
    let mut life = Life::begin_in(shop, terms);
    let paid = paid_in_full(&life.order);
    life.hears(1, ReportSource::PayAnswer, paid);
    life.releases(None, None);
    life
}

/// Refunds `amount`, and the channel gives the payer's part back.
#[track_caller]
fn refunds(life: &mut Life, refund_no: &str, amount: u64) -> u64 {
    assert!(life.refunds(refund_no, amount).starts_with("refund_started"), "{}", standing(&life.order));
    let refund = life.order.refunds.last().unwrap();
    let (number, to_payer) = (refund.no, refund.to_payer);
    if refund.state.is_alive() {
        let back = Outcome::Succeeded { channel_no: "C-R".into(), amount: to_payer, fee: None };
        assert!(life.hears_of_refund(number, back).starts_with("refund_succeeded"));
    }
    to_payer.minor()
}

fn agreed(fee: RefundedFee) -> Shop {
    shop(|agreement| agreement.refunded_fee = fee)
}

/// 100.00, house 10 %, fee 0.60: house 10.00, fees 0.60, merchant 89.40. The fee is kept, so the merchant gives back its
/// 90.00. Thirds of 33.33 take back the cumulative targets:
/// 33.33: 3.333 and 29.997, the missing cent to .7: 3.33 and 30.00.
/// 66.66: 6.666 and 59.994, the missing cent to .6: 6.67 and 59.99, so 3.34 and 29.99.
/// 100.00: 10.00 and 90.00, so 3.33 and 30.01.
#[test]
fn refunds_after_release_take_everything_back_to_the_cent() {
    let mut life = settled(agreed(RefundedFee::Keep), sold_with(&[bps(house(), 1_000)]));
    let channel = |clearing| [("clearing 1", clearing), ("fee expense 1", 60), ("fees", 60)];
    expect(&life, &[&channel(9_940)[..], &[("house", 1_000), ("merchant 1", 8_940)]].concat());
    refunds(&mut life, "R-1", 3_333);
    expect(&life, &[&channel(6_607)[..], &[("house", 667), ("merchant 1", 5_940)]].concat());
    refunds(&mut life, "R-2", 3_333);
    expect(&life, &[&channel(3_274)[..], &[("house", 333), ("merchant 1", 2_941)]].concat());
    assert_eq!(life.order.status, OrderStatus::Settled);
    refunds(&mut life, "R-3", 3_334);
    expect(&life, &[&channel(-60)[..], &[("merchant 1", -60)]].concat());
    assert_eq!(life.order.status, OrderStatus::Refunded);
    assert_eq!(life.does(&refund("R-4", None, None)), "! illegal_state");
}

/// The same where the fee is given back: nobody but the operator, who paid the channel, has lost anything.
#[test]
fn a_returned_fee_leaves_receivers_where_they_were() {
    let mut life = settled(agreed(RefundedFee::Return), sold_with(&[bps(house(), 1_000)]));
    // 12.34 %: house 1.234, fee 0.07404, merchant 11.03196: floors 1.23 + 0.07 + 11.03, the missing cent to .4 of the
    // house (.404 of the fee is .404 of a cent: 7.404, house 123.4, merchant 1103.196).
    refunds(&mut life, "R-1", 1_234);
    let left = [("house", 1_000 - 123), ("fees", 60 - 8), ("merchant 1", 8_940 - 1_103)];
    expect(&life, &[&[("clearing 1", 9_940 - 1_234), ("fee expense 1", 60)], &left[..]].concat());
    refunds(&mut life, "R-2", 8_766);
    expect(&life, &[("clearing 1", -60), ("fee expense 1", 60)]);
}

/// Of 40.00 frozen and 60.00 released a refund of 50.00 takes the frozen 40.00 first, then 10.00 of what was released:
/// house 10 % of it 1.00, merchant 9.00.
#[test]
fn frozen_money_goes_back_first() {
    let mut life = Life::paid(sold_with(&[bps(house(), 1_000)]));
    life.releases(None, Some(6_000));
    // Of the fee 0.36, of the house 6.00, so 53.64.
    refunds(&mut life, "R-1", 5_000);
    let expected = [
        ("clearing 1", 4_940),
        ("fee expense 1", 60),
        ("fees", 36),
        ("house", 500),
        ("merchant 1", 5_364 - 900),
    ];
    expect(&life, &expected);
    assert_eq!(life.order.status, OrderStatus::Settled, "nothing is frozen any more");
    assert_eq!(life.refunds("R-2", 5_001), "! exceeds_paid");
    refunds(&mut life, "R-3", 5_000);
    assert_eq!(life.order.status, OrderStatus::Refunded);
}

/// A sub-order's refund takes back what that sub-order gave, and nothing of the others.
#[test]
fn one_sub_order_is_undone_alone() {
    let cart = OrderTerms {
        sub_orders: smallvec![sold(1, 6_000), sold(2, 4_000)],
        splits: smallvec![bps(agent(1), 1_000)],
        ..terms()
    };
    let mut life = settled(agreed(RefundedFee::Return), cart);
    assert_eq!(life.does(&refund("R-1", Some(1), None)), "refund_started");
    let back = Outcome::Succeeded { channel_no: "C-R".into(), amount: fen(4_000), fee: None };
    life.hears_of_refund(1, back);
    // Fee 0.60 at 60 : 40 is 0.36 and 0.24.
    let expected = [
        ("clearing 1", 5_940),
        ("fee expense 1", 60),
        ("fees", 36),
        ("agent 1", 600),
        ("merchant 1", 6_000 - 600 - 36),
    ];
    expect(&life, &expected);
    assert_eq!(life.does(&refund("R-2", Some(1), Some(1))), "! exceeds_paid");
    assert_eq!(life.does(&refund("R-3", Some(2), None)), "! invalid_field");
}

/// A milestone of 30.00 with an agent's quarter: 7.50, of the fee 0.18, the merchant 22.32. The other 70.00 follow the
/// order's splits: house 7.00, fee 0.42, merchant 62.58. A whole refund takes back all of it (the fee from the merchant).
#[test]
fn milestones_have_their_own_payees() {
    let mut life = Life::paid(sold_with(&[bps(house(), 1_000)]));
    let milestone = |no: &str, payees: Vec<SplitRule>| OrderCommand::Release {
        release_no: no.into(),
        sub_order: None,
        amount: Some(fen(3_000)),
        payees,
    };
    let first = milestone("M-1", vec![bps(agent(1), 2_500)]);
    assert_eq!(life.does(&first), "released");
    assert_eq!(life.does(&first), "repeat");
    assert_eq!(life.does(&milestone("M-1", vec![bps(agent(1), 2_499)])), "! idempotency_conflict");
    assert_eq!(life.does(&milestone("M-2", vec![bps(agent(1), 3_001)])), "! split_over_cap");
    assert_eq!(life.does(&milestone("M-2", vec![bps(agent(9), 1)])), "! unknown_account");
    assert_eq!(life.does(&milestone("M-2", vec![fixed(agent(1), 3_001)])), "! split_over_whole");
    let channel = [("clearing 1", 9_940), ("fee expense 1", 60)];
    let after = [("escrow", 7_000), ("agent 1", 750), ("fees", 18), ("merchant 1", 2_232)];
    expect(&life, &[&channel[..], &after].concat());
    assert_eq!(life.releases(None, None), "released + settled");
    let after = [("agent 1", 750), ("house", 700), ("fees", 60), ("merchant 1", 2_232 + 6_258)];
    expect(&life, &[&channel[..], &after].concat());
    refunds(&mut life, "R-1", 10_000);
    expect(&life, &[("clearing 1", -60), ("fee expense 1", 60), ("fees", 60), ("merchant 1", -60)]);
}

/// Platform, agent and sub-agent: of 99.99 5 % and 10 %, and a quarter of the agent's part. 4.9995 and 9.999: floors 4.99
/// and 9.99, the two missing cents to .95 and .90 (the merchant's remainder is .15): 5.00 and 10.00, of which 2.50 go on.
#[test]
fn levels_divide_what_is_above_them() {
    let levels =
        [bps(house(), 500), bps(agent(1), 1_000), SplitRule { within: Some(1), ..bps(agent(2), 2_500) }];
    let cart = OrderTerms { amount: fen(9_999), sub_orders: smallvec![sold(1, 9_999)], ..sold_with(&levels) };
    let life = settled(Shop::default(), cart);
    let expected = [
        ("clearing 1", 9_939),
        ("fee expense 1", 60),
        ("fees", 60),
        ("house", 500),
        ("agent 1", 750),
        ("agent 2", 250),
        ("merchant 1", 9_999 - 1_500 - 60),
    ];
    expect(&life, &expected);
}

/// The merchant has spent all but 10.00 when 50.00 go back: of its 50.00 it owes 40.00.
#[test]
fn a_receiver_that_is_short_owes() {
    let paid = [("clearing 1", 4_940), ("fee expense 1", 60), ("fees", 60)];
    let owing = |shortfall| {
        let mut life = settled(shop(|agreement| agreement.shortfall = shortfall), sold_with(&[]));
        life.purses.insert(merchant(1), 1_000);
        life
    };
    let mut life = owing(Shortfall::Debt);
    refunds(&mut life, "R-1", 5_000);
    expect(&life, &[&paid[..], &[("merchant 1", 9_940 - 1_000), ("owed by 1", 4_000)]].concat());
    // The platform pays, and is owed.
    let mut life = owing(Shortfall::Advance);
    refunds(&mut life, "R-1", 5_000);
    let advanced = [("merchant 1", 8_940), ("advanced for 1", 4_000), ("advance", 4_000), ("house", -4_000)];
    expect(&life, &[&paid[..], &advanced].concat());
    let mut life = owing(Shortfall::Refuse);
    assert_eq!(life.refunds("R-1", 5_000), "! insufficient_funds");
    assert_eq!(life.refunds("R-1", 1_000), "refund_started");
}

/// A refused refund gives everything back to where it was: holds, stakes, what payer and funders were to get.
#[test]
fn a_refused_refund_after_release_changes_nothing() {
    let mut life = settled(Shop::default(), less(1_000, sold_with(&[bps(house(), 1_000)])));
    let before = (books(&life.order), life.order.parts.clone());
    life.refunds("R-1", 7_777);
    let holds: Vec<_> = life.order.refunds[0].unwinding.iter().flat_map(|one| &one.takes).collect();
    assert_eq!(holds.iter().filter(|take| take.hold.is_some()).count(), 1, "the house needs none");
    life.hears_of_refund(1, refused(FailureKind::Payer));
    assert_eq!(books(&life.order), before.0);
    let sums = |life: &Life| {
        let part = &life.order.parts[0];
        (part.released, part.refunded(), part.stakes.iter().map(|stake| stake.taken.minor()).sum::<u64>())
    };
    assert_eq!(sums(&life), (fen(10_000), fen(0), 0));
    refunds(&mut life, "R-2", 10_000);
    assert_eq!(life.order.status, OrderStatus::Refunded);
}

/// A dispute holds what receivers got as far as they have it; the refund uses it; what is left is given back.
#[test]
fn a_dispute_after_release_holds_and_ends_in_a_refund() {
    let mut life = settled(Shop::default(), sold_with(&[bps(agent(1), 1_000)]));
    life.purses.insert(merchant(1), 3_000);
    assert_eq!(life.does(&OrderCommand::OpenDispute), "dispute_opened");
    let held: Vec<u64> =
        life.order.dispute.iter().flat_map(|one| &one.holds).map(|hold| hold.amount.minor()).collect();
    assert_eq!(held, [1_000, 3_000], "the agent's 10.00, and of the merchant's 90.00 what it has");
    assert_eq!(life.refunds("R-1", 1), "! illegal_state", "a dispute blocks the money");
    let resolve = |amount| OrderCommand::ResolveDispute { refund: Some(wanted("R-2", None, Some(amount))) };
    assert_eq!(life.does(&resolve(10_001)), "! exceeds_paid");
    assert_eq!(life.does(&resolve(5_000)), "dispute_resolved + refund_started");
    assert_eq!(life.does(&resolve(5_000)), "repeat");
    let back = Outcome::Succeeded { channel_no: "C-R".into(), amount: fen(5_000), fee: None };
    assert_eq!(life.hears_of_refund(1, back), "refund_succeeded");
    // Agent 5.00 of its 10.00, the rest of its hold is given back; merchant 45.00, of which 30.00 are there.
    let expected = [
        ("clearing 1", 4_940),
        ("fee expense 1", 60),
        ("fees", 60),
        ("agent 1", 500),
        ("merchant 1", 8_940 - 3_000),
        ("owed by 1", 1_500),
    ];
    expect(&life, &expected);
    assert_eq!(life.order.status, OrderStatus::Settled);
}

/// What was frozen went back while the order was disputed, and the refund that ended the dispute is refused: nothing is
/// left to wait for. (Found by the simulation: the order stayed part-released for ever.)
#[test]
fn an_order_that_waited_for_a_refused_refund_only_is_settled() {
    let mut life = Life::paid(sold_with(&[]));
    assert_eq!(life.releases(None, Some(4_000)), "released");
    assert_eq!(life.refunds("R-1", 6_000), "refund_started");
    assert_eq!(life.does(&OrderCommand::OpenDispute), "dispute_opened");
    let back = Outcome::Succeeded { channel_no: "C-R".into(), amount: fen(6_000), fee: None };
    assert_eq!(life.hears_of_refund(1, back), "refund_succeeded");
    let resolution = OrderCommand::ResolveDispute { refund: Some(wanted("R-2", None, Some(1_000))) };
    assert_eq!(life.does(&resolution), "dispute_resolved + refund_started");
    assert_eq!(life.hears_of_refund(2, refused(FailureKind::Payer)), "refund_failed + settled");
    assert_eq!(life.order.status, OrderStatus::Settled);
}

/// 100.00 with two stacked coupons. First 7 % capped at 3.33, two thirds from the platform and one from a merchant's
/// marketing: 2.22 and 1.11 (2.2201 and 1.1099, the missing cent to .99). Then 10.00 from the platform. The buyer pays
/// 86.67, the channel takes 0.52. A refund of 50.00 gives 43.335, 1.11, 0.555, 5.00: floors 43.33 + 1.11 + 0.55 + 5.00,
/// the missing cent to the first of the .5: the payer.
#[test]
fn stacked_coupons_are_given_back_in_proportion() {
    let ten = Campaign { stackable: true, rank: 1, ..campaign() };
    let mut life = Life::paid(with_coupons(&[&ten, &stamp()], terms()));
    let used = [("coupon_stock", -1), ("coupon_pool", -1)];
    let paid = [("clearing 1", 8_667 - 52), ("fee expense 1", 52), ("escrow", 10_000)];
    expect(&life, &[&paid[..], &[("fund", -1_222), ("marketing", -111)], &used].concat());
    assert_eq!(refunds(&mut life, "R-1", 5_000), 4_334);
    let half = [("clearing 1", 8_667 - 52 - 4_334), ("fee expense 1", 52), ("escrow", 5_000)];
    expect(&life, &[&half[..], &[("fund", -1_222 + 111 + 500), ("marketing", -111 + 55)], &used].concat());
    assert_eq!(refunds(&mut life, "R-2", 5_000), 4_333);
    expect(&life, &[("clearing 1", -52), ("fee expense 1", 52)]);
}

/// A whole refund gives the coupon back while it is valid, in whatever parts it came; after that it is gone.
#[test]
fn a_coupon_comes_back_while_it_is_valid() {
    for (after, left) in [(DurationMs(0), 0), (DurationMs::from_days(1), -1)] {
        let mut life = Life::paid(with_coupons(&[&stamp()], terms()));
        refunds(&mut life, "R-1", 2_000);
        life.now = life.now + after;
        refunds(&mut life, "R-2", 8_000);
        assert_eq!(books(&life.order).get("coupon_stock").copied().unwrap_or(0), left);
    }
}

/// A coupon for one merchant's goods comes off that sub-order alone, and goes back with it.
#[test]
fn a_merchants_coupon_goes_back_with_its_goods() {
    let own = Campaign {
        worth: Worth::Face(fen(500)),
        merchants: vec![merchant(2)],
        minimum_spend: fen(0),
        funders: smallvec![Funder { account: promoter(), bps: 10_000 }],
        ..campaign()
    };
    let cart = OrderTerms { sub_orders: smallvec![sold(1, 6_000), sold(2, 4_000)], ..terms() };
    let mut life = Life::paid(with_coupons(&[&own], cart));
    life.does(&refund("R-1", Some(0), None));
    assert_eq!(life.order.refunds[0].to_payer, fen(6_000));
    life.does(&refund("R-2", Some(1), None));
    assert_eq!(life.order.refunds[1].to_payer, fen(3_500));
}

/// A late payment is taken in: the order goes on as if it had been paid in time, its coupon is used after all.
#[test]
fn a_late_payment_reopens_the_order() {
    let reopening = || shop(|agreement| agreement.late_payment = LatePayment::Reopen);
    let late = |terms| {
        let mut life = Life::begin_in(reopening(), terms);
        life.hears(1, ReportSource::PayAnswer, refused(FailureKind::Declined));
        let paid = paid_in_full(&life.order);
        let told = life.hears(1, ReportSource::PayNotice, paid);
        (life, told)
    };
    let (life, told) = late(terms());
    assert_eq!(told, "late_paid(1) + reopened + frozen");
    expect(&life, &[("clearing 1", 9_940), ("fee expense 1", 60), ("escrow", 10_000)]);
    // With a coupon its holds come first.
    let (mut life, told) = late(less(1_000, terms()));
    assert_eq!(told, "late_paid(1) + reopening_planned");
    assert_eq!(life.wakes(), "reopened + frozen");
    let paid = [("clearing 1", 8_946), ("fee expense 1", 54)];
    expect(&life, &[&paid[..], &[("fund", -1_000), ("escrow", 10_000)]].concat());
    // Numbers of holds are given out once: a refund's would be taken for the coupon's after a restart.
    let used = life.order.entries.iter().flat_map(|entry| &entry.postings).map(|line| line.hold_no).max();
    assert!(used > Some(0) && used <= Some(life.order.last_hold), "{used:?}");
    assert_eq!(life.releases(None, None), "released + settled");
    // Without money for the coupon the payment goes back.
    let (mut life, _) = late(less(1_000, terms()));
    life.purses.insert(fund().on_stripe(life.order.id.stripe()), 999);
    assert_eq!(life.wakes(), "refund_started");
    assert_eq!(life.order.status, OrderStatus::Failed);
}

/// Parked until somebody decides; then either way.
#[test]
fn a_parked_payment_is_returned_or_taken_in() {
    let parked = || {
        let mut life = Life::begin_in(shop(|agreement| agreement.late_payment = LatePayment::Park), terms());
        life.hears(1, ReportSource::PayAnswer, refused(FailureKind::Declined));
        let paid = paid_in_full(&life.order);
        assert_eq!(life.hears(1, ReportSource::PayNotice, paid), "late_paid(1)");
        assert!(life.order.needs_operator() && !life.order.is_finished());
        life
    };
    let attempt = AttemptNo(1);
    let mut life = parked();
    assert_eq!(life.does(&OrderCommand::Reopen { attempt }), "reopened + frozen");
    assert_eq!(life.does(&OrderCommand::Reopen { attempt }), "repeat");
    assert_eq!(life.does(&OrderCommand::ReturnParked { attempt }), "! unknown_attempt");
    let mut life = parked();
    assert_eq!(life.does(&OrderCommand::ReturnParked { attempt }), "refund_started");
    assert_eq!(life.does(&OrderCommand::ReturnParked { attempt }), "repeat");
    assert_eq!(life.does(&OrderCommand::Reopen { attempt }), "! unknown_attempt");
    // The channel refuses: it stays in suspense, and an operator finds another way.
    assert_eq!(life.hears_of_refund(1, refused(FailureKind::Payer)), "refund_stuck");
    let finish = |way| OrderCommand::FinishRefund { refund: 1, way, note: "transfer 77".into() };
    assert_eq!(life.does(&finish(FinishWay::GiveUp)), "! invalid_field");
    assert_eq!(life.does(&finish(FinishWay::Outside)), "refund_finished");
    assert_eq!(life.does(&finish(FinishWay::Outside)), "repeat");
    assert!(life.order.is_finished());
    expect(&life, &[("clearing 0", -10_000), ("clearing 1", 9_940), ("fee expense 1", 60)]);
}

/// What a channel cannot finish stays set aside; a cash account of the payer takes it, or a transfer outside.
#[test]
fn a_stuck_refund_is_finished_another_way() {
    let stuck = || {
        let mut life = settled(Shop::default(), sold_with(&[bps(agent(1), 1_000)]));
        life.refunds("R-1", 10_000);
        let abnormal = Outcome::Abnormal { code: "CARD_CLOSED".into() };
        assert_eq!(life.hears_of_refund(1, abnormal), "refund_stuck");
        assert!(life.order.needs_operator());
        life
    };
    let finish = |way| OrderCommand::FinishRefund { refund: 1, way, note: "".into() };
    let mut life = stuck();
    assert_eq!(life.does(&finish(FinishWay::ToAccount(merchant(2)))), "! account_type_not_allowed");
    assert_eq!(life.does(&finish(FinishWay::ToAccount(buyer(9)))), "! unknown_account");
    assert_eq!(life.does(&finish(FinishWay::ToAccount(buyer(2)))), "refund_finished + refunded");
    let channel = [("clearing 1", 9_940), ("fee expense 1", 60), ("fees", 60), ("merchant 1", -60)];
    expect(&life, &[&channel[..], &[("buyer 2", 10_000)]].concat());
    // Sent again, the channel can do it after all.
    let mut life = stuck();
    assert_eq!(life.does(&finish(FinishWay::Resend)), "refund_queried(resend)");
    let back = paid_in_full(&life.order);
    assert_eq!(life.hears_of_refund(1, back), "refund_succeeded + refunded");
    // Or nobody gets it back: the receivers keep what they have.
    let mut life = stuck();
    assert_eq!(life.does(&finish(FinishWay::GiveUp)), "refund_failed");
    let kept = [("agent 1", 1_000), ("merchant 1", 8_940)];
    expect(&life, &[&[("clearing 1", 9_940), ("fee expense 1", 60), ("fees", 60)], &kept[..]].concat());
}

/// It went, and came back: parked, then sent again as another refund, or finished outside.
#[test]
fn a_bounced_refund_is_parked_and_finished() {
    let bounced = || {
        let mut life = Life::paid(terms());
        refunds(&mut life, "R-1", 4_000);
        let bounce = |amount| Outcome::Bounced { amount: fen(amount), code: "RETURNED".into() };
        assert_eq!(life.hears_of_refund(1, bounce(3_999)), "contradicted(bounced_amount)");
        assert_eq!(life.hears_of_refund(1, bounce(4_000)), "refund_bounced");
        assert_eq!(life.hears_of_refund(1, bounce(4_000)), "repeat");
        expect(
            &life,
            &[("clearing 1", 9_940), ("fee expense 1", 60), ("escrow", 6_000), ("suspense", 4_000)],
        );
        life
    };
    let finish = |way| OrderCommand::FinishRefund { refund: 1, way, note: "".into() };
    let mut life = bounced();
    assert_eq!(life.does(&finish(FinishWay::Resend)), "refund_finished + refund_started");
    let back = Outcome::Succeeded { channel_no: "C-R".into(), amount: fen(4_000), fee: None };
    assert_eq!(life.hears_of_refund(2, back), "refund_succeeded");
    assert_eq!(life.order.refunds[0].state, RefundState::Finished);
    expect(&life, &[("clearing 1", 5_940), ("fee expense 1", 60), ("escrow", 6_000)]);
    let mut life = bounced();
    assert_eq!(life.does(&finish(FinishWay::Outside)), "refund_finished");
    let outside = [("clearing 0", -4_000), ("clearing 1", 9_940), ("fee expense 1", 60)];
    expect(&life, &[&outside[..], &[("escrow", 6_000)]].concat());
}

/// Virtual goods are released by themselves after 2 days, others after 10.
#[test]
fn virtual_goods_are_released_sooner() {
    for (virtual_goods, days) in [(true, 2), (false, 10)] {
        let mut life = Life::paid(OrderTerms { virtual_goods, ..terms() });
        assert_eq!(life.order.release_at, NOW + DurationMs::from_days(days));
        assert_eq!(life.wakes(), "released + settled");
    }
}

/// Paid twice: whatever happens to late payments, the second goes back by itself.
#[test]
fn the_second_payment_goes_back_under_every_policy() {
    for late_payment in [LatePayment::Refund, LatePayment::Park, LatePayment::Reopen] {
        let mut life = Life::begin_in(shop(|agreement| agreement.late_payment = late_payment), terms());
        life.hears(1, ReportSource::PayAnswer, refused(FailureKind::Channel));
        let paid = paid_in_full(&life.order);
        life.hears(2, ReportSource::PayAnswer, paid.clone());
        assert_eq!(life.hears(1, ReportSource::PayNotice, paid), "late_paid(1) + refund_started");
    }
}

/// From an e-account: released money comes back from the receivers at once.
#[test]
fn a_balance_payment_is_undone_at_once() {
    let terms = OrderTerms {
        kind: PayKind::Balance,
        payer_account: Some(buyer(1)),
        escrow: false,
        ..sold_with(&[bps(house(), 333), bps(agent(1), 667)])
    };
    let mut life = Life::begin(terms);
    // 100.00: 3.33, 6.67, 90.00. Of 0.07: 0.2331, 0.4669, 6.3: floors 0 + 0 + 6, the missing cent to .47 of the agent.
    assert_eq!(life.refunds("R-1", 7), "refund_started + refund_succeeded");
    expect(&life, &[("buyer 1", -9_993), ("house", 333), ("agent 1", 666), ("merchant 1", 8_994)]);
    assert_eq!(life.refunds("R-2", 9_993), "refund_started + refund_succeeded + refunded");
    expect(&life, &[]);
}
