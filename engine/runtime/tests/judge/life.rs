//! One life: a platform, its accounts and orders, and the books beside the model after every step.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use smol_str::{SmolStr, format_smolstr};
use suanpan_model::policy::{Agreement, FeeBearer, LatePayment, RefundedFee, Shortfall};
use suanpan_model::*;
use suanpan_runtime::api::Balance;

use super::exact::{Cents, Dice, amount};
use super::model::{Case, Sums, add, clearing, fee_expense, funding, of, own};
use super::world::{MANNERS, Mall, Outside, PLATFORM};

/// Steps of one life.
const STEPS: usize = 45;
pub const CUSTOMERS: [&str; 3] = ["ann", "bob", "cy"];

/// What a campaign's coupons are doing, in pieces.
#[derive(Clone, Debug, Default)]
pub struct Pieces {
    pub left: Cents,
    pub locked: Cents,
    /// By customer: in the wallet (locked ones included), locked there, still allowed.
    pub wallets: BTreeMap<SmolStr, (Cents, Cents, Cents)>,
}

pub struct Accounts {
    pub merchants: [AccountId; 3],
    pub agents: [AccountId; 2],
    pub buyer: AccountId,
    pub marketing: AccountId,
    pub sink: AccountId,
}

impl Accounts {
    pub fn opened(&self) -> Vec<AccountId> {
        let mut all = vec![self.buyer, self.marketing, self.sink];
        all.extend(self.merchants);
        all.extend(self.agents);
        all
    }

    /// Those that can spend.
    pub fn cash(&self) -> [AccountId; 3] {
        [self.buyer, self.merchants[2], self.agents[1]]
    }
}

pub struct Life {
    pub seed: u64,
    pub dice: Dice,
    outside: Outside,
    mall: Option<Mall>,
    pub accounts: Accounts,
    pub agreement: Agreement,
    pub cap: Cents,
    pub campaigns: Vec<Campaign>,
    pub pieces: BTreeMap<CampaignId, Pieces>,
    pub cases: Vec<Case>,
    /// What each account has by top-ups alone.
    given: Sums,
    pub numbers: u32,
    pub told: Vec<String>,
    /// What happened, by name.
    pub seen: Seen,
    loud: bool,
}

pub type Seen = BTreeMap<&'static str, usize>;

impl Drop for Life {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let seed = self.seed;
            eprintln!("{}", self.told.join("\n"));
            eprintln!(
                "reproduce: JUDGE_SEED={seed} cargo test -p suanpan-runtime --test judge -- --nocapture"
            );
        }
    }
}

/// Lives the life of `seed`.
pub fn judge(seed: u64, loud: bool) -> Seen {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let mut life = Life::begin(seed, dir.path(), loud).await;
        life.compare().await;
        for step in 0..STEPS {
            life.step().await;
            life.compare().await;
            if step == STEPS / 2 {
                life.restart().await;
            }
        }
        life.unwind_all().await;
        life.restart().await;
        life.mall().engine.shutdown().await.unwrap();
        std::mem::take(&mut life.seen)
    })
}

impl Life {
    async fn begin(seed: u64, dir: &std::path::Path, loud: bool) -> Self {
        let mut dice = Dice::new(seed);
        let agreement = Agreement {
            fee_bearer: dice.pick(&[FeeBearer::Merchant, FeeBearer::Merchant, FeeBearer::Platform]),
            late_payment: LatePayment::Refund,
            refunded_fee: dice.pick(&[RefundedFee::Keep, RefundedFee::Return]),
            shortfall: dice.pick(&[Shortfall::Debt, Shortfall::Advance, Shortfall::Refuse]),
        };
        let cap = dice.pick(&[3_000, 10_000]);
        let outside = Outside::new(dir, seed, agreement, u32::try_from(cap).unwrap());
        let mall = outside.start();
        let accounts = Accounts {
            merchants: [
                mall.open(AccountType::Settlement, "m0").await,
                mall.open(AccountType::Settlement, "m1").await,
                mall.open(AccountType::Cash, "m2").await,
            ],
            agents: [
                mall.open(AccountType::Commission, "a0").await,
                mall.open(AccountType::Cash, "a1").await,
            ],
            buyer: mall.open(AccountType::Cash, "buyer").await,
            marketing: mall.open(AccountType::Marketing, "marketing").await,
            sink: mall.open(AccountType::Settlement, "sink").await,
        };
        let mut life = Self {
            seed,
            dice,
            outside,
            mall: Some(mall),
            accounts,
            agreement,
            cap,
            campaigns: vec![],
            pieces: BTreeMap::new(),
            cases: vec![],
            given: Sums::new(),
            numbers: 0,
            told: vec![],
            seen: Seen::new(),
            loud,
        };
        life.tell(format!("seed {seed}: {agreement:?}, splits take at most {cap} bp"));
        let fund = own(AccountType::CouponFund);
        life.top_up(fund, 100_000_000).await;
        let buyer = life.accounts.buyer;
        life.top_up(buyer, 200_000).await;
        let (marketing, sum) = (life.accounts.marketing, life.dice.between(1, 20_000));
        life.top_up(marketing, sum).await;
        life.record_campaigns().await;
        life
    }

    pub fn mall(&self) -> &Mall {
        self.mall.as_ref().expect("an engine runs")
    }

    pub fn tell(&mut self, what: String) {
        if self.loud {
            eprintln!("{what}");
        }
        self.told.push(what);
    }

    /// Notes that something happened.
    pub fn see(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    pub fn number(&mut self, prefix: &str) -> SmolStr {
        self.numbers += 1;
        format_smolstr!("{prefix}{}", self.numbers)
    }

    pub async fn top_up(&mut self, account: AccountId, cents: Cents) {
        let reference = self.number("T");
        self.tell(format!("top up {account} with {cents}"));
        self.mall().top_up(account, cents, &reference).await;
        add(&mut self.given, account, cents);
        add(&mut self.given, funding(), cents);
    }

    async fn record_campaigns(&mut self) {
        let (fund, marketing) = (own(AccountType::CouponFund), self.accounts.marketing);
        let ratio = u32::try_from(self.dice.pick(&[1, 3_333, 5_000, 6_667])).unwrap();
        let alone = |account| vec![Funder { account, bps: 10_000 }];
        let shared =
            vec![Funder { account: fund, bps: ratio }, Funder { account: marketing, bps: 10_000 - ratio }];
        let thirds = vec![Funder { account: marketing, bps: 3_333 }, Funder { account: fund, bps: 6_667 }];
        let bps = u32::try_from(self.dice.between(1, 4_000)).unwrap();
        let faces = [self.dice.sum(3_000), self.dice.sum(500)];
        let cap = self.dice.percent(50).then(|| amount(77));
        let percent = Worth::Percent { bps, cap };
        let (few, per) = (
            u32::try_from(self.dice.between(1, 4)).unwrap(),
            u32::try_from(self.dice.between(1, 3)).unwrap(),
        );
        // worth, funders, merchants, stock, per customer, stackable, rank, claimable
        let m0 = vec![self.accounts.merchants[0]];
        let table = [
            (Worth::Face(amount(faces[0])), alone(fund), vec![], None, None, true, 2, true),
            (percent, shared, vec![], Some(few), Some(per), true, 1, true),
            (Worth::Face(amount(faces[1])), alone(marketing), m0, Some(few + 1), Some(per), true, 2, false),
            (percent, thirds, vec![], None, Some(per), false, 0, true),
        ];
        for (place, (worth, funders, merchants, stock, per_customer, stackable, rank, claimable)) in
            table.into_iter().enumerate()
        {
            let campaign = Campaign {
                id: CampaignId(u32::try_from(place + 1).unwrap()),
                platform: PLATFORM,
                currency: Currency::Cny,
                worth,
                minimum_spend: amount(if place == 1 { 50 } else { 0 }),
                valid_from: TimestampMs(0),
                valid_until: TimestampMs::NEVER,
                funders: funders.into(),
                merchants,
                stock,
                per_customer,
                stackable,
                rank,
                claimable,
            };
            self.tell(format!("{campaign:?}"));
            self.mall().engine.record_campaign(campaign.clone()).await.unwrap();
            let pieces = Pieces { left: stock.map_or(0, Cents::from), ..Pieces::default() };
            self.pieces.insert(campaign.id, pieces);
            self.campaigns.push(campaign);
        }
    }

    /// The coupons of a customer: in the wallet, locked there, still allowed.
    pub fn wallet(&mut self, campaign: &Campaign, customer: &str) -> &mut (Cents, Cents, Cents) {
        let allowed = campaign.per_customer.map_or(0, Cents::from);
        self.pieces.get_mut(&campaign.id).unwrap().wallets.entry(customer.into()).or_insert((0, 0, allowed))
    }

    /// What each account has, debts included: top-ups, and what orders did.
    pub fn net(&self) -> Sums {
        let mut net = self.given.clone();
        for case in &self.cases {
            case.effects.iter().for_each(|(account, cents)| add(&mut net, *account, *cents));
        }
        net
    }

    /// What orders hold of an account.
    pub fn held(&self, account: AccountId) -> Cents {
        let of_case = |case: &Case| {
            let waiting: Cents = case.waiting.values().map(|waiting| of(&waiting.holds, account)).sum();
            of(&case.holds, account) + waiting
        };
        self.cases.iter().map(of_case).sum()
    }

    pub fn available(&self, account: AccountId) -> Cents {
        (of(&self.net(), account) - self.held(account)).max(0)
    }

    /// The balance of an account once debts are recovered from what came: that follows in a moment by itself.
    async fn settled_balance(&self, account: AccountId, held: Cents) -> Balance {
        let began = Instant::now();
        loop {
            let balance = self.mall().balance(account).await;
            let recovered = balance.owed.is_zero() || balance.available == 0;
            if recovered && balance.held.signed() == held || began.elapsed() > Duration::from_secs(5) {
                return balance;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Every account is what the model says; the books balance and agree with the channels'.
    pub async fn compare(&mut self) {
        let net = self.net();
        let mut owed = 0;
        for account in self.accounts.opened() {
            let (net, held) = (of(&net, account), self.held(account));
            let balance = self.settled_balance(account, held).await;
            let owes = balance.owed.signed();
            let context =
                || format!("{account} ({}): net {net}, held {held}, but {balance:?}", balance.reference);
            assert_eq!(balance.posted - owes, net, "what it has less what it owes: {}", context());
            assert_eq!(balance.held.signed(), held, "what is held: {}", context());
            assert_eq!(balance.available, balance.posted - held, "what is available: {}", context());
            assert!(balance.available >= 0, "held money is there: {}", context());
            assert!(owes == 0 || balance.available == 0, "who has money owes nothing: {}", context());
            assert!(owes == 0 || self.agreement.shortfall != Shortfall::Refuse, "nobody owes: {}", context());
            owed += owes;
            match self.agreement.shortfall {
                Shortfall::Debt if owes > 0 => self.see("somebody owes the operator"),
                Shortfall::Advance if owes > 0 => self.see("somebody owes the platform"),
                Shortfall::Debt | Shortfall::Advance | Shortfall::Refuse => {}
            }
        }
        let advanced = if self.agreement.shortfall == Shortfall::Advance { owed } else { 0 };
        let platform = [
            (own(AccountType::Escrow), 0),
            (own(AccountType::CommissionIncome), -advanced),
            (own(AccountType::Advance), advanced),
            (own(AccountType::FeeIncome), 0),
            (own(AccountType::Suspense), 0),
            (own(AccountType::CouponFund), 0),
            (funding(), 0),
        ];
        let channels =
            MANNERS.into_iter().flat_map(|manner| [(clearing(manner), 0), (fee_expense(manner), 0)]);
        let trial = self.mall().engine.trial_balance().await;
        assert!(trial.is_balanced(), "{trial:#?}");
        for (account, beside) in platform.into_iter().chain(channels) {
            let kind = account.kind();
            let posted = trial.of(kind, account.owner(), Currency::Cny) * kind.sign(Side::Debit);
            assert_eq!(posted, of(&net, account) + beside, "{account}");
        }
        let fund = own(AccountType::CouponFund);
        assert_eq!(self.mall().balance(fund).await.held.signed(), self.held(fund), "held of the fund");
        self.compare_coupons().await;
        for row in self.mall().engine.compare_books().await {
            let is_channel = row.channel.0 != 0;
            assert!(!is_channel || row.ours == row.theirs, "the channel's own book: {row:?}");
        }
    }

    async fn compare_coupons(&mut self) {
        for campaign in self.campaigns.clone() {
            let counted = campaign.stock.is_some() || campaign.per_customer.is_some() || !campaign.claimable;
            if !counted {
                continue;
            }
            let pieces = self.pieces[&campaign.id].clone();
            let state = self.mall().engine.campaign_state(PLATFORM, campaign.id).await.unwrap();
            if campaign.stock.is_some() {
                assert_eq!(
                    state.left.map(Cents::from),
                    Some(pieces.left - pieces.locked),
                    "{:?} left",
                    campaign.id
                );
            }
            assert_eq!(Cents::from(state.locked), pieces.locked, "{:?} locked", campaign.id);
            let outstanding: Cents = pieces.wallets.values().map(|wallet| wallet.0).sum();
            assert_eq!(Cents::from(state.outstanding), outstanding, "{:?} in wallets", campaign.id);
            for customer in CUSTOMERS {
                let name = SmolStr::new(customer);
                let has = self.mall().engine.customer_coupons(PLATFORM, campaign.id, &name).await.unwrap();
                let (held, locked, allowed) = *self.wallet(&campaign, customer);
                assert_eq!(
                    (Cents::from(has.held), Cents::from(has.locked)),
                    (held, locked),
                    "{customer} {:?}",
                    campaign.id
                );
                let allowance = campaign.per_customer.map(|_| allowed);
                assert_eq!(
                    has.allowance.map(Cents::from),
                    allowance,
                    "{customer} {:?} may have",
                    campaign.id
                );
            }
        }
    }

    /// The engine ends, in good order or not, and starts again on the same directory: nothing changes.
    pub async fn restart(&mut self) {
        let orderly = self.dice.percent(50);
        self.see(if orderly { "restart" } else { "crash" });
        self.tell(format!("restart, {}", if orderly { "in good order" } else { "dropped as it stands" }));
        let mut before = Vec::new();
        for case in &self.cases {
            before.push(self.mall().life(case.id).await);
        }
        if orderly {
            self.mall().engine.shutdown().await.unwrap();
        }
        // The directory is free once the last engine on it is gone.
        self.mall = None;
        self.mall = Some(self.outside.start());
        for order in before {
            let after = self.mall().life(order.id).await;
            if order.status.is_unpaid() {
                // It is asked about meanwhile.
                assert_eq!((after.status, &after.holds), (order.status, &order.holds));
            } else {
                assert_eq!(*after, *order, "a life is the same after a restart");
            }
        }
        self.compare().await;
    }
}
