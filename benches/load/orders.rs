//! Orders that are there before anything is measured.

use dispense::base::ids::VariantId;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::shop::SHOP;

/// The number of the n-th order.
pub fn number(n: usize) -> String {
    format!("B{n:09}")
}

/// A public id's own UUID.
pub fn uuid(variant: &str) -> Uuid {
    VariantId::parse(variant).unwrap().0
}

/// Unpaid orders for one piece of a variant each, `from..from + count`, and a payment of each that was begun.
pub async fn unpaid(sql: &Client, variant: Uuid, from: usize, count: usize) {
    let last = from + count - 1;
    let text = format!(
        "set synchronous_commit = off;
         insert into orders (id, number, currency, subtotal_minor, total_minor, email, email_normalised, locale, pay_by)
           select gen_random_uuid(), 'B' || lpad(n::text, 9, '0'), 'USD', 990, 990, n || '@buyer.example',
             n || '@buyer.example', 'en', app_now() + interval '1 day' from generate_series({from}, {last}) n;
         insert into order_line (id, seller_id, order_id, position, product_id, variant_id, title, variant_title, kind, quantity,
             partial_delivery, mail_policy, unit_minor, total_minor, currency, locale, terms)
           select gen_random_uuid(), '{SHOP}', o.id, 0, v.product_id, v.id, 'Thing', 'Standard', 'key', 1, false, 'key', 990,
             990, 'USD', 'en', v.terms
           from orders o, variant v
           where v.id = '{variant}' and o.number between '{first}' and '{until}';
         insert into unit (id, seller_id, order_id, line_id, variant_id, unit_no, total_minor)
           select gen_random_uuid(), l.seller_id, l.order_id, l.id, l.variant_id, 1, 990
           from order_line l join orders o on o.id = l.order_id where o.number between '{first}' and '{until}';
         insert into payment (id, order_id, account_id, account_snapshot, attempt, gateway_number, expected_minor,
             expected_currency)
           select gen_random_uuid(), id, 'bench', '{{}}', 1, number, 990, 'USD' from orders
           where number between '{first}' and '{until}';
         reset synchronous_commit",
        first = number(from),
        until = number(last),
    );
    sql.batch_execute(&text).await.unwrap();
    sql.batch_execute("vacuum analyze").await.unwrap();
}
