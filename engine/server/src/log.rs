//! Logs: lines for people or for machines, on standard error. Bodies, codes and numbers of cards never appear.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat};

/// Starts logging; a second call changes nothing, so that tests may call it too.
pub fn start(config: &LogConfig) {
    // The directives were checked when the configuration was read.
    let filter = EnvFilter::builder().parse(&config.level).unwrap_or_default();
    let colours = std::io::stderr().is_terminal();
    let lines =
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr);
    let started = match config.format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
    drop(started);
}
