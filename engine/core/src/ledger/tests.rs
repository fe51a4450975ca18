//! Tables of commands, holds, trees of accounts, and restoring from rows of mixed ages.

mod commands;
mod coupons;
mod debts;
mod holds;
mod restore;
mod tree;

use smol_str::SmolStr;
use suanpan_model::{
    AccountId, AccountType, Amount, CauseId, Currency, Entry, EntryCode, HoldId, LedgerEvent, Lsn,
    PlatformId, Posting, Record, Reject, TimestampMs,
};

use super::{Decision, Ledger, LedgerCommand, instructions};

const PLATFORM: PlatformId = PlatformId(7);
const NOW: TimestampMs = TimestampMs(1_795_327_536_000);

fn fen(minor: u64) -> Amount {
    Amount::from_minor(minor)
}

fn cash(number: u64) -> AccountId {
    AccountId::opened(AccountType::Cash, number, 3)
}

fn clearing() -> AccountId {
    AccountId::internal(AccountType::ChannelClearing, 1, Currency::Cny, 3)
}

fn hold_id(cause: u64, no: u16) -> HoldId {
    HoldId { cause: CauseId(cause), no }
}

fn open(account: AccountId) -> LedgerCommand {
    open_below(account, None)
}

fn open_below(account: AccountId, parent: Option<AccountId>) -> LedgerCommand {
    LedgerCommand::Open {
        account,
        platform: PLATFORM,
        reference: SmolStr::new_static("acc"),
        currency: Currency::Cny,
        parent,
        credit_limit: Amount::ZERO,
    }
}

fn hold(cause: u64, account: AccountId, amount: u64) -> LedgerCommand {
    LedgerCommand::Hold {
        hold: hold_id(cause, 1),
        account,
        amount: fen(amount),
        currency: Currency::Cny,
        expires_at: TimestampMs::NEVER,
        whole: true,
    }
}

fn void(cause: u64) -> LedgerCommand {
    LedgerCommand::Void { hold: hold_id(cause, 1) }
}

fn transfer(cause: u64, from: AccountId, to: AccountId, amount: u64) -> Entry {
    Entry::new(EntryCode::Transfer, Currency::Cny, CauseId(cause))
        .with(Posting::debit(from, fen(amount)))
        .with(Posting::credit(to, fen(amount)))
}

fn post(entry: Entry) -> LedgerCommand {
    LedgerCommand::Post { entry, reference: "ref".into() }
}

fn top_up(cause: u64, account: AccountId, amount: u64) -> LedgerCommand {
    post(transfer(cause, clearing(), account, amount))
}

/// A shard and its log: what is decided is recorded, applied, and carried out at once.
#[derive(Clone, Default)]
struct Shard {
    ledger: Ledger,
    log: Vec<Record>,
}

impl Shard {
    fn position(&self) -> Lsn {
        Lsn(self.log.len() as u64)
    }

    fn record(&mut self, event: LedgerEvent) {
        self.ledger.apply(&event);
        self.log.push(Record::Ledger { at: NOW, event });
        let (lsn, record) = (self.position(), self.log[self.log.len() - 1].clone());
        instructions(&record, &mut |instruction| {
            self.ledger.carry_out(lsn, &instruction);
        });
    }

    /// `moved`, `repeat`, or the code of the reject.
    fn does(&mut self, command: &LedgerCommand) -> &'static str {
        let before = self.ledger.clone();
        match self.ledger.decide(command) {
            Ok(Decision::Moved(events)) => {
                events.into_iter().for_each(|event| self.record(event));
                assert_eq!(self.ledger.breaks(), [""; 0]);
                assert!(self.ledger.trial_balance().values().all(|sum| *sum == 0));
                "moved"
            }
            Ok(Decision::Repeat) => {
                assert_eq!(before, self.ledger);
                "repeat"
            }
            Err(Reject { code, .. }) => {
                assert_eq!(before, self.ledger, "a reject changes nothing");
                code.code()
            }
        }
    }

    /// Posted, held and available of an account.
    fn balance(&self, account: AccountId) -> (i128, u64, i128) {
        let account = self.ledger.account(account).unwrap();
        (account.posted, account.held.minor(), account.available())
    }
}
