//! In the middle of changing an account's secret: no start is declined and no notice refused, before the gateway changes
//! over and after it. The simulator's secret stands for the one that the gateway has at that moment.

use dispense::base::secret::Secret;
use dispense::config::Account;
use dispense::infra::outbound::Outbound;
use dispense::payments::accounts::Accounts;

use super::street::{GATEWAYS, street_with};
use crate::harness::rsa::Pair;
use crate::harness::signing::webhook_secret;
use crate::harness::test_config;

/// The secret of the other half of the rotation, which the gateway does not have now.
fn other(gateway: &str) -> Secret {
    Secret::new(match gateway {
        "generic" => webhook_secret(77),
        "stripe" => "whsec_the_other_endpoint_secret_77".into(),
        "wechatpay" => "another-apiv3-key-of-32-letters!".into(),
        _ => "the-other-merchant-key-0123456789".to_owned(),
    })
}

/// Another public key of WeChat Pay's.
fn other_public_key() -> Secret {
    Secret::new(format!("PUB_KEY_ID_0119000000002027010100000000000077:{}", Pair::new().public()))
}

/// The gateway has the second of the two secrets still.
fn before(account: &mut Account) {
    match account.gateway.as_str() {
        "wechatpay" => {
            let present = account.decryption_key.replace(other("wechatpay"));
            account.other_decryption_keys.extend(present);
            // The platform has its second public key still, and the shop both.
            account.secrets.insert(1, other_public_key());
            account.signs_with = Some(3);
        }
        gateway @ ("generic" | "epay_v1" | "stripe") => {
            account.secrets.insert(0, other(gateway));
            if gateway != "stripe" {
                account.signs_with = Some(2);
            }
        }
        // What these share is not secret: each side has a key pair of its own, or a client secret for calls alone.
        _ => {}
    }
}

/// The gateway has changed over to the first.
fn after(account: &mut Account) {
    match account.gateway.as_str() {
        "wechatpay" => {
            account.other_decryption_keys.push(other("wechatpay"));
            account.secrets.push(other_public_key());
        }
        gateway @ ("generic" | "epay_v1" | "stripe") => account.secrets.push(other(gateway)),
        _ => {}
    }
}

/// The generic gateway takes whichever signature it knows: there nobody has to say which one signs.
fn without_a_word(account: &mut Account) {
    before(account);
    if account.gateway == "generic" {
        account.signs_with = None;
    }
}

/// Rows: P10, P2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_gateway_is_paid_at_while_a_secret_is_being_changed() {
    for (phase, change) in
        [("before", before as fn(&mut Account)), ("after", after), ("without a word", without_a_word)]
    {
        let street = street_with(change).await;
        for method in GATEWAYS {
            let (placed, payment) = street.bought(method).await;
            let number = &placed.order.number;
            let verdicts =
                format!("select string_agg(distinct verdict, ',') from notice where account_id = '{method}'");
            let seen = street.t.db.one(&verdicts).await;
            assert!(!seen.contains("forged") && !seen.contains("malformed"), "{phase} {method}: {seen}");
            // Questions and refunds are calls too.
            street.act(number, "refund");
            street.settled().await;
            dispense::payments::attempts::ask::check(&street.t.app.payments, payment).await.unwrap();
        }
        street.t.finish_with_jobs().await;
    }
}

fn faults(account: Account) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut config = test_config(folder.path());
    config.accounts = vec![account];
    let built = Accounts::build(&config, &Outbound::new().unwrap());
    let reported = built.err().unwrap_or_default();
    reported.into_iter().map(|(key, text)| format!("{key}: {text}")).collect::<Vec<_>>().join("; ")
}

/// Rows: P10.
#[test]
fn what_signs_is_only_said_where_a_secret_signs() {
    let account = |gateway: &str, secrets: Vec<Secret>| Account {
        id: "a".into(),
        gateway: gateway.into(),
        currencies: vec!["USD".into()],
        secrets,
        signs_with: Some(2),
        sandbox: true,
        ..Account::default()
    };
    let two = |fill: u8| vec![Secret::new(webhook_secret(fill)), Secret::new(webhook_secret(fill + 1))];
    assert_eq!(faults(account("generic", two(1))), "");
    let mut stripe =
        account("stripe", vec![other("stripe"), Secret::new("whsec_the_present_endpoint_secret")]);
    stripe.api_key = Some(Secret::new("sk_test_1"));
    assert!(faults(stripe).contains("accounts[a].signs_with: is not for stripe"));
}
