//! Opening accounts, their balances, putting money on them.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use suanpan_model::{AccountId, AccountType, Amount, Currency, RejectCode};
use suanpan_runtime::Engine;
use suanpan_runtime::api::{OpenAccount, TopUp};

use crate::answer::{Answered, json as respond};
use crate::body::Body;
use crate::identity::{AccountReader, Caller, OnBehalf};
use crate::problem::Problem;
use crate::query::{ACCOUNTS, PAGE, Parameters, page};
use crate::state::State;
use crate::wire::{
    AccountIn, AccountOpenedOut, AccountsOut, BalanceOut, TopUpIn, TopUpOut, account_kind, currency,
    positive_amount, reference,
};

/// Platform, type and reference.
pub(super) type AccountPath = Path<(String, String, String)>;

pub(super) async fn open(caller: Caller, state: Data<State>, body: Body) -> Answered {
    let engine = &state.engine;
    let account: AccountIn<'_> = body.read()?;
    let kind = account_kind("kind", &account.kind)?;
    if !kind.may_be_opened() {
        let expected = "a type that is opened: cash, settlement, marketing, wealth, deposit or commission";
        return Err(Problem::new(RejectCode::AccountTypeNotAllowed, "kind", expected));
    }
    let reference = reference("reference", &account.reference)?;
    let currency =
        account.currency.as_deref().map_or(Ok(Currency::Cny), |code| currency("currency", code))?;
    let parent = match &account.parent {
        Some(parent) => {
            let kind = account_kind("parent.kind", &parent.kind)?;
            let known = engine.account_by_reference(caller.platform, kind, &parent.reference);
            let expected = "an account that was opened on this platform";
            Some(known.ok_or_else(|| Problem::new(RejectCode::InvalidParent, "parent", expected))?)
        }
        None => None,
    };
    let exists = engine.account_by_reference(caller.platform, kind, reference).is_some();
    let request = OpenAccount {
        platform: caller.platform,
        reference: reference.into(),
        kind,
        currency,
        parent,
        credit_limit: Amount::ZERO,
    };
    let opened = engine.open_accounts(vec![request]).await.pop().ok_or_else(Problem::internal)??;
    let status = if exists { StatusCode::OK } else { StatusCode::CREATED };
    let opened = AccountOpenedOut {
        account: opened.raw().to_string(),
        kind: kind.name(),
        reference,
        currency: currency.code(),
    };
    respond(status, &opened)
}

pub(super) async fn list(caller: Caller, state: Data<State>, request: HttpRequest) -> Answered {
    let query = Parameters::read(&request, ACCOUNTS)?;
    accounts_of(&caller, &state, &query, query.kind()?).await
}

pub(super) async fn merchants(caller: Caller, state: Data<State>, request: HttpRequest) -> Answered {
    let query = Parameters::read(&request, PAGE)?;
    accounts_of(&caller, &state, &query, Some(AccountType::Settlement)).await
}

async fn accounts_of(
    caller: &Caller,
    state: &State,
    query: &Parameters,
    kind: Option<AccountType>,
) -> Answered {
    let (after, limit) = (query.cursor()?.unwrap_or(0), query.limit()?);
    let accounts = state.engine.accounts_of(caller.platform, kind, after, limit + 1).await?;
    let (accounts, next) = page(&accounts, limit, |balance| balance.account.number());
    respond(StatusCode::OK, &AccountsOut::new(accounts, next))
}

/// The account that a path names: an opened one by its reference, one of the platform's own by its currency.
pub(super) fn named(
    engine: &Engine,
    caller: &Caller,
    kind: &str,
    reference: &str,
) -> Result<AccountId, Problem> {
    let unknown = || {
        let expected = "type and reference of an account of this platform; \
                        one of the platform's own has its currency as reference";
        Problem::new(RejectCode::UnknownAccount, "reference", expected)
    };
    let kind = AccountType::from_name(kind).ok_or_else(unknown)?;
    match kind {
        AccountType::ChannelClearing | AccountType::FeeExpense => Err(unknown()),
        kind if kind.is_internal() => {
            let currency = Currency::from_code(reference).ok_or_else(unknown)?;
            Ok(AccountId::internal(kind, caller.platform.0, currency, 0))
        }
        kind => engine.account_by_reference(caller.platform, kind, reference).ok_or_else(unknown),
    }
}

pub(super) async fn balance(caller: Caller, state: Data<State>, path: AccountPath) -> Answered {
    let account = named(&state.engine, &caller, &path.1, &path.2)?;
    tell(&state.engine, account).await
}

/// Another platform's account is as unknown as one that does not exist.
pub(super) async fn balance_by_id(reader: AccountReader, state: Data<State>, path: Path<String>) -> Answered {
    let unknown = || Problem::new(RejectCode::UnknownAccount, "account", "the number of an account of yours");
    let account = path.parse().ok().and_then(AccountId::from_raw).ok_or_else(unknown)?;
    let balance = state.engine.balance(account).await.map_err(|reject| match reject.code {
        RejectCode::UnknownAccount => unknown(),
        _ => reject.into(),
    })?;
    if !reader.may_read(balance.platform) {
        return Err(unknown());
    }
    respond(StatusCode::OK, &BalanceOut::new(&balance))
}

async fn tell(engine: &Engine, account: AccountId) -> Answered {
    respond(StatusCode::OK, &BalanceOut::new(&engine.balance(account).await?))
}

pub(super) async fn top_up(caller: OnBehalf, state: Data<State>, path: AccountPath, body: Body) -> Answered {
    let account = named(&state.engine, &caller, &path.1, &path.2)?;
    if account.kind().is_internal() && account.kind() != AccountType::CouponFund {
        let expected = "an account that was opened, or the coupon fund";
        return Err(Problem::new(RejectCode::AccountTypeNotAllowed, "kind", expected));
    }
    let wanted: TopUpIn<'_> = body.read()?;
    let currency = wanted.currency.as_deref().map_or(Ok(Currency::Cny), |code| currency("currency", code))?;
    let top_up = TopUp {
        platform: caller.platform,
        account,
        amount: positive_amount("amount", &wanted.amount, currency)?,
        currency,
        reference: reference("reference", &wanted.reference)?.into(),
    };
    let booked = TopUpOut::new(&top_up);
    state.engine.top_up(top_up).await?;
    respond(StatusCode::OK, &booked)
}
