//! A row per command, the expected answer in the last column; one ledger from the first row to the last.

use suanpan_model::{AccountId, AccountType, Amount, Currency, Entry, EntryCode, PlatformId, Posting};

use super::*;

fn in_usd(command: LedgerCommand) -> LedgerCommand {
    match command {
        LedgerCommand::Open { account, platform, reference, parent, credit_limit, .. } => {
            LedgerCommand::Open {
                account,
                platform,
                reference,
                currency: Currency::Usd,
                parent,
                credit_limit,
            }
        }
        LedgerCommand::Hold { hold, account, amount, expires_at, whole, .. } => {
            LedgerCommand::Hold { hold, account, amount, currency: Currency::Usd, expires_at, whole }
        }
        LedgerCommand::Post { mut entry, reference } => {
            entry.currency = Currency::Usd;
            LedgerCommand::Post { entry, reference }
        }
        LedgerCommand::Void { .. }
        | LedgerCommand::RecordCampaign { .. }
        | LedgerCommand::LockCoupon { .. }
        | LedgerCommand::GrantCoupons { .. } => command,
    }
}

fn with_credit(account: AccountId, limit: u64) -> LedgerCommand {
    LedgerCommand::Open {
        account,
        platform: PLATFORM,
        reference: "credit".into(),
        currency: Currency::Cny,
        parent: None,
        credit_limit: fen(limit),
    }
}

fn of_platform(number: u32, command: LedgerCommand) -> LedgerCommand {
    match command {
        LedgerCommand::Open { account, reference, currency, parent, credit_limit, .. } => {
            LedgerCommand::Open {
                account,
                platform: PlatformId(number),
                reference,
                currency,
                parent,
                credit_limit,
            }
        }
        other => other,
    }
}

fn lines(cause: u64, postings: &[Posting]) -> LedgerCommand {
    let mut entry = Entry::new(EntryCode::Transfer, Currency::Cny, CauseId(cause));
    entry.postings = postings.to_vec();
    post(entry)
}

#[track_caller]
fn run(shard: &mut Shard, table: &[(LedgerCommand, &str)]) {
    for (row, (command, expected)) in table.iter().enumerate() {
        assert_eq!(shard.does(command), *expected, "row {row}: {command:?}");
    }
}

#[test]
fn opening() {
    let elsewhere = AccountId::opened(AccountType::Cash, 9, 4);
    run(
        &mut Shard::default(),
        &[
            (open(cash(1)), "moved"),
            (open(cash(1)), "repeat"),
            (in_usd(open(cash(1))), "account_exists"),
            (of_platform(8, open(cash(1))), "account_exists"),
            (open_below(cash(1), Some(cash(2))), "account_exists"),
            (open_below(cash(2), Some(cash(1))), "moved"),
            (open_below(cash(2), Some(cash(1))), "repeat"),
            (open_below(cash(3), Some(cash(9))), "invalid_parent"),
            (open_below(cash(3), Some(cash(3))), "invalid_parent"),
            (open_below(elsewhere, Some(cash(1))), "invalid_parent"),
            (in_usd(open_below(cash(3), Some(cash(1)))), "invalid_parent"),
            (of_platform(8, open_below(cash(3), Some(cash(1)))), "invalid_parent"),
            (open_below(cash(3), Some(clearing())), "invalid_parent"),
        ],
    );
}

#[test]
fn holds_and_refusals() {
    let mut shard = Shard::default();
    run(
        &mut shard,
        &[
            (open(cash(1)), "moved"),
            (hold(1, cash(1), 1), "insufficient_funds"),
            (top_up(2, cash(1), 100), "moved"),
            (hold(1, cash(1), 101), "insufficient_funds"),
            (hold(1, cash(1), 60), "moved"),
            (hold(1, cash(1), 60), "repeat"),
            (hold(1, cash(1), 59), "idempotency_conflict"),
            (hold(1, cash(2), 60), "idempotency_conflict"),
            (hold(3, cash(1), 41), "insufficient_funds"),
            (hold(3, cash(1), 40), "moved"),
            (void(1), "moved"),
            (void(1), "repeat"),
            (hold(4, cash(1), 61), "insufficient_funds"),
            (hold(4, cash(1), 60), "moved"),
        ],
    );
    assert_eq!(shard.balance(cash(1)), (100, 100, 0));
}

/// When several apply: conflict, account, currency, zero, size, funds.
#[test]
fn refusals_in_precedence() {
    let above = Amount::MAX.minor() + 1;
    run(
        &mut Shard::default(),
        &[
            (open(cash(1)), "moved"),
            (top_up(9, cash(1), 1), "moved"),
            (hold(1, cash(1), 1), "moved"),
            (in_usd(hold(1, cash(2), 0)), "idempotency_conflict"),
            (in_usd(hold(2, cash(2), 0)), "unknown_account"),
            (in_usd(hold(2, cash(1), 0)), "currency_mismatch"),
            (hold(2, cash(1), 0), "amount_zero"),
            (hold(2, cash(1), above), "amount_too_large"),
            (hold(2, cash(1), above - 1), "insufficient_funds"),
        ],
    );
}

#[test]
fn posting() {
    let (mine, yours) = (cash(1), cash(2));
    let mut shard = Shard::default();
    run(
        &mut shard,
        &[
            (open(mine), "moved"),
            (open(yours), "moved"),
            (top_up(1, mine, 100), "moved"),
            (post(transfer(2, mine, yours, 101)), "insufficient_funds"),
            (post(transfer(2, mine, yours, 70)), "moved"),
            (in_usd(post(transfer(3, mine, yours, 1))), "currency_mismatch"),
            (post(transfer(3, cash(9), yours, 1)), "unknown_account"),
            (lines(3, &[]), "amount_mismatch"),
            (lines(3, &[Posting::debit(mine, fen(2)), Posting::credit(yours, fen(1))]), "amount_mismatch"),
            // The first line is checked on whichever side it stands.
            (
                lines(3, &[Posting::credit(cash(9), fen(1)), Posting::debit(clearing(), fen(1))]),
                "unknown_account",
            ),
            (
                in_usd(lines(3, &[Posting::credit(mine, fen(1)), Posting::debit(clearing(), fen(1))])),
                "currency_mismatch",
            ),
            // Nothing holds what a later line takes.
            (
                lines(
                    3,
                    &[
                        Posting::debit(clearing(), fen(1)),
                        Posting::debit(mine, fen(1)),
                        Posting::credit(yours, fen(2)),
                    ],
                ),
                "invalid_field",
            ),
            (lines(3, &[Posting::credit(yours, fen(1)), Posting::debit(clearing(), fen(1))]), "moved"),
        ],
    );
    assert_eq!(shard.balance(mine), (30, 0, 30));
    assert_eq!(shard.balance(yours), (71, 0, 71));
    assert_eq!(shard.balance(clearing()).0, 101);
}

#[test]
fn credit_limits_are_used_to_the_cent() {
    let mut shard = Shard::default();
    run(
        &mut shard,
        &[
            (with_credit(cash(1), 50), "moved"),
            (open(cash(2)), "moved"),
            (hold(1, cash(1), 51), "insufficient_funds"),
            (post(transfer(2, cash(1), cash(2), 30)), "moved"),
            (hold(3, cash(1), 21), "insufficient_funds"),
            (hold(3, cash(1), 20), "moved"),
        ],
    );
    assert_eq!(shard.balance(cash(1)), (-30, 20, 0));
}

/// The same transfer decided twice before the log carried out the first.
#[test]
fn a_transfer_is_held_once() {
    let mut shard = Shard::default();
    run(
        &mut shard,
        &[(open(cash(1)), "moved"), (open(cash(2)), "moved"), (top_up(1, cash(1), 100), "moved")],
    );
    let command = post(transfer(2, cash(1), cash(2), 40));
    let Ok(Decision::Moved(events)) = shard.ledger.decide(&command) else { panic!("it is moved") };
    shard.ledger.apply(&events[0]);
    assert_eq!(shard.ledger.decide(&command), Ok(Decision::Repeat));
    let other = post(transfer(2, cash(1), cash(2), 41));
    assert_eq!(shard.ledger.decide(&other).unwrap_err().code.code(), "idempotency_conflict");
}
