//! What a server that was not started here tells of itself in `GET /metrics`: CPU time, memory, queues.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::pool::Pool;

/// How often it is asked while a run goes on. Each answer costs the server about as much as an order.
const PAUSE: Duration = Duration::from_millis(400);

/// One answer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// When the server started; CPU time counts from there.
    start_time_s: f64,
    /// CPU time since then.
    cpu_seconds: f64,
    /// Resident memory in bytes.
    pub rss_bytes: u64,
    /// Requests that the engine has not answered.
    pub in_flight: usize,
    /// Messages that wait for the log writer.
    pub log_queue: usize,
    /// Messages that wait for the archive.
    pub keeper_queue: usize,
    /// Finished orders that are not yet in the archive.
    pub archive_lag: usize,
}

impl Reading {
    fn read(text: &str) -> Result<Self> {
        let value = |name: &str| -> Result<f64> {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            let line = line.with_context(|| format!("GET /metrics does not tell {name}"))?;
            line.trim().parse().with_context(|| format!("GET /metrics tells {name} as {line}"))
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "counts, which are not negative"
        )]
        let count = |name: &str| -> Result<usize> { Ok(value(name)? as usize) };
        Ok(Self {
            start_time_s: value("process_start_time_seconds")?,
            cpu_seconds: value("process_cpu_seconds_total")?,
            rss_bytes: count("process_resident_memory_bytes")? as u64,
            in_flight: count("suanpan_requests_in_flight")?,
            log_queue: count("suanpan_log_queue")?,
            keeper_queue: count("suanpan_keeper_queue")?,
            archive_lag: count("suanpan_archive_lag_orders")?,
        })
    }
}

/// How the server stands, and what it has used since the run began.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// The last answer.
    pub reading: Reading,
    /// CPU time since the first answer.
    pub cpu_seconds: f64,
    /// Processors that it kept busy between the last two answers.
    pub cpus: f64,
    at: Instant,
}

impl Standing {
    const fn first(reading: Reading, at: Instant) -> Self {
        Self { reading, cpu_seconds: 0.0, cpus: 0.0, at }
    }

    fn then(self, reading: Reading, at: Instant) -> Self {
        // A server that was started again counts from zero.
        #[expect(clippy::float_cmp, reason = "the same text, read twice")]
        let is_same = reading.start_time_s == self.reading.start_time_s;
        let before = if is_same { self.reading.cpu_seconds } else { 0.0 };
        let used = (reading.cpu_seconds - before).max(0.0);
        let cpus = used / at.duration_since(self.at).as_secs_f64().max(1e-3);
        Self { reading, cpu_seconds: self.cpu_seconds + used, cpus, at }
    }
}

/// Asks again and again, beside the driver, for as long as somebody has this value or a clone of it.
#[derive(Clone)]
pub struct Watch {
    pool: Pool,
    standing: Arc<Mutex<Standing>>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Watch").field(&self.standing).finish()
    }
}

impl Watch {
    /// Asks for the first time, and from then on in a task of its own. `pool` should be nobody else's.
    ///
    /// # Errors
    /// When the server does not tell.
    pub async fn start(pool: Pool) -> Result<Self> {
        let first = Standing::first(ask(&pool).await?, Instant::now());
        let standing = Arc::new(Mutex::new(first));
        let (task_pool, watched) = (pool.clone(), Arc::downgrade(&standing));
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(PAUSE).await;
                let answer = ask(&task_pool).await;
                let Some(standing) = watched.upgrade() else { return };
                // One that does not answer now is asked again.
                if let Ok(reading) = answer {
                    advance(&standing, reading);
                }
            }
        });
        Ok(Self { pool, standing })
    }

    /// How the server stood at the last answer.
    #[must_use]
    pub fn latest(&self) -> Standing {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks now.
    ///
    /// # Errors
    /// When the server does not tell.
    pub async fn now(&self) -> Result<Standing> {
        Ok(advance(&self.standing, ask(&self.pool).await?))
    }
}

fn advance(standing: &Mutex<Standing>, reading: Reading) -> Standing {
    let mut standing = standing.lock().unwrap_or_else(PoisonError::into_inner);
    *standing = standing.then(reading, Instant::now());
    *standing
}

async fn ask(pool: &Pool) -> Result<Reading> {
    let answer = pool.get("/metrics".to_owned()).await.context("GET /metrics")?;
    ensure!(answer.status == 200, "GET /metrics is answered with {}", answer.status);
    Reading::read(std::str::from_utf8(&answer.body).context("GET /metrics")?)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::super::pool::Door;
    use super::*;

    const TEXT: &str = "# HELP process_cpu_seconds_total CPU time\nprocess_cpu_seconds_total 2.50\n\
        process_start_time_seconds 1700000000.25\nprocess_resident_memory_bytes 4096\nsuanpan_requests_in_flight 3\n\
        suanpan_log_queue 4\nsuanpan_log_queue_other 9\nsuanpan_keeper_queue 5\nsuanpan_archive_lag_orders 6\n";

    #[test]
    fn what_is_told_is_read_and_what_is_not_is_named() {
        let read = Reading::read(TEXT).unwrap();
        assert_eq!((read.cpu_seconds, read.start_time_s, read.rss_bytes), (2.5, 1_700_000_000.25, 4_096));
        assert_eq!((read.in_flight, read.log_queue, read.keeper_queue, read.archive_lag), (3, 4, 5, 6));
        let fault = Reading::read(&TEXT.replace("process_resident", "resident")).unwrap_err().to_string();
        assert!(fault.contains("process_resident_memory_bytes"), "{fault}");
    }

    #[test]
    fn cpu_time_goes_on_over_a_restart() {
        let begin = Instant::now();
        let at = |start_time_s, cpu_seconds| Reading { start_time_s, cpu_seconds, ..Reading::default() };
        let second = |n| begin + Duration::from_secs(n);
        let standing = Standing::first(at(1.0, 10.0), begin).then(at(1.0, 11.0), second(2));
        assert_eq!((standing.cpu_seconds, standing.cpus), (1.0, 0.5));
        let standing = standing.then(at(7.0, 3.0), second(4));
        assert_eq!((standing.cpu_seconds, standing.cpus), (4.0, 1.5));
    }

    /// A server that answers everything like this, at that address.
    fn server(status: &'static str, body: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            for stream in listener.incoming().take(8) {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 4_096]).unwrap();
                let length = body.len();
                write!(
                    stream,
                    "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                )
                .unwrap();
            }
        });
        authority
    }

    #[test]
    fn closed_metrics_are_told_as_such() {
        crate::run::runtime().unwrap().block_on(async {
            let pool = |authority| Pool::new(&Door::plain(authority, None), 1);
            let fault = Watch::start(pool(server("403 Forbidden", "{}"))).await.unwrap_err();
            assert!(fault.to_string().contains("403"), "{fault}");
            let watch = Watch::start(pool(server("200 OK", TEXT))).await.unwrap();
            assert_eq!(watch.latest().reading, Reading::read(TEXT).unwrap());
            assert!(watch.now().await.unwrap().cpu_seconds.abs() < 1e-9, "the same answer twice");
        });
    }
}
