//! Accounts from the configuration to their rows.

use diesel::sql_types::{Bool, Text};
use diesel_async::RunQueryDsl;
use dispense::base::error_code::ErrorCode;
use dispense::base::money::{Currency, Money};
use dispense::base::secret::Secret;
use dispense::config::{Account, Config};
use dispense::payments::accounts::{self, Accounts, store};
use dispense::payments::read::Method;

use super::gateways_notices::outbound;
use crate::harness::signing::webhook_secret;
use crate::harness::{TestApp, test_config};

fn generic(id: &str) -> Account {
    Account {
        id: id.into(),
        gateway: "generic".into(),
        currencies: vec!["CNY".into(), "usd".into()],
        secrets: vec![Secret::new(webhook_secret(1))],
        ..Account::default()
    }
}

fn config(accounts: Vec<Account>) -> Config {
    Config { accounts, ..test_config(std::path::Path::new("/nowhere")) }
}

fn faults(list: Vec<Account>) -> String {
    let reported = accounts::faults(&config(list)).into_iter().map(|(key, text)| format!("{key}: {text}"));
    reported.collect::<Vec<_>>().join("\n")
}

/// Rows: C12, P1.
#[test]
fn an_account_without_its_secret_or_with_a_currency_its_gateway_does_not_take_does_not_start() {
    assert_eq!(faults(vec![generic("a"), Account { id: "b".into(), ..generic("b") }]), "");
    let empty = Account { secrets: vec![Secret::new("")], ..generic("a") };
    assert!(faults(vec![empty]).contains("accounts[a].secrets: number 1"));
    assert!(faults(vec![Account { secrets: vec![], ..generic("a") }]).contains("secrets"));
    let short = Account { secrets: vec![Secret::new("whsec_c2hvcnQ=")], ..generic("a") };
    assert!(faults(vec![short]).contains("24 to 64 bytes"));
    let currency = Account { currencies: vec!["XTS".into()], ..generic("a") };
    assert!(faults(vec![currency]).contains("does not take XTS"));
    assert!(faults(vec![Account { gateway: "cash".into(), ..generic("a") }]).contains("is no gateway"));
    let unknown = Account { settings: [("colour".into(), "red".into())].into(), ..generic("a") };
    assert!(faults(vec![unknown]).contains("accounts[a].settings.colour: is unknown"));
    let plain = Account { api_url: Some("http://gateway.example".into()), ..generic("a") };
    assert!(faults(vec![plain]).contains("https"));
    let all = faults(vec![
        Account { secrets: vec![], ..generic("a") },
        Account { gateway: "cash".into(), ..generic("b") },
    ]);
    assert_eq!(all.lines().count(), 2, "all faults at once: {all}");
}

/// Rows: C12.
#[test]
fn a_stripe_key_of_the_other_mode_does_not_start() {
    let stripe = |key: &str, sandbox| Account {
        gateway: "stripe".into(),
        currencies: vec!["USD".into()],
        secrets: vec![Secret::new("whsec_an_endpoint_secret_000001")],
        api_key: Some(Secret::new(key)),
        sandbox,
        ..generic("s")
    };
    assert_eq!(faults(vec![stripe("sk_live_1", false)]), "");
    assert_eq!(faults(vec![stripe("rk_test_1", true)]), "");
    assert!(faults(vec![stripe("sk_test_1", false)]).contains("live mode"));
    assert!(faults(vec![stripe("sk_live_1", true)]).contains("test mode"));
}

/// Rows: P1.
#[test]
fn accounts_are_offered_by_currency_and_amount() {
    let mut entry = generic("a");
    entry.policy.maximum = Some(10_000);
    let accounts = Accounts::build(&config(vec![entry]), &outbound()).unwrap();
    let (account, gateway) = accounts.find("a").unwrap();
    assert_eq!(gateway.name(), "generic");
    let method = Method { account, gateway, actions: &[], unavailable: None, pause: None };
    let refuses = |minor, code| method.refuses(Money::new(minor, Currency::parse(code).unwrap()));
    assert_eq!((refuses(10_000, "CNY"), refuses(1, "USD")), (None, None));
    assert_eq!(
        (refuses(10_001, "CNY"), refuses(1, "EUR")),
        (Some(ErrorCode::AmountAboveMaximum), Some(ErrorCode::CurrencyNotSupported))
    );
    assert!(accounts.find("b").is_none());
}

#[derive(diesel::QueryableByName, Debug, PartialEq)]
struct Row {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = Bool)]
    active: bool,
}

/// Rows: P1.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_leaves_the_configuration_keeps_its_row_and_never_changes_its_gateway() {
    let test = TestApp::start().await;
    let mut conn = test.app.db.conn().await.unwrap();
    let both = Accounts::build(&config(vec![generic("a"), generic("b")]), &outbound()).unwrap();
    assert!(store::sync(&mut conn, &both).await.unwrap().is_empty());
    let one = Accounts::build(&config(vec![generic("b")]), &outbound()).unwrap();
    assert!(store::sync(&mut conn, &one).await.unwrap().is_empty());
    let rows: Vec<Row> =
        diesel::sql_query("select id, active from gateway_account where id <> 'free' order by id")
            .load(&mut *conn)
            .await
            .unwrap();
    assert_eq!(rows, [Row { id: "a".into(), active: false }, Row { id: "b".into(), active: true }]);
    let moved =
        Accounts::build(&config(vec![Account { sandbox: true, ..generic("a") }]), &outbound()).unwrap();
    assert_eq!(store::sync(&mut conn, &moved).await.unwrap(), ["a"]);
    drop(conn);
    test.finish().await;
}
