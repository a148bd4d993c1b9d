//! Decimals of Stripe's integers (docs.stripe.com/currencies). They differ from ISO 4217 where Stripe kept an old
//! form: ISK and UGX are sent with two decimals that must be 00, MGA is sent in whole units. Amounts in
//! three-decimal currencies must end in 0, which Stripe itself checks.

use crate::base::money::Currency;

#[rustfmt::skip]
const TWO: [&str; 118] = [
    "AED", "AFN", "ALL", "AMD", "ANG", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BGN", "BMD", "BND",
    "BOB", "BRL", "BSD", "BWP", "BYN", "BZD", "CAD", "CDF", "CHF", "CNY", "COP", "CRC", "CVE", "CZK", "DKK", "DOP",
    "DZD", "EGP", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GIP", "GMD", "GTQ", "GYD", "HKD", "HNL", "HTG", "HUF",
    "IDR", "ILS", "INR", "ISK", "JMD", "KES", "KGS", "KHR", "KYD", "KZT", "LAK", "LBP", "LKR", "LRD", "LSL", "MAD",
    "MDL", "MKD", "MMK", "MNT", "MOP", "MUR", "MVR", "MWK", "MXN", "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR",
    "NZD", "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "QAR", "RON", "RSD", "RUB", "SAR", "SBD", "SCR", "SEK", "SGD",
    "SHP", "SLE", "SOS", "SRD", "SZL", "THB", "TJS", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "UGX", "USD", "UYU",
    "UZS", "WST", "XCD", "YER", "ZAR", "ZMW",
];
const NONE: [&str; 15] =
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"];
const THREE: [&str; 5] = ["BHD", "JOD", "KWD", "OMR", "TND"];

pub(super) fn exponent(currency: Currency) -> Option<u32> {
    let code = currency.as_str();
    match code {
        _ if TWO.contains(&code) => Some(2),
        _ if NONE.contains(&code) => Some(0),
        _ if THREE.contains(&code) => Some(3),
        _ => None,
    }
}
