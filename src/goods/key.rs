use crate::base::text::Locale;
use crate::goods::kind::{Facts, GoodsKind, Promise, Supply};

/// A unique secret: a licence key, a voucher code.
pub(super) struct UniqueKey;

impl GoodsKind for UniqueKey {
    fn code(&self) -> &'static str {
        "key"
    }

    fn title(&self, locale: Locale) -> &'static str {
        match locale {
            Locale::En => "Licence key",
            Locale::Zh => "激活码",
        }
    }

    /// Keys may come later: the product is then sold out until they do.
    fn lacks(&self, _facts: &Facts) -> Option<&'static str> {
        None
    }

    fn promise(&self, locale: Locale) -> Promise {
        let text = match locale {
            Locale::En => "Shown and mailed as soon as the payment is confirmed",
            Locale::Zh => "付款确认后立即显示并发送邮件",
        };
        Promise { instant: true, within_seconds: Some(60), text }
    }

    fn supply(&self) -> Supply {
        Supply::Keys
    }
}
