//! Accounts change while the program runs.

use dispense::base::actor::Role;
use dispense::config::Sources;
use dispense::payments::accounts::reload::{self, Origin};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::graphql::client::Client;
use crate::harness::shop::{GENERIC, generic_secret};
use crate::harness::signing::{self, webhook_secret};
use crate::harness::{Said, Server, TestApp, with_generic};

fn account(id: &str, gateway: &str, secrets: &[&str]) -> String {
    format!(
        "[[accounts]]\nid = \"{id}\"\ngateway = \"{gateway}\"\ncurrencies = [\"USD\", \"EUR\", \"CNY\"]\n\
         secrets = {secrets:?}\nsandbox = true\n"
    )
}

/// The file that a running shop reads its accounts from.
struct File<'a> {
    t: &'a TestApp,
    origin: Origin,
}

impl<'a> File<'a> {
    fn of(t: &'a TestApp) -> Self {
        let file = t.data.path().join("dispense.toml");
        let sources = Sources { file: Some(file), data: Some(t.data.path().into()), ..Sources::default() };
        Self { t, origin: Origin { sources, simulated: Vec::new() } }
    }

    /// Writes it and has it read. Answers what was wrong with it.
    async fn read(&self, toml: &str) -> Vec<String> {
        std::fs::write(self.origin.sources.file.as_ref().unwrap(), toml).unwrap();
        let complaints = reload::reload(&self.t.app.payments, &self.origin).await.unwrap();
        complaints.into_iter().map(|(key, text)| format!("{key}: {text}")).collect()
    }
}

/// Sends a notice signed with this secret and gives the status of the answer.
async fn notify(t: &TestApp, base: &str, said: &Said, secret: &str) -> u16 {
    let raw = signing::webhook(secret, &said.id, t.app.clock.unix(), &said.body());
    let mut request = t.http().post(format!("{base}/webhooks/{GENERIC}")).body(raw.body);
    for (name, value) in raw.headers {
        request = request.header(name, value);
    }
    request.send().await.unwrap().status().as_u16()
}

async fn verified_by(t: &TestApp, said: &Said) -> String {
    t.db.one(&format!("select coalesce(max(verified_by), 0) from notice where event_key = '{}'", said.id))
        .await
}

/// Rows: P10, P4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_is_rotated_with_overlap_and_the_inbox_says_which_one_verified() {
    let t = TestApp::start_with(with_generic).await;
    let (old, new) = (generic_secret(), webhook_secret(9));
    t.canary(&old);
    t.canary(&new);
    let variant = t.selling_keys(5, 990).await;
    let said = async |name: &str| Said::paid(&t.order(variant, 1).await, name);
    let file = File::of(&t);

    let before = said("before").await;
    assert_eq!(notify(&t, &t.base, &before, &new).await, 400, "not known yet");
    assert_eq!(notify(&t, &t.base, &before, &old).await, 200);
    assert_eq!(verified_by(&t, &before).await, "1");

    assert_eq!(file.read(&account(GENERIC, "generic", &[&new, &old])).await, [""; 0]);
    let (by_old, by_new) = (said("by-old").await, said("by-new").await);
    assert_eq!(notify(&t, &t.base, &by_old, &old).await, 200);
    assert_eq!(notify(&t, &t.base, &by_new, &new).await, 200);
    assert_eq!((verified_by(&t, &by_old).await, verified_by(&t, &by_new).await), ("2".into(), "1".into()));

    assert_eq!(file.read(&account(GENERIC, "generic", &[&new])).await, [""; 0]);
    let after = said("after").await;
    assert_eq!(notify(&t, &t.base, &after, &old).await, 400, "it was taken away");
    assert_eq!(t.db.one("select count(*) from orders where state = 'paid'").await, "3");
    assert_eq!(notify(&t, &t.base, &after, &new).await, 200);
    assert_eq!(t.db.one("select count(*) from orders where state = 'paid'").await, "4");
    t.finish_with_jobs().await;
}

/// Rows: P10.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_faulty_configuration_changes_nothing_and_every_fault_is_told() {
    let t = TestApp::start_with(with_generic).await;
    let secret = generic_secret();
    let variant = t.selling_keys(8, 990).await;
    let file = File::of(&t);
    let rows =
        "select string_agg(id || ' ' || gateway || ' ' || active, ', ' order by id) from gateway_account";
    let before = t.db.one(rows).await;

    let other = webhook_secret(7);
    for (toml, faults) in [
        ("[[accounts]".to_owned(), 1),
        (account(GENERIC, "generic", &[""]), 1),
        (account(GENERIC, "generic", &[&other]) + &account("b", "barter", &[]) + "colour = 1\n", 2),
        (account("new", "generic", &[&other]) + &account(GENERIC, "stripe", &[&other]), 1),
        (account(GENERIC, "generic", &[&other]).replace("sandbox = true", "sandbox = false"), 1),
    ] {
        let reported = file.read(&toml).await;
        assert!(reported.len() >= faults, "{reported:?} of {toml}");
        assert!(reported.iter().all(|line| !line.contains(&other)), "{reported:?}");
        assert_eq!(t.db.one(rows).await, before, "{toml}");
        let paid = Said::paid(&t.order(variant, 1).await, &format!("trade-{}", toml.len()));
        assert_eq!(notify(&t, &t.base, &paid, &secret).await, 200, "{reported:?}");
    }
    let staff = t.person("support@shop.example", &[Role::Support]).await;
    let token = t.sign_in("support@shop.example").await.tokens.access;
    let desk = Client::new(&t.app).with(token.expose());
    let health = "{ desk { health { configurationFaults } } }";
    let reported = desk.data(health, json!({})).await["desk"]["health"]["configurationFaults"].clone();
    assert_eq!(
        reported,
        json!(["accounts[generic]: gateway and sandbox of an account never change: give it a new id"])
    );
    let figures = t.figures().await;
    assert!(figures.contains("dispense_config_faults"), "{figures}");

    assert_eq!(file.read(&account(GENERIC, "generic", &[&secret])).await, [""; 0], "{staff}");
    let reported = desk.data(health, json!({})).await["desk"]["health"]["configurationFaults"].clone();
    assert_eq!(reported, json!([]));
    t.finish_with_jobs().await;
}

/// Rows: P1, P10.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retired_account_starts_nothing_and_still_receives() {
    let t = TestApp::start_with(with_generic).await;
    let secret = generic_secret();
    let variant = t.selling_keys(2, 990).await;
    let said = Said::paid(&t.order(variant, 1).await, "late");
    let file = File::of(&t);
    let with_api = account(GENERIC, "generic", &[&secret]) + "api_url = \"http://127.0.0.1:9\"\n";
    let methods = "{ paymentMethods { id } }";
    assert_eq!(file.read(&with_api).await, [""; 0]);
    let offered = Client::new(&t.app).data(methods, json!({})).await;
    assert_eq!(offered["paymentMethods"], json!([{ "id": "mth_generic" }]));
    assert_eq!(file.read(&format!("{with_api}retired = true\n")).await, [""; 0]);
    assert_eq!(Client::new(&t.app).data(methods, json!({})).await["paymentMethods"], json!([]));
    assert_eq!(t.db.one("select active from gateway_account where id = 'generic'").await, "f");
    assert_eq!(notify(&t, &t.base, &said, &secret).await, 200);
    assert_eq!(t.db.one("select count(*) from orders where state = 'paid'").await, "1");
    t.finish_with_jobs().await;
}

/// Rows: P10.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_server_takes_its_accounts_over_at_a_hang_up_and_when_the_file_changes() {
    let t = TestApp::start_with(with_generic).await;
    let (old, new, third) = (generic_secret(), webhook_secret(9), webhook_secret(10));
    let variant = t.selling_keys(3, 990).await;
    let toml = account(GENERIC, "generic", &[&old]);
    let mut server = Server::of(&t.db.app_url()).config(&toml).arg("--no-worker").start();
    let base = server.url("");
    let said = async |name: &str| Said::paid(&t.order(variant, 1).await, name);

    let first = said("first").await;
    server.edit_config(|all| all.replace(&old, &new));
    server.signal(Signal::SIGHUP);
    server.wait_for_log("are in force", 1);
    assert_eq!(notify(&t, &base, &first, &old).await, 400);
    assert_eq!(notify(&t, &base, &first, &new).await, 200);

    server.edit_config(|all| all.replace("secrets = [\"", "secrets = [\"x\", \""));
    server.wait_for_log("the new configuration has faults", 1);
    let second = said("second").await;
    assert_eq!(notify(&t, &base, &second, &new).await, 200);

    server.edit_config(|all| all.replace("\"x\"", &format!("{third:?}")));
    server.wait_for_log("are in force", 2);
    let last = said("last").await;
    assert_eq!(notify(&t, &base, &last, &third).await, 200);
    assert_eq!(server.log().matches("the new configuration has faults").count(), 1, "{}", server.log());
    assert!([&old, &new, &third].iter().all(|secret| !server.log().contains(secret.as_str())));
    assert!(server.terminate().success());
    assert_eq!(t.db.one("select count(*) from orders where state = 'paid'").await, "3");
    t.finish_with_jobs().await;
}

/// Rows: P10, O5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_without_an_account_that_has_payments_open_is_refused_and_cancelling_waits_for_them() {
    let t = TestApp::start_with(with_generic).await;
    let secret = generic_secret();
    let variant = t.selling_keys(5, 990).await;
    let file = File::of(&t);
    let whole = account(GENERIC, "generic", &[&secret]) + &account("other", "generic", &[&webhook_secret(4)]);
    assert_eq!(file.read(&whole).await, [""; 0]);
    let placed = t.order(variant, 1).await;
    t.person("support@shop.example", &[Role::Support]).await;
    let health = "{ desk { health { configurationFaults } } }";
    let reported = async || {
        let token = t.sign_in("support@shop.example").await.tokens.access;
        let desk = Client::new(&t.app).with(token.expose());
        let faults = desk.data(health, json!({})).await["desk"]["health"]["configurationFaults"].clone();
        faults.as_array().unwrap().iter().map(|f| f.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for toml in [String::new(), "# shortened\n".into(), account("other", "generic", &[&webhook_secret(4)])] {
        let complaints = file.read(&toml).await;
        assert_eq!(complaints.len(), 1, "{complaints:?}");
        assert!(
            complaints[0]
                .starts_with("accounts[generic]: is not configured, but 1 payments and 0 refunds are open")
        );
        assert_eq!(reported().await, complaints);
        assert!(t.app.payments.accounts.find(GENERIC).is_some(), "the old accounts stay");
        assert_eq!(t.db.one("select active from gateway_account where id = 'generic'").await, "t");
    }
    // One without anything open may go.
    assert_eq!(file.read(&account(GENERIC, "generic", &[&secret])).await, [""; 0]);
    assert_eq!(reported().await, [""; 0]);

    // A program that was started without it says so, gives nothing up, and lets nobody cancel.
    t.app.payments.accounts.replace(dispense::payments::accounts::Accounts::default());
    reload::look_for_missing(&t.app.payments).await.unwrap();
    assert_eq!(reported().await.len(), 1);
    let cancel =
        "mutation($i: OrderCancelInput!) { orderCancel(input: $i) { order { state } userErrors { code } } }";
    let input = json!({ "i": { "orderId": placed.order.id.to_string(), "accessToken": placed.access_token.expose() } });
    let buyer = Client::new(&t.app);
    let refused = buyer.data(cancel, input.clone()).await["orderCancel"].clone();
    assert_eq!(refused["userErrors"], json!([{ "code": "PAYMENT_IN_PROGRESS" }]));
    let can = "query($n: String!, $t: String!) { order(number: $n, accessToken: $t) { canCancel } }";
    let of_it = json!({ "n": placed.order.number, "t": placed.access_token.expose() });
    assert_eq!(buyer.data(can, of_it.clone()).await["order"]["canCancel"], false);
    t.advance(chrono::TimeDelta::hours(3)).await;
    assert_eq!(dispense::payments::attempts::close::expire_overdue(&t.app.payments).await.unwrap(), 0);
    assert_eq!(t.order_state(placed.order.id).await, "pending_payment");
    assert_eq!(t.db.one("select state from payment").await, "started");

    // With the account back the money that was on its way pays for the order.
    assert_eq!(file.read(&account(GENERIC, "generic", &[&secret])).await, [""; 0]);
    assert_eq!(buyer.data(can, of_it).await["order"]["canCancel"], true);
    assert_eq!(reported().await, [""; 0]);
    assert_eq!(t.notify(&Said::paid(&placed, "late")).await.0, 200);
    assert_eq!(t.order_state(placed.order.id).await, "paid");
    // Nothing is on its way any more; but until a dispute is decided its end has to be heard.
    t.db.sql(
        "insert into dispute (id, order_id, payment_id, account_id, state, amount_minor, currency)
           select gen_random_uuid(), order_id, id, account_id, 'opened', 990, 'USD' from payment",
    )
    .await;
    let complaints = file.read("").await;
    let disputed = "0 payments and 0 refunds are open at it, 1 disputes are not decided";
    assert!(complaints[0].contains(disputed), "{complaints:?}");
    t.db.sql("delete from dispute").await;
    // Money that came twice is given back through its account.
    assert_eq!(t.notify(&Said { id: "evt_twice".into(), ..Said::paid(&placed, "twice") }).await.0, 200);
    let complaints = file.read("").await;
    assert!(
        complaints[0].contains("0 disputes are not decided and 1 payments wait for a person"),
        "{complaints:?}"
    );
    let back = Said {
        id: "evt_back".into(),
        kind: "payment.refunded",
        refunded_minor: Some(990),
        ..Said::paid(&placed, "twice")
    };
    assert_eq!(t.notify(&back).await.0, 200);
    assert_eq!(file.read("").await, [""; 0], "nothing is open any more");
    t.finish_with_jobs().await;
}

/// Rows: P10.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_started_without_an_account_with_open_payments_says_so_in_its_log() {
    let t = TestApp::start_with(with_generic).await;
    let variant = t.selling_keys(2, 990).await;
    t.order(variant, 1).await;
    let mut server = Server::of(&t.db.app_url()).arg("--no-worker").start();
    server.wait_for_log("the configuration in force lacks accounts", 1);
    assert!(server.log().contains("accounts[generic] is not configured, but 1 payments"), "{}", server.log());
    assert!(server.terminate().success());
    t.finish_with_jobs().await;
}
