//! Forms of single values, each with the refusal of what does not have it.

use std::borrow::Cow;

use smol_str::SmolStr;
use suanpan_model::{AccountType, Amount, CardType, Currency, MoneyError, PayKind, RejectCode};

use crate::problem::Problem;

/// Codes of every currency, for messages.
pub const CURRENCIES: &str = "CNY, USD, EUR, HKD, JPY or GBP";

/// Longest reference, order number and the like, in characters.
pub const REFERENCE_MAX: usize = 64;

/// A refusal of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The stable code.
    pub code: RejectCode,
    /// The field, as a path.
    pub field: Cow<'static, str>,
    /// What was expected.
    pub expected: Cow<'static, str>,
}

/// A value, or why it was refused.
pub type Checked<T> = Result<T, Refusal>;

impl Refusal {
    /// A refusal of `field`.
    #[must_use]
    pub fn new(
        code: RejectCode,
        field: impl Into<Cow<'static, str>>,
        expected: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { code, field: field.into(), expected: expected.into() }
    }

    /// The same refusal of a field inside `parent`.
    #[must_use]
    pub fn inside(mut self, parent: impl Into<String>) -> Self {
        let mut path = parent.into();
        path.push('.');
        path.push_str(&self.field);
        self.field = path.into();
        self
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.code, refusal.field, refusal.expected)
    }
}

/// Whether `text` can be a reference: 1 to 64 characters, none of them a control character.
#[must_use]
pub fn is_reference(text: &str) -> bool {
    !text.is_empty() && is_line(text, REFERENCE_MAX)
}

/// Whether `text` has at most `most` characters, none of them a control character.
#[must_use]
pub fn is_line(text: &str, most: usize) -> bool {
    // Most texts are short and plain: without a branch a byte, so that several are looked at in one step.
    if text.len() <= most && text.bytes().fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~')) {
        return true;
    }
    text.chars().take(most + 1).count() <= most && !text.chars().any(char::is_control)
}

/// A reference.
///
/// # Errors
/// `missing_field` when empty, `invalid_field` when too long or with control characters.
pub fn reference<'a>(field: &'static str, text: &'a str) -> Checked<&'a str> {
    if text.is_empty() {
        return Err(Refusal::new(RejectCode::MissingField, field, "1 to 64 characters"));
    }
    if is_reference(text) {
        return Ok(text);
    }
    Err(Refusal::new(RejectCode::InvalidField, field, "at most 64 characters without control characters"))
}

/// Free text on one line; empty when absent.
///
/// # Errors
/// `invalid_field` when it is longer than `most` characters or has control characters.
pub fn line(field: &'static str, text: Option<&str>, most: usize) -> Checked<SmolStr> {
    let text = text.unwrap_or_default();
    if !is_line(text, most) {
        let expected = format!("at most {most} characters without control characters");
        return Err(Refusal::new(RejectCode::InvalidField, field, expected));
    }
    Ok(text.into())
}

/// A currency by its code of ISO 4217.
///
/// # Errors
/// `unknown_currency`.
pub fn currency(field: &'static str, code: &str) -> Checked<Currency> {
    Currency::from_code(code).ok_or_else(|| Refusal::new(RejectCode::UnknownCurrency, field, CURRENCIES))
}

/// An amount.
///
/// # Errors
/// `invalid_field`, `amount_decimals`, `amount_too_large`.
pub fn amount(field: &'static str, text: &str, currency: Currency) -> Checked<Amount> {
    Amount::parse(text, currency).map_err(|fault| match fault {
        MoneyError::Malformed => {
            let expected = "a decimal number such as \"12.34\", without sign, spaces or exponent";
            Refusal::new(RejectCode::InvalidField, field, expected)
        }
        MoneyError::TooManyDecimals => {
            let expected = format!("at most {} decimals, as {currency} has", currency.decimals());
            Refusal::new(RejectCode::AmountDecimals, field, expected)
        }
        MoneyError::TooLarge => {
            let expected = format!("at most {} {currency}", Amount::MAX.to_text(currency));
            Refusal::new(RejectCode::AmountTooLarge, field, expected)
        }
    })
}

/// An amount above zero.
///
/// # Errors
/// As [`amount`], then `amount_zero`.
pub fn positive_amount(field: &'static str, text: &str, currency: Currency) -> Checked<Amount> {
    let amount = amount(field, text, currency)?;
    if amount.is_zero() {
        return Err(Refusal::new(RejectCode::AmountZero, field, "an amount above zero"));
    }
    Ok(amount)
}

/// A kind of payment by its name.
///
/// # Errors
/// `invalid_field`.
pub fn pay_kind(field: &'static str, name: &str) -> Checked<PayKind> {
    [PayKind::Gateway, PayKind::QuickPay, PayKind::Balance]
        .into_iter()
        .find(|kind| kind.name() == name)
        .ok_or_else(|| Refusal::new(RejectCode::InvalidField, field, "gateway, quick_pay or balance"))
}

/// A kind of card by its name.
#[must_use]
pub fn card_type(name: &str) -> Option<CardType> {
    [CardType::Debit, CardType::Credit].into_iter().find(|card_type| card_type.name() == name)
}

/// A type of account by its name.
///
/// # Errors
/// `invalid_field`.
pub fn account_kind(field: &'static str, name: &str) -> Checked<AccountType> {
    AccountType::from_name(name).ok_or_else(|| {
        let expected = "a type of account: cash, settlement, marketing, wealth, deposit, commission";
        Refusal::new(RejectCode::InvalidField, field, expected)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_line_by_definition(text: &str, most: usize) -> bool {
        text.chars().count() <= most && !text.chars().any(char::is_control)
    }

    #[test]
    fn every_character_alone_and_among_others() {
        for letter in (0..0x300).filter_map(char::from_u32).chain(['长', '\u{10ffff}']) {
            for text in [letter.to_string(), format!("a{letter}"), format!("{letter}~")] {
                for most in 0..4 {
                    assert_eq!(
                        is_line(&text, most),
                        is_line_by_definition(&text, most),
                        "{text:?} in {most}"
                    );
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_line_is_what_its_definition_says(text in prop_oneof!["[ -\u{ff}]{0,12}", any::<String>()], most in 0_usize..16) {
            prop_assert_eq!(is_line(&text, most), is_line_by_definition(&text, most));
        }
    }
}
