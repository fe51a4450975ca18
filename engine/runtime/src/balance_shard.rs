//! One shard of accounts: decides holds, openings and top-ups, carries out what the log tells it, keeps statements.
//!
//! No actor and no thread is in here. Postings arrive from the log only; what the shard decides by itself goes to
//! the log before anybody is told, so that a hold stands in the log before the order that relies on it.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;
use smol_str::SmolStr;
use suanpan_core::ledger::{CouponAccounts, Decision, Instruction, Ledger, LedgerCommand, instructions};
use suanpan_core::order::AccountFacts;
use suanpan_model::order::OrderHold;
use suanpan_model::{
    AccountId, AccountType, Campaign, CauseId, Currency, HoldId, LedgerEvent, Lsn, OrderId, Record, Reject,
    RejectCode, TimestampMs,
};

use crate::api::{Balance, StatementLine, StatementQuery, TrialRow};
use crate::codec::{encode_record, encode_row, write_marked_row};
use crate::messages::{
    AccountCommand, AnnouncedRows, Asked, HoldAnswer, HoldAsk, Instructions, LogBatch, Rows, Source,
    TimedInstruction, VoidAsk,
};
use crate::registry::AccountName;
use crate::shared::Shared;
use crate::statements::{HandOver, Statements, read_chunks};
use crate::store::{CheckpointRows, Table};

/// What a balance shard can make happen outside itself.
pub trait Outside {
    /// Hands a batch to the log writer.
    fn log(&mut self, batch: LogBatch);
    /// Tells an order shard what became of its holds.
    fn answer_holds(&mut self, shard: usize, answers: Vec<HoldAnswer>);
    /// Hands statement lines to the archive.
    fn archive(&mut self, shard: usize, lines: HandOver);
    /// Hands checkpoint rows to the store.
    fn checkpoint(&mut self, rows: Rows);
    /// Has [`BalanceShard::capture`] called again, after what waits for the shard by now.
    fn go_on(&mut self);
}

/// Told, once it is durable, what became of a command.
pub type Told = Box<dyn FnOnce(Result<(), Reject>) + Send>;

/// What a balance shard starts from.
#[derive(Default)]
pub struct Restored {
    /// Accounts and holds.
    pub ledger: Ledger,
    /// Statement lines of the replayed part of the log.
    pub statements: Statements,
    /// Accounts that changed since their checkpoint row was written.
    pub dirty: FxHashSet<AccountId>,
    /// Holds that have a checkpoint row.
    pub hold_rows: FxHashSet<HoldId>,
    /// Numbers of top-ups and transfers, with a fingerprint of their content.
    pub references: FxHashMap<u128, u64>,
    /// Campaigns of the replayed part of the log, and the accounts of their stocks.
    pub campaigns: Vec<(Arc<Campaign>, AccountId)>,
    /// Log position up to which instructions were carried out.
    pub applied: Lsn,
}

/// A checkpoint on its way.
struct Checkpointing {
    epoch: u64,
    replay_from: Lsn,
    /// Whether rows of it were handed over.
    is_begun: bool,
    /// Holds that have a row, which goes when the hold is gone, and holds that there were when it was wanted; some are both.
    holds: Vec<HoldId>,
    /// Accounts that had changed when it was wanted, in the order in which they are captured.
    accounts: Vec<AccountId>,
    /// Those of them that are not captured yet.
    waiting: FxHashSet<AccountId>,
    /// Numbers of top-ups and transfers, and campaigns, that had no row when it was wanted.
    references: Vec<u128>,
    campaigns: Vec<(Arc<Campaign>, AccountId)>,
    /// Rows of accounts that are not handed over yet.
    rows: CheckpointRows,
    /// Room to encode rows in.
    row: Vec<u8>,
}

impl Checkpointing {
    /// Captures an account as it is, unless that is done. It has to be done before the next posting: the archive has the lines of
    /// earlier ones, and a restart makes lines only of those that the row does not contain.
    fn capture_account(&mut self, id: AccountId, ledger: &Ledger) {
        if !self.waiting.remove(&id) {
            return;
        }
        let Some(account) = ledger.account(id) else { return };
        // An account above, of which only the roll-up has changed, needs no row: that is computed anew at a restart.
        write_marked_row(account, account.applied, &mut self.row);
        self.rows.upsert(id.raw().to_be_bytes(), self.row.as_slice());
    }
}

/// One shard of accounts.
pub struct BalanceShard {
    index: usize,
    shards: usize,
    shared: Arc<Shared>,
    ledger: Ledger,
    statements: Statements,
    /// Accounts and holds that changed since the last checkpoint.
    dirty: FxHashSet<AccountId>,
    hold_rows: FxHashSet<HoldId>,
    /// Numbers of top-ups and transfers, with a fingerprint of their content.
    references: FxHashMap<u128, u64>,
    new_references: Vec<u128>,
    /// Campaigns that have no checkpoint row yet, and the accounts of their stocks.
    new_campaigns: Vec<(Arc<Campaign>, AccountId)>,
    /// Debtors whose accounts changed, and what changed them.
    may_pay: Vec<(AccountId, CauseId)>,
    in_log: VecDeque<Vec<(Told, Result<(), Reject>)>>,
    checkpoint: Option<Checkpointing>,
    /// Rows captured for a checkpoint, each with how many batches of this shard must be durable before they are handed over.
    captured: VecDeque<(usize, Rows)>,
    /// Log position up to which instructions were carried out.
    applied: Lsn,
}

impl BalanceShard {
    /// A shard around what was recovered, or around nothing.
    #[must_use]
    pub fn new(index: usize, shards: usize, shared: Arc<Shared>, restored: Restored) -> Self {
        Self {
            index,
            shards,
            shared,
            new_references: restored.references.keys().copied().collect(),
            ledger: restored.ledger,
            statements: restored.statements,
            dirty: restored.dirty,
            hold_rows: restored.hold_rows,
            references: restored.references,
            new_campaigns: restored.campaigns,
            may_pay: Vec::new(),
            in_log: VecDeque::new(),
            checkpoint: None,
            captured: VecDeque::new(),
            applied: restored.applied,
        }
    }

    /// An order shard needs holds.
    pub fn on_hold_asks(&mut self, from: usize, asks: Vec<HoldAsk>, outside: &mut dyn Outside) {
        let now = self.shared.clock.now();
        let mut batch = Batch::new(self.shards);
        let mut answers = Vec::with_capacity(asks.len());
        for HoldAsk { order, slot, no, asked } in asks {
            let result = match asked {
                Asked::Money { account, amount, currency, whole } => {
                    let hold = HoldId { cause: order.cause(), no };
                    let expires_at = TimestampMs::NEVER;
                    let command = LedgerCommand::Hold { hold, account, amount, currency, expires_at, whole };
                    self.decide(&command, now, &mut batch).map(|()| self.placed(order, no..=no))
                }
                Asked::Coupon { campaign, stock, customer } => self
                    .lock_coupon(order, no, &campaign, stock, &customer, now, &mut batch)
                    .map(|()| self.placed(order, no..=no + 1)),
            };
            answers.push(HoldAnswer { order, slot, no, result });
        }
        // The log gets the holds before the order shard hears of them.
        self.write(batch, Vec::new(), outside);
        outside.answer_holds(from, answers);
    }

    /// The holds of an order with these numbers.
    fn placed(&self, order: OrderId, numbers: std::ops::RangeInclusive<u16>) -> SmallVec<[OrderHold; 2]> {
        let hold = |no| {
            let hold = self.ledger.hold(HoldId { cause: order.cause(), no })?;
            Some(OrderHold { no, account: hold.account, amount: hold.left })
        };
        numbers.filter_map(hold).collect()
    }

    /// An order will not use these holds.
    pub fn on_voids(&mut self, asks: Vec<VoidAsk>, outside: &mut dyn Outside) {
        let now = self.shared.clock.now();
        let mut batch = Batch::new(self.shards);
        for ask in asks {
            let command = LedgerCommand::Void { hold: HoldId { cause: ask.order.cause(), no: ask.hold.no } };
            if let Err(reject) = self.decide(&command, now, &mut batch) {
                tracing::error!(order = %ask.order, %reject, "a hold cannot be given back");
            }
            // What was held may recover a debt.
            if self.ledger.is_owing(ask.hold.account) {
                self.may_pay.push((ask.hold.account, ask.order.cause()));
            }
        }
        self.write(batch, Vec::new(), outside);
        self.recover_debts(outside);
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one message")]
    fn lock_coupon(
        &mut self,
        order: OrderId,
        no: u16,
        campaign: &Campaign,
        stock: AccountId,
        customer: &SmolStr,
        now: TimestampMs,
        batch: &mut Batch,
    ) -> Result<(), Reject> {
        let accounts = self.shared.registry.coupon_accounts(campaign, stock, customer);
        let claimable = campaign.claimable;
        let command =
            LedgerCommand::LockCoupon { cause: order.cause(), no, accounts: accounts.clone(), claimable };
        let result = self.decide(&command, now, batch);
        self.forget_unopened(&accounts);
        result
    }

    /// Gives back the names of a customer's accounts that were not opened. Only this shard opens them.
    fn forget_unopened(&self, accounts: &CouponAccounts) {
        let allowance = accounts.allowance.map(|(account, _)| account);
        for account in [Some(accounts.wallet), allowance].into_iter().flatten() {
            if self.ledger.account(account).is_none() {
                let name = (accounts.platform, account.kind(), accounts.reference.clone());
                self.shared.registry.forget(&name);
            }
        }
    }

    /// Commands of the in-process API: openings, top-ups, transfers, campaigns, coupons.
    pub fn on_commands(&mut self, commands: Vec<(AccountCommand, Told)>, outside: &mut dyn Outside) {
        let now = self.shared.clock.now();
        let mut batch = Batch::new(self.shards);
        let mut told = Vec::with_capacity(commands.len());
        for (command, tell) in commands {
            let result = match command {
                AccountCommand::Ledger(command) => self.decide_once(&command, now, &mut batch),
                AccountCommand::IssueCoupons { campaign, stock, customer, count, cause, reference } => {
                    let accounts = self.shared.registry.coupon_accounts(&campaign, stock, &customer);
                    let known = accounts.clone();
                    let command = LedgerCommand::GrantCoupons { cause, count, accounts, reference };
                    let result = self.decide_once(&command, now, &mut batch);
                    self.forget_unopened(&known);
                    result
                }
            };
            told.push((tell, result));
        }
        self.write(batch, told, outside);
    }

    fn decide_once(
        &mut self,
        command: &LedgerCommand,
        now: TimestampMs,
        batch: &mut Batch,
    ) -> Result<(), Reject> {
        if self.check_reference(command)? { self.decide(command, now, batch) } else { Ok(()) }
    }

    /// Whether the number of a top-up, transfer or grant is new.
    fn check_reference(&self, command: &LedgerCommand) -> Result<bool, Reject> {
        let (reference, content) = match command {
            LedgerCommand::Post { entry, reference } => (reference, movement(entry)),
            LedgerCommand::GrantCoupons { cause, count, accounts, reference } => {
                (reference, movement(&accounts.grant_entry(*cause, *count)))
            }
            LedgerCommand::Open { .. }
            | LedgerCommand::Hold { .. }
            | LedgerCommand::RecordCampaign { .. }
            | LedgerCommand::LockCoupon { .. }
            | LedgerCommand::Void { .. } => return Ok(true),
        };
        let (key, content) = (reference_key(content.0, reference), content.1);
        match self.references.get(&key) {
            Some(known) if *known == content => Ok(false),
            Some(_) => {
                let expected = "the content of the first request with this reference, or another reference";
                Err(Reject::new(RejectCode::IdempotencyConflict, "reference", expected))
            }
            None => Ok(true),
        }
    }

    fn decide(&mut self, command: &LedgerCommand, now: TimestampMs, batch: &mut Batch) -> Result<(), Reject> {
        match self.ledger.decide(command)? {
            Decision::Repeat => {}
            Decision::Moved(events) => {
                for event in events {
                    self.ledger.apply(&event);
                    self.note(&event, batch);
                    batch.add(&Record::Ledger { at: now, event });
                }
            }
        }
        Ok(())
    }

    fn note(&mut self, event: &LedgerEvent, batch: &mut Batch) {
        match event {
            LedgerEvent::AccountOpened { account, platform, reference, currency, .. } => {
                self.dirty.insert(*account);
                let facts = AccountFacts { platform: *platform, currency: *currency };
                batch.opened.push((*account, (*platform, account.kind(), reference.clone()), facts));
            }
            LedgerEvent::EntryPosted { entry, reference } if !reference.is_empty() => {
                let (first, content) = movement(entry);
                let key = reference_key(first, reference);
                self.references.insert(key, content);
                self.new_references.push(key);
            }
            LedgerEvent::CampaignRecorded { campaign, stock } => {
                self.new_campaigns.push((Arc::clone(campaign), *stock));
                batch.campaigns.push((Arc::clone(campaign), *stock));
            }
            LedgerEvent::EntryPosted { .. }
            | LedgerEvent::HoldPlaced { .. }
            | LedgerEvent::HoldVoided { .. }
            | LedgerEvent::HoldExpired { .. } => {}
        }
    }

    fn write(&mut self, batch: Batch, told: Vec<(Told, Result<(), Reject>)>, outside: &mut dyn Outside) {
        if batch.records == 0 {
            match self.in_log.back_mut() {
                Some(last) => last.extend(told),
                None => told.into_iter().for_each(|(tell, result)| tell(result)),
            }
            return;
        }
        self.in_log.push_back(told);
        outside.log(LogBatch {
            source: Source::Balances(self.index),
            records: batch.records,
            payload: batch.payload,
            instructions: batch.instructions,
            observations: Vec::new(),
            announced: AnnouncedRows::default(),
        });
        // Orders may name an account once its opening stands in the log before them.
        for (account, name, facts) in batch.opened {
            self.shared.registry.insert(account, name, facts);
        }
        for (campaign, stock) in batch.campaigns {
            self.shared.registry.insert_campaign(&campaign, stock);
        }
    }

    /// The oldest batch of this shard is durable.
    ///
    /// # Panics
    /// When no batch is on its way: a bug of the log writer.
    pub fn on_committed(&mut self, outside: &mut dyn Outside) {
        let told = self.in_log.pop_front().expect("a batch is on its way");
        told.into_iter().for_each(|(tell, result)| tell(result));
        for (left, _) in &mut self.captured {
            *left -= 1;
        }
        self.hand_over_captured(outside);
    }

    /// The log tells what to do. `durable` is the position of its last record.
    pub fn on_instructions(
        &mut self,
        chunks: Vec<(Lsn, Instructions)>,
        durable: Lsn,
        outside: &mut dyn Outside,
    ) {
        for (first, instructions) in chunks {
            for TimedInstruction { position, at, instruction } in instructions.iter() {
                self.carry_out(Lsn(first.0 + u64::from(position)), at, &instruction);
            }
        }
        self.applied = durable;
        self.recover_debts(outside);
        if self.statements.len() >= self.shared.limits.hand_over_lines {
            self.hand_over_statements(outside);
        }
    }

    fn carry_out(&mut self, lsn: Lsn, at: TimestampMs, instruction: &Instruction) {
        if let Some(checkpoint) = &mut self.checkpoint {
            checkpoint.capture_account(instruction.account(), &self.ledger);
        }
        let opening = self.ledger.carry_out(lsn, instruction);
        self.statements.add(lsn, at, instruction, opening);
        // Money that came, or a hold that went, may recover a debt.
        let account = instruction.account();
        let debtor =
            if self.ledger.is_owing(account) { Some(account) } else { self.ledger.debtor_of(account) };
        if let Some(debtor) = debtor.filter(|debtor| self.ledger.is_owing(*debtor)) {
            self.may_pay.push((debtor, instruction.cause()));
        }
    }

    /// Looks at every debt, after a restart.
    pub fn recover_all_debts(&mut self, outside: &mut dyn Outside) {
        self.may_pay = self.ledger.debtors().map(|debtor| (debtor, CauseId(debtor.raw()))).collect();
        self.may_pay.sort_unstable();
        self.recover_debts(outside);
    }

    /// Takes what debtors have now, up to what they owe.
    fn recover_debts(&mut self, outside: &mut dyn Outside) {
        if self.may_pay.is_empty() {
            return;
        }
        let now = self.shared.clock.now();
        let mut batch = Batch::new(self.shards);
        for (debtor, cause) in std::mem::take(&mut self.may_pay) {
            for event in self.ledger.recovery(debtor, cause).into_iter().flatten() {
                self.ledger.apply(&event);
                self.note(&event, &mut batch);
                batch.add(&Record::Ledger { at: now, event });
            }
        }
        if batch.records > 0 {
            self.write(batch, Vec::new(), outside);
        }
    }

    /// Hands statement lines to the archive, if there are any.
    pub fn hand_over_statements(&mut self, outside: &mut dyn Outside) {
        if !self.statements.is_empty() {
            let lines = self.statements.hand_over();
            self.dirty.extend(lines.accounts.iter().copied());
            outside.archive(self.index, lines);
        }
    }

    /// The archive has the statement lines up to this hand-over.
    pub fn on_statements_archived(&mut self, hand_over: u64) {
        self.statements.confirm(hand_over);
    }

    /// A checkpoint is wanted of what changed since the last one. Everything of this shard up to here is in that, so the log is
    /// needed from here on only.
    pub fn on_checkpoint(&mut self, epoch: u64, outside: &mut dyn Outside) {
        while self.checkpoint.is_some() {
            self.capture(outside);
        }
        // Accounts of which lines are handed over have changed.
        self.hand_over_statements(outside);
        let mut holds: Vec<HoldId> = std::mem::take(&mut self.hold_rows).into_iter().collect();
        holds.extend(self.ledger.holds().map(|(id, _)| *id));
        let waiting = std::mem::take(&mut self.dirty);
        self.checkpoint = Some(Checkpointing {
            epoch,
            replay_from: self.applied,
            is_begun: false,
            holds,
            accounts: waiting.iter().copied().collect(),
            waiting,
            references: std::mem::take(&mut self.new_references),
            campaigns: std::mem::take(&mut self.new_campaigns),
            rows: CheckpointRows::new(Table::Accounts),
            row: Vec::new(),
        });
        self.capture(outside);
    }

    /// Captures the next rows of a checkpoint, so few that others need not wait; they are handed over once everything in them
    /// is durable. A hold is captured as it is by then; its row says up to where that is complete.
    pub fn capture(&mut self, outside: &mut dyn Outside) {
        let Some(mut checkpoint) = self.checkpoint.take() else { return };
        let mut left = self.shared.limits.rows_at_once;
        let mut holds = CheckpointRows::new(Table::Holds);
        while left > 0
            && let Some(id) = checkpoint.holds.pop()
        {
            left -= 1;
            match self.ledger.hold(id) {
                Some(hold) if self.hold_rows.insert(id) => {
                    write_marked_row(&(id, *hold), Lsn(0), &mut checkpoint.row);
                    holds.upsert(hold_key(id), checkpoint.row.as_slice());
                }
                Some(_) => {}
                None => holds.delete(hold_key(id)),
            }
        }
        while left > 0
            && let Some(id) = checkpoint.accounts.pop()
        {
            left -= 1;
            checkpoint.capture_account(id, &self.ledger);
        }
        let mut references = CheckpointRows::new(Table::Directory);
        while left > 0
            && let Some(key) = checkpoint.references.pop()
        {
            left -= 1;
            references.upsert(key.to_be_bytes(), self.references[&key].to_le_bytes());
        }
        let mut campaigns = CheckpointRows::new(Table::Campaigns);
        while left > 0
            && let Some((campaign, stock)) = checkpoint.campaigns.pop()
        {
            left -= 1;
            campaigns.upsert(campaign.id.0.to_be_bytes(), encode_row(&(&*campaign, stock)));
        }
        let is_last = checkpoint.holds.is_empty()
            && checkpoint.accounts.is_empty()
            && checkpoint.references.is_empty()
            && checkpoint.campaigns.is_empty();
        let accounts = std::mem::replace(&mut checkpoint.rows, CheckpointRows::new(Table::Accounts));
        let rows = Rows {
            source: Source::Balances(self.index),
            epoch: checkpoint.epoch,
            tables: vec![accounts, holds, references, campaigns],
            is_last,
            waits_for_archive: !std::mem::replace(&mut checkpoint.is_begun, true),
            replay_from: checkpoint.replay_from,
            last_id: OrderId(0),
        };
        self.captured.push_back((self.in_log.len(), rows));
        if !is_last {
            self.checkpoint = Some(checkpoint);
            outside.go_on();
        }
        self.hand_over_captured(outside);
    }

    fn hand_over_captured(&mut self, outside: &mut dyn Outside) {
        while let Some((_, rows)) = self.captured.pop_front_if(|(left, _)| *left == 0) {
            outside.checkpoint(rows);
        }
    }

    /// Balances of one account (one stripe of an internal one); `None` when it was never opened or posted to.
    #[must_use]
    pub fn balance(&self, id: AccountId) -> Option<Balance> {
        self.ledger.account(id).map(|account| Balance {
            account: id,
            platform: account.platform,
            reference: account.reference.clone(),
            currency: account.currency,
            posted: account.posted,
            held: account.held,
            available: account.available(),
            rolled_up: account.rolled_up(),
            owed: self.ledger.owed(id),
        })
    }

    /// Lines of a statement, oldest first: archived ones, then those that wait for the archive.
    ///
    /// # Errors
    /// `unknown_account`; `unavailable` when the archive cannot be read.
    pub fn statement(&self, query: &StatementQuery) -> Result<Vec<StatementLine>, Reject> {
        if self.ledger.account(query.account).is_none() && !query.account.kind().is_internal() {
            return Err(Reject::new(RejectCode::UnknownAccount, "account", "an account that was opened"));
        }
        let unavailable = |what: String| {
            tracing::error!(account = %query.account, %what, "a statement cannot be read");
            Reject::new(RejectCode::Unavailable, "", "an archive that can be read; try again later")
        };
        let mut lines: Vec<StatementLine> = Vec::new();
        let mut after = query.after;
        let take = |line: StatementLine, lines: &mut Vec<StatementLine>| {
            if line.lsn > query.after && line.at >= query.from && line.at < query.until {
                // A page ends between two log positions, so that the cursor can tell where to go on.
                if lines.len() >= query.limit && lines.last().is_some_and(|last| last.lsn != line.lsn) {
                    return ControlFlow::Break(());
                }
                lines.push(line);
            }
            ControlFlow::Continue(())
        };
        loop {
            let chunks = self
                .shared
                .store
                .statement(query.account.raw(), after.0 + 1, u64::MAX, PAGE_CHUNKS)
                .map_err(|fault| unavailable(fault.to_string()))?;
            let bytes: Vec<&[u8]> = chunks.iter().map(|chunk| &chunk.postings[..]).collect();
            let mut last = after;
            read_chunks(query.account, bytes, |line| {
                last = last.max(line.lsn);
                if line.lsn <= after { ControlFlow::Continue(()) } else { take(line, &mut lines) }
            })
            .map_err(|fault| unavailable(fault.to_string()))?;
            if chunks.len() < PAGE_CHUNKS || lines.len() >= query.limit || last == after {
                after = last;
                break;
            }
            after = last;
        }
        let pending = self.statements.pending(query.account);
        read_chunks(query.account, pending.iter().map(|(_, bytes)| bytes.as_slice()), |line| {
            if line.lsn <= after { ControlFlow::Continue(()) } else { take(line, &mut lines) }
        })
        .map_err(|fault| unavailable(fault.to_string()))?;
        Ok(lines)
    }

    /// This shard's part of the trial balance, and breaks of its invariants.
    #[must_use]
    pub fn trial(&self) -> (Vec<TrialRow>, Vec<String>) {
        let mut rows: FxHashMap<(AccountType, u32, Currency), TrialRow> = FxHashMap::default();
        for account in self.ledger.accounts() {
            let kind = account.id.kind();
            let owner = if kind.is_internal() { account.id.owner() } else { 0 };
            let currency = account.currency;
            let empty = TrialRow { kind, owner, currency, accounts: 0, debit_balance: 0 };
            let row = rows.entry((kind, owner, currency)).or_insert(empty);
            row.accounts += 1;
            row.debit_balance += account.debit_balance();
        }
        (rows.into_values().collect(), self.ledger.breaks())
    }
}

/// Archive chunks that are read at once for a page of a statement.
const PAGE_CHUNKS: usize = 64;

/// Records of one message on their way to the log.
struct Batch {
    payload: Vec<u8>,
    records: u32,
    instructions: Vec<Instructions>,
    opened: Vec<(AccountId, AccountName, AccountFacts)>,
    campaigns: Vec<(Arc<Campaign>, AccountId)>,
}

impl Batch {
    fn new(shards: usize) -> Self {
        Self {
            payload: Vec::new(),
            records: 0,
            instructions: (0..shards).map(|_| Instructions::default()).collect(),
            opened: Vec::new(),
            campaigns: Vec::new(),
        }
    }

    fn add(&mut self, record: &Record) {
        encode_record(record, &mut self.payload);
        let (position, shards) = (self.records, self.instructions.len());
        let (Record::Order { at, .. } | Record::Ledger { at, .. }) = *record;
        instructions(record, &mut |instruction| {
            let shard = instruction.account().shard(shards);
            self.instructions[shard].push(position, at, &instruction);
        });
        self.records += 1;
    }
}

/// Key of a hold in the store.
#[must_use]
pub fn hold_key(id: HoldId) -> Vec<u8> {
    let mut key = id.cause.0.to_be_bytes().to_vec();
    key.extend(id.no.to_be_bytes());
    key
}

/// Key under which the number of a top-up or transfer is remembered.
#[must_use]
pub fn reference_key(account: u64, reference: &str) -> u128 {
    xxhash_rust::xxh3::xxh3_128_with_seed(reference.as_bytes(), account)
}

/// The account that decides about an entry outside any order, and a fingerprint of what it moves; its own number is
/// left out.
#[must_use]
pub fn movement(entry: &suanpan_model::Entry) -> (u64, u64) {
    let lines = entry.postings.iter().flat_map(|posting| {
        [posting.account.raw(), posting.amount.minor(), u64::from(posting.side == suanpan_model::Side::Debit)]
    });
    let bytes: Vec<u8> = lines.flat_map(u64::to_le_bytes).collect();
    let first = entry.postings.first().map_or(0, |posting| posting.account.raw());
    (first, xxhash_rust::xxh3::xxh3_64_with_seed(&bytes, entry.code as u64))
}
