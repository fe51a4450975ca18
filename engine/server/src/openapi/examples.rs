//! Examples of calls, in an order in which they work on the commented default configuration. A test makes every one of
//! them against a real server.

use serde_json::{Value, json};

use crate::endpoint::{self, Endpoint};

/// A call.
#[derive(Clone, Debug)]
pub struct Example {
    /// What is called.
    pub endpoint: Endpoint,
    /// Its name under the operation.
    pub name: &'static str,
    /// Variable parts of the path, in their order.
    pub path: Vec<&'static str>,
    /// The query.
    pub query: &'static str,
    /// The body.
    pub body: Option<Value>,
    /// The status of the answer.
    pub status: u16,
}

impl Example {
    /// Path and query with values.
    #[must_use]
    pub fn target(&self) -> String {
        let mut values = self.path.iter();
        let mut target = String::new();
        for (place, part) in self.endpoint.path.split(['{', '}']).enumerate() {
            if place % 2 == 0 {
                target.push_str(part);
            } else {
                target.push_str(values.next().unwrap_or(&part));
            }
        }
        if !self.query.is_empty() {
            target.push('?');
            target.push_str(self.query);
        }
        target
    }

    /// What stands in the path for a variable part.
    #[must_use]
    pub fn path_value(&self, name: &str) -> Option<&'static str> {
        let names = self.endpoint.path.split(['{', '}']).skip(1).step_by(2);
        names.zip(&self.path).find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    fn with_query(mut self, query: &'static str) -> Self {
        self.query = query;
        self
    }

    fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }
}

fn get(endpoint: Endpoint, path: &[&'static str]) -> Example {
    Example { endpoint, name: "plain", path: path.to_vec(), query: "", body: None, status: 200 }
}

fn send(endpoint: Endpoint, name: &'static str, path: &[&'static str], body: Value) -> Example {
    Example { endpoint, name, path: path.to_vec(), query: "", body: Some(body), status: 200 }
}

const MALL: &str = "9001";

/// Every example, in order.
#[must_use]
pub fn examples() -> Vec<Example> {
    [preparing(), selling(), escrow(), asking(), exceptions(), routing(), operator()].concat()
}

fn preparing() -> Vec<Example> {
    let account = json!({ "kind": "cash", "reference": "alice", "currency": "CNY" });
    let campaign = json!({
        "id": 7, "percent": "10", "cap": "20.00", "minimum_spend": "50.00", "stock": 1000, "per_customer": 1,
        "stackable": true, "valid_from": "2026-01-01T00:00:00+08:00", "valid_until": "2035-01-01T00:00:00+08:00",
        "funders": [{ "account": "platform", "percent": "100" }],
    });
    let coupon = json!({ "customer": "alice", "count": 1, "reference": "birthday-alice" });
    vec![
        get(endpoint::PLATFORM, &[MALL]),
        send(endpoint::ACCOUNTS, "an e-account of a payer", &[MALL], account.clone()).with_status(201),
        send(endpoint::ACCOUNTS, "the same again", &[MALL], account),
        send(
            endpoint::TOP_UPS,
            "money from outside",
            &[MALL, "cash", "alice"],
            json!({ "reference": "transfer-1", "amount": "500.00" }),
        ),
        send(endpoint::NEW_CAMPAIGN, "ten percent off, at most 20.00", &[MALL], campaign).with_status(201),
        send(endpoint::COUPONS, "one for a birthday", &[MALL, "7"], coupon),
        get(endpoint::CAMPAIGNS, &[MALL]).with_query("limit=10"),
        get(endpoint::CAMPAIGN, &[MALL, "7"]),
        get(endpoint::CUSTOMER_COUPONS, &[MALL, "7", "alice"]),
    ]
}

fn selling() -> Vec<Example> {
    let from_account = json!({
        "order_no": "A-1", "payer": "alice", "amount": "128.00", "currency": "CNY", "kind": "balance",
        "merchant": "M0001", "coupons": [{ "campaign": 7 }],
        "splits": [{ "receiver": "platform", "percent": "5" }],
        "description": "tea", "metadata": { "table": "4" },
    });
    let gateway = json!({
        "order_no": "A-2", "payer": "bob", "amount": "35.50", "kind": "gateway", "bank": "ICBC",
        "card_type": "debit", "merchant": "M0001",
    });
    let cart = json!({
        "order_no": "A-3", "payer": "carol", "amount": "90.00", "kind": "gateway", "bank": "CMB",
        "sub_orders": [{ "merchant": "M0001", "amount": "60.00" }, { "merchant": "M0002", "amount": "30.00" }],
    });
    let quick = json!({
        "order_no": "A-4", "payer": "dave", "amount": "12.00", "kind": "quick_pay", "bank": "CMB",
        "card_type": "debit", "agreement_no": "AG-7", "merchant": "M0002",
    });
    vec![
        send(
            endpoint::ORDERS,
            "from an e-account with a coupon and a commission",
            &[MALL],
            from_account.clone(),
        )
        .with_query("wait_ms=5000")
        .with_status(201),
        send(endpoint::ORDERS, "the same again", &[MALL], from_account),
        send(endpoint::ORDERS, "through a bank's gateway", &[MALL], gateway).with_status(201),
        send(
            endpoint::BATCH,
            "a cart of two merchants, and a quick payment",
            &[MALL],
            json!({ "orders": [cart, quick] }),
        ),
        send(endpoint::SMS_CODE, "as the payer got it", &[MALL, "no:A-1"], json!({ "sms_code": "123456" }))
            .with_status(409),
        send(endpoint::CLOSE, "nothing to say", &[MALL, "no:A-1"], json!({})).with_status(409),
    ]
}

fn escrow() -> Vec<Example> {
    let release = json!({
        "release_no": "m1", "amount": "40.00",
        "payees": [{ "receiver": { "kind": "commission", "reference": "AGENT1" }, "percent": "10" }],
    });
    let resolution = json!({ "refund": { "refund_no": "r1", "amount": "20.00" } });
    vec![
        send(endpoint::RELEASES, "a milestone, with a payee of its own", &[MALL, "no:A-1"], release),
        send(endpoint::DISPUTE, "nothing to say", &[MALL, "no:A-1"], json!({})),
        get(endpoint::DISPUTE_SHOW, &[MALL, "no:A-1"]),
        send(endpoint::RESOLVE, "part goes back", &[MALL, "no:A-1"], resolution),
        send(endpoint::CONFIRM, "nothing to say", &[MALL, "no:A-1"], json!({})),
        send(
            endpoint::REFUNDS,
            "all the rest, after release",
            &[MALL, "no:A-1"],
            json!({ "refund_no": "r2" }),
        ),
    ]
}

fn asking() -> Vec<Example> {
    vec![
        get(endpoint::ORDER, &[MALL, "no:A-1"]),
        get(endpoint::ATTEMPTS, &[MALL, "no:A-2"]),
        get(endpoint::RELEASES_LIST, &[MALL, "no:A-1"]),
        get(endpoint::REFUNDS_LIST, &[MALL, "no:A-1"]),
        get(endpoint::EXPLAIN, &[MALL, "no:A-2"]),
        get(endpoint::ORDER_LIST, &[MALL]).with_query(
            "merchant=M0001&from=2026-01-01T00:00:00Z&until=2035-01-01T00:00:00%2B08:00&limit=10",
        ),
        get(endpoint::PLATFORM_REFUNDS, &[MALL]).with_query("limit=10&from=2026-01-01T00:00:00Z"),
        get(endpoint::PLATFORM_RELEASES, &[MALL]).with_query("limit=10"),
        get(endpoint::PLATFORM_DISPUTES, &[MALL]).with_query("limit=10"),
        get(endpoint::ACCOUNTS_LIST, &[MALL]).with_query("kind=cash&limit=10"),
        get(endpoint::MERCHANTS, &[MALL]),
        get(endpoint::ACCOUNT, &[MALL, "settlement", "M0001"]),
        get(endpoint::ENTRIES, &[MALL, "settlement", "M0001"])
            .with_query("limit=10&from=2026-01-01T00:00:00Z"),
        get(endpoint::ACCOUNT_BY_ID, &["1"]).with_status(404),
    ]
}

fn exceptions() -> Vec<Example> {
    let by_hand = json!({ "way": "outside", "note": "bank transfer 4711" });
    vec![
        get(endpoint::EVENTS, &[MALL]).with_query("limit=10"),
        get(endpoint::EVENT, &[MALL, "ev_0_0"]).with_status(404),
        get(endpoint::RESEND, &[MALL, "ev_0_0"]).with_status(404),
        get(endpoint::DELIVERIES, &[MALL]).with_query("state=dead&limit=10"),
        get(endpoint::EXCEPTIONS, &[MALL]),
        send(endpoint::FINISH_REFUND, "somebody paid by hand", &[MALL, "no:A-1", "9"], by_hand)
            .with_status(404),
        send(endpoint::RETURN_PARKED, "nothing to say", &[MALL, "no:A-1", "9"], json!({})).with_status(404),
        send(endpoint::REOPEN, "nothing to say", &[MALL, "no:A-1", "9"], json!({})).with_status(409),
    ]
}

fn routing() -> Vec<Example> {
    let rules = json!({
        "version": 2, "order": ["rules", "cost"],
        "rules": [
            { "name": "small", "when": [[{ "key": "amount", "until": "50.00" }]],
              "split": [{ "channel": "wechat", "weight": 70 }, { "channel": "alipay", "weight": 30 }] },
            { "name": "rest", "strategy": "success" },
        ],
    });
    let question = json!({ "kind": "gateway", "amount": "20.00", "bank": "ICBC", "card_type": "debit" });
    vec![
        get(endpoint::RULES, &[MALL]),
        send(endpoint::WHAT_IF, "a small payment", &[MALL], question),
        send(
            endpoint::BACK_TEST,
            "cheapest first, on the archive",
            &[MALL],
            json!({ "rules": { "order": ["cost"] } }),
        ),
        send(endpoint::RULES_PUT, "small payments divided, the rest by success", &[MALL], rules),
        get(endpoint::CHANNEL_HEALTH, &[MALL]),
    ]
}

fn operator() -> Vec<Example> {
    let notification = json!({
        "payment_no": "000000000000000001", "channel_no": "C-1", "status": "succeeded", "amount": "128.00",
        "currency": "CNY",
    });
    vec![
        get(endpoint::PLATFORMS, &[]),
        get(endpoint::CHANNELS, &[]),
        get(endpoint::ALL_EXCEPTIONS, &[]),
        send(endpoint::NOTIFICATIONS, "of a payment that nobody knows", &["icbc"], notification)
            .with_status(404),
        get(endpoint::TRIAL_BALANCE, &[]),
        get(endpoint::BOOKS, &[]),
        get(endpoint::AUDIT, &[]).with_query("limit=10"),
        get(endpoint::ENGINE_KEY, &[]).with_status(404),
        get(endpoint::LIVE, &[]),
        get(endpoint::READY, &[]),
        get(endpoint::METRICS, &[]),
        get(endpoint::OPENAPI, &[]),
        get(endpoint::DOCS, &[]),
        get(endpoint::HOME, &[]),
    ]
}
