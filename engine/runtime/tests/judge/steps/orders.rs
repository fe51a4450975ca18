//! Orders: submitted, refused, closed; and the spending of receivers.

use suanpan_model::*;

use crate::exact::{Cents, amount};
use crate::life::{CUSTOMERS, Life};
use crate::model::{Case, Progress, Sums, add, difference, own, progress_of};
use crate::rules::{divide, use_coupons, within_cap};
use crate::world::{MANNERS, Manner, PLATFORM};

impl Life {
    pub(super) fn splits(&mut self, sum: Cents) -> Vec<SplitRule> {
        let receivers = [
            self.accounts.agents[0],
            self.accounts.agents[1],
            own(AccountType::CommissionIncome),
            self.accounts.marketing,
            self.accounts.merchants[0],
        ];
        let mut rules: Vec<SplitRule> = Vec::new();
        for place in 0..self.dice.below(5) {
            let within =
                (place > 0 && self.dice.percent(35)).then(|| u8::try_from(self.dice.below(place)).unwrap());
            let most = if within.is_some() { 9_000 } else { 1_200 };
            let bps = |life: &mut Self| u32::try_from(life.dice.between(1, most)).unwrap();
            let has_remainder = |rule: &SplitRule| rule.within == within && rule.share == Share::Remainder;
            let share = match self.dice.below(7) {
                0 | 1 => Share::Fixed(amount(self.dice.between(1, (sum / 20).max(1)))),
                2 => {
                    let from = self.dice.between(1, sum.max(2));
                    let tiers = [(0, bps(self)), (from, bps(self)), (from * 2, bps(self))];
                    let skip = self.dice.below(2);
                    let tier = |(from, bps)| Tier { from: amount(from), bps };
                    Share::Tiered(tiers.into_iter().skip(skip).map(tier).collect())
                }
                3 if !rules.iter().any(has_remainder) => Share::Remainder,
                4 => Share::Bps(3_333.min(u32::try_from(most).unwrap())),
                _ => Share::Bps(bps(self)),
            };
            let receiver = self.dice.pick(&receivers);
            rules.push(SplitRule { receiver, share, within });
        }
        rules
    }

    pub(super) fn terms(&mut self) -> (OrderTerms, Option<Manner>) {
        let count = self.dice.pick(&[1, 1, 2, 2, 3]);
        let sub_orders: Vec<SubOrder> = (0..count)
            .map(|_| {
                let [first, second, cash] = self.accounts.merchants;
                let merchant = self.dice.pick(&[first, second, cash, cash]);
                SubOrder { merchant, amount: amount(self.dice.sum(1_000_000)) }
            })
            .collect();
        let price: Cents = sub_orders.iter().map(|sub_order| sub_order.amount.signed()).sum();
        let splits = self.splits(price);
        let mut coupons = vec![];
        if self.dice.percent(60) {
            let used: Vec<Campaign> =
                self.campaigns.clone().into_iter().filter(|_| self.dice.percent(40)).collect();
            coupons = use_coupons(&used, &sub_orders).unwrap_or_default();
        }
        let manner = match self.dice.between(0, 99) {
            0..=19 => None,
            20..=49 => Some(Manner::Good),
            50..=59 => Some(Manner::Stuck),
            _ => Some(self.dice.pick(&MANNERS)),
        };
        let payer_account = manner.is_none().then(|| self.dice.pick(&self.accounts.cash()));
        let terms = OrderTerms {
            platform: PLATFORM,
            order_no: self.number("O"),
            payer: self.dice.pick(&CUSTOMERS).into(),
            payer_account,
            amount: amount(price),
            currency: Currency::Cny,
            kind: if manner.is_none() { PayKind::Balance } else { PayKind::Gateway },
            bank: manner.and_then(Manner::bank),
            card_type: manner.map(|_| CardType::Debit),
            agreement_no: "".into(),
            description: "".into(),
            expires_at: self.mall().engine.now() + DurationMs::from_days(1),
            escrow: self.dice.percent(75),
            virtual_goods: false,
            coupons,
            sub_orders: sub_orders.into(),
            splits: splits.into(),
            callback: "".into(),
            metadata: vec![],
            attributes: None,
        };
        (terms, manner)
    }

    /// A receiver spends what it has, or a bit more.
    pub(super) async fn spend(&mut self) {
        let mut payer = self.dice.pick(&self.accounts.cash());
        if self.dice.percent(80) {
            // A receiver, so that it has too little when it has to give back.
            let [_, merchant, agent] = self.accounts.cash();
            payer = if self.available(merchant) > self.available(agent) { merchant } else { agent };
        }
        let has = self.available(payer);
        let sum = if self.dice.percent(70) { has } else { self.dice.between(1, has + 20) };
        let (mut terms, _) = self.terms();
        terms.amount = amount(sum.max(1));
        terms.payer_account = Some(payer);
        terms.kind = PayKind::Balance;
        (terms.bank, terms.card_type, terms.escrow) = (None, None, false);
        terms.coupons = vec![];
        terms.splits = Default::default();
        terms.sub_orders = [SubOrder { merchant: self.accounts.sink, amount: terms.amount }].into();
        self.create(Some(terms)).await;
    }

    /// Why an order may be refused; nothing when it must be taken.
    pub(super) fn objections(&mut self, terms: &OrderTerms) -> Vec<RejectCode> {
        let price = terms.amount.signed();
        let mut why = Vec::new();
        if divide(price, &terms.splits).is_none() {
            why.push(RejectCode::SplitOverWhole);
        }
        if !within_cap(price, &terms.splits, self.cap) {
            why.push(RejectCode::SplitOverCap);
        }
        let mut needs = Sums::new();
        if let Some(payer) = terms.payer_account {
            add(&mut needs, payer, terms.payable().signed());
        }
        for (account, part) in terms.coupons.iter().flat_map(|coupon| &coupon.funders) {
            if !account.kind().is_internal() {
                add(&mut needs, *account, part.signed());
            }
        }
        if needs.iter().any(|(account, cents)| self.available(*account) < *cents) {
            why.push(RejectCode::InsufficientFunds);
        }
        for coupon in terms.coupons.iter().filter(|coupon| coupon.counted) {
            let campaign =
                self.campaigns.iter().find(|campaign| campaign.id == coupon.campaign).cloned().unwrap();
            let (held, locked, allowed) = *self.wallet(&campaign, &terms.payer);
            let pieces = &self.pieces[&campaign.id];
            if held - locked > 0 {
                continue;
            }
            if !campaign.claimable {
                why.push(RejectCode::CouponNotHeld);
            } else {
                if campaign.stock.is_some() && pieces.left - pieces.locked == 0 {
                    why.push(RejectCode::CouponSoldOut);
                }
                if campaign.per_customer.is_some() && allowed == 0 {
                    why.push(RejectCode::CouponLimit);
                }
            }
        }
        why
    }

    pub(super) async fn create(&mut self, terms: Option<OrderTerms>) {
        let (terms, manner) = match terms {
            Some(terms) => (terms, None),
            None => self.terms(),
        };
        let why = self.objections(&terms);
        self.tell(format!("{manner:?} order {terms:?}; objections {why:?}"));
        let told = self.mall().create(&terms).await;
        let told = match told {
            Ok(told) => told,
            Err(reject) => {
                assert!(why.contains(&reject.code), "refused with {reject}, expected {why:?}");
                self.see(match reject.code {
                    RejectCode::InsufficientFunds => "order refused for want of money",
                    RejectCode::CouponSoldOut => "coupon sold out",
                    RejectCode::CouponLimit => "customer at the limit",
                    RejectCode::CouponNotHeld => "coupon not held",
                    RejectCode::SplitOverCap => "splits over the cap",
                    _ => "splits over the whole",
                });
                return;
            }
        };
        assert!(why.is_empty(), "should have been refused: {why:?}");
        self.see_order(&terms);
        let coupons = self.lock_coupons(&terms);
        let mut holds = Sums::new();
        for (account, part) in terms.coupons.iter().flat_map(|coupon| &coupon.funders) {
            add(&mut holds, *account, part.signed());
        }
        let case = Case {
            id: told.id,
            progress: vec![Progress::default(); terms.sub_orders.len()],
            terms,
            manner,
            agreement: self.agreement,
            status: OrderStatus::Pending,
            paid: false,
            holds,
            waiting: Default::default(),
            effects: Sums::new(),
            named_payees: false,
            coupons,
            coupons_back: false,
            done: vec![],
        };
        self.cases.push(case);
        let place = self.cases.len() - 1;
        if manner == Some(Manner::Unpaid) {
            self.mall().until(told.id, |order| order.status == OrderStatus::Pending).await;
            return;
        }
        let order = self
            .mall()
            .until(told.id, |order| !order.status.is_unpaid() && order.status != OrderStatus::Paid)
            .await;
        self.unlock_coupons(place, true);
        let case = &mut self.cases[place];
        case.paid = true;
        case.holds.clear();
        let moves = case.payment();
        case.apply(&moves);
        if !case.terms.escrow {
            let now = progress_of(&order);
            case.check_release(&now, None, case.price(), &[]);
            let moves = Case::release(&difference(&now, &case.progress));
            case.apply(&moves);
            case.progress = now;
        }
        self.arrive(place, &order);
    }

    pub(super) fn see_order(&mut self, terms: &OrderTerms) {
        let rules = &terms.splits;
        let table = [
            ("balance order", terms.kind == PayKind::Balance),
            ("order without escrow", !terms.escrow),
            ("several sub-orders", terms.sub_orders.len() > 1),
            ("stacked coupons", terms.coupons.len() > 1),
            ("shared funders", terms.coupons.iter().any(|coupon| coupon.funders.len() > 1)),
            ("split in percent", rules.iter().any(|rule| matches!(rule.share, Share::Bps(_)))),
            ("split by a fixed sum", rules.iter().any(|rule| matches!(rule.share, Share::Fixed(_)))),
            ("split by tiers", rules.iter().any(|rule| matches!(rule.share, Share::Tiered(_)))),
            ("split of the remainder", rules.iter().any(|rule| rule.share == Share::Remainder)),
            ("split within another", rules.iter().any(|rule| rule.within.is_some())),
        ];
        table.into_iter().filter(|(_, happened)| *happened).for_each(|(what, _)| self.see(what));
    }

    pub(super) async fn close(&mut self, place: usize) {
        let id = self.cases[place].id;
        self.tell(format!("close {}", self.cases[place].terms.order_no));
        let told = self.mall().order(id, OrderCommand::Close).await;
        if self.cases[place].paid || self.cases[place].status == OrderStatus::Closed {
            assert!(told.is_err() || told.is_ok_and(|told| told.repeat), "there is nothing to close");
            return;
        }
        told.unwrap();
        self.mall().until(id, |order| order.status == OrderStatus::Closed).await;
        self.see("closed unpaid");
        self.unlock_coupons(place, false);
        self.cases[place].status = OrderStatus::Closed;
        self.cases[place].holds.clear();
    }
}
