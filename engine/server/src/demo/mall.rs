//! The mall: a client of the HTTP API with its own record of what the engine acknowledged.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use serde_json::Value;
use suanpan_model::{OrderId, OrderStatus};
use tokio::sync::Semaphore;

use super::DemoFault;
use super::board::Board;
use super::cast::PLATFORM;
use super::directory::Record;
use super::meters::Meters;

/// Requests under way at once.
const REQUESTS_MAX: usize = 48;
/// How often a request is repeated that the engine was too busy for, and after which pause.
const REPEATS_MAX: u32 = 200;
const REPEAT_PAUSE: Duration = Duration::from_millis(50);

/// What the engine answered.
#[derive(Debug)]
pub struct Answer {
    /// Status of HTTP.
    pub status: u16,
    /// The body.
    pub body: Value,
    /// From the request to the answer.
    pub took: Duration,
}

impl Answer {
    /// Whether the request was not refused.
    #[must_use]
    pub const fn is_ok(&self) -> bool {
        self.status < 300
    }

    /// The code of a refusal.
    #[must_use]
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or("")
    }

    /// Where the order stands, as the answer says.
    #[must_use]
    pub fn order_status(&self) -> Option<OrderStatus> {
        status_named(self.body["status"].as_str()?)
    }
}

/// The status with this name in the API.
#[must_use]
pub fn status_named(name: &str) -> Option<OrderStatus> {
    OrderStatus::ALL.into_iter().find(|status| status.name() == name)
}

/// The mall.
pub struct Mall {
    http: reqwest::Client,
    base: String,
    /// Requests under way.
    lanes: Semaphore,
    /// What was heard of orders.
    pub board: RefCell<Board>,
    /// What was acknowledged.
    pub record: RefCell<Record>,
    /// Latencies and counts.
    pub meters: RefCell<Meters>,
    /// What must not happen and did.
    pub problems: RefCell<Vec<String>>,
    /// Buyers at work.
    pub buyers: Cell<usize>,
}

impl Mall {
    /// A mall that calls the server at `url`.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn new(url: &str, record: Record) -> Result<Self, DemoFault> {
        let builder = reqwest::Client::builder().pool_max_idle_per_host(REQUESTS_MAX).no_proxy();
        Ok(Self {
            http: builder.timeout(Duration::from_secs(60)).build()?,
            base: format!("{url}/v1/platforms/{PLATFORM}"),
            lanes: Semaphore::new(REQUESTS_MAX),
            board: RefCell::default(),
            record: RefCell::new(record),
            meters: RefCell::new(Meters::new()),
            problems: RefCell::default(),
            buyers: Cell::new(0),
        })
    }

    /// Notes something that must not happen.
    pub fn problem(&self, what: String) {
        self.problems.borrow_mut().push(what);
    }

    /// Posts to a path below the platform's. A request that the engine is too busy for is repeated.
    ///
    /// # Errors
    /// When there is no answer, or none but "busy" for a long time.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer, DemoFault> {
        let bytes = serde_json::to_vec(body).unwrap_or_default();
        let url = format!("{}/{path}", self.base);
        let mut repeats = 0;
        loop {
            let request = self.http.post(&url).header("content-type", "application/json").body(bytes.clone());
            let answer = self.send(request).await?;
            let busy = answer.status == 503 || answer.code() == "in_progress";
            if !busy || repeats == REPEATS_MAX {
                return Ok(answer);
            }
            repeats += 1;
            self.meters.borrow_mut().busy += 1;
            actix_rt::time::sleep(REPEAT_PAUSE).await;
        }
    }

    /// Gets a path below the platform's.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn get(&self, path: &str) -> Result<Answer, DemoFault> {
        self.send(self.http.get(format!("{}/{path}", self.base))).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Answer, DemoFault> {
        let _lane = self.lanes.acquire().await.ok();
        let began = Instant::now();
        let response = request.send().await?;
        let status = response.status().as_u16();
        let bytes = response.bytes().await?;
        let took = began.elapsed();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Ok(Answer { status, body, took })
    }

    /// Notes that orders were acknowledged.
    ///
    /// # Errors
    /// Trouble with the disk.
    pub fn acknowledge(&self, orders: &[(String, String)]) -> Result<(), DemoFault> {
        if !self.record.borrow_mut().add(orders)? {
            let numbers: Vec<&str> = orders.iter().map(|(no, _)| no.as_str()).collect();
            self.problem(format!("acknowledged twice with different numbers: among {}", numbers.join(", ")));
        }
        Ok(())
    }

    /// The engine's number in a receipt.
    pub fn number(&self, receipt: &Value) -> Option<(OrderId, String)> {
        let text = receipt["order"].as_str()?;
        Some((OrderId(text.parse().ok()?), text.to_owned()))
    }
}
