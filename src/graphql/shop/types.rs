use async_graphql::{Context, Object, SimpleObject};

use crate::base::money::Currency;
use crate::base::text::Locale;
use crate::graphql::context::ContextExt;
use crate::graphql::context::GraphqlBackend;
use crate::graphql::error::{Answer, OutcomeExt};
use crate::graphql::scalars::{CurrencyCode, DateTime, LocaleTag, Url};
use crate::infra::sales;

/// The shop itself.
pub struct Shop;

/// How a person proves to be one.
#[derive(SimpleObject)]
pub struct Captcha {
    /// Whose captcha it is.
    pub provider: String,
    /// The public key a page shows it with.
    pub site_key: String,
}

/// Sales that are paused: of the shop, of a product, or payments by one way to pay. What is paid already is delivered.
#[derive(Clone, Debug, SimpleObject)]
pub struct SalesPause {
    /// Why, in the seller's own words.
    pub reason: String,
    /// Since when.
    pub since: DateTime,
}

impl SalesPause {
    pub fn of(because: Option<&String>, at: Option<chrono::DateTime<chrono::Utc>>) -> Option<Self> {
        Some(Self { reason: because?.clone(), since: at?.into() })
    }
}

/// The currencies things may be priced in; the first is the default.
pub fn currencies(backend: &GraphqlBackend) -> Vec<Currency> {
    backend.config.shop.currencies.iter().filter_map(|code| Currency::parse(code).ok()).collect()
}

/// The shop: what it is called, which languages and currencies it speaks, where its terms are.
#[Object]
impl Shop {
    /// What the shop is called.
    async fn name(&self, ctx: &Context<'_>) -> String {
        ctx.backend().config.shop.name.clone()
    }

    /// Languages the shop speaks. Texts that lack one are given in the shop's own.
    async fn locales(&self) -> Vec<LocaleTag> {
        Locale::ALL.into_iter().map(|l| LocaleTag(l.as_str().into())).collect()
    }

    /// The language of those who ask for none.
    async fn default_locale(&self, ctx: &Context<'_>) -> LocaleTag {
        LocaleTag(Locale::choose(&ctx.backend().config.shop.default_locale).as_str().into())
    }

    /// Currencies things may be priced in.
    async fn currencies(&self, ctx: &Context<'_>) -> Vec<CurrencyCode> {
        currencies(ctx.backend()).into_iter().map(CurrencyCode).collect()
    }

    /// The currency of those who ask for none.
    async fn default_currency(&self, ctx: &Context<'_>) -> CurrencyCode {
        CurrencyCode(default_currency(ctx.backend()))
    }

    /// Address of the terms of sale.
    async fn terms_url(&self, ctx: &Context<'_>) -> Option<Url> {
        ctx.backend().config.shop.terms_url.clone().map(Url)
    }

    /// Address of the privacy notice.
    async fn privacy_url(&self, ctx: &Context<'_>) -> Option<Url> {
        ctx.backend().config.shop.privacy_url.clone().map(Url)
    }

    /// Why the shop sells nothing for now; null while it sells.
    async fn pause(&self, ctx: &Context<'_>) -> Answer<Option<SalesPause>> {
        let mut conn = ctx.backend().db.conn().await.or_top()?;
        let sales = sales::current(&mut conn).await.or_top()?;
        Ok(SalesPause::of(sales.paused_because.as_ref(), sales.paused_at))
    }

    /// Where buyers write when they need help.
    async fn support_email(&self, ctx: &Context<'_>) -> Option<String> {
        ctx.backend().config.shop.support_email.clone()
    }

    /// The page where buyers find help.
    async fn support_url(&self, ctx: &Context<'_>) -> Option<Url> {
        ctx.backend().config.shop.support_url.clone().map(Url)
    }

    /// Whether one can buy without signing in.
    async fn guest_checkout(&self, ctx: &Context<'_>) -> bool {
        ctx.backend().config.shop.guest_checkout
    }

    /// The captcha that `CAPTCHA_REQUIRED` means; null when the shop uses none.
    async fn captcha(&self, ctx: &Context<'_>) -> Option<Captcha> {
        let captcha = &ctx.backend().config.captcha;
        let site_key = captcha.site_key.clone().filter(|_| captcha.is_on())?;
        Some(Captcha { provider: captcha.provider.clone(), site_key })
    }

    /// How many lines an order may have.
    async fn max_lines_per_order(&self, ctx: &Context<'_>) -> i32 {
        ctx.backend().config.shop.max_lines_per_order
    }

    /// The server's time: device clocks are often wrong.
    async fn now(&self, ctx: &Context<'_>) -> DateTime {
        ctx.backend().clock.now().into()
    }
}

/// The first configured currency.
pub fn default_currency(backend: &GraphqlBackend) -> Currency {
    currencies(backend).into_iter().next().unwrap_or(Currency::USD)
}
