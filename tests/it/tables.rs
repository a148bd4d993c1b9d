//! The arrows hold for SQL too: a feature reads its own tables and those of features below, and writes its own alone.
//! `check` reads all. The rows of events, jobs, messages and tasks belong to `infra`.

use std::collections::BTreeSet;

use regex::Regex;

use crate::architecture::{may_use, sources};

/// Which module a table belongs to.
const OWNERS: [(&str, &str); 14] = [
    (
        "infra",
        "data_key epoch event event_cursor event_head event_seq idempotency job message persisted_query readiness \
         retention_horizon retention_rule setting stuck_row task",
    ),
    ("people", "api_client app_user email_code refresh_token registration seller_member session user_role"),
    ("sellers", "seller"),
    ("vault", "key_batch key_batch_problem key_export secret_version staged_key unit_secret vault_key"),
    ("files", "download_grant file file_version upload"),
    ("fulfilment", "stock_alert"),
    ("suppliers", "supplier supplier_offer supplier_purchase supplier_quarantine"),
    (
        "orders",
        "block_entry hold order_country order_gift order_line order_reference order_visit orders staff_act unit",
    ),
    ("catalogue", "bundle_part price price_currency product product_name product_price translation variant"),
    (
        "payments",
        "asked_trade dispute epoch_question gateway_account ledger_entry notice notice_body notice_body_kept notice_repeat payment refund refund_unit \
         refused_body refused_tally statement_difference statement_fact statement_line statement_run",
    ),
    (
        "delivery",
        "batch_recall case_answer delivery_case download_link download_session download_stream recall_piece replacement",
    ),
    ("licences", "licence_activation"),
    ("mail", "mail_report mail_suppression message_attempt"),
    ("hooks", "hook_attempt hook_delivery hook_endpoint"),
];

/// Finds the tables that a source names in SQL and in the query builder.
struct Finder {
    writes: Regex,
    built_writes: Regex,
    reads: Regex,
    built_reads: Regex,
}

impl Finder {
    fn new() -> Self {
        let mut names: Vec<&str> = OWNERS.iter().flat_map(|(_, tables)| tables.split_whitespace()).collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        let names = names.join("|");
        let regex = |pattern: &str| Regex::new(&pattern.replace("NAMES", &names)).unwrap();
        Self {
            writes: regex(
                r"\b(?:insert into|delete from)\s+\\?\s*(NAMES)\b|\bupdate\s+\\?\s*(NAMES)\s+(?:\w+\s+)?(?:\\\s*)?set\b",
            ),
            built_writes: regex(r"(?:insert_into|diesel::update|diesel::delete)\(\s*(NAMES)::table"),
            reads: regex(r#"\b(?:from|join)\s+\\?\s*(NAMES)(?:[\s,)"\\])"#),
            built_reads: regex(r"\b(NAMES)::table\b"),
        }
    }

    /// `writes`/`reads` with the table, as `module` may not do it.
    fn forbidden(&self, module: &str, code: &str) -> BTreeSet<String> {
        let found = |regex: &Regex| -> Vec<String> {
            let name =
                |c: regex::Captures<'_>| c.iter().skip(1).flatten().next().map(|m| m.as_str().to_owned());
            regex.captures_iter(code).filter_map(name).collect()
        };
        let mut forbidden = BTreeSet::new();
        for table in found(&self.writes).into_iter().chain(found(&self.built_writes)) {
            if owner(&table) != module {
                forbidden.insert(format!("writes {table}"));
            }
        }
        for table in found(&self.reads).into_iter().chain(found(&self.built_reads)) {
            if !may_use(module, owner(&table)) {
                forbidden.insert(format!("reads {table}"));
            }
        }
        forbidden
    }
}

fn owner(table: &str) -> &'static str {
    let owns = |tables: &str| tables.split_whitespace().any(|name| name == table);
    OWNERS.iter().find(|(_, tables)| owns(tables)).unwrap_or_else(|| panic!("{table} belongs to nobody")).0
}

#[test]
fn statements_follow_the_arrows() {
    let finder = Finder::new();
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|s| s.module() != "check" && !s.is_generated()) {
        let forbidden = finder.forbidden(source.module(), &source.code());
        wrong.extend(forbidden.into_iter().map(|what| format!("{} {what}", source.name)));
    }
    assert!(wrong.is_empty(), "statements against the arrows: {wrong:#?}");
}

#[test]
fn statements_of_every_form_are_seen() {
    let finder = Finder::new();
    let planted = [
        ("orders", "\"select 1 from payment p\"", "reads payment"),
        ("orders", "\"select 1 from orders o join refund r on true\"", "reads refund"),
        ("vault", "orders::table.find(id)", "reads orders"),
        ("payments", "\"update orders set state = 'paid'\"", "writes orders"),
        ("payments", "\"insert into unit (id) values ($1)\"", "writes unit"),
        ("payments", "diesel::delete(order_line::table)", "writes order_line"),
        ("payments", "\"update unit u \\\n set state = $1\"", "writes unit"),
    ];
    for (module, code, what) in planted {
        assert!(finder.forbidden(module, code).contains(what), "{module}: {code}");
    }
    for (module, code) in [
        ("payments", "\"select 1 from unit u\""),
        ("orders", "\"update orders set note = $1\""),
        ("orders", "\"select state from orders for update\""),
    ] {
        assert!(finder.forbidden(module, code).is_empty(), "{module}: {code}");
    }
}

#[test]
fn every_table_belongs_to_somebody() {
    let schema = std::fs::read_to_string("src/infra/db/schema.rs").unwrap();
    let table = Regex::new(r"(?m)^    (\w+) \(").unwrap();
    let mut tables: Vec<&str> = table.captures_iter(&schema).map(|c| c.get(1).unwrap().as_str()).collect();
    tables.sort_unstable();
    assert!(tables.len() > 50, "the tables are found");
    tables.iter().for_each(|table| {
        owner(table);
    });
}

/// The first places of `$1`, `$2` … in a text that are not in this order.
fn disordered(sql: &str) -> Option<Vec<usize>> {
    let place = Regex::new(r"\$(\d+)").unwrap();
    let mut first: Vec<usize> = Vec::new();
    for found in place.captures_iter(sql) {
        let number = found[1].parse().unwrap();
        if !first.contains(&number) {
            first.push(number);
        }
    }
    (!first.iter().copied().eq(1..=first.len())).then_some(first)
}

/// A [`Statement`](dispense::infra::db::statement::Statement) takes its values in the order of their first places; another
/// order compiles and fails when it runs.
#[test]
fn placeholders_come_in_their_order() {
    let text = Regex::new(r#"(?s)"((?:[^"\\]|\\.)*)""#).unwrap();
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !source.is_generated()) {
        let code = source.code();
        for found in text.captures_iter(&code) {
            if let Some(order) = disordered(&found[1]) {
                wrong.push(format!("{}: {order:?} in {}", source.name, &found[1]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(disordered("update t set a = $2 where id = $1"), Some(vec![2, 1]), "a planted one");
    assert_eq!(disordered("select $1, $1, $2"), None);
}
