//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
    /// Play a workload and check the books.
    Run(RunArgs),
    /// Measure memory per account and per live order.
    Memory(MemoryArgs),
    /// Kill an engine at full load and time its recovery.
    Recovery(RecoveryArgs),
    /// Measure the disk: appends and overwrites with fdatasync.
    Disk(DiskArgs),
    /// The process that `recovery` kills.
    #[command(hide = true)]
    Victim(VictimArgs),
}

/// Named workloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WorkloadName {
    /// One mall order from submission to release, over eight channels: a coupon, two receivers of commission, a fee.
    Canonical,
    /// The same with neither coupon nor commission: what the rest costs beside it.
    Plain,
}

impl WorkloadName {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Canonical => "canonical",
            Self::Plain => "plain",
        }
    }
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

/// Settings of `run`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Which workload.
    pub workload: WorkloadName,
    /// Orders kept under way (closed loop).
    #[arg(long, default_value_t = 4_096, conflicts_with = "rate")]
    pub in_flight: usize,
    /// Orders offered a second (open loop); latencies count from the planned time.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub rate: Option<u64>,
    /// Seconds that are measured.
    #[arg(long, default_value_t = 10.0)]
    pub seconds: f64,
    /// Seconds before that.
    #[arg(long, default_value_t = 3.0)]
    pub warmup: f64,
    /// Orders after which the run ends, if it has not by then.
    #[arg(long, default_value_t = u64::MAX, hide_default_value = true)]
    pub orders: u64,
    /// Buyers.
    #[arg(long, default_value_t = 100_000)]
    pub buyers: u64,
    /// Merchants.
    #[arg(long, default_value_t = 1_000)]
    pub merchants: u64,
    /// Where the report goes as JSON.
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// Keep the run's directory.
    #[arg(long)]
    pub keep: bool,
    /// The engine.
    #[command(flatten)]
    pub engine: EngineArgs,
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
