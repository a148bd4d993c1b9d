//! Where the simulator may stand, and what it keeps.

use dispense::base::clock::Clock;
use dispense::base::secret::Secret;
use dispense::config::Account;
use dispense::infra::outbound::Outbound;
use dispense::payments::accounts::Accounts;
use dispense::sandbox::{Simulator, beside};
use serde_json::json;

use super::play::{Side, config, usd};
use crate::harness::signing::webhook_secret;
use crate::harness::test_config;

/// Rows: P11.
#[tokio::test]
async fn the_simulator_refuses_addresses_that_others_can_reach() {
    let mut open = config();
    open.listen = "0.0.0.0:0".parse().unwrap();
    assert!(Simulator::start(open).await.is_err());
    let data = tempfile::tempdir().unwrap();
    let mut shop = test_config(data.path());
    shop.server.listen = "0.0.0.0:8080".parse().unwrap();
    assert!(beside(&mut shop, Clock::default()).await.is_err());
}

/// Rows: P11.
#[tokio::test]
async fn the_simulator_refuses_to_stand_beside_an_account_that_takes_real_money() {
    let data = tempfile::tempdir().unwrap();
    let mut shop = test_config(data.path());
    shop.accounts.push(Account {
        id: "till".into(),
        gateway: "generic".into(),
        currencies: vec!["USD".into()],
        secrets: vec![Secret::new(webhook_secret(1))],
        ..Account::default()
    });
    let refused = beside(&mut shop, Clock::default()).await.err().unwrap().to_string();
    assert!(refused.contains("till"), "{refused}");
}

/// An account at every gateway there is.
const ALL: [&str; 7] = [
    "sandbox-alipay",
    "sandbox-epay1",
    "sandbox-epay2",
    "sandbox-generic",
    "sandbox-paypal",
    "sandbox-stripe",
    "sandbox-wechatpay",
];

/// Rows: P11.
#[tokio::test]
async fn its_accounts_start_with_secrets_that_are_random_per_data_folder_and_kept() {
    let data = tempfile::tempdir().unwrap();
    let secrets = |accounts: &[Account]| -> Vec<String> {
        let keys = |a: &Account| a.secrets.first().or(a.api_key.as_ref()).unwrap().expose().to_owned();
        accounts.iter().map(keys).collect()
    };
    let mut shop = test_config(data.path());
    let simulator = beside(&mut shop, Clock::default()).await.unwrap();
    let first = secrets(&shop.accounts);
    let accounts = Accounts::build(&shop, &Outbound::new().unwrap()).unwrap();
    let ids: Vec<String> = accounts.iter().map(|(a, _)| a.id.clone()).collect();
    assert_eq!(ids, ALL);
    drop(simulator);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(data.path().join("sandbox.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let mut again = test_config(data.path());
    let _simulator = beside(&mut again, Clock::default()).await.unwrap();
    assert_eq!(secrets(&again.accounts), first);
    let elsewhere = tempfile::tempdir().unwrap();
    let mut other = test_config(elsewhere.path());
    other.shop.currencies = vec!["EUR".into()];
    let _other = beside(&mut other, Clock::default()).await.unwrap();
    let chinese = ["alipay", "wechatpay", "epay_v1", "epay_v2"];
    assert!(other.accounts.iter().all(|a| !chinese.contains(&a.gateway.as_str())), "they take CNY alone");
    assert!(secrets(&other.accounts).iter().all(|secret| !first.contains(secret)));
}

/// Rows: P11.
#[tokio::test]
async fn what_was_started_and_paid_is_still_known_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let kept = || {
        let mut config = config();
        config.state_file = Some(data.path().join("book.json"));
        config
    };
    let simulator = Simulator::start(kept()).await.unwrap();
    let reference = Side::stripe(&simulator).start("D1", usd(1999)).await;
    simulator.act(&reference, "lose-notice", json!({})).unwrap();
    let before = simulator.journal();
    drop(simulator);
    let simulator = Simulator::start(kept()).await.unwrap();
    assert_eq!(simulator.journal()["payments"], before["payments"]);
    assert!(simulator.act("D1", "refund", json!({})).is_ok());
}
