//! Virtual accounts: every posting rolls up at once through all layers.

use super::*;

/// Enterprise 1, institutions 2 and 3, persons 4 and 5 below 2, person 6 below 4.
fn enterprise() -> Shard {
    let mut shard = Shard::default();
    let tree = [(1, None), (2, Some(1)), (3, Some(1)), (4, Some(2)), (5, Some(2)), (6, Some(4))];
    for (number, parent) in tree {
        assert_eq!(shard.does(&open_below(cash(number), parent.map(cash))), "moved");
    }
    shard
}

fn rolled_up(shard: &Shard) -> Vec<(i128, i128)> {
    (1..=6)
        .map(|number| shard.ledger.account(cash(number)).unwrap())
        .map(|account| (account.posted, account.rolled_up()))
        .collect()
}

#[test]
fn balances_roll_up_over_all_layers() {
    let mut shard = enterprise();
    assert_eq!(shard.does(&top_up(1, cash(6), 100)), "moved");
    assert_eq!(rolled_up(&shard), [(0, 100), (0, 100), (0, 0), (0, 100), (0, 0), (100, 100)]);
    assert_eq!(shard.does(&top_up(2, cash(3), 7)), "moved");
    assert_eq!(shard.does(&top_up(3, cash(1), 5)), "moved");
    assert_eq!(rolled_up(&shard), [(5, 112), (0, 100), (7, 7), (0, 100), (0, 0), (100, 100)]);
    // Between cousins, down and up the tree: the top does not move.
    assert_eq!(shard.does(&post(transfer(4, cash(6), cash(5), 40))), "moved");
    assert_eq!(rolled_up(&shard), [(5, 112), (0, 100), (7, 7), (0, 60), (40, 40), (60, 60)]);
    assert_eq!(shard.does(&post(transfer(5, cash(1), cash(6), 5))), "moved");
    assert_eq!(rolled_up(&shard), [(0, 112), (0, 105), (7, 7), (0, 65), (40, 40), (65, 65)]);
    assert_eq!(shard.does(&post(transfer(6, cash(5), cash(3), 40))), "moved");
    assert_eq!(rolled_up(&shard), [(0, 112), (0, 65), (47, 47), (0, 65), (0, 0), (65, 65)]);
}

/// What is below an account is not its own to spend.
#[test]
fn a_parent_spends_only_its_own() {
    let mut shard = enterprise();
    shard.does(&top_up(1, cash(6), 100));
    assert_eq!(shard.does(&hold(2, cash(1), 1)), "insufficient_funds");
    assert_eq!(shard.does(&hold(2, cash(6), 100)), "moved");
    assert_eq!(shard.ledger.account(cash(1)).map(|top| top.held), Some(fen(0)), "holds do not roll up");
}

/// The checker has a canary: a wrong row is found, whichever of its sums is wrong.
#[test]
fn breaks_are_found() {
    let mut shard = enterprise();
    shard.does(&top_up(1, cash(6), 100));
    shard.does(&hold(2, cash(6), 10));
    assert_eq!(shard.ledger.breaks(), [""; 0]);
    let spoil = |change: fn(&mut crate::ledger::Account)| {
        let mut ledger = shard.ledger.clone();
        let mut row = ledger.account(cash(6)).unwrap().clone();
        change(&mut row);
        ledger.restore_account(row);
        (ledger.breaks().len(), ledger.trial_balance()[&Currency::Cny])
    };
    assert_eq!(spoil(|_| {}), (0, 0));
    assert_eq!(spoil(|row| row.held = fen(9)), (1, 0));
    assert_eq!(spoil(|row| row.below = 1), (1, 0));
    // The three accounts above are found wrong, and so are the books.
    assert_eq!(spoil(|row| row.posted = 101), (3, -1));
    // And here the account itself, which now holds more than it has.
    assert_eq!(spoil(|row| row.posted = 9), (4, 91));
}
