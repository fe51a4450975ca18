//! What is timed, and what is done with an order after its creation.

use serde::Serialize;
use suanpan_model::Amount;

/// Something whose latency is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// From the planned start of an order to the acknowledgement of its creation.
    Submit,
    /// From the planned start to the notice that its money is frozen.
    Pay,
    /// From the request of a release to its acknowledgement.
    Release,
    /// From the request of a refund to the notice that the money went back.
    Refund,
    /// From the planned start to the end of everything that is done with the order.
    Order,
    /// Under overload: from handing a creation over, the time that it was let in, to its acknowledgement.
    Accept,
    /// Under overload: from handing a request over to the answer that the target is too busy for it.
    Refuse,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Submit, Self::Pay, Self::Release, Self::Refund, Self::Order, Self::Accept, Self::Refuse];

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Pay => "pay",
            Self::Release => "release",
            Self::Refund => "refund",
            Self::Order => "order",
            Self::Accept => "accept",
            Self::Refuse => "refuse",
        }
    }
}

/// What is done with an order once its money is frozen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Course {
    /// All of it is released.
    #[default]
    Release,
    /// It is released in two parts.
    Milestones {
        /// The first part in minor units.
        first: Amount,
    },
    /// All of it is given back before anything is released.
    RefundFrozen,
    /// It is released, and then given back.
    RefundReleased {
        /// How much is given back in minor units; all when absent.
        part: Option<Amount>,
    },
}

/// One step of a course.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Release this much in minor units; all that is left when absent.
    Release(Option<Amount>),
    /// Give this much back in minor units; all when absent.
    Refund(Option<Amount>),
}

impl Course {
    /// Step `number` of the course, counted from 1; nothing when the order is through.
    #[must_use]
    pub const fn action(self, number: u8) -> Option<Action> {
        match (self, number) {
            (Self::Release, 1) | (Self::Milestones { .. }, 2) | (Self::RefundReleased { .. }, 1) => {
                Some(Action::Release(None))
            }
            (Self::Milestones { first }, 1) => Some(Action::Release(Some(first))),
            (Self::RefundFrozen, 1) => Some(Action::Refund(None)),
            (Self::RefundReleased { part }, 2) => Some(Action::Refund(part)),
            _ => None,
        }
    }

    /// Whether money goes back in it.
    #[must_use]
    pub const fn refunds(self) -> bool {
        matches!(self, Self::RefundFrozen | Self::RefundReleased { .. })
    }

    /// Whether money goes back that receivers had got.
    #[must_use]
    pub const fn takes_back(self) -> bool {
        matches!(self, Self::RefundReleased { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn courses_step_by_step() {
        let first = Amount::from_minor(7);
        let part = Some(Amount::from_minor(3));
        let (release, refund) = (Action::Release(None), Action::Refund(None));
        let table = [
            (Course::Release, vec![release]),
            (Course::Milestones { first }, vec![Action::Release(Some(first)), release]),
            (Course::RefundFrozen, vec![refund]),
            (Course::RefundReleased { part: None }, vec![release, refund]),
            (Course::RefundReleased { part }, vec![release, Action::Refund(part)]),
        ];
        for (course, expected) in table {
            let steps: Vec<Action> = (1..=3).map_while(|number| course.action(number)).collect();
            assert_eq!(steps, expected, "{course:?}");
            assert_eq!(course.refunds(), expected.iter().any(|step| matches!(step, Action::Refund(_))));
        }
    }
}
