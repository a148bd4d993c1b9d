//! A bundle of two of the demo shop's products.

use crate::base::actor::Actor;
use crate::base::ids::VariantId;
use crate::base::outcome::Outcome;
use crate::base::text::Locale;
use crate::catalogue::bundles::PartInput;
use crate::catalogue::read::{By, find_product};
use crate::catalogue::scope::Scope;
use crate::catalogue::variant::{self, VariantEdit};
use crate::demo::seed::{FILE_PRODUCT, Good, KEY_PRODUCT, draft, show};
use crate::goods;
use crate::infra::kit::Kit;

const GOOD: Good = Good {
    slug: "first-night-set",
    kind: goods::BUNDLE,
    tags: &["set", "astronomy"],
    texts: [
        (
            "en",
            "First Night Set",
            "Two keys for the telescope software, and the guide.",
            "One key for you, one to give away, and the guide to read. Each is delivered by itself.",
        ),
        ("zh", "首夜套装", "两个软件密钥和一本指南。", "一个密钥自用，一个送人，另附指南。各项分别交付。"),
    ],
    variant: [("en", "For two"), ("zh", "双人")],
    prices: &[("USD", "35.00"), ("EUR", "33.00"), ("CNY", "240.00")],
    file: None,
};

/// Whether the bundle was made. It waits for its parts: a shop whose seller took one off sale has none.
pub(super) async fn put(kit: &Kit) -> Outcome<bool> {
    let actor = Actor::system();
    let (Some(key), Some(guide)) =
        (variant_of(kit, KEY_PRODUCT).await?, variant_of(kit, FILE_PRODUCT).await?)
    else {
        return Ok(false);
    };
    let Some((product, bundle)) = draft(kit, &actor, &GOOD).await? else { return Ok(false) };
    let part = |variant_id, quantity| PartInput { variant_id, quantity };
    let parts = VariantEdit { parts: Some(vec![part(key, 2), part(guide, 1)]), ..VariantEdit::default() };
    variant::update(kit, &actor, bundle, parts).await?;
    show(kit, &actor, product).await?;
    Ok(true)
}

/// The first variant of a product that is on sale.
async fn variant_of(kit: &Kit, slug: &str) -> Outcome<Option<VariantId>> {
    let mut conn = kit.db.conn().await?;
    let product = find_product(&mut conn, &Scope::Buyers, By::Slug(slug.into()), Locale::En).await?;
    Ok(product.and_then(|product| product.variants.first().map(|view| view.variant.id)))
}
