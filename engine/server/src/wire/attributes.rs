//! What an order says about itself for routing rules to look at.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use smol_str::SmolStr;
use suanpan_model::{Holder, OrderAttributes, RejectCode};

use super::forms::{Checked, Refusal, is_line};
use super::{Text, schema};

/// Longest category in characters.
const CATEGORY_MAX: usize = 64;

/// Reads category, holder and the payer's attributes; nothing when none of them is said.
///
/// # Errors
/// `invalid_field` of the first that is not allowed.
pub(super) fn attributes(
    category: Option<&Text<'_>>,
    holder: Option<&Text<'_>>,
    payer: Vec<(SmolStr, SmolStr)>,
) -> Checked<Option<Box<OrderAttributes>>> {
    let category = category.map_or("", |text| &**text);
    if !is_line(category, CATEGORY_MAX) {
        let expected = format!("at most {CATEGORY_MAX} characters without control characters");
        return Err(Refusal::new(RejectCode::InvalidField, "category", expected));
    }
    let read = |name: &Text<'_>| {
        let refused = || Refusal::new(RejectCode::InvalidField, "holder", "person or company");
        Holder::from_name(name).ok_or_else(refused)
    };
    let holder = holder.map(read).transpose()?;
    let said = OrderAttributes { category: category.into(), holder, payer };
    Ok((!said.is_empty()).then(|| Box::new(said)))
}

/// The same as it is told.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Attributes")]
pub(super) struct AttributesOut<'a> {
    category: &'a str,
    #[schemars(with = "Option<schema::HolderName>")]
    holder: Option<&'static str>,
    payer: BTreeMap<&'a str, &'a str>,
}

impl<'a> AttributesOut<'a> {
    pub(super) fn new(said: &'a OrderAttributes) -> Self {
        Self {
            category: &said.category,
            holder: said.holder.map(Holder::name),
            payer: said.payer.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        }
    }
}
