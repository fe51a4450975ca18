//! Orders and what is done with them.

use suanpan_model::RejectCode::*;

use super::operation::{Operation, Tag};
use crate::endpoint;
use crate::query::{SUBMISSION, TIMED_PAGE};
use crate::routes::orders::BatchOut;
use crate::wire::{
    AttemptsOut, BatchIn, DisputesOut, EmptyIn, ExceptionsOut, ExplainedOut, FinishIn, LifeOut, Object,
    OrderIn, ReceiptOut, RefundIn, RefundsOut, ReleaseIn, ReleasesOut, ResolveIn, SmsCodeIn, SummaryOut,
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

pub(super) fn operations() -> Vec<Operation> {
    [submitting(), asking(), money(), disputes(), exceptions()].concat()
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
            .answers::<SummaryOut>(200, ANSWERED)
            .refuses(COMMAND),
        Operation::new(endpoint::SMS_CODE, "passSmsCode", Tag::Orders)
            .about("For a payment whose `action` is `sms_code`.")
            .body::<SmsCodeIn<'_>>()
            .answers::<SummaryOut>(200, ANSWERED)
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
