//! A server that is killed with SIGKILL in the middle of a run, and started again on the same data.

use std::time::Duration;

use anyhow::Result;

use crate::driver::Tick;
use crate::http::run::ServerDisturbance;
use crate::http::spawn::Server;
use crate::report::Incident;

/// One kill, and one start.
#[derive(Clone, Copy, Debug)]
pub struct Kill {
    at: Duration,
    again: Duration,
    killed: Option<Duration>,
    started: Option<Duration>,
}

impl Kill {
    /// A kill `at` this time after the first order, and a start at `again`.
    #[must_use]
    pub const fn new(at: Duration, again: Duration) -> Self {
        Self { at, again, killed: None, started: None }
    }
}

impl ServerDisturbance for Kill {
    fn at(&mut self, tick: &Tick, server: &mut Server) -> Result<()> {
        let now = tick.elapsed;
        if self.killed.is_none() && now >= self.at {
            server.kill()?;
            self.killed = Some(now);
        } else if self.killed.is_some() && self.started.is_none() && now >= self.again {
            server.restart()?;
            self.started = Some(now);
        }
        Ok(())
    }

    fn incidents(&self) -> Vec<Incident> {
        let Some(from) = self.killed else { return Vec::new() };
        let until = self.started.unwrap_or(self.again);
        let what = "killed with SIGKILL, then started again".to_owned();
        vec![Incident::new(what, from.as_secs_f64(), until.as_secs_f64())]
    }
}
