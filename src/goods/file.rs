use crate::base::text::Locale;
use crate::goods::kind::{Facts, GoodsKind, Promise, Supply};

/// One file or several, downloaded as often as the variant allows.
pub(super) struct Files;

impl GoodsKind for Files {
    fn code(&self) -> &'static str {
        "file"
    }

    fn title(&self, locale: Locale) -> &'static str {
        match locale {
            Locale::En => "Download",
            Locale::Zh => "下载",
        }
    }

    fn lacks(&self, facts: &Facts) -> Option<&'static str> {
        (facts.published_files == 0).then_some("no file has a published version")
    }

    fn promise(&self, locale: Locale) -> Promise {
        let text = match locale {
            Locale::En => "Ready to download as soon as the payment is confirmed",
            Locale::Zh => "付款确认后即可下载",
        };
        Promise { instant: true, within_seconds: Some(60), text }
    }

    fn supply(&self) -> Supply {
        Supply::Files
    }
}
