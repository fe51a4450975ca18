//! Orders as JSON, and answers read.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use suanpan_model::{AccountId, AccountType, Amount, OrderTerms, PayKind, Reject, RejectCode, Share};

use super::pool::{HttpAnswer, NoAnswer};
use crate::world::CURRENCY;

/// What the platform calls its accounts.
#[derive(Clone, Debug, Default)]
pub struct Names(FxHashMap<AccountId, SmolStr>);

impl Names {
    /// Notes the name of an account.
    pub fn insert(&mut self, account: AccountId, name: SmolStr) {
        self.0.insert(account, name);
    }

    fn of(&self, account: AccountId) -> &str {
        self.0.get(&account).map_or("", SmolStr::as_str)
    }
}

#[derive(Serialize)]
struct OrderBody<'a> {
    order_no: &'a str,
    payer: &'a str,
    amount: String,
    kind: &'static str,
    merchant: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    bank: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    card_type: Option<&'static str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    agreement_no: &'a str,
    description: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    coupons: Vec<CouponBody>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    splits: Vec<SplitBody<'a>>,
}

#[derive(Serialize)]
struct CouponBody {
    campaign: u32,
}

#[derive(Serialize)]
struct SplitBody<'a> {
    receiver: Receiver<'a>,
    percent: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Receiver<'a> {
    Named(&'static str),
    Account { kind: &'static str, reference: &'a str },
}

/// One order as the API takes it.
#[must_use]
pub fn order(terms: &OrderTerms, names: &Names) -> String {
    let splits = terms.splits.iter().map(|rule| {
        let receiver = match rule.receiver.kind() {
            AccountType::CommissionIncome => Receiver::Named("platform"),
            kind => Receiver::Account { kind: kind.name(), reference: names.of(rule.receiver) },
        };
        let percent = match rule.share {
            Share::Bps(bps) => format!("{}.{:02}", bps / 100, bps % 100),
            // The workloads share by percentage alone.
            Share::Fixed(_) | Share::Tiered(_) | Share::Remainder => String::new(),
        };
        SplitBody { receiver, percent }
    });
    let body = OrderBody {
        order_no: &terms.order_no,
        payer: &terms.payer,
        amount: terms.amount.to_text(CURRENCY),
        kind: terms.kind.name(),
        merchant: terms.sub_orders.first().map_or("", |part| names.of(part.merchant)),
        bank: terms.bank.map(|bank| bank.to_string()),
        card_type: terms.card_type.filter(|_| terms.kind != PayKind::Balance).map(|card| card.name()),
        agreement_no: &terms.agreement_no,
        description: &terms.description,
        coupons: terms.coupons.iter().map(|coupon| CouponBody { campaign: coupon.campaign.0 }).collect(),
        splits: splits.collect(),
    };
    // A tree of texts and numbers can always be written.
    serde_json::to_string(&body).unwrap_or_default()
}

/// Many orders as the API takes them.
#[must_use]
pub fn batch(orders: &[Arc<OrderTerms>], names: &Names) -> String {
    let orders: Vec<String> = orders.iter().map(|terms| order(terms, names)).collect();
    format!("{{\"orders\":[{}]}}", orders.join(","))
}

/// A release of this much; everything when absent.
#[must_use]
pub fn release(amount: Option<Amount>) -> String {
    amount.map_or_else(String::new, |amount| {
        let amount = amount.to_text(CURRENCY);
        format!("{{\"release_no\":\"part-1\",\"amount\":\"{amount}\",\"currency\":\"{}\"}}", CURRENCY.code())
    })
}

/// A refund of this much; everything when absent.
#[must_use]
pub fn refund(amount: Option<Amount>) -> String {
    match amount {
        Some(amount) => {
            let amount = amount.to_text(CURRENCY);
            format!(
                "{{\"refund_no\":\"refund-1\",\"amount\":\"{amount}\",\"currency\":\"{}\"}}",
                CURRENCY.code()
            )
        }
        None => "{\"refund_no\":\"refund-1\"}".to_owned(),
    }
}

/// What the API says of an order, in a receipt, a summary or its whole life.
#[derive(Debug, Deserialize)]
pub struct OrderOut {
    /// The engine's number.
    pub order: String,
    /// Where it stands, where the answer says.
    #[serde(default)]
    pub status: String,
    /// `repeat` when nothing happened now.
    #[serde(default)]
    pub result: String,
    /// What went or goes back.
    #[serde(default)]
    pub refunds: Vec<RefundOut>,
}

/// A refund of an order.
#[derive(Debug, Deserialize)]
pub struct RefundOut {
    /// How far it is.
    pub state: String,
}

/// The results of a batch.
#[derive(Debug, Deserialize)]
pub struct BatchOut {
    /// One for each order.
    pub results: Vec<ResultOut>,
}

/// One result of a batch.
#[derive(Debug, Deserialize)]
pub struct ResultOut {
    /// As of a request of its own.
    pub status: u16,
    /// What was recorded.
    pub receipt: Option<OrderOut>,
    /// Why it was refused.
    pub problem: Option<ProblemOut>,
}

/// Why something was refused.
#[derive(Debug, Deserialize)]
pub struct ProblemOut {
    /// The stable code.
    pub code: String,
    /// What was expected.
    #[serde(default)]
    pub detail: String,
}

impl ProblemOut {
    /// The same as the engine says it.
    #[must_use]
    pub fn reject(&self, status: u16) -> Reject {
        let known = RejectCode::ALL.iter().find(|code| code.code() == self.code).copied();
        let code = known.unwrap_or(match (self.code.as_str(), status) {
            // A server that has just started: the same again a moment later, signed anew.
            ("signed_before_start", _) | (_, 429 | 503) => RejectCode::Busy,
            _ => RejectCode::InvalidField,
        });
        Reject::new(code, "", format!("{status} {}: {}", self.code, self.detail))
    }
}

/// Reads an answer; what is no success, or no answer, becomes a refusal.
///
/// # Errors
/// The refusal; `unavailable` when what became of the request is not known.
pub fn read<T: for<'a> Deserialize<'a>>(answer: Result<HttpAnswer, NoAnswer>) -> Result<(u16, T), Reject> {
    let unknown = |why: String| Reject::new(RejectCode::Unavailable, "", why);
    let HttpAnswer { status, body } = answer.map_err(|fault| unknown(fault.to_string()))?;
    if (200..300).contains(&status) {
        let read = serde_json::from_slice(&body);
        return read.map(|read| (status, read)).map_err(|fault| unknown(format!("unreadable: {fault}")));
    }
    match serde_json::from_slice::<ProblemOut>(&body) {
        Ok(problem) => Err(problem.reject(status)),
        Err(_) => {
            let code =
                if status == 429 || status == 503 { RejectCode::Busy } else { RejectCode::InvalidField };
            Err(Reject::new(code, "", format!("status {status} without a problem body")))
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::body::Bytes;

    use super::*;

    #[test]
    fn answers_are_read_and_refusals_keep_their_codes() {
        let answer =
            |status, text: &'static str| Ok(HttpAnswer { status, body: Bytes::from_static(text.as_bytes()) });
        let (status, order): (u16, OrderOut) =
            read(answer(201, r#"{"order":"77","order_no":"a","amount":"1.00"}"#)).unwrap();
        assert_eq!((status, order.order.as_str()), (201, "77"));
        let refused = |status, text| read::<OrderOut>(answer(status, text)).unwrap_err().code;
        assert_eq!(refused(422, r#"{"code":"coupon_sold_out"}"#), RejectCode::CouponSoldOut);
        assert_eq!(refused(503, r#"{"code":"busy"}"#), RejectCode::Busy);
        assert_eq!(refused(503, "<html>"), RejectCode::Busy);
        assert_eq!(refused(401, r#"{"code":"signed_before_start"}"#), RejectCode::Busy);
        assert_eq!(refused(401, r#"{"code":"signature_wrong"}"#), RejectCode::InvalidField);
        assert_eq!(refused(200, "tea"), RejectCode::Unavailable);
        assert_eq!(read::<OrderOut>(Err(NoAnswer::Broken)).unwrap_err().code, RejectCode::Unavailable);
    }

    #[test]
    fn parts_are_written_with_their_currency() {
        assert_eq!(release(None), "");
        let text = release(Some(Amount::from_minor(1_205)));
        assert_eq!(text, r#"{"release_no":"part-1","amount":"12.05","currency":"CNY"}"#);
        assert_eq!(refund(None), r#"{"refund_no":"refund-1"}"#);
    }
}
