//! The naive model: what each account should have, what each order was promised, and how far it has come.
//!
//! Where several roundings are legitimate the model takes over what the order's life tells, after it has checked it
//! against the exact fractions; everything that follows from it, above all each account's balance, is then exact.

use std::collections::BTreeMap;

use suanpan_model::policy::{Agreement, FeeBearer, RefundedFee};
use suanpan_model::{
    AccountId, AccountType, CampaignId, Currency, Order, OrderCommand, OrderId, OrderStatus, OrderTerms,
    PayKind, SplitRule,
};

use super::exact::{Cents, is_near};
use super::rules::divide;
use super::world::{Manner, PLATFORM};

pub type Sums = BTreeMap<AccountId, Cents>;

pub fn add(sums: &mut Sums, account: AccountId, cents: Cents) {
    let account = if account.kind().is_internal() { account.unstriped() } else { account };
    *sums.entry(account).or_default() += cents;
}

pub fn of(sums: &Sums, account: AccountId) -> Cents {
    sums.get(&account).copied().unwrap_or_default()
}

pub fn own(kind: AccountType) -> AccountId {
    AccountId::internal(kind, PLATFORM.0, Currency::Cny, 0)
}

pub fn clearing(manner: Manner) -> AccountId {
    AccountId::internal(AccountType::ChannelClearing, u32::from(manner.channel().0), Currency::Cny, 0)
}

pub fn fee_expense(manner: Manner) -> AccountId {
    AccountId::internal(AccountType::FeeExpense, u32::from(manner.channel().0), Currency::Cny, 0)
}

pub fn funding() -> AccountId {
    AccountId::internal(AccountType::ChannelClearing, 0, Currency::Cny, 0)
}

/// What one receiver got of a sub-order and gave back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    pub account: AccountId,
    pub given: Cents,
    pub taken: Cents,
}

/// How far a sub-order has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub released: Cents,
    pub returned: Cents,
    pub reversed: Cents,
    /// To the payer, then to each funder, coupon by coupon.
    pub undone: Vec<Cents>,
    /// Splits, fee, merchant, then payees that releases named.
    pub lines: Vec<Line>,
}

impl Progress {
    pub fn refunded(&self) -> Cents {
        self.returned + self.reversed
    }

    /// Rows of nothing, which a refund leaves that came to nothing, are as good as no rows.
    pub fn forget_nothing(&mut self) {
        if self.undone.iter().all(|sum| *sum == 0) {
            self.undone.clear();
        }
    }
}

/// A refund whose money has not gone its way yet, or has come back.
#[derive(Clone, Debug, Default)]
pub struct Waiting {
    /// What moves when it is finished, without the payer's part.
    pub moves: Sums,
    pub to_payer: Cents,
    pub holds: Sums,
    /// How far the order was undone by it, for when it is given up.
    pub undoes: Vec<Progress>,
    pub bounced: bool,
}

/// An order.
#[derive(Clone, Debug)]
pub struct Case {
    pub id: OrderId,
    pub terms: OrderTerms,
    pub manner: Option<Manner>,
    pub agreement: Agreement,
    pub status: OrderStatus,
    pub paid: bool,
    pub progress: Vec<Progress>,
    /// Holds on accounts while it is unpaid, or disputed.
    pub holds: Sums,
    pub waiting: BTreeMap<u8, Waiting>,
    /// What the order did to each account so far.
    pub effects: Sums,
    /// Releases that named payees.
    pub named_payees: bool,
    /// Where its counted coupons came from: the customer's wallet, or straight from the stock.
    pub coupons: Vec<(CampaignId, bool)>,
    /// Whether its coupons went back to the customer.
    pub coupons_back: bool,
    /// Releases and refunds that were carried out, for repeats.
    pub done: Vec<OrderCommand>,
}

impl Case {
    pub fn price(&self) -> Cents {
        self.terms.amount.signed()
    }

    pub fn payable(&self) -> Cents {
        let off: Cents = self.terms.coupons.iter().map(|coupon| coupon.subsidy.signed()).sum();
        self.price() - off
    }

    pub fn price_of(&self, place: usize) -> Cents {
        self.terms.sub_orders[place].amount.signed()
    }

    /// The channel's own fee.
    pub fn fee(&self) -> Cents {
        self.manner.map_or(0, |manner| manner.fee(self.payable()))
    }

    pub fn places(&self, only: Option<u8>) -> Vec<usize> {
        match only {
            Some(place) => vec![usize::from(place)],
            None => (0..self.terms.sub_orders.len()).collect(),
        }
    }

    pub fn frozen(&self, only: Option<u8>) -> Cents {
        if !self.paid {
            return 0;
        }
        let of = |place: usize| {
            self.price_of(place) - self.progress[place].released - self.progress[place].returned
        };
        self.places(only).into_iter().map(of).sum()
    }

    pub fn refundable(&self, only: Option<u8>) -> Cents {
        if !self.paid {
            return 0;
        }
        let of = |place: usize| self.price_of(place) - self.progress[place].refunded();
        self.places(only).into_iter().map(of).sum()
    }

    /// Where the order stands once all its refunds are done or waiting.
    pub fn settled_status(&self) -> OrderStatus {
        let released: Cents = self.progress.iter().map(|progress| progress.released).sum();
        match (self.frozen(None), released, self.refundable(None)) {
            (0, _, 0) => OrderStatus::Refunded,
            (0, _, _) => OrderStatus::Settled,
            (_, 0, _) => OrderStatus::Frozen,
            (_, _, _) => OrderStatus::PartReleased,
        }
    }

    fn keeps_fee(&self) -> bool {
        self.agreement.refunded_fee == RefundedFee::Keep
    }

    /// What is borne by the merchants of the channel's fee.
    fn borne_fee(&self, merchants: Cents) -> Cents {
        match self.agreement.fee_bearer {
            FeeBearer::Merchant => self.fee().min(merchants),
            FeeBearer::Platform => 0,
        }
    }

    /// Checks that `now` may follow when `sum` of `only` is released, to `payees` where there are any.
    pub fn check_release(&self, now: &[Progress], only: Option<u8>, sum: Cents, payees: &[SplitRule]) {
        let places = self.places(only);
        let mut got = 0;
        let rules = self.terms.splits.len();
        let whole = divide(self.price(), &self.terms.splits).expect("the order was taken");
        let fee = self.borne_fee(whole[rules]);
        for (place, (old, new)) in self.progress.iter().zip(now).enumerate() {
            let step = new.released - old.released;
            got += step;
            assert!(step == 0 || places.contains(&place), "another sub-order was released");
            assert!(step >= 0 && new.released + new.returned <= self.price_of(place), "too much released");
            assert_eq!(
                (old.returned, old.reversed),
                (new.returned, new.reversed),
                "a release gives nothing back"
            );
            assert_eq!(old.undone, new.undone, "a release undoes nothing");
            let mut steps = Sums::new();
            for (line, step) in steps_of(old, new, |line| line.given) {
                assert!(step >= 0, "a release takes nothing from {}", line.account);
                add(&mut steps, line.account, step);
            }
            for (line, step) in steps_of(old, new, |line| line.taken) {
                assert_eq!(step, 0, "a release takes nothing back from {}", line.account);
            }
            assert_eq!(steps.values().sum::<Cents>(), step, "the parts of a release are the whole");
            if payees.is_empty() && step > 0 {
                self.check_plan(place, new, &whole, fee);
            }
        }
        assert_eq!(got, sum, "what was asked for is released");
        if payees.is_empty() {
            self.check_whole_plan(now, &whole, fee);
        } else {
            self.check_payees(now, sum, payees, fee);
        }
    }

    /// Each receiver of the plan is within a cent of its exact part (a second one because its part of the sub-order is
    /// rounded to begin with).
    fn check_plan(&self, place: usize, new: &Progress, whole: &[Cents], fee: Cents) {
        let rules = self.terms.splits.len();
        let by_plan: Cents = new.lines[..rules + 2].iter().map(|line| line.given).sum();
        for (rule, line) in new.lines[..rules].iter().enumerate() {
            assert_eq!(line.account, self.terms.splits[rule].receiver, "lines stand in declared order");
            assert!(
                is_near(line.given, whole[rule], by_plan, self.price(), 2),
                "sub-order {place}, split {rule}: {} of {} at {by_plan} of {}",
                line.given,
                whole[rule],
                self.price()
            );
        }
        let (fees, merchant) = (new.lines[rules], new.lines[rules + 1]);
        assert_eq!(merchant.account, self.terms.sub_orders[place].merchant);
        assert!(
            is_near(fees.given, fee, by_plan, self.price(), 3),
            "sub-order {place}: fee {} of {fee} at {by_plan} of {}",
            fees.given,
            self.price()
        );
    }

    /// At the end each receiver has its whole part.
    fn check_whole_plan(&self, now: &[Progress], whole: &[Cents], fee: Cents) {
        let rules = self.terms.splits.len();
        let all_by_plan = now.iter().enumerate().all(|(place, new)| {
            new.lines.len() >= rules + 2
                && new.lines[..rules + 2].iter().map(|line| line.given).sum::<Cents>() == self.price_of(place)
        });
        if !all_by_plan {
            return;
        }
        let column = |row: usize| now.iter().map(|new| new.lines[row].given).sum::<Cents>();
        for (rule, part) in whole[..rules].iter().enumerate() {
            assert_eq!(column(rule), *part, "split {rule} has its whole part");
        }
        assert_eq!(column(rules), fee, "the fee is borne whole");
        assert_eq!(column(rules + 1), whole[rules] - fee, "the merchants have what is left");
    }

    fn check_payees(&self, now: &[Progress], sum: Cents, payees: &[SplitRule], fee: Cents) {
        let parts = divide(sum, payees).expect("the release was taken");
        let mut expected = Sums::new();
        payees.iter().zip(&parts).for_each(|(payee, part)| add(&mut expected, payee.receiver, *part));
        let mut got = Sums::new();
        let mut released: Cents = 0;
        for (old, new) in self.progress.iter().zip(now) {
            released += new.released;
            for (line, step) in steps_of(old, new, |line| line.given) {
                add(&mut got, line.account, step);
            }
        }
        let others: Vec<AccountId> =
            self.terms.sub_orders.iter().map(|sub_order| sub_order.merchant).collect();
        for (account, cents) in &expected {
            if !others.contains(account) {
                assert_eq!(of(&got, *account), *cents, "payee {account} has its part");
            }
        }
        let fees: Cents = of(&got, own(AccountType::FeeIncome));
        let before: Cents = self.fees_borne(&self.progress);
        assert!(fees + before <= fee, "no more than the fee is borne");
        let slack = 3 * now.len() as Cents;
        assert!(
            (fees + before) * self.price() < fee * released + slack * self.price(),
            "the fee comes in proportion"
        );
    }

    pub fn fees_borne(&self, progress: &[Progress]) -> Cents {
        let lines = progress.iter().flat_map(|progress| &progress.lines);
        lines.filter(|line| line.account == own(AccountType::FeeIncome)).map(|line| line.given).sum()
    }

    /// Checks that `now` may follow when `sum` of `only` is given back.
    pub fn check_refund(&self, now: &[Progress], only: Option<u8>, sum: Cents) {
        let places = self.places(only);
        let (mut undone, mut returned) = (0, 0);
        for (place, (old, new)) in self.progress.iter().zip(now).enumerate() {
            assert_eq!(old.released, new.released, "a refund releases nothing");
            let step = new.refunded() - old.refunded();
            assert!(step == 0 || places.contains(&place), "another sub-order was refunded");
            assert!(new.returned >= old.returned && new.reversed >= old.reversed, "a refund goes one way");
            assert!(new.released + new.returned <= self.price_of(place), "more returned than was frozen");
            assert!(new.reversed <= new.released, "more reversed than was released");
            undone += step;
            returned += new.returned - old.returned;
            self.check_undone(place, old, new);
            self.check_taken(old, new);
        }
        assert_eq!(undone, sum, "what was asked for is undone");
        assert_eq!(returned, sum.min(self.frozen(only)), "frozen money is used before released money");
        if now.iter().enumerate().all(|(place, new)| new.refunded() == self.price_of(place)) {
            self.check_all_undone(now);
        }
    }

    /// What each payer and funder paid of a sub-order: to the payer, then to each funder, coupon by coupon.
    fn paid_parts(&self, place: usize) -> Vec<(Cents, Cents)> {
        let shares: Cents = self.terms.coupons.iter().map(|coupon| coupon.shares[place].signed()).sum();
        let mut parts = vec![(self.price_of(place) - shares, 1)];
        for coupon in &self.terms.coupons {
            for (_, part) in &coupon.funders {
                parts.push((coupon.shares[place].signed() * part.signed(), coupon.subsidy.signed()));
            }
        }
        parts
    }

    fn check_undone(&self, place: usize, old: &Progress, new: &Progress) {
        if new.undone.is_empty() {
            return assert_eq!(new.refunded(), 0, "what is undone is told");
        }
        assert_eq!(new.undone.iter().sum::<Cents>(), new.refunded(), "the parts of a refund are the whole");
        let parts = self.paid_parts(place);
        assert_eq!(parts.len(), new.undone.len());
        for (who, ((part, per), back)) in parts.into_iter().zip(&new.undone).enumerate() {
            assert!(*back >= old.undone.get(who).copied().unwrap_or(0), "nobody gives back what came back");
            // The payer's part is whole to begin with; a funder's part of the sub-order is rounded.
            let slack = if who == 0 { 1 } else { 2 };
            assert!(
                is_near(*back, part, new.refunded(), per * self.price_of(place), slack),
                "sub-order {place}, payer or funder {who}: {back} of {part}/{per} at {} of {}",
                new.refunded(),
                self.price_of(place)
            );
        }
    }

    fn check_all_undone(&self, now: &[Progress]) {
        let column = |who: usize| now.iter().map(|new| new.undone[who]).sum::<Cents>();
        assert_eq!(column(0), self.payable(), "the payer has back what was paid");
        let funders = self.terms.coupons.iter().flat_map(|coupon| &coupon.funders);
        for (who, (account, part)) in funders.enumerate() {
            assert_eq!(column(who + 1), part.signed(), "funder {account} has its whole part back");
        }
    }

    /// Each receiver gives back in proportion to what it was given, the merchant under [`RefundedFee::Keep`] also the
    /// fee; what was given back whole is given back to the cent.
    fn check_taken(&self, old: &Progress, new: &Progress) {
        let rules = self.terms.splits.len();
        let taken: Cents = new.lines.iter().map(|line| line.taken).sum();
        assert_eq!(taken, new.reversed, "what receivers give back is what is reversed");
        if new.reversed == old.reversed {
            for (line, step) in steps_of(old, new, |line| line.taken) {
                assert_eq!(step, 0, "frozen money comes from nobody, not from {}", line.account);
            }
            return;
        }
        let (mut owing, mut taken) = (Sums::new(), Sums::new());
        let merchant = new.lines[rules + 1].account;
        for line in &new.lines {
            let is_fee = line.account == own(AccountType::FeeIncome);
            let who = if is_fee && self.keeps_fee() { merchant } else { line.account };
            add(&mut owing, who, line.given);
            add(&mut taken, line.account, line.taken);
            assert!(!(is_fee && self.keeps_fee()) || line.taken == 0, "a kept fee is not given back");
        }
        for (line, step) in steps_of(old, new, |line| line.taken) {
            assert!(step >= 0, "a refund gives nothing to {}", line.account);
        }
        for (account, cents) in &taken {
            let given = of(&owing, *account);
            assert!(*cents <= given, "{account} gives back {cents} of {given}");
            let lines = new.lines.iter().filter(|line| line.account == *account).count() as Cents;
            if !self.named_payees {
                assert!(
                    is_near(*cents, given, new.reversed, new.released, lines.max(1) + 1),
                    "{account} gives back {cents} of {given} at {} of {}",
                    new.reversed,
                    new.released
                );
            }
            if new.reversed == new.released {
                assert_eq!(*cents, given, "{account} gives back all");
            }
        }
    }
}

/// Each line of `new` with what it has more than in `old`.
pub fn steps_of(old: &Progress, new: &Progress, what: impl Fn(&Line) -> Cents) -> Vec<(Line, Cents)> {
    let before = |place: usize| old.lines.get(place).map_or(0, &what);
    new.lines.iter().enumerate().map(|(place, line)| (*line, what(line) - before(place))).collect()
}

/// What an order's life tells of how far it has come.
pub fn progress_of(order: &Order) -> Vec<Progress> {
    let line = |stake: &suanpan_model::order::Stake| {
        let account = stake.account;
        Line {
            account: if account.kind().is_internal() { account.unstriped() } else { account },
            given: stake.given.signed(),
            taken: stake.taken.signed(),
        }
    };
    (0..order.terms.sub_orders.len())
        .map(|place| {
            order.part(place).map_or_else(Progress::default, |part| Progress {
                released: part.released.signed(),
                returned: part.returned.signed(),
                reversed: part.reversed.signed(),
                undone: part.undone.iter().map(|sum| sum.signed()).collect(),
                lines: part.stakes.iter().map(line).collect(),
            })
        })
        .map(|mut progress| {
            progress.forget_nothing();
            progress
        })
        .collect()
}

/// What `now` has more than `old`: both as they are told, so that it can be taken off again.
pub fn difference(now: &[Progress], old: &[Progress]) -> Vec<Progress> {
    let less = |now: &Progress, old: &Progress| Progress {
        released: now.released - old.released,
        returned: now.returned - old.returned,
        reversed: now.reversed - old.reversed,
        undone: now
            .undone
            .iter()
            .enumerate()
            .map(|(who, sum)| sum - old.undone.get(who).copied().unwrap_or(0))
            .collect(),
        lines: now
            .lines
            .iter()
            .enumerate()
            .map(|(place, line)| {
                let before = old.lines.get(place).map_or((0, 0), |line| (line.given, line.taken));
                Line { account: line.account, given: line.given - before.0, taken: line.taken - before.1 }
            })
            .collect(),
    };
    now.iter().zip(old).map(|(now, old)| less(now, old)).collect()
}

impl Case {
    /// What a payment does.
    pub fn payment(&self) -> Sums {
        let mut moves = Sums::new();
        add(&mut moves, own(AccountType::Escrow), self.price());
        for (account, part) in self.terms.coupons.iter().flat_map(|coupon| &coupon.funders) {
            add(&mut moves, *account, -part.signed());
        }
        self.to_payer(&mut moves, -self.payable());
        if let Some(manner) = self.manner {
            add(&mut moves, fee_expense(manner), self.fee());
            add(&mut moves, clearing(manner), -self.fee());
        }
        moves
    }

    /// Money goes to the payer, back over the way it came.
    pub fn to_payer(&self, moves: &mut Sums, cents: Cents) {
        match (self.manner, self.terms.payer_account) {
            (Some(manner), _) => add(moves, clearing(manner), -cents),
            (None, Some(account)) if self.terms.kind == PayKind::Balance => add(moves, account, cents),
            (None, _) => panic!("somebody pays"),
        }
    }

    /// What a release does that brought the order so much further.
    pub fn release(further: &[Progress]) -> Sums {
        let mut moves = Sums::new();
        for progress in further {
            add(&mut moves, own(AccountType::Escrow), -progress.released);
            progress.lines.iter().for_each(|line| add(&mut moves, line.account, line.given));
        }
        moves
    }

    /// What a refund does that undid so much of the order, and what goes to the payer.
    pub fn refund(&self, undoes: &[Progress]) -> (Sums, Cents) {
        let (mut moves, mut to_payer) = (Sums::new(), 0);
        for progress in undoes {
            add(&mut moves, own(AccountType::Escrow), -progress.returned);
            progress.lines.iter().for_each(|line| add(&mut moves, line.account, -line.taken));
            let funders = self.terms.coupons.iter().flat_map(|coupon| &coupon.funders);
            to_payer += progress.undone.first().copied().unwrap_or(0);
            for ((account, _), cents) in funders.zip(progress.undone.iter().skip(1)) {
                add(&mut moves, *account, *cents);
            }
        }
        (moves, to_payer)
    }

    pub fn apply(&mut self, moves: &Sums) {
        moves.iter().for_each(|(account, cents)| add(&mut self.effects, *account, *cents));
    }

    pub fn is_stuck(&self) -> bool {
        self.waiting.values().any(|waiting| !waiting.bounced)
    }

    /// What each account could still have to give back.
    pub fn to_be_given_back(&self) -> Sums {
        let mut sums = Sums::new();
        for (place, progress) in self.progress.iter().enumerate() {
            let merchant = self.terms.sub_orders[place].merchant;
            for line in &progress.lines {
                let is_fee = line.account == own(AccountType::FeeIncome);
                let who = if is_fee && self.keeps_fee() { merchant } else { line.account };
                add(&mut sums, who, line.given - line.taken);
            }
        }
        sums
    }
}
