//! The canonical order on PostgreSQL: created and paid in one durable transaction, released in another, each one call of a
//! function through a prepared statement.

use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::task::LocalSet;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls, Statement};

use super::PeerLine;
use super::cluster::Cluster;
use crate::latency::Latencies;
use crate::verify::Sums;
use crate::workload::{Cast, Template, Workload};
use crate::world::PLATFORM;

const SCHEMA: &str = include_str!("schema.sql");
/// Rows over which a hot account is spread when it is.
const STRIPES: i64 = 64;
/// Number of the first merchant's account, and of the first agent's.
const MERCHANTS: i64 = 1_000_000;
const AGENTS: i64 = 2_000_000;

/// How a measurement goes.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Connections, each with one order under way.
    pub connections: usize,
    /// Whether commission, escrow, fees, fund and clearing are one row each; else they are spread over many.
    pub hot: bool,
    /// Time that is not counted.
    pub warmup: Duration,
    /// The measured window.
    pub window: Duration,
}

impl Load {
    fn ends(self) -> Duration {
        self.warmup + self.window
    }
}

/// One measurement on a fresh database of `cluster`.
///
/// # Errors
/// When the database refuses something.
pub async fn measure(cluster: &Cluster, workload: &Workload, cast: &Cast, load: Load) -> Result<PeerLine> {
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
        let mut workers = Vec::with_capacity(load.connections);
        for _ in 0..load.connections {
            workers.push(work(cluster, workload, shared.clone(), load, begin));
        }
        for worker in futures_util::future::join_all(workers).await {
            for (began, latency) in worker? {
                if began >= load.warmup {
                    all.record(latency);
                }
                orders += u64::from((load.warmup..load.ends()).contains(&(began + latency)));
            }
        }
        Ok::<_, anyhow::Error>(())
    })
    .await?;
    let by_template = shared.1.take();
    let differences = check(&client, workload, cast, &by_template).await?;
    Ok(PeerLine {
        system: if load.hot { "PostgreSQL, hot accounts" } else { "PostgreSQL, hot accounts in 64 rows" }
            .to_owned(),
        under_way: load.connections,
        orders_per_second: orders as f64 / load.window.as_secs_f64(),
        orders,
        order_us: all.percentiles(),
        differences,
    })
}

/// The next order's number, and how many were finished of each template.
type Shared = Rc<(std::cell::Cell<u64>, std::cell::RefCell<Vec<u64>>)>;

/// Connects; a cluster that has its socket may still be starting up.
async fn connect(cluster: &Cluster) -> Result<Client> {
    const TRIES: u32 = 1_200;
    const PAUSE: Duration = Duration::from_millis(50);
    let mut tries = 0;
    loop {
        tries += 1;
        match tokio_postgres::connect(&cluster.address(), NoTls).await {
            Ok((client, connection)) => {
                // Its end is seen by the client.
                tokio::spawn(connection);
                return Ok(client);
            }
            Err(fault) if tries < TRIES && fault.code() == Some(&SqlState::CANNOT_CONNECT_NOW) => {
                tokio::time::sleep(PAUSE).await;
            }
            Err(fault) => return Err(fault).context("connecting"),
        }
    }
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
    load: Load,
    begin: Instant,
) -> Result<Vec<(Duration, Duration)>> {
    let client = connect(cluster).await?;
    let create =
        client.prepare("SELECT create_order($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)").await?;
    let release = client.prepare("SELECT release_order($1)").await?;
    let mut latencies = Vec::new();
    loop {
        let began = begin.elapsed();
        if began >= load.ends() {
            return Ok(latencies);
        }
        let count = shared.0.replace(shared.0.get() + 1);
        order(&client, (&create, &release), workload, count, load.hot).await?;
        latencies.push((began, begin.elapsed() - began));
        shared.1.borrow_mut()[workload.template_of(count)] += 1;
    }
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
