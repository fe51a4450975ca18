//! A world in one thread: one ledger, several orders that share accounts, channels with books of their own, and a
//! log. Everything that must hold is checked after every step.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use suanpan_model::order::{AttemptState, RefundSource, RefundState};
use suanpan_model::{
    AccountType, Amount, CauseId, ChannelRequest, Currency, DurationMs, Entry, EntryCode, HoldId,
    LedgerEvent, Lsn, Order, OrderCommand, OrderEvent, OrderId, OrderTerms, Outcome, Posting, Record,
    TimestampMs,
};

use super::build::*;
use super::twin::Twin;
use crate::ledger::{Decision as LedgerDecision, Ledger, LedgerCommand, Marks, instructions};
use crate::order::{Decision, Events, apply, born, check, create, decide, effects, holds_needed};

/// What each buyer, and each stripe of the coupon fund, has at the beginning.
const PURSE: u64 = 30_000;
const FUND: u64 = 3_000;
/// Stripes of internal accounts that the orders of a world use.
pub(super) const BUCKETS: u8 = 3;

pub(super) struct World {
    pub(super) shop: Shop,
    pub(super) town: Town,
    pub(super) now: TimestampMs,
    pub(super) orders: BTreeMap<OrderId, Order>,
    /// Calls that channels have not answered.
    pub(super) calls: Vec<ChannelRequest>,
    ledger: Ledger,
    log: Vec<Record>,
    twin: Twin,
    last: OrderId,
}

impl World {
    pub(super) fn new(shop: Shop) -> Self {
        let mut world = Self {
            shop,
            town: Town::usual(),
            now: NOW,
            orders: BTreeMap::new(),
            calls: Vec::new(),
            ledger: Ledger::default(),
            log: Vec::new(),
            twin: Twin::default(),
            last: OrderId(0),
        };
        for number in 1..=3 {
            for account in [merchant(number), agent(number), buyer(number)] {
                world.ledger_does(&LedgerCommand::Open {
                    account,
                    platform: PLATFORM,
                    reference: "".into(),
                    currency: Currency::Cny,
                    parent: None,
                    credit_limit: Amount::ZERO,
                });
            }
            world.tops_up(buyer(number), PURSE);
        }
        for stripe in 0..BUCKETS {
            let fund = suanpan_model::AccountId::internal(
                AccountType::CouponFund,
                PLATFORM.0,
                Currency::Cny,
                stripe,
            );
            world.tops_up(fund, FUND);
        }
        world
    }

    fn tops_up(&mut self, account: suanpan_model::AccountId, amount: u64) {
        let clearing = suanpan_model::AccountId::internal(AccountType::ChannelClearing, 1, Currency::Cny, 0);
        let entry = Entry::new(EntryCode::TopUp, Currency::Cny, CauseId(self.log.len() as u64 + 1))
            .with(Posting::debit(clearing, fen(amount)))
            .with(Posting::credit(account, fen(amount)));
        self.twin.moves("clearing 1", amount.into());
        self.twin.moves(&name(account), amount.into());
        self.ledger_does(&LedgerCommand::Post { entry, reference: "".into() });
    }

    /// Whether the ledger did it (or had done it before).
    fn ledger_does(&mut self, command: &LedgerCommand) -> bool {
        let Ok(decision) = self.ledger.decide(command) else { return false };
        if let LedgerDecision::Moved(events) = decision {
            for event in events {
                self.ledger.apply(&event);
                self.append(Record::Ledger { at: self.now, event });
            }
        }
        true
    }

    fn append(&mut self, record: Record) {
        let lsn = Lsn(self.log.len() as u64 + 1);
        instructions(&record, &mut |instruction| {
            self.ledger.carry_out(lsn, &instruction);
        });
        self.log.push(record);
    }

    /// Records an order as the engine does: check, hold, create. The answer in words.
    pub(super) fn orders(&mut self, terms: OrderTerms, bucket: u8) -> String {
        let context = self.shop.context(self.now);
        if let Err(reject) = check(&terms, self.now, context.policy, context.router, &self.town) {
            return format!("! {}", reject.code.code());
        }
        let id = OrderId::following(self.last, self.now, bucket % BUCKETS);
        self.last = id;
        let holds = holds_needed(id, &terms);
        let mut placed = Vec::new();
        for hold in &holds {
            let hold_id = HoldId { cause: id.cause(), no: hold.no };
            let command = LedgerCommand::Hold {
                hold: hold_id,
                account: hold.account,
                amount: hold.amount,
                currency: terms.currency,
                expires_at: TimestampMs::NEVER,
            };
            if !self.ledger_does(&command) {
                for hold in placed {
                    self.ledger_does(&LedgerCommand::Void { hold });
                }
                return "! insufficient_funds".to_owned();
            }
            placed.push(hold_id);
        }
        let (order, events) =
            create(id, Arc::new(terms), holds, &self.shop.context(self.now)).expect("a channel is open");
        assert_eq!(order, folded(None, id, self.now, &events), "the order that is returned is the fold");
        self.moved(id, &events);
        told_events(&events)
    }

    pub(super) fn does(&mut self, id: OrderId, command: &OrderCommand) -> String {
        let order = &self.orders[&id];
        let answer = decide(order, command, &self.shop.context(self.now));
        if let Ok(Decision::Moved(events)) = &answer {
            assert!(!events.is_empty(), "a decision that moves has events");
            doubt_moves_no_money(command, events);
            self.moved(id, events);
            self.is_heard_once(id, command, events);
        }
        told(&answer)
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
            self.twin.sees(&order, event);
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
            let alive = order.refunds.iter().filter(|refund| refund.state.is_alive());
            let returning = alive.filter(|refund| refund.source == RefundSource::Escrow);
            escrow += order.frozen.signed() + returning.map(|refund| refund.amount.signed()).sum::<i128>();
            suspense += parked(order);
            fees += order.fee_taken.signed();
            holds.extend(
                order.holds.iter().map(|hold| (order.id.cause(), hold.no, hold.account, hold.amount)),
            );
        }
        assert_eq!(self.balance("escrow"), escrow);
        assert_eq!(self.balance("suspense"), suspense);
        assert_eq!(self.balance("fees"), fees);
        let placed: BTreeSet<_> =
            self.ledger.holds().map(|(id, hold)| (id.cause, id.no, hold.account, hold.left)).collect();
        assert_eq!(placed, holds, "every hold belongs to an order that waits for its payment");
        assert_eq!(self.twin.balances(), &self.balances(), "the naive twin's books");
    }

    /// Posted balances by name, stripes as one, zeros left out.
    fn balances(&self) -> BTreeMap<String, i128> {
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

/// Late and double payments less what of them went back.
fn parked(order: &Order) -> i128 {
    let late = order
        .attempts
        .iter()
        .filter(|attempt| attempt.state == AttemptState::Succeeded && Some(attempt.no) != order.paid_by);
    let returned = order
        .refunds
        .iter()
        .filter(|refund| refund.source == RefundSource::Suspense && refund.state == RefundState::Succeeded);
    late.count() as i128 * order.terms.payable().signed()
        - returned.map(|refund| refund.to_payer.signed()).sum::<i128>()
}

fn check_order(order: &Order) {
    let line = standing(order);
    assert!(order.attempts.iter().filter(|attempt| attempt.state.is_alive()).count() <= 1, "{line}");
    let live = order.refunds.iter().filter(|refund| refund.state != RefundState::Failed);
    let (back, parked): (Vec<_>, Vec<_>) = live.partition(|refund| refund.source == RefundSource::Escrow);
    let to_payer: i128 = back.iter().map(|refund| refund.to_payer.signed()).sum();
    let undone: i128 = back.iter().map(|refund| refund.amount.signed()).sum();
    let sum = |parts: &[Amount]| parts.iter().map(|part| part.signed()).sum::<i128>();
    assert!(to_payer <= order.terms.payable().signed(), "{line}");
    assert!(undone - to_payer <= order.terms.subsidy().signed(), "{line}");
    if undone == order.terms.amount.signed() {
        assert_eq!(to_payer, order.terms.payable().signed(), "a whole refund gives everything back: {line}");
    }
    for refund in parked {
        let again = order
            .refunds
            .iter()
            .filter(|other| other.attempt == refund.attempt && other.source == refund.source);
        assert_eq!(again.count(), 1, "a parked payment goes back once: {line}");
    }
    assert_eq!(sum(&order.refunded), undone, "{line}");
    if order.paid_by.is_some() {
        let whole = sum(&order.released) + sum(&order.refunded) + order.frozen.signed();
        assert_eq!(whole, order.terms.amount.signed(), "{line}");
    } else {
        assert_eq!((sum(&order.released), undone, order.frozen), (0, 0, fen(0)), "{line}");
    }
    assert_eq!(
        order.holds.is_empty(),
        !order.status.is_unpaid() || holds_needed(order.id, &order.terms).is_empty()
    );
    if order.status.is_final() {
        assert_eq!(order.frozen, fen(0), "{line}");
    }
    if order.status == suanpan_model::OrderStatus::Settled
        && let Some(attempt) = order.paid_by.and_then(|no| order.attempt(no))
    {
        assert!(order.fee_taken <= attempt.fee, "{line}");
    }
}
