//! What a mall does over HTTP beside its orders: accounts, campaigns, money; and the books read again.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use hyper::Method;
use hyper::body::Bytes;
use serde_json::{Value, json};
use smol_str::SmolStr;
use suanpan_model::{AccountId, AccountType, Amount, Campaign, Currency, Worth};

use super::body::{Names, read};
use super::pool::{Call, Pool};
use super::sign::is_operators;
use crate::order_no::payer;
use crate::setup::{AGENTS, agent, campaigns_of, float_of, merchant};
use crate::workload::{Cast, Spec};
use crate::world::{CURRENCY, PLATFORM};

/// A mall at a server.
#[derive(Clone)]
pub struct Mall {
    front: Pool,
    house: Pool,
}

/// Balances in minor units at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balances {
    /// Of all merchants together.
    pub merchants: i128,
    /// Of each agent.
    pub agents: Vec<i128>,
    /// The platform's commission.
    pub commission: i128,
    /// What merchants paid for channels.
    pub fee_income: i128,
    /// The coupon fund.
    pub fund: i128,
    /// Of all buyers together.
    pub cash: i128,
}

/// From the number of a party to its name.
type NameOf = fn(u64) -> SmolStr;

fn accounts(path: &str) -> String {
    format!("/v1/platforms/{PLATFORM}/accounts{path}")
}

impl Mall {
    /// The mall behind `pool`, which is its operator's, too.
    #[must_use]
    pub fn new(pool: Pool) -> Self {
        Self { front: pool.clone(), house: pool }
    }

    /// The mall behind `front`, and the operator behind `house`.
    #[must_use]
    pub const fn with_house(front: Pool, house: Pool) -> Self {
        Self { front, house }
    }

    fn way(&self, path: &str) -> &Pool {
        if is_operators(path) { &self.house } else { &self.front }
    }

    async fn post_all(&self, path: impl Fn(usize) -> String, bodies: Vec<Value>) -> Result<Vec<Value>> {
        let call = |(number, body): (usize, Value)| Call {
            method: Method::POST,
            path: path(number),
            body: Bytes::from(body.to_string()),
        };
        let calls: Vec<Call> = bodies.into_iter().enumerate().map(call).collect();
        // All of them are of one kind.
        let Some(first) = calls.first() else { return Ok(Vec::new()) };
        let answers = self.way(&first.path).all(calls).await;
        let read = |answer| read::<Value>(answer).map(|(_, body)| body).map_err(|reject| anyhow!("{reject}"));
        answers.into_iter().map(read).collect()
    }

    async fn get(&self, path: String) -> Result<Value> {
        let (_, body) = read::<Value>(self.way(&path).get(path.clone()).await)
            .map_err(|reject| anyhow!("GET {path}: {reject}"))?;
        Ok(body)
    }

    async fn open(
        &self,
        kind: AccountType,
        count: u64,
        name: impl Fn(u64) -> SmolStr,
        names: &mut Names,
    ) -> Result<Vec<AccountId>> {
        let bodies = (0..count).map(|number| json!({"kind": kind.name(), "reference": name(number)}));
        let opened = self.post_all(|_| accounts(""), bodies.collect()).await?;
        let mut ids = Vec::with_capacity(opened.len());
        for (number, body) in (0..).zip(opened) {
            let raw = body["account"].as_str().and_then(|text| text.parse().ok());
            let id = raw.and_then(AccountId::from_raw).context("the number of an account that was opened")?;
            names.insert(id, name(number));
            ids.push(id);
        }
        Ok(ids)
    }

    /// Opens the accounts, records the campaigns, and puts money where orders will want it. What is there already stays.
    ///
    /// # Errors
    /// When the server refuses something.
    pub async fn cast(&self, spec: &Spec) -> Result<(Cast, Names)> {
        let mut names = Names::default();
        let merchants =
            self.open(AccountType::Settlement, spec.parties.merchants, merchant, &mut names).await?;
        let agents = self.open(AccountType::Commission, AGENTS, agent, &mut names).await?;
        let buyers = match spec.orders.balance {
            // Only who pays out of an account needs one; the others are names.
            0 => (0..spec.parties.buyers)
                .map(|number| AccountId::opened(AccountType::Cash, number, 0))
                .collect(),
            _ => self.open(AccountType::Cash, spec.parties.buyers, payer, &mut names).await?,
        };
        let bodies = campaigns_of(spec).iter().map(campaign).collect::<Result<_>>()?;
        self.post_all(|_| format!("/v1/platforms/{PLATFORM}/campaigns"), bodies).await?;
        let mut wanted = vec![(AccountType::CouponFund, SmolStr::new_static(CURRENCY.code()))];
        let floats: [(AccountType, u64, NameOf); 3] = [
            (AccountType::Cash, spec.parties.buyers, payer),
            (AccountType::Settlement, spec.parties.merchants, merchant),
            (AccountType::Commission, AGENTS, agent),
        ];
        for (kind, count, name) in floats {
            if float_of(spec, kind) > 0 {
                wanted.extend((0..count).map(|number| (kind, name(number))));
            }
        }
        let amount = Amount::MAX.to_text(CURRENCY);
        let top_up = |(kind, name): &(AccountType, SmolStr)| json!({"reference": format!("float-{}-{name}", kind.name()), "amount": amount});
        let bodies = wanted.iter().map(top_up).collect();
        let path = |number: usize| {
            let (kind, name) = &wanted[number];
            accounts(&format!("/{}/{name}/top-ups", kind.name()))
        };
        self.post_all(path, bodies).await?;
        Ok((Cast { merchants, agents, buyers }, names))
    }

    async fn balance(&self, kind: AccountType, name: &str) -> Result<i128> {
        let body = self.get(accounts(&format!("/{}/{name}", kind.name()))).await?;
        let text = body["balance"].as_str().context("a balance as text")?;
        minor(text).with_context(|| format!("balance of {} {name}: {text}", kind.name()))
    }

    /// Balances of everybody who takes part.
    ///
    /// # Errors
    /// When the server refuses something.
    pub async fn balances(&self, spec: &Spec) -> Result<Balances> {
        let mut found = Balances::default();
        for number in 0..spec.parties.merchants {
            found.merchants += self.balance(AccountType::Settlement, &merchant(number)).await?;
        }
        for number in 0..AGENTS {
            found.agents.push(self.balance(AccountType::Commission, &agent(number)).await?);
        }
        if spec.orders.balance > 0 {
            for number in 0..spec.parties.buyers {
                found.cash += self.balance(AccountType::Cash, &payer(number)).await?;
            }
        }
        let currency = CURRENCY.code();
        found.commission = self.balance(AccountType::CommissionIncome, currency).await?;
        found.fee_income = self.balance(AccountType::FeeIncome, currency).await?;
        found.fund = self.balance(AccountType::CouponFund, currency).await?;
        Ok(found)
    }

    /// What is broken in the trial balance; nothing when it balances.
    ///
    /// # Errors
    /// When the server refuses something.
    pub async fn trial_balance(&self) -> Result<Vec<String>> {
        let body = self.get("/v1/trial-balance".to_owned()).await?;
        let breaks = body["breaks"].as_array().into_iter().flatten();
        let mut told: Vec<String> = breaks.map(Value::to_string).collect();
        if body["balanced"] != true {
            told.push(format!("the trial balance does not balance: {}", body["sums"]));
        }
        Ok(told)
    }

    /// How many channels' books were compared with the clearing accounts, and those that differ.
    ///
    /// # Errors
    /// When the server refuses something.
    pub async fn books(&self) -> Result<(u64, Vec<String>)> {
        let body = self.get("/v1/books".to_owned()).await?;
        let Some(channels) = body["channels"].as_array() else { bail!("books without channels: {body}") };
        let differs = |channel: &&Value| channel["ours"] != channel["theirs"];
        let told =
            channels.iter().filter(differs).map(|channel| format!("books differ: {channel}")).collect();
        Ok((channels.len() as u64, told))
    }

    /// The status of an order.
    ///
    /// # Errors
    /// When the server refuses something.
    pub async fn status(&self, order: suanpan_model::OrderId) -> Result<String> {
        let body = self.get(format!("/v1/platforms/{PLATFORM}/orders/{order}")).await?;
        Ok(body["status"].as_str().unwrap_or_default().to_owned())
    }

    /// The status of an order by the mall's own number.
    ///
    /// # Errors
    /// When the server refuses something.
    pub async fn status_of(&self, order_no: &str) -> Result<String> {
        let body = self.get(format!("/v1/platforms/{PLATFORM}/orders/no:{order_no}")).await?;
        Ok(body["status"].as_str().unwrap_or_default().to_owned())
    }

    /// What is frozen, in minor units.
    ///
    /// # Errors
    /// When the server refuses something.
    pub async fn escrow(&self) -> Result<i128> {
        let body = self.get("/v1/trial-balance".to_owned()).await?;
        let rows = body["rows"].as_array().into_iter().flatten();
        let of_escrow = rows.filter(|row| row["kind"] == AccountType::Escrow.name());
        let texts = of_escrow.map(|row| row["debit_balance"].as_str().context("a balance as text"));
        texts.map(|text| Ok(-minor(text?)?)).sum()
    }

    /// Cancels an order that nobody knows to be paid, and waits until it has ended. The answer is how: closed, or paid after
    /// all.
    ///
    /// # Errors
    /// When the server refuses, or the order does not end.
    pub async fn cancel(&self, order: suanpan_model::OrderId) -> Result<String> {
        const LOOKS: usize = 600;
        let path = format!("/v1/platforms/{PLATFORM}/orders/{order}/close");
        let answer = self.way(&path).post(path, String::new()).await?;
        ensure!(answer.status < 300, "closing order {order}: answered with {}", answer.status);
        for _ in 0..LOOKS {
            let status = self.status(order).await?;
            if !["created", "routing", "pending"].contains(&status.as_str()) {
                return Ok(status);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.status(order).await
    }

    /// Waits until the server takes orders.
    ///
    /// # Errors
    /// When it does not within `seconds`.
    pub async fn ready(&self, seconds: u64) -> Result<()> {
        const PAUSE_MS: u64 = 20;
        let mut why = None;
        for _ in 0..seconds * 1_000 / PAUSE_MS {
            // A signed call: a server that has just started takes only what was signed after its start.
            let path = "/v1/books".to_owned();
            let answer = self.way(&path).get(path).await;
            if answer.as_ref().is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            why = read::<Value>(answer).err().map(|reject| reject.to_string());
            tokio::time::sleep(std::time::Duration::from_millis(PAUSE_MS)).await;
        }
        bail!("the server is not ready after {seconds} s: {}", why.unwrap_or_default())
    }
}

fn campaign(campaign: &Campaign) -> Result<Value> {
    let Worth::Face(face) = campaign.worth else { bail!("workloads use coupons of a face value alone") };
    let text = |amount: Amount| amount.to_text(Currency::Cny);
    let mut body = json!({
        "id": campaign.id.0,
        "face": text(face),
        "minimum_spend": text(campaign.minimum_spend),
        "valid_from": "2020-01-01T00:00:00+08:00",
        "valid_until": "2099-01-01T00:00:00+08:00",
        "stackable": campaign.stackable,
        "claimable": campaign.claimable,
    });
    for (name, value) in [("stock", campaign.stock), ("per_customer", campaign.per_customer)] {
        if let Some(value) = value {
            body[name] = value.into();
        }
    }
    Ok(body)
}

/// `-12.34` in minor units.
fn minor(text: &str) -> Result<i128> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, part) = digits.split_once('.').context("a decimal text")?;
    ensure!(part.len() == 2, "two decimals");
    Ok(sign * (whole.parse::<i128>()? * 100 + part.parse::<i128>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balances_are_read_to_the_cent() {
        let read = |text| minor(text).ok();
        assert_eq!([read("12.34"), read("-0.05"), read("0.00")], [Some(1_234), Some(-5), Some(0)]);
        assert_eq!([read("12"), read("1.2"), read("tea.00")], [None; 3]);
    }
}
