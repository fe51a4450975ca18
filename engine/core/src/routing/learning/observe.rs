//! What an event of an order says about a channel.

use suanpan_model::channel::{NotSentWhy, UnknownWhy};
use suanpan_model::event::EventKind;
use suanpan_model::order::Step;
use suanpan_model::{
    Amount, AttemptNo, Bank, CardType, ChannelId, FailureKind, Order, OrderEvent, TimestampMs,
};

/// Something that happened to an attempt at a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    /// When.
    pub at: TimestampMs,
    /// The channel.
    pub channel: ChannelId,
    /// The payer's bank.
    pub bank: Option<Bank>,
    /// The payer's kind of card.
    pub card_type: Option<CardType>,
    /// How much, in minor units.
    pub amount: Amount,
    /// When the attempt began.
    pub started_at: TimestampMs,
    /// What happened.
    pub what: Observed,
}

/// What happened to an attempt. `first` says whether it is the channel's first answer to the attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observed {
    /// The channel was chosen.
    Started,
    /// The channel has the payment.
    Accepted {
        /// First answer.
        first: bool,
    },
    /// The payer paid.
    Paid {
        /// First answer.
        first: bool,
        /// Whether the attempt had been given up, so that nothing was reserved for it any more.
        was_dead: bool,
    },
    /// The channel refused.
    Failed {
        /// First answer.
        first: bool,
        /// Whether it was the channel's own trouble.
        own: bool,
    },
    /// The channel was not reached.
    NotSent {
        /// Whether it was the channel's doing.
        own: bool,
    },
    /// The channel gave no clear answer.
    InDoubt {
        /// First answer.
        first: bool,
        /// Whether it was the channel's doing.
        own: bool,
    },
    /// Closed unpaid.
    Closed {
        /// First answer.
        first: bool,
    },
}

impl Observation {
    /// Whether it counts as a good or bad result of the channel. What payers do, limits and our own faults do not count.
    #[must_use]
    pub const fn result(&self) -> Option<bool> {
        match self.what {
            Observed::Paid { .. } => Some(true),
            Observed::Failed { own: true, .. }
            | Observed::NotSent { own: true }
            | Observed::InDoubt { own: true, .. } => Some(false),
            Observed::Started
            | Observed::Accepted { .. }
            | Observed::Failed { own: false, .. }
            | Observed::NotSent { own: false }
            | Observed::InDoubt { own: false, .. }
            | Observed::Closed { .. } => None,
        }
    }
}

/// Whether a refusal is the channel's own trouble.
const fn is_own(kind: FailureKind) -> bool {
    match kind {
        FailureKind::Channel => true,
        FailureKind::Payer
        | FailureKind::Declined
        | FailureKind::Risk
        | FailureKind::Limit
        | FailureKind::Request => false,
    }
}

/// What `event` of `order`, one of those decided together at `at`, says about a channel. The first `upto` steps of the
/// order's life are those up to that decision; later ones are not looked at.
#[must_use]
pub fn observe(order: &Order, upto: usize, event: &OrderEvent, at: TimestampMs) -> Option<Observation> {
    let life = Life { steps: order.steps.get(..upto)? };
    let latest = || {
        let started = life.steps.iter().filter(|step| step.kind == EventKind::AttemptStarted).count();
        u8::try_from(started).ok().map(AttemptNo)
    };
    let (no, what) = match event {
        OrderEvent::AttemptStarted { .. } => (latest()?, Observed::Started),
        OrderEvent::AttemptAccepted { attempt, .. } => {
            (*attempt, Observed::Accepted { first: life.is_first(*attempt, EventKind::AttemptAccepted) })
        }
        OrderEvent::Paid { attempt, .. } => {
            let first = life.is_first(*attempt, EventKind::Paid);
            (*attempt, Observed::Paid { first, was_dead: life.was_dead(*attempt) })
        }
        OrderEvent::LatePaid { attempt, .. } => {
            let first = life.is_first(*attempt, EventKind::LatePaid);
            (*attempt, Observed::Paid { first, was_dead: life.was_dead(*attempt) })
        }
        OrderEvent::AttemptFailed { attempt, kind, .. } => {
            let first = life.is_first(*attempt, EventKind::AttemptFailed);
            (*attempt, Observed::Failed { first, own: is_own(*kind) })
        }
        OrderEvent::AttemptNotSent { attempt, why } => {
            let own = match why {
                NotSentWhy::Refused | NotSentWhy::Throttled => true,
                NotSentWhy::QueueFull => false,
            };
            (*attempt, Observed::NotSent { own })
        }
        OrderEvent::AttemptInDoubt { attempt, why, .. } => {
            let own = match why {
                UnknownWhy::Timeout
                | UnknownWhy::ConnectionLost
                | UnknownWhy::ChannelSaysUnknown
                | UnknownWhy::BadSignature
                | UnknownWhy::Unreadable
                | UnknownWhy::Contradicted => true,
                UnknownWhy::Restart => false,
            };
            (*attempt, Observed::InDoubt { first: life.is_first(*attempt, EventKind::AttemptInDoubt), own })
        }
        OrderEvent::AttemptClosed { attempt } => {
            (*attempt, Observed::Closed { first: life.is_first(*attempt, EventKind::AttemptClosed) })
        }
        OrderEvent::Created { .. }
        | OrderEvent::SmsConfirmed { .. }
        | OrderEvent::AttemptQueried { .. }
        | OrderEvent::Frozen { .. }
        | OrderEvent::Released { .. }
        | OrderEvent::Settled
        | OrderEvent::Failed { .. }
        | OrderEvent::ClosingAdvanced { .. }
        | OrderEvent::Closed { .. }
        | OrderEvent::RefundStarted { .. }
        | OrderEvent::RefundQueried { .. }
        | OrderEvent::RefundSucceeded { .. }
        | OrderEvent::RefundFailed { .. }
        | OrderEvent::Refunded
        | OrderEvent::DisputeOpened { .. }
        | OrderEvent::DisputeResolved { .. }
        | OrderEvent::Contradicted { .. }
        | OrderEvent::RefundStuck { .. }
        | OrderEvent::RefundBounced { .. }
        | OrderEvent::RefundFinished { .. }
        | OrderEvent::Reopened { .. }
        | OrderEvent::ReopeningPlanned { .. } => return None,
    };
    // Attempt 0 is a payment from an e-account: no channel.
    let attempt = order.attempt(no)?;
    let terms = &order.terms;
    Some(Observation {
        at,
        channel: attempt.channel(),
        bank: terms.bank,
        card_type: terms.card_type,
        amount: terms.payable(),
        started_at: attempt.started_at,
        what,
    })
}

/// The life of an order up to a decision.
#[derive(Clone, Copy)]
struct Life<'a> {
    steps: &'a [Step],
}

impl Life<'_> {
    /// What happened between the start of an attempt and that of the next.
    fn of(&self, no: AttemptNo) -> impl Iterator<Item = EventKind> + '_ {
        let mut seen = 0_u8;
        let kinds = self.steps.iter().map(|step| step.kind);
        kinds.filter(move |kind| {
            if *kind == EventKind::AttemptStarted {
                seen = seen.saturating_add(1);
                return false;
            }
            seen == no.0
        })
    }

    /// Whether the channel had said nothing about the attempt before the first event of this kind, and there is only one.
    fn is_first(&self, no: AttemptNo, kind: EventKind) -> bool {
        let answers = [EventKind::AttemptAccepted, EventKind::AttemptInDoubt];
        self.of(no).filter(|step| *step == kind || answers.contains(step)).count() == 1
    }

    /// Whether the attempt had ended without money before.
    fn was_dead(&self, no: AttemptNo) -> bool {
        let ends = [EventKind::AttemptFailed, EventKind::AttemptNotSent, EventKind::AttemptClosed];
        self.of(no).any(|step| ends.contains(&step))
    }
}
