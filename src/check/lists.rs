//! What lists of products are sorted and narrowed by is what the products say.

use crate::check::report::{Invariant, Question};

pub(super) const INVARIANT: Invariant = Invariant {
    number: 25,
    title: "lists are sorted by what products are called and cost",
    questions: &[
        Question {
            name: "a product is sorted by its name in each language",
            sql: "select 'product ' || p.id || ' in ' || l.locale as counter
              from product p cross join (values ('en'), ('zh')) l (locale)
              left join product_name n on n.product_id = p.id and n.locale = l.locale
              where n.name is distinct from lower(coalesce(
                (select t.value from translation t where t.object_id = p.id and t.field = 'name' and t.locale = l.locale),
                (select t.value from translation t where t.object_id = p.id and t.field = 'name' and t.locale = p.default_locale),
                p.slug))",
        },
        // What has come to its time is computed again within a minute.
        Question {
            name: "a product is sorted by what it costs from in each currency",
            sql: "select 'product ' || p.id || ' in ' || c.currency as counter
              from product p cross join price_currency c
              left join product_price k on k.product_id = p.id and k.currency = c.currency
              cross join lateral (select min(r.unit_minor) as unit_minor from variant v
                join price r on r.variant_id = v.id and r.currency = c.currency and r.min_quantity <= v.min_quantity
                  and r.valid_from <= app_now() and r.valid_to > app_now()
                where v.product_id = p.id and v.state = 'active') f
              where k.product_id is null or (k.unit_minor is distinct from f.unit_minor
                and (k.until is null or k.until > app_now()))",
        },
        Question {
            name: "prices that began or ended are computed again",
            sql: "select 'product ' || product_id || ' in ' || currency as counter from product_price
              where until < app_now() - interval '1 day'",
        },
    ],
};
