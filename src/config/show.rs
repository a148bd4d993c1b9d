//! Printing the configuration: the documented file, and what is in force.

use std::fmt::Write;

use serde_json::{Map, Value};

use crate::config::account_keys::ACCOUNT_KEYS;
use crate::config::keys::{KEYS, Key, Kind, SECTIONS};
use crate::config::load::{self, Faults, Sources};

/// Every key with its meaning and default, as a TOML file that may be edited. What has no default is commented out.
pub fn documented() -> String {
    let mut out = String::new();
    for (section, above) in SECTIONS {
        if !out.is_empty() {
            out.push('\n');
        }
        comment(&mut out, above);
        let behind =
            if *section == "accounts" { "# [[accounts]]\n".into() } else { format!("[{section}]\n") };
        if !section.is_empty() {
            out.push_str(&behind);
        }
        let keys = if *section == "accounts" { ACCOUNT_KEYS } else { KEYS.as_slice() };
        for key in keys.iter().filter(|k| *section == "accounts" || in_section(k, section)) {
            comment(&mut out, key.doc);
            let name = if *section == "accounts" { key.path } else { last(key.path) };
            let _ = match key.default {
                "" => writeln!(out, "# {name} = {}", key.example),
                default => writeln!(out, "{name} = {default}"),
            };
        }
    }
    out
}

/// What is in force, secrets masked, as TOML. What is optional and not set is left out.
pub fn effective(sources: &Sources) -> Result<String, Faults> {
    let mut faults = Faults::default();
    let tree = load::tree(sources, &mut faults);
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut out = String::new();
    for (section, _) in SECTIONS.iter().filter(|(section, _)| *section != "accounts") {
        let lines: String =
            KEYS.iter().filter(|k| in_section(k, section)).filter_map(|k| line(&tree, k)).collect();
        if !lines.is_empty() && !section.is_empty() {
            let _ = write!(out, "\n[{section}]\n");
        }
        out.push_str(&lines);
    }
    for account in tree.get("accounts").and_then(Value::as_array).into_iter().flatten() {
        out.push_str("\n[[accounts]]\n");
        for key in ACCOUNT_KEYS {
            if let Some(value) = account.as_object().and_then(|a| value_at(a, key.path)) {
                let _ = writeln!(out, "{} = {}", key.path, shown(key, value));
            }
        }
    }
    Ok(out)
}

fn line(tree: &Map<String, Value>, key: &Key) -> Option<String> {
    match value_at(tree, key.path) {
        Some(value) => Some(format!("{} = {}\n", last(key.path), shown(key, value))),
        None if key.default.is_empty() => None,
        None => Some(format!("{} = {}\n", last(key.path), key.default)),
    }
}

fn shown(key: &Key, value: &Value) -> String {
    match (key.kind, value) {
        (Kind::Secret, _) => "\"********\"".into(),
        (Kind::Secrets, Value::Array(items)) => format!("[{}]", vec!["\"********\""; items.len()].join(", ")),
        (Kind::Table, Value::Object(entries)) => {
            let entries: Vec<String> =
                entries.iter().map(|(name, value)| format!("{name} = {value}")).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        // JSON's texts, numbers and lists of them are TOML's.
        _ => value.to_string(),
    }
}

fn value_at<'a>(tree: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    match path.split_once('.') {
        Some((section, rest)) => value_at(tree.get(section)?.as_object()?, rest),
        None => tree.get(path),
    }
}

fn in_section(key: &Key, section: &str) -> bool {
    key.path.rsplit_once('.').map_or("", |(section, _)| section) == section
}

fn last(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(_, last)| last)
}

fn comment(out: &mut String, text: &str) {
    for line in text.lines() {
        let _ = writeln!(out, "# {line}");
    }
}
