use serde::Deserialize;

use crate::base::money::Currency;
use crate::base::text::{Email, Locale};
use crate::config::load::Faults;

/// Stands for an order's number in `shop.order_url`.
const ORDER_NUMBER: &str = "{number}";

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
    /// The page where buyers find help.
    pub support_url: Option<String>,
    /// The shop's own page of an order, with `{number}` in it.
    pub order_url: Option<String>,
    /// The band above mails, `#rrggbb`.
    pub colour: String,
    /// A picture in that band.
    pub logo_url: Option<String>,
    pub terms_url: Option<String>,
    pub privacy_url: Option<String>,
    pub guest_checkout: bool,
    /// Whether edited texts of a product on sale go to review again.
    pub review_edits: bool,
    pub max_lines_per_order: i32,
    /// How long an unpaid order may be paid, seconds.
    pub pay_within_seconds: i64,
    /// Unpaid orders one signed-in buyer or one proven address may have at a time.
    pub unpaid_orders_per_buyer: i64,
    /// Those of guests at one network address: by typed mail address, by device, in all.
    pub unpaid_orders_per_address: i64,
    pub unpaid_orders_per_device: i64,
    pub unpaid_orders_per_client: i64,
    /// Orders with a total of 0 one signed-in buyer or one proven address may place per day.
    pub free_orders_per_day: i64,
    /// Those of guests with a captcha, by network address.
    pub free_orders_per_client: i64,
    /// How long a mailed claim link works, days.
    pub claim_link_days: i64,
    /// Seconds between two resends of one order's mail, and how many per hour.
    pub resend_gap_seconds: i64,
    pub resends_per_hour: i64,
    /// After how many days a buyer's report that nobody has answered becomes a task of the shop's staff.
    pub case_answer_days: i64,
    /// After how many hours something paid that is not delivered becomes a task of the shop's staff.
    pub waiting_alert_hours: i64,
    /// For how many days it is kept, sealed, from where buyers acted; 0: it is not kept.
    pub keep_addresses_days: i64,
}

impl Default for Shop {
    fn default() -> Self {
        Self {
            name: "Dispense".into(),
            default_locale: "en".into(),
            currencies: vec!["USD".into(), "EUR".into(), "CNY".into()],
            order_prefix: "D".into(),
            support_email: None,
            support_url: None,
            order_url: None,
            colour: "#24292f".into(),
            logo_url: None,
            terms_url: None,
            privacy_url: None,
            guest_checkout: true,
            review_edits: false,
            max_lines_per_order: 50,
            pay_within_seconds: 1_800,
            unpaid_orders_per_buyer: 10,
            unpaid_orders_per_address: 20,
            unpaid_orders_per_device: 100,
            unpaid_orders_per_client: 200,
            free_orders_per_day: 10,
            free_orders_per_client: 30,
            claim_link_days: 7,
            resend_gap_seconds: 60,
            resends_per_hour: 5,
            case_answer_days: 2,
            waiting_alert_hours: 24,
            keep_addresses_days: 180,
        }
    }
}

impl Shop {
    /// The shop's own page of an order.
    pub fn order_page(&self, number: &str) -> Option<String> {
        self.order_url.as_ref().map(|address| address.replace(ORDER_NUMBER, number))
    }

    /// Where a buyer writes to the shop: its page, else its mail address.
    pub fn contact(&self) -> Option<String> {
        let mail = || self.support_email.as_ref().map(|email| format!("mailto:{email}"));
        self.support_url.clone().or_else(mail)
    }

    pub(super) fn check(&self, faults: &mut Faults) {
        if self.name.trim().is_empty() || self.name.chars().any(char::is_control) {
            faults.add("shop.name", "must not be empty or have control characters");
        }
        if !Locale::ALL.iter().any(|l| l.as_str() == self.default_locale) {
            faults.add("shop.default_locale", "is `en` or `zh`");
        }
        if self.currencies.is_empty() {
            faults.add("shop.currencies", "needs at least one");
        }
        check_currencies("shop.currencies", &self.currencies, faults);
        let prefix = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
        if !(1..=6).contains(&self.order_prefix.len()) || !self.order_prefix.bytes().all(prefix) {
            faults.add("shop.order_prefix", "has 1 to 6 of 0-9 and A-Z");
        }
        if !(0..=365).contains(&self.case_answer_days) {
            faults.add("shop.case_answer_days", "is 0 to 365");
        }
        if self.support_email.as_deref().is_some_and(|e| Email::parse(e).is_err()) {
            faults.add("shop.support_email", "is no mail address");
        }
        let digits = self.colour.strip_prefix('#').unwrap_or_default();
        if digits.len() != 6 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            faults.add("shop.colour", "takes a colour such as #24292f");
        }
        let shown = |text: &str| {
            url::Url::parse(text)
                .is_ok_and(|u| u.scheme() == "https" && u.username().is_empty() && u.password().is_none())
        };
        if self.logo_url.as_deref().is_some_and(|url| !shown(url)) {
            faults.add("shop.logo_url", "takes an address of https, without a name or password");
        }
        if self.order_url.as_deref().is_some_and(|address| !address.contains(ORDER_NUMBER)) {
            faults.add("shop.order_url", "has `{number}` where the order's number belongs");
        }
        for (key, address) in [
            ("shop.terms_url", &self.terms_url),
            ("shop.privacy_url", &self.privacy_url),
            ("shop.support_url", &self.support_url),
            ("shop.order_url", &self.order_url),
        ] {
            let web =
                |text: &str| url::Url::parse(text).is_ok_and(|u| ["http", "https"].contains(&u.scheme()));
            if address.as_deref().is_some_and(|a| !web(a)) {
                faults.add(key, "takes an address of http or https");
            }
        }
    }
}

/// Each is of ISO 4217, written in capitals, once.
pub(super) fn check_currencies(key: &str, currencies: &[String], faults: &mut Faults) {
    for (index, text) in currencies.iter().enumerate() {
        let listed = Currency::parse(text).is_ok_and(|c| c.is_listed() && c.as_str() == text);
        if !listed {
            faults.add(key, format!("`{text}` is no currency of ISO 4217 in capital letters"));
        } else if currencies[..index].contains(text) {
            faults.add(key, format!("`{text}` is listed twice"));
        }
    }
}
