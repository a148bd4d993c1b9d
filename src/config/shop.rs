use serde::Deserialize;

/// `[shop]`: what the shop is and how it treats orders.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Shop {
    pub name: String,
    /// `en` or `zh`.
    pub default_locale: String,
    /// Currencies things may be priced in; the first is the default.
    pub currencies: Vec<String>,
    /// Prefix of order numbers: up to 6 of `[0-9A-Z]`.
    pub order_prefix: String,
    pub support_email: Option<String>,
    pub terms_url: Option<String>,
    pub privacy_url: Option<String>,
    pub guest_checkout: bool,
    pub max_lines_per_order: i32,
    /// How long an unpaid order may be paid, seconds.
    pub pay_within_seconds: i64,
    /// Unpaid orders one buyer or address may have at a time.
    pub unpaid_orders_per_buyer: i64,
    /// Orders with a total of 0 one buyer or address may place per day.
    pub free_orders_per_day: i64,
    /// How long a mailed claim link works, days.
    pub claim_link_days: i64,
    /// Seconds between two resends of one order's mail, and how many per hour.
    pub resend_gap_seconds: i64,
    pub resends_per_hour: i64,
}

impl Default for Shop {
    fn default() -> Self {
        Self {
            name: "Dispense".into(),
            default_locale: "en".into(),
            currencies: vec!["USD".into(), "EUR".into(), "CNY".into()],
            order_prefix: "D".into(),
            support_email: None,
            terms_url: None,
            privacy_url: None,
            guest_checkout: true,
            max_lines_per_order: 50,
            pay_within_seconds: 1_800,
            unpaid_orders_per_buyer: 10,
            free_orders_per_day: 10,
            claim_link_days: 7,
            resend_gap_seconds: 60,
            resends_per_hour: 5,
        }
    }
}
