//! The truth after the speed: what the engine's books say beside what the driver worked out.
//!
//! Where no channel fails, the channel of every order is known beforehand, and so is every account to the cent. Where channels
//! fail or lie, an order may go to any of them: then sums over all channels are compared, every channel's book with its
//! clearing account, and looked-up orders by the tariff of the channel that took them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use suanpan_channels::{Adapter, Descriptor};
use suanpan_core::invariants::Invariant;
use suanpan_model::{AccountId, AccountType};
use suanpan_runtime::Engine;
use suanpan_runtime::api::TrialBalance;

use crate::driver::Outcome;
use crate::setup;
use crate::workload::{Cast, Workload};
use crate::world::{CURRENCY, PLATFORM};

mod sale;
mod samples;
mod sums;
mod verdict;

pub use sums::{ChannelSums, Sums};
pub use verdict::Verdict;

/// How long an engine may take to come to rest; what has not ended by then is a difference.
const REST_MAX: Duration = Duration::from_secs(20);

/// A finished run on a fresh engine, to be checked.
#[derive(Clone, Copy)]
pub struct Audit<'a> {
    /// The engine, still running.
    pub engine: &'a Engine,
    /// The channels with their books.
    pub adapters: &'a [Arc<dyn Adapter>],
    /// What the channels charge.
    pub descriptors: &'a [Descriptor],
    /// What was asked for.
    pub workload: &'a Workload,
    /// Who took part.
    pub cast: &'a Cast,
    /// What the driver saw.
    pub outcome: &'a Outcome,
}

impl Audit<'_> {
    /// Compares everything that can be known.
    pub async fn verify(&self) -> Verdict {
        let mut verdict = Verdict::default();
        self.rest().await;
        self.counts(&mut verdict);
        let sums = Sums::of(self.workload, self.cast, &self.outcome.tally.by_template);
        let trial = self.engine.trial_balance().await;
        let is_settled = self.workload.spec().is_settled();
        self.trial(&mut verdict, &trial, &sums);
        if is_settled {
            self.every_account(&mut verdict, &trial, &sums).await;
            self.every_channel(&mut verdict, &sums);
        } else {
            self.all_together(&mut verdict, &trial, &sums);
        }
        let agents = self.float(AccountType::Commission, &sums.agents);
        self.accounts(&mut verdict, &self.cast.agents, &agents).await;
        books(&mut verdict, self.engine).await;
        sale::check(&mut verdict, self).await;
        samples::check(&mut verdict, self).await;
        verdict
    }

    /// Waits until the engine counts as ended what it has told to be ended (a shard tells before it counts), and until channels
    /// have said what they have to say after the end of an order: late notifications, refunds of late payments.
    async fn rest(&self) {
        let begin = Instant::now();
        while begin.elapsed() < REST_MAX {
            let stats = self.engine.stats();
            if stats.live_orders <= stats.archive_lag && self.agrees_where_late().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn agrees_where_late(&self) -> bool {
        self.workload.spec().is_settled()
            || self.engine.compare_books().await.iter().all(|book| book.ours == book.theirs)
    }

    fn counts(&self, verdict: &mut Verdict) {
        let (tally, stats) = (&self.outcome.tally, self.engine.stats());
        let what = |text: &'static str| move || text.to_owned();
        verdict.expect(
            broken(Invariant::EverythingEnds, "acknowledged orders that did not end"),
            &0,
            &(tally.acknowledged - tally.finished - tally.unpaid),
        );
        verdict.expect(what("orders under way after the drain"), &0, &self.outcome.unfinished);
        verdict.expect(what("requests refused"), &0, &tally.rejected());
        verdict.expect(what("answers and notices out of place"), &0, &tally.strange);
        verdict.expect(
            broken(Invariant::AnsweredIsDurable, "orders that the engine recorded"),
            &tally.acknowledged,
            &stats.created,
        );
        // Finished orders stay in memory until the archive has them.
        let live = stats.live_orders.saturating_sub(stats.archive_lag);
        verdict.expect(what("orders that the engine holds as live"), &0, &live);
        let spec = self.workload.spec();
        if !spec.takes_back() && spec.is_settled() {
            verdict.expect(what("orders that the engine finished"), &tally.acknowledged, &stats.finished);
        }
        for example in &tally.examples {
            verdict.differ(|| example.clone());
        }
    }

    /// What holds whatever the channels did.
    fn trial(&self, verdict: &mut Verdict, trial: &TrialBalance, sums: &Sums) {
        verdict.expect(broken(Invariant::BooksBalance, "trial balance"), &true, &trial.is_balanced());
        for broken in &trial.breaks {
            verdict.differ(|| broken.clone());
        }
        let buyers =
            self.cast.buyers.len() as i128 * setup::float_of(self.workload.spec(), AccountType::Cash);
        let agents = self.float(AccountType::Commission, &sums.agents).iter().sum::<i128>();
        let rows = [
            (AccountType::Commission, 0, -agents),
            (AccountType::Cash, 0, sums.cash - buyers),
            (AccountType::CommissionIncome, PLATFORM.0, -sums.commission),
            (AccountType::Escrow, PLATFORM.0, 0),
            (AccountType::Suspense, PLATFORM.0, 0),
            (AccountType::Receivable, PLATFORM.0, 0),
            (AccountType::CouponFund, PLATFORM.0, sums.fund - setup::coupon_fund()),
        ];
        for (kind, owner, expected) in rows {
            let found = trial.of(kind, owner, CURRENCY);
            verdict.expect(|| format!("debit balance of {}", kind.name()), &expected, &found);
        }
    }

    async fn every_account(&self, verdict: &mut Verdict, trial: &TrialBalance, sums: &Sums) {
        let fees = trial.of(AccountType::FeeIncome, PLATFORM.0, CURRENCY);
        verdict.expect(|| "debit balance of fee_income".to_owned(), &-sums.fee_income, &fees);
        for (channel, book) in &sums.channels {
            let owner = u32::from(channel.0);
            let clearing = trial.of(AccountType::ChannelClearing, owner, CURRENCY);
            let net = book.paid - book.refunded - book.fees;
            verdict.expect(|| format!("clearing account of channel {channel}"), &net, &clearing);
            let expense = trial.of(AccountType::FeeExpense, owner, CURRENCY);
            verdict.expect(|| format!("fees of channel {channel}"), &book.fees, &expense);
        }
        let merchants = self.float(AccountType::Settlement, &sums.merchants);
        self.accounts(verdict, &self.cast.merchants, &merchants).await;
    }

    /// The channels' own books beside the driver's sums.
    fn every_channel(&self, verdict: &mut Verdict, sums: &Sums) {
        for adapter in self.adapters {
            let channel = adapter.capability().id;
            let book = adapter.book().unwrap_or_default().of(CURRENCY);
            let expected = sums.channels.get(&channel).copied().unwrap_or_default();
            let found = ChannelSums {
                payments: book.payments,
                paid: book.paid,
                fees: book.fees,
                refunds: book.refunds,
                refunded: book.refunded,
            };
            verdict.expect(|| format!("book of channel {channel}"), &expected, &found);
        }
    }

    /// Nobody knew which channel would take an order: what all of them have, less what they gave back.
    fn all_together(&self, verdict: &mut Verdict, trial: &TrialBalance, sums: &Sums) {
        let (mut held, mut fees) = (0, 0);
        for adapter in self.adapters {
            let book = adapter.book().unwrap_or_default().of(CURRENCY);
            held += book.paid - book.refunded;
            fees += book.fees;
        }
        let expected = sums.all_channels();
        let what = || "paid and not given back, in the books of all channels".to_owned();
        verdict.expect(what, &(expected.paid - expected.refunded), &held);
        let expense: i128 = self
            .adapters
            .iter()
            .map(|one| trial.of(AccountType::FeeExpense, u32::from(one.capability().id.0), CURRENCY))
            .sum();
        verdict.expect(|| "fees of all channels".to_owned(), &fees, &expense);
        let merchants = -trial.of(AccountType::Settlement, 0, CURRENCY);
        let borne = -trial.of(AccountType::FeeIncome, PLATFORM.0, CURRENCY);
        let whole: i128 =
            self.float(AccountType::Settlement, &sums.merchants).iter().sum::<i128>() + sums.fee_income;
        verdict.expect(|| "what merchants have and bore of fees".to_owned(), &whole, &(merchants + borne));
    }

    fn float(&self, kind: AccountType, sums: &[i128]) -> Vec<i128> {
        let float = setup::float_of(self.workload.spec(), kind);
        sums.iter().map(|sum| sum + float).collect()
    }

    async fn accounts(&self, verdict: &mut Verdict, accounts: &[AccountId], expected: &[i128]) {
        for (account, expected) in accounts.iter().zip(expected) {
            match self.engine.balance(*account).await {
                Ok(balance) => {
                    verdict.expect(|| format!("balance of {account}"), expected, &balance.posted);
                    verdict.expect(|| format!("held on {account}"), &0, &balance.held.minor());
                }
                Err(reject) => verdict.differ(|| format!("balance of {account}: {reject}")),
            }
        }
    }
}

fn broken(invariant: Invariant, what: &'static str) -> impl FnOnce() -> String {
    move || invariant.broken(what)
}

/// The engine's clearing accounts beside the channels' own books.
pub async fn books(verdict: &mut Verdict, engine: &Engine) {
    for line in engine.compare_books().await {
        let what = || {
            let book = format_args!("book of channel {} in {}", line.channel, line.currency);
            Invariant::BooksAgree.broken(book)
        };
        verdict.expect(what, &line.theirs, &line.ours);
    }
}
