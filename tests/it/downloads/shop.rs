//! Rows that a file sale stands on, put in by SQL.

use bytes::Bytes;
use dispense::base::actor::Actor;
use dispense::base::ids::{GrantId, LineId, OrderId, SHOP, UnitId, VariantId};
use dispense::delivery;
use dispense::delivery::DownloadLink;
use dispense::files;
use dispense::files::upload;
use dispense::files::{FileVersion, GrantWant, Granted, NewUpload, NewVersion};
use dispense::fulfilment::publish_file::publish_file;
use dispense::infra::effects::events;

use crate::harness::TestApp;

/// A variant of kind file of the shop itself.
pub struct FileShop {
    pub variant: VariantId,
}

/// A paid order of one line of files.
pub struct Sale {
    pub order: OrderId,
    pub line: LineId,
    pub units: Vec<UnitId>,
}

impl FileShop {
    pub async fn open(t: &TestApp) -> Self {
        let (product, variant) = (t.app.clock.uuid(), t.app.clock.uuid());
        t.db.sql(&format!(
            "insert into product (id, seller_id, slug, state) values ('{product}', '{SHOP}', 'p-{product}', 'on_sale'); \
             insert into variant (id, seller_id, product_id, kind) values ('{variant}', '{SHOP}', '{product}', 'file')",
            SHOP = SHOP.0,
        ))
        .await;
        Self { variant: VariantId(variant) }
    }

    /// An order of `quantity` that is paid and assigned, without grants.
    pub async fn sell(&self, t: &TestApp, quantity: i32) -> Sale {
        let (order, line) = (t.app.clock.uuid(), t.app.clock.uuid());
        let shop = SHOP.0;
        let number = hex::encode(dispense::base::clock::random::<6>()).to_uppercase();
        t.db.sql(&format!(
            "insert into orders (id, number, state, currency, subtotal_minor, total_minor, email, email_normalised, \
               locale, pay_by, paid_at) \
             values ('{order}', 'D-{number}', 'paid', 'USD', 100, 100, 'b@example.org', 'b@example.org', 'en', \
               app_now(), app_now()); \
             insert into order_line (id, seller_id, order_id, position, product_id, variant_id, title, variant_title, \
               kind, quantity, partial_delivery, mail_policy, unit_minor, total_minor, currency, locale) \
             select '{line}', '{shop}', '{order}', 1, product_id, id, 'A file', 'Standard', 'file', {quantity}, false, \
               'link', 100, 100 * {quantity}, 'USD', 'en' from variant where id = '{variant}'",
            variant = self.variant.0,
        ))
        .await;
        let mut units = Vec::new();
        for number in 1..=quantity {
            let unit = t.app.clock.uuid();
            t.db.sql(&format!(
                "insert into unit (id, seller_id, order_id, line_id, variant_id, unit_no, state, total_minor, assigned_at) \
                 values ('{unit}', '{shop}', '{order}', '{line}', '{variant}', {number}, 'assigned', 100, app_now())",
                variant = self.variant.0,
            ))
            .await;
            units.push(UnitId(unit));
        }
        Sale { order: OrderId(order), line: LineId(line), units }
    }

    /// What settling wants for the units of a sale.
    pub fn wants(&self, sale: &Sale, max_downloads: Option<i32>) -> Vec<GrantWant> {
        let want = |unit: &UnitId| GrantWant {
            unit_id: *unit,
            line_id: sale.line,
            order_id: sale.order,
            seller_id: SHOP,
            variant_id: self.variant,
            max_downloads,
            expires_at: None,
            bind_address: false,
        };
        sale.units.iter().map(want).collect()
    }

    /// Gives the units of the sale their grants.
    pub async fn grant(&self, t: &TestApp, sale: &Sale, max_downloads: Option<i32>) -> Vec<Granted> {
        let tx = t.app.db.begin().await.unwrap();
        let (granted, facts) =
            files::grant(&tx, &t.app.clock, &self.wants(sale, max_downloads)).await.unwrap();
        events::append(&tx, &facts).await.unwrap();
        tx.commit().await.unwrap();
        granted
    }

    /// One sold unit with one grant.
    pub async fn granted(&self, t: &TestApp, max_downloads: Option<i32>) -> (Sale, GrantId) {
        let sale = self.sell(t, 1).await;
        let granted = self.grant(t, &sale, max_downloads).await;
        assert_eq!(granted.len(), 1);
        (sale, granted[0].id)
    }

    /// A file with one version of no content, for tests that serve nothing.
    pub async fn empty_file(&self, t: &TestApp, name: &str, versions: &[&str]) {
        let file = t.app.clock.uuid();
        let shop = SHOP.0;
        t.db.sql(&format!(
            "insert into file (id, seller_id, variant_id, name) values ('{file}', '{shop}', '{}', '{name}')",
            self.variant.0
        ))
        .await;
        for (index, version) in versions.iter().enumerate() {
            let id = t.app.clock.uuid();
            t.db.sql(&format!(
                "insert into file_version (id, seller_id, file_id, name, version, size, sha256, content_type, blob, \
                   published_at) values ('{id}', '{shop}', '{file}', '{name}', '{version}', 0, sha256(''), \
                   'application/zip', 'none', app_now() + interval '{index} seconds')"
            ))
            .await;
        }
    }

    /// Uploads and publishes a version of a file of this name.
    pub async fn publish(&self, t: &TestApp, name: &str, version: &str, content: &[u8]) -> FileVersion {
        let actor = Actor::system();
        let announced = NewUpload {
            seller_id: SHOP,
            name: name.into(),
            content_type: Some("application/zip".into()),
            size: content.len() as u64,
        };
        let upload = files::create_upload(&t.app, &actor, announced).await.unwrap();
        let pieces: Vec<std::io::Result<Bytes>> =
            content.chunks(100_000).map(|c| Ok(Bytes::copy_from_slice(c))).collect();
        upload::receive_upload(&t.app, &actor, upload.id, futures::stream::iter(pieces)).await.unwrap();
        let new = NewVersion {
            variant_id: self.variant,
            upload_id: upload.id,
            file_id: None,
            name: None,
            version: version.into(),
            notes: None,
        };
        publish_file(&t.app, &actor, new).await.unwrap()
    }
}

/// A link to start within ten minutes.
pub async fn link(t: &TestApp, grant: GrantId) -> DownloadLink {
    delivery::create_download_link(&t.app, grant, None, None).await.unwrap()
}

/// `count` bytes that differ from place to place and from `seed` to `seed`.
pub fn content(count: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(count + 8);
    while bytes.len() < count {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.extend((state >> 11).to_le_bytes());
    }
    bytes.truncate(count);
    bytes
}

/// Status and code of an answer that is no.
pub async fn refusal(response: reqwest::Response) -> String {
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/problem+json", "{status}");
    let body: serde_json::Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert!(body["requestId"].is_string());
    format!("{status} {}", body["code"].as_str().unwrap())
}
