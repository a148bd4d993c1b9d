//! What was read before there were facts is carried into them.

use crate::harness::{Said, TestApp, with_generic};

const UP: &str = include_str!("../../../migrations/2026-11-27-000015_statement_facts/up.sql");
const DOWN: &str = include_str!("../../../migrations/2026-11-27-000015_statement_facts/down.sql");
const GRANTS: &str = include_str!("../../../migrations/grants.sql");

/// Lines as older programs stored them: a charge three times, each with its fee booked; a refund in two days, the second
/// without a verdict; a refund of the console taken for ours by its amount.
const OLD: &str = "
    insert into gateway_account (id, gateway, currencies, sandbox, active) values ('epay', 'epay_v2', '{}', true, true);
    insert into statement_run (id, account_id, day, source, state, ended_at)
      select gen_random_uuid(), a, d, 'file', 'done', app_now() from (values ('generic'), ('epay')) accounts (a),
        (values (date '2026-11-01'), ('2026-11-02'), ('2026-11-03')) days (d);
    insert into refund (id, order_id, payment_id, state, amount_minor, currency, origin, gateway_refund_id, succeeded_at)
      select gen_random_uuid(), order_id, id, 'succeeded', 300, 'USD', 'staff', 're_ours', app_now() from payment where trade_no = 'T1';
    insert into statement_line (run_id, account_id, day, digest, stated, number, trade_no, refund_id, gateway_refund_id,
        amount_minor, fee_minor, currency, at, outcome, payment_id, our_refund, fee_booked)
      select r.id, v.a, v.d, sha256(v.n::text::bytea), v.stated, v.number, v.trade, v.ours, v.theirs, v.minor, v.fee,
        case v.a when 'epay' then 'CNY' else 'USD' end, timestamptz '2026-11-01 12:00Z' + v.n * interval '1 second' * v.late,
        v.outcome, case when v.a = 'generic' then (select id from payment where trade_no = 'T1') end,
        case when v.taken then (select id from refund) end, v.booked
      from (values
        (1, 'generic', date '2026-11-01', 'payment', 'D1', 'T1', null, null, 990, 59::bigint, 'matched', false, true, 0),
        (2, 'generic', '2026-11-02', 'payment', null, 'T1', null, null, 990, 59, 'matched', false, true, 0),
        (3, 'generic', '2026-11-03', 'payment', null, 'T1', null, null, 990, 59, 'matched', false, true, 0),
        (4, 'generic', '2026-11-01', 'refund', null, 'T1', null, 're_console', 300, 10, 'matched', true, true, 0),
        (5, 'generic', '2026-11-01', 'refund', null, 'T1', 'ref_x', null, 300, 10, 'differs', false, false, 0),
        (6, 'generic', '2026-11-02', 'refund', null, 'T1', 'ref_x', 're_ours', 300, 10, null, false, false, 0),
        (7, 'generic', '2026-11-01', 'refund', null, 'T9', null, null, 300, null, 'differs', false, false, 1),
        (8, 'generic', '2026-11-01', 'refund', null, 'T9', null, null, 300, null, 'differs', false, false, 1),
        (9, 'epay', '2026-11-01', 'payment', null, 'E1', null, null, 990, null, 'differs', false, false, 0),
        (10, 'epay', '2026-11-01', 'refund', null, 'E1', null, null, 100, null, 'differs', false, false, 0),
        (11, 'epay', '2026-11-02', 'refund', null, 'E1', null, null, 300, null, 'differs', false, false, 0)
      ) v (n, a, d, stated, number, trade, ours, theirs, minor, fee, outcome, taken, booked, late)
      join statement_run r on r.account_id = v.a and r.day = v.d order by v.n;
    insert into statement_difference (run_id, account_id, day, kind, subject, there_minor, currency)
      select id, account_id, day, 'refund_differs', 'E1:' || s.minor || ':1793534400', s.minor, 'CNY' from statement_run,
        (values (date '2026-11-01', 100), ('2026-11-02', 300)) s (d, minor) where account_id = 'epay' and day = s.d;
    with booked as (select p.*, f.fee, gen_random_uuid() as t from payment p, (values (59), (59), (59), (10)) f (fee) where trade_no = 'T1')
    insert into ledger_entry (transaction_id, book, account_id, order_id, payment_id, seller_id, amount_minor, currency)
      select t, leg.book, account_id, order_id, id, '00000000-0000-7000-8000-000000000001', leg.sign * fee, 'USD'
      from booked, (values ('fees', 1), ('gateway', -1)) leg (book, sign);
    update payment set fee_minor = 187 where trade_no = 'T1'";

/// Rows: P8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_become_facts_no_verdict_is_lost_and_a_fee_that_was_booked_thrice_is_booked_once() {
    let t = TestApp::start_with(with_generic).await;
    let variant = t.selling_keys(1, 990).await;
    let placed = t.order(variant, 1).await;
    assert_eq!(t.notify(&Said::paid(&placed, "T1")).await.0, 200);
    let (owner, connection) =
        tokio_postgres::connect(&t.db.owner_url(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let run = async |sql: &str| {
        owner
            .batch_execute(&format!("begin; {sql}; commit"))
            .await
            .unwrap_or_else(|e| panic!("{e:?}: {sql}"));
    };
    run(DOWN).await;
    run(OLD).await;
    run(UP).await;
    run(GRANTS).await;
    let facts = "select string_agg(concat_ws(' ', stated, trade_no, number, gateway_refund_id, amount_minor,
        coalesce(fee_minor, -1), coalesce(outcome, 'none'), our_refund is not null, coalesce(booked_minor, -1)), E'\\n' order by id)
        from statement_fact";
    let wanted = "payment T1 D1 990 59 matched f 59\n\
        refund T1 re_console 300 10 differs f 10\n\
        refund T1 re_ours 300 10 differs f -1\n\
        refund T9 300 -1 differs f -1\n\
        refund T9 300 -1 differs f -1\n\
        payment E1 990 -1 differs f -1\n\
        refund_sum E1 300 -1 differs f -1";
    assert_eq!(t.db.one(facts).await, wanted);
    let fees = "select sum(amount_minor) || ' in ' || count(*) from ledger_entry where book = 'fees'";
    assert_eq!(t.db.one(fees).await, "69 in 5", "what was too much went back by an entry of its own");
    assert_eq!(t.db.one("select fee_minor from payment where trade_no = 'T1'").await, "69");
    assert_eq!(t.db.one("select count(*) from statement_line l where fact_id is null").await, "0");
    let open = "select string_agg(subject, ' ') from statement_difference where ended_at is null";
    assert_eq!(t.db.one(open).await, "E1:sum");
    let report = dispense::check::run(&t.app.db, &t.app.config.secrets).await.unwrap();
    let about: Vec<_> = report
        .findings()
        .filter(|f| f.question.contains("fee") || f.question.contains("statement"))
        .collect();
    assert!(about.is_empty(), "{report}");
    // There and back again leaves what there is.
    run(DOWN).await;
    run(UP).await;
    run(GRANTS).await;
    assert_eq!(t.db.one(facts).await, wanted);
    t.finish_with_jobs().await;
}
