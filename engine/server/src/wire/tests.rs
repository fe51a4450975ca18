//! Every bad order with its code and field, and what a good one comes to.

use std::sync::Arc;

use smallvec::smallvec;
use suanpan_model::{
    AccountId, AccountType, Amount, Campaign, CampaignId, Currency, DurationMs, Funder, PayKind, PlatformId,
    Share, SplitRule, Tier, TimestampMs, Worth,
};

use super::{CampaignIn, Lookup, OrderContext, OrderIn, Parsed, campaign, terms};
use crate::body::read_json;
use crate::problem::Problem;

const PLATFORM: PlatformId = PlatformId(9001);
const NOW: TimestampMs = TimestampMs(1_795_327_536_000);

/// A platform with two merchants, an agent, a payer, marketing money and two campaigns.
struct Names;

impl Lookup for Names {
    fn account(&self, kind: AccountType, reference: &str) -> Option<AccountId> {
        let known = [
            (AccountType::Settlement, "M1"),
            (AccountType::Settlement, "M2"),
            (AccountType::Commission, "A1"),
            (AccountType::Cash, "U1"),
            (AccountType::Marketing, "K1"),
        ];
        let place = known.iter().position(|known| *known == (kind, reference))?;
        Some(AccountId::opened(kind, place as u64 + 1, 0))
    }

    fn campaign(&self, id: CampaignId) -> Option<Arc<Campaign>> {
        let fund = AccountId::internal(AccountType::CouponFund, PLATFORM.0, Currency::Cny, 0);
        let (worth, rank) = match id.0 {
            1 => (Worth::Face(Amount::from_minor(500)), 7),
            2 => (Worth::Percent { bps: 1_000, cap: None }, 3),
            _ => return None,
        };
        Some(Arc::new(Campaign {
            id,
            platform: PLATFORM,
            currency: Currency::Cny,
            worth,
            minimum_spend: Amount::from_minor(3_000),
            // Long over: that is for the engine to say, which may know the order.
            valid_from: TimestampMs(0),
            valid_until: TimestampMs(1),
            funders: smallvec![Funder { account: fund, bps: 10_000 }],
            merchants: Vec::new(),
            stock: None,
            per_customer: None,
            stackable: true,
            rank,
            claimable: true,
        }))
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
    let coupons11 = repeated(11, r#"{"campaign": 1}"#);
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
        ("virtual_goods", "\"yes\"", "invalid_field", "virtual_goods"),
        ("coupons", "[{\"campaign\": 9}]", "unknown_campaign", "coupons[0].campaign"),
        ("coupons", "[{\"campaign\": 1}, {\"campaign\": 9}]", "unknown_campaign", "coupons[1].campaign"),
        ("coupons", "[{}]", "missing_field", "coupons[0].campaign"),
        ("coupons", "[{\"campaign\": -1}]", "invalid_field", "coupons[0].campaign"),
        ("coupons", "[{\"campaign\": 1, \"face\": \"9\"}]", "invalid_field", "coupons[0].face"),
        ("coupons", "{\"campaign\": 1}", "invalid_field", "coupons"),
        ("coupons", "[[1]]", "invalid_field", "coupons[0]"),
        ("coupons", &coupons11, "invalid_field", "coupons"),
        ("coupon", "{\"campaign\": 1}", "invalid_field", "coupon"),
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
        ("splits", "[[\"platform\", \"1\"]]", "invalid_field", "splits[0]"),
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
        (r#""platform""#, r#""remainder": false"#, "missing_field", "splits[0].percent"),
        (r#""platform""#, r#""remainder": true, "fixed": "1""#, "invalid_field", "splits[0].remainder"),
        (r#""platform""#, r#""remainder": "1""#, "invalid_field", "splits[0].remainder"),
        (r#""platform""#, r#""percent": "1", "within": 0"#, "invalid_field", "splits[0].within"),
        (r#""platform""#, r#""percent": "1", "within": -1"#, "invalid_field", "splits[0].within"),
        (r#""platform""#, r#""tiers": []"#, "invalid_field", "splits[0].tiers"),
        (
            r#""platform""#,
            r#""tiers": [{"from": "0", "percent": "1"}], "fixed": "1""#,
            "invalid_field",
            "splits[0].fixed",
        ),
        (r#""platform""#, r#""tiers": [["0", "1"]]"#, "invalid_field", "splits[0].tiers[0]"),
        (r#""platform""#, r#""tiers": [{"from": "0"}]"#, "missing_field", "splits[0].tiers[0].percent"),
        (
            r#""platform""#,
            r#""tiers": [{"from": "-1", "percent": "1"}]"#,
            "invalid_field",
            "splits[0].tiers[0].from",
        ),
        (
            r#""platform""#,
            r#""tiers": [{"from": "0", "percent": "100.01"}]"#,
            "invalid_field",
            "splits[0].tiers[0].percent",
        ),
        (
            r#""platform""#,
            r#""tiers": [{"from": "5", "percent": "1"}, {"from": "5.00", "percent": "2"}]"#,
            "invalid_field",
            "splits[0].tiers[1].from",
        ),
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
        (r#"[["M1", "100"]]"#, "invalid_field", "sub_orders[0]"),
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
        ("coupons", r#"[{"campaign": 1}]"#),
        ("virtual_goods", "true"),
        ("bank", "\"ICBC\""),
        ("card_type", "\"debit\""),
        ("description", "\"tea \\u8336\""),
        ("expires_at", "\"2026-11-22T14:15:36+08:00\""),
        ("escrow", "false"),
        ("callback", "\"https://mall.example/cb\""),
        ("metadata", r#"{"b": "2", "a": "1"}"#),
    ]);
    let Parsed { terms, default_expiry } = read(&text).unwrap();
    assert!(!default_expiry && !terms.escrow && terms.virtual_goods);
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
        ("coupons", "[]"),
        ("virtual_goods", "false"),
        ("callback", "\"\""),
        ("metadata", r#"{"b": "2", "a": "1"}"#),
    ]));
    assert_eq!(plain, other.unwrap());
    assert!(plain.default_expiry);
    assert_eq!(plain.terms.expires_at, TimestampMs(NOW.0 + 60_000));
}

#[test]
fn every_form_of_share_is_read() {
    let agent = AccountId::opened(AccountType::Commission, 3, 0);
    let platform = AccountId::internal(AccountType::CommissionIncome, 9001, Currency::Cny, 0);
    let a1 = r#"{"kind": "commission", "reference": "A1"}"#;
    let splits = format!(
        r#"[{{"receiver": "platform", "percent": "5"}}, {{"receiver": {a1}, "fixed": "1.50"}},
            {{"receiver": {a1}, "tiers": [{{"from": "0.00", "percent": "0"}}, {{"from": "100", "percent": "2.5"}}]}},
            {{"receiver": "platform", "remainder": true}}, {{"receiver": {a1}, "percent": "25", "within": 0}}]"#
    );
    let terms = read(&order(&[("splits", &splits)])).unwrap().terms;
    let tier = |from, bps| Tier { from: Amount::from_minor(from), bps };
    let expected = [
        SplitRule::new(platform, Share::Bps(500)),
        SplitRule::new(agent, Share::Fixed(Amount::from_minor(150))),
        SplitRule::new(agent, Share::Tiered([tier(0, 0), tier(10_000, 250)].into())),
        SplitRule::new(platform, Share::Remainder),
        SplitRule { receiver: agent, share: Share::Bps(2_500), within: Some(0) },
    ];
    assert_eq!(terms.splits.as_slice(), expected);
}

/// 10 % of 100.00 by the lower rank, then 5.00; in whatever order they are named, and although both are over.
#[test]
fn coupons_are_applied_by_rank() {
    let named = |coupons: &str| read(&order(&[("coupons", coupons)])).unwrap();
    let parsed = named(r#"[{"campaign": 1}, {"campaign": 2}]"#);
    assert_eq!(parsed, named(r#"[{"campaign": 2}, {"campaign": 1}]"#));
    let used: Vec<(u32, u64)> =
        parsed.terms.coupons.iter().map(|one| (one.campaign.0, one.subsidy.minor())).collect();
    assert_eq!(used, [(2, 1_000), (1, 500)]);
    assert_eq!(parsed.terms.payable(), Amount::from_minor(8_500));
}

fn read_campaign(text: &str) -> Result<Campaign, Problem> {
    let written: CampaignIn<'_> = read_json(text.as_bytes())?;
    Ok(campaign(&written, PLATFORM)?.resolve(&Names)?)
}

const CAMPAIGN: [(&str, &str); 4] = [
    ("id", "5"),
    ("face", "\"5.00\""),
    ("valid_from", "\"2026-01-01T00:00:00Z\""),
    ("valid_until", "\"2027-01-01T00:00:00Z\""),
];

fn campaign_text(changes: &[(&str, &str)]) -> String {
    let kept = CAMPAIGN.iter().filter(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    let added = changes.iter().filter(|(_, value)| !value.is_empty());
    let fields: Vec<String> = kept.chain(added).map(|(name, value)| format!("\"{name}\": {value}")).collect();
    format!("{{{}}}", fields.join(", "))
}

#[test]
fn a_campaign_is_read_with_its_defaults() {
    let plain = read_campaign(&campaign_text(&[])).unwrap();
    let fund = AccountId::internal(AccountType::CouponFund, 9001, Currency::Cny, 0);
    assert_eq!(plain.funders.as_slice(), [Funder { account: fund, bps: 10_000 }]);
    assert_eq!(plain.worth, Worth::Face(Amount::from_minor(500)));
    assert!(!plain.stackable && plain.claimable && !plain.is_counted());
    assert_eq!((plain.minimum_spend, plain.rank), (Amount::ZERO, 0));

    let full = read_campaign(&campaign_text(&[
        ("face", ""),
        ("percent", "\"12.5\""),
        ("cap", "\"30\""),
        (
            "funders",
            r#"[{"account": {"kind": "marketing", "reference": "K1"}, "percent": "40"}, {"account": "platform", "percent": "60"}]"#,
        ),
        ("merchants", r#"["M2", "M1"]"#),
        ("stock", "10"),
        ("per_customer", "2"),
        ("stackable", "true"),
        ("rank", "3"),
        ("claimable", "false"),
    ]))
    .unwrap();
    assert_eq!(full.worth, Worth::Percent { bps: 1_250, cap: Some(Amount::from_minor(3_000)) });
    let funder = |account, bps| Funder { account, bps };
    let marketing = AccountId::opened(AccountType::Marketing, 5, 0);
    assert_eq!(full.funders.as_slice(), [funder(marketing, 4_000), funder(fund, 6_000)]);
    let merchants: Vec<u64> = full.merchants.iter().map(|account| account.number()).collect();
    assert_eq!((merchants.as_slice(), full.stock, full.per_customer), ([2, 1].as_slice(), Some(10), Some(2)));
    assert!(full.stackable && !full.claimable);
}

#[test]
fn every_bad_property_of_a_campaign_has_its_code() {
    let funders11 = repeated(11, r#"{"account": "platform", "percent": "9"}"#);
    let table: &[(&str, &str, &str, &str)] = &[
        ("id", "", "missing_field", "id"),
        ("id", "-1", "invalid_field", "id"),
        ("currency", "\"XXX\"", "unknown_currency", "currency"),
        ("currency", "\"pieces\"", "unknown_currency", "currency"),
        ("face", "", "missing_field", "face"),
        ("face", "\"0\"", "amount_zero", "face"),
        ("face", "5", "invalid_field", "face"),
        ("percent", "\"5\"", "invalid_field", "percent"),
        ("cap", "\"5\"", "invalid_field", "cap"),
        ("minimum_spend", "\"-1\"", "invalid_field", "minimum_spend"),
        ("valid_from", "", "missing_field", "valid_from"),
        ("valid_from", "\"soon\"", "invalid_field", "valid_from"),
        ("valid_until", "\"2026-01-01T00:00:00Z\"", "invalid_field", "valid_until"),
        ("funders", "[]", "invalid_field", "funders"),
        ("funders", &funders11, "invalid_field", "funders"),
        ("funders", "[[\"platform\", \"100\"]]", "invalid_field", "funders[0]"),
        ("funders", r#"[{"account": "bank", "percent": "100"}]"#, "invalid_field", "funders[0].account"),
        ("funders", r#"[{"account": "platform", "percent": "0"}]"#, "invalid_field", "funders[0].percent"),
        ("funders", r#"[{"account": "platform"}]"#, "missing_field", "funders[0].percent"),
        (
            "funders",
            r#"[{"account": {"kind": "marketing", "reference": "K9"}, "percent": "100"}]"#,
            "unknown_account",
            "funders[0].account",
        ),
        ("merchants", r#"["M1", "M9"]"#, "unknown_account", "merchants[1]"),
        ("merchants", r#"[""]"#, "missing_field", "merchants"),
        ("stock", "0", "invalid_field", "stock"),
        ("per_customer", "0", "invalid_field", "per_customer"),
        ("stackable", "1", "invalid_field", "stackable"),
        ("colour", "1", "invalid_field", "colour"),
    ];
    for (name, value, code, field) in table {
        let text = campaign_text(&[(*name, *value)]);
        let problem = read_campaign(&text).expect_err(&text);
        assert_eq!((problem.code(), problem.field()), (*code, *field), "{text}");
    }
    let percent = campaign_text(&[("face", ""), ("percent", "\"100.01\"")]);
    assert_eq!(read_campaign(&percent).unwrap_err().field(), "percent");
}
