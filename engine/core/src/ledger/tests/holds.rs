//! The life of a hold: posted in parts, voided, expired.

use suanpan_model::{AccountType, Side};

use super::*;
use crate::ledger::Instruction;

fn held(cause: u64, from: AccountId, to: AccountId, amount: u64) -> LedgerEvent {
    let mut entry = transfer(cause, from, to, amount);
    entry.postings[0].hold_no = 1;
    LedgerEvent::EntryPosted { entry, reference: "ref".into() }
}

fn rich() -> Shard {
    let mut shard = Shard::default();
    for command in [open(cash(1)), open(cash(2)), top_up(1, cash(1), 100)] {
        assert_eq!(shard.does(&command), "moved");
    }
    shard
}

#[test]
fn a_hold_is_posted_in_parts_and_the_rest_voided() {
    let mut shard = rich();
    shard.does(&hold(5, cash(1), 60));
    shard.record(held(5, cash(1), cash(2), 25));
    assert_eq!(shard.balance(cash(1)), (75, 35, 40));
    assert_eq!(shard.does(&hold(5, cash(1), 60)), "repeat", "it is told by what it was placed for");
    shard.record(held(5, cash(1), cash(2), 30));
    assert_eq!(shard.balance(cash(1)), (45, 5, 40));
    assert_eq!(shard.does(&void(5)), "moved");
    assert_eq!(shard.balance(cash(1)), (45, 0, 45));
    assert_eq!(shard.ledger.hold(hold_id(5, 1)), None);
}

#[test]
fn a_hold_that_is_used_up_is_gone() {
    let mut shard = rich();
    shard.does(&hold(5, cash(1), 60));
    shard.record(held(5, cash(1), cash(2), 60));
    assert_eq!(shard.balance(cash(1)), (40, 0, 40));
    assert_eq!(shard.ledger.holds().count(), 0);
    assert_eq!(shard.does(&void(5)), "repeat");
}

#[test]
#[should_panic(expected = "negative")]
fn more_than_is_held_is_a_bug() {
    let mut shard = rich();
    shard.does(&hold(5, cash(1), 60));
    shard.record(held(5, cash(1), cash(2), 61));
}

#[test]
#[should_panic(expected = "a hold that exists")]
fn a_posting_without_its_hold_is_a_bug() {
    rich().record(held(5, cash(1), cash(2), 1));
}

#[test]
#[should_panic(expected = "never goes below")]
fn an_overdraft_is_a_bug() {
    let mut shard = rich();
    let entry = transfer(5, cash(1), cash(2), 101);
    shard.record(LedgerEvent::EntryPosted { entry, reference: "ref".into() });
}

#[test]
#[should_panic(expected = "currency of its account")]
fn another_currency_is_a_bug() {
    let mut shard = rich();
    let mut entry = transfer(5, cash(1), cash(2), 1);
    entry.currency = Currency::Usd;
    shard.record(LedgerEvent::EntryPosted { entry, reference: "ref".into() });
}

#[test]
#[should_panic(expected = "opened before it is used")]
fn an_account_that_nobody_opened_is_a_bug() {
    let line = Posting::credit(cash(9), fen(1));
    let instruction = Instruction::Post {
        posting: line,
        code: EntryCode::TopUp,
        cause: CauseId(1),
        currency: Currency::Cny,
    };
    Ledger::default().carry_out(Lsn(1), &instruction);
}

/// Clearing, fees, a platform's own commission, debts and the pool of coupons may stand on either side; all other
/// accounts have a floor.
#[test]
fn which_accounts_have_a_floor() {
    for kind in AccountType::ALL {
        let unlimited = [
            "channel_clearing",
            "fee_expense",
            "fee_income",
            "commission_income",
            "receivable",
            "advanced",
            "advance",
            "coupon_pool",
        ];
        assert_eq!(kind.is_limited(), !unlimited.contains(&kind.name()), "{}", kind.name());
        assert_eq!(kind.sign(Side::Debit), -kind.sign(Side::Credit));
    }
}

#[test]
fn holds_expire_at_their_time_in_a_fixed_order() {
    let mut shard = rich();
    for (cause, after) in [(8, 20), (6, 10), (7, 10)] {
        let command = LedgerCommand::Hold {
            hold: hold_id(cause, 1),
            account: cash(1),
            amount: fen(10),
            currency: Currency::Cny,
            expires_at: TimestampMs(NOW.0 + after),
            whole: true,
        };
        assert_eq!(shard.does(&command), "moved");
    }
    shard.does(&hold(9, cash(1), 10));
    let expired = |cause| LedgerEvent::HoldExpired { hold: hold_id(cause, 1), account: cash(1) };
    assert_eq!(shard.ledger.expired(TimestampMs(NOW.0 + 9)), []);
    assert_eq!(shard.ledger.expired(TimestampMs(NOW.0 + 10)), [expired(6), expired(7)]);
    for event in shard.ledger.expired(TimestampMs(NOW.0 + 10)) {
        shard.record(event);
    }
    assert_eq!(shard.balance(cash(1)), (100, 20, 80));
    assert_eq!(shard.ledger.expired(TimestampMs(NOW.0 + 1_000_000)), [expired(8)]);
    // What never expires is only given back by its owner.
    assert!(!shard.ledger.expired(TimestampMs::NEVER).contains(&expired(9)));
}
