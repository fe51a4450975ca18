//! Orders on a running TigerBeetle, so many under way: sessions of the official client, each with one request of many
//! events under way.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tigerbeetle::{
    Account, AccountFlags, Client, CreateAccountStatus, CreateTransferStatus, Transfer, TransferFlags,
};
use tokio::time::timeout;

use super::books::{Balance, Balances};
use super::plan::{
    self, COMMISSION, COUPON_FUND, ESCROW, FEES, FUNDING, Kind, Move, Purpose, STEP_EVENTS_MAX, Step,
};
use crate::latency::Latencies;
use crate::workload::{Cast, Workload};

/// The most events of a request.
const EVENTS_MAX: usize = 8_189;
/// How long a request may take.
const REQUEST_MAX: Duration = Duration::from_secs(60);
/// The one ledger.
const LEDGER: u32 = 1;

/// How much is played, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Orders under way.
    pub in_flight: usize,
    /// Sessions over which they are spread.
    pub sessions: usize,
    /// Time that is not counted.
    pub warmup: Duration,
    /// The measured window.
    pub window: Duration,
}

/// What was measured.
#[derive(Debug)]
pub struct Measured {
    /// Orders finished inside the window.
    pub orders: u64,
    /// Whole orders begun inside the window.
    pub order: Latencies,
    /// Orders finished over the whole time, by template.
    pub by_template: Vec<u64>,
}

/// A client of the cluster at `address`.
///
/// # Errors
/// When the client cannot be made.
pub fn client(address: &str) -> Result<Client> {
    Client::new(0, address).map_err(|fault| anyhow::anyhow!("the client of TigerBeetle: {fault}"))
}

/// Opens the accounts of `cast`, and puts `float` on each buyer's.
///
/// # Errors
/// When the server refuses something.
pub async fn open(client: &Client, workload: &Workload, cast: &Cast, float: u64) -> Result<()> {
    let account = |id: u128, code: u16, flags: AccountFlags| Account {
        id,
        ledger: LEDGER,
        code,
        flags,
        ..Account::default()
    };
    let free = AccountFlags::empty();
    // Nothing is paid out that was not paid in.
    let bound = AccountFlags::DebitsMustNotExceedCredits;
    let mut accounts = vec![account(ESCROW, 1, bound)];
    accounts.extend([COMMISSION, COUPON_FUND, FEES, FUNDING].map(|id| account(id, 2, free)));
    accounts.extend(plan::clearings(workload).into_iter().map(|id| account(id, 3, free)));
    accounts.extend((0..cast.merchants.len()).map(|place| account(plan::merchant(place), 4, free)));
    accounts.extend((0..cast.agents.len()).map(|place| account(plan::agent(place), 5, free)));
    accounts.extend((0..cast.buyers.len()).map(|place| account(plan::buyer(place), 6, bound)));
    for accounts in accounts.chunks(EVENTS_MAX) {
        let answers = timeout(REQUEST_MAX, client.create_accounts(accounts)).await??;
        ensure!(answers.len() == accounts.len(), "an account has no answer");
        for (account, answer) in accounts.iter().zip(answers) {
            let is_made = answer.status == CreateAccountStatus::Created;
            ensure!(is_made, "account {} was not made: {}", account.id, answer.status);
        }
    }
    if float > 0 {
        let moves: Vec<Move> = (0..cast.buyers.len())
            .map(|place| Move {
                id: 1 + place as u128,
                debit: FUNDING,
                credit: plan::buyer(place),
                amount: float,
                kind: Kind::Direct,
                purpose: Purpose::Funding,
                linked: false,
            })
            .collect();
        for moves in moves.chunks(EVENTS_MAX) {
            transfer(client, &moves.iter().map(event).collect::<Vec<_>>()).await?;
        }
    }
    Ok(())
}

/// Plays orders.
///
/// # Errors
/// When the server refuses something, or does not answer.
pub async fn play(clients: &[Client], workload: &Workload, load: Load) -> Result<Measured> {
    let measured = RefCell::new(Measured {
        orders: 0,
        order: Latencies::new()?,
        by_template: vec![0; workload.templates().len()],
    });
    let (next, begin) = (Cell::new(0), Instant::now());
    let share = |session: usize| {
        load.in_flight / clients.len() + usize::from(session < load.in_flight % clients.len())
    };
    let sessions = clients.iter().enumerate().map(|(number, client)| {
        let session = Session {
            client,
            workload,
            load,
            begin,
            next: &next,
            measured: &measured,
            queue: VecDeque::new(),
        };
        session.run(share(number))
    });
    futures_util::future::try_join_all(sessions).await?;
    Ok(measured.into_inner())
}

/// An order under way.
#[derive(Clone, Copy)]
struct UnderWay {
    count: u64,
    step: Step,
    began: Duration,
}

struct Session<'a> {
    client: &'a Client,
    workload: &'a Workload,
    load: Load,
    begin: Instant,
    next: &'a Cell<u64>,
    measured: &'a RefCell<Measured>,
    /// Orders whose next step is to be asked for, the longest waiting first.
    queue: VecDeque<UnderWay>,
}

impl Session<'_> {
    async fn run(mut self, orders: usize) -> Result<()> {
        (0..orders).for_each(|_| self.begin_one());
        let mut events = Vec::with_capacity(EVENTS_MAX);
        let mut asked = Vec::new();
        while !self.queue.is_empty() {
            events.clear();
            asked.clear();
            while events.len() + STEP_EVENTS_MAX <= EVENTS_MAX
                && let Some(order) = self.queue.pop_front()
            {
                events.extend(plan::chain(self.workload, order.count, order.step)?.iter().map(event));
                asked.push(order);
            }
            transfer(self.client, &events).await?;
            for order in asked.drain(..) {
                match order.step {
                    Step::Create => self.queue.push_back(UnderWay { step: Step::Release, ..order }),
                    Step::Release => self.finished(order),
                }
            }
        }
        Ok(())
    }

    fn ends(&self) -> Duration {
        self.load.warmup + self.load.window
    }

    fn begin_one(&mut self) {
        let began = self.begin.elapsed();
        if began < self.ends() {
            let count = self.next.replace(self.next.get() + 1);
            self.queue.push_back(UnderWay { count, step: Step::Create, began });
        }
    }

    fn finished(&mut self, order: UnderWay) {
        let now = self.begin.elapsed();
        let mut measured = self.measured.borrow_mut();
        measured.by_template[self.workload.template_of(order.count)] += 1;
        if order.began >= self.load.warmup {
            measured.order.record(now - order.began);
        }
        if (self.load.warmup..self.ends()).contains(&now) {
            measured.orders += 1;
        }
        drop(measured);
        self.begin_one();
    }
}

/// A transfer as TigerBeetle knows it.
fn event(one: &Move) -> Transfer {
    let (mut flags, mut pending_id) = (TransferFlags::empty(), 0);
    match one.kind {
        Kind::Direct => {}
        Kind::Pending => flags = flags | TransferFlags::Pending,
        Kind::Post(held) => {
            flags = flags | TransferFlags::PostPendingTransfer;
            pending_id = held;
        }
    }
    if one.linked {
        flags = flags | TransferFlags::Linked;
    }
    Transfer {
        id: one.id,
        debit_account_id: one.debit,
        credit_account_id: one.credit,
        amount: u128::from(one.amount),
        pending_id,
        ledger: LEDGER,
        code: one.purpose as u16,
        flags,
        ..Transfer::default()
    }
}

async fn transfer(client: &Client, events: &[Transfer]) -> Result<()> {
    let asked = timeout(REQUEST_MAX, client.create_transfers(events)).await;
    let answers = asked.context("TigerBeetle does not answer")??;
    ensure!(answers.len() == events.len(), "{} transfers have {} answers", events.len(), answers.len());
    for (event, answer) in events.iter().zip(answers) {
        let is_made = answer.status == CreateTransferStatus::Created;
        ensure!(is_made, "transfer {} was not made: {}", event.id, answer.status);
    }
    Ok(())
}

/// What `accounts` hold.
///
/// # Errors
/// When the server does not answer, or an account is missing.
pub async fn balances(client: &Client, accounts: &[u128]) -> Result<Balances> {
    let mut balances = Balances::default();
    for ids in accounts.chunks(EVENTS_MAX) {
        let asked = timeout(REQUEST_MAX, client.lookup_accounts(ids)).await;
        let found = asked.context("TigerBeetle does not answer")??;
        ensure!(found.len() == ids.len(), "{} accounts were asked for, {} found", ids.len(), found.len());
        balances.extend(found.into_iter().map(|account| {
            let balance = Balance {
                debits_pending: account.debits_pending,
                debits_posted: account.debits_posted,
                credits_pending: account.credits_pending,
                credits_posted: account.credits_posted,
            };
            (account.id, balance)
        }));
    }
    Ok(balances)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_carries_what_the_plan_says() {
        let one = |kind, linked| {
            event(&Move { id: 9, debit: 1, credit: 2, amount: 77, kind, purpose: Purpose::Subsidy, linked })
        };
        let held = one(Kind::Pending, true);
        assert_eq!(held.flags, TransferFlags::Pending | TransferFlags::Linked);
        assert_eq!((held.id, held.debit_account_id, held.credit_account_id), (9, 1, 2));
        assert_eq!((held.amount, held.pending_id, held.ledger, held.code), (77, 0, LEDGER, 2));
        let posted = one(Kind::Post(5), false);
        assert_eq!((posted.flags, posted.pending_id), (TransferFlags::PostPendingTransfer, 5));
        assert_eq!(one(Kind::Direct, false).flags, TransferFlags::empty());
    }
}
