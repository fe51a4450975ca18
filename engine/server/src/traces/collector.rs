//! The way to the collector: a thread that gathers spans and posts them. A collector that is slow or away costs spans,
//! never a request.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use reqwest::StatusCode;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::{Span, TraceConfig, TraceCounts, Tracer, otlp};

/// Spans that wait for the collector.
const WAITING_MAX: usize = 8_192;
/// Spans in one request.
const SENT_AT_ONCE_MAX: usize = 512;
/// A span waits at most this long for others to go with it.
const GATHER: Duration = Duration::from_secs(1);
/// How long the collector's answer is awaited.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Waits between tries, when the collector says that it may pass or is not there.
const WAITS: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];

/// The thread that sends spans. It ends when the last [`Tracer`] is gone, after a last try.
#[derive(Debug)]
pub struct Collector {
    thread: JoinHandle<()>,
}

impl Collector {
    /// Starts the thread.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn start(config: TraceConfig) -> std::io::Result<(Tracer, Self)> {
        let (sender, inbox) = mpsc::channel(WAITING_MAX);
        let counts = Arc::new(TraceCounts::default());
        let tracer =
            Tracer { spans: sender, sample_percent: config.sample_percent, counts: Arc::clone(&counts) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(std::io::Error::other)?;
        let sending = Sending { client, config, counts };
        let thread = std::thread::Builder::new()
            .name("traces".to_owned())
            .spawn(move || runtime.block_on(sending.run(inbox)))?;
        Ok((tracer, Self { thread }))
    }

    /// Waits until the last spans are sent, which takes a few seconds at the longest.
    pub fn join(self) {
        if self.thread.join().is_err() {
            tracing::error!("the thread of traces panicked");
        }
    }
}

struct Sending {
    client: reqwest::Client,
    config: TraceConfig,
    counts: Arc<TraceCounts>,
}

impl Sending {
    async fn run(self, mut inbox: mpsc::Receiver<Span>) {
        let mut is_told = false;
        let mut spans = Vec::with_capacity(SENT_AT_ONCE_MAX);
        while inbox.recv_many(&mut spans, SENT_AT_ONCE_MAX).await > 0 {
            let deadline = Instant::now() + GATHER;
            while spans.len() < SENT_AT_ONCE_MAX {
                let room = SENT_AT_ONCE_MAX - spans.len();
                match timeout_at(deadline, inbox.recv_many(&mut spans, room)).await {
                    Ok(0) | Err(_) => break,
                    Ok(_) => {}
                }
            }
            let many = spans.len() as u64;
            match self.send(&spans).await {
                Ok(()) => {
                    is_told = false;
                    self.counts.sent.fetch_add(many, Ordering::Relaxed);
                }
                Err(fault) => {
                    self.counts.dropped.fetch_add(many, Ordering::Relaxed);
                    // Once for each time that it stops working.
                    if !std::mem::replace(&mut is_told, true) {
                        tracing::warn!(%fault, "the collector of traces takes nothing; spans are dropped");
                    }
                }
            }
            spans.clear();
        }
    }

    /// Sends spans, again where that may help.
    async fn send(&self, spans: &[Span]) -> Result<(), String> {
        let body = otlp::request(&self.config.service, spans);
        let mut waits = WAITS.into_iter();
        loop {
            let answer = self.client.post(self.config.url.clone()).json(&body).send().await;
            let (fault, may_pass) = match answer {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) => (answer.status().to_string(), may_pass(answer.status())),
                Err(fault) => (fault.without_url().to_string(), true),
            };
            match waits.next().filter(|_| may_pass) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(fault),
            }
        }
    }
}

/// What OTLP says may be tried again.
fn may_pass(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}
