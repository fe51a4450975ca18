//! Refunds, alone, several at once, or as the end of a dispute.

use suanpan_model::command::RefundRequest;
use suanpan_model::policy::Shortfall;
use suanpan_model::refund::{Refund, RefundState};
use suanpan_model::*;

use crate::exact::{Cents, amount};
use crate::life::Life;
use crate::model::{Case, Sums, Waiting, add, difference, of, own, progress_of};
use crate::world::Manner;

impl Life {
    pub(super) fn request(&mut self, only: Option<u8>, sum: Option<Cents>) -> RefundRequest {
        RefundRequest { refund_no: self.number("R"), sub_order: only, amount: sum.map(amount) }
    }

    pub(super) async fn refund(&mut self, place: usize) {
        let (only, sum) = self.portion(place, Case::refundable);
        let request = self.request(only, sum);
        let command = OrderCommand::Refund(request);
        self.give_back(place, command, only, sum).await;
    }

    pub(super) async fn resolve(&mut self, place: usize) {
        if self.dice.percent(40) {
            self.tell(format!("resolve the dispute of {}", self.cases[place].terms.order_no));
            return self.let_go(place).await;
        }
        let (only, sum) = self.portion(place, Case::refundable);
        let refund = Some(self.request(only, sum));
        self.give_back(place, OrderCommand::ResolveDispute { refund }, only, sum).await;
    }

    /// The dispute ends without a refund.
    pub(super) async fn let_go(&mut self, place: usize) {
        let id = self.cases[place].id;
        self.mall().order(id, OrderCommand::ResolveDispute { refund: None }).await.unwrap();
        let order = self.mall().life(id).await;
        self.cases[place].holds.clear();
        self.arrive(place, &order);
    }

    /// Gives money back with `command`, alone or as the end of a dispute.
    pub(super) async fn give_back(
        &mut self,
        place: usize,
        command: OrderCommand,
        only: Option<u8>,
        sum: Option<Cents>,
    ) {
        let case = &self.cases[place];
        let (id, refundable) = (case.id, case.refundable(only));
        let asked = sum.unwrap_or(refundable);
        let resolves = matches!(command, OrderCommand::ResolveDispute { .. });
        let mut why = Vec::new();
        if !case.paid || (case.status == OrderStatus::Disputed) != resolves {
            why.push(RejectCode::IllegalState);
        }
        if asked > refundable || asked == 0 {
            why.extend([RejectCode::ExceedsPaid, RejectCode::AmountZero, RejectCode::IllegalState]);
        }
        self.tell(format!(
            "give back of {}: {command:?} ({asked} of {refundable}); objections {why:?}",
            self.cases[place].terms.order_no
        ));
        let reply = if resolves {
            self.mall().operator(id, command.clone()).await
        } else {
            self.mall().order(id, command.clone()).await
        };
        match reply {
            Err(reject) if reject.code == RejectCode::InsufficientFunds => {
                assert!(why.is_empty() && self.may_be_short(place, only, asked), "refused with {reject}");
                self.see("refund refused for want of money");
            }
            Err(reject) => assert!(why.contains(&reject.code), "refused with {reject}, expected {why:?}"),
            Ok(told) if told.repeat => panic!("a new refund is no repeat"),
            Ok(_) => {
                assert!(why.is_empty(), "should have been refused: {why:?}");
                if resolves {
                    self.see("dispute resolved with a refund");
                    self.cases[place].holds.clear();
                    self.cases[place].status = self.cases[place].settled_status();
                } else {
                    self.cases[place].done.push(command);
                }
                let order = self.all_refunded(place).await;
                self.came_back(place, &order, only, asked);
            }
        }
    }

    /// Waits until no refund is on its way.
    pub(super) async fn all_refunded(&self, place: usize) -> std::sync::Arc<Order> {
        let bounces = self.cases[place].manner == Some(Manner::Bouncing);
        let ended = |refund: &Refund| {
            let comes_back = bounces && !refund.to_payer.is_zero() && refund.state == RefundState::Succeeded;
            !refund.state.is_alive() && !comes_back
        };
        self.mall().until(self.cases[place].id, |order| order.refunds.iter().all(ended)).await
    }

    /// Whether somebody could have too little for a refund of so much.
    pub(super) fn may_be_short(&self, place: usize, only: Option<u8>, asked: Cents) -> bool {
        let case = &self.cases[place];
        let from_receivers = asked - asked.min(case.frozen(only));
        let owing = case.to_be_given_back();
        self.agreement.shortfall == Shortfall::Refuse
            && from_receivers > 0
            && owing.iter().any(|(account, cents)| {
                let held = of(&case.holds, *account);
                // A resolution takes what the dispute holds, and no more.
                let has = if case.status == OrderStatus::Disputed { held } else { self.available(*account) };
                !account.kind().is_internal() && has < (*cents).min(from_receivers)
            })
    }

    /// The last refund ended: takes over what became of it.
    pub(super) fn came_back(&mut self, place: usize, order: &Order, only: Option<u8>, asked: Cents) {
        let now = progress_of(order);
        let refund = order.refunds.last().unwrap();
        let case = &mut self.cases[place];
        if refund.state == RefundState::Failed {
            assert_eq!(case.manner, Some(Manner::Refusing), "only that channel refuses");
            self.see("refund refused by the channel");
            return self.arrive(place, order);
        }
        case.check_refund(&now, only, asked);
        let undoes = difference(&now, &case.progress);
        let from_frozen = undoes.iter().any(|progress| progress.returned > 0);
        let what = match (from_frozen, undoes.iter().any(|progress| progress.reversed > 0)) {
            (true, true) => "refund of frozen and released money",
            (true, false) => "refund of frozen money",
            (false, _) => "refund of released money",
        };
        let (moves, to_payer) = case.refund(&undoes);
        assert_eq!(refund.to_payer.signed(), to_payer, "what goes to the payer");
        assert_eq!(refund.amount.signed(), asked, "what is undone");
        case.progress = now;
        let mut waiting = Waiting { moves, to_payer, holds: Sums::new(), undoes, bounced: false };
        match refund.state {
            RefundState::Succeeded => {
                case.apply(&waiting.moves);
                let mut moves = Sums::new();
                case.to_payer(&mut moves, to_payer);
                case.apply(&moves);
            }
            RefundState::Stuck => {
                for hold in refund
                    .unwinding
                    .iter()
                    .flat_map(|unwinding| &unwinding.takes)
                    .filter_map(|take| take.hold)
                {
                    add(&mut waiting.holds, hold.account, hold.amount.signed());
                }
                case.waiting.insert(refund.no, waiting);
            }
            RefundState::Bounced => {
                case.apply(&waiting.moves);
                let suspense = Sums::from([(own(AccountType::Suspense), to_payer)]);
                case.apply(&suspense);
                waiting.bounced = true;
                case.waiting.insert(refund.no, waiting);
            }
            RefundState::Pending | RefundState::InDoubt | RefundState::Failed | RefundState::Finished => {
                panic!("a refund that is {}", refund.state.name())
            }
        }
        self.see(what);
        self.arrive(place, order);
    }

    /// Several refunds in one breath: together never more than can be given back.
    pub(super) async fn refunds_at_once(&mut self, place: usize) {
        let case = &self.cases[place];
        let plain = matches!(case.manner, None | Some(Manner::Good | Manner::Dear));
        if !case.paid || !plain || case.status == OrderStatus::Disputed {
            return self.refund(place).await;
        }
        let (only, first) = self.portion(place, Case::refundable);
        let mut left = self.cases[place].refundable(only);
        let mut sums = vec![first.unwrap_or(left).max(1)];
        for _ in 0..self.dice.between(1, 3) {
            sums.push(self.dice.between(1, left.max(1)));
        }
        let commands: Vec<_> =
            sums.iter().map(|sum| OrderCommand::Refund(self.request(only, Some(*sum)))).collect();
        self.tell(format!("at once {}: {commands:?} of {left}", self.cases[place].terms.order_no));
        let replies = self.mall().orders(self.cases[place].id, commands).await;
        self.see("refunds at once");
        let mut accepted = 0;
        for (sum, reply) in sums.iter().zip(&replies) {
            match reply {
                Ok(told) => {
                    assert!(!told.repeat && *sum <= left, "{sum} of {left} must be refused");
                    left -= sum;
                    accepted += sum;
                }
                // The one before waits for its holds: nothing was done.
                Err(reject) if reject.code == RejectCode::InProgress => {}
                Err(reject) if *sum > left => {
                    let codes = [RejectCode::ExceedsPaid, RejectCode::IllegalState];
                    assert!(codes.contains(&reject.code), "{reject}");
                }
                Err(reject) => {
                    self.see("refund refused for want of money");
                    assert_eq!(reject.code, RejectCode::InsufficientFunds, "{reject}");
                    assert_eq!(self.agreement.shortfall, Shortfall::Refuse, "{reject}");
                }
            }
        }
        let order = self.all_refunded(place).await;
        let now = progress_of(&order);
        let case = &mut self.cases[place];
        case.check_refund(&now, only, accepted);
        let (mut moves, to_payer) = case.refund(&difference(&now, &case.progress));
        case.to_payer(&mut moves, to_payer);
        case.apply(&moves);
        case.progress = now;
        self.arrive(place, &order);
    }

    pub(super) async fn dispute(&mut self, place: usize) {
        let case = &self.cases[place];
        let id = case.id;
        let can =
            matches!(case.status, OrderStatus::Frozen | OrderStatus::PartReleased | OrderStatus::Settled);
        let can = can && case.paid && case.refundable(None) > 0;
        self.tell(format!("dispute about {}", self.cases[place].terms.order_no));
        let reply = self.mall().order(id, OrderCommand::OpenDispute).await;
        let Ok(told) = reply else {
            let stuck_whole = self.cases[place].is_stuck();
            assert!(!can || stuck_whole, "refused: {reply:?}");
            return;
        };
        if self.cases[place].status == OrderStatus::Disputed {
            return assert!(told.repeat, "the dispute is open already");
        }
        // While a refund of all is stuck nothing can be given back, and the order is not over.
        assert!(can || self.cases[place].is_stuck(), "nothing to be disputed about");
        self.see("dispute");
        let order = self.mall().life(id).await;
        let mut holds = Sums::new();
        for hold in order.dispute.iter().flat_map(|dispute| &dispute.holds) {
            add(&mut holds, hold.account, hold.amount.signed());
        }
        let case = &self.cases[place];
        for account in self.accounts.opened() {
            let expected = self.available(account).min(of(&case.to_be_given_back(), account));
            assert_eq!(of(&holds, account), expected, "held of {account}");
        }
        holds.retain(|account, _| !account.kind().is_internal());
        let case = &mut self.cases[place];
        case.holds = holds;
        case.status = OrderStatus::Disputed;
        assert_eq!(progress_of(&order), case.progress, "a dispute moves nothing");
        assert_eq!(order.status, OrderStatus::Disputed);
    }
}
