//! The program `suanpan`.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Parser, Subcommand};
use suanpan_model::PlatformId;
use suanpan_runtime::Engine;
use suanpan_runtime::clock::{Clock, SystemClock};
use suanpan_server::config::{BUILTIN, SecurityMode};
use suanpan_server::demo::{self, DemoOptions};
use suanpan_server::log::{self, LogLevel};
use suanpan_server::reload::reload;
use suanpan_server::security::DistinguishedName;
use suanpan_server::signals::{Asked, StopSignals};
use suanpan_server::{
    Config, ConfigFault, ServerHandle, back_test_file, bootstrap, check, key_files, openapi, run,
    start_engine, verify,
};
use suanpan_signing::Algorithm;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A payment order and routing engine.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the HTTP API.
    Serve {
        /// Configuration file; the builtin one (see `suanpan config`) when absent.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Directory of journal and store, instead of `data.dir`.
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
        /// Address and port, instead of `server.listen`.
        #[arg(long, value_name = "ADDR")]
        listen: Option<SocketAddr>,
        /// Development: requests need neither signature nor certificate; on the loopback only.
        #[arg(long)]
        dev: bool,
    },
    /// Run a mall with payers against simulated channels.
    Demo {
        /// End when every order has ended, instead of serving on.
        #[arg(long)]
        exit: bool,
        /// How many orders.
        #[arg(long, value_name = "N", default_value_t = 20_000)]
        orders: usize,
        /// Directory; a temporary one when absent.
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
        /// Seed of payers and channels.
        #[arg(long, value_name = "N", default_value_t = 1)]
        seed: u64,
        /// Address and port.
        #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
        listen: SocketAddr,
        /// How long an order waits for its payer, in seconds.
        #[arg(long, value_name = "S", default_value_t = 20, hide = true)]
        order_ttl_s: u64,
    },
    /// Verify the journal and the books of a directory.
    Verify {
        /// The directory.
        dir: PathBuf,
    },
    /// Try a draft of routing rules on recorded orders.
    BackTest {
        /// Configuration file with the platform and the channels; the builtin one when absent.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// The platform.
        #[arg(long, value_name = "N")]
        platform: u32,
        /// The draft: JSON or TOML, with the keys of `[platform.routing]`.
        #[arg(long, value_name = "FILE")]
        rules: PathBuf,
        /// Recorded orders, a line of JSON each.
        #[arg(long, value_name = "FILE", conflicts_with = "data", required_unless_present = "data")]
        orders: Option<PathBuf>,
        /// Directory of a stopped engine, whose archive has the orders.
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
        /// Most changed orders that are told.
        #[arg(long, value_name = "N", default_value_t = 1_000)]
        changes_max: u64,
    },
    /// Print the commented default configuration, or check a file.
    Config {
        /// Look whether every value of this file is allowed, and name the first that is not. Keys, certificates and names of
        /// accounts and channels are looked up at the start.
        #[arg(long, value_name = "FILE")]
        check: Option<PathBuf>,
    },
    /// Print the description of the HTTP API (OpenAPI 3.1).
    Openapi,
    /// Make keys that sign requests and answers, and print the lines of the configuration that name them.
    Keys {
        #[command(subcommand)]
        command: KeysCommand,
    },
    /// Make certificates for a test, and print the lines of the configuration that name them.
    Certificates {
        /// Directory of the authority and of what it issues.
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// For how many days.
        #[arg(long, value_name = "N", default_value_t = 365)]
        days: u16,
        #[command(subcommand)]
        command: CertificatesCommand,
    },
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Make a key.
    New {
        /// hmac-sha256, ed25519 or rsa-sha256.
        algorithm: Algorithm,
        /// Its id.
        #[arg(long)]
        id: String,
        /// Directory of the files, which are named after the id.
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
    /// Print the public half of a private key.
    Public {
        /// A private key in PEM.
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
enum CertificatesCommand {
    /// Make an authority.
    Authority {
        /// Its name.
        #[arg(long, default_value = "CN=suanpan test authority")]
        subject: DistinguishedName,
    },
    /// Make a server's certificate.
    Server {
        /// Its host names and addresses.
        #[arg(long = "name", required = true)]
        names: Vec<String>,
    },
    /// Make a platform's or an operator's certificate.
    Client {
        /// Its files are named after this.
        #[arg(long)]
        id: String,
        /// Its subject, such as "CN=mall.example,O=Mall Ltd,C=CN".
        #[arg(long)]
        subject: DistinguishedName,
    },
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Serve { config, data, listen, dev } => {
            let read = move || {
                let mut config = Config::load(config.as_deref())?;
                config.data_dir = data.clone().unwrap_or(config.data_dir);
                config.server.listen = listen.unwrap_or(config.server.listen);
                if dev {
                    config.security.mode = Some(SecurityMode::Development);
                }
                Ok(config)
            };
            actix_rt::System::new().block_on(serve(&read))
        }
        Command::Demo { exit, orders, data, seed, listen, order_ttl_s } => {
            let options = DemoOptions { exit, orders, data, seed, listen, order_ttl_s };
            Ok(actix_rt::System::new().block_on(demo::run(&options))?)
        }
        Command::Verify { dir } => Ok(verify::run(&dir)?),
        Command::BackTest { config, platform, rules, orders, data, changes_max } => {
            let config = Config::load(config.as_deref())?;
            let draft =
                back_test_file::Draft { platform: PlatformId(platform), rules, orders, data, changes_max };
            Ok(back_test_file::run(&config, &draft)?)
        }
        Command::Config { check: None } => {
            print!("{BUILTIN}");
            Ok(())
        }
        Command::Config { check: Some(file) } => {
            Config::load(Some(&file))?;
            println!("{}: every value is allowed", file.display());
            Ok(())
        }
        Command::Openapi => {
            println!("{:#}", openapi::document());
            Ok(())
        }
        Command::Keys { command } => {
            let lines = match command {
                KeysCommand::New { algorithm, id, dir } => key_files::new_key(&dir, &id, algorithm),
                KeysCommand::Public { file } => key_files::public_half(&file),
            };
            print!("{}", lines?);
            Ok(())
        }
        Command::Certificates { dir, days, command } => {
            let now_s = i64::try_from(SystemClock::default().now().0 / 1_000)?;
            let days = i64::from(days);
            let lines = match command {
                CertificatesCommand::Authority { subject } => {
                    key_files::new_authority(&dir, &subject, now_s, days)
                }
                CertificatesCommand::Server { names } => key_files::new_server(&dir, &names, now_s, days),
                CertificatesCommand::Client { id, subject } => {
                    key_files::new_client(&dir, &id, &subject, now_s, days)
                }
            };
            print!("{}", lines?);
            Ok(())
        }
    }
}

async fn serve(read: &dyn Fn() -> Result<Config, ConfigFault>) -> anyhow::Result<()> {
    let mut config = read()?;
    let level = log::start(&config.log);
    let mut signals = StopSignals::listen().context("signals")?;
    check(&config)?;
    let engine = start_engine(&config)?;
    bootstrap(&engine, &config).await?;
    let server = run(&config, engine.clone())?;
    tracing::info!(url = server.url(), data = %config.data_dir.display(), "serving");
    while signals.next_asked().await == Asked::Reload {
        match again(read, &config, &engine, &server, &level).await {
            Ok(next) => config = next,
            Err(fault) => tracing::error!(%fault, "the configuration stays as it was"),
        }
    }
    tracing::info!("stopping; a second signal ends the program at once");
    actix_rt::spawn(async move {
        signals.next().await;
        tracing::warn!("ended at once; the journal is recovered at the next start");
        std::process::exit(130);
    });
    server.stop().await;
    engine.shutdown().await.context("the engine did not stop cleanly")?;
    tracing::info!("stopped");
    Ok(())
}

/// Reads the configuration again and puts it in force; nothing changes when it cannot be.
async fn again(
    read: &dyn Fn() -> Result<Config, ConfigFault>,
    now: &Config,
    engine: &Engine,
    server: &ServerHandle,
    level: &LogLevel,
) -> anyhow::Result<Config> {
    let next = read()?;
    let changed = reload(now, &next, engine, server, level).await?;
    let changed = if changed.is_empty() { "nothing".to_owned() } else { changed.join("; ") };
    tracing::info!(changed, "the configuration was read again");
    Ok(next)
}
