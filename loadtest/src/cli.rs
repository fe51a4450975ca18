//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::http::sign::{Proof, Signing};

/// Load on the engine; the books are checked after each run.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Play workloads and check the books.
    Run(RunArgs),
    /// Submit orders to a server as fast as it answers, beside a bare echo of the same bodies.
    Submissions(SubmissionsArgs),
    /// Measure what each kind of signature costs.
    Signatures,
    /// Look for the highest rate at which the 99th percentile stays under a bound.
    Search(SearchArgs),
    /// Break something in the middle of a run.
    Chaos(ChaosArgs),
    /// The canonical order on PostgreSQL or TigerBeetle, beside the engine.
    Peers(PeersArgs),
    /// List the workloads that come with the program.
    Workloads,
    /// Measure memory per account and per live order.
    Memory(MemoryArgs),
    /// Kill an engine at full load and time its recovery.
    Recovery(RecoveryArgs),
    /// Measure the disk: appends and overwrites with fdatasync.
    Disk(DiskArgs),
    /// Write the configuration of a server for a workload, for `run --url`.
    ServerConfig(ServerConfigArgs),
    /// The bare server that bodies are compared with.
    #[command(hide = true)]
    Echo(EchoArgs),
    /// The process that `recovery` kills.
    #[command(hide = true)]
    Victim(VictimArgs),
}

/// Settings of the engine under load.
#[derive(Clone, Debug, Args)]
pub struct EngineArgs {
    /// Directory in which the run makes its own, removed when all is well.
    #[arg(long, default_value = "target/loadtest")]
    pub data: PathBuf,
    /// Order shards and balance shards each; the engine's default when absent.
    #[arg(long)]
    pub shards: Option<usize>,
    /// MiB of log after which a checkpoint is taken; the engine's default when absent.
    #[arg(long)]
    pub checkpoint_mib: Option<u64>,
    /// Seed of orders and channels.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// What is played, on what, and what is handed over.
#[derive(Clone, Debug, Args)]
pub struct PlayArgs {
    /// Seconds that are measured.
    #[arg(long, default_value_t = 10.0)]
    pub seconds: f64,
    /// Seconds before that, which are not counted.
    #[arg(long, default_value_t = 3.0)]
    pub warmup: f64,
    /// Orders after which a run ends, if it has not by then.
    #[arg(long, default_value_t = u64::MAX, hide_default_value = true)]
    pub orders: u64,
    /// Buyers, instead of the workload's.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub buyers: Option<u64>,
    /// Merchants, instead of the workload's.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub merchants: Option<u64>,
    /// Where the report goes as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Where the report goes as a page with plots.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Folder for the latency distributions, a `.hgrm` file for each run and operation.
    #[arg(long, value_name = "DIR")]
    pub hgrm: Option<PathBuf>,
    /// Keep the runs' directories.
    #[arg(long)]
    pub keep: bool,
    /// The engine.
    #[command(flatten)]
    pub engine: EngineArgs,
}

/// Settings of `run`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Workloads: names (see `loadtest workloads`) or paths of TOML files.
    #[arg(required = true)]
    pub workloads: Vec<String>,
    /// Orders kept under way (closed loop); 4096 when neither this nor the workload nor another option says.
    #[arg(long, conflicts_with_all = ["rate", "steps"], value_parser = positive)]
    pub in_flight: Option<usize>,
    /// Orders offered a second (open loop); latencies count from the planned time.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "steps")]
    pub rate: Option<u64>,
    /// Several rates, one run each: `1000,2000,5000`.
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u64).range(1..))]
    pub steps: Vec<u64>,
    /// How often each is played; medians are told.
    #[arg(long, default_value_t = 1, value_parser = positive)]
    pub runs: usize,
    /// Where.
    #[command(flatten)]
    pub server: ServerArgs,
    /// How and with what.
    #[command(flatten)]
    pub play: PlayArgs,
}

/// A server instead of an engine in this process.
#[derive(Clone, Debug, Args)]
pub struct ServerArgs {
    /// Its address, `http://host:port` or `https://host:port`; its configuration is to be that of `loadtest server-config`.
    #[arg(long, conflicts_with = "serve")]
    pub url: Option<String>,
    /// Start one.
    #[arg(long)]
    pub serve: bool,
    /// Start it with TLS, with certificates of a test authority; requests are signed all the same.
    #[arg(long, requires = "serve")]
    pub tls: bool,
    /// For a platform with `signature_and_certificate`: the mall's requests come under a certificate *and* are signed. To --url
    /// under --certificate and with --keys; a server that is started with --tls wants it so, too.
    #[arg(long)]
    pub signature_and_certificate: bool,
    /// How requests to a server that is started are signed.
    #[arg(long, value_enum, default_value_t = Signing::Hmac)]
    pub sign: Signing,
    /// Folder that `server-config` wrote, with the keys by which requests to --url are signed; not signed when absent.
    #[arg(long, value_name = "DIR", requires = "url")]
    pub keys: Option<PathBuf>,
    /// The authority that issued the certificate of --url, in PEM; authorities of the system are not asked.
    #[arg(long, value_name = "FILE", requires = "url")]
    pub ca: Option<PathBuf>,
    /// A client certificate (with those above it, PEM) under which the mall's requests come, instead of being signed; those
    /// of the operator are signed with --keys all the same.
    #[arg(long, value_name = "FILE", requires_all = ["key", "ca"])]
    pub certificate: Option<PathBuf>,
    /// The key of --certificate, in PEM.
    #[arg(long, value_name = "FILE", requires = "certificate")]
    pub key: Option<PathBuf>,
    /// The program that is started; `suanpan` beside this one when absent.
    #[arg(long = "server", value_name = "PATH")]
    pub program: Option<PathBuf>,
    /// Orders a request.
    #[arg(long, default_value_t = 1, value_parser = positive)]
    pub batch: usize,
    /// Connections, each with one request under way.
    #[arg(long, default_value_t = crate::http::pool::CONNECTIONS, value_parser = positive)]
    pub connections: usize,
    /// Ask a bare echo of the same bodies, too, and tell the ratio.
    #[arg(long)]
    pub echo: bool,
}

/// Settings of `submissions`.
#[derive(Clone, Debug, Args)]
pub struct SubmissionsArgs {
    /// The workload: a name or the path of a TOML file.
    #[arg(default_value = "payers_later")]
    pub workload: String,
    /// What proves who submits; several are measured one after the other.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Proof::Hmac])]
    pub proof: Vec<Proof>,
    /// Orders a request, likewise.
    #[arg(long, value_delimiter = ',', value_parser = positive, default_values_t = [1, 500])]
    pub batch: Vec<usize>,
    /// Connections, each with one request under way; likewise.
    #[arg(long, value_delimiter = ',', value_parser = positive, default_values_t = [crate::http::pool::CONNECTIONS])]
    pub connections: Vec<usize>,
    /// Seconds that server and echo are asked, each.
    #[arg(long, default_value_t = 3.0)]
    pub seconds: f64,
    /// How often, each time with a new server; medians are told.
    #[arg(long, default_value_t = 3, value_parser = positive)]
    pub runs: usize,
    /// The program that is started; `suanpan` beside this one when absent.
    #[arg(long = "server", value_name = "PATH")]
    pub program: Option<PathBuf>,
    /// Merchants, instead of the workload's.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub merchants: Option<u64>,
    /// Where the report goes as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Keep the runs' directories.
    #[arg(long)]
    pub keep: bool,
    /// The engine; shards and checkpoints are the server's.
    #[command(flatten)]
    pub engine: EngineArgs,
}

/// What the engine is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Peer {
    /// PostgreSQL of the installed package, in a cluster of its own.
    Postgres,
    /// TigerBeetle, started from the program that --binary names.
    Tigerbeetle,
}

/// Settings of `peers`.
#[derive(Clone, Debug, Args)]
pub struct PeersArgs {
    /// What the engine is compared with.
    pub peer: Peer,
    /// Numbers of connections to PostgreSQL, one measurement each.
    #[arg(long, value_delimiter = ',', value_parser = positive, default_values_t = [1, 4, 16, 64])]
    pub connections: Vec<usize>,
    /// The server program of TigerBeetle, of the version of this program's client or a later one of the same series.
    #[arg(long, value_name = "PATH", required_if_eq("peer", "tigerbeetle"))]
    pub binary: Option<PathBuf>,
    /// Numbers of orders under way on TigerBeetle and the engine beside it, one measurement each.
    #[arg(long, value_delimiter = ',', value_parser = positive, default_values_t = [1_024, 4_096, 8_192])]
    pub in_flight: Vec<usize>,
    /// Numbers of sessions with TigerBeetle over which these are spread; each has one request under way.
    #[arg(long, value_delimiter = ',', value_parser = positive, default_values_t = [1, 4])]
    pub sessions: Vec<usize>,
    /// How and with what.
    #[command(flatten)]
    pub play: PlayArgs,
}

/// Settings of `server-config`.
#[derive(Clone, Debug, Args)]
pub struct ServerConfigArgs {
    /// The workload: a name or the path of a TOML file.
    pub workload: String,
    /// Folder for the configuration, the channels' file and the server's data.
    pub dir: PathBuf,
    /// Port of the loopback.
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
    /// Seed of the channels.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How requests are signed.
    #[arg(long, value_enum, default_value_t = Signing::Hmac)]
    pub sign: Signing,
    /// With TLS: certificates of a test authority, for the server and for the mall.
    #[arg(long)]
    pub tls: bool,
    /// The mall's requests must come under its certificate *and* be signed.
    #[arg(long, requires = "tls")]
    pub signature_and_certificate: bool,
    /// The program that makes the certificates; `suanpan` beside this one when absent.
    #[arg(long = "server", value_name = "PATH")]
    pub program: Option<PathBuf>,
}

/// Settings of the echo.
#[derive(Clone, Debug, Args)]
pub struct EchoArgs {
    /// Port of the loopback.
    pub port: u16,
}

/// Settings of `search`.
#[derive(Clone, Debug, Args)]
pub struct SearchArgs {
    /// The workload: a name or the path of a TOML file.
    #[arg(default_value = "canonical")]
    pub workload: String,
    /// The bound that the 99th percentile of whole orders must keep, in milliseconds.
    #[arg(long, default_value_t = 20.0)]
    pub p99_ms: f64,
    /// Rate of the first try.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub from: u64,
    /// How close the answer must be, in percent.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=50))]
    pub within: u64,
    /// How and with what.
    #[command(flatten)]
    pub play: PlayArgs,
}

/// What breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ChaosKind {
    /// A server is killed with SIGKILL, and started again.
    Kill,
    /// The journal's disk neither writes nor syncs.
    DiskStall,
    /// The journal's disk has no space.
    DiskFull,
    /// Three channels fail every payment.
    Channels,
}

/// Settings of `chaos`.
#[derive(Clone, Debug, Args)]
pub struct ChaosArgs {
    /// What breaks.
    pub kind: ChaosKind,
    /// The workload: a name or the path of a TOML file.
    #[arg(default_value = "canonical")]
    pub workload: String,
    /// When it breaks, in seconds after the first order.
    #[arg(long, default_value_t = 5.0)]
    pub at: f64,
    /// How long it stays broken, in seconds.
    #[arg(long = "for", default_value_t = 2.0)]
    pub lasts: f64,
    /// Orders offered a second.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..))]
    pub rate: u64,
    /// The server that is killed.
    #[command(flatten)]
    pub server: ServerArgs,
    /// How and with what.
    #[command(flatten)]
    pub play: PlayArgs,
}

fn positive(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "a number above zero".to_owned())
}

/// Settings of `memory`.
#[derive(Clone, Debug, Args)]
pub struct MemoryArgs {
    /// Accounts that are opened.
    #[arg(long, default_value_t = 1_000_000)]
    pub accounts: u64,
    /// Orders that wait for their payers.
    #[arg(long, default_value_t = 1_000_000)]
    pub orders: u64,
    /// Where the report goes as JSON.
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// The engine.
    #[command(flatten)]
    pub engine: EngineArgs,
}

/// Settings of `recovery`.
#[derive(Clone, Debug, Args)]
pub struct RecoveryArgs {
    /// Log records that are written before the kill.
    #[arg(long, default_value_t = 10_000_000)]
    pub events: u64,
    /// Where the report goes as JSON.
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// The engine.
    #[command(flatten)]
    pub engine: EngineArgs,
}

/// Settings of the process that is killed.
#[derive(Clone, Debug, Args)]
pub struct VictimArgs {
    /// Its directory.
    pub dir: PathBuf,
    /// The engine.
    #[command(flatten)]
    pub engine: EngineArgs,
}

/// Settings of `disk`.
#[derive(Clone, Debug, Args)]
pub struct DiskArgs {
    /// Directory on the disk.
    #[arg(long, default_value = "target/loadtest")]
    pub data: PathBuf,
    /// Writes per size.
    #[arg(long, default_value_t = 500)]
    pub writes: u32,
    /// Where the report goes as JSON.
    #[arg(long)]
    pub json: Option<PathBuf>,
}
