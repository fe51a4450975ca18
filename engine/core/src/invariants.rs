//! What must always be true, in one place: recovery checks it before work begins, tests, simulation, `suanpan verify` and
//! the load test look for it, and a break is told under the same id everywhere.
//!
//! A break is a sentence that begins with the id: `books-balance: the books in CNY do not sum to zero`.

use std::fmt;

macro_rules! invariants {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $sentence:literal;)*) => {
        /// Something that must always be true.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Invariant {
            $(#[doc = $sentence] $name,)*
        }

        impl Invariant {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The stable id.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $(Self::$name => $id,)* }
            }

            /// What must be true.
            #[must_use]
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence,)* }
            }
        }
    };
}

invariants! {
    BooksBalance = "books-balance", "Debits equal credits in every currency, at every position of the log.";
    EntriesBalance = "entries-balance", "The postings of every entry sum to zero.";
    HeldWithinPosted = "held-within-posted",
        "Never more is held on an account than it has, and no limited account goes below what it allows.";
    HeldIsHolds = "held-is-holds", "What is held on an account is the sum of its holds.";
    HoldsHaveOrders = "holds-have-orders", "Every hold belongs to an order that still needs it.";
    RollUp = "roll-up", "The roll-up of an account is the sum of the accounts below it.";
    OrderConserved = "order-conserved",
        "What was paid for an order is released, given back, or frozen for it: not a cent more or less.";
    RefundsWithinPaid = "refunds-within-paid", "Never more goes back to a payer than was paid.";
    Custody = "custody", "The escrow accounts hold what orders are owed, no more and no less.";
    CouponStock = "coupon-stock", "Coupons never cost more than their fund and their stock have.";
    DebtsRecovered = "debts-recovered",
        "Only who was short owes, and nobody owes while money of theirs is there to be taken.";
    OneAttemptAlive = "one-attempt-alive", "Of an order's attempts one at a time can still move money.";
    NoFailOverInDoubt = "no-fail-over-in-doubt",
        "Another channel is tried only after the one before said no, and never said that money moved.";
    NoDoubleCharge = "no-double-charge",
        "A payer who paid an order twice, or one that ended unpaid, gets the money back.";
    BooksAgree = "books-agree", "What the engine has of a payment or refund is what the channel's own book says.";
    AnsweredIsDurable = "answered-is-durable", "What was answered is there after every crash.";
    AnsweredOnce = "answered-once", "Every request that was let in is answered exactly once while the engine runs.";
    OneEffect = "one-effect", "However often something is asked for, it happens once.";
    RejectChangesNothing = "reject-changes-nothing", "What was refused did not happen.";
    ReplayEqualsLive = "replay-equals-live", "The log alone gives the state that the running engine has.";
    NoGaps = "no-gaps", "Positions of the log follow each other without gaps, and what is acknowledged stays.";
    StatementsComplete = "statements-complete",
        "The lines of an account's statement are its postings, each once, with the balance after it.";
    MallsTold = "malls-told",
        "What malls are told is what the log says, each thing once, numbered under its order without gaps.";
    EverythingEnds = "everything-ends", "Once the faults end, every order becomes final and nothing is left under way.";
    NoPanic = "no-panic", "No shard is stopped by a bug.";
}

impl Invariant {
    /// A break of it, in words.
    #[must_use]
    pub fn broken(self, what: impl fmt::Display) -> String {
        format!("{}: {what}", self.id())
    }

    /// The invariant that a break names.
    #[must_use]
    pub fn of(told: &str) -> Option<Self> {
        let (id, _) = told.split_once(':')?;
        Self::ALL.iter().copied().find(|known| known.id() == id)
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_found_again() {
        for invariant in Invariant::ALL {
            let told = invariant.broken("account 7: something");
            assert_eq!(Invariant::of(&told), Some(*invariant));
            assert!(invariant.sentence().ends_with('.'), "{invariant}");
        }
        assert_eq!(Invariant::of("no colon"), None);
        assert_eq!(Invariant::of("unknown: something"), None);
    }
}
