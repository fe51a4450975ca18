//! The table of states: every status × every kind of event.

use suanpan_model::OrderStatus;
use suanpan_model::event::EventKind;

/// Where an order in `status` stands after an event of `kind`; `None` when the event cannot happen there.
///
/// A status that stays the same is spelled out too: money of an order that has ended may still arrive, be parked,
/// and go back.
#[must_use]
pub const fn next_status(status: OrderStatus, kind: EventKind) -> Option<OrderStatus> {
    use EventKind as E;
    use OrderStatus as S;
    match kind {
        E::Created => match status {
            S::Created | S::Routing | S::Pending | S::Paid | S::Frozen | S::PartReleased => None,
            S::Settled | S::Failed | S::Closed | S::Refunded | S::Disputed => None,
        },
        E::AttemptStarted => match status {
            S::Created | S::Routing | S::Pending => Some(S::Routing),
            S::Paid | S::Frozen | S::PartReleased | S::Settled => None,
            S::Failed | S::Closed | S::Refunded | S::Disputed => None,
        },
        E::AttemptAccepted | E::AttemptInDoubt => match status {
            S::Routing | S::Pending => Some(S::Pending),
            S::Frozen | S::PartReleased | S::Settled | S::Refunded | S::Disputed => Some(status),
            S::Created | S::Paid | S::Failed | S::Closed => None,
        },
        E::SmsConfirmed => match status {
            S::Pending => Some(S::Pending),
            S::Created | S::Routing | S::Paid | S::Frozen | S::PartReleased => None,
            S::Settled | S::Failed | S::Closed | S::Refunded | S::Disputed => None,
        },
        E::AttemptQueried | E::AttemptFailed | E::AttemptNotSent | E::AttemptClosed => match status {
            S::Routing | S::Pending => Some(status),
            S::Frozen | S::PartReleased | S::Settled | S::Refunded | S::Disputed => Some(status),
            S::Created | S::Paid | S::Failed | S::Closed => None,
        },
        E::Paid => match status {
            S::Created | S::Routing | S::Pending => Some(S::Paid),
            S::Paid | S::Frozen | S::PartReleased | S::Settled => None,
            S::Failed | S::Closed | S::Refunded | S::Disputed => None,
        },
        E::Frozen => match status {
            S::Paid => Some(S::Frozen),
            S::Created | S::Routing | S::Pending | S::Frozen | S::PartReleased => None,
            S::Settled | S::Failed | S::Closed | S::Refunded | S::Disputed => None,
        },
        E::Released => match status {
            S::Paid | S::Frozen | S::PartReleased => Some(S::PartReleased),
            S::Created | S::Routing | S::Pending | S::Settled => None,
            S::Failed | S::Closed | S::Refunded | S::Disputed => None,
        },
        E::Settled => match status {
            S::PartReleased => Some(S::Settled),
            S::Created | S::Routing | S::Pending | S::Paid | S::Frozen | S::Settled => None,
            S::Failed | S::Closed | S::Refunded | S::Disputed => None,
        },
        E::Failed => match status {
            S::Created | S::Routing | S::Pending => Some(S::Failed),
            S::Paid | S::Frozen | S::PartReleased | S::Settled => None,
            S::Failed | S::Closed | S::Refunded | S::Disputed => None,
        },
        E::ClosingAdvanced => match status {
            S::Routing | S::Pending => Some(status),
            S::Created | S::Paid | S::Frozen | S::PartReleased | S::Settled => None,
            S::Failed | S::Closed | S::Refunded | S::Disputed => None,
        },
        E::Closed => match status {
            S::Created | S::Routing | S::Pending => Some(S::Closed),
            S::Paid | S::Frozen | S::PartReleased | S::Settled => None,
            S::Failed | S::Closed | S::Refunded | S::Disputed => None,
        },
        E::LatePaid => match status {
            S::Frozen | S::PartReleased | S::Settled | S::Disputed => Some(status),
            S::Failed | S::Closed | S::Refunded => Some(status),
            S::Created | S::Routing | S::Pending | S::Paid => None,
        },
        E::RefundStarted
        | E::RefundQueried
        | E::RefundSucceeded
        | E::RefundFailed
        | E::RefundStuck
        | E::RefundBounced
        | E::RefundFinished => match status {
            S::Frozen | S::PartReleased | S::Settled | S::Disputed => Some(status),
            S::Failed | S::Closed | S::Refunded => Some(status),
            S::Created | S::Routing | S::Pending | S::Paid => None,
        },
        E::Refunded => match status {
            S::Frozen | S::PartReleased | S::Settled | S::Disputed => Some(S::Refunded),
            S::Created | S::Routing | S::Pending | S::Paid => None,
            S::Failed | S::Closed | S::Refunded => None,
        },
        E::DisputeOpened => match status {
            S::Frozen | S::PartReleased | S::Settled => Some(S::Disputed),
            S::Created | S::Routing | S::Pending | S::Paid => None,
            S::Failed | S::Closed | S::Refunded | S::Disputed => None,
        },
        // Back to where it stood before the dispute: `apply` knows.
        E::DisputeResolved => match status {
            S::Disputed => Some(S::Frozen),
            S::Created | S::Routing | S::Pending | S::Paid | S::Frozen | S::PartReleased => None,
            S::Settled | S::Failed | S::Closed | S::Refunded => None,
        },
        E::Reopened => match status {
            S::Failed | S::Closed => Some(S::Paid),
            S::Created | S::Routing | S::Pending | S::Paid | S::Frozen | S::PartReleased => None,
            S::Settled | S::Refunded | S::Disputed => None,
        },
        E::ReopeningPlanned => match status {
            S::Failed | S::Closed => Some(status),
            S::Created | S::Routing | S::Pending | S::Paid | S::Frozen | S::PartReleased => None,
            S::Settled | S::Refunded | S::Disputed => None,
        },
        E::Contradicted => match status {
            S::Created | S::Paid => None,
            S::Routing | S::Pending | S::Frozen | S::PartReleased | S::Settled => Some(status),
            S::Failed | S::Closed | S::Refunded | S::Disputed => Some(status),
        },
    }
}
