//! Logs: lines for people or for machines, on standard error. Bodies, codes and numbers of cards never appear.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogConfig, LogFormat};

/// Why the level of logs cannot be changed.
#[derive(Debug, thiserror::Error)]
pub enum LogFault {
    /// Not a level and not directives.
    #[error("log.level: {0}")]
    Level(#[from] tracing_subscriber::filter::ParseError),
    /// Logs are written by somebody else.
    #[error("log.level: logs are not written by this program: {0}")]
    Elsewhere(#[from] tracing_subscriber::reload::Error),
}

type SetFilter = dyn Fn(EnvFilter) -> Result<(), tracing_subscriber::reload::Error> + Send + Sync;

/// The level of logs, which can change while the program runs.
pub struct LogLevel(Box<SetFilter>);

impl LogLevel {
    /// Changes the level.
    ///
    /// # Errors
    /// Not a level; logs that somebody else writes.
    pub fn set(&self, level: &str) -> Result<(), LogFault> {
        Ok((self.0)(EnvFilter::builder().parse(level)?)?)
    }
}

/// Starts logging; a second call changes nothing, so that tests may call it too.
pub fn start(config: &LogConfig) -> LogLevel {
    // The directives were checked when the configuration was read.
    let filter = EnvFilter::builder().parse(&config.level).unwrap_or_default();
    let colours = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt().with_ansi(colours).with_writer(std::io::stderr);
    let (started, set): (_, Box<SetFilter>) = match config.format {
        LogFormat::Text => {
            let lines = lines.with_env_filter(filter).with_filter_reloading();
            let handle = lines.reload_handle();
            (lines.finish().try_init(), Box::new(move |filter| handle.reload(filter)))
        }
        LogFormat::Json => {
            let lines = lines.json().with_env_filter(filter).with_filter_reloading();
            let handle = lines.reload_handle();
            (lines.finish().try_init(), Box::new(move |filter| handle.reload(filter)))
        }
    };
    drop(started);
    LogLevel(set)
}
