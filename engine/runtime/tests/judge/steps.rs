//! The steps of a life: each asks the engine for something, and says what may come of it.

use suanpan_model::command::RefundRequest;
use suanpan_model::refund::{FinishWay, RefundState};
use suanpan_model::*;

use super::exact::{Cents, amount};
use super::life::Life;
use super::model::{Case, Sums, add, clearing, difference, funding, of, own, progress_of};
use super::rules::{divide, within_cap};
use super::world::Manner;

#[path = "steps/coupons.rs"]
mod coupons;
#[path = "steps/orders.rs"]
mod orders;
#[path = "steps/refunds.rs"]
mod refunds;

/// Orders of one life, beside those by which receivers spend.
const ORDERS: usize = 8;

impl Life {
    pub async fn step(&mut self) {
        let place = self.some_case();
        let disputed = self.cases.get(place).is_some_and(|case| case.status == OrderStatus::Disputed);
        let waits = self.cases.get(place).is_some_and(|case| !case.waiting.is_empty());
        let drawn = self.dice.between(0, 99);
        match drawn {
            _ if self.cases.is_empty() => self.create(None).await,
            0..=17 if self.cases.len() < ORDERS => self.create(None).await,
            0..=39 if disputed => self.resolve(place).await,
            0..=39 if waits => self.finish(place).await,
            0..=42 => self.release(place).await,
            43..=64 => self.refund(place).await,
            65..=68 => self.refunds_at_once(place).await,
            69..=73 => self.dispute(place).await,
            74..=84 => self.spend().await,
            85..=89 => self.issue().await,
            90..=92 => self.close(place).await,
            93..=94 => self.restart().await,
            _ => self.repeat(place).await,
        }
    }

    /// An order; often one that waits for somebody.
    fn some_case(&mut self) -> usize {
        let waits = |case: &Case| !case.waiting.is_empty() || case.status == OrderStatus::Disputed;
        let waiting: Vec<usize> = (0..self.cases.len()).filter(|place| waits(&self.cases[*place])).collect();
        match (self.cases.len(), waiting.is_empty()) {
            (0, _) => 0,
            (_, false) if self.dice.percent(30) => self.dice.pick(&waiting),
            (count, _) => self.dice.below(count),
        }
    }

    /// What the order's life tells is what the model has.
    fn arrive(&mut self, place: usize, order: &Order) {
        let case = &mut self.cases[place];
        assert_eq!(progress_of(order), case.progress, "how far the order has come");
        assert_eq!(order.frozen.signed(), case.frozen(None), "what is frozen");
        if case.status != OrderStatus::Disputed || order.status != OrderStatus::Disputed {
            case.status = case.settled_status();
            if !case.is_stuck() {
                assert_eq!(order.status, case.status, "where the order stands");
            }
        }
        self.return_coupons(place);
    }

    /// A sub-order or all, and a sum of what `most` says can be had: part, all, or too much.
    fn portion(
        &mut self,
        place: usize,
        most: impl Fn(&Case, Option<u8>) -> Cents,
    ) -> (Option<u8>, Option<Cents>) {
        let count = self.cases[place].terms.sub_orders.len();
        let only = self.dice.percent(60).then(|| u8::try_from(self.dice.below(count)).unwrap());
        let most = most(&self.cases[place], only);
        let sum = match self.dice.below(10) {
            0 | 1 => None,
            2 => Some(most + self.dice.between(0, 3)),
            3 => Some(1),
            4 => Some((most / 3).max(1)),
            _ => Some(self.dice.between(1, most.max(1))),
        };
        (only, sum)
    }

    async fn release(&mut self, place: usize) {
        let (only, sum) = self.portion(place, Case::frozen);
        let frozen = self.cases[place].frozen(only);
        let asked = sum.unwrap_or(frozen);
        let payees = if self.dice.percent(40) { self.splits(asked) } else { vec![] };
        let command = OrderCommand::Release {
            release_no: self.number("L"),
            sub_order: only,
            amount: sum.map(amount),
            payees: payees.clone(),
        };
        let case = &self.cases[place];
        let (id, status) = (case.id, case.status);
        let mut why = Vec::new();
        if !case.paid || !matches!(status, OrderStatus::Frozen | OrderStatus::PartReleased) {
            why.push(RejectCode::IllegalState);
        }
        if asked > frozen || asked == 0 {
            why.extend([RejectCode::ExceedsFrozen, RejectCode::AmountZero, RejectCode::IllegalState]);
        }
        if divide(asked, &payees).is_none() {
            why.push(RejectCode::SplitOverWhole);
        }
        if !within_cap(asked, &payees, self.cap) {
            why.push(RejectCode::SplitOverCap);
        }
        self.tell(format!(
            "release {}: {command:?} ({asked} of {frozen}); objections {why:?}",
            self.cases[place].terms.order_no
        ));
        match self.mall().order(id, command.clone()).await {
            Err(reject) => assert!(why.contains(&reject.code), "refused with {reject}, expected {why:?}"),
            Ok(told) if told.repeat => panic!("a new release is no repeat"),
            Ok(_) => {
                assert!(why.is_empty(), "should have been refused: {why:?}");
                let order = self.mall().life(id).await;
                let now = progress_of(&order);
                let case = &mut self.cases[place];
                case.named_payees |= !payees.is_empty();
                case.check_release(&now, only, asked, &payees);
                let moves = Case::release(&difference(&now, &case.progress));
                case.apply(&moves);
                case.progress = now;
                case.done.push(command);
                let by_plan = if asked == frozen { "released to the last" } else { "released in part" };
                self.see(if payees.is_empty() { by_plan } else { "released to payees" });
                self.arrive(place, &order);
            }
        }
    }

    /// The operator ends a refund that its channel cannot finish.
    async fn finish(&mut self, place: usize) {
        let way = match self.dice.below(4) {
            0 => FinishWay::ToAccount(self.accounts.buyer),
            1 => FinishWay::Outside,
            2 => FinishWay::Resend,
            _ => FinishWay::GiveUp,
        };
        self.finish_by(place, way).await;
    }

    async fn finish_by(&mut self, place: usize, way: FinishWay) {
        let case = &self.cases[place];
        let (id, (number, waiting)) = (case.id, case.waiting.first_key_value().unwrap());
        let (number, waiting) = (*number, waiting.clone());
        self.tell(format!("finish refund {number} of {}: {way:?}", self.cases[place].terms.order_no));
        let command = OrderCommand::FinishRefund { refund: number, way: way.clone(), note: "".into() };
        let reply = self.mall().operator(id, command).await;
        if waiting.bounced && way == FinishWay::GiveUp {
            return assert!(reply.is_err(), "what came back cannot be left where it is");
        }
        reply.unwrap();
        self.see(match (waiting.bounced, &way) {
            (false, FinishWay::ToAccount(_) | FinishWay::Outside) => "stuck refund finished another way",
            (false, FinishWay::Resend) => "stuck refund sent again",
            (_, FinishWay::GiveUp) => "stuck refund given up",
            (true, FinishWay::Resend) => "bounced refund sent again",
            (true, FinishWay::ToAccount(_) | FinishWay::Outside) => "bounced refund finished another way",
        });
        let order = self.all_refunded(place).await;
        let case = &mut self.cases[place];
        let mut moves = Sums::new();
        let destination = match way {
            FinishWay::ToAccount(account) => Some((account, waiting.to_payer)),
            FinishWay::Outside => Some((funding(), -waiting.to_payer)),
            FinishWay::Resend | FinishWay::GiveUp => None,
        };
        match destination {
            Some((account, cents)) => {
                case.waiting.remove(&number);
                if waiting.bounced {
                    add(&mut moves, own(AccountType::Suspense), -waiting.to_payer);
                } else {
                    case.apply(&waiting.moves);
                }
                add(&mut moves, account, cents);
                case.apply(&moves);
            }
            None if way == FinishWay::GiveUp => {
                case.waiting.remove(&number);
                case.progress = difference(&case.progress, &waiting.undoes);
                for progress in &mut case.progress {
                    progress.forget_nothing();
                }
            }
            None if waiting.bounced => {
                // A new refund out of suspense, which comes back too.
                case.waiting.remove(&number);
                let last = order.refunds.last().unwrap();
                assert_eq!((last.state, last.to_payer.signed()), (RefundState::Bounced, waiting.to_payer));
                case.waiting.insert(last.no, waiting);
            }
            None => {
                assert_eq!(order.refund(number).unwrap().state, RefundState::Stuck, "it gets stuck again")
            }
        }
        self.arrive(place, &order);
    }

    /// The same again changes nothing; the same number with other content is a conflict.
    async fn repeat(&mut self, place: usize) {
        let Some(command) = self.cases[place].done.last().cloned() else { return };
        self.tell(format!("again {}: {command:?}", self.cases[place].terms.order_no));
        let id = self.cases[place].id;
        let told = self.mall().order(id, command.clone()).await;
        assert!(told.as_ref().is_ok_and(|told| told.repeat), "a repeat is a repeat: {told:?}");
        self.see("repeat");
        let other = match command {
            OrderCommand::Release { release_no, sub_order, payees, .. } => {
                OrderCommand::Release { release_no, sub_order, amount: Some(amount(999_999)), payees }
            }
            OrderCommand::Refund(request) => {
                OrderCommand::Refund(RefundRequest { amount: Some(amount(999_999)), ..request })
            }
            other => panic!("{other:?} is not repeated"),
        };
        let told = self.mall().order(id, other).await;
        assert_eq!(told.unwrap_err().code, RejectCode::IdempotencyConflict);
        let order = self.all_refunded(place).await;
        let disputed = self.cases[place].status == OrderStatus::Disputed;
        assert_eq!(progress_of(&order), self.cases[place].progress, "a repeat changes nothing");
        assert_eq!(order.status == OrderStatus::Disputed, disputed);
    }

    /// Everything is undone: every account is back where top-ups alone would have left it, but for kept fees.
    pub async fn unwind_all(&mut self) {
        for account in self.accounts.opened() {
            self.top_up(account, 10_000_000).await;
        }
        self.compare().await;
        for place in 0..self.cases.len() {
            if self.cases[place].status == OrderStatus::Disputed {
                self.let_go(place).await;
            }
            if !self.cases[place].paid {
                self.close(place).await;
                continue;
            }
            if self.cases[place].refundable(None) > 0 {
                let request = self.request(None, None);
                self.give_back(place, OrderCommand::Refund(request), None, None).await;
            }
            while !self.cases[place].waiting.is_empty() {
                self.finish_by(place, FinishWay::Outside).await;
            }
            self.compare().await;
            self.check_unwound(place);
        }
        self.compare().await;
    }

    fn check_unwound(&mut self, place: usize) {
        let case = &self.cases[place].clone();
        if case.refundable(None) > 0 {
            return assert_eq!(case.manner, Some(Manner::Refusing), "only that channel keeps money");
        }
        let mut effects = case.effects.clone();
        // Some refunds went onto the buyer's account, or were paid outside.
        if let Some(manner) = case.manner {
            let paid_elsewhere = of(&effects, funding()) - of(&effects, self.accounts.buyer);
            if [Manner::Stuck, Manner::Bouncing].contains(&manner) {
                add(&mut effects, clearing(manner), paid_elsewhere);
                effects.remove(&funding());
                effects.remove(&self.accounts.buyer);
            }
            add(&mut effects, clearing(manner), case.fee());
            add(&mut effects, super::model::fee_expense(manner), -case.fee());
        }
        let kept = of(&effects, own(AccountType::FeeIncome));
        self.see(if kept > 0 { "unwound but for a kept fee" } else { "unwound" });
        let merchants: Cents = self.accounts.merchants.iter().map(|account| of(&effects, *account)).sum();
        assert_eq!(merchants, -kept, "merchants are where they were, but for kept fees: {effects:?}");
        assert!(kept == 0 || case.agreement.refunded_fee == suanpan_model::policy::RefundedFee::Keep);
        for (account, cents) in &effects {
            let bears = self.accounts.merchants.contains(account) || *account == own(AccountType::FeeIncome);
            assert!(bears || *cents == 0, "{account} is {cents} away from where it was: {effects:?}");
        }
    }
}
