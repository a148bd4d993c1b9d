//! What PayPal's books call payments and refunds, and what they call otherwise: by event code over the API, by type and
//! status in the download.

use std::time::Duration;

use dispense::payments::gateways::gateway::{Call, Calls, Gateway, Statement, StatementEntry};
use dispense::payments::gateways::paypal::PayPal;
use serde_json::{Value, json};

use super::gateways_notices::outbound;
use super::gateways_paypal::keys;
use super::loopback::Loopback;
use super::small_paypal::TOKEN;
use super::stated::unread;

/// Of each line that was read: what it is, its amount, its trade.
fn reported(entries: &[StatementEntry]) -> Vec<String> {
    let line = |entry: &StatementEntry| {
        let line = entry.said.as_ref().ok()?;
        Some(format!("{} {} {}", line.stated.as_str(), line.amount_minor, line.trade_no))
    };
    entries.iter().filter_map(line).collect()
}

/// Rows: P8, P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_of_something_else_is_left_out_whatever_it_says_and_a_torn_one_ends_nothing() {
    let info = |id: &str, code: &str, amount: Value| {
        json!({ "transaction_info": {
            "transaction_id": id, "transaction_event_code": code, "transaction_status": "S", "paypal_reference_id": "CAP1",
            "transaction_initiation_date": "2027-01-14T10:00:00+0000", "transaction_amount": amount,
        } })
    };
    let money = |code: &str, value: &str| json!({ "currency_code": code, "value": value });
    let mut odd = info("CAP4", "T0006", money("USD", "5.00"));
    odd["transaction_info"]["transaction_status"] = "X".into();
    let list = json!([
        info("HOLD1", "T2105", Value::Null),
        info("CONV1", "T0200", money("JPY", "1200.00")),
        info("FEE1", "T0106", money("USD", "-20.00")),
        // What a dispute takes and gives back.
        info("CB1", "T1201", money("USD", "-9.90")),
        info("CB2", "T1202", money("USD", "9.90")),
        info("REV1", "T1106", money("USD", "-9.90")),
        info("CAP1", "T0006", money("USD", "9.90")),
        info("CAP2", "T0006", money("JPY", "1200.00")),
        info("CAP3", "T0006", Value::Null),
        odd,
        json!({}),
        info("REF1", "T1107", money("USD", "-4.00")),
    ]);
    let side = Loopback::start(move |seen| match seen.what.as_str() {
        TOKEN => (200, r#"{"access_token":"t","expires_in":3600}"#.into()),
        _ => (200, json!({ "total_pages": 1, "transaction_details": list }).to_string()),
    })
    .await;
    let keys = keys(Some(&side.base));
    let call = Call { keys: &keys, now_unix: 1_799_971_200 + 4 * 3_600, timeout: Duration::from_secs(5) };
    let paypal = PayPal::new(outbound());
    let Statement::Entries(entries) = paypal.statement(&call, "2027-01-14".parse().unwrap()).await else {
        panic!()
    };
    assert_eq!(reported(&entries), ["payment 990 CAP1", "refund 400 CAP1"]);
    let wrong = unread(&entries);
    let expected = [
        "transaction 8: amount_malformed (CAP2)",
        "transaction 9: amount_missing (CAP3)",
        "transaction 10: status_unknown (CAP4)",
    ];
    assert_eq!(wrong[..3], expected);
    assert!(wrong[3].starts_with("transaction 11: event_code_missing (unread:"), "{}", wrong[3]);
}

/// A download of lines with these zones, types, statuses, amounts and references.
fn download(rows: &[[&str; 5]]) -> Vec<StatementEntry> {
    let mut file =
        "Date,Time,TimeZone,Type,Status,Currency,Gross,Fee,Transaction ID,Reference Txn ID\n".to_owned();
    for (place, [zone, kind, status, gross, reference]) in rows.iter().enumerate() {
        file +=
            &format!("01/14/2027,10:00:00,{zone},{kind},{status},USD,{gross},0.00,TX{place},{reference}\n");
    }
    PayPal::new(outbound()).read_statement(&keys(None), file.as_bytes()).unwrap()
}

/// Rows: P8, P9.
#[test]
fn types_of_a_download_are_known_by_their_names_and_only_what_happened_counts() {
    let row = |kind, status, gross, reference| ["GMT", kind, status, gross, reference];
    let entries = download(&[
        row("Express Checkout Payment", "Completed", "9.90", ""),
        row("Payment Refund", "Completed", "-4.00", "TX0"),
        row("Chargeback Fee", "Completed", "-20.00", "TX0"),
        row("Chargeback Fee", "Completed", "-20.00", ""),
        row("Chargeback", "Completed", "-9.90", "TX0"),
        row("Chargeback Reversal", "Completed", "9.90", "TX0"),
        row("Payment Reversal", "Completed", "-9.90", "TX0"),
        row("Reversal of ACH Deposit", "Completed", "-9.90", ""),
        row("Payment Hold", "Placed", "-9.90", ""),
        row("Payment Release", "Completed", "9.90", ""),
        row("Payment Review Release", "Completed", "9.90", ""),
        row("General Withdrawal", "Completed", "-100.00", ""),
        row("Mobile Payment", "Completed", "-1.00", ""),
        row("Website Payment", "Partially Refunded", "3.00", ""),
    ]);
    assert_eq!(reported(&entries), ["payment 990 TX0", "refund 400 TX0", "payment 300 TX13"]);
    assert_eq!(unread(&entries), [""; 0]);
    for status in ["Pending", "Denied", "Canceled", "Failed", "Expired", "Voided", "Held", "Unclaimed"] {
        assert!(download(&[row("Express Checkout Payment", status, "9.90", "")]).is_empty(), "{status}");
    }
    let entries = download(&[
        row("Express Checkout Payment", "Sideways", "9.90", ""),
        row("Pay Later Payment of 2030", "Completed", "9.90", ""),
        row("Payment Refund", "Completed", "-4.00", ""),
        row("", "Completed", "-4.00", ""),
        row("Express Checkout Payment", "Completed", "9.90", ""),
    ]);
    let wrong = [
        "line 2: status_unknown (TX0)",
        "line 3: type_unknown (TX1)",
        "line 4: reference_missing (TX2)",
        "line 5: type_missing (TX3)",
    ];
    assert_eq!(unread(&entries), wrong);
    assert_eq!(reported(&entries), ["payment 990 TX4"]);
}

/// Rows: P8.
#[test]
fn times_of_a_download_are_read_in_the_zones_that_paypal_writes() {
    let at = |zone: &str| {
        let entries = download(&[[zone, "Express Checkout Payment", "Completed", "9.90", ""]]);
        entries[0].said.as_ref().map(|line| line.at.format("%d %H:%M").to_string()).map_err(|e| e.why.clone())
    };
    for (zone, utc) in [
        ("GMT", "14 10:00"),
        ("PST", "14 18:00"),
        ("CET", "14 09:00"),
        ("CEST", "14 08:00"),
        ("BST", "14 09:00"),
        ("JST", "14 01:00"),
        ("IST", "14 04:30"),
        ("AEDT", "13 23:00"),
        ("GMT+05:30", "14 04:30"),
        ("GMT+5", "14 05:00"),
        ("GMT-03:30", "14 13:30"),
        ("UTC+08:00", "14 02:00"),
    ] {
        assert_eq!(at(zone), Ok(utc.to_owned()), "{zone}");
    }
    for zone in ["XYZ", "GMT+15:00", "GMT+05:60", "GMT+", "GMT+5:3:0", "GMT05:30", "GMT++5", "GMT+é"] {
        assert_eq!(at(zone), Err("time_zone_unknown".to_owned()), "{zone}");
    }
}
