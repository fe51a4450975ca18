//! A server as a target: requests go out over a pool of connections; orders are looked at until they are frozen.

use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, bounded};
use suanpan_model::command::{OrderRef, RefundRequest};
use suanpan_model::event::EventKind;
use suanpan_model::{
    Lsn, OrderCommand, OrderId, OrderStatus, OrderTerms, Reject, RejectCode, Ticket, TimestampMs,
};
use suanpan_runtime::api::{Notice, OrderSummary};
use suanpan_runtime::{Answer, AnswerSink, Command, Reply, Request};
use tokio::runtime::Handle;

use super::body::{self, BatchOut, Names, OrderOut, ResultOut};
use super::pool::Pool;
use crate::target::Target;
use crate::world::PLATFORM;

/// Pauses between two looks at an order, in milliseconds; the last one again and again.
const LOOKS_MS: [u64; 8] = [1, 2, 4, 8, 16, 32, 64, 128];

/// A server.
pub struct HttpTarget {
    runtime: Handle,
    caller: Arc<Caller>,
    /// Orders a request.
    batch: usize,
    notices: Receiver<Arc<Vec<Notice>>>,
}

struct Caller {
    pool: Pool,
    names: Names,
    notify: Sender<Arc<Vec<Notice>>>,
}

impl HttpTarget {
    /// The server behind `pool`, whose tasks run on `runtime`; `batch` orders go into one request.
    #[must_use]
    pub fn new(runtime: Handle, pool: Pool, names: Names, batch: usize) -> Self {
        /// Notices that may wait for the driver; a task that finds it full waits.
        const NOTICES_MAX: usize = 1 << 20;
        let (notify, notices) = bounded(NOTICES_MAX);
        Self { runtime, caller: Arc::new(Caller { pool, names, notify }), batch: batch.max(1), notices }
    }

    fn spawn(&self, tickets: Vec<Ticket>, orders: Vec<Arc<OrderTerms>>, sink: &Arc<dyn AnswerSink>) {
        let (caller, sink) = (self.caller.clone(), sink.clone());
        self.runtime.spawn(async move {
            let results = match (&tickets[..], &orders[..]) {
                ([_], [terms]) => vec![caller.create(terms).await],
                _ => caller.create_all(&orders).await,
            };
            let made: Vec<OrderId> =
                results.iter().filter_map(|result| Some(result.as_ref().ok()?.id)).collect();
            let answers = tickets.into_iter().zip(results);
            let answer = |(ticket, result): (Ticket, Result<OrderSummary, Reject>)| Answer {
                ticket,
                result: result.map(Reply::Order),
            };
            sink.deliver(answers.map(answer).collect());
            for order in made {
                tokio::spawn(caller.clone().watch(order, false));
            }
        });
    }
}

impl Target for HttpTarget {
    fn submit(&self, requests: Vec<Request>, sink: &Arc<dyn AnswerSink>) {
        let (mut tickets, mut orders) = (Vec::new(), Vec::new());
        for Request { ticket, command } in requests {
            match command {
                Command::Create(terms) => {
                    tickets.push(ticket);
                    orders.push(terms);
                    if orders.len() == self.batch {
                        self.spawn(std::mem::take(&mut tickets), std::mem::take(&mut orders), sink);
                    }
                }
                Command::Order { order: OrderRef::Id(order), command, .. } => {
                    let (caller, sink) = (self.caller.clone(), sink.clone());
                    self.runtime.spawn(async move {
                        let refunds = matches!(command, OrderCommand::Refund(_));
                        let result = caller.act(order, &command).await;
                        let is_made = result.is_ok();
                        sink.deliver(vec![Answer { ticket, result: result.map(Reply::Order) }]);
                        if is_made && refunds {
                            caller.watch(order, true).await;
                        }
                    });
                }
                Command::Order { .. } | Command::Query { .. } => {}
            }
        }
        if !orders.is_empty() {
            self.spawn(tickets, orders, sink);
        }
    }

    fn subscribe(&self, _capacity: usize) -> Receiver<Arc<Vec<Notice>>> {
        self.notices.clone()
    }
}

impl Caller {
    async fn create(&self, terms: &OrderTerms) -> Result<OrderSummary, Reject> {
        let path = format!("/v1/platforms/{PLATFORM}/orders");
        let (status, order): (u16, OrderOut) =
            body::read(self.pool.post(path, body::order(terms, &self.names)).await)?;
        summary(&order, OrderStatus::Routing, status == 200)
    }

    async fn create_all(&self, orders: &[Arc<OrderTerms>]) -> Vec<Result<OrderSummary, Reject>> {
        let path = format!("/v1/platforms/{PLATFORM}/orders/batch");
        let answer = self.pool.post(path, body::batch(orders, &self.names)).await;
        let read = match body::read::<BatchOut>(answer) {
            Ok((_, read)) => read,
            Err(reject) => return orders.iter().map(|_| Err(reject.clone())).collect(),
        };
        let mut results: Vec<Result<OrderSummary, Reject>> = read.results.iter().map(of_batch).collect();
        results.resize_with(orders.len(), || Err(unreadable("a batch with fewer results than orders")));
        results
    }

    async fn act(&self, order: OrderId, command: &OrderCommand) -> Result<OrderSummary, Reject> {
        let base = format!("/v1/platforms/{PLATFORM}/orders/{order}");
        let (path, body) = match command {
            OrderCommand::Release { amount: None, .. } => (format!("{base}/confirm"), String::new()),
            OrderCommand::Release { amount, .. } => (format!("{base}/releases"), body::release(*amount)),
            OrderCommand::Refund(RefundRequest { amount, .. }) => {
                (format!("{base}/refunds"), body::refund(*amount))
            }
            _ => return Err(unreadable("a command that workloads do not use")),
        };
        let (_, told): (u16, OrderOut) = body::read(self.pool.post(path, body).await)?;
        let status = OrderStatus::ALL.into_iter().find(|status| status.name() == told.status);
        summary(&told, status.ok_or_else(|| unreadable("a status that is none"))?, told.result == "repeat")
    }

    /// Looks at an order until it is frozen or has failed, or its refund was made, and tells the driver.
    async fn watch(self: Arc<Self>, order: OrderId, refunds: bool) {
        let mut looks = 0;
        loop {
            let pause = LOOKS_MS[LOOKS_MS.len().min(looks + 1) - 1];
            looks += 1;
            tokio::time::sleep(Duration::from_millis(pause)).await;
            let path = format!("/v1/platforms/{PLATFORM}/orders/{order}");
            // A server that is away is asked again: the driver's patience ends this, too.
            let Ok((_, life)) = body::read::<OrderOut>(self.pool.get(path).await) else {
                if self.pool_is_over(looks) {
                    return;
                }
                continue;
            };
            let Some(kind) = news(&life, refunds) else { continue };
            let (lsn, at, status) = (Lsn(0), TimestampMs(0), OrderStatus::Frozen);
            let notice = Notice { lsn, at, order, platform: PLATFORM, kind, status };
            // A driver that has given up reads no more notices.
            let _ = self.notify.send(Arc::new(vec![notice]));
            return;
        }
    }

    /// Whether looking on is pointless: some five minutes without an answer.
    const fn pool_is_over(&self, looks: usize) -> bool {
        const LOOKS_MAX: usize = 2_400;
        looks > LOOKS_MAX
    }
}

fn news(life: &OrderOut, refunds: bool) -> Option<EventKind> {
    let refunded = life.refunds.first().map(|refund| refund.state.as_str());
    match (life.status.as_str(), refunds) {
        (_, true) => match refunded {
            Some("succeeded") => Some(EventKind::RefundSucceeded),
            Some("failed") => Some(EventKind::RefundFailed),
            _ => None,
        },
        ("frozen" | "part_released" | "settled", false) => Some(EventKind::Frozen),
        ("failed", false) => Some(EventKind::Failed),
        ("closed", false) => Some(EventKind::Closed),
        _ => None,
    }
}

fn of_batch(result: &ResultOut) -> Result<OrderSummary, Reject> {
    match (&result.receipt, &result.problem) {
        (Some(receipt), _) => summary(receipt, OrderStatus::Routing, result.status == 200),
        (None, Some(problem)) => Err(problem.reject(result.status)),
        (None, None) => Err(unreadable("neither receipt nor problem")),
    }
}

fn summary(told: &OrderOut, status: OrderStatus, repeat: bool) -> Result<OrderSummary, Reject> {
    let id = told.order.parse().map(OrderId).map_err(|_| unreadable("an order number that is none"))?;
    Ok(OrderSummary { id, status, repeat, action: None })
}

fn unreadable(what: &'static str) -> Reject {
    Reject::new(RejectCode::InvalidField, "", what)
}
