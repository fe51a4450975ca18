//! Short answers about an order.

use schemars::JsonSchema;
use serde::Serialize;
use suanpan_model::{OrderId, OrderTerms, PayerAction};
use suanpan_runtime::api::OrderSummary;

use super::schema;
use super::short::{Instant, Short};

/// What was recorded: follows from number and terms alone, so a repeat of the order gets the same bytes, whatever
/// has become of the order since.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Receipt")]
pub struct ReceiptOut<'a> {
    #[schemars(with = "schema::Number")]
    order: Short,
    order_no: &'a str,
    #[schemars(with = "schema::AmountText")]
    amount: Short,
    #[schemars(with = "schema::AmountText")]
    payable: Short,
    #[schemars(with = "schema::AmountText")]
    subsidy: Short,
    #[schemars(with = "schema::CurrencyCode")]
    currency: &'static str,
    #[schemars(with = "schema::PayKindName")]
    kind: &'static str,
    escrow: bool,
    #[schemars(with = "schema::ToldInstant")]
    expires_at: Instant,
    /// Where the order stands, when the caller asked to wait for it; the only part that changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<NowOut>,
}

/// Bytes that most receipts fit in.
pub(super) const RECEIPT_BYTES: usize = 320;

impl<'a> ReceiptOut<'a> {
    /// The receipt of an order.
    #[must_use]
    pub fn new(order: OrderId, terms: &'a OrderTerms, now: Option<NowOut>) -> Self {
        let currency = terms.currency;
        Self {
            order: Short::order(order),
            order_no: &terms.order_no,
            amount: Short::amount(terms.amount, currency),
            payable: Short::amount(terms.payable(), currency),
            subsidy: Short::amount(terms.subsidy(), currency),
            currency: currency.code(),
            kind: terms.kind.name(),
            escrow: terms.escrow,
            expires_at: Instant::new(terms.expires_at),
            now,
        }
    }

    /// The JSON of it.
    ///
    /// # Errors
    /// As [`ReceiptOut::write`].
    pub fn json(&self) -> serde_json::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(RECEIPT_BYTES);
        self.write(&mut bytes).map(|()| bytes)
    }

    /// Appends the JSON of it, byte for byte as serde would write it, in a fraction of the time: a batch has thousands.
    ///
    /// # Errors
    /// When serde, which writes what is rare, cannot: a bug.
    pub fn write(&self, bytes: &mut Vec<u8>) -> serde_json::Result<()> {
        let Self { order, order_no, amount, payable, subsidy, currency, kind, escrow, expires_at, now } =
            self;
        bytes.extend_from_slice(b"{\"order\":\"");
        bytes.extend_from_slice(order.as_bytes());
        bytes.extend_from_slice(b"\",\"order_no\":");
        write_text(order_no, bytes)?;
        let mut plain = |before: &[u8], value: &[u8]| {
            bytes.extend_from_slice(before);
            bytes.extend_from_slice(value);
        };
        plain(b",\"amount\":\"", amount.as_bytes());
        plain(b"\",\"payable\":\"", payable.as_bytes());
        plain(b"\",\"subsidy\":\"", subsidy.as_bytes());
        plain(b"\",\"currency\":\"", currency.as_bytes());
        plain(b"\",\"kind\":\"", kind.as_bytes());
        plain(b"\",\"escrow\":", if *escrow { b"true" } else { b"false" });
        plain(b",\"expires_at\":\"", expires_at.as_bytes());
        plain(b"\"", b"");
        if let Some(now) = now {
            bytes.extend_from_slice(b",\"now\":");
            serde_json::to_writer(&mut *bytes, now)?;
        }
        bytes.push(b'}');
        Ok(())
    }
}

/// Appends a JSON string; serde writes one that needs escapes.
fn write_text(text: &str, bytes: &mut Vec<u8>) -> serde_json::Result<()> {
    let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    if !text.bytes().fold(true, |plain, byte| plain & is_plain(byte)) {
        return serde_json::to_writer(bytes, text);
    }
    bytes.push(b'"');
    bytes.extend_from_slice(text.as_bytes());
    bytes.push(b'"');
    Ok(())
}

/// Where an order stands.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Now")]
pub struct NowOut {
    #[schemars(with = "schema::OrderStatusName")]
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<ActionOut>,
}

impl NowOut {
    /// Status and what the payer has to do.
    #[must_use]
    pub fn new(status: suanpan_model::OrderStatus, action: Option<&PayerAction>) -> Self {
        Self { status: status.name(), action: action.map(ActionOut::new) }
    }
}

/// What the payer has to do.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[schemars(rename = "PayerAction")]
pub enum ActionOut {
    /// Go to an address.
    Redirect {
        /// The address.
        url: String,
    },
    /// Type the code sent to the phone.
    SmsCode,
}

impl ActionOut {
    /// As the engine has it.
    #[must_use]
    pub fn new(action: &PayerAction) -> Self {
        match action {
            PayerAction::Redirect(url) => Self::Redirect { url: url.to_string() },
            PayerAction::SmsCode => Self::SmsCode,
        }
    }
}

/// What became of a command to an order.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CommandAnswer")]
pub struct SummaryOut {
    #[schemars(with = "schema::Number")]
    order: String,
    #[schemars(with = "schema::OrderStatusName")]
    status: &'static str,
    /// `moved`, or `repeat` when nothing happened now. A repeat by a number of the platform's own has the answer of the first
    /// time, so there it is always `moved`.
    #[schemars(with = "schema::CommandResult")]
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<ActionOut>,
}

impl SummaryOut {
    /// As the engine has it.
    #[must_use]
    pub fn new(summary: &OrderSummary) -> Self {
        let result = if summary.repeat { "repeat" } else { "moved" };
        Self::with_result(summary, result)
    }

    /// The answer to a request with a number of the platform's own: the same bytes the first time and every other.
    #[must_use]
    pub fn numbered(summary: &OrderSummary) -> Self {
        Self::with_result(summary, "moved")
    }

    fn with_result(summary: &OrderSummary, result: &'static str) -> Self {
        Self {
            order: summary.id.to_string(),
            status: summary.status.name(),
            result,
            action: summary.action.as_ref().map(ActionOut::new),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use suanpan_model::{Amount, Currency, OrderStatus, TimestampMs};

    use super::*;

    /// What receipts are made of.
    #[derive(Clone, Debug)]
    pub struct Parts {
        order: u64,
        order_no: String,
        amounts: [u64; 3],
        currency: Currency,
        escrow: bool,
        expires_at: u64,
        waits: Option<Option<String>>,
    }

    impl Parts {
        /// The receipt.
        pub fn receipt(&self) -> ReceiptOut<'_> {
            let [amount, payable, subsidy] =
                self.amounts.map(|minor| Short::amount(Amount::from_minor(minor), self.currency));
            let now = self.waits.as_ref().map(|url| {
                let action = url.as_ref().map(|url| PayerAction::Redirect(url.into()));
                NowOut::new(OrderStatus::Pending, action.as_ref())
            });
            ReceiptOut {
                order: Short::order(OrderId(self.order)),
                order_no: &self.order_no,
                amount,
                payable,
                subsidy,
                currency: self.currency.code(),
                kind: "gateway",
                escrow: self.escrow,
                expires_at: Instant::new(TimestampMs(self.expires_at)),
                now,
            }
        }
    }

    /// Receipts of every kind, some with texts that need escapes.
    pub fn receipts() -> impl Strategy<Value = Parts> {
        let texts = prop_oneof!["[ -~]{0,12}", any::<String>()];
        let waits = proptest::option::of(proptest::option::of(any::<String>()));
        let amounts = proptest::array::uniform3(0..=Amount::MAX.minor());
        let currencies = proptest::sample::select(Currency::ALL.to_vec());
        (any::<u64>(), texts, amounts, currencies, any::<bool>(), any::<u64>(), waits).prop_map(
            |(order, order_no, amounts, currency, escrow, expires_at, waits)| Parts {
                order,
                order_no,
                amounts,
                currency,
                escrow,
                expires_at,
                waits,
            },
        )
    }

    proptest! {
        #[test]
        fn receipts_are_written_as_serde_writes_them(parts in receipts()) {
            let receipt = parts.receipt();
            prop_assert_eq!(String::from_utf8(receipt.json().unwrap()).unwrap(), serde_json::to_string(&receipt).unwrap());
        }
    }
}
