//! A server asked as fast as its connections allow: each sends a request, reads the answer, and sends the next.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures_util::future::try_join_all;
use serde::Serialize;

use super::bodies::Bodies;
use super::line::{self, Line, Stream};
use super::pool::Door;
use crate::latency::{Latencies, Percentiles};
use crate::machine;
use crate::world::PLATFORM;

/// Requests that are signed before the clock runs take this many bytes at the most.
const SIGNED_BEFORE_BYTES: usize = 256 << 20;

/// What a server did when it was asked as fast as its connections allow.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Hammered {
    /// Orders in answers of success, a second.
    pub orders_per_second: f64,
    /// Requests with such an answer.
    pub requests: u64,
    /// Requests without.
    pub failed: u64,
    /// From the first request to the last answer.
    pub seconds: f64,
    /// Latency of a request in microseconds.
    pub request_us: Percentiles,
    /// CPU time of the generator in seconds.
    pub generator_cpu_s: f64,
    /// CPU time of the server in seconds; zero when it is not known.
    pub server_cpu_s: Option<f64>,
}

/// How a server is hammered.
pub struct Hammer<'a> {
    /// The orders.
    pub bodies: &'a Bodies<'a>,
    /// Orders a request.
    pub batch: usize,
    /// Requests under way.
    pub connections: usize,
    /// How long.
    pub lasts: Duration,
    /// How many requests are signed before the clock runs, and at the most sent; nothing when each is signed as it is sent.
    pub signed_before: Option<usize>,
}

/// One round.
struct Round<'a> {
    hammer: &'a Hammer<'a>,
    door: &'a Door,
    path: String,
    next: Cell<u64>,
    ready: RefCell<Vec<Vec<u8>>>,
    begin: Instant,
    requests: Cell<u64>,
    failed: Cell<u64>,
    latencies: RefCell<Latencies>,
}

impl Hammer<'_> {
    /// Asks behind `door` with orders from number `from` on. `server` is the process that is asked, where it is known. To be
    /// called on a runtime of one thread.
    ///
    /// # Errors
    /// When a connection cannot be made, or breaks.
    pub async fn strike(&self, door: &Door, from: u64, server: Option<u32>) -> Result<Hammered> {
        let path = match self.batch {
            1 => format!("/v1/platforms/{PLATFORM}/orders"),
            _ => format!("/v1/platforms/{PLATFORM}/orders/batch"),
        };
        let mut round = Round {
            hammer: self,
            door,
            path,
            next: Cell::new(from),
            ready: RefCell::default(),
            begin: Instant::now(),
            requests: Cell::new(0),
            failed: Cell::new(0),
            latencies: RefCell::new(Latencies::new()?),
        };
        round.prepare()?;
        match &door.tls {
            None => {
                let lines = (0..self.connections).map(|_| line::plain(&door.authority));
                round.play(try_join_all(lines).await?, server).await
            }
            Some(config) => {
                let lines = (0..self.connections).map(|_| line::tls(&door.authority, config));
                round.play(try_join_all(lines).await?, server).await
            }
        }
    }
}

impl Round<'_> {
    /// Signs what is to be signed before the clock runs.
    fn prepare(&self) -> Result<()> {
        let Some(most) = self.hammer.signed_before else { return Ok(()) };
        let (mut body, mut bytes) = (Vec::new(), 0);
        let mut ready = Vec::new();
        while ready.len() < most && bytes < SIGNED_BEFORE_BYTES {
            let mut request = Vec::new();
            self.request(&mut body, &mut request)?;
            bytes += request.len();
            ready.push(request);
        }
        ready.reverse();
        self.ready.replace(ready);
        Ok(())
    }

    /// Writes the next request.
    fn request(&self, body: &mut Vec<u8>, request: &mut Vec<u8>) -> Result<()> {
        let Hammer { bodies, batch, .. } = self.hammer;
        let first = self.next.get();
        self.next.set(first + *batch as u64);
        body.clear();
        bodies.write(first, *batch, body);
        request.clear();
        let mut put =
            |parts: &[&str]| parts.iter().for_each(|part| request.extend_from_slice(part.as_bytes()));
        let length = body.len().to_string();
        put(&["POST ", &self.path, " HTTP/1.1\r\nhost: ", &self.door.authority]);
        put(&["\r\ncontent-type: application/json\r\ncontent-length: ", &length, "\r\n"]);
        if let Some(signer) = &self.door.signer {
            for (name, value) in signer.sign("POST", &self.path, body)? {
                put(&[name, ": ", &value, "\r\n"]);
            }
        }
        put(&["\r\n"]);
        request.extend_from_slice(body);
        Ok(())
    }

    async fn play<S: Stream>(&mut self, streams: Vec<S>, server: Option<u32>) -> Result<Hammered> {
        let of_server = || server.map(machine::cpu_seconds_of);
        let (generator_cpu_s, server_cpu_s) = (machine::cpu_seconds(), of_server());
        self.begin = Instant::now();
        let round = &*self;
        try_join_all(streams.into_iter().map(|stream| round.one(Line::new(stream)))).await?;
        let seconds = self.begin.elapsed().as_secs_f64();
        let requests = self.requests.get();
        Ok(Hammered {
            orders_per_second: requests as f64 * self.hammer.batch as f64 / seconds,
            requests,
            failed: self.failed.get(),
            seconds,
            request_us: self.latencies.borrow().percentiles(),
            generator_cpu_s: machine::cpu_seconds() - generator_cpu_s,
            server_cpu_s: of_server().zip(server_cpu_s).map(|(then, before)| then - before),
        })
    }

    async fn one<S: Stream>(&self, mut line: Line<S>) -> Result<()> {
        let (mut body, mut request) = (Vec::new(), Vec::new());
        while self.begin.elapsed() < self.hammer.lasts {
            match self.hammer.signed_before {
                None => self.request(&mut body, &mut request)?,
                Some(_) => match self.ready.borrow_mut().pop() {
                    Some(ready) => request = ready,
                    None => return Ok(()),
                },
            }
            let asked = Instant::now();
            let (status, answer) = line.exchange(&request).await?;
            self.latencies.borrow_mut().record(asked.elapsed());
            let is_well = (200..300).contains(&status) && !has_problem(answer);
            let count = if is_well { &self.requests } else { &self.failed };
            count.set(count.get() + 1);
            if !is_well && self.failed.get() == 1 {
                let told = &answer[..answer.len().min(500)];
                eprintln!("refused: {status} {}", String::from_utf8_lossy(told));
            }
            ensure!(self.failed.get() < 1_000, "1000 requests were refused");
        }
        Ok(())
    }
}

/// Whether an order of a batch was refused.
fn has_problem(body: &[u8]) -> bool {
    std::str::from_utf8(body).is_ok_and(|text| text.contains("\"problem\""))
}
