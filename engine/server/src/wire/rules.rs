//! Routing rules as they are written, in JSON and in TOML alike.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use smol_str::SmolStr;
use suanpan_core::routing::{
    AmountBand, Condition, Designation, Key, Output, RoutingRules, Rule, Scoring, Strategy, Test, Value,
    Values, Weight, WeightedList,
};
use suanpan_model::{AccountId, Amount, Bank, ChannelId, Currency, Holder, PayKind};

use super::forms::card_type;
use super::object::{Object, object, objects, some_objects};
use super::schema;
use crate::config::ConfigFault;
use crate::text::parse_percent;

type Checked<T> = Result<T, ConfigFault>;

/// Days of the week as conditions name them, Monday first.
const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// Kinds of payment by their number.
const KINDS: [PayKind; 3] = [PayKind::Gateway, PayKind::QuickPay, PayKind::Balance];

/// A platform's rules. What is left out: the cheapest capable channel.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "each stands for the field of `RoutingRules` of the same name")]
#[schemars(rename = "RoutingRules")]
pub struct RulesIn {
    pub version: u32,
    #[schemars(with = "Vec<schema::StrategyName>")]
    pub order: Vec<String>,
    #[serde(deserialize_with = "objects", skip_serializing_if = "Vec::is_empty")]
    pub amount_bands: Vec<BandIn>,
    #[serde(deserialize_with = "objects", skip_serializing_if = "Vec::is_empty")]
    pub designations: Vec<DesignationIn>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub priority: Vec<String>,
    #[serde(deserialize_with = "objects", skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleIn>,
    #[serde(deserialize_with = "objects", skip_serializing_if = "Vec::is_empty")]
    pub weights: Vec<WeightIn>,
    #[serde(deserialize_with = "object")]
    pub scoring: ScoringIn,
    pub seed: u64,
}

impl Default for RulesIn {
    fn default() -> Self {
        Self {
            version: 1,
            order: vec!["cost".to_owned()],
            amount_bands: Vec::new(),
            designations: Vec::new(),
            priority: Vec::new(),
            rules: Vec::new(),
            weights: Vec::new(),
            scoring: ScoringIn::default(),
            seed: 0,
        }
    }
}

/// Statements of objects that are nothing but objects.
fn statements<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Vec<ConditionIn>>, D::Error> {
    let statements = Vec::<Vec<Object<ConditionIn>>>::deserialize(deserializer)?;
    let plain = |statement: Vec<Object<ConditionIn>>| statement.into_iter().map(|one| one.0).collect();
    Ok(statements.into_iter().map(plain).collect())
}

/// Channels for a band of amounts.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AmountBand")]
pub struct BandIn {
    #[schemars(with = "schema::AmountText")]
    pub from: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::AmountText>")]
    pub until: Option<String>,
    pub channels: Vec<String>,
}

/// Channels for a bank, a card type, or both.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Designation")]
pub struct DesignationIn {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::BankCode>")]
    pub bank: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::CardTypeName>")]
    pub card_type: Option<String>,
    pub channels: Vec<String>,
}

/// A rule with one output: a channel, channels in order, a split, a split of lists, or a strategy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Rule")]
pub struct RuleIn {
    pub name: String,
    #[serde(default, deserialize_with = "statements", skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<Vec<ConditionIn>>,
    #[serde(default, deserialize_with = "objects", skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleIn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<String>>,
    #[serde(default, deserialize_with = "some_objects", skip_serializing_if = "Option::is_none")]
    pub split: Option<Vec<WeightIn>>,
    #[serde(default, deserialize_with = "some_objects", skip_serializing_if = "Option::is_none")]
    pub split_lists: Option<Vec<ListIn>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::StrategyName>")]
    pub strategy: Option<String>,
}

/// A condition: a key with one test.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Condition")]
pub struct ConditionIn {
    pub key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Scalar>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Scalar>,
    #[serde(rename = "in", skip_serializing_if = "Option::is_none")]
    pub one_of: Option<Vec<Scalar>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_in: Option<Vec<Scalar>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub present: Option<bool>,
}

/// A text, or a whole number.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Scalar {
    /// A number.
    Number(u64),
    /// A text.
    Text(String),
}

impl Scalar {
    fn text(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

/// A channel's share.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Weight")]
pub struct WeightIn {
    pub channel: String,
    pub weight: u32,
}

/// A list's share.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WeightedList")]
pub struct ListIn {
    pub channels: Vec<String>,
    pub weight: u32,
}

/// How what was learned is used; percentages such as `5%`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Scoring")]
pub struct ScoringIn {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::Share>")]
    pub explore: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::Share>")]
    pub eliminate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::Share>")]
    pub given_up: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::Share>")]
    pub margin: Option<String>,
}

/// Where the names in rules become numbers, and numbers names.
pub trait RuleNames {
    /// A channel by its name.
    fn channel(&self, name: &str) -> Option<ChannelId>;
    /// The names that there are, for messages.
    fn channels(&self) -> String;
    /// The name of a channel.
    fn channel_name(&self, channel: ChannelId) -> String;
    /// A merchant's account by the platform's name for it.
    fn merchant(&self, reference: &str) -> Option<AccountId>;
}

impl RulesIn {
    /// Whether some condition names a merchant, whose account must be opened before the rules can be read.
    #[must_use]
    pub fn names_merchants(&self) -> bool {
        fn any(rules: &[RuleIn]) -> bool {
            let of = |rule: &RuleIn| rule.when.iter().flatten().any(|one| one.key == Key::Merchant.name());
            rules.iter().any(|rule| of(rule) || any(&rule.rules))
        }
        any(&self.rules)
    }

    /// Reads rules; `key` is the path under which they stand.
    ///
    /// # Errors
    /// The first value that is not allowed, by its path.
    pub fn read(&self, key: &str, names: &dyn RuleNames) -> Checked<RoutingRules> {
        let read = Reader { key, names };
        let each = |name: &str, place: usize| format!("{key}.{name}[{place}]");
        let order = self.order.iter().enumerate();
        let bands = self.amount_bands.iter().enumerate();
        let designations = self.designations.iter().enumerate();
        Ok(RoutingRules {
            version: self.version,
            order: order
                .map(|(place, name)| strategy(&each("order", place), name))
                .collect::<Checked<_>>()?,
            amount_bands: bands
                .map(|(place, one)| read.band(&each("amount_bands", place), one))
                .collect::<Checked<_>>()?,
            designations: designations
                .map(|(place, one)| read.designation(&each("designations", place), one))
                .collect::<Checked<_>>()?,
            priority: read.channels(&format!("{key}.priority"), &self.priority)?,
            rules: read.rules(&format!("{key}.rules"), &self.rules)?,
            weights: read.weights(&format!("{key}.weights"), &self.weights)?,
            scoring: read.scoring(&self.scoring)?,
            seed: self.seed,
        })
    }

    /// Writes rules.
    #[must_use]
    pub fn write(rules: &RoutingRules, names: &dyn RuleNames) -> Self {
        let list = |channels: &[ChannelId]| channels.iter().map(|one| names.channel_name(*one)).collect();
        let text = |amount: Amount| amount.to_text(Currency::Cny);
        Self {
            version: rules.version,
            order: rules.order.iter().map(|strategy| strategy.name().to_owned()).collect(),
            amount_bands: rules
                .amount_bands
                .iter()
                .map(|band| BandIn {
                    from: text(band.from),
                    until: band.until.map(text),
                    channels: list(&band.channels),
                })
                .collect(),
            designations: rules
                .designations
                .iter()
                .map(|one| DesignationIn {
                    bank: one.bank.map(|bank| bank.code().into()),
                    card_type: one.card_type.map(|card| card.name().to_owned()),
                    channels: list(&one.channels),
                })
                .collect(),
            priority: list(&rules.priority),
            rules: rules.rules.iter().map(|rule| write_rule(rule, names)).collect(),
            weights: write_weights(&rules.weights, names),
            scoring: ScoringIn {
                explore: Some(percent(rules.scoring.explore_ppm)),
                eliminate: Some(percent(rules.scoring.eliminate_ppm)),
                given_up: Some(percent(rules.scoring.given_up_ppm)),
                margin: Some(percent(rules.scoring.margin_ppm)),
            },
            seed: rules.seed,
        }
    }
}

/// A percentage with two decimals.
fn percent(ppm: u32) -> String {
    format!("{}.{:02}%", ppm / 10_000, ppm % 10_000 / 100)
}

fn strategy(key: &str, name: &str) -> Checked<Strategy> {
    Strategy::from_name(name).ok_or_else(|| {
        let names = Strategy::ALL.map(Strategy::name).join(", ");
        ConfigFault::value(key, format!("one of {names}"), name)
    })
}

struct Reader<'a> {
    key: &'a str,
    names: &'a dyn RuleNames,
}

impl Reader<'_> {
    fn channel(&self, key: &str, name: &str) -> Checked<ChannelId> {
        self.names.channel(name).ok_or_else(|| {
            let expected = format!("the name of a channel ({})", self.names.channels());
            ConfigFault::value(key, expected, name)
        })
    }

    fn channels(&self, key: &str, names: &[String]) -> Checked<Vec<ChannelId>> {
        let one = |(place, name): (usize, &String)| self.channel(&format!("{key}[{place}]"), name);
        names.iter().enumerate().map(one).collect()
    }

    fn band(&self, key: &str, band: &BandIn) -> Checked<AmountBand> {
        let until = band.until.as_deref().map(|text| amount(&format!("{key}.until"), text)).transpose()?;
        Ok(AmountBand {
            from: amount(&format!("{key}.from"), &band.from)?,
            until,
            channels: self.channels(&format!("{key}.channels"), &band.channels)?,
        })
    }

    fn designation(&self, key: &str, one: &DesignationIn) -> Checked<Designation> {
        let card = |name: &String| {
            let fault = || ConfigFault::value(format!("{key}.card_type"), "debit or credit", name);
            card_type(name).ok_or_else(fault)
        };
        Ok(Designation {
            bank: one.bank.as_deref().map(|code| bank(&format!("{key}.bank"), code)).transpose()?,
            card_type: one.card_type.as_ref().map(card).transpose()?,
            channels: self.channels(&format!("{key}.channels"), &one.channels)?,
        })
    }

    fn weights(&self, key: &str, weights: &[WeightIn]) -> Checked<Vec<Weight>> {
        let one = |(place, one): (usize, &WeightIn)| {
            let channel = self.channel(&format!("{key}[{place}].channel"), &one.channel)?;
            Ok(Weight { channel, weight: one.weight })
        };
        weights.iter().enumerate().map(one).collect()
    }

    fn scoring(&self, raw: &ScoringIn) -> Checked<Scoring> {
        let usual = Scoring::default();
        let share = |name: &str, text: &Option<String>, usual: u32| {
            let Some(text) = text else { return Ok(usual) };
            text.strip_suffix('%').and_then(parse_percent).map(|points| points * 100).ok_or_else(|| {
                let expected = "a percentage from \"0%\" to \"100%\" with at most two decimals";
                ConfigFault::value(format!("{}.scoring.{name}", self.key), expected, text)
            })
        };
        Ok(Scoring {
            explore_ppm: share("explore", &raw.explore, usual.explore_ppm)?,
            eliminate_ppm: share("eliminate", &raw.eliminate, usual.eliminate_ppm)?,
            given_up_ppm: share("given_up", &raw.given_up, usual.given_up_ppm)?,
            margin_ppm: share("margin", &raw.margin, usual.margin_ppm)?,
        })
    }

    fn rules(&self, key: &str, rules: &[RuleIn]) -> Checked<Vec<Rule>> {
        let one = |(place, rule): (usize, &RuleIn)| self.rule(&format!("{key}[{place}]"), rule);
        rules.iter().enumerate().map(one).collect()
    }

    fn rule(&self, key: &str, rule: &RuleIn) -> Checked<Rule> {
        let statement = |(place, statement): (usize, &Vec<ConditionIn>)| {
            let each = |(inner, one): (usize, &ConditionIn)| {
                self.condition(&format!("{key}.when[{place}][{inner}]"), one)
            };
            statement.iter().enumerate().map(each).collect::<Checked<Vec<_>>>()
        };
        Ok(Rule {
            name: rule.name.as_str().into(),
            when: rule.when.iter().enumerate().map(statement).collect::<Checked<_>>()?,
            rules: self.rules(&format!("{key}.rules"), &rule.rules)?,
            output: self.output(key, rule)?,
        })
    }

    fn output(&self, key: &str, rule: &RuleIn) -> Checked<Option<Output>> {
        let mut outputs = Vec::new();
        if let Some(name) = &rule.channel {
            outputs.push(Output::Channel(self.channel(&format!("{key}.channel"), name)?));
        }
        if let Some(names) = &rule.channels {
            outputs.push(Output::Priority(self.channels(&format!("{key}.channels"), names)?));
        }
        if let Some(weights) = &rule.split {
            outputs.push(Output::Split(self.weights(&format!("{key}.split"), weights)?));
        }
        if let Some(lists) = &rule.split_lists {
            let list = |(place, list): (usize, &ListIn)| {
                let channels =
                    self.channels(&format!("{key}.split_lists[{place}].channels"), &list.channels)?;
                Ok(WeightedList { channels, weight: list.weight })
            };
            outputs.push(Output::SplitLists(lists.iter().enumerate().map(list).collect::<Checked<_>>()?));
        }
        if let Some(name) = &rule.strategy {
            outputs.push(Output::Strategy(strategy(&format!("{key}.strategy"), name)?));
        }
        if outputs.len() > 1 {
            let expected = "one output: channel, channels, split, split_lists or strategy";
            return Err(ConfigFault::value(key, expected, format!("{} of them", outputs.len())));
        }
        Ok(outputs.pop())
    }

    fn condition(&self, path: &str, one: &ConditionIn) -> Checked<Condition> {
        let key = Key::from_name(&one.key).ok_or_else(|| {
            let expected = "amount, currency, kind, bank, card_type, holder, merchant, category, hour, weekday, \
                            payer, payer.NAME or metadata.NAME";
            ConfigFault::value(format!("{path}.key"), expected, &one.key)
        })?;
        let values = |name: &str, written: &[Scalar]| {
            let one = |(place, scalar): (usize, &Scalar)| {
                self.value(&format!("{path}.{name}[{place}]"), &key, &scalar.text())
            };
            written.iter().enumerate().map(one).collect::<Checked<Vec<Value>>>()
        };
        let interval = one.from.is_some() || one.until.is_some();
        let tests = [interval, one.one_of.is_some(), one.not_in.is_some(), one.present.is_some()];
        if tests.iter().filter(|is| **is).count() != 1 {
            let expected = "one test: from and until, in, not_in, or present";
            return Err(ConfigFault::value(path, expected, &one.key));
        }
        let test = match (&one.one_of, &one.not_in, one.present) {
            (Some(written), _, _) => Test::In(values("in", written)?),
            (None, Some(written), _) => Test::NotIn(values("not_in", written)?),
            (None, None, Some(true)) => Test::Present,
            (None, None, Some(false)) => Test::Absent,
            (None, None, None) => {
                let number = |name: &str, scalar: &Option<Scalar>| match scalar {
                    None => Ok(None),
                    Some(scalar) => self.number(&format!("{path}.{name}"), &key, &scalar.text()).map(Some),
                };
                Test::Within {
                    from: number("from", &one.from)?.unwrap_or(0),
                    until: number("until", &one.until)?,
                }
            }
        };
        Ok(Condition { key, test })
    }

    fn number(&self, path: &str, key: &Key, text: &str) -> Checked<u64> {
        if *key == Key::Amount {
            return amount(path, text).map(Amount::minor);
        }
        text.parse().map_err(|_| ConfigFault::value(path, "a whole number", text))
    }

    fn value(&self, path: &str, key: &Key, text: &str) -> Checked<Value> {
        let unknown = |expected: &str| ConfigFault::value(path, expected, text);
        let numbered = |place: Option<usize>, expected: &str| {
            place.map(|place| Value::Number(place as u64)).ok_or_else(|| unknown(expected))
        };
        match key {
            Key::Amount => amount(path, text).map(|amount| Value::Number(amount.minor())),
            Key::Currency => {
                let place = Currency::ALL.iter().position(|one| one.code() == text);
                numbered(place, super::forms::CURRENCIES)
            }
            Key::Kind => {
                numbered(KINDS.iter().position(|kind| kind.name() == text), "gateway, quick_pay or balance")
            }
            Key::CardType => numbered(card_type(text).map(|card| card as usize), "debit or credit"),
            Key::Holder => {
                numbered(Holder::ALL.iter().position(|holder| holder.name() == text), "person or company")
            }
            Key::Weekday => {
                let named = WEEKDAYS.iter().position(|day| *day == text);
                numbered(named.or_else(|| text.parse().ok()), "mon, tue, wed, thu, fri, sat or sun")
            }
            Key::Hour => numbered(text.parse().ok(), "an hour from 0 to 23"),
            Key::Bank => bank(path, text).map(Value::Bank),
            Key::Merchant => {
                let account = self.names.merchant(text);
                let expected = "a settlement account that was opened on this platform";
                account.map(|account| Value::Account(account, text.into())).ok_or_else(|| unknown(expected))
            }
            Key::Category | Key::Payer | Key::PayerAttribute(_) | Key::Metadata(_) => {
                Ok(Value::Text(text.into()))
            }
        }
    }
}

fn bank(key: &str, code: &str) -> Checked<Bank> {
    let expected = "two to eight capital letters or digits";
    Bank::from_code(code).ok_or_else(|| ConfigFault::value(key, expected, code))
}

fn amount(key: &str, text: &str) -> Checked<Amount> {
    Amount::parse(text, Currency::Cny).map_err(|fault| {
        ConfigFault::value(key, format!("an amount in {} such as 12.34 ({fault})", Currency::Cny), text)
    })
}

fn write_weights(weights: &[Weight], names: &dyn RuleNames) -> Vec<WeightIn> {
    let one = |one: &Weight| WeightIn { channel: names.channel_name(one.channel), weight: one.weight };
    weights.iter().map(one).collect()
}

fn write_rule(rule: &Rule, names: &dyn RuleNames) -> RuleIn {
    let mut written = RuleIn {
        name: rule.name.to_string(),
        when: rule.when.iter().map(|statement| statement.iter().map(write_condition).collect()).collect(),
        rules: rule.rules.iter().map(|rule| write_rule(rule, names)).collect(),
        ..RuleIn::default()
    };
    let list = |channels: &[ChannelId]| channels.iter().map(|one| names.channel_name(*one)).collect();
    match &rule.output {
        None => {}
        Some(Output::Channel(channel)) => written.channel = Some(names.channel_name(*channel)),
        Some(Output::Priority(channels)) => written.channels = Some(list(channels)),
        Some(Output::Split(weights)) => written.split = Some(write_weights(weights, names)),
        Some(Output::SplitLists(lists)) => {
            let one = |one: &WeightedList| ListIn { channels: list(&one.channels), weight: one.weight };
            written.split_lists = Some(lists.iter().map(one).collect());
        }
        Some(Output::Strategy(strategy)) => written.strategy = Some(strategy.name().to_owned()),
    }
    written
}

fn write_condition(condition: &Condition) -> ConditionIn {
    let key = &condition.key;
    let number = |number: u64| match key {
        Key::Amount => Scalar::Text(Amount::from_minor(number).to_text(Currency::Cny)),
        Key::Currency
        | Key::Kind
        | Key::Bank
        | Key::CardType
        | Key::Holder
        | Key::Merchant
        | Key::Category
        | Key::Hour
        | Key::Weekday
        | Key::Payer
        | Key::PayerAttribute(_)
        | Key::Metadata(_) => Scalar::Number(number),
    };
    let values = |values: &[Value]| Some(values.iter().map(|value| write_value(key, value)).collect());
    let mut written = ConditionIn { key: key.name().into(), ..ConditionIn::default() };
    match &condition.test {
        Test::Within { from, until } => {
            written.from = Some(number(*from));
            written.until = until.map(number);
        }
        Test::In(named) => written.one_of = values(named),
        Test::NotIn(named) => written.not_in = values(named),
        Test::Present => written.present = Some(true),
        Test::Absent => written.present = Some(false),
    }
    written
}

fn write_value(key: &Key, value: &Value) -> Scalar {
    let text = |text: SmolStr| Scalar::Text(text.into());
    match value {
        Value::Bank(bank) => text(bank.code()),
        Value::Account(_, name) | Value::Text(name) => text(name.clone()),
        Value::Number(number) => {
            let place = usize::try_from(*number).unwrap_or(usize::MAX);
            let name = match (key.values(), key) {
                (Values::Numbers(_), Key::Currency) => Currency::ALL.get(place).map(|one| one.code()),
                (Values::Numbers(_), Key::Kind) => KINDS.get(place).map(|kind| kind.name()),
                (Values::Numbers(_), Key::CardType) => {
                    [suanpan_model::CardType::Debit, suanpan_model::CardType::Credit]
                        .get(place)
                        .map(|card| card.name())
                }
                (Values::Numbers(_), Key::Holder) => Holder::ALL.get(place).map(|holder| holder.name()),
                (Values::Numbers(_), Key::Weekday) => WEEKDAYS.get(place).copied(),
                (Values::Numbers(_), Key::Amount) => {
                    return Scalar::Text(Amount::from_minor(*number).to_text(Currency::Cny));
                }
                (Values::Numbers(_) | Values::Banks | Values::Accounts | Values::Texts, _) => None,
            };
            name.map_or(Scalar::Number(*number), |name| Scalar::Text(name.to_owned()))
        }
    }
}
