//! One buyer, from the acknowledged order to its end: types codes, cancels, confirms, wants money back.

use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_rt::time::{sleep, timeout};
use serde_json::{Value, json};
use suanpan_model::event::EventKind;
use suanpan_model::{Amount, Currency, OrderId, OrderStatus};

use super::DemoFault;
use super::mall::{Answer, Mall};
use super::meters::record;
use super::script::{AfterPayment, Script, SmsCode};

/// How long a buyer waits for news before asking.
const PATIENCE: Duration = Duration::from_secs(8);
/// The same while money is on its way back.
const REFUND_PATIENCE: Duration = Duration::from_millis(500);
/// Requests after which something must be wrong.
const ACTS_MAX: u32 = 400;

/// A buyer with one order.
pub struct Buyer {
    mall: Rc<Mall>,
    script: Script,
    order: OrderId,
    submitted: Instant,
    /// Whether the order is from an earlier run.
    is_old: bool,
    cancel_at: Option<Instant>,
    typed_code: bool,
    began_to_settle: bool,
    acts: u32,
}

impl Buyer {
    /// The buyer of an order that was just acknowledged.
    pub fn new(mall: &Rc<Mall>, script: Script, order: OrderId, submitted: Instant, is_old: bool) -> Self {
        let cancel_at = script.cancel_after_ms.map(|ms| Instant::now() + Duration::from_millis(ms));
        let mall = Rc::clone(mall);
        Self {
            mall,
            script,
            order,
            submitted,
            is_old,
            cancel_at,
            typed_code: false,
            began_to_settle: false,
            acts: 0,
        }
    }

    /// Lets the buyer go.
    pub fn spawn(self) {
        let mall = Rc::clone(&self.mall);
        mall.buyers.set(mall.buyers.get() + 1);
        actix_rt::spawn(async move {
            let no = self.script.order_no.clone();
            if let Err(fault) = self.live().await {
                mall.problem(format!("order {no}: {fault}"));
            }
            mall.buyers.set(mall.buyers.get() - 1);
        });
    }

    async fn live(mut self) -> Result<(), DemoFault> {
        let (mut status, _) = self.mall.board.borrow_mut().status(self.order);
        if self.is_old {
            status = self.look().await?;
        }
        let mut paid = self.is_old;
        while !status.is_final() {
            if !paid && !status.is_unpaid() {
                paid = true;
                self.note_payment();
            }
            self.acts += 1;
            if self.acts > ACTS_MAX {
                return Err(DemoFault::Endless);
            }
            status = match status {
                OrderStatus::Frozen | OrderStatus::PartReleased => self.settle(status).await?,
                OrderStatus::Disputed => self.resolve().await?,
                _ => self.wait_for_payment().await?,
            };
        }
        if !paid {
            self.note_payment();
        }
        match self.script.after {
            AfterPayment::RefundAfterRelease(amount) if status == OrderStatus::Settled => {
                self.refund(amount).await.map(drop)
            }
            _ => Ok(()),
        }
    }

    fn note_payment(&self) {
        if let Some(at) = self.mall.board.borrow_mut().paid_at(self.order) {
            let took = at.saturating_duration_since(self.submitted);
            self.mall.meters.borrow_mut().paid(self.script.kind, took);
        }
    }

    fn path(&self, action: &str) -> String {
        format!("orders/{}/{action}", self.order)
    }

    /// Waits for news, and asks when there is none; cancels when the time has come.
    async fn wait_for_payment(&mut self) -> Result<OrderStatus, DemoFault> {
        let patience = self.cancel_at.map_or(PATIENCE, |at| at.saturating_duration_since(Instant::now()));
        let news = self.mall.board.borrow_mut().news(self.order);
        if timeout(patience, news.notified()).await.is_ok() {
            let (status, last) = self.mall.board.borrow_mut().status(self.order);
            let may_want_code = self.script.kind == "quick_pay" && last == EventKind::AttemptAccepted;
            return if status.is_unpaid() && may_want_code { self.look().await } else { Ok(status) };
        }
        if self.cancel_at.take().is_some() {
            self.mall.meters.borrow_mut().cancelled += 1;
            return self.act("close", &Value::Null).await;
        }
        self.look().await
    }

    /// Asks where the order stands, and types the code if one is wanted.
    async fn look(&mut self) -> Result<OrderStatus, DemoFault> {
        let life = self.life().await?;
        let status = self.learn(&life)?;
        let waits_for_code = life.body["attempts"]
            .as_array()
            .and_then(|attempts| attempts.last())
            .is_some_and(|attempt| attempt["action"]["kind"] == "sms_code");
        if !status.is_unpaid() || !waits_for_code || self.typed_code || self.script.sms == SmsCode::Never {
            return Ok(status);
        }
        self.typed_code = true;
        self.mall.meters.borrow_mut().codes += 1;
        sleep(Duration::from_millis(self.script.pause_ms)).await;
        let code =
            if self.script.sms == SmsCode::Right { "246810" } else { suanpan_channels::SMS_CODE_REFUSED };
        self.act("sms-code", &json!({ "sms_code": code })).await
    }

    async fn life(&self) -> Result<Answer, DemoFault> {
        self.mall.get(&format!("orders/{}", self.order)).await
    }

    fn learn(&self, answer: &Answer) -> Result<OrderStatus, DemoFault> {
        let status = answer.order_status().filter(|_| answer.is_ok());
        let status = status
            .ok_or_else(|| DemoFault::Answer { status: answer.status, body: answer.body.to_string() })?;
        self.mall.board.borrow_mut().learn(self.order, status);
        Ok(status)
    }

    /// Does something to the order. When the order's state does not allow it any more, asks where it stands.
    async fn act(&mut self, action: &str, body: &Value) -> Result<OrderStatus, DemoFault> {
        let body = if body.is_null() { &json!({}) } else { body };
        let answer = self.mall.post(&self.path(action), body).await?;
        match answer.status {
            200..300 => {
                if action == "confirm" {
                    record(&mut self.mall.meters.borrow_mut().release, answer.took);
                }
                self.learn(&answer)
            }
            409 | 422 => {
                let life = self.life().await?;
                self.learn(&life)
            }
            status => Err(DemoFault::Answer { status, body: answer.body.to_string() }),
        }
    }

    /// The order is paid: does what the script says, then confirms what is left.
    async fn settle(&mut self, status: OrderStatus) -> Result<OrderStatus, DemoFault> {
        if !std::mem::replace(&mut self.began_to_settle, true) {
            sleep(Duration::from_millis(self.script.pause_ms)).await;
            let first_time = status == OrderStatus::Frozen
                && (!self.is_old || self.life().await?.body["refunds"] == json!([]));
            if first_time {
                return self.first_act().await;
            }
        }
        let life = self.life().await?;
        let status = self.learn(&life)?;
        let is_nothing = |field: &str| life.body["money"][field] == "0.00";
        match (is_nothing("refunding"), is_nothing("frozen")) {
            _ if status.is_final() => Ok(status),
            (true, false) => self.act("confirm", &Value::Null).await,
            _ => {
                let news = self.mall.board.borrow_mut().news(self.order);
                // Whether there was news or not, the next round asks.
                let _ = timeout(REFUND_PATIENCE, news.notified()).await;
                Ok(status)
            }
        }
    }

    async fn first_act(&mut self) -> Result<OrderStatus, DemoFault> {
        match self.script.after {
            AfterPayment::Confirm | AfterPayment::RefundAfterRelease(_) => {
                self.act("confirm", &Value::Null).await
            }
            AfterPayment::ConfirmInParts(amount) => {
                let body = self.part("release_no", "M1", amount);
                self.act("releases", &body).await
            }
            AfterPayment::Milestone(amount) => {
                let mut body = self.part("release_no", "M1", amount);
                body["payees"] = match self.script.currency {
                    Currency::Cny => json!([
                        { "receiver": { "kind": "commission", "reference": "A1" }, "percent": "6.00" },
                        { "receiver": "platform", "percent": "1.50" },
                    ]),
                    _ => json!([{ "receiver": "platform", "percent": "4.00" }]),
                };
                self.act("releases", &body).await
            }
            AfterPayment::RefundPart(amount) => self.refund(amount).await,
            AfterPayment::RefundAll => {
                self.mall.meters.borrow_mut().refunds += 1;
                self.act("refunds", &json!({ "refund_no": "R1" })).await
            }
            AfterPayment::Dispute | AfterPayment::DisputeRefund(_) => {
                self.mall.meters.borrow_mut().disputes += 1;
                self.act("dispute", &Value::Null).await?;
                sleep(Duration::from_millis(200)).await;
                self.resolve().await
            }
        }
    }

    /// A body with a number of the mall's and a part of the price.
    fn part(&self, field: &str, number: &str, amount: Amount) -> Value {
        let currency = self.script.currency;
        json!({ field: number, "amount": amount.to_text(currency), "currency": currency.code() })
    }

    async fn refund(&mut self, amount: Amount) -> Result<OrderStatus, DemoFault> {
        self.mall.meters.borrow_mut().refunds += 1;
        let body = self.part("refund_no", "R1", amount);
        self.act("refunds", &body).await
    }

    /// Ends a dispute as the script says.
    async fn resolve(&mut self) -> Result<OrderStatus, DemoFault> {
        let body = match self.script.after {
            AfterPayment::DisputeRefund(amount) => json!({ "refund": self.part("refund_no", "R1", amount) }),
            _ => json!({}),
        };
        self.act("dispute/resolve", &body).await
    }
}
