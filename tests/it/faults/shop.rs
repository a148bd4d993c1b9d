//! A shop whose orders are paid through server processes.

use dispense::base::clock::random;
use dispense::base::ids::{OrderId, VariantId};

use crate::harness::{DurableCluster, Server, Setup, TestApp, TestDatabase, shop, with_generic};

/// The account of `with_generic`, for the configuration of a server process.
pub fn generic_account() -> String {
    format!(
        "[[accounts]]\nid = \"generic\"\ngateway = \"generic\"\ncurrencies = [\"USD\", \"EUR\", \"CNY\"]\n\
         secrets = [\"{}\"]\nsandbox = true\n",
        shop::generic_secret()
    )
}

/// A server process over the shop's database.
pub fn server(t: &TestApp) -> Setup {
    Server::of(&t.db.app_url()).config(&generic_account())
}

/// A shop on a cluster where every commit waits for the disk.
pub async fn durable() -> (DurableCluster, TestApp) {
    let cluster = DurableCluster::start().await;
    let database = cluster.database().await;
    let t = TestApp::start_over(TestDatabase::durable(&database), with_generic).await;
    (cluster, t)
}

/// An order that waits for its payment: id and number.
#[derive(Clone, Debug)]
pub struct Waiting {
    pub id: OrderId,
    pub number: String,
    pub amount_minor: i64,
}

/// Many unpaid orders for one key each, written at once.
pub async fn many_orders(t: &TestApp, variant: VariantId, count: usize) -> Vec<Waiting> {
    let tag = hex::encode_upper(random::<3>());
    let sql = format!(
        "insert into orders (id, number, currency, subtotal_minor, total_minor, email, email_normalised, locale, pay_by)
           select gen_random_uuid(), 'M{tag}' || n, 'USD', 990, 990, n || '@buyer.example', n || '@buyer.example', 'en',
             app_now() + interval '1 hour' from generate_series(1, {count}) n;
         insert into order_line (id, seller_id, order_id, position, product_id, variant_id, title, variant_title, kind,
             quantity, partial_delivery, mail_policy, unit_minor, total_minor, currency, locale)
           select gen_random_uuid(), v.seller_id, o.id, 0, v.product_id, v.id, 'Thing', 'Standard', v.kind, 1, false, 'key',
             990, 990, 'USD', 'en' from orders o, variant v where o.number like 'M{tag}%' and v.id = '{variant}';
         insert into unit (id, seller_id, order_id, line_id, variant_id, unit_no, total_minor)
           select gen_random_uuid(), l.seller_id, l.order_id, l.id, l.variant_id, 1, 990 from order_line l
             join orders o on o.id = l.order_id where o.number like 'M{tag}%';
         insert into payment (id, order_id, account_id, account_snapshot, attempt, gateway_number, expected_minor,
             expected_currency, next_check_at)
           select gen_random_uuid(), o.id, 'generic', '{{}}', 1, o.number, 990, 'USD', app_now() + interval '1 year' from orders o
             where o.number like 'M{tag}%';
         select id, number from orders where number like 'M{tag}%' order by id",
        variant = variant.0
    );
    let rows = t.db.sql(&sql).await;
    rows.into_iter()
        .map(|row| Waiting {
            id: OrderId(row[0].as_ref().unwrap().parse().unwrap()),
            number: row[1].clone().unwrap(),
            amount_minor: 990,
        })
        .collect()
}

impl Waiting {
    pub fn paid(&self) -> crate::harness::Said {
        crate::harness::Said {
            id: format!("evt_{}", self.number),
            kind: "payment.succeeded",
            number: self.number.clone(),
            trade_no: format!("T{}", self.number),
            amount_minor: self.amount_minor,
            currency: "USD",
            refunded_minor: None,
        }
    }
}

/// Every promise that can be read off the database after trouble: each paid order has one key, no key twice, one
/// payment each, money adds up, nothing moves any more.
pub async fn assert_sound(t: &TestApp, paid: usize, assigned: usize) {
    let one = async |sql: &str| t.db.one(sql).await;
    assert_eq!(one("select count(*) from orders where state = 'paid'").await, paid.to_string());
    assert_eq!(one("select count(*) from unit where state = 'assigned'").await, assigned.to_string());
    assert_eq!(one("select count(*) from vault_key where state = 'sold'").await, assigned.to_string());
    assert_eq!(
        one("select count(distinct unit_id) from vault_key where state = 'sold'").await,
        assigned.to_string()
    );
    assert_eq!(one("select count(*) from payment where allocated").await, paid.to_string());
    assert_eq!(one("select count(*) from unit u join orders o on o.id = u.order_id where o.state = 'paid' and u.state = 'unassigned'").await, "0");
    assert_eq!(
        one("select coalesce(sum(amount_minor), 0) from ledger_entry where book = 'gateway'").await,
        (paid * 990).to_string()
    );
    assert_eq!(one("select coalesce(sum(amount_minor), 0) from ledger_entry").await, "0");
    assert_eq!(
        one("select count(*) from message where kind = 'order_delivered'").await,
        assigned.to_string()
    );
    assert_eq!(one("select count(*) from (select 1 from notice where verdict in ('applied', 'recorded') group by account_id, event_key having count(*) > 1) d").await, "0");
    let report = dispense::check::run(&t.app.db, &t.app.config.secrets).await.unwrap();
    assert!(report.is_clean(), "{report}");
}
