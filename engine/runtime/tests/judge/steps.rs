//! The steps of a life: each asks the engine for something, and says what may come of it.

use suanpan_model::command::RefundRequest;
use suanpan_model::policy::Shortfall;
use suanpan_model::refund::{FinishWay, Refund, RefundState};
use suanpan_model::*;

use super::exact::{Cents, amount};
use super::life::{CUSTOMERS, Life};
use super::model::{Case, Progress, Sums, Waiting, add, clearing, difference, funding, of, own, progress_of};
use super::rules::{divide, use_coupons, within_cap};
use super::world::{MANNERS, Manner, PLATFORM};

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

    fn splits(&mut self, sum: Cents) -> Vec<SplitRule> {
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

    fn terms(&mut self) -> (OrderTerms, Option<Manner>) {
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
    async fn spend(&mut self) {
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
    fn objections(&mut self, terms: &OrderTerms) -> Vec<RejectCode> {
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

    /// Coupons that an order locks, and where from.
    fn lock_coupons(&mut self, terms: &OrderTerms) -> Vec<(CampaignId, bool)> {
        let mut locked = Vec::new();
        for coupon in terms.coupons.iter().filter(|coupon| coupon.counted) {
            let campaign =
                self.campaigns.iter().find(|campaign| campaign.id == coupon.campaign).cloned().unwrap();
            let limited = campaign.per_customer.is_some();
            let wallet = self.wallet(&campaign, &terms.payer);
            let from_wallet = wallet.0 - wallet.1 > 0;
            if from_wallet {
                wallet.1 += 1;
            } else {
                wallet.2 -= Cents::from(limited);
                self.pieces.get_mut(&campaign.id).unwrap().locked += 1;
            }
            locked.push((campaign.id, from_wallet));
        }
        locked
    }

    /// Locked coupons are used, or given back.
    fn unlock_coupons(&mut self, place: usize, used: bool) {
        let case = self.cases[place].clone();
        for (id, from_wallet) in &case.coupons {
            let campaign = self.campaigns.iter().find(|campaign| campaign.id == *id).cloned().unwrap();
            let limited = campaign.per_customer.is_some();
            let wallet = self.wallet(&campaign, &case.terms.payer);
            if *from_wallet {
                wallet.1 -= 1;
                wallet.0 -= Cents::from(used);
            } else {
                wallet.2 += Cents::from(limited && !used);
                let pieces = self.pieces.get_mut(id).unwrap();
                pieces.locked -= 1;
                pieces.left -= Cents::from(used);
            }
        }
    }

    /// A whole refund gives the coupons back to where they came from: the customer's wallet, or the stock.
    fn return_coupons(&mut self, place: usize) {
        let case = self.cases[place].clone();
        if case.coupons_back || !case.paid || case.refundable(None) > 0 || case.is_stuck() {
            return;
        }
        self.cases[place].coupons_back = true;
        if !case.coupons.is_empty() {
            self.see("coupons came back");
        }
        for (id, from_wallet) in &case.coupons {
            let campaign = self.campaigns.iter().find(|campaign| campaign.id == *id).cloned().unwrap();
            let wallet = self.wallet(&campaign, &case.terms.payer);
            if *from_wallet {
                wallet.0 += 1;
            } else {
                wallet.2 += Cents::from(campaign.per_customer.is_some());
                self.pieces.get_mut(id).unwrap().left += 1;
            }
        }
    }

    async fn create(&mut self, terms: Option<OrderTerms>) {
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

    fn see_order(&mut self, terms: &OrderTerms) {
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

    async fn close(&mut self, place: usize) {
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

    async fn issue(&mut self) {
        let campaign = self.campaigns[self.dice.pick(&[1, 2, 2, 3])].clone();
        let customer = self.dice.pick(&CUSTOMERS);
        let count = self.dice.between(1, 2);
        let reference = self.number("I");
        self.tell(format!("issue {count} of {:?} to {customer}", campaign.id));
        let pieces = u32::try_from(count).unwrap();
        let told = self
            .mall()
            .engine
            .issue_coupons(PLATFORM, campaign.id, &customer.into(), pieces, &reference)
            .await;
        let left = self.pieces[&campaign.id].left - self.pieces[&campaign.id].locked;
        let allowed = self.wallet(&campaign, customer).2;
        let mut why = Vec::new();
        if campaign.stock.is_some() && left < count {
            why.push(RejectCode::CouponSoldOut);
        }
        if campaign.per_customer.is_some() && allowed < count {
            why.push(RejectCode::CouponLimit);
        }
        match told {
            Err(reject) => assert!(why.contains(&reject.code), "refused with {reject}, expected {why:?}"),
            Ok(()) => {
                assert!(why.is_empty(), "should have been refused: {why:?}");
                self.pieces.get_mut(&campaign.id).unwrap().left -= count;
                let limited = campaign.per_customer.is_some();
                let wallet = self.wallet(&campaign, customer);
                wallet.0 += count;
                wallet.2 -= if limited { count } else { 0 };
            }
        }
        let again = self
            .mall()
            .engine
            .issue_coupons(PLATFORM, campaign.id, &customer.into(), pieces, &reference)
            .await;
        // A repeat of what was done changes nothing; what was refused stays refused.
        assert_eq!(again.is_ok(), why.is_empty(), "{again:?}");
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

    fn request(&mut self, only: Option<u8>, sum: Option<Cents>) -> RefundRequest {
        RefundRequest { refund_no: self.number("R"), sub_order: only, amount: sum.map(amount) }
    }

    async fn refund(&mut self, place: usize) {
        let (only, sum) = self.portion(place, Case::refundable);
        let request = self.request(only, sum);
        let command = OrderCommand::Refund(request);
        self.give_back(place, command, only, sum).await;
    }

    async fn resolve(&mut self, place: usize) {
        if self.dice.percent(40) {
            self.tell(format!("resolve the dispute of {}", self.cases[place].terms.order_no));
            return self.let_go(place).await;
        }
        let (only, sum) = self.portion(place, Case::refundable);
        let refund = Some(self.request(only, sum));
        self.give_back(place, OrderCommand::ResolveDispute { refund }, only, sum).await;
    }

    /// The dispute ends without a refund.
    async fn let_go(&mut self, place: usize) {
        let id = self.cases[place].id;
        self.mall().order(id, OrderCommand::ResolveDispute { refund: None }).await.unwrap();
        let order = self.mall().life(id).await;
        self.cases[place].holds.clear();
        self.arrive(place, &order);
    }

    /// Gives money back with `command`, alone or as the end of a dispute.
    async fn give_back(&mut self, place: usize, command: OrderCommand, only: Option<u8>, sum: Option<Cents>) {
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
    async fn all_refunded(&self, place: usize) -> std::sync::Arc<Order> {
        let bounces = self.cases[place].manner == Some(Manner::Bouncing);
        let ended = |refund: &Refund| {
            let comes_back = bounces && !refund.to_payer.is_zero() && refund.state == RefundState::Succeeded;
            !refund.state.is_alive() && !comes_back
        };
        self.mall().until(self.cases[place].id, |order| order.refunds.iter().all(ended)).await
    }

    /// Whether somebody could have too little for a refund of so much.
    fn may_be_short(&self, place: usize, only: Option<u8>, asked: Cents) -> bool {
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
    fn came_back(&mut self, place: usize, order: &Order, only: Option<u8>, asked: Cents) {
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
    async fn refunds_at_once(&mut self, place: usize) {
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

    async fn dispute(&mut self, place: usize) {
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
