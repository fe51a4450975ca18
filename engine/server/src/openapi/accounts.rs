//! Accounts, coupons, platforms.

use suanpan_model::RejectCode::*;

use super::operation::{Operation, Tag};
use crate::endpoint;
use crate::query::{ACCOUNTS, DELIVERIES, EVENTS, PAGE, TIMED_PAGE};
use crate::wire::{
    AccountIn, AccountOpenedOut, AccountsOut, BalanceOut, CampaignIn, CampaignOut, CampaignsOut, CustomerOut,
    DeliveriesOut, EventsOut, IssueIn, IssuedOut, PlatformOut, PlatformsOut, ResentOut, StatementOut,
    ToldEventOut, TopUpIn, TopUpOut,
};

pub(super) fn operations() -> Vec<Operation> {
    [campaigns(), accounts(), platforms()].concat()
}

fn campaigns() -> Vec<Operation> {
    vec![
        Operation::new(endpoint::NEW_CAMPAIGN, "createCampaign", Tag::Campaigns)
            .about(
                "A coupon takes off either a `face` or a `percent` with or without `cap`. `id` is chosen by the platform and is \
                 unique in the engine; a campaign never changes.",
            )
            .body::<CampaignIn<'_>>()
            .answers::<CampaignOut>(201, "The campaign is recorded.")
            .answers::<CampaignOut>(200, "It was recorded before: the same bytes as then.")
            .leads_to("getCampaign", "campaign", "/id")
            .leads_to("issueCoupons", "campaign", "/id")
            .refuses(&[
                UnknownAccount,
                UnknownCurrency,
                AmountZero,
                AmountDecimals,
                AmountTooLarge,
                CurrencyMismatch,
                InvalidFunder,
                AccountTypeNotAllowed,
                CampaignExists,
            ]),
        Operation::new(endpoint::CAMPAIGNS, "listCampaigns", Tag::Campaigns)
            .query(PAGE)
            .answers::<CampaignsOut>(200, "Campaigns by number."),
        Operation::new(endpoint::CAMPAIGN, "getCampaign", Tag::Campaigns)
            .answers::<CampaignOut>(200, "The campaign; `state` says where its coupons are.")
            .refuses(&[UnknownCampaign]),
        Operation::new(endpoint::COUPONS, "issueCoupons", Tag::Campaigns)
            .about("`reference` is the platform's own number for it.")
            .body::<IssueIn<'_>>()
            .answers::<IssuedOut<'_>>(200, "They are issued, or were: the same bytes as then.")
            .refuses(&[
                UnknownCampaign,
                IdempotencyConflict,
                InProgress,
                CouponExpired,
                CouponSoldOut,
                CouponLimit,
                AmountZero,
                AmountTooLarge,
            ]),
        Operation::new(endpoint::CUSTOMER_COUPONS, "getCustomerCoupons", Tag::Campaigns)
            .answers::<CustomerOut<'_>>(200, "The customer's coupons of the campaign.")
            .refuses(&[UnknownCampaign, MissingField, InvalidField]),
    ]
}

fn accounts() -> Vec<Operation> {
    vec![
        Operation::new(endpoint::ACCOUNTS, "openAccount", Tag::Accounts)
            .about("`reference` is the platform's own name for it, unique with its type.")
            .body::<AccountIn<'_>>()
            .answers::<AccountOpenedOut<'_>>(201, "The account is open.")
            .answers::<AccountOpenedOut<'_>>(200, "It was opened before: the same bytes as then.")
            .leads_to("getAccountByNumber", "account", "/account")
            .refuses(&[UnknownCurrency, AccountTypeNotAllowed, AccountExists, InvalidParent]),
        Operation::new(endpoint::ACCOUNTS_LIST, "listAccounts", Tag::Accounts)
            .query(ACCOUNTS)
            .answers::<AccountsOut<'_>>(200, "Accounts in the order in which they were opened."),
        Operation::new(endpoint::MERCHANTS, "listMerchants", Tag::Accounts)
            .query(PAGE)
            .answers::<AccountsOut<'_>>(200, "Settlement accounts in the order in which they were opened."),
        Operation::new(endpoint::ACCOUNT, "getAccount", Tag::Accounts)
            .answers::<BalanceOut>(200, "The balances.")
            .refuses(&[UnknownAccount]),
        Operation::new(endpoint::ACCOUNT_BY_ID, "getAccountByNumber", Tag::Accounts)
            .answers::<BalanceOut>(200, "The balances.")
            .refuses(&[UnknownAccount]),
        Operation::new(endpoint::ENTRIES, "listEntries", Tag::Accounts)
            .query(TIMED_PAGE)
            .about(
                "A page ends between two positions of the log, so it may have fewer lines than `limit`, and more where one position \
                 has more.",
            )
            .answers::<StatementOut>(200, "The statement, oldest line first.")
            .refuses(&[UnknownAccount]),
        Operation::new(endpoint::TOP_UPS, "topUpAccount", Tag::Accounts)
            .about("`reference` is the platform's own number for it, unique on the platform.")
            .body::<TopUpIn<'_>>()
            .answers::<TopUpOut>(200, "It is booked, or was: the same bytes as then.")
            .refuses(&[
                IdempotencyConflict,
                InProgress,
                UnknownAccount,
                UnknownCurrency,
                AmountZero,
                AmountDecimals,
                AmountTooLarge,
                CurrencyMismatch,
                AccountTypeNotAllowed,
            ]),
    ]
}

fn platforms() -> Vec<Operation> {
    vec![
        Operation::new(endpoint::EVENTS, "listEvents", Tag::Events)
            .query(EVENTS)
            .about(
                "The same events that a mall with `notify_url` is told, in the order of the log. They are kept for a time (90 days \
                 unless the operator says otherwise); without `after` the feed begins with the oldest that is kept. A reader \
                 that comes back later than that is told so (`event_expired`): it looks at its orders (`GET …/orders`) and begins anew.",
            )
            .answers::<EventsOut<'_>>(200, "A page of the feed; `next` is where its reader goes on.")
            .refuses(&[EventExpired]),
        Operation::new(endpoint::EVENT, "getEvent", Tag::Events)
            .answers::<ToldEventOut<'_>>(200, "The event.")
            .refuses(&[UnknownEvent, EventExpired]),
        Operation::new(endpoint::RESEND, "resendEvent", Tag::Events)
            .answers::<ResentOut>(202, "The mall will be told now.")
            .refuses(&[UnknownEvent, EventExpired, NoNotifyUrl]),
        Operation::new(endpoint::DELIVERIES, "listDeliveries", Tag::Events)
            .query(DELIVERIES)
            .about("Those that came to an end are kept as long as their events.")
            .answers::<DeliveriesOut>(200, "Deliveries by event, with their latest tries."),
        Operation::new(endpoint::PLATFORM, "getPlatform", Tag::Platforms)
            .answers::<PlatformOut>(200, "The platform."),
        Operation::new(endpoint::PLATFORMS, "listPlatforms", Tag::Platforms)
            .query(PAGE)
            .answers::<PlatformsOut>(200, "Platforms by number."),
    ]
}
