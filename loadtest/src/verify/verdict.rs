//! What was compared, and what differs.

/// What was compared, and what differs.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// How many figures were compared.
    pub compared: u64,
    /// Orders that were looked up and are as expected.
    pub sampled: u64,
    /// How many figures differ.
    pub count: u64,
    /// The first of them in words.
    pub differences: Vec<String>,
}

impl Verdict {
    /// Compares one figure.
    pub fn expect<V: PartialEq + std::fmt::Debug>(
        &mut self,
        what: impl FnOnce() -> String,
        expected: &V,
        found: &V,
    ) {
        self.compared += 1;
        if expected != found {
            self.differ(|| format!("{}: expected {expected:?}, found {found:?}", what()));
        }
    }

    /// Records a difference.
    pub fn differ(&mut self, what: impl FnOnce() -> String) {
        const TOLD: usize = 50;
        self.count += 1;
        if self.differences.len() < TOLD {
            self.differences.push(what());
        }
    }
}
