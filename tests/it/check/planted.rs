//! Faults put into a sound shop behind the program's back, as the owner of the schema, each in a transaction that is
//! rolled back.

use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use dispense::check;

use crate::harness::TestApp;

/// SQL that breaks something, and the question that must find it.
pub struct Planted {
    pub sql: &'static str,
    pub found_by: &'static str,
    /// What the first counter-example begins with.
    pub names: &'static str,
}

/// Plants each fault by itself and looks for its name among the findings. `sound` shops only.
pub async fn find_all(t: &TestApp, faults: &[Planted]) {
    let mut owner = AsyncPgConnection::establish(&t.db.owner_url()).await.unwrap();
    for fault in faults {
        owner.batch_execute("begin").await.unwrap();
        // Nothing in the database stands in the way of whoever owns it.
        let open_doors = "alter table ledger_entry disable trigger user; alter table event_seq disable trigger user;
            alter table vault_key drop constraint vault_key_available_columns, drop constraint vault_key_sold_columns,
              drop constraint vault_key_unit_columns, drop constraint vault_key_unit_state;
            alter table vault_key drop constraint vault_key_fp_key, drop constraint vault_key_fp_next_key; drop index vault_key_unit, payment_one_allocated,
              notice_once, unit_once, download_session_open, licence_activation_once;
            alter table payment drop constraint payment_allocated, drop constraint payment_given_back,
              drop constraint payment_trade_key;
            alter table download_grant drop constraint download_grant_used;
            alter table refund drop constraint refund_counted; drop index refund_unit_once;
            alter table dispute drop constraint dispute_counted;
            drop index unit_successor, delivery_case_open;
            alter table message drop constraint message_once, drop constraint message_sent;
            alter table message_attempt drop constraint message_attempt_outcome";
        owner.batch_execute(open_doors).await.unwrap();
        owner.batch_execute(fault.sql).await.unwrap_or_else(|e| panic!("{}: {e}", fault.sql));
        let report = check::ask(&mut owner, &t.app.config.secrets).await.unwrap();
        let found = report.findings().find(|f| f.question == fault.found_by);
        let found = found.unwrap_or_else(|| {
            panic!("{}\nwas not found by \"{}\":\n{report}", fault.sql, fault.found_by);
        });
        assert!(found.first.starts_with(fault.names), "\"{}\" named {}", fault.found_by, found.first);
        assert!(report.to_string().contains("VIOLATED"));
        owner.batch_execute("rollback").await.unwrap();
    }
    let report = check::run(&t.app.db, &t.app.config.secrets).await.unwrap();
    assert!(report.is_clean(), "the shop was not sound to begin with:\n{report}");
}
