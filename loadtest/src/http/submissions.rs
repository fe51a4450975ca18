//! `loadtest submissions`: orders submitted as fast as the server answers, durable when answered, beside a bare echo of the
//! same bodies over as many connections from the same generator. What follows from the orders goes on afterwards, until all
//! are paid and frozen; then the books are checked.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::bodies::Bodies;
use super::echo::Echo;
use super::hammer::{Hammer, Hammered};
use super::mall::Mall;
use super::pool::{Door, Pool};
use super::sign::{Proof, Signer};
use super::spawn::{Access, Server, program};
use super::tls::TlsFiles;
use crate::cli::SubmissionsArgs;
use crate::report::{self, Origin};
use crate::run::{fresh_dir, runtime};
use crate::verify::Verdict;
use crate::workload::{Ground, Spec, Workload};
use crate::{machine, world};

/// How long a server may take to start, in seconds.
const START_S: u64 = 120;
/// How long the last orders may take to be frozen.
const PATIENCE: Duration = Duration::from_secs(120);
/// How many orders are looked up.
const SAMPLES: u64 = 200;
/// Requests that are signed before the clock runs, where signing is dear.
const SIGNED_BEFORE: usize = 60_000;
/// The same for signatures that take a millisecond.
const SIGNED_BEFORE_RSA: usize = 6_000;

/// How orders are submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Manner {
    /// What proves who submits.
    pub proof: Proof,
    /// Orders a request.
    pub batch: usize,
    /// Connections, each with one request under way.
    pub connections: usize,
}

/// One run.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Submitted {
    /// How orders were submitted.
    #[serde(flatten)]
    pub manner: Manner,
    /// The server.
    pub server: Hammered,
    /// The echo.
    pub echo: Hammered,
    /// Figures that were compared.
    pub compared: u64,
    /// Those that differ.
    pub differences: u64,
}

impl Submitted {
    /// Orders a second of the server, by those of the echo.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.server.orders_per_second / self.echo.orders_per_second.max(1.0)
    }
}

#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    origin: &'a Origin,
    runs: &'a [Submitted],
}

/// Measures, checks, reports. The answer is whether all is well.
///
/// # Errors
/// When a server cannot be started or reached, or refuses a request; differences are no error.
pub fn run(args: &SubmissionsArgs) -> Result<bool> {
    let mut spec = Spec::find(&args.workload)?;
    spec.parties.merchants = args.merchants.unwrap_or(spec.parties.merchants);
    let origin = Origin::here(&args.engine.data);
    let mut all = Vec::new();
    for manner in manners(args) {
        for turn in 0..args.runs {
            all.push(once(args, &spec, manner, args.engine.seed + turn as u64)?);
            eprintln!("{}", line(&all[all.len() - 1..]));
        }
    }
    println!("{}, medians", spec.name);
    for group in all.chunk_by(|one, other| one.manner == other.manner) {
        println!("{}", line(group));
    }
    if let Some(path) = &args.json {
        let report = Report { origin: &origin, runs: &all };
        report::write(&report, path)?;
    }
    let differences: u64 = all.iter().map(|run| run.differences).sum();
    match differences {
        0 => println!("all is well: every book agrees in every run"),
        count => println!("{count} FIGURES DIFFER: the figures of such a run are worth nothing"),
    }
    Ok(differences == 0)
}

/// What is measured, in its order.
fn manners(args: &SubmissionsArgs) -> impl Iterator<Item = Manner> {
    args.proof.iter().flat_map(move |proof| {
        args.batch.iter().flat_map(move |batch| {
            let manner =
                |connections: &usize| Manner { proof: *proof, batch: *batch, connections: *connections };
            args.connections.iter().map(manner)
        })
    })
}

/// Medians of some runs in one line.
fn line(runs: &[Submitted]) -> String {
    let median = |pick: &dyn Fn(&Submitted) -> f64| {
        let mut values: Vec<f64> = runs.iter().map(pick).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let each =
        |cpu_s: f64, of: &Hammered, batch: usize| cpu_s * 1e6 / (of.requests as f64 * batch as f64).max(1.0);
    let Manner { proof, batch, connections } = runs[0].manner;
    format!(
        "{:<12}{batch:>4} a request, {connections:>4} connections: server {:>7.0} orders/s (CPU per order {:.1} µs, generator {:.1} µs; p50 {:.0} µs, p99 {:.0} µs), \
         echo {:>7.0} (CPU {:.1} µs, generator {:.1} µs), ratio {:.2}; {} runs, {} requests failed, {} of {} figures differ",
        proof.name(),
        median(&|run| run.server.orders_per_second),
        median(&|run| each(run.server.server_cpu_s.unwrap_or_default(), &run.server, run.manner.batch)),
        median(&|run| each(run.server.generator_cpu_s, &run.server, run.manner.batch)),
        median(&|run| run.server.request_us.p50 as f64),
        median(&|run| run.server.request_us.p99 as f64),
        median(&|run| run.echo.orders_per_second),
        median(&|run| each(run.echo.server_cpu_s.unwrap_or_default(), &run.echo, run.manner.batch)),
        median(&|run| each(run.echo.generator_cpu_s, &run.echo, run.manner.batch)),
        median(&Submitted::ratio),
        runs.len(),
        runs.iter().map(|run| run.server.failed + run.echo.failed).sum::<u64>(),
        runs.iter().map(|run| run.differences).sum::<u64>(),
        runs.iter().map(|run| run.compared).sum::<u64>(),
    )
}

fn once(args: &SubmissionsArgs, spec: &Spec, manner: Manner, seed: u64) -> Result<Submitted> {
    let dir = fresh_dir(&args.engine)?.canonicalize()?;
    let submitted = play(args, spec, &dir, manner, seed)?;
    if submitted.differences == 0 && !args.keep {
        std::fs::remove_dir_all(&dir).with_context(|| format!("removing {}", dir.display()))?;
    } else {
        println!("the run's directory is kept: {}", dir.display());
    }
    Ok(submitted)
}

fn play(args: &SubmissionsArgs, spec: &Spec, dir: &Path, manner: Manner, seed: u64) -> Result<Submitted> {
    let Manner { proof, batch, connections } = manner;
    let now = machine::now();
    let program = program(args.program.as_deref())?;
    let tls = (proof == Proof::Certificate).then(|| TlsFiles::make(&program, dir)).transpose()?;
    let access = Access { signing: proof.signing(), tls: tls.clone(), signature_and_certificate: false };
    let server = Server::start(program, spec, dir, seed, &access)?;
    let signer = Signer::read(dir)?.map(std::sync::Arc::new);
    let house = Door {
        authority: server.authority(),
        tls: tls.as_ref().map(|tls| tls.client(false)).transpose()?,
        signer: signer.clone(),
    };
    let front = Door {
        authority: server.authority(),
        tls: tls.as_ref().map(|tls| tls.client(true)).transpose()?,
        signer: signer.filter(|_| proof != Proof::Certificate),
    };
    runtime()?.block_on(async {
        let mall = Mall::new(Pool::new(&house, connections));
        mall.ready(START_S).await?;
        let (cast, names) = mall.cast(spec).await?;
        let descriptors = world::descriptors(spec)?;
        let router = world::router(&descriptors)?;
        let ground = Ground { cast: &cast, descriptors: &descriptors, router: &router, now, seed };
        let workload = Workload::new(spec, ground)?;
        let bodies = Bodies::new(&workload, &names);
        let signed_before = proof.is_signed_before().then_some(match proof {
            Proof::Rsa => SIGNED_BEFORE_RSA,
            Proof::None | Proof::Hmac | Proof::Ed25519 | Proof::Certificate => SIGNED_BEFORE,
        });
        let lasts = Duration::try_from_secs_f64(args.seconds).context("--seconds")?;
        let hammer = Hammer { bodies: &bodies, batch, connections, lasts, signed_before };
        let echo = {
            let echo = Echo::start()?;
            let door = Door { authority: echo.authority(), tls: None, signer: front.signer.clone() };
            Mall::new(Pool::new(&door, 1)).ready(START_S).await.context("the echo")?;
            hammer.strike(&door, 0, Some(echo.pid())).await?
        };
        let struck = hammer.strike(&front, 0, Some(server.pid())).await?;
        ensure!(
            struck.failed == 0,
            "{} of {} requests were refused, the first as told above. {} orders at once may be more than the server lets \
             in: lower --batch or --connections",
            struck.failed,
            struck.failed + struck.requests,
            batch * connections,
        );
        let verdict = verify(&mall, &workload, struck.requests * batch as u64).await?;
        verdict.differences.iter().for_each(|told| println!("DIFFERENCE {told}"));
        let (compared, differences) = (verdict.compared, verdict.count);
        Ok(Submitted { manner, server: struck, echo, compared, differences })
    })
}

/// Waits until every order is frozen; then escrow holds what they cost together, and every book agrees.
async fn verify(mall: &Mall, workload: &Workload, orders: u64) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    let whole: i128 = (0..orders)
        .map(|count| workload.templates()[workload.template_of(count)].terms.amount.signed())
        .sum();
    let begin = Instant::now();
    let escrow = loop {
        let escrow = mall.escrow().await?;
        if escrow == whole || begin.elapsed() > PATIENCE {
            break escrow;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    };
    verdict.expect(|| "what is frozen".to_owned(), &whole, &escrow);
    let (compared, differ) = mall.books().await?;
    verdict.compared += compared + 1;
    for told in differ.into_iter().chain(mall.trial_balance().await?) {
        verdict.differ(|| told);
    }
    let step = usize::try_from((orders / SAMPLES).max(1))?;
    for count in (0..orders).step_by(step).chain(orders.checked_sub(1)) {
        let status = mall.status_of(&workload.order_no(count)).await?;
        verdict.expect(|| format!("order {count}"), &"frozen", &status.as_str());
    }
    Ok(verdict)
}
