//! The calls of one platform.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::answers::{Balance, BatchResult, Life, Receipt, Statement, Summary};
use crate::client::{Client, Request};
use crate::fault::ClientFault;
use crate::lists::{Disputes, OrderFilter, Orders, Refunds, Releases, TimeRange};
use crate::orders::{Account, NewOrder, Refund, Release, TopUp};

/// The calls of one platform. An order is named by the engine's number, or by `no:` and the mall's own.
#[derive(Clone, Copy, Debug)]
pub struct Platform<'a> {
    client: &'a Client,
    number: u32,
}

impl<'a> Platform<'a> {
    pub(crate) const fn new(client: &'a Client, number: u32) -> Self {
        Self { client, number }
    }

    fn target(&self, path: &str) -> String {
        format!("/v1/platforms/{}/{path}", self.number)
    }

    /// Submits an order. Sent again until it is known, which the order's number makes safe.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn create_order(&self, order: &NewOrder) -> Result<Receipt, ClientFault> {
        self.client.call(Request::post(&self.target("orders"), order)?).await
    }

    /// Submits an order, and waits up to `wait_ms` (at most 5 000) for its first redirect or result.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn create_order_and_wait(
        &self,
        order: &NewOrder,
        wait_ms: u32,
    ) -> Result<Receipt, ClientFault> {
        self.client.call(Request::post(&self.target(&format!("orders?wait_ms={wait_ms}")), order)?).await
    }

    /// Submits many orders; each has its own result, in their order.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn create_orders(&self, orders: &[NewOrder]) -> Result<Vec<BatchResult>, ClientFault> {
        #[derive(Deserialize)]
        struct Batch {
            results: Vec<BatchResult>,
        }
        let body = json!({ "orders": orders });
        let batch: Batch = self.client.call(Request::post(&self.target("orders/batch"), &body)?).await?;
        Ok(batch.results)
    }

    /// An order's whole life.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn order(&self, order: &str) -> Result<Life, ClientFault> {
        self.client.call(Request::get(&self.target(&format!("orders/{}", escaped(order))))).await
    }

    /// A page of orders, newest first, from the newest or from the `next` of another page.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn orders(
        &self,
        wanted: &OrderFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Orders, ClientFault> {
        self.list("orders", wanted.query(after, limit)).await
    }

    /// A page of the refunds of all orders that began in this time, newest first, as they stand now.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn refunds(
        &self,
        began: &TimeRange,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Refunds, ClientFault> {
        self.list("refunds", began.query(after, limit)).await
    }

    /// A page of the releases of all orders in this time, newest first.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn releases(
        &self,
        made: &TimeRange,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Releases, ClientFault> {
        self.list("releases", made.query(after, limit)).await
    }

    /// A page of the disputes of all orders that began in this time, newest first, as they stand now.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn disputes(
        &self,
        began: &TimeRange,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Disputes, ClientFault> {
        self.list("disputes", began.query(after, limit)).await
    }

    async fn list<T: DeserializeOwned>(&self, list: &str, query: String) -> Result<T, ClientFault> {
        self.client.call(Request::get(&self.target(&format!("{list}?{query}")))).await
    }

    /// The buyer confirmed: releases all that is still frozen.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn confirm(&self, order: &str) -> Result<Summary, ClientFault> {
        self.unnumbered(order, "confirm", &json!({})).await
    }

    /// Releases a part.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn release(&self, order: &str, release: &Release) -> Result<Summary, ClientFault> {
        let target = self.target(&format!("orders/{}/releases", escaped(order)));
        self.client.call(Request::post(&target, release)?).await
    }

    /// Gives money back.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn refund(&self, order: &str, refund: &Refund) -> Result<Summary, ClientFault> {
        let target = self.target(&format!("orders/{}/refunds", escaped(order)));
        self.client.call(Request::post(&target, refund)?).await
    }

    /// Closes an unpaid order.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn close(&self, order: &str) -> Result<Summary, ClientFault> {
        self.unnumbered(order, "close", &json!({})).await
    }

    /// Passes on the code that the payer typed.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn sms_code(&self, order: &str, code: &str) -> Result<Summary, ClientFault> {
        self.unnumbered(order, "sms-code", &json!({ "sms_code": code })).await
    }

    /// Opens a dispute: the clock stops, what can go back is held.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn dispute(&self, order: &str) -> Result<Summary, ClientFault> {
        self.unnumbered(order, "dispute", &json!({})).await
    }

    /// Ends a dispute, with a refund if there is one.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn resolve(&self, order: &str, refund: Option<&Refund>) -> Result<Summary, ClientFault> {
        let body = refund.map_or_else(|| json!({}), |refund| json!({ "refund": refund }));
        self.unnumbered(order, "dispute/resolve", &body).await
    }

    /// Opens an account; one that is there already stays as it is.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn open_account(&self, account: &Account) -> Result<Value, ClientFault> {
        self.client.call(Request::post(&self.target("accounts"), account)?).await
    }

    /// Balances of an account.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn account(&self, account: &Account) -> Result<Balance, ClientFault> {
        self.client.call(Request::get(&self.account_target(account, ""))).await
    }

    /// A page of an account's statement, from the beginning or from the `next` of another page.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn entries(
        &self,
        account: &Account,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Statement, ClientFault> {
        let after = after.map(|after| format!("&after={}", escaped(after))).unwrap_or_default();
        self.client
            .call(Request::get(&self.account_target(account, &format!("/entries?limit={limit}{after}"))))
            .await
    }

    /// Puts money from outside on an account; for operators.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn top_up<T: DeserializeOwned>(
        &self,
        account: &Account,
        top_up: &TopUp,
    ) -> Result<T, ClientFault> {
        self.client.call(Request::post(&self.account_target(account, "/top-ups"), top_up)?).await
    }

    fn account_target(&self, account: &Account, rest: &str) -> String {
        let (kind, reference) = (escaped(&account.kind), escaped(&account.reference));
        self.target(&format!("accounts/{kind}/{reference}{rest}"))
    }

    /// A command that the engine cannot know again by a number: it is not sent twice unless it was certainly not
    /// performed.
    async fn unnumbered(&self, order: &str, action: &str, body: &Value) -> Result<Summary, ClientFault> {
        let target = self.target(&format!("orders/{}/{action}", escaped(order)));
        self.client.call(Request::post(&target, body)?.if_not_performed()).await
    }
}

/// A text as a part of a path: what is not a letter, a digit or one of a few marks is escaped.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn parts_of_paths_are_escaped() {
        let table = [("no:A-1", "no:A-1"), ("a/b", "a%2Fb"), ("a b?", "a%20b%3F"), ("ä", "%C3%A4")];
        for (text, expected) in table {
            assert_eq!(escaped(text), expected);
        }
    }
}
