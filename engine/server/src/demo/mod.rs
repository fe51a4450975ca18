//! The demo: a mall, its payers and simulated channels over the real server.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Settings of the demo.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// End when every order has ended, instead of serving on.
    pub exit: bool,
    /// How many orders.
    pub orders: usize,
    /// Directory; a temporary one when absent.
    pub data: Option<PathBuf>,
    /// Seed of payers and channels.
    pub seed: u64,
    /// Where the server listens.
    pub listen: SocketAddr,
}

/// Why the demo cannot run.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct DemoFault(String);

/// Runs the demo.
///
/// # Errors
/// Whatever stops it.
pub async fn run(_options: &DemoOptions) -> Result<(), DemoFault> {
    Err(DemoFault("the demo is not in this build".to_owned()))
}
