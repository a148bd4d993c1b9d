//! Statements against the shop's books.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use dispense::base::actor::{Actor, Role};
use dispense::base::ids::VariantId;
use dispense::config::{Config, Fee};
use dispense::orders::place::Placed;
use dispense::payments::gateways::gateway::StatementLine;
use dispense::payments::statements::{self, Run, schedule};
use dispense::worker::drain;
use serde_json::{Value, json};

use super::stated::{self, paid, refunded};
use crate::graphql::client::Client;
use crate::harness::shop::GENERIC;
use crate::harness::{Said, Server, TestApp, with_generic};

fn with_fees(config: &mut Config) {
    with_generic(config);
    let fee = Fee::try_from("29+30".to_owned()).unwrap();
    config.accounts[0].policy.fees.insert("USD".into(), fee);
}

/// Noon of a day: nothing here happens near midnight.
async fn noon(t: &TestApp) -> (DateTime<Utc>, NaiveDate) {
    let now = t.app.clock.now();
    let noon = (now.date_naive() + TimeDelta::days(1)).and_hms_opt(12, 0, 0).unwrap().and_utc();
    t.advance(noon - now).await;
    (noon, noon.date_naive())
}

async fn bought(t: &TestApp, variant: VariantId, trade: &str) -> Placed {
    let placed = t.order(variant, 1).await;
    assert_eq!(t.notify(&Said::paid(&placed, trade)).await.0, 200);
    placed
}

async fn read(t: &TestApp, day: NaiveDate, lines: &[StatementLine]) -> Run {
    let file = stated::file(lines);
    statements::import_file(&t.app.payments, &Actor::system(), GENERIC, day, &file).await.unwrap()
}

async fn tasks(t: &TestApp) -> String {
    t.db.one(
        "select coalesce(string_agg(kind || ' ' || n, ', ' order by kind), '') from
           (select kind, count(*) n from task where kind like 'statement%' and state <> 'resolved' group by kind) s",
    )
    .await
}

async fn desk(t: &TestApp, email: &str) -> Client {
    t.person(email, &[Role::Support]).await;
    Client::new(&t.app).with(t.sign_in(email).await.tokens.access.expose())
}

const RUNS: &str = "{ desk { statements { nodes { accountId day source state lines newLines matched failure
    counts { kind count } differences { kind subject there { amount } here { amount } endedAt orderId } } } } }";

async fn runs(desk: &Client) -> Vec<Value> {
    desk.data(RUNS, json!({})).await["desk"]["statements"]["nodes"].as_array().unwrap().clone()
}

/// Rows: P8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_is_matched_three_ways_and_each_kind_of_difference_becomes_one_task() {
    let t = TestApp::start_with(with_fees).await;
    stated::put(&t);
    let variant = t.selling_keys(8, 990).await;
    let (at, day) = noon(&t).await;
    let good = bought(&t, variant, "T-GOOD").await;
    let dear = bought(&t, variant, "T-DEAR").await;
    let less = bought(&t, variant, "T-LESS").await;
    let back = bought(&t, variant, "T-BACK").await;
    let silent = bought(&t, variant, "T-SILENT").await;
    let quiet = t.order(variant, 1).await;
    let part = Said {
        id: "evt_part".into(),
        kind: "payment.refunded",
        refunded_minor: Some(400),
        ..Said::paid(&back, "T-BACK")
    };
    assert_eq!(t.notify(&part).await.0, 200);
    t.advance(TimeDelta::days(1)).await;
    let number = |placed: &Placed| placed.order.number.clone();
    let lines = [
        paid(&number(&good), "T-GOOD", 990, 59, at),
        paid(&number(&dear), "T-DEAR", 990, 80, at),
        paid(&number(&less), "T-LESS", 980, 58, at),
        paid(&number(&back), "T-BACK", 990, 59, at),
        refunded("T-BACK", "R-OTHER", 300, at),
        paid(&number(&quiet), "T-QUIET", 990, 59, at),
        paid("", "T-STRANGER", 500, 10, at),
    ];
    let run = read(&t, day, &lines).await;
    assert_eq!((run.lines, run.new_lines, run.matched), (7, 7, 4));
    // The refund of 300 is a part of the 400 that were reported without naming refunds; the rest stands in no statement.
    let wanted = "statement_amount_differs 1, statement_paid_here_only 1, statement_paid_there_only 2, \
                  statement_refund_differs 1";
    assert_eq!(tasks(&t).await, wanted);
    let fees =
        "select string_agg(trade_no || ' ' || coalesce(fee_minor, 0), ', ' order by trade_no) from payment
        where trade_no is not null";
    let booked = "T-BACK 59, T-DEAR 80, T-GOOD 59, T-LESS 58, T-SILENT 0";
    assert_eq!(t.db.one(fees).await, booked);
    let ledger = "select sum(amount_minor) filter (where book = 'fees') || ' ' || count(*) from ledger_entry";
    let before = t.db.one(ledger).await;
    assert!(before.starts_with("256 "), "{before}");

    let support = desk(&t, "support@shop.example").await;
    let seen = &runs(&support).await[0];
    assert_eq!((&seen["state"], &seen["day"]), (&json!("DONE"), &json!(day.to_string())));
    let of = |kind: &str| -> Vec<Value> {
        let all = seen["differences"].as_array().unwrap();
        all.iter().filter(|d| d["kind"] == kind).cloned().collect()
    };
    assert_eq!(of("fee_differs")[0]["here"]["amount"], "0.59");
    assert_eq!(of("fee_differs")[0]["there"]["amount"], "0.80");
    assert_eq!(of("amount_differs")[0]["there"]["amount"], "9.80");
    assert_eq!(of("paid_here_only")[0]["orderId"], json!(silent.order.id.to_string()));
    assert!(of("refund_differs").iter().any(|d| d["here"]["amount"] == "4.00" && d["there"].is_null()));

    // Reading it again changes nothing, not even when the tasks were ended meanwhile.
    t.db.sql("update task set state = 'resolved', resolved_at = app_now() where kind like 'statement%'")
        .await;
    let again = read(&t, day, &lines).await;
    assert_eq!((again.lines, again.new_lines), (7, 0));
    assert_eq!(tasks(&t).await, "");
    assert_eq!((t.db.one(fees).await, t.db.one(ledger).await), (booked.into(), before));

    // What comes to agree later ends its difference.
    assert_eq!(t.notify(&Said::paid(&quiet, "T-QUIET")).await.0, 200);
    read(&t, day, &lines).await;
    let ended = "select string_agg(subject, ',') from statement_difference where ended_at is not null";
    assert_eq!(t.db.one(ended).await, "T-QUIET");
    assert_eq!(t.db.one("select fee_minor from payment where trade_no = 'T-QUIET'").await, "59");
    let report = dispense::check::run(&t.app.db, &t.app.config.secrets).await.unwrap();
    assert!(report.is_clean(), "{report}");
    t.finish_with_jobs().await;
}

/// Rows: P8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_another_day_or_form_is_refused_whole() {
    let t = TestApp::start_with(with_generic).await;
    stated::put(&t);
    let (at, day) = noon(&t).await;
    let import = async |account: &str, day: NaiveDate, bytes: &[u8]| {
        let done = statements::import_file(&t.app.payments, &Actor::system(), account, day, bytes).await;
        format!("{:?}", done.unwrap_err())
    };
    let good = stated::file(&[paid("", "T1", 1, 0, at)]);
    assert!(import(GENERIC, day, &good).await.contains("is not over"));
    t.advance(TimeDelta::days(5)).await;
    assert!(import("nobody", day, &good).await.contains("NotFound"));
    assert!(import(GENERIC, day + TimeDelta::days(3), &good).await.contains("line 1 is of"));
    assert!(import(GENERIC, day, b"hello").await.contains("is no statement"));
    assert_eq!(t.db.one("select count(*) from statement_line").await, "0");
    assert_eq!(t.db.one("select count(*) from task").await, "0");
    t.finish_with_jobs().await;
}

/// Rows: P8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_are_fetched_every_day_and_on_demand_and_waited_for() {
    let t = TestApp::start_with(with_generic).await;
    let gateway = stated::put(&t);
    let variant = t.selling_keys(1, 990).await;
    let (at, day) = noon(&t).await;
    let placed = bought(&t, variant, "T1").await;
    t.advance(TimeDelta::days(1)).await;
    let today = day + TimeDelta::days(1);
    // The account is known since the day before, so two days are over.
    assert_eq!(schedule::sweep(&t.app.payments).await.unwrap(), 2);
    assert_eq!(schedule::sweep(&t.app.payments).await.unwrap(), 0, "once a day");
    drain(&t.app.worker()).await.unwrap();
    assert_eq!(t.db.one("select string_agg(state, ',') from statement_run").await, "requested,requested");
    gateway.hand_out(day - TimeDelta::days(1), Vec::new());
    gateway.hand_out(day, vec![paid(&placed.order.number, "T1", 990, 42, at)]);
    t.advance(TimeDelta::hours(2)).await;
    drain(&t.app.worker()).await.unwrap();
    assert_eq!(t.db.one("select string_agg(state, ',') from statement_run").await, "done,done");
    assert_eq!(t.db.one("select fee_minor from payment").await, "42");
    assert_eq!(tasks(&t).await, "");

    let support = desk(&t, "support@shop.example").await;
    let import = "mutation($a: String!, $d: String!) { statementImport(input: { accountId: $a, day: $d }) {
        run { state day lines } userErrors { code field } } }";
    let asked = async |account: &str, day: &str| {
        support.data(import, json!({ "a": account, "d": day })).await["statementImport"].clone()
    };
    for (account, day, code) in [
        ("nobody", day.to_string(), "NOT_FOUND"),
        (GENERIC, today.to_string(), "INVALID"),
        (GENERIC, "tomorrow".into(), "INVALID"),
    ] {
        assert_eq!(asked(account, &day).await["userErrors"][0]["code"], code, "{account} {day}");
    }
    assert_eq!(asked(GENERIC, &day.to_string()).await["run"]["state"], "REQUESTED");
    drain(&t.app.worker()).await.unwrap();
    let seen = &runs(&support).await[0];
    assert_eq!((&seen["state"], &seen["lines"], &seen["newLines"]), (&json!("DONE"), &json!(1), &json!(0)));
    let guest = Client::new(&t.app).ask(import, json!({ "a": GENERIC, "d": day.to_string() })).await;
    assert_eq!(guest.code(), "FORBIDDEN");

    // One that never comes ends after days, and says so.
    let never = asked(GENERIC, &(day - TimeDelta::days(9)).to_string()).await;
    assert_eq!(never["run"]["state"], "REQUESTED");
    t.advance(TimeDelta::days(4)).await;
    drain(&t.app.worker()).await.unwrap();
    let failed = "select count(*) from statement_run where state = 'failed' and failure is not null";
    assert_eq!(t.db.one(failed).await, "1");
    t.finish_with_jobs().await;
}

/// Rows: P8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_is_imported_from_a_file_at_the_command_line() {
    let t = TestApp::start().await;
    let account = super::gateways_alipay::Keys::new().account();
    let toml = format!(
        "[[accounts]]\nid = \"ali\"\ngateway = \"alipay\"\ncurrencies = [\"CNY\"]\nsandbox = true\n\
         secrets = ['''{}''']\napi_key = '''{}'''\nsettings = {{ app_id = \"{}\", seller_id = \"{}\" }}\n",
        account.secrets[0].expose(),
        account.api_key.as_ref().unwrap().expose(),
        super::gateways_alipay::APP,
        super::gateways_alipay::SELLER,
    );
    let day = t.app.clock.now().date_naive() - TimeDelta::days(2);
    let table = format!(
        "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,\
         订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,\
         券名称,商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注\n\
         2027011522001,D1,交易,Thing,{day} 11:00:00,{day} 11:00:09,,,,,b***@example.com,9.90,9.90,0.00,0.00,0.00,0.00,\
         0.00,,0.00,0.00,,-0.06,0.00,\n"
    );
    let file = t.data.path().join("statement.csv");
    let (bytes, _, _) = encoding_rs::GBK.encode(&table);
    std::fs::write(&file, &bytes).unwrap();
    let setup = Server::of(&t.db.app_url()).config(&toml);
    let run = |date: String, account: &str| {
        let path = file.to_str().unwrap();
        let done = setup
            .command(&["statements", "import", "--account", account, "--date", &date, path])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        (done.status.success(), said + &String::from_utf8_lossy(&done.stderr))
    };
    let (done, said) = run(day.to_string(), "ali");
    assert!(done, "{said}");
    let first = format!("ali {day}: 1 lines, 1 new, 0 of these agree\npaid_there_only: 1");
    assert!(said.contains(&first), "{said}");
    let (done, said) = run(day.to_string(), "ali");
    assert!(done && said.contains("1 lines, 0 new") && !said.contains("paid_there_only"), "{said}");
    assert_eq!(tasks(&t).await, "statement_paid_there_only 1");
    assert!(!run(day.to_string(), "other").0);
    assert!(!run("yesterday".into(), "ali").0);
    t.finish_with_jobs().await;
}
