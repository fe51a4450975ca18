//! The truth after the speed: what the engine's books say beside what the driver worked out.

use std::collections::BTreeMap;
use std::sync::Arc;

use suanpan_channels::Adapter;
use suanpan_core::invariants::Invariant;
use suanpan_model::command::OrderRef;
use suanpan_model::{AccountId, AccountType, ChannelId, OrderStatus, Side};
use suanpan_runtime::api::TrialBalance;
use suanpan_runtime::{Command, Engine, Reply};

use crate::driver::{Finished, Outcome};
use crate::expected::Parts;
use crate::setup;
use crate::workload::{Cast, Workload};
use crate::world::{CURRENCY, PLATFORM};

/// What was compared, and what differs.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// How many figures were compared.
    pub compared: u64,
    /// Orders that were looked up and are as expected.
    pub sampled: u64,
    /// How many figures differ.
    pub count: u64,
    /// The first of them in words.
    pub differences: Vec<String>,
}

impl Verdict {
    /// Compares one figure.
    pub fn expect<V: PartialEq + std::fmt::Debug>(
        &mut self,
        what: impl FnOnce() -> String,
        expected: &V,
        found: &V,
    ) {
        self.compared += 1;
        if expected != found {
            self.differ(|| format!("{}: expected {expected:?}, found {found:?}", what()));
        }
    }

    /// Records a difference.
    pub fn differ(&mut self, what: impl FnOnce() -> String) {
        const TOLD: usize = 50;
        self.count += 1;
        if self.differences.len() < TOLD {
            self.differences.push(what());
        }
    }
}

/// What a run must have come to, summed over its templates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Of each merchant.
    pub merchants: Vec<i128>,
    /// Of each agent.
    pub agents: Vec<i128>,
    /// The platform's commission.
    pub commission: i128,
    /// Subsidies of the coupon fund.
    pub subsidies: i128,
    /// Payments, what was paid, and fees of each channel.
    pub channels: BTreeMap<ChannelId, (u64, i128, i128)>,
}

impl Sums {
    /// Of the orders that a run has finished.
    #[must_use]
    pub fn of(workload: &Workload, cast: &Cast, by_template: &[u64]) -> Self {
        let mut sums = Self {
            merchants: vec![0; cast.merchants.len()],
            agents: vec![0; cast.agents.len()],
            ..Self::default()
        };
        for (template, count) in workload.templates().iter().zip(by_template) {
            let Parts { subsidy, payable, fee, commission, agent, merchant, .. } = template.parts;
            let times = |part: u64| i128::from(part) * i128::from(*count);
            sums.merchants[template.merchant] += times(merchant);
            sums.agents[template.agent] += times(agent);
            sums.commission += times(commission);
            sums.subsidies += times(subsidy);
            let channel = sums.channels.entry(template.channel).or_default();
            channel.0 += count;
            channel.1 += times(payable);
            channel.2 += times(fee);
        }
        sums
    }

    /// Fees of all channels.
    #[must_use]
    pub fn fees(&self) -> i128 {
        self.channels.values().map(|(_, _, fees)| fees).sum()
    }
}

/// Everything that can be known after a run on a fresh engine.
pub async fn verify(
    engine: &Engine,
    adapters: &[Arc<dyn Adapter>],
    workload: &Workload,
    cast: &Cast,
    outcome: &Outcome,
) -> Verdict {
    let mut verdict = Verdict::default();
    counts(&mut verdict, engine, outcome);
    let sums = Sums::of(workload, cast, &outcome.tally.by_template);
    trial(&mut verdict, &engine.trial_balance().await, &sums);
    accounts(&mut verdict, engine, &cast.merchants, &sums.merchants).await;
    accounts(&mut verdict, engine, &cast.agents, &sums.agents).await;
    channels(&mut verdict, adapters, &sums);
    books(&mut verdict, engine).await;
    samples(&mut verdict, engine, workload, cast, outcome.tally.samples()).await;
    verdict
}

fn broken(invariant: Invariant, what: &'static str) -> impl FnOnce() -> String {
    move || invariant.broken(what)
}

fn counts(verdict: &mut Verdict, engine: &Engine, outcome: &Outcome) {
    let (tally, stats) = (&outcome.tally, engine.stats());
    let what = |text: &'static str| move || text.to_owned();
    verdict.expect(
        broken(Invariant::EverythingEnds, "acknowledged orders that were not finished"),
        &0,
        &(tally.acknowledged - tally.finished),
    );
    verdict.expect(what("orders under way after the drain"), &0, &outcome.unfinished);
    verdict.expect(what("requests refused"), &0, &tally.rejected());
    verdict.expect(what("answers and notices out of place"), &0, &tally.strange);
    verdict.expect(
        broken(Invariant::AnsweredIsDurable, "orders that the engine recorded"),
        &tally.acknowledged,
        &stats.created,
    );
    verdict.expect(what("orders that the engine finished"), &tally.acknowledged, &stats.finished);
    for example in &tally.examples {
        verdict.differ(|| example.clone());
    }
}

fn trial(verdict: &mut Verdict, trial: &TrialBalance, sums: &Sums) {
    verdict.expect(broken(Invariant::BooksBalance, "trial balance"), &true, &trial.is_balanced());
    for broken in &trial.breaks {
        verdict.differ(|| broken.clone());
    }
    let rows = [
        (AccountType::Settlement, 0, -sums.merchants.iter().sum::<i128>()),
        (AccountType::Commission, 0, -sums.agents.iter().sum::<i128>()),
        (AccountType::Cash, 0, 0),
        (AccountType::CommissionIncome, PLATFORM.0, -sums.commission),
        (AccountType::FeeIncome, PLATFORM.0, -sums.fees()),
        (AccountType::Escrow, PLATFORM.0, 0),
        (AccountType::Suspense, PLATFORM.0, 0),
        (AccountType::Receivable, PLATFORM.0, 0),
        (AccountType::CouponFund, PLATFORM.0, sums.subsidies - setup::coupon_fund()),
    ];
    for (kind, owner, expected) in rows {
        verdict.expect(
            || format!("debit balance of {}", kind.name()),
            &expected,
            &trial.of(kind, owner, CURRENCY),
        );
    }
    for (channel, (_, paid, fees)) in &sums.channels {
        let owner = u32::from(channel.0);
        let clearing = trial.of(AccountType::ChannelClearing, owner, CURRENCY);
        verdict.expect(|| format!("clearing account of channel {channel}"), &(paid - fees), &clearing);
        let expense = trial.of(AccountType::FeeExpense, owner, CURRENCY);
        verdict.expect(|| format!("fees of channel {channel}"), fees, &expense);
    }
}

async fn accounts(verdict: &mut Verdict, engine: &Engine, accounts: &[AccountId], expected: &[i128]) {
    for (account, expected) in accounts.iter().zip(expected) {
        match engine.balance(*account).await {
            Ok(balance) => {
                verdict.expect(|| format!("balance of {account}"), expected, &balance.posted);
                verdict.expect(|| format!("held on {account}"), &0, &balance.held.minor());
            }
            Err(reject) => verdict.differ(|| format!("balance of {account}: {reject}")),
        }
    }
}

/// The channels' own books beside the driver's sums.
fn channels(verdict: &mut Verdict, adapters: &[Arc<dyn Adapter>], sums: &Sums) {
    for adapter in adapters {
        let channel = adapter.capability().id;
        let book = adapter.book().unwrap_or_default().of(CURRENCY);
        let expected = sums.channels.get(&channel).copied().unwrap_or_default();
        let found = (book.payments, book.paid, book.fees);
        verdict.expect(
            || format!("payments, paid and fees in the book of channel {channel}"),
            &expected,
            &found,
        );
        verdict.expect(|| format!("refunded in the book of channel {channel}"), &0, &book.refunded);
    }
}

/// The engine's clearing accounts beside the channels' own books.
pub async fn books(verdict: &mut Verdict, engine: &Engine) {
    let comparison = engine.compare_books().await;
    if comparison.is_empty() {
        verdict.differ(|| "no channel's book was compared".to_owned());
    }
    for line in comparison {
        let what = || {
            let book = format_args!("book of channel {} in {}", line.channel, line.currency);
            Invariant::BooksAgree.broken(book)
        };
        verdict.expect(what, &line.theirs, &line.ours);
    }
}

/// Orders picked from the whole run, looked up one by one.
async fn samples(
    verdict: &mut Verdict,
    engine: &Engine,
    workload: &Workload,
    cast: &Cast,
    samples: &[Finished],
) {
    let query =
        |sample: &Finished| Command::Query { platform: Some(PLATFORM), order: OrderRef::Id(sample.order) };
    let lives = engine.call_many(samples.iter().map(query).collect()).await;
    for (sample, life) in samples.iter().zip(lives) {
        let before = verdict.count;
        let order = match life {
            Ok(Reply::Life(order)) => order,
            Ok(other) => {
                verdict.differ(|| format!("asked for the life of order {}, got {other:?}", sample.order));
                continue;
            }
            Err(reject) => {
                verdict.differ(|| format!("order {}: {reject}", sample.order));
                continue;
            }
        };
        let template = &workload.templates()[workload.template_of(sample.count)];
        let parts = template.parts;
        let what = |part: &'static str| move || format!("order {}, {part}", sample.order);
        verdict.expect(what("terms"), &*workload.terms(sample.count), &*order.terms);
        verdict.expect(what("status"), &OrderStatus::Settled, &order.status);
        verdict.expect(what("frozen"), &0, &order.frozen.minor());
        verdict.expect(what("released"), &parts.amount, &order.released().minor());
        verdict.expect(
            what("channels"),
            &vec![template.channel],
            &order.attempts.iter().map(|a| a.channel()).collect(),
        );
        let credited = |account: AccountId| -> u64 {
            let postings = order.entries.iter().flat_map(|entry| &entry.postings);
            let same = postings.filter(|posting| posting.side == Side::Credit && posting.account == account);
            same.map(|posting| posting.amount.minor()).sum()
        };
        verdict.expect(what("merchant"), &parts.merchant, &credited(cast.merchants[template.merchant]));
        let fees = AccountId::internal(AccountType::FeeIncome, PLATFORM.0, CURRENCY, order.id.stripe());
        verdict.expect(what("fee"), &parts.fee, &credited(fees));
        verdict.expect(what("agent"), &parts.agent, &credited(cast.agents[template.agent]));
        verdict.sampled += u64::from(verdict.count == before);
    }
}
