//! Every path of the API, once: the routes, the list at `/` and the labels of metrics come from here.

/// A path with its method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its place in [`Endpoint::ALL`].
    pub index: usize,
    /// The method.
    pub method: &'static str,
    /// The path, with names for its variable parts.
    pub path: &'static str,
    /// What it is for.
    pub what: &'static str,
}

impl Endpoint {
    /// Whether a request with this method and path is for it.
    #[must_use]
    pub fn takes(&self, method: &str, path: &str) -> bool {
        let same =
            |(ours, theirs): (&str, &str)| ours == theirs || ours.starts_with('{') && !theirs.is_empty();
        self.method == method
            && self.path.split('/').count() == path.split('/').count()
            && self.path.split('/').zip(path.split('/')).all(same)
    }
}

macro_rules! endpoints {
    ($($name:ident = $method:literal $path:literal, $what:literal;)*) => {
        #[derive(Clone, Copy)]
        enum Place { $($name,)* }

        $(
            #[doc = $what]
            pub const $name: Endpoint =
                Endpoint { index: Place::$name as usize, method: $method, path: $path, what: $what };
        )*

        impl Endpoint {
            /// Every endpoint.
            pub const ALL: &'static [Self] = &[$($name,)*];
        }
    };
}

#[expect(non_camel_case_types, clippy::upper_case_acronyms, reason = "the enum only counts the constants")]
mod list {
    use super::Endpoint;

    endpoints! {
        ORDERS = "POST" "/v1/platforms/{platform}/orders",
            "submit an order";
        ORDER_LIST = "GET" "/v1/platforms/{platform}/orders",
            "the orders of the platform, newest first; by time, status, merchant or payer";
        PLATFORM_REFUNDS = "GET" "/v1/platforms/{platform}/refunds", "the refunds of all orders, newest first";
        PLATFORM_RELEASES = "GET" "/v1/platforms/{platform}/releases", "the releases of all orders, newest first";
        PLATFORM_DISPUTES = "GET" "/v1/platforms/{platform}/disputes",
            "the disputes about orders, open and resolved, newest first";
        BATCH = "POST" "/v1/platforms/{platform}/orders/batch", "submit many orders, each with its own result";
        ORDER = "GET" "/v1/platforms/{platform}/orders/{order}",
            "an order's whole life; {order} is the engine's number, or no: and the platform's own";
        ATTEMPTS = "GET" "/v1/platforms/{platform}/orders/{order}/attempts", "the attempts of an order, each at one channel";
        RELEASES_LIST = "GET" "/v1/platforms/{platform}/orders/{order}/releases", "what was released of an order";
        REFUNDS_LIST = "GET" "/v1/platforms/{platform}/orders/{order}/refunds", "the refunds of an order";
        DISPUTE_SHOW = "GET" "/v1/platforms/{platform}/orders/{order}/dispute",
            "the dispute that is open, with what is held for it";
        CONFIRM = "POST" "/v1/platforms/{platform}/orders/{order}/confirm",
            "the buyer confirmed: release all that is still frozen";
        RELEASES = "POST" "/v1/platforms/{platform}/orders/{order}/releases",
            "release part of what is frozen, by sub-order, amount, or to payees of its own";
        CLOSE = "POST" "/v1/platforms/{platform}/orders/{order}/close", "close an unpaid order";
        REFUNDS = "POST" "/v1/platforms/{platform}/orders/{order}/refunds",
            "give money back, whole or in part, frozen or released";
        SMS_CODE = "POST" "/v1/platforms/{platform}/orders/{order}/sms-code", "pass on the payer's SMS code";
        DISPUTE = "POST" "/v1/platforms/{platform}/orders/{order}/dispute",
            "stop the clock, and hold what can still be given back";
        RESOLVE = "POST" "/v1/platforms/{platform}/orders/{order}/dispute/resolve",
            "end the dispute, with a refund if there is one";
        FINISH_REFUND = "POST" "/v1/platforms/{platform}/orders/{order}/refunds/{no}/finish",
            "end a stuck or bounced refund another way; {no} is the engine's number of the refund";
        RETURN_PARKED = "POST" "/v1/platforms/{platform}/orders/{order}/attempts/{no}/return",
            "give a parked payment back";
        REOPEN = "POST" "/v1/platforms/{platform}/orders/{order}/attempts/{no}/reopen",
            "take a parked payment into its order";
        EXCEPTIONS = "GET" "/v1/platforms/{platform}/exceptions",
            "orders whose money waits for an operator, and what can be done";
        CAMPAIGNS = "GET" "/v1/platforms/{platform}/campaigns", "the coupon campaigns of the platform";
        NEW_CAMPAIGN = "POST" "/v1/platforms/{platform}/campaigns", "record a coupon campaign";
        CAMPAIGN = "GET" "/v1/platforms/{platform}/campaigns/{campaign}",
            "a campaign, and where its coupons are";
        COUPONS = "POST" "/v1/platforms/{platform}/campaigns/{campaign}/coupons", "issue coupons to a customer";
        CUSTOMER_COUPONS = "GET" "/v1/platforms/{platform}/campaigns/{campaign}/customers/{customer}",
            "the coupons of a customer";
        ACCOUNTS = "POST" "/v1/platforms/{platform}/accounts", "open an account";
        ACCOUNTS_LIST = "GET" "/v1/platforms/{platform}/accounts", "the accounts of the platform";
        MERCHANTS = "GET" "/v1/platforms/{platform}/merchants", "the merchants of the platform: its settlement accounts";
        ACCOUNT = "GET" "/v1/platforms/{platform}/accounts/{kind}/{reference}",
            "balances of an account; the reference of a platform's own account (coupon_fund, escrow ...) is its currency";
        ENTRIES = "GET" "/v1/platforms/{platform}/accounts/{kind}/{reference}/entries",
            "statement, oldest first";
        TOP_UPS = "POST" "/v1/platforms/{platform}/accounts/{kind}/{reference}/top-ups",
            "put money from outside on an account";
        EXPLAIN = "GET" "/v1/platforms/{platform}/orders/{order}/explain",
            "how the channel of each attempt was chosen: every candidate, fees, the rule, in words and data";
        RULES = "GET" "/v1/platforms/{platform}/routing/rules", "the routing rules in force";
        RULES_PUT = "PUT" "/v1/platforms/{platform}/routing/rules",
            "put routing rules in force at once, with a higher version; faults refuse, warnings are listed";
        BACK_TEST = "POST" "/v1/platforms/{platform}/routing/back-test",
            "a draft rule set against recorded orders, as lines of JSON: progress, changes, summary";
        WHAT_IF = "POST" "/v1/platforms/{platform}/routing/what-if", "the channel that a payment would take, and why";
        CHANNEL_HEALTH = "GET" "/v1/platforms/{platform}/channels", "how the channels are that take its payments";
        PLATFORM = "GET" "/v1/platforms/{platform}", "what the platform agreed to";
        PLATFORMS = "GET" "/v1/platforms", "what every platform agreed to";
        EVENTS = "GET" "/v1/platforms/{platform}/events",
            "what happened to orders, oldest first";
        EVENT = "GET" "/v1/platforms/{platform}/events/{event}", "one of them, and how far the mall was told";
        RESEND = "POST" "/v1/platforms/{platform}/events/{event}/resend", "tell the mall once more, now";
        DELIVERIES = "GET" "/v1/platforms/{platform}/deliveries",
            "how far the mall was told";
        ACCOUNT_BY_ID = "GET" "/v1/accounts/{account}", "balances of an account by its number";
        NOTIFICATIONS = "POST" "/v1/channels/{channel}/notifications", "what a simulated channel has to say";
        CHANNELS = "GET" "/v1/channels", "what every channel can do and what it costs";
        ALL_EXCEPTIONS = "GET" "/v1/exceptions", "the exceptions of all platforms";
        TRIAL_BALANCE = "GET" "/v1/trial-balance", "debits less credits of every kind of account";
        BOOKS = "GET" "/v1/books", "the clearing accounts beside the channels' own books";
        AUDIT = "GET" "/v1/audit", "what operators did, oldest first";
        ENGINE_KEY = "GET" "/v1/engine-key", "the public half of the key with which the engine signs answers";
        LIVE = "GET" "/health/live", "whether the process runs";
        READY = "GET" "/health/ready", "whether orders can be taken; 503 with the reason while not";
        METRICS = "GET" "/metrics", "counters and gauges for Prometheus";
        OPENAPI = "GET" "/openapi.json", "the description of this API, OpenAPI 3.1";
        DOCS = "GET" "/docs", "the same as a page to read";
        HOME = "GET" "/", "this list";
    }
}

pub use list::*;

#[cfg(test)]
mod tests {
    use super::Endpoint;

    #[test]
    fn a_path_belongs_to_its_endpoint() {
        let table = [
            ("POST", "/v1/platforms/1/orders", true),
            ("PUT", "/v1/platforms/1/orders", false),
            ("POST", "/v1/platforms//orders", false),
            ("POST", "/v1/platforms/1/orders/2", false),
            ("POST", "/v1/platforms/1/order", false),
        ];
        for (method, path, expected) in table {
            assert_eq!(super::ORDERS.takes(method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn indices_are_places() {
        for (place, endpoint) in Endpoint::ALL.iter().enumerate() {
            assert_eq!(endpoint.index, place);
            assert!(endpoint.path.starts_with('/'));
        }
    }
}
