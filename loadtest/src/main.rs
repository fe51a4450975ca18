//! The program `loadtest`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use loadtest::cli::{Action, Cli};
use loadtest::{chaos, disk, http, memory, peers, recovery, runs, search, signatures};

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<ExitCode> {
    let is_well = match Cli::parse().action {
        Action::Run(args) => runs::run(&args)?,
        Action::Submissions(args) => http::submissions::run(&args)?,
        Action::Signatures => signatures::run()?,
        Action::Search(args) => search::run(&args)?,
        Action::Chaos(args) => chaos::run(&args)?,
        Action::ServerConfig(args) => http::spawn::write(&args)?,
        Action::Echo(args) => http::echo::serve(args.port)?,
        Action::Peers(args) => peers::run(&args)?,
        Action::Workloads => runs::list(),
        Action::Memory(args) => memory::run(&args)?,
        Action::Recovery(args) => recovery::run(&args)?,
        Action::Disk(args) => disk::run(&args)?,
        Action::Victim(args) => recovery::victim(&args)?,
    };
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
