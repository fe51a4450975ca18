//! The canonical order on PostgreSQL: created and paid in one durable transaction, released in another, each one call of a
//! function through a prepared statement.

use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use suanpan_model::AccountId;
use tokio::task::LocalSet;
use tokio_postgres::{Client, NoTls, Statement};

use super::cluster::Cluster;
use crate::latency::{Latencies, Percentiles};
use crate::verify::Sums;
use crate::workload::{Cast, Template, Workload};
use crate::world::PLATFORM;

const SCHEMA: &str = include_str!("schema.sql");
/// Rows over which a hot account is spread when it is.
const STRIPES: i64 = 64;
/// Number of the first merchant's account, and of the first agent's.
const MERCHANTS: i64 = 1_000_000;
const AGENTS: i64 = 2_000_000;

/// Orders by one number of connections.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct PeerLine {
    /// Connections, each with one order under way.
    pub connections: usize,
    /// Whether commission, escrow, fees, fund and clearing are one row each; else they are spread over many.
    pub hot: bool,
    /// Orders finished a second.
    pub orders_per_second: f64,
    /// Orders finished.
    pub orders: u64,
    /// From the start of the creation to the end of the release, in microseconds.
    pub order_us: Percentiles,
    /// Figures that differ afterwards.
    pub differences: u64,
}

/// One measurement on a fresh database of `cluster`.
///
/// # Errors
/// When the database refuses something.
pub async fn measure(
    cluster: &Cluster,
    workload: &Workload,
    cast: &Cast,
    connections: usize,
    hot: bool,
    lasts: Duration,
) -> Result<PeerLine> {
    let client = connect(cluster).await?;
    client.batch_execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public").await?;
    client.batch_execute(SCHEMA).await?;
    open(&client, cast).await?;
    client.batch_execute("CHECKPOINT").await?;
    let set = LocalSet::new();
    let shared = Rc::new((
        std::cell::Cell::new(0_u64),
        std::cell::RefCell::new(vec![0_u64; workload.templates().len()]),
    ));
    let begin = Instant::now();
    let mut all = Latencies::new()?;
    let mut orders = 0;
    set.run_until(async {
        let mut workers = Vec::with_capacity(connections);
        for _ in 0..connections {
            workers.push(work(cluster, workload, shared.clone(), hot, begin, lasts));
        }
        for worker in futures_util::future::join_all(workers).await {
            for latency in worker? {
                orders += 1;
                all.record(latency);
            }
        }
        Ok::<_, anyhow::Error>(())
    })
    .await?;
    let seconds = begin.elapsed().as_secs_f64();
    let by_template = shared.1.take();
    let differences = check(&client, workload, cast, &by_template).await?;
    Ok(PeerLine {
        connections,
        hot,
        orders_per_second: orders as f64 / seconds,
        orders,
        order_us: all.percentiles(),
        differences,
    })
}

/// The next order's number, and how many were finished of each template.
type Shared = Rc<(std::cell::Cell<u64>, std::cell::RefCell<Vec<u64>>)>;

async fn connect(cluster: &Cluster) -> Result<Client> {
    let (client, connection) =
        tokio_postgres::connect(&cluster.address(), NoTls).await.context("connecting")?;
    // Its end is seen by the client.
    tokio::spawn(connection);
    Ok(client)
}

async fn open(client: &Client, cast: &Cast) -> Result<()> {
    let insert = "INSERT INTO account (id) SELECT generate_series($1::bigint, $2::bigint)";
    for kind in 1..=5_i64 {
        client.execute(insert, &[&(kind * 1_000), &(kind * 1_000 + STRIPES)]).await?;
    }
    for channel in 0..20_i64 {
        let first = 100_000 + channel * 1_000;
        client.execute(insert, &[&first, &(first + STRIPES)]).await?;
    }
    for (first, count) in [(MERCHANTS, cast.merchants.len()), (AGENTS, cast.agents.len())] {
        client.execute(insert, &[&first, &(first + i64::try_from(count)?)]).await?;
    }
    client.batch_execute("ANALYZE").await?;
    Ok(())
}

async fn work(
    cluster: &Cluster,
    workload: &Workload,
    shared: Shared,
    hot: bool,
    begin: Instant,
    lasts: Duration,
) -> Result<Vec<Duration>> {
    let client = connect(cluster).await?;
    let create =
        client.prepare("SELECT create_order($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)").await?;
    let release = client.prepare("SELECT release_order($1)").await?;
    let mut latencies = Vec::new();
    while begin.elapsed() < lasts {
        let count = shared.0.get();
        shared.0.set(count + 1);
        let asked = Instant::now();
        order(&client, (&create, &release), workload, count, hot).await?;
        latencies.push(asked.elapsed());
        shared.1.borrow_mut()[workload.template_of(count)] += 1;
    }
    Ok(latencies)
}

async fn order(
    client: &Client,
    (create, release): (&Statement, &Statement),
    workload: &Workload,
    count: u64,
    hot: bool,
) -> Result<()> {
    let Template { merchant, agent, parts, channel, .. } = &workload.templates()[workload.template_of(count)];
    let terms = workload.terms(count);
    let platform = i32::try_from(PLATFORM.0)?;
    let number = |value: u64| i64::try_from(value);
    let (order_no, payer) = (terms.order_no.as_str(), terms.payer.as_str());
    let merchant = MERCHANTS + i64::try_from(*merchant)?;
    let agent = AGENTS + i64::try_from(*agent)?;
    let channel = i64::from(channel.map_or(0, |channel| channel.0));
    let stripe = if hot { 0 } else { i64::try_from(count)? % STRIPES };
    let (amount, subsidy, fee) = (number(parts.amount)?, number(parts.subsidy)?, number(parts.fee)?);
    let (commission, agent_part) = (number(parts.commission)?, number(parts.agent)?);
    let row = client
        .query_one(
            create,
            &[
                &platform,
                &order_no,
                &payer,
                &merchant,
                &agent,
                &channel,
                &stripe,
                &amount,
                &subsidy,
                &fee,
                &commission,
                &agent_part,
            ],
        )
        .await?;
    let made: i64 = row.get(0);
    let status: i16 = client.query_one(release, &[&made]).await?.get(0);
    ensure!(status == 2, "order {made} was not released");
    Ok(())
}

/// Everything sums to zero, and merchants and agents have what the orders gave them.
async fn check(client: &Client, workload: &Workload, cast: &Cast, by_template: &[u64]) -> Result<u64> {
    let sums = Sums::of(workload, cast, by_template);
    let sum: i64 =
        client.query_one("SELECT coalesce(sum(balance), 0)::bigint FROM account", &[]).await?.get(0);
    let mut differences = u64::from(sum != 0);
    for (first, accounts, expected) in
        [(MERCHANTS, &cast.merchants, &sums.merchants), (AGENTS, &cast.agents, &sums.agents)]
    {
        let last = first + i64::try_from(accounts.len())?;
        let query = "SELECT balance FROM account WHERE id >= $1 AND id < $2 ORDER BY id";
        let rows = client.query(query, &[&first, &last]).await?;
        let found: Vec<i128> = rows.iter().map(|row| i128::from(row.get::<_, i64>(0))).collect();
        differences += u64::from(found != *expected);
    }
    Ok(differences)
}

/// Merchants and agents of a peer, which has no numbers of the engine's.
#[must_use]
pub fn cast(merchants: u64, buyers: u64) -> Cast {
    use suanpan_model::AccountType::{Cash, Commission, Settlement};
    let open = |kind, count: u64| (0..count).map(|number| AccountId::opened(kind, number, 0)).collect();
    Cast {
        merchants: open(Settlement, merchants),
        agents: open(Commission, crate::setup::AGENTS),
        buyers: open(Cash, buyers),
    }
}
