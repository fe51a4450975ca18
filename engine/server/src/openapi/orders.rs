//! Orders and what is done with them.

use suanpan_model::RejectCode::*;

use super::operation::{Operation, Tag};
use crate::endpoint;
use crate::query::{EVENT_LIST, ORDERS, SUBMISSION, TIMED_PAGE};
use crate::wire::{
    AttemptsOut, BatchIn, BatchOut, DisputeLinesOut, DisputesOut, EmptyIn, ExceptionsOut, ExplainedOut,
    FinishIn, LifeOut, Object, OrderIn, OrdersOut, ReceiptOut, RefundIn, RefundLinesOut, RefundsOut,
    ReleaseIn, ReleaseLinesOut, ReleasesOut, ResolveIn, SmsCodeIn, SummaryOut,
};

/// What an order that is submitted can be refused with.
const CREATE: &[suanpan_model::RejectCode] = &[
    IdempotencyConflict,
    InProgress,
    UnknownAccount,
    UnknownCurrency,
    UnknownBank,
    UnknownCampaign,
    AmountZero,
    AmountDecimals,
    AmountTooLarge,
    AmountMismatch,
    CurrencyMismatch,
    InvalidExpiry,
    AccountTypeNotAllowed,
    SplitTooMany,
    SplitOverWhole,
    SplitOverCap,
    CouponNotStackable,
    CouponMerchant,
    CouponExpired,
    CouponMinimumSpend,
    CouponOverPrice,
    NoChannel,
    InsufficientFunds,
    CouponSoldOut,
    CouponLimit,
    CouponNotHeld,
];

/// What every command to an order can be refused with.
const COMMAND: &[suanpan_model::RejectCode] = &[UnknownOrder, IllegalState, InProgress];

/// What amounts can be refused with.
const AMOUNTS: &[suanpan_model::RejectCode] =
    &[UnknownCurrency, CurrencyMismatch, AmountZero, AmountDecimals, AmountTooLarge];

const ANSWERED: &str = "Done, or done before: `result` says which, `status` where the order stands now.";

/// What is answered to a request with a number of the platform's own.
const ANSWERED_ONCE: &str = "Done, or done before under this number: the same bytes as the first time, with \
    `Idempotency-Replayed`. `status` is where the order stood when it was done.";

pub(super) fn operations() -> Vec<Operation> {
    [submitting(), asking(), lists(), money(), disputes(), exceptions()].concat()
}

fn submitting() -> Vec<Operation> {
    vec![
        Operation::new(endpoint::ORDERS, "createOrder", Tag::Orders)
            .about(
                "The answer is given when the order is on disk. `order_no` is the platform's own number: the same order \
                 again is answered with the same bytes and status 200; another order under it is a conflict.",
            )
            .query(SUBMISSION)
            .body::<OrderIn<'_>>()
            .answers::<ReceiptOut<'_>>(201, "The order is recorded.")
            .answers::<ReceiptOut<'_>>(200, "The order was recorded before: the same bytes as then.")
            .leads_to("getOrder", "order", "/order")
            .leads_to("confirmOrder", "order", "/order")
            .leads_to("closeOrder", "order", "/order")
            .leads_to("releaseOrder", "order", "/order")
            .leads_to("refundOrder", "order", "/order")
            .leads_to("disputeOrder", "order", "/order")
            .leads_to("explainOrder", "order", "/order")
            .refuses(CREATE),
        Operation::new(endpoint::BATCH, "createOrders", Tag::Orders)
            .about(
                "Up to 5000 orders. Each is recorded or refused by itself; the results stand in the order of the orders, with \
                 the status and the body that the order would have been answered alone.",
            )
            .body::<BatchIn<Object<OrderIn<'_>>>>()
            .answers::<BatchOut<'_>>(200, "A result for each order."),
        Operation::new(endpoint::CLOSE, "closeOrder", Tag::Orders)
            .about(
                "The channel is asked, told to close, and asked again before the order ends: a payment that comes meanwhile \
                 is not lost.",
            )
            .body_or_nothing::<EmptyIn>()
            .answers::<SummaryOut>(200, ANSWERED_ONCE)
            .refuses(COMMAND),
        Operation::new(endpoint::SMS_CODE, "passSmsCode", Tag::Orders)
            .about("For a payment whose `action` is `sms_code`.")
            .body::<SmsCodeIn<'_>>()
            .answers::<SummaryOut>(200, ANSWERED_ONCE)
            .refuses(COMMAND),
    ]
}

fn asking() -> Vec<Operation> {
    vec![
        Operation::new(endpoint::ORDER, "getOrder", Tag::Orders)
            .about("Terms, attempts with the reasons for their channels, money by part, releases, refunds, every step and entry.")
            .answers::<LifeOut<'_>>(200, "The order.")
            .refuses(&[UnknownOrder]),
        Operation::new(endpoint::EXPLAIN, "explainOrder", Tag::Orders)
            .answers::<ExplainedOut<'_>>(200, "The decisions, one for each attempt.")
            .refuses(&[UnknownOrder]),
        Operation::new(endpoint::ATTEMPTS, "listAttempts", Tag::Orders)
            .answers::<AttemptsOut<'_>>(200, "The attempts, oldest first.")
            .refuses(&[UnknownOrder]),
        Operation::new(endpoint::RELEASES_LIST, "listReleases", Tag::Orders)
            .answers::<ReleasesOut<'_>>(200, "The releases, oldest first.")
            .refuses(&[UnknownOrder]),
        Operation::new(endpoint::REFUNDS_LIST, "listRefunds", Tag::Orders)
            .answers::<RefundsOut<'_>>(200, "The refunds, oldest first.")
            .refuses(&[UnknownOrder]),
        Operation::new(endpoint::DISPUTE_SHOW, "getDispute", Tag::Orders)
            .answers::<DisputesOut>(200, "The dispute that is open; null when there is none.")
            .refuses(&[UnknownOrder]),
    ]
}

const PAGED: &str = "What a page costs is bounded: where few are wanted among many, a page is short or empty and still has `next`. \
    What comes while pages are read lies before the first of them, so that none is skipped or shown twice.";

/// The same, of what follows from the feed of events.
const PAGED_EVENTS: &str = "Follows from the feed of events, so it has what happened a moment later, and nothing where a platform has \
    no events. What a page costs is bounded: where few are wanted among many, a page is short or empty and still has `next`. What \
    happens while pages are read lies before the first of them, so that nothing is skipped or shown twice.";

fn lists() -> Vec<Operation> {
    vec![
        Operation::new(endpoint::ORDER_LIST, "listOrders", Tag::Orders)
            .about(PAGED)
            .query(ORDERS)
            .answers::<OrdersOut<'_>>(200, "Orders, newest first, as they stand now.")
            .refuses(&[UnknownAccount]),
        Operation::new(endpoint::PLATFORM_REFUNDS, "listRefundsOfOrders", Tag::Orders)
            .about(PAGED_EVENTS)
            .query(EVENT_LIST)
            .answers::<RefundLinesOut<'_>>(
                200,
                "Refunds by the time at which they began, as they stand now.",
            ),
        Operation::new(endpoint::PLATFORM_RELEASES, "listReleasesOfOrders", Tag::Orders)
            .about(PAGED_EVENTS)
            .query(EVENT_LIST)
            .answers::<ReleaseLinesOut<'_>>(200, "Releases by their time."),
        Operation::new(endpoint::PLATFORM_DISPUTES, "listDisputes", Tag::Orders)
            .about(PAGED_EVENTS)
            .query(EVENT_LIST)
            .answers::<DisputeLinesOut<'_>>(
                200,
                "Disputes by the time at which they were opened, as they stand now.",
            ),
    ]
}

fn money() -> Vec<Operation> {
    vec![
        Operation::new(endpoint::CONFIRM, "confirmOrder", Tag::Orders)
            .body_or_nothing::<EmptyIn>()
            .answers::<SummaryOut>(200, ANSWERED)
            .refuses(COMMAND)
            .refuses(&[ExceedsFrozen, TooManySteps]),
        Operation::new(endpoint::RELEASES, "releaseOrder", Tag::Orders)
            .about(
                "`release_no` is the platform's own number. `payees` receive of this release instead of the order's splits; the \
                 merchants get what they leave.",
            )
            .body::<ReleaseIn<'_>>()
            .answers::<SummaryOut>(200, ANSWERED)
            .refuses(COMMAND)
            .refuses(AMOUNTS)
            .refuses(&[
                IdempotencyConflict,
                UnknownAccount,
                AccountTypeNotAllowed,
                SplitTooMany,
                SplitOverWhole,
                SplitOverCap,
                ExceedsFrozen,
                TooManySteps,
            ]),
        Operation::new(endpoint::REFUNDS, "refundOrder", Tag::Orders)
            .about(
                "`refund_no` is the platform's own number. Payer, funders of coupons and receivers get and give back to the \
                 cent; what was released is held at its receivers first.",
            )
            .body::<RefundIn<'_>>()
            .answers::<SummaryOut>(200, ANSWERED)
            .refuses(COMMAND)
            .refuses(AMOUNTS)
            .refuses(&[IdempotencyConflict, ExceedsPaid, TooManySteps, InsufficientFunds]),
    ]
}

fn disputes() -> Vec<Operation> {
    vec![
        Operation::new(endpoint::DISPUTE, "disputeOrder", Tag::Orders)
            .body_or_nothing::<EmptyIn>()
            .answers::<SummaryOut>(200, ANSWERED)
            .refuses(COMMAND),
        Operation::new(endpoint::RESOLVE, "resolveDispute", Tag::Orders)
            .about("With a `refund`, a repeat by its `refund_no` is answered with the same bytes as the first time.")
            .body_or_nothing::<ResolveIn<'_>>()
            .answers::<SummaryOut>(200, ANSWERED)
            .refuses(COMMAND)
            .refuses(AMOUNTS)
            .refuses(&[IdempotencyConflict, ExceedsPaid, TooManySteps, InsufficientFunds]),
    ]
}

fn exceptions() -> Vec<Operation> {
    vec![
        Operation::new(endpoint::EXCEPTIONS, "listExceptions", Tag::Exceptions)
            .query(TIMED_PAGE)
            .answers::<ExceptionsOut<'_>>(200, "What waits, oldest order first."),
        Operation::new(endpoint::FINISH_REFUND, "finishRefund", Tag::Exceptions)
            .about(
                "`to_account` pays into a cash account of the payer, `outside` notes that somebody paid by hand, `resend` asks the \
                 channel again, `give_up` leaves the money where it came from.",
            )
            .body::<FinishIn<'_>>()
            .answers::<SummaryOut>(200, ANSWERED)
            .refuses(COMMAND)
            .refuses(&[
                UnknownAttempt,
                UnknownAccount,
                CurrencyMismatch,
                IdempotencyConflict,
                AccountTypeNotAllowed,
            ]),
        Operation::new(endpoint::RETURN_PARKED, "returnParkedPayment", Tag::Exceptions)
            .body_or_nothing::<EmptyIn>()
            .answers::<SummaryOut>(200, ANSWERED)
            .refuses(COMMAND)
            .refuses(&[UnknownAttempt, TooManySteps]),
        Operation::new(endpoint::REOPEN, "reopenOrder", Tag::Exceptions)
            .body_or_nothing::<EmptyIn>()
            .answers::<SummaryOut>(200, ANSWERED)
            .refuses(COMMAND)
            .refuses(&[UnknownAttempt, InsufficientFunds, CouponSoldOut, CouponLimit, CouponNotHeld]),
    ]
}
