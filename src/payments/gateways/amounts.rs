//! Which amounts each gateway can take: the decimals of its integers and the step between two amounts, per currency, in
//! one table. A price is set in ISO 4217's minor units; a gateway may count otherwise (PayPal takes no decimals of HUF,
//! Stripe wants the last of KWD's three decimals to be 0), and such an amount must be refused before a buyer is sent there.
//!
//! Stripe: docs.stripe.com/currencies (zero-decimal and three-decimal currencies, special cases). PayPal:
//! developer.paypal.com, currency codes. Alipay, WeChat Pay and Epay take CNY alone. The generic gateway speaks ISO 4217's
//! minor units.

use crate::base::money::{Currency, Money};
use crate::payments::gateways::gateway::to_gateway_units;

/// How a gateway counts a currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Decimals of its integers.
    pub exponent: u32,
    /// Its integers are multiples of this.
    pub step: i64,
}

impl Unit {
    /// The amount in the gateway's integers; none when the gateway cannot express it.
    pub fn units(self, money: Money) -> Option<i64> {
        to_gateway_units(money, self.exponent).filter(|units| units % self.step == 0)
    }
}

/// Exponent, step, and the currencies that are counted so.
type Rows = &'static [(u32, i64, &'static str)];

const STRIPE: Rows = &[
    (
        2,
        1,
        "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BWP BYN BZD CAD CDF \
            CHF CNY COP CRC CVE CZK DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GTQ GYD HKD HNL HTG HUF \
            IDR ILS INR JMD KES KGS KHR KYD KZT LAK LBP LKR LRD LSL MAD MDL MKD MMK MNT MOP MUR MVR MWK MXN \
            MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SEK SGD SHP \
            SLE SOS SRD SZL THB TJS TOP TRY TTD TWD TZS UAH USD UYU UZS WST XCD YER ZAR ZMW",
    ),
    // Two decimals for the sake of old callers, and they must be 00.
    (2, 100, "ISK UGX"),
    (0, 1, "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF"),
    // The last decimal must be 0.
    (3, 10, "BHD JOD KWD OMR TND"),
];

const PAYPAL: Rows = &[
    (2, 1, "AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD ILS MXN MYR NOK NZD PHP PLN SEK SGD THB USD"),
    (0, 1, "HUF JPY TWD"),
];

const YUAN: Rows = &[(2, 1, "CNY")];

const ISO_4217: Rows = &[
    (
        2,
        1,
        "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD \
            CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD \
            HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD \
            MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON \
            RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD \
            TZS UAH USD UYU UZS VES WST XCD YER ZAR ZMW",
    ),
    (0, 1, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"),
    (3, 1, "BHD IQD JOD KWD LYD OMR TND"),
];

const TABLE: &[(&str, Rows)] = &[
    ("stripe", STRIPE),
    ("paypal", PAYPAL),
    ("alipay", YUAN),
    ("wechatpay", YUAN),
    ("epay_v1", YUAN),
    ("epay_v2", YUAN),
    ("generic", ISO_4217),
];

/// How a gateway, by its name, counts a currency; none when it does not take it.
pub fn unit(gateway: &str, currency: Currency) -> Option<Unit> {
    let (_, rows) = TABLE.iter().find(|(name, _)| *name == gateway)?;
    let lists = |codes: &str| codes.split_ascii_whitespace().any(|code| code == currency.as_str());
    let (exponent, step, _) = rows.iter().find(|(_, _, codes)| lists(codes))?;
    Some(Unit { exponent: *exponent, step: *step })
}
