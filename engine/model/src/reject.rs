//! Refusals of a caller's request. A reject changes nothing; its code is stable.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:literal;)*) => {
        /// Why a request was refused. The order of the variants is the order of precedence: when several apply,
        /// the first is told.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum RejectCode {
            $($(#[$doc])* $name,)*
        }

        impl RejectCode {
            /// Every code, in precedence.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The stable code in the API.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The HTTP status that goes with it.
            #[must_use]
            pub const fn http_status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }
        }
    };
}

codes! {
    /// The engine has as much work as it can hold; nothing was done.
    Busy = "busy", 503;
    /// The engine cannot make anything durable just now (for example, the disk is full).
    Unavailable = "unavailable", 503;
    /// The request cannot be read.
    Malformed = "malformed", 400;
    /// The request is larger than allowed.
    TooLarge = "too_large", 413;
    /// A required field is missing.
    MissingField = "missing_field", 400;
    /// A field has a form that is not allowed.
    InvalidField = "invalid_field", 400;
    /// The platform is not known.
    UnknownPlatform = "unknown_platform", 404;
    /// The same number was used before with other content.
    IdempotencyConflict = "idempotency_conflict", 409;
    /// A request with the same number is under way.
    InProgress = "in_progress", 409;
    /// The order is not known.
    UnknownOrder = "unknown_order", 404;
    /// The account is not known, or belongs to another platform.
    UnknownAccount = "unknown_account", 404;
    /// The currency is not known.
    UnknownCurrency = "unknown_currency", 400;
    /// No channel knows the bank.
    UnknownBank = "unknown_bank", 400;
    /// The channel is not known.
    UnknownChannel = "unknown_channel", 404;
    /// The attempt or refund is not known.
    UnknownAttempt = "unknown_attempt", 404;
    /// The version of the routing rules is not above the one in force.
    RulesVersion = "rules_version", 409;
    /// The campaign is not known on this platform.
    UnknownCampaign = "unknown_campaign", 404;
    /// The event is not known on this platform.
    UnknownEvent = "unknown_event", 404;
    /// What happened is so long ago that it is no longer kept.
    EventExpired = "event_expired", 410;
    /// The platform has no address to be notified at.
    NoNotifyUrl = "no_notify_url", 409;
    /// The amount is zero.
    AmountZero = "amount_zero", 400;
    /// The amount has more decimals than the currency.
    AmountDecimals = "amount_decimals", 400;
    /// The amount is above the largest allowed.
    AmountTooLarge = "amount_too_large", 400;
    /// Parts do not add up to the whole.
    AmountMismatch = "amount_mismatch", 400;
    /// Currencies differ.
    CurrencyMismatch = "currency_mismatch", 400;
    /// The time is in the past, or too far away.
    InvalidExpiry = "invalid_expiry", 400;
    /// The routing rules cannot work.
    InvalidRules = "invalid_rules", 422;
    /// The type of the account does not allow this.
    AccountTypeNotAllowed = "account_type_not_allowed", 422;
    /// Too many receivers of splits.
    SplitTooMany = "split_too_many", 422;
    /// Splits take more than the order has.
    SplitOverWhole = "split_over_whole", 422;
    /// Splits take more than the platform allows.
    SplitOverCap = "split_over_cap", 422;
    /// Funders of a campaign that do not add up, or accounts that cannot fund one.
    InvalidFunder = "invalid_funder", 422;
    /// The coupons cannot be used together.
    CouponNotStackable = "coupon_not_stackable", 422;
    /// The coupon is not for any of the merchants.
    CouponMerchant = "coupon_merchant", 422;
    /// The coupon is not valid yet or any more.
    CouponExpired = "coupon_expired", 422;
    /// The order is too small for the coupon.
    CouponMinimumSpend = "coupon_minimum_spend", 422;
    /// The coupon pays the whole price or more.
    CouponOverPrice = "coupon_over_price", 422;
    /// No channel is capable of this payment.
    NoChannel = "no_channel", 422;
    /// The state of the order does not allow this.
    IllegalState = "illegal_state", 409;
    /// More than is frozen and can be released.
    ExceedsFrozen = "exceeds_frozen", 422;
    /// More than can still be given back.
    ExceedsPaid = "exceeds_paid", 422;
    /// The order has as many releases or refunds as it can have.
    TooManySteps = "too_many_steps", 422;
    /// The account exists with other properties.
    AccountExists = "account_exists", 409;
    /// The account above it is not known or cannot be above it.
    InvalidParent = "invalid_parent", 422;
    /// The hold is not known, or used up.
    UnknownHold = "unknown_hold", 404;
    /// The account has too little.
    InsufficientFunds = "insufficient_funds", 422;
    /// No coupon of the campaign is left.
    CouponSoldOut = "coupon_sold_out", 422;
    /// The customer has had as many coupons as one can have.
    CouponLimit = "coupon_limit", 422;
    /// The customer has no coupon of the campaign.
    CouponNotHeld = "coupon_not_held", 422;
    /// The campaign exists with other properties.
    CampaignExists = "campaign_exists", 409;
}

/// A refusal: code, field, and what was expected. Holds no secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Reject {
    /// The stable code.
    pub code: RejectCode,
    /// The field that is at fault, as a path in the request; empty when it is the whole request.
    pub field: &'static str,
    /// What was expected, in words, with what to do next.
    pub expected: String,
}

impl Reject {
    /// A refusal of `field`.
    #[must_use]
    pub fn new(code: RejectCode, field: &'static str, expected: impl Into<String>) -> Self {
        Self { code, field, expected: expected.into() }
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field {
            "" => write!(f, "{}: {}", self.code.code(), self.expected),
            field => write!(f, "{} ({field}): {}", self.code.code(), self.expected),
        }
    }
}
