//! What was checked, and what was found.

/// Faults of one check that are told.
const TOLD: usize = 20;

#[derive(Debug)]
struct Check {
    what: String,
    counts: String,
    faults: Vec<String>,
}

/// Checks and notes, in the order in which they were made.
#[derive(Debug, Default)]
pub struct Findings {
    checks: Vec<Check>,
    notes: Vec<String>,
}

impl Findings {
    /// A check was made; without faults it is passed.
    pub fn check(&mut self, what: impl Into<String>, counts: String, faults: Vec<String>) {
        self.checks.push(Check { what: what.into(), counts, faults });
    }

    /// Something that is no fault but should be known.
    pub fn note(&mut self, what: &str) {
        self.notes.push(what.to_owned());
    }

    /// How many checks failed.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.checks.iter().filter(|check| !check.faults.is_empty()).count()
    }

    /// Prints all checks, then what is wrong.
    pub fn print(&self) {
        let width = |text: fn(&Check) -> &str| {
            self.checks.iter().map(|check| text(check).chars().count()).max().unwrap_or(0)
        };
        let (what_width, counts_width) = (width(|check| &check.what), width(|check| &check.counts));
        println!("checks");
        for Check { what, counts, faults } in &self.checks {
            let verdict = if faults.is_empty() { "ok" } else { "FAILED" };
            println!("  {what:what_width$}  {counts:counts_width$}  {verdict}");
        }
        for check in self.checks.iter().filter(|check| !check.faults.is_empty()) {
            println!("{}:", check.what);
            check.faults.iter().take(TOLD).for_each(|fault| println!("  {fault}"));
            if check.faults.len() > TOLD {
                println!("  and {} more", check.faults.len() - TOLD);
            }
        }
        self.notes.iter().for_each(|note| println!("note: {note}"));
    }
}
