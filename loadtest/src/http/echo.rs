//! The yardstick: a bare actix-web server that sends every body back, asked in the same way as the real one.

use std::cell::Cell;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context, Result};
use futures_util::future::join_all;
use serde::Serialize;
use suanpan_model::OrderTerms;

use super::body::{self, Names};
use super::pool::Pool;
use crate::latency::{Latencies, Percentiles};
use crate::workload::Workload;

/// Largest body that is sent back.
const BODY_MAX: usize = 64 << 20;

/// Serves on `port` of the loopback until it is killed.
///
/// # Errors
/// When the port is taken.
pub fn serve(port: u16) -> Result<bool> {
    let echo = |body: web::Bytes| async move { HttpResponse::Ok().body(body) };
    let app = move || App::new().app_data(web::PayloadConfig::new(BODY_MAX)).default_service(web::to(echo));
    actix_web::rt::System::new().block_on(HttpServer::new(app).bind(("127.0.0.1", port))?.run())?;
    Ok(true)
}

/// An echo in a process of its own, ended with this value.
#[derive(Debug)]
pub struct Echo {
    child: Child,
    port: u16,
}

impl Echo {
    /// Starts it.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn start() -> Result<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("echo").arg(port.to_string()).stdin(Stdio::null());
        Ok(Self { child: command.spawn().context("starting the echo")?, port })
    }

    /// Host and port.
    #[must_use]
    pub fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a server did when it was asked as fast as its connections allow.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Hammered {
    /// Orders in answers of success, a second.
    pub orders_per_second: f64,
    /// Requests with such an answer.
    pub requests: u64,
    /// Requests without.
    pub failed: u64,
    /// Latency of a request in microseconds.
    pub request_us: Percentiles,
}

/// The server and the echo of the same bodies, one after the other.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct EchoReport {
    /// Orders a request.
    pub batch: usize,
    /// Connections, each with one request under way.
    pub connections: usize,
    /// The server: orders created, durable when answered.
    pub server: Hammered,
    /// The echo.
    pub echo: Hammered,
    /// Orders a second of the server, by those of the echo.
    pub ratio: f64,
}

/// How a server is hammered.
pub struct Hammer<'a> {
    /// The orders; their numbers go on from those used before.
    pub workload: &'a Workload,
    /// The platform's names.
    pub names: &'a Names,
    /// Orders a request.
    pub batch: usize,
    /// Requests under way.
    pub connections: usize,
    /// How long.
    pub lasts: Duration,
}

impl Hammer<'_> {
    /// Asks `path` behind `pool` with orders from number `from` on, `connections` at once. To be called on a runtime of one
    /// thread.
    ///
    /// # Errors
    /// When no histogram can be made.
    pub async fn strike(&self, pool: &Pool, path: &str, from: u64) -> Result<Hammered> {
        let next = Rc::new(Cell::new(from));
        let begin = Instant::now();
        let mut strokes = Vec::with_capacity(self.connections);
        for _ in 0..self.connections {
            strokes.push(self.one(pool, path, next.clone(), begin));
        }
        let mut all = Latencies::new()?;
        let mut hammered = Hammered::default();
        for (requests, failed, latencies) in join_all(strokes).await {
            hammered.requests += requests;
            hammered.failed += failed;
            latencies.into_iter().for_each(|latency| all.record(latency));
        }
        let orders = hammered.requests as f64 * self.batch as f64;
        hammered.orders_per_second = orders / begin.elapsed().as_secs_f64();
        hammered.request_us = all.percentiles();
        Ok(hammered)
    }

    async fn one(
        &self,
        pool: &Pool,
        path: &str,
        next: Rc<Cell<u64>>,
        begin: Instant,
    ) -> (u64, u64, Vec<Duration>) {
        let (mut requests, mut failed, mut latencies) = (0, 0, Vec::new());
        while begin.elapsed() < self.lasts {
            let first = next.get();
            next.set(first + self.batch as u64);
            let body = match self.batch {
                1 => body::order(&self.workload.terms(first), self.names),
                batch => {
                    let orders: Vec<Arc<OrderTerms>> =
                        (first..first + batch as u64).map(|count| self.workload.terms(count)).collect();
                    body::batch(&orders, self.names)
                }
            };
            let asked = Instant::now();
            let answer = pool.post(path.to_owned(), body).await;
            latencies.push(asked.elapsed());
            match answer {
                Ok(answer) if (200..300).contains(&answer.status) && !has_problem(&answer.body) => {
                    requests += 1
                }
                Ok(_) | Err(_) => failed += 1,
            }
        }
        (requests, failed, latencies)
    }
}

/// Whether an order of a batch was refused.
fn has_problem(body: &[u8]) -> bool {
    std::str::from_utf8(body).is_ok_and(|text| text.contains("\"problem\""))
}
