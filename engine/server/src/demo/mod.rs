//! The demo: a mall with merchants, agents and buyers that submits orders over HTTP to the real server, whose channels
//! are simulators with faults and with books of their own. It ends with tables, and with a check of everything.

mod board;
mod buyer;
mod cast;
mod check;
mod dice;
mod directory;
mod keys;
mod life;
mod mall;
mod meters;
mod progress;
mod report;
mod script;
mod story;
mod submit;
mod survey;
mod table;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::json;
use suanpan_runtime::{Engine, EngineFault};

use crate::config::{Config, ConfigFault};
use crate::server::{ServerFault, ServerHandle};
use crate::signals::StopSignals;
use crate::start::StartFault;
use directory::Directory;
use mall::Mall;
use progress::Progress;

/// How long unfinished orders may take after the last one was submitted.
const PATIENCE: Duration = Duration::from_secs(180);

/// Settings of the demo.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// End when every order has ended, instead of serving on.
    pub exit: bool,
    /// How many orders.
    pub orders: usize,
    /// Directory; a temporary one when absent. One with an earlier run is continued.
    pub data: Option<PathBuf>,
    /// Seed of buyers and channels.
    pub seed: u64,
    /// Where the server listens; another port when it is taken.
    pub listen: SocketAddr,
    /// How long an order waits for its payer, in seconds.
    pub order_ttl_s: u64,
}

/// Why the demo cannot run, or what it found wrong.
#[derive(Debug, thiserror::Error)]
pub enum DemoFault {
    /// The disk.
    #[error("{}: {source}", path.display())]
    Directory {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The directory holds something else.
    #[error("{} holds something that is not a demo; name an empty directory", .0.display())]
    NotADemo(PathBuf),
    /// The directory is that of a demo with another seed.
    #[error("{} is a demo with seed {found}; run it with --seed {found}, or name another directory than for seed {seed}",
        path.display())]
    OtherSeed {
        /// The directory.
        path: PathBuf,
        /// Its seed.
        found: String,
        /// The seed that was asked for.
        seed: u64,
    },
    /// The builtin configuration.
    #[error(transparent)]
    Config(#[from] ConfigFault),
    /// The engine cannot start.
    #[error(transparent)]
    Start(#[from] StartFault),
    /// The server cannot start.
    #[error(transparent)]
    Server(#[from] ServerFault),
    /// The engine did not stop cleanly.
    #[error(transparent)]
    Engine(#[from] EngineFault),
    /// The operating system.
    #[error("{0}")]
    System(#[from] std::io::Error),
    /// The server does not answer, or not so that it can be believed.
    #[error(transparent)]
    Client(#[from] suanpan_client::ClientFault),
    /// The keys cannot be made.
    #[error("keys: {0}")]
    Keys(#[from] suanpan_client::signing::KeyFault),
    /// An answer that nobody expects.
    #[error("answered with {status}: {body}")]
    Answer {
        /// Status of HTTP.
        status: u16,
        /// The body.
        body: String,
    },
    /// An order does not come to an end.
    #[error("it does not come to an end")]
    Endless,
    /// Not all orders ended in time.
    #[error("after {} s {left} orders have not ended: {why}", PATIENCE.as_secs())]
    Late {
        /// How many.
        left: usize,
        /// What they wait for.
        why: String,
    },
    /// The checks at the end found something.
    #[error("{0} checks failed, see above; the directory is kept")]
    Wrong(usize),
    /// The spectator has seen enough.
    #[error("interrupted; `--data DIR` continues where it ended")]
    Interrupted,
}

/// Runs the demo.
///
/// # Errors
/// Whatever keeps it from running; orders that do not end; checks that fail.
pub async fn run(options: &DemoOptions) -> Result<(), DemoFault> {
    let mut signals = StopSignals::listen()?;
    let directory = Directory::take(options.data.as_deref(), options.seed)?;
    println!("data directory: {}", directory.path.display());
    let config = configure(options, &directory)?;
    crate::log::start(&config.log);
    let started = Instant::now();
    let engine = crate::start_engine(&config)?;
    let record = directory.record()?;
    if directory.is_continued {
        println!(
            "continued after {:.1} s: {} log records replayed, {} orders in memory, {} orders were \
             acknowledged before",
            started.elapsed().as_secs_f64(),
            engine.stats().replayed,
            engine.stats().live_orders,
            record.orders().len()
        );
    }
    crate::bootstrap(&engine, &config).await?;
    let server = serve(config, &engine)?;
    println!("serving: {}", server.url());
    let (client, operator) = keys::clients(&directory.path, &server.url())?;
    let mall = Rc::new(Mall::new(client, operator, record));
    let result = tokio::select! {
        result = play(options, &engine, &mall) => result,
        () = signals.next() => Err(DemoFault::Interrupted),
    };
    if let (Ok(survey), false) = (&result, options.exit) {
        report::print_hints(&server.url(), survey);
        println!("\nserving on {}; ctrl-c ends it", server.url());
        signals.next().await;
    }
    server.stop().await;
    let stopped = engine.shutdown().await;
    result?;
    stopped?;
    drop(engine);
    directory.remove_if_temporary();
    Ok(())
}

fn configure(options: &DemoOptions, directory: &Directory) -> Result<Config, DemoFault> {
    let mut config = cast::config(options.order_ttl_s)?;
    config.server.listen = options.listen;
    config.server.stop_patience_s = 1;
    config.data_dir = directory.path.clone();
    config.channels.file = Some(directory.write_channels(cast::CHANNELS)?);
    config.channels.simulator_seed = options.seed;
    keys::make(&mut config, &directory.path)?;
    Ok(config)
}

/// Starts the server; on a free port when the wanted one is taken.
fn serve(mut config: Config, engine: &Engine) -> Result<ServerHandle, DemoFault> {
    match crate::run(&config, engine.clone()) {
        Err(ServerFault::Listen { address, source }) if source.kind() == std::io::ErrorKind::AddrInUse => {
            println!("{address} is taken; a free port is used instead");
            config.server.listen.set_port(0);
            Ok(crate::run(&config, engine.clone())?)
        }
        result => Ok(result?),
    }
}

/// From the first order to the last table.
async fn play(options: &DemoOptions, engine: &Engine, mall: &Rc<Mall>) -> Result<survey::Survey, DemoFault> {
    board::listen(engine, mall)?;
    fund(mall).await?;
    let began = Instant::now();
    let progress = Progress::new(options.orders);
    let first = story::begin(mall, options.seed, options.orders);
    progress.submitted(first as u64);
    submit::submit_all(mall, options.seed, first..options.orders, |more| progress.submitted(more)).await?;
    let submitted = began.elapsed();
    wait(mall, &progress).await?;
    progress.end();
    println!(
        "{} orders: submitted in {:.1} s, all ended after {:.1} s\n",
        options.orders,
        submitted.as_secs_f64(),
        began.elapsed().as_secs_f64()
    );
    let outcome = check::look(engine, mall).await;
    report::print(engine, mall, &outcome).await;
    let failures = check::failures(mall, &outcome);
    let survey = outcome.survey;
    report::print_verdict(&survey, &failures);
    if !failures.is_empty() {
        return Err(DemoFault::Wrong(failures.len()));
    }
    Ok(survey)
}

/// Puts money on the buyers' e-accounts and the sponsor's, once.
async fn fund(mall: &Mall) -> Result<(), DemoFault> {
    let buyers = (1..=cast::BUYERS_WITH_ACCOUNT).map(|number| {
        (format!("cash/{}", cast::buyer(number)), format!("demo-{number}"), cast::E_ACCOUNT_FUNDS)
    });
    let sponsor = (format!("marketing/{}", cast::SPONSOR), "demo-sponsor".to_owned(), cast::SPONSOR_FUNDS);
    for (account, reference, amount) in buyers.chain([sponsor]) {
        let body = json!({ "reference": reference, "amount": amount });
        let answer = mall.operate(&format!("accounts/{account}/top-ups"), &body).await?;
        if !answer.is_ok() {
            return Err(DemoFault::Answer { status: answer.status, body: answer.body.to_string() });
        }
    }
    Ok(())
}

/// Waits for every buyer.
async fn wait(mall: &Mall, progress: &Progress) -> Result<(), DemoFault> {
    let began = Instant::now();
    while mall.buyers.get() > 0 {
        let left = mall.board.borrow().left();
        if began.elapsed() > PATIENCE {
            let why = progress::why(&left);
            return Err(DemoFault::Late { left: mall.buyers.get(), why });
        }
        progress.left(mall.buyers.get(), &left);
        actix_rt::time::sleep(Duration::from_millis(250)).await;
    }
    Ok(())
}
