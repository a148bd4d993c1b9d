//! A product that is bought at the simulator's supplier, where the simulator runs beside the demo shop.

use crate::base::actor::Actor;
use crate::base::ids::SHOP;
use crate::base::outcome::{Failure, Fault, Outcome};
use crate::base::secret::Secret;
use crate::demo::seed::{Good, draft, show};
use crate::fulfilment::supplier::set_offers;
use crate::goods;
use crate::infra::kit::Kit;
use crate::sandbox::Simulator;
use crate::suppliers::connection::{self, ConnectionEdit, NewConnection};
use crate::suppliers::mapping::Mapping;
use crate::suppliers::offers::NewOffer;
use crate::suppliers::read;

const NAME: &str = "Sandbox supplier";

const GOOD: Good = Good {
    slug: "planetarium-voucher",
    kind: goods::SUPPLIER,
    tags: &["voucher", "astronomy"],
    texts: [
        (
            "en",
            "Planetarium Voucher",
            "A code for one visit, fetched from our supplier.",
            "The code is bought for you when the payment is confirmed.",
        ),
        ("zh", "天文馆门票", "由供应商提供的一次性门票码。", "付款确认后自动为您获取。"),
    ],
    variant: [("en", "One visit"), ("zh", "单次")],
    prices: &[("USD", "9.00"), ("EUR", "8.50"), ("CNY", "60.00")],
    file: None,
};

/// Connects the simulator's supplier, and puts the product on sale that is bought there. A second call changes nothing but
/// the supplier's address.
pub async fn seed_supplier(kit: &Kit, simulator: &Simulator) -> Result<(), Fault> {
    let (url, secret) = simulator.supplier("demo");
    put(kit, url, Secret::new(secret)).await.map_err(|failure| match failure {
        Failure::Refused(refusal) => {
            Fault::bug(format!("the demo shop's supplier: {} ({})", refusal.message, refusal.code))
        }
        Failure::Fault(fault) => fault,
    })
}

async fn put(kit: &Kit, url: String, secret: Secret) -> Outcome<()> {
    let actor = Actor::system();
    let status_url = format!("{url}/{{request_id}}");
    let known = read::list(&mut *kit.db.conn().await?, &[SHOP]).await?;
    let supplier = match known.into_iter().find(|supplier| supplier.name == NAME) {
        Some(known) if known.url == url => known,
        Some(known) => {
            let edit = ConnectionEdit {
                url: Some(url),
                status_url: Some(Some(status_url)),
                ..ConnectionEdit::default()
            };
            connection::update(kit, &actor, known.id, edit).await?.supplier
        }
        None => {
            let new = NewConnection {
                seller_id: SHOP,
                name: NAME.into(),
                url,
                status_url: Some(status_url),
                secret: Some(secret),
                currency: "USD".into(),
                timeout_seconds: Some(5),
                mapping: Mapping::default(),
            };
            connection::create(kit, &actor, new).await?.supplier
        }
    };
    let Some((product, variant)) = draft(kit, &actor, &GOOD).await? else { return Ok(()) };
    let offer = NewOffer {
        supplier_id: supplier.id.to_string(),
        product: "PLANETARIUM".into(),
        max_price: "5.00".into(),
    };
    set_offers(kit, &actor, variant, &[offer]).await?;
    show(kit, &actor, product).await
}
