//! Batches of orders: read order by order as they come, and answered with a result for each.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::receipt::RECEIPT_BYTES;
use super::{Object, OrderIn, ReceiptOut};
use crate::problem::ProblemBody;

/// What an order is likely to take at least; where orders are smaller, room is made for more on the way.
const LIKELY_BYTES: usize = 512;

/// Hands every order of a batch to `read` as soon as its end is seen, so that thousands of them need no room before they are
/// looked at. Nothing when the batch is not the plain form of one, or has more than `most` orders: then somebody
/// else finds out what is wrong with it.
pub fn each_order<'a, T>(
    batch: &'a [u8],
    most: usize,
    read: impl FnMut(&OrderIn<'a>) -> T,
) -> Option<Vec<T>> {
    let mut json = serde_json::Deserializer::from_str(str::from_utf8(batch).ok()?);
    let likely = most.min(batch.len() / LIKELY_BYTES);
    let results = Batch { most, likely, read }.deserialize(&mut json).ok()?;
    json.end().ok()?;
    Some(results)
}

struct Batch<F> {
    most: usize,
    likely: usize,
    read: F,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Field {
    Orders,
}

impl<'de, T, F: FnMut(&OrderIn<'de>) -> T> DeserializeSeed<'de> for Batch<F> {
    type Value = Vec<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T, F: FnMut(&OrderIn<'de>) -> T> Visitor<'de> for Batch<F> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with orders")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Some(Field::Orders) = map.next_key()? else { return Err(A::Error::missing_field("orders")) };
        let results = map.next_value_seed(List(self))?;
        match map.next_key::<Field>()? {
            Some(Field::Orders) => Err(A::Error::duplicate_field("orders")),
            None => Ok(results),
        }
    }
}

struct List<F>(Batch<F>);

impl<'de, T, F: FnMut(&OrderIn<'de>) -> T> DeserializeSeed<'de> for List<F> {
    type Value = Vec<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T, F: FnMut(&OrderIn<'de>) -> T> Visitor<'de> for List<F> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of orders")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut orders: A) -> Result<Self::Value, A::Error> {
        let Batch { most, likely, mut read } = self.0;
        let mut results = Vec::with_capacity(likely);
        while let Some(order) = orders.next_element::<Object<OrderIn<'de>>>()? {
            if results.len() == most {
                return Err(A::Error::custom("too many orders"));
            }
            results.push(read(&order));
        }
        Ok(results)
    }
}

/// One result of a batch: what the order would have been answered alone.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "BatchResult")]
pub enum ResultOut<'a> {
    /// It was recorded, now or before.
    Receipt {
        /// The status of HTTP.
        status: u16,
        /// What was recorded.
        receipt: ReceiptOut<'a>,
    },
    /// It was refused.
    Problem {
        /// The status of HTTP.
        status: u16,
        /// Why.
        problem: ProblemBody<'a>,
    },
}

/// What became of a batch.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BatchResults")]
pub struct BatchOut<'a> {
    /// In the order of the orders.
    pub results: Vec<ResultOut<'a>>,
}

impl BatchOut<'_> {
    /// The JSON of it, byte for byte as serde would write it, in a fraction of the time.
    ///
    /// # Errors
    /// When a problem cannot be written: a bug.
    pub fn json(&self) -> serde_json::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(RECEIPT_BYTES * (self.results.len() + 1));
        bytes.extend_from_slice(b"{\"results\":[");
        for (place, result) in self.results.iter().enumerate() {
            if place > 0 {
                bytes.push(b',');
            }
            match result {
                ResultOut::Receipt { status, receipt } => {
                    bytes.extend_from_slice(b"{\"status\":");
                    serde_json::to_writer(&mut bytes, status)?;
                    bytes.extend_from_slice(b",\"receipt\":");
                    receipt.write(&mut bytes)?;
                    bytes.push(b'}');
                }
                ResultOut::Problem { .. } => serde_json::to_writer(&mut bytes, result)?,
            }
        }
        bytes.extend_from_slice(b"]}");
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use suanpan_model::RejectCode;

    use super::super::receipt::tests::receipts;
    use super::*;
    use crate::problem::Problem;

    fn numbers(batch: &str, most: usize) -> Option<Vec<Option<String>>> {
        each_order(batch.as_bytes(), most, |order| order.order_no.as_ref().map(|no| no.to_string()))
    }

    #[test]
    fn only_the_plain_form_of_a_batch_is_read() {
        let two = Some(vec![Some("a".to_owned()), None]);
        assert_eq!(numbers(r#"{"orders": [{"order_no": "a"}, {}]}"#, 2), two);
        assert_eq!(numbers(r#"{"orders": []}"#, 2), Some(vec![]));
        for other in [
            r#"{"orders": [{"order_no": "a"}, {}, {}]}"#,
            r#"{"orders": [{"order_no": 1}]}"#,
            r#"{"orders": [{"unknown": 1}]}"#,
            r#"{"orders": [["a"]]}"#,
            r#"{"orders": [{}], "orders": []}"#,
            r#"{"orders": [{}], "more": 1}"#,
            r#"{"more": 1, "orders": [{}]}"#,
            r#"{"orders": [{}]} {}"#,
            r#"{"orders": [{}]"#,
            r#"{"orders": {}}"#,
            "{}",
            "[]",
            "",
        ] {
            assert_eq!(numbers(other, 2), None, "{other}");
        }
        assert!(each_order(b"{\"orders\": [{\"order_no\": \"\xff\"}]}", 2, |_| ()).is_none());
    }

    proptest! {
        #[test]
        fn results_are_written_as_serde_writes_them(
            receipts in proptest::collection::vec(receipts(), 0..4),
            refused: bool,
            detail: String,
        ) {
            let problem = Problem::new(RejectCode::AmountZero, "amount", detail);
            let mut results: Vec<_> =
                receipts.iter().map(|receipt| ResultOut::Receipt { status: 201, receipt: receipt.receipt() }).collect();
            if refused {
                results.insert(0, ResultOut::Problem { status: problem.status(), problem: problem.body() });
            }
            let out = BatchOut { results };
            prop_assert_eq!(String::from_utf8(out.json().unwrap()).unwrap(), serde_json::to_string(&out).unwrap());
        }
    }
}
