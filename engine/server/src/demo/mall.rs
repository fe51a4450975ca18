//! The mall: a client of the HTTP API with its own record of what the engine acknowledged.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use serde_json::Value;
use suanpan_client::{Client, ClientFault, Request};
use suanpan_model::{OrderId, OrderStatus};
use tokio::sync::Semaphore;

use super::DemoFault;
use super::board::Board;
use super::cast::PLATFORM;
use super::directory::Record;
use super::meters::Meters;

/// Requests under way at once.
pub const REQUESTS_MAX: usize = 48;

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
    client: Client,
    operator: Client,
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
    /// A mall that calls through `client`; `operator` puts money from outside on accounts.
    #[must_use]
    pub fn new(client: Client, operator: Client, record: Record) -> Self {
        Self {
            client,
            operator,
            lanes: Semaphore::new(REQUESTS_MAX),
            board: RefCell::default(),
            record: RefCell::new(record),
            meters: RefCell::new(Meters::new()),
            problems: RefCell::default(),
            buyers: Cell::new(0),
        }
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
        self.send(&self.client, Request::post(&target(path), body)?.if_not_performed()).await
    }

    /// Posts as the operator to a path below the platform's.
    ///
    /// # Errors
    /// As [`Mall::post`].
    pub async fn operate(&self, path: &str, body: &Value) -> Result<Answer, DemoFault> {
        self.send(&self.operator, Request::post(&target(path), body)?).await
    }

    /// Gets a path below the platform's.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn get(&self, path: &str) -> Result<Answer, DemoFault> {
        self.send(&self.client, Request::get(&target(path))).await
    }

    /// How often a request was sent again, because the engine was busy.
    #[must_use]
    pub fn repeated(&self) -> usize {
        usize::try_from(self.client.repeated() + self.operator.repeated()).unwrap_or(usize::MAX)
    }

    async fn send(&self, client: &Client, request: Request<'_>) -> Result<Answer, DemoFault> {
        let _lane = self.lanes.acquire().await.ok();
        let began = Instant::now();
        let answered = client.send(request).await;
        let took = began.elapsed();
        match answered {
            Ok(answer) => Ok(Answer { status: answer.status, body: answer.read()?, took }),
            Err(ClientFault::Refused(problem)) => {
                let body = serde_json::to_value(&problem).unwrap_or(Value::Null);
                Ok(Answer { status: problem.status, body, took })
            }
            Err(fault) => Err(fault.into()),
        }
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

/// A path below the platform's.
fn target(path: &str) -> String {
    format!("/v1/platforms/{PLATFORM}/{path}")
}
