//! Rows that a file sale stands on, put in by SQL.

use dispense::base::ids::{GrantId, LineId, OrderId, SHOP, UnitId, VariantId};
use dispense::downloads::{self, GrantWant, Granted};

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
        };
        sale.units.iter().map(want).collect()
    }

    /// Gives the units of the sale their grants.
    pub async fn grant(&self, t: &TestApp, sale: &Sale, max_downloads: Option<i32>) -> Vec<Granted> {
        let mut tx = t.app.db.begin().await.unwrap();
        let granted =
            downloads::grant(&mut tx, &t.app.clock, &self.wants(sale, max_downloads)).await.unwrap();
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
}
