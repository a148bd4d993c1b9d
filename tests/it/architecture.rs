//! The rules of the code that a compiler does not check: arrows, who may use which crate, names, lengths, clocks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use regex::Regex;

/// Modules by layer, highest first; within a line no module uses another.
const LAYERS: [&[&str]; 21] = [
    &["main"],
    &["app"],
    &["http", "worker", "demo"],
    &["graphql"],
    &["rest", "sandbox"],
    &["evidence"],
    &["kinds"],
    &["check", "mail", "hooks", "operations"],
    &["delivery", "licences"],
    &["payments"],
    &["fulfilment"],
    &["orders"],
    &["catalogue"],
    &["goods"],
    &["vault", "files", "suppliers"],
    &["people", "settings"],
    &["sellers"],
    &["audit"],
    &["infra"],
    &["config"],
    &["base"],
];

pub struct Source {
    path: PathBuf,
    /// Below `src`, with slashes.
    pub name: String,
    text: String,
}

/// The Rust files under a folder.
fn files_under(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_under(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}

pub fn sources() -> Vec<Source> {
    let read = |path: PathBuf| Source {
        text: std::fs::read_to_string(&path).unwrap(),
        name: path.strip_prefix("src").unwrap().to_string_lossy().into_owned(),
        path,
    };
    let mut found: Vec<Source> = files_under(Path::new("src")).into_iter().map(read).collect();
    assert!(found.len() > 50, "the sources are found");
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

impl Source {
    /// `infra` for `infra/db/pool.rs`, `main` for `main.rs`.
    pub fn module(&self) -> &str {
        let first = self.name.split('/').next().unwrap();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// Without comments, so that prose may name what code may not.
    pub fn code(&self) -> String {
        self.text.lines().filter(|l| !l.trim_start().starts_with("//")).map(|l| format!("{l}\n")).collect()
    }

    pub fn is_generated(&self) -> bool {
        self.text.starts_with("// @generated")
    }
}

/// Top-level modules that the code of a file names: as `crate::module`, with and without braces, and by `super::` paths that
/// leave the file's own top-level module.
fn used(name: &str, code: &str) -> Vec<String> {
    let mut modules = used_from_the_root(code);
    // `a/b/mod.rs` and `a/b.rs` are the module a::b: one `super` leads to a.
    let depth = name.trim_end_matches(".rs").trim_end_matches("/mod").split('/').count();
    let supers = Regex::new(r"\b((?:super::)+)([a-z_]+)").unwrap();
    for found in supers.captures_iter(code) {
        if found[1].len() / "super::".len() >= depth {
            modules.push(found[2].to_owned());
        }
    }
    modules
}

fn used_from_the_root(code: &str) -> Vec<String> {
    let path = Regex::new(r"crate::([a-z_]+)").unwrap();
    let braces = Regex::new(r"use crate::\{([^;]*)\};").unwrap();
    let mut modules: Vec<String> = path.captures_iter(code).map(|c| c[1].to_owned()).collect();
    for list in braces.captures_iter(code) {
        let (mut depth, mut word) = (0, String::new());
        for c in list[1].chars().chain([',']) {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    let first: String =
                        word.trim().chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
                    modules.push(first);
                    word.clear();
                    continue;
                }
                _ => {}
            }
            if depth == 0 {
                word.push(c);
            }
        }
    }
    modules
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|names| names.contains(&module))
}

/// Macros at the crate's root.
const MACROS: [&str; 8] = [
    "text_column",
    "fault_point",
    "leads_to_kit",
    "record",
    "event_kinds",
    "payloads",
    "task_kinds",
    "message_kinds",
];

/// Whether a module may use another: itself, or one of a lower layer.
pub fn may_use(from: &str, to: &str) -> bool {
    let own = layer(from).unwrap_or_else(|| panic!("{from} is in no layer"));
    to == from || MACROS.contains(&to) || layer(to).is_some_and(|to| own < to)
}

#[test]
fn arrows_go_down_only() {
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|s| s.module() != "lib") {
        let from = source.module();
        for to in used(&source.name, &source.code()) {
            if !may_use(from, &to) {
                wrong.push(format!("{} uses {to}", source.name));
            }
            if to != from && layer(&to).is_some() {
                graph.entry(from.to_owned()).or_default().insert(to);
            }
        }
    }
    println!("\nWhich module uses which, by layer:");
    for names in LAYERS {
        for name in names.iter().filter(|n| graph.contains_key(**n)) {
            let mut below: Vec<&str> = graph[*name].iter().map(String::as_str).collect();
            below.sort_by_key(|to| layer(to));
            println!("{name:<12} {}", below.join(" "));
        }
    }
    wrong.dedup();
    assert!(wrong.is_empty(), "forbidden arrows:\n{}", wrong.join("\n"));
    for (from, to) in [("orders", "payments"), ("payments", "app"), ("graphql", "http"), ("vault", "files")] {
        assert!(!may_use(from, to), "{from} may not use {to}");
    }
}

#[test]
fn no_path_leads_around_the_arrows() {
    let other_name = Regex::new(r"use\s+crate\s+as\b|use\s+crate::\*|extern\s+crate").unwrap();
    let re_export = Regex::new(r"\buse\b").unwrap();
    let mut wrong = Vec::new();
    for source in sources() {
        let code = source.code();
        if other_name.is_match(&code) {
            wrong.push(format!("{}: another name of the crate", source.name));
        }
        if source.name == "lib.rs" && re_export.is_match(&code) {
            wrong.push("lib.rs: a re-export at the root".to_owned());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn paths_of_every_form_are_seen() {
    let planted = [
        ("orders/place.rs", "use crate::payments::start;", "payments"),
        ("orders/place.rs", "use crate::{base::ids, payments::{start, ask}};", "payments"),
        ("orders/place.rs", "let x = crate::payments::start::run();", "payments"),
        ("orders/place.rs", "use super::super::payments::start;", "payments"),
        ("orders/staff/mod.rs", "use super::super::payments::start;", "payments"),
        ("orders/staff/read.rs", "use super::super::super::payments::start;", "payments"),
    ];
    for (name, code, module) in planted {
        assert!(used(name, code).contains(&module.to_owned()), "{name}: {code}");
    }
    let own =
        [("orders/staff/read.rs", "use super::super::place;"), ("orders/place.rs", "use super::model;")];
    for (name, code) in own {
        assert!(used(name, code).is_empty(), "{name}: {code}: {:?}", used(name, code));
    }
}

#[test]
fn each_crate_is_used_where_it_belongs() {
    let diesel = Regex::new(r"\bdiesel(_async|_migrations)?::(\{[^;]*\}|[A-Za-z_:]+)").unwrap();
    let transports = Regex::new(r"\b(poem|async_graphql)\b").unwrap();
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|s| !s.is_generated()) {
        let (code, module) = (source.code(), source.module());
        let file = source.path.file_name().unwrap().to_str().unwrap();
        let speaks_sql = ["store.rs", "read.rs", "model.rs"].contains(&file)
            || source
                .path
                .iter()
                .any(|part| ["store", "read", "model"].map(std::ffi::OsStr::new).contains(&part))
            || ["check", "infra"].contains(&module);
        // An action that runs in its caller's transaction names the connection, opens a savepoint and
        // passes its error on.
        let passed = [
            "AsyncPgConnection",
            "QueryResult",
            "result::Error",
            "AnsiTransactionManager",
            "TransactionManager",
        ];
        let is_passed = |names: &str| {
            let mut names = names.trim_matches(['{', '}']).split(',').map(str::trim);
            names.all(|name| name.is_empty() || passed.contains(&name))
        };
        let sql = diesel.captures_iter(&code).filter(|c| c.get(2).is_some_and(|p| !is_passed(p.as_str())));
        if !speaks_sql && let Some(found) = sql.map(|c| c[0].to_owned()).next() {
            wrong.push(format!("{}: {found}", source.name));
        }
        let speaks_http = ["http", "graphql", "rest", "sandbox"].contains(&module);
        if !speaks_http && transports.is_match(&code) {
            wrong.push(format!("{}: poem or async_graphql", source.name));
        }
        if module != "infra" && code.contains("reqwest::") {
            wrong.push(format!("{}: reqwest", source.name));
        }
    }
    assert!(wrong.is_empty(), "crates out of their place:\n{}", wrong.join("\n"));
}

#[test]
fn files_are_short_and_named_after_what_they_do() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|s| !s.is_generated()) {
        let lines = source.text.lines().count();
        if lines > 450 {
            wrong.push(format!("{} has {lines} lines", source.name));
        }
        let stem = source.path.file_stem().unwrap().to_str().unwrap();
        let forbidden =
            ["service", "services", "utils", "util", "helpers", "helper", "common", "manager", "types"];
        // GraphQL's own word for what a schema consists of.
        let is_schema = stem == "types" && source.module() == "graphql";
        if forbidden.contains(&stem) && !is_schema {
            wrong.push(format!("{} is named {stem}", source.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn time_and_chance_come_from_one_place() {
    let rust = Regex::new(
        r"Utc::now|SystemTime::now|Local::now|Uuid::(now_v7|new_v4)|rand::(rng|random)\b|SysRng|OsRng",
    )
    .unwrap();
    // In SQL: now() of the database without app_ before it. `.now()` is the clock's.
    let sql = Regex::new(
        r"(?i)(^|[^._a-z:])(now|clock_timestamp|statement_timestamp)\(\)|current_timestamp|gen_random_uuid",
    )
    .unwrap();
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|s| s.name != "base/clock.rs") {
        for (index, line) in source.code().lines().enumerate() {
            if rust.is_match(line) || sql.is_match(line) {
                wrong.push(format!("{}: code line {}: {}", source.name, index + 1, line.trim()));
            }
        }
    }
    for folder in std::fs::read_dir("migrations").unwrap() {
        let file = folder.unwrap().path().join("up.sql");
        for line in std::fs::read_to_string(&file).unwrap_or_default().lines() {
            if sql.is_match(line)
                && !line.contains("function app_now()")
                && !line.trim_start().starts_with("--")
            {
                wrong.push(format!("{}: {line}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "past the clock:\n{}", wrong.join("\n"));
}

#[test]
fn nothing_is_left_to_do_and_no_test_is_skipped() {
    let mut wrong = Vec::new();
    let word = Regex::new(r"\b(TODO|FIXME)\b|todo!\(|unimplemented!\(").unwrap();
    for source in sources() {
        if let Some(found) = word.find(&source.text) {
            wrong.push(format!("{}: {}", source.name, found.as_str()));
        }
    }
    let skipped = Regex::new(r"(?m)^\s*#\[ignore").unwrap();
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let mut tests = Vec::new();
    walk(Path::new("tests/it"), &mut tests);
    for test in tests.iter().filter(|t| t.extension().is_some_and(|e| e == "rs")) {
        if skipped.is_match(&std::fs::read_to_string(test).unwrap()) {
            wrong.push(format!("{}: an ignored test", test.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Where a word that is also the code of a kind of goods means something else: by file, and a part of the line.
const OTHER_MEANINGS: [(&str, &str); 17] = [
    ("base/ids.rs", "KeyId = "),
    ("catalogue/model.rs", "MailPolicy::"),
    ("config/server.rs", "\"file\","),
    ("demo/story.rs", "\"variantId\": "),
    ("files/publish.rs", "not_found(\"file\", "),
    ("graphql/orders/order.rs", "Attribute {"),
    ("graphql/secrets.rs", "name == \"key\""),
    ("infra/seal.rs", "b\"key\""),
    ("orders/place.rs", "new.metadata"),
    ("payments/gateways/", ""),
    ("payments/statements/import.rs", "\"file\""),
    ("people/captcha.rs", "\"secret\""),
    ("rest/licences.rs", "\"key\""),
    ("sandbox/sides/epay_v1.rs", "form.get("),
    ("sandbox/sides/wechatpay/", "billdownload"),
    ("vault/export/mod.rs", "let object"),
    ("vault/layout.rs", ""),
];

/// Lines of a file in which a kind of goods is named by its code.
fn kinds_named(name: &str, code: &str, kinds: &Regex) -> Vec<String> {
    if name.starts_with("goods/") {
        return Vec::new();
    }
    let other = |line: &str| {
        let known = |(file, part): &(&str, &str)| name.starts_with(file) && line.contains(part);
        !line.contains("kind") && OTHER_MEANINGS.iter().any(known)
    };
    let found = code.lines().filter(|line| kinds.is_match(line) && !other(line));
    found.map(|line| format!("{name}: {}", line.trim())).collect()
}

fn kind_literals() -> Regex {
    let codes = dispense::goods::codes().join("|");
    Regex::new(&format!(r#"["'](?:{codes})["']"#)).unwrap()
}

/// Rows: C2.
#[test]
fn no_kind_of_goods_is_named_outside_goods() {
    let kinds = kind_literals();
    let wrong: Vec<String> =
        sources().iter().flat_map(|source| kinds_named(&source.name, &source.code(), &kinds)).collect();
    assert!(wrong.is_empty(), "ask the registry of goods instead:\n{}", wrong.join("\n"));
}

#[test]
fn kinds_that_are_named_are_seen() {
    let kinds = kind_literals();
    for (name, line) in [
        ("vault/store.rs", "   where v.kind = 'key' limit 1000)"),
        ("orders/place.rs", "if line.kind == \"file\" {"),
        ("mail/compose.rs", "    \"file\" => attach(line),"),
        ("payments/gateways/stripe/mod.rs", "if line.kind != \"key\" {"),
        ("check/keys.rs", "where l.kind in ('file', 'key')"),
    ] {
        assert_eq!(kinds_named(name, line, &kinds).len(), 1, "{name}: {line}");
    }
    for (name, line) in
        [("goods/key.rs", "pub const CODE: &str = \"key\";"), ("orders/place.rs", "the_key(\"keys\")")]
    {
        assert!(kinds_named(name, line, &kinds).is_empty(), "{name}: {line}");
    }
}

/// Names of types that more than two places declare. The simulator speaks of payments as gateways do, in names of its own
/// world, and is left out; the API's types and the rows behind them may share a name.
fn names_of_many_things<'a>(sources: impl Iterator<Item = (&'a str, String)>) -> Vec<String> {
    let declared = Regex::new(r"(?m)^(?:pub(?:\([^)]*\))? )?(?:struct|enum|trait|type) ([A-Z]\w*)").unwrap();
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, code) in sources.filter(|(name, _)| !name.starts_with("sandbox/")) {
        for found in declared.captures_iter(&code) {
            places.entry(found[1].to_owned()).or_default().push(name.to_owned());
        }
    }
    places.retain(|_, places| places.len() > 2);
    places.into_iter().map(|(name, places)| format!("{name}: {}", places.join(", "))).collect()
}

#[test]
fn a_type_name_means_one_thing() {
    let sources = sources();
    let all = sources.iter().filter(|s| !s.is_generated()).map(|s| (s.name.as_str(), s.code()));
    let many = names_of_many_things(all);
    assert!(many.is_empty(), "{}", many.join("\n"));
    let planted = ["a.rs", "b.rs", "c.rs"].map(|name| (name, "pub(super) struct Answer {\n}\n".to_owned()));
    assert_eq!(names_of_many_things(planted.into_iter()), ["Answer: a.rs, b.rs, c.rs"]);
}

/// The fuzz targets are built by `make fuzz` alone; a module that is moved takes their imports with it all the same.
#[test]
fn fuzz_targets_name_modules_that_exist() {
    let used = Regex::new(r"\bdispense((?:::[a-z0-9_]+)+)::").unwrap();
    let exists = |path: &str| {
        let path = path.trim_start_matches("::").replace("::", "/");
        Path::new(&format!("src/{path}.rs")).exists() || Path::new(&format!("src/{path}/mod.rs")).exists()
    };
    let mut seen = 0;
    for file in files_under(Path::new("fuzz/fuzz_targets")) {
        let code = std::fs::read_to_string(&file).unwrap();
        for found in used.captures_iter(&code) {
            assert!(exists(&found[1]), "{}: dispense{}", file.display(), &found[1]);
            seen += 1;
        }
    }
    assert!(seen > 20, "their imports are read");
    assert!(!exists("::payments::gateway"), "one that is gone is not found");
}
