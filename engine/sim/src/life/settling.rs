//! Accounts, campaigns and money, before any fault; and money that comes and goes outside orders later.

use std::sync::Arc;

use suanpan_core::invariants::Invariant;
use suanpan_core::ledger::LedgerCommand;
use suanpan_core::order::Directory;
use suanpan_model::{
    AccountId, AccountType, Amount, CauseId, Currency, Entry, EntryCode, Posting, TimestampMs,
};
use suanpan_runtime::api::FUNDING;
use suanpan_runtime::messages::AccountCommand;

use super::Life;
use super::agenda::Item;
use crate::mall::{COUNTED, CUSTOMERS, Cast, ISSUED, campaigns};
use crate::plan::PLATFORM;
use crate::process::{Actor, Message};
use crate::tap;

impl Life {
    /// Accounts and money, before any fault.
    pub(super) fn settle_in(&mut self) {
        let names = [
            (AccountType::Settlement, "m1"),
            (AccountType::Settlement, "m2"),
            (AccountType::Settlement, "m3"),
            (AccountType::Commission, "a1"),
            (AccountType::Commission, "a2"),
            (AccountType::Cash, "b1"),
            (AccountType::Cash, "b2"),
            (AccountType::Cash, "b3"),
            (AccountType::Marketing, "k1"),
        ];
        let mut ids = Vec::new();
        for (place, (kind, name)) in names.into_iter().enumerate() {
            // The second merchant stands below the first: roll-ups are part of every life.
            let parent = (place == 1).then(|| ids[0]);
            let Some(process) = &mut self.process else { return };
            let key = (PLATFORM, kind, name.into());
            let account = process.shared.registry.number_for(&key, parent.map(AccountId::bucket));
            ids.push(account);
            let command = LedgerCommand::Open {
                account,
                platform: PLATFORM,
                reference: name.into(),
                currency: Currency::Cny,
                parent,
                credit_limit: Amount::ZERO,
            };
            let to = Actor::Balances(account.shard(self.plan.shards));
            let command = AccountCommand::Ledger(command);
            process.deliver(to, None, Message::Commands(vec![(command, Box::new(|_| {}))]));
            self.wake(to);
            self.run_until(self.now + 120_000, Self::is_quiet);
        }
        self.cast = Cast {
            merchants: ids[..3].to_vec(),
            agents: ids[3..5].to_vec(),
            buyers: ids[5..8].to_vec(),
            marketing: ids[8],
            campaigns: Vec::new(),
        };
        let until = self.now + self.plan.coupons_valid_ms;
        self.cast.campaigns = campaigns(&self.cast, TimestampMs(until));
        for campaign in self.cast.campaigns.clone() {
            let Some(process) = &mut self.process else { return };
            let key = (PLATFORM, AccountType::CouponStock, campaign.id.to_string().into());
            let bucket = u8::try_from(campaign.id.0).unwrap_or_default();
            let stock = process.shared.registry.number_for(&key, Some(bucket));
            let command = LedgerCommand::RecordCampaign { campaign: Arc::new(campaign), stock };
            self.command(stock, AccountCommand::Ledger(command));
        }
        for number in 0..5 {
            self.top_up(number);
        }
        self.run_until(self.now + 120_000, Self::is_quiet);
        let opened = tap::lock(&self.ground.tap).ledger.opened.len();
        // Every campaign has an account of its stock.
        let expected = names.len() + self.cast.campaigns.len();
        if opened != expected {
            let what = format!("{opened} of {expected} accounts were opened in peace");
            self.report.breaks.push(Invariant::EverythingEnds.broken(what));
        }
    }

    /// Money from outside; a repeat of the number must change nothing.
    pub(super) fn top_up(&mut self, number: usize) {
        let account = match number % 5 {
            3 => AccountId::internal(AccountType::CouponFund, PLATFORM.0, Currency::Cny, 0),
            4 => self.cast.marketing,
            place => self.cast.buyers[place],
        };
        let reference = format!("T-{number}");
        let clearing =
            AccountId::internal(AccountType::ChannelClearing, u32::from(FUNDING.0), Currency::Cny, 0);
        let stripes = if account.kind().is_internal() { suanpan_model::ids::STRIPES } else { 1 };
        let share = if account.kind().is_internal() { 1_500 } else { 40_000 };
        let amount = Amount::from_minor(share * u64::from(stripes));
        let cause = CauseId(0xffff_0000 + number as u64);
        let mut entry =
            Entry::new(EntryCode::TopUp, Currency::Cny, cause).with(Posting::debit(clearing, amount));
        for stripe in 0..stripes {
            let to = if account.kind().is_internal() { account.on_stripe(stripe) } else { account };
            entry.push(Posting::credit(to, Amount::from_minor(share)));
        }
        let command = LedgerCommand::Post { entry, reference: reference.into() };
        self.command(clearing, AccountCommand::Ledger(command));
    }

    fn command(&mut self, account: AccountId, command: AccountCommand) {
        let Some(process) = &mut self.process else { return };
        let to = Actor::Balances(account.shard(self.plan.shards));
        process.deliver(to, None, Message::Commands(vec![(command, Box::new(|_| {}))]));
        self.wake(to);
    }

    /// A receiver spends what it has, or half of it, so that it is short when an order is undone; a repeat of the number
    /// must change nothing.
    pub(super) fn spend(&mut self, number: usize) {
        let Some((account, amount)) = self.spendings.get(number).copied() else { return };
        let clearing =
            AccountId::internal(AccountType::ChannelClearing, u32::from(FUNDING.0), Currency::Cny, 0);
        let entry = Entry::new(EntryCode::Transfer, Currency::Cny, CauseId(0xfffe_0000 + number as u64))
            .with(Posting::debit(account, amount))
            .with(Posting::credit(clearing, amount));
        let command = LedgerCommand::Post { entry, reference: format!("W-{number}").into() };
        self.command(account, AccountCommand::Ledger(command));
    }

    pub(super) fn plan_to_spend(&mut self) {
        let Some(process) = &self.process else { return };
        let receivers: Vec<AccountId> =
            self.cast.merchants.iter().chain(&self.cast.agents).copied().collect();
        let account = self.dice.pick(&receivers);
        let balance = process.balances[account.shard(self.plan.shards)].balance(account);
        let available = balance.and_then(|balance| u64::try_from(balance.available).ok()).unwrap_or_default();
        let minor = if self.dice.below(3) == 0 { available / 2 } else { available };
        if minor == 0 {
            return;
        }
        self.report.coverage.fault("receiver spends what it got");
        self.spendings.push((account, Amount::from_minor(minor)));
        let number = self.spendings.len() - 1;
        for _ in 0..self.dice.between(1, 2) {
            let wait = self.dice.wait(self.plan.network.usual_ms);
            self.after(wait, Item::Spend(number));
        }
    }

    /// Coupons for a customer; a repeat of the number must change nothing.
    pub(super) fn issue(&mut self, number: usize) {
        let Some(process) = &self.process else { return };
        let campaign = if number % 3 == 2 { COUNTED } else { ISSUED };
        let registry = &process.shared.registry;
        let known = registry.campaign(campaign).zip(registry.stock_of(campaign));
        let Some((campaign, stock)) = known.filter(|(known, _)| self.now < known.valid_until.0) else {
            return;
        };
        let command = AccountCommand::IssueCoupons {
            campaign,
            stock,
            customer: CUSTOMERS[number % CUSTOMERS.len()].into(),
            count: 1 + u32::from(number % 4 == 3),
            cause: CauseId(0xfffd_0000 + number as u64),
            reference: format!("C-{number}").into(),
        };
        self.command(stock, command);
    }
}
