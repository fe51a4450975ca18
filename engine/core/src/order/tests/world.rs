//! A world in one thread: one ledger, several orders that share accounts, channels with books of their own, and a
//! log. Everything that must hold is checked after every step.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use suanpan_model::order::{AttemptState, OrderHold};
use suanpan_model::refund::{Refund, RefundSource, RefundState};
use suanpan_model::{
    AccountId, AccountType, Amount, CauseId, ChannelRequest, Currency, DurationMs, Entry, EntryCode, HoldId,
    LedgerEvent, Lsn, Order, OrderCommand, OrderEvent, OrderId, OrderStatus, OrderTerms, Outcome, Posting,
    Record, Reject, TimestampMs,
};

use super::build::*;
use super::twin::{Twin, receivers};
use crate::ledger::{Account, Decision as LedgerDecision, Ledger, LedgerCommand, Marks, instructions};
use crate::order::{
    Context, Decision, Events, Granted, HoldNeed, answered_then, apply, born, check, create, decide, effects,
    holds_needed,
};

/// What each buyer, and each stripe of the coupon fund, has at the beginning.
const PURSE: u64 = 30_000;
const FUND: u64 = 3_000;
/// Stripes of internal accounts that the orders of a world use.
pub(super) const BUCKETS: u8 = 3;

pub(super) struct World {
    pub(super) shop: Shop,
    pub(super) now: TimestampMs,
    pub(super) orders: BTreeMap<OrderId, Order>,
    /// Calls that channels have not answered.
    pub(super) calls: Vec<ChannelRequest>,
    ledger: Ledger,
    log: Vec<Record>,
    twin: Twin,
    last: OrderId,
    /// Where orders stood when requests with a number were carried out.
    answered: Vec<(OrderId, OrderCommand, OrderStatus)>,
}

impl World {
    pub(super) fn new(shop: Shop) -> Self {
        let mut world = Self {
            shop,
            now: NOW,
            orders: BTreeMap::new(),
            calls: Vec::new(),
            ledger: Ledger::default(),
            log: Vec::new(),
            twin: Twin::default(),
            last: OrderId(0),
            answered: Vec::new(),
        };
        for number in 1..=3 {
            for account in [merchant(number), agent(number), buyer(number)] {
                world
                    .ledger_does(&LedgerCommand::Open {
                        account,
                        platform: PLATFORM,
                        reference: "".into(),
                        currency: Currency::Cny,
                        parent: None,
                        credit_limit: Amount::ZERO,
                    })
                    .expect("an opening");
            }
            world.tops_up(buyer(number), PURSE);
        }
        for stripe in 0..BUCKETS {
            let fund = AccountId::internal(AccountType::CouponFund, PLATFORM.0, Currency::Cny, stripe);
            world.tops_up(fund, FUND);
        }
        let open = LedgerCommand::Open {
            account: promoter(),
            platform: PLATFORM,
            reference: "".into(),
            currency: Currency::Cny,
            parent: None,
            credit_limit: Amount::ZERO,
        };
        world.ledger_does(&open).expect("an opening");
        world.tops_up(promoter(), FUND);
        let stock = coupon_accounts("").stock;
        let campaign = Arc::new(stamp());
        world.ledger_does(&LedgerCommand::RecordCampaign { campaign, stock }).expect("a campaign");
        world
    }

    fn tops_up(&mut self, account: AccountId, amount: u64) {
        let clearing = AccountId::internal(AccountType::ChannelClearing, 1, Currency::Cny, 0);
        let entry = Entry::new(EntryCode::TopUp, Currency::Cny, CauseId(self.log.len() as u64 + 1))
            .with(Posting::debit(clearing, fen(amount)))
            .with(Posting::credit(account, fen(amount)));
        self.twin.moves("clearing 1", amount.into());
        self.twin.moves(&name(account), amount.into());
        self.ledger_does(&LedgerCommand::Post { entry, reference: "".into() }).expect("a top-up");
    }

    fn ledger_does(&mut self, command: &LedgerCommand) -> Result<(), Reject> {
        if let LedgerDecision::Moved(events) = self.ledger.decide(command)? {
            // As in the engine: decided and folded in as a whole, carried out from the log.
            events.iter().for_each(|event| self.ledger.apply(event));
            for event in events {
                self.append(Record::Ledger { at: self.now, event });
            }
        }
        Ok(())
    }

    fn append(&mut self, record: Record) {
        let lsn = Lsn(self.log.len() as u64 + 1);
        let mut touched = Vec::new();
        instructions(&record, &mut |instruction| {
            self.ledger.carry_out(lsn, &instruction);
            touched.push((instruction.account(), instruction.cause()));
        });
        if let Record::Ledger { event: LedgerEvent::HoldVoided { hold, account }, .. } = &record {
            touched.push((*account, hold.cause));
        }
        self.log.push(record);
        for (account, cause) in touched {
            let debtor = self.ledger.debtor_of(account).unwrap_or(account);
            while let Some(events) = self.ledger.recovery(debtor, cause) {
                self.twin.recovers(&events);
                events.iter().for_each(|event| self.ledger.apply(event));
                for event in events {
                    self.append(Record::Ledger { at: self.now, event });
                }
            }
        }
    }

    /// A receiver spends what it has.
    pub(super) fn spends(&mut self, account: AccountId, amount: u64) {
        let clearing = AccountId::internal(AccountType::ChannelClearing, 1, Currency::Cny, 0);
        let cause = CauseId(1_000_000 + self.log.len() as u64);
        let entry = Entry::new(EntryCode::Transfer, Currency::Cny, cause)
            .with(Posting::debit(account, fen(amount)))
            .with(Posting::credit(clearing, fen(amount)));
        let change = i128::from(amount);
        if self.ledger_does(&LedgerCommand::Post { entry, reference: "".into() }).is_ok() {
            self.twin.moves(&name(account), -change);
            self.twin.moves("clearing 1", -change);
        }
    }

    /// Records an order as the engine does: check, hold, create. The answer in words.
    pub(super) fn orders(&mut self, terms: OrderTerms, bucket: u8) -> String {
        let context = self.shop.context(self.now);
        if let Err(reject) = check(&terms, self.now, context.policy, context.router, context.directory) {
            return format!("! {}", reject.code.code());
        }
        let id = OrderId::following(self.last, self.now, bucket % BUCKETS);
        self.last = id;
        let (holds, refused) = self.places(id, &terms, &holds_needed(id, &terms));
        if let Some(refused) = refused {
            self.voids(id, &holds);
            return format!("! {}", refused.code.code());
        }
        let holds = holds.into_iter().collect();
        let (order, events) =
            create(id, Arc::new(terms), holds, &self.shop.context(self.now)).expect("a channel is open");
        assert_eq!(order, folded(None, id, self.now, &events), "the order that is returned is the fold");
        self.moved(id, &events);
        told_events(&events)
    }

    /// Places holds as the engine does; what was placed, and why not all.
    fn places(
        &mut self,
        id: OrderId,
        terms: &OrderTerms,
        needed: &[HoldNeed],
    ) -> (Vec<OrderHold>, Option<Reject>) {
        let (mut placed, mut refused) = (Vec::new(), None);
        for need in needed {
            let (command, numbers) = match *need {
                HoldNeed::Money { hold: OrderHold { no, account, amount }, whole } => {
                    let hold = HoldId { cause: id.cause(), no };
                    let (currency, expires_at) = (terms.currency, TimestampMs::NEVER);
                    (LedgerCommand::Hold { hold, account, amount, currency, expires_at, whole }, no..=no)
                }
                HoldNeed::Coupon { no, .. } => {
                    let accounts = coupon_accounts(&terms.payer);
                    let cause = id.cause();
                    (LedgerCommand::LockCoupon { cause, no, accounts, claimable: true }, no..=no + 1)
                }
            };
            refused = refused.or(self.ledger_does(&command).err());
            let hold = |no| {
                let hold = self.ledger.hold(HoldId { cause: id.cause(), no })?;
                Some(OrderHold { no, account: hold.account, amount: hold.left })
            };
            placed.extend(numbers.filter_map(hold));
        }
        (placed, refused)
    }

    fn voids(&mut self, id: OrderId, holds: &[OrderHold]) {
        for hold in holds {
            let hold = HoldId { cause: id.cause(), no: hold.no };
            self.ledger_does(&LedgerCommand::Void { hold }).expect("a hold can be given back");
        }
    }

    /// Decides, with the holds that it takes.
    fn decides(&mut self, id: OrderId, command: &OrderCommand) -> Result<Decision, Reject> {
        let first = decide(&self.orders[&id], command, &self.shop.context(self.now))?;
        let Decision::NeedsHolds(needed) = first else { return Ok(first) };
        let terms = Arc::clone(&self.orders[&id].terms);
        let (holds, refused) = self.places(id, &terms, &needed);
        let granted = Some(Granted { holds: &holds, refused: refused.as_ref() });
        let context = Context { granted, ..self.shop.context(self.now) };
        let answer = decide(&self.orders[&id], command, &context);
        if answer.is_err() || refused.is_some() {
            self.voids(id, &holds);
        }
        answer
    }

    pub(super) fn does(&mut self, id: OrderId, command: &OrderCommand) -> String {
        let answer = self.decides(id, command);
        if let Ok(Decision::Moved(events)) = &answer {
            assert!(!events.is_empty(), "a decision that moves has events");
            doubt_moves_no_money(command, events);
            self.moved(id, events);
            self.is_heard_once(id, command, events);
            if answered_then(&self.orders[&id], command).is_some() {
                self.answered.push((id, command.clone(), self.orders[&id].status));
            }
            self.answers_stay(id);
        }
        told(&answer)
    }

    /// A repeat of a request with a number is answered as it was at first, whatever the order has come to.
    fn answers_stay(&self, id: OrderId) {
        for (_, command, status) in self.answered.iter().filter(|(order, ..)| *order == id) {
            let order = &self.orders[&id];
            assert_eq!(answered_then(order, command), Some(*status), "{command:?} {}", standing(order));
        }
    }

    /// A notification or answer that comes twice changes nothing the second time.
    fn is_heard_once(&self, id: OrderId, command: &OrderCommand, events: &Events) {
        use suanpan_model::ReportSource::{PayAnswer, PayNotice};
        let contradicts = events.iter().any(|event| matches!(event, OrderEvent::Contradicted { .. }));
        if let OrderCommand::Report(report) = command
            && matches!(report.source, PayAnswer | PayNotice)
            && !contradicts
        {
            let again = decide(&self.orders[&id], command, &self.shop.context(self.now));
            assert_eq!(again, Ok(Decision::Repeat), "{report:?}");
        }
    }

    fn moved(&mut self, id: OrderId, events: &Events) {
        for event in events {
            for entry in event.entries() {
                assert_eq!(entry.imbalance(), 0, "{entry:?}");
                assert!(entry.postings.iter().all(|line| !line.amount.is_zero()), "{entry:?}");
            }
            if let (OrderEvent::AttemptStarted { .. }, Some(order)) = (event, self.orders.get(&id)) {
                let is_dead = |state: &AttemptState| {
                    use AttemptState::{Closed, Failed, NotSent};
                    matches!(state, Failed { .. } | NotSent(_) | Closed)
                };
                assert!(order.attempts.iter().all(|attempt| is_dead(&attempt.state)), "{}", standing(order));
            }
            let order = folded(self.orders.get(&id), id, self.now, std::slice::from_ref(event));
            self.twin.sees(&order, event, self.now);
            self.orders.insert(id, order);
        }
        let order = &self.orders[&id];
        for event in events {
            effects(order, event, None, &mut |call| {
                assert!(!call.amount.is_zero(), "a channel is asked for nothing: {call:?}");
                self.calls.push(call);
            });
        }
        let events = events.iter().cloned().collect();
        self.append(Record::Order { order: id, at: self.now, events });
    }

    /// Wakes every order that is due; afterwards none is due any more.
    pub(super) fn wakes(&mut self) {
        let due: Vec<_> =
            self.orders.values().filter(|order| order.next_due() <= self.now).map(|order| order.id).collect();
        for id in due {
            // One step of closing may make the next thing due at once, for example a query after a payment.
            let mut told = Vec::new();
            while self.orders[&id].next_due() <= self.now && told.len() < 3 {
                told.push(self.does(id, &OrderCommand::Wake));
            }
            let order = &self.orders[&id];
            assert!(order.next_due() > self.now, "{} after {told:?}", standing(order));
        }
    }

    pub(super) fn check(&self) {
        assert_eq!(self.ledger.breaks(), [""; 0]);
        assert!(self.ledger.trial_balance().values().all(|sum| *sum == 0));
        let (mut escrow, mut suspense, mut fees) = (0, 0, 0);
        let mut holds = BTreeSet::new();
        for order in self.orders.values() {
            check_order(order);
            escrow += in_escrow(order);
            suspense += parked(order);
            fees += fees_taken(order);
            let own = order.holds.iter().chain(order.dispute.iter().flat_map(|dispute| &dispute.holds));
            let open = order.refunds.iter().filter(|refund| refund.state.is_open());
            let takes = open.flat_map(|refund| &refund.unwinding).flat_map(|unwinding| &unwinding.takes);
            let own = own.copied().chain(takes.filter_map(|take| take.hold));
            holds.extend(own.map(|hold| (order.id.cause(), hold.no, hold.account, hold.amount)));
        }
        assert_eq!(self.balance("escrow"), escrow);
        assert_eq!(self.balance("suspense"), suspense);
        assert_eq!(self.balance("fees"), fees);
        let placed: BTreeSet<_> =
            self.ledger.holds().map(|(id, hold)| (id.cause, id.no, hold.account, hold.left)).collect();
        assert_eq!(placed, holds, "every hold belongs to something that is under way");
        for debtor in receivers() {
            let available = self.ledger.account(debtor).map_or(0, Account::available);
            assert!(
                available == 0 || self.ledger.owed(debtor).is_zero(),
                "{} owes and has {available}: {:?}",
                name(debtor),
                &self.log[self.log.len() - 3..]
            );
        }
        self.check_coupons();
        assert_eq!(self.twin.balances(), &self.balances(), "the naive twin's books");
    }

    /// Coupons that are locked or used, by the orders' own word, are what stock and allowances lack.
    fn check_coupons(&self) {
        let mut taken: BTreeMap<&str, i128> = BTreeMap::new();
        for order in self.orders.values().filter(|order| order.terms.coupons.iter().any(|one| one.counted)) {
            let used = order.entries.iter().filter(|entry| entry.code == EntryCode::CouponUsed).count();
            let back = order.entries.iter().filter(|entry| entry.code == EntryCode::CouponReturned).count();
            assert!(back <= used && used <= 1, "{}", standing(order));
            let locked = order.holds.iter().any(|hold| hold.account.kind() == AccountType::CouponStock);
            *taken.entry(&order.terms.payer).or_default() += (used - back) as i128 + i128::from(locked);
        }
        let gone = |account| {
            self.ledger.account(account).map_or(0, |known| known.credit_limit.signed() - known.available())
        };
        for customer in ["alice", "bob", "carol"] {
            let accounts = coupon_accounts(customer);
            let (allowance, limit) = accounts.allowance.expect("the campaign has a limit");
            let own = taken.get(customer).copied().unwrap_or(0);
            assert_eq!(gone(allowance), own);
            assert!(own <= i128::from(limit));
        }
        let all: i128 = taken.values().sum();
        assert_eq!(gone(coupon_accounts("").stock), all);
        assert!(all <= 4);
    }

    /// Posted balances by name, stripes as one, zeros left out.
    pub(super) fn balances(&self) -> BTreeMap<String, i128> {
        let mut sums = BTreeMap::new();
        for account in self.ledger.accounts() {
            *sums.entry(name(account.id)).or_insert(0) += account.posted;
        }
        sums.retain(|_, sum| *sum != 0);
        sums
    }

    fn balance(&self, account: &str) -> i128 {
        self.balances().get(account).copied().unwrap_or(0)
    }

    /// The codes of all entries.
    pub(super) fn booked(&self) -> Vec<EntryCode> {
        let mut codes = Vec::new();
        for record in &self.log {
            match record {
                Record::Order { events, .. } => {
                    codes.extend(events.iter().flat_map(OrderEvent::entries).map(|entry| entry.code));
                }
                Record::Ledger { event: LedgerEvent::EntryPosted { entry, .. }, .. } => {
                    codes.push(entry.code)
                }
                Record::Ledger { .. } => {}
            }
        }
        codes
    }

    /// Everything again from the log alone.
    pub(super) fn check_replay(&self) {
        let mut ledger = Ledger::default();
        let mut orders: BTreeMap<OrderId, Order> = BTreeMap::new();
        for (index, record) in self.log.iter().enumerate() {
            match record {
                Record::Order { order: id, at, events } => {
                    let order = folded(orders.get(id), *id, *at, events);
                    orders.insert(*id, order);
                }
                Record::Ledger { event, .. } => {
                    assert!(!matches!(event, LedgerEvent::HoldExpired { .. }));
                    ledger.apply(event);
                }
            }
            let lsn = Lsn(index as u64 + 1);
            instructions(record, &mut |instruction| {
                ledger.replay(&Marks::default(), lsn, &instruction);
            });
        }
        assert_eq!(ledger, self.ledger);
        assert_eq!(orders, self.orders);
    }

    pub(super) fn sleeps(&mut self, span: DurationMs) {
        self.now = self.now + span;
    }
}

fn folded(order: Option<&Order>, id: OrderId, at: TimestampMs, events: &[OrderEvent]) -> Order {
    let mut events = events.iter();
    let mut order = match order {
        Some(order) => order.clone(),
        None => born(id, at, events.next().expect("a creation")),
    };
    events.for_each(|event| apply(&mut order, at, event));
    order
}

/// No other channel, no failure and no money on the word of somebody who does not know.
fn doubt_moves_no_money(command: &OrderCommand, events: &Events) {
    if let OrderCommand::Report(report) = command
        && matches!(report.outcome, Outcome::Unknown(_) | Outcome::NotFound | Outcome::Processing)
    {
        let acts = |event: &OrderEvent| {
            use OrderEvent::{AttemptFailed, AttemptNotSent, AttemptStarted, Failed};
            matches!(
                event,
                AttemptStarted { .. } | AttemptFailed { .. } | AttemptNotSent { .. } | Failed { .. }
            ) || !event.entries().is_empty()
        };
        assert!(!events.iter().any(acts), "{report:?}: {}", told_events(events));
    }
}

/// Frozen money, and what is set aside of it for refunds that are not over.
fn in_escrow(order: &Order) -> i128 {
    let open = order.refunds.iter().filter(|refund| refund.state.is_open());
    let unwindings = open.filter_map(|refund| refund.unwinding.as_ref());
    order.frozen.signed() + unwindings.map(|unwinding| sum(&unwinding.returned)).sum::<i128>()
}

fn sum(amounts: &[Amount]) -> i128 {
    amounts.iter().map(|amount| amount.signed()).sum()
}

/// The channel's fee that merchants bore, less what they got of it back.
fn fees_taken(order: &Order) -> i128 {
    let over = |refund: &&Refund| {
        matches!(refund.state, RefundState::Succeeded | RefundState::Bounced | RefundState::Finished)
    };
    let is_fee =
        |part: usize, stake: usize| order.parts[part].stakes[stake].account.kind() == AccountType::FeeIncome;
    let stakes = order.parts.iter().flat_map(|part| &part.stakes);
    let fees = stakes.filter(|stake| stake.account.kind() == AccountType::FeeIncome);
    let mut fees: i128 = fees.map(|stake| stake.given.signed()).sum();
    for unwinding in order.refunds.iter().filter(over).filter_map(|refund| refund.unwinding.as_ref()) {
        let mut taken = unwinding.taken.iter();
        for (part, stakes) in unwinding.stakes.iter().enumerate() {
            for stake in 0..usize::from(*stakes) {
                let taken = taken.next().expect("a line for each stake");
                fees -= if is_fee(part, stake) { taken.signed() } else { 0 };
            }
        }
    }
    fees
}

/// Late and double payments, and refunds that came back, less what of them left.
fn parked(order: &Order) -> i128 {
    let is_late =
        |entry: &&Entry| entry.postings.iter().any(|line| line.account.kind() == AccountType::Suspense);
    let change = |entry: &Entry| -> i128 {
        let lines = entry.postings.iter().filter(|line| line.account.kind() == AccountType::Suspense);
        lines.map(|line| AccountType::Suspense.sign(line.side) * line.amount.signed()).sum()
    };
    let booked: i128 = order.entries.iter().filter(is_late).map(change).sum();
    // What the order says of itself must agree with what was booked.
    let waiting = order.parked().count() as i128 * order.terms.payable().signed();
    let refunds = order.refunds.iter().filter(|refund| {
        refund.state == RefundState::Bounced
            || (refund.source == RefundSource::Suspense && refund.state.is_open())
    });
    let told = waiting + refunds.map(|refund| refund.to_payer.signed()).sum::<i128>();
    assert_eq!(booked, told, "{}", standing(order));
    told
}

fn check_order(order: &Order) {
    let line = standing(order);
    assert!(order.attempts.iter().filter(|attempt| attempt.state.is_alive()).count() <= 1, "{line}");
    let live = order.refunds.iter().filter(|refund| refund.state != RefundState::Failed);
    let (back, parked): (Vec<_>, Vec<_>) = live.partition(|refund| refund.source == RefundSource::Order);
    let to_payer: i128 = back.iter().map(|refund| refund.to_payer.signed()).sum();
    let undone: i128 = back.iter().map(|refund| refund.amount.signed()).sum();
    assert!(undone <= order.terms.amount.signed(), "never more than was paid: {line}");
    assert!(to_payer <= order.terms.payable().signed(), "{line}");
    assert!(undone - to_payer <= order.terms.subsidy().signed(), "{line}");
    if undone == order.terms.amount.signed() {
        assert_eq!(to_payer, order.terms.payable().signed(), "a whole refund gives everything back: {line}");
    }
    for refund in parked.iter().filter(|refund| Some(refund.attempt) != order.paid_by) {
        let again = parked.iter().filter(|other| other.attempt == refund.attempt);
        assert!(again.filter(|other| other.state != RefundState::Finished).count() <= 1, "{line}");
    }
    assert_eq!(order.refunded().signed(), undone, "{line}");
    for (part, sub_order) in order.parts.iter().zip(&order.terms.sub_orders) {
        let given: i128 = part.stakes.iter().map(|stake| stake.given.signed()).sum();
        let taken: i128 = part.stakes.iter().map(|stake| stake.taken.signed()).sum();
        assert_eq!((given, taken), (part.released.signed(), part.reversed.signed()), "{line}");
        assert_eq!(sum(&part.undone), part.refunded().signed(), "{line}");
        assert!(part.released.plus(part.returned) <= sub_order.amount, "{line}");
        assert!(part.reversed <= part.released, "{line}");
    }
    if order.paid_by.is_some() {
        let returned: i128 = order.parts.iter().map(|part| part.returned.signed()).sum();
        let whole = order.released().signed() + returned + order.frozen.signed();
        assert_eq!(whole, order.terms.amount.signed(), "{line}");
    } else {
        assert_eq!((order.released(), undone, order.frozen), (fen(0), 0, fen(0)), "{line}");
    }
    assert_eq!(
        order.holds.is_empty(),
        !order.status.is_unpaid() || holds_needed(order.id, &order.terms).is_empty()
    );
    if order.status.is_final() {
        assert_eq!(order.frozen, fen(0), "{line}");
    }
}
