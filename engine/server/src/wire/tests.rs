//! Every bad order with its code and field, and what a good one comes to.

use suanpan_model::order::Share;
use suanpan_model::{
    AccountId, AccountType, Amount, Campaign, CampaignId, Currency, DurationMs, PayKind, PlatformId,
    TimestampMs,
};

use super::{Lookup, OrderContext, OrderIn, Parsed, terms};
use crate::body::read_json;
use crate::problem::Problem;

const PLATFORM: PlatformId = PlatformId(9001);
const NOW: TimestampMs = TimestampMs(1_795_327_536_000);

/// A platform with two merchants, an agent, a payer and a campaign.
struct Names;

impl Lookup for Names {
    fn account(&self, kind: AccountType, reference: &str) -> Option<AccountId> {
        let known = [
            (AccountType::Settlement, "M1"),
            (AccountType::Settlement, "M2"),
            (AccountType::Commission, "A1"),
            (AccountType::Cash, "U1"),
        ];
        let place = known.iter().position(|known| *known == (kind, reference))?;
        Some(AccountId::opened(kind, place as u64 + 1, 0))
    }

    fn campaign(&self, id: CampaignId) -> Option<Campaign> {
        (id == CampaignId(1)).then_some(Campaign {
            id,
            platform: PLATFORM,
            currency: Currency::Cny,
            face: Amount::from_minor(500),
            minimum_spend: Amount::from_minor(3_000),
            valid_from: TimestampMs(0),
            valid_until: TimestampMs::NEVER,
        })
    }
}

fn read(text: &str) -> Result<Parsed, Problem> {
    let order: OrderIn<'_> = read_json(text.as_bytes())?;
    let order_ttl = DurationMs::from_secs(60);
    Ok(terms(&order, &OrderContext { platform: PLATFORM, now: NOW, order_ttl, lookup: &Names })?)
}

const GOOD: [(&str, &str); 5] = [
    ("order_no", "\"N1\""),
    ("payer", "\"U1\""),
    ("amount", "\"100.00\""),
    ("kind", "\"gateway\""),
    ("merchant", "\"M1\""),
];

/// A good order in which `changes` replace fields, add them, or (when empty) leave them out.
fn order(changes: &[(&str, &str)]) -> String {
    let kept = GOOD.iter().filter(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    let added = changes.iter().filter(|(_, value)| !value.is_empty());
    let fields: Vec<String> = kept.chain(added).map(|(name, value)| format!("\"{name}\": {value}")).collect();
    format!("{{{}}}", fields.join(", "))
}

fn long(length: usize) -> String {
    format!("\"{}\"", "长".repeat(length))
}

fn pairs(count: usize) -> String {
    let pairs: Vec<String> = (0..count).map(|place| format!("\"k{place}\": \"v\"")).collect();
    format!("{{{}}}", pairs.join(", "))
}

fn repeated(count: usize, item: &str) -> String {
    format!("[{}]", vec![item; count].join(", "))
}

/// One change of a good order, with the code and field of the refusal.
#[test]
fn every_bad_field_has_its_code() {
    let (long65, long257, long513) = (long(65), long(257), long(513));
    let (pairs21, sub_orders101) = (pairs(21), repeated(101, r#"{"merchant": "M1", "amount": "1"}"#));
    let splits101 = repeated(101, r#"{"receiver": "platform", "percent": "1"}"#);
    let long_key = format!("{{{long65}: \"v\"}}");
    let long_value = format!("{{\"k\": {long257}}}");
    let long_callback = format!("\"https://a/{}\"", "x".repeat(512));
    let table: &[(&str, &str, &str, &str)] = &[
        // field, value, code, field of the refusal
        ("order_no", "", "missing_field", "order_no"),
        ("order_no", "null", "missing_field", "order_no"),
        ("order_no", "\"\"", "missing_field", "order_no"),
        ("order_no", "7", "invalid_field", "order_no"),
        ("order_no", "\"a\\u0000b\"", "invalid_field", "order_no"),
        ("order_no", "\"a\\nb\"", "invalid_field", "order_no"),
        ("order_no", &long65, "invalid_field", "order_no"),
        ("payer", "", "missing_field", "payer"),
        ("payer", &long65, "invalid_field", "payer"),
        ("amount", "", "missing_field", "amount"),
        ("amount", "\"-1\"", "invalid_field", "amount"),
        ("amount", "\"+1\"", "invalid_field", "amount"),
        ("amount", "\"1.234\"", "amount_decimals", "amount"),
        ("amount", "\"1e3\"", "invalid_field", "amount"),
        ("amount", "\"1,000\"", "invalid_field", "amount"),
        ("amount", "\" 1\"", "invalid_field", "amount"),
        ("amount", "\"\"", "invalid_field", "amount"),
        ("amount", "\"NaN\"", "invalid_field", "amount"),
        ("amount", "\"0\"", "amount_zero", "amount"),
        ("amount", "\"0.00\"", "amount_zero", "amount"),
        ("amount", "\"10000000000.01\"", "amount_too_large", "amount"),
        ("amount", "\"99999999999999999999999999\"", "amount_too_large", "amount"),
        ("amount", "100", "invalid_field", "amount"),
        ("amount", "100.5", "invalid_field", "amount"),
        ("amount", "{\"value\": \"1\"}", "invalid_field", "amount"),
        ("currency", "\"XXX\"", "unknown_currency", "currency"),
        ("currency", "\"cny\"", "unknown_currency", "currency"),
        ("currency", "\"JPY\"", "amount_decimals", "amount"),
        ("kind", "", "missing_field", "kind"),
        ("kind", "\"Gateway\"", "invalid_field", "kind"),
        ("kind", "\"cheque\"", "invalid_field", "kind"),
        ("bank", "\"icbc\"", "unknown_bank", "bank"),
        ("bank", "\"ICBCICBCICBC\"", "unknown_bank", "bank"),
        ("card_type", "\"gold\"", "invalid_field", "card_type"),
        ("agreement_no", &long65, "invalid_field", "agreement_no"),
        ("description", &long257, "invalid_field", "description"),
        ("expires_at", "\"tomorrow\"", "invalid_expiry", "expires_at"),
        ("expires_at", "\"2026-11-22T06:05:36\"", "invalid_expiry", "expires_at"),
        ("expires_at", "\"1969-01-01T00:00:00Z\"", "invalid_expiry", "expires_at"),
        ("expires_at", "1795327536000", "invalid_field", "expires_at"),
        ("escrow", "\"yes\"", "invalid_field", "escrow"),
        ("coupon", "{\"campaign\": 2}", "unknown_campaign", "coupon.campaign"),
        ("coupon", "{}", "missing_field", "coupon.campaign"),
        ("coupon", "{\"campaign\": -1}", "invalid_field", "coupon.campaign"),
        ("coupon", "{\"campaign\": 1, \"face\": \"9\"}", "invalid_field", "coupon.face"),
        ("merchant", "", "missing_field", "merchant"),
        ("merchant", "\"M9\"", "unknown_account", "merchant"),
        ("merchant", "\"A1\"", "unknown_account", "merchant"),
        ("merchant", "\"\"", "missing_field", "merchant"),
        ("merchant", &long65, "invalid_field", "merchant"),
        ("sub_orders", "[]", "invalid_field", "merchant"),
        ("callback", "\"ftp://a\"", "invalid_field", "callback"),
        ("callback", "\"https://\"", "invalid_field", "callback"),
        ("callback", "\"https:// a\"", "invalid_field", "callback"),
        ("callback", "\"javascript:alert(1)\"", "invalid_field", "callback"),
        ("callback", &long_callback, "invalid_field", "callback"),
        ("callback", &long513, "invalid_field", "callback"),
        ("metadata", &pairs21, "invalid_field", "metadata"),
        ("metadata", "{\"\": \"v\"}", "invalid_field", "metadata"),
        ("metadata", "{\"k\": 5}", "invalid_field", "metadata.k"),
        ("metadata", "{\"k\": \"1\", \"k\": \"2\"}", "invalid_field", "metadata"),
        ("metadata", "[]", "invalid_field", "metadata"),
        ("metadata", &long_key, "invalid_field", "metadata"),
        ("metadata", &long_value, "invalid_field", "metadata"),
        ("splits", "{}", "invalid_field", "splits"),
        ("splits", &splits101, "split_too_many", "splits"),
        ("splits", "[{\"receiver\": \"platform\"}]", "missing_field", "splits[0].percent"),
        ("splits", "[{\"percent\": \"1\"}]", "missing_field", "splits[0].receiver"),
        ("splits", "[{\"receiver\": 5, \"percent\": \"1\"}]", "invalid_field", "splits[0].receiver"),
        ("colour", "\"red\"", "invalid_field", "colour"),
    ];
    for (name, value, code, field) in table {
        let text = order(&[(*name, *value)]);
        let problem = read(&text).expect_err(&text);
        assert_eq!((problem.code(), problem.field()), (*code, *field), "{text}");
    }
    let text = order(&[("merchant", ""), ("sub_orders", &sub_orders101)]);
    assert_eq!(read(&text).unwrap_err().field(), "sub_orders");
}

#[test]
fn every_bad_split_has_its_code() {
    let table = [
        // receiver, share, code, field
        (r#""bank""#, r#""percent": "1""#, "invalid_field", "splits[0].receiver"),
        (
            r#"{"kind": "commission", "reference": "A9"}"#,
            r#""percent": "1""#,
            "unknown_account",
            "splits[0].receiver.reference",
        ),
        (
            r#"{"kind": "settlement", "reference": "A1"}"#,
            r#""percent": "1""#,
            "unknown_account",
            "splits[0].receiver.reference",
        ),
        (
            r#"{"kind": "purse", "reference": "A1"}"#,
            r#""percent": "1""#,
            "invalid_field",
            "splits[0].receiver.kind",
        ),
        (
            r#"{"kind": "commission", "reference": ""}"#,
            r#""percent": "1""#,
            "missing_field",
            "splits[0].receiver.reference",
        ),
        (r#"{"kind": "commission"}"#, r#""percent": "1""#, "missing_field", "splits[0].receiver.reference"),
        (r#""platform""#, r#""percent": "0""#, "invalid_field", "splits[0].percent"),
        (r#""platform""#, r#""percent": "-1""#, "invalid_field", "splits[0].percent"),
        (r#""platform""#, r#""percent": "5.255""#, "invalid_field", "splits[0].percent"),
        (r#""platform""#, r#""percent": "100.01""#, "invalid_field", "splits[0].percent"),
        (r#""platform""#, r#""percent": "5%""#, "invalid_field", "splits[0].percent"),
        (r#""platform""#, r#""fixed": "0""#, "amount_zero", "splits[0].fixed"),
        (r#""platform""#, r#""fixed": "0.001""#, "amount_decimals", "splits[0].fixed"),
        (r#""platform""#, r#""fixed": "1", "percent": "1""#, "invalid_field", "splits[0].percent"),
        (r#""platform""#, r#""tier": "1""#, "invalid_field", "splits[0].tier"),
    ];
    for (receiver, share, code, field) in table {
        let text = order(&[("splits", &format!(r#"[{{"receiver": {receiver}, {share}}}]"#))]);
        let problem = read(&text).expect_err(&text);
        assert_eq!((problem.code(), problem.field()), (code, field), "{text}");
    }
}

#[test]
fn every_bad_sub_order_has_its_code() {
    let table = [
        // sub-orders, code, field
        (r#"[]"#, "invalid_field", "sub_orders"),
        (r#"[{"merchant": "M1", "amount": "99.99"}]"#, "amount_mismatch", "sub_orders"),
        (r#"[{"merchant": "M1", "amount": "100.01"}]"#, "amount_mismatch", "sub_orders"),
        (
            r#"[{"merchant": "M1", "amount": "100"}, {"merchant": "M2", "amount": "0"}]"#,
            "amount_zero",
            "sub_orders[1].amount",
        ),
        (
            r#"[{"merchant": "M1", "amount": "50"}, {"merchant": "M9", "amount": "50"}]"#,
            "unknown_account",
            "sub_orders[1].merchant",
        ),
        (r#"[{"merchant": "M1", "amount": "1e2"}]"#, "invalid_field", "sub_orders[0].amount"),
        (r#"[{"merchant": "M1", "amount": "100.001"}]"#, "amount_decimals", "sub_orders[0].amount"),
        (r#"[{"merchant": "M1"}]"#, "missing_field", "sub_orders[0].amount"),
        (r#"[{"merchant": "M1", "amount": 100}]"#, "invalid_field", "sub_orders[0].amount"),
        (r#"["M1"]"#, "invalid_field", "sub_orders[0]"),
    ];
    for (sub_orders, code, field) in table {
        let text = order(&[("merchant", ""), ("sub_orders", sub_orders)]);
        let problem = read(&text).expect_err(&text);
        assert_eq!((problem.code(), problem.field()), (code, field), "{text}");
    }
}

#[test]
fn a_balance_order_needs_an_e_account() {
    let parsed = read(&order(&[("kind", "\"balance\"")])).unwrap();
    assert_eq!(parsed.terms.kind, PayKind::Balance);
    assert_eq!(parsed.terms.payer_account.map(AccountId::kind), Some(AccountType::Cash));
    let problem = read(&order(&[("kind", "\"balance\""), ("payer", "\"U9\"")])).unwrap_err();
    assert_eq!((problem.code(), problem.field()), ("unknown_account", "payer"));
}

#[test]
fn a_full_order_is_read_exactly() {
    let text = order(&[
        ("merchant", ""),
        ("sub_orders", r#"[{"merchant": "M1", "amount": "60"}, {"merchant": "M2", "amount": "40.0"}]"#),
        (
            "splits",
            r#"[{"receiver": {"kind": "commission", "reference": "A1"}, "percent": "5.25"},
                {"receiver": "platform", "fixed": "3.00"}]"#,
        ),
        ("coupon", r#"{"campaign": 1}"#),
        ("bank", "\"ICBC\""),
        ("card_type", "\"debit\""),
        ("description", "\"tea \\u8336\""),
        ("expires_at", "\"2026-11-22T14:15:36+08:00\""),
        ("escrow", "false"),
        ("callback", "\"https://mall.example/cb\""),
        ("metadata", r#"{"b": "2", "a": "1"}"#),
    ]);
    let Parsed { terms, default_expiry } = read(&text).unwrap();
    assert!(!default_expiry && !terms.escrow);
    assert_eq!(terms.expires_at, TimestampMs(NOW.0 + 600_000));
    assert_eq!(terms.payable(), Amount::from_minor(9_500));
    let amounts: Vec<u64> = terms.sub_orders.iter().map(|one| one.amount.minor()).collect();
    assert_eq!(amounts, [6_000, 4_000]);
    assert_eq!(terms.splits[0].share, Share::Bps(525));
    assert_eq!(terms.splits[1].share, Share::Fixed(Amount::from_minor(300)));
    let commission = AccountId::internal(AccountType::CommissionIncome, 9001, Currency::Cny, 0);
    assert_eq!(terms.splits[1].receiver, commission);
    assert_eq!(terms.description, "tea 茶");
    let metadata: Vec<(&str, &str)> =
        terms.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(metadata, [("a", "1"), ("b", "2")]);
}

#[test]
fn the_same_content_in_other_forms_has_the_same_terms() {
    let plain = read(&order(&[("metadata", r#"{"a": "1", "b": "2"}"#)])).unwrap();
    let other = read(&order(&[
        ("amount", "\"100.0\""),
        ("currency", "\"CNY\""),
        ("escrow", "true"),
        ("merchant", ""),
        ("sub_orders", r#"[{"merchant": "M1", "amount": "100"}]"#),
        ("splits", "[]"),
        ("callback", "\"\""),
        ("metadata", r#"{"b": "2", "a": "1"}"#),
    ]));
    assert_eq!(plain, other.unwrap());
    assert!(plain.default_expiry);
    assert_eq!(plain.terms.expires_at, TimestampMs(NOW.0 + 60_000));
}
