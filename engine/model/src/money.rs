//! Money: an integer of minor units and its currency. No float, no silent overflow.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Largest amount that one order, hold or posting may carry, in minor units (ten billion yuan).
///
/// Balances are summed in 128 bits, so no number of postings of this size can overflow one.
pub const MAX_AMOUNT_MINOR: i64 = 1_000_000_000_000;

/// A currency of ISO 4217.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Currency {
    /// Renminbi, the default.
    #[default]
    Cny = 0,
    /// US dollar.
    Usd = 1,
    /// Euro.
    Eur = 2,
    /// Hong Kong dollar.
    Hkd = 3,
    /// Japanese yen: no minor unit.
    Jpy = 4,
    /// Pound sterling.
    Gbp = 5,
    /// No money: coupons are counted in it, so that the ledger's rules hold for them too.
    Pieces = 6,
}

impl Currency {
    /// Every currency the engine knows.
    pub const ALL: [Self; 7] =
        [Self::Cny, Self::Usd, Self::Eur, Self::Hkd, Self::Jpy, Self::Gbp, Self::Pieces];

    /// The code of ISO 4217, for example `CNY`; `pieces` for what is no money.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Cny => "CNY",
            Self::Usd => "USD",
            Self::Eur => "EUR",
            Self::Hkd => "HKD",
            Self::Jpy => "JPY",
            Self::Gbp => "GBP",
            Self::Pieces => "pieces",
        }
    }

    /// How many decimals an amount has (ISO 4217 minor unit).
    #[must_use]
    pub const fn decimals(self) -> u32 {
        match self {
            Self::Jpy | Self::Pieces => 0,
            Self::Cny | Self::Usd | Self::Eur | Self::Hkd | Self::Gbp => 2,
        }
    }

    /// The currency with this code of ISO 4217, if the engine knows it.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().filter(|currency| currency.is_money()).find(|currency| currency.code() == code)
    }

    /// Whether it is money.
    #[must_use]
    pub const fn is_money(self) -> bool {
        !matches!(self, Self::Pieces)
    }

    /// The currency with this index in [`Currency::ALL`], as it stands in account numbers.
    #[must_use]
    pub fn from_index(index: u8) -> Option<Self> {
        Self::ALL.get(usize::from(index)).copied()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// What is wrong with a text that should be an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not of the form `digits[.digits]`.
    #[error("expected a decimal number such as 12.34, without sign, spaces or exponent")]
    Malformed,
    /// More decimals than the currency has.
    #[error("more decimals than the currency has")]
    TooManyDecimals,
    /// Above [`MAX_AMOUNT_MINOR`].
    #[error("above the largest amount, {MAX_AMOUNT_MINOR} minor units")]
    TooLarge,
}

/// A sum of money in minor units (fen, cents) of a currency named beside it; never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Amount(u64);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest amount of one order, hold or posting.
    pub const MAX: Self = Self(MAX_AMOUNT_MINOR.unsigned_abs());

    /// An amount of `minor` units.
    #[must_use]
    pub const fn from_minor(minor: u64) -> Self {
        Self(minor)
    }

    /// Minor units.
    #[must_use]
    pub const fn minor(self) -> u64 {
        self.0
    }

    /// Minor units, widened and signed, for sums.
    #[must_use]
    pub const fn signed(self) -> i128 {
        self.0 as i128
    }

    /// Whether this is nothing.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum, if it does not overflow.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, if it is not negative.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The sum of amounts that an earlier check has bounded.
    ///
    /// # Panics
    /// On overflow, which is a bug: the check is missing.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.checked_add(other).expect("a sum of checked amounts overflows")
    }

    /// The difference of amounts of which an earlier check has shown that it is not negative.
    ///
    /// # Panics
    /// When `other` is larger, which is a bug: the check is missing.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        self.checked_sub(other).expect("a difference of checked amounts is negative")
    }

    /// Reads `digits[.digits]` with at most the currency's decimals; no sign, no exponent, no spaces.
    ///
    /// # Errors
    /// Malformed, then too many decimals, then too large.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let (whole, fraction) = match text.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return Err(MoneyError::Malformed),
            None => (text, ""),
        };
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) {
            return Err(MoneyError::Malformed);
        }
        let decimals = currency.decimals() as usize;
        if fraction.len() > decimals {
            return Err(MoneyError::TooManyDecimals);
        }
        let padding = std::iter::repeat_n(b'0', decimals - fraction.len());
        let mut minor: u64 = 0;
        for byte in whole.bytes().chain(fraction.bytes()).chain(padding) {
            minor = minor
                .checked_mul(10)
                .and_then(|value| value.checked_add(u64::from(byte - b'0')))
                .filter(|value| *value <= Self::MAX.0)
                .ok_or(MoneyError::TooLarge)?;
        }
        Ok(Self(minor))
    }

    /// The amount as decimal text, for example `12.34`.
    #[must_use]
    pub fn to_text(self, currency: Currency) -> String {
        signed_text(self.signed(), currency)
    }
}

/// A signed sum of minor units as decimal text, for example `-0.05`.
#[must_use]
pub fn signed_text(minor: i128, currency: Currency) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    let units = 10_u128.pow(currency.decimals());
    let magnitude = minor.unsigned_abs();
    match currency.decimals() {
        0 => format!("{sign}{magnitude}"),
        decimals => {
            format!("{sign}{}.{:0width$}", magnitude / units, magnitude % units, width = decimals as usize)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_exactly_or_refused() {
        let table = [
            ("0.01", Ok(1)),
            ("12.34", Ok(1234)),
            ("12.3", Ok(1230)),
            ("12", Ok(1200)),
            ("007.50", Ok(750)),
            ("10000000000.00", Ok(1_000_000_000_000)),
            ("10000000000.01", Err(MoneyError::TooLarge)),
            ("99999999999999999999999", Err(MoneyError::TooLarge)),
            ("0.001", Err(MoneyError::TooManyDecimals)),
            ("", Err(MoneyError::Malformed)),
            (".5", Err(MoneyError::Malformed)),
            ("5.", Err(MoneyError::Malformed)),
            ("-1.00", Err(MoneyError::Malformed)),
            ("+1.00", Err(MoneyError::Malformed)),
            ("1e3", Err(MoneyError::Malformed)),
            ("1,000.00", Err(MoneyError::Malformed)),
            ("１.00", Err(MoneyError::Malformed)),
            (" 1.00", Err(MoneyError::Malformed)),
        ];
        for (text, expected) in table {
            assert_eq!(Amount::parse(text, Currency::Cny).map(Amount::minor), expected, "{text:?}");
        }
        assert_eq!(Amount::parse("1200", Currency::Jpy).map(Amount::minor), Ok(1200));
        assert_eq!(Amount::parse("1200.5", Currency::Jpy), Err(MoneyError::TooManyDecimals));
    }

    #[test]
    fn amounts_are_written_as_they_are_read() {
        for minor in [0_u64, 1, 5, 99, 100, 101, 123_456_789] {
            let amount = Amount::from_minor(minor);
            assert_eq!(Amount::parse(&amount.to_text(Currency::Cny), Currency::Cny), Ok(amount));
        }
        assert_eq!(signed_text(-5, Currency::Cny), "-0.05");
        assert_eq!(signed_text(-5, Currency::Jpy), "-5");
    }
}
