//! The forms of amounts in files that people download: read as they are meant, or refused.

use dispense::infra::outbound::Outbound;
use dispense::payments::gateway::{AccountKeys, Gateway, StatementLine};
use dispense::payments::gateways::paypal::PayPal;
use dispense::payments::gateways::stripe::Stripe;

/// A PayPal download of sales with these currencies, amounts and fees.
fn paypal(rows: &[(&str, &str, &str)]) -> Result<Vec<StatementLine>, String> {
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
    Ok(paypal(rows)?.iter().map(|line| (line.amount_minor, line.fee_minor.unwrap())).collect())
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
fn what_is_no_amount_or_could_be_two_is_refused_with_its_line() {
    for (gross, fee) in [
        ("19.001", "0.00"),
        ("1,23,456.00", "0.00"),
        ("12,34.00", "0.00"),
        ("0,123.00", "0.00"),
        ("--19.00", "0.00"),
        ("-19.00-", "0.00"),
        ("(19.00", "0.00"),
        ("(-19.00)", "0.00"),
        ("1e3", "0.00"),
        ("19.", "0.00"),
        (".50", "0.00"),
        ("19,00", "0.88"),
        ("1.234.56", "0.00"),
        ("19.000", "0.00"),
        ("nineteen", "0.00"),
        ("1 234,50", "0.10"),
        ("99999999999999999999.00", "0.00"),
    ] {
        let error = paypal(&[("USD", "5.00", "-0.10"), ("USD", gross, fee)]).unwrap_err();
        assert!(
            error.starts_with("line 3: `") && error.ends_with("is no amount in the form of this file"),
            "{gross}: {error}"
        );
    }
    // Nothing says which mark is which where a currency has three decimals.
    let error = paypal(&[("KWD", "1.234", "0")]).unwrap_err();
    assert!(error.contains("decimal point and with a decimal comma"), "{error}");
    assert_eq!(amounts(&[("KWD", "1.234", "-0,100")]), Ok(vec![(1_234_000, 100)]));
}

/// A Stripe report of one line.
fn stripe(category: &str, gross: &str, fee: &str, currency: &str) -> Result<Vec<StatementLine>, String> {
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
        let lines = stripe(category, gross, "0.10", currency)?;
        Ok::<_, String>(
            lines.iter().map(|line| (line.stated.as_str(), line.amount_minor)).collect::<Vec<_>>(),
        )
    };
    assert_eq!(amount("charge", "19.00", "usd"), Ok(vec![("payment", 1_900)]));
    assert_eq!(amount("charge", "-19.00", "usd"), Ok(vec![("payment", -1_900)]));
    assert_eq!(amount("refund", "-19.00", "usd"), Ok(vec![("refund", 1_900)]));
    assert_eq!(amount("refund", "19.00", "usd"), Ok(vec![("refund", -1_900)]));
    assert_eq!(amount("refund_failure", "19.00", "usd"), Ok(vec![("refund_failed", 1_900)]));
    assert_eq!(stripe("charge", "1200.00", "0", "jpy").unwrap()[0].amount_minor, 1_200);
    assert_eq!(stripe("charge", "1.234", "0.100", "kwd").unwrap()[0].amount_minor, 1_234);
    for wrong in ["19,00", "1,900.00", "(19.00)", "+19.00", "19.00-", "19.001", "1200.50x", "", "-"] {
        let error = stripe("charge", wrong, "0.10", "usd").unwrap_err();
        assert!(error.starts_with("line 2: "), "{wrong}: {error}");
    }
    assert!(stripe("charge", "1200.50", "0", "jpy").is_err(), "yen have no decimals");
}
