//! Bodies of orders that are written once: an order differs from others of its template in number and payer alone, so the
//! rest of the text is kept, and an order costs the generator two copies.

use super::body::{self, Names};
use crate::order_no::payer;
use crate::workload::Workload;

/// The texts of a workload's orders.
pub struct Bodies<'a> {
    workload: &'a Workload,
    /// What follows the payer, by template.
    rests: Vec<String>,
}

impl<'a> Bodies<'a> {
    /// The bodies of `workload`, whose accounts have these names.
    #[must_use]
    pub fn new(workload: &'a Workload, names: &Names) -> Self {
        let rest = |template: &crate::workload::Template| {
            let text = body::order(&template.terms, names);
            // Number and payer stand first, and are texts without quotes.
            let begin = text.find("\"amount\"").unwrap_or(0);
            text[begin..].to_owned()
        };
        Self { workload, rests: workload.templates().iter().map(rest).collect() }
    }

    /// The workload.
    #[must_use]
    pub const fn workload(&self) -> &'a Workload {
        self.workload
    }

    /// Writes order number `count`.
    fn one(&self, count: u64, text: &mut Vec<u8>) {
        let number = self.workload.order_no(count);
        let payer = payer(self.workload.buyer_of(count) as u64);
        text.extend_from_slice(b"{\"order_no\":\"");
        text.extend_from_slice(number.as_bytes());
        text.extend_from_slice(b"\",\"payer\":\"");
        text.extend_from_slice(payer.as_bytes());
        text.extend_from_slice(b"\",");
        text.extend_from_slice(self.rests[self.workload.template_of(count)].as_bytes());
    }

    /// Writes a request's body: the order `first`, or a batch of orders from it on.
    pub fn write(&self, first: u64, batch: usize, text: &mut Vec<u8>) {
        if batch == 1 {
            return self.one(first, text);
        }
        text.extend_from_slice(b"{\"orders\":[");
        for count in first..first + batch as u64 {
            if count > first {
                text.push(b',');
            }
            self.one(count, text);
        }
        text.extend_from_slice(b"]}");
    }
}
