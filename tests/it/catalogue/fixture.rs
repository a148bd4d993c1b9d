//! People of the shop, and goods made by the actions a seller uses.

use dispense::base::actor::{Actor, Person, Role};
use dispense::base::ids::{ProductId, SHOP, SellerId, SessionId, UserId, VariantId};
use dispense::base::outcome::{Failure, Outcome, Refusal};
use dispense::catalogue::model::{Product, Variant};
use dispense::catalogue::prices::PriceInput;
use dispense::catalogue::product::{self, NewProduct};
use dispense::catalogue::review;
use dispense::catalogue::texts::TextInput;
use dispense::catalogue::variant::{self, VariantEdit};
use uuid::Uuid;

use crate::harness::TestApp;

fn person(role: Role, sellers: Vec<SellerId>) -> Actor {
    let id = Uuid::from_u128(role as u128 + 1);
    let person = Person { user_id: UserId(id), session_id: SessionId(id), roles: vec![role], sellers };
    Actor { person: Some(person), ..Actor::guest() }
}

/// Sells for the shop itself.
pub fn seller() -> Actor {
    person(Role::Seller, vec![SHOP])
}

/// Sells for somebody else.
pub fn stranger() -> Actor {
    person(Role::Seller, vec![SellerId(Uuid::from_u128(77))])
}

pub fn support() -> Actor {
    person(Role::Support, Vec::new())
}

pub fn buyer() -> Actor {
    person(Role::Buyer, Vec::new())
}

pub fn new_product(slug: &str, name: &str) -> NewProduct {
    NewProduct {
        seller_id: SHOP,
        slug: slug.into(),
        default_locale: None,
        tags: Vec::new(),
        texts: vec![TextInput::named("en", name)],
    }
}

pub async fn draft(t: &TestApp, slug: &str, name: &str) -> Product {
    product::create(&t.app, &seller(), new_product(slug, name)).await.unwrap()
}

/// A variant for keys at this price in euro.
pub fn keys_at(price: &str) -> VariantEdit {
    VariantEdit {
        kind: Some("key".into()),
        prices: Some(vec![PriceInput::plain("EUR", price)]),
        ..VariantEdit::default()
    }
}

pub async fn with_variant(t: &TestApp, product: ProductId, edit: VariantEdit) -> Variant {
    variant::create(&t.app, &seller(), product, edit).await.unwrap()
}

/// A product on sale with one variant of this kind.
pub async fn on_sale(t: &TestApp, slug: &str, name: &str, edit: VariantEdit) -> (Product, Variant) {
    let product = draft(t, slug, name).await;
    let variant = with_variant(t, product.id, edit).await;
    (put_on_sale(t, product.id).await, variant)
}

pub async fn put_on_sale(t: &TestApp, product: ProductId) -> Product {
    review::submit(&t.app, &seller(), product).await.unwrap();
    review::approve(&t.app, &support(), product, None).await.unwrap()
}

/// Keys named after their number.
pub async fn stock(t: &TestApp, variant: VariantId, count: usize) {
    let file: String = (0..count).map(|n| format!("{}-{n}\n", variant.0)).collect();
    crate::vault::fixture::import(t, variant, file.as_bytes()).await;
}

/// Gives a variant a file with a published version.
pub async fn publish_file(t: &TestApp, variant: VariantId) {
    let (file, version) = (t.app.clock.uuid(), t.app.clock.uuid());
    t.db.sql(&format!(
        "insert into file (id, seller_id, variant_id, name) values ('{file}', '{}', '{}', 'a.zip'); \
         insert into file_version (id, seller_id, file_id, name, version, size, sha256, content_type, blob) \
         values ('{version}', '{}', '{file}', 'a.zip', '1', 1, sha256(''), 'application/zip', 'b')",
        SHOP.0, variant.0, SHOP.0
    ))
    .await;
}

/// The refusal of an action that must not succeed.
pub fn refused<T: std::fmt::Debug>(outcome: Outcome<T>) -> Refusal {
    match outcome {
        Err(Failure::Refused(refusal)) => *refusal,
        other => panic!("not refused: {other:?}"),
    }
}
