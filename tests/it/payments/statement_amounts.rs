//! The forms of amounts in files that people download: read as they are meant, or refused.

use dispense::infra::outbound::Outbound;
use dispense::payments::gateways::gateway::{AccountKeys, Gateway, StatementEntry};
use dispense::payments::gateways::paypal::PayPal;
use dispense::payments::gateways::stripe::Stripe;

use super::stated::{lines, unread};

/// A PayPal download of sales with these currencies, amounts and fees.
fn paypal(rows: &[(&str, &str, &str)]) -> Result<Vec<StatementEntry>, String> {
    let mut file = "\"Date\",\"Time\",\"TimeZone\",\"Type\",\"Status\",\"Currency\",\"Gross\",\"Fee\",\"Transaction ID\",\"Reference Txn ID\",\"Custom Number\"\n".to_owned();
    for (place, (currency, gross, fee)) in rows.iter().enumerate() {
        let back = gross.starts_with(['-', '(', '\u{2212}']) || gross.ends_with('-');
        let kind = if back { "Payment Refund" } else { "Express Checkout Payment" };
        file += &format!(
            "\"01/14/2027\",\"10:00:00\",\"GMT\",\"{kind}\",\"Completed\",\"{currency}\",\"{gross}\",\"{fee}\",\"T{place}\",\"T0\",\"D1\"\n"
        );
    }
    let gateway = PayPal::new(Outbound::new().unwrap());
    gateway.read_statement(&AccountKeys::default(), file.as_bytes())
}

fn amounts(rows: &[(&str, &str, &str)]) -> Result<Vec<(i64, i64)>, String> {
    Ok(lines(&paypal(rows)?).iter().map(|line| (line.amount_minor, line.fee_minor.unwrap())).collect())
}

/// Rows: P8.
#[test]
fn the_decimal_mark_is_that_of_the_whole_file() {
    assert_eq!(amounts(&[("USD", "19,00", "-0,88")]), Ok(vec![(1_900, 88)]));
    assert_eq!(amounts(&[("USD", "19.00", "-0.88")]), Ok(vec![(1_900, 88)]));
    // Each of these says how the others are meant.
    assert_eq!(
        amounts(&[("EUR", "1.234", "-0,35"), ("EUR", "9,90", "0,00")]),
        Ok(vec![(123_400, 35), (990, 0)])
    );
    assert_eq!(
        amounts(&[("USD", "1,234", "-0.35"), ("JPY", "1,900", "-80")]),
        Ok(vec![(123_400, 35), (1_900, 80)])
    );
    let wide = [
        ("EUR", "1.234.567,89", "-1,00"),
        ("EUR", "1\u{202f}234,50", "0,00"),
        ("EUR", "1\u{a0}234,50", "0,00"),
    ];
    assert_eq!(amounts(&wide), Ok(vec![(123_456_789, 100), (123_450, 0), (123_450, 0)]));
    assert_eq!(amounts(&[("CHF", "1'234.50", "-1.00")]), Ok(vec![(123_450, 100)]));
    // Whole forints there, a hundredth of them here.
    assert_eq!(
        amounts(&[("HUF", "1.200", "-80"), ("EUR", "1,50", "0,00")]),
        Ok(vec![(120_000, 8_000), (150, 0)])
    );
    assert_eq!(amounts(&[("JPY", "1200", "-80")]), Ok(vec![(1_200, 80)]));
}

/// Rows: P8.
#[test]
fn signs_are_kept_in_whatever_form_they_come() {
    let back = Ok(vec![(1_900, -88)]);
    for gross in ["-19.00", "(19.00)", "\u{2212}19.00", "19.00-", "- 19.00"] {
        assert_eq!(amounts(&[("USD", gross, "0.88")]), back, "{gross}");
    }
    assert_eq!(amounts(&[("USD", "+19.00", "(0.88)")]), Ok(vec![(1_900, 88)]));
}

/// Rows: P8.
#[test]
fn what_is_no_amount_is_told_of_with_its_line_and_a_file_that_could_be_two_is_refused() {
    for gross in [
        "1,23,456.00",
        "12,34.00",
        "0,123.00",
        "--19.00",
        "-19.00-",
        "(19.00",
        "(-19.00)",
        "1e3",
        "19.",
        ".50",
        "1.234.56",
        "nineteen",
        "99999999999999999999.00",
    ] {
        let entries = paypal(&[("USD", "5.00", "-0.10"), ("USD", gross, "0.00")]).unwrap();
        assert_eq!(unread(&entries), ["line 3: amount_malformed (T1)"], "{gross}");
        assert_eq!(entries[0].said.as_ref().unwrap().amount_minor, 500, "{gross}");
    }
    // These are amounts, in another form than the one before.
    for gross in ["19.001", "19,00", "19.000", "1 234,50"] {
        let error = paypal(&[("USD", "5.00", "-0.10"), ("USD", gross, "0.00")]).unwrap_err();
        assert_eq!(error, format!("line 3: `{gross}` is no amount in the form of this file"));
    }
    // Nothing says which mark is which where a currency has three decimals.
    let error = paypal(&[("KWD", "1.234", "0")]).unwrap_err();
    assert!(error.contains("decimal point and with a decimal comma"), "{error}");
    assert_eq!(amounts(&[("KWD", "1.234", "-0,100")]), Ok(vec![(1_234_000, 100)]));
}

/// A Stripe report of one line.
fn stripe(category: &str, gross: &str, fee: &str, currency: &str) -> Result<Vec<StatementEntry>, String> {
    let file = format!(
        "balance_transaction_id,created_utc,currency,gross,fee,reporting_category,source_id,payment_intent_id\n\
         txn_1,2027-01-14 10:00:00,{currency},\"{gross}\",\"{fee}\",{category},re_1,pi_1\n"
    );
    Stripe::new(Outbound::new().unwrap()).read_statement(&AccountKeys::default(), file.as_bytes())
}

/// Rows: P8.
#[test]
fn a_report_written_by_a_program_has_one_form_and_keeps_its_signs() {
    let amount = |category: &str, gross: &str, currency: &str| {
        let lines = lines(&stripe(category, gross, "0.10", currency)?);
        Ok::<_, String>(
            lines.iter().map(|line| (line.stated.as_str(), line.amount_minor)).collect::<Vec<_>>(),
        )
    };
    assert_eq!(amount("charge", "19.00", "usd"), Ok(vec![("payment", 1_900)]));
    assert_eq!(amount("charge", "-19.00", "usd"), Ok(vec![("payment", -1_900)]));
    assert_eq!(amount("refund", "-19.00", "usd"), Ok(vec![("refund", 1_900)]));
    assert_eq!(amount("refund", "19.00", "usd"), Ok(vec![("refund", -1_900)]));
    assert_eq!(amount("refund_failure", "19.00", "usd"), Ok(vec![("refund_failed", 1_900)]));
    assert_eq!(lines(&stripe("charge", "1200.00", "0", "jpy").unwrap())[0].amount_minor, 1_200);
    assert_eq!(lines(&stripe("charge", "1.234", "0.100", "kwd").unwrap())[0].amount_minor, 1_234);
    for wrong in ["19,00", "1,900.00", "(19.00)", "+19.00", "19.00-", "19.001", "1200.50x", "", "-"] {
        let entries = stripe("charge", wrong, "0.10", "usd").unwrap();
        let why = if wrong.is_empty() { "gross_missing" } else { "amount_malformed" };
        assert_eq!(unread(&entries), [format!("line 2: {why} (pi_1)")], "{wrong}");
    }
    let yen = stripe("charge", "1200.50", "0", "jpy").unwrap();
    assert_eq!(unread(&yen).len(), 1, "yen have no decimals");
}
