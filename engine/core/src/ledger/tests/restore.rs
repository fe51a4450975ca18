//! A checkpoint is fuzzy: each row may be of another age. Rows of any ages and the log from there on give the
//! live state.

use proptest::prelude::*;

use super::*;
use crate::ledger::Instruction;

/// The state after each record, from none.
fn history(log: &[Record]) -> Vec<Ledger> {
    let mut ledger = Ledger::default();
    let mut states = vec![ledger.clone()];
    for (index, record) in log.iter().enumerate() {
        if let Record::Ledger { event, .. } = record {
            ledger.apply(event);
        }
        let lsn = Lsn(index as u64 + 1);
        instructions(record, &mut |instruction: Instruction| {
            ledger.carry_out(lsn, &instruction);
        });
        states.push(ledger.clone());
    }
    states
}

/// Rows each from the state that `age` picks among those at or after `from`, then the log after `from`.
fn restored(log: &[Record], states: &[Ledger], from: usize, mut age: impl FnMut() -> usize) -> Ledger {
    let mut ledger = Ledger::default();
    let last = &states[states.len() - 1];
    let mut pick = || from + age() % (states.len() - from);
    let mut accounts: Vec<_> = last.accounts().map(|account| account.id).collect();
    accounts.sort_unstable();
    for id in accounts {
        if let Some(account) = states[pick()].account(id) {
            ledger.restore_account(account.clone());
        }
    }
    let mut holds: Vec<_> = states.iter().flat_map(|state| state.holds().map(|(id, _)| *id)).collect();
    holds.sort_unstable();
    holds.dedup();
    for id in holds {
        if let Some(hold) = states[pick()].hold(id) {
            ledger.restore_hold(id, *hold);
        }
    }
    let marks = ledger.settle_restored();
    for (index, record) in log.iter().enumerate().skip(from) {
        if let Record::Ledger { event, .. } = record {
            ledger.apply(event);
        }
        let lsn = Lsn(index as u64 + 1);
        instructions(record, &mut |instruction| {
            ledger.replay(&marks, lsn, &instruction);
        });
    }
    ledger
}

/// A hold row and a child's row are older in the checkpoint's order than the rows that they lean on.
#[test]
fn rows_may_lean_on_rows_that_the_log_still_brings() {
    let mut shard = Shard::default();
    for command in [
        open(cash(1)),
        open_below(cash(2), Some(cash(1))),
        open_below(cash(3), Some(cash(2))),
        top_up(1, cash(3), 50),
        hold(2, cash(3), 20),
        void(2),
    ] {
        assert_eq!(shard.does(&command), "moved");
    }
    let states = history(&shard.log);
    assert_eq!(states.last(), Some(&shard.ledger));
    // Accounts 1 and 2 as of the beginning (not there), account 3 and the hold as of their latest moment.
    for ages in [[0, 0, 6, 6, 5], [0, 5, 0, 0, 5], [6, 0, 6, 0, 5], [0, 0, 0, 6, 5]] {
        let mut ages = ages.into_iter();
        let ledger = restored(&shard.log, &states, 0, || ages.next().unwrap());
        assert_eq!(ledger, shard.ledger);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Open { parent: Option<u64> },
    TopUp { to: u64, amount: u64 },
    Transfer { from: u64, to: u64, amount: u64 },
    Hold { account: u64, amount: u64, lasts: u64 },
    UsePart { hold: usize, to: u64, amount: u64 },
    Void { hold: usize },
    Expire { now: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let account = 0_u64..8;
    prop_oneof![
        2 => prop::option::of(account.clone()).prop_map(|parent| Step::Open { parent }),
        3 => (account.clone(), 1_u64..100).prop_map(|(to, amount)| Step::TopUp { to, amount }),
        3 => (account.clone(), account.clone(), 1_u64..60)
            .prop_map(|(from, to, amount)| Step::Transfer { from, to, amount }),
        3 => (account.clone(), 1_u64..60, 0_u64..9)
            .prop_map(|(account, amount, lasts)| Step::Hold { account, amount, lasts }),
        3 => (0_usize..9, account, 1_u64..60).prop_map(|(hold, to, amount)| Step::UsePart { hold, to, amount }),
        1 => (0_usize..9).prop_map(|hold| Step::Void { hold }),
        1 => (0_u64..9).prop_map(|now| Step::Expire { now }),
    ]
}

fn perform(shard: &mut Shard, steps: &[Step]) {
    let mut opened = 0;
    for (index, step) in steps.iter().enumerate() {
        let cause = index as u64 + 1;
        let mut open_holds: Vec<_> = shard.ledger.holds().map(|(id, hold)| (*id, *hold)).collect();
        open_holds.sort_unstable_by_key(|(id, _)| *id);
        let chosen = |index: usize| open_holds.get(index % open_holds.len().max(1)).copied();
        match *step {
            Step::Open { parent } => {
                shard.does(&open_below(cash(opened), parent.map(cash)));
                opened += 1;
            }
            Step::TopUp { to, amount } => {
                if shard.ledger.account(cash(to)).is_some() {
                    shard.does(&top_up(cause, cash(to), amount));
                }
            }
            Step::Transfer { from, to, amount } => {
                if shard.ledger.account(cash(to)).is_some() {
                    shard.does(&post(transfer(cause, cash(from), cash(to), amount)));
                }
            }
            Step::Hold { account, amount, lasts } => {
                let expires_at = TimestampMs(lasts);
                _ = shard.does(&LedgerCommand::Hold {
                    hold: hold_id(cause, 1),
                    account: cash(account),
                    amount: fen(amount),
                    currency: Currency::Cny,
                    expires_at,
                    whole: true,
                });
            }
            Step::UsePart { hold, to, amount } => {
                let Some((id, hold)) = chosen(hold) else { continue };
                if shard.ledger.account(cash(to)).is_none() {
                    continue;
                }
                let mut entry = transfer(id.cause.0, hold.account, cash(to), amount.min(hold.left.minor()));
                entry.postings[0].hold_no = id.no;
                shard.record(LedgerEvent::EntryPosted { entry, reference: "ref".into() });
            }
            Step::Void { hold } => {
                if let Some((id, _)) = chosen(hold) {
                    shard.does(&LedgerCommand::Void { hold: id });
                }
            }
            Step::Expire { now } => {
                for event in shard.ledger.expired(TimestampMs(now)) {
                    shard.record(event);
                }
            }
        }
        assert_eq!(shard.ledger.breaks(), [""; 0]);
        assert!(shard.ledger.trial_balance().values().all(|sum| *sum == 0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rows_of_any_ages_converge(
        steps in prop::collection::vec(step(), 1..40),
        from in 0_usize..60,
        ages in prop::collection::vec(0_usize..60, 1..80),
    ) {
        let mut shard = Shard::default();
        perform(&mut shard, &steps);
        let states = history(&shard.log);
        prop_assert_eq!(states.last(), Some(&shard.ledger), "a replay from nothing is the live state");
        let from = from % states.len();
        let mut ages = ages.into_iter().cycle();
        let ledger = restored(&shard.log, &states, from, || ages.next().unwrap());
        prop_assert_eq!(ledger, shard.ledger);
    }
}
