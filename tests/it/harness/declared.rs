//! What the comments above the tests say of them: `/// Rows: K3 (orderPlace, deliveryReveal), L1.` names requirements
//! and the operations by which they are shown; `/// Sends: orderCancel, order.` names operations that the test is about.
//! `harness::sent` checks at the end of the test that it really sent them.

use std::path::{Path, PathBuf};

/// A row's letter and number, so that K9 comes before K10.
pub type Row = (char, u32);

/// A test as its source declares it.
#[derive(Debug, Default)]
pub struct Declared {
    /// As the test runner names it.
    pub name: String,
    /// Requirements with the operations by which they are shown.
    pub rows: Vec<(Row, Vec<String>)>,
    /// Operations that are done and, where they can be, refused.
    pub sends: Vec<String>,
    /// The attributes between the comment and the function.
    pub attributes: String,
    /// From the function's name to the end of the item.
    pub body: String,
}

impl Declared {
    /// Operations that it must have sent with success.
    pub fn operations(&self) -> impl Iterator<Item = &String> {
        self.rows.iter().flat_map(|(_, operations)| operations).chain(&self.sends)
    }
}

pub fn row(text: &str) -> Row {
    let mut letters = text.chars();
    let letter = letters.next().filter(char::is_ascii_uppercase);
    let number = letters.as_str().parse().ok();
    letter.zip(number).unwrap_or_else(|| panic!("`{text}` is no row such as K3"))
}

fn names(text: &str) -> Vec<String> {
    let name = |text: &str| {
        let name = text.trim();
        assert!(
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric()),
            "`{text}` is no operation"
        );
        name.to_owned()
    };
    text.trim_end_matches('.').split(',').map(name).collect()
}

/// `K3 (orderPlace, deliveryReveal), L1.`
fn rows(text: &str) -> Vec<(Row, Vec<String>)> {
    let mut found = Vec::new();
    let mut rest = text.trim_end_matches('.').trim();
    while !rest.is_empty() {
        let end = rest.find([',', '(']).unwrap_or(rest.len());
        let row = row(rest[..end].trim());
        rest = &rest[end..];
        let mut operations = Vec::new();
        if let Some(inner) = rest.strip_prefix('(') {
            let (inside, behind) =
                inner.split_once(')').unwrap_or_else(|| panic!("`{text}` has an open bracket"));
            operations = names(inside);
            rest = behind;
        }
        rest = rest.trim_start().strip_prefix(',').unwrap_or(rest).trim_start();
        found.push((row, operations));
    }
    found
}

/// The tests of a source text that declare something; its module path comes before the tests' names.
pub fn read(text: &str, module: &str) -> Vec<Declared> {
    let (mut found, mut pending): (Vec<Declared>, Declared) = Default::default();
    let mut inside = false;
    for line in text.lines() {
        let trimmed = line.trim();
        if inside {
            found.last_mut().unwrap().body.push_str(line);
            found.last_mut().unwrap().body.push('\n');
            inside = line != "}";
        } else if let Some(listed) = trimmed.strip_prefix("/// Rows: ") {
            pending.rows.extend(rows(listed));
        } else if let Some(listed) = trimmed.strip_prefix("/// Sends: ") {
            pending.sends.extend(names(listed));
        } else if pending.rows.is_empty() && pending.sends.is_empty() {
        } else if trimmed.starts_with("#[") {
            pending.attributes.push_str(trimmed);
        } else if let Some((_, rest)) = line.split_once("fn ") {
            let name = rest.split(['(', '<']).next().unwrap();
            let name = format!("{module}::{name}");
            found.push(Declared { name, body: format!("{line}\n"), ..std::mem::take(&mut pending) });
            inside = true;
        }
    }
    assert!(pending.rows.is_empty() && pending.sends.is_empty(), "{module}: declared without a test below");
    found
}

/// Every source file of the tests with the module path it has.
pub fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, module: &str, found: &mut Vec<(PathBuf, String)>) {
        let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let inner = match (module, name.as_str()) {
                (outer, "mod" | "main") => outer.to_owned(),
                ("", name) => name.to_owned(),
                (outer, name) => format!("{outer}::{name}"),
            };
            if path.is_dir() {
                walk(&path, &inner, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push((path, inner));
            }
        }
    }
    let mut found = Vec::new();
    walk(Path::new("tests/it"), "", &mut found);
    found
}

/// What the source says of the test of this name; none when there is no such test, or nothing is said.
pub fn of_test(name: &str) -> Option<Declared> {
    let (module, _) = name.rsplit_once("::")?;
    let path = format!("tests/it/{}", module.replace("::", "/"));
    let text = [format!("{path}.rs"), format!("{path}/mod.rs")]
        .iter()
        .find_map(|p| std::fs::read_to_string(p).ok())?;
    read(&text, module).into_iter().find(|declared| declared.name == name)
}
