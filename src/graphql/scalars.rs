//! The scalars of the API, all strings on the wire, all strict: what is not exactly of the form is refused when the
//! request is validated, before any of it runs.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, SimpleObject, Value};
use chrono::Utc;

use crate::base::{money, rfc3339};

macro_rules! string_scalar {
    ($(#[doc = $doc:literal])* $name:ident($inner:ty) = $graphql:literal, $read:expr, $write:expr) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name(pub $inner);

        $(#[doc = $doc])*
        #[Scalar(name = $graphql)]
        impl ScalarType for $name {
            fn parse(value: Value) -> InputValueResult<Self> {
                let read: fn(&str) -> Option<$inner> = $read;
                match &value {
                    Value::String(text) => read(text)
                        .map(Self)
                        .ok_or_else(|| InputValueError::custom(concat!("not a valid ", $graphql))),
                    _ => Err(InputValueError::expected_type(value)),
                }
            }

            fn is_valid(value: &Value) -> bool {
                let read: fn(&str) -> Option<$inner> = $read;
                matches!(value, Value::String(text) if read(text).is_some())
            }

            fn to_value(&self) -> Value {
                let write: fn(&$inner) -> String = $write;
                Value::String(write(&self.0))
            }
        }
    };
}

const TIME_FORM: &str = "%Y-%m-%dT%H:%M:%SZ";

string_scalar! {
    /// A moment in UTC with whole seconds, always written `2026-01-31T12:00:00Z`. Any time of RFC 3339 is read, with a
    /// fraction or an offset too, and brought to that form.
    DateTime(chrono::DateTime<Utc>) = "DateTime", rfc3339::read, |time| time.format(TIME_FORM).to_string()
}

impl From<chrono::DateTime<Utc>> for DateTime {
    fn from(time: chrono::DateTime<Utc>) -> Self {
        Self(time)
    }
}

fn read_decimal(text: &str) -> Option<String> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |s: &str| !s.is_empty() && s.len() <= 18 && s.bytes().all(|b| b.is_ascii_digit());
    (digits(whole) && digits(fraction)).then(|| text.to_owned())
}

string_scalar! {
    /// An amount of money as plain digits with the currency's own number of decimals: `"12.50"`, `"1200"` for JPY.
    Decimal(String) = "Decimal", read_decimal, |text| text.clone()
}

string_scalar! {
    /// A whole number that may not fit 32 bits, as digits in a string.
    Int64(i64) = "Int64", |text| text.parse().ok().filter(|n: &i64| n.to_string() == text), |n| n.to_string()
}

string_scalar! {
    /// A currency as ISO 4217 writes it: three upper-case letters.
    CurrencyCode(money::Currency) = "CurrencyCode",
    |text| money::Currency::parse(text).ok().filter(|c| c.as_str() == text),
    |currency| currency.to_string()
}

fn read_locale(text: &str) -> Option<String> {
    let ok = text.len() <= 35
        && text
            .split('-')
            .all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
        && text.split('-').next().is_some_and(|l| l.len() >= 2 && l.bytes().all(|b| b.is_ascii_alphabetic()));
    ok.then(|| text.to_owned())
}

string_scalar! {
    /// A language as BCP 47 writes it: `en`, `zh`, `pt-BR`.
    LocaleTag(String) = "LocaleTag", read_locale, |text| text.clone()
}

fn read_url(text: &str) -> Option<String> {
    let visible = !text.contains(|c: char| c.is_whitespace() || c.is_control());
    (text.len() <= 2_048 && visible && url::Url::parse(text).is_ok()).then(|| text.to_owned())
}

string_scalar! {
    /// An absolute address with its scheme; apps may use schemes of their own.
    Url(String) = "URL", read_url, |text| text.clone()
}

string_scalar! {
    /// Text in Markdown without HTML.
    Markdown(String) = "Markdown", |text| Some(text.to_owned()), |text| text.clone()
}

/// An amount with its currency.
#[derive(Clone, Debug, SimpleObject)]
pub struct Money {
    /// Plain digits with the currency's own number of decimals.
    pub amount: Decimal,
    /// The currency.
    pub currency: CurrencyCode,
}

impl From<money::Money> for Money {
    fn from(money: money::Money) -> Self {
        Self { amount: Decimal(money.decimal()), currency: CurrencyCode(money.currency) }
    }
}

impl Money {
    pub fn of(minor: i64, currency: money::Currency) -> Self {
        money::Money::new(minor, currency).into()
    }
}
