//! The engine's accounts: opening, top-ups, balances, statements, the trial balance.

use std::sync::Arc;

use suanpan_core::ledger::LedgerCommand;
use suanpan_core::order::Directory;
use suanpan_model::{
    AccountId, AccountType, Amount, CauseId, Currency, Entry, EntryCode, PlatformId, Posting, Reject,
    RejectCode,
};
use tokio::sync::oneshot;

use super::{Engine, ended};
use crate::actors::{Balances, Commands, Statement};
use crate::api::{
    Balance, FUNDING, OpenAccount, StatementLine, StatementQuery, TopUp, TrialBalance, TrialRow,
};
use crate::log_writer::LogMessage;
use crate::messages::AccountCommand;
use crate::shared::{Shared, busy};

impl Engine {
    /// Opens accounts; a repeat returns the account that exists. Answers in the order of the requests.
    ///
    /// # Errors
    /// Each on its own: `unknown_platform`, `account_type_not_allowed`, `account_exists`, `invalid_parent`.
    pub async fn open_accounts(&self, accounts: Vec<OpenAccount>) -> Vec<Result<AccountId, Reject>> {
        let names: Vec<_> =
            accounts.iter().map(|open| (open.platform, open.kind, open.reference.clone())).collect();
        let opened: Vec<_> = accounts.into_iter().map(|account| self.number_account(account)).collect();
        let commands =
            opened.iter().flatten().map(|(id, command)| (*id, AccountCommand::Ledger(command.clone())));
        let commands = commands.collect();
        let mut results = self.command(commands).await.into_iter();
        let mut answers = Vec::with_capacity(opened.len());
        for (account, name) in opened.into_iter().zip(&names) {
            let answer = match account {
                Ok((id, _)) => results.next().unwrap_or_else(|| Err(ended())).map(|()| id),
                Err(reject) => Err(reject),
            };
            if answer.is_err() {
                self.shared().registry.forget_unopened(name);
            }
            answers.push(answer);
        }
        answers
    }

    fn number_account(&self, account: OpenAccount) -> Result<(AccountId, LedgerCommand), Reject> {
        let OpenAccount { platform, reference, kind, currency, parent, credit_limit } = account;
        if self.policy(platform).is_none() {
            let expected = "a platform of the configuration";
            return Err(Reject::new(RejectCode::UnknownPlatform, "platform", expected));
        }
        if !kind.may_be_opened() {
            let expected = "a type of account that can be opened";
            return Err(Reject::new(RejectCode::AccountTypeNotAllowed, "kind", expected));
        }
        let name = (platform, kind, reference.clone());
        let id = self.shared().registry.number_for(&name, parent.map(AccountId::bucket));
        Ok((id, LedgerCommand::Open { account: id, platform, reference, currency, parent, credit_limit }))
    }

    /// Gives commands to the shards of their accounts and awaits what becomes of each.
    pub(super) async fn command(
        &self,
        commands: Vec<(AccountId, AccountCommand)>,
    ) -> Vec<Result<(), Reject>> {
        let count = commands.len();
        match self.shared().gate.admit(count) {
            Ok(admitted) if admitted == count => {}
            Ok(admitted) => {
                self.shared().gate.answered(admitted);
                return (0..count).map(|_| Err(busy())).collect();
            }
            Err(reject) => return (0..count).map(|_| Err(reject.clone())).collect(),
        }
        let wiring = self.running.wiring();
        let mut by_shard: Vec<Vec<_>> = (0..wiring.balances.len()).map(|_| Vec::new()).collect();
        let mut answers = Vec::with_capacity(count);
        for (account, command) in commands {
            let (to, answer) = oneshot::channel();
            // Whoever asked may have given up waiting.
            let place = Place(Arc::clone(&self.running.shared));
            let tell: crate::balance_shard::Told = Box::new(move |result| {
                drop(place);
                drop(to.send(result));
            });
            by_shard[account.shard(wiring.balances.len())].push((command, tell));
            answers.push(answer);
        }
        for (address, commands) in wiring.balances.iter().zip(by_shard) {
            if !commands.is_empty() {
                address.do_send(Commands { commands });
            }
        }
        let mut results = Vec::with_capacity(count);
        for answer in answers {
            results.push(answer.await.unwrap_or_else(|_| Err(ended())));
        }
        results
    }

    /// The account that a platform knows under `reference`.
    #[must_use]
    pub fn account_by_reference(
        &self,
        platform: PlatformId,
        kind: AccountType,
        reference: &str,
    ) -> Option<AccountId> {
        let id = self.shared().registry.account_by_name(&(platform, kind, reference.into()))?;
        self.shared().registry.account(id).map(|_| id)
    }

    /// Accounts of a platform in the order of their numbers: at most `limit` of those after the number `after`, of one
    /// type or of all.
    ///
    /// # Errors
    /// `unavailable` when the engine is ending.
    pub async fn accounts_of(
        &self,
        platform: PlatformId,
        kind: Option<AccountType>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Balance>, Reject> {
        let opened = self.shared().registry.opened_by(platform, kind, after, limit);
        let mut balances = self.balances(&opened).await?;
        balances.sort_unstable_by_key(|balance| balance.account.number());
        Ok(balances)
    }

    /// Puts money from outside on an account.
    ///
    /// # Errors
    /// `idempotency_conflict`, `unknown_account`, `currency_mismatch`, `amount_zero`, `amount_too_large`.
    pub async fn top_up(&self, top_up: TopUp) -> Result<(), Reject> {
        let TopUp { platform, account, amount, currency, reference } = top_up;
        let (owner, own_currency) = match account.internal_currency() {
            Some(own) => (PlatformId(account.owner()), own),
            None => match self.shared().registry.account(account) {
                Some(facts) => (facts.platform, facts.currency),
                None => return Err(unknown_account()),
            },
        };
        if owner != platform {
            return Err(unknown_account());
        }
        if own_currency != currency {
            let expected = format!("the account's currency, {own_currency}");
            return Err(Reject::new(RejectCode::CurrencyMismatch, "currency", expected));
        }
        if amount.is_zero() {
            return Err(Reject::new(RejectCode::AmountZero, "amount", "an amount above zero"));
        }
        if amount > Amount::MAX {
            return Err(Reject::new(RejectCode::AmountTooLarge, "amount", "an amount within the limit"));
        }
        let entry = top_up_entry(platform, account, amount, currency, &reference);
        let home = entry.postings[0].account;
        let reference = format!("{platform}/{reference}").into();
        let command = AccountCommand::Ledger(LedgerCommand::Post { entry, reference });
        self.command(vec![(home, command)]).await.pop().unwrap_or_else(|| Err(ended()))
    }

    /// Balances of an account; any stripe of an internal account names the whole.
    ///
    /// # Errors
    /// `unknown_account`; `unavailable` when the engine is ending.
    pub async fn balance(&self, account: AccountId) -> Result<Balance, Reject> {
        let stripes: Vec<AccountId> = match account.kind().is_internal() {
            true => (0..suanpan_model::ids::STRIPES).map(|stripe| account.on_stripe(stripe)).collect(),
            false => vec![account],
        };
        let sum = self.balances(&stripes).await?.into_iter().reduce(|sum, part| add(sum, &part));
        let sum = sum.map(|sum| Balance { account, ..sum });
        match (sum, account.internal_currency()) {
            (Some(balance), _) => Ok(balance),
            (None, Some(currency)) => Ok(nothing(account, currency)),
            (None, None) => Err(unknown_account()),
        }
    }

    /// Balances of accounts, shard by shard; those that were never opened or posted to are not among them.
    async fn balances(&self, accounts: &[AccountId]) -> Result<Vec<Balance>, Reject> {
        let wiring = self.running.wiring();
        let mut balances = Vec::with_capacity(accounts.len());
        for (shard, address) in wiring.balances.iter().enumerate() {
            let of_shard = |account: &AccountId| account.shard(wiring.balances.len()) == shard;
            let accounts: Vec<_> = accounts.iter().copied().filter(of_shard).collect();
            if accounts.is_empty() {
                continue;
            }
            let (to, answer) = oneshot::channel();
            address.do_send(Balances { accounts, to });
            balances.extend(answer.await.map_err(|_| ended())?.into_iter().flatten());
        }
        Ok(balances)
    }

    /// Lines of an account's statement, oldest first, from the archive and from memory.
    ///
    /// # Errors
    /// `unknown_account`; `unavailable` when the archive cannot be read or the engine is ending.
    pub async fn statement(&self, query: StatementQuery) -> Result<Vec<StatementLine>, Reject> {
        let wiring = self.running.wiring();
        let (to, answer) = oneshot::channel();
        wiring.balances[query.account.shard(wiring.balances.len())].do_send(Statement { query, to });
        answer.await.map_err(|_| ended())?
    }

    /// The trial balance of all shards at one position of the log.
    pub async fn trial_balance(&self) -> TrialBalance {
        let (to, mut parts) = tokio::sync::mpsc::unbounded_channel();
        if self.running.wiring().log.send(LogMessage::Trial(to)).is_err() {
            return TrialBalance { rows: Vec::new(), breaks: vec!["the engine is ending".into()] };
        }
        let mut trial = TrialBalance::default();
        let mut answered = 0;
        while let Some((rows, breaks)) = parts.recv().await {
            answered += 1;
            trial.breaks.extend(breaks);
            rows.into_iter().for_each(|row| add_row(&mut trial.rows, row));
        }
        if answered != self.running.wiring().balances.len() {
            trial.breaks.push("a shard of the ledger does not answer".into());
        }
        trial.rows.sort_by_key(|row| (row.kind, row.owner, row.currency));
        trial
    }
}

/// A place at the gate that is given back with the command, whether or not anybody still waits for its answer.
struct Place(Arc<Shared>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.gate.answered(1);
    }
}

fn top_up_entry(
    platform: PlatformId,
    account: AccountId,
    amount: Amount,
    currency: Currency,
    reference: &str,
) -> Entry {
    let seed = u64::from(platform.0);
    let cause = CauseId(xxhash_rust::xxh3::xxh3_64_with_seed(reference.as_bytes(), seed));
    let clearing = AccountId::internal(AccountType::ChannelClearing, u32::from(FUNDING.0), currency, 0);
    let mut entry = Entry::new(EntryCode::TopUp, currency, cause).with(Posting::debit(clearing, amount));
    if account.kind().is_internal() {
        let stripes = suanpan_model::ids::STRIPES;
        let parts = suanpan_core::split::allocate(amount, &vec![1; usize::from(stripes)]);
        for (stripe, part) in (0..stripes).zip(parts) {
            entry.push(Posting::credit(account.on_stripe(stripe), part));
        }
    } else {
        entry.push(Posting::credit(account, amount));
    }
    entry
}

fn unknown_account() -> Reject {
    Reject::new(RejectCode::UnknownAccount, "account", "an account that was opened on this platform")
}

fn add(sum: Balance, part: &Balance) -> Balance {
    Balance {
        posted: sum.posted + part.posted,
        held: sum.held.plus(part.held),
        available: sum.available + part.available,
        rolled_up: sum.rolled_up + part.rolled_up,
        owed: sum.owed.plus(part.owed),
        ..sum
    }
}

fn nothing(account: AccountId, currency: Currency) -> Balance {
    Balance {
        account,
        platform: PlatformId(0),
        reference: "".into(),
        currency,
        posted: 0,
        held: Amount::ZERO,
        available: 0,
        rolled_up: 0,
        owed: Amount::ZERO,
    }
}

fn add_row(rows: &mut Vec<TrialRow>, row: TrialRow) {
    let same = |known: &&mut TrialRow| {
        (known.kind, known.owner, known.currency) == (row.kind, row.owner, row.currency)
    };
    match rows.iter_mut().find(same) {
        Some(known) => {
            known.accounts += row.accounts;
            known.debit_balance += row.debit_balance;
        }
        None => rows.push(row),
    }
}
